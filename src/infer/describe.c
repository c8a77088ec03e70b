#include "infer/describe.h"

#include <math.h>
#include <string.h>

enum { DESCRIBE_ROWS = 512, DESCRIBE_ROOM = 128 }; /* decoder rows of one tile; data of one call */

static elb_tensor *describe_lambda(const elb_description *s, int64_t count, elb_real *lambda)
{
    return elb_leaf(s->tape, "local parameters", lambda, NULL, 2, (int64_t[]){count, s->family->local});
}

static elb_tensor *describe_data(const elb_description *s, int64_t count, elb_real *x)
{
    return elb_leaf(s->tape, "data", x, NULL, 2, (int64_t[]){count, s->model->data});
}

/* --- ELBO --------------------------------------------------------------------------------------------------------- */

static elb_status describe_divergence(elb_description *s, int64_t count, elb_real *lambda)
{
    if (s->kl == NULL) return ELB_OK;
    ELB_TRY(elb_tape_reset(s->tape));
    elb_tensor *each = s->family->type->kl_to_prior(s->family, s->tape, describe_lambda(s, count, lambda));
    elb_tensor *kl = elb_sum_last(s->tape, each);
    ELB_TRY(elb_tape_run(s->tape, NULL));
    for (int64_t b = 0; b < count; b++) s->kl[b] = (double)kl->data[b];
    return ELB_OK;
}

/* From [S,B,..], as drawn, to [B,K,..], as a table has them. */
static void describe_keep(const elb_description *s, int64_t first, const elb_tensor *drawn, int64_t width,
                          elb_real *kept)
{
    if (kept == NULL) return;
    int64_t count = drawn->shape[1];
    for (int64_t i = 0; i < drawn->shape[0]; i++)
        for (int64_t b = 0; b < count; b++)
            memcpy(kept + (b * s->samples + first + i) * width, drawn->data + (i * count + b) * width,
                   (size_t)width * sizeof *kept);
}

/* Samples first .. first+samples-1 of every datum. */
static elb_status describe_tile(elb_description *s, int64_t count, const uint64_t *datum, elb_real *x, elb_real *lambda,
                                int64_t first, int64_t samples)
{
    elb_tape *t = s->tape;
    elb_noise noise = {.key = s->key, .datum = datum, .draw = (uint32_t)first, .samples = samples, .whole = s->samples};
    elb_log_q log_q = s->kl == NULL || s->log_q != NULL ? ELB_LOG_Q_FULL : ELB_LOG_Q_NONE;
    ELB_TRY(elb_tape_reset(t));
    elb_draw d = elb_sample(s->family, t, describe_lambda(s, count, lambda), &noise, log_q);
    elb_tensor *value = elb_model_log_likelihood(s->model, t, describe_data(s, count, x), d.z);
    if (s->kl == NULL) value = elb_sub(t, elb_add(t, value, elb_model_log_prior(s->model, t, d.z)), d.log_q);
    ELB_TRY(elb_tape_run(t, NULL));
    for (int64_t i = 0; i < samples; i++)
        for (int64_t b = 0; b < count; b++) s->elbo[b] += (double)value->data[i * count + b];
    describe_keep(s, first, d.z, s->family->latent, s->z);
    describe_keep(s, first, d.log_q, 1, s->log_q);
    return ELB_OK;
}

elb_status elb_description_elbo(elb_description *s, int64_t count, const uint64_t *datum, elb_real *x, elb_real *lambda)
{
    ELB_TRY(describe_divergence(s, count, lambda));
    memset(s->elbo, 0, (size_t)count * sizeof *s->elbo);
    for (int64_t first = 0; first < s->samples; first += s->chunk) {
        int64_t samples = s->samples - first < s->chunk ? s->samples - first : s->chunk;
        ELB_TRY(describe_tile(s, count, datum, x, lambda, first, samples));
    }
    for (int64_t b = 0; b < count; b++) {
        s->elbo[b] = s->elbo[b] / (double)s->samples - (s->kl != NULL ? s->kl[b] : 0);
        if (!isfinite(s->elbo[b]))
            return elb_fail(
                s->context, ELB_NUMERIC,
                "the ELBO of datum %lu, counted from 0, is not finite: look at its values, and at the model's "
                "with elbow inspect",
                (unsigned long)(uint32_t)datum[b]);
    }
    return ELB_OK;
}

/* --- moments ------------------------------------------------------------------------------------------------------ */

static void describe_copy(const elb_tensor *from, elb_real *to)
{
    if (to != NULL) memcpy(to, from->data, (size_t)(from->rows * from->cols) * sizeof *to);
}

elb_status elb_description_moments(elb_description *s, int64_t count, elb_real *x, elb_real *lambda)
{
    elb_tape *t = s->tape;
    elb_posterior *q = s->family;
    elb_tensor *variance = NULL, *uncertainty = NULL;
    ELB_TRY(elb_tape_reset(t));
    elb_tensor *given = describe_lambda(s, count, lambda), *mean = q->type->mean(q, t, given);
    if (s->variance != NULL) variance = elb_apply(t, ELB_EXP, q->type->log_variance(q, t, given));
    if (s->uncertainty != NULL)
        uncertainty = s->posterior->type->uncertainty(s->posterior, t, describe_data(s, count, x));
    ELB_TRY(elb_tape_run(t, NULL));
    describe_copy(mean, s->mean);
    describe_copy(variance, s->variance);
    describe_copy(uncertainty, s->uncertainty);
    return ELB_OK;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static elb_status describe_reals(elb_description *s, bool wanted, int64_t width, elb_real **reals)
{
    int64_t all = 0;
    if (!wanted) return ELB_OK;
    if (!elb_mul_fits(s->room, width, &all))
        return elb_fail(s->context, ELB_USAGE, "%lld samples per datum are more than memory holds: ask for fewer",
                        (long long)s->samples);
    *reals = elb_alloc(s->context, all, sizeof **reals);
    return *reals != NULL ? ELB_OK : ELB_MEMORY;
}

static elb_status describe_allocate(elb_description *s, bool keep)
{
    const elb_posterior_type *type = s->family->type;
    int64_t latent = s->family->latent;
    ELB_TRY(elb_tape_create(s->context, &s->tape));
    elb_tape_fix_rows(s->tape);
    s->elbo = elb_alloc(s->context, s->room, sizeof *s->elbo);
    if (s->elbo == NULL) return ELB_MEMORY;
    if (type->kl_to_prior != NULL) {
        s->kl = elb_alloc(s->context, s->room, sizeof *s->kl);
        if (s->kl == NULL) return ELB_MEMORY;
    }
    ELB_TRY(describe_reals(s, true, latent, &s->mean));
    ELB_TRY(describe_reals(s, type->log_variance != NULL, latent, &s->variance));
    ELB_TRY(describe_reals(s, s->posterior->type->uncertainty != NULL, 1, &s->uncertainty));
    ELB_TRY(describe_reals(s, keep, s->samples * latent, &s->z));
    return describe_reals(s, keep, s->samples, &s->log_q);
}

elb_status elb_description_init(elb_description *s, elb_model *model, elb_posterior *posterior, elb_posterior *family,
                                int64_t samples, bool keep, uint64_t seed)
{
    *s = (elb_description){.context = model->context,
                           .model = model,
                           .posterior = posterior,
                           .family = family,
                           .samples = samples,
                           .key = elb_stream_key(seed, ELB_FOR_ESTIMATE, 0)};
    if (samples < 1 || samples > UINT32_MAX)
        return elb_fail(s->context, ELB_USAGE, "the number of samples must be in 1..%lld, not %lld",
                        (long long)UINT32_MAX, (long long)samples);
    int64_t tiles = (samples + DESCRIBE_ROWS - 1) / DESCRIBE_ROWS;
    s->chunk = (samples + tiles - 1) / tiles;
    s->room = DESCRIBE_ROWS / s->chunk < DESCRIBE_ROOM ? DESCRIBE_ROWS / s->chunk : DESCRIBE_ROOM;
    return describe_allocate(s, keep);
}

void elb_description_free(elb_description *s)
{
    if (s->context == NULL) return;
    elb_tape_destroy(s->tape);
    elb_free(s->context, s->elbo);
    elb_free(s->context, s->kl);
    elb_free(s->context, s->mean);
    elb_free(s->context, s->variance);
    elb_free(s->context, s->uncertainty);
    elb_free(s->context, s->z);
    elb_free(s->context, s->log_q);
}
