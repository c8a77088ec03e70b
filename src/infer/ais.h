/* ais.h - annealed importance sampling with Hamiltonian moves (Neal 2001; Wu et al. 2017), and the sandwich of
 * bidirectional Monte Carlo (Grosse et al. 2015).
 *
 * Estimates: log p(x) of a datum by log 1/C sum_c w_c over C chains with E[w_c] = p(x): a stochastic lower bound, in
 * the mean at most log p(x), that rises with chains and temperatures. From an exact posterior sample, which only data
 * that were drawn from the model have, the chains also run backwards, and -log 1/C sum_c v_c with E[v_c] = 1/p(x) is
 * a stochastic upper bound.
 *
 * Chains of many data run in lock-step, in constant memory whatever the number of temperatures. A datum's
 * result depends on the model, the datum, its stream position, the settings and the seed: not on its
 * neighbours, nor on threads. */
#ifndef ELB_AIS_H
#define ELB_AIS_H

#include <elbow/annealing.h>

#include "infer/refine_options.h"
#include "model/model.h"
#include "posterior/posterior.h"

/* All in nats but ess, acceptance and step. */
typedef struct elb_ais_bound {
    double value;
    double error; /* standard error by the jackknife over chains; NaN for one chain */
    double ess;   /* effective sample size of the chains' weights, 1..C */
} elb_ais_bound;

typedef struct elb_ais_result {
    elb_ais_bound lower;
    elb_ais_bound upper;     /* NaN without an exact sample */
    double acceptance, step; /* mean chance of acceptance and mean step size over moves and chains */
} elb_ais_result;

typedef struct elb_ais elb_ais;

/* Model and posterior are borrowed. refine: what is done to lambda(x) before a start from the posterior; NULL: nothing.
 * Errors: ELB_USAGE (absurd settings; a posterior without a density at a given z, to start from), ELB_MEMORY. */
elb_status elb_ais_create(elb_context *c, elb_model *model, elb_posterior *posterior, const elb_refine_options *refine,
                          const elb_anneal_settings *settings, uint64_t seed, elb_ais **ais);
void elb_ais_destroy(elb_ais *a); /* may be NULL */
/* `watch` is called after every temperature with the part of the block that is done; anything but ELB_OK ends the block
 * with that status. NULL: nobody watches. */
typedef elb_status (*elb_ais_watch_fn)(void *user, double done);
void elb_ais_watch(elb_ais *a, elb_ais_watch_fn watch, void *user);
/* How many data share the decoder's rows: blocks of so many, or a multiple, waste none. */
int64_t elb_ais_batch(const elb_ais *a);
/* x [count,D]; datum[count]: their stream positions, whose lower 32 bits are the index that a message names; exact
 * [count,Z]: a draw from each datum's true posterior, or NULL. Errors: ELB_NUMERIC (a weight is NaN, or all are zero),
 * ELB_MEMORY; what the watcher returned. */
elb_status elb_ais_block(elb_ais *a, int64_t count, const uint64_t *datum, elb_real *x, const elb_real *exact,
                         elb_ais_result *results);

#endif
