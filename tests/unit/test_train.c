/* test_train.c - whole runs by the public interface: the same bits whatever the threads and wherever they were
 * interrupted, early stopping, and a loss that leaves the finite numbers. */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <elbow/train.h>
#include <jansson.h>

#include "kernels/kernels.h"
#include "run/safetensors.h"

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
    if (status == ELB_NUMERIC) support_assert_message(c, "the last good checkpoint is kept");
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

static elb_status stop_at_once(void *user, const elb_progress *progress)
{
    (void)user;
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
    elb_status status = session_run(&with, folder, "pieces", &pieces);
    int sessions = 1;
    for (with.resume = true; status == ELB_INTERRUPTED && sessions < 100; sessions++) {
        with.threads = 1 + sessions % 3;
        status = session_run(&with, folder, "pieces", &pieces);
    }
    assert_int_equal(status, ELB_OK);
    assert_true(sessions >= whole.steps);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),  cmocka_unit_test(test_interruptions),
        cmocka_unit_test(test_patience), cmocka_unit_test(test_divergence),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_parameters_that_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
