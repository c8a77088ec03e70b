#include "infer/optimum.h"

#include <math.h>
#include <string.h>

#include "infer/importance.h"
#include "infer/inference.h"

enum {
    OPTIMUM_RATES = 3,
    OPTIMUM_JUDGE_SAMPLES = 512, /* of z, by which starts are compared */
    OPTIMUM_SCATTER = 512,       /* draws from the prior, the likeliest of which is a random start */
    OPTIMUM_SCATTER_TILE = 32    /* of them at a time */
};
/* Adam jitters by about its step size: the first travels, the last comes to rest. A flow's
 * weights are many to a unit. */
static const double optimum_rates[OPTIMUM_RATES] = {0.03, 0.006, 0.001};
static const double optimum_flow_rates[OPTIMUM_RATES] = {0.001, 0.0004, 0.0001};
/* Windows without a rise that end each. A flow's many weights first lose to noise what they later gain. */
static const int64_t optimum_patience[OPTIMUM_RATES] = {2, 2, 2}, optimum_flow_patience[OPTIMUM_RATES] = {6, 4, 4};
/* Of the steps, how many may be taken by the end of each. */
static const double optimum_share[OPTIMUM_RATES + 1] = {0, 0.5, 0.75, 1};

#define OPTIMUM_NOISE_STARTS 2 /* the purposes of keys below are those of inference.c */
#define OPTIMUM_NOISE_STEPS 3
#define OPTIMUM_NARROW 0.3    /* standard deviation of a random start */
#define OPTIMUM_DISTURBED 0.3 /* of its distance from the encoder's lambda, where a family has no start of moments */

struct elb_optimum {
    elb_context *context;
    elb_model *model;
    elb_posterior *family;
    elb_optimum_settings settings;
    uint64_t seed;
    elb_inference *inference; /* lambda by the encoder */
    elb_refiner *refiner[OPTIMUM_RATES];
    elb_importance *judge;
    elb_tape *tape; /* of random starts */
    int64_t room;   /* for so many data, in the next ones */
    elb_real *trial, *moments;
    int64_t *taken, *stage; /* steps from this start: before this step size, and by it */
    bool *rested;
    double *best, *worst, *likeliest;
    elb_importance_result *judged;
    /* the run */
    int64_t count, start, rate, before; /* before: steps that the rates before this one may take */
    elb_optimum_watch_fn watch;
    void *user; /* watch's */
};

/* --- starts ------------------------------------------------------------------------------------------------------- */

/* A family without a start of moments: the encoder's lambda, disturbed. */
static elb_status optimum_disturb(elb_optimum *o, const uint64_t *datum, elb_real *x)
{
    int64_t local = o->family->local;
    const elb_machine *machine;
    ELB_TRY(elb_machine_of(o->context, &machine));
    elb_real *noise = elb_alloc(o->context, local, sizeof *noise);
    if (noise == NULL) return ELB_MEMORY;
    uint64_t key = elb_stream_key(o->seed, ELB_FOR_REFINE, OPTIMUM_NOISE_STARTS);
    elb_status status = elb_inference_run(o->inference, o->count, datum, x, o->trial);
    for (int64_t b = 0; b < o->count && status == ELB_OK; b++) {
        machine->kernels->normal((elb_stream){key, datum[b], (uint32_t)o->start}, local, noise);
        machine->kernels->axpy(local, (elb_real)OPTIMUM_DISTURBED, noise, o->trial + b * local);
    }
    elb_free(o->context, noise);
    return status;
}

/* For every datum the likeliest of draws from the prior, where it is likelier than those before. */
static elb_status optimum_scatter(elb_optimum *o, const uint64_t *datum, elb_real *x, int64_t first)
{
    elb_tape *t = o->tape;
    int64_t z = o->family->latent;
    elb_noise noise = {.key = elb_stream_key(o->seed, ELB_FOR_REFINE, OPTIMUM_NOISE_STARTS),
                       .datum = datum,
                       .draw = (uint32_t)(o->start * OPTIMUM_SCATTER + first),
                       .samples = OPTIMUM_SCATTER_TILE};
    ELB_TRY(elb_tape_reset(t));
    elb_tensor *in = elb_leaf(t, "data", x, NULL, 2, (int64_t[]){o->count, o->model->data});
    elb_tensor *draws = elb_noise_normal(t, &noise, o->count, z, 0);
    elb_tensor *value = elb_model_log_likelihood(o->model, t, in, draws);
    ELB_TRY(elb_tape_run(t, NULL));
    for (int64_t s = 0; s < OPTIMUM_SCATTER_TILE; s++)
        for (int64_t b = 0; b < o->count; b++) {
            double now = (double)value->data[s * o->count + b];
            if (!(now > o->likeliest[b])) continue;
            o->likeliest[b] = now;
            memcpy(o->moments + 2 * b * z, draws->data + (s * o->count + b) * z, (size_t)z * sizeof *o->moments);
        }
    return ELB_OK;
}

static elb_status optimum_random(elb_optimum *o, const uint64_t *datum, elb_real *x)
{
    int64_t z = o->family->latent;
    for (int64_t b = 0; b < o->count; b++) {
        o->likeliest[b] = -INFINITY;
        for (int64_t i = 0; i < z; i++) o->moments[(2 * b + 1) * z + i] = (elb_real)(2 * log(OPTIMUM_NARROW));
    }
    for (int64_t first = 0; first < OPTIMUM_SCATTER; first += OPTIMUM_SCATTER_TILE)
        ELB_TRY(optimum_scatter(o, datum, x, first));
    return ELB_OK;
}

/* The encoder's q, the prior, random ones. `given` comes before them all. */
static elb_status optimum_begin(elb_optimum *o, const uint64_t *datum, elb_real *x, const elb_real *given)
{
    const elb_posterior_type *type = o->family->type;
    int64_t start = o->start - (given != NULL), width = 2 * o->family->latent;
    if (start == 0) return elb_inference_run(o->inference, o->count, datum, x, o->trial);
    if (type->from_moments == NULL) return optimum_disturb(o, datum, x);
    memset(o->moments, 0, (size_t)(o->count * width) * sizeof *o->moments);
    if (start > 1) ELB_TRY(optimum_random(o, datum, x));
    type->from_moments(o->family, o->count, start < 0 ? given : o->moments, o->trial);
    return ELB_OK;
}

/* --- one start ---------------------------------------------------------------------------------------------------- */

static elb_status optimum_seen(void *user, const elb_refine_step *s)
{
    elb_optimum *o = user;
    const elb_optimum_settings *with = &o->settings;
    for (int64_t i = 0; i < s->count; i++) o->stage[s->place[i]] = s->taken;
    double part = (double)(o->before + s->taken) / (double)with->steps;
    return o->watch != NULL ? o->watch(o->user, ((double)o->start + part) / (double)with->starts) : ELB_OK;
}

static int64_t optimum_steps(const elb_optimum_settings *s, int64_t rate)
{
    return (int64_t)(optimum_share[rate + 1] * (double)s->steps) - (int64_t)(optimum_share[rate] * (double)s->steps);
}

static elb_status optimum_climb(elb_optimum *o, const uint64_t *datum, elb_real *x)
{
    for (int64_t b = 0; b < o->count; b++) o->taken[b] = 0, o->rested[b] = true;
    o->before = 0;
    for (int64_t i = 0; i < OPTIMUM_RATES; i++) {
        int64_t most = optimum_steps(&o->settings, i);
        uint32_t number = (uint32_t)(OPTIMUM_NOISE_STEPS + o->start * OPTIMUM_RATES + i);
        memset(o->stage, 0, (size_t)o->count * sizeof *o->stage);
        ELB_TRY(elb_refiner_run(o->refiner[i], elb_stream_key(o->seed, ELB_FOR_REFINE, number), o->count, datum, x,
                                o->trial));
        for (int64_t b = 0; b < o->count; b++) {
            o->taken[b] += o->stage[b];
            if (o->stage[b] >= most) o->rested[b] = false;
        }
        o->before += most;
    }
    return ELB_OK;
}

/* Keeps what is better than the starts before. */
static elb_status optimum_judge(elb_optimum *o, const uint64_t *datum, elb_real *x, elb_real *lambda,
                                elb_optimum_result *results)
{
    int64_t local = o->family->local;
    ELB_TRY(elb_importance_given(o->judge, o->count, datum, x, o->trial, o->judged));
    for (int64_t b = 0; b < o->count; b++) {
        double elbo = o->judged[b].elbo;
        bool better = o->start == 0 || elbo > o->best[b];
        if (o->start == 0 || elbo < o->worst[b]) o->worst[b] = elbo;
        if (!better) continue;
        o->best[b] = elbo;
        results[b].start = o->start;
        results[b].steps = o->taken[b];
        results[b].converged = o->rested[b];
        memcpy(lambda + b * local, o->trial + b * local, (size_t)local * sizeof *lambda);
    }
    for (int64_t b = 0; b < o->count; b++) results[b].spread = o->best[b] - o->worst[b];
    return ELB_OK;
}

static void optimum_release(elb_optimum *o)
{
    void *const blocks[] = {o->trial, o->moments, o->taken, o->rested, o->best, o->judged};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) elb_free(o->context, blocks[i]);
    o->room = 0;
}

static elb_status optimum_make_room(elb_optimum *o, int64_t count)
{
    if (count <= o->room) return ELB_OK;
    optimum_release(o);
    o->trial = elb_alloc(o->context, count * o->family->local, sizeof *o->trial);
    o->moments = elb_alloc(o->context, count * 2 * o->family->latent, sizeof *o->moments);
    o->taken = elb_alloc(o->context, 2 * count, sizeof *o->taken);
    o->rested = elb_alloc(o->context, count, sizeof *o->rested);
    o->best = elb_alloc(o->context, 3 * count, sizeof *o->best);
    o->judged = elb_alloc(o->context, count, sizeof *o->judged);
    o->stage = o->taken + count;
    o->worst = o->best + count;
    o->likeliest = o->best + 2 * count;
    bool all = o->trial && o->moments && o->taken && o->rested && o->best && o->judged;
    if (all) o->room = count;
    return all ? ELB_OK : ELB_MEMORY;
}

elb_status elb_optimum_run(elb_optimum *o, int64_t count, const uint64_t *datum, elb_real *x, const elb_real *given,
                           elb_real *lambda, elb_optimum_result *results)
{
    ELB_TRY(optimum_make_room(o, count));
    o->count = count;
    for (o->start = 0; o->start < o->settings.starts; o->start++) {
        ELB_TRY(optimum_begin(o, datum, x, given));
        ELB_TRY(optimum_climb(o, datum, x));
        ELB_TRY(optimum_judge(o, datum, x, lambda, results));
    }
    return ELB_OK;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static elb_status optimum_open(elb_optimum *o, elb_posterior *posterior)
{
    const elb_optimum_settings *s = &o->settings;
    bool flow = s->family == ELB_REFINE_FLOW;
    if (s->starts < 1 || s->steps < 0 || !(s->tolerance > 0))
        return elb_fail(o->context, ELB_USAGE,
                        "an optimum takes 1 or more starts, 0 or more steps and a tolerance above 0, not %lld, %lld "
                        "and %g",
                        (long long)s->starts, (long long)s->steps, s->tolerance);
    elb_refine_options options = {.family = s->family, .samples = s->samples, .tolerance = s->tolerance};
    ELB_TRY(elb_inference_create(o->context, o->model, posterior, &options, o->seed, &o->inference));
    o->family = elb_inference_family(o->inference);
    for (int64_t i = 0; i < OPTIMUM_RATES; i++) {
        options.rate = (flow ? optimum_flow_rates : optimum_rates)[i];
        options.patience = (flow ? optimum_flow_patience : optimum_patience)[i];
        options.steps = optimum_steps(s, i);
        ELB_TRY(elb_refiner_create(o->model, o->family, &options, &o->refiner[i]));
        elb_refiner_fix_rows(o->refiner[i]);
        elb_refiner_watch(o->refiner[i], optimum_seen, o);
    }
    ELB_TRY(elb_tape_create(o->context, &o->tape));
    elb_tape_fix_rows(o->tape);
    /* other noise than an estimate of the seed itself, which is to be fair to the start that was chosen */
    return elb_importance_create(o->context, o->model, o->family, NULL, OPTIMUM_JUDGE_SAMPLES, ~o->seed, &o->judge);
}

elb_status elb_optimum_create(elb_context *c, elb_model *model, elb_posterior *posterior,
                              const elb_optimum_settings *settings, uint64_t seed, elb_optimum **optimum)
{
    *optimum = NULL;
    elb_optimum *o = elb_alloc(c, 1, sizeof *o);
    if (o == NULL) return ELB_MEMORY;
    *o = (elb_optimum){.context = c, .model = model, .settings = *settings, .seed = seed};
    elb_status status = optimum_open(o, posterior);
    if (status != ELB_OK) {
        elb_optimum_destroy(o);
        return status;
    }
    *optimum = o;
    return ELB_OK;
}

elb_posterior *elb_optimum_family(const elb_optimum *o)
{
    return o->family;
}

void elb_optimum_watch(elb_optimum *o, elb_optimum_watch_fn watch, void *user)
{
    o->watch = watch;
    o->user = user;
}

void elb_optimum_destroy(elb_optimum *o)
{
    if (o == NULL) return;
    optimum_release(o);
    elb_importance_destroy(o->judge);
    elb_tape_destroy(o->tape);
    for (int64_t i = 0; i < OPTIMUM_RATES; i++) elb_refiner_destroy(o->refiner[i]);
    elb_inference_destroy(o->inference);
    elb_free(o->context, o);
}
