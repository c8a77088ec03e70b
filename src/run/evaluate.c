#include <elbow/evaluate.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/table_writer.h"
#include "infer/importance.h"
#include "infer/pareto.h"
#include "run/blocks.h"
#include "run/json.h"
#include "run/moments.h"
#include "run/progress.h"

enum { EVALUATE_BLOCK_SAMPLES = 65536, EVALUATE_LEAST_BATCH = 8, EVALUATE_COLUMNS = 6 };
#define EVALUATE_K_HAT_BAD 0.7 /* Vehtari et al. 2024, section 3 */

/* Every datum's numbers, for the table. */
typedef struct evaluate_table {
    double *elbo, *iwae, *ess, *k_hat; /* [n] each; one block that begins at elbo */
    int64_t *index, *label;            /* [n] each; one block that begins at index */
} evaluate_table;

typedef struct evaluate_job {
    elb_context *context;
    const elb_dataset *dataset;
    const elb_evaluate_settings *settings;
    elb_importance *importance;
    elb_importance_result *results; /* of one block */
    elb_reporter reporter;
    int64_t n, block;                    /* data in all, and in the block that is being weighed */
    elb_moments value, elbo, ess, k_hat; /* value: of the estimator asked for; k_hat: where it is finite */
    int64_t bad;                         /* data whose k-hat is above the limit */
    evaluate_table table;                /* all NULL without one */
} evaluate_job;

const char *elb_estimator_name(elb_estimator estimator)
{
    static const char *const names[] = {"elbo", "iwae"};
    return (unsigned)estimator < sizeof names / sizeof *names ? names[estimator] : "unknown";
}

/* --- per datum ------------------------------------------------------------------------------------------------------- */

static void evaluate_add(evaluate_job *j, const elb_importance_result *r)
{
    elb_moments_add(&j->value, j->settings->estimator == ELB_ESTIMATE_ELBO ? r->elbo : r->log_likelihood);
    elb_moments_add(&j->elbo, r->elbo);
    elb_moments_add(&j->ess, r->ess);
    if (isfinite(r->k_hat)) elb_moments_add(&j->k_hat, r->k_hat);
    j->bad += r->k_hat > EVALUATE_K_HAT_BAD;
}

static void evaluate_keep(evaluate_job *j, int64_t index, const elb_importance_result *r)
{
    evaluate_table *t = &j->table;
    t->index[index] = index;
    t->label[index] = elb_dataset_label(j->dataset, index);
    t->elbo[index] = r->elbo;
    t->iwae[index] = r->log_likelihood;
    t->ess[index] = r->ess;
    t->k_hat[index] = r->k_hat;
}

/* With very many samples one datum takes minutes, and a caller who wants to stop would wait for all of its block. */
static elb_status evaluate_watch(void *user, double done)
{
    evaluate_job *j = user;
    return elb_reporter_update(&j->reporter, j->value.count + (int64_t)(done * (double)j->block));
}

static void evaluate_tell(const evaluate_job *j, int64_t index, const elb_importance_result *r)
{
    elb_datum_estimate datum = {index, r->elbo, r->log_likelihood, r->ess, r->k_hat};
    j->settings->each(j->settings->user, &datum);
}

static elb_status evaluate_block(void *user, const elb_block *block)
{
    evaluate_job *j = user;
    elb_importance_result *results = j->results;
    j->block = block->count;
    elb_status status = elb_importance_block(j->importance, block->count, block->datum, block->x, results);
    if (status != ELB_OK && status == j->reporter.asked) return status;
    if (status != ELB_OK) return elb_fail_in(j->context, status, "%s", elb_dataset_name(j->dataset));
    for (int64_t i = 0; i < block->count; i++) {
        evaluate_add(j, &results[i]);
        if (j->table.elbo != NULL) evaluate_keep(j, block->first + i, &results[i]);
        if (j->settings->each != NULL) evaluate_tell(j, block->first + i, &results[i]);
    }
    elb_reporter_set(&j->reporter, j->settings->estimator == ELB_ESTIMATE_ELBO ? "ELBO" : "log-likelihood",
                     j->value.mean);
    return elb_reporter_update(&j->reporter, j->value.count);
}

/* --- the table ------------------------------------------------------------------------------------------------------- */

static elb_status evaluate_table_open(evaluate_job *j)
{
    evaluate_table *t = &j->table;
    if (j->settings->per_datum == NULL) return ELB_OK;
    ELB_TRY(elb_table_check(j->context, j->settings->per_datum, EVALUATE_COLUMNS));
    t->elbo = elb_alloc(j->context, 4 * j->n, sizeof *t->elbo);
    t->index = elb_alloc(j->context, 2 * j->n, sizeof *t->index);
    if (t->elbo == NULL || t->index == NULL) return ELB_MEMORY;
    t->iwae = t->elbo + j->n;
    t->ess = t->elbo + 2 * j->n;
    t->k_hat = t->elbo + 3 * j->n;
    t->label = t->index + j->n;
    return ELB_OK;
}

static elb_status evaluate_table_write(const evaluate_job *j)
{
    const evaluate_table *t = &j->table;
    if (j->settings->per_datum == NULL) return ELB_OK;
    elb_column columns[EVALUATE_COLUMNS];
    int count = 0;
    columns[count++] = (elb_column){"index", ELB_COLUMN_INT64, 1, {j->n}, t->index};
    if (elb_dataset_has_labels(j->dataset))
        columns[count++] = (elb_column){"label", ELB_COLUMN_INT64, 1, {j->n}, t->label};
    columns[count++] = (elb_column){"elbo", ELB_COLUMN_DOUBLE, 1, {j->n}, t->elbo};
    columns[count++] = (elb_column){"iwae", ELB_COLUMN_DOUBLE, 1, {j->n}, t->iwae};
    columns[count++] = (elb_column){"ess", ELB_COLUMN_DOUBLE, 1, {j->n}, t->ess};
    columns[count++] = (elb_column){"k_hat", ELB_COLUMN_DOUBLE, 1, {j->n}, t->k_hat};
    return elb_table_write(j->context, j->settings->per_datum, columns, count);
}

/* --- the whole ------------------------------------------------------------------------------------------------------- */

static elb_status evaluate_check(const elb_vae *vae, const elb_dataset *dataset, const elb_evaluate_settings *s)
{
    elb_context *c = vae->context;
    if (s->estimator != ELB_ESTIMATE_ELBO && s->estimator != ELB_ESTIMATE_IWAE)
        return elb_fail(c, ELB_USAGE, "there is no estimator number %d: choose elbo or iwae", (int)s->estimator);
    if (s->limit < 0 || s->batch < 0)
        return elb_fail(c, ELB_USAGE,
                        "limit and batch count data and must be 0 (the default) or more, not %lld and %lld",
                        (long long)s->limit, (long long)s->batch);
    if (s->seed > INT64_MAX)
        return elb_fail(c, ELB_USAGE, "the seed must be at most %lld, not %llu", (long long)INT64_MAX,
                        (unsigned long long)s->seed);
    return elb_vae_check_data(vae, vae->config, dataset);
}

/* The noise of a few data at a time keeps progress and interruption prompt; one encoder pass over them costs little
 * beside their samples. Data that are refined together are many, and the watcher is asked at every step. */
static int64_t evaluate_batch(const evaluate_job *j, const elb_refine_options *refine)
{
    const elb_evaluate_settings *s = j->settings;
    int64_t batch = EVALUATE_BLOCK_SAMPLES / s->samples, most = elb_importance_batch(j->importance);
    if (batch < EVALUATE_LEAST_BATCH) batch = EVALUATE_LEAST_BATCH;
    if (s->batch > 0)
        batch = s->batch;
    else if (refine->steps > 0)
        batch = most;
    if (batch > most) batch = most;
    return batch < j->n ? batch : j->n;
}

static void evaluate_conclude(const evaluate_job *j, elb_evaluation *r)
{
    const elb_evaluate_settings *s = j->settings;
    double size = (double)elb_dataset_size(j->dataset);
    bool fitted = s->estimator == ELB_ESTIMATE_IWAE && elb_pareto_tail_size(s->samples) > 0;
    *r = (elb_evaluation){
        .estimator = s->estimator,
        .samples = s->samples,
        .n = j->n,
        .seed = s->seed,
        .log_likelihood_nats = j->value.mean,
        .standard_error = elb_moments_error(&j->value),
        .bits_per_dim = -j->value.mean / (size * log(2)),
        .elbo_nats = j->elbo.mean,
        .ess = j->ess.mean,
        .k_hat = fitted && j->k_hat.count > 0 ? j->k_hat.mean : NAN,
        .k_hat_bad = fitted ? (double)j->bad / (double)j->n : NAN,
        .seconds = j->reporter.clock() - j->reporter.started,
    };
}

static elb_status evaluate_run(elb_vae *vae, evaluate_job *j, elb_evaluation *result)
{
    const elb_evaluate_settings *s = j->settings;
    const elb_refine_options *refine = &vae->config->refine;
    ELB_TRY(elb_importance_create(j->context, vae->model, vae->posterior, refine, s->samples, s->seed, &j->importance));
    elb_importance_watch(j->importance, evaluate_watch, j);
    int64_t batch = evaluate_batch(j, refine);
    j->results = elb_alloc(j->context, batch, sizeof *j->results);
    if (j->results == NULL) return ELB_MEMORY;
    ELB_TRY(evaluate_table_open(j));
    elb_status status = elb_blocks_visit(vae, j->dataset, j->n, batch, evaluate_block, j);
    bool asked = status != ELB_OK && status == j->reporter.asked;
    if (status == ELB_OK || asked) elb_reporter_finish(&j->reporter, j->value.count);
    ELB_TRY(status);
    evaluate_conclude(j, result);
    return evaluate_table_write(j);
}

elb_status elb_evaluate(elb_vae *vae, const elb_dataset *dataset, const elb_evaluate_settings *settings,
                        elb_evaluation *result)
{
    *result = (elb_evaluation){.log_likelihood_nats = NAN};
    ELB_TRY(evaluate_check(vae, dataset, settings));
    evaluate_job j = {.context = vae->context,
                      .dataset = dataset,
                      .settings = settings,
                      .n = elb_blocks_count(dataset, settings->limit)};
    j.reporter = elb_reporter_start(settings->progress, settings->user, "evaluating", 0, j.n);
    elb_status status = evaluate_run(vae, &j, result);
    elb_importance_destroy(j.importance);
    elb_free(j.context, j.results);
    elb_free(j.context, j.table.elbo);
    elb_free(j.context, j.table.index);
    return status;
}

/* --- as JSON --------------------------------------------------------------------------------------------------------- */

static json_t *evaluate_object(const elb_vae *vae, const elb_dataset *dataset, const elb_evaluation *e)
{
    char binarisation[ELB_KEY_TEXT] = "";
    elb_config_get(vae->config, "data.binarise", binarisation, sizeof binarisation);
    return json_pack("{s:o, s:o, s:o, s:s, s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:I, s:s, s:s, s:o, s:s}",
                     "log_likelihood_nats", elb_json_real(e->log_likelihood_nats), "standard_error",
                     elb_json_real(e->standard_error), "bits_per_dim", elb_json_real(e->bits_per_dim), "unit",
                     "nats per datum", "estimator", elb_estimator_name(e->estimator), "samples", (json_int_t)e->samples,
                     "n", (json_int_t)e->n, "elbo_nats", elb_json_real(e->elbo_nats), "ess", elb_json_real(e->ess),
                     "k_hat", elb_json_real(e->k_hat), "k_hat_bad", elb_json_real(e->k_hat_bad), "seed",
                     (json_int_t)e->seed, "binarisation", binarisation, "data", elb_dataset_name(dataset), "seconds",
                     elb_json_real(e->seconds), "version", ELBOW_VERSION);
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
