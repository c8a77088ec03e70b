/* importance.h - ELBO and log-likelihood of data by samples from the posterior.
 *
 * Estimates: ELBO    E_q[log p(x|z)] - KL(q||p), the KL in closed form where the posterior has one (unbiased);
 *            IWAE-K  log 1/K sum_k p(x,z_k)/q(z_k|x), whose mean is a lower bound of log p(x) that rises with K
 *                    (Burda et al. 2016, eq. 8); consistent as K grows.
 * lambda(x) is inferred once per datum (inference.h), samples come in tiles of constant memory, weights are summed in
 * double by a running log-sum-exp. A datum's result depends on the model, the datum, its position in its data set, K,
 * the seed and the options of refinement: not on its neighbours, nor on threads. */
#ifndef ELB_IMPORTANCE_H
#define ELB_IMPORTANCE_H

#include "infer/refine_options.h"
#include "model/model.h"
#include "posterior/posterior.h"

enum { ELB_IMPORTANCE_BLOCK = 128 }; /* data that are well encoded together */

typedef struct elb_importance_result {
    double log_likelihood; /* IWAE-K, nats */
    double elbo;           /* nats */
    double ess;            /* effective sample size of the K weights, 1..K */
    double k_hat;          /* Pareto shape of the weights' tail; NaN for small K */
} elb_importance_result;

typedef struct elb_importance elb_importance;

/* Model and posterior are borrowed. refine: what is done to lambda(x) after the encoder; NULL:
 * nothing. samples >= 1. */
elb_status elb_importance_create(elb_context *c, elb_model *model, elb_posterior *posterior,
                                 const elb_refine_options *refine, int64_t samples, uint64_t seed,
                                 elb_importance **importance);
void elb_importance_destroy(elb_importance *e);
/* How many data are best given at once: more when they are refined together. */
int64_t elb_importance_batch(const elb_importance *e);
/* `watch` is called after every step of refinement and every tile of samples, some milliseconds' work, with the part of
 * the block that is done; anything but ELB_OK ends the block with that status. NULL: nobody watches. */
typedef elb_status (*elb_importance_watch_fn)(void *user, double done);
void elb_importance_watch(elb_importance *e, elb_importance_watch_fn watch, void *user);
/* x [count, D]; datum[count]: their stream positions, whose lower 32 bits are the index that a message names. Errors:
 * ELB_NUMERIC (a weight is NaN or all are zero), ELB_MEMORY. */
elb_status elb_importance_block(elb_importance *e, int64_t count, const uint64_t *datum, elb_real *x,
                                elb_importance_result *results);
/* The same where lambda [count, P] is given, of the family that e's lambda has. */
elb_status elb_importance_given(elb_importance *e, int64_t count, const uint64_t *datum, elb_real *x,
                                const elb_real *lambda, elb_importance_result *results);

#endif
