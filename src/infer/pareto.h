/* pareto.h - how heavy the tail of importance weights is. */
#ifndef ELB_PARETO_H
#define ELB_PARETO_H

#include "base/base.h"

/* How many of `samples` log weights make up the tail: min(samples/5, 3 sqrt(samples)), 0 below 5. */
int64_t elb_pareto_tail_size(int64_t samples);
/* Shape k of a generalised Pareto distribution fitted to the tail[n] of log weights above the `cutoff` log weight,
 * with the weak prior of Vehtari et al. 2024 (appendix G); Zhang & Stephens 2009's estimator. Sorts `tail`. NaN
 * when n < 5 or the tail is flat; infinity when one weight leaves nothing of the others. k > 0.7: the estimate's
 * error is not to be trusted. */
double elb_pareto_k(double *tail, int64_t n, double cutoff);

#endif
