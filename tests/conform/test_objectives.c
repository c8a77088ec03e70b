/* test_objectives.c - what every objective must do, run over all of them. */
#include "vae_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { D = 5, B = 4, Z = 2 };

static const char *const *type_names(void)
{
    return support_choices(elb_objective_option_table, "type");
}

typedef struct world {
    elb_context *c;
    support_vae *v;
} world;

static world world_begin(const char *settings, int type, int64_t samples)
{
    world w = {.c = support_context(NULL)};
    char all[256];
    const elb_posterior_type *posterior = elb_objective_types[type]->posterior;
    snprintf(all, sizeof all,
             "model.latent=2 model.hidden=6 posterior.type=%s posterior.hidden=6 objective.type=%s "
             "objective.samples=%d %s",
             posterior != NULL ? posterior->name : "ffg", type_names()[type], (int)samples, settings);
    w.v = support_vae_create(w.c, D, B, all);
    support_vae_fill(w.v, 0.7, 1);
    support_vae_fill_data(w.v, 2);
    return w;
}

static void world_end(world *w)
{
    support_vae_destroy(w->v);
    support_context_end(w->c, NULL);
}

static void test_registry(void **state)
{
    (void)state;
    int count = 0;
    for (; elb_objective_types[count] != NULL; count++) {
        const elb_objective_type *type = elb_objective_types[count];
        char text[128];
        assert_true(type->name != NULL && *type->name && type->source != NULL && *type->source);
        assert_non_null(type->loss);
        assert_non_null(type_names()[count]);
        assert_string_equal(type->name, type_names()[count]);
        snprintf(text, sizeof text, "`objective.type: %s`", type->name);
        support_page_says(ELB_TEST_FOLDER "/../docs/methods", text);
    }
    assert_null(type_names()[count]);
}

static bool is_shape(const elb_tensor *x, int rank, int64_t a, int64_t b)
{
    return x->rank == rank && (rank < 1 || x->shape[0] == a) && (rank < 2 || x->shape[1] == b);
}

static bool refuses(int type, const char *way)
{
    return elb_objective_types[type]->plain && strstr(way, "gradient") != NULL;
}

/* The parts are there, of the promised shapes, and the loss is finite. */
static void test_parts(void **state)
{
    static const char *const ways[] = {"",
                                       "objective.kl=sampled",
                                       "objective.gradient=stl",
                                       "objective.gradient=dreg",
                                       "objective.warmup=kl",
                                       "objective.warmup=entropy"};
    (void)state;
    for (int i = 0; elb_objective_types[i] != NULL; i++)
        for (size_t k = 0; k < sizeof ways / sizeof ways[0]; k++)
            for (int64_t s = 1; s <= 3 && !refuses(i, ways[k]); s += 2) {
                world w = world_begin(ways[k], i, s);
                w.v->objective.beta = 0.4; /* without a warm-up it has no effect */
                elb_loss l = support_vae_run(w.v);
                assert_int_equal(l.loss->rows * l.loss->cols, 1);
                assert_true(isfinite((double)l.loss->data[0]));
                assert_true(is_shape(l.reconstruction, 2, s, B) || is_shape(l.reconstruction, 1, B, 0));
                assert_true(is_shape(l.kl, 2, s, B) || is_shape(l.kl, 1, B, 0));
                assert_true(l.kl_coordinate == NULL || is_shape(l.kl_coordinate, 2, B, Z));
                assert_true(l.bound == NULL || is_shape(l.bound, 1, B, 0));
                world_end(&w);
            }
}

/* The mean over the batch, in nats per datum: four times the same datum costs what it costs once. */
static void test_mean_over_the_batch(void **state)
{
    (void)state;
    for (int i = 0; elb_objective_types[i] != NULL; i++) {
        world w = world_begin("", i, 3);
        for (int64_t b = 1; b < B; b++) {
            memcpy(w.v->x + b * D, w.v->x, D * sizeof(elb_real));
            w.v->datum[b] = w.v->datum[0];
        }
        double four = support_vae_loss(w.v);
        w.v->batch = 1;
        support_assert_near(support_vae_loss(w.v), four, 1e-5, 1e-5);
        world_end(&w);
    }
}

/* With beta = 1 every warm-up is none. */
static void test_warm(void **state)
{
    static const char *const ways[] = {"objective.warmup=kl", "objective.warmup=entropy"};
    (void)state;
    for (int i = 0; elb_objective_types[i] != NULL; i++) {
        world plain = world_begin("", i, 3);
        double want = support_vae_loss(plain.v);
        for (int k = 0; k < 2; k++) {
            world w = world_begin(ways[k], i, 3);
            assert_true(support_vae_loss(w.v) == want);
            w.v->objective.beta = 0.2;
            elb_loss tempered = support_vae_run(w.v), whole = support_vae_run(plain.v);
            assert_true((double)tempered.loss->data[0] != want);
            for (int64_t b = 0; whole.bound != NULL && b < B; b++) /* the bound is one, whatever beta */
                support_assert_near((double)tempered.bound->data[b], (double)whole.bound->data[b], 1e-6, 1e-6);
            world_end(&w);
        }
        world_end(&plain);
    }
}

static elb_loss record(world *w, elb_tensor *x)
{
    return elb_objective_loss(&w->v->objective, w->v->tape, w->v->model, w->v->posterior, x, &w->v->noise);
}

static void test_failures(void **state)
{
    (void)state;
    for (int i = 0; elb_objective_types[i] != NULL; i++)
        for (int dreg = 0; dreg < 2 && !(dreg && elb_objective_types[i]->plain); dreg++) {
            world w = world_begin(dreg ? "objective.gradient=dreg" : "", i, 3);
            elb_tape *t = w.v->tape;
            elb_tape_fail(t, ELB_DATA, "the first failure");
            assert_null(record(&w, NULL).loss);
            assert_int_equal(elb_tape_run(t, NULL), ELB_DATA);
            support_assert_message(w.c, "the first failure");
            assert_int_equal(elb_tape_reset(t), ELB_OK);
            assert_null(record(&w, elb_input(t, "x", false, 2, (int64_t[]){B, D + 1})).loss);
            assert_int_equal(elb_tape_run(t, NULL), ELB_MODEL);
            assert_true(strlen(elb_context_message(w.c)) > 20);
            world_end(&w);
        }
}

/* A posterior without the optional members: everything but DReG works, and that says why it does not. */
static void test_posterior_without_extras(void **state)
{
    (void)state;
    for (int i = 0; elb_objective_types[i] != NULL; i++)
        for (int gradient = ELB_GRADIENT_PLAIN; gradient <= ELB_GRADIENT_DREG; gradient++) {
            if (elb_objective_types[i]->posterior != NULL) continue;
            world w = world_begin("", i, 3);
            elb_posterior_type bare = *w.v->posterior->type;
            bare.name = "bare";
            bare.log_density = NULL;
            bare.kl_to_prior = NULL;
            w.v->posterior->type = &bare;
            w.v->objective.options.gradient = gradient;
            elb_tensor *x = elb_leaf(w.v->tape, "data", w.v->x, NULL, 2, (int64_t[]){B, D});
            elb_loss l = record(&w, x);
            elb_status status = elb_tape_run(w.v->tape, l.loss);
            if (status == ELB_OK)
                assert_true(isfinite((double)l.loss->data[0]));
            else {
                assert_int_equal(gradient, ELB_GRADIENT_DREG);
                assert_int_equal(status, ELB_USAGE);
                support_assert_message(w.c, "which the posterior bare does not have");
            }
            world_end(&w);
        }
}

/* An objective says which posterior and which gradient it is not for. */
static void test_refusals(void **state)
{
    (void)state;
    for (int i = 0; elb_objective_types[i] != NULL; i++) {
        const elb_objective_type *type = elb_objective_types[i];
        world w = world_begin(type->plain ? "objective.gradient=stl" : "", i, 1);
        elb_posterior_type other = *w.v->posterior->type;
        elb_tensor *x = elb_leaf(w.v->tape, "data", w.v->x, NULL, 2, (int64_t[]){B, D});
        if (type->plain) {
            assert_null(record(&w, x).loss);
            assert_int_equal(elb_tape_run(w.v->tape, NULL), ELB_USAGE);
            support_assert_message(w.c, "set objective.gradient=plain");
            assert_int_equal(elb_tape_reset(w.v->tape), ELB_OK);
        }
        other.name = "another";
        w.v->posterior->type = &other;
        if (type->posterior != NULL) {
            assert_null(record(&w, x).loss);
            assert_int_equal(elb_tape_run(w.v->tape, NULL), ELB_USAGE);
            support_assert_message(w.c, "alone, not for another: set both");
        }
        world_end(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registry),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_mean_over_the_batch),
        cmocka_unit_test(test_warm),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_posterior_without_extras),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
