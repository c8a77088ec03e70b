/* dataset.h - loading a part of a data set, and handing out batches of it. */
#ifndef ELB_DATASET_H
#define ELB_DATASET_H

#include <elbow/dataset.h>

#include "data/array.h"
#include "data/data_options.h"
#include "kernels/kernels.h"

struct elb_dataset {
    elb_context *context;
    char *name, *description;
    elb_array array; /* shape[0] is N */
    int32_t *labels; /* [N] or NULL */
    int64_t size;    /* D */
    uint64_t origin; /* the stream position of datum 0: the parts of one source draw different random numbers */
    elb_data_facts facts;
};

/* Reads the part of options->spec: a file (IDX, NPY, NPZ, CSV, TSV, each also gzipped), a folder (the four MNIST-named
 * IDX files, or PNG images), or a name (fashion-mnist, mnist, synthetic:...).
 *
 * A source with its own test file gives its last options->validation training data to the validation part. From any
 * other source, options->test and options->validation data are drawn by a permutation of `seed` and kept in file order.
 * Synthetic sets have 1000 data in each part. options->limit then keeps the first data of any part.
 * Errors: ELB_USAGE (no such name or part, more held out than there is), ELB_FAILURE (no such file), ELB_DATA (corrupt,
 * wrong shape), ELB_MEMORY. */
elb_status elb_dataset_load(elb_context *c, const elb_data_options *options, uint64_t seed, elb_part part,
                            elb_dataset **dataset);

/* Takes over the array and the labels, which are freed on failure too. scale > 0. Errors: ELB_DATA (no values, or 2^32
 * data and more), ELB_MEMORY. */
elb_status elb_dataset_wrap(elb_context *c, const char *name, elb_array *array, int32_t *labels, double scale,
                            elb_dataset **dataset);

/* Says in words when the data cannot be binarised in this way: only values in [0,1] can be by
 * chance. Errors: ELB_DATA. */
elb_status elb_dataset_check_binarise(const elb_dataset *d, int binarise);

typedef struct elb_batch_spec {
    int binarise; /* elb_binarise */
    double threshold;
    uint64_t seed;
    uint32_t epoch; /* ELB_BINARISE_STATIC ignores it */
    uint32_t draw;  /* which binarisation of the same datum in the same epoch; ELB_BINARISE_STATIC ignores it */
} elb_batch_spec;

/* Row j of x[count, D] is datum indices[j], divided by the scale and binarised. indices NULL: 0 .. count-1. The result
 * for a datum does not depend on the batch it is in. Threads may call this at once on different x. */
void elb_dataset_batch(const elb_dataset *d, const elb_kernels *k, const elb_batch_spec *spec, const int64_t *indices,
                       int64_t count, elb_real *x);

/* order[n] = a uniformly random permutation of 0 .. n-1, n < 2^32 (Fisher-Yates). The first draws it from the shuffling
 * stream of (seed, epoch), the second from any key. */
void elb_permutation(uint64_t seed, uint32_t epoch, int64_t n, int64_t *order);
void elb_permutation_keyed(uint64_t key, int64_t n, int64_t *order);

#endif
