#include <elbow/infer.h>

#include <math.h>
#include <string.h>

#include "data/table_writer.h"
#include "infer/inference.h"
#include "infer/describe.h"
#include "run/blocks.h"
#include "run/moments.h"
#include "run/progress.h"

enum { INFER_COLUMNS = 11 };

/* All data on one rung of the ladder. */
typedef struct infer_sums {
    int64_t steps, converged;
    elb_moments elbo, gain;
    double seconds;
} infer_sums;

typedef struct infer_job {
    elb_context *context;
    elb_vae *vae;
    const elb_dataset *dataset;
    const elb_infer_settings *settings;
    elb_inference *inference;
    elb_description description;
    elb_table *table; /* NULL: none */
    elb_reporter reporter;
    int64_t n, batch, done; /* data in all, of one block, of the blocks that are finished */
    int rung, rungs;
    infer_sums sums[ELB_INFER_RUNGS_MAX];
    elb_moments kl, taken;
    /* of one block */
    elb_real *lambda; /* [batch,P] */
    double *before;   /* [batch] ELBO on the first rung */
    int64_t *steps;   /* [batch] taken */
    int64_t *index;   /* [batch] */
    int64_t *label;   /* [batch] */
} infer_job;

/* --- the ladder --------------------------------------------------------------------------------------------------- */

/* 0, 1, 2, 5, 10, 20, 50, .. and the last. */
static void infer_ladder(infer_job *j)
{
    const int64_t last = j->vae->config->refine.steps, factors[] = {1, 2, 5};
    int rungs = 0;
    if (j->settings->ladder && last > 0) {
        j->sums[rungs++].steps = 0;
        for (int64_t decade = 1; decade < last; decade *= 10)
            for (int i = 0; i < 3 && decade * factors[i] < last; i++) j->sums[rungs++].steps = decade * factors[i];
    }
    j->sums[rungs++].steps = last;
    j->rungs = rungs;
}

/* --- one block ---------------------------------------------------------------------------------------------------- */

/* A block's work is counted in steps of refinement, of which the present rung has done so many; what comes before and
 * after them counts as one. */
static elb_status infer_tell(infer_job *j, double steps)
{
    double all = 0, done = steps;
    for (int i = 0; i < j->rungs; i++) {
        if (i < j->rung) done += 1 + (double)j->sums[i].steps;
        all += 1 + (double)j->sums[i].steps;
    }
    int64_t count = j->n - j->done < j->batch ? j->n - j->done : j->batch;
    return elb_reporter_update(&j->reporter, j->done + (int64_t)((double)count * done / all));
}

static elb_status infer_watch(void *user, const elb_refine_step *s)
{
    infer_job *j = user;
    for (int64_t i = 0; i < s->count; i++) j->steps[s->first + s->place[i]] = s->taken;
    return infer_tell(j, (double)s->taken);
}

static elb_status infer_run(infer_job *j, const elb_block *b, int64_t steps)
{
    memset(j->steps, 0, (size_t)b->count * sizeof *j->steps);
    elb_inference_set_steps(j->inference, steps);
    return elb_inference_run(j->inference, b->count, b->datum, b->x, j->lambda);
}

/* Those of the columns that there are, for `count` data from the block's number `at` on. */
static int infer_columns(const infer_job *j, int64_t at, int64_t count, elb_column columns[INFER_COLUMNS])
{
    const elb_description *s = &j->description;
    const int64_t latent = s->family->latent, local = s->family->local;
    const bool refined = j->vae->config->refine.steps > 0, labelled = elb_dataset_has_labels(j->dataset);
    const elb_column all[INFER_COLUMNS] = {
        {"index", ELB_COLUMN_INT64, 1, {count}, j->index + at},
        {"label", ELB_COLUMN_INT64, 1, {count}, labelled ? j->label + at : NULL},
        {"elbo", ELB_COLUMN_DOUBLE, 1, {count}, s->elbo},
        {"kl", ELB_COLUMN_DOUBLE, 1, {count}, s->kl},
        {"steps", ELB_COLUMN_INT64, 1, {count}, refined ? j->steps + at : NULL},
        {"uncertainty", ELB_COLUMN_REAL, 1, {count}, s->uncertainty},
        {"mean", ELB_COLUMN_REAL, 2, {count, latent}, s->mean},
        {"variance", ELB_COLUMN_REAL, 2, {count, latent}, s->variance},
        {"lambda", ELB_COLUMN_REAL, 2, {count, local}, j->lambda + at * local},
        {"z", ELB_COLUMN_REAL, 3, {count, s->samples, latent}, s->z},
        {"log_q", ELB_COLUMN_REAL, 2, {count, s->samples}, s->log_q},
    };
    int n = 0;
    for (int i = 0; i < INFER_COLUMNS; i++)
        if (all[i].values != NULL) columns[n++] = all[i];
    return n;
}

static elb_status infer_write(infer_job *j, const elb_block *b, int64_t at, int64_t count)
{
    elb_column columns[INFER_COLUMNS];
    for (int64_t i = at; i < at + count; i++) {
        j->index[i] = b->first + i;
        j->label[i] = elb_dataset_label(j->dataset, b->first + i);
    }
    ELB_TRY(elb_description_moments(&j->description, count, b->x + at * j->vae->model->data,
                                    j->lambda + at * j->description.family->local));
    infer_columns(j, at, count, columns);
    return elb_table_append(j->table, columns);
}

static void infer_add(infer_job *j, int64_t datum, double elbo, const double *kl)
{
    infer_sums *s = &j->sums[j->rung];
    if (j->rung == 0) j->before[datum] = elbo;
    elb_moments_add(&s->elbo, elbo);
    elb_moments_add(&s->gain, elbo - j->before[datum]);
    s->converged += j->steps[datum] < s->steps;
    if (j->rung < j->rungs - 1) return;
    elb_moments_add(&j->taken, (double)j->steps[datum]);
    if (kl != NULL) elb_moments_add(&j->kl, *kl);
}

/* What the block's lambdas are worth. */
static elb_status infer_look(infer_job *j, const elb_block *b)
{
    elb_description *s = &j->description;
    int64_t data = j->vae->model->data, local = s->family->local;
    for (int64_t at = 0; at < b->count; at += s->room) {
        int64_t count = b->count - at < s->room ? b->count - at : s->room;
        ELB_TRY(elb_description_elbo(s, count, b->datum + at, b->x + at * data, j->lambda + at * local));
        for (int64_t i = 0; i < count; i++) infer_add(j, at + i, s->elbo[i], s->kl != NULL ? s->kl + i : NULL);
        if (j->table != NULL && j->rung == j->rungs - 1) ELB_TRY(infer_write(j, b, at, count));
        ELB_TRY(infer_tell(j, (double)j->sums[j->rung].steps + (double)(at + count) / (double)b->count));
    }
    return ELB_OK;
}

static elb_status infer_rungs(infer_job *j, const elb_block *b)
{
    for (j->rung = 0; j->rung < j->rungs; j->rung++) {
        infer_sums *s = &j->sums[j->rung];
        double from = elb_clock();
        ELB_TRY(infer_run(j, b, s->steps));
        s->seconds += elb_clock() - from;
        ELB_TRY(infer_look(j, b));
    }
    return ELB_OK;
}

static elb_status infer_block(void *user, const elb_block *b)
{
    infer_job *j = user;
    elb_status status = ELB_OK;
    j->rung = 0;
    if (b->first == 0)
        status = infer_run(j, b, j->sums[j->rungs - 1].steps > 0); /* so that memory is there when it counts */
    if (status == ELB_OK) status = infer_rungs(j, b);
    if (status != ELB_OK && status == j->reporter.asked) return status;
    if (status != ELB_OK) return elb_fail_in(j->context, status, "%s", elb_dataset_name(j->dataset));
    j->done += b->count;
    elb_reporter_set(&j->reporter, "ELBO", j->sums[j->rungs - 1].elbo.mean);
    return elb_reporter_update(&j->reporter, j->done);
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static elb_status infer_check(const elb_vae *vae, const elb_dataset *dataset, const elb_infer_settings *s)
{
    ELB_TRY(elb_blocks_check(vae->context, s->limit, s->batch, s->seed));
    return elb_vae_check_data(vae, vae->config, dataset);
}

static elb_status infer_allocate(infer_job *j)
{
    elb_context *c = j->context;
    j->lambda = elb_alloc(c, j->batch * j->description.family->local, sizeof *j->lambda);
    j->before = elb_alloc(c, j->batch, sizeof *j->before);
    j->steps = elb_alloc(c, 3 * j->batch, sizeof *j->steps);
    if (j->lambda == NULL || j->before == NULL || j->steps == NULL) return ELB_MEMORY;
    j->index = j->steps + j->batch;
    j->label = j->index + j->batch;
    return ELB_OK;
}

static elb_status infer_open(infer_job *j)
{
    elb_vae *v = j->vae;
    const elb_infer_settings *s = j->settings;
    ELB_TRY(elb_inference_create(j->context, v->model, v->posterior, &v->config->refine, s->seed, &j->inference));
    elb_inference_watch(j->inference, infer_watch, j);
    j->batch = elb_inference_batch(j->inference);
    if (s->batch > 0 && s->batch < j->batch) j->batch = s->batch;
    if (j->batch > j->n) j->batch = j->n;
    ELB_TRY(elb_description_init(&j->description, v->model, v->posterior, elb_inference_family(j->inference),
                                 s->samples, s->keep_samples && s->table != NULL, s->seed));
    ELB_TRY(infer_allocate(j));
    infer_ladder(j);
    if (s->table == NULL) return ELB_OK;
    elb_column columns[INFER_COLUMNS];
    return elb_table_open(j->context, s->table, columns, infer_columns(j, 0, j->n, columns), &j->table);
}

static void infer_conclude(const infer_job *j, elb_infer_result *r)
{
    const elb_posterior *family = j->description.family;
    *r = (elb_infer_result){
        .n = j->n,
        .samples = j->settings->samples,
        .batch = j->batch,
        .latent = family->latent,
        .local = family->local,
        .seed = j->settings->seed,
        .kl_nats = j->kl.count > 0 ? j->kl.mean : NAN,
        .mean_steps = j->taken.mean,
        .has_variance = family->type->log_variance != NULL,
        .seconds = elb_clock() - j->reporter.started,
        .rung_count = j->rungs,
    };
    for (int i = 0; i < j->rungs; i++) {
        const infer_sums *s = &j->sums[i];
        r->rung[i] = (elb_infer_rung){
            .steps = s->steps,
            .elbo_nats = s->elbo.mean,
            .standard_error = elb_moments_error(&s->elbo),
            .gain_nats = s->gain.mean,
            .gain_error = elb_moments_error(&s->gain),
            .seconds_per_datum = s->seconds / (double)j->n,
            .converged = s->converged,
        };
    }
}

static elb_status infer_all(infer_job *j, elb_infer_result *result)
{
    ELB_TRY(infer_open(j));
    elb_status status = elb_blocks_visit(j->vae, j->dataset, j->n, j->batch, infer_block, j);
    bool asked = status != ELB_OK && status == j->reporter.asked;
    if (status == ELB_OK || asked) elb_reporter_finish(&j->reporter, j->done);
    ELB_TRY(status);
    elb_table *table = j->table;
    j->table = NULL;
    if (table != NULL) ELB_TRY(elb_table_commit(table));
    infer_conclude(j, result);
    return ELB_OK;
}

elb_status elb_infer(elb_vae *vae, const elb_dataset *dataset, const elb_infer_settings *settings,
                     elb_infer_result *result)
{
    *result = (elb_infer_result){.kl_nats = NAN};
    ELB_TRY(infer_check(vae, dataset, settings));
    infer_job j = {.context = vae->context,
                   .vae = vae,
                   .dataset = dataset,
                   .settings = settings,
                   .n = elb_blocks_count(dataset, settings->limit)};
    j.reporter = elb_reporter_start(settings->progress, settings->user, "inferring", 0, j.n);
    elb_status status = infer_all(&j, result);
    elb_table_discard(j.table);
    elb_description_free(&j.description);
    elb_inference_destroy(j.inference);
    elb_free(j.context, j.lambda);
    elb_free(j.context, j.before);
    elb_free(j.context, j.steps);
    return status;
}
