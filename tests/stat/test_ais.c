/* test_ais.c - AIS and BDMC against evidences known in closed form and by quadrature. */
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "infer/ais.h"
#include "doctor/oracle.h"

static const double poor_mean[] = {0.5, 1}, poor_variance[] = {0.3, 0.2};

static const elb_anneal_settings usual = {.chains = 1000, .temperatures = 200, .leapfrog = 10};

static elb_oracle oracle_make(elb_context *c, const elb_oracle_facts *facts)
{
    elb_oracle o;
    if (elb_oracle_create(c, facts, &o) != ELB_OK) fail_msg("%s", elb_context_message(c));
    return o;
}

/* `count` repetitions of x, each with random numbers of its own; exact [count,Z] or NULL. */
static elb_ais_result *annealed(elb_oracle *o, const elb_anneal_settings *how, int64_t count, const double *x,
                                const elb_real *exact)
{
    elb_context *c = o->model->context;
    int64_t d = o->model->data;
    elb_ais *a;
    elb_ais_result *results = calloc((size_t)count, sizeof *results);
    elb_real *data = calloc((size_t)(count * d), sizeof *data);
    uint64_t *datum = calloc((size_t)count, sizeof *datum);
    for (int64_t i = 0; i < count * d; i++) data[i] = (elb_real)x[i % d];
    for (int64_t i = 0; i < count; i++) datum[i] = (uint64_t)i;
    if (elb_ais_create(c, o->model, o->posterior, NULL, how, 11, &a) != ELB_OK ||
        elb_ais_block(a, count, datum, data, exact, results) != ELB_OK)
        fail_msg("%s", elb_context_message(c));
    elb_ais_destroy(a);
    free(data);
    free(datum);
    return results;
}

static elb_moments lower_of(const elb_ais_result *r, int64_t count)
{
    elb_moments m = {0};
    for (int64_t i = 0; i < count; i++) elb_moments_add(&m, r[i].lower.value);
    return m;
}

/* --- the truth ---------------------------------------------------------------------------------------------------- */

static void check_evidence(const elb_oracle_facts *facts, elb_anneal_settings how, double most)
{
    enum { COUNT = 4 };
    elb_context *c = support_context(NULL);
    elb_oracle o = oracle_make(c, facts);
    if (facts == &elb_oracle_linear_gaussian) elb_oracle_set(&o, poor_mean, poor_variance);
    elb_ais_result *r = annealed(&o, &how, COUNT, facts->x, NULL);
    elb_moments m = lower_of(r, COUNT);
    support_assert_near(m.mean, facts->log_evidence, most, 0);
    for (int i = 0; i < COUNT; i++) {
        support_assert_near(r[i].lower.value, facts->log_evidence, 4.5 * r[i].lower.error, 0);
        assert_true(r[i].lower.error > 0 && r[i].lower.ess >= 1 && r[i].lower.ess <= (double)how.chains);
        assert_true(isnan(r[i].upper.value) && r[i].step > 0);
        if (how.adapt == ELB_ADAPT_PILOT) assert_true(r[i].acceptance > 0.5 && r[i].acceptance < 0.85);
    }
    free(r);
    elb_oracle_destroy(&o);
    support_context_end(c, NULL);
}

static void test_evidence(void **state)
{
    (void)state;
    for (int schedule = 0; schedule < 2; schedule++) {
        elb_anneal_settings how = usual;
        how.schedule = (elb_anneal_schedule)schedule;
        check_evidence(&elb_oracle_linear_gaussian, how, 0.02);
        check_evidence(&elb_oracle_bernoulli, how, 0.02);
        how.start = ELB_ANNEAL_POSTERIOR;
        check_evidence(&elb_oracle_linear_gaussian, how, 0.01);
        check_evidence(&elb_oracle_bernoulli, how, 0.005);
    }
    elb_anneal_settings published = usual;
    published.adapt = ELB_ADAPT_IN_RUN;
    check_evidence(&elb_oracle_linear_gaussian, published, 0.05); /* its steps are still short after 200 moves */
    check_evidence(&elb_oracle_bernoulli, published, 0.02);
}

/* --- two modes: x = (a ReLU(z) + a ReLU(-z)) + e, so that +z and -z explain x alike ------------------------------- */

enum { FOLD = 2 }; /* values of x */
static const double fold_x[FOLD] = {2, 1.6}, fold_noise = 0.1;

static double fold_log_joint(double z)
{
    double sum = -z * z / 2 - log(2 * acos(-1.0)) / 2, height = fabs(z);
    for (int d = 0; d < FOLD; d++)
        sum -= (log(2 * acos(-1.0) * fold_noise) + pow(fold_x[d] - height * (d + 1) / 1.2, 2) / fold_noise) / 2;
    return sum;
}

static double fold_log_evidence(void)
{
    enum { POINTS = 200001 };
    double h = 24.0 / (POINTS - 1), sum = 0;
    for (int i = 0; i < POINTS; i++)
        sum += exp(fold_log_joint(-12 + i * h) + 10) * (i == 0 || i == POINTS - 1 ? h / 2 : h);
    return log(sum) - 10;
}

static elb_oracle fold_make(elb_context *c)
{
    elb_oracle o = {0};
    elb_model_options model = {.latent = 1, .activation = ELB_NET_RELU, .hidden = {1, {2}}};
    elb_likelihood_options likelihood = {
        .type = ELB_GAUSSIAN, .variance = ELB_VARIANCE_FIXED, .log_variance = log(fold_noise)};
    elb_posterior_options posterior = {.activation = ELB_NET_LINEAR};
    assert_int_equal(elb_model_create(c, &model, &likelihood, FOLD, &o.model), ELB_OK);
    assert_int_equal(elb_posterior_create(c, &posterior, FOLD, 1, &o.posterior), ELB_OK);
    elb_real *first = elb_params_data(&o.model->params, o.model->decoder.layer[0].weight);
    elb_real *last = elb_params_data(&o.model->params, o.model->decoder.layer[1].weight);
    first[0] = 1;
    first[1] = -1;
    for (int d = 0; d < FOLD; d++) last[2 * d] = last[2 * d + 1] = (elb_real)((d + 1) / 1.2);
    return o;
}

static void test_modes(void **state)
{
    (void)state;
    enum { COUNT = 3 };
    elb_context *c = support_context(NULL);
    elb_oracle o = fold_make(c);
    double truth = fold_log_evidence();
    elb_anneal_settings how = usual;
    how.schedule = ELB_ANNEAL_SIGMOID;
    elb_ais_result *r = annealed(&o, &how, COUNT, fold_x, NULL);
    elb_moments m = lower_of(r, COUNT);
    support_assert_near(m.mean, truth, 0.05, 0);
    for (int i = 0; i < COUNT; i++) support_assert_near(r[i].lower.value, truth, 4.5 * r[i].lower.error, 0);
    free(r);
    elb_oracle_destroy(&o);
    support_context_end(c, NULL);
}

/* --- E[w] = p(x), with hardly any temperatures -------------------------------------------------------------------- */

/* Every chain a datum of its own, so that exp(lower) is one weight. */
static void check_unbiased(const elb_oracle_facts *facts, elb_anneal_settings how, int64_t count)
{
    elb_context *c = support_context(NULL);
    elb_oracle o = oracle_make(c, facts);
    how.chains = 1;
    elb_ais_result *r = annealed(&o, &how, count, facts->x, NULL);
    elb_moments w = {0};
    for (int64_t i = 0; i < count; i++) {
        assert_true(isnan(r[i].lower.error) && r[i].lower.ess == 1);
        elb_moments_add(&w, exp(r[i].lower.value - facts->log_evidence));
    }
    support_assert_near(w.mean, 1, 4 * elb_moments_error(&w), 0);
    assert_true(elb_moments_error(&w) < 0.1);
    assert_true(lower_of(r, count).mean < facts->log_evidence - 0.01); /* one chain's log is well below */
    free(r);
    elb_oracle_destroy(&o);
    support_context_end(c, NULL);
}

static void test_unbiased(void **state)
{
    (void)state;
    elb_anneal_settings few = {.temperatures = 4, .leapfrog = 3};
    check_unbiased(&elb_oracle_linear_gaussian, few, 20000);
    check_unbiased(&elb_oracle_bernoulli, few, 10000);
    few.temperatures = 1; /* importance sampling from the prior */
    check_unbiased(&elb_oracle_bernoulli, few, 10000);
    few.temperatures = 3;
    few.schedule = ELB_ANNEAL_SIGMOID;
    check_unbiased(&elb_oracle_bernoulli, few, 10000);
}

/* --- the sandwich ------------------------------------------------------------------------------------------------- */

/* z from the linear-Gaussian posterior of x: by the prior, the noise and linear algebra, z = E[z|x] + (z0 - E[z|x0])
 * for a (z0, x0) from the model (Matheron's rule). */
static void exact_draws(const elb_oracle_facts *f, int64_t count, elb_real *z)
{
    double p[2][2] = {{3.625, -0.375}, {-0.375, 4.625}}, det = p[0][0] * p[1][1] - p[0][1] * p[1][0];
    const elb_kernels *k = elb_kernels_available()[0];
    for (int64_t i = 0; i < count; i++) {
        elb_real e[5];
        double x0[ELB_ORACLE_DATA], h[2] = {0, 0};
        k->normal((elb_stream){42, (uint64_t)i, 0}, 5, e);
        for (int d = 0; d < ELB_ORACLE_DATA; d++) {
            x0[d] =
                f->weight[d][0] * (double)e[0] + f->weight[d][1] * (double)e[1] + sqrt(f->variance) * (double)e[2 + d];
            for (int u = 0; u < 2; u++) h[u] += f->weight[d][u] * (f->x[d] - f->bias[d] - x0[d]) / f->variance;
        }
        z[2 * i] = e[0] + (elb_real)((p[1][1] * h[0] - p[0][1] * h[1]) / det);
        z[2 * i + 1] = e[1] + (elb_real)((p[0][0] * h[1] - p[1][0] * h[0]) / det);
    }
}

static void test_sandwich(void **state)
{
    enum { COUNT = 400 };
    (void)state;
    elb_context *c = support_context(NULL);
    const elb_oracle_facts *f = &elb_oracle_linear_gaussian;
    elb_oracle o = oracle_make(c, f);
    elb_real z[2 * COUNT];
    exact_draws(f, COUNT, z);
    double width[2];
    for (int k = 0; k < 2; k++) {
        elb_anneal_settings how = {.chains = 4, .temperatures = k == 0 ? 5 : 200, .leapfrog = 5};
        elb_ais_result *r = annealed(&o, &how, COUNT, f->x, z);
        elb_moments lower = lower_of(r, COUNT), upper = {0};
        for (int i = 0; i < COUNT; i++) elb_moments_add(&upper, r[i].upper.value);
        assert_true(lower.mean - 4 * elb_moments_error(&lower) < f->log_evidence);
        assert_true(upper.mean + 4 * elb_moments_error(&upper) > f->log_evidence);
        width[k] = upper.mean - lower.mean;
        free(r);
    }
    assert_true(width[0] > 0.2); /* crude bounds are told apart from good ones */
    assert_true(width[1] > -0.05 && width[1] < 0.1);

    /* backwards too the weights are unbiased: E[1/w] = 1/p(x) */
    elb_anneal_settings one = {.chains = 1, .temperatures = 5, .leapfrog = 5};
    elb_ais_result *r = annealed(&o, &one, COUNT, f->x, z);
    elb_moments v = {0};
    for (int i = 0; i < COUNT; i++) elb_moments_add(&v, exp(f->log_evidence - r[i].upper.value));
    support_assert_near(v.mean, 1, 4 * elb_moments_error(&v), 0);
    free(r);
    elb_oracle_destroy(&o);
    support_context_end(c, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_evidence),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_unbiased),
        cmocka_unit_test(test_sandwich),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
