/* cell_estimate.c - the likelihoods of one cell. */
#include <math.h>
#include <string.h>

#include <elbow/evaluate.h>

#include "run/moments.h"
#include "study/cell.h"

typedef struct estimate_job {
    elb_cell_work *work;
    const char *phase; /* what the present evaluation is called */
    elb_progress_fn progress;
    void *user;
    elb_cell_estimate elbo, iwae;
} estimate_job;

static json_t *estimate_key(const elb_cell_work *work)
{
    const elb_plan_evaluate *e = &work->grid->plan->evaluate;
    return elb_cell_key(work, json_pack("{s:I,s:I,s:i,s:I}", "samples", (json_int_t)e->samples, "limit",
                                        (json_int_t)e->limit, "part", e->part, "seed", (json_int_t)work->cell->seed));
}

/* --- kept numbers ------------------------------------------------------------------------------------------------- */

static json_t *estimate_array(const elb_cell_estimate *e)
{
    json_t *array = json_array();
    for (int64_t i = 0; array && i < e->n; i++)
        if (json_array_append_new(array, json_real(e->values[i]))) {
            json_decref(array);
            array = NULL;
        }
    return array;
}

static elb_status estimate_save(const estimate_job *j, const char *name, json_t *key)
{
    json_t *object = json_pack("{s:o,s:o,s:o}", "k_hat_bad", elb_json_real(j->iwae.k_hat_bad), "elbo",
                               estimate_array(&j->elbo), "log_likelihood", estimate_array(&j->iwae));
    return elb_cell_save(j->work, name, key, object);
}

static void estimate_conclude(elb_cell_estimate *e)
{
    elb_moments m = {.count = 0};
    for (int64_t i = 0; i < e->n; i++) elb_moments_add(&m, e->values[i]);
    e->mean = m.mean;
    e->error = elb_moments_error(&m);
}

/* false: not an array of n numbers. */
static bool estimate_take(const json_t *array, elb_cell_estimate *e)
{
    if ((int64_t)json_array_size(array) != e->n) return false;
    for (int64_t i = 0; i < e->n; i++) {
        const json_t *value = json_array_get(array, (size_t)i);
        if (!json_is_number(value)) return false;
        e->values[i] = json_number_value(value);
    }
    return true;
}

/* --- the work ----------------------------------------------------------------------------------------------------- */

static void estimate_each(void *user, const elb_datum_estimate *datum)
{
    estimate_job *j = user;
    j->elbo.values[datum->index] = datum->elbo;
    j->iwae.values[datum->index] = datum->iwae;
}

static elb_status estimate_progress(void *user, const elb_progress *progress)
{
    estimate_job *j = user;
    elb_progress shown = *progress;
    shown.phase = j->phase;
    return j->progress ? j->progress(j->user, &shown) : ELB_OK;
}

static elb_status estimate_evaluate(estimate_job *j)
{
    const elb_plan_evaluate *e = &j->work->grid->plan->evaluate;
    elb_evaluate_settings settings = {.estimator = ELB_ESTIMATE_IWAE,
                                      .samples = e->samples,
                                      .limit = e->limit,
                                      .seed = (uint64_t)j->work->cell->seed,
                                      .each = estimate_each,
                                      .progress = estimate_progress,
                                      .user = j};
    elb_evaluation result;
    ELB_TRY(elb_evaluate(j->work->vae, j->work->data, &settings, &result));
    j->iwae.k_hat_bad = result.k_hat_bad;
    return ELB_OK;
}

static elb_status estimate_allocate(estimate_job *j)
{
    elb_context *c = j->work->grid->context;
    int64_t n = elb_dataset_count(j->work->data), limit = j->work->grid->plan->evaluate.limit;
    j->elbo.n = j->iwae.n = limit > 0 && limit < n ? limit : n;
    j->elbo.k_hat_bad = NAN;
    j->elbo.values = elb_alloc(c, j->elbo.n, sizeof *j->elbo.values);
    j->iwae.values = elb_alloc(c, j->iwae.n, sizeof *j->iwae.values);
    return j->elbo.values && j->iwae.values ? ELB_OK : ELB_MEMORY;
}

/* Takes what is kept under this key, or finds and keeps it. */
static elb_status estimate_run(estimate_job *j, const char *name, json_t *key)
{
    json_t *kept;
    ELB_TRY(key ? ELB_OK : elb_fail(j->work->grid->context, ELB_MEMORY, "out of memory before an evaluation"));
    ELB_TRY(estimate_allocate(j));
    ELB_TRY(elb_cell_load(j->work, name, key, &kept));
    bool known = kept && estimate_take(json_object_get(kept, "elbo"), &j->elbo) &&
                 estimate_take(json_object_get(kept, "log_likelihood"), &j->iwae);
    if (known) j->iwae.k_hat_bad = elb_json_number(kept, "k_hat_bad");
    json_decref(kept);
    if (!known) ELB_TRY(estimate_evaluate(j));
    if (!known) ELB_TRY(estimate_save(j, name, key));
    estimate_conclude(&j->elbo);
    estimate_conclude(&j->iwae);
    return ELB_OK;
}

/* elbo and iwae: NULL where it is not wanted. */
static elb_status estimate_keep(estimate_job *j, const char *name, elb_cell_estimate *elbo, elb_cell_estimate *iwae)
{
    elb_context *c = j->work->grid->context;
    json_t *key = estimate_key(j->work);
    elb_status status = estimate_run(j, name, key);
    json_decref(key);
    if (status == ELB_OK && elbo) {
        *elbo = j->elbo;
        j->elbo.values = NULL;
    }
    if (status == ELB_OK) {
        *iwae = j->iwae;
        j->iwae.values = NULL;
    }
    elb_free(c, j->elbo.values);
    elb_free(c, j->iwae.values);
    j->elbo = j->iwae = (elb_cell_estimate){.n = 0};
    return status;
}

/* --- a refined proposal ------------------------------------------------------------------------------------------- */

/* From where the method's own inference starts, in its own family: a Gaussian would not fit the posterior of a model
 * that was trained with a flow. */
static elb_status estimate_refine(elb_cell_work *work)
{
    const elb_plan_evaluate *e = &work->grid->plan->evaluate;
    elb_config *config;
    ELB_TRY(elb_config_create(work->grid->context, &config));
    const elb_refine_options *own = &work->cell->config->refine;
    config->refine.start = own->start;
    config->refine.gate = own->gate;
    config->refine.family = own->family;
    config->refine.steps = e->refine_steps;
    config->refine.rate = e->refine_rate;
    config->refine.decay = 1;
    elb_status status = elb_cell_refine_as(work, config);
    elb_config_destroy(config);
    return status;
}

static elb_status estimate_copy(const elb_grid *g, const elb_cell_estimate *from, elb_cell_estimate *to)
{
    elb_free(g->context, to->values);
    *to = *from;
    to->values = elb_alloc(g->context, from->n, sizeof *to->values);
    if (!to->values) return ELB_MEMORY;
    memcpy(to->values, from->values, (size_t)from->n * sizeof *to->values);
    return ELB_OK;
}

static elb_status estimate_all(estimate_job *j)
{
    const elb_grid *g = j->work->grid;
    elb_cell *cell = j->work->cell;
    j->phase = "evaluating, own q";
    ELB_TRY(estimate_keep(j, "own", &cell->elbo, &cell->own));
    if (g->plan->evaluate.refine_steps == 0) return ELB_OK;
    if (cell->source >= 0) /* the same model */
        return estimate_copy(g, &g->cells[cell->source].refined, &cell->refined);
    j->phase = "evaluating, refined q";
    ELB_TRY(estimate_refine(j->work));
    ELB_TRY(estimate_keep(j, "refined", NULL, &cell->refined));
    /* Both are lower bounds of log p(x); a method that refines by itself may have come further. */
    return cell->own.mean > cell->refined.mean ? estimate_copy(g, &cell->own, &cell->refined) : ELB_OK;
}

elb_status elb_cell_evaluate(const elb_grid *g, elb_cell *cell, elb_progress_fn progress, void *user)
{
    elb_cell_work work;
    estimate_job job = {.work = &work, .progress = progress, .user = user};
    elb_status status = elb_cell_open(g, cell, &work);
    if (status == ELB_OK) status = estimate_all(&job);
    cell->done = status == ELB_OK;
    elb_cell_close(&work);
    return status;
}
