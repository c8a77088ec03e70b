/* vector.c - the kernels over vectors of ELB_LANES floats. Compiled once per instruction set, see lanes.h; elements
 * behind the last whole vector take the same operations under a mask, so that an element's bits do not depend on where
 * it stands. Sums go to one accumulator per lane (four for the plain ones), in an order given by n alone. */
#include "kernels/gemm.h"
#include "kernels/lanes.h"
#include "kernels/vector_random.h"

#define VECTOR_LOG_2PI 1.83787707f
#define VECTOR_SQRT_HALF 0.707106781f
#define VECTOR_NORMAL_0 0.398942280f /* the normal density at 0 */

/* --- activations -------------------------------------------------------------------------------------------------- */

static inline lanes vector_relu(lanes x)
{
    return lanes_max(lanes_all(0), x);
}

static inline lanes vector_elu(lanes x)
{
    return lanes_if_less(lanes_all(0), x, x, lanes_expm1(x));
}

static inline lanes vector_softplus(lanes x)
{
    return vector_relu(x) + lanes_log1p(lanes_exp(-lanes_abs(x)));
}

static inline lanes vector_sigmoid(lanes x)
{
    return 1.0f / (1.0f + lanes_exp(-x));
}

static inline lanes vector_leaky_relu(lanes x)
{
    return lanes_max(0.01f * x, x);
}

static inline lanes vector_silu_slope(lanes x)
{
    lanes s = vector_sigmoid(x);
    return s * lanes_fma(x, 1.0f - s, lanes_all(1));
}

static inline lanes vector_normal_below(lanes x)
{
    return 0.5f * lanes_erfc(-x * VECTOR_SQRT_HALF);
}

static inline lanes vector_gelu_slope(lanes x)
{
    return lanes_fma(x, VECTOR_NORMAL_0 * lanes_exp(-0.5f * x * x), vector_normal_below(x));
}

/* One row, and the slope from the output (y; the input where elb_slope_from_input): both generated, so that each
 * activation is one expression. */
#define VECTOR_ACTIVATION(name, value, slope)                                                                          \
    static void vector_##name##_row(int64_t n, const float *bias, float *out)                                          \
    {                                                                                                                  \
        LANES_EACH(n, {                                                                                                \
            lanes x = lanes_get(out + i, part);                                                                        \
            if (bias) x += lanes_get(bias + i, part);                                                                  \
            lanes_put(out + i, part, value);                                                                           \
        });                                                                                                            \
    }                                                                                                                  \
    static void vector_##name##_back(int64_t n, const float *out, const float *dy, float *dx)                          \
    {                                                                                                                  \
        LANES_EACH(n, {                                                                                                \
            lanes y = lanes_get(out + i, part);                                                                        \
            (void)y;                                                                                                   \
            lanes_put(dx + i, part, lanes_get(dy + i, part) * (slope));                                                \
        });                                                                                                            \
    }

VECTOR_ACTIVATION(linear, x, 1.0f)
VECTOR_ACTIVATION(tanh, lanes_tanh(x), lanes_fma(-y, y, lanes_all(1)))
VECTOR_ACTIVATION(relu, vector_relu(x), lanes_if_less(lanes_all(0), y, lanes_all(1), lanes_all(0)))
VECTOR_ACTIVATION(elu, vector_elu(x), lanes_if_less(lanes_all(0), y, lanes_all(1), y + 1.0f))
VECTOR_ACTIVATION(softplus, vector_softplus(x), -lanes_expm1(-y))
VECTOR_ACTIVATION(sigmoid, vector_sigmoid(x), (y * (1.0f - y)))
VECTOR_ACTIVATION(leaky_relu, vector_leaky_relu(x), lanes_if_less(lanes_all(0), y, lanes_all(1), lanes_all(0.01f)))
VECTOR_ACTIVATION(silu, (x * vector_sigmoid(x)), vector_silu_slope(y))
VECTOR_ACTIVATION(gelu, (x * vector_normal_below(x)), vector_gelu_slope(y))

static const struct {
    void (*row)(int64_t n, const float *bias, float *out);
    void (*back)(int64_t n, const float *out, const float *dy, float *dx);
} vector_activations[ELB_ACTIVATION_COUNT] = {
    [ELB_LINEAR] = {vector_linear_row, vector_linear_back},
    [ELB_TANH] = {vector_tanh_row, vector_tanh_back},
    [ELB_RELU] = {vector_relu_row, vector_relu_back},
    [ELB_ELU] = {vector_elu_row, vector_elu_back},
    [ELB_SOFTPLUS] = {vector_softplus_row, vector_softplus_back},
    [ELB_SIGMOID] = {vector_sigmoid_row, vector_sigmoid_back},
    [ELB_LEAKY_RELU] = {vector_leaky_relu_row, vector_leaky_relu_back},
    [ELB_SILU] = {vector_silu_row, vector_silu_back},
    [ELB_GELU] = {vector_gelu_row, vector_gelu_back},
};

static void vector_activate(elb_activation act, int64_t rows, int64_t cols, const float *bias, float *y, int64_t ld)
{
    for (int64_t i = 0; i < rows; i++) vector_activations[act].row(cols, bias, y + i * ld);
}

static void vector_activate_backward(elb_activation act, int64_t n, const float *y, const float *dy, float *dx)
{
    vector_activations[act].back(n, y, dy, dx);
}

/* --- elementwise -------------------------------------------------------------------------------------------------- */

#define VECTOR_UNARY(name, value, slope)                                                                               \
    static void vector_##name##_map(int64_t n, const float *in, float *out)                                            \
    {                                                                                                                  \
        LANES_EACH(n, {                                                                                                \
            lanes x = lanes_get(in + i, part);                                                                         \
            lanes_put(out + i, part, value);                                                                           \
        });                                                                                                            \
    }                                                                                                                  \
    static void vector_##name##_back(int64_t n, const float *in, const float *out, const float *dy, float *dx)         \
    {                                                                                                                  \
        LANES_EACH(n, {                                                                                                \
            lanes x = lanes_get(in + i, part), y = lanes_get(out + i, part);                                           \
            (void)x, (void)y;                                                                                          \
            lanes_put(dx + i, part, lanes_fma(lanes_get(dy + i, part), slope, lanes_get(dx + i, part)));               \
        });                                                                                                            \
    }

VECTOR_UNARY(exp, lanes_exp(x), y)
VECTOR_UNARY(log, lanes_log(x), 1.0f / x)
VECTOR_UNARY(square, (x * x), 2.0f * x)

static const struct {
    void (*map)(int64_t n, const float *x, float *y);
    void (*back)(int64_t n, const float *x, const float *y, const float *dy, float *dx);
} vector_unaries[ELB_UNARY_COUNT] = {
    [ELB_EXP] = {vector_exp_map, vector_exp_back},
    [ELB_LOG] = {vector_log_map, vector_log_back},
    [ELB_SQUARE] = {vector_square_map, vector_square_back},
};

static void vector_unary(elb_unary f, int64_t n, const float *x, float *y)
{
    vector_unaries[f].map(n, x, y);
}

static void vector_unary_backward(elb_unary f, int64_t n, const float *x, const float *y, const float *dy, float *dx)
{
    vector_unaries[f].back(n, x, y, dy, dx);
}

static void vector_add(int64_t n, const float *a, const float *b, float *y)
{
    LANES_EACH(n, lanes_put(y + i, part, lanes_get(a + i, part) + lanes_get(b + i, part)););
}

static void vector_mul(int64_t n, const float *a, const float *b, float *y)
{
    LANES_EACH(n, lanes_put(y + i, part, lanes_get(a + i, part) * lanes_get(b + i, part)););
}

static void vector_mul_add(int64_t n, const float *a, const float *b, float *y)
{
    LANES_EACH(n, lanes sum = lanes_fma(lanes_get(a + i, part), lanes_get(b + i, part), lanes_get(y + i, part));
               lanes_put(y + i, part, sum););
}

static void vector_axpy(int64_t n, float alpha, const float *x, float *y)
{
    LANES_EACH(n, lanes_put(y + i, part, lanes_fma(lanes_all(alpha), lanes_get(x + i, part), lanes_get(y + i, part))););
}

static void vector_axpby(int64_t n, float alpha, const float *x, float beta, float *y)
{
    LANES_EACH(n, lanes_put(y + i, part, lanes_fma(lanes_all(alpha), lanes_get(x + i, part), lanes_all(beta))););
}

/* Vector j of the row goes to accumulator j modulo 4: enough of them to hide the additions' latency. */
static float vector_sum(int64_t n, const float *x)
{
    enum { L = ELB_LANES };
    lanes s0 = lanes_all(0), s1 = s0, s2 = s0, s3 = s0;
    for (; n >= 4 * L; n -= 4 * L, x += 4 * L) {
        s0 += lanes_get(x, L);
        s1 += lanes_get(x + L, L);
        s2 += lanes_get(x + 2 * L, L);
        s3 += lanes_get(x + 3 * L, L);
    }
    LANES_EACH(n, s0 += lanes_get(x + i, part););
    return lanes_total((s0 + s1) + (s2 + s3));
}

static float vector_dot(int64_t n, const float *x, const float *y)
{
    enum { L = ELB_LANES };
    lanes s0 = lanes_all(0), s1 = s0, s2 = s0, s3 = s0;
    for (; n >= 4 * L; n -= 4 * L, x += 4 * L, y += 4 * L) {
        s0 = lanes_fma(lanes_get(x, L), lanes_get(y, L), s0);
        s1 = lanes_fma(lanes_get(x + L, L), lanes_get(y + L, L), s1);
        s2 = lanes_fma(lanes_get(x + 2 * L, L), lanes_get(y + 2 * L, L), s2);
        s3 = lanes_fma(lanes_get(x + 3 * L, L), lanes_get(y + 3 * L, L), s3);
    }
    LANES_EACH(n, s0 = lanes_fma(lanes_get(x + i, part), lanes_get(y + i, part), s0););
    return lanes_total((s0 + s1) + (s2 + s3));
}

/* --- likelihoods -------------------------------------------------------------------------------------------------- */

/* sum log(1 + e^-|a|) is the log of a product, taken once per VECTOR_FACTORS vectors: each factor is at most 2, and
 * 2^120 is still a float. */
enum { VECTOR_FACTORS = 120 };

static float vector_bernoulli_log(int64_t n, const float *x, const float *a)
{
    lanes sum = lanes_all(0);
    while (n > 0) {
        int64_t count = n < VECTOR_FACTORS * ELB_LANES ? n : VECTOR_FACTORS * ELB_LANES;
        lanes product = lanes_all(1);
        LANES_EACH(count, {
            lanes logit = lanes_get(a + i, part);
            lanes tail = lanes_keep(lanes_exp(-lanes_abs(logit)), part);
            sum += lanes_fma(lanes_get(x + i, part), logit, -vector_relu(logit));
            product = lanes_fma(product, tail, product);
        });
        sum -= lanes_log(product);
        n -= count;
        x += count;
        a += count;
    }
    return lanes_total(sum);
}

static void vector_bernoulli_grad(int64_t n, const float *x, const float *a, float g, float *da)
{
    LANES_EACH(n, {
        lanes slope = lanes_get(x + i, part) - vector_sigmoid(lanes_get(a + i, part));
        lanes_put(da + i, part, lanes_fma(lanes_all(g), slope, lanes_get(da + i, part)));
    });
}

/* log((1 - e^-t)/t) for t >= 0; the Taylor series below 1/2, where it is good to 1e-9 and the quotient is not. */
static inline lanes vector_spread(lanes t)
{
    lanes s = t * t, series = lanes_fma(s, lanes_all(1.0f / 181440), lanes_all(-1.0f / 2880));
    series = lanes_fma(s, lanes_fma(s, series, lanes_all(1.0f / 24)), t * -0.5f);
    return lanes_if_less(t, lanes_all(0.5f), series, lanes_log((1.0f - lanes_exp(-t)) / t));
}

/* As in reference.c: log a - log(e^a - 1) = -max(a,0) - log((1 - e^-|a|)/|a|). */
static float vector_continuous_bernoulli_log(int64_t n, const float *x, const float *a)
{
    lanes sum = lanes_all(0);
    LANES_EACH(n, {
        lanes natural = lanes_get(a + i, part);
        lanes term = lanes_fma(lanes_get(x + i, part), natural, -vector_relu(natural));
        sum += term - vector_spread(lanes_abs(natural));
    });
    return lanes_total(sum);
}

/* 1/(1 - e^-a) - 1/a, with its Taylor series below 1/2. */
static inline lanes vector_continuous_bernoulli_mean(lanes a)
{
    lanes t = lanes_abs(a), s = a * a;
    lanes series = lanes_fma(s, lanes_all(-1.0f / 1209600), lanes_all(1.0f / 30240));
    series = lanes_fma(s, lanes_fma(s, series, lanes_all(-1.0f / 720)), lanes_all(1.0f / 12));
    lanes mean = 1.0f / (1.0f - lanes_exp(-t)) - 1.0f / t;
    mean = lanes_if_less(a, lanes_all(0), 1.0f - mean, mean);
    return lanes_if_less(t, lanes_all(0.5f), lanes_fma(a, series, lanes_all(0.5f)), mean);
}

static void vector_continuous_bernoulli_grad(int64_t n, const float *x, const float *a, float g, float *da)
{
    LANES_EACH(n, {
        lanes slope = lanes_get(x + i, part) - vector_continuous_bernoulli_mean(lanes_get(a + i, part));
        lanes_put(da + i, part, lanes_fma(lanes_all(g), slope, lanes_get(da + i, part)));
    });
}

static float vector_gaussian_log(int64_t n, const float *x, const float *a, const float *l)
{
    lanes sum = lanes_all(0);
    LANES_EACH(n, {
        lanes d = lanes_get(x + i, part) - lanes_get(a + i, part), log_variance = lanes_get(l + i, part);
        sum += lanes_fma(d * d, lanes_exp(-log_variance), log_variance);
    });
    return -0.5f * ((float)n * VECTOR_LOG_2PI + lanes_total(sum));
}

static void vector_gaussian_grad(int64_t n, const float *x, const float *a, const float *l, float g, float *dx,
                                 float *da, float *dl)
{
    LANES_EACH(n, {
        lanes d = lanes_get(x + i, part) - lanes_get(a + i, part);
        lanes pull = d * lanes_exp(-lanes_get(l + i, part));
        if (dx) lanes_add_to(dx + i, part, -g * pull);
        if (da) lanes_add_to(da + i, part, g * pull);
        if (dl) lanes_add_to(dl + i, part, 0.5f * g * lanes_fma(d, pull, lanes_all(-1)));
    });
}

/* --- diagonal Gaussian posterior ---------------------------------------------------------------------------------- */

static void vector_gaussian_sample(int64_t n, const float *m, const float *s, const float *eps, float *z)
{
    LANES_EACH(n, {
        lanes deviation = lanes_exp(lanes_get(s + i, part) * 0.5f);
        lanes_put(z + i, part, lanes_fma(deviation, lanes_get(eps + i, part), lanes_get(m + i, part)));
    });
}

static void vector_gaussian_sample_grad(int64_t n, const float *s, const float *eps, const float *dz, float *dm,
                                        float *ds)
{
    LANES_EACH(n, {
        lanes deviation = lanes_exp(lanes_get(s + i, part) * 0.5f), slope = lanes_get(dz + i, part);
        lanes_add_to(dm + i, part, slope);
        lanes_add_to(ds + i, part, slope * lanes_get(eps + i, part) * deviation * 0.5f);
    });
}

static void vector_kl_standard(int64_t n, const float *m, const float *s, float *y)
{
    LANES_EACH(n, {
        lanes mean = lanes_get(m + i, part), log_variance = lanes_get(s + i, part);
        lanes spread = lanes_expm1(log_variance) - log_variance;
        lanes_put(y + i, part, 0.5f * lanes_fma(mean, mean, spread));
    });
}

static void vector_kl_standard_grad(int64_t n, const float *m, const float *s, const float *g, float *dm, float *ds)
{
    LANES_EACH(n, {
        lanes weight = lanes_get(g + i, part);
        lanes_add_to(dm + i, part, weight * lanes_get(m + i, part));
        lanes_add_to(ds + i, part, 0.5f * weight * lanes_expm1(lanes_get(s + i, part)));
    });
}

/* --- optimisers --------------------------------------------------------------------------------------------------- */

/* The gradient after clipping and weight decay. */
static inline lanes vector_slope(const elb_adam_step *h, lanes gradient, lanes parameter)
{
    return lanes_fma(lanes_all(h->gradient_scale), gradient, h->weight_decay * parameter);
}

static void vector_adam(const elb_adam_step *h, int64_t n, float *p, const float *g, float *m, float *v)
{
    const elb_adam_step step = *h; /* so that stores to the parameters cannot change it */
    const lanes beta1 = lanes_all(step.beta1), beta2 = lanes_all(step.beta2);
    LANES_EACH(n, {
        lanes parameter = lanes_get(p + i, part), slope = vector_slope(&step, lanes_get(g + i, part), parameter);
        lanes first = lanes_fma(beta1, lanes_get(m + i, part), (1.0f - beta1) * slope);
        lanes second = lanes_fma(beta2, lanes_get(v + i, part), (1.0f - beta2) * slope * slope);
        lanes root = lanes_fma(lanes_sqrt(second), lanes_all(step.second_root), lanes_all(step.epsilon));
        lanes_put(m + i, part, first);
        lanes_put(v + i, part, second);
        lanes_put(p + i, part, parameter - step.rate * first / root);
    });
}

static void vector_adamax(const elb_adam_step *h, int64_t n, float *p, const float *g, float *m, float *u)
{
    const elb_adam_step step = *h;
    const lanes beta1 = lanes_all(step.beta1);
    LANES_EACH(n, {
        lanes parameter = lanes_get(p + i, part), slope = vector_slope(&step, lanes_get(g + i, part), parameter);
        lanes first = lanes_fma(beta1, lanes_get(m + i, part), (1.0f - beta1) * slope);
        lanes top = lanes_max(step.beta2 * lanes_get(u + i, part), lanes_abs(slope) + step.epsilon);
        lanes_put(m + i, part, first);
        lanes_put(u + i, part, top);
        lanes_put(p + i, part, parameter - step.rate * first / top);
    });
}

static void vector_sgd(const elb_adam_step *h, int64_t n, float *p, const float *g, float *v)
{
    const elb_adam_step step = *h;
    LANES_EACH(n, {
        lanes parameter = lanes_get(p + i, part), slope = vector_slope(&step, lanes_get(g + i, part), parameter);
        lanes speed = lanes_fma(lanes_all(step.beta1), lanes_get(v + i, part), slope);
        lanes_put(v + i, part, speed);
        lanes_put(p + i, part, parameter - step.rate * speed);
    });
}

/* --- Hamiltonian dynamics ----------------------------------------------------------------------------------------- */

/* The numbers come second in the comparisons: so NaN passes through. */
static void vector_leapfrog(const elb_leapfrog *h, int64_t n, const float *a, const float *b, float *v, float *z)
{
    const lanes t = lanes_all(h->t), kick = lanes_all(h->kick), drift = lanes_all(h->drift);
    const lanes most = lanes_all(h->limit), least = lanes_all(-h->limit);
    LANES_EACH(n, {
        lanes force = lanes_fma(t, lanes_get(b + i, part), lanes_get(a + i, part));
        lanes momentum = lanes_fma(kick, lanes_min(most, lanes_max(least, force)), lanes_get(v + i, part));
        lanes_put(v + i, part, momentum);
        lanes_put(z + i, part, lanes_fma(drift, momentum, lanes_get(z + i, part)));
    });
}

const elb_kernels LANES_NAME(elb_kernels) = {
    .name = LANES_ISA,
    .gemm = elb_gemm_onednn,
    .activate = vector_activate,
    .activate_backward = vector_activate_backward,
    .unary = vector_unary,
    .unary_backward = vector_unary_backward,
    .add = vector_add,
    .mul = vector_mul,
    .mul_add = vector_mul_add,
    .axpy = vector_axpy,
    .axpby = vector_axpby,
    .sum = vector_sum,
    .dot = vector_dot,
    .bernoulli_log = vector_bernoulli_log,
    .bernoulli_grad = vector_bernoulli_grad,
    .continuous_bernoulli_log = vector_continuous_bernoulli_log,
    .continuous_bernoulli_grad = vector_continuous_bernoulli_grad,
    .gaussian_log = vector_gaussian_log,
    .gaussian_grad = vector_gaussian_grad,
    .gaussian_sample = vector_gaussian_sample,
    .gaussian_sample_grad = vector_gaussian_sample_grad,
    .kl_standard = vector_kl_standard,
    .kl_standard_grad = vector_kl_standard_grad,
    .adam = vector_adam,
    .adamax = vector_adamax,
    .sgd = vector_sgd,
    .leapfrog = vector_leapfrog,
    .uniform = LANES_NAME(elb_vector_uniform),
    .normal = LANES_NAME(elb_vector_normal),
    .bernoulli = LANES_NAME(elb_vector_bernoulli),
};
