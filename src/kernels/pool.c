#include "kernels/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/number.h"

#ifndef ELBOW_KERNELS_REFERENCE_ONLY
#include "kernels/gemm.h"
#endif

enum {
    POOL_SPINS = 4000, /* looks at a word before giving the processor away, some 0.1 ms */
    POOL_RESTS = 1023, /* runs that the workers sit out at most */
    POOL_CACHE_LINE = 64
};

typedef struct pool_worker {
    elb_pool *pool;
    pthread_t thread;
    int index;
} pool_worker;

struct elb_pool {
    elb_context *context;
    int threads;
    int started; /* workers that exist, without the caller */
    pool_worker *workers;
    void (*body)(void *argument, int thread);
    void *argument;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    _Alignas(POOL_CACHE_LINE) atomic_uint generation; /* counts runs; a change starts the workers */
    _Alignas(POOL_CACHE_LINE) atomic_uint pending;    /* workers still in this run */
    _Alignas(POOL_CACHE_LINE) atomic_int sleepers;
    _Alignas(POOL_CACHE_LINE) atomic_int arrived;
    _Alignas(POOL_CACHE_LINE) atomic_uint barriers; /* counts barriers passed */
    _Alignas(POOL_CACHE_LINE) atomic_uint ball;     /* for the round trip */
    atomic_bool stop;
    int64_t stalled; /* nanoseconds that the caller's thread waited beyond its spinning in this run */
    int rest, rests; /* runs that the workers still sit out; how many they do after the next stall */
};

/* While it runs a body, a thread tells the GEMM library to stay on it. */
static int pool_enter(void)
{
    int saved = 0;
#ifndef ELBOW_KERNELS_REFERENCE_ONLY
    elb_gemm_thread_setup(&saved);
#endif
    return saved;
}

static void pool_leave(int saved)
{
    (void)saved;
#ifndef ELBOW_KERNELS_REFERENCE_ONLY
    elb_gemm_thread_restore(saved);
#endif
}

static inline void pool_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static int64_t pool_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Waits while the word holds this value: spinning, then giving the processor away. Returns the nanoseconds of the
 * latter. */
static int64_t pool_await(atomic_uint *word, unsigned held)
{
    for (int look = 0; look < POOL_SPINS; look++) {
        if (atomic_load(word) != held) return 0;
        pool_pause();
    }
    int64_t from = pool_clock();
    while (atomic_load(word) == held) sched_yield();
    return pool_clock() - from;
}

static void pool_sleep(elb_pool *p, unsigned seen)
{
    pthread_mutex_lock(&p->mutex);
    atomic_fetch_add(&p->sleepers, 1);
    while (atomic_load(&p->generation) == seen) pthread_cond_wait(&p->wake, &p->mutex);
    atomic_fetch_sub(&p->sleepers, 1);
    pthread_mutex_unlock(&p->mutex);
}

static void *pool_work(void *argument)
{
    pool_worker *worker = argument;
    elb_pool *p = worker->pool;
    unsigned seen = 0;
    pool_enter();
    for (;;) {
        for (int look = 0; atomic_load(&p->generation) == seen; look++) {
            if (look < POOL_SPINS)
                pool_pause();
            else
                pool_sleep(p, seen);
        }
        seen++;
        if (atomic_load(&p->stop)) return NULL;
        p->body(p->argument, worker->index);
        atomic_fetch_sub(&p->pending, 1);
    }
}

static void pool_start_run(elb_pool *p)
{
    atomic_fetch_add(&p->generation, 1);
    if (atomic_load(&p->sleepers) > 0) {
        pthread_mutex_lock(&p->mutex);
        pthread_cond_broadcast(&p->wake);
        pthread_mutex_unlock(&p->mutex);
    }
}

void elb_pool_run_alone(elb_pool *p, void (*body)(void *argument, int thread), void *argument)
{
    (void)p;
    int saved = pool_enter();
    body(argument, 0);
    pool_leave(saved);
}

/* Where other programs want the processors too, threads that wait for each other lose more than they gain: after a run
 * that was mostly stalling, the workers sit out the next ones, ever more of them until a run goes well again. Only the
 * caller's waits count: it has the largest share of any work, so it waits for threads that were not let run. */
static void pool_judge(elb_pool *p, int64_t elapsed)
{
    if (p->stalled > elapsed / 2) {
        p->rests = 2 * p->rests + 1 < POOL_RESTS ? 2 * p->rests + 1 : POOL_RESTS;
        p->rest = p->rests;
    } else {
        p->rests /= 2;
    }
}

int elb_pool_team(elb_pool *p)
{
    if (p->rest == 0) return p->threads;
    p->rest--;
    return 1;
}

void elb_pool_run(elb_pool *p, void (*body)(void *argument, int thread), void *argument)
{
    int saved = pool_enter();
    int64_t from = pool_clock();
    p->stalled = 0;
    p->body = body;
    p->argument = argument;
    atomic_store(&p->pending, (unsigned)p->threads - 1);
    if (p->threads > 1) pool_start_run(p);
    body(argument, 0);
    for (unsigned n; (n = atomic_load(&p->pending)) > 0;) p->stalled += pool_await(&p->pending, n);
    pool_judge(p, pool_clock() - from);
    pool_leave(saved);
}

void elb_pool_barrier(elb_pool *p, int thread)
{
    if (p->threads == 1) return;
    unsigned passed = atomic_load(&p->barriers);
    if (atomic_fetch_add(&p->arrived, 1) == p->threads - 1) {
        atomic_store(&p->arrived, 0);
        atomic_fetch_add(&p->barriers, 1);
        return;
    }
    int64_t stalled = pool_await(&p->barriers, passed);
    if (thread == 0) p->stalled += stalled;
}

int elb_pool_threads(const elb_pool *p)
{
    return p->threads;
}

enum { POOL_ROUNDS = 64, POOL_TRIALS = 31 };

static void pool_play(void *argument, int thread)
{
    elb_pool *p = argument;
    if (thread > 1) return;
    for (unsigned i = 0; i < POOL_ROUNDS; i++) {
        for (unsigned n; (n = atomic_load(&p->ball)) != 2 * i + (unsigned)thread;) pool_await(&p->ball, n);
        atomic_store(&p->ball, 2 * i + (unsigned)thread + 1);
    }
}

double elb_pool_round_trip(elb_pool *p)
{
    if (p->threads < 2) return 0;
    double trial[POOL_TRIALS];
    for (int i = 0; i < POOL_TRIALS; i++) {
        atomic_store(&p->ball, 0);
        int64_t from = pool_clock();
        elb_pool_run(p, pool_play, p);
        trial[i] = (double)(pool_clock() - from) / POOL_ROUNDS;
    }
    qsort(trial, POOL_TRIALS, sizeof trial[0], elb_number_compare);
    return trial[POOL_TRIALS / 2];
}

static void pool_destroy(elb_pool *p)
{
    atomic_store(&p->stop, true);
    if (p->started > 0) pool_start_run(p);
    for (int i = 0; i < p->started; i++) pthread_join(p->workers[i].thread, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->mutex);
    elb_free(p->context, p->workers);
    elb_free(p->context, p);
}

static elb_status pool_create(elb_context *c, int threads, elb_pool **pool)
{
    elb_pool *p = elb_alloc(c, 1, sizeof *p);
    if (p == NULL) return ELB_MEMORY;
    p->context = c;
    p->threads = threads;
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->wake, NULL);
    p->workers = elb_alloc(c, threads, sizeof *p->workers);
    if (p->workers == NULL) {
        pool_destroy(p);
        return ELB_MEMORY;
    }
    for (int i = 0; i < threads - 1; i++) {
        p->workers[i] = (pool_worker){.pool = p, .index = i + 1};
        if (pthread_create(&p->workers[i].thread, NULL, pool_work, &p->workers[i]) != 0) {
            pool_destroy(p);
            return elb_fail(c, ELB_FAILURE, "the system refused to start thread %d of %d; ask for fewer threads", i + 2,
                            threads);
        }
        p->started++;
    }
    *pool = p;
    return ELB_OK;
}

static void machine_destroy(elb_context *c, void *object)
{
    elb_machine *m = object;
    if (m->pool != NULL) pool_destroy(m->pool);
    elb_free(c, m);
}

elb_status elb_machine_of(elb_context *c, const elb_machine **machine)
{
    *machine = elb_context_attached(c);
    if (*machine != NULL) return ELB_OK;
    const elb_kernels *kernels;
    ELB_TRY(elb_kernels_select(c, elb_context_settings(c)->kernels, &kernels));
    elb_machine *m = elb_alloc(c, 1, sizeof *m);
    if (m == NULL) return ELB_MEMORY;
    m->kernels = kernels;
    elb_status status = pool_create(c, elb_context_settings(c)->threads, &m->pool);
    if (status != ELB_OK) {
        elb_free(c, m);
        return status;
    }
    elb_context_attach(c, m, machine_destroy);
    *machine = m;
    return ELB_OK;
}
