#include "posterior/posterior.h"

/* The fully factorised Gaussian, N(m, diag exp s): lambda = [m (Z), s (Z)]. */

typedef struct ffg_state {
    elb_mlp encoder;
} ffg_state;

static elb_status ffg_init(elb_posterior *q)
{
    ffg_state *state = q->state;
    q->local = 2 * q->latent;
    return elb_mlp_init(&state->encoder, &q->params, "encoder", (elb_net_kind)q->options.activation, q->data,
                        &q->options.hidden, q->local);
}

static void ffg_reset(elb_posterior *q, const elb_kernels *k, uint64_t key)
{
    ffg_state *state = q->state;
    elb_mlp_reset(&state->encoder, k, key);
}

static elb_tensor *ffg_encode(elb_posterior *q, elb_tape *t, elb_tensor *x)
{
    ffg_state *state = q->state;
    return elb_mlp_apply(&state->encoder, t, x, NULL);
}

static elb_tensor *ffg_mean(elb_posterior *q, elb_tape *t, elb_tensor *lambda)
{
    return elb_named(elb_lambda_part(q, t, lambda, 0, q->latent), "posterior mean");
}

static elb_tensor *ffg_log_variance(elb_posterior *q, elb_tape *t, elb_tensor *lambda)
{
    return elb_named(elb_lambda_part(q, t, lambda, q->latent, q->latent), "posterior log variance");
}

static elb_draw ffg_sample(elb_posterior *q, elb_tape *t, elb_tensor *lambda, const elb_noise *noise, elb_log_q log_q)
{
    if (lambda == NULL) return (elb_draw){NULL, NULL, NULL};
    elb_tensor *m = ffg_mean(q, t, lambda), *s = ffg_log_variance(q, t, lambda);
    elb_draw d = {elb_gaussian_sample(t, m, s, elb_noise_normal(t, noise, lambda->rows, q->latent, 0)), NULL, NULL};
    if (log_q == ELB_LOG_Q_SAMPLE) m = elb_stop_gradient(t, m), s = elb_stop_gradient(t, s);
    if (log_q != ELB_LOG_Q_NONE) d.log_q = elb_gaussian_log_prob(t, d.z, m, s);
    return d;
}

static elb_tensor *ffg_log_density(elb_posterior *q, elb_tape *t, elb_tensor *lambda, elb_tensor *z)
{
    return elb_gaussian_log_prob(t, z, ffg_mean(q, t, lambda), ffg_log_variance(q, t, lambda));
}

static elb_tensor *ffg_kl_to_prior(elb_posterior *q, elb_tape *t, elb_tensor *lambda)
{
    return elb_gaussian_kl_standard(t, ffg_mean(q, t, lambda), ffg_log_variance(q, t, lambda));
}

const elb_posterior_type elb_posterior_ffg = {
    .name = "ffg",
    .source = "Kingma & Welling 2014, section 3",
    .state_size = sizeof(ffg_state),
    .init = ffg_init,
    .reset = ffg_reset,
    .encode = ffg_encode,
    .sample = ffg_sample,
    .mean = ffg_mean,
    .log_variance = ffg_log_variance,
    .log_density = ffg_log_density,
    .kl_to_prior = ffg_kl_to_prior,
};
