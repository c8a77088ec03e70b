/* test_estimates.c - ELBO and IWAE against evidences known in closed form and by quadrature. */
#include "support.h"

#include <math.h>

#include "doctor/oracle.h"

static const double poor_mean[] = {0.5, 1}, poor_variance[] = {0.3, 0.2}; /* q0 of the linear-Gaussian model */
static const double poor_elbo = -6.323175187154;

static elb_oracle oracle_make(elb_context *c, const elb_oracle_facts *facts)
{
    elb_oracle o;
    if (elb_oracle_create(c, facts, &o) != ELB_OK) fail_msg("%s", elb_context_message(c));
    return o;
}

static elb_oracle_estimate estimate(elb_oracle *o, int64_t count, int64_t samples, uint64_t seed)
{
    elb_oracle_estimate e;
    if (elb_oracle_estimates(o, count, samples, seed, &e) != ELB_OK)
        fail_msg("%s", elb_context_message(o->model->context));
    assert_int_equal(e.elbo.count, count);
    return e;
}

static void assert_within(const elb_moments *m, double expected, double errors)
{
    support_assert_near(m->mean, expected, errors * elb_moments_error(m), 0);
}

/* --- the facts themselves, by arithmetic in double ---------------------------------------------------------------- */

static double determinant(double a, double b, double c, double d)
{
    return a * d - b * c;
}

/* log N(x; mu, W W' + s2 I), q* and its ELBO, from the model's numbers alone. */
static void test_linear_gaussian_facts(void **state)
{
    (void)state;
    const elb_oracle_facts *f = &elb_oracle_linear_gaussian;
    double p[2][2] = {{1, 0}, {0, 1}}, h[2] = {0, 0}, residual = 0,
           s2 = f->variance; /* posterior precision; W'(x-mu)/s2 */
    for (int d = 0; d < 3; d++) {
        double r = f->x[d] - f->bias[d];
        residual += r * r / s2;
        for (int i = 0; i < 2; i++) {
            h[i] += f->weight[d][i] * r / s2;
            for (int j = 0; j < 2; j++) p[i][j] += f->weight[d][i] * f->weight[d][j] / s2;
        }
    }
    double det = determinant(p[0][0], p[0][1], p[1][0], p[1][1]);
    double mean[] = {(p[1][1] * h[0] - p[0][1] * h[1]) / det, (p[0][0] * h[1] - p[1][0] * h[0]) / det};
    /* matrix inversion and determinant lemmas: C^-1 = I/s2 - W P^-1 W'/s2^2, det C = s2^3 det P */
    double evidence =
        -0.5 * (3 * log(2 * acos(-1.0)) + 3 * log(s2) + log(det) + residual - h[0] * mean[0] - h[1] * mean[1]);
    support_assert_near(f->log_evidence, evidence, 1e-11, 0);
    double gap = 0.5 * (log(p[0][0]) + log(p[1][1]) - log(det));
    support_assert_near(f->best_elbo, evidence - gap, 1e-11, 0);
    for (int i = 0; i < 2; i++) {
        support_assert_near(f->best_mean[i], mean[i], 1e-11, 0);
        support_assert_near(f->best_variance[i], 1 / p[i][i], 1e-11, 0);
    }
}

static double bernoulli_log_joint(const elb_oracle_facts *f, double z)
{
    double sum = -0.5 * (log(2 * acos(-1.0)) + z * z);
    for (int d = 0; d < 3; d++) {
        double a = f->weight[d][0] * z + f->bias[d];
        sum += f->x[d] * a - fmax(a, 0) - log1p(exp(-fabs(a)));
    }
    return sum;
}

/* The trapezoid rule: evidence, and the ELBO of the best Gaussian, higher than any near it. */
static void test_bernoulli_facts(void **state)
{
    (void)state;
    enum { POINTS = 200001 };
    const elb_oracle_facts *f = &elb_oracle_bernoulli;
    double step = 24.0 / (POINTS - 1), evidence = 0;
    for (int i = 0; i < POINTS; i++) evidence += exp(bernoulli_log_joint(f, -12 + i * step)) * step;
    support_assert_near(f->log_evidence, log(evidence), 1e-11, 0);
    for (int way = 0; way < 5; way++) {
        double m = f->best_mean[0] + (way == 1 ? 0.01 : way == 2 ? -0.01 : 0), elbo = 0;
        double v = f->best_variance[0] * (way == 3 ? 1.02 : way == 4 ? 0.98 : 1);
        for (int i = 0; i < POINTS; i++) {
            double z = -12 + i * step, log_q = -0.5 * (log(2 * acos(-1.0) * v) + (z - m) * (z - m) / v);
            elbo += exp(log_q) * (bernoulli_log_joint(f, z) - log_q) * step;
        }
        if (way == 0)
            support_assert_near(f->best_elbo, elbo, 1e-9, 0);
        else
            assert_true(elbo < f->best_elbo);
    }
}

/* --- estimates ---------------------------------------------------------------------------------------------------- */

/* From a poor posterior: L_1 <= L_5 <= L_50 <= log p, each by more than its error, and L_1 is the ELBO. */
static void test_bounds_rise(void **state)
{
    (void)state;
    static const int64_t samples[] = {1, 5, 50};
    static const double known[] = {-6.323175, -5.2860, -4.8457}; /* simulated independently; errors below 0.0004 */
    elb_context *c = support_context(NULL);
    elb_oracle o = oracle_make(c, &elb_oracle_linear_gaussian);
    elb_oracle_set(&o, poor_mean, poor_variance);
    elb_oracle_estimate before = {.elbo = {0}};
    for (int i = 0; i < 3; i++) {
        elb_oracle_estimate now = estimate(&o, 20000, samples[i], 11);
        double error = elb_moments_error(&now.log_likelihood);
        assert_true(error > 0 && error < 0.02);
        support_assert_near(now.log_likelihood.mean, known[i], 5 * error + 0.0004, 0);
        assert_within(&now.elbo, poor_elbo, 5);
        assert_true(now.log_likelihood.mean < o.facts->log_evidence + 5 * error);
        if (i > 0) assert_true(now.log_likelihood.mean > before.log_likelihood.mean + 5 * error);
        before = now;
    }
    elb_oracle_destroy(&o);
    support_context_end(c, NULL);
}

/* From the best Gaussian: the ELBO is the closed form's, one run of 100 000 samples gives three
 * digits of the evidence. */
static void check_best(const elb_oracle_facts *facts)
{
    elb_context *c = support_context(NULL);
    elb_oracle o = oracle_make(c, facts);
    elb_oracle_estimate one = estimate(&o, 20000, 1, 3), five = estimate(&o, 20000, 5, 3);
    assert_within(&one.elbo, facts->best_elbo, 5);
    assert_within(&one.log_likelihood, facts->best_elbo, 5); /* L_1 */
    assert_within(&five.elbo, facts->best_elbo, 5);
    assert_true(five.log_likelihood.mean <= facts->log_evidence + 5 * elb_moments_error(&five.log_likelihood));
    assert_true(five.log_likelihood.mean > facts->best_elbo);
    for (uint64_t seed = 1; seed <= 3; seed++)
        support_assert_near(estimate(&o, 1, 100000, seed).log_likelihood.mean, facts->log_evidence, 1e-3, 0);
    elb_oracle_destroy(&o);
    support_context_end(c, NULL);
}

static void test_best_linear_gaussian(void **state)
{
    (void)state;
    check_best(&elb_oracle_linear_gaussian);
}

static void test_best_bernoulli(void **state)
{
    (void)state;
    check_best(&elb_oracle_bernoulli);
}

/* E[w] = p(x): the mean of exp(L_1) over repetitions is the evidence. */
static void test_unbiased(void **state)
{
    (void)state;
    enum { COUNT = 64, SAMPLES = 5000 };
    elb_context *c = support_context(NULL);
    elb_oracle o = oracle_make(c, &elb_oracle_bernoulli);
    const double mean[] = {0.5}, variance[] = {1.2}; /* wider than the posterior: bounded weights */
    elb_oracle_set(&o, mean, variance);
    elb_moments weight = {0};
    for (uint64_t seed = 0; seed < COUNT; seed++)
        elb_moments_add(&weight, exp(estimate(&o, 1, SAMPLES, seed).log_likelihood.mean));
    assert_within(&weight, exp(o.facts->log_evidence), 5);
    assert_true(elb_moments_error(&weight) < 1e-3);
    elb_oracle_destroy(&o);
    support_context_end(c, NULL);
}

static void test_moments(void **state)
{
    (void)state;
    elb_moments m = {0};
    assert_true(isnan(elb_moments_error(&m)));
    elb_moments_add(&m, 1e9 + 1);
    assert_true(isnan(elb_moments_error(&m)));
    elb_moments_add(&m, 1e9 + 2);
    elb_moments_add(&m, 1e9 + 6);
    support_assert_near(m.mean, 1e9 + 3, 1e-6, 0);
    support_assert_near(elb_moments_error(&m), sqrt(14.0 / 2 / 3), 1e-9, 0);
    elb_moments_add(&m, NAN);
    assert_true(isnan(m.mean) && isnan(elb_moments_error(&m)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_linear_gaussian_facts),
        cmocka_unit_test(test_bernoulli_facts),
        cmocka_unit_test(test_bounds_rise),
        cmocka_unit_test(test_best_linear_gaussian),
        cmocka_unit_test(test_best_bernoulli),
        cmocka_unit_test(test_unbiased),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
