/* params.h - the parameters of one network or group of networks: named tensors in one flat block. */
#ifndef ELB_PARAMS_H
#define ELB_PARAMS_H

#include "tensor/tensor.h"

typedef struct elb_param {
    char *name; /* as PyTorch names it: "decoder.0.weight" */
    int rank;
    int64_t shape[2];
    int64_t offset, count; /* into the flat blocks */
} elb_param;

typedef struct elb_params {
    elb_context *context;
    elb_param *at;
    int64_t count, capacity;
    int64_t size;             /* numbers in all */
    elb_real *data;           /* [size] */
    elb_real *grad;           /* [size] */
    bool frozen;              /* leaves carry no gradient */
    const elb_update *update; /* given to every leaf; NULL: none */
} elb_params;

void elb_params_init(elb_params *p, elb_context *c);
void elb_params_free(elb_params *p);
/* Adds a tensor and gives its index. All are added first; then elb_params_build allocates the blocks (zeroed). */
elb_status elb_params_add(elb_params *p, int64_t *index, int rank, const int64_t *shape, const char *name_format, ...)
    ELB_PRINTF(5, 6);
elb_status elb_params_build(elb_params *p);
elb_tensor *elb_params_leaf(elb_params *p, elb_tape *t, int64_t index);
/* Its first `rows` rows (of a vector, numbers) alone. */
elb_tensor *elb_params_leaf_rows(elb_params *p, elb_tape *t, int64_t index, int64_t rows);
elb_real *elb_params_data(elb_params *p, int64_t index);

/* A weight [out,in] uniform in +-sqrt(6/(in+out)) (Glorot & Bengio 2010). */
void elb_glorot(const elb_kernels *k, elb_stream at, int64_t out, int64_t in, elb_real *w);
/* The same for a parameter, from a stream of its own. */
void elb_params_glorot(elb_params *p, const elb_kernels *k, uint64_t key, int64_t index);

#endif
