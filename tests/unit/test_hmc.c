/* test_hmc.c - moves leave known densities as they are, run backwards, reject what went astray, allocate nothing. */
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dist/dist.h"
#include "infer/hmc.h"

enum { Z = 3, BATCH = 2 };

/* --- a Gaussian path: from N(0, I) at t = 0 to N(2, I/5) at t = 1 ------------------------------------------------- */

typedef struct chains {
    fault f;
    elb_context *c;
    elb_hmc *h;
    elb_tensor *scale; /* of rise; a test may change it */
    uint64_t datum[BATCH];
} chains;

static elb_tensor *constant(elb_tape *t, double value, int64_t n)
{
    elb_tensor *x = elb_input(t, "constant", false, 1, &n);
    for (int64_t i = 0; i < n; i++) x->data[i] = (elb_real)value;
    return x;
}

static void chains_begin(chains *a, int threads, const char *kernels, int64_t count, double step)
{
    memset(a, 0, sizeof *a);
    elb_settings settings = fault_settings(&a->f);
    settings.threads = threads;
    settings.kernels = kernels;
    assert_int_equal(elb_context_create(&settings, &a->c), ELB_OK);
    assert_int_equal(elb_hmc_create(a->c, count * BATCH, Z, &a->h), ELB_OK);
    elb_tensor *start_z, *rise_z;
    assert_int_equal(elb_hmc_begin(a->h, count, BATCH, &start_z, &rise_z), ELB_OK);
    elb_tape *t = a->h->tape;
    for (int64_t i = 0; i < a->h->rows * Z; i++) a->h->z[i] = (elb_real)support_number(5, (uint64_t)i);
    for (int64_t r = 0; r < a->h->rows; r++) a->h->step[r] = (elb_real)step;
    for (int b = 0; b < BATCH; b++) a->datum[b] = (uint64_t)(10 + b);
    /* log N(z; 0, 1) + t log N(z; 2.5, 1/4): at t = 1 precision 5 and mean 2 */
    elb_tensor *rise = elb_gaussian_log_prob(t, rise_z, constant(t, 2.5, Z), constant(t, log(0.25), Z));
    a->scale = constant(t, 1, 1);
    assert_int_equal(elb_hmc_record(a->h, elb_standard_normal_log_prob(t, start_z), elb_mul(t, rise, a->scale)),
                     ELB_OK);
}

static void chains_end(chains *a)
{
    elb_hmc_destroy(a->h);
    support_context_end(a->c, &a->f);
}

static void chains_move(chains *a, double t, int64_t leapfrog, uint64_t key)
{
    elb_hmc_move move = {.t = t, .leapfrog = leapfrog, .key = key, .datum = a->datum};
    assert_int_equal(elb_hmc_move_all(a->h, &move), ELB_OK);
}

/* Mean and variance of every coordinate at t, from moves of many chains after some to forget the start. */
static void check_invariant(double t, double step, int64_t leapfrog)
{
    enum { CHAINS = 500, WARM = 30, MOVES = 60 };
    chains a;
    chains_begin(&a, 1, NULL, CHAINS, step);
    double precision = 1 + 4 * t, mean = 10 * t / precision, n = 0, sum = 0, square = 0, accepted = 0;
    for (int i = 0; i < WARM + MOVES; i++) {
        chains_move(&a, t, leapfrog, elb_stream_key(3, ELB_FOR_ANNEAL, (uint32_t)i));
        if (i < WARM || i % 3 != 0) continue;
        for (int64_t k = 0; k < a.h->rows * Z; k++) {
            double d = (double)a.h->z[k] - mean;
            sum += d;
            square += d * d;
            n++;
        }
        for (int64_t r = 0; r < a.h->rows; r++) {
            assert_true(a.h->chance[r] >= 0 && a.h->chance[r] <= 1);
            accepted += a.h->accepted[r];
        }
    }
    assert_true(accepted > 0.2 * n / Z && accepted < n / Z); /* the Metropolis test has something to do */
    double effective = n / 4;                                /* chains are many, and their moves long */
    support_assert_near(sum / n, 0, 4 * sqrt(1 / precision / effective), 0);
    support_assert_near(square / n * precision, 1, 4 * sqrt(2 / effective), 0);
    chains_end(&a);
}

static void test_invariant(void **state)
{
    (void)state;
    check_invariant(0, 0.9, 5);
    check_invariant(1, 0.5, 3); /* large steps: without the test the variance would be 1.45 times too large */
    check_invariant(0.3, 0.8, 2);
}

/* --- leapfrog ----------------------------------------------------------------------------------------------------- */

/* H is kept to second order in the step. */
static void test_energy(void **state)
{
    double lost[2];
    (void)state;
    for (int k = 0; k < 2; k++) {
        chains a;
        chains_begin(&a, 1, "reference", 500, 0.3);
        for (uint64_t i = 0; i < 20; i++) chains_move(&a, 1, 4, i);
        for (int64_t r = 0; r < a.h->rows; r++) a.h->step[r] = (elb_real)(0.2 / (k + 1));
        chains_move(&a, 1, 3 * (k + 1), 77);
        lost[k] = 0;
        for (int64_t r = 0; r < a.h->rows; r++) lost[k] += 1 - a.h->chance[r];
        chains_end(&a);
    }
    assert_true(lost[0] > 0 && lost[1] > 0.15 * lost[0] && lost[1] < 0.4 * lost[0]);
}

/* The map that a move applies, by the kernel itself: with the momentum turned round it leads back. */
static void test_reversible(void **state)
{
    elb_real z[Z] = {1, -2, (elb_real)0.5}, v[Z] = {(elb_real)0.3, 1, -1}, zero[Z] = {0}, force[Z];
    (void)state;
    for (const elb_kernels *const *k = elb_kernels_available(); *k != NULL; k++) {
        elb_real from[Z], at[Z], w[Z];
        memcpy(from, z, sizeof z);
        memcpy(at, z, sizeof z);
        memcpy(w, v, sizeof v);
        for (int way = 0; way < 2; way++) {
            for (int i = 0; i <= 20; i++) { /* force -z^3 */
                bool end = i == 0 || i == 20;
                elb_leapfrog h = {
                    .t = 1, .limit = 100, .kick = (elb_real)(end ? 0.05 : 0.1), .drift = i < 20 ? (elb_real)0.1 : 0};
                for (int d = 0; d < Z; d++) force[d] = -at[d] * at[d] * at[d];
                (*k)->leapfrog(&h, Z, zero, force, w, at);
            }
            if (way == 0) assert_true(fabs((double)(at[1] - from[1])) > 0.5);
            for (int d = 0; d < Z; d++) w[d] = -w[d];
        }
        for (int d = 0; d < Z; d++) support_assert_near((double)at[d], (double)from[d], 2e-5, 0);
    }
}

/* --- chains that went astray -------------------------------------------------------------------------------------- */

static void test_rejects(void **state)
{
    chains a;
    elb_real before[2 * BATCH * Z];
    (void)state;
    chains_begin(&a, 1, NULL, 2, 0.1);
    memcpy(before, a.h->z, sizeof before);
    a.h->step[1] = (elb_real)1e30; /* leaves the finite numbers */
    chains_move(&a, 1, 5, 9);
    assert_true(a.h->chance[1] == 0 && !a.h->accepted[1]);
    assert_memory_equal(a.h->z + Z, before + Z, Z * sizeof *before);
    for (int r = 0; r < 4; r++) {
        assert_true(isfinite((double)a.h->start->data[r]) && isfinite((double)a.h->rise->data[r]));
        if (r != 1) assert_true(a.h->chance[r] > 0.9);
    }
    chains alone; /* the others did not notice */
    chains_begin(&alone, 1, NULL, 2, 0.1);
    chains_move(&alone, 1, 5, 9);
    assert_memory_equal(a.h->z, alone.h->z, Z * sizeof *before);
    assert_memory_equal(a.h->z + 2 * Z, alone.h->z + 2 * Z, 2 * Z * sizeof *before);
    chains_end(&alone);
    chains_end(&a);
}

/* --- bits, memory, refusals --------------------------------------------------------------------------------------- */

static void test_threads(void **state)
{
    enum { CHAINS = 300 };
    static elb_real first[CHAINS * BATCH * Z];
    (void)state;
    for (int threads = 1; threads <= 3; threads++) {
        chains a;
        chains_begin(&a, threads, NULL, CHAINS, 0.4);
        for (uint64_t i = 0; i < 5; i++) chains_move(&a, 0.2 * (double)i, 4, i);
        if (threads == 1) memcpy(first, a.h->z, sizeof first);
        assert_memory_equal(first, a.h->z, sizeof first);
        chains_end(&a);
    }
}

static void test_memory(void **state)
{
    chains a;
    (void)state;
    chains_begin(&a, 1, NULL, 50, 0.4);
    chains_move(&a, 0.5, 3, 1);
    int64_t before = a.f.allocations;
    for (uint64_t i = 0; i < 10; i++) chains_move(&a, 0.1 * (double)i, 3, i);
    assert_int_equal(a.f.allocations, before);
    chains_end(&a);

    for (int64_t n = 1;; n++) {
        fault f;
        elb_context *c = support_context(&f);
        elb_hmc *h;
        f.alloc_countdown = n;
        elb_status status = elb_hmc_create(c, 10, Z, &h);
        assert_true(status == ELB_OK || status == ELB_MEMORY);
        f.alloc_countdown = 0;
        elb_hmc_destroy(h);
        support_context_end(c, &f);
        if (status == ELB_OK) break;
        assert_true(n < 100);
    }
}

static void test_refusals(void **state)
{
    chains a;
    elb_tensor *start_z, *rise_z;
    (void)state;
    chains_begin(&a, 1, NULL, 4, 0.1);
    assert_int_equal(elb_hmc_begin(a.h, 5, BATCH, &start_z, &rise_z), ELB_USAGE);
    support_assert_message(a.c, "more than the 8 rows");
    chains_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_invariant), cmocka_unit_test(test_energy),  cmocka_unit_test(test_reversible),
        cmocka_unit_test(test_rejects),   cmocka_unit_test(test_threads), cmocka_unit_test(test_memory),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
