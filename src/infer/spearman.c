#include "infer/spearman.h"

#include <math.h>
#include <stdlib.h>

#include "base/number.h"

typedef struct spearman_item {
    double value; /* first: elb_number_compare reads it */
    int64_t place;
} spearman_item;

static elb_status spearman_ranks(elb_context *c, int64_t n, const double *a, spearman_item *items, double *rank)
{
    for (int64_t i = 0; i < n; i++) {
        if (isnan(a[i]))
            return elb_fail(c, ELB_DATA, "number %lld is NaN: a rank correlation needs numbers that can be ordered",
                            (long long)i);
        items[i] = (spearman_item){a[i], i};
    }
    qsort(items, (size_t)n, sizeof *items, elb_number_compare);
    for (int64_t first = 0, end; first < n; first = end) {
        for (end = first + 1; end < n && items[end].value == items[first].value;) end++;
        for (int64_t i = first; i < end; i++) rank[items[i].place] = (double)(first + end - 1) / 2;
    }
    return ELB_OK;
}

/* Both means are (n - 1) / 2. */
static double spearman_correlation(int64_t n, const double *x, const double *y)
{
    double mean = (double)(n - 1) / 2, xx = 0, yy = 0, xy = 0;
    for (int64_t i = 0; i < n; i++) {
        xx += (x[i] - mean) * (x[i] - mean);
        yy += (y[i] - mean) * (y[i] - mean);
        xy += (x[i] - mean) * (y[i] - mean);
    }
    return xy / sqrt(xx * yy);
}

elb_status elb_spearman(elb_context *c, int64_t n, const double *a, const double *b, double *rho)
{
    *rho = NAN;
    if (n < 2) return ELB_OK;
    spearman_item *items = elb_alloc(c, n, sizeof *items);
    double *x = elb_alloc(c, n, sizeof *x), *y = elb_alloc(c, n, sizeof *y);
    elb_status status = items != NULL && x != NULL && y != NULL ? ELB_OK : ELB_MEMORY;
    if (status == ELB_OK) status = spearman_ranks(c, n, a, items, x);
    if (status == ELB_OK) status = spearman_ranks(c, n, b, items, y);
    if (status == ELB_OK) *rho = spearman_correlation(n, x, y);
    elb_free(c, items);
    elb_free(c, x);
    elb_free(c, y);
    return status;
}
