#include "infer/inference.h"

#include <math.h>
#include <string.h>

#include "infer/gate.h"
#include "posterior/aux_flow.h"
#include "posterior/mixture.h"

enum {
    INFERENCE_BATCH = 128, /* data encoded together */
    INFERENCE_DRAWS = 64,  /* of z, for the moments of a family that does not tell them */
    INFERENCE_FLOW_STEPS = 2
};

struct elb_inference {
    elb_context *context;
    elb_model *model;
    elb_posterior *posterior; /* whose encoder is used */
    elb_posterior *own;       /* a family without an encoder; NULL: lambda is the posterior's */
    elb_real *moments;        /* [INFERENCE_BATCH,2Z] means and log-variances that own's lambda is made from */
    elb_refine_options options;
    uint64_t key, moments_key; /* of the noise: in refinement, and in the moments that the family does not tell */
    elb_tape *tape;            /* of the encoder */
    elb_refiner *refiner;      /* NULL: no step is taken */
    int64_t first;             /* of the data given, where the present batch begins */
    elb_refine_watch_fn watch;
    void *user; /* watch's */
};

/* --- one batch ---------------------------------------------------------------------------------------------------- */

/* m and s of the fully factorised Gaussian with the family's mean and variance. */
static elb_status inference_keep_moments(elb_inference *i, elb_tensor *from)
{
    elb_real *to = i->moments;
    const elb_posterior_type *type = i->posterior->type;
    elb_tensor *m = type->mean(i->posterior, i->tape, from), *s = type->log_variance(i->posterior, i->tape, from);
    ELB_TRY(elb_tape_run(i->tape, NULL));
    for (int64_t b = 0; b < m->rows; b++) {
        memcpy(to + 2 * b * m->cols, m->data + b * m->cols, (size_t)m->cols * sizeof *to);
        memcpy(to + (2 * b + 1) * m->cols, s->data + b * m->cols, (size_t)m->cols * sizeof *to);
    }
    return ELB_OK;
}

/* The same of a family that does not tell its variance, by draws. */
static elb_status inference_draw_moments(elb_inference *i, int64_t count, const uint64_t *datum, elb_tensor *from)
{
    elb_real *to = i->moments;
    int64_t latent = i->posterior->latent;
    elb_noise noise = {.key = i->moments_key, .datum = datum, .samples = INFERENCE_DRAWS};
    elb_draw d = elb_sample(i->posterior, i->tape, from, &noise, ELB_LOG_Q_NONE);
    ELB_TRY(elb_tape_run(i->tape, NULL));
    for (int64_t b = 0; b < count; b++)
        for (int64_t k = 0; k < latent; k++) {
            const elb_real *z = d.z->data + b * latent + k;
            double sum = 0, squares = 0;
            for (int64_t n = 0; n < INFERENCE_DRAWS; n++) sum += (double)z[n * count * latent];
            double mean = sum / INFERENCE_DRAWS;
            for (int64_t n = 0; n < INFERENCE_DRAWS; n++) squares += pow((double)z[n * count * latent] - mean, 2);
            to[2 * b * latent + k] = (elb_real)mean;
            to[(2 * b + 1) * latent + k] = (elb_real)log(fmax(squares / (INFERENCE_DRAWS - 1), 1e-12));
        }
    return ELB_OK;
}

/* A flow of every datum's own that is the posterior's, weights and all. */
static bool inference_localises(const elb_inference *i)
{
    return i->options.family == ELB_REFINE_FLOW && elb_aux_flow_shared(i->posterior) &&
           i->posterior->options.activation != ELB_NET_GATED;
}

/* What own's lambda starts from. */
static elb_status inference_change(elb_inference *i, int64_t count, const uint64_t *datum, elb_tensor *x,
                                   elb_tensor *encoded, elb_real *lambda)
{
    bool gated = i->options.gate == ELB_REFINE_BEST_COMPONENT, told = i->posterior->type->log_variance != NULL;
    if (inference_localises(i)) {
        ELB_TRY(elb_tape_run(i->tape, NULL));
        elb_aux_flow_localise(i->posterior, i->own, count, encoded->data, lambda);
        return ELB_OK;
    }
    ELB_TRY(gated  ? elb_gate_best(i->model, i->posterior, i->tape, x, encoded, i->moments)
            : told ? inference_keep_moments(i, encoded)
                   : inference_draw_moments(i, count, datum, encoded));
    i->own->type->from_moments(i->own, count, i->moments, lambda);
    return ELB_OK;
}

static elb_status inference_encode(elb_inference *i, int64_t count, const uint64_t *datum, elb_real *x,
                                   elb_real *lambda)
{
    ELB_TRY(elb_tape_reset(i->tape));
    elb_tensor *in = elb_leaf(i->tape, "data", x, NULL, 2, (int64_t[]){count, i->model->data});
    elb_tensor *out = elb_encode(i->posterior, i->tape, in);
    if (i->own != NULL && !elb_tape_failed(i->tape)) return inference_change(i, count, datum, in, out, lambda);
    ELB_TRY(elb_tape_run(i->tape, NULL));
    memcpy(lambda, out->data, (size_t)(out->rows * out->cols) * sizeof *lambda);
    return ELB_OK;
}

static elb_status inference_begin(elb_inference *i, int64_t count, const uint64_t *datum, elb_real *x, elb_real *lambda)
{
    int64_t data = i->model->data, local = elb_inference_family(i)->local;
    bool zero = i->options.start == ELB_REFINE_FROM_ZERO;
    if (zero && i->own == NULL) {
        memset(lambda, 0, (size_t)(count * local) * sizeof *lambda);
        return ELB_OK;
    }
    for (int64_t at = 0; at < count; at += INFERENCE_BATCH) {
        int64_t some = count - at < INFERENCE_BATCH ? count - at : INFERENCE_BATCH;
        if (zero)
            i->own->type->from_moments(i->own, some, i->moments, lambda + at * local); /* all 0: the prior's */
        else
            ELB_TRY(inference_encode(i, some, datum + at, x + at * data, lambda + at * local));
    }
    return ELB_OK;
}

static elb_status inference_watch(void *user, const elb_refine_step *step)
{
    const elb_inference *i = user;
    elb_refine_step seen = *step;
    seen.first = i->first;
    return i->watch(i->user, &seen);
}

elb_status elb_inference_run(elb_inference *i, int64_t count, const uint64_t *datum, elb_real *x, elb_real *lambda)
{
    int64_t data = i->model->data, local = elb_inference_family(i)->local, batch = elb_inference_batch(i);
    for (i->first = 0; i->first < count; i->first += batch) {
        int64_t at = i->first, some = count - at < batch ? count - at : batch;
        ELB_TRY(inference_begin(i, some, datum + at, x + at * data, lambda + at * local));
        if (i->refiner != NULL)
            ELB_TRY(elb_refiner_run(i->refiner, i->key, some, datum + at, x + at * data, lambda + at * local));
    }
    return ELB_OK;
}

/* --- what it is made of ------------------------------------------------------------------------------------------- */

elb_refine_family elb_refine_family_of(const elb_posterior_type *type)
{
    static const char *const names[] = {"", "ffg", "full", "aux_flow"}; /* as elb_refine_family */
    for (int family = ELB_REFINE_FFG; family <= ELB_REFINE_FLOW; family++)
        if (strcmp(type->name, names[family]) == 0) return (elb_refine_family)family;
    return ELB_REFINE_OWN;
}

/* Its place in elb_posterior_types, where every family of refinement is. */
static int inference_type(int family)
{
    int index = 0;
    while ((int)elb_refine_family_of(elb_posterior_types[index]) != family) index++;
    return index;
}

/* A flow whose weights are every datum's own, whatever they are for the posterior. Cremer, Li & Duvenaud 2018's has
 * two pairs of couplings. */
static void inference_local_flow(const elb_posterior *q, elb_posterior_options *options)
{
    if (elb_refine_family_of(q->type) != ELB_REFINE_FLOW) options->flow_steps = INFERENCE_FLOW_STEPS;
    if (options->activation == ELB_NET_GATED) options->activation = ELB_NET_TANH;
    options->flow_context = ELB_CONTEXT_LOCAL;
}

/* The family changed to another: what takes its lambda from elsewhere needs no encoder, and no memory but for what a
 * flow's weights start from. */
static elb_status inference_change_family(elb_inference *i, uint64_t seed)
{
    const elb_posterior *q = i->posterior;
    elb_posterior_options options = q->options;
    bool flow = i->options.family == ELB_REFINE_FLOW;
    options.type = inference_type(i->options.family);
    if (elb_posterior_types[options.type] == q->type && (!flow || options.flow_context == ELB_CONTEXT_LOCAL))
        return ELB_OK;
    options.hidden.count = 0;
    if (flow) inference_local_flow(q, &options);
    i->moments = elb_alloc(i->context, INFERENCE_BATCH * 2 * q->latent, sizeof *i->moments);
    if (i->moments == NULL) return ELB_MEMORY;
    ELB_TRY((flow ? elb_posterior_create : elb_posterior_declare)(i->context, &options, q->data, q->latent, &i->own));
    return flow ? elb_posterior_reset(i->own, seed) : ELB_OK;
}

/* One component of a mixture for each datum: a Gaussian. */
static elb_status inference_gate(elb_inference *i)
{
    if (i->options.start == ELB_REFINE_FROM_ZERO)
        return elb_fail(i->context, ELB_USAGE,
                        "refine.gate=best chooses among encoded components: set refine.start=encoder");
    if (i->options.family == ELB_REFINE_OWN) i->options.family = ELB_REFINE_FFG;
    if (elb_posterior_is_mixture(i->posterior)) return ELB_OK;
    return elb_fail(i->context, ELB_USAGE,
                    "refine.gate=best chooses among the components of a mixture, and the posterior %s is none; set "
                    "refine.gate=none",
                    i->posterior->type->name);
}

static elb_status inference_open(elb_inference *i, uint64_t seed)
{
    ELB_TRY(elb_tape_create(i->context, &i->tape));
    elb_tape_fix_rows(i->tape);
    if (i->options.gate == ELB_REFINE_BEST_COMPONENT) ELB_TRY(inference_gate(i));
    if (i->options.family != ELB_REFINE_OWN) ELB_TRY(inference_change_family(i, seed));
    if (i->options.steps == 0) return ELB_OK;
    ELB_TRY(elb_refiner_create(i->model, elb_inference_family(i), &i->options, &i->refiner));
    elb_refiner_fix_rows(i->refiner);
    return ELB_OK;
}

elb_status elb_inference_create(elb_context *c, elb_model *model, elb_posterior *posterior,
                                const elb_refine_options *options, uint64_t seed, elb_inference **inference)
{
    *inference = NULL;
    elb_inference *i = elb_alloc(c, 1, sizeof *i);
    if (i == NULL) return ELB_MEMORY;
    i->context = c;
    i->model = model;
    i->posterior = posterior;
    if (options != NULL) i->options = *options;
    i->key = elb_stream_key(seed, ELB_FOR_REFINE, 0);
    i->moments_key = elb_stream_key(seed, ELB_FOR_REFINE, 1);
    elb_status status = inference_open(i, seed);
    if (status != ELB_OK) {
        elb_inference_destroy(i);
        return status;
    }
    *inference = i;
    return ELB_OK;
}

void elb_inference_destroy(elb_inference *i)
{
    if (i == NULL) return;
    elb_refiner_destroy(i->refiner);
    elb_posterior_destroy(i->own);
    elb_free(i->context, i->moments);
    elb_tape_destroy(i->tape);
    elb_free(i->context, i);
}

elb_posterior *elb_inference_family(const elb_inference *i)
{
    return i->own != NULL ? i->own : i->posterior;
}

int64_t elb_inference_batch(const elb_inference *i)
{
    return i->refiner != NULL ? elb_refiner_batch(i->refiner) : INFERENCE_BATCH;
}

void elb_inference_watch(elb_inference *i, elb_refine_watch_fn watch, void *user)
{
    i->watch = watch;
    i->user = user;
    if (i->refiner != NULL) elb_refiner_watch(i->refiner, watch != NULL ? inference_watch : NULL, i);
}

void elb_inference_free_rows(elb_inference *i)
{
    elb_tape_free_rows(i->tape);
    if (i->refiner != NULL) elb_refiner_free_rows(i->refiner);
}

void elb_inference_set_steps(elb_inference *i, int64_t steps)
{
    if (i->refiner != NULL) elb_refiner_set_steps(i->refiner, steps);
}
