/* test_likelihoods.c - what every likelihood must do, run over all of them and every kind of variance: densities that
 * integrate to one, means and draws that agree with them, refusals in words. */
#include "vae_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POINTS = 4001, DRAWS = 20000, VARIANCES = 4, OUTPUTS_MAX = 2 };

static const double low_of[] = {0, 0, -16}, high_of[] = {1, 1, 16}; /* where the values of each kind lie, nearly all */

static const char *const *type_names(void)
{
    return support_choices(elb_likelihood_option_table, "type");
}

typedef struct world {
    elb_context *c;
    elb_tape *t;
    elb_model *m;
    int64_t outputs; /* per value */
} world;

static world world_begin(int type, int variance, int64_t data)
{
    world w = {.c = support_context(NULL)};
    elb_model_options options = {.latent = 2, .hidden = {0, {0}}, .activation = ELB_NET_TANH};
    elb_likelihood_options likelihood = {.type = type, .variance = variance, .log_variance = -0.4};
    assert_int_equal(elb_tape_create(w.c, &w.t), ELB_OK);
    assert_int_equal(elb_model_create(w.c, &options, &likelihood, data, &w.m), ELB_OK);
    assert_int_equal(elb_model_reset(w.m, 1), ELB_OK);
    w.outputs = w.m->likelihood->outputs(&w.m->likelihood_options);
    assert_true(w.outputs >= 1 && w.outputs <= OUTPUTS_MAX);
    return w;
}

static void world_end(world *w)
{
    elb_model_destroy(w->m);
    elb_tape_destroy(w->t);
    support_context_end(w->c, NULL);
}

/* --- the registry ------------------------------------------------------------------------------------------------- */

static void test_registry(void **state)
{
    (void)state;
    int count = 0;
    for (; elb_likelihood_types[count] != NULL; count++) {
        const elb_likelihood_type *type = elb_likelihood_types[count];
        char text[128];
        assert_true(type->name != NULL && *type->name && type->source != NULL && *type->source);
        assert_true(type->outputs != NULL && type->log_prob != NULL && type->mean != NULL && type->draw != NULL);
        assert_true(type->bias != NULL && type->check != NULL);
        assert_non_null(type_names()[count]);
        assert_string_equal(type->name, type_names()[count]);
        snprintf(text, sizeof text, "`%s`", type->name);
        support_page_says(ELB_TEST_FOLDER "/../docs/methods", text);
    }
    assert_int_equal(count, ELB_LIKELIHOOD_AUTO);
    assert_string_equal(type_names()[count], "auto");
    assert_null(type_names()[count + 1]);
    assert_int_equal(count, sizeof low_of / sizeof low_of[0]); /* a new kind's range belongs above */
}

/* --- one value: density, mean and draws over a range of the decoder's output -------------------------------------- */

typedef struct moments {
    double total, mean, square;
} moments;

/* Of the density by the trapezoid rule; the Bernoulli's is a sum over 0 and 1. */
static moments density_moments(world *w, int type, const elb_real *out)
{
    int64_t points = type == ELB_BERNOULLI ? 2 : POINTS;
    double step = (high_of[type] - low_of[type]) / (double)(points - 1);
    moments m = {0, 0, 0};
    assert_int_equal(elb_tape_reset(w->t), ELB_OK);
    elb_tensor *x = elb_input(w->t, "x", false, 2, (int64_t[]){points, 1});
    elb_tensor *o = elb_input(w->t, "out", false, 3, (int64_t[]){1, points, w->outputs});
    for (int64_t i = 0; i < points; i++) {
        x->data[i] = (elb_real)(low_of[type] + (double)i * step);
        memcpy(o->data + i * w->outputs, out, (size_t)w->outputs * sizeof *out);
    }
    elb_tensor *log_p = w->m->likelihood->log_prob(w->m, w->t, x, o);
    assert_int_equal(elb_tape_run(w->t, NULL), ELB_OK);
    assert_true(log_p->rank == 2 && log_p->shape[0] == 1 && log_p->shape[1] == points);
    for (int64_t i = 0; i < points; i++) {
        double end = type != ELB_BERNOULLI && (i == 0 || i == points - 1) ? 0.5 : 1;
        double p = exp((double)log_p->data[i]) * end * (type == ELB_BERNOULLI ? 1 : step), value = (double)x->data[i];
        m.total += p;
        m.mean += p * value;
        m.square += p * value * value;
    }
    return m;
}

static void within_errors(const double *values, double want)
{
    double mean = 0, variance = 0;
    for (int i = 0; i < DRAWS; i++) mean += values[i] / DRAWS;
    for (int i = 0; i < DRAWS; i++) variance += (values[i] - mean) * (values[i] - mean) / (DRAWS - 1);
    double errors = fabs(mean - want) / (sqrt(variance / DRAWS) + 1e-12);
    if (!(errors < 5)) fail_msg("%g is %.1f standard errors from %g", mean, errors, want);
}

static void check_draws(world *w, int type, const elb_real *out, moments want)
{
    static double values[DRAWS], squares[DRAWS];
    const elb_machine *machine;
    assert_int_equal(elb_machine_of(w->c, &machine), ELB_OK);
    for (uint32_t i = 0; i < DRAWS; i++) {
        elb_real x[1], again[1];
        w->m->likelihood->draw(w->m, machine->kernels, (elb_stream){7, 3, i}, out, x);
        w->m->likelihood->draw(w->m, machine->kernels, (elb_stream){7, 3, i}, out, again);
        assert_true(x[0] == again[0] && (double)x[0] >= low_of[type] && (double)x[0] <= high_of[type]);
        if (type == ELB_BERNOULLI) assert_true(x[0] == 0 || x[0] == 1);
        values[i] = (double)x[0];
        squares[i] = values[i] * values[i];
    }
    within_errors(values, want.mean);
    within_errors(squares, want.square);
}

static void test_density_mean_and_draws(void **state)
{
    static const double outs[] = {-30, -3, -0.7, -1e-3, 0, 4e-3, 0.5, 2, 40};
    (void)state;
    for (int type = 0; elb_likelihood_types[type] != NULL; type++)
        for (int variance = 0; variance < VARIANCES; variance++) {
            if (type != ELB_GAUSSIAN && variance > 0) continue;
            world w = world_begin(type, variance, 1);
            for (size_t i = 0; i < sizeof outs / sizeof outs[0]; i++) {
                if (type == ELB_GAUSSIAN && fabs(outs[i]) > 5) continue;
                elb_real out[OUTPUTS_MAX] = {(elb_real)outs[i], (elb_real)0.3}, mean;
                moments m = density_moments(&w, type, out);
                w.m->likelihood->mean(w.m, 1, out, &mean);
                support_assert_near(m.total, 1, 2e-4, 0);
                support_assert_near((double)mean, m.mean, 2e-4, 1e-3);
                check_draws(&w, type, out, m);
            }
            world_end(&w);
        }
}

/* Rows of several values: mean() goes row by row, also where the decoder gives two numbers per value. */
static void test_mean_of_rows(void **state)
{
    enum { D = 3, ROWS = 4 };
    (void)state;
    for (int type = 0; elb_likelihood_types[type] != NULL; type++)
        for (int variance = 0; variance < VARIANCES; variance++) {
            world w = world_begin(type, variance, D), one = world_begin(type, variance, 1);
            elb_real out[ROWS * D * OUTPUTS_MAX], mean[ROWS * D], single;
            for (int i = 0; i < ROWS * D * OUTPUTS_MAX; i++) out[i] = (elb_real)support_number(1, (uint64_t)i);
            w.m->likelihood->mean(w.m, ROWS, out, mean);
            for (int r = 0; r < ROWS; r++)
                for (int d = 0; d < D; d++) {
                    elb_real own[OUTPUTS_MAX] = {out[r * D * w.outputs + d], 0};
                    one.m->likelihood->mean(one.m, 1, own, &single);
                    assert_true(mean[r * D + d] == single);
                }
            world_end(&w);
            world_end(&one);
        }
}

/* --- where training starts ---------------------------------------------------------------------------------------- */

static void test_bias(void **state)
{
    static const double means[] = {0, 0.0005, 0.02, 0.3, 0.5, 0.8, 0.9995, 1};
    (void)state;
    for (int type = 0; elb_likelihood_types[type] != NULL; type++) {
        world w = world_begin(type, ELB_VARIANCE_FIXED, 1);
        for (size_t i = 0; i < sizeof means / sizeof means[0]; i++) {
            double want = type == ELB_GAUSSIAN ? means[i] : fmin(fmax(means[i], 0.001), 0.999);
            elb_real out[OUTPUTS_MAX] = {(elb_real)w.m->likelihood->bias(&w.m->likelihood_options, means[i]), 0}, mean;
            w.m->likelihood->mean(w.m, 1, out, &mean);
            support_assert_near((double)mean, want, 1e-6, 1e-5);
        }
        world_end(&w);
    }
}

static void test_start_at_mean(void **state)
{
    enum { D = 3 };
    static const double means[D] = {0.2, 0.5, 0.7};
    (void)state;
    for (int type = 0; elb_likelihood_types[type] != NULL; type++)
        for (int variance = 0; variance < VARIANCES; variance++) {
            world w = world_begin(type, variance, D);
            elb_real mean[D];
            w.m->likelihood_options.mean = (variance + 1) % 3; /* a gaussian's: linear, sigmoid or tanh */
            elb_model_start_at_mean(w.m, means);
            elb_tensor *z = elb_input(w.t, "z", false, 2, (int64_t[]){1, 2});
            memset(z->data, 0, 2 * sizeof *z->data);
            elb_tensor *out = elb_model_decode(w.m, w.t, z);
            assert_int_equal(elb_tape_run(w.t, NULL), ELB_OK);
            assert_int_equal(out->cols, D * w.outputs);
            w.m->likelihood->mean(w.m, 1, out->data, mean);
            for (int d = 0; d < D; d++) support_assert_near((double)mean[d], means[d], 1e-5, 1e-5);
            world_end(&w);
        }
}

/* --- refusals ----------------------------------------------------------------------------------------------------- */

static void check(int type, elb_value_range range, const char *part)
{
    elb_context *c = support_context(NULL);
    elb_status status = elb_likelihood_types[type]->check(c, &range);
    assert_int_equal(status, part == NULL ? ELB_OK : ELB_DATA);
    if (part != NULL) support_assert_message(c, part);
    support_context_end(c, NULL);
}

/* likelihood.log_variance is where every learned variance starts. */
static void test_start_of_variance(void **state)
{
    static const elb_variance_kind kinds[] = {ELB_VARIANCE_SCALAR, ELB_VARIANCE_PIXEL, ELB_VARIANCE_PREDICTED};
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        elb_context *c = support_context(NULL);
        elb_model_options options = {.latent = 2, .hidden = {.count = 1, .at = {3}}};
        elb_likelihood_options likelihood = {.type = ELB_GAUSSIAN, .variance = kinds[k], .log_variance = -3};
        const double mean[] = {1, 2, 4, 8};
        elb_model *m;
        assert_int_equal(elb_model_create(c, &options, &likelihood, 4, &m), ELB_OK);
        assert_int_equal(elb_model_reset(m, 1), ELB_OK);
        elb_model_start_at_mean(m, mean);
        const elb_real *bias = elb_mlp_output_bias(&m->decoder);
        const elb_real *l =
            kinds[k] == ELB_VARIANCE_PREDICTED ? bias + 4 : elb_params_data(&m->params, m->log_variance);
        for (int d = 0; d < 4; d++) assert_true((double)bias[d] == mean[d]);
        for (int d = 0; d < (kinds[k] == ELB_VARIANCE_SCALAR ? 1 : 4); d++) assert_true((double)l[d] == -3);
        elb_model_destroy(m);
        support_context_end(c, NULL);
    }
}

static void test_checks(void **state)
{
    (void)state;
    for (int type = 0; elb_likelihood_types[type] != NULL; type++) {
        bool unit = type != ELB_GAUSSIAN;
        check(type, (elb_value_range){0, 1, 0, 0, true}, NULL);
        check(type, (elb_value_range){0, 1, 3, 0, true}, "3 values are NaN");
        check(type, (elb_value_range){0, 1, 0, 2, true}, "2 values are infinite");
        check(type, (elb_value_range){0, 1, 0, 0, false},
              type == ELB_BERNOULLI ? "needs values that are 0 or 1" : NULL);
        check(type, (elb_value_range){-0.1, 1, 0, 0, false},
              unit ? "needs values in [0,1], these lie in [-0.1,1]" : NULL);
        check(type, (elb_value_range){0, 255, 0, 0, false}, unit ? "set data.scale" : NULL);
        check(type, (elb_value_range){NAN, NAN, 0, 0, false}, unit ? "needs values in [0,1]" : NULL);
    }
}

static void test_wrong_shapes(void **state)
{
    (void)state;
    for (int type = 0; elb_likelihood_types[type] != NULL; type++)
        for (int variance = 0; variance < VARIANCES; variance++) {
            world w = world_begin(type, variance, 3);
            elb_tensor *z = elb_input(w.t, "z", false, 3, (int64_t[]){2, 4, 2});
            assert_null(elb_model_log_likelihood(w.m, w.t, elb_input(w.t, "x", false, 2, (int64_t[]){4, 2}), z));
            assert_int_equal(elb_tape_run(w.t, NULL), ELB_MODEL);
            assert_true(strlen(elb_context_message(w.c)) > 20);
            assert_null(elb_model_log_likelihood(w.m, w.t, NULL, NULL));
            assert_int_equal(elb_tape_reset(w.t), ELB_OK);
            elb_tensor *wide = elb_input(w.t, "z", false, 3, (int64_t[]){2, 4, 5});
            assert_null(elb_model_log_joint(w.m, w.t, elb_input(w.t, "x", false, 2, (int64_t[]){4, 3}), wide));
            assert_int_equal(elb_tape_run(w.t, NULL), ELB_MODEL);
            world_end(&w);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registry),      cmocka_unit_test(test_density_mean_and_draws),
        cmocka_unit_test(test_mean_of_rows),  cmocka_unit_test(test_bias),
        cmocka_unit_test(test_start_at_mean), cmocka_unit_test(test_start_of_variance),
        cmocka_unit_test(test_checks),        cmocka_unit_test(test_wrong_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
