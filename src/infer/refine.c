#include "infer/refine.h"

#include <math.h>
#include <string.h>

#include "nn/optim/optimizer.h"

typedef struct refine_job {
    elb_model *model;
    elb_posterior *posterior;
    elb_tape *tape;
    elb_params local; /* lambda as parameters, for the optimiser */
    elb_optimizer adam;
    uint32_t step;
} refine_job;

/* The sum over the data of their negative ELBOs: a datum's gradient is then its own, free of the batch's size. */
static elb_tensor *refine_loss(elb_tape *t, elb_model *m, elb_posterior *q, elb_tensor *x, elb_tensor *lambda,
                               const elb_noise *noise)
{
    bool closed = q->type->kl_to_prior != NULL;
    elb_draw d = elb_sample_strata(q, t, lambda, noise, closed ? ELB_LOG_Q_NONE : ELB_LOG_Q_FULL);
    elb_tensor *reconstruction = elb_draw_mean(t, &d, elb_model_log_likelihood(m, t, x, d.z));
    elb_tensor *kl = closed ? elb_sum_last(t, q->type->kl_to_prior(q, t, lambda))
                            : elb_draw_mean(t, &d, elb_sub(t, d.log_q, elb_model_log_prior(m, t, d.z)));
    elb_tensor *each = elb_sub(t, kl, reconstruction);
    return elb_named(elb_affine(t, elb_mean_all(t, each), x != NULL ? (double)x->rows : 1, 0), "negative ELBO");
}

static elb_status refine_record(refine_job *j, int64_t count, const uint64_t *datum, elb_real *x, uint64_t seed,
                                elb_tensor **loss)
{
    elb_params *model = &j->model->params, *posterior = &j->posterior->params;
    bool model_frozen = model->frozen, posterior_frozen = posterior->frozen;
    elb_noise noise = {.key = elb_stream_key(seed, ELB_FOR_REFINE, 0), .datum = datum, .samples = 1, .step = &j->step};
    ELB_TRY(elb_tape_create(j->model->context, &j->tape));
    elb_tensor *in = elb_leaf(j->tape, "data", x, NULL, 2, (int64_t[]){count, j->model->data});
    model->frozen = posterior->frozen = true;
    *loss = refine_loss(j->tape, j->model, j->posterior, in, elb_params_leaf(&j->local, j->tape, 0), &noise);
    model->frozen = model_frozen;
    posterior->frozen = posterior_frozen;
    return ELB_OK;
}

static elb_status refine_prepare(refine_job *j, int64_t count, const elb_real *lambda)
{
    static const elb_optimizer_options adam = {.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8}; /* Kingma & Ba 2015 */
    int64_t shape[] = {count, j->posterior->local}, index;
    ELB_TRY(elb_params_add(&j->local, &index, 2, shape, "lambda"));
    ELB_TRY(elb_params_build(&j->local));
    memcpy(elb_params_data(&j->local, index), lambda, (size_t)(shape[0] * shape[1]) * sizeof *lambda);
    elb_optimizer_init(&j->adam, j->model->context, &adam);
    return elb_optimizer_add(&j->adam, &j->local);
}

static elb_status refine_run(refine_job *j, int64_t count, const uint64_t *datum, elb_real *x,
                             const elb_refine_settings *s, elb_real *lambda)
{
    elb_tensor *loss = NULL;
    ELB_TRY(refine_prepare(j, count, lambda));
    for (int64_t i = 0; i < s->steps; i++) {
        j->step = (uint32_t)i;
        elb_optimizer_begin(&j->adam, s->rate);
        if (loss == NULL) ELB_TRY(refine_record(j, count, datum, x, s->seed, &loss));
        elb_status status = elb_tape_run(j->tape, loss);
        if (status != ELB_OK) return elb_fail_in(j->model->context, status, "refinement step %lld", (long long)i + 1);
        ELB_TRY(elb_optimizer_end(&j->adam, true));
    }
    memcpy(lambda, elb_params_data(&j->local, 0), (size_t)(count * j->posterior->local) * sizeof *lambda);
    return ELB_OK;
}

elb_status elb_refine(elb_model *model, elb_posterior *posterior, int64_t count, const uint64_t *datum, elb_real *x,
                      const elb_refine_settings *settings, elb_real *lambda)
{
    elb_context *c = model->context;
    if (settings->steps < 0 || settings->steps > UINT32_MAX || !(settings->rate > 0) || isinf(settings->rate))
        return elb_fail(c, ELB_USAGE, "refinement takes 0 to %lld steps of a rate above 0, not %lld of %g",
                        (long long)UINT32_MAX, (long long)settings->steps, settings->rate);
    refine_job j = {.model = model, .posterior = posterior};
    elb_params_init(&j.local, c);
    elb_status status = refine_run(&j, count, datum, x, settings, lambda);
    elb_optimizer_free(&j.adam);
    elb_params_free(&j.local);
    elb_tape_destroy(j.tape);
    return status;
}
