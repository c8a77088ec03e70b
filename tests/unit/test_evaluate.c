/* test_evaluate.c - elb_evaluate: the same bits whatever the batch and the threads, its table,
 * JSON, refusals, faults. */
#include "world_support.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <elbow/evaluate.h>

#include "run/json.h"
#include "run/trainer.h"

/* --- a VAE and its data ------------------------------------------------------------------------------------------- */

static world world_small(elb_context *c, int64_t n)
{
    return world_make(c, n, 1, (int64_t[]){12},
                      "model.latent=3 model.hidden=7 posterior.hidden=6 data.binarise=dynamic");
}

/* --- the same bits ------------------------------------------------------------------------------------------------ */

typedef struct outcome {
    elb_evaluation result;
    char *table; /* bytes of the NPZ */
    size_t size;
} outcome;

static outcome evaluate_with(const char *kernels, int threads, int64_t n, const char *settings,
                             elb_evaluate_settings how)
{
    elb_settings with = {.threads = threads, .kernels = kernels};
    elb_context *c;
    outcome o;
    assert_int_equal(elb_context_create(&with, &c), ELB_OK);
    world w = world_make(c, n, 1, (int64_t[]){784}, settings);
    how.per_datum = support_path(w.folder, "each.npz");
    if (elb_evaluate(w.vae, w.data, &how, &o.result) != ELB_OK) fail_msg("%s", elb_context_message(c));
    o.table = support_file_read(how.per_datum, &o.size);
    world_end(&w);
    elb_context_destroy(c);
    return o;
}

static void assert_same_bits(const outcome *a, const outcome *b)
{
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->table, b->table, a->size);
    assert_memory_equal(&a->result.log_likelihood_nats, &b->result.log_likelihood_nats, sizeof(double));
    assert_memory_equal(&a->result.standard_error, &b->result.standard_error, sizeof(double));
    assert_memory_equal(&a->result.elbo_nats, &b->result.elbo_nats, sizeof(double));
    assert_memory_equal(&a->result.ess, &b->result.ess, sizeof(double));
    assert_memory_equal(&a->result.k_hat, &b->result.k_hat, sizeof(double));
}

static void check_same_bits(const char *kernels, const char *settings, int64_t n, int64_t samples)
{
    static const struct {
        int64_t batch;
        int threads;
    } ways[] = {{1, 1}, {7, 2}, {100, 3}, {100, 1}, {0, 2}, {1000000, 1}};
    elb_evaluate_settings how = {.estimator = ELB_ESTIMATE_IWAE, .samples = samples, .seed = 3, .batch = 128};
    outcome first = evaluate_with(kernels, 1, n, settings, how);
    assert_true(isfinite(first.result.log_likelihood_nats));
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        how.batch = ways[i].batch;
        outcome other = evaluate_with(kernels, ways[i].threads, n, settings, how);
        assert_same_bits(&first, &other);
        free(other.table);
    }
    how.seed = 4; /* what is compared does depend on something */
    outcome other = evaluate_with(kernels, 1, n, settings, how);
    assert_int_equal(other.size, first.size);
    assert_memory_not_equal(first.table, other.table, first.size);
    free(other.table);
    free(first.table);
}

static void test_same_bits(void **state)
{
    (void)state;
    for (const elb_kernels *const *table = elb_kernels_available(); *table != NULL; table++) {
        if (table[1] == NULL) { /* plain C is slow */
            check_same_bits((*table)->name, "model.hidden=16 posterior.hidden=16 data.binarise=dynamic", 105, 1);
            continue;
        }
        check_same_bits((*table)->name, "data.binarise=dynamic", 130, 1);
        check_same_bits((*table)->name, "model.hidden=500 posterior.hidden=200 data.binarise=static", 105, 5);
        check_same_bits((*table)->name, "data.binarise=threshold", 9, 700);
    }
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */

enum { COLUMNS = 6 };

/* Rows of the CSV: index, label, elbo, iwae, ess, k_hat. */
static int64_t read_table(const char *path, double (*rows)[COLUMNS], int64_t most)
{
    char *text = support_file_read(path, NULL), *line = strchr(text, '\n');
    assert_true(strncmp(text, "index,label,elbo,iwae,ess,k_hat\n", 32) == 0);
    int64_t n = 0;
    for (line++; *line != '\0'; n++) {
        assert_true(n < most);
        for (int k = 0; k < COLUMNS; k++) {
            rows[n][k] = strtod(line, &line);
            assert_int_equal(*line++, k < COLUMNS - 1 ? ',' : '\n');
        }
    }
    free(text);
    return n;
}

static void check_numbers(elb_estimator estimator, int64_t samples)
{
    enum { N = 40 };
    double rows[N][COLUMNS], sum[COLUMNS] = {0}, squares = 0, k_sum = 0;
    int bad = 0, column = estimator == ELB_ESTIMATE_ELBO ? 2 : 3;
    elb_context *c = support_context(NULL);
    world w = world_small(c, N + 5);
    elb_evaluate_settings how = {.estimator = estimator,
                                 .samples = samples,
                                 .limit = N,
                                 .seed = 1,
                                 .per_datum = support_path(w.folder, "t.csv")};
    elb_evaluation r;
    assert_int_equal(elb_evaluate(w.vae, w.data, &how, &r), ELB_OK);
    assert_int_equal(read_table(how.per_datum, rows, N), N);
    for (int i = 0; i < N; i++) {
        assert_true(rows[i][0] == i && rows[i][1] == i % 10);
        for (int k = 2; k < COLUMNS; k++) sum[k] += rows[i][k] / N;
        k_sum += rows[i][5];
        bad += rows[i][5] > 0.7;
    }
    for (int i = 0; i < N; i++) squares += pow(rows[i][column] - sum[column], 2);
    support_assert_near(r.log_likelihood_nats, sum[column], 0, 1e-12);
    support_assert_near(r.standard_error, sqrt(squares / (N - 1) / N), 0, 1e-12);
    support_assert_near(r.bits_per_dim, -sum[column] / (12 * log(2)), 0, 1e-12);
    support_assert_near(r.elbo_nats, sum[2], 0, 1e-12);
    support_assert_near(r.ess, sum[4], 0, 1e-12);
    assert_true(r.n == N && r.samples == samples && r.seed == 1 && r.estimator == estimator && r.seconds >= 0);
    if (estimator == ELB_ESTIMATE_IWAE && samples >= 25) {
        support_assert_near(r.k_hat, k_sum / N, 0, 1e-12);
        support_assert_near(r.k_hat_bad, (double)bad / N, 0, 1e-12);
    } else {
        assert_true(isnan(r.k_hat) && isnan(r.k_hat_bad));
    }
    world_end(&w);
    support_context_end(c, NULL);
}

static void test_numbers(void **state)
{
    (void)state;
    check_numbers(ELB_ESTIMATE_IWAE, 200);
    check_numbers(ELB_ESTIMATE_IWAE, 24);
    check_numbers(ELB_ESTIMATE_ELBO, 200);
}

static void test_limits(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    world w = world_small(c, 6);
    elb_evaluate_settings how = {.samples = 2, .limit = 100};
    elb_evaluation all, some, one;
    assert_int_equal(elb_evaluate(w.vae, w.data, &how, &all), ELB_OK);
    assert_int_equal(all.n, 6);
    how.limit = 0;
    assert_int_equal(elb_evaluate(w.vae, w.data, &how, &some), ELB_OK);
    assert_true(some.n == 6 && some.log_likelihood_nats == all.log_likelihood_nats);
    how.limit = 1;
    assert_int_equal(elb_evaluate(w.vae, w.data, &how, &one), ELB_OK);
    assert_true(one.n == 1 && isnan(one.standard_error) && isfinite(one.log_likelihood_nats));
    world_end(&w);
    support_context_end(c, NULL);
}

/* The parts of one source draw from streams of their own, wherever a datum stands in its part. */
static void test_origin(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    world w = world_small(c, 6);
    elb_evaluate_settings how = {.samples = 2};
    elb_evaluation here, there;
    assert_int_equal(elb_config_set(w.vae->config, "data.binarise", "threshold"),
                     ELB_OK); /* only the noise is random */
    assert_int_equal(elb_evaluate(w.vae, w.data, &how, &here), ELB_OK);
    w.data->origin = UINT64_C(1) << 56;
    assert_int_equal(elb_evaluate(w.vae, w.data, &how, &there), ELB_OK);
    assert_true(isfinite(there.log_likelihood_nats) && there.log_likelihood_nats != here.log_likelihood_nats);
    world_end(&w);
    support_context_end(c, NULL);
}

/* Training's validation is this estimate, by the same walk. */
static void test_validation(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    world w = world_small(c, 300);
    elb_evaluate_settings how = {.estimator = ELB_ESTIMATE_ELBO, .samples = 1, .seed = (uint64_t)w.config->top.seed};
    elb_evaluation r;
    double elbo;
    assert_int_equal(elb_evaluate(w.vae, w.data, &how, &r), ELB_OK);
    assert_int_equal(elb_validation_elbo(w.vae, w.data, &elbo), ELB_OK);
    support_assert_near(elbo, r.log_likelihood_nats, 0, 1e-12);
    world_end(&w);
    support_context_end(c, NULL);
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

static size_t evaluate_peak(int64_t n, int64_t samples)
{
    fault f;
    elb_context *c = support_context(&f);
    world w = world_make(c, n, 1, (int64_t[]){784}, "model.hidden=50 posterior.hidden=50 data.binarise=dynamic");
    elb_evaluate_settings how = {
        .estimator = ELB_ESTIMATE_IWAE, .samples = samples, .per_datum = support_path(w.folder, "each.npz")};
    elb_evaluation r;
    size_t before = f.most = f.bytes;
    assert_int_equal(elb_evaluate(w.vae, w.data, &how, &r), ELB_OK);
    assert_int_equal(f.bytes, before);
    size_t peak = f.most - before;
    world_end(&w);
    support_context_end(c, &f);
    return peak;
}

static void test_memory(void **state)
{
    (void)state;
    size_t few = evaluate_peak(140, 4), many_data = evaluate_peak(700, 4), many_samples = evaluate_peak(3, 20000);
    assert_true(few > 100000 && few < 32 << 20);
    assert_true(many_data <= few + 4096); /* blocks of the same size come a little larger at times */
    assert_true(many_samples <= 2 * few);
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

static void check_object(const json_t *o, const elb_evaluation *r)
{
    assert_true(elb_json_number(o, "log_likelihood_nats") == r->log_likelihood_nats);
    assert_true(elb_json_number(o, "standard_error") == r->standard_error);
    assert_true(elb_json_number(o, "bits_per_dim") == r->bits_per_dim);
    assert_true(elb_json_number(o, "elbo_nats") == r->elbo_nats);
    assert_true(elb_json_number(o, "ess") == r->ess);
    assert_true(json_is_null(json_object_get(o, "k_hat"))); /* K < 25 */
    assert_true(json_is_null(json_object_get(o, "k_hat_bad")));
    assert_true(json_integer_value(json_object_get(o, "samples")) == 10);
    assert_true(json_integer_value(json_object_get(o, "n")) == 9);
    assert_true(json_integer_value(json_object_get(o, "seed")) == INT64_MAX);
    assert_string_equal(json_string_value(json_object_get(o, "estimator")), "iwae");
    assert_string_equal(json_string_value(json_object_get(o, "binarisation")), "dynamic");
    assert_string_equal(json_string_value(json_object_get(o, "data")), "grey noise");
    assert_string_equal(json_string_value(json_object_get(o, "unit")), "nats per datum");
    assert_string_equal(json_string_value(json_object_get(o, "version")), ELBOW_VERSION);
    assert_true(elb_json_number(o, "seconds") >= 0);
}

static void test_json(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    world w = world_small(c, 9);
    char *text;
    elb_evaluate_settings how = {.estimator = ELB_ESTIMATE_IWAE, .samples = 10, .seed = INT64_MAX};
    elb_evaluation r;
    json_t *object;
    assert_int_equal(elb_evaluate(w.vae, w.data, &how, &r), ELB_OK);
    assert_int_equal(elb_evaluation_json(w.vae, w.data, &r, &text), ELB_OK);
    object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(object);
    check_object(object, &r);
    json_decref(object);
    elb_text_free(c, text);

    assert_int_equal(elb_evaluation_save(w.vae, w.data, &r, w.folder), ELB_OK);
    assert_int_equal(elb_json_load(c, support_path(w.folder, "eval-iwae.json"), &object), ELB_OK);
    check_object(object, &r);
    json_decref(object);
    assert_int_equal(elb_evaluation_save(w.vae, w.data, &r, support_path(w.folder, "missing")), ELB_FAILURE);
    assert_string_equal(elb_estimator_name(ELB_ESTIMATE_ELBO), "elbo");
    assert_string_equal(elb_estimator_name((elb_estimator)7), "unknown");
    world_end(&w);
    support_context_end(c, NULL);
}

/* --- progress ----------------------------------------------------------------------------------------------------- */

typedef struct told {
    int calls, last;
    int64_t done;
    elb_status answer;
} told;

static elb_status tell(void *user, const elb_progress *p)
{
    told *t = user;
    t->calls++;
    t->last += p->last;
    t->done = p->done;
    assert_string_equal(p->phase, "evaluating");
    assert_true(p->done >= 0 && p->done <= p->total && p->total == 30);
    return t->answer;
}

static void test_progress(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    world w = world_small(c, 30);
    told t = {.answer = ELB_OK};
    elb_evaluate_settings how = {.estimator = ELB_ESTIMATE_IWAE,
                                 .samples = 3,
                                 .batch = 4,
                                 .progress = tell,
                                 .user = &t,
                                 .per_datum = support_path(w.folder, "each.npz")};
    elb_evaluation r;
    assert_int_equal(elb_evaluate(w.vae, w.data, &how, &r), ELB_OK);
    assert_true(t.last == 1 && t.done == 30);
    assert_int_equal(support_folder_count(w.folder), 1);
    remove(how.per_datum);

    t = (told){.answer = ELB_INTERRUPTED};
    assert_int_equal(elb_evaluate(w.vae, w.data, &how, &r), ELB_INTERRUPTED);
    assert_true(t.last == 1 && t.done == 0); /* in the middle of the first block */
    assert_true(isnan(r.log_likelihood_nats));
    assert_int_equal(support_folder_count(w.folder), 0);

    how.samples = UINT32_MAX; /* hours, were it not asked between the samples of one datum */
    t = (told){.answer = ELB_REQUEUE};
    assert_int_equal(elb_evaluate(w.vae, w.data, &how, &r), ELB_REQUEUE);
    assert_true(t.last == 1 && t.done == 0);
    world_end(&w);
    support_context_end(c, NULL);
}

/* --- refusals ----------------------------------------------------------------------------------------------------- */

static void check_refused(world *w, const elb_dataset *data, elb_evaluate_settings how, elb_status status,
                          const char *part)
{
    elb_evaluation r;
    assert_int_equal(elb_evaluate(w->vae, data, &how, &r), status);
    support_assert_message(w->c, part);
    assert_true(isnan(r.log_likelihood_nats));
}

static void test_refusals(void **state)
{
    (void)state;
    fault faults;
    elb_context *c = support_context(&faults);
    world w = world_small(c, 5), wide = world_make(c, 5, 1, (int64_t[]){13}, "model.latent=2 data.binarise=static");
    elb_evaluate_settings good = {.samples = 2}, how = good;
    how.samples = 0;
    check_refused(&w, w.data, how, ELB_USAGE, "number of samples must be in 1..");
    how = good;
    how.limit = -1;
    check_refused(&w, w.data, how, ELB_USAGE, "must be 0 (the default) or more");
    how = good;
    how.batch = -1;
    check_refused(&w, w.data, how, ELB_USAGE, "must be 0 (the default) or more");
    how = good;
    how.seed = UINT64_MAX;
    check_refused(&w, w.data, how, ELB_USAGE, "the seed must be at most");
    how = good;
    how.estimator = (elb_estimator)4;
    check_refused(&w, w.data, how, ELB_USAGE, "choose elbo, iwae, ais or bdmc");
    how = good;
    how.per_datum = "each.json";
    check_refused(&w, w.data, how, ELB_USAGE, "must end in .npz");
    how.per_datum = "each.npy";
    check_refused(&w, w.data, how, ELB_USAGE, "one array and not 6");
    how.per_datum = "/nonexistent/each.csv";
    check_refused(&w, w.data, how, ELB_FAILURE, "could not write");
    check_refused(&w, wide.data, good, ELB_MODEL, "takes data of 12 values");
    assert_int_equal(elb_config_set(w.vae->config, "data.binarise", "none"), ELB_OK);
    check_refused(&w, w.data, good, ELB_DATA, "needs values that are 0 or 1");
    world_end(&w);
    world_end(&wide);
    support_context_end(c, &faults);
}

static void test_not_finite(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    world w = world_small(c, 20);
    elb_real *bias = elb_mlp_output_bias(&w.vae->model->decoder);
    bias[3] = NAN;
    elb_evaluate_settings how = {.samples = 2, .batch = 8};
    check_refused(&w, w.data, how, ELB_NUMERIC,
                  "grey noise: the importance weights of datum 0, counted from 0, are not finite");
    world_end(&w);
    support_context_end(c, NULL);
}

/* --- faults ------------------------------------------------------------------------------------------------------- */

static elb_status evaluate_all(world *w)
{
    elb_evaluate_settings how = {
        .estimator = ELB_ESTIMATE_IWAE, .samples = 30, .batch = 4, .per_datum = support_path(w->folder, "each.csv")};
    elb_evaluation r;
    char *text = NULL;
    elb_status status = elb_evaluate(w->vae, w->data, &how, &r);
    if (status == ELB_OK) status = elb_evaluation_json(w->vae, w->data, &r, &text);
    if (status == ELB_OK) status = elb_evaluation_save(w->vae, w->data, &r, w->folder);
    elb_text_free(w->c, text);
    return status;
}

static void test_allocation_failures(void **state)
{
    (void)state;
    fault faults;
    elb_context *c = support_context(&faults);
    world w = world_small(c, 9);
    elb_status status = ELB_MEMORY;
    int64_t n = 0, live = faults.live;
    while (status != ELB_OK) {
        faults.alloc_countdown = ++n;
        status = evaluate_all(&w);
        assert_true(status == ELB_OK || status == ELB_MEMORY);
        assert_int_equal(faults.live, live);
        assert_true(n < 1000);
    }
    assert_true(n > 10);
    assert_int_equal(support_folder_count(w.folder), 2);
    faults.alloc_countdown = 0;
    world_end(&w);
    support_context_end(c, &faults);
}

static void test_write_failures(void **state)
{
    (void)state;
    fault faults;
    elb_context *c = support_context(&faults);
    world w = world_small(c, 9);
    faults.write_countdown = 1;
    assert_int_equal(evaluate_all(&w), ELB_FAILURE);
    support_assert_message(c, "each.csv");
    assert_int_equal(support_folder_count(w.folder), 0);
    faults.write_countdown = 2;
    assert_int_equal(evaluate_all(&w), ELB_FAILURE);
    support_assert_message(c, "eval-iwae.json");
    assert_int_equal(support_folder_count(w.folder), 1);
    world_end(&w);
    support_context_end(c, &faults);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_origin),
        cmocka_unit_test(test_validation),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_write_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
