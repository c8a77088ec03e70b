/* test_pool.c - the threads of a context: every body runs once on each, barriers hold everyone, what was written before
 * one is seen after it. Made for the thread sanitizer too. */
#include "support.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "kernels/pool.h"

enum { MOST_THREADS = 8, BARRIERS = 40 };

typedef struct world {
    elb_context *c;
    const elb_machine *m;
} world;

static world world_begin(int threads)
{
    world w;
    elb_settings settings = {.threads = threads};
    assert_int_equal(elb_context_create(&settings, &w.c), ELB_OK);
    assert_int_equal(elb_machine_of(w.c, &w.m), ELB_OK);
    assert_int_equal(elb_pool_threads(w.m->pool), threads);
    return w;
}

/* --- each thread once --------------------------------------------------------------------------------------------- */

static void count_body(void *argument, int thread)
{
    ((int *)argument)[thread]++; /* plain ints: each thread has its own, and the caller reads them after the run */
}

static void test_each_thread_once(void **state)
{
    (void)state;
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        world w = world_begin(threads);
        int counts[MOST_THREADS] = {0};
        for (int run = 1; run <= 200; run++) {
            elb_pool_run(w.m->pool, count_body, counts);
            for (int i = 0; i < MOST_THREADS; i++) assert_int_equal(counts[i], i < threads ? run : 0);
        }
        elb_pool_run_alone(w.m->pool, count_body, counts);
        assert_int_equal(counts[0], 201);
        if (threads > 1) assert_int_equal(counts[1], 200);
        elb_context_destroy(w.c);
    }
}

/* --- barriers ----------------------------------------------------------------------------------------------------- */

typedef struct relay {
    elb_pool *pool;
    int threads;
    int64_t number[MOST_THREADS]; /* plain: only the barriers keep readers and writers apart */
    atomic_int wrong;
} relay;

/* Everyone writes its number, then checks its neighbours' of this very round. */
static void relay_body(void *argument, int thread)
{
    relay *r = argument;
    for (int64_t round = 1; round <= BARRIERS; round++) {
        r->number[thread] = round * 100 + thread;
        elb_pool_barrier(r->pool, thread);
        for (int i = 0; i < r->threads; i++)
            if (r->number[i] != round * 100 + i) atomic_fetch_add(&r->wrong, 1);
        elb_pool_barrier(r->pool, thread);
    }
}

static void test_barriers(void **state)
{
    (void)state;
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        world w = world_begin(threads);
        relay r = {.pool = w.m->pool, .threads = threads};
        for (int run = 0; run < 10; run++) elb_pool_run(w.m->pool, relay_body, &r);
        assert_int_equal(atomic_load(&r.wrong), 0);
        elb_context_destroy(w.c);
    }
}

/* Threads that have gone to sleep wake up again. */
static void test_after_a_rest(void **state)
{
    (void)state;
    world w = world_begin(3);
    int counts[MOST_THREADS] = {0};
    for (int run = 1; run <= 5; run++) {
        elb_pool_run(w.m->pool, count_body, counts);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    for (int i = 0; i < 3; i++) assert_int_equal(counts[i], 5);
    elb_context_destroy(w.c);
}

/* Two contexts' threads know nothing of each other: one's body runs the other's. */
static void nested_body(void *argument, int thread)
{
    world *inner = argument;
    int counts[MOST_THREADS] = {0};
    if (thread == 0) elb_pool_run(inner->m->pool, count_body, counts);
}

static void test_two_contexts(void **state)
{
    (void)state;
    world outer = world_begin(2), inner = world_begin(3);
    for (int run = 0; run < 20; run++) elb_pool_run(outer.m->pool, nested_body, &inner);
    elb_context_destroy(inner.c);
    elb_context_destroy(outer.c);
}

static void test_round_trip(void **state)
{
    (void)state;
    world one = world_begin(1), two = world_begin(2);
    assert_true(elb_pool_round_trip(one.m->pool) == 0);
    double ns = elb_pool_round_trip(two.m->pool);
    assert_true(ns > 1 && ns < 1e9);
    elb_context_destroy(one.c);
    elb_context_destroy(two.c);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void test_machine_is_kept(void **state)
{
    (void)state;
    world w = world_begin(2);
    const elb_machine *again;
    assert_int_equal(elb_machine_of(w.c, &again), ELB_OK);
    assert_ptr_equal(again, w.m);
    elb_context_destroy(w.c);
}

static void test_unknown_kernels(void **state)
{
    (void)state;
    elb_settings settings = {.threads = 2, .kernels = "sse9"};
    elb_context *c;
    const elb_machine *m;
    assert_int_equal(elb_context_create(&settings, &c), ELB_OK);
    assert_int_equal(elb_machine_of(c, &m), ELB_USAGE);
    assert_null(m);
    support_assert_message(c, "no kernels \"sse9\"");
    elb_context_destroy(c);
}

static void test_allocation_fails(void **state)
{
    (void)state;
    for (int64_t nth = 1;; nth++) {
        fault f = {0};
        elb_settings settings = fault_settings(&f);
        settings.threads = 3;
        elb_context *c;
        const elb_machine *m;
        assert_int_equal(elb_context_create(&settings, &c), ELB_OK);
        f.alloc_countdown = nth;
        elb_status status = elb_machine_of(c, &m);
        bool failed = f.alloc_countdown == 0;
        assert_int_equal(status, failed ? ELB_MEMORY : ELB_OK);
        if (failed) {
            assert_null(m);
            assert_int_equal(elb_machine_of(c, &m), ELB_OK); /* the next try succeeds */
        }
        elb_context_destroy(c);
        assert_int_equal(f.live, 0);
        if (!failed) break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_thread_once), cmocka_unit_test(test_barriers),
        cmocka_unit_test(test_after_a_rest),     cmocka_unit_test(test_two_contexts),
        cmocka_unit_test(test_round_trip),       cmocka_unit_test(test_machine_is_kept),
        cmocka_unit_test(test_unknown_kernels),  cmocka_unit_test(test_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
