/* test_losses.c - every objective, KL form, gradient estimator and warm-up: the loss against plain loops, its gradient
 * against central differences of what the estimator's paper says it is the gradient of. In double. */
#include "vae_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_2PI 1.8378770664093454836

/* --- plain gradients: of every parameter, of every model ----------------------------------------------------------- */

static double losses_slope(support_vae *v, elb_real *at)
{
    double difference[2];
    elb_real kept = *at;
    for (int half = 0; half < 2; half++) {
        double width = 1e-3 / (1 << half), value[2];
        for (int side = 0; side < 2; side++) {
            *at = kept + (elb_real)(side == 0 ? width : -width);
            value[side] = support_vae_loss(v);
        }
        difference[half] = (value[0] - value[1]) / (2 * width);
    }
    *at = kept;
    return (4 * difference[1] - difference[0]) / 3;
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
#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static void test_models(void **state)
{
    (void)state;
    for (size_t l = 0; l < COUNT(likelihoods); l++)
        for (size_t a = 0; a < COUNT(activations); a++)
            for (int iwae = 0; iwae < 2; iwae++) {
                char settings[512];
                snprintf(
                    settings, sizeof settings,
                    "%s model.latent=2 model.hidden=3 posterior.hidden=3 model.activation=%s posterior.activation=%s "
                    "objective.type=%s objective.samples=%d",
                    likelihoods[l], activations[a], activations[COUNT(activations) - 1 - a], iwae ? "iwae" : "elbo",
                    iwae ? 3 : 1);
                losses_check(settings, 1);
            }
}

/* No hidden layer, and more than one. */
static void test_depths(void **state)
{
    static const char *const hidden[] = {"", "3,2", "2,3,2"};
    (void)state;
    for (size_t h = 0; h < COUNT(hidden); h++) {
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
    for (size_t s = 0; s < COUNT(scales); s++)
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
        for (size_t i = 0; i < COUNT(types) * COUNT(kls) * COUNT(warmups); i++)
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
    for (size_t c = 0; c < COUNT(covariances); c++)
        for (size_t w = 0; w < COUNT(warmups); w++)
            for (size_t h = 0; h < COUNT(hidden); h++)
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
    for (size_t f = 0; f < COUNT(flows); f++)
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

/* --- a linear model in plain loops --------------------------------------------------------------------------------- */

enum { D = 3, Z = 2, B = 4, K = 5, PARTS = 5 };

/* Numbers in the order of `part_names`. */
typedef struct linear_parts {
    double decoder_weight[D * Z], decoder_bias[D], log_variance[1], encoder_weight[2 * Z * D], encoder_bias[2 * Z];
} linear_parts;
static const char *const part_names[PARTS] = {"decoder.0.weight", "decoder.0.bias", "likelihood.log_variance",
                                              "encoder.0.weight", "encoder.0.bias"};
static const size_t part_sizes[PARTS] = {D * Z, D, 1, 2 * Z *D, 2 * Z};
static const size_t encoder_begins = (D * Z + D + 1) * sizeof(double);

typedef struct linear_world {
    elb_real eps[K * B * Z];
    const elb_real *x;
    const elb_objective *objective;
    linear_parts start;   /* where the derivative is taken */
    double weight[K * B]; /* normalised importance weights there */
} linear_world;

static void linear_lambda(const linear_parts *p, const elb_real *x, double lambda[2 * Z])
{
    for (int i = 0; i < 2 * Z; i++) {
        lambda[i] = p->encoder_bias[i];
        for (int d = 0; d < D; d++) lambda[i] += p->encoder_weight[i * D + d] * (double)x[d];
    }
}

static double normal_log(double x, double mean, double log_variance)
{
    return -0.5 * (LOG_2PI + log_variance + (x - mean) * (x - mean) * exp(-log_variance));
}

typedef struct linear_terms {
    double reconstruction, prior, log_q, kl;
} linear_terms;

/* Sample k of datum b; log q with the local parameters of `held`. */
static linear_terms linear_sample(const linear_world *w, const linear_parts *p, const linear_parts *held, int k, int b)
{
    linear_terms terms = {0, 0, 0, 0};
    double lambda[2 * Z], fixed[2 * Z], z[Z];
    linear_lambda(p, w->x + b * D, lambda);
    linear_lambda(held, w->x + b * D, fixed);
    for (int i = 0; i < Z; i++) {
        z[i] = lambda[i] + exp(lambda[Z + i] / 2) * (double)w->eps[(k * B + b) * Z + i];
        terms.prior += normal_log(z[i], 0, 0);
        terms.log_q += normal_log(z[i], fixed[i], fixed[Z + i]);
        terms.kl += 0.5 * (exp(lambda[Z + i]) + lambda[i] * lambda[i] - 1 - lambda[Z + i]);
    }
    for (int d = 0; d < D; d++) {
        double mean = p->decoder_bias[d];
        for (int i = 0; i < Z; i++) mean += p->decoder_weight[d * Z + i] * z[i];
        terms.reconstruction += normal_log((double)w->x[b * D + d], mean, p->log_variance[0]);
    }
    return terms;
}

/* log w, tempered as the warm-up says (the entropy form: Cremer et al. 2018). */
static double linear_log_weight(const linear_world *w, linear_terms t)
{
    double beta = w->objective->beta;
    switch ((elb_warmup)w->objective->options.warmup) {
    case ELB_WARMUP_NONE: break;
    case ELB_WARMUP_KL: return t.reconstruction + beta * (t.prior - t.log_q);
    case ELB_WARMUP_ENTROPY: return t.reconstruction + t.prior - beta * t.log_q;
    }
    return t.reconstruction + t.prior - t.log_q;
}

/* With the KL in closed form. */
static double linear_closed(const linear_world *w, linear_terms t)
{
    double beta = w->objective->beta;
    switch ((elb_warmup)w->objective->options.warmup) {
    case ELB_WARMUP_NONE: break;
    case ELB_WARMUP_KL: return t.reconstruction - beta * t.kl;
    case ELB_WARMUP_ENTROPY: return t.reconstruction - t.kl + (1 - beta) * t.log_q;
    }
    return t.reconstruction - t.kl;
}

static int64_t linear_samples(const linear_world *w)
{
    return w->objective->options.samples;
}

static double linear_bound(const linear_world *w, const linear_parts *p, const linear_parts *held, int b)
{
    bool iwae = strcmp(w->objective->type->name, "iwae") == 0;
    bool closed =
        !iwae && w->objective->options.kl == ELB_KL_CLOSED && w->objective->options.gradient == ELB_GRADIENT_PLAIN;
    double sum = 0;
    for (int k = 0; k < linear_samples(w); k++) {
        linear_terms t = linear_sample(w, p, held, k, b);
        double value = closed ? linear_closed(w, t) : linear_log_weight(w, t);
        sum += iwae ? exp(value) : value;
    }
    sum /= (double)linear_samples(w);
    return iwae ? log(sum) : sum;
}

/* The loss whose gradient at `start` an estimator gives: PLAIN the loss itself; STL the loss with log q's parameters
 * held at start (Roeder et al. 2017); for DReG's encoder the sum of w~^2 log w, w~ and log q's parameters held (Tucker et
 * al. 2019, eq. 8). */
static double linear_surrogate(const linear_world *w, const linear_parts *p, bool encoder)
{
    bool plain = w->objective->options.gradient == ELB_GRADIENT_PLAIN;
    bool dreg = w->objective->options.gradient == ELB_GRADIENT_DREG && strcmp(w->objective->type->name, "iwae") == 0;
    double loss = 0;
    for (int b = 0; b < B; b++) {
        const linear_parts *held = plain ? p : &w->start;
        if (!dreg || !encoder) {
            loss -= linear_bound(w, p, held, b) / B;
            continue;
        }
        for (int k = 0; k < linear_samples(w); k++)
            loss -= pow(w->weight[k * B + b], 2) * linear_log_weight(w, linear_sample(w, p, held, k, b)) / B;
    }
    return loss;
}

static void linear_weights(linear_world *w)
{
    for (int b = 0; b < B; b++) {
        double total = 0;
        for (int k = 0; k < linear_samples(w); k++) {
            w->weight[k * B + b] = exp(linear_log_weight(w, linear_sample(w, &w->start, &w->start, k, b)));
            total += w->weight[k * B + b];
        }
        for (int k = 0; k < linear_samples(w); k++) w->weight[k * B + b] /= total;
    }
}

static double linear_slope(const linear_world *w, size_t at)
{
    linear_parts p = w->start;
    double *number = (double *)((char *)&p + at), kept = *number, difference[2];
    for (int half = 0; half < 2; half++) {
        double width = 1e-3 / (1 << half), value[2];
        for (int side = 0; side < 2; side++) {
            *number = kept + (side == 0 ? width : -width);
            value[side] = linear_surrogate(w, &p, at >= encoder_begins);
        }
        difference[half] = (value[0] - value[1]) / (2 * width);
    }
    return (4 * difference[1] - difference[0]) / 3;
}

static void linear_copy(support_vae *v, linear_parts *p, bool from_vae)
{
    double *to = (double *)p;
    for (int i = 0; i < PARTS; i++)
        for (size_t j = 0; j < part_sizes[i]; j++, to++) {
            int block;
            int64_t index = support_vae_find(v, part_names[i], &block);
            elb_real *number = elb_params_data(support_vae_block(v, block), index) + j;
            if (from_vae)
                *to = (double)*number;
            else
                *number = (elb_real)*to;
        }
}

static void linear_compare(support_vae *v, const linear_world *w, const char *settings)
{
    elb_loss l = support_vae_run(v);
    support_assert_near((double)l.loss->data[0], linear_surrogate(w, &w->start, false), 1e-11, 1e-11);
    size_t at = 0;
    for (int i = 0; i < PARTS; i++)
        for (size_t j = 0; j < part_sizes[i]; j++, at += sizeof(double)) {
            int block;
            int64_t index = support_vae_find(v, part_names[i], &block);
            elb_params *p = support_vae_block(v, block);
            double got = (double)p->grad[p->at[index].offset + (int64_t)j], want = linear_slope(w, at);
            if (!(fabs(got - want) <= 1e-6 * fabs(want) + 1e-8))
                fail_msg("%s: the gradient of %s[%zu] is %.10g, not %.10g", settings, part_names[i], j, got, want);
        }
}

static const char linear_settings[] =
    "likelihood.type=gaussian likelihood.variance=scalar model.latent=2 model.hidden= posterior.hidden= ";

static void linear_check(const char *settings, double beta)
{
    elb_context *c = support_context(NULL);
    char all[512];
    snprintf(all, sizeof all, "%s%s", linear_settings, settings);
    support_vae *v = support_vae_create(c, D, B, all);
    support_vae_fill(v, 0.7, 5);
    support_vae_fill_data(v, 6);
    v->objective.beta = beta;
    linear_world w = {.x = v->x, .objective = &v->objective};
    for (int i = 0; i < K * B * Z; i++) w.eps[i] = (elb_real)(2 * support_number(7, (uint64_t)i));
    v->noise.fixed = w.eps;
    linear_copy(v, &w.start, true);
    linear_weights(&w);
    linear_compare(v, &w, settings);
    support_vae_destroy(v);
    support_context_end(c, NULL);
}

static void test_estimators(void **state)
{
    static const char *const types[] = {"elbo", "iwae"}, *const kls[] = {"closed", "sampled"};
    static const char *const gradients[] = {"plain", "stl", "dreg"}, *const warmups[] = {"none", "kl", "entropy"};
    (void)state;
    for (size_t t = 0; t < COUNT(types); t++)
        for (size_t k = 0; k < COUNT(kls); k++)
            for (size_t g = 0; g < COUNT(gradients); g++)
                for (size_t w = 0; w < COUNT(warmups); w++)
                    for (int samples = 1; samples <= K; samples += K - 1) {
                        char settings[256];
                        snprintf(settings, sizeof settings,
                                 "objective.type=%s objective.kl=%s objective.gradient=%s objective.warmup=%s "
                                 "objective.samples=%d",
                                 types[t], kls[k], gradients[g], warmups[w], samples);
                        linear_check(settings, 0.3);
                    }
}

/* --- the exact posterior ------------------------------------------------------------------------------------------- */

/* A pPCA example, its latent axes turned so that W^T W, and with it the posterior's covariance, is diagonal; the
 * evidence does not change. The encoder is the exact posterior: m = P^-1 W^T (x - mu) / s2, variance P^-1. */
static void exact_set(linear_parts *p)
{
    static const double w[D][Z] = {{1, 0.5}, {-0.5, 1}, {0.25, -0.75}}, mu[D] = {0.1, -0.2, 0.3}, s2 = 0.5;
    double angle = 0.5 * atan2(2 * -0.1875, 1.3125 - 1.8125);
    double turn[Z][Z] = {{cos(angle), -sin(angle)}, {sin(angle), cos(angle)}}, precision[Z] = {1, 1};
    memset(p, 0, sizeof *p);
    for (int d = 0; d < D; d++) {
        p->decoder_bias[d] = mu[d];
        for (int i = 0; i < Z; i++) {
            for (int j = 0; j < Z; j++) p->decoder_weight[d * Z + i] += w[d][j] * turn[j][i];
            precision[i] += pow(p->decoder_weight[d * Z + i], 2) / s2;
        }
    }
    p->log_variance[0] = log(s2);
    for (int i = 0; i < Z; i++) {
        p->encoder_bias[Z + i] = -log(precision[i]);
        for (int d = 0; d < D; d++) {
            p->encoder_weight[i * D + d] = p->decoder_weight[d * Z + i] / (s2 * precision[i]);
            p->encoder_bias[i] -= p->encoder_weight[i * D + d] * mu[d];
        }
    }
}

static double exact_encoder_norm(support_vae *v)
{
    const elb_params *p = support_vae_block(v, 1);
    double largest = 0;
    for (int64_t i = 0; i < p->size; i++) largest = fmax(largest, fabs((double)p->grad[i]));
    return largest;
}

static void test_exact_posterior(void **state)
{
    static const char *const types[] = {"elbo", "iwae"}, *const gradients[] = {"plain", "stl", "dreg"};
    (void)state;
    for (size_t t = 0; t < COUNT(types); t++)
        for (size_t g = 0; g < COUNT(gradients); g++) {
            elb_context *c = support_context(NULL);
            char settings[512];
            linear_parts p;
            snprintf(settings, sizeof settings,
                     "%sobjective.type=%s objective.gradient=%s objective.kl=sampled objective.samples=%d",
                     linear_settings, types[t], gradients[g], K);
            support_vae *v = support_vae_create(c, D, B, settings);
            exact_set(&p);
            linear_copy(v, &p, false);
            support_vae_fill_data(v, 8);
            memcpy(v->x, (elb_real[]){1, 2, -1}, D * sizeof(elb_real));
            elb_loss l = support_vae_run(v);
            for (int64_t k = 0; k < l.kl->rows; k++) /* every weight is the evidence */
                support_assert_near((double)(l.reconstruction->data[k * B] - l.kl->data[k * B]), -4.750405764902, 1e-11,
                                    0);
            if (g == 0)
                assert_true(exact_encoder_norm(v) > 1e-3); /* zero on average only */
            else
                assert_true(exact_encoder_norm(v) < 1e-13);
            support_vae_destroy(v);
            support_context_end(c, NULL);
        }
}

/* --- warm-up and freezing ------------------------------------------------------------------------------------------ */

static void test_warmup(void **state)
{
    elb_objective o;
    elb_objective_options options = {
        .type = 0, .samples = 1, .warmup = ELB_WARMUP_KL, .warmup_epochs = 4, .warmup_start = 0.2};
    (void)state;
    elb_objective_init(&o, &options);
    support_assert_near(o.beta, 1, 0, 0); /* evaluation does not warm up */
    static const double epochs[] = {0, 1, 2.5, 4, 9}, want[] = {0.2, 0.4, 0.7, 1, 1};
    for (size_t i = 0; i < COUNT(epochs); i++) {
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
    support_vae *v = support_vae_create(c, D, B, "model.latent=2 model.hidden=3 posterior.hidden=3");
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
    elb_tensor *x = elb_leaf(v->tape, "data", v->x, NULL, 2, (int64_t[]){B, D});
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
        cmocka_unit_test(test_estimators), cmocka_unit_test(test_exact_posterior),  cmocka_unit_test(test_warmup),
        cmocka_unit_test(test_frozen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
