/* refine.h - stochastic variational inference: local parameters lambda improved by gradient steps on the ELBO, the
 * model and everything amortised held fixed. */
#ifndef ELB_REFINE_H
#define ELB_REFINE_H

#include "infer/refine_options.h"
#include "model/model.h"
#include "posterior/posterior.h"

typedef struct elb_refiner elb_refiner;

/* What a watcher is told after every step, of the `count` data that took it. */
typedef struct elb_refine_step {
    int64_t taken, steps; /* so far, this one included; at most */
    int64_t first, batch; /* the data of this batch are first .. first+batch-1 of all those given */
    int64_t count;        /* the data of it that are not yet done */
    const int64_t *place; /* [count] their places in the batch */
    const elb_real *loss; /* [count] their negative ELBOs where this step began, by its samples; nats */
} elb_refine_step;

/* Anything but ELB_OK ends the run with that status. */
typedef elb_status (*elb_refine_watch_fn)(void *user, const elb_refine_step *step);

/* Of `posterior` only what takes lambda is used. Both are borrowed. Errors: ELB_USAGE (absurd options), ELB_MEMORY. */
elb_status elb_refiner_create(elb_model *model, elb_posterior *posterior, const elb_refine_options *options,
                              elb_refiner **refiner);
void elb_refiner_destroy(elb_refiner *r); /* may be NULL */
/* Makes a datum's result the same bits in any batch (see elb_tape_fix_rows). */
void elb_refiner_fix_rows(elb_refiner *r);
/* Undoes it: small batches are then many times faster. */
void elb_refiner_free_rows(elb_refiner *r);
void elb_refiner_watch(elb_refiner *r, elb_refine_watch_fn watch, void *user); /* NULL: nobody watches */
/* Steps of the runs from now on: 0 up to the options'. */
void elb_refiner_set_steps(elb_refiner *r, int64_t steps);
/* How many data are best refined together: thousands, where their tape stays within a few hundred megabytes. */
int64_t elb_refiner_batch(const elb_refiner *r);

/* Moves lambda [count, P], in place, from where it stands (an encoder's output, or zeros) towards the maximum of
 * ELBO(lambda; x) = E_q[log p(x|z)] - KL(q||p), by options->steps steps of Adam or of gradient descent with momentum,
 * each with options->samples fresh samples of z per datum, the KL in closed form where the posterior has one (Hoffman
 * et al. 2013; from the encoder's output: Kim et al. 2018).
 * x [count, D]; datum[count]: their stream positions; step k = 0, 1, .. of a datum draws samples k S .. (k+1) S - 1 of
 * (key, datum). Data do not see each other: each has the gradient of its own ELBO, whatever the batch. With
 * options->tolerance every datum's ELBO is measured after every 50 steps, always by the same noise, and a datum whose
 * ELBO rose by less over the best before, options->patience times on end (0 is as 1), is done: it leaves the batch.
 * (How many steps a datum took: the last `taken` that names its place.)
 * The decoder's weight gradients are never computed, and no step after the first allocates, but for those at
 * which data leave. Errors: ELB_NUMERIC (an ELBO that is not finite: lambda is as it was), ELB_MEMORY; what
 * the watcher returned. */
elb_status elb_refiner_run(elb_refiner *r, uint64_t key, int64_t count, const uint64_t *datum, elb_real *x,
                           elb_real *lambda);

/* What a step takes of one datum's gradient [P]: masks it in place (mark [P] of 0 and 1; NULL: all) and returns the
 * factor that brings its norm down to `clip` (0: none), at most 1. */
elb_real elb_refine_limit(const elb_kernels *k, const elb_real *mark, double clip, int64_t local, elb_real *gradient);

#endif
