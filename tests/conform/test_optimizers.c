/* test_optimizers.c - what every optimiser must do, run over all of them: it descends, with the same bits whatever the
 * threads, clipped or not; PyTorch's sequences are compared in golden/. */
#include "vae_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/optim/optimizer.h"

enum { LARGE = 70, STEPS = 400 };

static const char *const *type_names(void)
{
    return support_choices(elb_optimizer_option_table, "type");
}

typedef struct world {
    elb_context *c;
    elb_tape *t;
    elb_config *config;
    elb_params p;
    elb_optimizer o;
} world;

/* A weight [LARGE,LARGE] and a bias [LARGE], in one block. */
static void world_begin(world *w, int type, double clip, int threads)
{
    int64_t index;
    elb_settings settings = {.threads = threads};
    assert_int_equal(elb_context_create(&settings, &w->c), ELB_OK);
    assert_int_equal(elb_tape_create(w->c, &w->t), ELB_OK);
    assert_int_equal(elb_config_create(w->c, &w->config), ELB_OK);
    w->config->optimizer.type = type;
    w->config->optimizer.clip = clip;
    elb_params_init(&w->p, w->c);
    assert_int_equal(elb_params_add(&w->p, &index, 2, (int64_t[]){LARGE, LARGE}, "weight"), ELB_OK);
    assert_int_equal(elb_params_add(&w->p, &index, 1, (int64_t[]){LARGE}, "bias"), ELB_OK);
    assert_int_equal(elb_params_build(&w->p), ELB_OK);
    for (int64_t i = 0; i < w->p.size; i++) w->p.data[i] = (elb_real)support_number(1, (uint64_t)i);
    elb_optimizer_init(&w->o, w->c, &w->config->optimizer);
    assert_int_equal(elb_optimizer_add(&w->o, &w->p), ELB_OK);
}

static void world_end(world *w)
{
    elb_optimizer_free(&w->o);
    elb_params_free(&w->p);
    elb_config_destroy(w->config);
    elb_tape_destroy(w->t);
    elb_context_destroy(w->c);
}

/* Of mean(weight^2) + 2 mean(bias^2), or of the first alone; returns the loss before the step. */
static double step(world *w, double rate, bool both)
{
    assert_int_equal(elb_tape_reset(w->t), ELB_OK);
    elb_optimizer_begin(&w->o, rate);
    elb_tensor *loss = elb_mean_all(w->t, elb_apply(w->t, ELB_SQUARE, elb_params_leaf(&w->p, w->t, 0)));
    elb_tensor *bias = elb_mean_all(w->t, elb_apply(w->t, ELB_SQUARE, elb_params_leaf(&w->p, w->t, 1)));
    if (both) loss = elb_add(w->t, loss, elb_affine(w->t, bias, 2, 0));
    assert_int_equal(elb_tape_run(w->t, loss), ELB_OK);
    assert_int_equal(elb_optimizer_end(&w->o, true), ELB_OK);
    return (double)loss->data[0];
}

static void test_registry(void **state)
{
    (void)state;
    int count = 0;
    for (; elb_optimizer_types[count] != NULL; count++) {
        const elb_optimizer_type *type = elb_optimizer_types[count];
        char text[128];
        assert_true(type->name != NULL && *type->name && type->source != NULL && *type->source);
        assert_true(type->prepare != NULL && type->sweep != NULL);
        assert_true(type->moments >= 0 && type->moments <= ELB_OPTIMIZER_MOMENTS);
        assert_non_null(type_names()[count]);
        assert_string_equal(type->name, type_names()[count]);
        snprintf(text, sizeof text, "`%s`", type->name);
        support_page_says(ELB_TEST_FOLDER "/../docs/methods", text);
    }
    assert_null(type_names()[count]);
}

/* The loss falls to a thousandth; the numbers between the tensors, which are nobody's, stay as they are. */
static void test_descends(void **state)
{
    (void)state;
    for (int type = 0; elb_optimizer_types[type] != NULL; type++)
        for (int clipped = 0; clipped < 2; clipped++) {
            world w;
            world_begin(&w, type, clipped ? 0.5 : 0, 2);
            bool sgd = strcmp(w.o.type->name, "sgd") == 0;
            double first = step(&w, sgd ? 10 : 0.01, true), last = first;
            for (int s = 1; s < STEPS; s++) last = step(&w, sgd ? 10 : 0.01, true);
            if (!(last < 1e-3 * first)) fail_msg("%s: from %g only to %g", w.o.type->name, first, last);
            assert_int_equal(w.o.steps, STEPS);
            world_end(&w);
        }
}

static void test_same_bits(void **state)
{
    (void)state;
    for (int type = 0; elb_optimizer_types[type] != NULL; type++)
        for (int clipped = 0; clipped < 2; clipped++) {
            world one;
            world_begin(&one, type, clipped ? 0.01 : 0, 1);
            for (int s = 0; s < 5; s++) step(&one, 0.01, true);
            for (int threads = 2; threads <= 5; threads++) {
                world w;
                world_begin(&w, type, clipped ? 0.01 : 0, threads);
                for (int s = 0; s < 5; s++) step(&w, 0.01, true);
                assert_memory_equal(one.p.data, w.p.data, (size_t)w.p.size * sizeof(elb_real));
                world_end(&w);
            }
            world_end(&one);
        }
}

/* A step put off until several runs have given their gradients ends where one that was taken on the way does; nothing
 * moves before its end, or when a run failed. */
static void test_deferred(void **state)
{
    (void)state;
    for (int type = 0; elb_optimizer_types[type] != NULL; type++) {
        world a, b;
        world_begin(&a, type, 0, 2);
        world_begin(&b, type, 0, 1);
        size_t size = (size_t)a.p.size * sizeof(elb_real);
        elb_real *before = malloc(size);
        for (int s = 0; s < 3; s++) {
            step(&a, 0.01, true);
            memcpy(before, b.p.data, size);
            for (int failed = s == 1; failed >= 0; failed--) {
                assert_int_equal(elb_tape_reset(b.t), ELB_OK);
                elb_optimizer_begin(&b.o, 0.01);
                if (failed) b.p.grad[0] = 9;
                elb_optimizer_defer(&b.o);
                assert_true(b.p.grad[0] == 0);
                elb_tensor *loss = elb_mean_all(b.t, elb_apply(b.t, ELB_SQUARE, elb_params_leaf(&b.p, b.t, 0)));
                elb_tensor *bias = elb_mean_all(b.t, elb_apply(b.t, ELB_SQUARE, elb_params_leaf(&b.p, b.t, 1)));
                assert_int_equal(elb_tape_run(b.t, loss), ELB_OK);
                assert_int_equal(elb_tape_run(b.t, elb_add(b.t, loss, elb_affine(b.t, bias, 2, 0))), ELB_OK);
                assert_memory_equal(before, b.p.data, size);
                assert_int_equal(elb_optimizer_end(&b.o, !failed), ELB_OK);
                if (failed) assert_memory_equal(before, b.p.data, size);
                if (failed) b.o.steps--;
            }
        }
        assert_memory_equal(a.p.data, b.p.data, size);
        free(before);
        world_end(&a);
        world_end(&b);
    }
}

/* After a reset the same steps follow from the same parameters. */
static void test_reset(void **state)
{
    (void)state;
    for (int type = 0; elb_optimizer_types[type] != NULL; type++) {
        world a, b;
        world_begin(&a, type, 0, 1);
        world_begin(&b, type, 0, 1);
        for (int s = 0; s < 3; s++) step(&a, 0.01, true);
        elb_optimizer_reset(&a.o);
        assert_int_equal(a.o.steps, 0);
        memcpy(a.p.data, b.p.data, (size_t)a.p.size * sizeof(elb_real));
        for (int s = 0; s < 3; s++) {
            step(&a, 0.01, true);
            step(&b, 0.01, true);
        }
        assert_memory_equal(a.p.data, b.p.data, (size_t)a.p.size * sizeof(elb_real));
        world_end(&a);
        world_end(&b);
    }
}

/* A tensor that the loss does not reach stays where it is when it has never moved. */
static void test_unreached(void **state)
{
    (void)state;
    for (int type = 0; elb_optimizer_types[type] != NULL; type++)
        for (int clipped = 0; clipped < 2; clipped++) {
            world w;
            elb_real before[LARGE];
            world_begin(&w, type, clipped ? 0.5 : 0, 1);
            memcpy(before, elb_params_data(&w.p, 1), sizeof before);
            for (int s = 0; s < 3; s++) step(&w, 0.01, false);
            assert_memory_equal(before, elb_params_data(&w.p, 1), sizeof before);
            world_end(&w);
        }
}

static void test_blocks(void **state)
{
    (void)state;
    world w;
    world_begin(&w, 0, 0, 1);
    for (int b = 1; b < ELB_OPTIMIZER_BLOCKS; b++) assert_int_equal(elb_optimizer_add(&w.o, &w.p), ELB_OK);
    assert_int_equal(elb_optimizer_add(&w.o, &w.p), ELB_FAILURE);
    support_assert_message(w.c, "at most 4 parameter blocks");
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registry), cmocka_unit_test(test_descends), cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_deferred), cmocka_unit_test(test_reset),    cmocka_unit_test(test_unreached),
        cmocka_unit_test(test_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
