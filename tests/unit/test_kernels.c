/* test_kernels.c - every function of every table this build and processor offer, against the reference table. */
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernels/gemm.h"
#include "kernels/kernels.h"
#include "kernels/stream.h"
#include "kernels/tables.h"

static const bool is_double = sizeof(elb_real) == sizeof(double);

/* --- arrays that end where memory ends: reading or writing one element too far is a fault ------------------------- */

enum { BLOCK_BYTES = 16384, BLOCKS = 8, PATTERN = 0x5A };

typedef struct guarded {
    unsigned char *base;
} guarded;

static guarded guarded_open(void)
{
    guarded g = {mmap(NULL, BLOCK_BYTES + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)};
    assert_true(g.base != MAP_FAILED);
    assert_int_equal(mprotect(g.base + BLOCK_BYTES, 4096, PROT_NONE), 0);
    return g;
}

static void guarded_close(guarded g)
{
    assert_int_equal(munmap(g.base, BLOCK_BYTES + 4096), 0);
}

/* n elements up to the end; everything before them gets the pattern. */
static elb_real *guarded_take(guarded g, int64_t n)
{
    memset(g.base, PATTERN, BLOCK_BYTES);
    return (elb_real *)(g.base + BLOCK_BYTES) - n;
}

static void guarded_check(guarded g, int64_t n)
{
    for (size_t i = 0; i < BLOCK_BYTES - (size_t)n * sizeof(elb_real); i++) assert_int_equal(g.base[i], PATTERN);
}

/* --- one case per function (and kind): inputs a, b, c, d; outputs x, y, z, which are inputs too where they add ---- */

typedef struct arrays {
    int64_t n;
    elb_real *a, *b, *c, *d, *x, *y, *z;
    elb_real result;
} arrays;

typedef struct kernel_case {
    const char *name;
    size_t field; /* of elb_kernels */
    void (*run)(const elb_kernels *t, arrays *v);
    double relative, absolute; /* of an element; of a sum: absolute per element */
} kernel_case;

static const elb_leapfrog leapfrog_step = {(elb_real)0.7, (elb_real)2.5, (elb_real)0.3, (elb_real)0.6};
static const elb_adam_step adam_step = {.rate = (elb_real)0.01,
                                        .beta1 = (elb_real)0.9,
                                        .beta2 = (elb_real)0.999,
                                        .epsilon = (elb_real)1e-4,
                                        .second_root = (elb_real)1.7,
                                        .gradient_scale = (elb_real)0.7,
                                        .weight_decay = (elb_real)0.03};
static const elb_stream stream = {.key = 0x0123456789ABCDEF, .datum = 0x300000007, .draw = 5};

/* Name, function, tolerances, call. */
#define EACH_CASE(X)                                                                                                   \
    X(linear, activate, 0, 0, t->activate(ELB_LINEAR, 1, v->n, v->a, v->x, v->n))                                      \
    X(tanh, activate, 1e-6, 1e-37, t->activate(ELB_TANH, 1, v->n, v->a, v->x, v->n))                                   \
    X(relu, activate, 0, 0, t->activate(ELB_RELU, 1, v->n, v->a, v->x, v->n))                                          \
    X(elu, activate, 1e-6, 1e-37, t->activate(ELB_ELU, 1, v->n, v->a, v->x, v->n))                                     \
    X(softplus, activate, 1e-6, 1e-37, t->activate(ELB_SOFTPLUS, 1, v->n, v->a, v->x, v->n))                           \
    X(sigmoid, activate, 1e-6, 1e-37, t->activate(ELB_SIGMOID, 1, v->n, NULL, v->x, v->n))                             \
    X(leaky_relu, activate, 0, 0, t->activate(ELB_LEAKY_RELU, 1, v->n, v->a, v->x, v->n))                              \
    X(silu, activate, 1e-6, 1e-36, t->activate(ELB_SILU, 1, v->n, v->a, v->x, v->n))                                   \
    X(gelu, activate, 1e-6, 1e-36, t->activate(ELB_GELU, 1, v->n, v->a, v->x, v->n))                                   \
    X(linear_back, activate_backward, 0, 0, t->activate_backward(ELB_LINEAR, v->n, v->d, v->a, v->x))                  \
    X(tanh_back, activate_backward, 1e-6, 2e-5, t->activate_backward(ELB_TANH, v->n, v->d, v->a, v->x))                \
    X(relu_back, activate_backward, 0, 0, t->activate_backward(ELB_RELU, v->n, v->a, v->b, v->x))                      \
    X(elu_back, activate_backward, 1e-6, 0, t->activate_backward(ELB_ELU, v->n, v->a, v->b, v->x))                     \
    X(softplus_back, activate_backward, 1e-6, 0, t->activate_backward(ELB_SOFTPLUS, v->n, v->d, v->b, v->x))           \
    X(sigmoid_back, activate_backward, 1e-6, 0, t->activate_backward(ELB_SIGMOID, v->n, v->d, v->b, v->x))             \
    X(leaky_relu_back, activate_backward, 0, 0, t->activate_backward(ELB_LEAKY_RELU, v->n, v->a, v->b, v->x))          \
    X(silu_back, activate_backward, 1e-6, 2e-6, t->activate_backward(ELB_SILU, v->n, v->a, v->b, v->x))                \
    X(gelu_back, activate_backward, 1e-6, 2e-6, t->activate_backward(ELB_GELU, v->n, v->a, v->b, v->x))                \
    X(exp, unary, 1e-6, 0, t->unary(ELB_EXP, v->n, v->c, v->x))                                                        \
    X(log, unary, 1e-6, 0, t->unary(ELB_LOG, v->n, v->d, v->x))                                                        \
    X(square, unary, 1e-6, 0, t->unary(ELB_SQUARE, v->n, v->a, v->x))                                                  \
    X(exp_back, unary_backward, 1e-6, 2e-5, t->unary_backward(ELB_EXP, v->n, v->c, v->b, v->a, v->x))                  \
    X(log_back, unary_backward, 1e-6, 2e-5, t->unary_backward(ELB_LOG, v->n, v->d, v->b, v->a, v->x))                  \
    X(square_back, unary_backward, 1e-6, 5e-4, t->unary_backward(ELB_SQUARE, v->n, v->c, v->b, v->a, v->x))            \
    X(add, add, 0, 0, t->add(v->n, v->a, v->b, v->x))                                                                  \
    X(mul, mul, 0, 0, t->mul(v->n, v->a, v->b, v->x))                                                                  \
    X(mul_add, mul_add, 1e-6, 2e-5, t->mul_add(v->n, v->a, v->b, v->x))                                                \
    X(axpy, axpy, 1e-6, 2e-5, t->axpy(v->n, (elb_real)-1.3, v->a, v->x))                                               \
    X(axpby, axpby, 1e-6, 1e-6, t->axpby(v->n, (elb_real)-1.3, v->a, (elb_real)0.4, v->x))                             \
    X(sum, sum, 1e-6, 1e-7, v->result = t->sum(v->n, v->b))                                                            \
    X(dot, dot, 1e-6, 2e-6, v->result = t->dot(v->n, v->a, v->b))                                                      \
    X(bernoulli_log, bernoulli_log, 1e-6, 1e-7, v->result = t->bernoulli_log(v->n, v->d, v->a))                        \
    X(bernoulli_grad, bernoulli_grad, 1e-6, 1e-6, t->bernoulli_grad(v->n, v->d, v->a, (elb_real)-0.8, v->x))           \
    X(continuous_log, continuous_bernoulli_log, 1e-6, 5e-7, v->result = t->continuous_bernoulli_log(v->n, v->d, v->a)) \
    X(continuous_grad, continuous_bernoulli_grad, 1e-6, 1e-6,                                                          \
      t->continuous_bernoulli_grad(v->n, v->d, v->a, (elb_real)-0.8, v->x))                                            \
    X(gaussian_log, gaussian_log, 1e-6, 1e-6, v->result = t->gaussian_log(v->n, v->b, v->d, v->c))                     \
    X(gaussian_grad, gaussian_grad, 2e-6, 1e-6,                                                                        \
      t->gaussian_grad(v->n, v->b, v->d, v->c, (elb_real)0.6, v->x, v->y, v->z))                                       \
    X(gaussian_grad_x, gaussian_grad, 2e-6, 1e-6,                                                                      \
      t->gaussian_grad(v->n, v->b, v->d, v->c, (elb_real)0.6, v->x, NULL, NULL))                                       \
    X(gaussian_grad_a, gaussian_grad, 2e-6, 1e-6,                                                                      \
      t->gaussian_grad(v->n, v->b, v->d, v->c, (elb_real)0.6, NULL, v->x, NULL))                                       \
    X(gaussian_grad_l, gaussian_grad, 2e-6, 1e-6,                                                                      \
      t->gaussian_grad(v->n, v->b, v->d, v->c, (elb_real)0.6, NULL, NULL, v->x))                                       \
    X(gaussian_sample, gaussian_sample, 1e-6, 1e-6, t->gaussian_sample(v->n, v->b, v->c, v->d, v->x))                  \
    X(gaussian_sample_grad, gaussian_sample_grad, 1e-6, 1e-6,                                                          \
      t->gaussian_sample_grad(v->n, v->c, v->b, v->d, v->x, v->y))                                                     \
    X(kl_standard, kl_standard, 1e-6, 1e-6, t->kl_standard(v->n, v->b, v->c, v->x))                                    \
    X(kl_standard_grad, kl_standard_grad, 1e-6, 1e-6, t->kl_standard_grad(v->n, v->b, v->c, v->d, v->x, v->y))         \
    X(adam, adam, 1e-6, 1e-6, t->adam(&adam_step, v->n, v->x, v->a, v->y, v->z))                                       \
    X(adamax, adamax, 1e-6, 1e-6, t->adamax(&adam_step, v->n, v->x, v->a, v->y, v->z))                                 \
    X(sgd, sgd, 1e-6, 1e-6, t->sgd(&adam_step, v->n, v->x, v->a, v->y))                                                \
    X(leapfrog, leapfrog, 1e-6, 1e-6, t->leapfrog(&leapfrog_step, v->n, v->a, v->b, v->x, v->y))                       \
    X(uniform, uniform, 0, 0, t->uniform(stream, v->n, v->x))                                                          \
    X(normal, normal, 1e-6, 1e-6, t->normal(stream, v->n, v->x))                                                       \
    X(bernoulli, bernoulli, 0, 0, t->bernoulli(stream, v->n, v->d, v->x))

#define RUN(name, field, relative, absolute, ...)                                                                      \
    static void run_##name(const elb_kernels *t, arrays *v)                                                            \
    {                                                                                                                  \
        __VA_ARGS__;                                                                                                   \
    }
EACH_CASE(RUN)

#define OF(field) offsetof(elb_kernels, field)
#define ROW(name, field, relative, absolute, ...) {#name, OF(field), run_##name, relative, absolute},
static const kernel_case cases[] = {EACH_CASE(ROW)};
enum { CASES = sizeof cases / sizeof cases[0] };

/* The values of one array: words of a stream of their own. `kind` 'a' any (extreme: up to +-100), 'b' about +-3,
 * 'c' a log-variance (extreme: +-20), 'd' in (0,1) (extreme: mostly 0+ and 1), 'z' not negative. */
static void arrays_fill(int64_t n, elb_real *v, char kind, bool extreme)
{
    for (int64_t i = 0; i < n; i++) {
        double u = (elb_random_word(77 + extreme, (uint64_t)kind, 0, (uint32_t)i) + 0.5) * 0x1p-32, s = 2 * u - 1;
        switch (kind) {
        case 'a': v[i] = (elb_real)(extreme ? (i % 3 == 0 ? 100 : 20) * s : 4 * s); break;
        case 'c': v[i] = (elb_real)(extreme ? 20 * s : 2 * s); break;
        case 'd': v[i] = (elb_real)(extreme ? (i % 3 ? u < 0.5 ? 1e-30 : 1 : u) : u); break;
        case 'z': v[i] = (elb_real)(extreme ? 1e-6 * u : u); break;
        default: v[i] = (elb_real)(3 * s);
        }
    }
    if (extreme && n > 5 && kind == 'a') v[0] = 100, v[1] = -100, v[2] = 0, v[3] = (elb_real)1e-6, v[4] = (elb_real)0.5;
    if (extreme && n > 5 && kind == 'c') v[0] = 20, v[1] = -20, v[2] = 0;
}

static arrays arrays_take(const guarded g[BLOCKS], int64_t n, bool extreme)
{
    static const char kinds[7] = {'a', 'b', 'c', 'd', 'b', 'b', 'z'};
    elb_real *at[7];
    for (int k = 0; k < 7; k++) {
        at[k] = guarded_take(g[k], n);
        arrays_fill(n, at[k], kinds[k], extreme);
    }
    return (arrays){n, at[0], at[1], at[2], at[3], at[4], at[5], at[6], 0};
}

/* The seven arrays every `stride` elements from `first` on. */
static arrays arrays_at(int64_t n, elb_real *first, int64_t stride)
{
    return (arrays){n,
                    first,
                    first + stride,
                    first + 2 * stride,
                    first + 3 * stride,
                    first + 4 * stride,
                    first + 5 * stride,
                    first + 6 * stride,
                    0};
}

/* NaN is never close. */
static bool is_close(double got, double want, double relative, double absolute)
{
    return got == want || fabs(got - want) <= absolute + relative * fabs(want);
}

static void check_case(const kernel_case *k, const elb_kernels *table, int64_t n, bool extreme, const guarded g[BLOCKS],
                       elb_real *wanted[3])
{
    arrays v = arrays_take(g, n, extreme);
    k->run(&elb_kernels_reference, &v);
    elb_real want = v.result, *outputs[3] = {v.x, v.y, v.z};
    for (int o = 0; o < 3; o++) memcpy(wanted[o], outputs[o], (size_t)n * sizeof(elb_real));
    v = arrays_take(g, n, extreme);
    k->run(table, &v);
    for (int b = 0; b < 7; b++) guarded_check(g[b], n);
    bool is_sum = k->field == OF(sum) || k->field == OF(dot) || strstr(k->name, "_log");
    if (is_sum && !is_close(v.result, want, k->relative, k->absolute * (double)n * (extreme ? 100 : 1)))
        fail_msg("%s %s n %d: %.9g, not %.9g", table->name, k->name, (int)n, (double)v.result, (double)want);
    for (int o = 0; o < 3; o++) {
        for (int64_t i = 0; i < n; i++) {
            double a = outputs[o][i], b = wanted[o][i];
            if (!is_close(a, b, k->relative, k->absolute))
                fail_msg("%s %s n %d, output %d [%d]: %.9g, not %.9g", table->name, k->name, (int)n, o, (int)i, a, b);
        }
    }
}

static void test_tables_match_the_reference(void **state)
{
    static const int64_t sizes[] = {0, 1, 3, 7, 8, 15, 16, 17, 50, 63, 64, 65, 100, 784, 1000, 2000};
    guarded g[BLOCKS];
    elb_real *wanted[3];
    (void)state;
    for (int b = 0; b < BLOCKS; b++) g[b] = guarded_open();
    for (int o = 0; o < 3; o++) assert_non_null(wanted[o] = calloc(2000, sizeof(elb_real)));
    for (const elb_kernels *const *t = elb_kernels_available(); *t; t++) {
        for (size_t k = 0; k < CASES; k++) {
            for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
                check_case(&cases[k], *t, sizes[s], false, g, wanted);
                check_case(&cases[k], *t, sizes[s], true, g, wanted);
            }
        }
    }
    for (int o = 0; o < 3; o++) free(wanted[o]);
    for (int b = 0; b < BLOCKS; b++) guarded_close(g[b]);
}

/* Logits of 0 make the largest factors of the product behind the sum; a long row must not overflow it. */
static void test_bernoulli_log_of_a_long_row(void **state)
{
    enum { N = 10000 };
    static elb_real x[N], a[N];
    (void)state;
    for (const elb_kernels *const *t = elb_kernels_available(); *t; t++)
        support_assert_near((double)(*t)->bernoulli_log(N, x, a), -N * log(2), 0, 1e-6);
}

/* A function without a case, or a table without a function, fails here. */
static void test_tables_are_complete(void **state)
{
    (void)state;
    typedef void (*any)(void);
    for (size_t at = OF(gemm); at < sizeof(elb_kernels); at += sizeof(any)) {
        for (const elb_kernels *const *t = elb_kernels_available(); *t; t++) {
            any function;
            memcpy(&function, (const char *)*t + at, sizeof function);
            if (!function) fail_msg("%s has no function at offset %d", (*t)->name, (int)at);
        }
        bool covered = at == OF(gemm); /* has tests of its own below */
        for (size_t k = 0; k < CASES; k++) covered |= cases[k].field == at;
        if (!covered) fail_msg("no case for the function at offset %d", (int)at);
    }
}

/* A broken value anywhere reaches the result, of gradients and random numbers apart: a loss must not hide it. */
static void test_nan_passes_through(void **state)
{
    elb_real store[7][50];
    (void)state;
    for (const elb_kernels *const *t = elb_kernels_available(); *t; t++) {
        for (size_t k = 0; k < CASES; k++) {
            bool gradient = strstr(cases[k].name, "_back") || strstr(cases[k].name, "_grad");
            if (gradient || cases[k].field >= OF(uniform)) continue;
            for (int at = 7; at < 50; at += 42) {
                for (int b = 0; b < 7; b++) {
                    for (int i = 0; i < 50; i++) store[b][i] = i == at ? (elb_real)NAN : (elb_real)0.5;
                }
                arrays v = arrays_at(50, store[0], 50);
                cases[k].run(*t, &v);
                if (!isnan((double)v.result) && !isnan((double)v.x[at])) fail_msg("%s %s", (*t)->name, cases[k].name);
            }
        }
    }
}

/* --- the same bits wherever a row lies, however it is cut, and in place ------------------------------------------- */

static void test_bits_do_not_depend_on_the_address(void **state)
{
    elb_real x[400], y[400], copy_x[432], copy_y[432];
    (void)state;
    arrays_fill(400, x, 'd', false);
    arrays_fill(400, y, 'a', false);
    for (const elb_kernels *const *t = elb_kernels_available(); *t; t++) {
        for (int shift = 0; shift < 32; shift++) {
            memcpy(copy_x + shift, x, sizeof x);
            memcpy(copy_y + shift, y, sizeof y);
            assert_true((*t)->sum(400, copy_y + shift) == (*t)->sum(400, y));
            assert_true((*t)->dot(400, copy_x + shift, copy_y + shift) == (*t)->dot(400, x, y));
            assert_true((*t)->bernoulli_log(400, copy_x + shift, copy_y + shift) == (*t)->bernoulli_log(400, x, y));
            assert_true((*t)->gaussian_log(400, copy_x + shift, copy_x + shift, copy_y + shift) ==
                        (*t)->gaussian_log(400, x, x, y));
        }
    }
}

static void test_bits_do_not_depend_on_the_cut(void **state)
{
    enum { N = 100, CUT = 37 };
    (void)state;
    for (const elb_kernels *const *t = elb_kernels_available(); *t; t++) {
        for (size_t k = 0; k < CASES; k++) {
            if (cases[k].field >= OF(uniform)) continue; /* a row's numbers start at its start */
            elb_real whole[7][N], parts[7][N];
            for (int b = 0; b < 7; b++) {
                arrays_fill(N, whole[b], "abcdbbz"[b], false);
                memcpy(parts[b], whole[b], sizeof whole[b]);
            }
            arrays v = arrays_at(N, whole[0], N);
            cases[k].run(*t, &v);
            for (int from = 0; from < N; from += CUT) {
                int64_t n = N - from < CUT ? N - from : CUT;
                v = arrays_at(n, parts[0] + from, N);
                cases[k].run(*t, &v);
            }
            if (memcmp(whole, parts, sizeof whole)) fail_msg("%s %s", (*t)->name, cases[k].name);
        }
    }
}

static void test_in_place(void **state)
{
    enum { N = 77 };
    elb_real a[N], b[N], p[N], want[N], got[N];
    (void)state;
    arrays_fill(N, a, 'a', false);
    arrays_fill(N, b, 'b', false);
    arrays_fill(N, p, 'd', false);
    for (const elb_kernels *const *table = elb_kernels_available(); *table; table++) {
        const elb_kernels *t = *table;
#define IN_PLACE(start, apart, inside)                                                                                 \
    do {                                                                                                               \
        memcpy(got, start, sizeof got);                                                                                \
        apart;                                                                                                         \
        inside;                                                                                                        \
        assert_memory_equal(got, want, sizeof got);                                                                    \
    } while (0)
        IN_PLACE(a, t->add(N, a, b, want), t->add(N, got, b, got));
        IN_PLACE(b, t->add(N, a, b, want), t->add(N, a, got, got));
        IN_PLACE(a, t->mul(N, a, b, want), t->mul(N, got, b, got));
        IN_PLACE(b, t->mul(N, a, b, want), t->mul(N, a, got, got));
        IN_PLACE(a, t->axpby(N, 2, a, 3, want), t->axpby(N, 2, got, 3, got));
        IN_PLACE(p, t->bernoulli(stream, N, p, want), t->bernoulli(stream, N, got, got));
        for (int f = 0; f < ELB_UNARY_COUNT; f++)
            IN_PLACE(p, t->unary((elb_unary)f, N, p, want), t->unary((elb_unary)f, N, got, got));
        for (int f = 0; f < ELB_ACTIVATION_COUNT; f++)
            IN_PLACE(b, t->activate_backward((elb_activation)f, N, p, b, want),
                     t->activate_backward((elb_activation)f, N, p, got, got));
    }
}

static void test_rows_with_a_stride(void **state)
{
    enum { ROWS = 3, COLS = 21, LD = 26 };
    elb_real bias[COLS], want[ROWS * LD], got[ROWS * LD];
    (void)state;
    arrays_fill(COLS, bias, 'b', false);
    for (const elb_kernels *const *t = elb_kernels_available(); *t; t++) {
        for (int act = 0; act < ELB_ACTIVATION_COUNT; act++) {
            for (int with = 0; with < 2; with++) {
                arrays_fill(ROWS * LD, got, 'a', false);
                memcpy(want, got, sizeof got);
                (*t)->activate((elb_activation)act, ROWS, COLS, with ? bias : NULL, got, LD);
                elb_kernels_reference.activate((elb_activation)act, ROWS, COLS, with ? bias : NULL, want, LD);
                for (int i = 0; i < ROWS * LD; i++) {
                    double tolerance = i % LD < COLS ? 1e-6 : 0;
                    support_assert_near((double)got[i], (double)want[i], tolerance, tolerance);
                }
            }
        }
    }
}

/* --- matrix products ---------------------------------------------------------------------------------------------- */

enum { GEMM_LD = 131 };

static void check_gemm(const elb_kernels *t, const elb_real *a, const elb_real *b, int form, int64_t m, int64_t n,
                       int64_t k)
{
    static elb_real c[GEMM_LD * GEMM_LD];
    bool ta = form & 1, tb = form & 2;
    int64_t lda = (ta ? m : k) + (form & 8 ? 3 : 0), ldb = (tb ? k : n) + (form & 8 ? 1 : 0),
            ldc = n + (form & 8 ? 2 : 0);
    elb_real beta = form & 4 ? 1 : 0, before = form & 4 ? (elb_real)0.75 : (elb_real)NAN;
    for (int64_t i = 0; i < m * ldc + 1; i++) c[i] = i < m * ldc && i % ldc < n ? before : 7;
    t->gemm(ta, tb, m, n, k, a, lda ? lda : 1, b, ldb ? ldb : 1, beta, c, ldc ? ldc : 1);
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            double want = form & 4 ? 0.75 : 0;
            for (int64_t p = 0; p < k; p++)
                want += (double)a[ta ? p * lda + i : i * lda + p] * (double)b[tb ? j * ldb + p : p * ldb + j];
            if (!is_close((double)c[i * ldc + j], want, 1e-6, is_double ? 1e-12 : 1e-6 + 3e-7 * (double)k))
                fail_msg("%s gemm form %d %dx%dx%d [%d,%d]: %.9g, not %.9g", t->name, form, (int)m, (int)n, (int)k,
                         (int)i, (int)j, (double)c[i * ldc + j], want);
        }
        for (int64_t j = n; j < ldc; j++) assert_true(c[i * ldc + j] == 7);
    }
    assert_true(c[m * ldc] == 7);
}

static void test_gemm(void **state)
{
    static const int64_t sizes[] = {0, 1, 2, 5, 17, 50, 128};
    enum { SIZES = sizeof sizes / sizeof sizes[0] };
    static elb_real a[GEMM_LD * GEMM_LD], b[GEMM_LD * GEMM_LD];
    (void)state;
    arrays_fill(GEMM_LD * GEMM_LD, a, 'b', false);
    arrays_fill(GEMM_LD * GEMM_LD, b, 'e', false);
    for (const elb_kernels *const *t = elb_kernels_available(); *t; t++) {
        for (int at = 0; at < SIZES * SIZES * SIZES; at++) {
            int64_t m = sizes[at % SIZES], n = sizes[at / SIZES % SIZES], k = sizes[at / SIZES / SIZES];
            for (int form = 0; form < 16; form++) {
                if (m * n * k < 100000 || (form + at) % 5 == 0) check_gemm(*t, a, b, form, m, n, k);
            }
        }
    }
}

/* Rows of A that overlap (lda 1 for 40 columns) are refused by oneDNN; the product must come all the same. */
static void test_gemm_when_the_library_refuses(void **state)
{
    enum { M = 30, N = 20, K = 40 };
    elb_real a[M + K], b[K * N], c[M * N], want[M * N];
    (void)state;
    arrays_fill(M + K, a, 'b', false);
    arrays_fill(K * N, b, 'e', false);
    elb_kernels_reference.gemm(false, false, M, N, K, a, 1, b, N, 0, want, N);
    for (const elb_kernels *const *t = elb_kernels_available(); *t; t++) {
        for (int i = 0; i < M * N; i++) c[i] = NAN;
        (*t)->gemm(false, false, M, N, K, a, 1, b, N, 0, c, N);
        for (int i = 0; i < M * N; i++) support_assert_near((double)c[i], (double)want[i], 1e-5, 1e-6);
    }
}

static void test_gemm_threads(void **state)
{
    int first = -1, inside = -1, after = -1;
    (void)state;
    elb_gemm_thread_setup(&first);
    elb_gemm_thread_setup(&inside);
    assert_int_equal(inside, ELB_HAS_VECTOR_TABLES);
    elb_gemm_thread_restore(first);
    elb_gemm_thread_setup(&after);
    assert_int_equal(after, first);
    elb_gemm_thread_restore(first);
}

/* --- choosing a table --------------------------------------------------------------------------------------------- */

static void test_select(void **state)
{
    const elb_kernels *const *available = elb_kernels_available(), *table, *last = NULL;
    elb_context *c = support_context(NULL);
    (void)state;
    for (const elb_kernels *const *t = available; *t; t++) {
        last = *t;
        assert_int_equal(elb_kernels_select(c, (*t)->name, &table), ELB_OK);
        assert_ptr_equal(table, *t);
    }
    assert_string_equal(last->name, "reference");
    assert_int_equal(elb_kernels_select(c, "auto", &table), ELB_OK);
    assert_ptr_equal(table, available[0]);
    assert_int_equal(elb_kernels_select(c, NULL, &table), ELB_OK);
    assert_ptr_equal(table, available[0]);
    assert_int_equal(elb_kernels_select(c, "abacus", &table), ELB_USAGE);
    assert_null(table);
    support_assert_message(c, "abacus");
    support_assert_message(c, "auto");
    support_assert_message(c, "reference");
    support_context_end(c, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_are_complete),
        cmocka_unit_test(test_tables_match_the_reference),
        cmocka_unit_test(test_bernoulli_log_of_a_long_row),
        cmocka_unit_test(test_nan_passes_through),
        cmocka_unit_test(test_bits_do_not_depend_on_the_address),
        cmocka_unit_test(test_bits_do_not_depend_on_the_cut),
        cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_rows_with_a_stride),
        cmocka_unit_test(test_gemm),
        cmocka_unit_test(test_gemm_when_the_library_refuses),
        cmocka_unit_test(test_gemm_threads),
        cmocka_unit_test(test_select),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
