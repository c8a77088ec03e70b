/* test_savi.c - the derivative through steps of refinement, in double: of a linear-Gaussian model by hand, and of
 * networks against differences of the whole procedure. */
#include "vae_support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "infer/refine.h"
#include "doctor/oracle.h"

/* --- a model whose derivative is known ---------------------------------------------------------------------------- */

/* Four points (+-sqrt 2 along each axis) in place of random ones: the expectation is exact where
 * log p(x|z) is quadratic. */
enum { POINTS = 4, LATENT = 2 };

typedef struct exact {
    elb_oracle oracle;
    elb_objective objective;
    elb_tape *tape;
    double loss;
} exact;

static void exact_step(elb_context *c, const elb_refine_options *how, const elb_objective_options *options, exact *e)
{
    static const double mean[] = {0.5, 1}, variance[] = {0.3, 0.2};
    const elb_real r = (elb_real)sqrt(2), points[POINTS][LATENT] = {{r, 0}, {-r, 0}, {0, r}, {0, -r}};
    static const uint64_t datum = 0;
    elb_real x[ELB_ORACLE_DATA];
    assert_int_equal(elb_oracle_create(c, &elb_oracle_linear_gaussian, &e->oracle), ELB_OK);
    elb_oracle_set(&e->oracle, mean, variance);
    elb_objective_init(&e->objective, options);
    for (int i = 0; strcmp(e->objective.type->name, "savi") != 0; i++) e->objective.type = elb_objective_types[i];
    e->objective.refine = how;
    assert_int_equal(elb_objective_open(&e->objective, e->oracle.model, e->oracle.posterior), ELB_OK);
    assert_int_equal(elb_tape_create(c, &e->tape), ELB_OK);
    for (int d = 0; d < ELB_ORACLE_DATA; d++) x[d] = (elb_real)e->oracle.facts->x[d];
    elb_noise noise = {.datum = &datum, .fixed = &points[0][0]};
    elb_tensor *in = elb_leaf(e->tape, "data", x, NULL, 2, (int64_t[]){1, ELB_ORACLE_DATA});
    elb_loss loss;
    if (elb_objective_step(&e->objective, e->tape, e->oracle.model, e->oracle.posterior, in, &noise, &loss) != ELB_OK)
        fail_msg("%s", elb_context_message(c));
    e->loss = (double)loss.loss->data[0];
}

static void exact_end(exact *e)
{
    elb_tape_destroy(e->tape);
    elb_objective_close(&e->objective);
    elb_oracle_destroy(&e->oracle);
}

/* The encoder is its bias, and that is lambda_0. */
static double exact_encoder(const exact *e, int i)
{
    const elb_params *p = &e->oracle.posterior->params;
    return (double)p->grad[p->at[p->count - 1].offset + i];
}

static double exact_weight(const exact *e)
{
    const elb_params *p = &e->oracle.model->params;
    return (double)p->grad[p->at[e->oracle.model->decoder.layer[0].weight].offset];
}

static const elb_refine_options two_steps = {
    .steps = 2, .method = ELB_REFINE_MOMENTUM, .rate = 0.1, .momentum = 0.5, .samples = POINTS};

static void test_by_hand(void **state)
{
    static const double by_lambda[] = {.087040434860, .023720258646, .032923014981, -.029448736782};
    static const double loss = 4.777892587199, by_weight = .52239823;
    (void)state;
    for (int difference = ELB_DIFFERENCE_FORWARD; difference <= ELB_DIFFERENCE_CENTRAL; difference++) {
        elb_context *c = support_context(NULL);
        elb_objective_options options = {.samples = POINTS, .difference = difference, .radius = 1e-6};
        exact e;
        exact_step(c, &two_steps, &options, &e);
        support_assert_near(e.loss, loss, 1e-11, 0);
        for (int i = 0; i < 4; i++) support_assert_near(exact_encoder(&e, i), by_lambda[i], 0, 1e-6);
        support_assert_near(exact_weight(&e), by_weight, 0, 1e-6);
        exact_end(&e);
        support_context_end(c, NULL);
    }
}

static const double poor[] = {.5, 1, -1.2039728043259361, -1.6094379124341003}; /* log .3, log .2 */

/* Where the steps end when nothing goes back through them: their noise is random then. */
static void refined(const exact *e, double to[4])
{
    elb_refiner *r;
    elb_real x[ELB_ORACLE_DATA], lambda[4];
    uint64_t datum = 0;
    for (int d = 0; d < ELB_ORACLE_DATA; d++) x[d] = (elb_real)e->oracle.facts->x[d];
    for (int i = 0; i < 4; i++) lambda[i] = (elb_real)poor[i];
    assert_int_equal(elb_refiner_create(e->oracle.model, e->oracle.posterior, &two_steps, &r), ELB_OK);
    assert_int_equal(elb_refiner_run(r, elb_stream_key(0, ELB_FOR_REFINE, 0), 1, &datum, x, lambda), ELB_OK);
    elb_refiner_destroy(r);
    for (int i = 0; i < 4; i++) to[i] = (double)lambda[i];
}

/* df/dW[0][0] where lambda stands: exact, f's residual being linear in W. */
static double weight_slope(const elb_oracle_facts *f, const double *lambda)
{
    double residual = f->x[0] - f->bias[0];
    for (int u = 0; u < LATENT; u++) residual -= f->weight[0][u] * lambda[u];
    return (f->weight[0][0] * exp(lambda[2]) - residual * lambda[0]) / f->variance;
}

/* The encoder learns at the start, theta at the end, which is held constant. */
static void test_start_by_hand(void **state)
{
    static const double end[] = {-.02115625, 1.56371875, -1.214672933329, -1.600236675536};
    static const double slope[] = {2.4875, -2.8125, .04375, -.0375};
    (void)state;
    elb_context *c = support_context(NULL);
    elb_objective_options options = {.samples = POINTS, .encoder = ELB_SAVI_START};
    exact e;
    double to[4];
    exact_step(c, &two_steps, &options, &e);
    refined(&e, to);
    for (int i = 0; i < 4; i++) support_assert_near(exact_encoder(&e, i), slope[i], 1e-11, 0);
    support_assert_near(exact_weight(&e), weight_slope(e.oracle.facts, to), 1e-10, 0);
    support_assert_near(weight_slope(e.oracle.facts, end), .59950815, 1e-8, 0); /* the formula itself */
    exact_end(&e);
    support_context_end(c, NULL);
}

/* KL(q_0 || q_T) of two Gaussians by the same four points: exact, as the difference of their log
 * densities is quadratic. */
static void test_kl_by_hand(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    elb_objective_options options = {.samples = POINTS, .encoder = ELB_SAVI_KL};
    exact e;
    double to[4];
    exact_step(c, &two_steps, &options, &e);
    refined(&e, to);
    for (int u = 0; u < LATENT; u++) {
        double ratio = exp(poor[2 + u] - to[2 + u]);
        support_assert_near(exact_encoder(&e, u), (poor[u] - to[u]) * exp(-to[2 + u]), 1e-9, 0);
        support_assert_near(exact_encoder(&e, 2 + u), (ratio - 1) / 2, 1e-9, 0);
    }
    exact_end(&e);
    support_context_end(c, NULL);
}

/* --- networks, against differences -------------------------------------------------------------------------------- */

enum { DATA = 5, BATCH = 3 };

typedef struct world {
    elb_context *c;
    support_vae *v;
} world;

static world world_begin(const char *settings)
{
    world w = {.c = support_context(NULL)};
    char all[512];
    snprintf(
        all, sizeof all,
        "model.latent=2 model.hidden=4 posterior.hidden=4 objective.type=savi refine.steps=3 refine.method=momentum "
        "refine.rate=0.07 %s",
        settings);
    w.v = support_vae_create(w.c, DATA, BATCH, all);
    support_vae_fill(w.v, 0.8, 3);
    support_vae_fill_data(w.v, 4);
    w.v->objective.refine = &w.v->config->refine;
    w.v->objective.beta = 0.7;
    if (elb_objective_open(&w.v->objective, w.v->model, w.v->posterior) != ELB_OK)
        fail_msg("%s", elb_context_message(w.c));
    return w;
}

static void world_end(world *w)
{
    elb_objective_close(&w->v->objective);
    support_vae_destroy(w->v);
    support_context_end(w->c, NULL);
}

static double world_step(world *w)
{
    support_vae *v = w->v;
    elb_loss loss;
    assert_int_equal(elb_tape_reset(v->tape), ELB_OK);
    elb_tensor *x = elb_leaf(v->tape, "data", v->x, NULL, 2, (int64_t[]){v->batch, DATA});
    if (elb_objective_step(&v->objective, v->tape, v->model, v->posterior, x, &v->noise, &loss) != ELB_OK)
        fail_msg("%s", elb_context_message(w->c));
    return (double)loss.loss->data[0];
}

/* The gradient of every parameter is that of the loss after the steps. */
static void compare(const char *settings)
{
    const double width = 1e-5;
    world w = world_begin(settings);
    for (int b = 0; b < SUPPORT_VAE_BLOCKS; b++) {
        elb_params *p = support_vae_block(w.v, b);
        for (int64_t i = 0; i < p->count; i++)
            for (int64_t j = 0; j < p->at[i].count; j++) {
                elb_real *at = elb_params_data(p, i) + j, kept = *at;
                world_step(&w);
                double got = (double)p->grad[p->at[i].offset + j], value[2];
                for (int side = 0; side < 2; side++) {
                    *at = kept + (elb_real)(side == 0 ? width : -width);
                    value[side] = world_step(&w);
                }
                *at = kept;
                double want = (value[0] - value[1]) / (2 * width);
                if (!(fabs(got - want) <= 2e-6 * fabs(want) + 2e-8))
                    fail_msg("%s: the gradient of %s[%lld] is %.10g, not %.10g", settings, p->at[i].name, (long long)j,
                             got, want);
            }
    }
    world_end(&w);
}

static void test_networks(void **state)
{
    static const char *const ways[] = {
        "objective.difference=central objective.radius=1e-4",
        "objective.radius=1e-7",
        "objective.difference=central objective.radius=1e-4 refine.clip=1.3",
        "objective.difference=central objective.radius=1e-4 refine.clip=0.4 refine.part=mean",
        "objective.difference=central objective.radius=1e-4 objective.samples=3 refine.samples=2 objective.warmup=kl",
        "objective.difference=central objective.radius=1e-4 objective.kl=sampled refine.part=mean refine.decay=0.6",
        "objective.difference=central objective.radius=1e-4 likelihood.type=gaussian model.activation=elu",
        "objective.difference=central objective.radius=1e-4 likelihood.type=gaussian likelihood.variance=predicted",
    };
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) compare(ways[i]);
}

/* From zero nobody needs the encoder. */
static void test_zero(void **state)
{
    (void)state;
    world w = world_begin("refine.start=zero refine.method=adam");
    world_step(&w);
    const elb_params *p = support_vae_block(w.v, 0), *q = support_vae_block(w.v, 1);
    double norm = 0;
    for (int64_t i = 0; i < p->size; i++) norm += fabs((double)p->grad[i]);
    assert_true(norm > 0);
    for (int64_t i = 0; i < q->size; i++) assert_true(q->grad[i] == 0);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),  cmocka_unit_test(test_start_by_hand), cmocka_unit_test(test_kl_by_hand),
        cmocka_unit_test(test_networks), cmocka_unit_test(test_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
