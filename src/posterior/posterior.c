#include "posterior/posterior.h"

extern const elb_posterior_type elb_posterior_ffg;

const elb_posterior_type *const elb_posterior_types[] = {&elb_posterior_ffg, NULL};

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

elb_draw elb_sample(elb_posterior *q, elb_tape *t, elb_tensor *lambda, const elb_noise *noise, elb_log_q log_q)
{
    elb_draw d = q->type->sample(q, t, lambda, noise, log_q);
    elb_named(d.z, "latent sample");
    elb_named(d.log_q, "log posterior");
    return d;
}
