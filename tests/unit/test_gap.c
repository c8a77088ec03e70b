/* test_gap.c - elbow gap and optima: going on where it was stopped, refusals, faults; flows as the datum's own. */
#include "world_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <elbow/gap.h>

#include "infer/importance.h"
#include "infer/inference.h"
#include "infer/optimum.h"
#include "run/blocks.h"

enum { SIDE = 4, DATA = SIDE * SIDE, COUNT_OF_DATA = 40 };

/* settings: over a small one. */
static world small_world(fault *f, const char *settings)
{
    char all[512];
    snprintf(all, sizeof all,
             "model.latent=2 model.hidden=8 posterior.hidden=8 posterior.flow_hidden=5 posterior.flow_steps=2 "
             "posterior.order=2 likelihood.type=bernoulli data.binarise=dynamic %s",
             settings);
    world w = world_make(support_context(f), COUNT_OF_DATA, 2, (int64_t[]){SIDE, SIDE}, all);
    elb_params *p = &w.vae->model->params; /* a posterior with something to find */
    for (int64_t i = 0; i < p->size; i++) p->data[i] *= 2;
    return w;
}

static void small_world_end(world *w, fault *f)
{
    world_end(w);
    support_context_end(w->c, f);
}

static elb_gap_settings small(const world *w)
{
    return (elb_gap_settings){.folder = w->folder,
                              .samples = 30,
                              .full = true,
                              .flow = true,
                              .starts = 2,
                              .steps = 200,
                              .step_samples = 2,
                              .tolerance = 0.01,
                              .anneal = {.chains = 2, .temperatures = 4, .leapfrog = 2},
                              .seed = 5};
}

static elb_status gap(world *w, const elb_gap_settings *how, elb_gap_result *r)
{
    elb_gap_set set = {ELB_PART_TEST, w->data};
    return elb_gap(w->vae, &set, 1, how, r, NULL);
}

/* --- going on ----------------------------------------------------------------------------------------------------- */

typedef struct stopper {
    int64_t calls, stop; /* the stop-th call asks to stop */
} stopper;

static elb_status stopper_tell(void *user, const elb_progress *p)
{
    stopper *s = user;
    return p->last || ++s->calls != s->stop ? ELB_OK : ELB_INTERRUPTED;
}

static void same_numbers(const elb_gap_result *a, const elb_gap_result *b)
{
    elb_gap_result x = *a, y = *b;
    memset(x.seconds, 0, sizeof x.seconds); /* the clock's */
    memset(y.seconds, 0, sizeof y.seconds);
    assert_memory_equal(&x, &y, sizeof x);
}

static void test_resumed(void **state)
{
    (void)state;
    world w = small_world(NULL, "");
    elb_gap_settings how = small(&w), stopped = how;
    elb_gap_result whole, r;
    memset(&whole, 0, sizeof whole);
    memset(&r, 0, sizeof r);
    assert_int_equal(gap(&w, &how, &whole), ELB_OK);
    char *other = support_folder_make();
    stopped.folder = other;
    stopper s = {0, 0};
    stopped.progress = stopper_tell;
    stopped.user = &s;
    elb_status status = ELB_INTERRUPTED;
    int rounds = 0;
    for (s.stop = 3; status == ELB_INTERRUPTED; s.stop += 2, rounds++) {
        s.calls = 0;
        status = gap(&w, &stopped, &r);
    }
    assert_int_equal(status, ELB_OK);
    assert_true(rounds > 1);
    same_numbers(&whole, &r);
    char *a = support_file_read(support_path(w.folder, "gap-test.csv"), NULL);
    char *b = support_file_read(support_path(other, "gap-test.csv"), NULL);
    assert_string_equal(a, b);
    free(a);
    free(b);
    support_folder_remove(other);
    small_world_end(&w, NULL);
}

/* --- every family ------------------------------------------------------------------------------------------------- */

static void test_families(void **state)
{
    static const struct {
        const char *keys;
        elb_gap_part own;
    } cases[] = {
        {"posterior.type=ffg", ELB_GAP_FFG},
        {"posterior.type=gp objective.type=gp", ELB_GAP_FFG},
        {"posterior.type=full", ELB_GAP_FULL},
        {"posterior.type=aux_flow", ELB_GAP_FLOW},
        {"posterior.type=iaf", ELB_GAP_OWN},
        {"posterior.type=aux_flow posterior.flow_context=local", ELB_GAP_FLOW},
        {"posterior.type=householder", ELB_GAP_OWN},
        {"posterior.type=mixture", ELB_GAP_OWN},
        {"posterior.type=mixture refine.gate=best refine.family=ffg", ELB_GAP_FFG},
        {"posterior.type=iaf refine.family=full refine.steps=3", ELB_GAP_FULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world w = small_world(NULL, cases[i].keys);
        elb_gap_settings how = small(&w);
        elb_gap_result r;
        how.limit = 6;
        how.steps = 1200;
        how.step_samples = 16;
        how.samples = 2000;
        how.full = how.flow = false;
        if (gap(&w, &how, &r) != ELB_OK) fail_msg("%s: %s", cases[i].keys, elb_context_message(w.c));
        assert_int_equal(r.own, cases[i].own);
        assert_int_equal(r.n, 6);
        assert_true(isfinite(r.elbo[r.own].mean));
        assert_true(r.amortisation.mean > -0.05);
        assert_true(r.approximation.mean > -0.05);
        support_assert_near(r.inference.mean, r.approximation.mean + r.amortisation.mean, 1e-9, 0);
        small_world_end(&w, NULL);
    }
}

/* --- a trained flow as the datum's own ---------------------------------------------------------------------------- */

/* Means of ELBO and IWAE-K of the encoder's q, or of what it is as another family. */
static elb_importance_result weigh(world *w, int family)
{
    enum { SOME = 8 };
    elb_refine_options options = {.family = family, .samples = 1};
    elb_importance *e;
    elb_importance_result r[SOME], mean = {0};
    elb_real x[SOME * DATA];
    uint64_t datum[SOME];
    for (int i = 0; i < SOME * DATA; i++) x[i] = support_number(3, (uint64_t)i) > 0;
    for (int i = 0; i < SOME; i++) datum[i] = (uint64_t)i;
    assert_int_equal(elb_importance_create(w->c, w->vae->model, w->vae->posterior, &options, 50, 1, &e), ELB_OK);
    if (elb_importance_block(e, SOME, datum, x, r) != ELB_OK) fail_msg("%s", elb_context_message(w->c));
    for (int i = 0; i < SOME; i++) mean.elbo += r[i].elbo / SOME, mean.log_likelihood += r[i].log_likelihood / SOME;
    elb_importance_destroy(e);
    return mean;
}

static void test_localised(void **state)
{
    static const char *const keys[] = {"posterior.type=aux_flow", "posterior.type=aux_flow posterior.flow_context=none",
                                       "posterior.type=aux_flow posterior.flow_form=affine posterior.flow_hidden="};
    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        world w = small_world(NULL, keys[i]);
        elb_params *p = &w.vae->posterior->params;
        for (int64_t k = 0; k < p->size; k++) /* not so large that exponentials of exponentials overflow */
            p->data[k] = (elb_real)(0.4 * (double)p->data[k] + 0.1 * support_number(8, (uint64_t)k));
        elb_importance_result shared = weigh(&w, ELB_REFINE_OWN), own = weigh(&w, ELB_REFINE_FLOW);
        support_assert_near(own.elbo, shared.elbo, 1e-3, 1e-5);
        support_assert_near(own.log_likelihood, shared.log_likelihood, 1e-3, 1e-5);
        small_world_end(&w, NULL);
    }
}

/* A flow, and a full covariance, that begin as a diagonal Gaussian are that Gaussian. */
static void test_from_moments(void **state)
{
    static const char *const forms[] = {"", "posterior.flow_form=affine"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        world w = small_world(NULL, forms[i]);
        elb_importance_result ffg = weigh(&w, ELB_REFINE_FFG);
        support_assert_near(weigh(&w, ELB_REFINE_FULL).elbo, ffg.elbo, 1e-3, 1e-5);
        elb_importance_result flow = weigh(&w, ELB_REFINE_FLOW); /* its KL is by samples */
        support_assert_near(flow.log_likelihood, ffg.log_likelihood, 1e-3, 1e-5);
        small_world_end(&w, NULL);
    }
}

/* --- refusals and faults ------------------------------------------------------------------------------------------ */

static void refused(world *w, elb_gap_settings how, elb_status status, const char *part)
{
    elb_gap_result r;
    assert_int_equal(gap(w, &how, &r), status);
    support_assert_message(w->c, part);
}

static void test_refusals(void **state)
{
    (void)state;
    world w = small_world(NULL, "model.latent=3");
    elb_gap_settings good = small(&w), how;
    how = good, how.folder = "";
    refused(&w, how, ELB_USAGE, "need a folder");
    how = good, how.limit = -1;
    refused(&w, how, ELB_USAGE, "limit counts data");
    how = good, how.seed = UINT64_MAX;
    refused(&w, how, ELB_USAGE, "the seed must be at most");
    static const char sentence[] = "the gaps take 1 or more samples, starts";
    how = good, how.starts = 0;
    refused(&w, how, ELB_USAGE, sentence);
    how = good, how.steps = -1;
    refused(&w, how, ELB_USAGE, sentence);
    how = good, how.tolerance = 0;
    refused(&w, how, ELB_USAGE, sentence);
    how = good, how.samples = 0;
    refused(&w, how, ELB_USAGE, sentence);
    how = good, how.step_samples = 0;
    refused(&w, how, ELB_USAGE, sentence);
    how = good, how.anneal.chains = 0;
    refused(&w, how, ELB_USAGE, sentence);
    assert_int_equal(support_folder_count(w.folder), 0);
    elb_gap_result r;
    assert_int_equal(elb_gap(w.vae, NULL, 0, &good, &r, NULL), ELB_USAGE);
    support_assert_message(w.c, "1 to 4 sets");
    elb_gap_set set = {ELB_PART_TEST, w.data};
    assert_int_equal(elb_gap_picture(w.vae, &set, NULL, 0, &good), ELB_MODEL);
    support_assert_message(w.c, "2 latent numbers, and this one has 3");
    small_world_end(&w, NULL);
}

/* The n-th allocation fails, and the n-th write. */
static void check_faults(bool writes, bool picture)
{
    elb_status status = ELB_MEMORY;
    for (int64_t n = 1; status != ELB_OK; n += n < 40 ? 1 : n / 8) {
        fault f;
        world w = small_world(&f, "");
        elb_gap_settings how = small(&w);
        elb_gap_set set = {ELB_PART_TEST, w.data};
        elb_gap_result r;
        how.limit = 2;
        how.steps = 10;
        if (writes)
            f.write_countdown = n;
        else
            f.alloc_countdown = n;
        status = picture ? elb_gap_picture(w.vae, &set, NULL, 0, &how) : gap(&w, &how, &r);
        if (status != ELB_OK) assert_int_equal(status, writes ? ELB_FAILURE : ELB_MEMORY);
        f.write_countdown = f.alloc_countdown = 0;
        small_world_end(&w, &f);
        assert_true(n < 1000000);
    }
}

static void test_faults(void **state)
{
    (void)state;
    check_faults(false, false);
    check_faults(true, false);
    check_faults(false, true);
    check_faults(true, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resumed),      cmocka_unit_test(test_families), cmocka_unit_test(test_localised),
        cmocka_unit_test(test_from_moments), cmocka_unit_test(test_refusals), cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
