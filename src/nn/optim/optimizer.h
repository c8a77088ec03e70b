/* optimizer.h - first-order optimisers over flat parameter blocks. */
#ifndef ELB_OPTIMIZER_H
#define ELB_OPTIMIZER_H

#include "nn/optim/optimizer_options.h"
#include "nn/params.h"

enum { ELB_OPTIMIZER_MOMENTS = 2, ELB_OPTIMIZER_BLOCKS = 4 };

/* One method: `moments` running numbers per parameter, and its sweep over a range of them. */
typedef struct elb_optimizer_type {
    const char *name, *source;
    int moments;
    /* Fills in the constants of step t = 1, 2, ... at step size `rate`. */
    elb_adam_step (*prepare)(const elb_optimizer_options *o, double rate, int64_t t);
    void (*sweep)(const elb_kernels *k, const elb_adam_step *h, int64_t n, elb_real *p, const elb_real *g,
                  elb_real *const moment[ELB_OPTIMIZER_MOMENTS]);
} elb_optimizer_type;

extern const elb_optimizer_type *const elb_optimizer_types[]; /* NULL at the end */

typedef struct elb_optimizer elb_optimizer;

typedef struct elb_optimizer_block {
    elb_optimizer *optimizer;
    elb_params *params;
    elb_real *moment[ELB_OPTIMIZER_MOMENTS]; /* [params->size] each */
    elb_update update;
} elb_optimizer_block;

/* Not to be moved once a block was added. */
struct elb_optimizer {
    elb_context *context;
    const elb_optimizer_type *type;
    elb_optimizer_options options;
    elb_adam_step step; /* the constants of the step that is being taken */
    int64_t steps;      /* taken since the moments were last zero */
    bool deferred;      /* this step's updates happen at its end */
    int64_t blocks;
    elb_optimizer_block block[ELB_OPTIMIZER_BLOCKS];
};

void elb_optimizer_init(elb_optimizer *o, elb_context *c, const elb_optimizer_options *options);
void elb_optimizer_free(elb_optimizer *o);
/* Takes charge of one more built parameter block; at most ELB_OPTIMIZER_BLOCKS. */
elb_status elb_optimizer_add(elb_optimizer *o, elb_params *params);
/* A step is taken around one tape run: begin, record the loss, elb_tape_run, end. Without clipping the parameters that
 * the loss reaches are updated inside the run, each as soon as its gradient is complete. With options.clip > 0 that
 * waits for the global norm, and happens in end: gradients are scaled by min(1, clip / (norm + 1e-6)). Parameters that
 * the loss does not reach have a zero gradient under clipping, and are left alone without. `ran`: the run succeeded.
 * The bits do not depend on the number of threads. */
void elb_optimizer_begin(elb_optimizer *o, double rate);
/* For a step of several tape runs, after begin: updates wait until end, as under clipping, and are taken by what the
 * blocks' gradients, zero at first, have then become. */
void elb_optimizer_defer(elb_optimizer *o);
elb_status elb_optimizer_end(elb_optimizer *o, bool ran);
/* Moments back to zero, steps back to 0. */
void elb_optimizer_reset(elb_optimizer *o);

#endif
