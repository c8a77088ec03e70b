/* reference.c - the kernels in plain C: the oracle for the other tables, the only table of the double build, and what
 * runs on processors without a table of their own. Sums are kept in double. */
#include <tgmath.h>

#include "kernels/stream.h"
#include "kernels/tables.h"

#define REFERENCE_LOG_2PI 1.8378770664093454836
#define REFERENCE_2PI 6.2831853071795864769
#define REFERENCE_SQRT_HALF 0.70710678118654752440
#define REFERENCE_NORMAL_0 0.39894228040143267794 /* the normal density at 0 */

static void reference_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const elb_real *a, int64_t lda,
                           const elb_real *b, int64_t ldb, elb_real beta, elb_real *c, int64_t ldc)
{
    for (int64_t i = 0; i < m; i++) {
        elb_real *row = c + i * ldc;
        for (int64_t j = 0; beta == 0 && j < n; j++) row[j] = 0;
        if (tb) {
            for (int64_t j = 0; j < n; j++) {
                elb_real sum = 0;
                for (int64_t p = 0; p < k; p++) sum += a[ta ? p * lda + i : i * lda + p] * b[j * ldb + p];
                row[j] += sum;
            }
        } else {
            for (int64_t p = 0; p < k; p++) {
                elb_real factor = a[ta ? p * lda + i : i * lda + p];
                for (int64_t j = 0; j < n; j++) row[j] += factor * b[p * ldb + j];
            }
        }
    }
}

/* --- activations: comparisons are turned so that NaN passes through ----------------------------------------------- */

static elb_real reference_linear(elb_real x)
{
    return x;
}

static elb_real reference_tanh(elb_real x)
{
    return tanh(x);
}

static elb_real reference_relu(elb_real x)
{
    return x < 0 ? 0 : x;
}

static elb_real reference_elu(elb_real x)
{
    return x > 0 ? x : expm1(x);
}

static elb_real reference_softplus(elb_real x)
{
    return reference_relu(x) + log1p(exp(-fabs(x)));
}

static elb_real reference_sigmoid(elb_real x)
{
    elb_real e = exp(-fabs(x));
    return (x < 0 ? e : 1) / (1 + e);
}

static elb_real reference_leaky_relu(elb_real x)
{
    return x < 0 ? (elb_real)0.01 * x : x;
}

static elb_real reference_silu(elb_real x)
{
    return x * reference_sigmoid(x);
}

/* Phi(x) by erfc, which keeps its digits far on the left. */
static elb_real reference_normal_below(elb_real x)
{
    return (elb_real)0.5 * erfc(-x * (elb_real)REFERENCE_SQRT_HALF);
}

static elb_real reference_gelu(elb_real x)
{
    return x * reference_normal_below(x);
}

static elb_real reference_linear_slope(elb_real y)
{
    (void)y;
    return 1;
}

static elb_real reference_tanh_slope(elb_real y)
{
    return 1 - y * y;
}

static elb_real reference_relu_slope(elb_real y)
{
    return y > 0;
}

static elb_real reference_elu_slope(elb_real y)
{
    return y > 0 ? 1 : y + 1;
}

static elb_real reference_softplus_slope(elb_real y)
{
    return -expm1(-y);
}

static elb_real reference_sigmoid_slope(elb_real y)
{
    return y * (1 - y);
}

static elb_real reference_leaky_relu_slope(elb_real y)
{
    return y > 0 ? 1 : (elb_real)0.01;
}

static elb_real reference_silu_slope(elb_real x)
{
    elb_real s = reference_sigmoid(x);
    return s * (1 + x * (1 - s));
}

static elb_real reference_gelu_slope(elb_real x)
{
    return reference_normal_below(x) + x * (elb_real)REFERENCE_NORMAL_0 * exp(-x * x / 2);
}

static const struct {
    elb_real (*value)(elb_real x);
    elb_real (*slope)(elb_real y); /* y: the input where elb_slope_from_input */
} reference_activations[ELB_ACTIVATION_COUNT] = {
    [ELB_LINEAR] = {reference_linear, reference_linear_slope},
    [ELB_TANH] = {reference_tanh, reference_tanh_slope},
    [ELB_RELU] = {reference_relu, reference_relu_slope},
    [ELB_ELU] = {reference_elu, reference_elu_slope},
    [ELB_SOFTPLUS] = {reference_softplus, reference_softplus_slope},
    [ELB_SIGMOID] = {reference_sigmoid, reference_sigmoid_slope},
    [ELB_LEAKY_RELU] = {reference_leaky_relu, reference_leaky_relu_slope},
    [ELB_SILU] = {reference_silu, reference_silu_slope},
    [ELB_GELU] = {reference_gelu, reference_gelu_slope},
};

static void reference_activate(elb_activation act, int64_t rows, int64_t cols, const elb_real *bias, elb_real *y,
                               int64_t ld)
{
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < cols; j++) {
            elb_real *at = y + i * ld + j;
            *at = reference_activations[act].value(bias ? *at + bias[j] : *at);
        }
    }
}

static void reference_activate_backward(elb_activation act, int64_t n, const elb_real *y, const elb_real *dy,
                                        elb_real *dx)
{
    for (int64_t i = 0; i < n; i++) dx[i] = dy[i] * reference_activations[act].slope(y[i]);
}

/* --- elementwise -------------------------------------------------------------------------------------------------- */

static elb_real reference_exp(elb_real x)
{
    return exp(x);
}

static elb_real reference_log(elb_real x)
{
    return log(x);
}

static elb_real reference_square(elb_real x)
{
    return x * x;
}

static elb_real reference_exp_slope(elb_real x, elb_real y)
{
    (void)x;
    return y;
}

static elb_real reference_log_slope(elb_real x, elb_real y)
{
    (void)y;
    return 1 / x;
}

static elb_real reference_square_slope(elb_real x, elb_real y)
{
    (void)y;
    return 2 * x;
}

static const struct {
    elb_real (*value)(elb_real x);
    elb_real (*slope)(elb_real x, elb_real y);
} reference_unaries[ELB_UNARY_COUNT] = {
    [ELB_EXP] = {reference_exp, reference_exp_slope},
    [ELB_LOG] = {reference_log, reference_log_slope},
    [ELB_SQUARE] = {reference_square, reference_square_slope},
};

static void reference_unary(elb_unary f, int64_t n, const elb_real *x, elb_real *y)
{
    for (int64_t i = 0; i < n; i++) y[i] = reference_unaries[f].value(x[i]);
}

static void reference_unary_backward(elb_unary f, int64_t n, const elb_real *x, const elb_real *y, const elb_real *dy,
                                     elb_real *dx)
{
    for (int64_t i = 0; i < n; i++) dx[i] += dy[i] * reference_unaries[f].slope(x[i], y[i]);
}

static void reference_add(int64_t n, const elb_real *a, const elb_real *b, elb_real *y)
{
    for (int64_t i = 0; i < n; i++) y[i] = a[i] + b[i];
}

static void reference_mul(int64_t n, const elb_real *a, const elb_real *b, elb_real *y)
{
    for (int64_t i = 0; i < n; i++) y[i] = a[i] * b[i];
}

static void reference_mul_add(int64_t n, const elb_real *a, const elb_real *b, elb_real *y)
{
    for (int64_t i = 0; i < n; i++) y[i] += a[i] * b[i];
}

static void reference_axpy(int64_t n, elb_real alpha, const elb_real *x, elb_real *y)
{
    for (int64_t i = 0; i < n; i++) y[i] += alpha * x[i];
}

static void reference_axpby(int64_t n, elb_real alpha, const elb_real *x, elb_real beta, elb_real *y)
{
    for (int64_t i = 0; i < n; i++) y[i] = alpha * x[i] + beta;
}

static elb_real reference_sum(int64_t n, const elb_real *x)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return sum;
}

static elb_real reference_dot(int64_t n, const elb_real *x, const elb_real *y)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * y[i];
    return sum;
}

/* --- likelihoods -------------------------------------------------------------------------------------------------- */

static elb_real reference_bernoulli_log(int64_t n, const elb_real *x, const elb_real *a)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * a[i] - reference_softplus(a[i]);
    return sum;
}

static void reference_bernoulli_grad(int64_t n, const elb_real *x, const elb_real *a, elb_real g, elb_real *da)
{
    for (int64_t i = 0; i < n; i++) da[i] += g * (x[i] - reference_sigmoid(a[i]));
}

/* log a - log(e^a - 1) = -max(a,0) - log((1 - e^-t)/t) with t = |a|; expm1 makes it exact to
 * rounding for every t > 0. */
static elb_real reference_continuous_bernoulli_log(int64_t n, const elb_real *x, const elb_real *a)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        elb_real t = fabs(a[i]);
        elb_real spread = t == 0 ? 0 : log(-expm1(-t) / t);
        sum += (double)x[i] * a[i] - reference_relu(a[i]) - spread;
    }
    return sum;
}

/* 1/(1 - e^-a) - 1/a. The two terms cancel near 0; there the Taylor series, whose next term is below 3e-13. */
static elb_real reference_continuous_bernoulli_mean(elb_real a)
{
    elb_real t = fabs(a), s = a * a;
    if (t < (elb_real)0.5) {
        elb_real series = 1. / 12 + s * (-1. / 720 + s * (1. / 30240 + s * (-1. / 1209600 + s * (1. / 47900160))));
        return (elb_real)0.5 + a * series;
    }
    elb_real mean = -1 / expm1(-t) - 1 / t;
    return a < 0 ? 1 - mean : mean;
}

static void reference_continuous_bernoulli_grad(int64_t n, const elb_real *x, const elb_real *a, elb_real g,
                                                elb_real *da)
{
    for (int64_t i = 0; i < n; i++) da[i] += g * (x[i] - reference_continuous_bernoulli_mean(a[i]));
}

static elb_real reference_gaussian_log(int64_t n, const elb_real *x, const elb_real *a, const elb_real *l)
{
    double sum = n * REFERENCE_LOG_2PI;
    for (int64_t i = 0; i < n; i++) {
        elb_real d = x[i] - a[i];
        sum += (double)l[i] + (double)d * d * exp(-l[i]);
    }
    return -0.5 * sum;
}

static void reference_gaussian_grad(int64_t n, const elb_real *x, const elb_real *a, const elb_real *l, elb_real g,
                                    elb_real *dx, elb_real *da, elb_real *dl)
{
    for (int64_t i = 0; i < n; i++) {
        elb_real d = x[i] - a[i], pull = d * exp(-l[i]);
        if (dx) dx[i] -= g * pull;
        if (da) da[i] += g * pull;
        if (dl) dl[i] += g * (elb_real)0.5 * (d * pull - 1);
    }
}

/* --- diagonal Gaussian posterior ---------------------------------------------------------------------------------- */

static void reference_gaussian_sample(int64_t n, const elb_real *m, const elb_real *s, const elb_real *eps, elb_real *z)
{
    for (int64_t i = 0; i < n; i++) z[i] = m[i] + exp(s[i] / 2) * eps[i];
}

static void reference_gaussian_sample_grad(int64_t n, const elb_real *s, const elb_real *eps, const elb_real *dz,
                                           elb_real *dm, elb_real *ds)
{
    for (int64_t i = 0; i < n; i++) {
        dm[i] += dz[i];
        ds[i] += dz[i] * eps[i] * exp(s[i] / 2) / 2;
    }
}

static void reference_kl_standard(int64_t n, const elb_real *m, const elb_real *s, elb_real *y)
{
    for (int64_t i = 0; i < n; i++) y[i] = (expm1(s[i]) - s[i] + m[i] * m[i]) / 2;
}

static void reference_kl_standard_grad(int64_t n, const elb_real *m, const elb_real *s, const elb_real *g, elb_real *dm,
                                       elb_real *ds)
{
    for (int64_t i = 0; i < n; i++) {
        dm[i] += g[i] * m[i];
        ds[i] += g[i] * expm1(s[i]) / 2;
    }
}

/* --- optimisers --------------------------------------------------------------------------------------------------- */

static void reference_adam(const elb_adam_step *h, int64_t n, elb_real *p, const elb_real *g, elb_real *m, elb_real *v)
{
    for (int64_t i = 0; i < n; i++) {
        elb_real slope = h->gradient_scale * g[i] + h->weight_decay * p[i];
        m[i] = h->beta1 * m[i] + (1 - h->beta1) * slope;
        v[i] = h->beta2 * v[i] + (1 - h->beta2) * slope * slope;
        p[i] -= h->rate * m[i] / (sqrt(v[i]) * h->second_root + h->epsilon);
    }
}

static void reference_adamax(const elb_adam_step *h, int64_t n, elb_real *p, const elb_real *g, elb_real *m,
                             elb_real *u)
{
    for (int64_t i = 0; i < n; i++) {
        elb_real slope = h->gradient_scale * g[i] + h->weight_decay * p[i];
        elb_real old = h->beta2 * u[i], now = fabs(slope) + h->epsilon;
        m[i] = h->beta1 * m[i] + (1 - h->beta1) * slope;
        u[i] = old > now ? old : now;
        p[i] -= h->rate * m[i] / u[i];
    }
}

static void reference_sgd(const elb_adam_step *h, int64_t n, elb_real *p, const elb_real *g, elb_real *v)
{
    for (int64_t i = 0; i < n; i++) {
        v[i] = h->beta1 * v[i] + h->gradient_scale * g[i] + h->weight_decay * p[i];
        p[i] -= h->rate * v[i];
    }
}

static void reference_leapfrog(const elb_leapfrog *h, int64_t n, const elb_real *a, const elb_real *b, elb_real *v,
                               elb_real *z)
{
    for (int64_t i = 0; i < n; i++) {
        elb_real force = a[i] + h->t * b[i];
        v[i] += h->kick * (force > h->limit ? h->limit : force < -h->limit ? -h->limit : force);
        z[i] += h->drift * v[i];
    }
}

/* --- random numbers ----------------------------------------------------------------------------------------------- */

/* The uniforms of one block; returns how many of them are inside a row of n. */
static int64_t reference_block(elb_stream at, int64_t first, int64_t n, elb_real u[ELB_BLOCK_WORDS])
{
    philox4x32_ctr_t words = elb_stream_block(at, (uint32_t)(first / ELB_BLOCK_WORDS));
    for (int k = 0; k < ELB_BLOCK_WORDS; k++) u[k] = elb_stream_uniform(words.v[k]);
    return n - first < ELB_BLOCK_WORDS ? n - first : ELB_BLOCK_WORDS;
}

static void reference_uniform(elb_stream at, int64_t n, elb_real *u)
{
    for (int64_t i = 0; i < n; i += ELB_BLOCK_WORDS) {
        elb_real block[ELB_BLOCK_WORDS];
        int64_t count = reference_block(at, i, n, block);
        for (int64_t k = 0; k < count; k++) u[i + k] = block[k];
    }
}

static void reference_normal(elb_stream at, int64_t n, elb_real *z)
{
    for (int64_t i = 0; i < n; i += ELB_BLOCK_WORDS) {
        elb_real block[ELB_BLOCK_WORDS];
        int64_t count = reference_block(at, i, n, block);
        for (int64_t k = 0; k < count; k++) {
            const elb_real *pair = block + (k & ~1);
            double radius = sqrt(-2 * log((double)pair[0])), angle = REFERENCE_2PI * pair[1];
            z[i + k] = radius * (k & 1 ? sin(angle) : cos(angle));
        }
    }
}

static void reference_bernoulli(elb_stream at, int64_t n, const elb_real *p, elb_real *x)
{
    for (int64_t i = 0; i < n; i += ELB_BLOCK_WORDS) {
        elb_real block[ELB_BLOCK_WORDS];
        int64_t count = reference_block(at, i, n, block);
        for (int64_t k = 0; k < count; k++) x[i + k] = block[k] < p[i + k];
    }
}

const elb_kernels elb_kernels_reference = {
    .name = "reference",
    .gemm = reference_gemm,
    .activate = reference_activate,
    .activate_backward = reference_activate_backward,
    .unary = reference_unary,
    .unary_backward = reference_unary_backward,
    .add = reference_add,
    .mul = reference_mul,
    .mul_add = reference_mul_add,
    .axpy = reference_axpy,
    .axpby = reference_axpby,
    .sum = reference_sum,
    .dot = reference_dot,
    .bernoulli_log = reference_bernoulli_log,
    .bernoulli_grad = reference_bernoulli_grad,
    .continuous_bernoulli_log = reference_continuous_bernoulli_log,
    .continuous_bernoulli_grad = reference_continuous_bernoulli_grad,
    .gaussian_log = reference_gaussian_log,
    .gaussian_grad = reference_gaussian_grad,
    .gaussian_sample = reference_gaussian_sample,
    .gaussian_sample_grad = reference_gaussian_sample_grad,
    .kl_standard = reference_kl_standard,
    .kl_standard_grad = reference_kl_standard_grad,
    .adam = reference_adam,
    .adamax = reference_adamax,
    .sgd = reference_sgd,
    .leapfrog = reference_leapfrog,
    .uniform = reference_uniform,
    .normal = reference_normal,
    .bernoulli = reference_bernoulli,
};
