/* test_infer.c - elb_infer: the same bytes whatever the batch and the threads, the numbers of evaluation and of the
 * Gaussian's formulas, a ladder whose rungs are runs of their own, memory that does not grow, refusals, faults. */
#include "world_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <elbow/evaluate.h>
#include <elbow/infer.h>

#include "data/readers.h"

enum { SIZE = 12, LATENT = 3 };

/* settings: "refine.steps=3 ..." over a small VAE. */
static world world_small(elb_context *c, int64_t n, const char *settings)
{
    char all[512];
    snprintf(all, sizeof all,
             "model.latent=3 model.hidden=7 posterior.hidden=6 data.binarise=dynamic optimizer.rate=0.1 %s", settings);
    return world_make(c, n, 1, (int64_t[]){SIZE}, all);
}

static elb_infer_result infer(const world *w, elb_infer_settings how)
{
    elb_infer_result r;
    if (how.samples == 0) how.samples = 1;
    if (elb_infer(w->vae, w->data, &how, &r) != ELB_OK) fail_msg("%s", elb_context_message(w->c));
    return r;
}

static const elb_infer_rung *last(const elb_infer_result *r)
{
    return &r->rung[r->rung_count - 1];
}

/* --- the same bytes ----------------------------------------------------------------------------------------------- */

static char *table_with(const char *kernels, int threads, const char *settings, elb_infer_settings how, size_t *size)
{
    elb_settings with = {.threads = threads, .kernels = kernels};
    elb_context *c;
    assert_int_equal(elb_context_create(&with, &c), ELB_OK);
    world w = world_small(c, 300, settings);
    how.table = support_path(w.folder, "t.npz");
    infer(&w, how);
    char *bytes = support_file_read(how.table, size);
    world_end(&w);
    elb_context_destroy(c);
    return bytes;
}

static void test_same_bytes(void **state)
{
    (void)state;
    static const char *const settings[] = {"refine.steps=0", "refine.steps=4 refine.rate=0.1",
                                           "refine.steps=120 refine.tolerance=0.3 refine.rate=0.2"};
    static const struct {
        int64_t batch;
        int threads;
    } ways[] = {{1, 1}, {7, 2}, {130, 3}, {1000000, 1}};
    for (const elb_kernels *const *k = elb_kernels_available(); *k != NULL; k++)
        for (int i = 0; i < 3; i++) {
            elb_infer_settings how = {.samples = 5, .keep_samples = true, .seed = 2};
            size_t size, other_size;
            char *first = table_with((*k)->name, 1, settings[i], how, &size), *other;
            for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
                how.batch = ways[w].batch;
                other = table_with((*k)->name, ways[w].threads, settings[i], how, &other_size);
                assert_int_equal(other_size, size);
                assert_memory_equal(first, other, size);
                free(other);
            }
            how.seed = 3; /* what is compared does depend on something */
            other = table_with((*k)->name, 1, settings[i], how, &other_size);
            assert_memory_not_equal(first, other, size);
            free(other);
            free(first);
        }
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */

/* The array `name` of an NPZ file, as floats, which the caller frees with elb_array_reset; without
 * values: there is none. */
static elb_array read_array(elb_context *c, const char *path, const char *name)
{
    size_t size;
    elb_array a;
    char *bytes = support_file_read(path, &size);
    elb_npz_parse(c, (const uint8_t *)bytes, (int64_t)size, name, &a);
    free(bytes);
    return a;
}

static const float *floats(const elb_array *a)
{
    assert_non_null(a->values);
    return a->values;
}

/* The ELBO is evaluation's from the same noise, log q the Gaussian's with the mean and variance
 * beside it, the KL its own. */
static void test_numbers(void **state)
{
    (void)state;
    enum { N = 150, K = 7 };
    elb_context *c = support_context(NULL);
    world w = world_small(c, N + 10, "");
    elb_infer_settings how = {
        .table = support_path(w.folder, "t.npz"), .limit = N, .samples = K, .keep_samples = true, .seed = 5};
    elb_infer_result r = infer(&w, how);
    assert_true(r.n == N && r.samples == K && r.latent == LATENT && r.local == 2 * LATENT && r.seed == 5);
    assert_true(r.rung_count == 1 && r.has_variance && r.mean_steps == 0 && r.batch == 128 && r.seconds > 0);
    assert_true(last(&r)->seconds_per_datum > 0 && last(&r)->gain_nats == 0 && last(&r)->converged == 0);
    elb_evaluate_settings as = {.estimator = ELB_ESTIMATE_ELBO, .samples = K, .limit = N, .seed = 5};
    elb_evaluation e;
    assert_int_equal(elb_evaluate(w.vae, w.data, &as, &e), ELB_OK);
    support_assert_near(last(&r)->elbo_nats, e.elbo_nats, 0, 1e-12);
    support_assert_near(last(&r)->standard_error, e.standard_error, 0, 1e-9);

    static const char *const names[] = {"mean", "variance", "lambda", "z", "log_q", "elbo", "kl", "index", "label"};
    enum { MEAN, VARIANCE, LAMBDA, Z, LOG_Q, ELBO, KL, INDEX, LABEL, ARRAYS };
    elb_array a[ARRAYS];
    double kl_sum = 0, elbo_sum = 0;
    for (int i = 0; i < ARRAYS; i++) a[i] = read_array(c, how.table, names[i]);
    assert_true(a[Z].rank == 3 && a[Z].shape[0] == N && a[Z].shape[1] == K && a[Z].shape[2] == LATENT);
    for (int64_t n = 0; n < N; n++) {
        const float *mean = floats(&a[MEAN]) + n * LATENT, *variance = floats(&a[VARIANCE]) + n * LATENT;
        double kl = 0;
        assert_true(floats(&a[INDEX])[n] == (float)n && floats(&a[LABEL])[n] == (float)(n % 10));
        for (int i = 0; i < LATENT; i++) {
            double m = (double)mean[i], v = (double)variance[i];
            kl += 0.5 * (m * m + v - 1 - log(v));
            assert_true(floats(&a[LAMBDA])[n * 2 * LATENT + i] == mean[i]);
            support_assert_near((double)floats(&a[LAMBDA])[n * 2 * LATENT + LATENT + i], log(v), 1e-6, 1e-6);
        }
        support_assert_near((double)floats(&a[KL])[n], kl, 1e-5, 1e-5);
        kl_sum += (double)floats(&a[KL])[n] / N;
        elbo_sum += (double)floats(&a[ELBO])[n] / N;
        for (int k = 0; k < K; k++) {
            const float *z = floats(&a[Z]) + (n * K + k) * LATENT;
            double log_q = 0;
            for (int i = 0; i < LATENT; i++)
                log_q -= 0.5 * (log(2 * M_PI * (double)variance[i]) +
                                pow((double)z[i] - (double)mean[i], 2) / (double)variance[i]);
            support_assert_near((double)floats(&a[LOG_Q])[n * K + k], log_q, 1e-4, 1e-4);
        }
    }
    support_assert_near(r.kl_nats, kl_sum, 0, 1e-6);
    support_assert_near(last(&r)->elbo_nats, elbo_sum, 0, 1e-6);
    for (int i = 0; i < ARRAYS; i++) elb_array_reset(c, &a[i]);
    world_end(&w);
    support_context_end(c, NULL);
}

/* Every family's numbers are evaluation's, also where it has neither variance nor KL in closed form. */
static void test_families(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    for (const elb_posterior_type *const *type = elb_posterior_types; *type != NULL; type++) {
        char settings[64];
        snprintf(settings, sizeof settings, "posterior.type=%s", (*type)->name);
        world w = world_small(c, 30, settings);
        elb_infer_settings how = {
            .table = support_path(w.folder, "t.npz"), .samples = 6, .keep_samples = true, .seed = 5, .batch = 11};
        elb_evaluate_settings as = {.estimator = ELB_ESTIMATE_ELBO, .samples = 6, .seed = 5};
        elb_infer_result r = infer(&w, how);
        elb_evaluation e;
        assert_int_equal(elb_evaluate(w.vae, w.data, &as, &e), ELB_OK);
        support_assert_near(last(&r)->elbo_nats, e.elbo_nats, 0, 1e-9);
        assert_int_equal(r.has_variance, (*type)->log_variance != NULL);
        assert_int_equal(isfinite(r.kl_nats) != 0, (*type)->kl_to_prior != NULL);
        const struct {
            const char *name;
            bool there;
        } columns[] = {{"mean", true},
                       {"lambda", true},
                       {"z", true},
                       {"log_q", true},
                       {"variance", (*type)->log_variance != NULL},
                       {"kl", (*type)->kl_to_prior != NULL},
                       {"uncertainty", (*type)->uncertainty != NULL}};
        for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
            elb_array a = read_array(c, how.table, columns[i].name);
            if ((a.values != NULL) != columns[i].there) fail_msg("%s: %s", (*type)->name, columns[i].name);
            for (int64_t k = 0; a.values != NULL && k < elb_array_count(&a); k++) assert_true(isfinite(floats(&a)[k]));
            elb_array_reset(c, &a);
        }
        world_end(&w);
    }
    support_context_end(c, NULL);
}

/* Only what there is stands in the table: no samples unless kept, no steps without refinement, no uncertainty. */
static void test_columns(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    world w = world_small(c, 20, "");
    elb_infer_settings how = {.table = support_path(w.folder, "t.csv"), .samples = 2};
    for (int i = 0; i < 3; i++) {
        infer(&w, how);
        char *text = support_file_read(how.table, NULL);
        assert_int_equal(strncmp(text, "index,label,elbo,kl,", 20), 0);
        assert_true((strstr(text, "log_q_0,log_q_1\n") != NULL) == (i == 1));
        assert_true((strstr(text, ",z_0,") != NULL) == (i == 1));
        assert_true((strstr(text, ",steps,") != NULL) == (i == 2));
        assert_null(strstr(text, "uncertainty"));
        free(text);
        how.keep_samples = i == 0;
        if (i == 1) assert_int_equal(elb_vae_set(w.vae, "refine.steps", "2"), ELB_OK);
    }
    world_end(&w);
    support_context_end(c, NULL);
}

/* --- the ladder --------------------------------------------------------------------------------------------------- */

static void test_ladder(void **state)
{
    (void)state;
    static const int64_t steps[] = {0, 1, 2, 5, 10, 20, 50, 60};
    elb_context *c = support_context(NULL);
    world w = world_small(c, 200, "refine.steps=60 refine.rate=0.1");
    elb_infer_result r = infer(&w, (elb_infer_settings){.ladder = true, .samples = 20, .batch = 64}), alone;
    assert_int_equal(r.rung_count, 8);
    assert_true(r.mean_steps == 60);
    for (int i = 0; i < 8; i++) {
        const elb_infer_rung *g = &r.rung[i];
        char text[32];
        snprintf(text, sizeof text, "%lld", (long long)steps[i]);
        assert_int_equal(g->steps, steps[i]);
        assert_int_equal(elb_vae_set(w.vae, "refine.steps", text), ELB_OK);
        alone = infer(&w, (elb_infer_settings){.samples = 20}); /* each rung is what a run of so many steps gives */
        assert_true(g->elbo_nats == last(&alone)->elbo_nats && g->standard_error == last(&alone)->standard_error);
        support_assert_near(g->gain_nats, g->elbo_nats - r.rung[0].elbo_nats, 1e-12, 1e-9);
        assert_true(g->converged == 0 && g->seconds_per_datum > 0);
        if (i > 0) assert_true(g->gain_nats > r.rung[i - 1].gain_nats && g->gain_error < g->gain_nats);
    }
    assert_true(r.rung[0].gain_nats == 0 && r.rung[0].gain_error == 0);
    world_end(&w);

    w = world_small(c, 200, "refine.steps=200 refine.tolerance=0.5 refine.rate=0.1 refine.start=zero");
    const char *path = support_path(w.folder, "t.npz");
    r = infer(&w, (elb_infer_settings){.ladder = true, .table = path});
    assert_int_equal(last(&r)->steps, 200);
    assert_true(last(&r)->converged > 0 && r.rung[5].converged == 0); /* nobody is asked before 50 */
    elb_array taken = read_array(c, path, "steps");
    double sum = 0;
    int64_t early = 0;
    for (int i = 0; i < 200; i++) {
        float n = floats(&taken)[i];
        assert_true(n == 50 || n == 100 || n == 150 || n == 200);
        sum += (double)n / 200;
        early += n < 200;
    }
    assert_int_equal(early, last(&r)->converged);
    support_assert_near(r.mean_steps, sum, 0, 1e-12);
    elb_array_reset(c, &taken);
    world_end(&w);
    support_context_end(c, NULL);
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

static int64_t allocations_for(int64_t n)
{
    fault faults;
    elb_context *c = support_context(&faults);
    world w = world_small(c, n, "refine.steps=2");
    int64_t before = faults.allocations;
    infer(
        &w,
        (elb_infer_settings){
            .table = support_path(w.folder, "t.npz"), .samples = 3, .keep_samples = true, .ladder = true, .batch = 50});
    int64_t asked = faults.allocations - before;
    world_end(&w);
    support_context_end(c, &faults);
    return asked;
}

/* Nothing is asked for after the first block. */
static void test_memory(void **state)
{
    (void)state;
    assert_int_equal(allocations_for(2000), allocations_for(100));
}

/* --- time --------------------------------------------------------------------------------------------------------- */

static void test_time(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    world w = world_small(c, 20, "");
    double one, many, refined;
    assert_int_equal(elb_infer_time(w.vae, w.data, 1, 1, &one), ELB_OK);
    assert_int_equal(elb_infer_time(w.vae, w.data, 128, 1, &many), ELB_OK); /* more than there are data */
    assert_int_equal(elb_vae_set(w.vae, "refine.steps", "30"), ELB_OK);
    assert_int_equal(elb_infer_time(w.vae, w.data, 1, 1, &refined), ELB_OK);
    assert_true(many > 0 && one > many && refined > 2 * one);
    assert_int_equal(elb_infer_time(w.vae, w.data, 0, 1, &one), ELB_USAGE);
    support_assert_message(c, "not 0");
    assert_int_equal(elb_infer_time(w.vae, w.data, 1 << 21, 1, &one), ELB_USAGE);
    assert_true(one == 0);
    world_end(&w);
    support_context_end(c, NULL);
}

/* --- refusals, interruption, faults ------------------------------------------------------------------------------- */

static void refuse(const world *w, elb_infer_settings how, elb_status want, const char *message)
{
    elb_infer_result r;
    assert_int_equal(elb_infer(w->vae, w->data, &how, &r), want);
    support_assert_message(w->c, message);
    assert_true(r.n == 0 && r.rung_count == 0 && isnan(r.kl_nats));
    assert_int_equal(support_folder_count(w->folder), 0);
}

static void test_refusals(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    world w = world_small(c, 20, "");
    char *folder = w.folder;
    refuse(&w, (elb_infer_settings){.samples = 1, .limit = -1}, ELB_USAGE, "not -1 and 0");
    refuse(&w, (elb_infer_settings){.samples = 1, .batch = -2}, ELB_USAGE, "not 0 and -2");
    refuse(&w, (elb_infer_settings){.samples = 0}, ELB_USAGE, "must be in 1..");
    refuse(&w, (elb_infer_settings){.samples = 1, .seed = UINT64_MAX}, ELB_USAGE, "the seed must be at most");
    refuse(&w, (elb_infer_settings){.samples = 1, .table = support_path(folder, "t.txt")}, ELB_USAGE, "must end in");
    refuse(&w, (elb_infer_settings){.samples = 1, .table = support_path(folder, "no/t.npz")}, ELB_FAILURE, "no/t.npz");
    assert_int_equal(elb_vae_set(w.vae, "refine.gate", "best"), ELB_OK);
    refuse(&w, (elb_infer_settings){.samples = 1}, ELB_USAGE, "refine.gate");
    assert_int_equal(elb_vae_set(w.vae, "refine.gate", "none"), ELB_OK);
    int index = 0;
    elb_params *p = elb_vae_block(w.vae, index);
    p->data[0] = NAN;
    refuse(&w, (elb_infer_settings){.samples = 1, .table = support_path(folder, "t.npz")}, ELB_NUMERIC,
           "grey noise: the ELBO of datum 0, counted from 0, is not finite");
    world_end(&w);
    support_context_end(c, NULL);
}

/* Says stop at the `countdown`th call. */
static elb_status stop_later(void *user, const elb_progress *p)
{
    int *countdown = user;
    assert_true(p->done >= 0 && p->done <= p->total && p->total == 3000);
    assert_string_equal(p->phase, "inferring");
    return --*countdown <= 0 ? ELB_INTERRUPTED : ELB_OK;
}

static void test_interrupted(void **state)
{
    (void)state;
    static const char *const settings[] = {"", "refine.steps=100000"};
    elb_context *c = support_context(NULL);
    for (int i = 0; i < 2; i++) {
        world w = world_small(c, 3000, settings[i]);
        int countdown = 1;
        elb_infer_settings how = {.samples = 1,
                                  .table = support_path(w.folder, "t.npz"),
                                  .progress = stop_later,
                                  .user = &countdown,
                                  .batch = 10};
        elb_infer_result r;
        support_file_write(how.table, "old", 3);
        assert_int_equal(elb_infer(w.vae, w.data, &how, &r), ELB_INTERRUPTED);
        assert_true(countdown <= 0);
        assert_int_equal(support_folder_count(w.folder), 1);
        char *text = support_file_read(how.table, NULL);
        assert_string_equal(text, "old");
        free(text);
        world_end(&w);
    }
    support_context_end(c, NULL);
}

static elb_status infer_small(const world *w)
{
    elb_infer_settings how = {
        .samples = 2, .keep_samples = true, .ladder = true, .batch = 8, .table = support_path(w->folder, "t.npz")};
    elb_infer_result r;
    return elb_infer(w->vae, w->data, &how, &r);
}

static void test_faults(void **state)
{
    (void)state;
    fault faults;
    elb_context *c = support_context(&faults);
    world w = world_small(c, 20, "refine.steps=2 refine.tolerance=1e-9");
    int64_t live = faults.live, n = 0;
    support_file_write(support_path(w.folder, "t.npz"), "old", 3);
    for (elb_status status = ELB_MEMORY; status != ELB_OK;) {
        faults.alloc_countdown = ++n;
        status = infer_small(&w);
        assert_true(status == ELB_OK || status == ELB_MEMORY);
        assert_int_equal(faults.live, live);
        assert_int_equal(support_folder_count(w.folder), 1);
    }
    assert_true(n > 20);
    faults.alloc_countdown = 0;
    n = 0;
    for (elb_status status = ELB_FAILURE; status != ELB_OK;) {
        faults.write_countdown = ++n;
        status = infer_small(&w);
        assert_true(status == ELB_OK || status == ELB_FAILURE);
        assert_int_equal(support_folder_count(w.folder), 1);
    }
    assert_true(n > 10);
    faults.write_countdown = 0;
    double seconds;
    for (n = 1;; n++) {
        faults.alloc_countdown = n;
        if (elb_infer_time(w.vae, w.data, 4, 1, &seconds) == ELB_OK) break;
        assert_true(seconds == 0);
        assert_int_equal(faults.live, live);
    }
    assert_true(n > 5);
    faults.alloc_countdown = 0;
    world_end(&w);
    support_context_end(c, &faults);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bytes), cmocka_unit_test(test_numbers),  cmocka_unit_test(test_columns),
        cmocka_unit_test(test_families),   cmocka_unit_test(test_ladder),   cmocka_unit_test(test_memory),
        cmocka_unit_test(test_time),       cmocka_unit_test(test_refusals), cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
