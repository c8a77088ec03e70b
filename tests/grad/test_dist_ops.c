/* test_dist_ops.c - every op of the dist room against a plain formula and central differences, in double. */
#include "grad_support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dist/dist.h"

#define LOG_2PI 1.8378770664093454836

/* --- likelihoods and densities ------------------------------------------------------------------------------------ */

static elb_tensor *bernoulli_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    return c->with[0] == 0 ? elb_bernoulli_log_prob(t, in[0], in[1])
                           : elb_continuous_bernoulli_log_prob(t, in[0], in[1]);
}

/* The continuous one's constant by the integral it normalises, of e^(a x) over [0,1]: Gauss & Legendre, ten points. */
static double continuous_constant(double a)
{
    static const double place[] = {0.1488743389816312, 0.4333953941292472, 0.6794095682990244, 0.8650633666889845,
                                   0.9739065285171717};
    static const double weight[] = {0.2955242247147529, 0.2692667193099963, 0.2190863625159820, 0.1494513491505806,
                                    0.0666713443086881};
    double sum = 0;
    for (int i = 0; i < 5; i++) sum += weight[i] * (exp(a * (1 - place[i]) / 2) + exp(a * (1 + place[i]) / 2)) / 2;
    return -log(sum);
}

static double bernoulli_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    int64_t n = grad_cols(&c->in[1]), row = i % grad_rows(&c->in[0]);
    double sum = 0;
    for (int64_t j = 0; j < n; j++) {
        double x = (double)in[0][row * n + j], a = (double)in[1][i * n + j];
        sum += c->with[0] == 0 ? x * a - log(1 + exp(a)) : x * a + continuous_constant(a);
    }
    return sum;
}

static void test_bernoulli(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        grad_case c = {.inputs = 2, .build = bernoulli_build, .plain = bernoulli_plain, .with = {kind}};
        for (size_t s = 0; s < GRAD_COUNT(grad_samples); s++)
            for (size_t b = 0; b < GRAD_COUNT(grad_batches); b++) {
                int64_t n = grad_samples[s], m = grad_batches[b];
                c.in[1] = (grad_input){GRAD_SHAPE(3, n, m, 3), .low = -2, .high = 2};
                c.in[0] = (grad_input){GRAD_SHAPE(2, m, 3), .low = 0, .high = 1, .constant = true};
                grad_check(&c);
                c.in[0] = (grad_input){GRAD_SHAPE(1, 3), .low = 0, .high = 1, .constant = true};
                grad_check(&c);
            }
        c.in[0] = (grad_input){GRAD_SHAPE(2, 20, 200), .low = 0, .high = 1, .constant = true};
        c.in[1] = (grad_input){GRAD_SHAPE(3, 3, 20, 200), .low = -2, .high = 2};
        grad_check(&c);
    }
}

static elb_tensor *gaussian_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    (void)c;
    return elb_gaussian_log_prob(t, in[0], in[1], in[2]);
}

static double gaussian_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    int64_t n = grad_cols(&c->in[0]);
    double sum = 0, value[3];
    for (int64_t j = 0; j < n; j++) {
        for (int k = 0; k < 3; k++) value[k] = (double)in[k][i % grad_rows(&c->in[k]) * n + j];
        sum += -0.5 * (LOG_2PI + value[2] + pow(value[0] - value[1], 2) / exp(value[2]));
    }
    return sum;
}

static void gaussian_check(grad_input a, grad_input b, grad_input c, bool twice)
{
    grad_case g = {.inputs = 3, .build = gaussian_build, .plain = gaussian_plain, .in = {a, b, c}, .twice = twice};
    for (int k = 0; k < 3; k++) {
        g.in[k].low = -1.5;
        g.in[k].high = 1.5;
    }
    grad_check(&g);
}

/* Every way for the three arguments to be repeated. */
static void test_gaussian(void **state)
{
    (void)state;
    for (size_t s = 0; s < GRAD_COUNT(grad_samples); s++)
        for (size_t b = 0; b < GRAD_COUNT(grad_batches); b++) {
            grad_input of[] = {{GRAD_SHAPE(3, grad_samples[s], grad_batches[b], 3)},
                               {GRAD_SHAPE(2, grad_batches[b], 3)},
                               {GRAD_SHAPE(1, 3)}};
            for (int i = 0; i < 27; i++) gaussian_check(of[i % 3], of[i / 3 % 3], of[i / 9], false);
        }
    gaussian_check((grad_input){GRAD_SHAPE(3, 3, 5, 4)}, (grad_input){GRAD_SHAPE(3, 3, 5, 4)},
                   (grad_input){GRAD_SHAPE(1, 4)}, true);
    gaussian_check((grad_input){GRAD_SHAPE(1, 1)}, (grad_input){GRAD_SHAPE(1, 1)}, (grad_input){GRAD_SHAPE(1, 1)},
                   false);
}

static void test_gaussian_tiled(void **state)
{
    grad_input full = {GRAD_SHAPE(3, 3, 20, 200)}, batch = {GRAD_SHAPE(2, 20, 200)}, vector = {GRAD_SHAPE(1, 200)};
    (void)state;
    gaussian_check(full, full, full, false);
    gaussian_check(batch, full, vector, false);
    gaussian_check(full, batch, batch, false);
    gaussian_check(full, vector, batch, false);
}

static elb_tensor *sample_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    (void)c;
    return elb_gaussian_sample(t, in[0], in[1], in[2]);
}

static double sample_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    int64_t at = i % grad_count(&c->in[0]);
    return (double)in[0][at] + sqrt(exp((double)in[1][at])) * (double)in[2][i];
}

static elb_tensor *kl_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    (void)c;
    return elb_gaussian_kl_standard(t, in[0], in[1]);
}

static double kl_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    double m = (double)in[0][i], s = (double)in[1][i];
    (void)c;
    return 0.5 * (exp(s) + m * m - 1 - s);
}

static void sample_check(int64_t samples, int64_t batch, int64_t n)
{
    grad_input lambda = {GRAD_SHAPE(2, batch, n), .low = -1.5, .high = 1.5};
    grad_input eps = {GRAD_SHAPE(3, samples, batch, n), .low = -2, .high = 2, .constant = true};
    grad_check(&(grad_case){
        .inputs = 3, .build = sample_build, .plain = sample_plain, .in = {lambda, lambda, eps}, .together = true});
    grad_check(
        &(grad_case){.inputs = 2, .build = kl_build, .plain = kl_plain, .in = {lambda, lambda}, .together = true});
}

static void test_sample_and_kl(void **state)
{
    (void)state;
    for (size_t s = 0; s < GRAD_COUNT(grad_samples); s++)
        for (size_t b = 0; b < GRAD_COUNT(grad_batches); b++) sample_check(grad_samples[s], grad_batches[b], 3);
    sample_check(3, 100, 90);
}

/* --- Gaussians of random functions -------------------------------------------------------------------------------- */

static elb_tensor *triangle_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    return c->with[0] == 0 ? elb_triangle(t, in[0]) : elb_triangle_kl(t, in[0], c->with[0]);
}

static double triangle_at(const elb_real *x, int64_t p, int64_t row, int64_t col)
{
    double value = (double)x[row * p + col];
    return col < row % p ? 0 : col == row % p ? exp(value) : value;
}

static double triangle_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    int64_t p = grad_cols(&c->in[0]);
    double k = c->with[0], sum = 0;
    if (k == 0) return triangle_at(in[0], p, i / p, i % p);
    for (int64_t j = 0; j < p; j++) sum += pow(triangle_at(in[0], p, i, j) / k, 2);
    return 0.5 * (sum - 1 - 2 * log(triangle_at(in[0], p, i, i % p) / k));
}

static void test_triangle(void **state)
{
    static const grad_input shapes[] = {
        {GRAD_SHAPE(2, 1, 1)}, {GRAD_SHAPE(2, 3, 1)}, {GRAD_SHAPE(2, 12, 4)}, {GRAD_SHAPE(2, 120, 60)}};
    static const double scales[] = {0, 1, 0.3};
    (void)state;
    for (size_t x = 0; x < GRAD_COUNT(shapes); x++)
        for (size_t k = 0; k < GRAD_COUNT(scales); k++) {
            grad_case c = {.inputs = 1, .build = triangle_build, .plain = triangle_plain, .with = {scales[k]}};
            c.in[0] = shapes[x];
            c.in[0].low = -1;
            c.in[0].high = 1;
            grad_check(&c);
        }
}

static elb_tensor *solve_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    (void)c;
    return elb_triangle_solve(t, elb_triangle(t, in[0]), in[1]);
}

static double solve_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    int64_t p = grad_cols(&c->in[1]), data = grad_rows(&c->in[0]) / p, row = i / p, block = row % data * p;
    double y[64];
    for (int64_t j = p - 1; j >= i % p; j--) {
        y[j] = (double)in[1][row * p + j];
        for (int64_t k = j + 1; k < p; k++) y[j] -= triangle_at(in[0], p, block + j, k) * y[k];
        y[j] /= triangle_at(in[0], p, block + j, j);
    }
    return y[i % p];
}

static void test_triangle_solve(void **state)
{
    static const grad_input shapes[][2] = {{{GRAD_SHAPE(2, 1, 1)}, {GRAD_SHAPE(2, 1, 1)}},
                                           {{GRAD_SHAPE(2, 3, 3)}, {GRAD_SHAPE(2, 4, 3)}},
                                           {{GRAD_SHAPE(2, 12, 4)}, {GRAD_SHAPE(3, 2, 3, 4)}},
                                           {{GRAD_SHAPE(2, 60, 20)}, {GRAD_SHAPE(3, 5, 3, 20)}}};
    (void)state;
    for (size_t x = 0; x < GRAD_COUNT(shapes); x++) {
        grad_case c = {.inputs = 2, .build = solve_build, .plain = solve_plain};
        for (int i = 0; i < 2; i++) {
            c.in[i] = shapes[x][i];
            c.in[i].low = -0.5;
            c.in[i].high = 0.5;
        }
        grad_check(&c);
    }
}

static elb_tensor *standard_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    (void)c;
    return elb_standard_normal_log_prob(t, in[0]);
}

static double standard_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    double sum = 0;
    int64_t n = grad_cols(&c->in[0]);
    for (int64_t j = 0; j < n; j++) sum += -0.5 * (LOG_2PI + pow((double)in[0][i * n + j], 2));
    return sum;
}

static void test_standard_normal(void **state)
{
    (void)state;
    for (size_t s = 0; s < GRAD_COUNT(grad_samples); s++)
        for (size_t b = 0; b < GRAD_COUNT(grad_batches); b++)
            grad_check(
                &(grad_case){.inputs = 1,
                             .build = standard_build,
                             .plain = standard_plain,
                             .in[0] = {GRAD_SHAPE(3, grad_samples[s], grad_batches[b], 3), .low = -2, .high = 2}});
}

/* Runs last. */
static void test_registry(void **state)
{
    (void)state;
    grad_assert_all_seen(elb_dist_ops, "test_dist_ops");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bernoulli),       cmocka_unit_test(test_gaussian),
        cmocka_unit_test(test_gaussian_tiled),  cmocka_unit_test(test_sample_and_kl),
        cmocka_unit_test(test_standard_normal), cmocka_unit_test(test_triangle),
        cmocka_unit_test(test_triangle_solve),  cmocka_unit_test(test_registry),
    };
    return cmocka_run_group_tests(tests, NULL, grad_end_group);
}
