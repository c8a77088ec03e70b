#include <math.h>

#include "infer/ais.h"
#include "apply/estimator.h"
#include "run/json.h"
#include "run/moments.h"

/* AIS on data, and BDMC: the same on data that were drawn from the model, between a lower and an upper bound. */

enum {
    ROW_LOWER,
    ROW_ERROR,
    ROW_ESS,
    ROW_ACCEPTANCE,
    ROW_STEP,
    ROW_AIS,
    ROW_UPPER = ROW_AIS,
    ROW_UPPER_ERROR,
    ROW_UPPER_ESS,
    ROW_BDMC
};
static const char *const ais_columns[] = {"ais", "ais_error", "ess", "acceptance", "step", NULL};
static const char *const bdmc_columns[] = {"lower", "lower_error", "lower_ess", "acceptance", "step",
                                           "upper", "upper_error", "upper_ess", NULL};

typedef struct ais_state {
    elb_ais *ais;
    elb_ais_result *results; /* [capacity] */
    int64_t capacity;
    elb_moments ess, acceptance, step, upper, width; /* width: upper less lower */
    double square_error;                             /* sum of the data's squared errors over chains */
} ais_state;

static const char *ais_schedule_name(int schedule)
{
    return schedule == ELB_ANNEAL_LINEAR ? "linear" : "sigmoid";
}

static const char *ais_start_name(int start)
{
    return start == ELB_ANNEAL_PRIOR ? "prior" : "posterior";
}

static const char *ais_adapt_name(int adapt)
{
    return adapt == ELB_ADAPT_PILOT ? "pilot" : "in-run";
}

static elb_status ais_open(elb_estimate *e)
{
    ais_state *s = e->state;
    const elb_vae *v = e->vae;
    ELB_TRY(elb_ais_create(v->context, v->model, v->posterior, &v->config->refine, &e->settings->anneal,
                           e->settings->seed, &s->ais));
    elb_ais_watch(s->ais, e->watch, e->user);
    return ELB_OK;
}

static void ais_close(elb_estimate *e)
{
    ais_state *s = e->state;
    elb_ais_destroy(s->ais);
    elb_free(e->vae->context, s->results);
}

static char *ais_key(const elb_estimate *e)
{
    const elb_anneal_settings *a = &e->settings->anneal;
    return elb_format(e->vae->context, "chains=%lld temperatures=%lld leapfrog=%lld schedule=%s start=%s adapt=%s",
                      (long long)a->chains, (long long)a->temperatures, (long long)a->leapfrog,
                      ais_schedule_name(a->schedule), ais_start_name(a->start), ais_adapt_name(a->adapt));
}

static int64_t ais_batch(const elb_estimate *e)
{
    const ais_state *s = e->state;
    return elb_ais_batch(s->ais);
}

static int64_t ais_most(const elb_estimate *e)
{
    (void)e;
    return 0;
}

static elb_status ais_block(elb_estimate *e, const elb_block *b, double *rows)
{
    ais_state *s = e->state;
    int columns = e->type->simulated ? ROW_BDMC : ROW_AIS;
    if (b->count > s->capacity) {
        elb_ais_result *more = elb_resize(e->vae->context, s->results, b->count, sizeof *more);
        if (more == NULL) return ELB_MEMORY;
        s->results = more;
        s->capacity = b->count;
    }
    ELB_TRY(elb_ais_block(s->ais, b->count, b->datum, b->x, b->exact, s->results));
    for (int64_t i = 0; i < b->count; i++) {
        const elb_ais_result *r = &s->results[i];
        const double row[ROW_BDMC] = {r->lower.value, r->lower.error, r->lower.ess,   r->acceptance,
                                      r->step,        r->upper.value, r->upper.error, r->upper.ess};
        for (int k = 0; k < columns; k++) rows[i * columns + k] = row[k];
    }
    return ELB_OK;
}

static double ais_value(const elb_estimate *e, const double *row)
{
    (void)e;
    return row[ROW_LOWER];
}

static elb_datum_estimate ais_datum(const double *row)
{
    return (elb_datum_estimate){.elbo = NAN, .iwae = NAN, .ais = row[ROW_LOWER], .ess = row[ROW_ESS], .k_hat = NAN};
}

static void ais_add(elb_estimate *e, const double *row)
{
    ais_state *s = e->state;
    elb_moments_add(&s->ess, row[ROW_ESS]);
    elb_moments_add(&s->acceptance, row[ROW_ACCEPTANCE]);
    elb_moments_add(&s->step, row[ROW_STEP]);
    s->square_error += row[ROW_ERROR] * row[ROW_ERROR];
    if (!e->type->simulated) return;
    elb_moments_add(&s->upper, row[ROW_UPPER]);
    elb_moments_add(&s->width, row[ROW_UPPER] - row[ROW_LOWER]);
}

static void ais_conclude(const elb_estimate *e, elb_evaluation *r)
{
    const ais_state *s = e->state;
    r->anneal = e->settings->anneal;
    r->ess = s->ess.mean;
    r->acceptance = s->acceptance.mean;
    r->step_size = s->step.mean;
    r->chain_error = sqrt(s->square_error) / (double)e->n;
    if (!e->type->simulated) return;
    r->upper_nats = s->upper.mean;
    r->sandwich_nats = s->width.mean;
    r->sandwich_error = elb_moments_error(&s->width);
    r->converged = s->width.mean <= ELB_SANDWICH_CONVERGED;
}

static json_t *ais_tell(const elb_evaluation *r)
{
    const elb_anneal_settings *a = &r->anneal;
    return json_pack("{s:I, s:I, s:I, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "chains", (json_int_t)a->chains,
                     "temperatures", (json_int_t)a->temperatures, "leapfrog", (json_int_t)a->leapfrog, "schedule",
                     ais_schedule_name(a->schedule), "start", ais_start_name(a->start), "adapt",
                     ais_adapt_name(a->adapt), "chain_error", elb_json_real(r->chain_error), "ess",
                     elb_json_real(r->ess), "acceptance", elb_json_real(r->acceptance), "step_size",
                     elb_json_real(r->step_size));
}

static json_t *bdmc_tell(const elb_evaluation *r)
{
    json_t *object = ais_tell(r);
    json_t *bounds =
        json_pack("{s:o, s:o, s:o, s:o, s:b, s:b}", "lower_nats", elb_json_real(r->log_likelihood_nats), "upper_nats",
                  elb_json_real(r->upper_nats), "sandwich_nats", elb_json_real(r->sandwich_nats), "sandwich_error",
                  elb_json_real(r->sandwich_error), "converged", (int)r->converged, "simulated", 1);
    bool all = object != NULL && bounds != NULL && json_object_update(object, bounds) == 0;
    json_decref(bounds);
    if (all) return object;
    json_decref(object);
    return NULL;
}

#define AIS_TYPE(its_name, of_the_model, its_columns, its_tell)                                                        \
    {                                                                                                                  \
        .name = its_name, .quantity = "log-likelihood", .simulated = of_the_model, .state_size = sizeof(ais_state),    \
        .columns = its_columns, .open = ais_open, .close = ais_close, .key = ais_key, .batch = ais_batch,              \
        .most = ais_most, .block = ais_block, .value = ais_value, .datum = ais_datum, .add = ais_add,                  \
        .conclude = ais_conclude, .tell = its_tell                                                                     \
    }

const elb_estimator_type elb_estimator_ais = AIS_TYPE("ais", false, ais_columns, ais_tell);
const elb_estimator_type elb_estimator_bdmc = AIS_TYPE("bdmc", true, bdmc_columns, bdmc_tell);
