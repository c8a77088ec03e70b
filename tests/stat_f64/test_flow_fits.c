/* test_flow_fits.c - flows fitted to a model whose posterior is a correlated Gaussian, which they must reach and a
 * Gaussian without a correlation cannot; networks that look one way; options that a flow refuses. In double. */
#include "vae_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infer/refine.h"
#include "nn/made.h"
#include "nn/optim/optimizer.h"

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

enum { DATA = 3 };

/* --- autoregressive networks look one way ------------------------------------------------------------------------- */

static void made_outputs(elb_made *made, elb_tape *t, const elb_real *z, const elb_real *h, int64_t n, int64_t context,
                         elb_real *out)
{
    assert_int_equal(elb_tape_reset(t), ELB_OK);
    elb_tensor *in = elb_input(t, "z", false, 2, (int64_t[]){1, n});
    elb_tensor *with = context > 0 ? elb_input(t, "h", false, 2, (int64_t[]){1, context}) : NULL;
    memcpy(in->data, z, (size_t)n * sizeof *z);
    if (with != NULL) memcpy(with->data, h, (size_t)context * sizeof *h);
    elb_tensor *y = elb_made_apply(made, t, in, with);
    assert_int_equal(elb_tape_run(t, NULL), ELB_OK);
    memcpy(out, y->data, (size_t)(2 * n) * sizeof *out);
}

/* Outputs of coordinate i move with coordinates before it, all of them, and with no other; and with the context. */
static void made_check(int64_t n, int64_t context, const elb_ints *hidden, bool reversed)
{
    elb_context *c = support_context(NULL);
    elb_tape *t;
    elb_params p;
    elb_made made;
    elb_real z[8], h[2] = {0.3, -0.2}, base[16], moved[16];
    assert_int_equal(elb_tape_create(c, &t), ELB_OK);
    elb_params_init(&p, c);
    assert_int_equal(elb_made_init(&made, &p, "made", ELB_NET_TANH, n, context, hidden, reversed), ELB_OK);
    assert_int_equal(elb_params_build(&p), ELB_OK);
    for (int64_t i = 0; i < p.size; i++) p.data[i] = (elb_real)support_number(6, (uint64_t)i); /* hidden ones too */
    for (int64_t i = 0; i < n; i++) z[i] = (elb_real)support_number(7, (uint64_t)i);
    made_outputs(&made, t, z, h, n, context, base);
    for (int64_t j = 0; j < n + context; j++) {
        elb_real *at = j < n ? &z[j] : &h[j - n], kept = *at;
        *at += (elb_real)0.25;
        made_outputs(&made, t, z, h, n, context, moved);
        *at = kept;
        for (int64_t o = 0; o < 2 * n; o++) {
            bool sees = j >= n || (reversed ? o % n < j : o % n > j);
            if ((moved[o] != base[o]) != sees)
                fail_msg("n %d, layers %d, reversed %d: output %d %s input %d", (int)n, (int)hidden->count,
                         (int)reversed, (int)o, sees ? "does not see" : "sees", (int)j);
        }
    }
    elb_params_free(&p);
    elb_tape_destroy(t);
    support_context_end(c, NULL);
}

static void test_made_is_triangular(void **state)
{
    static const elb_ints hidden[] = {{0, {0}}, {1, {8}}, {1, {31}}, {2, {16, 24}}, {3, {24, 8, 17}}};
    (void)state;
    for (int64_t n = 1; n <= 8; n++)
        for (size_t i = 0; i < COUNT(hidden); i++)
            for (int reversed = 0; reversed < 2; reversed++)
                for (int64_t context = 0; context <= 2; context += 2) made_check(n, context, &hidden[i], reversed);
}

/* --- refusals ----------------------------------------------------------------------------------------------------- */

static void test_refused(void **state)
{
    static const struct {
        const char *type;
        elb_posterior_options options;
        const char *message;
    } cases[] = {
        {"iaf", {.flow_context = ELB_CONTEXT_LOCAL}, "posterior.type=iaf has no posterior.flow_context=local"},
        {"householder", {.flow_context = ELB_CONTEXT_LOCAL}, "posterior.type=householder has no"},
        {"householder", {.flow_context = ELB_CONTEXT_NONE}, "set it to encoder"},
        {"householder", {.flow_form = 1}, "leave posterior.flow_form at gated"},
        {"iaf", {.activation = ELB_NET_GATED}, "set posterior.activation"},
        {"aux_flow", {.flow_context = ELB_CONTEXT_LOCAL, .activation = ELB_NET_GATED}, "set posterior.activation"},
    };
    const char *const *types = support_choices(elb_posterior_option_table, "type");
    (void)state;
    elb_context *c = support_context(NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        elb_posterior_options options = cases[i].options;
        elb_posterior *q;
        options.flow_steps = 1;
        while (strcmp(types[options.type], cases[i].type) != 0) options.type++;
        assert_int_equal(elb_posterior_create(c, &options, 3, 2, &q), ELB_USAGE);
        assert_null(q);
        support_assert_message(c, cases[i].message);
    }
    support_context_end(c, NULL);
}

/* --- a known posterior -------------------------------------------------------------------------------------------- */

/* x = W z + mu + noise, whose posterior of z is a Gaussian with a correlation; log p(x) and what a Gaussian without
 * one can reach are known. */
static void exact_model(support_vae *v)
{
    static const elb_real weight[] = {1, 0.5, -0.5, 1, 0.25, -0.75}, bias[] = {0.1, -0.2, 0.3}, x[] = {1, 2, -1};
    elb_params *p = &v->model->params;
    memcpy(elb_params_data(p, 0), weight, sizeof weight);
    memcpy(elb_params_data(p, 1), bias, sizeof bias);
    memcpy(v->x, x, sizeof x);
    p->frozen = true;
}

static void exact_fit(support_vae *v, int steps, double rate)
{
    static const elb_optimizer_options adam = {.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
    elb_optimizer o;
    assert_int_equal(elb_posterior_reset(v->posterior, 1), ELB_OK);
    elb_optimizer_init(&o, v->context, &adam);
    assert_int_equal(elb_optimizer_add(&o, &v->posterior->params), ELB_OK);
    for (int i = 0; i < steps; i++) {
        v->noise.draw = (uint32_t)(i * v->objective.options.samples);
        elb_optimizer_begin(&o, rate * 0.5 * (1 + cos(3.14159265358979 * i / steps)));
        support_vae_run(v);
        assert_int_equal(elb_optimizer_end(&o, true), ELB_OK);
    }
    elb_optimizer_free(&o);
    v->posterior->params.update = NULL;
}

/* The mean of log p(x,z) - log_q over many draws. */
static double exact_bound(support_vae *v)
{
    enum { SAMPLES = 100000 };
    elb_tape *t = v->tape;
    elb_noise noise = {.key = 77, .datum = v->datum, .samples = SAMPLES};
    assert_int_equal(elb_tape_reset(t), ELB_OK);
    elb_tensor *x = elb_leaf(t, "data", v->x, NULL, 2, (int64_t[]){1, DATA});
    elb_draw d = elb_sample(v->posterior, t, elb_encode(v->posterior, t, x), &noise, ELB_LOG_Q_FULL);
    elb_tensor *mean = elb_mean_all(t, elb_sub(t, elb_model_log_joint(v->model, t, x, d.z), d.log_q));
    assert_int_equal(elb_tape_run(t, NULL), ELB_OK);
    return (double)mean->data[0];
}

static void exact_check(const char *settings, double want, double within)
{
    elb_context *c = support_context(NULL);
    char all[512];
    snprintf(
        all, sizeof all,
        "model.latent=2 model.hidden= likelihood.type=gaussian likelihood.variance=fixed likelihood.log_variance=%.17g "
        "posterior.hidden= objective.samples=32 %s",
        log(0.5), settings);
    support_vae *v = support_vae_create(c, DATA, 1, all);
    exact_model(v);
    exact_fit(v, 6000, 0.02);
    double bound = exact_bound(v);
    print_message("%s: %.6f nats\n", settings, bound);
    if (!(fabs(bound - want) < within)) fail_msg("%s: the bound is %.6f, not %.6f", settings, bound, want);
    support_vae_destroy(v);
    support_context_end(c, NULL);
}

static void test_correlated_posterior(void **state)
{
    static const double log_p = -4.750405764902, diagonal = -4.754617301267;
    (void)state;
    exact_check("posterior.type=ffg", diagonal, 0.0015);
    exact_check("posterior.type=iaf posterior.flow_steps=2 posterior.flow_hidden=8", log_p, 0.002);
    exact_check("posterior.type=iaf posterior.flow_steps=1 posterior.flow_hidden= posterior.flow_form=affine", log_p,
                0.002);
    exact_check("posterior.type=householder posterior.flow_steps=1", log_p, 0.002);
    exact_check("posterior.type=aux_flow posterior.flow_steps=2 posterior.flow_hidden=8", log_p, 0.002);
}

/* Of every datum, log p minus the bound that its local parameters give. The best Gaussian without a correlation leaves
 * `gap`, whatever x. */
static void exact_gaps(support_vae *v, elb_real *lambda)
{
    enum { SAMPLES = 20000 };
    static const double gap = 0.004211536365;
    elb_tape *t = v->tape;
    elb_noise noise = {.key = 77, .datum = v->datum, .samples = SAMPLES};
    assert_int_equal(elb_tape_reset(t), ELB_OK);
    elb_tensor *x = elb_leaf(t, "data", v->x, NULL, 2, (int64_t[]){v->batch, DATA});
    elb_tensor *local = elb_leaf(t, "lambda", lambda, NULL, 2, (int64_t[]){v->batch, v->posterior->local});
    elb_draw d = elb_sample(v->posterior, t, local, &noise, ELB_LOG_Q_FULL);
    elb_tensor *log_w = elb_sub(t, elb_model_log_joint(v->model, t, x, d.z), d.log_q);
    elb_tensor *bound = elb_mean_first(t, log_w), *log_p = elb_log_mean_exp(t, log_w);
    assert_int_equal(elb_tape_run(t, NULL), ELB_OK);
    for (int64_t b = 0; b < v->batch; b++) {
        print_message("datum %d: log p %.6f, bound %.6f\n", (int)b, (double)log_p->data[b], (double)bound->data[b]);
        assert_true((double)(log_p->data[b] - bound->data[b]) < 0.7 * gap);
    }
    support_assert_near((double)log_p->data[0], -4.750405764902, 1e-3, 0);
}

/* Refined in lock-step, a local flow fits every datum's own correlated posterior. */
static void test_local_flow_is_refined(void **state)
{
    enum { BATCH = 3 };
    static const double rates[] = {0.01, 0.003, 0.001, 0.0003}; /* Adam's noise falls with its rate */
    elb_context *c = support_context(NULL);
    char settings[512];
    (void)state;
    snprintf(settings, sizeof settings,
             "model.latent=2 model.hidden= likelihood.type=gaussian likelihood.variance=fixed "
             "likelihood.log_variance=%.17g posterior.hidden= posterior.type=aux_flow posterior.flow_context=local "
             "posterior.flow_steps=1 posterior.flow_hidden=6",
             log(0.5));
    support_vae *v = support_vae_create(c, DATA, BATCH, settings);
    exact_model(v);
    for (int b = 1; b < BATCH; b++)
        for (int d = 0; d < DATA; d++) v->x[b * DATA + d] = v->x[d] + (elb_real)(0.3 * b);
    assert_int_equal(elb_posterior_reset(v->posterior, 1), ELB_OK);
    elb_tape *t = v->tape;
    elb_tensor *encoded = elb_encode(v->posterior, t, elb_leaf(t, "data", v->x, NULL, 2, (int64_t[]){BATCH, DATA}));
    assert_int_equal(elb_tape_run(t, NULL), ELB_OK);
    elb_real *lambda = calloc((size_t)(BATCH * v->posterior->local), sizeof *lambda);
    memcpy(lambda, encoded->data, (size_t)(BATCH * v->posterior->local) * sizeof *lambda);
    for (size_t i = 0; i < COUNT(rates); i++) {
        elb_refine_options options = {.steps = 2000, .rate = rates[i], .samples = 32};
        elb_refiner *r;
        assert_int_equal(elb_refiner_create(v->model, v->posterior, &options, &r), ELB_OK);
        assert_int_equal(elb_refiner_run(r, (uint64_t)i, BATCH, v->datum, v->x, lambda), ELB_OK);
        elb_refiner_destroy(r);
    }
    exact_gaps(v, lambda);
    free(lambda);
    support_vae_destroy(v);
    support_context_end(c, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made_is_triangular),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_correlated_posterior),
        cmocka_unit_test(test_local_flow_is_refined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
