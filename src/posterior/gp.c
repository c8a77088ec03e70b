#include "posterior/gp.h"

#include <math.h>

#include "posterior/diagonal.h"

/* A Gaussian process over the encoder's output layer, in weight space (Kim & Pavlovic 2021,
 * arXiv 2102.03151; see gp.h).
 *
 * lambda is the diagonal Gaussian with the moments of z when f and g are integrated out: mean E f, variance
 * Var f + E exp g, one pass through the encoder.
 *
 * Differs from source: of which only the abstract was at hand; the kernel, the weights' prior and the moments are a
 * reconstruction. g is the log-variance, so that means of the weights are an ordinary encoder's output layer. */

typedef struct gp_state {
    elb_mlp encoder;                    /* its output layer: the means a, c of the weights */
    int64_t spread_weight, spread_bias; /* diagonal S, R: their logarithms [2Z,p-1], [2Z] */
    int64_t factor;                     /* full: Cholesky factors [2Z p, p] (elb_triangle) */
    int64_t features;                   /* p */
    double scale;                       /* k */
} gp_state;

#define GP_FIRST_SPREAD 0.1 /* standard deviation of every weight at the start, in units of k */

static bool gp_full(const elb_posterior *q)
{
    return q->options.gp_covariance == ELB_GP_FULL;
}

static elb_status gp_init(elb_posterior *q)
{
    gp_state *state = q->state;
    int64_t n = 2 * q->latent;
    q->local = n;
    ELB_TRY(elb_mlp_init(&state->encoder, &q->params, "encoder", (elb_net_kind)q->options.activation, q->data,
                         &q->options.hidden, n));
    int64_t width = state->encoder.layer[state->encoder.layers - 1].in, p = width + 1;
    state->features = p;
    state->scale = q->options.gp_scale > 0 ? q->options.gp_scale : 1 / sqrt((double)p);
    if (gp_full(q)) return elb_params_add(&q->params, &state->factor, 2, (int64_t[]){n * p, p}, "spread.factor");
    ELB_TRY(elb_params_add(&q->params, &state->spread_weight, 2, (int64_t[]){n, width}, "spread.weight"));
    return elb_params_add(&q->params, &state->spread_bias, 1, &n, "spread.bias");
}

static void gp_fill(elb_params *params, int64_t index, double value)
{
    elb_real *at = elb_params_data(params, index);
    for (int64_t i = 0; i < params->at[index].count; i++) at[i] = (elb_real)value;
}

static void gp_reset(elb_posterior *q, const elb_kernels *k, uint64_t key)
{
    gp_state *state = q->state;
    double log_deviation = log(GP_FIRST_SPREAD * state->scale);
    elb_mlp_reset(&state->encoder, k, key);
    if (!gp_full(q)) {
        gp_fill(&q->params, state->spread_weight, 2 * log_deviation);
        gp_fill(&q->params, state->spread_bias, 2 * log_deviation);
        return;
    }
    elb_real *factor = elb_params_data(&q->params, state->factor);
    gp_fill(&q->params, state->factor, 0);
    for (int64_t row = 0; row < 2 * q->latent * state->features; row++)
        factor[row * state->features + row % state->features] = (elb_real)log_deviation;
}

/* --- the functions at x ------------------------------------------------------------------------------------------- */

static elb_tensor *gp_leaf(elb_posterior *q, elb_tape *t, int64_t index)
{
    return elb_params_leaf(&q->params, t, index);
}

static elb_tensor *gp_one(elb_tape *t)
{
    elb_tensor *one = elb_input(t, "constant feature", false, 1, (int64_t[]){1});
    if (one != NULL) one->data[0] = 1;
    return one;
}

/* psi^T S psi: sum_i psi_i^2 S_i, or |U psi|^2 where S = U^T U. */
static elb_tensor *gp_variance(elb_posterior *q, elb_tape *t, elb_tensor *features)
{
    gp_state *state = q->state;
    if (gp_full(q)) {
        elb_tensor *u = elb_triangle(t, gp_leaf(q, t, state->factor)), *one = gp_one(t);
        return elb_sum_squares(t, elb_linear(t, elb_join(t, features, one), u, NULL, ELB_LINEAR), state->features);
    }
    return elb_linear(t, elb_apply(t, ELB_SQUARE, features), elb_apply(t, ELB_EXP, gp_leaf(q, t, state->spread_weight)),
                      elb_apply(t, ELB_EXP, gp_leaf(q, t, state->spread_bias)), ELB_LINEAR);
}

elb_gp_functions elb_gp_at(elb_posterior *q, elb_tape *t, elb_tensor *x)
{
    gp_state *state = q->state;
    elb_tensor *features = NULL;
    elb_tensor *mean = elb_mlp_apply(&state->encoder, t, x, &features), *variance = gp_variance(q, t, features);
    int64_t z = q->latent;
    return (elb_gp_functions){.f = {elb_columns(t, mean, 0, z), elb_columns(t, variance, 0, z)},
                              .g = {elb_columns(t, mean, z, z), elb_columns(t, variance, z, z)}};
}

/* E z = E f, Var z = Var f + E exp g. */
elb_tensor *elb_gp_lambda(elb_tape *t, const elb_gp_functions *at)
{
    elb_tensor *noise = elb_apply(t, ELB_EXP, elb_add(t, at->g.mean, elb_affine(t, at->g.variance, 0.5, 0)));
    return elb_join(t, at->f.mean, elb_apply(t, ELB_LOG, elb_add(t, at->f.variance, noise)));
}

static elb_tensor *gp_encode(elb_posterior *q, elb_tape *t, elb_tensor *x)
{
    elb_gp_functions at = elb_gp_at(q, t, x);
    return elb_gp_lambda(t, &at);
}

/* U(x) = sum_j Var f_j(x). */
static elb_tensor *gp_uncertainty(elb_posterior *q, elb_tape *t, elb_tensor *x)
{
    return elb_named(elb_sum_last(t, elb_gp_at(q, t, x).f.variance), "uncertainty");
}

/* --- the weights' KL ---------------------------------------------------------------------------------------------- */

static elb_tensor *gp_sum(elb_tape *t, elb_tensor *x)
{
    return x == NULL ? NULL : elb_affine(t, elb_mean_all(t, x), (double)(x->rows * x->cols), 0);
}

/* KL(N(a, diag S) || N(0, k^2 I)) = KL(N(a/k, diag S/k^2) || N(0, I)). */
static elb_tensor *gp_kl(const gp_state *state, elb_tape *t, elb_tensor *mean, elb_tensor *log_variance)
{
    elb_tensor *m = elb_affine(t, mean, 1 / state->scale, 0);
    elb_tensor *s = elb_affine(t, log_variance, 1, -2 * log(state->scale));
    return gp_sum(t, elb_sum_last(t, elb_gaussian_kl_standard(t, m, s)));
}

elb_tensor *elb_gp_weight_kl(elb_posterior *q, elb_tape *t)
{
    gp_state *state = q->state;
    int64_t last = state->encoder.layers - 1;
    elb_tensor *weight = gp_leaf(q, t, state->encoder.layer[last].weight);
    elb_tensor *bias = gp_leaf(q, t, state->encoder.layer[last].bias);
    if (gp_full(q)) {
        elb_tensor *mean = elb_add(t, gp_sum(t, elb_sum_squares(t, weight, state->features - 1)),
                                   gp_sum(t, elb_apply(t, ELB_SQUARE, bias)));
        return elb_add(t, elb_affine(t, mean, 0.5 / (state->scale * state->scale), 0),
                       gp_sum(t, elb_triangle_kl(t, gp_leaf(q, t, state->factor), state->scale)));
    }
    return elb_add(t, gp_kl(state, t, weight, gp_leaf(q, t, state->spread_weight)),
                   gp_kl(state, t, bias, gp_leaf(q, t, state->spread_bias)));
}

const elb_posterior_type elb_posterior_gp = {
    .name = "gp",
    .source = "Kim & Pavlovic 2021",
    .state_size = sizeof(gp_state),
    .init = gp_init,
    .reset = gp_reset,
    .encode = gp_encode,
    .sample = elb_diagonal_sample,
    .mean = elb_diagonal_mean,
    .log_variance = elb_diagonal_log_variance,
    .log_density = elb_diagonal_log_density,
    .kl_to_prior = elb_diagonal_kl_to_prior,
    .from_moments = elb_diagonal_from_moments,
    .uncertainty = gp_uncertainty,
};
