/* statistics.h - is a mean difference more than chance? Tests of paired differences. */
#ifndef ELB_STATISTICS_H
#define ELB_STATISTICS_H

#include "base/base.h"

typedef struct elb_paired_test {
    int64_t n;             /* pairs */
    double mean;           /* of the differences */
    double standard_error; /* of that mean; NaN for fewer than two pairs */
    double t_p;            /* two-sided p-value of Student's paired t-test; NaN for fewer than two pairs */
    double wilcoxon_p;     /* two-sided p-value of Wilcoxon's signed-rank test; NaN without pairs */
} elb_paired_test;

/* differences[n], all finite. Wilcoxon (1945): differences of zero are left out and ties get their mean rank; the exact
 * distribution up to 50 differences without ties, else the normal approximation with the variance corrected for ties.
 * Errors: ELB_MEMORY. */
elb_status elb_paired_test_run(elb_context *c, const double *differences, int64_t n, elb_paired_test *test);

/* P(|T| >= |t|) for Student's t with `freedom` > 0 degrees of freedom. */
double elb_student_p(double t, double freedom);

#endif
