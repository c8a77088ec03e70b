#include "infer/pareto.h"

#include <math.h>
#include <stdlib.h>

#include "base/number.h"

enum { PARETO_LEAST = 5, PARETO_GRID = 30, PARETO_GRID_MAX = 4096 };
#define PARETO_VANISHED (-600.0) /* log of a weight so far below the largest that the fit would overflow */

int64_t elb_pareto_tail_size(int64_t samples)
{
    double size = fmin((double)samples / 5, 3 * sqrt((double)samples));
    return size < PARETO_LEAST ? 0 : (int64_t)ceil(size);
}

/* Index of the first quartile of n sorted numbers. */
static int64_t pareto_quartile(int64_t n)
{
    return (int64_t)((double)n / 4 + 0.5) - 1;
}

/* The profile's shape at theta: mean log(1 - theta x). */
static double pareto_shape(const double *x, int64_t n, double theta)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += log1p(-theta * x[i]);
    return sum / (double)n;
}

/* Zhang & Stephens 2009: theta averaged over a grid, weighted by the profile likelihood. x ascending, x[n-1] > 0. */
static double pareto_theta(const double *x, int64_t n)
{
    double theta[PARETO_GRID_MAX], level[PARETO_GRID_MAX], mean = 0;
    int64_t grid = PARETO_GRID + (int64_t)sqrt((double)n);
    if (grid > PARETO_GRID_MAX) grid = PARETO_GRID_MAX;
    double quartile = x[pareto_quartile(n)];
    for (int64_t j = 0; j < grid; j++) {
        theta[j] = (1 - sqrt((double)grid / ((double)j + 0.5))) / (3 * quartile) + 1 / x[n - 1];
        double k = pareto_shape(x, n, theta[j]);
        level[j] = (double)n * (log(-theta[j] / k) - k - 1);
    }
    for (int64_t j = 0; j < grid; j++) {
        double total = 0;
        for (int64_t i = 0; i < grid; i++) total += exp(level[i] - level[j]);
        mean += theta[j] / total;
    }
    return mean;
}

double elb_pareto_k(double *tail, int64_t n, double cutoff)
{
    if (n < PARETO_LEAST) return NAN;
    qsort(tail, (size_t)n, sizeof *tail, elb_number_compare);
    int64_t quartile = pareto_quartile(n);
    double top = tail[n - 1];
    if (tail[quartile] - top < PARETO_VANISHED) return INFINITY;
    for (int64_t i = 0; i < n; i++) tail[i] = exp(tail[i] - top) - exp(cutoff - top);
    if (!(tail[quartile] > 0)) return NAN;
    double k = pareto_shape(tail, n, pareto_theta(tail, n));
    return ((double)n * k + 5) / ((double)n + 10); /* a prior worth ten data at k = 1/2 */
}
