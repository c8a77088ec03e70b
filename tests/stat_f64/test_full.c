/* test_full.c - the Gaussian with full covariance where it is the posterior itself, in double: every importance weight
 * is p(x), and what is held constant has no gradient. */
#include "vae_support.h"

#include <math.h>
#include <string.h>

#include "doctor/oracle.h"

enum { LATENT = 2, LOCAL = LATENT * (LATENT + 1), SAMPLES = 64 };

/* The posterior of the linear-Gaussian fixture, from its precision P = I + W'W / s2 by hand. */
static const double exact_mean[] = {-0.9 / 7, 10.9 / 7};
static const double exact_covariance[2][2] = {{0.278195488722, 0.022556390977}, {0.022556390977, 0.218045112782}};

/* S = U U^T, U upper triangular, by hand: lambda = [m, log U_00, U_01, -, log U_11]. */
static void exact_lambda(elb_real lambda[LOCAL])
{
    double u11 = sqrt(exact_covariance[1][1]), u01 = exact_covariance[0][1] / u11;
    double u00 = sqrt(exact_covariance[0][0] - u01 * u01);
    const double values[LOCAL] = {exact_mean[0], exact_mean[1], log(u00), u01, 17 /* means nothing */, log(u11)};
    for (int i = 0; i < LOCAL; i++) lambda[i] = values[i];
}

static elb_posterior *full_make(elb_context *c)
{
    elb_posterior_options options = {.activation = ELB_NET_LINEAR};
    elb_posterior *q;
    while (strcmp(elb_posterior_types[options.type]->name, "full") != 0) options.type++;
    assert_int_equal(elb_posterior_create(c, &options, ELB_ORACLE_DATA, LATENT, &q), ELB_OK);
    assert_int_equal(q->local, LOCAL);
    return q;
}

typedef struct world {
    elb_context *c;
    elb_oracle oracle;
    elb_posterior *q;
    elb_tape *t;
    elb_real lambda[LOCAL], gradient[LOCAL], x[ELB_ORACLE_DATA];
} world;

static void world_begin(world *w)
{
    w->c = support_context(NULL);
    assert_int_equal(elb_oracle_create(w->c, &elb_oracle_linear_gaussian, &w->oracle), ELB_OK);
    w->q = full_make(w->c);
    assert_int_equal(elb_tape_create(w->c, &w->t), ELB_OK);
    exact_lambda(w->lambda);
    memset(w->gradient, 0, sizeof w->gradient);
    for (int d = 0; d < ELB_ORACLE_DATA; d++) w->x[d] = w->oracle.facts->x[d];
}

static void world_end(world *w)
{
    elb_tape_destroy(w->t);
    elb_posterior_destroy(w->q);
    elb_oracle_destroy(&w->oracle);
    support_context_end(w->c, NULL);
}

/* log p(x,z) - log q(z|x) of every draw. */
static elb_tensor *log_weights(world *w, elb_log_q log_q, elb_tensor **z, elb_tensor **log_density)
{
    static const uint64_t datum = 0;
    elb_noise noise = {.key = 3, .datum = &datum, .samples = SAMPLES};
    elb_tensor *x = elb_leaf(w->t, "x", w->x, NULL, 2, (int64_t[]){1, ELB_ORACLE_DATA});
    elb_tensor *lambda = elb_leaf(w->t, "lambda", w->lambda, w->gradient, 2, (int64_t[]){1, LOCAL});
    elb_draw d = elb_sample(w->q, w->t, lambda, &noise, log_q);
    *z = d.z;
    *log_density = w->q->type->log_density(w->q, w->t, lambda, d.z);
    return elb_sub(w->t, elb_model_log_joint(w->oracle.model, w->t, x, d.z), d.log_q);
}

static void test_weights(void **state)
{
    (void)state;
    world w;
    world_begin(&w);
    elb_tensor *z, *density;
    elb_tensor *weight = log_weights(&w, ELB_LOG_Q_FULL, &z, &density);
    assert_int_equal(elb_tape_run(w.t, NULL), ELB_OK);
    double constant = -log(2 * acos(-1.0)) - 0.5 * log(exact_covariance[0][0] * exact_covariance[1][1] -
                                                       exact_covariance[0][1] * exact_covariance[0][1]);
    double det = exact_covariance[0][0] * exact_covariance[1][1] - exact_covariance[0][1] * exact_covariance[0][1];
    for (int i = 0; i < SAMPLES; i++) {
        double a = z->data[2 * i] - exact_mean[0], b = z->data[2 * i + 1] - exact_mean[1];
        double form =
            (exact_covariance[1][1] * a * a - 2 * exact_covariance[0][1] * a * b + exact_covariance[0][0] * b * b) /
            det;
        support_assert_near(weight->data[i], w.oracle.facts->log_evidence, 1e-9, 0);
        support_assert_near(density->data[i], constant - form / 2, 1e-10, 0);
    }
    world_end(&w);
}

/* Moments and KL from the covariance alone: 1/2 (tr S + |m|^2 - Z - log det S). */
static void test_moments(void **state)
{
    (void)state;
    world w;
    world_begin(&w);
    elb_tensor *lambda = elb_leaf(w.t, "lambda", w.lambda, NULL, 2, (int64_t[]){1, LOCAL});
    elb_tensor *variance = elb_apply(w.t, ELB_EXP, w.q->type->log_variance(w.q, w.t, lambda));
    elb_tensor *kl = elb_sum_last(w.t, w.q->type->kl_to_prior(w.q, w.t, lambda));
    elb_tensor *mean = w.q->type->mean(w.q, w.t, lambda);
    assert_int_equal(elb_tape_run(w.t, NULL), ELB_OK);
    double trace = 0, square = 0;
    double det = exact_covariance[0][0] * exact_covariance[1][1] - exact_covariance[0][1] * exact_covariance[0][1];
    for (int k = 0; k < LATENT; k++) {
        support_assert_near(variance->data[k], exact_covariance[k][k], 1e-12, 0);
        support_assert_near(mean->data[k], exact_mean[k], 1e-15, 0);
        trace += exact_covariance[k][k];
        square += exact_mean[k] * exact_mean[k];
    }
    support_assert_near(kl->data[0], 0.5 * (trace + square - LATENT - log(det)), 1e-12, 0);
    world_end(&w);
}

/* Roeder et al. 2017: where q is the posterior, sticking the landing has no gradient at all, sample by sample. */
static void test_landing(void **state)
{
    (void)state;
    world w;
    world_begin(&w);
    elb_tensor *z, *density;
    elb_tensor *loss = elb_mean_all(w.t, log_weights(&w, ELB_LOG_Q_SAMPLE, &z, &density));
    assert_int_equal(elb_tape_run(w.t, loss), ELB_OK);
    for (int i = 0; i < LOCAL; i++) support_assert_near(w.gradient[i], 0, 1e-9, 0);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_landing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
