/* test_auto_order.c - posterior.order=auto: the orders, their gains, the choice, and going on after a stop. */
#include "train_support.h"
#include "fixture_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/auto_order.h"
#include "run/vae.h"

#define SMALL                                                                                                          \
    "model.latent=2 model.hidden=5 posterior.type=mixture posterior.hidden=4 data.binarise=none posterior.order=auto " \
    "likelihood.type=gaussian train.batch=60 train.epochs=2 objective.type=recmix objective.pretrain=0.5 "             \
    "data.validation=30 "

static elb_status search(const char *name, const char *settings, bool resume, elb_progress_fn progress,
                         elb_train_result *result)
{
    train_session_settings with = {.threads = 1, .settings = settings, .resume = resume, .progress = progress};
    return train_session(&with, folder, name, result);
}

static int64_t order_of(const json_t *line)
{
    return json_integer_value(json_object_get(line, "order"));
}

/* The chosen order is the last that gained more than its error over the best before it; two more were tried after it.
 * Its model is the folder's. */
static void test_choice(void **state)
{
    (void)state;
    elb_train_result result;
    assert_int_equal(search("run", SMALL, false, NULL, &result), ELB_OK);
    assert_false(result.nothing_to_train);
    json_t *orders = train_log_events(folder, "run", "order"), *ends = train_log_events(folder, "run", "end");
    size_t tried = json_array_size(orders);
    int64_t best = 1;
    for (size_t i = 0; i < tried; i++) {
        const json_t *line = json_array_get(orders, i);
        assert_int_equal(order_of(line), (int)i + 1);
        assert_true(isfinite(json_real_value(json_object_get(line, "log_likelihood"))));
        if (i == 0) continue;
        double gain = json_real_value(json_object_get(line, "gain"));
        double error = json_real_value(json_object_get(line, "standard_error"));
        double level = json_real_value(json_object_get(line, "log_likelihood"));
        double before = json_real_value(json_object_get(json_array_get(orders, (size_t)best - 1), "log_likelihood"));
        assert_int_equal(json_integer_value(json_object_get(line, "over")), best);
        support_assert_near(gain, level - before, 1e-9, 0);
        if (gain > error) best = order_of(line);
    }
    assert_int_equal(tried, best + 2 < 10 ? best + 2 : 10);
    assert_int_equal(order_of(json_array_get(ends, 0)), best);
    char name[64];
    snprintf(name, sizeof name, "run/order-%d", (int)best);
    train_same_file(folder, "run", name, "model.safetensors");
    json_decref(orders);
    json_decref(ends);
}

/* The start is a VAE for half of the epochs, order 1 goes on as one, order 2 is the mixture, all from the start. */
static void test_stages(void **state)
{
    (void)state;
    elb_train_result result;
    assert_int_equal(search("run", SMALL "train.epochs=5", false, NULL, &result), ELB_OK);
    static const struct {
        const char *folder, *type, *samples, *epochs;
    } stages[] = {
        {"run/start", "ffg", "8", "3"}, {"run/order-1", "ffg", "8", "2"}, {"run/order-2", "mixture", "4", "2"}};
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        elb_config *config;
        char text[1024];
        assert_int_equal(elb_run_config(c, support_path(folder, stages[i].folder), &config), ELB_OK);
        assert_int_equal(elb_config_get(config, "posterior.type", text, sizeof text), ELB_OK);
        assert_string_equal(text, stages[i].type);
        assert_int_equal(elb_config_get(config, "objective.samples", text, sizeof text), ELB_OK);
        assert_string_equal(text, stages[i].samples);
        assert_int_equal(elb_config_get(config, "train.epochs", text, sizeof text), ELB_OK);
        assert_string_equal(text, stages[i].epochs);
        assert_int_equal(elb_config_get(config, "train.from", text, sizeof text), ELB_OK);
        assert_true((strstr(text, "run/start") != NULL) == (i > 0));
        elb_config_destroy(config);
    }
}

/* Stopped after every step, the search finds the same model; asked again, it does nothing. */
static void test_resumed(void **state)
{
    (void)state;
    elb_train_result result;
    int stops = 0;
    assert_int_equal(search("whole", SMALL, false, NULL, &result), ELB_OK);
    while (search("pieces", SMALL, stops > 0, train_stop_at_once, &result) == ELB_INTERRUPTED)
        assert_true(++stops < 50);
    assert_true(stops >= 6); /* two steps of each of three runs at least */
    train_same_file(folder, "whole", "pieces", "config.yaml");
    json_t *a = train_log_events(folder, "whole", NULL), *b = train_log_events(folder, "pieces", NULL);
    assert_true(json_equal(a, b));
    json_decref(a);
    json_decref(b);
    assert_int_equal(search("pieces", SMALL, true, NULL, &result), ELB_OK);
    assert_true(result.nothing_to_train);
}

static void test_refused(void **state)
{
    (void)state;
    elb_train_result result;
    train_refused(folder, "a", SMALL "data.validation=0", false, ELB_USAGE,
                  "posterior.order=auto is decided on held-out data: set data.validation");
    assert_int_equal(search("run", SMALL, false, NULL, &result), ELB_OK);
    train_refused(folder, "run", SMALL, false, ELB_USAGE, "already holds a run");
    train_refused(folder, "run", SMALL "train.epochs=4", true, ELB_USAGE, "was begun with another train.epochs");
    elb_config *config = train_config(c, folder, SMALL);
    elb_dataset *d;
    elb_vae *vae;
    assert_true(elb_order_is_auto(config));
    assert_int_equal(elb_config_open_data(config, NULL, ELB_PART_TRAIN, &d), ELB_OK);
    assert_int_equal(elb_vae_create(config, d, &vae), ELB_USAGE);
    support_assert_message(c, "posterior.order=auto is for training");
    elb_dataset_destroy(d);
    elb_config_destroy(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_choice),
        FIXTURE_TEST(test_stages),
        FIXTURE_TEST(test_resumed),
        FIXTURE_TEST(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
