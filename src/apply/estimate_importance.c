#include <math.h>

#include "infer/importance.h"
#include "infer/pareto.h"
#include "apply/estimator.h"
#include "run/json.h"
#include "run/moments.h"

/* ELBO and IWAE: both come from the same samples of q(z|x), whichever was asked for. */

enum { IMPORTANCE_BLOCK_SAMPLES = 65536, IMPORTANCE_LEAST_BATCH = 8 };
#define IMPORTANCE_K_HAT_BAD 0.7 /* Vehtari et al. 2024, section 3 */

enum { ROW_ELBO, ROW_IWAE, ROW_ESS, ROW_K_HAT, ROW_COLUMNS };
static const char *const importance_columns[] = {"elbo", "iwae", "ess", "k_hat", NULL};

typedef struct importance_state {
    elb_importance *importance;
    elb_importance_result *results; /* [capacity] */
    int64_t capacity;
    elb_moments elbo, ess, k_hat; /* k_hat: where it is finite */
    int64_t bad;                  /* data whose k-hat is above the limit */
} importance_state;

static elb_status importance_open(elb_estimate *e)
{
    importance_state *s = e->state;
    const elb_vae *v = e->vae;
    ELB_TRY(elb_importance_create(v->context, v->model, v->posterior, &v->config->refine, e->settings->samples,
                                  e->settings->seed, &s->importance));
    elb_importance_watch(s->importance, e->watch, e->user);
    return ELB_OK;
}

static void importance_close(elb_estimate *e)
{
    importance_state *s = e->state;
    elb_importance_destroy(s->importance);
    elb_free(e->vae->context, s->results);
}

static char *importance_key(const elb_estimate *e)
{
    return elb_format(e->vae->context, "samples=%lld", (long long)e->settings->samples);
}

static int64_t importance_most(const elb_estimate *e)
{
    const importance_state *s = e->state;
    return elb_importance_batch(s->importance);
}

/* The noise of a few data at a time keeps progress and interruption prompt; one encoder pass over them costs little
 * beside their samples. Data that are refined together are many, and the watcher is asked at every step. */
static int64_t importance_batch(const elb_estimate *e)
{
    int64_t batch = IMPORTANCE_BLOCK_SAMPLES / e->settings->samples;
    if (e->vae->config->refine.steps > 0) return importance_most(e);
    return batch > IMPORTANCE_LEAST_BATCH ? batch : IMPORTANCE_LEAST_BATCH;
}

static elb_status importance_block(elb_estimate *e, const elb_block *b, double *rows)
{
    importance_state *s = e->state;
    if (b->count > s->capacity) {
        elb_importance_result *more = elb_resize(e->vae->context, s->results, b->count, sizeof *more);
        if (more == NULL) return ELB_MEMORY;
        s->results = more;
        s->capacity = b->count;
    }
    ELB_TRY(elb_importance_block(s->importance, b->count, b->datum, b->x, s->results));
    for (int64_t i = 0; i < b->count; i++) {
        const elb_importance_result *r = &s->results[i];
        double *row = rows + i * ROW_COLUMNS;
        row[ROW_ELBO] = r->elbo;
        row[ROW_IWAE] = r->log_likelihood;
        row[ROW_ESS] = r->ess;
        row[ROW_K_HAT] = r->k_hat;
    }
    return ELB_OK;
}

static double importance_value(const elb_estimate *e, const double *row)
{
    return row[e->type == &elb_estimator_elbo ? ROW_ELBO : ROW_IWAE];
}

static elb_datum_estimate importance_datum(const double *row)
{
    return (elb_datum_estimate){
        .elbo = row[ROW_ELBO], .iwae = row[ROW_IWAE], .ess = row[ROW_ESS], .k_hat = row[ROW_K_HAT]};
}

static void importance_add(elb_estimate *e, const double *row)
{
    importance_state *s = e->state;
    elb_moments_add(&s->elbo, row[ROW_ELBO]);
    elb_moments_add(&s->ess, row[ROW_ESS]);
    if (isfinite(row[ROW_K_HAT])) elb_moments_add(&s->k_hat, row[ROW_K_HAT]);
    s->bad += row[ROW_K_HAT] > IMPORTANCE_K_HAT_BAD;
}

static void importance_conclude(const elb_estimate *e, elb_evaluation *r)
{
    const importance_state *s = e->state;
    bool fitted = e->type == &elb_estimator_iwae && elb_pareto_tail_size(e->settings->samples) > 0;
    r->samples = e->settings->samples;
    r->elbo_nats = s->elbo.mean;
    r->ess = s->ess.mean;
    r->k_hat = fitted && s->k_hat.count > 0 ? s->k_hat.mean : NAN;
    r->k_hat_bad = fitted ? (double)s->bad / (double)e->n : NAN;
}

static json_t *importance_tell(const elb_evaluation *r)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o}", "samples", (json_int_t)r->samples, "elbo_nats",
                     elb_json_real(r->elbo_nats), "ess", elb_json_real(r->ess), "k_hat", elb_json_real(r->k_hat),
                     "k_hat_bad", elb_json_real(r->k_hat_bad));
}

#define IMPORTANCE_TYPE(its_name, its_quantity)                                                                        \
    {                                                                                                                  \
        .name = its_name, .quantity = its_quantity, .state_size = sizeof(importance_state),                            \
        .columns = importance_columns, .open = importance_open, .close = importance_close, .key = importance_key,      \
        .batch = importance_batch, .most = importance_most, .block = importance_block, .value = importance_value,      \
        .datum = importance_datum, .add = importance_add, .conclude = importance_conclude, .tell = importance_tell     \
    }

const elb_estimator_type elb_estimator_elbo = IMPORTANCE_TYPE("elbo", "ELBO");
const elb_estimator_type elb_estimator_iwae = IMPORTANCE_TYPE("iwae", "log-likelihood");
