/* test_inference.c - lambda(x) by way of encoder, family and refinement: the same bits in any
 * batch, and what is refused. */
#include "vae_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infer/importance.h"
#include "infer/inference.h"

enum { DATA = 40, BATCH = 300, LATENT = 3, LOCAL = 2 * LATENT };

static support_vae *network(elb_context *c, const char *settings)
{
    char all[512];
    snprintf(all, sizeof all, "model.latent=3 model.hidden=30 posterior.hidden=20 %s", settings);
    support_vae *v = support_vae_create(c, DATA, BATCH, all);
    support_vae_fill(v, 0.4, 3);
    support_vae_fill_data(v, 4);
    return v;
}

static elb_inference *open(support_vae *v)
{
    elb_inference *i;
    if (elb_inference_create(v->context, v->model, v->posterior, &v->config->refine, 7, &i) != ELB_OK)
        fail_msg("%s", elb_context_message(v->context));
    return i;
}

static void infer(elb_inference *i, support_vae *v, int64_t first, int64_t count, elb_real *lambda)
{
    if (elb_inference_run(i, count, v->datum + first, v->x + first * DATA, lambda + first * LOCAL) != ELB_OK)
        fail_msg("%s", elb_context_message(v->context));
}

/* --- data do not see each other ----------------------------------------------------------------------------------- */

/* Together, alone, and some of them. */
static void same_bits(const char *kernels, int threads, const char *settings)
{
    static elb_real together[BATCH * LOCAL], apart[BATCH * LOCAL];
    static const int64_t cuts[] = {0, 1, 2, 77, 205, BATCH};
    elb_settings with = {.threads = threads, .kernels = kernels};
    elb_context *c;
    assert_int_equal(elb_context_create(&with, &c), ELB_OK);
    support_vae *v = network(c, settings);
    elb_inference *i = open(v);
    infer(i, v, 0, BATCH, together);
    for (size_t k = 0; k + 1 < sizeof cuts / sizeof *cuts; k++) infer(i, v, cuts[k], cuts[k + 1] - cuts[k], apart);
    assert_memory_equal(together, apart, sizeof together);
    elb_inference_destroy(i);
    support_vae_destroy(v);
    elb_context_destroy(c);
}

static void test_same_bits(void **state)
{
    static const char *const ways[] = {
        "",
        "refine.steps=5",
        "refine.steps=5 refine.start=zero refine.part=mean refine.samples=3",
        "refine.steps=120 refine.tolerance=0.05 refine.method=momentum refine.clip=3 refine.rate=0.02",
        "refine.steps=3 likelihood.type=gaussian likelihood.variance=predicted model.activation=gated",
    };
    (void)state;
    for (const elb_kernels *const *k = elb_kernels_available(); *k != NULL; k++)
        for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) same_bits((*k)->name, 1 + (int)w % 2, ways[w]);
}

/* The estimate of a refined datum, too, is its own, and better. */
static void test_importance(void **state)
{
    (void)state;
    enum { SOME = 9, SAMPLES = 40 };
    elb_context *c = support_context(NULL);
    support_vae *v = network(c, "refine.steps=40");
    elb_importance *plain, *refined;
    elb_importance_result results[2][BATCH], alone[SOME];
    double gain = 0;
    assert_int_equal(elb_importance_create(c, v->model, v->posterior, NULL, SAMPLES, 2, &plain), ELB_OK);
    assert_int_equal(elb_importance_create(c, v->model, v->posterior, &v->config->refine, SAMPLES, 2, &refined),
                     ELB_OK);
    assert_true(elb_importance_batch(refined) >= 1024 && elb_importance_batch(plain) == ELB_IMPORTANCE_BLOCK);
    assert_int_equal(elb_importance_block(plain, BATCH, v->datum, v->x, results[0]), ELB_OK);
    assert_int_equal(elb_importance_block(refined, BATCH, v->datum, v->x, results[1]), ELB_OK);
    for (int b = 0; b < BATCH; b++) gain += (results[1][b].elbo - results[0][b].elbo) / BATCH;
    assert_true(gain > 0.1);
    assert_int_equal(elb_importance_block(refined, SOME, v->datum + 150, v->x + 150 * DATA, alone), ELB_OK);
    for (int b = 0; b < SOME; b++) assert_memory_equal(&alone[b], &results[1][150 + b], 2 * sizeof(double));
    elb_importance_destroy(plain);
    elb_importance_destroy(refined);
    support_vae_destroy(v);
    support_context_end(c, NULL);
}

/* --- where it starts, and what it becomes ------------------------------------------------------------------------- */

static void test_start(void **state)
{
    (void)state;
    static elb_real lambda[BATCH * LOCAL];
    elb_context *c = support_context(NULL);
    support_vae *v = network(c, "refine.start=zero");
    elb_inference *i = open(v);
    memset(lambda, 1, sizeof lambda);
    infer(i, v, 0, BATCH, lambda);
    for (int k = 0; k < BATCH * LOCAL; k++) assert_true(lambda[k] == 0);
    elb_inference_destroy(i);
    v->config->refine.start = ELB_REFINE_FROM_ENCODER;
    i = open(v);
    infer(i, v, 0, BATCH, lambda);
    elb_tape_fix_rows(v->tape);
    elb_tensor *x = elb_leaf(v->tape, "data", v->x, NULL, 2, (int64_t[]){BATCH, DATA});
    elb_tensor *encoded = elb_encode(v->posterior, v->tape, x);
    assert_int_equal(elb_tape_run(v->tape, NULL), ELB_OK);
    assert_memory_equal(lambda, encoded->data, sizeof lambda);
    elb_inference_destroy(i);
    support_vae_destroy(v);
    support_context_end(c, NULL);
}

/* A family by another name: of its lambda [s, m], the mean second. */
static elb_tensor *swapped_mean(elb_posterior *q, elb_tape *t, elb_tensor *lambda)
{
    return elb_columns(t, lambda, q->latent, q->latent);
}

static elb_tensor *swapped_log_variance(elb_posterior *q, elb_tape *t, elb_tensor *lambda)
{
    return elb_columns(t, lambda, 0, q->latent);
}

static void swapped_mark(const elb_posterior *q, elb_real *mark)
{
    for (int64_t i = q->latent; i < 2 * q->latent; i++) mark[i] = 1;
}

static void test_family(void **state)
{
    (void)state;
    static elb_real own[BATCH * LOCAL], changed[BATCH * LOCAL];
    elb_context *c = support_context(NULL);
    support_vae *v = network(c, "refine.family=ffg");
    elb_inference *i = open(v);
    assert_ptr_equal(elb_inference_family(i), v->posterior); /* it is one already */
    infer(i, v, 0, BATCH, own);
    elb_inference_destroy(i);

    elb_posterior_type swapped = *v->posterior->type;
    swapped.name = "swapped";
    swapped.mean = swapped_mean;
    swapped.log_variance = swapped_log_variance;
    swapped.mark_mean = swapped_mark;
    v->posterior->type = &swapped;
    i = open(v);
    assert_string_equal(elb_inference_family(i)->type->name, "ffg");
    assert_true(elb_inference_family(i)->params.data == NULL); /* no encoder */
    infer(i, v, 0, BATCH, changed);
    for (int b = 0; b < BATCH; b++) {
        assert_memory_equal(changed + b * LOCAL, own + b * LOCAL + LATENT, LATENT * sizeof *own);
        assert_memory_equal(changed + b * LOCAL + LATENT, own + b * LOCAL, LATENT * sizeof *own);
    }
    elb_inference_destroy(i);
    elb_real mark[LOCAL], want[LOCAL] = {0, 0, 0, 1, 1, 1};
    elb_mark_mean(v->posterior, mark);
    assert_memory_equal(mark, want, sizeof mark);
    support_vae_destroy(v);
    support_context_end(c, NULL);
}

static void test_refusals(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    support_vae *v = network(c, "refine.gate=best");
    elb_inference *i;
    assert_int_equal(elb_inference_create(c, v->model, v->posterior, &v->config->refine, 7, &i), ELB_USAGE);
    support_assert_message(c, "refine.gate=best chooses among the components of a mixture");
    assert_null(i);
    support_vae_destroy(v);
    support_context_end(c, NULL);
}

/* --- watching ----------------------------------------------------------------------------------------------------- */

typedef struct seen {
    int64_t steps[BATCH]; /* that each datum took */
    double loss[200];     /* mean over the data that took the step */
    int64_t calls, stop_at;
} seen;

static elb_status see(void *user, const elb_refine_step *s)
{
    seen *u = user;
    assert_true(s->taken >= 1 && s->taken <= s->steps && s->count >= 1 && s->count <= s->batch);
    u->calls++;
    u->loss[s->taken - 1] = 0;
    for (int64_t b = 0; b < s->count; b++) {
        assert_true(s->place[b] >= 0 && s->place[b] < s->batch);
        assert_int_equal(u->steps[s->first + s->place[b]], s->taken - 1);
        u->steps[s->first + s->place[b]] = s->taken;
        u->loss[s->taken - 1] += (double)s->loss[b] / (double)s->count;
    }
    return u->calls == u->stop_at ? ELB_INTERRUPTED : ELB_OK;
}

static void test_watch(void **state)
{
    (void)state;
    static elb_real lambda[BATCH * LOCAL];
    elb_context *c = support_context(NULL);
    support_vae *v = network(c, "refine.steps=200 refine.rate=0.05");
    elb_inference *i = open(v);
    seen u = {.stop_at = 0};
    elb_inference_watch(i, see, &u);
    infer(i, v, 0, BATCH, lambda);
    assert_int_equal(u.calls, 200);
    for (int b = 0; b < BATCH; b++) assert_int_equal(u.steps[b], 200);
    assert_true(u.loss[199] < u.loss[0] - 0.1);
    u = (seen){.stop_at = 3};
    assert_int_equal(elb_inference_run(i, BATCH, v->datum, v->x, lambda), ELB_INTERRUPTED);
    assert_int_equal(u.calls, 3);
    elb_inference_watch(i, NULL, NULL);
    infer(i, v, 0, BATCH, lambda);
    assert_int_equal(u.calls, 3);
    elb_inference_destroy(i);
    support_vae_destroy(v);
    support_context_end(c, NULL);
}

/* Data leave when they no longer rise: some earlier than others, and little is lost. */
static void test_convergence(void **state)
{
    (void)state;
    static elb_real lambda[BATCH * LOCAL];
    elb_context *c = support_context(NULL);
    support_vae *v = network(c, "refine.steps=200 refine.rate=0.02 refine.tolerance=0.02");
    elb_inference *i = open(v);
    seen u = {.stop_at = 0};
    elb_inference_watch(i, see, &u);
    infer(i, v, 0, BATCH, lambda);
    int64_t least = 200, most = 0;
    for (int b = 0; b < BATCH; b++) {
        assert_true(u.steps[b] % 50 == 0);
        if (u.steps[b] < least) least = u.steps[b];
        if (u.steps[b] > most) most = u.steps[b];
    }
    assert_true(least < most && least >= 50);
    elb_inference_destroy(i);
    double elbo[2] = {0};
    for (int k = 0; k < 2; k++) {
        elb_importance *e;
        elb_importance_result r[BATCH];
        v->config->refine.tolerance = k == 0 ? 0.02 : 0;
        assert_int_equal(elb_importance_create(c, v->model, v->posterior, &v->config->refine, 100, 2, &e), ELB_OK);
        assert_int_equal(elb_importance_block(e, BATCH, v->datum, v->x, r), ELB_OK);
        for (int b = 0; b < BATCH; b++) elbo[k] += r[b].elbo / BATCH;
        elb_importance_destroy(e);
    }
    support_assert_near(elbo[0], elbo[1], 0.05, 0);
    support_vae_destroy(v);
    support_context_end(c, NULL);
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

static void test_allocation_failures(void **state)
{
    (void)state;
    static elb_real lambda[BATCH * LOCAL];
    fault f;
    elb_context *c = support_context(&f);
    support_vae *v = network(c, "refine.steps=60 refine.rate=0.02 refine.tolerance=0.05 refine.part=mean");
    elb_status status = ELB_MEMORY;
    int64_t n = 0, live = f.live;
    while (status != ELB_OK) {
        elb_inference *i;
        f.alloc_countdown = ++n;
        status = elb_inference_create(c, v->model, v->posterior, &v->config->refine, 7, &i);
        if (status == ELB_OK) status = elb_inference_run(i, 9, v->datum, v->x, lambda);
        assert_true(status == ELB_OK || status == ELB_MEMORY);
        elb_inference_destroy(i);
        if (n > 1) assert_int_equal(f.live, live);
        live = f.live;
    }
    assert_true(n > 8);
    f.alloc_countdown = 0;
    support_vae_destroy(v);
    support_context_end(c, &f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits),   cmocka_unit_test(test_importance),
        cmocka_unit_test(test_start),       cmocka_unit_test(test_family),
        cmocka_unit_test(test_refusals),    cmocka_unit_test(test_watch),
        cmocka_unit_test(test_convergence), cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
