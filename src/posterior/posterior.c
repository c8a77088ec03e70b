#include "posterior/posterior.h"

#include <math.h>
#include <string.h>

extern const elb_posterior_type elb_posterior_ffg, elb_posterior_iaf, elb_posterior_householder, elb_posterior_aux_flow,
    elb_posterior_gp, elb_posterior_mixture, elb_posterior_full;

const elb_posterior_type *const elb_posterior_types[] = {
    &elb_posterior_ffg, &elb_posterior_iaf,     &elb_posterior_householder, &elb_posterior_aux_flow,
    &elb_posterior_gp,  &elb_posterior_mixture, &elb_posterior_full,        NULL};

static elb_status posterior_init(elb_posterior *q)
{
    q->state = elb_alloc(q->context, 1, q->type->state_size);
    if (q->state == NULL) return ELB_MEMORY;
    return q->type->init(q);
}

elb_status elb_posterior_declare(elb_context *c, const elb_posterior_options *options, int64_t data, int64_t latent,
                                 elb_posterior **posterior)
{
    *posterior = NULL;
    elb_posterior *q = elb_alloc(c, 1, sizeof *q);
    if (q == NULL) return ELB_MEMORY;
    q->context = c;
    q->type = elb_posterior_types[options->type];
    q->options = *options;
    q->data = data;
    q->latent = latent;
    elb_params_init(&q->params, c);
    elb_status status = posterior_init(q);
    if (status != ELB_OK) {
        elb_posterior_destroy(q);
        return status;
    }
    *posterior = q;
    return ELB_OK;
}

elb_status elb_posterior_create(elb_context *c, const elb_posterior_options *options, int64_t data, int64_t latent,
                                elb_posterior **posterior)
{
    ELB_TRY(elb_posterior_declare(c, options, data, latent, posterior));
    elb_status status = elb_params_build(&(*posterior)->params);
    if (status == ELB_OK) return ELB_OK;
    elb_posterior_destroy(*posterior);
    *posterior = NULL;
    return status;
}

void elb_posterior_destroy(elb_posterior *q)
{
    if (q == NULL) return;
    elb_params_free(&q->params);
    elb_free(q->context, q->state);
    elb_free(q->context, q);
}

elb_status elb_posterior_reset(elb_posterior *q, uint64_t seed)
{
    const elb_machine *machine;
    ELB_TRY(elb_machine_of(q->context, &machine));
    q->type->reset(q, machine->kernels, elb_stream_key(seed, ELB_FOR_INIT, 1));
    return ELB_OK;
}

elb_tensor *elb_encode(elb_posterior *q, elb_tape *t, elb_tensor *x)
{
    return elb_named(q->type->encode(q, t, x), "encoder output");
}

void elb_mark_mean(const elb_posterior *q, elb_real *mark)
{
    memset(mark, 0, (size_t)q->local * sizeof *mark);
    if (q->type->mark_mean != NULL)
        q->type->mark_mean(q, mark);
    else
        for (int64_t i = 0; i < q->latent; i++) mark[i] = 1;
}

elb_tensor *elb_lambda_part(elb_posterior *q, elb_tape *t, elb_tensor *lambda, int64_t begin, int64_t count)
{
    if (lambda != NULL && lambda->cols != q->local)
        return elb_tape_fail(t, ELB_MODEL, "local parameters of posterior.type=%s are %lld numbers per datum, not %lld",
                             q->type->name, (long long)q->local, (long long)lambda->cols);
    return elb_columns(t, lambda, begin, count);
}

static elb_draw posterior_named(elb_draw d)
{
    elb_named(d.z, "latent sample");
    elb_named(d.log_q, "log posterior");
    return d;
}

elb_draw elb_sample(elb_posterior *q, elb_tape *t, elb_tensor *lambda, const elb_noise *noise, elb_log_q log_q)
{
    return posterior_named(q->type->sample(q, t, lambda, noise, log_q));
}

elb_draw elb_sample_strata(elb_posterior *q, elb_tape *t, elb_tensor *lambda, const elb_noise *noise, elb_log_q log_q)
{
    if (q->type->strata == NULL) return elb_sample(q, t, lambda, noise, log_q);
    return posterior_named(q->type->strata(q, t, lambda, noise, log_q));
}

elb_tensor *elb_draw_mean(elb_tape *t, const elb_draw *d, elb_tensor *value)
{
    if (d->log_share == NULL || value == NULL) return elb_mean_first(t, value);
    elb_tensor *share = elb_apply(t, ELB_EXP, d->log_share);
    return elb_affine(t, elb_mean_first(t, elb_mul(t, value, share)), (double)value->shape[0], 0);
}

elb_tensor *elb_draw_log_mean_exp(elb_tape *t, const elb_draw *d, elb_tensor *log_value)
{
    if (d->log_share == NULL || log_value == NULL) return elb_log_mean_exp(t, log_value);
    elb_tensor *mean = elb_log_mean_exp(t, elb_add(t, log_value, d->log_share));
    return elb_affine(t, mean, 1, log((double)log_value->shape[0]));
}
