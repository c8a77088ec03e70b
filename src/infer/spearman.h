/* spearman.h - how well one series of numbers ranks another. */
#ifndef ELB_SPEARMAN_H
#define ELB_SPEARMAN_H

#include "base/base.h"

/* *rho: Spearman's rank correlation of a[n] and b[n], -1..1: the correlation of their ranks, equal numbers
 * sharing the mean of theirs (Spearman 1904). NaN where one of them is constant or n < 2. Errors: ELB_DATA (a NaN
 * among them), ELB_MEMORY. */
elb_status elb_spearman(elb_context *c, int64_t n, const double *a, const double *b, double *rho);

#endif
