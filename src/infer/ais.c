#include "infer/ais.h"

#include <math.h>
#include <string.h>

#include "infer/hmc.h"
#include "infer/inference.h"

enum {
    AIS_ROWS = 1024,      /* decoder rows of one tape: chains times data */
    AIS_PILOT_PART = 10,  /* a pilot has one temperature for so many of the run */
    AIS_PILOT_LEAST = 10, /* and at least so many, and moves as often to find the first step size */
    AIS_PILOT_MOST = 100
};

#define AIS_TARGET 0.65 /* acceptance at which HMC is most efficient (Beskos et al. 2013; Neal 2011, section 5.4.4) */
#define AIS_STEP_START 0.1
#define AIS_STEP_LEAST 1e-5
#define AIS_STEP_MOST 2.0 /* at which leapfrog steps of a standard normal become unstable */

/* In-run adaptation as published (Li, Cremer & Duvenaud's code). */
#define AIS_IN_RUN_START 0.01
#define AIS_IN_RUN_UP 1.02
#define AIS_IN_RUN_DOWN 0.98
#define AIS_IN_RUN_LEAST 1e-4
#define AIS_IN_RUN_MOST 0.5

typedef enum ais_pass { AIS_PILOT, AIS_FORWARD, AIS_BACKWARD } ais_pass;

struct elb_ais {
    elb_context *context;
    elb_model *model;
    elb_posterior *posterior;
    elb_inference *inference; /* NULL: from the prior */
    elb_anneal_settings settings;
    uint64_t seed;
    int64_t chunk, group; /* chains and data of one tape */
    int64_t pilot;        /* temperatures of a pilot; 0: none */
    elb_hmc *hmc;
    elb_tape *tape;      /* for the chains' first z */
    elb_real *lambda;    /* [group,P] */
    double *weight;      /* [group,chains] log weights of this pass */
    double *pilot_step;  /* [pilot,group] */
    double *step_now;    /* [group], in a pilot */
    int64_t *hits;       /* [rows] moves accepted, for in-run adaptation */
    double *acceptance;  /* [group] sums over moves and chains */
    double *step;        /* likewise */
    int64_t moves, work; /* moves so far in this group, and in all */
    int64_t at, count, all;
    const uint64_t *datum; /* the group's */
    elb_real *x;           /* the group's */
    elb_ais_watch_fn watch;
    void *user; /* watch's */
};

/* sigmoid(4 (2u - 1)), u in 0 .. 1, scaled to 0 .. 1. */
static double ais_sigmoid(double u)
{
    return 1 / (1 + exp(-4 * (2 * u - 1)));
}

/* Wu et al. 2017, section 4.1; in their code's count r = 1 .. n of points, sigmoid(4 (2r/n - 1))
 * from its value at r = 1. */
double elb_temperature(elb_anneal_schedule schedule, int64_t r, int64_t temperatures)
{
    if (schedule == ELB_ANNEAL_LINEAR) return (double)r / (double)temperatures;
    double points = (double)(temperatures + 1), first = ais_sigmoid(1 / points);
    return (ais_sigmoid((double)(r + 1) / points) - first) / (ais_sigmoid(1) - first);
}

/* --- the path ----------------------------------------------------------------------------------------------------- */

static elb_tensor *ais_lambda(const elb_ais *a, elb_tape *t, const elb_posterior *q)
{
    return elb_leaf(t, "local parameters", a->lambda, NULL, 2, (int64_t[]){a->count, q->local});
}

/* log f_t(z) = start(z) + t rise(z): log p(z) + t log p(x|z), or log q(z|x) + t (log p(x,z) - log q(z|x)). */
static elb_status ais_record(elb_ais *a, elb_tensor *start_z, elb_tensor *rise_z)
{
    elb_tape *t = a->hmc->tape;
    elb_tensor *x = elb_leaf(t, "data", a->x, NULL, 2, (int64_t[]){a->count, a->model->data}), *start, *rise;
    if (a->inference == NULL) {
        start = elb_model_log_prior(a->model, t, start_z);
        rise = elb_model_log_likelihood(a->model, t, x, rise_z);
    } else {
        elb_posterior *q = elb_inference_family(a->inference);
        elb_tensor *lambda = ais_lambda(a, t, q);
        start = q->type->log_density(q, t, lambda, start_z);
        rise = elb_sub(t, elb_model_log_joint(a->model, t, x, rise_z), q->type->log_density(q, t, lambda, rise_z));
    }
    return elb_hmc_record(a->hmc, start, rise);
}

/* Draws of the path's first density, or the exact sample for every chain. */
static elb_status ais_place(elb_ais *a, const elb_noise *noise, const elb_real *exact)
{
    elb_hmc *h = a->hmc;
    if (exact != NULL) {
        for (int64_t s = 0; s < h->chains; s++)
            memcpy(h->z + s * h->data * h->latent, exact, (size_t)(h->data * h->latent) * sizeof *exact);
        return ELB_OK;
    }
    ELB_TRY(elb_tape_reset(a->tape));
    elb_posterior *q = a->inference != NULL ? elb_inference_family(a->inference) : NULL;
    elb_tensor *z = q == NULL ? elb_noise_normal(a->tape, noise, h->data, h->latent, 0)
                              : elb_sample(q, a->tape, ais_lambda(a, a->tape, q), noise, ELB_LOG_Q_NONE).z;
    ELB_TRY(elb_tape_run(a->tape, NULL));
    memcpy(h->z, z->data, (size_t)(h->rows * h->latent) * sizeof *z->data);
    return ELB_OK;
}

/* Chains first .. first+chains-1 of the group, where they begin. */
static elb_status ais_open(elb_ais *a, uint64_t key, int64_t first, int64_t chains, const elb_real *exact)
{
    elb_noise noise = {
        .key = elb_stream_key(key, ELB_FOR_ANNEAL, 0), .datum = a->datum, .draw = (uint32_t)first, .samples = chains};
    elb_tensor *start_z, *rise_z;
    ELB_TRY(elb_hmc_begin(a->hmc, chains, a->count, &start_z, &rise_z));
    ELB_TRY(ais_place(a, &noise, exact));
    elb_params *model = &a->model->params, *posterior = &a->posterior->params;
    bool model_frozen = model->frozen, posterior_frozen = posterior->frozen;
    model->frozen = posterior->frozen = true;
    elb_status status = ais_record(a, start_z, rise_z);
    model->frozen = model_frozen;
    posterior->frozen = posterior_frozen;
    return status;
}

/* --- step sizes --------------------------------------------------------------------------------------------------- */

static double ais_clamp(double step, double least, double most)
{
    return fmin(fmax(step, least), most);
}

/* Of the move at temperature r. */
static void ais_set_steps(elb_ais *a, ais_pass pass, int64_t r)
{
    elb_hmc *h = a->hmc;
    if (a->settings.adapt == ELB_ADAPT_IN_RUN) return; /* the chains keep their own */
    const double *step = a->step_now;
    if (pass != AIS_PILOT) {
        int64_t knots = a->pilot, all = a->settings.temperatures;
        step = a->pilot_step + (int64_t)((double)(r - 1) / (double)all * (double)knots) * a->group;
    }
    for (int64_t row = 0; row < h->rows; row++) h->step[row] = (elb_real)step[row % h->data];
}

/* By a datum's mean chance of acceptance over its chains. */
static void ais_adapt_pilot(elb_ais *a)
{
    const elb_hmc *h = a->hmc;
    for (int64_t b = 0; b < h->data; b++) {
        double chance = 0;
        for (int64_t s = 0; s < h->chains; s++) chance += h->chance[s * h->data + b] / (double)h->chains;
        a->step_now[b] = ais_clamp(a->step_now[b] * exp(chance - AIS_TARGET), AIS_STEP_LEAST, AIS_STEP_MOST);
    }
}

/* By the part of a chain's moves so far that were accepted. */
static void ais_adapt_in_run(elb_ais *a, int64_t moves)
{
    elb_hmc *h = a->hmc;
    for (int64_t row = 0; row < h->rows; row++) {
        a->hits[row] += h->accepted[row];
        bool up = (double)a->hits[row] > AIS_TARGET * (double)moves;
        double step = (double)h->step[row] * (up ? AIS_IN_RUN_UP : AIS_IN_RUN_DOWN);
        h->step[row] = (elb_real)ais_clamp(step, AIS_IN_RUN_LEAST, AIS_IN_RUN_MOST);
    }
}

static void ais_begin_steps(elb_ais *a)
{
    for (int64_t row = 0; row < a->hmc->rows; row++) {
        a->hmc->step[row] = (elb_real)AIS_IN_RUN_START;
        a->hits[row] = 0;
    }
}

/* --- passes ------------------------------------------------------------------------------------------------------- */

static elb_status ais_tell(elb_ais *a)
{
    if (a->watch == NULL) return ELB_OK;
    double part = (double)++a->moves / (double)a->work;
    return a->watch(a->user, ((double)a->at + (double)a->count * part) / (double)a->all);
}

static elb_status ais_move(elb_ais *a, uint64_t key, int64_t number, double t, int64_t chain)
{
    elb_hmc_move move = {.t = t,
                         .leapfrog = a->settings.leapfrog,
                         .key = elb_stream_key(key, ELB_FOR_ANNEAL, (uint32_t)number),
                         .datum = a->datum,
                         .chain = (uint32_t)chain};
    return elb_hmc_move_all(a->hmc, &move);
}

static void ais_count(elb_ais *a)
{
    const elb_hmc *h = a->hmc;
    for (int64_t row = 0; row < h->rows; row++) {
        a->acceptance[row % h->data] += h->chance[row];
        a->step[row % h->data] += (double)h->step[row];
    }
}

/* One move at each of a few temperatures of the path, the first of them many times over. */
static elb_status ais_run_pilot(elb_ais *a)
{
    uint64_t key = elb_stream_key(a->seed, ELB_FOR_ANNEAL, AIS_PILOT);
    ELB_TRY(ais_open(a, key, 0, a->chunk, NULL));
    for (int64_t b = 0; b < a->count; b++) a->step_now[b] = AIS_STEP_START;
    for (int64_t i = 1 - AIS_PILOT_LEAST; i <= a->pilot; i++) {
        int64_t knot = i < 1 ? 1 : i;
        double t = elb_temperature(a->settings.schedule, knot, a->pilot);
        ais_set_steps(a, AIS_PILOT, knot);
        ELB_TRY(ais_move(a, key, i + AIS_PILOT_LEAST, t, 0));
        ais_adapt_pilot(a);
        memcpy(a->pilot_step + (knot - 1) * a->group, a->step_now, (size_t)a->count * sizeof *a->step_now);
        ELB_TRY(ais_tell(a));
    }
    return ELB_OK;
}

static void ais_weigh(elb_ais *a, int64_t first, double difference)
{
    const elb_hmc *h = a->hmc;
    for (int64_t row = 0; row < h->rows; row++)
        a->weight[row % h->data * a->settings.chains + first + row / h->data] +=
            difference * (double)h->rise->data[row];
}

/* Neal 2001, eq. 11, up the temperatures; or down them, from t = 1. The move at t = 1 would not change a weight. */
static elb_status ais_run_chunk(elb_ais *a, ais_pass pass, int64_t first, int64_t chains, const elb_real *exact)
{
    int64_t last = a->settings.temperatures;
    bool up = pass == AIS_FORWARD;
    uint64_t key = elb_stream_key(a->seed, ELB_FOR_ANNEAL, pass);
    ELB_TRY(ais_open(a, key, first, chains, exact));
    ais_begin_steps(a);
    for (int64_t i = 1; i <= last; i++) {
        int64_t from = up ? i - 1 : last + 1 - i, to = up ? i : last - i;
        double t = elb_temperature(a->settings.schedule, to, last);
        ais_weigh(a, first, t - elb_temperature(a->settings.schedule, from, last));
        if (i < last) {
            ais_set_steps(a, pass, to);
            ELB_TRY(ais_move(a, key, i, t, first));
            ais_count(a);
            if (a->settings.adapt == ELB_ADAPT_IN_RUN) ais_adapt_in_run(a, i);
        }
        ELB_TRY(ais_tell(a));
    }
    return ELB_OK;
}

/* log mean exp of the weights w[n], its jackknife error, and their effective sample size. */
static elb_ais_bound ais_bound(const double *w, int64_t n)
{
    double top = -INFINITY, sum = 0, square = 0, mean = 0, spread = 0;
    for (int64_t i = 0; i < n; i++) top = w[i] > top ? w[i] : top;
    for (int64_t i = 0; i < n; i++) {
        double e = exp(w[i] - top);
        sum += e;
        square += e * e;
    }
    elb_ais_bound bound = {.value = top + log(sum / (double)n), .error = NAN, .ess = sum * sum / square};
    if (n < 2) return bound;
    for (int64_t i = 0; i < n; i++) mean += log(fmax(sum - exp(w[i] - top), 0)) / (double)n;
    for (int64_t i = 0; i < n; i++) spread += pow(log(fmax(sum - exp(w[i] - top), 0)) - mean, 2);
    bound.error = sqrt(spread * (double)(n - 1) / (double)n);
    return bound;
}

/* All chains of the group, up or down, and their bounds. */
static elb_status ais_run(elb_ais *a, ais_pass pass, const elb_real *exact, elb_ais_result *results)
{
    int64_t chains = a->settings.chains;
    memset(a->weight, 0, (size_t)(a->count * chains) * sizeof *a->weight);
    for (int64_t first = 0; first < chains; first += a->chunk)
        ELB_TRY(ais_run_chunk(a, pass, first, chains - first < a->chunk ? chains - first : a->chunk, exact));
    for (int64_t b = 0; b < a->count; b++) {
        elb_ais_bound bound = ais_bound(a->weight + b * chains, chains);
        if (!isfinite(bound.value))
            return elb_fail(a->context, ELB_NUMERIC,
                            "the AIS weights of datum %lu, counted from 0, are not finite: look at its values, and at "
                            "the model's with elbow inspect",
                            (unsigned long)(uint32_t)a->datum[b]);
        if (pass == AIS_FORWARD) results[b].lower = bound;
        bound.value = -bound.value;
        if (pass == AIS_BACKWARD) results[b].upper = bound;
    }
    return ELB_OK;
}

static elb_status ais_run_group(elb_ais *a, elb_real *x, const elb_real *exact, elb_ais_result *results)
{
    const elb_anneal_settings *s = &a->settings;
    int64_t passes = exact != NULL ? 2 : 1, chunks = (s->chains + a->chunk - 1) / a->chunk;
    a->x = x;
    a->moves = 0;
    a->work = passes * chunks * s->temperatures + (a->pilot > 0 ? a->pilot + AIS_PILOT_LEAST : 0);
    memset(a->acceptance, 0, (size_t)a->group * sizeof *a->acceptance);
    memset(a->step, 0, (size_t)a->group * sizeof *a->step);
    if (a->inference != NULL) ELB_TRY(elb_inference_run(a->inference, a->count, a->datum, x, a->lambda));
    if (a->pilot > 0) ELB_TRY(ais_run_pilot(a));
    ELB_TRY(ais_run(a, AIS_FORWARD, NULL, results));
    if (exact != NULL) ELB_TRY(ais_run(a, AIS_BACKWARD, exact, results));
    double moves = (double)(passes * s->chains * (s->temperatures - 1));
    for (int64_t b = 0; b < a->count; b++) {
        results[b].acceptance = a->acceptance[b] / moves;
        results[b].step = a->step[b] / moves;
    }
    return ELB_OK;
}

elb_status elb_ais_block(elb_ais *a, int64_t count, const uint64_t *datum, elb_real *x, const elb_real *exact,
                         elb_ais_result *results)
{
    static const elb_ais_bound unknown = {NAN, NAN, NAN};
    a->all = count;
    for (a->at = 0; a->at < count; a->at += a->group) {
        a->count = count - a->at < a->group ? count - a->at : a->group;
        a->datum = datum + a->at;
        for (int64_t b = 0; b < a->count; b++) results[a->at + b].upper = unknown;
        const elb_real *z = exact != NULL ? exact + a->at * a->hmc->latent : NULL;
        ELB_TRY(ais_run_group(a, x + a->at * a->model->data, z, results + a->at));
    }
    return ELB_OK;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static elb_status ais_check(elb_context *c, const elb_anneal_settings *s)
{
    if (s->chains < 1 || s->chains > UINT32_MAX || s->temperatures < 1 || s->temperatures > UINT32_MAX)
        return elb_fail(c, ELB_USAGE, "AIS takes 1 to %lld chains and temperatures, not %lld and %lld",
                        (long long)UINT32_MAX, (long long)s->chains, (long long)s->temperatures);
    if (s->leapfrog < 1)
        return elb_fail(c, ELB_USAGE, "AIS takes at least 1 leapfrog step, not %lld", (long long)s->leapfrog);
    return ELB_OK;
}

static elb_status ais_infer(elb_ais *a, const elb_refine_options *refine)
{
    if (a->settings.start == ELB_ANNEAL_PRIOR) return ELB_OK;
    ELB_TRY(elb_inference_create(a->context, a->model, a->posterior, refine, a->seed, &a->inference));
    const elb_posterior *q = elb_inference_family(a->inference);
    if (q->type->log_density == NULL)
        return elb_fail(a->context, ELB_USAGE,
                        "AIS cannot start from the posterior %s, which does not tell its density at a given z; start "
                        "from the prior, or set refine.family=ffg",
                        q->type->name);
    a->lambda = elb_alloc(a->context, a->group * q->local, sizeof *a->lambda);
    return a->lambda != NULL ? ELB_OK : ELB_MEMORY;
}

static void ais_plan(elb_ais *a)
{
    const elb_anneal_settings *s = &a->settings;
    int64_t chunks = (s->chains + AIS_ROWS - 1) / AIS_ROWS;
    a->chunk = (s->chains + chunks - 1) / chunks;
    a->group = AIS_ROWS / a->chunk;
    if (s->adapt == ELB_ADAPT_IN_RUN) return;
    a->pilot = s->temperatures / AIS_PILOT_PART;
    if (a->pilot < AIS_PILOT_LEAST) a->pilot = AIS_PILOT_LEAST;
    if (a->pilot > AIS_PILOT_MOST) a->pilot = AIS_PILOT_MOST;
}

static elb_status ais_allocate(elb_ais *a)
{
    elb_context *c = a->context;
    int64_t weights;
    if (!elb_mul_fits(a->group, a->settings.chains, &weights)) return elb_fail(c, ELB_MEMORY, "too many chains");
    ELB_TRY(elb_hmc_create(c, a->chunk * a->group, a->model->options.latent, &a->hmc));
    ELB_TRY(elb_tape_create(c, &a->tape));
    a->weight = elb_alloc(c, weights, sizeof *a->weight);
    a->pilot_step = elb_alloc(c, a->pilot * a->group, sizeof *a->pilot_step);
    a->step_now = elb_alloc(c, a->group, sizeof *a->step_now);
    a->hits = elb_alloc(c, a->chunk * a->group, sizeof *a->hits);
    a->acceptance = elb_alloc(c, a->group, sizeof *a->acceptance);
    a->step = elb_alloc(c, a->group, sizeof *a->step);
    bool all = a->weight != NULL && a->pilot_step != NULL && a->step_now != NULL && a->hits != NULL &&
               a->acceptance != NULL && a->step != NULL;
    return all ? ELB_OK : ELB_MEMORY;
}

elb_status elb_ais_create(elb_context *c, elb_model *model, elb_posterior *posterior, const elb_refine_options *refine,
                          const elb_anneal_settings *settings, uint64_t seed, elb_ais **ais)
{
    *ais = NULL;
    ELB_TRY(ais_check(c, settings));
    elb_ais *a = elb_alloc(c, 1, sizeof *a);
    if (a == NULL) return ELB_MEMORY;
    a->context = c;
    a->model = model;
    a->posterior = posterior;
    a->settings = *settings;
    a->seed = seed;
    ais_plan(a);
    elb_status status = ais_infer(a, refine);
    if (status == ELB_OK) status = ais_allocate(a);
    if (status != ELB_OK) {
        elb_ais_destroy(a);
        return status;
    }
    *ais = a;
    return ELB_OK;
}

void elb_ais_watch(elb_ais *a, elb_ais_watch_fn watch, void *user)
{
    a->watch = watch;
    a->user = user;
}

int64_t elb_ais_batch(const elb_ais *a)
{
    return a->group;
}

void elb_ais_destroy(elb_ais *a)
{
    if (a == NULL) return;
    elb_hmc_destroy(a->hmc);
    elb_inference_destroy(a->inference);
    elb_tape_destroy(a->tape);
    void *const blocks[] = {a->lambda, a->weight, a->pilot_step, a->step_now, a->hits, a->acceptance, a->step};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) elb_free(a->context, blocks[i]);
    elb_free(a->context, a);
}
