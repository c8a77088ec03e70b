/* bench_kernels.c - every kernel of every table: compared with the reference first, then timed, on one thread.
 * Nanoseconds per element for rows of 784 (what a likelihood sees); GFLOP/s of the products of the standard network
 * (784-200-200-2x50, 50-200-200-784) beside the processor's measured peak of fused multiply-adds. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kernels/gemm.h"
#include "kernels/kernels.h"
#include "kernels/tables.h"

#if ELB_HAS_VECTOR_TABLES
#include <immintrin.h>
#endif

enum { N = 784, WIDEST = 784, MOST_ROWS = 500, TRIES = 7 };
static elb_real any[N], positive[N], out[3][N], wanted[3][N];
static elb_real left[MOST_ROWS * WIDEST], right[MOST_ROWS * WIDEST], product[WIDEST * WIDEST];
static volatile elb_real sink;

static double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* --- elementwise kernels ------------------------------------------------------------------------------------------ */

static const elb_leapfrog leapfrog = {(elb_real)0.5, (elb_real)1e4, (elb_real)0.1, (elb_real)0.1};
static const elb_adam_step step = {(elb_real)1e-3, (elb_real)0.9, (elb_real)0.999, (elb_real)1e-8, 1, 1, 0};
static const elb_stream stream = {.key = 1, .datum = 2, .draw = 3};

/* From fresh values each time: they would drift otherwise. The copy is in the figure. */
static void bench_activate(const elb_kernels *t, elb_activation act)
{
    memcpy(out[0], any, sizeof any);
    t->activate(act, 1, N, positive, out[0], N);
}

#define ROWS(X)                                                                                                        \
    X(tanh, bench_activate(t, ELB_TANH))                                                                               \
    X(relu, bench_activate(t, ELB_RELU))                                                                               \
    X(elu, bench_activate(t, ELB_ELU))                                                                                 \
    X(softplus, bench_activate(t, ELB_SOFTPLUS))                                                                       \
    X(sigmoid, bench_activate(t, ELB_SIGMOID))                                                                         \
    X(tanh_backward, t->activate_backward(ELB_TANH, N, positive, any, out[0]))                                         \
    X(exp, t->unary(ELB_EXP, N, any, out[0]))                                                                          \
    X(log, t->unary(ELB_LOG, N, positive, out[0]))                                                                     \
    X(exp_backward, t->unary_backward(ELB_EXP, N, any, positive, any, out[0]))                                         \
    X(add, t->add(N, any, positive, out[0]))                                                                           \
    X(mul, t->mul(N, any, positive, out[0]))                                                                           \
    X(mul_add, t->mul_add(N, any, positive, out[0]))                                                                   \
    X(axpy, t->axpy(N, 2, any, out[0]))                                                                                \
    X(axpby, t->axpby(N, 2, any, 1, out[0]))                                                                           \
    X(sum, out[0][0] = t->sum(N, any))                                                                                 \
    X(dot, out[0][0] = t->dot(N, any, positive))                                                                       \
    X(bernoulli_log, out[0][0] = t->bernoulli_log(N, positive, any))                                                   \
    X(bernoulli_grad, t->bernoulli_grad(N, positive, any, 1, out[0]))                                                  \
    X(continuous_log, out[0][0] = t->continuous_bernoulli_log(N, positive, any))                                       \
    X(continuous_grad, t->continuous_bernoulli_grad(N, positive, any, 1, out[0]))                                      \
    X(gaussian_log, out[0][0] = t->gaussian_log(N, positive, any, any))                                                \
    X(gaussian_grad, t->gaussian_grad(N, positive, any, any, 1, out[0], out[1], out[2]))                               \
    X(gaussian_sample, t->gaussian_sample(N, any, any, positive, out[0]))                                              \
    X(gaussian_sample_grad, t->gaussian_sample_grad(N, any, any, positive, out[0], out[1]))                            \
    X(kl_standard, t->kl_standard(N, any, any, out[0]))                                                                \
    X(kl_standard_grad, t->kl_standard_grad(N, any, any, positive, out[0], out[1]))                                    \
    X(adam, t->adam(&step, N, out[0], any, out[1], out[2]))                                                            \
    X(adamax, t->adamax(&step, N, out[0], any, out[1], out[2]))                                                        \
    X(sgd, t->sgd(&step, N, out[0], any, out[1]))                                                                      \
    X(leapfrog, t->leapfrog(&leapfrog, N, any, any, out[0], out[1]))                                                   \
    X(uniform, t->uniform(stream, N, out[0]))                                                                          \
    X(normal, t->normal(stream, N, out[0]))                                                                            \
    X(bernoulli, t->bernoulli(stream, N, positive, out[0]))                                                            \
    X(normal_50, for (int k = 0; k < 16; k++) t->normal(stream, 50, out[0])) /* 16 rows of 50: read as 784 */

#define ROW_FUNCTION(name, call)                                                                                       \
    static void row_##name(const elb_kernels *t)                                                                       \
    {                                                                                                                  \
        call;                                                                                                          \
    }
ROWS(ROW_FUNCTION)

#define ROW_ENTRY(name, call) {#name, row_##name},
static const struct {
    const char *name;
    void (*run)(const elb_kernels *t);
} rows[] = {ROWS(ROW_ENTRY)};

static void bench_reset(void)
{
    for (int o = 0; o < 3; o++) {
        for (int i = 0; i < N; i++) out[o][i] = (elb_real)0.25;
    }
}

static bool bench_agrees(const elb_kernels *t, int row)
{
    bench_reset();
    rows[row].run(&elb_kernels_reference);
    memcpy(wanted, out, sizeof wanted);
    bench_reset();
    rows[row].run(t);
    for (int o = 0; o < 3; o++) {
        for (int i = 0; i < N; i++) {
            if (!(fabs((double)(out[o][i] - wanted[o][i])) <= 1e-5 + 1e-5 * fabs((double)wanted[o][i]))) return false;
        }
    }
    return true;
}

/* The best of some tries, each long enough for the clock, in nanoseconds per call. */
static double bench_time(void (*run)(const void *what), const void *what)
{
    double best = INFINITY;
    int64_t calls = 1;
    for (int k = 0; k < TRIES;) {
        double start = bench_now();
        for (int64_t c = 0; c < calls; c++) run(what);
        double spent = bench_now() - start;
        if (spent < 1e-3) {
            calls *= 2;
        } else {
            best = fmin(best, spent * 1e9 / (double)calls);
            k++;
        }
    }
    return best;
}

typedef struct row_call {
    const elb_kernels *table;
    int row;
} row_call;

static void bench_row(const void *what)
{
    const row_call *call = what;
    rows[call->row].run(call->table);
    sink = out[0][0];
}

static int bench_rows(void)
{
    printf("%-22s", "ns per element");
    for (const elb_kernels *const *t = elb_kernels_available(); *t; t++) printf("%12s", (*t)->name);
    for (int row = 0; row < (int)(sizeof rows / sizeof rows[0]); row++) {
        printf("\n%-22s", rows[row].name);
        for (const elb_kernels *const *t = elb_kernels_available(); *t; t++) {
            row_call call = {*t, row};
            if (!bench_agrees(*t, row)) {
                fprintf(stderr, "\n%s: %s differs from the reference\n", (*t)->name, rows[row].name);
                return 1;
            }
            bench_reset();
            printf("%12.3f", bench_time(bench_row, &call) / N);
        }
    }
    puts("");
    return 0;
}

/* --- matrix products ---------------------------------------------------------------------------------------------- */

typedef struct product_call {
    const elb_kernels *table;
    bool ta, tb;
    int64_t m, n, k;
} product_call;

static void bench_product(const void *what)
{
    const product_call *p = what;
    p->table->gemm(p->ta, p->tb, p->m, p->n, p->k, left, p->ta ? p->m : p->k, right, p->tb ? p->k : p->n, 0, product,
                   p->n);
    sink = product[0];
}

static bool bench_product_agrees(product_call p)
{
    static elb_real want[WIDEST * WIDEST];
    bench_product(&p);
    memcpy(want, product, sizeof want);
    p.table = &elb_kernels_reference;
    bench_product(&p);
    for (int64_t i = 0; i < p.m * p.n; i++) {
        if (!(fabs((double)(product[i] - want[i])) <= 1e-4 * (1 + fabs((double)want[i])))) return false;
    }
    return true;
}

/* One layer, rows x in -> out: forward y = x w^T, back to x dx = dy w, back to w dw = dy^T x. */
static int bench_layer(const elb_kernels *t, int64_t batch, int64_t in, int64_t outputs, double *log_sum)
{
    const product_call calls[3] = {{t, false, true, batch, outputs, in},
                                   {t, false, false, batch, in, outputs},
                                   {t, true, false, outputs, in, batch}};
    printf("%-10s %4d x %3d -> %3d", t->name, (int)batch, (int)in, (int)outputs);
    for (int k = 0; k < 3; k++) {
        if (!bench_product_agrees(calls[k])) {
            fprintf(stderr, "\n%s: a product differs from the reference\n", t->name);
            return 1;
        }
        double rate = 2 * (double)(batch * in * outputs) / bench_time(bench_product, &calls[k]);
        *log_sum += log(rate);
        printf("%10.1f", rate);
    }
    puts("");
    return 0;
}

static int bench_products(void)
{
    static const int64_t batches[] = {1, 20, 100, MOST_ROWS},
                         layers[6][2] = {{784, 200}, {200, 200}, {200, 100}, {50, 200}, {200, 200}, {200, 784}};
    printf("\n%-31s%10s%10s%10s\n", "GFLOP/s", "forward", "back to x", "back to w");
    for (const elb_kernels *const *t = elb_kernels_available(); (*t)[0].gemm != elb_kernels_reference.gemm; t++) {
        for (int b = 0; b < 4; b++) {
            double log_sum = 0;
            for (int l = 0; l < 6; l++) {
                if (bench_layer(*t, batches[b], layers[l][0], layers[l][1], &log_sum)) return 1;
            }
            printf("%-10s %4d rows, geometric mean %.1f\n", (*t)->name, (int)batches[b], exp(log_sum / 18));
        }
        if (!t[1]) break;
    }
    return 0;
}

/* --- peak: twelve independent chains of fused multiply-adds ------------------------------------------------------- */

#if ELB_HAS_VECTOR_TABLES
enum { CHAINS = 12, LINKS = 1000 };

#define PEAK(isa, vector, all, fma)                                                                                    \
    __attribute__((target(#isa ",fma"))) static void peak_##isa(const void *unused)                                    \
    {                                                                                                                  \
        vector a = all(0.999f), b = all(0.001f), c0 = all(0), c1 = all(1), c2 = all(2), c3 = all(3), c4 = all(4);      \
        vector c5 = all(5), c6 = all(6), c7 = all(7), c8 = all(8), c9 = all(9), c10 = all(10), c11 = all(11);          \
        (void)unused;                                                                                                  \
        for (int k = 0; k < LINKS; k++) {                                                                              \
            c0 = fma(c0, a, b), c1 = fma(c1, a, b), c2 = fma(c2, a, b), c3 = fma(c3, a, b);                            \
            c4 = fma(c4, a, b), c5 = fma(c5, a, b), c6 = fma(c6, a, b), c7 = fma(c7, a, b);                            \
            c8 = fma(c8, a, b), c9 = fma(c9, a, b), c10 = fma(c10, a, b), c11 = fma(c11, a, b);                        \
        }                                                                                                              \
        sink = (((c0 + c1) + (c2 + c3)) + ((c4 + c5) + (c6 + c7)) + ((c8 + c9) + (c10 + c11)))[0];                     \
    }
PEAK(avx2, __m256, _mm256_set1_ps, _mm256_fmadd_ps)
PEAK(avx512f, __m512, _mm512_set1_ps, _mm512_fmadd_ps)

static void bench_peak(void)
{
    const double work = 2. * CHAINS * LINKS;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        printf("\npeak of avx2 %.1f GFLOP/s", 8 * work / bench_time(peak_avx2, NULL));
    if (__builtin_cpu_supports("avx512f"))
        printf("\npeak of avx512 %.1f GFLOP/s", 16 * work / bench_time(peak_avx512f, NULL));
    puts("");
}
#else
static void bench_peak(void) {}
#endif

int main(void)
{
    int saved;
    for (int i = 0; i < N; i++) {
        any[i] = (elb_real)(4 * sin(i * 1.7));
        positive[i] = (elb_real)(0.5 + 0.49 * sin(i * 2.3));
    }
    for (int i = 0; i < MOST_ROWS * WIDEST; i++) {
        left[i] = (elb_real)sin(i * 0.7);
        right[i] = (elb_real)cos(i * 1.1);
    }
    elb_gemm_thread_setup(&saved);
    int failed = bench_rows() || bench_products();
    if (!failed) bench_peak();
    elb_gemm_thread_restore(saved);
    return failed;
}
