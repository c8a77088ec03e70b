/* layer.h - linear layers out of a foreign safetensors file, and what can be folded into them exactly.
 *
 * Functions return ELB_USAGE for what a map asks and the file does not hold, with a sentence that names the tensor.
 * Layers live as long as the file. */
#ifndef ELB_LAYER_H
#define ELB_LAYER_H

#include "run/safetensors.h"

/* y = W x + b, in double so that what is folded is rounded once. */
typedef struct elb_layer {
    int64_t out, in;
    double *weight; /* [out,in] */
    double *bias;   /* [out] */
} elb_layer;

typedef struct elb_foreign {
    elb_context *context;
    elb_safetensors *file;
    elb_arena *arena;
    bool *used;                /* [tensors] */
    bool transposed;           /* weights are stored [in,out] */
    const char *weight, *bias; /* what follows a layer's name */
} elb_foreign;

/* Errors: those of elb_safetensors_open. Closing is needed after a failure too. */
elb_status elb_foreign_open(elb_context *c, const char *path, elb_foreign *f);
void elb_foreign_close(elb_foreign *f);

/* The tensor, from now on counted as used; NULL with the sentence set where there is none of that name. */
const elb_safetensors_entry *elb_foreign_find(elb_foreign *f, const char *name);
/* All numbers of a tensor. ELB_USAGE for one that is not floating. */
elb_status elb_foreign_read(elb_foreign *f, const elb_safetensors_entry *e, int64_t *count, double **values);
/* What `text` says for n values: a number for all, or the name of a tensor with one for all, for each, or for each of
 * `channels`, which vary fastest. */
elb_status elb_foreign_values(elb_foreign *f, const char *text, int64_t channels, int64_t n, double **values);

/* The next of the words in *list, which have commas between them, without its spaces; false at the end. */
bool elb_next_word(const char **list, char word[], size_t size);
/* "fc1": tensors fc1.weight and fc1.bias (elb_foreign.weight, .bias); "A + b": tensors A and b; "A + 0": no bias. */
elb_status elb_layer_read(elb_foreign *f, const char *word, elb_layer *layer);
/* a's rows above b's, which must have as many columns. */
elb_status elb_layer_stack(elb_foreign *f, const elb_layer *a, const elb_layer *b, elb_layer *stacked);
/* Rows [first, first + rows) of a layer, as a layer over the same numbers. */
elb_layer elb_layer_rows(const elb_layer *layer, int64_t first, int64_t rows);
/* The layer takes x where it took scale * x + shift, [in] each. */
void elb_layer_before(elb_layer *layer, const double *scale, const double *shift);
/* The layer gives scale * y + shift where it gave y, [out] each. */
void elb_layer_after(elb_layer *layer, const double *scale, const double *shift);
/* Batch normalisation of the layer's output by its running statistics (Ioffe & Szegedy 2015): tensors <word>.weight,
 * .bias, .running_mean, .running_var. */
elb_status elb_layer_normalise(elb_foreign *f, const char *word, double epsilon, elb_layer *layer);

#endif
