/* gap_files.c - results of elbow gap as JSON, and every datum as a table. */
#include <stdio.h>
#include <string.h>

#include <elbow/version.h>

#include "data/table_writer.h"
#include "run/json.h"
#include "study/gap.h"

/* --- JSON --------------------------------------------------------------------------------------------------------- */

static json_t *files_mean(const elb_gap_mean *m)
{
    return json_pack("{s:o, s:o}", "mean", elb_json_real(m->mean), "standard_error", elb_json_real(m->standard_error));
}

/* A part of a set: what it is, as far as it applies. */
static json_t *files_part(const elb_gap_result *r, int part)
{
    json_t *o = json_object();
    if (part != ELB_GAP_AIS) json_object_set_new(o, "elbo", files_mean(&r->elbo[part]));
    json_object_set_new(o, part == ELB_GAP_AIS ? "ais" : "iwae", files_mean(&r->bound[part]));
    if (part != ELB_GAP_AIS) json_object_set_new(o, "k_hat_bad", elb_json_real(r->k_hat_bad[part]));
    if (part > ELB_GAP_ENCODER && part < ELB_GAP_AIS) {
        json_object_set_new(o, "converged", elb_json_real(r->converged[part]));
        json_object_set_new(o, "starts_agree", elb_json_real(r->agree[part]));
    }
    json_object_set_new(o, "seconds", elb_json_real(r->seconds[part]));
    return o;
}

static json_t *files_set(const elb_gap_set *set, const elb_gap_result *r)
{
    json_t *o = json_object();
    json_object_set_new(o, "data", json_string(elb_dataset_name(set->dataset)));
    json_object_set_new(o, "n", json_integer((json_int_t)r->n));
    json_object_set_new(o, "log_p", files_mean(&r->log_p));
    json_object_set_new(o, "log_p_by", json_string(elb_gap_part_name(r->log_p_by)));
    json_object_set_new(o, "approximation", files_mean(&r->approximation));
    json_object_set_new(o, "amortisation", files_mean(&r->amortisation));
    json_object_set_new(o, "inference", files_mean(&r->inference));
    json_object_set_new(o, "family", json_string(elb_gap_part_name(r->own)));
    for (int part = 0; part < ELB_GAP_PARTS; part++)
        if (r->bound[part].mean == r->bound[part].mean) /* not NaN: it was worked out */
            json_object_set_new(o, elb_gap_part_name((elb_gap_part)part), files_part(r, part));
    return o;
}

static json_t *files_settings(const elb_gap_settings *s)
{
    const elb_anneal_settings *a = &s->anneal;
    return json_pack("{s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:I}", "samples", (json_int_t)s->samples, "starts",
                     (json_int_t)s->starts, "steps", (json_int_t)s->steps, "step_samples", (json_int_t)s->step_samples,
                     "tolerance", elb_json_real(s->tolerance), "chains", (json_int_t)a->chains, "temperatures",
                     (json_int_t)a->temperatures, "leapfrog", (json_int_t)a->leapfrog);
}

elb_status elb_gap_save_json(const elb_vae *vae, const elb_gap_settings *s, const elb_gap_set *sets,
                             const elb_gap_result *results, int count, const char *advice)
{
    elb_context *c = vae->context;
    char binarisation[ELB_KEY_TEXT] = "";
    ELB_TRY(elb_config_get(vae->config, "data.binarise", binarisation, sizeof binarisation));
    json_t *o = json_object();
    for (int i = 0; i < count; i++)
        json_object_set_new(o, elb_part_name(sets[i].part), files_set(&sets[i], &results[i]));
    json_object_set_new(o, "advice", json_string(advice));
    json_object_set_new(o, "unit", json_string("nats per datum"));
    json_object_set_new(o, "settings", files_settings(s));
    json_object_set_new(o, "binarisation", json_string(binarisation));
    json_object_set_new(o, "seed", json_integer((json_int_t)s->seed));
    json_object_set_new(o, "version", json_string(ELBOW_VERSION));
    char *path = elb_format(c, "%s/gap.json", s->folder);
    elb_status status = ELB_MEMORY;
    if (path != NULL)
        status = elb_json_save(c, path, o);
    else
        json_decref(o);
    elb_free(c, path);
    return status;
}

/* --- every datum -------------------------------------------------------------------------------------------------- */

enum { FILES_GAPS = 4, FILES_NAME = 32, FILES_CELLS_MOST = 2 + FILES_GAPS + ELB_GAP_PARTS * ELB_GAP_COLUMNS };

typedef struct files_table {
    const elb_gap_work *work;
    int64_t n;
    int count, numbers;
    elb_column cells[FILES_CELLS_MOST];
    char names[FILES_CELLS_MOST][FILES_NAME];
    int64_t *index, *label; /* [n] */
    double *number;         /* [FILES_CELLS_MOST, n] */
} files_table;

/* A column of numbers to be filled. */
static double *files_column(files_table *t, const char *before, const char *name)
{
    double *values = t->number + t->numbers++ * t->n;
    snprintf(t->names[t->count], FILES_NAME, "%s%s%s", before, *before ? "_" : "", name);
    t->cells[t->count] = (elb_column){t->names[t->count], ELB_COLUMN_DOUBLE, 1, {t->n}, values};
    t->count++;
    return values;
}

static void files_gaps(files_table *t, const elb_gap_result *r)
{
    const elb_gap_work *w = t->work;
    double *log_p = files_column(t, "", "log_p"), *approximation = files_column(t, "", "approximation");
    double *amortisation = files_column(t, "", "amortisation"), *inference = files_column(t, "", "inference");
    for (int64_t i = 0; i < t->n; i++) {
        double best = elb_gap_at(w, r->own, i, ELB_GAP_ELBO), elbo = elb_gap_at(w, ELB_GAP_ENCODER, i, ELB_GAP_ELBO);
        log_p[i] = elb_gap_at(w, r->log_p_by, i, ELB_GAP_BOUND);
        approximation[i] = log_p[i] - best;
        amortisation[i] = best - elbo;
        inference[i] = log_p[i] - elbo;
    }
}

/* Whether a part's rows have a column. */
static bool files_has(elb_gap_part part, elb_gap_column column)
{
    if (part == ELB_GAP_AIS)
        return column == ELB_GAP_BOUND || column == ELB_GAP_ESS || column == ELB_GAP_ERROR ||
               column == ELB_GAP_ACCEPTANCE;
    return column <= (part == ELB_GAP_ENCODER ? ELB_GAP_K_HAT : ELB_GAP_CONVERGED);
}

static void files_part_columns(files_table *t, elb_gap_part part)
{
    static const char *const names[ELB_GAP_COLUMNS] = {"elbo",  "iwae",  "ess",       "k_hat", "spread",
                                                       "steps", "start", "converged", "error", "acceptance"};
    for (int k = 0; k < ELB_GAP_SECONDS; k++) {
        elb_gap_column column = (elb_gap_column)k;
        if (!files_has(part, column)) continue;
        const char *name = part == ELB_GAP_AIS && column == ELB_GAP_BOUND ? "bound" : names[k];
        double *values = files_column(t, elb_gap_part_name(part), name);
        for (int64_t i = 0; i < t->n; i++) values[i] = elb_gap_at(t->work, part, i, column);
    }
}

static void files_fill(files_table *t, const elb_gap_result *r)
{
    const elb_dataset *d = t->work->set->dataset;
    for (int64_t i = 0; i < t->n; i++) t->index[i] = i, t->label[i] = elb_dataset_label(d, i);
    t->cells[t->count++] = (elb_column){"index", ELB_COLUMN_INT64, 1, {t->n}, t->index};
    if (elb_dataset_has_labels(d)) t->cells[t->count++] = (elb_column){"label", ELB_COLUMN_INT64, 1, {t->n}, t->label};
    files_gaps(t, r);
    for (int part = 0; part < ELB_GAP_PARTS; part++)
        if (t->work->wanted[part]) files_part_columns(t, (elb_gap_part)part);
}

static elb_status files_write(const files_table *t, const char *ending)
{
    elb_context *c = t->work->vae->context;
    char *path = elb_format(c, "%s/gap-%s.%s", t->work->settings->folder, elb_part_name(t->work->set->part), ending);
    elb_status status = path != NULL ? elb_table_write(c, path, t->cells, t->count) : ELB_MEMORY;
    elb_free(c, path);
    return status;
}

elb_status elb_gap_save_table(const elb_gap_work *w, const elb_gap_result *result)
{
    elb_context *c = w->vae->context;
    files_table t = {.work = w,
                     .n = w->n,
                     .index = elb_alloc(c, w->n, sizeof *t.index),
                     .label = elb_alloc(c, w->n, sizeof *t.label),
                     .number = elb_alloc(c, FILES_CELLS_MOST * w->n, sizeof *t.number)};
    elb_status status = t.index != NULL && t.label != NULL && t.number != NULL ? ELB_OK : ELB_MEMORY;
    if (status == ELB_OK) {
        files_fill(&t, result);
        status = files_write(&t, "npz");
    }
    if (status == ELB_OK) status = files_write(&t, "csv");
    elb_free(c, t.index);
    elb_free(c, t.label);
    elb_free(c, t.number);
    return status;
}
