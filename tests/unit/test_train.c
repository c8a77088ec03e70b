/* test_train.c - whole runs by the public interface: the same bits whatever the threads and wherever they were
 * interrupted, early stopping, and a loss that leaves the finite numbers. */
#include "train_support.h"
#include "fixture_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/dataset.h"
#include "kernels/kernels.h"
#include "config/config.h"
#include "run/safetensors.h"

static const char large[] = "data.binarise=dynamic model.latent=6 model.hidden=130,110 posterior.hidden=110,130 "
                            "train.epochs=2 train.batch=64";
static const char weighted[] =
    "model.latent=3 model.hidden=40 posterior.hidden=40 likelihood.type=gaussian objective.type=iwae "
    "objective.samples=7 objective.gradient=dreg optimizer.clip=2 train.epochs=2 train.batch=40 "
    "data.validation=30";

static const char refined[] =
    "data.binarise=dynamic model.latent=4 model.hidden=130 posterior.hidden=40 objective.type=savi refine.steps=3 "
    "refine.method=momentum refine.rate=0.02 refine.clip=20 train.epochs=2 train.batch=64 data.validation=30";

/* --- the same bits ------------------------------------------------------------------------------------------------ */

static void test_threads(void **state)
{
    static const int threads[] = {1, 2, 3, 5};
    static const char *const settings[] = {large, weighted, refined};
    (void)state;
    for (size_t s = 0; s < sizeof settings / sizeof *settings; s++)
        for (const elb_kernels *const *k = elb_kernels_available(); *k != NULL; k++) {
            char first[64] = "";
            for (size_t i = 0; i < 4; i++) {
                char name[64];
                elb_train_result result;
                snprintf(name, sizeof name, "%s-%zu-%d", (*k)->name, s, threads[i]);
                train_session_settings with = {.kernels = (*k)->name, .threads = threads[i], .settings = settings[s]};
                assert_int_equal(train_session(&with, folder, name, &result), ELB_OK);
                assert_true(isfinite(result.elbo));
                if (i == 0)
                    memcpy(first, name, sizeof first);
                else
                    train_same_file(folder, first, name, "model.safetensors");
            }
        }
}

/* A run that is stopped after every single step ends where one that never stopped does. */
static void interrupted_run(size_t number, const char *settings)
{
    char whole_name[32], pieces_name[32];
    snprintf(whole_name, sizeof whole_name, "whole%zu", number);
    snprintf(pieces_name, sizeof pieces_name, "pieces%zu", number);
    elb_train_result whole, pieces = {0};
    train_session_settings with = {.threads = 1, .settings = settings};
    assert_int_equal(train_session(&with, folder, whole_name, &whole), ELB_OK);
    with.progress = train_stop_at_once;
    train_last_calls = 0;
    elb_status status = train_session(&with, folder, pieces_name, &pieces);
    int starts = 1;
    for (with.resume = true; status == ELB_INTERRUPTED && starts < 100; starts++) {
        with.threads = 1 + starts % 3;
        status = train_session(&with, folder, pieces_name, &pieces);
    }
    assert_int_equal(status, ELB_OK);
    assert_true(starts >= whole.steps);
    assert_int_equal(train_last_calls, starts); /* a stopped phase is told to be over, too */
    assert_int_equal(pieces.steps, whole.steps);
    assert_int_equal(pieces.epochs, whole.epochs);
    assert_true(pieces.elbo == whole.elbo && pieces.kl == whole.kl && pieces.active_units == whole.active_units);
    assert_true(pieces.stopped_early == whole.stopped_early);
    train_same_file(folder, whole_name, pieces_name, "model.safetensors");
    train_same_file(folder, whole_name, pieces_name, "config.yaml");
    json_t *a = train_log_events(folder, whole_name, NULL), *b = train_log_events(folder, pieces_name, NULL);
    assert_true(json_array_size(a) >= (size_t)whole.epochs + 2);
    if (!json_equal(a, b)) {
        char *x = json_dumps(a, JSON_INDENT(1)), *y = json_dumps(b, JSON_INDENT(1));
        fail_msg("the logs differ:\n%s\n%s", x, y);
    }
    json_decref(a);
    json_decref(b);
}

static void test_interruptions(void **state)
{
    static const char *const ways[] = {
        large,
        weighted,
        refined,
        "model.latent=3 model.hidden=10 posterior.hidden=10 likelihood.type=gaussian objective.type=savi "
        "refine.steps=60 refine.start=zero refine.tolerance=0.5 train.epochs=2 train.batch=75",
        "model.latent=3 model.hidden=10 posterior.hidden=10 likelihood.type=gaussian schedule.type=iwae "
        "schedule.reset_moments=true optimizer.type=adamax train.epochs=4 train.batch=75",
        "model.latent=3 model.hidden=10 posterior.hidden=10 likelihood.type=gaussian optimizer.rate=0.5 "
        "data.validation=30 train.patience=2 train.epochs=12 train.batch=60 objective.warmup=kl "
        "objective.warmup_epochs=3",
    };
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) interrupted_run(i, ways[i]);
}

/* --- stopping ----------------------------------------------------------------------------------------------------- */

/* With patience the best epoch's model is kept, not the last one's. */
static void test_patience(void **state)
{
    (void)state;
    elb_train_result result;
    train_session_settings with = {
        .threads = 1,
        .settings = "model.latent=3 model.hidden=10 posterior.hidden=10 likelihood.type=gaussian optimizer.rate=0.3 "
                    "data.validation=30 train.patience=3 train.epochs=60 train.batch=60"};
    assert_int_equal(train_session(&with, folder, "run", &result), ELB_OK);
    json_t *events = train_log_events(folder, "run", "epoch");
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
}

static void all_finite(const char *path)
{
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
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        char all[512], name[16];
        elb_train_result result;
        snprintf(name, sizeof name, "run%zu", i);
        snprintf(
            all, sizeof all,
            "%s model.latent=3 model.hidden=10 posterior.hidden=10 likelihood.type=gaussian "
            "model.activation=relu posterior.activation=relu train.epochs=30 train.batch=50 train.checkpoint_minutes=0",
            settings[i]);
        train_session_settings with = {.threads = 2, .settings = all};
        assert_int_equal(train_session(&with, folder, name, &result), ELB_NUMERIC);
        all_finite(support_path(support_path(folder, name), "state.safetensors"));
        all_finite(support_path(support_path(folder, name), "model.safetensors"));
    }
}

/* --- refusals ----------------------------------------------------------------------------------------------------- */

/* A finite loss of nearly 1e38 whose step makes the learned variance infinite: that is not written. */
static void test_parameters_that_overflow(void **state)
{
    (void)state;
    elb_train_result result;
    train_session_settings with = {
        .threads = 2,
        .settings =
            "model.latent=3 model.hidden=10 posterior.hidden=10 likelihood.type=gaussian "
            "likelihood.log_variance=-20 data.scale=8e-15 train.output_bias=false train.batch=1 optimizer.type=sgd "
            "optimizer.rate=10 train.checkpoint_minutes=0"};
    assert_int_equal(train_session(&with, folder, "run", &result), ELB_NUMERIC);
    assert_int_equal(result.steps, 1);
    all_finite(support_path(support_path(folder, "run"), "state.safetensors"));
    all_finite(support_path(support_path(folder, "run"), "model.safetensors"));
}

static void test_refusals(void **state)
{
    static const char small[] =
        "model.latent=2 model.hidden=4 posterior.hidden=4 likelihood.type=gaussian train.epochs=1";
    (void)state;
    char *state_path;
    size_t size;
    elb_train_result result;
    train_session_settings with = {.threads = 1, .settings = small};
    assert_int_equal(train_session(&with, folder, "run", &result), ELB_OK);
    train_refused(folder, "run", small, false, ELB_USAGE, "already holds a run");
    train_refused(folder, "nothing", small, true, ELB_USAGE, "no run to resume");
    train_refused(folder, "new", "train.patience=2 likelihood.type=gaussian", false, ELB_USAGE,
                  "needs validation data");
    train_refused(folder, "new", "likelihood.type=bernoulli data.binarise=none", false, ELB_DATA,
                  "needs values that are 0 or 1");
    train_refused(folder, "run", "model.latent=3 model.hidden=4 posterior.hidden=4 likelihood.type=gaussian", true,
                  ELB_USAGE, "started with model.latent=2 and cannot go on with 3");
    state_path = strdup(support_path(support_path(folder, "run"), "state.safetensors"));
    char *bytes = support_file_read(state_path, &size);
    support_file_write(state_path, bytes, size - 1);
    train_refused(folder, "run", small, true, ELB_MODEL, "state.safetensors");
    char *step = memmem(bytes, size, "\"total\":\"", 9);
    assert_non_null(step);
    step[9] = '7';
    support_file_write(state_path, bytes, size);
    train_refused(folder, "run", small, true, ELB_MODEL, "is not a place in this run");
    step[9] = '-';
    support_file_write(state_path, bytes, size);
    train_refused(folder, "run", small, true, ELB_MODEL, "\"total\" is missing or no number");
    free(bytes);
    free(state_path);
}

/* Every "auto" becomes what suits the data, and the run says what. */
static void test_auto(void **state)
{
    static const char *const keys[] = {"likelihood.type", "likelihood.variance", "data.binarise", "model.latent",
                                       "train.epochs"};
    static const struct {
        bool eight_bit;
        float scale;
        const char *want[5];
    } cases[] = {{true, 255, {"bernoulli", "scalar", "dynamic", "2", "600"}},
                 {true, 1, {"bernoulli", "scalar", "none", "2", "600"}},
                 {false, 9, {"gaussian", "pixel", "none", "2", "600"}}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        elb_config *config;
        elb_dataset *d;
        float x[2000 * 4];
        for (int j = 0; j < 2000 * 4; j++) x[j] = cases[i].scale * (float)(j % 7 % 2);
        assert_int_equal(elb_dataset_create(c, "x", 2000, 1, (int64_t[]){4}, x, &d), ELB_OK);
        d->facts.eight_bit = cases[i].eight_bit;
        if (cases[i].scale == 255) d->facts.scale = 255, d->facts.binary = false;
        assert_int_equal(elb_config_create(c, &config), ELB_OK);
        assert_int_equal(elb_config_settle(config, d), ELB_OK);
        for (int k = 0; k < 5; k++) {
            char text[64];
            assert_int_equal(elb_config_get(config, keys[k], text, sizeof text), ELB_OK);
            assert_string_equal(text, cases[i].want[k]);
        }
        elb_config_destroy(config);
        elb_dataset_destroy(d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_threads),
        FIXTURE_TEST(test_interruptions),
        FIXTURE_TEST(test_patience),
        FIXTURE_TEST(test_divergence),
        FIXTURE_TEST(test_refusals),
        FIXTURE_TEST(test_auto),
        FIXTURE_TEST(test_parameters_that_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
