/* test_dist_ops.c - every op of the dist room against a plain formula and central differences, in double. */
#include "grad_support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dist/dist.h"

#define LOG_2PI 1.8378770664093454836

#define SHAPE(r, ...) .rank = (r), .shape = {__VA_ARGS__}
#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static const int64_t samples_of[] = {1, 3}, batches_of[] = {1, 2, 5};

/* --- likelihoods and densities ------------------------------------------------------------------------------------- */

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
        for (size_t s = 0; s < COUNT(samples_of); s++)
            for (size_t b = 0; b < COUNT(batches_of); b++) {
                int64_t n = samples_of[s], m = batches_of[b];
                c.in[1] = (grad_input){SHAPE(3, n, m, 3), .low = -2, .high = 2};
                c.in[0] = (grad_input){SHAPE(2, m, 3), .low = 0, .high = 1, .constant = true};
                grad_check(&c);
                c.in[0] = (grad_input){SHAPE(1, 3), .low = 0, .high = 1, .constant = true};
                grad_check(&c);
            }
        c.in[0] = (grad_input){SHAPE(2, 20, 200), .low = 0, .high = 1, .constant = true};
        c.in[1] = (grad_input){SHAPE(3, 3, 20, 200), .low = -2, .high = 2};
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
    for (size_t s = 0; s < COUNT(samples_of); s++)
        for (size_t b = 0; b < COUNT(batches_of); b++) {
            grad_input of[] = {
                {SHAPE(3, samples_of[s], batches_of[b], 3)}, {SHAPE(2, batches_of[b], 3)}, {SHAPE(1, 3)}};
            for (int i = 0; i < 27; i++) gaussian_check(of[i % 3], of[i / 3 % 3], of[i / 9], false);
        }
    gaussian_check((grad_input){SHAPE(3, 3, 5, 4)}, (grad_input){SHAPE(3, 3, 5, 4)}, (grad_input){SHAPE(1, 4)}, true);
    gaussian_check((grad_input){SHAPE(1, 1)}, (grad_input){SHAPE(1, 1)}, (grad_input){SHAPE(1, 1)}, false);
}

static void test_gaussian_tiled(void **state)
{
    grad_input full = {SHAPE(3, 3, 20, 200)}, batch = {SHAPE(2, 20, 200)}, vector = {SHAPE(1, 200)};
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
    grad_input lambda = {SHAPE(2, batch, n), .low = -1.5, .high = 1.5};
    grad_input eps = {SHAPE(3, samples, batch, n), .low = -2, .high = 2, .constant = true};
    grad_check(&(grad_case){
        .inputs = 3, .build = sample_build, .plain = sample_plain, .in = {lambda, lambda, eps}, .together = true});
    grad_check(
        &(grad_case){.inputs = 2, .build = kl_build, .plain = kl_plain, .in = {lambda, lambda}, .together = true});
}

static void test_sample_and_kl(void **state)
{
    (void)state;
    for (size_t s = 0; s < COUNT(samples_of); s++)
        for (size_t b = 0; b < COUNT(batches_of); b++) sample_check(samples_of[s], batches_of[b], 3);
    sample_check(3, 100, 90);
}

/* --- Gaussians of random functions --------------------------------------------------------------------------------- */

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
    static const grad_input shapes[] = {{SHAPE(2, 1, 1)}, {SHAPE(2, 3, 1)}, {SHAPE(2, 12, 4)}, {SHAPE(2, 120, 60)}};
    static const double scales[] = {0, 1, 0.3};
    (void)state;
    for (size_t x = 0; x < COUNT(shapes); x++)
        for (size_t k = 0; k < COUNT(scales); k++) {
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
    static const grad_input shapes[][2] = {{{SHAPE(2, 1, 1)}, {SHAPE(2, 1, 1)}},
                                           {{SHAPE(2, 3, 3)}, {SHAPE(2, 4, 3)}},
                                           {{SHAPE(2, 12, 4)}, {SHAPE(3, 2, 3, 4)}},
                                           {{SHAPE(2, 60, 20)}, {SHAPE(3, 5, 3, 20)}}};
    (void)state;
    for (size_t x = 0; x < COUNT(shapes); x++) {
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
    for (size_t s = 0; s < COUNT(samples_of); s++)
        for (size_t b = 0; b < COUNT(batches_of); b++)
            grad_check(&(grad_case){.inputs = 1,
                                    .build = standard_build,
                                    .plain = standard_plain,
                                    .in[0] = {SHAPE(3, samples_of[s], batches_of[b], 3), .low = -2, .high = 2}});
}

/* --- mixtures ------------------------------------------------------------------------------------------------------ */

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
        c.in[0] = (grad_input){SHAPE(3, rows, batch, n), .low = -1.5, .high = 1.5};
        c.in[1] = (grad_input){SHAPE(2, batch, order * 2 * n), .low = -1, .high = 1};
        c.in[2] = (grad_input){SHAPE(2, batch, order), .low = -1, .high = 1};
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
    grad_input components = {SHAPE(2, batch, order * 2 * n), .low = -1, .high = 1};
    grad_input logits = {SHAPE(2, batch, order), .low = -1, .high = 1};
    grad_input eps = {SHAPE(3, samples, batch, n), .low = -2, .high = 2, .constant = true}, wide = eps;
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
        c.in[0] = (grad_input){SHAPE(2, 5, 4), .low = -1, .high = 1, .constant = true};
        grad_check(&c);
    }
}

/* --- whether all ops were here ------------------------------------------------------------------------------------- */

/* Runs last. */
static void test_registry(void **state)
{
    (void)state;
    for (const elb_op *const *op = elb_dist_ops; *op != NULL; op++)
        if (!grad_seen(*op)) fail_msg("the op %s has no case in this file", (*op)->name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bernoulli),       cmocka_unit_test(test_gaussian),
        cmocka_unit_test(test_gaussian_tiled),  cmocka_unit_test(test_sample_and_kl),
        cmocka_unit_test(test_standard_normal), cmocka_unit_test(test_triangle),
        cmocka_unit_test(test_triangle_solve),  cmocka_unit_test(test_mixture_density),
        cmocka_unit_test(test_mixture_samples), cmocka_unit_test(test_mixture_choice),
        cmocka_unit_test(test_registry),
    };
    return cmocka_run_group_tests(tests, NULL, grad_end_group);
}
