#include <string.h>

#include "posterior/flow.h"

/* Householder flow: z_0 ~ N(m, diag exp s), then reflections t = 1..T
 *
 *     z_t = z_{t-1} - 2 v_t (v_t . z_{t-1}) / (v_t . v_t)
 *
 * lambda = [m (Z), s (Z), v_1 .. v_T (Z each)]. A product of reflections H keeps volumes and norms: q is the Gaussian
 * N(H m, H diag(exp s) H^T), its density that of z_0, and its KL to N(0, I) that of q(z_0).
 *
 * Differs from source: every v_t is an affine map of the encoder's features h, where the paper has v_1 = A h + a and
 * v_{t+1} = A_t v_t + a_t; those are affine maps of h too, so nothing is lost. */

typedef struct householder_state {
    elb_mlp encoder;
} householder_state;

static elb_status householder_init(elb_posterior *q)
{
    householder_state *state = q->state;
    ELB_TRY(elb_flow_check_context(q, 1 << ELB_CONTEXT_ENCODER));
    if (q->options.flow_form != 0)
        return elb_fail(q->context, ELB_USAGE,
                        "posterior.type=householder reflects and does not scale; leave posterior.flow_form at gated");
    q->local = (2 + q->options.flow_steps) * q->latent;
    return elb_mlp_init(&state->encoder, &q->params, "encoder", (elb_net_kind)q->options.activation, q->data,
                        &q->options.hidden, q->local);
}

static void householder_reset(elb_posterior *q, const elb_kernels *k, uint64_t key)
{
    householder_state *state = q->state;
    elb_mlp_reset(&state->encoder, k, key);
}

static elb_tensor *householder_encode(elb_posterior *q, elb_tape *t, elb_tensor *x)
{
    householder_state *state = q->state;
    return elb_mlp_apply(&state->encoder, t, x, NULL);
}

/* z [..,B,Z] through all reflections, or back. */
static elb_tensor *householder_reflect(elb_posterior *q, elb_tape *t, elb_tensor *lambda, elb_tensor *z, bool back)
{
    int64_t n = q->latent, steps = q->options.flow_steps;
    for (int64_t i = 0; i < steps; i++)
        z = elb_flow_reflect(t, z, elb_lambda_part(q, t, lambda, (2 + (back ? steps - 1 - i : i)) * n, n));
    return z;
}

/* log q(z) = log q(z_0): reflections are their own inverses. */
static elb_tensor *householder_log_density(elb_posterior *q, elb_tape *t, elb_tensor *lambda, elb_tensor *z)
{
    return elb_diagonal_log_density(q, t, lambda, householder_reflect(q, t, lambda, z, true));
}

static elb_draw householder_sample(elb_posterior *q, elb_tape *t, elb_tensor *lambda, const elb_noise *noise,
                                   elb_log_q log_q)
{
    elb_draw d = elb_diagonal_sample(q, t, lambda, noise, log_q == ELB_LOG_Q_FULL ? ELB_LOG_Q_FULL : ELB_LOG_Q_NONE);
    d.z = householder_reflect(q, t, lambda, d.z, false);
    if (log_q == ELB_LOG_Q_SAMPLE) d.log_q = householder_log_density(q, t, elb_stop_gradient(t, lambda), d.z);
    return d;
}

static elb_tensor *householder_mean(elb_posterior *q, elb_tape *t, elb_tensor *lambda)
{
    return elb_named(householder_reflect(q, t, lambda, elb_diagonal_mean(q, t, lambda), false), "posterior mean");
}

/* [Z,B,Z]: of sample i, coordinate i alone is one. */
static elb_tensor *householder_axes(elb_posterior *q, elb_tape *t, int64_t batch)
{
    int64_t n = q->latent;
    elb_tensor *axes = elb_input(t, "axes", false, 3, (int64_t[]){n, batch, n});
    if (axes == NULL) return NULL;
    memset(axes->data, 0, (size_t)(n * batch * n) * sizeof *axes->data);
    for (int64_t r = 0; r < n * batch; r++) axes->data[r * n + r / batch] = 1;
    return axes;
}

/* The diagonal of H diag(exp s) H^T: the columns of H diag(exp s/2), squared and summed. */
static elb_tensor *householder_log_variance(elb_posterior *q, elb_tape *t, elb_tensor *lambda)
{
    elb_tensor *s = elb_diagonal_log_variance(q, t, lambda);
    if (s == NULL) return NULL;
    elb_tensor *deviation = elb_apply(t, ELB_EXP, elb_affine(t, s, 0.5, 0));
    elb_tensor *columns =
        householder_reflect(q, t, lambda, elb_mul(t, householder_axes(q, t, s->rows), deviation), false);
    elb_tensor *mean = elb_mean_first(t, elb_apply(t, ELB_SQUARE, columns));
    return elb_named(elb_apply(t, ELB_LOG, elb_affine(t, mean, (double)q->latent, 0)), "posterior log variance");
}

const elb_posterior_type elb_posterior_householder = {
    .name = "householder",
    .source = "Tomczak & Welling 2016 (arXiv 1611.09630)",
    .state_size = sizeof(householder_state),
    .init = householder_init,
    .reset = householder_reset,
    .encode = householder_encode,
    .sample = householder_sample,
    .mean = householder_mean,
    .from_moments = elb_diagonal_from_moments,
    .log_variance = householder_log_variance,
    .log_density = householder_log_density,
    .kl_to_prior = elb_diagonal_kl_to_prior, /* of q(z_0): the sum is that of q(z) */
};
