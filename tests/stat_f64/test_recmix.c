/* test_recmix.c - mixtures where the posterior is a mixture: z ~ .3 N(-1,.25) + .7 N(2,.5), x|z ~ N(z,.4), x =
 * .6 (variances). log p(x) = -2.121943383017, the posterior has weights .172940570660 and .827059429340, and
 * no Gaussian is enough. */
#include "vae_support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "nn/optim/optimizer.h"
#include "posterior/mixture.h"

#define LOG_P (-2.121943383017)
enum { POINTS = 8001 };

static double log_normal(double z, double m, double v)
{
    return -0.5 * (log(2 * acos(-1.0) * v) + (z - m) * (z - m) / v);
}

static double log_joint(double z)
{
    double prior = 0.3 * exp(log_normal(z, -1, 0.25)) + 0.7 * exp(log_normal(z, 2, 0.5));
    return log(prior) + log_normal(0.6, z, 0.4);
}

/* --- the quantity that a new component ascends -------------------------------------------------------------------- */

/* Q = .5 N(0,1) + .5 N(3,.25), q' = N(1,.5): numbers found independently, the densities by the op, integrals by the
 * trapezoid rule. */
static void test_the_quantity(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    elb_tape *t;
    assert_int_equal(elb_tape_create(c, &t), ELB_OK);
    elb_real components[] = {1, (elb_real)log(0.5), 0, 0, 3, (elb_real)log(0.25)}, logits[] = {0, 0, 0};
    elb_tensor *z = elb_input(t, "z", false, 3, (int64_t[]){POINTS, 1, 1});
    for (int i = 0; i < POINTS; i++) z->data[i] = (elb_real)(-12 + 24.0 * i / (POINTS - 1));
    elb_tensor *fresh = elb_mixture_log_prob(t, z, elb_leaf(t, "q'", components, NULL, 2, (int64_t[]){1, 2}),
                                             elb_leaf(t, "1", logits, NULL, 2, (int64_t[]){1, 1}), ELB_MIXTURE_ALL);
    elb_tensor *target =
        elb_mixture_log_prob(t, z, elb_leaf(t, "Q", components + 2, NULL, 2, (int64_t[]){1, 4}),
                             elb_leaf(t, "equal", logits + 1, NULL, 2, (int64_t[]){1, 2}), ELB_MIXTURE_ALL);
    assert_int_equal(elb_tape_run(t, NULL), ELB_OK);
    double kl = 0, gain = 0, elbo = 0, step = 24.0 / (POINTS - 1);
    for (int i = 0; i < POINTS; i++) {
        double q = exp((double)fresh->data[i]) * step;
        kl += q * (double)(fresh->data[i] - target->data[i]);
        gain += q * (log_joint((double)z->data[i]) - (double)target->data[i]);
        elbo += q * (log_joint((double)z->data[i]) - (double)fresh->data[i]);
    }
    support_assert_near(kl, 1.031483239477, 1e-9, 0);
    support_assert_near(elbo, -2.248731748073, 1e-9, 0);
    support_assert_near(gain, -1.217248508596, 1e-9, 0);
    support_assert_near(gain, elbo + kl, 1e-12, 0);
    elb_tape_destroy(t);
    support_context_end(c, NULL);
}

/* --- training ----------------------------------------------------------------------------------------------------- */

/* The model's prior is a standard normal, and its decoder here the identity; what the fixture's prior has more is
 * put into the likelihood. */
static elb_tensor *fixture_log_prob(elb_model *m, elb_tape *t, elb_tensor *x, elb_tensor *z)
{
    static elb_real components[] = {-1, 0, 2, 0}, logits[2], noise[1];
    (void)m;
    components[1] = (elb_real)log(0.25);
    components[3] = (elb_real)log(0.5);
    logits[0] = (elb_real)log(0.3);
    logits[1] = (elb_real)log(0.7);
    noise[0] = (elb_real)log(0.4);
    elb_tensor *prior =
        elb_mixture_log_prob(t, z, elb_leaf(t, "prior", components, NULL, 2, (int64_t[]){1, 4}),
                             elb_leaf(t, "weights", logits, NULL, 2, (int64_t[]){1, 2}), ELB_MIXTURE_ALL);
    elb_tensor *seen = elb_gaussian_log_prob(t, x, z, elb_leaf(t, "variance", noise, NULL, 1, (int64_t[]){1}));
    return elb_add(t, seen, elb_sub(t, prior, elb_standard_normal_log_prob(t, z)));
}

typedef struct world {
    elb_context *c;
    support_vae *v;
    elb_likelihood_type likelihood;
} world;

static void world_begin(world *w, const char *settings)
{
    char all[512];
    snprintf(all, sizeof all,
             "model.latent=1 model.hidden= model.activation=linear posterior.hidden= likelihood.type=gaussian "
             "objective.samples=50 posterior.order=2 %s",
             settings);
    w->c = support_context(NULL);
    w->v = support_vae_create(w->c, 1, 1, all);
    w->likelihood = *w->v->model->likelihood;
    w->likelihood.log_prob = fixture_log_prob;
    w->v->model->likelihood = &w->likelihood;
    w->v->model->params.frozen = true;
    int block;
    elb_params_data(&w->v->model->params, support_vae_find(w->v, "decoder.0.weight", &block))[0] = 1;
    w->v->x[0] = (elb_real)0.6;
    assert_int_equal(elb_posterior_reset(w->v->posterior, 1), ELB_OK);
}

static void world_end(world *w)
{
    support_vae_destroy(w->v);
    support_context_end(w->c, NULL);
}

/* As training does it: phases, their starts, moments back to zero; the rate falls along half a cosine. */
static void train(world *w, int steps, double rate)
{
    support_vae *v = w->v;
    elb_optimizer_options options = {.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
    elb_optimizer adam;
    elb_optimizer_init(&adam, w->c, &options);
    assert_int_equal(elb_optimizer_add(&adam, &v->posterior->params), ELB_OK);
    for (int i = 0; i < steps; i++) {
        int64_t before = v->objective.phase;
        elb_objective_warm(&v->objective, i, steps);
        if (v->objective.phase != before) {
            elb_optimizer_reset(&adam);
            assert_int_equal(elb_objective_enter(&v->objective, v->posterior, before, 1), ELB_OK);
        }
        v->noise.draw = (uint32_t)i * 1000;
        elb_optimizer_begin(&adam, rate * (1 + cos(acos(-1.0) * i / steps)) / 2);
        support_vae_run(v);
        assert_int_equal(elb_optimizer_end(&adam, true), ELB_OK);
    }
    elb_optimizer_free(&adam);
}

/* The ELBO by quadrature. */
static double elbo(world *w)
{
    elb_tape *t = w->v->tape;
    assert_int_equal(elb_tape_reset(t), ELB_OK);
    elb_tensor *lambda = elb_encode(w->v->posterior, t, elb_leaf(t, "data", w->v->x, NULL, 2, (int64_t[]){1, 1}));
    elb_tensor *z = elb_input(t, "z", false, 3, (int64_t[]){POINTS, 1, 1});
    for (int i = 0; i < POINTS; i++) z->data[i] = (elb_real)(-8 + 16.0 * i / (POINTS - 1));
    elb_tensor *log_q = w->v->posterior->type->log_density(w->v->posterior, t, lambda, z);
    assert_int_equal(elb_tape_run(t, NULL), ELB_OK);
    double sum = 0, mass = 0, step = 16.0 / (POINTS - 1);
    for (int i = 0; i < POINTS; i++) {
        double q = exp((double)log_q->data[i]) * step;
        if (q > 0) sum += q * (log_joint((double)z->data[i]) - (double)log_q->data[i]);
        mass += q;
    }
    support_assert_near(mass, 1, 1e-9, 0);
    return sum;
}

/* No Gaussian reaches log p(x); two components do, by either way, to .01 nat. */
static void test_reached(void **state)
{
    static const char *const mixtures[] = {
        "posterior.type=mixture posterior.weights=global objective.type=elbo",
        "posterior.type=mixture posterior.weights=global objective.type=recmix objective.pretrain=0.2 "
        "objective.recursion=0.4",
        "posterior.type=mixture posterior.weights=input objective.type=recmix objective.pretrain=0.2 "
        "objective.recursion=0.4 posterior.start=fresh",
        "posterior.type=mixture posterior.weights=global objective.type=bvi objective.pretrain=0.2 objective.nu=0.5 "
        "objective.recursion=0.4",
    };
    (void)state;
    world gaussian;
    world_begin(&gaussian, "");
    train(&gaussian, 1500, 0.02);
    double best = elbo(&gaussian);
    assert_true(best < LOG_P - 0.05 && best > LOG_P - 0.2);
    world_end(&gaussian);
    for (size_t k = 0; k < sizeof mixtures / sizeof *mixtures; k++) {
        world w;
        world_begin(&w, mixtures[k]);
        train(&w, 3000, 0.02);
        double reached = elbo(&w);
        if (!(reached > LOG_P - 0.01 && reached <= LOG_P + 1e-9))
            fail_msg("%s: the ELBO is %.6f, log p(x) is %.6f", mixtures[k], reached, LOG_P);
        world_end(&w);
    }
}

/* The recursion alone keeps the first component where a Gaussian is best, and adds one where that has too little mass:
 * with learned weights the mixture is better than any Gaussian, and no better than the truth. */
static void test_recursion_alone(void **state)
{
    (void)state;
    world gaussian, w;
    world_begin(&gaussian, "");
    train(&gaussian, 1500, 0.02);
    world_begin(&w, "posterior.type=mixture posterior.weights=global objective.type=recmix objective.pretrain=0.3 "
                    "objective.recursion=1 objective.clip_kl=2");
    train(&w, 3000, 0.02);
    double one = elbo(&gaussian), two = elbo(&w);
    assert_true(two > one + 0.005 && two < LOG_P);
    world_end(&gaussian);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_quantity),
        cmocka_unit_test(test_reached),
        cmocka_unit_test(test_recursion_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
