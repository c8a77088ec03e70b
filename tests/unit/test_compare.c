/* test_compare.c - a small grid from training to files; its numbers are those of elb_evaluate. */
#include "train_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <elbow/compare.h>
#include <elbow/evaluate.h>

#include "run/json.h"
#include "study/statistics.h"

static const char plan_text[] = "data: synthetic:figure-8\n"
                                "preset: table\n"
                                "seeds: 2\n"
                                "set: {model: {latent: 2, hidden: [6]}, posterior: {hidden: [6]}, train: {epochs: 2}}\n"
                                "evaluate: {samples: 25, limit: 30, refine_steps: 3}\n"
                                "methods:\n"
                                "  vae: {label: 'VAE & co'}\n"
                                "  fair: {set: {objective.samples: 3}}\n"
                                "  later: {from: vae, set: {train.epochs: 1}}\n"
                                "  last: {of: later, plot: false, set: {refine.steps: 1}}\n"
                                "  refined: {of: vae, set: {refine.steps: 2}}\n"
                                "  twin: {seeds: 1}\n";

static elb_plan *make_plan(elb_context *c)
{
    elb_plan *plan;
    assert_int_equal(elb_plan_create(c, &plan), ELB_OK);
    if (elb_plan_parse(plan, "plan.yaml", plan_text, (int64_t)strlen(plan_text)) != ELB_OK)
        fail_msg("%s", elb_context_message(c));
    return plan;
}

static json_t *load(elb_context *c, const char *folder, const char *name)
{
    json_t *object;
    if (elb_json_load(c, support_path(folder, name), &object) != ELB_OK) fail_msg("%s", elb_context_message(c));
    return object;
}

/* The row of a method. */
static json_t *find(json_t *whole, const char *method)
{
    json_t *rows = json_object_get(whole, "methods");
    for (size_t i = 0; i < json_array_size(rows); i++)
        if (strcmp(json_string_value(json_object_get(json_array_get(rows, i), "method")), method) == 0)
            return json_array_get(rows, i);
    fail_msg("there is no row %s", method);
    return NULL;
}

static double number(json_t *object, const char *path)
{
    char copy[128], *rest = NULL;
    snprintf(copy, sizeof copy, "%s", path);
    for (char *word = strtok_r(copy, "/", &rest); word; word = strtok_r(NULL, "/", &rest))
        object = json_is_array(object) ? json_array_get(object, (size_t)atoi(word)) : json_object_get(object, word);
    if (!json_is_number(object)) fail_msg("%s is no number", path);
    return json_number_value(object);
}

/* The same numbers by the public interface: *elbo, and the IWAE, of a run after so many steps whose
 * rate falls by `decay`. */
static double evaluate(elb_context *c, const char *run, uint64_t seed, const char *steps, const char *decay,
                       double *elbo)
{
    elb_vae *vae;
    elb_dataset *data;
    elb_evaluation e;
    const elb_evaluate_settings settings = {.estimator = ELB_ESTIMATE_IWAE, .samples = 25, .limit = 30, .seed = seed};
    assert_int_equal(elb_vae_open(c, run, &vae), ELB_OK);
    assert_int_equal(elb_vae_set(vae, "refine.steps", steps), ELB_OK);
    assert_int_equal(elb_vae_set(vae, "refine.decay", decay), ELB_OK);
    assert_int_equal(elb_config_open_data(elb_vae_config(vae), NULL, ELB_PART_TEST, &data), ELB_OK);
    assert_int_equal(elb_evaluate(vae, data, &settings, &e), ELB_OK);
    elb_dataset_destroy(data);
    elb_vae_destroy(vae);
    *elbo = e.elbo_nats;
    return e.log_likelihood_nats;
}

static void check_run(elb_context *c, const char *folder, json_t *whole, int seed)
{
    char run[64], path[64];
    double elbo, own, refined;
    snprintf(run, sizeof run, "vae/seed-%d", seed);
    own = evaluate(c, support_path(folder, run), (uint64_t)seed, "0", "0", &elbo);
    snprintf(path, sizeof path, "runs/%d/own/mean", seed - 1);
    support_assert_near(number(find(whole, "vae"), path), own, 0, 1e-12);
    snprintf(path, sizeof path, "runs/%d/elbo/mean", seed - 1);
    support_assert_near(number(find(whole, "vae"), path), elbo, 0, 1e-12);
    refined = evaluate(c, support_path(folder, run), (uint64_t)seed, "2", "0", &elbo);
    snprintf(path, sizeof path, "runs/%d/own/mean", seed - 1);
    support_assert_near(number(find(whole, "refined"), path), refined, 0, 1e-12);
    refined = fmax(own, evaluate(c, support_path(folder, run), (uint64_t)seed, "3", "1", &elbo));
    snprintf(path, sizeof path, "runs/%d/refined/mean", seed - 1);
    support_assert_near(number(find(whole, "vae"), path), refined, 0, 1e-12);
    support_assert_near(number(find(whole, "refined"), path), refined, 0, 1e-12);
}

/* The gain of "fair", from the numbers kept per datum. */
static void check_gain(elb_context *c, const char *folder, json_t *whole)
{
    double differences[30] = {0}, gains[2];
    elb_paired_test test;
    for (int s = 0; s < 2; s++) {
        char a[64], b[64];
        snprintf(a, sizeof a, "fair/seed-%d/own.json", s + 1);
        snprintf(b, sizeof b, "vae/seed-%d/own.json", s + 1);
        json_t *fair = load(c, folder, a), *vae = load(c, folder, b);
        gains[s] = 0;
        for (int i = 0; i < 30; i++) {
            snprintf(a, sizeof a, "log_likelihood/%d", i);
            double d = number(fair, a) - number(vae, a);
            differences[i] += d / 2;
            gains[s] += d / 30;
        }
        json_decref(fair);
        json_decref(vae);
    }
    json_t *row = find(whole, "fair");
    assert_int_equal(elb_paired_test_run(c, differences, 30, &test), ELB_OK);
    support_assert_near(number(row, "own/gain/mean"), (gains[0] + gains[1]) / 2, 1e-12, 1e-9);
    support_assert_near(number(row, "own/gain/error"), fabs(gains[0] - gains[1]) / 2, 1e-12, 1e-9);
    support_assert_near(number(row, "own/gain/data_error"), test.standard_error, 1e-12, 1e-9);
    support_assert_near(number(row, "own/gain/t_p"), test.t_p, 1e-12, 1e-9);
    support_assert_near(number(row, "own/gain/wilcoxon_p"), test.wilcoxon_p, 1e-12, 1e-9);
    support_assert_near(number(row, "runs/1/own/gain"), gains[1], 1e-12, 1e-9);
    assert_null(json_object_get(json_object_get(find(whole, "vae"), "own"), "gain"));
}

typedef struct stopper {
    int64_t calls, stop; /* stop: at which call; 0: never */
    int64_t timing;      /* calls of that phase */
    bool cell, estimates;
} stopper;

static elb_status watch(void *user, const elb_progress *p)
{
    stopper *s = user;
    s->cell = s->cell || strcmp(p->phase, "1/11 vae/1 training") == 0;
    s->estimates = s->estimates || strcmp(p->phase, "2/11 fair/1 evaluating, refined q") == 0;
    s->timing += strcmp(p->phase, "timing inference") == 0;
    return ++s->calls == s->stop ? ELB_INTERRUPTED : ELB_OK;
}

/* A method that differs from the reference in nothing but its number of seeds stands at the same height; one that the
 * plot should not show is not there. */
static void check_plot(const char *folder)
{
    char *svg = support_file_read(support_path(folder, "compare.svg"), NULL), *at = svg, *twin = strstr(svg, ">twin<");
    double first = NAN, last = NAN;
    assert_non_null(strstr(svg, ">VAE &amp; co</text>"));
    assert_non_null(strstr(svg, ">later</text>"));
    assert_null(strstr(svg, ">last</text>"));
    assert_non_null(twin);
    while ((at = strstr(at, " cy=\"")) != NULL && at < twin) {
        last = atof(at += strlen(" cy=\""));
        if (isnan(first)) first = last;
    }
    assert_true(first > 0 && first == last);
    assert_non_null(strstr(svg, "</svg>\n"));
    free(svg);
}

static void test_numbers(void **state)
{
    (void)state;
    char *folder = support_folder_make(), *table;
    elb_context *c = support_context(NULL);
    elb_plan *plan = make_plan(c);
    stopper s = {0};
    elb_compare_settings settings = {.folder = folder, .progress = watch, .user = &s};
    if (elb_compare(plan, &settings, &table) != ELB_OK) fail_msg("%s", elb_context_message(c));
    assert_true(s.cell && s.estimates);
    assert_non_null(strstr(table, "\nVAE & co "));
    elb_text_free(c, table);
    json_t *whole = load(c, folder, "compare.json");
    for (int seed = 1; seed <= 2; seed++) check_run(c, folder, whole, seed);
    check_gain(c, folder, whole);
    assert_true(number(find(whole, "fair"), "seconds_batch_1") > 0);
    assert_true(number(find(whole, "vae"), "epochs") == 2);
    assert_true(number(find(whole, "later"), "epochs") == 3); /* with those of what it started from */
    assert_true(number(find(whole, "last"), "epochs") == 3);
    json_decref(whole);
    check_plot(folder);
    char *png = support_file_read(support_path(folder, "compare.png"), NULL);
    assert_memory_equal(png, "\x89PNG", 4);
    free(png);

    /* All is kept: nothing is trained, evaluated or timed again. */
    s = (stopper){0};
    assert_int_equal(elb_compare(plan, &settings, NULL), ELB_OK);
    assert_int_equal(s.calls, s.timing);
    elb_plan_destroy(plan);
    support_context_end(c, NULL);
    support_folder_remove(folder);
}

/* What no clock goes into. */
static json_t *timeless(elb_context *c, const char *folder)
{
    static const char *const clocks[] = {"train_seconds", "seconds_batch_1", "seconds_batch_128", "run"};
    json_t *whole = load(c, folder, "compare.json"), *rows = json_object_get(whole, "methods");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i), *runs = json_object_get(row, "runs");
        for (size_t k = 0; k < sizeof clocks / sizeof *clocks; k++) {
            json_object_del(row, clocks[k]);
            for (size_t r = 0; r < json_array_size(runs); r++) json_object_del(json_array_get(runs, r), clocks[k]);
        }
    }
    return whole;
}

/* Stopped again and again, a call later each time, it arrives at the same numbers. */
static void test_interrupted(void **state)
{
    (void)state;
    char *whole = support_folder_make(), *stopped = support_folder_make();
    elb_context *c = support_context(NULL);
    elb_plan *plan = make_plan(c);
    assert_int_equal(elb_compare(plan, &(elb_compare_settings){.folder = whole}, NULL), ELB_OK);
    elb_status status = ELB_INTERRUPTED;
    for (int64_t stop = 1; status != ELB_OK; stop++) {
        stopper s = {.stop = stop};
        status = elb_compare(plan, &(elb_compare_settings){.folder = stopped, .progress = watch, .user = &s}, NULL);
        if (status != ELB_OK) assert_int_equal(status, ELB_INTERRUPTED);
        assert_true(stop < 1000);
    }
    json_t *a = timeless(c, whole), *b = timeless(c, stopped);
    assert_true(json_equal(a, b));
    json_decref(a);
    json_decref(b);
    elb_plan_destroy(plan);
    support_context_end(c, NULL);
    support_folder_remove(whole);
    support_folder_remove(stopped);
}

/* A run with other settings lies where a cell belongs: refused with the cell's name, and left as it is. */
static void test_other_plan(void **state)
{
    (void)state;
    char *folder = support_folder_make();
    elb_context *c = support_context(NULL);
    elb_plan *plan = make_plan(c);
    elb_compare_settings settings = {.folder = folder};
    assert_int_equal(elb_compare(plan, &settings, NULL), ELB_OK);
    assert_int_equal(elb_plan_share(plan, "objective.warmup", "none"), ELB_OK);
    assert_int_equal(elb_compare(plan, &settings, NULL), ELB_USAGE);
    support_assert_message(c, "vae, seed 1: ");
    support_assert_message(c, "objective.warmup");
    /* Longer training goes on from where it stood. */
    elb_plan_destroy(plan);
    plan = make_plan(c);
    assert_int_equal(elb_plan_share(plan, "train.epochs", "3"), ELB_OK);
    assert_int_equal(elb_compare(plan, &settings, NULL), ELB_USAGE); /* but what started from it does not follow */
    support_assert_message(c, "later, seed 1: the run started from another model");
    support_assert_message(c, "later/seed-1");
    json_t *whole = load(c, folder, "compare.json");
    assert_true(number(find(whole, "fair"), "epochs") == 3);
    json_decref(whole);
    elb_plan_destroy(plan);
    support_context_end(c, NULL);
    support_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_other_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
