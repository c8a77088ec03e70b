/* test_savi.c - the SAVI objective: its steps are those of refinement, data do not see each other, refusals, faults.
 * The derivative itself is checked in double, in stat_f64/test_savi.c. */
#include "vae_support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "infer/refine.h"

enum { DATA = 20, BATCH = 6 };

static const char savi[] = "model.latent=3 model.hidden=15 posterior.hidden=10 objective.type=savi refine.steps=3 "
                           "refine.method=momentum refine.rate=0.05 refine.clip=8";

static support_vae *savi_vae(elb_context *c, const char *more)
{
    char settings[512];
    snprintf(settings, sizeof settings, "%s %s", savi, more);
    support_vae *v = support_vae_create(c, DATA, BATCH, settings);
    support_vae_fill(v, 0.7, 3);
    support_vae_fill_data(v, 4);
    v->objective.refine = &v->config->refine;
    return v;
}

static void savi_end(support_vae *v)
{
    elb_objective_close(&v->objective);
    support_vae_destroy(v);
}

static elb_status savi_open(support_vae *v)
{
    return elb_objective_open(&v->objective, v->model, v->posterior);
}

static elb_status savi_step(support_vae *v, elb_loss *loss)
{
    assert_int_equal(elb_tape_reset(v->tape), ELB_OK);
    elb_tensor *x = elb_leaf(v->tape, "data", v->x, NULL, 2, (int64_t[]){v->batch, DATA});
    return elb_objective_step(&v->objective, v->tape, v->model, v->posterior, x, &v->noise, loss);
}

/* Every datum's loss at its end. */
static void each(const elb_loss *l, double value[BATCH])
{
    for (int64_t b = 0; b < l->kl->rows * l->kl->cols; b++)
        value[b] = (double)l->kl->data[b] - (double)l->reconstruction->data[b];
}

/* --- the steps ---------------------------------------------------------------------------------------------------- */

/* The loss is where elb_refiner_run ends with the same noise, clipped, with a part of lambda held, and from zero. */
static void test_steps(void **state)
{
    static const char *const ways[] = {"", "refine.part=mean", "refine.clip=0 refine.samples=2 refine.decay=1",
                                       "refine.start=zero", "objective.encoder=kl refine.method=adam"};
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        elb_context *c = support_context(NULL);
        support_vae *v = savi_vae(c, ways[i]);
        elb_refiner *r;
        elb_loss loss;
        double trained[BATCH], refined[BATCH], before[BATCH];
        assert_int_equal(savi_open(v), ELB_OK);
        assert_int_equal(savi_step(v, &loss), ELB_OK);
        each(&loss, trained);

        elb_tape *t = v->tape;
        assert_int_equal(elb_tape_reset(t), ELB_OK);
        elb_tensor *x = elb_leaf(t, "data", v->x, NULL, 2, (int64_t[]){BATCH, DATA});
        elb_tensor *lambda = elb_encode(v->posterior, t, x);
        elb_noise noise = v->noise;
        noise.samples = 1;
        elb_loss start = elb_elbo_at(&v->objective, t, v->model, v->posterior, x, lambda, &noise);
        assert_int_equal(elb_tape_run(t, NULL), ELB_OK);
        each(&start, before);
        if (v->config->refine.start == ELB_REFINE_FROM_ZERO)
            memset(lambda->data, 0, (size_t)(BATCH * lambda->cols) * sizeof *lambda->data);
        assert_int_equal(elb_refiner_create(v->model, v->posterior, &v->config->refine, &r), ELB_OK);
        elb_real end[BATCH * 6];
        memcpy(end, lambda->data, sizeof end);
        uint64_t key = elb_stream_key(v->noise.key, ELB_FOR_REFINE, 0);
        assert_int_equal(elb_refiner_run(r, key, BATCH, v->datum, v->x, end), ELB_OK);
        assert_int_equal(elb_tape_reset(t), ELB_OK);
        x = elb_leaf(t, "data", v->x, NULL, 2, (int64_t[]){BATCH, DATA});
        lambda = elb_leaf(t, "refined", end, NULL, 2, (int64_t[]){BATCH, 6});
        loss = elb_elbo_at(&v->objective, t, v->model, v->posterior, x, lambda, &noise);
        assert_int_equal(elb_tape_run(t, NULL), ELB_OK);
        each(&loss, refined);
        for (int b = 0; b < BATCH; b++) {
            support_assert_near(trained[b], refined[b], 1e-4, 0);
            assert_true(fabs(trained[b] - before[b]) > 1e-3);
        }
        elb_refiner_destroy(r);
        savi_end(v);
        support_context_end(c, NULL);
    }
}

/* The batch's gradient is the mean of its data's: clipping, too, is every datum's own. */
static void test_data_apart(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    support_vae *v = savi_vae(c, "objective.difference=central objective.radius=0.01");
    elb_params *p = &v->model->params, *q = &v->posterior->params;
    double model[4096] = {0}, posterior[4096] = {0};
    elb_real *x = v->x;
    uint64_t *datum = v->datum;
    elb_loss loss;
    assert_true(p->size <= 4096 && q->size <= 4096);
    assert_int_equal(savi_open(v), ELB_OK);
    v->batch = 1;
    for (int b = 0; b < BATCH; b++) {
        v->x = x + b * DATA;
        v->noise.datum = datum + b;
        assert_int_equal(savi_step(v, &loss), ELB_OK);
        for (int64_t i = 0; i < p->size; i++) model[i] += (double)p->grad[i] / BATCH;
        for (int64_t i = 0; i < q->size; i++) posterior[i] += (double)q->grad[i] / BATCH;
    }
    v->x = x;
    v->noise.datum = datum;
    v->batch = BATCH;
    assert_int_equal(savi_step(v, &loss), ELB_OK);
    for (int64_t i = 0; i < p->size; i++) support_assert_near((double)p->grad[i], model[i], 2e-3, 2e-3);
    for (int64_t i = 0; i < q->size; i++) support_assert_near((double)q->grad[i], posterior[i], 2e-3, 2e-3);
    savi_end(v);
    support_context_end(c, NULL);
}

/* Forward differences in float are within a percent of central ones. */
static void test_differences(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    support_vae *v[] = {savi_vae(c, ""), savi_vae(c, "objective.difference=central objective.radius=0.01")};
    for (int b = 0; b < SUPPORT_VAE_BLOCKS; b++) {
        double error = 0, size = 0;
        const elb_params *p = support_vae_block(v[0], b), *q = support_vae_block(v[1], b);
        for (int i = 0; i < 2 && b == 0; i++) {
            elb_loss loss;
            assert_int_equal(savi_open(v[i]), ELB_OK);
            assert_int_equal(savi_step(v[i], &loss), ELB_OK);
        }
        for (int64_t i = 0; i < p->size; i++) {
            error += pow((double)p->grad[i] - (double)q->grad[i], 2);
            size += pow((double)q->grad[i], 2);
        }
        assert_true(size > 0 && error < 1e-4 * size);
    }
    savi_end(v[0]);
    savi_end(v[1]);
    support_context_end(c, NULL);
}

/* --- refusals, faults --------------------------------------------------------------------------------------------- */

static void test_refusals(void **state)
{
    static const struct {
        const char *settings, *words;
    } cases[] = {
        {"refine.steps=0", "set refine.steps"},
        {"refine.family=ffg", "set refine.family=own and refine.gate=none"},
        {"refine.gate=best", "set refine.family=own and refine.gate=none"},
        {"refine.method=adam", "set refine.method=momentum"},
        {"refine.tolerance=0.1", "refine.tolerance=0"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fault f;
        elb_context *c = support_context(&f);
        support_vae *v = savi_vae(c, cases[i].settings);
        assert_int_equal(savi_open(v), ELB_USAGE);
        support_assert_message(c, cases[i].words);
        savi_end(v);
        support_context_end(c, &f);
    }
    elb_context *c = support_context(NULL);
    support_vae *v = savi_vae(c, "objective.encoder=kl");
    v->objective.refine = NULL;
    assert_int_equal(savi_open(v), ELB_USAGE);
    v->objective.refine = &v->config->refine;
    elb_posterior_type bare = *v->posterior->type;
    bare.log_density = NULL;
    v->posterior->type = &bare;
    assert_int_equal(savi_open(v), ELB_USAGE);
    support_assert_message(c, "needs the density of any z");
    savi_end(v);
    support_context_end(c, NULL);
}

static void test_not_finite(void **state)
{
    static const char *const ways[] = {"", "objective.encoder=start"};
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        elb_context *c = support_context(NULL);
        support_vae *v = savi_vae(c, ways[i]);
        elb_loss loss;
        assert_int_equal(savi_open(v), ELB_OK);
        v->x[3] = NAN;
        assert_int_equal(savi_step(v, &loss), ELB_NUMERIC);
        support_assert_message(c, "refinement step 1");
        assert_null(loss.reconstruction);
        v->x[3] = 1;
        assert_int_equal(savi_step(v, &loss), ELB_OK);
        savi_end(v);
        support_context_end(c, NULL);
    }
}

static void test_allocation_failures(void **state)
{
    static const char *const ways[] = {"refine.part=mean", "objective.encoder=kl"};
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        fault f;
        elb_context *c = support_context(&f);
        support_vae *v = savi_vae(c, ways[i]);
        elb_status status = ELB_MEMORY;
        elb_loss loss;
        int64_t n = 0;
        while (status != ELB_OK) {
            f.alloc_countdown = ++n;
            status = savi_open(v);
            if (status == ELB_OK) status = savi_step(v, &loss);
            assert_true(status == ELB_OK || status == ELB_MEMORY);
            elb_objective_close(&v->objective);
            assert_false(v->model->params.frozen || v->posterior->params.frozen);
        }
        assert_true(n > 5);
        f.alloc_countdown = 0;
        savi_end(v);
        support_context_end(c, &f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),    cmocka_unit_test(test_data_apart), cmocka_unit_test(test_differences),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_not_finite), cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
