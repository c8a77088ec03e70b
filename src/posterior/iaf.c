#include <stdio.h>

#include "nn/made.h"
#include "posterior/flow.h"

/* Inverse autoregressive flow: z_0 ~ N(m, diag exp s), then steps t = 1..T
 *
 *     (m_t, c_t) = AR_t(z_{t-1}, h)
 *     z_t = sg(c_t) z_{t-1} + (1 - sg(c_t)) m_t        (gated), or exp(c_t) z_{t-1} + m_t        (affine)
 *     log q(z_T|x) = log q(z_0|x) - sum_t log|det dz_t/dz_{t-1}|
 *
 * The networks see coordinates in one order in odd steps and in the reverse order in even ones. lambda = [m
 * (Z), s (Z), h (Z)]; no h without context. A draw is one pass per step; the density at a given z would be Z
 * passes, and is not offered. */

typedef struct iaf_state {
    elb_mlp encoder;
    elb_made step[ELB_FLOW_STEPS_MAX];
    elb_flow_form form;
} iaf_state;

static int64_t iaf_context(const elb_posterior *q)
{
    return q->options.flow_context == ELB_CONTEXT_ENCODER ? q->latent : 0;
}

static elb_status iaf_init(elb_posterior *q)
{
    iaf_state *state = q->state;
    const elb_posterior_options *with = &q->options;
    ELB_TRY(elb_flow_check_context(q, 1 << ELB_CONTEXT_ENCODER | 1 << ELB_CONTEXT_NONE));
    ELB_TRY(elb_flow_check_networks(q));
    q->local = 2 * q->latent + iaf_context(q);
    state->form = with->flow_form == 0 ? ELB_FLOW_GATED : ELB_FLOW_AFFINE;
    for (int64_t i = 0; i < with->flow_steps; i++) {
        char name[32];
        snprintf(name, sizeof name, "flow.%d", (int)i);
        ELB_TRY(elb_made_init(&state->step[i], &q->params, name, (elb_net_kind)with->activation, q->latent,
                              iaf_context(q), &with->flow_hidden, i % 2 == 1));
    }
    return elb_mlp_init(&state->encoder, &q->params, "encoder", (elb_net_kind)with->activation, q->data, &with->hidden,
                        q->local);
}

static void iaf_reset(elb_posterior *q, const elb_kernels *k, uint64_t key)
{
    iaf_state *state = q->state;
    elb_mlp_reset(&state->encoder, k, key);
    for (int64_t i = 0; i < q->options.flow_steps; i++) {
        elb_made_reset(&state->step[i], k, key);
        elb_flow_open(elb_mlp_output_bias(&state->step[i].mlp), q->latent, state->form);
    }
}

static elb_tensor *iaf_encode(elb_posterior *q, elb_tape *t, elb_tensor *x)
{
    iaf_state *state = q->state;
    return elb_mlp_apply(&state->encoder, t, x, NULL);
}

/* Carries z_0 [..,B,Z] to z_T, and *log_q, where there is one, with it. */
static elb_tensor *iaf_carry(elb_posterior *q, elb_tape *t, elb_tensor *lambda, elb_tensor *z, elb_tensor **log_q)
{
    iaf_state *state = q->state;
    elb_tensor *h = iaf_context(q) > 0 ? elb_lambda_part(q, t, lambda, 2 * q->latent, iaf_context(q)) : NULL;
    for (int64_t i = 0; i < q->options.flow_steps; i++) {
        elb_tensor *mc = elb_made_apply(&state->step[i], t, z, h);
        if (*log_q != NULL) *log_q = elb_sub(t, *log_q, elb_flow_log_det(t, mc, state->form));
        z = elb_flow_step(t, z, mc, state->form);
    }
    return z;
}

static elb_draw iaf_sample(elb_posterior *q, elb_tape *t, elb_tensor *lambda, const elb_noise *noise, elb_log_q log_q)
{
    elb_draw d = elb_flow_start(q, t, lambda, noise, log_q);
    d.z = iaf_carry(q, t, lambda, d.z, &d.log_q);
    return d;
}

static elb_tensor *iaf_mean(elb_posterior *q, elb_tape *t, elb_tensor *lambda)
{
    elb_tensor *log_q = NULL;
    return elb_named(iaf_carry(q, t, lambda, elb_diagonal_mean(q, t, lambda), &log_q), "posterior mean");
}

const elb_posterior_type elb_posterior_iaf = {
    .name = "iaf",
    .source = "Kingma et al. 2016, algorithm 1",
    .state_size = sizeof(iaf_state),
    .central = true,
    .init = iaf_init,
    .reset = iaf_reset,
    .encode = iaf_encode,
    .sample = iaf_sample,
    .mean = iaf_mean,
    .from_moments = elb_diagonal_from_moments,
};
