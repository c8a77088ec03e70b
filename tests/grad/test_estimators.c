/* test_estimators.c - every gradient estimator and warm-up of a linear model: the loss against plain loops, its
 * gradient against central differences of what the estimator's paper says it is the gradient of; the exact
 * posterior. In double. */
#include "grad_support.h"
#include "vae_support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LOG_2PI 1.8378770664093454836

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
 * held at start (Roeder et al. 2017); for DReG's encoder the sum of w~^2 log w, w~ and log q's parameters held
 * (Tucker et al. 2019, eq. 8). */
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

typedef struct linear_number {
    const linear_world *w;
    size_t at; /* bytes from the beginning of the parts */
} linear_number;

static double linear_moved(void *user, double step)
{
    const linear_number *number = user;
    linear_parts p = number->w->start;
    *(double *)((char *)&p + number->at) += step;
    return linear_surrogate(number->w, &p, number->at >= encoder_begins);
}

static double linear_slope(const linear_world *w, size_t at)
{
    return grad_derivative(linear_moved, &(linear_number){w, at}, 1e-3);
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
    for (size_t t = 0; t < GRAD_COUNT(types); t++)
        for (size_t k = 0; k < GRAD_COUNT(kls); k++)
            for (size_t g = 0; g < GRAD_COUNT(gradients); g++)
                for (size_t w = 0; w < GRAD_COUNT(warmups); w++)
                    for (int samples = 1; samples <= K; samples += K - 1) {
                        char settings[256];
                        snprintf(settings, sizeof settings,
                                 "objective.type=%s objective.kl=%s objective.gradient=%s objective.warmup=%s "
                                 "objective.samples=%d",
                                 types[t], kls[k], gradients[g], warmups[w], samples);
                        linear_check(settings, 0.3);
                    }
}

/* --- the exact posterior ------------------------------------------------------------------------------------------ */

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
    for (size_t t = 0; t < GRAD_COUNT(types); t++)
        for (size_t g = 0; g < GRAD_COUNT(gradients); g++) {
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_estimators),
        cmocka_unit_test(test_exact_posterior),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
