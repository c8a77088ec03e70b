#include "posterior/ffg.h"

#include "posterior/diagonal.h"

/* The fully factorised Gaussian, N(m, diag exp s): lambda = [m (Z), s (Z)] is the encoder's output. */

static elb_status ffg_init(elb_posterior *q)
{
    elb_ffg_state *state = q->state;
    q->local = 2 * q->latent;
    return elb_mlp_init(&state->encoder, &q->params, "encoder", (elb_net_kind)q->options.activation, q->data,
                        &q->options.hidden, q->local);
}

static void ffg_reset(elb_posterior *q, const elb_kernels *k, uint64_t key)
{
    elb_ffg_state *state = q->state;
    elb_mlp_reset(&state->encoder, k, key);
}

static elb_tensor *ffg_encode(elb_posterior *q, elb_tape *t, elb_tensor *x)
{
    elb_ffg_state *state = q->state;
    return elb_mlp_apply(&state->encoder, t, x, NULL);
}

const elb_posterior_type elb_posterior_ffg = {
    .name = "ffg",
    .source = "Kingma & Welling 2014, section 3",
    .state_size = sizeof(elb_ffg_state),
    .init = ffg_init,
    .reset = ffg_reset,
    .encode = ffg_encode,
    .sample = elb_diagonal_sample,
    .mean = elb_diagonal_mean,
    .log_variance = elb_diagonal_log_variance,
    .log_density = elb_diagonal_log_density,
    .kl_to_prior = elb_diagonal_kl_to_prior,
};
