#include "infer/importance.h"

#include <math.h>
#include <string.h>

#include "infer/inference.h"
#include "infer/pareto.h"

enum { IMPORTANCE_ROWS = 512 }; /* decoder rows of one tile: samples times data */

/* The running sums of one datum's weights. */
typedef struct importance_sums {
    double top;                        /* largest log weight so far */
    double sum, square;                /* of exp(log weight - top), and of its square */
    double log_weight, reconstruction; /* plain sums */
    double *tail;                      /* a heap, least first, of the largest tail_size + 1 log weights */
    int64_t kept;
} importance_sums;

struct elb_importance {
    elb_context *context;
    elb_model *model;
    elb_inference *inference;
    elb_posterior *family;         /* that lambda belongs to */
    double share;                  /* of a block's time that goes into lambda, about */
    int64_t samples, chunk, group; /* K; samples and data of one tile */
    int64_t tail_size;
    uint64_t key;
    elb_tape *tape;
    int64_t count;         /* data of the block */
    int64_t room;          /* for so many data, in the next two */
    elb_real *lambda;      /* [room, P] */
    elb_real *kl;          /* [room], closed form */
    importance_sums *sums; /* [group] */
    double *tails;         /* [group, tail_size + 1] */
    elb_importance_watch_fn watch;
    void *user; /* watch's */
};

/* --- weights ------------------------------------------------------------------------------------------------------ */

static void importance_sift(double *heap, int64_t n, int64_t i)
{
    for (int64_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && heap[child + 1] < heap[child]) child++;
        if (heap[i] <= heap[child]) return;
        double swap = heap[i];
        heap[i] = heap[child];
        heap[child] = swap;
    }
}

static void importance_keep(importance_sums *s, int64_t limit, double log_weight)
{
    if (limit <= 1) return;
    if (s->kept < limit) {
        s->tail[s->kept++] = log_weight;
        for (int64_t i = s->kept == limit ? limit / 2 - 1 : -1; i >= 0; i--) importance_sift(s->tail, limit, i);
    } else if (log_weight > s->tail[0]) {
        s->tail[0] = log_weight;
        importance_sift(s->tail, limit, 0);
    }
}

static void importance_weigh(importance_sums *s, int64_t limit, double log_weight, double reconstruction)
{
    s->log_weight += log_weight;
    s->reconstruction += reconstruction;
    if (log_weight > s->top) {
        double scale = exp(s->top - log_weight);
        s->sum *= scale;
        s->square *= scale * scale;
        s->top = log_weight;
    }
    double weight = s->top > -INFINITY ? exp(log_weight - s->top) : 0;
    s->sum += weight;
    s->square += weight * weight;
    importance_keep(s, limit, log_weight);
}

static elb_status importance_conclude(elb_importance *e, importance_sums *s, uint64_t datum, elb_importance_result *r)
{
    if (isnan(s->log_weight) || s->top == -INFINITY || s->top == INFINITY)
        return elb_fail(
            e->context, ELB_NUMERIC,
            "the importance weights of datum %lu, counted from 0, are not finite: look at its values, and at "
            "the model's with elbow inspect; a lower optimizer.rate trains steadier",
            (unsigned long)(uint32_t)datum);
    double k = (double)e->samples;
    r->log_likelihood = s->top + log(s->sum / k);
    r->elbo = e->family->type->kl_to_prior != NULL ? s->reconstruction / k : s->log_weight / k;
    r->ess = s->sum * s->sum / s->square;
    r->k_hat = NAN;
    if (e->tail_size == 0) return ELB_OK;
    double cutoff = s->tail[0]; /* the heap's least is the first weight below the tail */
    r->k_hat = elb_pareto_k(s->tail + 1, e->tail_size, cutoff);
    return ELB_OK;
}

/* --- tiles -------------------------------------------------------------------------------------------------------- */

static elb_status importance_make_room(elb_importance *e, int64_t count)
{
    if (count <= e->room) return ELB_OK;
    e->room = 0;
    elb_free(e->context, e->lambda);
    elb_free(e->context, e->kl);
    e->lambda = elb_alloc(e->context, count * e->family->local, sizeof *e->lambda);
    e->kl = elb_alloc(e->context, count, sizeof *e->kl);
    if (e->lambda == NULL || e->kl == NULL) return ELB_MEMORY;
    e->room = count;
    return ELB_OK;
}

static elb_tensor *importance_lambda(elb_importance *e, int64_t at, int64_t count)
{
    return elb_leaf(e->tape, "local parameters", e->lambda + at * e->family->local, NULL, 2,
                    (int64_t[]){count, e->family->local});
}

static elb_status importance_divergence(elb_importance *e, int64_t at, int64_t count)
{
    if (e->family->type->kl_to_prior == NULL) return ELB_OK;
    ELB_TRY(elb_tape_reset(e->tape));
    elb_tensor *lambda = importance_lambda(e, at, count);
    elb_tensor *kl = elb_sum_last(e->tape, e->family->type->kl_to_prior(e->family, e->tape, lambda));
    ELB_TRY(elb_tape_run(e->tape, NULL));
    memcpy(e->kl + at, kl->data, (size_t)count * sizeof *e->kl);
    return ELB_OK;
}

/* Weighs samples first .. first+samples-1 of `count` data that begin at `at` in the block. */
static elb_status importance_tile(elb_importance *e, int64_t at, int64_t count, const uint64_t *datum, elb_real *x,
                                  int64_t first, int64_t samples)
{
    elb_tape *t = e->tape;
    elb_noise noise = {
        .key = e->key, .datum = datum + at, .draw = (uint32_t)first, .samples = samples, .whole = e->samples};
    ELB_TRY(elb_tape_reset(t));
    elb_tensor *in = elb_leaf(t, "data", x + at * e->model->data, NULL, 2, (int64_t[]){count, e->model->data});
    elb_draw d = elb_sample(e->family, t, importance_lambda(e, at, count), &noise, ELB_LOG_Q_FULL);
    elb_tensor *reconstruction = elb_model_log_likelihood(e->model, t, in, d.z);
    elb_tensor *log_weight = elb_sub(t, elb_add(t, reconstruction, elb_model_log_prior(e->model, t, d.z)), d.log_q);
    ELB_TRY(elb_tape_run(t, NULL));
    for (int64_t s = 0; s < samples; s++)
        for (int64_t b = 0; b < count; b++)
            importance_weigh(&e->sums[b], e->tail_size + 1, (double)log_weight->data[s * count + b],
                             (double)reconstruction->data[s * count + b]);
    return ELB_OK;
}

/* Data at .. at+count-1 of `all`. */
static elb_status importance_group(elb_importance *e, int64_t at, int64_t count, int64_t all, const uint64_t *datum,
                                   elb_real *x, elb_importance_result *results)
{
    ELB_TRY(importance_divergence(e, at, count));
    for (int64_t b = 0; b < count; b++)
        e->sums[b] = (importance_sums){.top = -INFINITY, .tail = e->tails + b * (e->tail_size + 1)};
    for (int64_t first = 0; first < e->samples; first += e->chunk) {
        int64_t samples = e->samples - first < e->chunk ? e->samples - first : e->chunk;
        ELB_TRY(importance_tile(e, at, count, datum, x, first, samples));
        double part = ((double)at + (double)count * (double)(first + samples) / (double)e->samples) / (double)all;
        if (e->watch != NULL) ELB_TRY(e->watch(e->user, e->share + (1 - e->share) * part));
    }
    for (int64_t b = 0; b < count; b++) {
        ELB_TRY(importance_conclude(e, &e->sums[b], datum[at + b], &results[at + b]));
        if (e->family->type->kl_to_prior != NULL) results[at + b].elbo -= (double)e->kl[at + b];
    }
    return ELB_OK;
}

static elb_status importance_refining(void *user, const elb_refine_step *s)
{
    const elb_importance *e = user;
    double done = (double)s->first + (double)s->batch * (double)s->taken / (double)s->steps;
    return e->watch(e->user, e->share * done / (double)e->count);
}

static elb_status importance_groups(elb_importance *e, int64_t count, const uint64_t *datum, elb_real *x,
                                    elb_importance_result *results)
{
    for (int64_t at = 0; at < count; at += e->group) {
        int64_t some = count - at < e->group ? count - at : e->group;
        ELB_TRY(importance_group(e, at, some, count, datum, x, results));
    }
    return ELB_OK;
}

elb_status elb_importance_block(elb_importance *e, int64_t count, const uint64_t *datum, elb_real *x,
                                elb_importance_result *results)
{
    e->count = count;
    ELB_TRY(importance_make_room(e, count));
    ELB_TRY(elb_inference_run(e->inference, count, datum, x, e->lambda));
    return importance_groups(e, count, datum, x, results);
}

elb_status elb_importance_given(elb_importance *e, int64_t count, const uint64_t *datum, elb_real *x,
                                const elb_real *lambda, elb_importance_result *results)
{
    e->count = count;
    ELB_TRY(importance_make_room(e, count));
    memcpy(e->lambda, lambda, (size_t)(count * e->family->local) * sizeof *lambda);
    return importance_groups(e, count, datum, x, results);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

/* A step of refinement is about three passes through the decoder: forward, and back at twice the price. */
static double importance_share(const elb_refine_options *refine, int64_t samples)
{
    double passes = refine != NULL ? 3 * (double)refine->steps * (double)refine->samples : 0;
    return passes / (passes + (double)samples);
}

static elb_status importance_allocate(elb_importance *e, elb_posterior *posterior, const elb_refine_options *refine,
                                      uint64_t seed)
{
    ELB_TRY(elb_inference_create(e->context, e->model, posterior, refine, seed, &e->inference));
    e->family = elb_inference_family(e->inference);
    ELB_TRY(elb_tape_create(e->context, &e->tape));
    elb_tape_fix_rows(e->tape);
    e->sums = elb_alloc(e->context, e->group, sizeof *e->sums);
    e->tails = elb_alloc(e->context, e->group * (e->tail_size + 1), sizeof *e->tails);
    return e->sums != NULL && e->tails != NULL ? ELB_OK : ELB_MEMORY;
}

elb_status elb_importance_create(elb_context *c, elb_model *model, elb_posterior *posterior,
                                 const elb_refine_options *refine, int64_t samples, uint64_t seed,
                                 elb_importance **importance)
{
    *importance = NULL;
    if (samples < 1 || samples > UINT32_MAX)
        return elb_fail(c, ELB_USAGE, "the number of samples must be in 1..%lld, not %lld", (long long)UINT32_MAX,
                        (long long)samples);
    elb_importance *e = elb_alloc(c, 1, sizeof *e);
    if (e == NULL) return ELB_MEMORY;
    int64_t tiles = (samples + IMPORTANCE_ROWS - 1) / IMPORTANCE_ROWS;
    e->context = c;
    e->model = model;
    e->share = importance_share(refine, samples);
    e->samples = samples;
    e->chunk = (samples + tiles - 1) / tiles;
    e->group = IMPORTANCE_ROWS / e->chunk < ELB_IMPORTANCE_BLOCK ? IMPORTANCE_ROWS / e->chunk : ELB_IMPORTANCE_BLOCK;
    e->tail_size = elb_pareto_tail_size(samples);
    e->key = elb_stream_key(seed, ELB_FOR_ESTIMATE, 0);
    elb_status status = importance_allocate(e, posterior, refine, seed);
    if (status != ELB_OK) {
        elb_importance_destroy(e);
        return status;
    }
    *importance = e;
    return ELB_OK;
}

void elb_importance_watch(elb_importance *e, elb_importance_watch_fn watch, void *user)
{
    e->watch = watch;
    e->user = user;
    elb_inference_watch(e->inference, watch != NULL ? importance_refining : NULL, e);
}

int64_t elb_importance_batch(const elb_importance *e)
{
    return elb_inference_batch(e->inference);
}

void elb_importance_destroy(elb_importance *e)
{
    if (e == NULL) return;
    elb_inference_destroy(e->inference);
    elb_tape_destroy(e->tape);
    elb_free(e->context, e->lambda);
    elb_free(e->context, e->kl);
    elb_free(e->context, e->sums);
    elb_free(e->context, e->tails);
    elb_free(e->context, e);
}
