/* plot.c - log-likelihood against inference time: a panel for each estimate and each batch size. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "study/figure.h"
#include "study/summary.h"

typedef struct plot_panel {
    elb_figure_point *points; /* [rows] */
    int64_t (*joined)[2];     /* [rows] */
    int64_t lines;
    char x_label[64], y_label[96];
} plot_panel;

/* --- series ------------------------------------------------------------------------------------------------------- */

/* All that a method sets but how many steps it takes. */
static bool plot_same_refinement(const elb_plan_method *a, const elb_plan_method *b)
{
    int64_t i = 0, k = 0;
    for (;; i++, k++) {
        while (i < a->set.count && strcmp(a->set.at[i].key, "refine.steps") == 0) i++;
        while (k < b->set.count && strcmp(b->set.at[k].key, "refine.steps") == 0) k++;
        if (i >= a->set.count || k >= b->set.count) return i >= a->set.count && k >= b->set.count;
        if (strcmp(a->set.at[i].key, b->set.at[k].key) != 0 || strcmp(a->set.at[i].value, b->set.at[k].value) != 0)
            return false;
    }
}

static int64_t plot_source(const elb_summary *s, const elb_row *row)
{
    const char *of = s->grid->plan->methods[row->method].options.of;
    return *of ? elb_plan_find(s->grid->plan, of) : row->method;
}

static bool plot_shown(const elb_summary *s, const elb_row *row)
{
    return s->grid->plan->methods[row->method].options.plot;
}

/* The row that this one is joined to: the slowest that is faster, among the source itself and what refines it the same
 * way. -1: none. */
static int64_t plot_before(const elb_summary *s, int64_t row, int batch)
{
    const elb_plan *plan = s->grid->plan;
    const elb_row *r = &s->rows[row];
    int64_t source = plot_source(s, r), best = -1;
    if (source == r->method) return -1;
    for (int64_t i = 0; i < s->count; i++) {
        const elb_row *o = &s->rows[i];
        bool series =
            o->method == source ||
            (plot_source(s, o) == source && plot_same_refinement(&plan->methods[o->method], &plan->methods[r->method]));
        if (!series || !plot_shown(s, o) || !(o->seconds[batch] < r->seconds[batch])) continue;
        if (best < 0 || o->seconds[batch] > s->rows[best].seconds[batch]) best = i;
    }
    return best;
}

/* --- panels ------------------------------------------------------------------------------------------------------- */

/* Of a series' member only what its name adds to the source's: "+ 5" beside "VAE". */
static const char *plot_name(const elb_summary *s, const elb_row *row)
{
    const elb_plan *plan = s->grid->plan;
    const char *name = elb_plan_label(&plan->methods[row->method]);
    int64_t source = plot_source(s, row);
    if (source == row->method) return name;
    size_t known = strlen(elb_plan_label(&plan->methods[source]));
    if (strncmp(name, elb_plan_label(&plan->methods[source]), known) != 0) return name;
    const char *rest = name + known + strspn(name + known, " ,");
    return *rest ? rest : name;
}

/* Where a method stands: as far from the reference as its gain says, which compares like with like where methods have
 * different seeds. */
static double plot_height(const elb_summary *s, const elb_row *row, int measure)
{
    const elb_row *reference = s->rows;
    if (row->gain[measure].mean.seeds == 0) return row->mean[measure].mean;
    while (reference->method != s->grid->reference) reference++;
    return reference->mean[measure].mean + row->gain[measure].mean.mean;
}

/* By its own posterior every row is a point of its own; the model of a series is one, and is shown once. Bars are the
 * gain's: how data differ in their likelihood says nothing about methods. */
static void plot_fill(const elb_summary *s, int measure, int batch, plot_panel *p)
{
    static const char *const names[ELB_MEASURES] = {"ELBO", "IWAE, own posterior", "log p, refined proposal"};
    for (int64_t i = 0; i < s->count; i++) {
        const elb_row *r = &s->rows[i];
        int64_t source = plot_source(s, r), before = plot_before(s, i, batch);
        bool shown = plot_shown(s, r) && (measure != ELB_MEASURE_REFINED || source == r->method);
        p->points[i] = (elb_figure_point){.name = plot_name(s, r),
                                          .x = 1e3 * r->seconds[batch],
                                          .y = shown ? plot_height(s, r, measure) : NAN,
                                          .error = r->gain[measure].mean.seeds > 0 ? r->gain[measure].mean.error : NAN,
                                          .color = (int)source,
                                          .open = source != r->method};
        if (!shown || before < 0) continue;
        p->joined[p->lines][0] = before;
        p->joined[p->lines++][1] = i;
    }
    snprintf(p->x_label, sizeof p->x_label, "milliseconds of inference per datum, batch %lld",
             (long long)elb_cell_batches[batch]);
    snprintf(p->y_label, sizeof p->y_label, "%s, %lld samples: nats (bars: error of gain)", names[measure],
             (long long)s->grid->plan->evaluate.samples);
}

static elb_status plot_allocate(const elb_summary *s, plot_panel *p)
{
    *p = (plot_panel){.points = elb_alloc(s->grid->context, s->count, sizeof *p->points),
                      .joined = elb_alloc(s->grid->context, s->count, sizeof *p->joined)};
    return p->points && p->joined ? ELB_OK : ELB_MEMORY;
}

elb_status elb_summary_save_plot(const elb_summary *s, const char *path)
{
    enum { PANELS = 2 * ELB_CELL_BATCHES };
    plot_panel made[PANELS] = {{.points = NULL}};
    elb_panel panels[PANELS];
    int64_t count = s->grid->plan->evaluate.refine_steps > 0 ? PANELS : ELB_CELL_BATCHES;
    elb_status status = ELB_OK;
    for (int64_t i = 0; i < count && status == ELB_OK; i++) {
        plot_panel *p = &made[i];
        status = plot_allocate(s, p);
        if (status != ELB_OK) break;
        plot_fill(s, i < ELB_CELL_BATCHES ? ELB_MEASURE_OWN : ELB_MEASURE_REFINED, (int)(i % ELB_CELL_BATCHES), p);
        panels[i] = (elb_panel){.x_label = p->x_label,
                                .y_label = p->y_label,
                                .count = s->count,
                                .points = p->points,
                                .lines = p->lines,
                                .joined = (const int64_t(*)[2])p->joined};
    }
    if (status == ELB_OK) status = elb_figure_save(s->grid->context, path, s->title, panels, count);
    for (int64_t i = 0; i < count; i++) {
        elb_free(s->grid->context, made[i].points);
        elb_free(s->grid->context, made[i].joined);
    }
    return status;
}
