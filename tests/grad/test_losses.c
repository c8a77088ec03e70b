/* test_losses.c - the gradient of every objective, model, posterior and warm-up, with respect to every parameter,
 * against central differences of the loss; warming up and freezing. In double. */
#include "grad_support.h"
#include "vae_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- plain gradients: of every parameter, of every model ---------------------------------------------------------- */

typedef struct losses_number {
    support_vae *v;
    elb_real *at, kept;
} losses_number;

static double losses_moved(void *user, double step)
{
    const losses_number *number = user;
    *number->at = number->kept + (elb_real)step;
    return support_vae_loss(number->v);
}

static double losses_slope(support_vae *v, elb_real *at)
{
    losses_number number = {v, at, *at};
    double slope = grad_derivative(losses_moved, &number, 1e-3);
    *at = number.kept;
    return slope;
}

static void losses_compare(support_vae *v, const char *settings)
{
    for (int b = 0; b < SUPPORT_VAE_BLOCKS; b++) {
        elb_params *p = support_vae_block(v, b);
        for (int64_t i = 0; i < p->count; i++)
            for (int64_t j = 0; j < p->at[i].count; j++) {
                support_vae_run(v);
                double got = (double)p->grad[p->at[i].offset + j];
                double want = losses_slope(v, elb_params_data(p, i) + j);
                if (!(fabs(got - want) <= 1e-6 * fabs(want) + 1e-8))
                    fail_msg("%s: the gradient of %s[%lld] is %.10g, not %.10g", settings, p->at[i].name, (long long)j,
                             got, want);
            }
    }
}

static void losses_check(const char *settings, double beta)
{
    elb_context *c = support_context(NULL);
    support_vae *v = support_vae_create(c, 3, 4, settings);
    support_vae_fill(v, 0.8, 3);
    support_vae_fill_data(v, 4);
    v->objective.beta = beta;
    losses_compare(v, settings);
    support_vae_destroy(v);
    support_context_end(c, NULL);
}

static const char *const likelihoods[] = {
    "likelihood.type=bernoulli",
    "likelihood.type=continuous-bernoulli",
    "likelihood.type=gaussian likelihood.variance=fixed likelihood.log_variance=-0.6",
    "likelihood.type=gaussian likelihood.variance=scalar",
    "likelihood.type=gaussian likelihood.variance=pixel",
    "likelihood.type=gaussian likelihood.variance=predicted",
    "likelihood.type=gaussian likelihood.variance=scalar likelihood.mean=tanh",
    "likelihood.type=gaussian likelihood.variance=predicted likelihood.mean=sigmoid",
};
static const char *const activations[] = {"tanh",       "relu", "elu",      "silu",  "sigmoid",
                                          "leaky_relu", "gelu", "softplus", "gated", "linear"};

static void test_models(void **state)
{
    (void)state;
    for (size_t l = 0; l < GRAD_COUNT(likelihoods); l++)
        for (size_t a = 0; a < GRAD_COUNT(activations); a++)
            for (int iwae = 0; iwae < 2; iwae++) {
                char settings[512];
                snprintf(
                    settings, sizeof settings,
                    "%s model.latent=2 model.hidden=3 posterior.hidden=3 model.activation=%s posterior.activation=%s "
                    "objective.type=%s objective.samples=%d",
                    likelihoods[l], activations[a], activations[GRAD_COUNT(activations) - 1 - a],
                    iwae ? "iwae" : "elbo", iwae ? 3 : 1);
                losses_check(settings, 1);
            }
}

/* No hidden layer, and more than one. */
static void test_depths(void **state)
{
    static const char *const hidden[] = {"", "3,2", "2,3,2"};
    (void)state;
    for (size_t h = 0; h < GRAD_COUNT(hidden); h++) {
        char settings[256];
        snprintf(settings, sizeof settings, "model.latent=2 model.hidden=%s posterior.hidden=%s", hidden[h], hidden[h]);
        losses_check(settings, 1);
    }
}

/* What the encoder's second half may be. */
static void test_scales(void **state)
{
    static const char *const scales[] = {"log_variance", "softplus_sd", "softplus_variance"};
    (void)state;
    for (size_t s = 0; s < GRAD_COUNT(scales); s++)
        for (int epsilon = 0; epsilon < 2; epsilon++) {
            char settings[256];
            snprintf(settings, sizeof settings,
                     "model.latent=2 model.hidden=3 posterior.hidden=3 posterior.ffg_scale=%s posterior.ffg_epsilon=%s",
                     scales[s], epsilon ? "0.1" : "0");
            losses_check(settings, 1);
        }
}

/* With every family of posteriors. */
static void test_objectives(void **state)
{
    static const char *const types[] = {"elbo", "iwae"}, *const kls[] = {"closed", "sampled"};
    static const char *const warmups[] = {"none", "kl", "entropy"};
    (void)state;
    for (const elb_posterior_type *const *q = elb_posterior_types; *q != NULL; q++)
        for (size_t i = 0; i < GRAD_COUNT(types) * GRAD_COUNT(kls) * GRAD_COUNT(warmups); i++)
            for (int samples = 1; samples <= 3; samples += 2)
                for (int warm = 0; warm < 3; warm++) {
                    char settings[512];
                    snprintf(settings, sizeof settings,
                             "model.latent=2 model.hidden=3 posterior.type=%s posterior.hidden=3 "
                             "posterior.flow_hidden=3 posterior.flow_steps=2 objective.type=%s objective.kl=%s "
                             "objective.warmup=%s objective.samples=%d",
                             (*q)->name, types[i % 2], kls[i / 2 % 2], warmups[i / 4], samples);
                    losses_check(settings, warm / 2.0);
                }
}

/* Both covariances of the weights, and what is sampled and annealed. */
static void test_random_functions(void **state)
{
    static const char *const covariances[] = {"diagonal", "full"}, *const warmups[] = {"none", "kl", "entropy"};
    static const char *const hidden[] = {"", "3", "2,3"};
    (void)state;
    for (size_t c = 0; c < GRAD_COUNT(covariances); c++)
        for (size_t w = 0; w < GRAD_COUNT(warmups); w++)
            for (size_t h = 0; h < GRAD_COUNT(hidden); h++)
                for (int samples = 1; samples <= 3; samples += 2) {
                    char settings[512];
                    snprintf(settings, sizeof settings,
                             "model.latent=2 model.hidden=3 posterior.type=gp posterior.hidden=%s objective.type=gp "
                             "posterior.gp_covariance=%s objective.warmup=%s objective.samples=%d",
                             hidden[h], covariances[c], warmups[w], samples);
                    losses_check(settings, 0.4);
                }
}

/* Every form and context of the flows. */
static void test_flows(void **state)
{
    static const char *const flows[] = {
        "posterior.type=iaf posterior.flow_form=affine posterior.flow_context=none posterior.activation=elu",
        "posterior.type=iaf posterior.flow_hidden= posterior.flow_steps=3",
        "posterior.type=iaf posterior.flow_hidden=4,3 posterior.activation=silu",
        "posterior.type=aux_flow posterior.flow_form=affine posterior.flow_context=none posterior.flow_steps=1",
        "posterior.type=aux_flow posterior.activation=gated",
        "posterior.type=householder posterior.activation=gated",
        "posterior.type=aux_flow posterior.flow_context=local posterior.flow_steps=1",
        "posterior.type=aux_flow posterior.flow_context=local posterior.flow_hidden=3,2 posterior.activation=gelu",
    };
    (void)state;
    for (size_t f = 0; f < GRAD_COUNT(flows); f++)
        for (int samples = 1; samples <= 3; samples += 2) {
            char settings[512];
            snprintf(
                settings, sizeof settings,
                "model.latent=2 model.hidden=3 posterior.hidden=3 posterior.flow_hidden=3 posterior.flow_steps=2 %s "
                "objective.samples=%d",
                flows[f], samples);
            losses_check(settings, 1);
        }
}

/* --- warm-up and freezing ----------------------------------------------------------------------------------------- */

static void test_warmup(void **state)
{
    elb_objective o;
    elb_objective_options options = {
        .type = 0, .samples = 1, .warmup = ELB_WARMUP_KL, .warmup_epochs = 4, .warmup_start = 0.2};
    (void)state;
    elb_objective_init(&o, &options);
    support_assert_near(o.beta, 1, 0, 0); /* evaluation does not warm up */
    static const double epochs[] = {0, 1, 2.5, 4, 9}, want[] = {0.2, 0.4, 0.7, 1, 1};
    for (size_t i = 0; i < GRAD_COUNT(epochs); i++) {
        elb_objective_warm(&o, epochs[i], 20);
        support_assert_near(o.beta, want[i], 1e-15, 0);
    }
    o.options.warmup = ELB_WARMUP_NONE;
    elb_objective_warm(&o, 0, 20);
    support_assert_near(o.beta, 1, 0, 0);
}

/* Frozen parameters get no gradient, the others the same one; a loss without any is refused. */
static void test_frozen(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    support_vae *v = support_vae_create(c, 3, 4, "model.latent=2 model.hidden=3 posterior.hidden=3");
    support_vae_fill(v, 0.8, 3);
    support_vae_fill_data(v, 4);
    support_vae_run(v);
    for (int frozen = 0; frozen < SUPPORT_VAE_BLOCKS; frozen++) {
        elb_params *off = support_vae_block(v, frozen), *on = support_vae_block(v, 1 - frozen);
        elb_real *before = malloc((size_t)on->size * sizeof *before);
        memcpy(before, on->grad, (size_t)on->size * sizeof *before);
        for (int64_t i = 0; i < off->size; i++) off->grad[i] = 7;
        off->frozen = true;
        support_vae_run(v);
        assert_memory_equal(before, on->grad, (size_t)on->size * sizeof *before);
        for (int64_t i = 0; i < off->size; i++) assert_true(off->grad[i] == 7);
        off->frozen = false;
        support_vae_run(v);
        free(before);
    }
    support_vae_block(v, 0)->frozen = support_vae_block(v, 1)->frozen = true;
    assert_int_equal(elb_tape_reset(v->tape), ELB_OK);
    elb_tensor *x = elb_leaf(v->tape, "data", v->x, NULL, 2, (int64_t[]){4, 3});
    elb_loss l = elb_objective_loss(&v->objective, v->tape, v->model, v->posterior, x, &v->noise);
    assert_int_equal(elb_tape_run(v->tape, l.loss), ELB_FAILURE);
    support_assert_message(c, "does not depend on anything trainable");
    support_vae_destroy(v);
    support_context_end(c, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_models),     cmocka_unit_test(test_depths),           cmocka_unit_test(test_scales),
        cmocka_unit_test(test_objectives), cmocka_unit_test(test_random_functions), cmocka_unit_test(test_flows),
        cmocka_unit_test(test_warmup),     cmocka_unit_test(test_frozen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
