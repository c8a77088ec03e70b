/* test_train.c - whole runs by the public interface: the same bits whatever the threads and wherever they were
 * interrupted, early stopping, and a loss that leaves the finite numbers. */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <elbow/train.h>
#include <jansson.h>

#include "base/file.h"
#include "kernels/kernels.h"
#include "run/safetensors.h"
#include "run/trainer.h"

enum { DATA = 60, COUNT = 150 };

/* --- runs ------------------------------------------------------------------------------------------------------------ */

/* Grey values with some structure, so that there is something to learn. */
static const char *data_write(const char *folder)
{
    const char *path = support_path(folder, "data.csv");
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (uint64_t i = 0; i < COUNT; i++)
        for (uint64_t d = 0; d < DATA; d++) {
            double a = support_number(1, i),
                   u = 0.5 + 0.4 * sin(3 * a + 0.2 * (double)d) + 0.1 * support_number(2, i * DATA + d);
            fprintf(f, "%.6f%c", fmin(fmax(u, 0), 1), d < DATA - 1 ? ',' : '\n');
        }
    assert_int_equal(fclose(f), 0);
    return path;
}

static elb_config *config_of(elb_context *c, const char *folder, const char *settings)
{
    elb_config *config;
    char *copy = strdup(settings), *rest = NULL;
    assert_int_equal(elb_config_create(c, &config), ELB_OK);
    assert_int_equal(elb_config_set(config, "data.spec", support_path(folder, "data.csv")), ELB_OK);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(word, '=');
        assert_non_null(value);
        *value++ = '\0';
        if (elb_config_set(config, word, value) != ELB_OK) fail_msg("%s", elb_context_message(c));
    }
    free(copy);
    return config;
}

typedef struct session {
    const char *kernels;
    int threads;
    const char *settings;
    elb_progress_fn progress;
    bool resume;
} session;

/* Into folder/name. */
static elb_status session_run(const session *s, const char *folder, const char *name, elb_train_result *result)
{
    elb_context *c;
    elb_settings settings = {.threads = s->threads, .kernels = s->kernels};
    assert_int_equal(elb_context_create(&settings, &c), ELB_OK);
    elb_config *config = config_of(c, folder, s->settings);
    elb_train_settings with = {.folder = support_path(folder, name), .resume = s->resume, .progress = s->progress};
    elb_status status = elb_train(config, &with, result);
    if (status != ELB_OK && status != ELB_INTERRUPTED && status != ELB_NUMERIC)
        fail_msg("the run failed: %s", elb_context_message(c));
    if (status == ELB_NUMERIC) {
        support_assert_message(c, "the last good checkpoint is kept");
        support_assert_message(c, "step ");
        support_assert_message(c, "lower optimizer.rate or set optimizer.clip");
    }
    elb_config_destroy(config);
    elb_context_destroy(c);
    return status;
}

static void same_file(const char *folder, const char *a, const char *b, const char *name)
{
    size_t size_a, size_b;
    char *one = support_file_read(support_path(support_path(folder, a), name), &size_a);
    char *two = support_file_read(support_path(support_path(folder, b), name), &size_b);
    assert_int_equal(size_a, size_b);
    assert_memory_equal(one, two, size_a);
    free(one);
    free(two);
}

static const char large[] = "data.binarise=dynamic model.latent=6 model.hidden=130,110 posterior.hidden=110,130 "
                            "train.epochs=2 train.batch=64";
static const char weighted[] =
    "model.latent=3 model.hidden=40 posterior.hidden=40 likelihood.type=gaussian objective.type=iwae "
    "objective.samples=7 objective.gradient=dreg optimizer.clip=2 train.epochs=2 train.batch=40 "
    "data.validation=30";

/* --- the same bits ----------------------------------------------------------------------------------------------------- */

static void test_threads(void **state)
{
    static const int threads[] = {1, 2, 3, 5};
    static const char *const settings[] = {large, weighted};
    (void)state;
    char *folder = support_folder_make();
    data_write(folder);
    for (size_t s = 0; s < 2; s++)
        for (const elb_kernels *const *k = elb_kernels_available(); *k != NULL; k++) {
            char first[64] = "";
            for (size_t i = 0; i < 4; i++) {
                char name[64];
                elb_train_result result;
                snprintf(name, sizeof name, "%s-%zu-%d", (*k)->name, s, threads[i]);
                session with = {.kernels = (*k)->name, .threads = threads[i], .settings = settings[s]};
                assert_int_equal(session_run(&with, folder, name, &result), ELB_OK);
                assert_true(isfinite(result.elbo));
                if (i == 0)
                    memcpy(first, name, sizeof first);
                else
                    same_file(folder, first, name, "model.safetensors");
            }
        }
    support_folder_remove(folder);
}

static int last_calls; /* since the test set it to 0 */

static elb_status stop_at_once(void *user, const elb_progress *progress)
{
    (void)user;
    last_calls += progress->last;
    return progress->last ? ELB_OK : ELB_INTERRUPTED;
}

/* What the log says, but for the clock; only the events named `kind` unless that is NULL. */
static json_t *log_events(const char *folder, const char *run, const char *kind)
{
    char *text = support_file_read(support_path(support_path(folder, run), "log.jsonl"), NULL), *rest = NULL;
    json_t *events = json_array();
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        json_t *event = json_loads(line, 0, NULL);
        assert_non_null(event);
        json_object_del(event, "seconds");
        json_object_del(event, "data_per_second");
        if (kind == NULL || strcmp(json_string_value(json_object_get(event, "event")), kind) == 0)
            json_array_append(events, event);
        json_decref(event);
    }
    free(text);
    return events;
}

/* A run that is stopped after every single step ends where one that never stopped does. */
static void interrupted_run(const char *settings)
{
    char *folder = support_folder_make();
    elb_train_result whole, pieces = {0};
    data_write(folder);
    session with = {.threads = 1, .settings = settings};
    assert_int_equal(session_run(&with, folder, "whole", &whole), ELB_OK);
    with.progress = stop_at_once;
    last_calls = 0;
    elb_status status = session_run(&with, folder, "pieces", &pieces);
    int sessions = 1;
    for (with.resume = true; status == ELB_INTERRUPTED && sessions < 100; sessions++) {
        with.threads = 1 + sessions % 3;
        status = session_run(&with, folder, "pieces", &pieces);
    }
    assert_int_equal(status, ELB_OK);
    assert_true(sessions >= whole.steps);
    assert_int_equal(last_calls, sessions); /* a stopped phase is told to be over, too */
    assert_int_equal(pieces.steps, whole.steps);
    assert_int_equal(pieces.epochs, whole.epochs);
    assert_true(pieces.elbo == whole.elbo && pieces.kl == whole.kl && pieces.active_units == whole.active_units);
    assert_true(pieces.stopped_early == whole.stopped_early);
    same_file(folder, "whole", "pieces", "model.safetensors");
    same_file(folder, "whole", "pieces", "config.yaml");
    json_t *a = log_events(folder, "whole", NULL), *b = log_events(folder, "pieces", NULL);
    assert_true(json_array_size(a) >= (size_t)whole.epochs + 2);
    if (!json_equal(a, b)) {
        char *x = json_dumps(a, JSON_INDENT(1)), *y = json_dumps(b, JSON_INDENT(1));
        fail_msg("the logs differ:\n%s\n%s", x, y);
    }
    json_decref(a);
    json_decref(b);
    support_folder_remove(folder);
}

static void test_interruptions(void **state)
{
    (void)state;
    interrupted_run(large);
    interrupted_run(weighted);
    interrupted_run("model.latent=3 model.hidden=10 posterior.hidden=10 likelihood.type=gaussian schedule.type=iwae "
                    "schedule.reset_moments=true optimizer.type=adamax train.epochs=4 train.batch=75");
    interrupted_run("model.latent=3 model.hidden=10 posterior.hidden=10 likelihood.type=gaussian optimizer.rate=0.5 "
                    "data.validation=30 train.patience=2 train.epochs=12 train.batch=60 objective.warmup=kl "
                    "objective.warmup_epochs=3");
}

/* --- stopping ---------------------------------------------------------------------------------------------------------- */

/* With patience the best epoch's model is kept, not the last one's. */
static void test_patience(void **state)
{
    (void)state;
    char *folder = support_folder_make();
    elb_train_result result;
    data_write(folder);
    session with = {
        .threads = 1,
        .settings = "model.latent=3 model.hidden=10 posterior.hidden=10 likelihood.type=gaussian optimizer.rate=0.3 "
                    "data.validation=30 train.patience=3 train.epochs=60 train.batch=60"};
    assert_int_equal(session_run(&with, folder, "run", &result), ELB_OK);
    json_t *events = log_events(folder, "run", "epoch");
    double best = -INFINITY;
    size_t best_epoch = 0, epochs = json_array_size(events);
    for (size_t i = 0; i < epochs; i++) {
        double elbo = json_number_value(json_object_get(json_array_get(events, i), "validation_elbo"));
        if (elbo > best) best = elbo, best_epoch = i + 1;
    }
    assert_true(result.stopped_early);
    assert_int_equal(epochs, best_epoch + 3);
    support_assert_near(result.validation_elbo, best, 1e-9, 0);
    json_decref(events);
    support_folder_remove(folder);
}

static void all_finite(const char *path)
{
    elb_context *c = support_context(NULL);
    elb_safetensors *file;
    assert_int_equal(elb_safetensors_open(c, path, &file), ELB_OK);
    for (int64_t i = 0; i < elb_safetensors_count(file); i++) {
        const elb_safetensors_entry *e = elb_safetensors_at(file, i);
        int64_t n = 1;
        for (int r = 0; r < e->rank; r++) n *= e->shape[r];
        if (e->dtype != ELB_DTYPE_REAL) continue;
        elb_real *values = malloc((size_t)n * sizeof *values);
        assert_int_equal(elb_safetensors_read(file, e->name, ELB_DTYPE_REAL, e->rank, e->shape, values), ELB_OK);
        for (int64_t j = 0; j < n; j++)
            if (!isfinite(values[j])) fail_msg("%s: %s[%lld] is %g", path, e->name, (long long)j, (double)values[j]);
        free(values);
    }
    elb_safetensors_close(file);
    support_context_end(c, NULL);
}

/* Steps so large that the numbers run away: the checkpoint, written after every step, stays finite. */
static void test_divergence(void **state)
{
    static const char *const settings[] = {
        "optimizer.type=sgd optimizer.rate=10 optimizer.momentum=0.9",
        "optimizer.type=sgd optimizer.rate=10 optimizer.momentum=0 likelihood.variance=predicted",
        "optimizer.type=adam optimizer.rate=10 likelihood.variance=predicted",
        "optimizer.type=sgd optimizer.rate=10 optimizer.clip=1e9 likelihood.variance=fixed",
    };
    (void)state;
    char *folder = support_folder_make();
    data_write(folder);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        char all[512], name[16];
        elb_train_result result;
        snprintf(name, sizeof name, "run%zu", i);
        snprintf(
            all, sizeof all,
            "%s model.latent=3 model.hidden=10 posterior.hidden=10 likelihood.type=gaussian "
            "model.activation=relu posterior.activation=relu train.epochs=30 train.batch=50 train.checkpoint_minutes=0",
            settings[i]);
        session with = {.threads = 2, .settings = all};
        assert_int_equal(session_run(&with, folder, name, &result), ELB_NUMERIC);
        all_finite(support_path(support_path(folder, name), "state.safetensors"));
        all_finite(support_path(support_path(folder, name), "model.safetensors"));
    }
    support_folder_remove(folder);
}

/* --- refusals ---------------------------------------------------------------------------------------------------------- */

static void refused(const char *folder, const char *name, const char *settings, bool resume, elb_status want,
                    const char *part)
{
    elb_context *c = support_context(NULL);
    elb_config *config = config_of(c, folder, settings);
    elb_train_settings with = {.folder = support_path(folder, name), .resume = resume};
    elb_train_result result;
    assert_int_equal(elb_train(config, &with, &result), want);
    support_assert_message(c, part);
    elb_config_destroy(config);
    support_context_end(c, NULL);
}

/* A finite loss of nearly 1e38 whose step makes the learned variance infinite: that is not written. */
static void test_parameters_that_overflow(void **state)
{
    (void)state;
    char *folder = support_folder_make();
    elb_train_result result;
    data_write(folder);
    session with = {
        .threads = 2,
        .settings =
            "model.latent=3 model.hidden=10 posterior.hidden=10 likelihood.type=gaussian "
            "likelihood.log_variance=-20 data.scale=8e-15 train.output_bias=false train.batch=1 optimizer.type=sgd "
            "optimizer.rate=10 train.checkpoint_minutes=0"};
    assert_int_equal(session_run(&with, folder, "run", &result), ELB_NUMERIC);
    assert_int_equal(result.steps, 1);
    all_finite(support_path(support_path(folder, "run"), "state.safetensors"));
    all_finite(support_path(support_path(folder, "run"), "model.safetensors"));
    support_folder_remove(folder);
}

static void test_refusals(void **state)
{
    static const char small[] =
        "model.latent=2 model.hidden=4 posterior.hidden=4 likelihood.type=gaussian train.epochs=1";
    (void)state;
    char *folder = support_folder_make(), *state_path;
    size_t size;
    elb_train_result result;
    data_write(folder);
    session with = {.threads = 1, .settings = small};
    assert_int_equal(session_run(&with, folder, "run", &result), ELB_OK);
    refused(folder, "run", small, false, ELB_USAGE, "already holds a run");
    refused(folder, "nothing", small, true, ELB_USAGE, "no run to resume");
    refused(folder, "new", "train.patience=2 likelihood.type=gaussian", false, ELB_USAGE, "needs validation data");
    refused(folder, "new", "likelihood.type=bernoulli", false, ELB_DATA, "needs values that are 0 or 1");
    refused(folder, "run", "model.latent=3 model.hidden=4 posterior.hidden=4 likelihood.type=gaussian", true, ELB_USAGE,
            "started with model.latent=2 and cannot go on with 3");
    state_path = strdup(support_path(support_path(folder, "run"), "state.safetensors"));
    char *bytes = support_file_read(state_path, &size);
    support_file_write(state_path, bytes, size - 1);
    refused(folder, "run", small, true, ELB_MODEL, "state.safetensors");
    char *step = memmem(bytes, size, "\"total\":\"", 9);
    assert_non_null(step);
    step[9] = '7';
    support_file_write(state_path, bytes, size);
    refused(folder, "run", small, true, ELB_MODEL, "is not a place in this run");
    step[9] = '-';
    support_file_write(state_path, bytes, size);
    refused(folder, "run", small, true, ELB_MODEL, "\"total\" is missing or no number");
    free(bytes);
    free(state_path);
    support_folder_remove(folder);
}

/* --- runs that have ended, and other runs' files ----------------------------------------------------------------------- */

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

static void run_ok(const char *folder, const char *name, const char *more, bool resume, elb_train_result *result)
{
    session with = {.threads = 1, .settings = tiny_and(more), .resume = resume};
    assert_int_equal(session_run(&with, folder, name, result), ELB_OK);
}

static void same_run(const char *folder, const char *a, const char *b)
{
    json_t *x = log_events(folder, a, NULL), *y = log_events(folder, b, NULL);
    same_file(folder, a, b, "model.safetensors");
    same_file(folder, a, b, "config.yaml");
    assert_true(json_equal(x, y));
    json_decref(x);
    json_decref(y);
}

/* A run that has ended is left as it is; with more epochs it becomes the run that had them from the start. */
static void test_ended(void **state)
{
    static const char *const names[] = {"state.safetensors", "model.safetensors", "config.yaml", "log.jsonl"};
    (void)state;
    char *folder = support_folder_make(), *before[4];
    size_t size[4], now;
    elb_train_result result, again;
    data_write(folder);
    run_ok(folder, "long", "train.epochs=4", false, &result);
    run_ok(folder, "run", "train.epochs=2", false, &result);
    assert_false(result.nothing_to_train);
    for (int i = 0; i < 4; i++)
        before[i] = support_file_read(support_path(support_path(folder, "run"), names[i]), &size[i]);
    run_ok(folder, "run", "train.epochs=1", true, &again);
    assert_true(again.nothing_to_train && again.elbo == result.elbo && again.steps == result.steps);
    for (int i = 0; i < 4; i++) {
        char *after = support_file_read(support_path(support_path(folder, "run"), names[i]), &now);
        assert_int_equal(size[i], now);
        assert_memory_equal(before[i], after, now);
        free(before[i]);
        free(after);
    }
    run_ok(folder, "run", "train.epochs=4", true, &result);
    assert_false(result.nothing_to_train);
    same_run(folder, "long", "run");
    support_folder_remove(folder);
}

/* What a resumed run was asked for is asked for again when it was stopped. */
static void test_resumed_configuration(void **state)
{
    (void)state;
    char *folder = support_folder_make();
    elb_train_result result;
    elb_config *kept;
    data_write(folder);
    run_ok(folder, "run", "train.epochs=1", false, &result);
    session with = {.threads = 1, .settings = tiny_and("train.epochs=3"), .progress = stop_at_once, .resume = true};
    assert_int_equal(session_run(&with, folder, "run", &result), ELB_INTERRUPTED);
    elb_context *c = support_context(NULL);
    assert_int_equal(elb_run_config(c, support_path(folder, "run"), &kept), ELB_OK);
    elb_train_settings plain = {.folder = support_path(folder, "run"), .resume = true};
    assert_int_equal(elb_train(kept, &plain, &result), ELB_OK);
    assert_int_equal(result.epochs, 3);
    elb_config_destroy(kept);
    support_context_end(c, NULL);
    support_folder_remove(folder);
}

/* Patience that comes late keeps the best epoch from then on, and not an epoch whose model is nowhere. */
static void test_late_patience(void **state)
{
    (void)state;
    char *folder = support_folder_make();
    elb_train_result result;
    data_write(folder);
    run_ok(folder, "run", "optimizer.rate=0.3 train.epochs=20", false, &result);
    run_ok(folder, "run", "optimizer.rate=0.3 train.epochs=60 train.patience=3", true, &result);
    json_t *events = log_events(folder, "run", "epoch");
    double best = -INFINITY, kept = NAN;
    for (size_t i = 20; i < json_array_size(events); i++)
        best = fmax(best, json_number_value(json_object_get(json_array_get(events, i), "validation_elbo")));
    json_decref(events);
    support_assert_near(result.validation_elbo, best, 1e-9, 0);
    elb_context *c = support_context(NULL);
    elb_config *config = config_of(c, folder, tiny_and("optimizer.rate=0.3"));
    elb_dataset *data;
    elb_vae *vae;
    assert_int_equal(elb_config_open_data(config, NULL, ELB_PART_VALIDATION, &data), ELB_OK);
    assert_int_equal(elb_vae_open(c, support_path(folder, "run"), &vae), ELB_OK);
    assert_int_equal(elb_validation_elbo(vae, data, &kept), ELB_OK);
    support_assert_near(kept, best, 1e-9, 0);
    elb_vae_destroy(vae);
    elb_dataset_destroy(data);
    elb_config_destroy(config);
    support_context_end(c, NULL);
    support_folder_remove(folder);
}

/* One process at a time; and what a killed one left half-written goes. */
static void test_lock(void **state)
{
    (void)state;
    char *folder = support_folder_make();
    elb_train_result result;
    elb_log_file *log;
    data_write(folder);
    run_ok(folder, "run", "train.epochs=1", false, &result);
    char *run = strdup(support_path(folder, "run"));
    support_file_write(support_path(run, "state.safetensors.tmp-12"), "half", 4);
    support_file_write(support_path(run, "model.safetensors.tmp-12"), "half", 4);
    support_file_write(support_path(run, "eval-elbo.json.tmp-12"), "half", 4); /* somebody's who may be at work */
    elb_context *c = support_context(NULL);
    assert_int_equal(elb_log_file_open(c, support_path(run, "log.jsonl"), &log), ELB_OK);
    refused(folder, "run", tiny_and("train.epochs=2"), true, ELB_USAGE, "another process trains in ");
    assert_int_equal(support_folder_count(run), 7);
    elb_log_file_close(log);
    support_context_end(c, NULL);
    run_ok(folder, "run", "train.epochs=2", true, &result);
    assert_int_equal(support_folder_count(run), 5);
    free(run);
    support_folder_remove(folder);
}

static void test_files_of_others(void **state)
{
    static const char *const names[] = {"config.yaml", "log.jsonl", "model.safetensors"};
    (void)state;
    char *folder = support_folder_make();
    elb_train_result result;
    data_write(folder);
    for (int i = 0; i < 3; i++) {
        char name[16], words[64];
        snprintf(name, sizeof name, "run%d", i);
        snprintf(words, sizeof words, "holds no run, but a %s that would be overwritten", names[i]);
        elb_context *c = support_context(NULL);
        assert_int_equal(elb_folder_make(c, support_path(folder, name)), ELB_OK);
        support_context_end(c, NULL);
        char *path = strdup(support_path(support_path(folder, name), names[i]));
        support_file_write(path, "seed: 3\n", 8);
        refused(folder, name, tiny, false, ELB_USAGE, words);
        char *text = support_file_read(path, NULL);
        assert_string_equal(text, "seed: 3\n");
        free(text);
        free(path);
        assert_int_equal(support_folder_count(support_path(folder, name)), 1);
    }
    /* A run that was killed before its first checkpoint is no hindrance. */
    run_ok(folder, "early", "train.epochs=1", false, &result);
    assert_int_equal(remove(support_path(support_path(folder, "early"), "state.safetensors")), 0);
    assert_int_equal(remove(support_path(support_path(folder, "early"), "model.safetensors")), 0);
    run_ok(folder, "early", "train.epochs=2", false, &result);
    assert_int_equal(result.epochs, 2);
    support_folder_remove(folder);
}

/* Killed between the first state and the first model. */
static void test_state_without_model(void **state)
{
    (void)state;
    char *folder = support_folder_make();
    elb_train_result result;
    data_write(folder);
    run_ok(folder, "whole", "train.epochs=2", false, &result);
    session with = {.threads = 1, .settings = tiny_and("train.epochs=2"), .progress = stop_at_once};
    assert_int_equal(session_run(&with, folder, "run", &result), ELB_INTERRUPTED);
    assert_true(isnan(result.validation_elbo)); /* there was none yet */
    assert_int_equal(remove(support_path(support_path(folder, "run"), "model.safetensors")), 0);
    run_ok(folder, "run", "train.epochs=2", true, &result);
    same_run(folder, "whole", "run");
    support_folder_remove(folder);
}

static void test_other_data(void **state)
{
    (void)state;
    char *folder = support_folder_make();
    elb_train_result result;
    data_write(folder);
    run_ok(folder, "run", "train.epochs=1", false, &result);
    char *path = strdup(support_path(folder, "data.csv"));
    size_t size;
    char *bytes = support_file_read(path, &size);
    for (size_t i = 0; i + 7 < size; i++) /* every datum but the first, whichever are held out */
        if (bytes[i] == '\n') bytes[i + 7] = bytes[i + 7] == '1' ? '2' : '1';
    support_file_write(path, bytes, size);
    refused(folder, "run", tiny_and("train.epochs=2"), true, ELB_DATA, "are not those the run was started with");
    char *end = memrchr(bytes, '\n', size - 1);
    support_file_write(path, bytes, (size_t)(end + 1 - bytes));
    refused(folder, "run", tiny_and("train.epochs=2"), true, ELB_DATA, "(120 then, 119 now)");
    data_write(folder);
    refused(folder, "run", tiny_and("train.epochs=2 train.batch=50"), true, ELB_USAGE,
            "started with train.batch=60 and cannot go on with 50");
    run_ok(folder, "run", "train.epochs=2", true, &result);
    free(bytes);
    free(path);
    support_folder_remove(folder);
}

/* --- states ------------------------------------------------------------------------------------------------------------ */

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
    char *folder = support_folder_make(), hexadecimal[64];
    elb_train_result result;
    size_t size, length;
    data_write(folder);
    run_ok(folder, "run", "train.epochs=1", false, &result);
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
    run_ok(folder, "run", "train.epochs=1", true, &result);
    assert_true(result.nothing_to_train && result.kl == 3);
    run_ok(folder, "long", "train.epochs=3", false, &result);
    run_ok(folder, "run", "train.epochs=3", true, &result);
    same_run(folder, "long", "run");
    free(bytes);
    free(path);
    support_folder_remove(folder);
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
    char *folder = support_folder_make();
    elb_train_result result;
    size_t size, length;
    data_write(folder);
    run_ok(folder, "run", "train.epochs=1", false, &result);
    char *path = strdup(support_path(support_path(folder, "run"), "state.safetensors"));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *bytes = support_file_read(path, &size), *kept = support_file_read(path, &size);
        if (cases[i].value != NULL)
            *state_number(bytes, size, cases[i].key, &length) = cases[i].value[0];
        else
            state_forget(bytes, size, cases[i].key);
        support_file_write(path, bytes, size);
        refused(folder, "run", tiny_and("train.epochs=2"), true, ELB_MODEL, cases[i].words);
        support_file_write(path, kept, size);
        free(bytes);
        free(kept);
    }
    free(path);
    support_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),         cmocka_unit_test(test_interruptions),
        cmocka_unit_test(test_patience),        cmocka_unit_test(test_divergence),
        cmocka_unit_test(test_refusals),        cmocka_unit_test(test_parameters_that_overflow),
        cmocka_unit_test(test_ended),           cmocka_unit_test(test_resumed_configuration),
        cmocka_unit_test(test_late_patience),   cmocka_unit_test(test_lock),
        cmocka_unit_test(test_files_of_others), cmocka_unit_test(test_state_without_model),
        cmocka_unit_test(test_other_data),      cmocka_unit_test(test_earlier_states),
        cmocka_unit_test(test_hostile_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
