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

typedef struct elb_optimizer {
    elb_context *context;
    const elb_optimizer_type *type;
    elb_optimizer_options options;
    int64_t steps;  /* taken since the moments were last zero */
    int64_t blocks;
    struct {
        elb_params *params;
        elb_real *moment[ELB_OPTIMIZER_MOMENTS]; /* [params->size] each */
    } block[ELB_OPTIMIZER_BLOCKS];
} elb_optimizer;

elb_status elb_optimizer_init(elb_optimizer *o, elb_context *c, const elb_optimizer_options *options);
void elb_optimizer_free(elb_optimizer *o);
/* Takes charge of one more built parameter block; at most ELB_OPTIMIZER_BLOCKS. */
elb_status elb_optimizer_add(elb_optimizer *o, elb_params *params);
/* One step against the gradients, clipped to the global norm options.clip unless that is 0: the scale is
 * min(1, clip / (norm + 1e-6)). Uses every thread; the bits do not depend on how many. */
elb_status elb_optimizer_step(elb_optimizer *o, double rate);
/* Moments back to zero, steps back to 0. */
void elb_optimizer_reset(elb_optimizer *o);

#endif
