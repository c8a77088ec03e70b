/* test_importance.c - streamed importance weights against direct sums; Pareto k-hat against known tails and ArviZ. */
#include "vae_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infer/importance.h"
#include "infer/pareto.h"

/* --- direct sums -------------------------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The same estimates from all the weights of datum b at once. */
static elb_importance_result direct(const elb_tensor *log_weight, const elb_tensor *reconstruction, double kl,
                                    int64_t b)
{
    int64_t samples = log_weight->shape[0], count = log_weight->shape[1];
    double *w = malloc((size_t)samples * sizeof *w), sum = 0, square = 0, mean = 0;
    for (int64_t s = 0; s < samples; s++) w[s] = (double)log_weight->data[s * count + b];
    qsort(w, (size_t)samples, sizeof *w, ascending);
    double top = w[samples - 1];
    for (int64_t s = 0; s < samples; s++) {
        sum += exp(w[s] - top);
        square += exp(2 * (w[s] - top));
        mean += (double)reconstruction->data[s * count + b] / (double)samples;
    }
    int64_t tail = elb_pareto_tail_size(samples);
    double k_hat = tail > 0 ? elb_pareto_k(w + samples - tail, tail, w[samples - tail - 1]) : NAN;
    free(w);
    return (elb_importance_result){top + log(sum / (double)samples), mean - kl, sum * sum / square, k_hat};
}

/* Compares the streamed estimates of every datum with direct ones from one recording of all samples. */
static void check_against_direct(const char *settings, double scale, int64_t samples)
{
    enum { DATA = 12, BATCH = 5 };
    elb_context *c = support_context(NULL);
    support_vae *v = support_vae_create(c, DATA, BATCH, settings);
    support_vae_fill(v, scale, 3);
    support_vae_fill_data(v, 4);
    elb_importance *e;
    elb_importance_result streamed[BATCH];
    assert_int_equal(elb_importance_create(c, v->model, v->posterior, NULL, samples, 9, &e), ELB_OK);
    assert_int_equal(elb_importance_block(e, BATCH, v->datum, v->x, streamed), ELB_OK);
    elb_importance_destroy(e);

    elb_tape *t = v->tape;
    elb_tape_fix_rows(t);
    elb_noise noise = {.key = elb_stream_key(9, ELB_FOR_ESTIMATE, 0), .datum = v->datum, .samples = samples};
    elb_tensor *x = elb_leaf(t, "data", v->x, NULL, 2, (int64_t[]){BATCH, DATA});
    elb_tensor *lambda = elb_encode(v->posterior, t, x);
    elb_tensor *kl = elb_sum_last(t, v->posterior->type->kl_to_prior(v->posterior, t, lambda));
    elb_draw d = elb_sample(v->posterior, t, lambda, &noise, ELB_LOG_Q_FULL);
    elb_tensor *reconstruction = elb_model_log_likelihood(v->model, t, x, d.z);
    elb_tensor *log_weight = elb_sub(t, elb_add(t, reconstruction, elb_model_log_prior(v->model, t, d.z)), d.log_q);
    assert_int_equal(elb_tape_run(t, NULL), ELB_OK);
    for (int64_t b = 0; b < BATCH; b++) {
        elb_importance_result whole = direct(log_weight, reconstruction, (double)kl->data[b], b);
        support_assert_near(streamed[b].log_likelihood, whole.log_likelihood, 0, 1e-12);
        support_assert_near(streamed[b].elbo, whole.elbo, 1e-9, 1e-12);
        support_assert_near(streamed[b].ess, whole.ess, 0, 1e-11);
        assert_true(streamed[b].ess >= 1 - 1e-12 && streamed[b].ess <= (double)samples * (1 + 1e-12));
        if (isnan(whole.k_hat) || isinf(whole.k_hat))
            assert_true(isnan(whole.k_hat) ? isnan(streamed[b].k_hat) : isinf(streamed[b].k_hat));
        else
            support_assert_near(streamed[b].k_hat, whole.k_hat, 1e-9, 1e-9);
    }
    support_vae_destroy(v);
    support_context_end(c, NULL);
}

static void test_direct(void **state)
{
    (void)state;
    static const int64_t samples[] = {1, 2, 24, 25, 512, 513, 1300, 5000};
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        check_against_direct("model.latent=3 model.hidden=7 posterior.hidden=6", 1, samples[i]);
}

/* Weights over thousands of nats: no overflow, and the one that dominates is the estimate. */
static void test_extreme(void **state)
{
    (void)state;
    const char *settings = "model.latent=3 model.hidden=7 posterior.hidden=6 likelihood.type=gaussian "
                           "likelihood.variance=fixed likelihood.log_variance=-9";
    check_against_direct(settings, 3, 1);
    check_against_direct(settings, 3, 1300);
}

/* K = 1: the estimate is the one log weight. */
static void test_one_sample(void **state)
{
    (void)state;
    enum { BATCH = 4 };
    elb_context *c = support_context(NULL);
    support_vae *v = support_vae_create(c, 6, BATCH, "model.latent=2 model.hidden=5 posterior.hidden=5");
    support_vae_fill(v, 1, 1);
    support_vae_fill_data(v, 2);
    elb_importance *e;
    elb_importance_result r[BATCH];
    assert_int_equal(elb_importance_create(c, v->model, v->posterior, NULL, 1, 1, &e), ELB_OK);
    assert_int_equal(elb_importance_block(e, BATCH, v->datum, v->x, r), ELB_OK);
    for (int i = 0; i < BATCH; i++) {
        support_assert_near(r[i].ess, 1, 1e-12, 0);
        assert_true(isnan(r[i].k_hat));
        assert_true(isfinite(r[i].elbo) && isfinite(r[i].log_likelihood));
    }
    elb_importance_destroy(e);
    support_vae_destroy(v);
    support_context_end(c, NULL);
}

/* --- rows do not see each other ----------------------------------------------------------------------------------- */

enum { ROWS_DATA = 784, ROWS_LATENT = 10 };

/* Each datum alone, and among others at another place of the block. */
static void check_rows(const char *kernels, const char *hidden, int64_t samples)
{
    const int64_t places[] = {0, 1, 63, 101, 127};
    char settings[128];
    elb_settings with = {.threads = 1, .kernels = kernels};
    elb_context *c;
    assert_int_equal(elb_context_create(&with, &c), ELB_OK);
    snprintf(settings, sizeof settings, "model.latent=%d model.hidden=%s posterior.hidden=%s", ROWS_LATENT, hidden,
             hidden);
    support_vae *v = support_vae_create(c, ROWS_DATA, ELB_IMPORTANCE_BLOCK, settings);
    support_vae_fill(v, 0.1, 5);
    support_vae_fill_data(v, 6);
    elb_importance *e;
    elb_importance_result together[ELB_IMPORTANCE_BLOCK], alone[ELB_IMPORTANCE_BLOCK];
    assert_int_equal(elb_importance_create(c, v->model, v->posterior, NULL, samples, 2, &e), ELB_OK);
    assert_int_equal(elb_importance_block(e, ELB_IMPORTANCE_BLOCK, v->datum, v->x, together), ELB_OK);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        int64_t at = places[i];
        assert_int_equal(elb_importance_block(e, 1, v->datum + at, v->x + at * ROWS_DATA, alone), ELB_OK);
        assert_memory_equal(&alone[0].log_likelihood, &together[at].log_likelihood, sizeof(double));
        assert_memory_equal(&alone[0].elbo, &together[at].elbo, sizeof(double));
    }
    /* seven from the middle */
    assert_int_equal(elb_importance_block(e, 7, v->datum + 60, v->x + 60 * ROWS_DATA, alone), ELB_OK);
    for (int i = 0; i < 7; i++)
        assert_memory_equal(&alone[i].log_likelihood, &together[60 + i].log_likelihood, sizeof(double));
    elb_importance_destroy(e);
    support_vae_destroy(v);
    elb_context_destroy(c);
}

static void test_rows(void **state)
{
    (void)state;
    for (const elb_kernels *const *table = elb_kernels_available(); *table != NULL; table++) {
        bool slow = table[1] == NULL; /* plain C */
        check_rows((*table)->name, slow ? "20" : "200,200", 1);
        check_rows((*table)->name, slow ? "20" : "500", 3);
    }
}

/* --- refusals ----------------------------------------------------------------------------------------------------- */

static void test_refusals(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    support_vae *v = support_vae_create(c, 4, 3, "model.latent=2 model.hidden=3 posterior.hidden=3");
    support_vae_fill(v, 1, 1);
    support_vae_fill_data(v, 2);
    elb_importance *e;
    assert_int_equal(elb_importance_create(c, v->model, v->posterior, NULL, 0, 1, &e), ELB_USAGE);
    support_assert_message(c, "number of samples must be in 1..");
    assert_null(e);
    assert_int_equal(elb_importance_create(c, v->model, v->posterior, NULL, INT64_C(1) << 32, 1, &e), ELB_USAGE);

    elb_importance_result r[3];
    assert_int_equal(elb_importance_create(c, v->model, v->posterior, NULL, 10, 1, &e), ELB_OK);
    v->x[1 * 4 + 2] = NAN;
    assert_int_equal(elb_importance_block(e, 3, v->datum, v->x, r), ELB_NUMERIC);
    support_assert_message(c, "datum 1, counted from 0, are not finite");
    v->x[1 * 4 + 2] = 1;
    assert_int_equal(elb_importance_block(e, 3, v->datum, v->x, r), ELB_OK);
    elb_importance_destroy(e);
    support_vae_destroy(v);
    support_context_end(c, &f);
}

/* Every weight zero: no estimate. */
static void test_no_weight(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    support_vae *v = support_vae_create(c, 2, 1,
                                        "model.latent=1 model.hidden=2 posterior.hidden=2 "
                                        "likelihood.type=gaussian likelihood.variance=fixed");
    support_vae_fill(v, 1, 1);
    v->x[0] = (elb_real)1e30;
    v->x[1] = sizeof(elb_real) == sizeof(float) ? (elb_real)1e30 : (elb_real)1e200;
    elb_importance *e;
    elb_importance_result r;
    assert_int_equal(elb_importance_create(c, v->model, v->posterior, NULL, 3, 1, &e), ELB_OK);
    assert_int_equal(elb_importance_block(e, 1, v->datum, v->x, &r), ELB_NUMERIC);
    elb_importance_destroy(e);
    support_vae_destroy(v);
    support_context_end(c, NULL);
}

/* --- Pareto k-hat ------------------------------------------------------------------------------------------------- */

static void test_tail_size(void **state)
{
    (void)state;
    static const int64_t expected[][2] = {{1, 0},    {24, 0},    {25, 5},     {100, 20},
                                          {225, 45}, {1000, 95}, {5000, 213}, {100000, 949}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_int_equal(elb_pareto_tail_size(expected[i][0]), expected[i][1]);
}

/* Exact quantiles of a generalised Pareto distribution have its shape, but for the prior's pull towards 1/2. */
static void test_known_tails(void **state)
{
    (void)state;
    enum { N = 4000 };
    static const double shapes[] = {-0.3, 0.1, 0.3, 0.5, 0.7, 1.0, 1.5};
    double *tail = malloc(N * sizeof *tail);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        double k = shapes[i], cutoff = 3;
        for (int64_t j = 0; j < N; j++) {
            double p = ((double)j + 0.5) / N, excess = 0.7 * expm1(-k * log1p(-p)) / k;
            tail[N - 1 - j] = log(excess + exp(cutoff));
        }
        support_assert_near(elb_pareto_k(tail, N, cutoff), (N * k + 5) / (N + 10), 0.01, 0);
    }
    free(tail);
}

/* What tests/golden/pareto.py wrote: ArviZ's psislw on log weights that both make from the same recipe. */
static double golden_uniform(uint64_t stream, uint64_t i)
{
    uint64_t s = (stream * (UINT64_C(1) << 32) + i + 1) * UINT64_C(0x9E3779B97F4A7C15);
    s = (s ^ s >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    s = (s ^ s >> 27) * UINT64_C(0x94D049BB133111EB);
    s = s ^ s >> 31;
    return ((double)(s >> 40) + 0.5) * 0x1p-24;
}

static const struct {
    int64_t samples;
    double power, k_hat; /* log weight -power log(u) */
} golden[] = {
#include "golden/pareto.inc"
};

static void test_arviz(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
        int64_t n = golden[i].samples, tail = elb_pareto_tail_size(n);
        double *w = malloc((size_t)n * sizeof *w);
        for (int64_t s = 0; s < n; s++) w[s] = -golden[i].power * log(golden_uniform(200 + i, (uint64_t)s));
        qsort(w, (size_t)n, sizeof *w, ascending);
        support_assert_near(elb_pareto_k(w + n - tail, tail, w[n - tail - 1]), golden[i].k_hat, 1e-8, 0);
        free(w);
    }
}

/* Shifting every log weight changes nothing; order neither. */
static void test_invariant(void **state)
{
    (void)state;
    enum { N = 40 };
    double a[N], b[N];
    for (int i = 0; i < N; i++) a[i] = -0.6 * log(golden_uniform(7, (uint64_t)i));
    for (int i = 0; i < N; i++) b[i] = a[N - 1 - i] - 1000;
    double k = elb_pareto_k(a, N, 0);
    assert_true(isfinite(k));
    support_assert_near(elb_pareto_k(b, N, -1000), k, 1e-9, 0);
}

static void test_degenerate_tails(void **state)
{
    (void)state;
    double few[] = {1, 2, 3, 4}, flat[] = {2, 2, 2, 2, 2, 2}, lone[] = {-2000, -1900, -1800, -1700, -1600, 0};
    double none[] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY, 0};
    assert_true(isnan(elb_pareto_k(few, 4, 0)));
    assert_true(isnan(elb_pareto_k(flat, 6, 2)));
    assert_true(elb_pareto_k(lone, 6, -2100) == INFINITY);
    assert_true(elb_pareto_k(none, 6, -INFINITY) == INFINITY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_direct),    cmocka_unit_test(test_extreme),          cmocka_unit_test(test_one_sample),
        cmocka_unit_test(test_rows),      cmocka_unit_test(test_refusals),         cmocka_unit_test(test_no_weight),
        cmocka_unit_test(test_tail_size), cmocka_unit_test(test_known_tails),      cmocka_unit_test(test_arviz),
        cmocka_unit_test(test_invariant), cmocka_unit_test(test_degenerate_tails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
