#include <string.h>

#include "posterior/diagonal.h"

/* The Gaussian with full covariance, z = m + U eps, U upper triangular: N(m, U U^T), lambda = [m (Z), X (Z x Z)]. U is
 * X with the exponentials of its diagonal; what stands below the diagonal means nothing. (A lower factor would serve as
 * well; the ops of dist.h are for upper ones.) */

typedef struct full_state {
    elb_mlp encoder;
} full_state;

/* --- parameters --------------------------------------------------------------------------------------------------- */

static elb_status full_init(elb_posterior *q)
{
    full_state *state = q->state;
    q->local = q->latent * (q->latent + 1);
    return elb_mlp_init(&state->encoder, &q->params, "encoder", (elb_net_kind)q->options.activation, q->data,
                        &q->options.hidden, q->local);
}

/* Starts as a diagonal Gaussian: the output layer gives m and the logarithms, and 0 beside the diagonal. */
static void full_reset(elb_posterior *q, const elb_kernels *k, uint64_t key)
{
    full_state *state = q->state;
    int64_t z = q->latent, last = state->encoder.layers - 1, in = state->encoder.layer[last].in;
    elb_mlp_reset(&state->encoder, k, key);
    elb_real *weight = elb_params_data(&q->params, state->encoder.layer[last].weight);
    for (int64_t i = 0; i < z * z; i++)
        if (i / z != i % z) memset(weight + (z + i) * in, 0, (size_t)in * sizeof *weight);
}

static elb_tensor *full_encode(elb_posterior *q, elb_tape *t, elb_tensor *x)
{
    full_state *state = q->state;
    return elb_mlp_apply(&state->encoder, t, x, NULL);
}

/* --- lambda ------------------------------------------------------------------------------------------------------- */

/* X of all data, one below another: [B Z, Z]. */
static elb_tensor *full_x(elb_posterior *q, elb_tape *t, elb_tensor *lambda)
{
    int64_t z = q->latent;
    elb_tensor *x = elb_lambda_part(q, t, lambda, z, z * z);
    return x == NULL ? NULL : elb_reshape(t, x, 2, (int64_t[]){x->rows * z, z});
}

/* A number per row of X as [B, Z]. */
static elb_tensor *full_rows(const elb_posterior *q, elb_tape *t, elb_tensor *each)
{
    if (each == NULL) return NULL;
    return elb_reshape(t, each, 2, (int64_t[]){each->rows * each->cols / q->latent, q->latent});
}

/* log |det U|, the sum of X's diagonals: [B]. */
static elb_tensor *full_log_det(elb_posterior *q, elb_tape *t, elb_tensor *lambda)
{
    int64_t z = q->latent, size = z * z;
    elb_tensor *diagonal = elb_input(t, "identity", false, 1, &size);
    if (diagonal == NULL) return NULL;
    for (int64_t i = 0; i < size; i++) diagonal->data[i] = i / z == i % z;
    return elb_sum_last(t, elb_mul(t, elb_lambda_part(q, t, lambda, z, size), diagonal));
}

/* log q(z) = log N(eps; 0, I) - log |det U|. */
static elb_tensor *full_log_prob(elb_posterior *q, elb_tape *t, elb_tensor *lambda, elb_tensor *eps)
{
    return elb_sub(t, elb_standard_normal_log_prob(t, eps), full_log_det(q, t, lambda));
}

/* The same with eps = U^-1 (z - m). */
static elb_tensor *full_log_density(elb_posterior *q, elb_tape *t, elb_tensor *lambda, elb_tensor *z)
{
    elb_tensor *u = elb_triangle(t, full_x(q, t, lambda));
    return full_log_prob(q, t, lambda, elb_triangle_solve(t, u, elb_sub(t, z, elb_diagonal_mean(q, t, lambda))));
}

static elb_draw full_sample(elb_posterior *q, elb_tape *t, elb_tensor *lambda, const elb_noise *noise, elb_log_q log_q)
{
    int64_t z = q->latent;
    elb_draw d = {NULL, NULL, NULL};
    elb_tensor *u = elb_triangle(t, full_x(q, t, lambda));
    if (u == NULL) return d;
    elb_tensor *eps = elb_noise_normal(t, noise, lambda->rows, z, 0);
    elb_tensor *map =
        elb_join(t, elb_reshape(t, u, 2, (int64_t[]){lambda->rows, z * z}), elb_diagonal_mean(q, t, lambda));
    d.z = elb_linear_each(t, eps, map, 0, z, ELB_LINEAR);
    if (log_q == ELB_LOG_Q_FULL) d.log_q = full_log_prob(q, t, lambda, eps);
    if (log_q == ELB_LOG_Q_SAMPLE) d.log_q = full_log_density(q, t, elb_stop_gradient(t, lambda), d.z);
    return d;
}

/* log of the squared lengths of U's rows. */
static elb_tensor *full_log_variance(elb_posterior *q, elb_tape *t, elb_tensor *lambda)
{
    elb_tensor *squares = elb_sum_squares(t, elb_triangle(t, full_x(q, t, lambda)), q->latent);
    return elb_named(full_rows(q, t, elb_apply(t, ELB_LOG, squares)), "posterior log variance");
}

/* 1/2 (m^2 + |U_j|^2 - 1) - log U_jj. */
static elb_tensor *full_kl_to_prior(elb_posterior *q, elb_tape *t, elb_tensor *lambda)
{
    elb_tensor *mean = elb_affine(t, elb_apply(t, ELB_SQUARE, elb_diagonal_mean(q, t, lambda)), 0.5, 0);
    return elb_add(t, mean, full_rows(q, t, elb_triangle_kl(t, full_x(q, t, lambda), 1)));
}

static void full_from_moments(const elb_posterior *q, int64_t count, const elb_real *moments, elb_real *lambda)
{
    int64_t z = q->latent;
    memset(lambda, 0, (size_t)(count * q->local) * sizeof *lambda);
    for (int64_t b = 0; b < count; b++) {
        const elb_real *m = moments + b * 2 * z;
        elb_real *to = lambda + b * q->local;
        memcpy(to, m, (size_t)z * sizeof *to);
        for (int64_t i = 0; i < z; i++) to[z + i * (z + 1)] = m[z + i] / 2;
    }
}

const elb_posterior_type elb_posterior_full = {
    .name = "full",
    .source = "Rezende, Mohamed & Wierstra 2014, appendix A.2; Kucukelbir et al. 2017, section 2.4",
    .state_size = sizeof(full_state),
    .init = full_init,
    .reset = full_reset,
    .encode = full_encode,
    .sample = full_sample,
    .mean = elb_diagonal_mean,
    .log_variance = full_log_variance,
    .log_density = full_log_density,
    .kl_to_prior = full_kl_to_prior,
    .from_moments = full_from_moments,
};
