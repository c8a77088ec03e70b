/* test_posteriors.c - what every family of posteriors must do, run over all of them. A new family needs no test
 * here to be held to it. */
#include "vae_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { D = 5 };

typedef struct world {
    elb_context *c;
    elb_tape *t;
    elb_posterior *q;
    const elb_posterior_type *type;
    uint64_t datum[64];
} world;

static const char *const *type_names(void)
{
    return support_choices(elb_posterior_option_table, "type");
}

/* Of family i with Z = latent, parameters from `seed`. */
static world world_begin(int i, int64_t latent, uint64_t seed)
{
    world w = {.c = support_context(NULL)};
    elb_posterior_options options;
    const elb_section sections[] = {{.name = "posterior", .options = elb_posterior_option_table, .values = &options},
                                    {.options = NULL}};
    assert_int_equal(elb_options_reset(w.c, sections), ELB_OK);
    options.type = i;
    options.hidden = options.flow_hidden = (elb_ints){1, {8}};
    assert_int_equal(elb_tape_create(w.c, &w.t), ELB_OK);
    assert_int_equal(elb_posterior_create(w.c, &options, D, latent, &w.q), ELB_OK);
    assert_int_equal(elb_posterior_reset(w.q, seed), ELB_OK);
    w.type = w.q->type;
    for (uint64_t b = 0; b < 64; b++) w.datum[b] = b;
    return w;
}

static void world_end(world *w)
{
    elb_posterior_destroy(w->q);
    elb_tape_destroy(w->t);
    support_context_end(w->c, NULL);
}

static elb_tensor *data(world *w, int64_t batch)
{
    elb_tensor *x = elb_input(w->t, "data", false, 2, (int64_t[]){batch, D});
    for (int64_t j = 0; j < batch * D; j++) x->data[j] = (elb_real)(2 * support_number(9, (uint64_t)j));
    return x;
}

/* A family that has no density at a given z may refuse a gradient that needs it, and says so. */
static bool gives(world *w, elb_log_q log_q)
{
    if (log_q != ELB_LOG_Q_SAMPLE || w->type->log_density != NULL) return true;
    elb_noise noise = {.key = 1, .datum = w->datum, .samples = 1};
    elb_draw d = elb_sample(w->q, w->t, elb_encode(w->q, w->t, data(w, 1)), &noise, log_q);
    bool given = d.z != NULL;
    if (!given) {
        assert_null(d.log_q);
        assert_int_equal(elb_tape_run(w->t, NULL), ELB_USAGE);
        support_assert_message(w->c, "objective.gradient=plain");
    }
    assert_int_equal(elb_tape_reset(w->t), ELB_OK);
    return given;
}

static void has_shape(const elb_tensor *x, int rank, int64_t a, int64_t b, int64_t c)
{
    int64_t want[] = {a, b, c};
    assert_non_null(x);
    assert_int_equal(x->rank, rank);
    for (int i = 0; i < rank; i++) assert_int_equal(x->shape[i], want[i]);
}

/* --- the registry ------------------------------------------------------------------------------------------------- */

static void test_registry(void **state)
{
    (void)state;
    int count = 0;
    for (int i = 0; elb_posterior_types[i] != NULL; i++) {
        const elb_posterior_type *type = elb_posterior_types[i];
        char text[128];
        assert_true(type->name != NULL && *type->name && type->source != NULL && *type->source);
        assert_true(type->init != NULL && type->reset != NULL && type->encode != NULL && type->sample != NULL);
        assert_non_null(type->mean);
        assert_non_null(type_names()[i]);
        assert_string_equal(type->name, type_names()[i]);
        snprintf(text, sizeof text, "`posterior.type: %s`", type->name);
        support_page_says(ELB_TEST_FOLDER "/../docs/methods", text);
        count++;
    }
    assert_null(type_names()[count]);
}

/* --- shapes and refusals ------------------------------------------------------------------------------------------ */

static void test_shapes(void **state)
{
    static const int64_t sizes[][3] = {{1, 1, 1}, {3, 1, 2}, {1, 4, 3}, {5, 3, 6}}; /* S, B, Z */
    (void)state;
    for (int i = 0; elb_posterior_types[i] != NULL; i++)
        for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
            int64_t s = sizes[k][0], b = sizes[k][1], z = sizes[k][2];
            world w = world_begin(i, z, 1);
            elb_noise noise = {.key = 1, .datum = w.datum, .samples = s};
            elb_log_q last = gives(&w, ELB_LOG_Q_SAMPLE) ? ELB_LOG_Q_SAMPLE : ELB_LOG_Q_FULL;
            elb_tensor *lambda = elb_encode(w.q, w.t, data(&w, b));
            has_shape(lambda, 2, b, w.q->local, 0);
            has_shape(w.type->mean(w.q, w.t, lambda), 2, b, z, 0);
            for (int log_q = ELB_LOG_Q_NONE; log_q <= (int)last; log_q++) {
                elb_draw d = elb_sample(w.q, w.t, lambda, &noise, (elb_log_q)log_q);
                has_shape(d.z, 3, s, b, z);
                if (log_q == ELB_LOG_Q_NONE)
                    assert_null(d.log_q);
                else
                    has_shape(d.log_q, 2, s, b, 0);
                if (w.type->log_density != NULL) has_shape(w.type->log_density(w.q, w.t, lambda, d.z), 2, s, b, 0);
            }
            if (w.type->log_variance != NULL) has_shape(w.type->log_variance(w.q, w.t, lambda), 2, b, z, 0);
            if (w.type->kl_to_prior != NULL) has_shape(w.type->kl_to_prior(w.q, w.t, lambda), 2, b, z, 0);
            if (w.type->uncertainty != NULL) has_shape(w.type->uncertainty(w.q, w.t, data(&w, b)), 1, b, 0, 0);
            assert_int_equal(elb_tape_run(w.t, NULL), ELB_OK);
            world_end(&w);
        }
}

/* After a failure on the tape everything gives NULL and the failure is told. */
static void test_failed_tape(void **state)
{
    (void)state;
    for (int i = 0; elb_posterior_types[i] != NULL; i++) {
        world w = world_begin(i, 2, 1);
        elb_noise noise = {.key = 1, .datum = w.datum, .samples = 2};
        elb_tape_fail(w.t, ELB_DATA, "the first failure");
        elb_tensor *lambda = elb_encode(w.q, w.t, NULL);
        assert_null(lambda);
        elb_draw d = elb_sample(w.q, w.t, lambda, &noise, ELB_LOG_Q_FULL);
        assert_true(d.z == NULL && d.log_q == NULL);
        assert_null(w.type->mean(w.q, w.t, lambda));
        if (w.type->log_density != NULL) assert_null(w.type->log_density(w.q, w.t, lambda, d.z));
        if (w.type->kl_to_prior != NULL) assert_null(w.type->kl_to_prior(w.q, w.t, lambda));
        assert_int_equal(elb_tape_run(w.t, NULL), ELB_DATA);
        support_assert_message(w.c, "the first failure");
        world_end(&w);
    }
}

static void refused(world *w)
{
    assert_int_equal(elb_tape_run(w->t, NULL), ELB_MODEL);
    assert_true(strlen(elb_context_message(w->c)) > 20);
    assert_int_equal(elb_tape_reset(w->t), ELB_OK);
}

/* Whatever takes lambda refuses one that is not P wide. */
static void wrong_width(world *w, int64_t width)
{
    elb_tensor *(*const functions[])(elb_posterior *, elb_tape *, elb_tensor *) = {w->type->mean, w->type->log_variance,
                                                                                   w->type->kl_to_prior};
    for (size_t f = 0; f < sizeof functions / sizeof functions[0]; f++) {
        if (functions[f] == NULL) continue;
        assert_null(functions[f](w->q, w->t, elb_input(w->t, "lambda", false, 2, (int64_t[]){4, width})));
        refused(w);
    }
}

static void test_wrong_shapes(void **state)
{
    (void)state;
    for (int i = 0; elb_posterior_types[i] != NULL; i++) {
        world w = world_begin(i, 3, 1);
        elb_noise noise = {.key = 1, .datum = w.datum, .samples = 2};
        assert_null(elb_encode(w.q, w.t, elb_input(w.t, "x", false, 2, (int64_t[]){4, D + 1})));
        refused(&w);
        elb_tensor *narrow = elb_input(w.t, "lambda", false, 2, (int64_t[]){4, w.q->local - 1});
        assert_null(elb_sample(w.q, w.t, narrow, &noise, ELB_LOG_Q_FULL).z);
        refused(&w);
        wrong_width(&w, w.q->local - 1);
        wrong_width(&w, w.q->local + 1);
        if (w.type->log_density != NULL) {
            elb_tensor *lambda = elb_encode(w.q, w.t, data(&w, 4));
            assert_null(w.type->log_density(w.q, w.t, lambda, elb_input(w.t, "z", false, 3, (int64_t[]){2, 4, 2})));
            refused(&w);
        }
        world_end(&w);
    }
}

/* --- starting parameters ------------------------------------------------------------------------------------------ */

static void test_reset(void **state)
{
    (void)state;
    for (int i = 0; elb_posterior_types[i] != NULL; i++) {
        world a = world_begin(i, 3, 1), b = world_begin(i, 3, 1), other = world_begin(i, 3, 2);
        size_t bytes = (size_t)a.q->params.size * sizeof(elb_real);
        assert_memory_equal(a.q->params.data, b.q->params.data, bytes);
        assert_memory_not_equal(a.q->params.data, other.q->params.data, bytes);
        for (int64_t j = 0; j < a.q->params.size; j++) assert_true(isfinite((double)a.q->params.data[j]));
        world_end(&a);
        world_end(&b);
        world_end(&other);
    }
}

/* --- samples and densities ---------------------------------------------------------------------------------------- */

/* A run's tensors: the encoder's lambda with a gradient, samples and what belongs to them. */
static void test_log_q_is_the_density(void **state)
{
    (void)state;
    for (int i = 0; elb_posterior_types[i] != NULL; i++) {
        world w = world_begin(i, 3, 1);
        elb_noise noise = {.key = 1, .datum = w.datum, .samples = 6};
        bool given = gives(&w, ELB_LOG_Q_SAMPLE);
        elb_tensor *lambda = elb_encode(w.q, w.t, data(&w, 4));
        elb_draw full = elb_sample(w.q, w.t, lambda, &noise, ELB_LOG_Q_FULL);
        elb_draw held = elb_sample(w.q, w.t, lambda, &noise, given ? ELB_LOG_Q_SAMPLE : ELB_LOG_Q_FULL);
        elb_tensor *density = w.type->log_density != NULL ? w.type->log_density(w.q, w.t, lambda, full.z) : full.log_q;
        assert_int_equal(elb_tape_run(w.t, NULL), ELB_OK);
        assert_memory_equal(full.z->data, held.z->data, 6 * 4 * 3 * sizeof(elb_real));
        for (int64_t j = 0; j < 6 * 4; j++) {
            support_assert_near((double)held.log_q->data[j], (double)full.log_q->data[j], 1e-5, 1e-5);
            support_assert_near((double)density->data[j], (double)full.log_q->data[j], 1e-5, 1e-5);
        }
        world_end(&w);
    }
}

/* Gradient of mean(log q) with respect to lambda, into `g`; what: 0 full, 1 sample, 2 the density at held z. */
static void log_q_gradient(world *w, elb_real *lambda, elb_real *g, int what)
{
    elb_noise noise = {.key = 1, .datum = w->datum, .samples = 6};
    assert_int_equal(elb_tape_reset(w->t), ELB_OK);
    elb_tensor *l = elb_leaf(w->t, "lambda", lambda, g, 2, (int64_t[]){4, w->q->local});
    elb_draw d = elb_sample(w->q, w->t, l, &noise,
                            what == 0   ? ELB_LOG_Q_FULL
                            : what == 1 ? ELB_LOG_Q_SAMPLE
                                        : ELB_LOG_Q_NONE);
    elb_tensor *log_q = what == 2 ? w->type->log_density(w->q, w->t, l, elb_stop_gradient(w->t, d.z)) : d.log_q;
    assert_int_equal(elb_tape_run(w->t, elb_mean_all(w->t, log_q)), ELB_OK);
}

/* The full gradient of log q is that through z and that of the density at z. */
static void test_gradients_of_log_q(void **state)
{
    (void)state;
    for (int i = 0; elb_posterior_types[i] != NULL; i++) {
        if (elb_posterior_types[i]->log_density == NULL) continue;
        world w = world_begin(i, 3, 1);
        int64_t n = 4 * w.q->local;
        elb_real *lambda = calloc((size_t)(4 * n), sizeof *lambda), *g = lambda + n;
        for (int64_t j = 0; j < n; j++) lambda[j] = (elb_real)(support_number(4, (uint64_t)j) / 2);
        for (int what = 0; what < 3; what++) log_q_gradient(&w, lambda, g + what * n, what);
        double moved = 0;
        for (int64_t j = 0; j < n; j++) {
            support_assert_near((double)g[j], (double)g[n + j] + (double)g[2 * n + j], 1e-5, 1e-4);
            moved = fmax(moved, fabs((double)g[2 * n + j]));
        }
        assert_true(moved > 1e-3);
        free(lambda);
        world_end(&w);
    }
}

/* A datum's samples are the same in any batch and continue from draw to draw. */
static void test_noise_follows_the_datum(void **state)
{
    (void)state;
    for (int i = 0; elb_posterior_types[i] != NULL; i++) {
        world w = world_begin(i, 3, 1);
        int64_t p = w.q->local;
        elb_real *lambda = calloc((size_t)(4 * p), sizeof *lambda);
        for (int64_t j = 0; j < 4 * p; j++) lambda[j] = (elb_real)(support_number(4, (uint64_t)j) / 2);
        elb_noise all = {.key = 1, .datum = w.datum, .samples = 3, .whole = 3};
        elb_noise one = {.key = 1, .datum = w.datum + 2, .draw = 1, .samples = 2, .whole = 3};
        elb_tensor *both = elb_leaf(w.t, "lambda", lambda, NULL, 2, (int64_t[]){4, p});
        elb_tensor *third = elb_leaf(w.t, "lambda", lambda + 2 * p, NULL, 2, (int64_t[]){1, p});
        elb_draw a = elb_sample(w.q, w.t, both, &all, ELB_LOG_Q_FULL),
                 b = elb_sample(w.q, w.t, third, &one, ELB_LOG_Q_FULL);
        assert_int_equal(elb_tape_run(w.t, NULL), ELB_OK);
        for (int64_t s = 0; s < 2; s++)
            for (int64_t j = 0; j < 3; j++)
                support_assert_near((double)b.z->data[s * 3 + j], (double)a.z->data[((s + 1) * 4 + 2) * 3 + j], 1e-6,
                                    1e-6);
        free(lambda);
        world_end(&w);
    }
}

/* --- statistics --------------------------------------------------------------------------------------------------- */

enum { DRAWS = 20000, WIDTH = 3 };

static void within_errors(const double *values, int64_t n, double want)
{
    double mean = 0, square = 0;
    for (int64_t i = 0; i < n; i++) mean += values[i] / (double)n;
    for (int64_t i = 0; i < n; i++) square += (values[i] - mean) * (values[i] - mean) / (double)(n - 1);
    double errors = fabs(mean - want) / sqrt(square / (double)n);
    if (!(errors < 5)) fail_msg("%g is %.1f standard errors from %g", mean, errors, want);
}

/* The samples' mean is mean() where that is E_q[z], their variance is that of log_variance, and the mean of log q -
 * log p is kl_to_prior. */
static void test_samples(void **state)
{
    static double values[DRAWS];
    (void)state;
    for (int i = 0; elb_posterior_types[i] != NULL; i++) {
        world w = world_begin(i, WIDTH, 1);
        elb_noise noise = {.key = 1, .datum = w.datum, .samples = DRAWS};
        elb_tensor *lambda = elb_encode(w.q, w.t, data(&w, 1)), *mean = w.type->mean(w.q, w.t, lambda);
        elb_draw d = elb_sample(w.q, w.t, lambda, &noise, ELB_LOG_Q_FULL);
        elb_tensor *prior = elb_standard_normal_log_prob(w.t, d.z), *kl = NULL, *spread = NULL;
        if (w.type->log_variance != NULL) spread = w.type->log_variance(w.q, w.t, lambda);
        if (w.type->kl_to_prior != NULL) kl = elb_sum_last(w.t, w.type->kl_to_prior(w.q, w.t, lambda));
        assert_int_equal(elb_tape_run(w.t, NULL), ELB_OK);
        for (int j = 0; j < WIDTH; j++) {
            for (int64_t s = 0; s < DRAWS; s++) values[s] = (double)d.z->data[s * WIDTH + j];
            if (!w.type->central) within_errors(values, DRAWS, (double)mean->data[j]);
            for (int64_t s = 0; s < DRAWS; s++) values[s] = pow(values[s] - (double)mean->data[j], 2);
            if (spread != NULL) within_errors(values, DRAWS, exp((double)spread->data[j]));
        }
        for (int64_t s = 0; s < DRAWS; s++) values[s] = (double)(d.log_q->data[s] - prior->data[s]);
        if (kl != NULL) within_errors(values, DRAWS, (double)kl->data[0]);
        world_end(&w);
    }
}

/* In one dimension, by the trapezoid rule. */
static void test_density_integrates_to_one(void **state)
{
    enum { POINTS = 4001 };
    (void)state;
    for (int i = 0; elb_posterior_types[i] != NULL; i++) {
        if (elb_posterior_types[i]->log_density == NULL) continue;
        world w = world_begin(i, 1, 1);
        elb_tensor *lambda = elb_encode(w.q, w.t, data(&w, 1));
        elb_tensor *z = elb_input(w.t, "z", false, 3, (int64_t[]){POINTS, 1, 1});
        double step = 30.0 / (POINTS - 1), integral = 0;
        for (int j = 0; j < POINTS; j++) z->data[j] = (elb_real)(-15 + j * step);
        elb_tensor *density = w.type->log_density(w.q, w.t, lambda, z);
        assert_int_equal(elb_tape_run(w.t, NULL), ELB_OK);
        for (int j = 0; j < POINTS; j++) integral += exp((double)density->data[j]) * step;
        support_assert_near(integral, 1, 1e-5, 0);
        world_end(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registry),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_failed_tape),
        cmocka_unit_test(test_wrong_shapes),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_log_q_is_the_density),
        cmocka_unit_test(test_gradients_of_log_q),
        cmocka_unit_test(test_noise_follows_the_datum),
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_density_integrates_to_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
