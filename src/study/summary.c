/* summary.c - means over seeds, and differences from the reference. */
#include "study/summary.h"

#include <math.h>
#include <stdlib.h>

#include "base/number.h"
#include "run/moments.h"

const elb_cell_estimate *elb_cell_measure(const elb_cell *cell, int measure)
{
    const elb_cell_estimate *const measures[ELB_MEASURES] = {&cell->elbo, &cell->own, &cell->refined};
    return measures[measure];
}

/* The next cell of the method that is done, after `cell` or from the first one; NULL at the end. */
static const elb_cell *summary_next(const elb_grid *g, int64_t method, const elb_cell *cell)
{
    for (cell = cell ? cell + 1 : g->cells; cell < g->cells + g->count; cell++)
        if (cell->done && cell->method == method) return cell;
    return NULL;
}

/* --- one number per method ---------------------------------------------------------------------------------------- */

static double summary_mean(const elb_grid *g, int64_t method, double (*value)(const elb_cell *cell))
{
    elb_moments m = {.count = 0};
    for (const elb_cell *c = NULL; (c = summary_next(g, method, c));) elb_moments_add(&m, value(c));
    return m.count > 0 ? m.mean : NAN;
}

static double summary_k_hat(const elb_cell *c)
{
    return c->own.k_hat_bad;
}

static double summary_parameters(const elb_cell *c)
{
    return (double)c->parameters;
}

static double summary_epochs(const elb_cell *c)
{
    return c->epochs;
}

static double summary_train_seconds(const elb_cell *c)
{
    return c->train_seconds;
}

static elb_status summary_median(const elb_grid *g, int64_t method, int batch, double *median)
{
    int64_t n = 0;
    double *values = elb_alloc(g->context, g->count, sizeof *values);
    if (!values) return ELB_MEMORY;
    for (const elb_cell *c = NULL; (c = summary_next(g, method, c));)
        if (isfinite(c->seconds[batch])) values[n++] = c->seconds[batch];
    qsort(values, (size_t)n, sizeof *values, elb_number_compare);
    *median = n > 0 ? 0.5 * (values[(n - 1) / 2] + values[n / 2]) : NAN;
    elb_free(g->context, values);
    return ELB_OK;
}

static elb_row_mean summary_measure(const elb_grid *g, int64_t method, int measure)
{
    elb_moments m = {.count = 0};
    double error = NAN;
    for (const elb_cell *c = NULL; (c = summary_next(g, method, c));) {
        const elb_cell_estimate *e = elb_cell_measure(c, measure);
        if (e->n == 0) continue;
        elb_moments_add(&m, e->mean);
        error = e->error;
    }
    return (elb_row_mean){m.count, m.count > 0 ? m.mean : NAN, m.count > 1 ? elb_moments_error(&m) : error};
}

/* --- differences -------------------------------------------------------------------------------------------------- */

static bool summary_paired(const elb_cell *a, const elb_cell *b, int measure)
{
    int64_t n = elb_cell_measure(a, measure)->n;
    return b && b->done && n > 0 && n == elb_cell_measure(b, measure)->n;
}

elb_paired_test elb_cell_gain(const elb_cell *cell, const elb_cell *reference, int measure)
{
    elb_moments m = {.count = 0};
    if (!summary_paired(cell, reference, measure)) return (elb_paired_test){.mean = NAN, .standard_error = NAN};
    const elb_cell_estimate *a = elb_cell_measure(cell, measure), *b = elb_cell_measure(reference, measure);
    for (int64_t i = 0; i < a->n; i++) elb_moments_add(&m, a->values[i] - b->values[i]);
    return (elb_paired_test){.n = a->n, .mean = m.mean, .standard_error = elb_moments_error(&m)};
}

/* differences[n] += those of every seed that both have. Cells of other sizes are left out. */
static elb_moments summary_add_seeds(const elb_grid *g, int64_t method, int measure, int64_t n, double *differences)
{
    elb_moments m = {.count = 0};
    for (const elb_cell *c = NULL; (c = summary_next(g, method, c));) {
        const elb_cell *reference = elb_grid_find(g, g->reference, c->seed);
        if (!summary_paired(c, reference, measure) || elb_cell_measure(c, measure)->n != n) continue;
        const elb_cell_estimate *a = elb_cell_measure(c, measure), *b = elb_cell_measure(reference, measure);
        for (int64_t i = 0; i < n; i++) differences[i] += a->values[i] - b->values[i];
        elb_moments_add(&m, elb_cell_gain(c, reference, measure).mean);
    }
    return m;
}

static elb_status summary_gain(const elb_grid *g, int64_t method, int measure, elb_row_gain *gain)
{
    const elb_cell *first = summary_next(g, method, NULL);
    int64_t n = first ? elb_cell_measure(first, measure)->n : 0;
    *gain = (elb_row_gain){.mean = {0, NAN, NAN}, .seeds_p = NAN};
    if (method == g->reference || n == 0) return ELB_OK;
    double *differences = elb_alloc(g->context, n, sizeof *differences);
    if (!differences) return ELB_MEMORY;
    elb_moments m = summary_add_seeds(g, method, measure, n, differences);
    for (int64_t i = 0; i < n; i++) differences[i] /= (double)m.count;
    elb_status status = ELB_OK;
    if (m.count > 0) status = elb_paired_test_run(g->context, differences, n, &gain->over_data);
    elb_free(g->context, differences);
    if (status != ELB_OK || m.count == 0) return status;
    double error = m.count > 1 ? elb_moments_error(&m) : gain->over_data.standard_error;
    gain->mean = (elb_row_mean){m.count, m.mean, error};
    if (m.count > 1 && error > 0) gain->seeds_p = elb_student_p(m.mean / error, (double)(m.count - 1));
    return ELB_OK;
}

/* --- all methods -------------------------------------------------------------------------------------------------- */

static int64_t summary_diverged(const elb_grid *g, int64_t method)
{
    int64_t count = 0;
    for (int64_t i = 0; i < g->count; i++) count += g->cells[i].method == method && g->cells[i].diverged;
    return count;
}

static elb_status summary_row(const elb_grid *g, int64_t method, elb_row *row)
{
    *row = (elb_row){.method = method,
                     .diverged = summary_diverged(g, method),
                     .k_hat_bad = summary_mean(g, method, summary_k_hat),
                     .parameters = summary_mean(g, method, summary_parameters),
                     .epochs = summary_mean(g, method, summary_epochs),
                     .train_seconds = summary_mean(g, method, summary_train_seconds)};
    for (int measure = 0; measure < ELB_MEASURES; measure++) {
        row->mean[measure] = summary_measure(g, method, measure);
        ELB_TRY(summary_gain(g, method, measure, &row->gain[measure]));
    }
    for (int b = 0; b < ELB_CELL_BATCHES; b++) ELB_TRY(summary_median(g, method, b, &row->seconds[b]));
    return ELB_OK;
}

elb_status elb_summary_create(const elb_grid *g, elb_summary **summary)
{
    *summary = NULL;
    elb_summary *made = elb_alloc(g->context, 1, sizeof *made);
    if (!made) return ELB_MEMORY;
    *made = (elb_summary){.grid = g, .title = *g->plan->top.title ? g->plan->top.title : g->cells[0].config->data.spec};
    made->rows = elb_alloc(g->context, g->plan->count, sizeof *made->rows);
    elb_status status = made->rows ? ELB_OK : ELB_MEMORY;
    for (int64_t m = 0; m < g->plan->count && status == ELB_OK; m++)
        if (summary_next(g, m, NULL) || summary_diverged(g, m)) status = summary_row(g, m, &made->rows[made->count++]);
    if (status == ELB_OK)
        *summary = made;
    else
        elb_summary_destroy(made);
    return status;
}

void elb_summary_destroy(elb_summary *s)
{
    if (!s) return;
    elb_free(s->grid->context, s->rows);
    elb_free(s->grid->context, s);
}
