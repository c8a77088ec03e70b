/* test_mixture.c - mixture posteriors against what they are made of. */
#include "vae_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infer/importance.h"
#include "infer/inference.h"
#include "posterior/mixture.h"

enum { D = 5, B = 4, Z = 2, M = 3 };

static support_vae *vae_begin(elb_context *c, const char *settings)
{
    char all[512];
    snprintf(all, sizeof all, "model.latent=2 model.hidden=6 posterior.hidden=6 %s", settings);
    support_vae *v = support_vae_create(c, D, B, all);
    support_vae_fill(v, 0.7, 1);
    support_vae_fill_data(v, 2);
    return v;
}

static elb_tensor *data(support_vae *v)
{
    return elb_leaf(v->tape, "data", v->x, NULL, 2, (int64_t[]){B, D});
}

/* --- one component is a Gaussian ---------------------------------------------------------------------------------- */

/* The same names and shapes, the same start, and the same samples, densities and losses. */
static void test_one_component(void **state)
{
    static const char *const trunks[] = {"separate", "shared"};
    (void)state;
    for (int k = 0; k < 2; k++) {
        elb_context *c = support_context(NULL);
        char settings[256];
        snprintf(
            settings, sizeof settings,
            "posterior.type=mixture posterior.order=1 posterior.weights=input posterior.trunk=%s objective.kl=sampled",
            trunks[k]);
        support_vae *mixture = vae_begin(c, settings), *ffg = vae_begin(c, "objective.kl=sampled");
        const elb_params *a = &mixture->posterior->params, *b = &ffg->posterior->params;
        assert_int_equal(a->count, b->count);
        for (int64_t i = 0; i < a->count; i++) {
            assert_string_equal(a->at[i].name, b->at[i].name);
            assert_memory_equal(a->at[i].shape, b->at[i].shape, sizeof a->at[i].shape);
        }
        assert_true(support_vae_loss(mixture) == support_vae_loss(ffg));
        for (int64_t j = 0; j < b->size; j++) support_assert_near((double)a->grad[j], (double)b->grad[j], 1e-7, 1e-5);
        assert_int_equal(elb_posterior_reset(mixture->posterior, 3), ELB_OK);
        assert_int_equal(elb_posterior_reset(ffg->posterior, 3), ELB_OK);
        assert_memory_equal(a->data, b->data, (size_t)b->size * sizeof *b->data);
        support_vae_destroy(mixture);
        support_vae_destroy(ffg);
        support_context_end(c, NULL);
    }
}

/* --- the mixture's ELBO ------------------------------------------------------------------------------------------- */

/* sum_m a_m mean_s [log p(x,z_ms) - log Q(z_ms)], from lambda and z alone. */
static double elbo_by_hand(support_vae *v, const elb_tensor *lambda, const elb_draw *d, const elb_tensor *log_joint)
{
    double total = 0;
    int64_t samples = d->z->shape[0] / M, width = 2 * Z;
    for (int64_t b = 0; b < B; b++) {
        const elb_real *l = lambda->data + b * v->posterior->local;
        double weights = 0;
        for (int j = 0; j < M; j++) weights += exp((double)l[M * width + j]);
        for (int64_t r = 0; r < M * samples; r++) {
            double density = 0;
            for (int j = 0; j < M; j++) {
                double log_n = (double)l[M * width + j];
                for (int i = 0; i < Z; i++) {
                    double m = (double)l[j * width + i], s = (double)l[j * width + Z + i];
                    double z = (double)d->z->data[(r * B + b) * Z + i];
                    log_n += -0.5 * (1.8378770664093454836 + s + (z - m) * (z - m) * exp(-s));
                }
                density += exp(log_n) / weights;
            }
            double a = exp((double)l[M * width + r / samples]) / weights / (double)samples;
            total += a * ((double)log_joint->data[r * B + b] - log(density)) / B;
        }
    }
    return total;
}

static void test_elbo_is_the_weighted_sum(void **state)
{
    static const char *const weights[] = {"uniform", "global", "input"};
    (void)state;
    for (int k = 0; k < 6; k++) {
        elb_context *c = support_context(NULL);
        char settings[256];
        snprintf(settings, sizeof settings,
                 "posterior.type=mixture posterior.order=3 posterior.weights=%s posterior.trunk=%s objective.samples=2",
                 weights[k % 3], k < 3 ? "separate" : "shared");
        support_vae *v = vae_begin(c, settings);
        double loss = support_vae_loss(v);
        assert_int_equal(elb_tape_reset(v->tape), ELB_OK);
        elb_noise noise = v->noise;
        noise.samples = 2;
        elb_tensor *lambda = elb_encode(v->posterior, v->tape, data(v));
        elb_draw d = elb_sample_strata(v->posterior, v->tape, lambda, &noise, ELB_LOG_Q_NONE);
        elb_tensor *log_joint = elb_model_log_joint(v->model, v->tape, data(v), d.z);
        assert_int_equal(elb_tape_run(v->tape, NULL), ELB_OK);
        assert_int_equal(d.z->shape[0], 2 * M);
        support_assert_near(-loss, elbo_by_hand(v, lambda, &d, log_joint), 1e-5, 1e-5);
        bool moved = lambda->data[M * 2 * Z] != 0;
        assert_true(moved == (k % 3 > 0));
        support_vae_destroy(v);
        support_context_end(c, NULL);
    }
}

/* --- allocation --------------------------------------------------------------------------------------------------- */

/* Adds to counts what each component gets of samples first .. last-1 of `whole`. */
static void allocate(elb_context *c, const elb_real *logits, int64_t order, uint64_t datum, int64_t first, int64_t last,
                     int64_t whole, bool multinomial, int64_t counts[])
{
    elb_tape *t;
    elb_real copy[4];
    memcpy(copy, logits, (size_t)order * sizeof *copy);
    assert_int_equal(elb_tape_create(c, &t), ELB_OK);
    elb_tensor *l = elb_leaf(t, "logits", copy, NULL, 2, (int64_t[]){1, order});
    elb_noise noise = {.key = 3, .datum = &datum, .draw = (uint32_t)first, .samples = last - first, .whole = whole};
    elb_tensor *choice = elb_mixture_choice(t, l, &noise, 1, multinomial);
    assert_int_equal(elb_tape_run(t, NULL), ELB_OK);
    for (int64_t s = 0; s < noise.samples; s++) counts[(int64_t)choice->data[s]]++;
    elb_tape_destroy(t);
}

/* Equal weights share out exactly; others to within one sample; in pieces or not; the mean over data is unbiased. */
static void test_allocation(void **state)
{
    static const elb_real equal[4] = {0, 0, 0, 0}, unequal[3] = {0, (elb_real)1.3, (elb_real)-0.7};
    int64_t even[4] = {0}, all[3] = {0}, chance[3] = {0};
    double a[3], weights = 1 + exp(1.3) + exp(-0.7);
    (void)state;
    for (int j = 0; j < 3; j++) a[j] = exp((double)unequal[j]) / weights;
    elb_context *c = support_context(NULL);
    allocate(c, equal, 4, 1, 0, 500, 500, false, even);
    for (int j = 0; j < 4; j++) assert_int_equal(even[j], 125);
    for (uint64_t datum = 0; datum < 400; datum++) {
        int64_t counts[3] = {0};
        allocate(c, unequal, 3, datum, 0, 7, 10, false, counts);
        allocate(c, unequal, 3, datum, 7, 10, 10, false, counts);
        for (int j = 0; j < 3; j++) assert_true(fabs((double)counts[j] - 10 * a[j]) < 1);
        for (int j = 0; j < 3; j++) all[j] += counts[j];
    }
    for (int j = 0; j < 3; j++) support_assert_near((double)all[j] / 4000, a[j], 0.01, 0);
    allocate(c, unequal, 3, 1, 0, 20000, 20000, true, chance);
    for (int j = 0; j < 3; j++) support_assert_near((double)chance[j] / 20000, a[j], 0.015, 0);
    support_context_end(c, NULL);
}

/* --- estimates ---------------------------------------------------------------------------------------------------- */

/* Either allocation estimates the same log-likelihood. */
static void test_likelihood(void **state)
{
    double mean[2] = {0};
    (void)state;
    for (int k = 0; k < 2; k++) {
        elb_context *c = support_context(NULL);
        char settings[256];
        snprintf(settings, sizeof settings,
                 "posterior.type=mixture posterior.order=3 posterior.weights=input posterior.allocation=%s",
                 k == 0 ? "systematic" : "multinomial");
        support_vae *v = vae_begin(c, settings);
        elb_importance *e;
        elb_importance_result r[B];
        assert_int_equal(elb_importance_create(c, v->model, v->posterior, NULL, 20000, 1, &e), ELB_OK);
        assert_int_equal(elb_importance_block(e, B, v->datum, v->x, r), ELB_OK);
        for (int b = 0; b < B; b++) mean[k] += r[b].log_likelihood / B;
        for (int b = 0; b < B; b++) assert_true(r[b].elbo < r[b].log_likelihood);
        elb_importance_destroy(e);
        support_vae_destroy(v);
        support_context_end(c, NULL);
    }
    support_assert_near(mean[0], mean[1], 0.01, 0);
}

/* --- the gate ----------------------------------------------------------------------------------------------------- */

/* log p(x|mean of component j) - KL of component j, by a VAE whose posterior is that component alone. */
static double component_score(support_vae *v, const elb_tensor *lambda, int64_t b, int j)
{
    double kl = 0;
    elb_tape *t;
    elb_real mean[Z];
    const elb_real *m = lambda->data + b * v->posterior->local + j * 2 * Z;
    for (int i = 0; i < Z; i++) {
        kl += 0.5 * (exp((double)m[Z + i]) + (double)(m[i] * m[i]) - 1 - (double)m[Z + i]);
        mean[i] = m[i];
    }
    assert_int_equal(elb_tape_create(v->context, &t), ELB_OK);
    elb_tensor *x = elb_leaf(t, "data", v->x + b * D, NULL, 2, (int64_t[]){1, D});
    elb_tensor *fit =
        elb_model_log_likelihood(v->model, t, x, elb_leaf(t, "mean", mean, NULL, 3, (int64_t[]){1, 1, Z}));
    assert_int_equal(elb_tape_run(t, NULL), ELB_OK);
    double score = (double)fit->data[0] - kl;
    elb_tape_destroy(t);
    return score;
}

static void test_gate(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    support_vae *v = vae_begin(c, "posterior.type=mixture posterior.order=3 refine.gate=best");
    elb_inference *i;
    elb_real best[B * 2 * Z];
    int chosen[M] = {0};
    assert_int_equal(elb_inference_create(c, v->model, v->posterior, &v->config->refine, 1, &i), ELB_OK);
    assert_string_equal(elb_inference_family(i)->type->name, "ffg");
    assert_int_equal(elb_inference_run(i, B, v->datum, v->x, best), ELB_OK);
    elb_tensor *lambda = elb_encode(v->posterior, v->tape, data(v));
    assert_int_equal(elb_tape_run(v->tape, NULL), ELB_OK);
    for (int64_t b = 0; b < B; b++) {
        int at = 0;
        for (int j = 1; j < M; j++)
            if (component_score(v, lambda, b, j) > component_score(v, lambda, b, at)) at = j;
        chosen[at]++;
        for (int k = 0; k < 2 * Z; k++)
            support_assert_near((double)best[b * 2 * Z + k],
                                (double)lambda->data[b * v->posterior->local + at * 2 * Z + k], 1e-6, 1e-6);
    }
    assert_true(chosen[0] < B); /* not always the first */
    elb_inference_destroy(i);
    v->config->refine.start = ELB_REFINE_FROM_ZERO;
    assert_int_equal(elb_inference_create(c, v->model, v->posterior, &v->config->refine, 1, &i), ELB_USAGE);
    support_assert_message(c, "set refine.start=encoder");
    support_vae_destroy(v);
    support_context_end(c, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_component), cmocka_unit_test(test_elbo_is_the_weighted_sum),
        cmocka_unit_test(test_allocation),    cmocka_unit_test(test_likelihood),
        cmocka_unit_test(test_gate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
