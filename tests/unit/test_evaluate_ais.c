/* test_evaluate_ais.c - AIS and BDMC as evaluations: the same bits whatever the batch and the threads, going on where
 * they were stopped, constant memory, numbers and JSON, refusals, faults; the schedules' values. */
#include "world_support.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <elbow/evaluate.h>

#include "run/json.h"
#include "run/safetensors.h"

/* --- the schedules ------------------------------------------------------------------------------------------------ */

static void test_schedules(void **state)
{
    static const double sigmoid[] = {0,
                                     0.046674512285,
                                     0.136624230929,
                                     0.287278306534,
                                     0.488768332051,
                                     0.690258357569,
                                     0.840912433174,
                                     0.930862151818,
                                     0.977536664103,
                                     1};
    (void)state;
    for (int r = 0; r < 10; r++) {
        support_assert_near(elb_temperature(ELB_ANNEAL_SIGMOID, r, 9), sigmoid[r], 1e-12, 0);
        support_assert_near(elb_temperature(ELB_ANNEAL_LINEAR, r, 9), r / 9.0, 1e-15, 0);
    }
    for (int kind = 0; kind < 2; kind++)
        for (int64_t n = 1; n < 2000; n *= 3) {
            assert_true(elb_temperature((elb_anneal_schedule)kind, 0, n) == 0);
            assert_true(elb_temperature((elb_anneal_schedule)kind, n, n) == 1);
        }
}

/* --- a VAE and its data ------------------------------------------------------------------------------------------- */

enum { DATA = 40, ANY = -1 };

/* A world with a context of its own. */
static world world_over(const elb_settings *settings, int64_t n, const char *posterior)
{
    elb_context *c;
    char all[256];
    snprintf(all, sizeof all,
             "model.latent=3 model.hidden=30,20 posterior.hidden=20 data.binarise=dynamic likelihood.type=bernoulli "
             "posterior.type=%s",
             posterior);
    assert_int_equal(elb_context_create(settings, &c), ELB_OK);
    world w = world_make(c, n, 1, (int64_t[]){DATA}, all);
    elb_params *p = &w.vae->model->params; /* a posterior with something to find */
    for (int64_t i = 0; i < p->size; i++) p->data[i] *= 3;
    return w;
}

static world world_usual(int64_t n)
{
    elb_settings settings = {.threads = 1};
    return world_over(&settings, n, "ffg");
}

static void world_close(world *w)
{
    world_end(w);
    elb_context_destroy(w->c);
}

static elb_evaluate_settings ask(elb_estimator estimator)
{
    return (elb_evaluate_settings){
        .estimator = estimator, .seed = 5, .limit = 0, .anneal = {.chains = 5, .temperatures = 12, .leapfrog = 3}};
}

static elb_evaluation evaluate(world *w, const elb_evaluate_settings *how)
{
    elb_evaluation r;
    if (elb_evaluate(w->vae, w->data, how, &r) != ELB_OK) fail_msg("%s", elb_context_message(w->c));
    return r;
}

/* --- the same bits ------------------------------------------------------------------------------------------------ */

/* The table's bytes for one way to compute it. */
static char *bits(const char *kernels, int threads, int64_t batch, elb_evaluate_settings how, int64_t n, size_t *size)
{
    elb_settings settings = {.threads = threads, .kernels = kernels};
    world w = world_over(&settings, n, "ffg");
    how.batch = batch;
    how.per_datum = support_path(w.folder, "each.npz");
    evaluate(&w, &how);
    char *bytes = support_file_read(how.per_datum, size);
    world_close(&w);
    return bytes;
}

static void check_same_bits(const char *kernels, elb_evaluate_settings how, int64_t n)
{
    static const struct {
        int threads;
        int64_t batch;
    } ways[] = {{2, 0}, {3, 7}, {1, 1}, {2, 1000}};
    size_t size, other_size;
    char *first = bits(kernels, 1, 0, how, n, &size);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char *other = bits(kernels, ways[i].threads, ways[i].batch, how, n, &other_size);
        assert_int_equal(size, other_size);
        assert_memory_equal(first, other, size);
        free(other);
    }
    how.seed++; /* what is compared does depend on something */
    char *other = bits(kernels, 1, 0, how, n, &other_size);
    assert_memory_not_equal(first, other, size);
    free(other);
    free(first);
}

static void test_same_bits(void **state)
{
    (void)state;
    for (const elb_kernels *const *k = elb_kernels_available(); *k != NULL; k++) {
        elb_evaluate_settings how = ask(ELB_ESTIMATE_AIS);
        check_same_bits((*k)->name, how, 40);
        how.anneal.start = ELB_ANNEAL_POSTERIOR;
        how.anneal.adapt = ELB_ADAPT_IN_RUN;
        check_same_bits((*k)->name, how, 9);
        how = ask(ELB_ESTIMATE_BDMC);
        how.limit = 20;
        check_same_bits((*k)->name, how, 3);
        if (k[1] == NULL) break;
        how = ask(ELB_ESTIMATE_AIS);
        how.anneal.chains = 1500; /* more than one tape takes */
        check_same_bits((*k)->name, how, 3);
    }
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */

static void keep_each(void *user, const elb_datum_estimate *datum)
{
    double *kept = user;
    assert_true(isnan(datum->iwae) && isnan(datum->elbo) && isnan(datum->k_hat));
    kept[datum->index] = datum->ais;
}

static void test_numbers(void **state)
{
    enum { N = 30 };
    double kept[N], sum = 0;
    (void)state;
    world w = world_usual(N);
    elb_evaluate_settings how = ask(ELB_ESTIMATE_AIS);
    how.each = keep_each;
    how.user = kept;
    how.per_datum = support_path(w.folder, "each.csv");
    elb_evaluation r = evaluate(&w, &how);
    for (int i = 0; i < N; i++) sum += kept[i] / N;
    support_assert_near(r.log_likelihood_nats, sum, 0, 1e-12);
    support_assert_near(r.bits_per_dim, -sum / (DATA * log(2)), 0, 1e-12);
    assert_true(r.n == N && r.samples == 0 && r.anneal.chains == 5 && r.anneal.temperatures == 12);
    assert_true(r.ess >= 1 && r.ess <= 5 && r.acceptance > 0.3 && r.acceptance < 1 && r.step_size > 0);
    assert_true(r.chain_error > 0 && r.chain_error < r.standard_error * 10 && r.standard_error > 0);
    assert_true(isnan(r.elbo_nats) && isnan(r.k_hat) && isnan(r.upper_nats) && !r.converged);
    char *text = support_file_read(how.per_datum, NULL);
    static const char begins[] = "index,label,ais,ais_error,ess,acceptance,step\n0,0,";
    assert_true(strncmp(text, begins, sizeof begins - 1) == 0);
    free(text);

    /* close to what importance sampling with very many samples of the posterior finds */
    elb_evaluate_settings iwae = {.estimator = ELB_ESTIMATE_IWAE, .samples = 20000, .seed = 1};
    how.each = NULL;
    how.anneal = (elb_anneal_settings){.chains = 50, .temperatures = 100, .leapfrog = 5};
    r = evaluate(&w, &how);
    support_assert_near(r.log_likelihood_nats, evaluate(&w, &iwae).log_likelihood_nats, 0.05 + 4 * r.chain_error, 0);
    world_close(&w);
}

static void test_bdmc(void **state)
{
    (void)state;
    world w = world_usual(2);
    elb_evaluate_settings how = ask(ELB_ESTIMATE_BDMC);
    how.per_datum = support_path(w.folder, "each.csv");
    how.anneal.temperatures = 60;
    elb_evaluation good, r;
    assert_int_equal(elb_evaluate(w.vae, NULL, &how, &good), ELB_OK); /* it needs no data */
    assert_int_equal(good.n, ELB_BDMC_DATA);
    support_assert_near(good.sandwich_nats, good.upper_nats - good.log_likelihood_nats, 1e-9, 0);
    assert_true(good.sandwich_error > 0 && good.converged == (good.sandwich_nats <= ELB_SANDWICH_CONVERGED));
    char *text = support_file_read(how.per_datum, NULL);
    assert_true(
        strncmp(text, "index,lower,lower_error,lower_ess,acceptance,step,upper,upper_error,upper_ess\n0,", 80) == 0);
    free(text);
    how.anneal = (elb_anneal_settings){.chains = 1, .temperatures = 2, .leapfrog = 1};
    assert_int_equal(elb_evaluate(w.vae, NULL, &how, &r), ELB_OK);
    assert_true(r.sandwich_nats > 1 && r.sandwich_nats > 3 * good.sandwich_nats && !r.converged);
    json_t *object;
    char *json;
    assert_int_equal(elb_evaluation_json(w.vae, NULL, &r, &json), ELB_OK);
    object = json_loads(json, 0, NULL);
    assert_true(json_is_false(json_object_get(object, "converged")) &&
                json_is_true(json_object_get(object, "simulated")));
    assert_true(elb_json_number(object, "upper_nats") == r.upper_nats);
    assert_true(elb_json_number(object, "sandwich_nats") == r.sandwich_nats);
    assert_string_equal(json_string_value(json_object_get(object, "data")), "drawn from the model");
    json_decref(object);
    elb_text_free(w.c, json);
    world_close(&w);
}

static void test_json(void **state)
{
    (void)state;
    world w = world_usual(6);
    elb_evaluate_settings how = ask(ELB_ESTIMATE_AIS);
    how.anneal.schedule = ELB_ANNEAL_SIGMOID;
    elb_evaluation r = evaluate(&w, &how);
    json_t *o;
    assert_int_equal(elb_evaluation_save(w.vae, w.data, &r, w.folder), ELB_OK);
    assert_int_equal(elb_json_load(w.c, support_path(w.folder, "eval-ais.json"), &o), ELB_OK);
    assert_true(elb_json_number(o, "log_likelihood_nats") == r.log_likelihood_nats);
    assert_true(elb_json_number(o, "chain_error") == r.chain_error && elb_json_number(o, "ess") == r.ess);
    assert_true(elb_json_number(o, "acceptance") == r.acceptance && elb_json_number(o, "step_size") == r.step_size);
    assert_true(json_integer_value(json_object_get(o, "chains")) == 5);
    assert_true(json_integer_value(json_object_get(o, "temperatures")) == 12);
    assert_true(json_integer_value(json_object_get(o, "leapfrog")) == 3 && json_object_get(o, "samples") == NULL);
    assert_string_equal(json_string_value(json_object_get(o, "estimator")), "ais");
    assert_string_equal(json_string_value(json_object_get(o, "schedule")), "sigmoid");
    assert_string_equal(json_string_value(json_object_get(o, "start")), "prior");
    assert_string_equal(json_string_value(json_object_get(o, "adapt")), "pilot");
    json_decref(o);
    world_close(&w);
}

/* --- stopped and gone on with ------------------------------------------------------------------------------------- */

typedef struct stopper {
    int64_t after; /* data; ANY: never */
    int64_t first; /* data that were done when it was first called */
    bool called, reached;
} stopper;

static elb_status stop(void *user, const elb_progress *p)
{
    stopper *s = user;
    if (!s->called) s->first = p->done;
    s->called = true;
    return s->reached ? ELB_INTERRUPTED : ELB_OK;
}

/* Progress is told some ten times a second: now it is due. */
static void dawdle(void *user, const elb_datum_estimate *datum)
{
    stopper *s = user;
    if (datum->index + 1 != s->after) return;
    s->reached = true;
    usleep(150000);
}

static void stop_after(elb_evaluate_settings *how, stopper *s, int64_t after)
{
    *s = (stopper){.after = after};
    how->progress = stop;
    how->each = dawdle;
    how->user = s;
}

static void test_goes_on(void **state)
{
    (void)state;
    world w = world_usual(40);
    stopper s;
    elb_evaluate_settings how = ask(ELB_ESTIMATE_AIS);
    how.batch = 4;
    how.per_datum = support_path(w.folder, "whole.npz");
    elb_evaluation whole = evaluate(&w, &how), r = {0};

    how.per_datum = support_path(w.folder, "parts.npz");
    how.partial = support_path(w.folder, "ais.partial");
    stop_after(&how, &s, 8);
    assert_int_equal(elb_evaluate(w.vae, w.data, &how, &r), ELB_INTERRUPTED);
    elb_safetensors *file;
    assert_int_equal(elb_safetensors_open(w.c, how.partial, &file), ELB_OK);
    int64_t done = elb_safetensors_find(file, "rows")->shape[0];
    assert_int_equal(done, 8);
    elb_safetensors_close(file);
    assert_int_equal(support_folder_count(w.folder), 2); /* whole.npz and the partial file */

    how.batch = 7; /* the parts need not be cut alike */
    stop_after(&how, &s, 22);
    assert_int_equal(elb_evaluate(w.vae, w.data, &how, &r), ELB_INTERRUPTED);
    assert_true(s.first >= 8);
    stop_after(&how, &s, ANY);
    r = evaluate(&w, &how);
    assert_true(s.first >= 22 && r.log_likelihood_nats == whole.log_likelihood_nats);
    assert_true(r.standard_error == whole.standard_error && r.chain_error == whole.chain_error && r.ess == whole.ess);
    size_t a, b;
    char *x = support_file_read(support_path(w.folder, "whole.npz"), &a), *y = support_file_read(how.per_datum, &b);
    assert_int_equal(a, b);
    assert_memory_equal(x, y, a);
    free(x);
    free(y);
    assert_int_equal(support_folder_count(w.folder), 2); /* two tables: what was kept is gone */
    world_close(&w);
}

static void refused_partial(world *w, elb_evaluate_settings how, elb_status status, const char *part)
{
    elb_evaluation r;
    assert_int_equal(elb_evaluate(w->vae, w->data, &how, &r), status);
    support_assert_message(w->c, part);
    assert_int_equal(support_folder_count(w->folder), 1); /* left as it is */
}

/* Work that is not the same does not go on. */
static void test_other_work(void **state)
{
    (void)state;
    world w = world_usual(20);
    stopper s;
    elb_evaluation r;
    elb_evaluate_settings how = ask(ELB_ESTIMATE_AIS), good;
    how.batch = 4;
    how.partial = support_path(w.folder, "ais.partial");
    stop_after(&how, &s, 4);
    assert_int_equal(elb_evaluate(w.vae, w.data, &how, &r), ELB_INTERRUPTED);
    good = how;
    how.seed++;
    refused_partial(&w, how, ELB_USAGE, "with other settings, data or model");
    how = good;
    how.anneal.temperatures++;
    refused_partial(&w, how, ELB_USAGE, "with other settings");
    how.estimator = ELB_ESTIMATE_IWAE;
    how.samples = 3;
    refused_partial(&w, how, ELB_MODEL, "does not hold the data done so far of such an evaluation");
    w.vae->model->params.data[0] += 1;
    refused_partial(&w, good, ELB_USAGE, "data or model");
    w.vae->model->params.data[0] -= 1;
    support_file_write(good.partial, "rubbish", 7);
    refused_partial(&w, good, ELB_MODEL, "ais.partial");
    world_close(&w);
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

static size_t peak(int64_t n, int64_t temperatures)
{
    fault f = {0};
    elb_settings settings = fault_settings(&f);
    world w = world_over(&settings, n, "ffg");
    elb_evaluate_settings how = ask(ELB_ESTIMATE_AIS);
    how.anneal = (elb_anneal_settings){.chains = 64, .temperatures = temperatures, .leapfrog = 1};
    size_t before = f.most = f.bytes;
    evaluate(&w, &how);
    assert_int_equal(f.bytes, before);
    size_t most = f.most - before;
    world_close(&w);
    return most;
}

static void test_memory(void **state)
{
    (void)state;
    size_t usual = peak(16, 3);
    assert_true(usual > 100000);
    assert_true(peak(64, 3) <= usual + 65536);
    assert_true(peak(16, 2000) <= usual + 65536);
}

/* --- refusals and faults ------------------------------------------------------------------------------------------ */

static void refused(world *w, elb_evaluate_settings how, elb_status status, const char *part)
{
    elb_evaluation r;
    assert_int_equal(elb_evaluate(w->vae, w->data, &how, &r), status);
    support_assert_message(w->c, part);
    assert_true(isnan(r.log_likelihood_nats));
}

static void test_refusals(void **state)
{
    (void)state;
    elb_settings settings = {.threads = 1};
    world w = world_usual(4), flow = world_over(&settings, 4, "iaf");
    elb_evaluate_settings good = ask(ELB_ESTIMATE_AIS), how = good;
    how.anneal.chains = 0;
    refused(&w, how, ELB_USAGE, "chains and temperatures, not 0 and 12");
    how = good;
    how.anneal.temperatures = 0;
    refused(&w, how, ELB_USAGE, "chains and temperatures, not 5 and 0");
    how = good;
    how.anneal.leapfrog = 0;
    refused(&w, how, ELB_USAGE, "at least 1 leapfrog step");
    how = good;
    how.partial = "/nonexistent/ais.partial";
    stopper s;
    stop_after(&how, &s, 1);
    how.batch = 1;
    refused(&w, how, ELB_FAILURE, "could not write");
    how = good;
    how.anneal.start = ELB_ANNEAL_POSTERIOR;
    refused(&flow, how, ELB_USAGE, "does not tell its density at a given z");
    assert_int_equal(elb_vae_set(flow.vae, "refine.family", "ffg"), ELB_OK);
    evaluate(&flow, &how);
    elb_mlp_output_bias(&w.vae->model->decoder)[3] = NAN;
    refused(&w, good, ELB_NUMERIC, "grey noise: the AIS weights of datum 0, counted from 0, are not finite");
    world_close(&flow);
    world_close(&w);
}

static elb_status stopped_and_whole(world *w)
{
    stopper s;
    elb_evaluation r;
    char *text = NULL;
    elb_evaluate_settings how = ask(ELB_ESTIMATE_BDMC);
    how.anneal = (elb_anneal_settings){.chains = 2, .temperatures = 2, .leapfrog = 1, .start = ELB_ANNEAL_POSTERIOR};
    how.limit = 6;
    how.batch = 2;
    how.per_datum = support_path(w->folder, "each.csv");
    how.partial = support_path(w->folder, "bdmc.partial");
    stop_after(&how, &s, 2);
    elb_status status = elb_evaluate(w->vae, NULL, &how, &r);
    if (status != ELB_INTERRUPTED) return status;
    stop_after(&how, &s, ANY);
    status = elb_evaluate(w->vae, NULL, &how, &r);
    if (status == ELB_OK) status = elb_evaluation_json(w->vae, NULL, &r, &text);
    elb_text_free(w->c, text);
    return status;
}

static void test_faults(void **state)
{
    (void)state;
    for (int writes = 0; writes < 2; writes++) {
        fault f = {0};
        elb_settings settings = fault_settings(&f);
        world w = world_over(&settings, 2, "ffg");
        elb_status status = ELB_MEMORY;
        int64_t n = 0, live = f.live;
        while (status != ELB_OK) {
            *(writes ? &f.write_countdown : &f.alloc_countdown) = ++n;
            status = stopped_and_whole(&w);
            assert_true(status == ELB_OK || status == (writes ? ELB_FAILURE : ELB_MEMORY));
            assert_int_equal(f.live, live);
            assert_true(n < 2000);
        }
        assert_true(n > (writes ? 1 : 20));
        f.write_countdown = f.alloc_countdown = 0;
        assert_int_equal(support_folder_count(w.folder), 1);
        world_close(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedules),  cmocka_unit_test(test_same_bits), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_bdmc),       cmocka_unit_test(test_json),      cmocka_unit_test(test_goes_on),
        cmocka_unit_test(test_other_work), cmocka_unit_test(test_memory),    cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
