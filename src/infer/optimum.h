/* optimum.h - q*(z|x): for every datum the member of a family with the greatest ELBO that local optimisation finds, the
 * model held fixed (Cremer, Li & Duvenaud 2018, section 5.2).
 *
 * lambda is moved by Adam at three step sizes, one after the other, from several starts, and the best end is kept per
 * datum: the ELBO need not be concave in lambda. A datum's result depends on the model, the datum, its stream position,
 * the settings and the seed; not on its neighbours, nor on threads.
 *
 * Differs from source: their one start is the prior, their step size 1e-3 all along. */
#ifndef ELB_OPTIMUM_H
#define ELB_OPTIMUM_H

#include "infer/refine.h"

typedef struct elb_optimum_settings {
    int family; /* elb_refine_family */
    /* At least 1: what is given, the encoder, the prior, then random ones, the likeliest of 512
     * draws from the prior. */
    int64_t starts;
    int64_t steps;    /* of Adam from every start, at most */
    int64_t samples;  /* of z per step, >= 1 */
    double tolerance; /* a step size has done its work when the ELBO rises by less over 50 steps; nats, > 0 */
} elb_optimum_settings;

typedef struct elb_optimum_result {
    double spread;  /* ELBO of the best start less that of the worst, nats */
    int64_t steps;  /* taken from the best start */
    int64_t start;  /* the best one's number */
    bool converged; /* the best start's ELBO had come to rest at every step size when the steps ran out */
} elb_optimum_result;

typedef struct elb_optimum elb_optimum;

/* Model and posterior are borrowed. Errors: ELB_USAGE (absurd settings), ELB_MEMORY. */
elb_status elb_optimum_create(elb_context *c, elb_model *model, elb_posterior *posterior,
                              const elb_optimum_settings *settings, uint64_t seed, elb_optimum **optimum);
void elb_optimum_destroy(elb_optimum *o); /* may be NULL */
/* What lambda belongs to. */
elb_posterior *elb_optimum_family(const elb_optimum *o);
/* `watch` is called after every step with the part of the run that is done; anything but ELB_OK
 * ends it with that status. */
typedef elb_status (*elb_optimum_watch_fn)(void *user, double done);
void elb_optimum_watch(elb_optimum *o, elb_optimum_watch_fn watch, void *user);
/* x [count,D]; datum[count] their stream positions -> lambda [count,P]. given [count,2Z]: means and log-variances of
 * a Gaussian that is known to be good, the first start; NULL: there is none. Errors: ELB_NUMERIC, ELB_MEMORY; what
 * the watcher returned. */
elb_status elb_optimum_run(elb_optimum *o, int64_t count, const uint64_t *datum, elb_real *x, const elb_real *given,
                           elb_real *lambda, elb_optimum_result *results);

#endif
