#include "posterior/aux_flow.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "nn/mlp_each.h"
#include "posterior/flow.h"

/* RealNVP with an auxiliary variable v, as wide as z: z_0 ~ N(m, diag exp s), v_0 ~ q(v_0), then T pairs of couplings
 *
 *     v_t = v_{t-1} sg(c) + b,    (b, c) = A_t(z_{t-1}, h)
 *     z_t = z_{t-1} sg(c) + b,    (b, c) = B_t(v_t, h)
 *
 * with exp(c) for sg(c) when affine, and r(v_T|z_T, h), a diagonal Gaussian from a network. A draw's log_q is
 *
 *     log q(z_0|x) + log q(v_0|x) - sum log|det| - log r(v_T|z_T, h),
 *
 * whose mean is that of log q(z_T|x) + KL(q(v_T|z_T, x) || r): the ELBO with it bounds the ELBO of the marginal
 * q(z_T|x) from below, and exp(log_q) weighs samples as properly as the density itself, in the space of (z, v).
 *
 * By context. encoder: lambda = [m, s, h (Z)]; none: lambda = [m, s], no h; v_0 ~ N(0, I) in both. local: no h, but
 * lambda = [m, s, mean and log-variance of v_0 (Z each), every network's weights]; encode fills all after s from
 * parameters that the data share, and refinement can fit a flow to every datum. */

typedef struct aux_net {
    elb_mlp shared;   /* by parameters, */
    elb_mlp_each own; /* or by the datum's numbers in lambda */
} aux_net;

typedef struct aux_state {
    elb_mlp encoder;
    aux_net coupling[2 * ELB_FLOW_STEPS_MAX], reverse;
    int64_t local; /* parameter that lambda's part after s starts from; context local only */
    elb_flow_form form;
} aux_state;

static bool aux_is_local(const elb_posterior *q)
{
    return q->options.flow_context == ELB_CONTEXT_LOCAL;
}

static int64_t aux_context(const elb_posterior *q)
{
    return q->options.flow_context == ELB_CONTEXT_ENCODER ? q->latent : 0;
}

/* --- the networks ------------------------------------------------------------------------------------------------- */

/* Networks 0 .. 2T-1 are the couplings, 2T is r's. */
static int64_t aux_net_count(const elb_posterior *q)
{
    return 2 * q->options.flow_steps + 1;
}

static aux_net *aux_net_at(const elb_posterior *q, int64_t i)
{
    aux_state *state = q->state;
    return i == 2 * q->options.flow_steps ? &state->reverse : &state->coupling[i];
}

static elb_status aux_init_shared(elb_posterior *q)
{
    for (int64_t i = 0; i < aux_net_count(q); i++) {
        char name[32];
        snprintf(name, sizeof name, i == 2 * q->options.flow_steps ? "reverse" : "flow.%d", (int)i);
        ELB_TRY(elb_mlp_init(&aux_net_at(q, i)->shared, &q->params, name, (elb_net_kind)q->options.activation,
                             q->latent + aux_context(q), &q->options.flow_hidden, 2 * q->latent));
    }
    return ELB_OK;
}

static elb_status aux_init_local(elb_posterior *q)
{
    aux_state *state = q->state;
    int64_t begin = 2 * q->latent;
    q->local = 4 * q->latent;
    for (int64_t i = 0; i < aux_net_count(q); i++) {
        elb_mlp_each *net = &aux_net_at(q, i)->own;
        elb_mlp_each_init(net, (elb_net_kind)q->options.activation, q->latent, &q->options.flow_hidden, 2 * q->latent,
                          q->local);
        q->local = net->end;
    }
    return elb_params_add(&q->params, &state->local, 1, (int64_t[]){q->local - begin}, "flow.local");
}

/* What the networks know of the datum: h, all of lambda, or nothing. */
static elb_tensor *aux_given(elb_posterior *q, elb_tape *t, elb_tensor *lambda)
{
    if (aux_is_local(q)) return lambda;
    return aux_context(q) > 0 ? elb_lambda_part(q, t, lambda, 2 * q->latent, aux_context(q)) : NULL;
}

/* Network i of [..,B,Z], with what it is given -> [..,B,2Z]. */
static elb_tensor *aux_apply(elb_posterior *q, elb_tape *t, int64_t i, elb_tensor *x, elb_tensor *given)
{
    aux_net *net = aux_net_at(q, i);
    if (aux_is_local(q)) return elb_mlp_each_apply(&net->own, t, x, given);
    return elb_mlp_apply(&net->shared, t, given != NULL ? elb_join(t, x, given) : x, NULL);
}

/* --- parameters --------------------------------------------------------------------------------------------------- */

static elb_status aux_init(elb_posterior *q)
{
    aux_state *state = q->state;
    const elb_posterior_options *with = &q->options;
    if (aux_is_local(q)) ELB_TRY(elb_flow_check_networks(q));
    int64_t encoded = 2 * q->latent + aux_context(q);
    state->form = with->flow_form == 0 ? ELB_FLOW_SCALED : ELB_FLOW_AFFINE;
    q->local = encoded;
    ELB_TRY(aux_is_local(q) ? aux_init_local(q) : aux_init_shared(q));
    return elb_mlp_init(&state->encoder, &q->params, "encoder", (elb_net_kind)with->activation, q->data, &with->hidden,
                        encoded);
}

/* Starts network i, and gives the biases that it ends with. */
static elb_real *aux_reset_net(elb_posterior *q, const elb_kernels *k, uint64_t key, int64_t i)
{
    aux_state *state = q->state;
    aux_net *net = aux_net_at(q, i);
    if (!aux_is_local(q)) {
        elb_mlp_reset(&net->shared, k, key);
        return elb_mlp_output_bias(&net->shared);
    }
    elb_real *from = elb_params_data(&q->params, state->local);
    elb_mlp_each_reset(&net->own, k, key, 2 * q->latent, from);
    return from + (net->own.end - 2 * q->latent) - 2 * q->latent;
}

static void aux_reset(elb_posterior *q, const elb_kernels *k, uint64_t key)
{
    aux_state *state = q->state;
    elb_mlp_reset(&state->encoder, k, key);
    if (aux_is_local(q)) /* v_0 ~ N(0, I) */
        memset(elb_params_data(&q->params, state->local), 0, (size_t)(2 * q->latent) * sizeof(elb_real));
    for (int64_t i = 0; i < aux_net_count(q); i++) {
        elb_real *bias = aux_reset_net(q, k, key, i);
        if (i < 2 * q->options.flow_steps) elb_flow_open(bias, q->latent, state->form);
    }
}

static elb_tensor *aux_encode(elb_posterior *q, elb_tape *t, elb_tensor *x)
{
    aux_state *state = q->state;
    elb_tensor *encoded = elb_mlp_apply(&state->encoder, t, x, NULL);
    return aux_is_local(q) ? elb_join(t, encoded, elb_params_leaf(&q->params, t, state->local)) : encoded;
}

/* --- draws -------------------------------------------------------------------------------------------------------- */

/* Mean and log-variance of v_0 where they are the datum's own. */
static elb_tensor *aux_v(elb_posterior *q, elb_tape *t, elb_tensor *lambda, int64_t i)
{
    return elb_lambda_part(q, t, lambda, (2 + i) * q->latent, q->latent);
}

static elb_tensor *aux_start(elb_posterior *q, elb_tape *t, elb_tensor *lambda, const elb_noise *noise)
{
    if (lambda == NULL) return NULL;
    elb_tensor *v = elb_noise_normal(t, noise, lambda->rows, q->latent, 1);
    return aux_is_local(q) ? elb_gaussian_sample(t, aux_v(q, t, lambda, 0), aux_v(q, t, lambda, 1), v) : v;
}

/* log q(z_0|x) + log q(v_0|x). */
static elb_tensor *aux_log_start(elb_posterior *q, elb_tape *t, elb_tensor *lambda, elb_tensor *z, elb_tensor *v)
{
    elb_tensor *log_v = aux_is_local(q) ? elb_gaussian_log_prob(t, v, aux_v(q, t, lambda, 0), aux_v(q, t, lambda, 1))
                                        : elb_standard_normal_log_prob(t, v);
    return elb_add(t, elb_diagonal_log_density(q, t, lambda, z), log_v);
}

/* Half a pair: x by the numbers that network i makes of y. */
static elb_tensor *aux_couple(elb_posterior *q, elb_tape *t, int64_t i, elb_tensor *x, elb_tensor *y, elb_tensor *given,
                              elb_tensor **log_q)
{
    aux_state *state = q->state;
    elb_tensor *bc = aux_apply(q, t, i, y, given);
    if (*log_q != NULL) *log_q = elb_sub(t, *log_q, elb_flow_log_det(t, bc, state->form));
    return elb_flow_step(t, x, bc, state->form);
}

/* The same undone; what log q loses by it is added to *log_det. */
static elb_tensor *aux_uncouple(elb_posterior *q, elb_tape *t, int64_t i, elb_tensor *x, elb_tensor *y,
                                elb_tensor *given, elb_tensor **log_det)
{
    aux_state *state = q->state;
    elb_tensor *bc = aux_apply(q, t, i, y, given), *more = elb_flow_log_det(t, bc, state->form);
    *log_det = *log_det != NULL ? elb_add(t, *log_det, more) : more;
    return elb_flow_undo(t, x, bc, state->form);
}

/* log r(v|z), [..,B]. */
static elb_tensor *aux_log_reverse(elb_posterior *q, elb_tape *t, elb_tensor *v, elb_tensor *z, elb_tensor *given)
{
    elb_tensor *r = aux_apply(q, t, 2 * q->options.flow_steps, z, given);
    return elb_gaussian_log_prob(t, v, elb_columns(t, r, 0, q->latent), elb_columns(t, r, q->latent, q->latent));
}

/* Carries (z_0, v_0) to (z_T, v_T). */
static void aux_carry(elb_posterior *q, elb_tape *t, elb_tensor *given, elb_tensor **z, elb_tensor **v,
                      elb_tensor **log_q)
{
    for (int64_t i = 0; i < 2 * q->options.flow_steps; i += 2) {
        *v = aux_couple(q, t, i, *v, *z, given, log_q);
        *z = aux_couple(q, t, i + 1, *z, *v, given, log_q);
    }
}

/* log q(z_T, v_T|x), where they came from found by the couplings undone; its gradient is by z_T and v_T alone. */
static elb_tensor *aux_log_held(elb_posterior *q, elb_tape *t, elb_tensor *lambda, elb_tensor *z, elb_tensor *v)
{
    bool frozen = q->params.frozen;
    elb_tensor *held = elb_stop_gradient(t, lambda), *given = aux_given(q, t, held), *log_det = NULL;
    q->params.frozen = true;
    for (int64_t i = 2 * q->options.flow_steps - 2; i >= 0; i -= 2) {
        z = aux_uncouple(q, t, i + 1, z, v, given, &log_det);
        v = aux_uncouple(q, t, i, v, z, given, &log_det);
    }
    q->params.frozen = frozen;
    return elb_sub(t, aux_log_start(q, t, held, z, v), log_det);
}

static elb_draw aux_sample(elb_posterior *q, elb_tape *t, elb_tensor *lambda, const elb_noise *noise, elb_log_q log_q)
{
    elb_draw d = elb_diagonal_sample(q, t, lambda, noise, ELB_LOG_Q_NONE);
    elb_tensor *v = aux_start(q, t, lambda, noise), *given = aux_given(q, t, lambda);
    if (log_q == ELB_LOG_Q_FULL) d.log_q = aux_log_start(q, t, lambda, d.z, v);
    aux_carry(q, t, given, &d.z, &v, &d.log_q);
    if (log_q == ELB_LOG_Q_SAMPLE) d.log_q = aux_log_held(q, t, lambda, d.z, v);
    if (log_q != ELB_LOG_Q_NONE) d.log_q = elb_sub(t, d.log_q, aux_log_reverse(q, t, v, d.z, given));
    return d;
}

/* --- lambda from elsewhere ---------------------------------------------------------------------------------------- */

/* Lets a network's first layer see (z - m) / sd where it was to see z: of a narrow z it would see a constant. */
static void aux_standardise(const elb_posterior *q, const elb_mlp_each *net, const elb_real *m, const elb_real *s,
                            double scale, elb_real *lambda)
{
    int64_t n = q->latent, out = net->layer[0].out;
    elb_real *weight = lambda + net->layer[0].at, *bias = weight + out * n;
    for (int64_t k = 0; k < out; k++)
        for (int64_t i = 0; i < n; i++) {
            weight[k * n + i] *= (elb_real)(exp(-(double)s[i] / 2) / scale);
            bias[k] -= weight[k * n + i] * m[i] * (elb_real)scale;
        }
}

/* A flow of the datum's own that gives the Gaussian itself: its networks' output layers have no weights, so that every
 * pair of couplings is a scale, for which z_0 and v_0 make up, and r is v_T's N(0, I). */
static void aux_own_from_moments(const elb_posterior *q, const elb_real *moments, elb_real *lambda)
{
    const aux_state *state = q->state;
    int64_t n = q->latent;
    bool scaled = state->form == ELB_FLOW_SCALED;
    double shrink = scaled ? -(double)q->options.flow_steps * log1p(exp(-ELB_FLOW_START_OPEN)) : 0; /* log of it */
    memcpy(lambda + 2 * n, q->params.data + q->params.at[state->local].offset,
           (size_t)(q->local - 2 * n) * sizeof *lambda);
    for (int64_t i = 0; i < n; i++) {
        lambda[i] = moments[i] * (elb_real)exp(-shrink);
        lambda[n + i] = moments[n + i] - (elb_real)(2 * shrink);
        lambda[2 * n + i] = 0;
        lambda[3 * n + i] = (elb_real)(-2 * shrink);
    }
    for (int64_t i = 0; i < aux_net_count(q); i++) {
        const elb_mlp_each *net = &aux_net_at(q, i)->own;
        elb_real *last = lambda + net->layer[net->layers - 1].at;
        int64_t steps_before = i / 2; /* a step of the flow has two networks */
        double scaled_so_far = exp(shrink * (double)steps_before / (double)q->options.flow_steps);
        if (i % 2 == 0) aux_standardise(q, net, lambda, lambda + n, scaled_so_far, lambda);
        memset(last, 0, (size_t)(net->end - net->layer[net->layers - 1].at) * sizeof *last);
        if (i < 2 * q->options.flow_steps) elb_flow_open(lambda + net->end - 2 * n, n, state->form);
    }
}

/* Where the weights are shared the flow carries the Gaussian on. */
static void aux_from_moments(const elb_posterior *q, int64_t count, const elb_real *moments, elb_real *lambda)
{
    if (!aux_is_local(q)) {
        elb_diagonal_from_moments(q, count, moments, lambda);
        return;
    }
    for (int64_t b = 0; b < count; b++) aux_own_from_moments(q, moments + 2 * b * q->latent, lambda + b * q->local);
}

/* One network's weights as numbers of the datum: h, which it knows, goes into the first layer's biases. */
static void aux_localise_net(const elb_posterior *q, const elb_mlp *shared, const elb_mlp_each *own, const elb_real *h,
                             elb_real *lambda)
{
    for (int64_t i = 0; i < own->layers; i++) {
        int64_t in = own->layer[i].in, out = own->layer[i].out, wide = shared->layer[i].in;
        const elb_real *weight = q->params.data + q->params.at[shared->layer[i].weight].offset;
        const elb_real *bias = q->params.data + q->params.at[shared->layer[i].bias].offset;
        elb_real *to = lambda + own->layer[i].at;
        for (int64_t k = 0; k < out; k++) {
            double sum = (double)bias[k];
            memcpy(to + k * in, weight + k * wide, (size_t)in * sizeof *to);
            for (int64_t l = in; l < wide; l++) sum += (double)weight[k * wide + l] * (double)h[l - in];
            to[out * in + k] = (elb_real)sum;
        }
    }
}

bool elb_aux_flow_shared(const elb_posterior *q)
{
    return q->type == &elb_posterior_aux_flow && !aux_is_local(q);
}

void elb_aux_flow_localise(const elb_posterior *q, const elb_posterior *own, int64_t count, const elb_real *encoded,
                           elb_real *lambda)
{
    int64_t n = q->latent;
    for (int64_t b = 0; b < count; b++) {
        const elb_real *from = encoded + b * q->local;
        elb_real *to = lambda + b * own->local;
        memcpy(to, from, (size_t)(2 * n) * sizeof *to);
        memset(to + 2 * n, 0, (size_t)(2 * n) * sizeof *to); /* v_0 ~ N(0, I) */
        for (int64_t i = 0; i < aux_net_count(q); i++)
            aux_localise_net(q, &aux_net_at(q, i)->shared, &aux_net_at(own, i)->own, from + 2 * n, to);
    }
}

/* --- the interface ------------------------------------------------------------------------------------------------ */

/* Where the means of z_0 and v_0 are carried. */
static elb_tensor *aux_mean(elb_posterior *q, elb_tape *t, elb_tensor *lambda)
{
    elb_tensor *z = elb_diagonal_mean(q, t, lambda), *log_q = NULL;
    elb_tensor *v = aux_is_local(q) ? elb_lambda_part(q, t, lambda, 2 * q->latent, q->latent) : elb_affine(t, z, 0, 0);
    aux_carry(q, t, aux_given(q, t, lambda), &z, &v, &log_q);
    return elb_named(z, "posterior mean");
}

const elb_posterior_type elb_posterior_aux_flow = {
    .name = "aux_flow",
    .source = "Cremer, Li & Duvenaud 2018; couplings of Dinh et al. 2017",
    .state_size = sizeof(aux_state),
    .sticks = true,
    .central = true,
    .init = aux_init,
    .reset = aux_reset,
    .encode = aux_encode,
    .sample = aux_sample,
    .mean = aux_mean,
    .from_moments = aux_from_moments,
};
