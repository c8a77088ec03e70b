/* moments.h - mean and standard error of numbers as they come (Welford 1962). */
#ifndef ELB_MOMENTS_H
#define ELB_MOMENTS_H

#include "base/base.h"

/* Begins as all zeros. */
typedef struct elb_moments {
    int64_t count;
    double mean, squares; /* squares: the sum of squared deviations from the mean */
} elb_moments;

void elb_moments_add(elb_moments *m, double value);
double elb_moments_error(const elb_moments *m); /* standard error of the mean; NaN for fewer than two numbers */

#endif
