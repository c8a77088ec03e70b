#include <elbow/evaluate.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/table_writer.h"
#include "apply/estimator.h"
#include "run/json.h"
#include "run/moments.h"
#include "run/partial.h"
#include "run/progress.h"
#include "apply/simulate.h"

enum { EVALUATE_COLUMNS_MOST = 10 }; /* of the table: index, label, the estimator's */

const elb_estimator_type *const elb_estimator_types[] = {&elb_estimator_elbo, &elb_estimator_iwae, &elb_estimator_ais,
                                                         &elb_estimator_bdmc, NULL};
enum { EVALUATE_TYPES = sizeof elb_estimator_types / sizeof *elb_estimator_types - 1 };

typedef struct evaluate_job {
    elb_context *context;
    const elb_dataset *dataset; /* NULL: simulated */
    const elb_evaluate_settings *settings;
    elb_estimate estimate;
    elb_reporter reporter;
    int64_t done, block; /* data done, and data of the block in progress */
    int columns;         /* that the estimator has */
    int64_t batch;
    double *rows; /* [batch, columns] */
    elb_moments value;
    elb_table *table; /* NULL: none */
    elb_column cells[EVALUATE_COLUMNS_MOST];
    int cell_count;
    int64_t *index, *label; /* [batch] */
    double *numbers;        /* [columns, batch] */
    elb_partial partial;
} evaluate_job;

const char *elb_estimator_name(elb_estimator estimator)
{
    return (unsigned)estimator < EVALUATE_TYPES ? elb_estimator_types[estimator]->name : "unknown";
}

static const char *evaluate_data_name(const elb_dataset *dataset)
{
    return dataset != NULL ? elb_dataset_name(dataset) : "drawn from the model";
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

static bool evaluate_labelled(const evaluate_job *j)
{
    return j->dataset != NULL && elb_dataset_has_labels(j->dataset);
}

static void evaluate_add_cell(evaluate_job *j, const char *name, elb_column_type type, const void *values)
{
    j->cells[j->cell_count++] = (elb_column){name, type, 1, {j->estimate.n}, values};
}

static elb_status evaluate_table_open(evaluate_job *j)
{
    elb_context *c = j->context;
    const char *path = j->settings->per_datum;
    if (path == NULL) return ELB_OK;
    j->index = elb_alloc(c, j->batch, sizeof *j->index);
    j->label = elb_alloc(c, j->batch, sizeof *j->label);
    j->numbers = elb_alloc(c, j->columns * j->batch, sizeof *j->numbers);
    if (j->index == NULL || j->label == NULL || j->numbers == NULL) return ELB_MEMORY;
    evaluate_add_cell(j, "index", ELB_COLUMN_INT64, j->index);
    if (evaluate_labelled(j)) evaluate_add_cell(j, "label", ELB_COLUMN_INT64, j->label);
    for (int k = 0; k < j->columns; k++)
        evaluate_add_cell(j, j->estimate.type->columns[k], ELB_COLUMN_DOUBLE, j->numbers + k * j->batch);
    ELB_TRY(elb_table_check(c, path, j->cell_count));
    return elb_table_open(c, path, j->cells, j->cell_count, &j->table);
}

static elb_status evaluate_table_add(evaluate_job *j, int64_t first, const double *rows, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        j->index[i] = first + i;
        j->label[i] = evaluate_labelled(j) ? elb_dataset_label(j->dataset, first + i) : 0;
        for (int k = 0; k < j->columns; k++) j->numbers[k * j->batch + i] = rows[i * j->columns + k];
    }
    for (int k = 0; k < j->cell_count; k++) j->cells[k].shape[0] = count;
    return elb_table_append(j->table, j->cells);
}

/* --- per datum ---------------------------------------------------------------------------------------------------- */

/* Results of data first .. first+count-1, count <= batch, found now or before. */
static elb_status evaluate_take(evaluate_job *j, int64_t first, const double *rows, int64_t count)
{
    elb_estimate *e = &j->estimate;
    for (int64_t i = 0; i < count; i++) {
        const double *row = rows + i * j->columns;
        elb_moments_add(&j->value, e->type->value(e, row));
        e->type->add(e, row);
        if (j->settings->each == NULL) continue;
        elb_datum_estimate datum = e->type->datum(row);
        datum.index = first + i;
        j->settings->each(j->settings->user, &datum);
    }
    j->done = first + count;
    return j->table != NULL ? evaluate_table_add(j, first, rows, count) : ELB_OK;
}

/* With very many samples one datum takes minutes, and a caller who wants to stop would wait for all of its block. */
static elb_status evaluate_watch(void *user, double done)
{
    evaluate_job *j = user;
    return elb_reporter_update(&j->reporter, j->done + (int64_t)(done * (double)j->block));
}

/* The part of a block that was not done before. */
static elb_block evaluate_rest(const evaluate_job *j, const elb_block *block)
{
    const elb_model *m = j->estimate.vae->model;
    int64_t skip = j->done - block->first;
    if (skip <= 0) return *block;
    if (skip > block->count) skip = block->count;
    return (elb_block){.first = block->first + skip,
                       .count = block->count - skip,
                       .datum = block->datum + skip,
                       .x = block->x + skip * m->data,
                       .exact = block->exact != NULL ? block->exact + skip * m->options.latent : NULL};
}

static elb_status evaluate_block(void *user, const elb_block *whole)
{
    evaluate_job *j = user;
    elb_estimate *e = &j->estimate;
    elb_block block = evaluate_rest(j, whole);
    if (block.count == 0) return ELB_OK;
    j->block = block.count;
    elb_status status = e->type->block(e, &block, j->rows);
    if (status != ELB_OK && status == j->reporter.asked) return status;
    if (status != ELB_OK) return elb_fail_in(j->context, status, "%s", evaluate_data_name(j->dataset));
    ELB_TRY(evaluate_take(j, block.first, j->rows, block.count));
    ELB_TRY(elb_partial_add(&j->partial, j->rows, block.count));
    elb_reporter_set(&j->reporter, e->type->quantity, j->value.mean);
    return elb_reporter_update(&j->reporter, j->done);
}

/* --- what was done before ----------------------------------------------------------------------------------------- */

/* What the results depend on. */
static char *evaluate_key(const evaluate_job *j)
{
    const elb_estimate *e = &j->estimate;
    elb_context *c = j->context;
    char *own = e->type->key(e), *what = NULL, *key = NULL;
    if (own != NULL) what = elb_format(c, "%s %s seed=%llu", e->type->name, own, (unsigned long long)j->settings->seed);
    if (what != NULL) key = elb_partial_key(e->vae, j->dataset, what);
    elb_free(c, own);
    elb_free(c, what);
    return key;
}

static elb_status evaluate_go_on(evaluate_job *j)
{
    if (j->settings->partial == NULL) return ELB_OK;
    char *key = evaluate_key(j);
    if (key == NULL) return ELB_MEMORY;
    elb_status status = elb_partial_open(&j->partial, j->context, j->settings->partial, key, j->columns);
    elb_free(j->context, key);
    ELB_TRY(status);
    int64_t before = j->partial.count < j->estimate.n ? j->partial.count : j->estimate.n;
    for (int64_t first = 0; first < before; first += j->batch) {
        int64_t count = before - first < j->batch ? before - first : j->batch;
        ELB_TRY(evaluate_take(j, first, j->partial.rows + first * j->columns, count));
    }
    return ELB_OK;
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static elb_status evaluate_check(const elb_vae *vae, const elb_dataset *dataset, const elb_evaluate_settings *s)
{
    elb_context *c = vae->context;
    if ((unsigned)s->estimator >= EVALUATE_TYPES)
        return elb_fail(c, ELB_USAGE, "there is no estimator number %d: choose elbo, iwae, ais or bdmc",
                        (int)s->estimator);
    ELB_TRY(elb_blocks_check(c, s->limit, s->batch, s->seed));
    if (elb_estimator_types[s->estimator]->simulated) return ELB_OK;
    return elb_vae_check_data(vae, vae->config, dataset);
}

static int64_t evaluate_batch(const evaluate_job *j)
{
    const elb_estimate *e = &j->estimate;
    int64_t batch = j->settings->batch > 0 ? j->settings->batch : e->type->batch(e), most = e->type->most(e);
    if (most > 0 && batch > most) batch = most;
    return batch < e->n ? batch : e->n;
}

static elb_status evaluate_walk(evaluate_job *j)
{
    const elb_estimate *e = &j->estimate;
    if (j->done == e->n) return ELB_OK;
    if (j->dataset == NULL) return elb_simulate_visit(e->vae, e->n, j->batch, j->settings->seed, evaluate_block, j);
    return elb_blocks_visit(e->vae, j->dataset, e->n, j->batch, evaluate_block, j);
}

static void evaluate_conclude(const evaluate_job *j, elb_evaluation *r)
{
    const elb_estimate *e = &j->estimate;
    *r = (elb_evaluation){
        .estimator = j->settings->estimator,
        .n = e->n,
        .seed = j->settings->seed,
        .log_likelihood_nats = j->value.mean,
        .standard_error = elb_moments_error(&j->value),
        .bits_per_dim = -j->value.mean / ((double)e->vae->model->data * log(2)),
        .elbo_nats = NAN,
        .ess = NAN,
        .k_hat = NAN,
        .k_hat_bad = NAN,
        .seconds = j->reporter.clock() - j->reporter.started,
        .chain_error = NAN,
        .acceptance = NAN,
        .step_size = NAN,
        .upper_nats = NAN,
        .sandwich_nats = NAN,
        .sandwich_error = NAN,
    };
    e->type->conclude(e, r);
}

static elb_status evaluate_open(evaluate_job *j)
{
    elb_estimate *e = &j->estimate;
    e->state = elb_alloc(j->context, 1, e->type->state_size);
    if (e->state == NULL) return ELB_MEMORY;
    ELB_TRY(e->type->open(e));
    while (e->type->columns[j->columns] != NULL) j->columns++;
    j->batch = evaluate_batch(j);
    j->rows = elb_alloc(j->context, j->batch * j->columns, sizeof *j->rows);
    if (j->rows == NULL) return ELB_MEMORY;
    ELB_TRY(evaluate_table_open(j));
    return evaluate_go_on(j);
}

static elb_status evaluate_run(evaluate_job *j, elb_evaluation *result)
{
    const elb_evaluate_settings *s = j->settings;
    ELB_TRY(evaluate_open(j));
    j->reporter = elb_reporter_start(s->progress, s->user, "evaluating", j->done, j->estimate.n);
    elb_status status = evaluate_walk(j);
    bool asked = status != ELB_OK && status == j->reporter.asked;
    if (status == ELB_OK || asked) elb_reporter_finish(&j->reporter, j->done);
    if (asked) ELB_TRY(elb_partial_save(&j->partial));
    ELB_TRY(status);
    evaluate_conclude(j, result);
    if (j->table != NULL) {
        elb_table *table = j->table;
        j->table = NULL;
        ELB_TRY(elb_table_commit(table));
    }
    elb_partial_remove(&j->partial);
    return ELB_OK;
}

static void evaluate_close(evaluate_job *j)
{
    elb_context *c = j->context;
    if (j->estimate.state != NULL) j->estimate.type->close(&j->estimate);
    elb_free(c, j->estimate.state);
    elb_table_discard(j->table);
    elb_partial_end(&j->partial);
    elb_free(c, j->rows);
    elb_free(c, j->index);
    elb_free(c, j->label);
    elb_free(c, j->numbers);
}

elb_status elb_evaluate(elb_vae *vae, const elb_dataset *dataset, const elb_evaluate_settings *settings,
                        elb_evaluation *result)
{
    *result = (elb_evaluation){.log_likelihood_nats = NAN};
    ELB_TRY(evaluate_check(vae, dataset, settings));
    const elb_estimator_type *type = elb_estimator_types[settings->estimator];
    int64_t drawn = settings->limit > 0 ? settings->limit : ELB_BDMC_DATA;
    evaluate_job j = {.context = vae->context, .settings = settings};
    if (!type->simulated) j.dataset = dataset;
    j.estimate = (elb_estimate){.type = type,
                                .vae = vae,
                                .settings = settings,
                                .n = type->simulated ? drawn : elb_blocks_count(dataset, settings->limit),
                                .watch = evaluate_watch,
                                .user = &j};
    elb_status status = evaluate_run(&j, result);
    evaluate_close(&j);
    return status;
}

/* --- as JSON ------------------------------------------------------------------------------------------------------ */

static json_t *evaluate_object(const elb_vae *vae, const elb_dataset *dataset, const elb_evaluation *e)
{
    const elb_estimator_type *type = elb_estimator_types[e->estimator];
    char binarisation[ELB_KEY_TEXT] = "none";
    if (!type->simulated) elb_config_get(vae->config, "data.binarise", binarisation, sizeof binarisation);
    json_t *object =
        json_pack("{s:o, s:o, s:o, s:s, s:s}", "log_likelihood_nats", elb_json_real(e->log_likelihood_nats),
                  "standard_error", elb_json_real(e->standard_error), "bits_per_dim", elb_json_real(e->bits_per_dim),
                  "unit", "nats per datum", "estimator", type->name);
    json_t *own = type->tell(e);
    json_t *rest = json_pack("{s:I, s:I, s:I, s:s, s:s, s:o, s:s}", "n", (json_int_t)e->n, "refine_steps",
                             (json_int_t)vae->config->refine.steps, "seed", (json_int_t)e->seed, "binarisation",
                             binarisation, "data", evaluate_data_name(type->simulated ? NULL : dataset), "seconds",
                             elb_json_real(e->seconds), "version", ELBOW_VERSION);
    bool all = object != NULL && own != NULL && rest != NULL && json_object_update(object, own) == 0 &&
               json_object_update(object, rest) == 0;
    json_decref(own);
    json_decref(rest);
    if (all) return object;
    json_decref(object);
    return NULL;
}

elb_status elb_evaluation_json(const elb_vae *vae, const elb_dataset *dataset, const elb_evaluation *e, char **json)
{
    json_t *object = evaluate_object(vae, dataset, e);
    char *text = object != NULL ? json_dumps(object, ELB_JSON_FLAGS | JSON_INDENT(2)) : NULL;
    json_decref(object);
    *json = text != NULL ? elb_strdup(vae->context, text) : NULL;
    free(text);
    if (*json != NULL) return ELB_OK;
    return elb_fail(vae->context, ELB_MEMORY, "out of memory: the evaluation could not be made into JSON");
}

elb_status elb_evaluation_save(const elb_vae *vae, const elb_dataset *dataset, const elb_evaluation *e,
                               const char *folder)
{
    char *path = elb_format(vae->context, "%s/eval-%s.json", folder, elb_estimator_name(e->estimator));
    if (path == NULL) return ELB_MEMORY;
    elb_status status = elb_json_save(vae->context, path, evaluate_object(vae, dataset, e));
    elb_free(vae->context, path);
    return status;
}
