/* statistics.c - Student's and Wilcoxon's tests of paired differences. */
#include "study/statistics.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "run/moments.h"

enum { STATISTICS_EXACT = 50, STATISTICS_STEPS = 300 };

/* --- Student ------------------------------------------------------------------------------------------------------ */

static double statistics_log_beta(double a, double b)
{
    int sign;
    return lgamma_r(a, &sign) + lgamma_r(b, &sign) - lgamma_r(a + b, &sign);
}

/* The continued fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8), by Lentz's method. */
static double statistics_fraction(double x, double a, double b)
{
    const double least = DBL_MIN / DBL_EPSILON;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < least ? least : d);
    double value = d;
    for (int m = 1; m <= STATISTICS_STEPS; m++) {
        const double terms[2] = {m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                                 -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))};
        double change = 1;
        for (int i = 0; i < 2; i++) {
            d = 1 + terms[i] * d;
            c = 1 + terms[i] / c;
            d = 1 / (fabs(d) < least ? least : d);
            c = fabs(c) < least ? least : c;
            change *= c * d;
        }
        value *= change;
        if (fabs(change - 1) < 4 * DBL_EPSILON) break;
    }
    return value;
}

/* I_x(a, b), the regularised incomplete beta function. */
static double statistics_beta(double x, double a, double b)
{
    if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
    double front = exp(a * log(x) + b * log1p(-x) - statistics_log_beta(a, b));
    if (x < (a + 1) / (a + b + 2)) return front * statistics_fraction(x, a, b) / a;
    return 1 - front * statistics_fraction(1 - x, b, a) / b;
}

double elb_student_p(double t, double freedom)
{
    if (isinf(t)) return 0;
    return statistics_beta(freedom / (freedom + t * t), freedom / 2, 0.5);
}

/* --- Wilcoxon ----------------------------------------------------------------------------------------------------- */

static int statistics_by_size(const void *a, const void *b)
{
    double x = fabs(*(const double *)a), y = fabs(*(const double *)b);
    return (x > y) - (x < y);
}

/* P(W+ <= w) for n ranks, each with either sign: of the 2^n sums, how many are at most w. */
static double statistics_exact(int64_t n, int64_t w)
{
    double share[STATISTICS_EXACT * (STATISTICS_EXACT + 1) / 2 + 1] = {1}, sum = 0;
    for (int64_t rank = 1, most = 0; rank <= n; rank++) {
        most += rank;
        for (int64_t s = most; s >= 0; s--) share[s] = 0.5 * (share[s] + (s >= rank ? share[s - rank] : 0));
    }
    for (int64_t s = 0; s <= w; s++) sum += share[s];
    return sum;
}

/* differences[n] without zeros, sorted by size. */
static double statistics_wilcoxon(const double *differences, int64_t n)
{
    double positive = 0, ties = 0;
    for (int64_t first = 0, end; first < n; first = end) {
        for (end = first + 1; end < n && fabs(differences[end]) == fabs(differences[first]);) end++;
        double rank = 0.5 * (double)(first + 1 + end), tied = (double)(end - first);
        ties += tied * tied * tied - tied;
        for (int64_t i = first; i < end; i++) positive += differences[i] > 0 ? rank : 0;
    }
    double count = (double)n, all = count * (count + 1) / 2, smaller = fmin(positive, all - positive);
    if (n <= STATISTICS_EXACT && ties == 0) return fmin(2 * statistics_exact(n, (int64_t)smaller), 1);
    double variance = count * (count + 1) * (2 * count + 1) / 24 - ties / 48;
    return erfc((all / 2 - smaller) / sqrt(variance) / sqrt(2));
}

/* --- both --------------------------------------------------------------------------------------------------------- */

static double statistics_t(const elb_paired_test *t)
{
    if (t->n < 2) return NAN;
    if (t->standard_error == 0) return t->mean == 0 ? 1 : 0; /* the same difference everywhere */
    return elb_student_p(t->mean / t->standard_error, (double)(t->n - 1));
}

elb_status elb_paired_test_run(elb_context *c, const double *differences, int64_t n, elb_paired_test *test)
{
    elb_moments m = {.count = 0};
    int64_t kept = 0;
    double *sorted = elb_alloc(c, n, sizeof *sorted);
    if (!sorted) return ELB_MEMORY;
    for (int64_t i = 0; i < n; i++) {
        elb_moments_add(&m, differences[i]);
        if (differences[i] != 0) sorted[kept++] = differences[i];
    }
    qsort(sorted, (size_t)kept, sizeof *sorted, statistics_by_size);
    *test = (elb_paired_test){.n = n, .mean = n > 0 ? m.mean : NAN, .standard_error = elb_moments_error(&m)};
    test->t_p = statistics_t(test);
    test->wilcoxon_p = n == 0 ? NAN : kept == 0 ? 1 : statistics_wilcoxon(sorted, kept);
    elb_free(c, sorted);
    return ELB_OK;
}
