/* test_step_memory.c - after the first steps a training step asks for no memory: not of the context's allocator, not of
 * malloc by another way, and what oneDNN takes for itself it gives back. */
#include "support.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <elbow/vae.h>

#include "run/step.h"

/* --- malloc, counted ---------------------------------------------------------------------------------------------- */

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MEMORY_SANITIZED
#endif
#endif
/* The sanitizers bring a malloc of their own. */
#if !defined(__GLIBC__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(MEMORY_SANITIZED)
#define MEMORY_COUNTED 0
#else
#define MEMORY_COUNTED 1
#endif

static atomic_llong memory_calls;

#if MEMORY_COUNTED
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t align, size_t size);

/* These stand before the C library's for everything in the process, shared libraries too. */
void *malloc(size_t size)
{
    atomic_fetch_add(&memory_calls, 1);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    atomic_fetch_add(&memory_calls, 1);
    return __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
    atomic_fetch_add(&memory_calls, 1);
    return __libc_realloc(block, size);
}

void *memalign(size_t align, size_t size)
{
    atomic_fetch_add(&memory_calls, 1);
    return __libc_memalign(align, size);
}

void *aligned_alloc(size_t align, size_t size)
{
    return memalign(align, size);
}

int posix_memalign(void **block, size_t align, size_t size)
{
    *block = memalign(align, size);
    return *block != NULL ? 0 : 12;
}

static int64_t memory_in_use(void)
{
    struct mallinfo2 now = mallinfo2();
    return (int64_t)(now.uordblks + now.hblkhd);
}
#else
static int64_t memory_in_use(void)
{
    return 0;
}
#endif

/* --- steps -------------------------------------------------------------------------------------------------------- */

enum { WARM = 2, COUNTED = 3, DATA = 300, COUNT = 70, BATCH = 30 };

typedef struct trainer {
    elb_context *c;
    elb_config *config;
    elb_dataset *data;
    elb_objective objective;
    elb_optimizer optimizer;
    elb_step step;
    uint64_t datum[BATCH];
    int64_t order[COUNT];
} trainer;

static void trainer_begin(trainer *t, const elb_settings *settings, const char *const (*keys)[2])
{
    assert_int_equal(elb_context_create(settings, &t->c), ELB_OK);
    assert_int_equal(elb_config_create(t->c, &t->config), ELB_OK);
    for (; (*keys)[0] != NULL; keys++) assert_int_equal(elb_config_set(t->config, (*keys)[0], (*keys)[1]), ELB_OK);
    float *values = calloc(COUNT * DATA, sizeof *values);
    for (int i = 0; i < COUNT * DATA; i++) values[i] = (float)(support_number(1, (uint64_t)i) + 1) / 2;
    assert_int_equal(elb_dataset_create(t->c, "noise", COUNT, 1, (int64_t[]){DATA}, values, &t->data), ELB_OK);
    free(values);
    t->step = (elb_step){.data = t->data, .objective = &t->objective, .optimizer = &t->optimizer, .datum = t->datum};
    assert_int_equal(elb_vae_create(t->config, t->data, &t->step.vae), ELB_OK);
    assert_int_equal(elb_tape_create(t->c, &t->step.tape), ELB_OK);
    elb_objective_init(&t->objective, &t->config->objective);
    t->objective.refine = &t->config->refine;
    assert_int_equal(elb_objective_open(&t->objective, t->step.vae->model, t->step.vae->posterior), ELB_OK);
    elb_optimizer_init(&t->optimizer, t->c, &t->config->optimizer);
    for (int b = 0; b < ELB_VAE_BLOCKS; b++)
        assert_int_equal(elb_optimizer_add(&t->optimizer, elb_vae_block(t->step.vae, b)), ELB_OK);
}

static void trainer_end(trainer *t)
{
    elb_optimizer_free(&t->optimizer);
    elb_objective_close(&t->objective);
    elb_tape_destroy(t->step.tape);
    elb_vae_destroy(t->step.vae);
    elb_dataset_destroy(t->data);
    elb_config_destroy(t->config);
    elb_context_destroy(t->c);
}

/* The last batch is smaller than the others. */
static void trainer_epoch(trainer *t, uint32_t epoch)
{
    elb_permutation(1, epoch, COUNT, t->order);
    for (int64_t first = 0; first < COUNT; first += BATCH) {
        int64_t batch = COUNT - first < BATCH ? COUNT - first : BATCH;
        elb_loss loss;
        assert_int_equal(elb_step_take(&t->step, 1e-3, epoch, t->order + first, batch, &loss), ELB_OK);
        assert_int_equal(elb_tape_reset(t->step.tape), ELB_OK);
    }
}

static void count_steps(const char *kernels, int threads, const char *const (*keys)[2])
{
    fault f = {0};
    trainer t;
    elb_settings settings = fault_settings(&f);
    settings.threads = threads;
    settings.kernels = kernels;
    trainer_begin(&t, &settings, keys);
    uint32_t epoch = 0;
    while (epoch < WARM) trainer_epoch(&t, epoch++);
    int64_t library = f.allocations, process = atomic_load(&memory_calls);
    int64_t bytes = memory_in_use();
    while (epoch < WARM + COUNTED) trainer_epoch(&t, epoch++);
    assert_int_equal(f.allocations, library);
    /* oneDNN's sgemm takes room to pack matrices, 64 KB to 512 KB, at nearly every call, and gives it back. */
    if (strcmp(kernels, "reference") == 0) assert_int_equal(atomic_load(&memory_calls), process);
    assert_true(memory_in_use() - bytes < 16384); /* freed blocks that malloc itself keeps at hand */
    trainer_end(&t);
    assert_int_equal(f.live, 0);
}

static void test_steps(void **state)
{
    static const char *const elbo[][2] = {{"data.binarise", "dynamic"}, {NULL, NULL}};
    static const char *const iwae[][2] = {{"data.binarise", "dynamic"}, {"objective.type", "iwae"},
                                          {"objective.samples", "5"},   {"objective.gradient", "dreg"},
                                          {"optimizer.clip", "1"},      {NULL, NULL}};
    static const char *const gated[][2] = {{"likelihood.type", "gaussian"},   {"likelihood.variance", "predicted"},
                                           {"posterior.activation", "gated"}, {"model.activation", "gated"},
                                           {"objective.warmup", "entropy"},   {NULL, NULL}};
    static const char *const gp[][2] = {
        {"data.binarise", "dynamic"}, {"posterior.type", "gp"}, {"objective.type", "gp"}, {NULL, NULL}};
    static const char *const iaf[][2] = {
        {"data.binarise", "dynamic"}, {"posterior.type", "iaf"}, {"posterior.flow_hidden", "20"}, {NULL, NULL}};
    static const char *const reflections[][2] = {
        {"data.binarise", "dynamic"}, {"posterior.type", "householder"}, {NULL, NULL}};
    static const char *const local[][2] = {{"data.binarise", "dynamic"},        {"posterior.type", "aux_flow"},
                                           {"posterior.flow_hidden", "5"},      {"posterior.flow_steps", "1"},
                                           {"posterior.flow_context", "local"}, {NULL, NULL}};
    static const char *const through[][2] = {{"data.binarise", "dynamic"},
                                             {"objective.type", "savi"},
                                             {"refine.method", "momentum"},
                                             {"refine.steps", "3"},
                                             {"refine.rate", "0.01"},
                                             {"refine.clip", "20"},
                                             {"objective.difference", "central"},
                                             {NULL, NULL}};
    static const char *const zero[][2] = {{"data.binarise", "dynamic"}, {"objective.type", "savi"},
                                          {"refine.start", "zero"},     {"refine.steps", "3"},
                                          {"objective.encoder", "kl"},  {NULL, NULL}};
    (void)state;
    const char *const(*const others[])[2] = {iwae, gated, gp, iaf, reflections, local, through, zero};
    for (int threads = 1; threads <= 2; threads++) {
        for (const elb_kernels *const *k = elb_kernels_available(); *k != NULL; k++)
            count_steps((*k)->name, threads, elbo);
        /* Only these are held to no call of malloc at all. */
        for (size_t i = 0; i < sizeof others / sizeof *others; i++) count_steps("reference", threads, others[i]);
    }
}

/* A check that cannot fail is a defect. */
static void test_counting(void **state)
{
    (void)state;
    int64_t before = atomic_load(&memory_calls);
    void *volatile block = malloc(100);
    free(block);
    assert_int_equal(atomic_load(&memory_calls) - before, MEMORY_COUNTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_counting), cmocka_unit_test(test_steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
