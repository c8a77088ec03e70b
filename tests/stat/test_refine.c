/* test_refine.c - stochastic variational inference against closed-form optima; refusals, faults. */
#include "vae_support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "infer/refine.h"
#include "doctor/oracle.h"

/* --- the optimum -------------------------------------------------------------------------------------------------- */

enum { COPIES = 64, WIDTH = 4 };

static const double poor_mean[] = {0.5, 1}, poor_variance[] = {0.3, 0.2};

typedef struct copies {
    elb_oracle oracle;
    elb_real x[COPIES * ELB_ORACLE_DATA], lambda[COPIES * WIDTH];
    uint64_t datum[COPIES];
} copies;

/* The same datum many times, each with noise of its own. */
static copies copies_make(elb_context *c, const elb_oracle_facts *facts)
{
    copies m;
    assert_int_equal(elb_oracle_create(c, facts, &m.oracle), ELB_OK);
    for (int i = 0; i < COPIES; i++) {
        m.datum[i] = (uint64_t)i;
        for (int d = 0; d < ELB_ORACLE_DATA; d++) m.x[i * ELB_ORACLE_DATA + d] = (elb_real)facts->x[d];
    }
    memset(m.lambda, 0, sizeof m.lambda);
    return m;
}

static void copies_start(copies *m, const double *mean, const double *variance)
{
    for (int i = 0; i < COPIES; i++)
        for (int u = 0; u < 2; u++) {
            m->lambda[i * WIDTH + u] = (elb_real)mean[u];
            m->lambda[i * WIDTH + 2 + u] = (elb_real)log(variance[u]);
        }
}

static void refine(copies *m, int64_t steps, double rate, uint64_t seed)
{
    elb_refine_options how = {.steps = steps, .rate = rate, .samples = 1};
    elb_refiner *r;
    assert_int_equal(elb_refiner_create(m->oracle.model, m->oracle.posterior, &how, &r), ELB_OK);
    if (elb_refiner_run(r, seed, COPIES, m->datum, m->x, m->lambda) != ELB_OK)
        fail_msg("%s", elb_context_message(m->oracle.model->context));
    elb_refiner_destroy(r);
}

/* ELBO of N(m, diag e^s) in the linear-Gaussian model, in double. */
static double exact_elbo(const elb_oracle_facts *f, const elb_real *lambda)
{
    double elbo = -1.5 * log(2 * acos(-1.0) * f->variance);
    for (int d = 0; d < 3; d++) {
        double r = f->x[d] - f->bias[d], spread = 0;
        for (int u = 0; u < 2; u++) {
            r -= f->weight[d][u] * (double)lambda[u];
            spread += f->weight[d][u] * f->weight[d][u] * exp((double)lambda[2 + u]);
        }
        elbo -= (r * r + spread) / (2 * f->variance);
    }
    for (int u = 0; u < 2; u++) {
        double m = (double)lambda[u], s = (double)lambda[2 + u];
        elbo -= 0.5 * (exp(s) + m * m - 1 - s);
    }
    return elbo;
}

static void assert_optimum(const copies *m)
{
    const elb_oracle_facts *f = m->oracle.facts;
    double mean[WIDTH] = {0}, elbo = 0;
    for (int i = 0; i < COPIES; i++) {
        elbo += exact_elbo(f, m->lambda + i * WIDTH) / COPIES;
        for (int k = 0; k < WIDTH; k++) mean[k] += (double)m->lambda[i * WIDTH + k] / COPIES;
    }
    support_assert_near(elbo, f->best_elbo, 1e-3, 0);
    for (int u = 0; u < 2; u++) {
        support_assert_near(mean[u], f->best_mean[u], 0.01, 0);
        support_assert_near(mean[2 + u], log(f->best_variance[u]), 0.02, 0);
    }
}

/* To where single noisy steps still move: the step size is lowered twice. */
static void refine_to_rest(copies *m, uint64_t seed)
{
    refine(m, 1500, 5e-3, seed);
    refine(m, 3000, 1e-3, seed + 1);
    refine(m, 6000, 2e-4, seed + 2);
}

static void test_optimum(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    copies m = copies_make(c, &elb_oracle_linear_gaussian);
    copies_start(&m, poor_mean, poor_variance);
    support_assert_near(exact_elbo(m.oracle.facts, m.lambda), -6.323175187154, 1e-5, 0);
    refine_to_rest(&m, 1);
    assert_optimum(&m);
    memset(m.lambda, 0, sizeof m.lambda); /* from nowhere: m = 0, v = 1 */
    refine_to_rest(&m, 11);
    assert_optimum(&m);
    elb_oracle_destroy(&m.oracle);
    support_context_end(c, NULL);
}

/* The mean ELBO rises with the number of steps. */
static void test_rises(void **state)
{
    (void)state;
    static const int64_t steps[] = {0, 1, 10, 100, 1000};
    elb_context *c = support_context(NULL);
    copies m = copies_make(c, &elb_oracle_linear_gaussian);
    double before = -INFINITY;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        copies_start(&m, poor_mean, poor_variance);
        refine(&m, steps[i], 3e-3, 1);
        double elbo = 0;
        for (int j = 0; j < COPIES; j++) elbo += exact_elbo(m.oracle.facts, m.lambda + j * WIDTH) / COPIES;
        assert_true(elbo > before);
        before = elbo;
    }
    elb_oracle_destroy(&m.oracle);
    support_context_end(c, NULL);
}

static void test_bernoulli(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    copies m = copies_make(c, &elb_oracle_bernoulli); /* lambda is [COPIES, 2] here */
    refine_to_rest(&m, 1);
    double mean = 0, log_variance = 0;
    for (int i = 0; i < COPIES; i++) {
        mean += (double)m.lambda[2 * i] / COPIES;
        log_variance += (double)m.lambda[2 * i + 1] / COPIES;
    }
    support_assert_near(mean, m.oracle.facts->best_mean[0], 0.01, 0);
    support_assert_near(log_variance, log(m.oracle.facts->best_variance[0]), 0.02, 0);
    elb_oracle_destroy(&m.oracle);
    support_context_end(c, NULL);
}

/* --- one datum beside others -------------------------------------------------------------------------------------- */

enum { DATA = 20, BATCH = 6, LOCAL = 6 };

static support_vae *network(elb_context *c)
{
    support_vae *v = support_vae_create(c, DATA, BATCH, "model.latent=3 model.hidden=15 posterior.hidden=10");
    support_vae_fill(v, 0.7, 3);
    support_vae_fill_data(v, 4);
    return v;
}

enum { KEY = 5 };

static elb_status refine_some(support_vae *v, int64_t first, int64_t count, const elb_refine_options *how,
                              elb_real *lambda)
{
    elb_refiner *r;
    elb_status status = elb_refiner_create(v->model, v->posterior, how, &r);
    if (status != ELB_OK) return status;
    status = elb_refiner_run(r, KEY, count, v->datum + first, v->x + first * DATA, lambda + first * LOCAL);
    elb_refiner_destroy(r);
    return status;
}

/* A datum alone goes the way it goes among others, but for rounding: the gradient is its own. */
static void test_batch(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    support_vae *v = network(c);
    elb_real together[BATCH * LOCAL] = {0}, alone[BATCH * LOCAL] = {0}, other[BATCH * LOCAL] = {0};
    elb_refine_options how = {.steps = 50, .rate = 1e-2, .samples = 1};
    assert_int_equal(refine_some(v, 0, BATCH, &how, together), ELB_OK);
    for (int i = 0; i < BATCH; i++) assert_int_equal(refine_some(v, i, 1, &how, alone), ELB_OK);
    for (int i = 0; i < BATCH * LOCAL; i++) support_assert_near((double)alone[i], (double)together[i], 1e-4, 0);
    v->datum[0] = 99;
    assert_int_equal(refine_some(v, 0, BATCH, &how, other), ELB_OK);
    assert_memory_not_equal(other, together, LOCAL * sizeof *other); /* by other noise */
    assert_memory_equal(other + LOCAL, together + LOCAL, (BATCH - 1) * LOCAL * sizeof *other);
    support_vae_destroy(v);
    support_context_end(c, NULL);
}

/* A tape run again draws anew when its step has moved on, and the same when not. */
static void test_fresh_noise(void **state)
{
    (void)state;
    enum { NUMBERS = 6 };
    const uint64_t datum[] = {0, 1};
    elb_context *c = support_context(NULL);
    elb_real first[NUMBERS];
    elb_tape *t;
    uint32_t step = 0;
    assert_int_equal(elb_tape_create(c, &t), ELB_OK);
    elb_noise noise = {.key = 1, .datum = datum, .samples = 1, .step = &step};
    elb_tensor *eps = elb_noise_normal(t, &noise, 2, NUMBERS / 2, 0);
    assert_int_equal(elb_tape_run(t, NULL), ELB_OK);
    memcpy(first, eps->data, sizeof first);
    step = 1;
    assert_int_equal(elb_tape_run(t, NULL), ELB_OK);
    for (int i = 0; i < NUMBERS; i++) assert_true(first[i] != eps->data[i]);
    step = 0;
    assert_int_equal(elb_tape_run(t, NULL), ELB_OK);
    assert_memory_equal(first, eps->data, sizeof first);
    elb_tape_destroy(t);
    support_context_end(c, NULL);
}

/* The model and the encoder are as they were, and may be trained afterwards. */
static void test_frozen(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    support_vae *v = network(c);
    elb_real lambda[BATCH * LOCAL] = {0};
    double before = support_vae_loss(v);
    elb_real *grads[SUPPORT_VAE_BLOCKS];
    for (int b = 0; b < SUPPORT_VAE_BLOCKS; b++) {
        elb_params *p = support_vae_block(v, b);
        grads[b] = malloc((size_t)p->size * sizeof **grads);
        memcpy(grads[b], p->grad, (size_t)p->size * sizeof **grads);
    }
    elb_refine_options how = {.steps = 20, .rate = 1e-2, .samples = 1};
    assert_int_equal(refine_some(v, 0, BATCH, &how, lambda), ELB_OK);
    for (int b = 0; b < SUPPORT_VAE_BLOCKS; b++) {
        elb_params *p = support_vae_block(v, b);
        assert_false(p->frozen);
        assert_memory_equal(grads[b], p->grad, (size_t)p->size * sizeof **grads);
        free(grads[b]);
    }
    assert_true(support_vae_loss(v) == before);
    support_vae_destroy(v);
    support_context_end(c, NULL);
}

/* --- memory, refusals, faults ------------------------------------------------------------------------------------- */

static void test_no_allocation_per_step(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    support_vae *v = network(c);
    elb_real lambda[BATCH * LOCAL] = {0};
    elb_refine_options how = {.steps = 1, .rate = 1e-2, .samples = 1};
    assert_int_equal(refine_some(v, 0, BATCH, &how, lambda), ELB_OK); /* the machine is made at the first call */
    int64_t before = f.allocations;
    assert_int_equal(refine_some(v, 0, BATCH, &how, lambda), ELB_OK);
    int64_t one = f.allocations - before;
    how.steps = 30;
    assert_int_equal(refine_some(v, 0, BATCH, &how, lambda), ELB_OK);
    assert_int_equal(f.allocations - before, 2 * one);
    support_vae_destroy(v);
    support_context_end(c, &f);
}

static void test_refusals(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    support_vae *v = network(c);
    elb_real lambda[BATCH * LOCAL] = {0}, zero[BATCH * LOCAL] = {0};
    static const elb_refine_options rates[] = {{.steps = 1, .rate = 0, .samples = 1},
                                               {.steps = 1, .rate = NAN, .samples = 1},
                                               {.steps = 1, .rate = INFINITY, .samples = 1}};
    static const elb_refine_options counts[] = {{.steps = -1, .rate = 1, .samples = 1},
                                                {.steps = 1, .rate = 1, .samples = 0},
                                                {.steps = INT64_C(1) << 31, .rate = 1, .samples = 2}};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        assert_int_equal(refine_some(v, 0, BATCH, &rates[i], lambda), ELB_USAGE);
        support_assert_message(c, "of a rate above 0");
        assert_int_equal(refine_some(v, 0, BATCH, &counts[i], lambda), ELB_USAGE);
        support_assert_message(c, "samples in all at most");
    }
    elb_refine_options how = {.steps = 0, .rate = 1, .samples = 1};
    assert_int_equal(refine_some(v, 0, BATCH, &how, lambda), ELB_OK);
    assert_memory_equal(lambda, zero, sizeof lambda);
    v->x[3] = NAN;
    how.steps = 3;
    assert_int_equal(refine_some(v, 0, BATCH, &how, lambda), ELB_NUMERIC);
    support_assert_message(c, "refinement step 1");
    assert_memory_equal(lambda, zero, sizeof lambda);
    assert_false(v->model->params.frozen);
    support_vae_destroy(v);
    support_context_end(c, NULL);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    support_vae *v = network(c);
    elb_real lambda[BATCH * LOCAL] = {0};
    elb_refine_options how = {.steps = 2, .rate = 1e-2, .samples = 1};
    elb_status status = ELB_MEMORY;
    int64_t n = 0, live = f.live;
    while (status != ELB_OK) {
        f.alloc_countdown = ++n;
        status = refine_some(v, 0, BATCH, &how, lambda);
        assert_true(status == ELB_OK || status == ELB_MEMORY);
        assert_int_equal(f.live, live);
        assert_false(v->model->params.frozen || v->posterior->params.frozen);
    }
    assert_true(n > 5);
    f.alloc_countdown = 0;
    support_vae_destroy(v);
    support_context_end(c, &f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_optimum),
        cmocka_unit_test(test_rises),
        cmocka_unit_test(test_bernoulli),
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_fresh_noise),
        cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_no_allocation_per_step),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
