/* compare.c - works through the cells of a plan, and writes what is known after each. */
#include <elbow/compare.h>

#include <stdio.h>

#include "base/file.h"
#include "run/progress.h"
#include "study/cell.h"
#include "study/summary.h"

typedef struct compare_job {
    elb_grid *grid;
    const elb_compare_settings *settings;
    char where[2 * ELB_PLAN_NAME_MAX]; /* "3/12 vae/2": the cell that is being worked on */
} compare_job;

/* Before the phase, the cell. */
static elb_status compare_progress(void *user, const elb_progress *progress)
{
    compare_job *j = user;
    char phase[sizeof j->where + 64];
    if (!j->settings->progress) return ELB_OK;
    elb_progress shown = *progress;
    snprintf(phase, sizeof phase, "%s %s", j->where, progress->phase);
    shown.phase = phase;
    return j->settings->progress(j->settings->user, &shown);
}

/* The plots only when all is done: before, there are no times to show. */
static elb_status compare_save(const elb_summary *s, const char *folder, bool all)
{
    static const struct {
        const char *name;
        elb_status (*save)(const elb_summary *s, const char *path);
    } files[] = {{"compare.json", elb_summary_save_json},
                 {"compare.csv", elb_summary_save_csv},
                 {"compare.md", elb_summary_save_markdown},
                 {"compare.svg", elb_summary_save_plot},
                 {"compare.png", elb_summary_save_plot}};
    elb_context *c = s->grid->context;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (files[i].save == elb_summary_save_plot && !all) continue;
        char *path = elb_format(c, "%s/%s", folder, files[i].name);
        elb_status status = path ? files[i].save(s, path) : ELB_MEMORY;
        elb_free(c, path);
        ELB_TRY(status);
    }
    return ELB_OK;
}

/* What is known so far; of a plot and the table for people, when it is all. */
static elb_status compare_write(const compare_job *j, bool all, char **table)
{
    elb_summary *summary;
    ELB_TRY(elb_folder_make(j->grid->context, j->grid->folder));
    ELB_TRY(elb_summary_create(j->grid, &summary));
    elb_status status = compare_save(summary, j->grid->folder, all);
    if (status == ELB_OK && table) status = elb_summary_text(summary, table);
    elb_summary_destroy(summary);
    return status;
}

/* The status of work on a cell; the sentence of a failure says whose it is. */
static elb_status compare_named(const compare_job *j, const elb_cell *cell, elb_status status)
{
    if (status == ELB_OK) return ELB_OK;
    return elb_fail_in(j->grid->context, status, "%s, seed %lld", j->grid->plan->methods[cell->method].name,
                       (long long)cell->seed);
}

static elb_status compare_work(compare_job *j, elb_cell *cell)
{
    ELB_TRY(elb_cell_train(j->grid, cell, compare_progress, j));
    ELB_TRY(elb_grid_check(j->grid, cell));
    return elb_cell_evaluate(j->grid, cell, compare_progress, j);
}

/* A method that diverges, and what was to start from it, is reported as that; the others go on. */
static elb_status compare_cell(compare_job *j, elb_cell *cell)
{
    const elb_grid *g = j->grid;
    int64_t before = cell->source >= 0 ? cell->source : cell->start;
    elb_status status = before >= 0 && g->cells[before].diverged ? ELB_NUMERIC : compare_work(j, cell);
    cell->diverged = status == ELB_NUMERIC;
    if (cell->diverged)
        elb_log(g->context, ELB_LOG_WARNING, "%s diverged: %s", j->where, elb_context_message(g->context));
    else
        ELB_TRY(status);
    return compare_write(j, false, NULL);
}

/* Times are taken one after the other when all else is done: they are to be compared. */
static elb_status compare_time(const compare_job *j)
{
    const elb_grid *g = j->grid;
    elb_reporter reporter =
        elb_reporter_start(j->settings->progress, j->settings->user, "timing inference", 0, g->count);
    elb_status status = ELB_OK;
    for (int64_t i = 0; i < g->count && status == ELB_OK; i++) {
        if (g->cells[i].done) status = compare_named(j, &g->cells[i], elb_cell_time(g, &g->cells[i]));
        if (status == ELB_OK) status = elb_reporter_update(&reporter, i + 1);
    }
    return status == ELB_OK ? elb_reporter_finish(&reporter, g->count) : status;
}

static elb_status compare_all(compare_job *j, char **table)
{
    elb_grid *g = j->grid;
    for (int64_t i = 0; i < g->count; i++) {
        elb_cell *cell = &g->cells[i];
        snprintf(j->where, sizeof j->where, "%lld/%lld %s/%lld", (long long)i + 1, (long long)g->count,
                 g->plan->methods[cell->method].name, (long long)cell->seed);
        ELB_TRY(compare_named(j, cell, compare_cell(j, cell)));
    }
    ELB_TRY(compare_time(j));
    return compare_write(j, true, table);
}

elb_status elb_compare(const elb_plan *plan, const elb_compare_settings *settings, char **table)
{
    compare_job job = {.settings = settings};
    if (table) *table = NULL;
    ELB_TRY(elb_grid_create(plan, settings->folder, &job.grid));
    job.grid->retime = settings->retime;
    elb_status status = compare_all(&job, table);
    elb_grid_destroy(job.grid);
    return status;
}
