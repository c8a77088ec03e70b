/* test_resume.c - runs that are resumed: longer, with patience, by two at once, on other data,
 * from a state of any kind. */
#include "train_support.h"
#include "fixture_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "run/trainer.h"

/* --- runs that have ended, and other runs' files ------------------------------------------------------------------ */

static const char tiny[] = "model.latent=2 model.hidden=4 posterior.hidden=4 likelihood.type=gaussian train.batch=60 "
                           "data.validation=30";

/* tiny and `more`, in one of four rotating buffers. */
static const char *tiny_and(const char *more)
{
    static char texts[4][512];
    static int next;
    char *text = texts[next++ % 4];
    snprintf(text, sizeof texts[0], "%s %s", tiny, more);
    return text;
}

static void run_ok(const char *name, const char *more, bool resume, elb_train_result *result)
{
    train_session_settings with = {.threads = 1, .settings = tiny_and(more), .resume = resume};
    assert_int_equal(train_session(&with, folder, name, result), ELB_OK);
}

static void same_run(const char *a, const char *b)
{
    json_t *x = train_log_events(folder, a, NULL), *y = train_log_events(folder, b, NULL);
    train_same_file(folder, a, b, "model.safetensors");
    train_same_file(folder, a, b, "config.yaml");
    assert_true(json_equal(x, y));
    json_decref(x);
    json_decref(y);
}

/* A run that has ended is left as it is; with more epochs it becomes the run that had them from the start. */
static void test_ended(void **state)
{
    static const char *const names[] = {"state.safetensors", "model.safetensors", "config.yaml", "log.jsonl"};
    (void)state;
    char *before[4];
    size_t size[4], now;
    elb_train_result result, again;
    run_ok("long", "train.epochs=4", false, &result);
    run_ok("run", "train.epochs=2", false, &result);
    assert_false(result.nothing_to_train);
    for (int i = 0; i < 4; i++)
        before[i] = support_file_read(support_path(support_path(folder, "run"), names[i]), &size[i]);
    run_ok("run", "train.epochs=1", true, &again);
    assert_true(again.nothing_to_train && again.elbo == result.elbo && again.steps == result.steps);
    for (int i = 0; i < 4; i++) {
        char *after = support_file_read(support_path(support_path(folder, "run"), names[i]), &now);
        assert_int_equal(size[i], now);
        assert_memory_equal(before[i], after, now);
        free(before[i]);
        free(after);
    }
    run_ok("run", "train.epochs=4", true, &result);
    assert_false(result.nothing_to_train);
    same_run("long", "run");
}

/* What a resumed run was asked for is asked for again when it was stopped. */
static void test_resumed_configuration(void **state)
{
    (void)state;
    elb_train_result result;
    elb_config *kept;
    run_ok("run", "train.epochs=1", false, &result);
    train_session_settings with = {
        .threads = 1, .settings = tiny_and("train.epochs=3"), .progress = train_stop_at_once, .resume = true};
    assert_int_equal(train_session(&with, folder, "run", &result), ELB_INTERRUPTED);
    assert_int_equal(elb_run_config(c, support_path(folder, "run"), &kept), ELB_OK);
    elb_train_settings plain = {.folder = support_path(folder, "run"), .resume = true};
    assert_int_equal(elb_train(kept, &plain, &result), ELB_OK);
    assert_int_equal(result.epochs, 3);
    elb_config_destroy(kept);
}

/* Patience that comes late keeps the best epoch from then on, and not an epoch whose model is nowhere. */
static void test_late_patience(void **state)
{
    (void)state;
    elb_train_result result;
    run_ok("run", "optimizer.rate=0.3 train.epochs=20", false, &result);
    run_ok("run", "optimizer.rate=0.3 train.epochs=60 train.patience=3", true, &result);
    json_t *events = train_log_events(folder, "run", "epoch");
    double best = -INFINITY, kept = NAN;
    for (size_t i = 20; i < json_array_size(events); i++)
        best = fmax(best, json_number_value(json_object_get(json_array_get(events, i), "validation_elbo")));
    json_decref(events);
    support_assert_near(result.validation_elbo, best, 1e-9, 0);
    elb_config *config = train_config(c, folder, tiny_and("optimizer.rate=0.3"));
    elb_dataset *data;
    elb_vae *vae;
    assert_int_equal(elb_config_open_data(config, NULL, ELB_PART_VALIDATION, &data), ELB_OK);
    assert_int_equal(elb_vae_open(c, support_path(folder, "run"), &vae), ELB_OK);
    assert_int_equal(elb_validation_elbo(vae, data, &kept), ELB_OK);
    support_assert_near(kept, best, 1e-9, 0);
    elb_vae_destroy(vae);
    elb_dataset_destroy(data);
    elb_config_destroy(config);
}

/* One process at a time; and what a killed one left half-written goes. */
static void test_lock(void **state)
{
    (void)state;
    elb_train_result result;
    elb_log_file *log;
    run_ok("run", "train.epochs=1", false, &result);
    char *run = strdup(support_path(folder, "run"));
    support_file_write(support_path(run, "state.safetensors.tmp-12"), "half", 4);
    support_file_write(support_path(run, "model.safetensors.tmp-12"), "half", 4);
    support_file_write(support_path(run, "eval-elbo.json.tmp-12"), "half", 4); /* somebody's who may be at work */
    assert_int_equal(elb_log_file_open(c, support_path(run, "log.jsonl"), &log), ELB_OK);
    train_refused(folder, "run", tiny_and("train.epochs=2"), true, ELB_USAGE, "another process trains in ");
    assert_int_equal(support_folder_count(run), 7);
    elb_log_file_close(log);
    run_ok("run", "train.epochs=2", true, &result);
    assert_int_equal(support_folder_count(run), 5);
    free(run);
}

static void test_files_of_others(void **state)
{
    static const char *const names[] = {"config.yaml", "log.jsonl", "model.safetensors"};
    (void)state;
    elb_train_result result;
    for (int i = 0; i < 3; i++) {
        char name[16], words[64];
        snprintf(name, sizeof name, "run%d", i);
        snprintf(words, sizeof words, "holds no run, but a %s that would be overwritten", names[i]);
        assert_int_equal(elb_folder_make(c, support_path(folder, name)), ELB_OK);
        char *path = strdup(support_path(support_path(folder, name), names[i]));
        support_file_write(path, "seed: 3\n", 8);
        train_refused(folder, name, tiny, false, ELB_USAGE, words);
        char *text = support_file_read(path, NULL);
        assert_string_equal(text, "seed: 3\n");
        free(text);
        free(path);
        assert_int_equal(support_folder_count(support_path(folder, name)), 1);
    }
    /* A run that was killed before its first checkpoint is no hindrance. */
    run_ok("early", "train.epochs=1", false, &result);
    assert_int_equal(remove(support_path(support_path(folder, "early"), "state.safetensors")), 0);
    assert_int_equal(remove(support_path(support_path(folder, "early"), "model.safetensors")), 0);
    run_ok("early", "train.epochs=2", false, &result);
    assert_int_equal(result.epochs, 2);
}

/* Killed between the first state and the first model. */
static void test_state_without_model(void **state)
{
    (void)state;
    elb_train_result result;
    run_ok("whole", "train.epochs=2", false, &result);
    train_session_settings with = {
        .threads = 1, .settings = tiny_and("train.epochs=2"), .progress = train_stop_at_once};
    assert_int_equal(train_session(&with, folder, "run", &result), ELB_INTERRUPTED);
    assert_true(isnan(result.validation_elbo)); /* there was none yet */
    assert_int_equal(remove(support_path(support_path(folder, "run"), "model.safetensors")), 0);
    run_ok("run", "train.epochs=2", true, &result);
    same_run("whole", "run");
}

static void test_other_data(void **state)
{
    (void)state;
    elb_train_result result;
    run_ok("run", "train.epochs=1", false, &result);
    char *path = strdup(support_path(folder, "data.csv"));
    size_t size;
    char *bytes = support_file_read(path, &size);
    for (size_t i = 0; i + 7 < size; i++) /* every datum but the first, whichever are held out */
        if (bytes[i] == '\n') bytes[i + 7] = bytes[i + 7] == '1' ? '2' : '1';
    support_file_write(path, bytes, size);
    train_refused(folder, "run", tiny_and("train.epochs=2"), true, ELB_DATA, "are not those the run was started with");
    char *end = memrchr(bytes, '\n', size - 1);
    support_file_write(path, bytes, (size_t)(end + 1 - bytes));
    train_refused(folder, "run", tiny_and("train.epochs=2"), true, ELB_DATA, "(120 then, 119 now)");
    train_data_write(path);
    train_refused(folder, "run", tiny_and("train.epochs=2 train.batch=50"), true, ELB_USAGE,
                  "started with train.batch=60 and cannot go on with 50");
    run_ok("run", "train.epochs=2", true, &result);
    free(bytes);
    free(path);
}

/* --- states ------------------------------------------------------------------------------------------------------- */

/* The text of a number in the metadata, to be overwritten in place. */
static char *state_number(char *bytes, size_t size, const char *key, size_t *length)
{
    char name[64];
    snprintf(name, sizeof name, "\"%s\":\"", key);
    char *at = memmem(bytes, size, name, strlen(name));
    assert_non_null(at);
    at += strlen(name);
    *length = strcspn(at, "\"");
    return at;
}

/* Renames a key to one that nobody knows. */
static void state_forget(char *bytes, size_t size, const char *key)
{
    size_t length;
    state_number(bytes, size, key, &length)[-4] = '_';
}

/* States are read that lack the keys that came later, and whose reals are hexadecimal. */
static void test_earlier_states(void **state)
{
    (void)state;
    char hexadecimal[64];
    elb_train_result result;
    size_t size, length;
    run_ok("run", "train.epochs=1", false, &result);
    char *path = strdup(support_path(support_path(folder, "run"), "state.safetensors"));
    char *bytes = support_file_read(path, &size);
    state_forget(bytes, size, "best_saved");
    state_forget(bytes, size, "ended");
    state_forget(bytes, size, "data_count");
    state_forget(bytes, size, "data_checksum");
    char *real = state_number(bytes, size, "last_kl", &length);
    assert_true(length > 9 && length < sizeof hexadecimal);
    snprintf(hexadecimal, sizeof hexadecimal, "0x1.8%0*dp+1", (int)length - 8, 0);
    memcpy(real, hexadecimal, length);
    support_file_write(path, bytes, size);
    run_ok("run", "train.epochs=1", true, &result);
    assert_true(result.nothing_to_train && result.kl == 3);
    run_ok("long", "train.epochs=3", false, &result);
    run_ok("run", "train.epochs=3", true, &result);
    same_run("long", "run");
    free(bytes);
    free(path);
}

static void test_hostile_states(void **state)
{
    static const struct {
        const char *key, *value, *words;
    } cases[] = {
        {"log_position", "-", "\"log_position\" is missing or no number"},
        {"log_position", NULL, "\"log_position\" is missing or no number"},
        {"data_count", "x", "\"data_count\" is missing or no number"},
        {"epoch", "9", "is not a place in this run"},
        {"sums_data", "7", "is not a place in this run"},
        {"optimizer_steps", "9", "is not a place in this run"},
        {"best", "?", "\"best\" is missing or no number"},
    };
    (void)state;
    elb_train_result result;
    size_t size, length;
    run_ok("run", "train.epochs=1", false, &result);
    char *path = strdup(support_path(support_path(folder, "run"), "state.safetensors"));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *bytes = support_file_read(path, &size), *kept = support_file_read(path, &size);
        if (cases[i].value != NULL)
            *state_number(bytes, size, cases[i].key, &length) = cases[i].value[0];
        else
            state_forget(bytes, size, cases[i].key);
        support_file_write(path, bytes, size);
        train_refused(folder, "run", tiny_and("train.epochs=2"), true, ELB_MODEL, cases[i].words);
        support_file_write(path, kept, size);
        free(bytes);
        free(kept);
    }
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_ended),      FIXTURE_TEST(test_resumed_configuration), FIXTURE_TEST(test_late_patience),
        FIXTURE_TEST(test_lock),       FIXTURE_TEST(test_files_of_others),       FIXTURE_TEST(test_state_without_model),
        FIXTURE_TEST(test_other_data), FIXTURE_TEST(test_earlier_states),        FIXTURE_TEST(test_hostile_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
