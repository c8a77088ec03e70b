#include "posterior/ffg.h"

#include "posterior/diagonal.h"

/* The fully factorised Gaussian, N(m, diag exp s): lambda = [m (Z), s (Z)] is the encoder's output, or, where its
 * second half is another thing than s, made from it. */

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

/* s = 2 log(softplus(a) + epsilon) for a standard deviation, half of it for a variance. */
static elb_tensor *ffg_from_softplus(elb_posterior *q, elb_tape *t, elb_tensor *a)
{
    elb_tensor *positive = elb_affine(t, elb_activate(t, ELB_SOFTPLUS, a), 1, q->options.ffg_epsilon);
    return elb_affine(t, elb_apply(t, ELB_LOG, positive), q->options.ffg_scale == ELB_FFG_SOFTPLUS_SD ? 2 : 1, 0);
}

static elb_tensor *ffg_encode(elb_posterior *q, elb_tape *t, elb_tensor *x)
{
    elb_ffg_state *state = q->state;
    elb_tensor *out = elb_mlp_apply(&state->encoder, t, x, NULL);
    if (q->options.ffg_scale == ELB_FFG_LOG_VARIANCE) return out;
    elb_tensor *a = elb_columns(t, out, q->latent, q->latent);
    return elb_join(t, elb_columns(t, out, 0, q->latent), ffg_from_softplus(q, t, a));
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
    .from_moments = elb_diagonal_from_moments,
};
