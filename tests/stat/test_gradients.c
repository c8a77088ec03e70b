/* test_gradients.c - statistical identities of bounds and gradient estimators on the linear-Gaussian fixture, whose
 * ELBO, evidence and gradients are known in closed form: x = W z + mu + e, e ~ N(0, s2 I). Seeds are fixed; differences
 * are held to 5 standard errors. */
#include "vae_support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { D = 3, Z = 2, LOCAL = 2 * Z, BATCH = 64, RUNS = 1200 };

/* The posterior's local parameters: m = (.5, 1), variances (.3, .2), far from the best. */
static const double start[LOCAL] = {0.5, 1, -1.2039728043259361, -1.6094379124341003};
static const double evidence = -4.750405764902, elbo = -6.323175187154;
static const double elbo_gradient[LOCAL] = {-2.4875, 2.8125, -0.04375, 0.0375};

typedef struct estimate {
    double mean, error, variance;
} estimate;

static estimate estimate_of(const double *values, int64_t n)
{
    estimate e = {0, 0, 0};
    for (int64_t i = 0; i < n; i++) e.mean += values[i] / (double)n;
    for (int64_t i = 0; i < n; i++) e.variance += pow(values[i] - e.mean, 2) / (double)(n - 1);
    e.error = sqrt(e.variance / (double)n);
    return e;
}

static void agrees(const char *what, estimate e, double want, double error)
{
    double errors = fabs(e.mean - want) / sqrt(e.error * e.error + error * error);
    if (!(errors < 5))
        fail_msg("%s: %.6f (standard error %.6f) is %.1f standard errors from %.6f", what, e.mean, e.error, errors,
                 want);
}

/* --- the fixture: an encoder that ignores the data, so that its bias is the local parameters ---------------------- */

static void put(support_vae *v, const char *name, const double *values, int64_t count)
{
    int block;
    int64_t index = support_vae_find(v, name, &block);
    for (int64_t i = 0; i < count; i++) elb_params_data(support_vae_block(v, block), index)[i] = (elb_real)values[i];
}

static support_vae *fixture(elb_context *c, const char *objective)
{
    static const double w[D * Z] = {1, 0.5, -0.5, 1, 0.25, -0.75}, mu[D] = {0.1, -0.2, 0.3}, x[D] = {1, 2, -1};
    char settings[512];
    snprintf(settings, sizeof settings,
             "likelihood.type=gaussian likelihood.variance=scalar model.latent=2 model.hidden= posterior.hidden= %s",
             objective);
    support_vae *v = support_vae_create(c, D, BATCH, settings);
    put(v, "decoder.0.weight", w, D * Z);
    put(v, "decoder.0.bias", mu, D);
    put(v, "likelihood.log_variance", (double[]){log(0.5)}, 1);
    put(v, "encoder.0.bias", start, LOCAL);
    for (int64_t i = 0; i < BATCH * D; i++) v->x[i] = (elb_real)x[i % D];
    return v;
}

/* --- gradients ---------------------------------------------------------------------------------------------------- */

/* Of the bound, not of the loss, with respect to the local parameters: each run's is the mean of BATCH draws. */
static void gradients(const char *objective, uint64_t key, estimate e[LOCAL])
{
    static double values[LOCAL][RUNS];
    elb_context *c = support_context(NULL);
    support_vae *v = fixture(c, objective);
    int block;
    int64_t index = support_vae_find(v, "encoder.0.bias", &block);
    const elb_params *p = support_vae_block(v, block);
    for (int64_t r = 0; r < RUNS; r++) {
        v->noise.key = key + (uint64_t)r;
        support_vae_run(v);
        for (int i = 0; i < LOCAL; i++) values[i][r] = -(double)p->grad[p->at[index].offset + i];
    }
    for (int i = 0; i < LOCAL; i++) e[i] = estimate_of(values[i], RUNS);
    support_vae_destroy(v);
    support_context_end(c, NULL);
}

/* Every estimator of the ELBO's gradient is unbiased; an IWAE bound with K = 1 is the ELBO. */
static void test_elbo_gradients(void **state)
{
    static const char *const objectives[] = {
        "objective.kl=closed",
        "objective.kl=closed objective.samples=3",
        "objective.kl=sampled",
        "objective.gradient=stl",
        "objective.gradient=dreg objective.samples=3",
        "objective.type=iwae",
        "objective.type=iwae objective.gradient=stl",
        "objective.type=iwae objective.gradient=dreg",
    };
    (void)state;
    for (size_t o = 0; o < sizeof objectives / sizeof objectives[0]; o++) {
        estimate e[LOCAL];
        gradients(objectives[o], 1000000 * (o + 1), e);
        for (int i = 0; i < LOCAL; i++) agrees(objectives[o], e[i], elbo_gradient[i], 0);
    }
}

/* DReG and the plain gradient agree in mean, and DReG varies less; STL is biased, as it is said to be. */
static void test_iwae_gradients(void **state)
{
    static const int samples[] = {5, 20};
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        estimate plain[LOCAL], stl[LOCAL], dreg[LOCAL];
        char objective[128];
        snprintf(objective, sizeof objective, "objective.type=iwae objective.samples=%d", samples[k]);
        gradients(objective, 20000000, plain);
        snprintf(objective, sizeof objective, "objective.type=iwae objective.samples=%d objective.gradient=dreg",
                 samples[k]);
        gradients(objective, 30000000, dreg);
        double bias = 0;
        for (int i = 0; i < LOCAL; i++) {
            agrees(objective, dreg[i], plain[i].mean, plain[i].error);
            assert_true(dreg[i].variance < plain[i].variance);
        }
        snprintf(objective, sizeof objective, "objective.type=iwae objective.samples=%d objective.gradient=stl",
                 samples[k]);
        gradients(objective, 40000000, stl);
        for (int i = 0; i < LOCAL; i++)
            bias = fmax(bias, fabs(stl[i].mean - dreg[i].mean) / hypot(stl[i].error, dreg[i].error));
        assert_true(bias > 10);
    }
}

/* The score has mean zero: sampled ELBO gradients with and without it differ by it, on the same noise. */
static void test_score(void **state)
{
    static double values[LOCAL][RUNS];
    (void)state;
    elb_context *c = support_context(NULL);
    support_vae *v = fixture(c, "");
    elb_real lambda[BATCH * LOCAL], grad[BATCH * LOCAL];
    for (int i = 0; i < BATCH * LOCAL; i++) lambda[i] = (elb_real)start[i % LOCAL];
    for (int64_t r = 0; r < RUNS; r++) {
        elb_tape *t = v->tape;
        assert_int_equal(elb_tape_reset(t), ELB_OK);
        v->noise.key = 50000000 + (uint64_t)r;
        v->noise.samples = 1;
        elb_tensor *l = elb_leaf(t, "lambda", lambda, grad, 2, (int64_t[]){BATCH, LOCAL});
        elb_draw d = elb_sample(v->posterior, t, l, &v->noise, ELB_LOG_Q_NONE);
        elb_tensor *score = v->posterior->type->log_density(v->posterior, t, l, elb_stop_gradient(t, d.z));
        assert_int_equal(elb_tape_run(t, elb_mean_all(t, score)), ELB_OK);
        for (int i = 0; i < LOCAL; i++) {
            values[i][r] = 0;
            for (int64_t b = 0; b < BATCH; b++) values[i][r] += (double)grad[b * LOCAL + i];
        }
    }
    for (int i = 0; i < LOCAL; i++) {
        estimate e = estimate_of(values[i], RUNS);
        agrees("score", e, 0, 0);
        /* and is not just zero: its variance is Fisher's information, 1/v for the mean and 1/2 for the log variance */
        double information = i < Z ? exp(-start[Z + i]) : 0.5;
        support_assert_near(e.variance * BATCH, information, 0, 0.2);
    }
    support_vae_destroy(v);
    support_context_end(c, NULL);
}

/* --- bounds ------------------------------------------------------------------------------------------------------- */

static estimate bound(int samples, uint64_t key)
{
    static double values[RUNS];
    char objective[128];
    elb_context *c = support_context(NULL);
    snprintf(objective, sizeof objective, "objective.type=iwae objective.samples=%d", samples);
    support_vae *v = fixture(c, objective);
    for (int64_t r = 0; r < RUNS; r++) {
        v->noise.key = key + (uint64_t)r;
        values[r] = -support_vae_loss(v);
    }
    support_vae_destroy(v);
    support_context_end(c, NULL);
    return estimate_of(values, RUNS);
}

/* L_1 = ELBO < L_5 < L_50 < log p, with values from a Monte Carlo estimate made elsewhere. */
static void test_bounds_rise(void **state)
{
    (void)state;
    estimate one = bound(1, 60000000), five = bound(5, 70000000), fifty = bound(50, 80000000);
    agrees("L_1", one, elbo, 0);
    agrees("L_5", five, -5.288, 0.005);
    agrees("L_50", fifty, -4.842, 0.003);
    assert_true(one.mean + 5 * one.error < five.mean);
    assert_true(five.mean + 5 * five.error < fifty.mean);
    assert_true(fifty.mean + 5 * fifty.error < evidence);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elbo_gradients),
        cmocka_unit_test(test_iwae_gradients),
        cmocka_unit_test(test_score),
        cmocka_unit_test(test_bounds_rise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
