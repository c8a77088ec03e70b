/* refine.h - stochastic variational inference: local parameters lambda improved by gradient steps on the ELBO, the model
 * and everything amortised held fixed. */
#ifndef ELB_REFINE_H
#define ELB_REFINE_H

#include "model/model.h"
#include "posterior/posterior.h"

typedef struct elb_refine_settings {
    int64_t steps; /* >= 0 */
    double rate;   /* Adam's step size, > 0; 1e-3 is usual */
    uint64_t seed; /* of the noise */
} elb_refine_settings;

/* Moves lambda [count, P], in place, from where it stands (an encoder's output, or zeros) towards the maximum of
 * ELBO(lambda; x) = E_q[log p(x|z)] - KL(q||p), by Adam with one fresh sample of z per datum and step, the KL in closed
 * form where the posterior has one (Hoffman et al. 2013; from the encoder's output: Jain, Samala & Vora, "Improving
 * inference in latent variable models").
 * x [count, D]; datum[count]: their stream positions. Data do not see each other: each has the gradient of its own ELBO,
 * whatever the batch. The decoder's weight gradients are never computed, and no step after the first allocates.
 * Differs from source: mean and variance are both moved, where its code moves the mean alone.
 * Errors: ELB_USAGE (absurd settings), ELB_NUMERIC (an ELBO that is not finite: lambda is as it was), ELB_MEMORY. */
elb_status elb_refine(elb_model *model, elb_posterior *posterior, int64_t count, const uint64_t *datum, elb_real *x,
                      const elb_refine_settings *settings, elb_real *lambda);

#endif
