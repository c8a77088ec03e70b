/* model.h - the generative model: prior N(0,I) over z [Z], a decoder network, a likelihood of x [D].
 *
 * Shapes: S samples, B batch. x [B,D]; z [S,B,Z]; log densities [S,B] in nats. */
#ifndef ELB_MODEL_H
#define ELB_MODEL_H

#include "model/model_options.h"
#include "dist/dist.h"
#include "nn/mlp.h"

typedef struct elb_model elb_model;

/* What the data must be for a likelihood to make sense, over the part that will be used. */
typedef struct elb_value_range {
    double least, largest;
    int64_t missing; /* NaN */
    int64_t infinite;
    bool binary; /* every value is 0 or 1 */
} elb_value_range;

/* What every likelihood provides: the decoder's output `out` is [..,B,outputs * D]. */
typedef struct elb_likelihood_type {
    const char *name, *source;
    int64_t (*outputs)(const elb_likelihood_options *o);             /* decoder outputs per pixel */
    elb_status (*declare)(elb_model *m);                             /* OPTIONAL: parameters of its own */
    void (*reset)(elb_model *m);                                     /* OPTIONAL: their start */
    elb_tensor *(*link)(elb_model *m, elb_tape *t, elb_tensor *out); /* OPTIONAL: what the network's output becomes
                                                                        before it is `out` */
    elb_tensor *(*log_prob)(elb_model *m, elb_tape *t, elb_tensor *x, elb_tensor *out);
    void (*mean)(const elb_model *m, int64_t rows, const elb_real *out, elb_real *mean); /* E[x|z] per pixel [rows,D] */
    void (*draw)(elb_model *m, const elb_kernels *k, elb_stream at, const elb_real *out, elb_real *x); /* one row */
    double (*bias)(const elb_likelihood_options *o, double mean);      /* network's output whose mean is the data's */
    elb_status (*check)(elb_context *c, const elb_value_range *range); /* says in words what does not fit */
} elb_likelihood_type;

extern const elb_likelihood_type *const elb_likelihood_types[]; /* in the order of elb_likelihood_kind */

struct elb_model {
    elb_context *context;
    elb_model_options options;
    elb_likelihood_options likelihood_options;
    const elb_likelihood_type *likelihood;
    int64_t data; /* D */
    elb_params params;
    elb_mlp decoder;
    int64_t log_variance; /* parameter index of a learned variance; -1: none */
};

/* Parameters are zero until elb_model_reset or a load. */
elb_status elb_model_create(elb_context *c, const elb_model_options *options, const elb_likelihood_options *likelihood,
                            int64_t data, elb_model **model);
/* The same without memory for the parameters: elb_params_build of model->params is left to the caller. */
elb_status elb_model_declare(elb_context *c, const elb_model_options *options, const elb_likelihood_options *likelihood,
                             int64_t data, elb_model **model);
void elb_model_destroy(elb_model *m);
/* Draws the starting parameters from the seed. */
elb_status elb_model_reset(elb_model *m, uint64_t seed);
/* Starts the output bias where the likelihood's mean equals mean [D] of the training data: for Bernoulli
 * logit(clip(mean, .001, .999)), as in Burda et al. 2016's code. */
void elb_model_start_at_mean(elb_model *m, const double *mean);

elb_tensor *elb_model_decode(elb_model *m, elb_tape *t, elb_tensor *z);                        /* -> [S,B,outputs*D] */
elb_tensor *elb_model_log_likelihood(elb_model *m, elb_tape *t, elb_tensor *x, elb_tensor *z); /* log p(x|z) [S,B] */
elb_tensor *elb_model_log_prior(elb_model *m, elb_tape *t, elb_tensor *z);                     /* log p(z) [S,B] */
elb_tensor *elb_model_log_joint(elb_model *m, elb_tape *t, elb_tensor *x, elb_tensor *z);      /* log p(x,z) [S,B] */

#endif
