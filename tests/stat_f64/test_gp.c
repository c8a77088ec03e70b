/* test_gp.c - random functions against closed forms, in double: the expected KL, the bound of a linear-Gaussian model,
 * the KL of the weights with either covariance, the moments of draws. */
#include "vae_support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "posterior/gp.h"
#include "doctor/oracle.h"

#define NOTHING (-600.0) /* log-variance of a weight that does not vary */

static elb_real *parameter(elb_posterior *q, const char *name, int64_t *count)
{
    for (int64_t i = 0; i < q->params.count; i++)
        if (strcmp(q->params.at[i].name, name) == 0) {
            if (count != NULL) *count = q->params.at[i].count;
            return elb_params_data(&q->params, i);
        }
    fail_msg("there is no parameter %s", name);
    return NULL;
}

static elb_posterior *posterior_make(elb_context *c, int64_t data, int64_t latent, int covariance, double scale)
{
    elb_posterior_options options = {.activation = ELB_NET_LINEAR, .gp_covariance = covariance, .gp_scale = scale};
    elb_posterior *q;
    while (elb_posterior_types[options.type] != &elb_posterior_gp) options.type++;
    assert_int_equal(elb_posterior_create(c, &options, data, latent, &q), ELB_OK);
    return q;
}

/* A linear encoder that does not look at x: its functions have these moments everywhere. h = g/2
 * is the log-deviation. */
static elb_posterior *constant_make(elb_context *c, int64_t data, int64_t latent, const double *mean_f,
                                    const double *variance_f, const double *mean_h, const double *variance_h)
{
    elb_posterior *q = posterior_make(c, data, latent, ELB_GP_DIAGONAL, 0);
    int64_t count;
    elb_real *weight = parameter(q, "spread.weight", &count);
    for (int64_t i = 0; i < count; i++) weight[i] = NOTHING;
    elb_real *mean = parameter(q, "encoder.0.bias", NULL), *variance = parameter(q, "spread.bias", NULL);
    for (int64_t j = 0; j < latent; j++) {
        mean[j] = mean_f[j];
        mean[latent + j] = 2 * mean_h[j];
        variance[j] = log(variance_f[j]);
        variance[latent + j] = log(4 * variance_h[j]);
    }
    return q;
}

static elb_objective objective_make(int64_t samples, int64_t data)
{
    elb_objective_options options = {.samples = samples};
    while (strcmp(elb_objective_types[options.type]->name, "gp") != 0) options.type++;
    elb_objective o;
    elb_objective_init(&o, &options);
    o.data = data;
    return o;
}

/* The mean is within five of its standard errors. */
static void within_errors(const elb_real *values, int64_t n, double want)
{
    double mean = 0, square = 0;
    for (int64_t i = 0; i < n; i++) mean += values[i] / (double)n;
    for (int64_t i = 0; i < n; i++) square += (values[i] - mean) * (values[i] - mean) / (double)(n - 1);
    double errors = fabs(mean - want) / sqrt(square / (double)n);
    if (!(errors < 5)) fail_msg("%g is %.1f standard errors from %g", mean, errors, want);
}

/* --- the bound ---------------------------------------------------------------------------------------------------- */

enum { BATCH = 1000, SAMPLES = 50, DATA = ELB_ORACLE_DATA };

typedef struct bound {
    elb_loss loss;
    double weights; /* KL */
} bound;

static bound bound_of(elb_tape *t, elb_model *m, elb_posterior *q, const double *datum, int64_t data)
{
    static uint64_t place[BATCH];
    elb_objective o = objective_make(SAMPLES, data);
    elb_noise noise = {.key = 1, .datum = place};
    elb_tensor *x = elb_input(t, "x", false, 2, (int64_t[]){BATCH, DATA});
    for (int64_t i = 0; i < BATCH * DATA; i++) x->data[i] = datum[i % DATA];
    for (int64_t i = 0; i < BATCH; i++) place[i] = (uint64_t)i;
    elb_tensor *weights = elb_gp_weight_kl(q, t);
    bound b = {.loss = elb_objective_loss(&o, t, m, q, x, &noise)};
    if (elb_tape_run(t, NULL) != ELB_OK) fail_msg("%s", elb_context_message(elb_tape_context(t)));
    b.weights = weights->data[0];
    return b;
}

/* Every term in linear algebra (METHODS: E log p = log N(x; W m + mu, s2 I) - sum_j |W_j|^2 Var z_j / (2 s2)). */
static void test_linear_gaussian(void **state)
{
    const double mean_f[] = {0.5, 1}, variance_f[] = {0.09, 0.04}, mean_h[] = {0.5 * log(0.3), 0.5 * log(0.2)},
                 variance_h[] = {0.01, 0.02};
    (void)state;
    elb_context *c = support_context(NULL);
    elb_oracle oracle;
    elb_tape *t;
    assert_int_equal(elb_tape_create(c, &t), ELB_OK);
    assert_int_equal(elb_oracle_create(c, &elb_oracle_linear_gaussian, &oracle), ELB_OK);
    elb_posterior *q = constant_make(c, DATA, 2, mean_f, variance_f, mean_h, variance_h);
    bound b = bound_of(t, oracle.model, q, oracle.facts->x, 7);
    for (int64_t i = 0; i < BATCH; i++) {
        support_assert_near(b.loss.kl->data[i], 1.353816636803, 1e-11, 0);
        support_assert_near(b.loss.bound->data[i], b.loss.reconstruction->data[i] - b.loss.kl->data[i] - b.weights / 7,
                            1e-12, 0);
    }
    within_errors(b.loss.reconstruction->data, BATCH, -5.254843012054);
    for (int64_t i = 0; i < BATCH; i++) b.loss.bound->data[i] += b.weights / 7;
    within_errors(b.loss.bound->data, BATCH, -6.608659648858);
    elb_posterior_destroy(q);
    elb_oracle_destroy(&oracle);
    elb_tape_destroy(t);
    support_context_end(c, NULL);
}

static void test_expected_kl(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    elb_oracle oracle; /* a Bernoulli model with one latent */
    elb_tape *t;
    assert_int_equal(elb_tape_create(c, &t), ELB_OK);
    assert_int_equal(elb_oracle_create(c, &elb_oracle_bernoulli, &oracle), ELB_OK);
    elb_posterior *q = constant_make(c, DATA, 1, (double[]){0.4}, (double[]){0.09}, (double[]){-0.3}, (double[]){0.04});
    bound b = bound_of(t, oracle.model, q, oracle.facts->x, 1);
    support_assert_near(b.loss.kl_coordinate->data[0], 0.222260273985, 1e-11, 0);
    elb_posterior_destroy(q);
    elb_oracle_destroy(&oracle);
    elb_tape_destroy(t);
    support_context_end(c, NULL);
}

/* --- the weights -------------------------------------------------------------------------------------------------- */

enum { WIDTH = 3, LATENT = 2, P = WIDTH + 1, FUNCTIONS = 2 * LATENT };

/* KL(N(a, diag S) || N(0, k^2 I)) of all weights, in plain loops. */
static double diagonal_kl(elb_posterior *q, double scale)
{
    static const char *const names[][2] = {{"encoder.0.weight", "spread.weight"}, {"encoder.0.bias", "spread.bias"}};
    double kl = 0, k2 = scale * scale;
    for (int part = 0; part < 2; part++) {
        int64_t count;
        const elb_real *a = parameter(q, names[part][0], &count), *l = parameter(q, names[part][1], NULL);
        for (int64_t i = 0; i < count; i++) kl += 0.5 * (exp(l[i]) / k2 + a[i] * a[i] / k2 - 1 - l[i] + log(k2));
    }
    return kl;
}

static void fill(elb_posterior *q, uint64_t seed)
{
    for (int64_t i = 0; i < q->params.count; i++)
        for (int64_t j = 0; j < q->params.at[i].count; j++)
            elb_params_data(&q->params, i)[j] = support_number(seed, (uint64_t)(100 * i + j));
}

/* Moves the diagonal posterior's parameters into the full one's, whose factors become diagonal. */
static void widen(elb_posterior *diagonal, elb_posterior *full)
{
    static const char *const same[] = {"encoder.0.weight", "encoder.0.bias"};
    for (int i = 0; i < 2; i++) {
        int64_t count;
        const elb_real *from = parameter(diagonal, same[i], &count);
        memcpy(parameter(full, same[i], NULL), from, (size_t)count * sizeof *from);
    }
    const elb_real *weight = parameter(diagonal, "spread.weight", NULL),
                   *bias = parameter(diagonal, "spread.bias", NULL);
    int64_t count;
    elb_real *factor = parameter(full, "spread.factor", &count);
    memset(factor, 0, (size_t)count * sizeof *factor);
    for (int64_t j = 0; j < FUNCTIONS; j++)
        for (int64_t i = 0; i < P; i++) factor[(j * P + i) * P + i] = (i < WIDTH ? weight[j * WIDTH + i] : bias[j]) / 2;
}

typedef struct weights {
    double kl, variance[FUNCTIONS], mean[FUNCTIONS], uncertainty;
} weights;

static const double somewhere[WIDTH] = {0.7, -1.2, 0.4};

static weights weights_of(elb_tape *t, elb_posterior *q)
{
    weights w;
    assert_int_equal(elb_tape_reset(t), ELB_OK);
    elb_tensor *x = elb_input(t, "x", false, 2, (int64_t[]){1, WIDTH});
    for (int i = 0; i < WIDTH; i++) x->data[i] = somewhere[i];
    elb_gp_functions at = elb_gp_at(q, t, x);
    elb_tensor *kl = elb_gp_weight_kl(q, t), *uncertainty = q->type->uncertainty(q, t, x);
    assert_int_equal(elb_tape_run(t, NULL), ELB_OK);
    w.kl = kl->data[0];
    w.uncertainty = uncertainty->data[0];
    for (int j = 0; j < FUNCTIONS; j++) {
        const elb_gp_function *function = j < LATENT ? &at.f : &at.g;
        w.variance[j] = function->variance->data[j % LATENT];
        w.mean[j] = function->mean->data[j % LATENT];
    }
    return w;
}

static void test_diagonal(void **state)
{
    static const double scales[] = {0, 1, 0.3};
    (void)state;
    for (int i = 0; i < 3; i++) {
        elb_context *c = support_context(NULL);
        elb_tape *t;
        assert_int_equal(elb_tape_create(c, &t), ELB_OK);
        elb_posterior *q = posterior_make(c, WIDTH, LATENT, ELB_GP_DIAGONAL, scales[i]);
        elb_posterior *full = posterior_make(c, WIDTH, LATENT, ELB_GP_FULL, scales[i]);
        fill(q, 1);
        widen(q, full);
        weights w = weights_of(t, q), v = weights_of(t, full);
        support_assert_near(w.kl, diagonal_kl(q, scales[i] > 0 ? scales[i] : 1 / sqrt(P)), 1e-12, 1e-13);
        support_assert_near(v.kl, w.kl, 1e-12, 1e-13);
        double uncertainty = 0;
        for (int j = 0; j < FUNCTIONS; j++) {
            const elb_real *l = parameter(q, "spread.weight", NULL) + j * WIDTH;
            double want = exp(parameter(q, "spread.bias", NULL)[j]);
            for (int k = 0; k < WIDTH; k++) want += exp(l[k]) * somewhere[k] * somewhere[k];
            support_assert_near(w.variance[j], want, 1e-13, 1e-13);
            support_assert_near(v.variance[j], want, 1e-13, 1e-13);
            support_assert_near(v.mean[j], w.mean[j], 1e-13, 1e-13);
            if (j < LATENT) uncertainty += want;
        }
        support_assert_near(w.uncertainty, uncertainty, 1e-13, 1e-13);
        support_assert_near(v.uncertainty, uncertainty, 1e-13, 1e-13);
        elb_posterior_destroy(full);
        elb_posterior_destroy(q);
        elb_tape_destroy(t);
        support_context_end(c, NULL);
    }
}

/* Weights drawn from N(a, U^T U) have the functions' moments, and their log-density ratio the KL for its mean. */
static void test_full_by_draws(void **state)
{
    enum { DRAWS = 200000 };
    static elb_real f[DRAWS], square[DRAWS], ratio[DRAWS];
    const double scale = 0.8, psi[P] = {somewhere[0], somewhere[1], somewhere[2], 1};
    (void)state;
    elb_context *c = support_context(NULL);
    elb_tape *t;
    const elb_machine *machine;
    assert_int_equal(elb_machine_of(c, &machine), ELB_OK);
    assert_int_equal(elb_tape_create(c, &t), ELB_OK);
    elb_posterior *q = posterior_make(c, WIDTH, LATENT, ELB_GP_FULL, scale);
    fill(q, 2);
    weights w = weights_of(t, q);
    const elb_real *a = parameter(q, "encoder.0.weight", NULL), *bias = parameter(q, "encoder.0.bias", NULL);
    const elb_real *factor = parameter(q, "spread.factor", NULL);
    memset(ratio, 0, sizeof ratio);
    for (int j = 0; j < FUNCTIONS; j++) {
        for (int64_t s = 0; s < DRAWS; s++) {
            elb_real eps[P], u[P];
            machine->kernels->normal((elb_stream){.key = 3, .datum = (uint64_t)j, .draw = (uint32_t)s}, P, eps);
            f[s] = 0;
            for (int i = 0; i < P; i++) {
                u[i] = i < WIDTH ? a[j * WIDTH + i] : bias[j];
                for (int k = 0; k <= i; k++) {
                    double entry = factor[(j * P + k) * P + i];
                    u[i] += eps[k] * (k == i ? exp(entry) : entry);
                }
                f[s] += u[i] * psi[i];
                ratio[s] +=
                    0.5 * (u[i] * u[i] / (scale * scale) - eps[i] * eps[i]) + log(scale) - factor[(j * P + i) * P + i];
            }
            square[s] = (f[s] - w.mean[j]) * (f[s] - w.mean[j]);
        }
        within_errors(f, DRAWS, w.mean[j]);
        within_errors(square, DRAWS, w.variance[j]);
    }
    within_errors(ratio, DRAWS, w.kl);
    elb_posterior_destroy(q);
    elb_tape_destroy(t);
    support_context_end(c, NULL);
}

/* --- the matched Gaussian ----------------------------------------------------------------------------------------- */

/* f and g are drawn, then z: its mean and variance are lambda's. */
static void test_matched_moments(void **state)
{
    enum { DRAWS = 400000 };
    static elb_real z[DRAWS], square[DRAWS];
    (void)state;
    elb_context *c = support_context(NULL);
    elb_tape *t;
    const elb_machine *machine;
    assert_int_equal(elb_machine_of(c, &machine), ELB_OK);
    assert_int_equal(elb_tape_create(c, &t), ELB_OK);
    elb_posterior *q = posterior_make(c, WIDTH, LATENT, ELB_GP_DIAGONAL, 0);
    fill(q, 3);
    weights w = weights_of(t, q);
    elb_tensor *x = elb_input(t, "x", false, 2, (int64_t[]){1, WIDTH});
    for (int i = 0; i < WIDTH; i++) x->data[i] = somewhere[i];
    elb_tensor *lambda = elb_encode(q, t, x);
    elb_tensor *m = q->type->mean(q, t, lambda), *s = q->type->log_variance(q, t, lambda);
    assert_int_equal(elb_tape_run(t, NULL), ELB_OK);
    for (int j = 0; j < LATENT; j++) {
        for (int64_t i = 0; i < DRAWS; i++) {
            elb_real e[3];
            machine->kernels->normal((elb_stream){.key = 5, .datum = (uint64_t)j, .draw = (uint32_t)i}, 3, e);
            double f = w.mean[j] + sqrt(w.variance[j]) * e[0];
            double g = w.mean[LATENT + j] + sqrt(w.variance[LATENT + j]) * e[1];
            z[i] = f + exp(g / 2) * e[2];
            square[i] = (z[i] - m->data[j]) * (z[i] - m->data[j]);
        }
        within_errors(z, DRAWS, m->data[j]);
        within_errors(square, DRAWS, exp(s->data[j]));
    }
    elb_posterior_destroy(q);
    elb_tape_destroy(t);
    support_context_end(c, NULL);
}

/* Without any spread it is the Gaussian of ffg, whose parameters it shares by name. */
static void test_no_spread_is_ffg(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    elb_tape *t;
    elb_posterior_options plain = {.activation = ELB_NET_TANH, .hidden = {2, {5, 4}}}, random = plain;
    elb_posterior *ffg, *q;
    while (elb_posterior_types[random.type] != &elb_posterior_gp) random.type++;
    assert_int_equal(elb_tape_create(c, &t), ELB_OK);
    assert_int_equal(elb_posterior_create(c, &plain, WIDTH, LATENT, &ffg), ELB_OK);
    assert_int_equal(elb_posterior_create(c, &random, WIDTH, LATENT, &q), ELB_OK);
    fill(ffg, 4);
    for (int64_t i = 0; i < ffg->params.count; i++) {
        int64_t count;
        elb_real *to = parameter(q, ffg->params.at[i].name, &count);
        assert_int_equal(count, ffg->params.at[i].count);
        memcpy(to, elb_params_data(&ffg->params, i), (size_t)count * sizeof *to);
    }
    static const char *const spreads[] = {"spread.weight", "spread.bias"};
    for (int k = 0; k < 2; k++) {
        int64_t count;
        elb_real *l = parameter(q, spreads[k], &count);
        for (int64_t i = 0; i < count; i++) l[i] = NOTHING;
    }
    elb_tensor *x = elb_input(t, "x", false, 2, (int64_t[]){1, WIDTH});
    for (int i = 0; i < WIDTH; i++) x->data[i] = somewhere[i];
    elb_tensor *a = elb_encode(ffg, t, x), *b = elb_encode(q, t, x);
    assert_int_equal(elb_tape_run(t, NULL), ELB_OK);
    for (int i = 0; i < 2 * LATENT; i++) support_assert_near(b->data[i], a->data[i], 1e-13, 1e-13);
    elb_posterior_destroy(q);
    elb_posterior_destroy(ffg);
    elb_tape_destroy(t);
    support_context_end(c, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expected_kl),     cmocka_unit_test(test_linear_gaussian),
        cmocka_unit_test(test_diagonal),        cmocka_unit_test(test_full_by_draws),
        cmocka_unit_test(test_matched_moments), cmocka_unit_test(test_no_spread_is_ffg),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
