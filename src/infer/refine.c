#include "infer/refine.h"

#include <math.h>
#include <string.h>

#include "nn/optim/types.h"

enum {
    REFINE_WINDOW = 50,       /* steps between two measurements of the ELBO */
    REFINE_PROBES = 8,        /* samples of a measurement, at least */
    REFINE_BATCH_LEAST = 128, /* data in lock-step: as many as fit into the bytes, in this range */
    REFINE_BATCH_MOST = 4096,
    REFINE_BATCH_BYTES = 1 << 28,
    REFINE_LAMBDAS = 6, /* numbers kept for one of lambda: itself, gradient, moments, result, and on the tape */
};
#define REFINE_PROBE_DRAW (UINT32_C(1) << 31) /* draws from here on are the measurements' */

/* The data that are still refined stand first in every array, in their order in the batch. */
struct elb_refiner {
    elb_context *context;
    elb_model *model;
    elb_posterior *posterior;
    elb_refine_options options;
    const elb_optimizer_type *method;
    elb_optimizer_options constants; /* of the method */
    elb_adam_step step;              /* the constants of the step that is being taken */
    elb_update update;
    elb_tape *tape;
    uint32_t draw;  /* the first sample of the step */
    elb_real *mark; /* [P]; NULL: everything moves */
    elb_refine_watch_fn watch;
    void *user; /* watch's */
    /* room for `room` data */
    int64_t room;
    elb_real *lambda, *gradient, *moment[ELB_OPTIMIZER_MOMENTS]; /* [room,P] each; one block that begins at lambda */
    elb_real *done;                                              /* [room,P] the results; a part of that block */
    elb_real *x;                                                 /* [room,D], with a tolerance only */
    uint64_t *datum;                                             /* [room] */
    int64_t *place;                                              /* [room] */
    double *level, *best; /* [room] each, one block: the ELBOs at the latest measurement, and the greatest so far */
    int64_t *stale;       /* [room] measurements since the best */
    /* the run */
    int64_t batch, count; /* data in all; still refined */
    elb_tensor *each, *loss;
};

/* --- one step ----------------------------------------------------------------------------------------------------- */

elb_real elb_refine_limit(const elb_kernels *k, const elb_real *mark, double clip, int64_t local, elb_real *gradient)
{
    if (mark != NULL) k->mul(local, gradient, mark, gradient);
    if (!(clip > 0)) return 1;
    double norm = sqrt((double)k->dot(local, gradient, gradient));
    return norm > clip ? (elb_real)(clip / norm) : 1;
}

/* Steps lambda's numbers at .. at+count-1, whole rows. */
static void refine_update(const elb_kernels *k, void *owner, int64_t at, int64_t count)
{
    const elb_refiner *r = owner;
    const elb_refine_options *o = &r->options;
    int64_t local = r->posterior->local, stride = r->mark != NULL || o->clip > 0 ? local : count;
    for (int64_t i = at; i < at + count; i += stride) {
        elb_adam_step step = r->step;
        elb_real *moment[] = {r->moment[0] + i, r->moment[1] + i};
        if (stride == local) step.gradient_scale = elb_refine_limit(k, r->mark, o->clip, local, r->gradient + i);
        r->method->sweep(k, &step, stride, r->lambda + i, r->gradient + i, moment);
    }
}

/* Every datum's negative ELBO, [B]. */
static elb_tensor *refine_each(elb_tape *t, elb_model *m, elb_posterior *q, elb_tensor *x, elb_tensor *lambda,
                               const elb_noise *noise)
{
    bool closed = q->type->kl_to_prior != NULL;
    elb_log_q sampled = q->type->sticks ? ELB_LOG_Q_SAMPLE : ELB_LOG_Q_FULL;
    elb_draw d = elb_sample_strata(q, t, lambda, noise, closed ? ELB_LOG_Q_NONE : sampled);
    elb_tensor *reconstruction = elb_draw_mean(t, &d, elb_model_log_likelihood(m, t, x, d.z));
    elb_tensor *kl = closed ? elb_sum_last(t, q->type->kl_to_prior(q, t, lambda))
                            : elb_draw_mean(t, &d, elb_sub(t, d.log_q, elb_model_log_prior(m, t, d.z)));
    return elb_sub(t, kl, reconstruction);
}

/* The loss is the sum over the data: a datum's gradient is then its own, free of the batch's size. */
static elb_status refine_record(elb_refiner *r, uint64_t key, elb_real *x)
{
    ELB_TRY(elb_tape_reset(r->tape));
    elb_params *model = &r->model->params, *posterior = &r->posterior->params;
    bool model_frozen = model->frozen, posterior_frozen = posterior->frozen;
    elb_noise noise = {.key = key, .datum = r->datum, .samples = r->options.samples, .step = &r->draw};
    elb_tensor *in = elb_leaf(r->tape, "data", x, NULL, 2, (int64_t[]){r->count, r->model->data});
    elb_tensor *lambda =
        elb_leaf(r->tape, "local parameters", r->lambda, r->gradient, 2, (int64_t[]){r->count, r->posterior->local});
    if (lambda != NULL) lambda->update = &r->update;
    model->frozen = posterior->frozen = true;
    r->each = refine_each(r->tape, r->model, r->posterior, in, lambda, &noise);
    model->frozen = model_frozen;
    posterior->frozen = posterior_frozen;
    r->loss = elb_affine(r->tape, elb_mean_all(r->tape, r->each), (double)r->count, 0);
    elb_named(r->loss, "negative ELBO");
    return ELB_OK;
}

static elb_status refine_step(elb_refiner *r, int64_t taken)
{
    r->step = r->method->prepare(&r->constants, elb_refine_rate(&r->options, taken - 1), taken);
    r->step.gradient_scale = 1;
    r->draw = (uint32_t)((taken - 1) * r->options.samples);
    elb_status status = elb_tape_run(r->tape, r->loss);
    if (status != ELB_OK) return elb_fail_in(r->context, status, "refinement step %lld", (long long)taken);
    if (r->watch == NULL) return ELB_OK;
    elb_refine_step seen = {taken, r->options.steps, 0, r->batch, r->count, r->place, r->each->data};
    return r->watch(r->user, &seen);
}

/* --- convergence -------------------------------------------------------------------------------------------------- */

/* Every datum's ELBO into r->level, by the same noise at every call: a difference is then lambda's and not chance's. */
static elb_status refine_measure(elb_refiner *r)
{
    int64_t samples = r->options.samples, runs = (REFINE_PROBES + samples - 1) / samples;
    memset(r->level, 0, (size_t)r->count * sizeof *r->level);
    for (int64_t i = 0; i < runs; i++) {
        r->draw = REFINE_PROBE_DRAW + (uint32_t)(i * samples);
        ELB_TRY(elb_tape_run(r->tape, NULL));
        for (int64_t b = 0; b < r->count; b++) r->level[b] -= (double)r->each->data[b] / (double)runs;
    }
    return ELB_OK;
}

static void refine_finish(elb_refiner *r, int64_t b)
{
    int64_t local = r->posterior->local;
    memcpy(r->done + r->place[b] * local, r->lambda + b * local, (size_t)local * sizeof *r->done);
}

static void refine_move(elb_refiner *r, int64_t from, int64_t to)
{
    int64_t local = r->posterior->local, data = r->model->data;
    elb_real *rows[] = {r->lambda, r->moment[0], r->moment[1]};
    if (from == to) return;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        memcpy(rows[i] + to * local, rows[i] + from * local, (size_t)local * sizeof *rows[i]);
    memcpy(r->x + to * data, r->x + from * data, (size_t)data * sizeof *r->x);
    r->datum[to] = r->datum[from];
    r->place[to] = r->place[from];
    r->best[to] = r->best[from];
    r->stale[to] = r->stale[from];
}

/* Whether the datum has stood still for long enough. */
static bool refine_rests(elb_refiner *r, int64_t b)
{
    bool rose = r->level[b] - r->best[b] >= r->options.tolerance;
    r->best[b] = fmax(r->best[b], r->level[b]);
    r->stale[b] = rose ? 0 : r->stale[b] + 1;
    return r->stale[b] >= r->options.patience;
}

/* Data whose ELBO has come to rest leave, the others move up. */
static elb_status refine_converge(elb_refiner *r, uint64_t key)
{
    int64_t count = r->count, kept = 0;
    ELB_TRY(refine_measure(r));
    for (int64_t b = 0; b < count; b++)
        if (refine_rests(r, b))
            refine_finish(r, b);
        else
            refine_move(r, b, kept++);
    r->count = kept;
    return kept < count && kept > 0 ? refine_record(r, key, r->x) : ELB_OK;
}

/* --- a run -------------------------------------------------------------------------------------------------------- */

static void refine_release(elb_refiner *r)
{
    elb_free(r->context, r->lambda);
    elb_free(r->context, r->x);
    elb_free(r->context, r->datum);
    elb_free(r->context, r->place);
    elb_free(r->context, r->level);
    elb_free(r->context, r->stale);
    r->lambda = r->x = NULL;
    r->datum = NULL;
    r->place = NULL;
    r->level = NULL;
    r->stale = NULL;
    r->room = 0;
}

static elb_status refine_make_room(elb_refiner *r, int64_t count)
{
    enum { LAMBDA, GRADIENT, MOMENT, DONE = MOMENT + ELB_OPTIMIZER_MOMENTS, PARTS };
    if (count <= r->room) return ELB_OK;
    refine_release(r);
    int64_t size = count * r->posterior->local;
    r->lambda = elb_alloc(r->context, PARTS * size, sizeof *r->lambda);
    r->datum = elb_alloc(r->context, count, sizeof *r->datum);
    r->place = elb_alloc(r->context, count, sizeof *r->place);
    r->level = elb_alloc(r->context, 2 * count, sizeof *r->level);
    r->stale = elb_alloc(r->context, count, sizeof *r->stale);
    if (r->lambda == NULL || r->datum == NULL || r->place == NULL || r->level == NULL || r->stale == NULL)
        return ELB_MEMORY;
    r->gradient = r->lambda + GRADIENT * size;
    for (int i = 0; i < ELB_OPTIMIZER_MOMENTS; i++) r->moment[i] = r->lambda + (MOMENT + i) * size;
    r->done = r->lambda + DONE * size;
    r->best = r->level + count;
    if (r->options.tolerance > 0) {
        r->x = elb_alloc(r->context, count * r->model->data, sizeof *r->x);
        if (r->x == NULL) return ELB_MEMORY;
    }
    r->room = count;
    return ELB_OK;
}

static void refine_start(elb_refiner *r, int64_t count, const uint64_t *datum, const elb_real *x,
                         const elb_real *lambda)
{
    size_t size = (size_t)(count * r->posterior->local) * sizeof *lambda;
    r->batch = r->count = count;
    memcpy(r->lambda, lambda, size);
    for (int i = 0; i < ELB_OPTIMIZER_MOMENTS; i++) memset(r->moment[i], 0, size);
    memcpy(r->datum, datum, (size_t)count * sizeof *datum);
    for (int64_t b = 0; b < count; b++) r->place[b] = b;
    if (r->x != NULL) memcpy(r->x, x, (size_t)(count * r->model->data) * sizeof *x);
}

elb_status elb_refiner_run(elb_refiner *r, uint64_t key, int64_t count, const uint64_t *datum, elb_real *x,
                           elb_real *lambda)
{
    int64_t steps = r->options.steps;
    bool converges = r->options.tolerance > 0;
    if (count == 0 || steps == 0) return ELB_OK;
    ELB_TRY(refine_make_room(r, count));
    refine_start(r, count, datum, x, lambda);
    ELB_TRY(refine_record(r, key, converges ? r->x : x));
    if (converges) ELB_TRY(refine_measure(r));
    memcpy(r->best, r->level, (size_t)count * sizeof *r->best);
    memset(r->stale, 0, (size_t)count * sizeof *r->stale);
    for (int64_t i = 1; i <= steps && r->count > 0; i++) {
        ELB_TRY(refine_step(r, i));
        if (converges && i % REFINE_WINDOW == 0 && i < steps) ELB_TRY(refine_converge(r, key));
    }
    for (int64_t b = 0; b < r->count; b++) refine_finish(r, b);
    memcpy(lambda, r->done, (size_t)(count * r->posterior->local) * sizeof *lambda);
    return ELB_OK;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static elb_status refine_check(elb_context *c, const elb_refine_options *o)
{
    if (o->samples < 1 || o->steps < 0 || o->steps > REFINE_PROBE_DRAW / o->samples)
        return elb_fail(c, ELB_USAGE,
                        "refinement takes 0 or more steps of 1 or more samples, and %u samples in all at most, not "
                        "%lld steps of %lld",
                        (unsigned)REFINE_PROBE_DRAW, (long long)o->steps, (long long)o->samples);
    if (!(o->rate > 0) || isinf(o->rate))
        return elb_fail(c, ELB_USAGE, "refinement takes steps of a rate above 0, not %g", o->rate);
    return ELB_OK;
}

static elb_status refine_open(elb_refiner *r)
{
    ELB_TRY(refine_check(r->context, &r->options));
    r->method = r->options.method == ELB_REFINE_ADAM ? &elb_optimizer_adam : &elb_optimizer_sgd;
    r->constants = (elb_optimizer_options){
        .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .momentum = r->options.momentum}; /* Kingma & Ba 2015 */
    r->update = (elb_update){refine_update, r};
    if (r->options.part == ELB_REFINE_MEAN) {
        r->mark = elb_alloc(r->context, r->posterior->local, sizeof *r->mark);
        if (r->mark == NULL) return ELB_MEMORY;
        elb_mark_mean(r->posterior, r->mark);
    }
    return elb_tape_create(r->context, &r->tape);
}

elb_status elb_refiner_create(elb_model *model, elb_posterior *posterior, const elb_refine_options *options,
                              elb_refiner **refiner)
{
    *refiner = NULL;
    elb_refiner *r = elb_alloc(model->context, 1, sizeof *r);
    if (r == NULL) return ELB_MEMORY;
    r->context = model->context;
    r->model = model;
    r->posterior = posterior;
    r->options = *options;
    elb_status status = refine_open(r);
    if (status != ELB_OK) {
        elb_refiner_destroy(r);
        return status;
    }
    *refiner = r;
    return ELB_OK;
}

void elb_refiner_destroy(elb_refiner *r)
{
    if (r == NULL) return;
    refine_release(r);
    elb_free(r->context, r->mark);
    elb_tape_destroy(r->tape);
    elb_free(r->context, r);
}

void elb_refiner_fix_rows(elb_refiner *r)
{
    elb_tape_fix_rows(r->tape);
}

void elb_refiner_free_rows(elb_refiner *r)
{
    elb_tape_free_rows(r->tape);
}

void elb_refiner_set_steps(elb_refiner *r, int64_t steps)
{
    r->options.steps = steps;
}

void elb_refiner_watch(elb_refiner *r, elb_refine_watch_fn watch, void *user)
{
    r->watch = watch;
    r->user = user;
}

int64_t elb_refiner_batch(const elb_refiner *r)
{
    const elb_mlp *decoder = &r->model->decoder;
    const elb_posterior *q = r->posterior;
    int64_t width = r->model->data, samples = r->options.samples, batch;
    for (int64_t i = 0; i < decoder->layers; i++) width += 2 * decoder->layer[i].out; /* values and gradients */
    if (q->type->strata != NULL) samples *= q->local / (2 * q->latent); /* each component has a mean and a variance */
    width = width * samples + REFINE_LAMBDAS * q->local;
    batch = REFINE_BATCH_BYTES / (width * (int64_t)sizeof(elb_real));
    batch = batch / REFINE_BATCH_LEAST * REFINE_BATCH_LEAST;
    return batch < REFINE_BATCH_LEAST ? REFINE_BATCH_LEAST : batch > REFINE_BATCH_MOST ? REFINE_BATCH_MOST : batch;
}
