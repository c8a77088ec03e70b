/* test_progress.c - what a caller is told of long work, by a clock that the test moves. */
#include "support.h"

#include <math.h>
#include <string.h>

#include "run/progress.h"

static double now;

static double test_clock(void)
{
    return now;
}

typedef struct heard {
    int calls;
    elb_progress latest;
    elb_status answer;
} heard;

static elb_status listen(void *user, const elb_progress *progress)
{
    heard *h = user;
    h->calls++;
    h->latest = *progress;
    return h->answer;
}

static elb_reporter start(heard *h, int64_t done, int64_t total)
{
    memset(h, 0, sizeof *h);
    elb_reporter r = elb_reporter_start(listen, h, "training", done, total);
    now = 1000;
    r.clock = test_clock;
    r.started = r.rated = now;
    return r;
}

static void test_rate_and_eta(void **state)
{
    (void)state;
    heard h;
    elb_reporter r = start(&h, 500, 2500); /* a resumed run: what was done before is no part of the rate */
    assert_int_equal(elb_reporter_update(&r, 500), ELB_OK);
    assert_int_equal(h.calls, 1);
    assert_string_equal(h.latest.phase, "training");
    assert_int_equal(h.latest.done, 500);
    assert_int_equal(h.latest.total, 2500);
    assert_true(isnan(h.latest.data_per_second) && isnan(h.latest.eta_seconds));
    for (int i = 1; i <= 1000; i++) {
        now = 1000 + i * 0.01;
        elb_reporter_update(&r, 500 + i);
    }
    assert_in_range(h.calls, 80, 101); /* ten a second for ten seconds */
    assert_in_range(h.latest.done, 1488, 1500);
    support_assert_near(h.latest.seconds, 10, 0.11, 0);
    support_assert_near(h.latest.data_per_second, 100, 1, 0);
    support_assert_near(h.latest.eta_seconds, 10, 0.3, 0);
    assert_false(h.latest.last);

    for (int i = 1; i <= 20; i++) { /* half as fast: the rate follows */
        now += 1;
        elb_reporter_update(&r, 1500 + 50 * i);
    }
    support_assert_near(h.latest.data_per_second, 50, 0.5, 0);
    assert_true(h.latest.eta_seconds == 0);
    assert_int_equal(elb_reporter_finish(&r, 2500), ELB_OK);
    assert_true(h.latest.last);
    support_assert_near(h.latest.data_per_second, 2000.0 / 30, 1e-9, 0);
}

static void test_short_phase(void **state)
{
    (void)state;
    heard h;
    elb_reporter r = start(&h, 0, 0); /* nothing to do: still a whole to be part of */
    assert_int_equal(elb_reporter_finish(&r, 0), ELB_OK);
    assert_int_equal(h.calls, 1);
    assert_int_equal(h.latest.total, 1);
    assert_true(h.latest.last);

    r = start(&h, 0, 10);
    elb_reporter_update(&r, 1);
    now += 0.05;
    elb_reporter_update(&r, 2); /* a moment ago */
    assert_int_equal(h.calls, 1);
    elb_reporter_finish(&r, 10); /* but the end is always told */
    assert_int_equal(h.calls, 2);
    assert_int_equal(h.latest.done, 10);
    support_assert_near(h.latest.data_per_second, 200, 1e-6, 0);
}

static void test_values(void **state)
{
    (void)state;
    heard h;
    elb_reporter r = start(&h, 0, 10);
    const char *names[] = {"ELBO", "KL", "c", "d", "e", "f", "too many"};
    for (int i = 0; i < 7; i++) elb_reporter_set(&r, names[i], i);
    elb_reporter_set(&r, "KL", 25.5);
    elb_reporter_update(&r, 0);
    assert_int_equal(h.latest.value_count, ELB_PROGRESS_VALUES);
    for (int i = 0; i < ELB_PROGRESS_VALUES; i++) {
        assert_string_equal(h.latest.values[i].name, names[i]);
        assert_true(h.latest.values[i].value == (i == 1 ? 25.5 : i));
    }
}

/* What was asked once is asked for good, also between calls. */
static void test_stop(void **state)
{
    (void)state;
    heard h;
    elb_reporter r = start(&h, 0, 10);
    assert_int_equal(elb_reporter_update(&r, 1), ELB_OK);
    now += 1;
    h.answer = ELB_REQUEUE;
    assert_int_equal(elb_reporter_update(&r, 2), ELB_REQUEUE);
    h.answer = ELB_INTERRUPTED;
    assert_int_equal(elb_reporter_update(&r, 3), ELB_REQUEUE);
    assert_int_equal(h.calls, 2);
    assert_int_equal(elb_reporter_finish(&r, 3), ELB_REQUEUE);
    assert_true(h.latest.last);
    assert_int_equal(h.latest.done, 3);
}

static void test_nobody_listens(void **state)
{
    (void)state;
    elb_reporter r = elb_reporter_start(NULL, NULL, "training", 0, 10);
    elb_reporter_set(&r, "ELBO", 1);
    assert_int_equal(elb_reporter_update(&r, 1), ELB_OK);
    assert_int_equal(elb_reporter_finish(&r, 10), ELB_OK);
}

/* The clock that is used when no test stands in for it. */
static void test_real_clock(void **state)
{
    (void)state;
    heard h = {0};
    elb_reporter r = elb_reporter_start(listen, &h, "evaluating", 0, 10);
    elb_reporter_finish(&r, 10);
    assert_true(h.latest.seconds >= 0 && h.latest.seconds < 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate_and_eta), cmocka_unit_test(test_short_phase),    cmocka_unit_test(test_values),
        cmocka_unit_test(test_stop),         cmocka_unit_test(test_nobody_listens), cmocka_unit_test(test_real_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
