/* dataset.h - N data of D values each, as read from a file, a folder or a named set.
 *
 * 8-bit images stay 8-bit in memory; everything else is kept as 32-bit floats. A data set never changes after it was
 * made, so any number of threads may read one. */
#ifndef ELBOW_DATASET_H
#define ELBOW_DATASET_H

#include <stdbool.h>

#include <elbow/context.h>

ELB_BEGIN_DECLS

typedef struct elb_dataset elb_dataset;

typedef enum elb_part {
    ELB_PART_TRAIN,
    ELB_PART_VALIDATION, /* held out of the training data (data.validation) */
    ELB_PART_TEST,       /* the source's own test file, or held out of the only one (data.test) */
    ELB_PART_ALL         /* every datum of a source without a test file; the test file of one that has it */
} elb_part;

/* What is known of the values, as they are stored: a model sees them divided by `scale`. */
typedef struct elb_data_facts {
    double min, max;                   /* over the finite values; NaN when there are none */
    double scale;                      /* > 0 */
    int64_t nan_count, infinite_count; /* values that are not a number, and those beyond every number */
    bool binary;                       /* after division by scale, every value is 0 or 1 */
    bool eight_bit;                    /* stored as 8-bit integers */
} elb_data_facts;

/* "train", "validation", "test", "all". Never NULL. */
ELB_API const char *elb_part_name(elb_part part);

/* Copies `count` data of the given item shape (rank 0..3; rank 0: one value per datum) from values[count, D], with
 * scale 1. Errors: ELB_USAGE (no data, absurd shape), ELB_MEMORY. */
ELB_API elb_status elb_dataset_create(elb_context *c, const char *name, int64_t count, int rank, const int64_t *shape,
                                      const float *values, elb_dataset **dataset);
ELB_API void elb_dataset_destroy(elb_dataset *d); /* d may be NULL */

ELB_API int64_t elb_dataset_count(const elb_dataset *d); /* N */
ELB_API int64_t elb_dataset_size(const elb_dataset *d);  /* D, the product of the item shape */
/* The item shape: [height, width], [height, width, channels], or [values] for a table. Returns the rank, 1..3; the
 * entries beyond it are 1. */
ELB_API int elb_dataset_shape(const elb_dataset *d, int64_t shape[3]);
ELB_API elb_data_facts elb_dataset_facts(const elb_dataset *d);
ELB_API bool elb_dataset_has_labels(const elb_dataset *d);
ELB_API int64_t elb_dataset_label(const elb_dataset *d, int64_t index); /* -1 without labels */
/* Data first .. first+count-1 divided by the scale, not binarised, into x[count, D].
 * Errors: ELB_USAGE for rows that do not exist. */
ELB_API elb_status elb_dataset_rows(const elb_dataset *d, int64_t first, int64_t count, float *x);
/* Borrowed. The name: "fashion-mnist (test)". The description: "10000 x 28x28, 8-bit, range 0..255, 0 NaN". */
ELB_API const char *elb_dataset_name(const elb_dataset *d);
ELB_API const char *elb_dataset_describe(const elb_dataset *d);

ELB_END_DECLS

#endif
