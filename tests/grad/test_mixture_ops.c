/* test_mixture_ops.c - the ops of mixtures against plain formulas and central differences, in double. */
#include "grad_support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dist/dist.h"

#define LOG_2PI 1.8378770664093454836

/* Inputs of every case: with = {M, n, S or part}; components [B,M*2n]. */
static double mixture_joint(const grad_case *c, const elb_real *z, const elb_real *components, const elb_real *logits,
                            int64_t b, int64_t j)
{
    int64_t order = (int64_t)c->with[0], n = (int64_t)c->with[1];
    const elb_real *m = components + (b * order + j) * 2 * n;
    double sum = (double)logits[b * order + j];
    for (int64_t i = 0; i < n; i++)
        sum += -0.5 * (LOG_2PI + (double)m[n + i] + pow((double)(z[i] - m[i]), 2) / exp((double)m[n + i]));
    return sum;
}

static elb_tensor *density_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    return elb_mixture_log_prob(t, in[0], in[1], in[2], (elb_mixture_part)c->with[2]);
}

static double density_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    int64_t order = (int64_t)c->with[0], n = (int64_t)c->with[1], batch = c->in[1].shape[0], b = i % batch;
    int64_t own = i / (grad_rows(&c->in[0]) / order), begin = 0, end = order;
    if ((elb_mixture_part)c->with[2] == ELB_MIXTURE_OWN) begin = own, end = own + 1;
    if ((elb_mixture_part)c->with[2] == ELB_MIXTURE_BEFORE) end = own > 0 ? own : 1;
    double sum = 0, weights = 0;
    for (int64_t j = begin; j < end; j++) {
        sum += exp(mixture_joint(c, in[0] + i * n, in[1], in[2], b, j));
        weights += exp((double)in[2][b * order + j]);
    }
    return log(sum) - log(weights);
}

static void density_check(int64_t order, int64_t batch, int64_t samples, int64_t n)
{
    for (int part = ELB_MIXTURE_ALL; part <= ELB_MIXTURE_BEFORE; part++) {
        int64_t rows = part == ELB_MIXTURE_ALL ? samples : samples * order;
        grad_case c = {.inputs = 3, .build = density_build, .plain = density_plain};
        c.with[0] = (double)order, c.with[1] = (double)n, c.with[2] = part;
        c.in[0] = (grad_input){GRAD_SHAPE(3, rows, batch, n), .low = -1.5, .high = 1.5};
        c.in[1] = (grad_input){GRAD_SHAPE(2, batch, order * 2 * n), .low = -1, .high = 1};
        c.in[2] = (grad_input){GRAD_SHAPE(2, batch, order), .low = -1, .high = 1};
        grad_check(&c);
    }
}

static void test_mixture_density(void **state)
{
    (void)state;
    density_check(1, 1, 1, 1);
    density_check(2, 1, 3, 1);
    density_check(3, 5, 1, 2);
    density_check(4, 2, 3, 3);
    density_check(3, 40, 2, 30);
}

static elb_tensor *strata_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    return elb_mixture_strata(t, in[0], (int64_t)c->with[0], in[1]);
}

static double strata_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    int64_t order = (int64_t)c->with[0], n = (int64_t)c->with[1], batch = c->in[0].shape[0],
            rows = grad_rows(&c->in[1]);
    int64_t r = i / n, j = r / rows;
    const elb_real *m = in[0] + (r % batch * order + j) * 2 * n + i % n;
    return (double)m[0] + exp((double)m[n] / 2) * (double)in[1][(r % rows * order + j) * n + i % n];
}

/* The choice of row r is r % M. */
static elb_tensor *chosen_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    elb_tensor *choice = elb_input(t, "choice", false, 2, c->in[1].shape);
    for (int64_t r = 0; r < grad_rows(&c->in[1]); r++) choice->data[r] = (elb_real)(r % (int64_t)c->with[0]);
    return elb_mixture_sample(t, in[0], choice, in[1]);
}

static double chosen_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    int64_t order = (int64_t)c->with[0], n = (int64_t)c->with[1], batch = c->in[0].shape[0], r = i / n;
    const elb_real *m = in[0] + (r % batch * order + r % order) * 2 * n + i % n;
    return (double)m[0] + exp((double)m[n] / 2) * (double)in[1][i];
}

static elb_tensor *share_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    return elb_mixture_log_share(t, in[0], (int64_t)c->with[2]);
}

static double share_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    int64_t order = (int64_t)c->with[0], batch = c->in[0].shape[0], b = i % batch;
    double sum = 0;
    for (int64_t j = 0; j < order; j++) sum += exp((double)in[0][b * order + j]);
    return (double)in[0][b * order + i / batch / (int64_t)c->with[2]] - log(sum * c->with[2]);
}

static elb_tensor *moments_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    (void)c;
    return elb_mixture_moments(t, in[0], in[1]);
}

static double moments_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    int64_t order = (int64_t)c->with[0], n = (int64_t)c->with[1], b = i / (2 * n), at = i % n;
    double weights = 0, mean = 0, square = 0;
    for (int64_t j = 0; j < order; j++) weights += exp((double)in[1][b * order + j]);
    for (int64_t j = 0; j < order; j++) {
        const elb_real *m = in[0] + (b * order + j) * 2 * n + at;
        double a = exp((double)in[1][b * order + j]) / weights;
        mean += a * (double)m[0];
        square += a * (exp((double)m[n]) + (double)(m[0] * m[0]));
    }
    return i % (2 * n) < n ? mean : log(square - mean * mean);
}

static void mixture_samples_check(int64_t order, int64_t batch, int64_t samples, int64_t n)
{
    grad_input components = {GRAD_SHAPE(2, batch, order * 2 * n), .low = -1, .high = 1};
    grad_input logits = {GRAD_SHAPE(2, batch, order), .low = -1, .high = 1};
    grad_input eps = {GRAD_SHAPE(3, samples, batch, n), .low = -2, .high = 2, .constant = true}, wide = eps;
    wide.shape[2] = order * n;
    grad_case c = {.with = {(double)order, (double)n, (double)samples}, .inputs = 2, .in = {components, wide}};
    c.build = strata_build, c.plain = strata_plain;
    grad_check(&c);
    c.in[1] = eps;
    c.build = chosen_build, c.plain = chosen_plain;
    grad_check(&c);
    c.in[0].constant = true;
    c.in[1] = logits;
    c.in[1].constant = true;
    c.build = moments_build, c.plain = moments_plain;
    grad_check(&c);
    c.inputs = 1;
    c.in[0] = logits;
    c.build = share_build, c.plain = share_plain;
    grad_check(&c);
}

static void test_mixture_samples(void **state)
{
    (void)state;
    mixture_samples_check(1, 1, 1, 1);
    mixture_samples_check(2, 3, 1, 2);
    mixture_samples_check(3, 2, 4, 1);
    mixture_samples_check(4, 50, 3, 30);
}

/* Systematic: K a_m samples of component m, but for less than one; sample k of K whoever draws it. */
static elb_tensor *choice_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    static const uint64_t datum[5] = {3, 1, 4, 15, 9};
    elb_noise noise = {.key = 7, .datum = datum, .samples = (int64_t)c->with[1]};
    return elb_mixture_choice(t, in[0], &noise, 1, c->with[2] > 0);
}

static double choice_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    static const uint64_t datum[5] = {3, 1, 4, 15, 9};
    int64_t order = (int64_t)c->with[0], batch = c->in[0].shape[0], b = i % batch, k = i / batch, j = 0;
    uint64_t key = 7 + UINT64_C(0x9E3779B97F4A7C15);
    double u = (elb_random_word(key, datum[b], c->with[2] > 0 ? (uint32_t)k : 0, 0) + 0.5) / 4294967296.0, weights = 0;
    double position = c->with[2] > 0 ? u : fmod((double)k / c->with[1] + u, 1), sum = 0;
    for (int64_t m = 0; m < order; m++) weights += exp((double)in[0][b * order + m]);
    for (; j < order - 1; j++)
        if ((sum += exp((double)in[0][b * order + j]) / weights) > position) break;
    return (double)j;
}

static void test_mixture_choice(void **state)
{
    (void)state;
    for (int multinomial = 0; multinomial < 2; multinomial++) {
        grad_case c = {.inputs = 1, .build = choice_build, .plain = choice_plain, .with = {4, 30, multinomial}};
        c.in[0] = (grad_input){GRAD_SHAPE(2, 5, 4), .low = -1, .high = 1, .constant = true};
        grad_check(&c);
    }
}

/* Runs last. */
static void test_registry(void **state)
{
    (void)state;
    grad_assert_all_seen(elb_dist_ops, "test_mixture_ops");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mixture_density),
        cmocka_unit_test(test_mixture_samples),
        cmocka_unit_test(test_mixture_choice),
        cmocka_unit_test(test_registry),
    };
    return cmocka_run_group_tests(tests, NULL, grad_end_group);
}
