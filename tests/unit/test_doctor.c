/* test_doctor.c - every self-check passes with every table of kernels, and a broken one is found. */
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/pool.h"
#include "doctor/doctor.h"

typedef struct seen {
    int count, failed;
    char first_failed[128];
} seen;

static void see(void *user, const elb_check *check)
{
    seen *s = user;
    s->count++;
    assert_true(strlen(check->name) > 0 && strlen(check->source) > 0);
    assert_true(check->tolerance >= 0 && isfinite(check->expected));
    assert_true(check->passed == (fabs(check->found - check->expected) <= check->tolerance));
    if (check->passed) return;
    if (s->failed++ == 0) strncpy(s->first_failed, check->name, sizeof s->first_failed - 1);
}

static void test_passes(void **state)
{
    (void)state;
    for (const elb_kernels *const *table = elb_kernels_available(); *table != NULL; table++) {
        elb_settings settings = {.threads = 2, .kernels = (*table)->name};
        elb_context *c;
        seen s = {0};
        int failed = -1;
        assert_int_equal(elb_context_create(&settings, &c), ELB_OK);
        assert_int_equal(elb_doctor(c, see, &s, &failed), ELB_OK);
        if (failed != 0) fail_msg("%s kernels: %s", (*table)->name, s.first_failed);
        assert_true(s.failed == 0 && s.count >= 20);
        elb_context_destroy(c);
    }
}

/* --- kernels with one fault --------------------------------------------------------------------------------------- */

static elb_kernels broken;

static elb_real broken_gaussian_log(int64_t n, const elb_real *x, const elb_real *a, const elb_real *l)
{
    return elb_kernels_available()[0]->gaussian_log(n, x, a, l) * (elb_real)1.001;
}

static void broken_activate_backward(elb_activation act, int64_t n, const elb_real *y, const elb_real *dy, elb_real *dx)
{
    elb_kernels_available()[0]->activate_backward(act, n, y, dy, dx);
    for (int64_t i = 0; i < n; i++) dx[i] *= (elb_real)1.01;
}

static void broken_normal(elb_stream at, int64_t n, elb_real *z)
{
    elb_kernels_available()[0]->normal(at, n, z);
    for (int64_t i = 0; i < n; i++) z[i] *= (elb_real)1.1;
}

/* The context's machine gets the broken table in place of its own. */
static void check_found(const char *part)
{
    elb_context *c = support_context(NULL);
    const elb_machine *machine;
    seen s = {0};
    int failed = 0;
    assert_int_equal(elb_machine_of(c, &machine), ELB_OK);
    ((elb_machine *)machine)->kernels = &broken;
    elb_status status = elb_doctor(c, see, &s, &failed);
    assert_int_equal(status, ELB_OK);
    assert_true(failed > 0 && failed == s.failed);
    if (!strstr(s.first_failed, part)) fail_msg("the first to fail is \"%s\"", s.first_failed);
    support_context_end(c, NULL);
}

static void test_finds_faults(void **state)
{
    (void)state;
    broken = *elb_kernels_available()[0];
    broken.gaussian_log = broken_gaussian_log;
    check_found("ELBO of a linear-Gaussian model");
    broken = *elb_kernels_available()[0];
    broken.normal = broken_normal;
    check_found("its IWAE bound");
    broken = *elb_kernels_available()[0];
    broken.activate_backward = broken_activate_backward;
    check_found("gradient of the ELBO of a small VAE");
}

static void test_verdicts(void **state)
{
    (void)state;
    seen s = {0};
    elb_doctor_job job = {.visit = see, .user = &s};
    elb_doctor_tell(&job, "near", "test", 1, 1.1, 0.2);
    assert_true(job.failed == 0 && s.failed == 0);
    elb_doctor_tell(&job, "far", "test", 1, 1.3, 0.2);
    elb_doctor_tell(&job, "not a number", "test", 1, NAN, 0.2);
    elb_doctor_tell(&job, "infinite", "test", 1, INFINITY, 0.2);
    assert_true(job.failed == 3 && s.failed == 3);
    assert_string_equal(s.first_failed, "far");
}

static void test_machine(void **state)
{
    (void)state;
    elb_settings settings = {.threads = 2, .kernels = "reference"};
    elb_context *c;
    elb_machine_facts facts;
    assert_int_equal(elb_context_create(&settings, &c), ELB_OK);
    assert_int_equal(elb_machine_describe(c, &facts), ELB_OK);
    assert_string_equal(facts.kernels, "reference");
    assert_int_equal(facts.threads, 2);
    assert_true(facts.round_trip_ns > 0);
    for (const elb_kernels *const *table = elb_kernels_available(); *table != NULL; table++)
        assert_non_null(strstr(facts.available, (*table)->name));
    elb_context_destroy(c);

    settings = (elb_settings){.threads = 1, .kernels = "sse"};
    assert_int_equal(elb_context_create(&settings, &c), ELB_OK);
    assert_int_equal(elb_machine_describe(c, &facts), ELB_USAGE);
    support_assert_message(c, "no kernels \"sse\"");
    elb_context_destroy(c);
}

/* Wherever memory ends, it is said and all is given back. */
static void test_memory(void **state)
{
    (void)state;
    static const int64_t at[] = {1, 2, 3, 5, 9, 14, 30, 60, 120};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        fault f;
        seen s = {0};
        int failed;
        elb_context *c = support_context(&f);
        f.alloc_countdown = at[i];
        assert_int_equal(elb_doctor(c, see, &s, &failed), ELB_MEMORY);
        support_assert_message(c, "memory");
        support_context_end(c, &f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passes),  cmocka_unit_test(test_finds_faults), cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_machine), cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
