/* summary_files.c - a comparison for other programs: CSV, one line per method, and JSON, with every run. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/number.h"
#include "run/json.h"
#include "study/summary.h"

static const char *const files_measures[ELB_MEASURES] = {"elbo", "own", "refined"};

/* --- CSV ---------------------------------------------------------------------------------------------------------- */

static void files_put_text(elb_writer *w, const char *text)
{
    elb_writer_put(w, "\"", 1);
    for (; *text; text++) elb_writer_put(w, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
    elb_writer_put(w, "\"", 1);
}

/* Nothing for what is not known. */
static void files_put_number(elb_writer *w, double value)
{
    char text[ELB_NUMBER_SIZE] = "";
    if (isfinite(value)) elb_number_format(value, text);
    elb_writer_printf(w, ",%s", text);
}

static void files_put_heads(elb_writer *w)
{
    elb_writer_printf(w, "method,label,seeds,diverged");
    for (int m = 0; m < ELB_MEASURES; m++)
        elb_writer_printf(w, ",%s,%s_error,%s_gain,%s_gain_error,%s_gain_t_p,%s_gain_wilcoxon_p,%s_gain_seeds_p",
                          files_measures[m], files_measures[m], files_measures[m], files_measures[m], files_measures[m],
                          files_measures[m], files_measures[m]);
    elb_writer_printf(w, ",k_hat_bad,parameters,epochs,train_seconds");
    for (int b = 0; b < ELB_CELL_BATCHES; b++)
        elb_writer_printf(w, ",seconds_batch_%lld", (long long)elb_cell_batches[b]);
    elb_writer_printf(w, "\n");
}

static void files_put_row(elb_writer *w, const elb_plan_method *method, const elb_row *r)
{
    elb_writer_printf(w, "%s,", method->name);
    files_put_text(w, elb_plan_label(method));
    elb_writer_printf(w, ",%lld,%lld", (long long)r->mean[ELB_MEASURE_OWN].seeds, (long long)r->diverged);
    for (int m = 0; m < ELB_MEASURES; m++) {
        const elb_row_gain *g = &r->gain[m];
        bool known = g->mean.seeds > 0;
        const double numbers[] = {r->mean[m].mean,
                                  r->mean[m].error,
                                  g->mean.mean,
                                  g->mean.error,
                                  known ? g->over_data.t_p : NAN,
                                  known ? g->over_data.wilcoxon_p : NAN,
                                  g->seeds_p};
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) files_put_number(w, numbers[i]);
    }
    const double rest[] = {r->k_hat_bad, r->parameters, r->epochs, r->train_seconds};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) files_put_number(w, rest[i]);
    for (int b = 0; b < ELB_CELL_BATCHES; b++) files_put_number(w, r->seconds[b]);
    elb_writer_printf(w, "\n");
}

elb_status elb_summary_save_csv(const elb_summary *s, const char *path)
{
    elb_writer *w;
    ELB_TRY(elb_writer_open(s->grid->context, path, &w));
    files_put_heads(w);
    for (int64_t i = 0; i < s->count; i++) files_put_row(w, &s->grid->plan->methods[s->rows[i].method], &s->rows[i]);
    return elb_writer_commit(w);
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

/* false where there was no memory; jansson takes the reference in any case. */
static bool files_put(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0;
}

static bool files_put_real(json_t *object, const char *key, double value)
{
    return files_put(object, key, elb_json_real(value));
}

static bool files_put_seconds(json_t *object, const double seconds[ELB_CELL_BATCHES])
{
    bool good = true;
    for (int b = 0; b < ELB_CELL_BATCHES && good; b++) {
        char key[32];
        snprintf(key, sizeof key, "seconds_batch_%lld", (long long)elb_cell_batches[b]);
        good = files_put_real(object, key, seconds[b]);
    }
    return good;
}

static json_t *files_mean(const elb_row_mean *m)
{
    return json_pack("{s:o,s:o,s:I,s:s}", "mean", elb_json_real(m->mean), "error", elb_json_real(m->error), "seeds",
                     (json_int_t)m->seeds, "error_over", m->seeds > 1 ? "seeds" : "data");
}

static json_t *files_gain(const elb_row_gain *g)
{
    json_t *o = files_mean(&g->mean);
    bool good = o && files_put_real(o, "data_error", g->over_data.standard_error) &&
                files_put_real(o, "t_p", g->over_data.t_p) &&
                files_put_real(o, "wilcoxon_p", g->over_data.wilcoxon_p) && files_put_real(o, "seeds_p", g->seeds_p);
    if (good) return o;
    json_decref(o);
    return NULL;
}

static json_t *files_cell(const elb_grid *g, const elb_cell *cell)
{
    const elb_cell *reference = elb_grid_find(g, g->reference, cell->seed);
    json_t *o = json_pack("{s:I,s:s,s:o,s:o,s:I,s:o}", "seed", (json_int_t)cell->seed, "run", cell->run, "epochs",
                          elb_json_real(cell->epochs), "train_seconds", elb_json_real(cell->train_seconds),
                          "parameters", (json_int_t)cell->parameters, "k_hat_bad", elb_json_real(cell->own.k_hat_bad));
    bool good = o;
    for (int m = 0; m < ELB_MEASURES && good; m++) {
        const elb_cell_estimate *e = elb_cell_measure(cell, m);
        if (e->n == 0) continue;
        json_t *value = json_pack("{s:o,s:o,s:I}", "mean", elb_json_real(e->mean), "data_error",
                                  elb_json_real(e->error), "n", (json_int_t)e->n);
        good = files_put(o, files_measures[m], value);
        if (!good || cell->method == g->reference) continue;
        elb_paired_test gain = elb_cell_gain(cell, reference, m);
        good =
            files_put_real(value, "gain", gain.mean) && files_put_real(value, "gain_data_error", gain.standard_error);
    }
    if (good && files_put_seconds(o, cell->seconds)) return o;
    json_decref(o);
    return NULL;
}

static bool files_put_cells(json_t *o, const elb_grid *g, int64_t method)
{
    json_t *runs = json_array();
    if (!files_put(o, "runs", runs)) return false;
    for (int64_t i = 0; i < g->count; i++)
        if (g->cells[i].method == method && g->cells[i].done &&
            json_array_append_new(runs, files_cell(g, &g->cells[i])))
            return false;
    return true;
}

static json_t *files_row(const elb_grid *g, const elb_row *r)
{
    const elb_plan_method *method = &g->plan->methods[r->method];
    json_t *o = json_pack("{s:s,s:s,s:I,s:o,s:o,s:o,s:o}", "method", method->name, "label", elb_plan_label(method),
                          "diverged", (json_int_t)r->diverged, "k_hat_bad", elb_json_real(r->k_hat_bad), "parameters",
                          elb_json_real(r->parameters), "epochs", elb_json_real(r->epochs), "train_seconds",
                          elb_json_real(r->train_seconds));
    bool good = o && (!*method->options.of || files_put(o, "of", json_string(method->options.of)));
    for (int m = 0; m < ELB_MEASURES && good; m++) {
        json_t *value = r->mean[m].seeds > 0 ? files_mean(&r->mean[m]) : json_null();
        good = files_put(o, files_measures[m], value);
        if (good && r->gain[m].mean.seeds > 0) good = files_put(value, "gain", files_gain(&r->gain[m]));
    }
    if (good && files_put_seconds(o, r->seconds) && files_put_cells(o, g, r->method)) return o;
    json_decref(o);
    return NULL;
}

static json_t *files_whole(const elb_summary *s)
{
    const elb_grid *g = s->grid;
    const elb_plan_evaluate *e = &g->plan->evaluate;
    json_t *rows = json_array();
    json_t *o =
        json_pack("{s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:o}", "title", s->title, "data", g->cells[0].config->data.spec, "unit",
                  "nats per datum", "reference", g->plan->methods[g->reference].name, "samples", (json_int_t)e->samples,
                  "limit", (json_int_t)e->limit, "refine_steps", (json_int_t)e->refine_steps, "methods", rows);
    for (int64_t i = 0; o && i < s->count; i++)
        if (json_array_append_new(rows, files_row(g, &s->rows[i]))) {
            json_decref(o);
            o = NULL;
        }
    return o;
}

elb_status elb_summary_save_json(const elb_summary *s, const char *path)
{
    return elb_json_save(s->grid->context, path, files_whole(s));
}
