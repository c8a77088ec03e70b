/* test_phases.c - training in phases: each is begun once, wherever the run was stopped, and a resumed run has the bits
 * of one that never was. */
#include "train_support.h"
#include "fixture_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/vae.h"

/* 150 data: 3 steps an epoch, 12 in all: 6 of pretraining, 3 of recursion, 3 of joint refinement. */
#define SMALL                                                                                                          \
    "model.latent=2 model.hidden=5 posterior.type=mixture posterior.order=3 posterior.hidden=4 data.binarise=none "    \
    "likelihood.type=gaussian train.batch=50 train.epochs=4 objective.type=recmix objective.pretrain=0.5 "             \
    "objective.recursion=0.5 "

/* Trains a run to its end, stopped after every step. */
static void train_in_pieces(const char *name, const char *settings)
{
    train_session_settings with = {.threads = 1, .settings = settings, .progress = train_stop_at_once};
    elb_train_result result;
    int stops = 0;
    for (elb_status status = ELB_INTERRUPTED; status == ELB_INTERRUPTED; stops++) {
        with.resume = stops > 0;
        status = train_session(&with, folder, name, &result);
    }
    assert_int_equal(stops, 13);
}

static void train_whole(const char *name, const char *settings)
{
    train_session_settings with = {.threads = 3, .settings = settings};
    elb_train_result result;
    assert_int_equal(train_session(&with, folder, name, &result), ELB_OK);
}

static void test_resumed_at_every_step(void **state)
{
    static const char *const ways[] = {
        "posterior.weights=input",
        "posterior.start=fresh posterior.trunk=shared optimizer.clip=1",
        "posterior.start=fresh optimizer.weight_decay=0.01 optimizer.clip=1",
        "objective.recursion=0 data.validation=30 train.batch=40",
    };
    (void)state;
    for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
        char settings[1024], whole[16], pieces[16];
        snprintf(settings, sizeof settings, SMALL "%s", ways[k]);
        snprintf(whole, sizeof whole, "whole%zu", k);
        snprintf(pieces, sizeof pieces, "pieces%zu", k);
        train_whole(whole, settings);
        train_in_pieces(pieces, settings);
        train_same_file(folder, whole, pieces, "model.safetensors");
        json_t *a = train_log_events(folder, whole, NULL), *b = train_log_events(folder, pieces, NULL);
        assert_true(json_equal(a, b));
        json_decref(a);
        json_decref(b);
    }
}

static void test_log(void **state)
{
    static const char *const names[] = {"recursion", "joint refinement"};
    static const int steps[] = {6, 9};
    (void)state;
    train_whole("run", SMALL);
    json_t *events = train_log_events(folder, "run", "phase");
    assert_int_equal(json_array_size(events), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *line = json_array_get(events, i);
        assert_string_equal(json_string_value(json_object_get(line, "name")), names[i]);
        assert_int_equal(json_integer_value(json_object_get(line, "step")), steps[i]);
    }
    json_decref(events);
}

/* What is kept in the middle of the pretraining is the first component, as a mixture of copies. */
static void test_kept_while_alone(void **state)
{
    (void)state;
    train_session_settings with = {.threads = 1, .settings = SMALL, .progress = train_stop_at_once};
    elb_train_result result;
    assert_int_equal(train_session(&with, folder, "run", &result), ELB_INTERRUPTED);
    elb_vae *vae;
    assert_int_equal(elb_vae_open(c, support_path(folder, "run"), &vae), ELB_OK);
    const elb_params *p = &vae->posterior->params;
    for (int64_t i = 0; i < p->count; i++) {
        int64_t n = p->at[i].count / 3;
        const elb_real *base = p->data + p->at[i].offset;
        for (int m = 1; m < 3; m++) assert_memory_equal(base, base + m * n, (size_t)n * sizeof *base);
    }
    elb_vae_destroy(vae);
}

/* More epochs move the phases' ends, but a run that has left a phase does not enter it again. */
static void test_never_back(void **state)
{
    (void)state;
    train_session_settings with = {.threads = 1, .settings = SMALL};
    elb_train_result result;
    train_whole("run", SMALL);
    with.settings = SMALL "train.epochs=12";
    with.resume = true;
    assert_int_equal(train_session(&with, folder, "run", &result), ELB_OK);
    assert_int_equal(result.epochs, 12);
    json_t *events = train_log_events(folder, "run", "phase");
    assert_int_equal(json_array_size(events), 2);
    json_decref(events);
}

static void test_refused(void **state)
{
    (void)state;
    train_refused(folder, "a", SMALL "posterior.type=ffg", false, ELB_USAGE,
                  "objective.type=recmix is for posterior.type=mixture alone");
    train_refused(folder, "b", SMALL "objective.gradient=stl", false, ELB_USAGE, "has the plain gradient alone");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_resumed_at_every_step),
        FIXTURE_TEST(test_log),
        FIXTURE_TEST(test_kept_while_alone),
        FIXTURE_TEST(test_never_back),
        FIXTURE_TEST(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
