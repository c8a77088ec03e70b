/* test_ops.c - every op of the tensor room against a plain formula and central differences, in double. */
#include "grad_support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/tables.h"

#define SHAPE(r, ...) .rank = (r), .shape = {__VA_ARGS__}

static const int64_t samples_of[] = {1, 3}, batches_of[] = {1, 2, 5};
#define COUNT(list) (sizeof(list) / sizeof(list)[0])

/* --- two operands -------------------------------------------------------------------------------------------------- */

typedef enum pair_op { PAIR_ADD, PAIR_SUB, PAIR_MUL } pair_op;

static elb_tensor *pair_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    switch ((pair_op)c->with[0]) {
    case PAIR_ADD: return elb_add(t, in[0], in[1]);
    case PAIR_SUB: return elb_sub(t, in[0], in[1]);
    case PAIR_MUL: return elb_mul(t, in[0], in[1]);
    }
    return NULL;
}

/* The smaller operand's shape is the end of the larger's, so its numbers repeat. */
static double pair_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    double a = (double)in[0][i % grad_count(&c->in[0])], b = (double)in[1][i % grad_count(&c->in[1])];
    switch ((pair_op)c->with[0]) {
    case PAIR_ADD: return a + b;
    case PAIR_SUB: return a - b;
    case PAIR_MUL: return a * b;
    }
    return NAN;
}

static void pair_check(grad_input a, grad_input b)
{
    a.low = b.low = -2;
    a.high = b.high = 2;
    for (int op = PAIR_ADD; op <= PAIR_MUL; op++)
        for (int swap = 0; swap < 2; swap++) {
            grad_case c = {.inputs = 2, .build = pair_build, .plain = pair_plain, .with = {op}};
            c.in[0] = swap ? b : a;
            c.in[1] = swap ? a : b;
            grad_check(&c);
        }
}

static void test_pairs(void **state)
{
    (void)state;
    for (size_t s = 0; s < COUNT(samples_of); s++)
        for (size_t b = 0; b < COUNT(batches_of); b++)
            for (int64_t z = 1; z <= 4; z += 3) {
                int64_t n = samples_of[s], m = batches_of[b];
                grad_input full = {SHAPE(3, n, m, z)};
                pair_check(full, full);
                pair_check(full, (grad_input){SHAPE(2, m, z)});
                pair_check(full, (grad_input){SHAPE(1, z)});
                pair_check(full, (grad_input){SHAPE(1, 1)});
                pair_check((grad_input){SHAPE(2, n, m)}, (grad_input){SHAPE(1, m)});
            }
    grad_input large = {SHAPE(3, 3, 50, 100)}; /* several tiles, not equally large */
    pair_check(large, large);
    pair_check(large, (grad_input){SHAPE(2, 50, 100)});
    pair_check(large, (grad_input){SHAPE(1, 100)});
    pair_check(large, (grad_input){SHAPE(1, 1)});
}

static void test_pairs_of_one(void **state)
{
    (void)state;
    for (int op = PAIR_ADD; op <= PAIR_MUL; op++) {
        grad_case c = {.inputs = 2, .build = pair_build, .plain = pair_plain, .with = {op}, .twice = true};
        c.in[0] = c.in[1] = (grad_input){SHAPE(3, 3, 2, 4), .low = -2, .high = 2};
        grad_check(&c);
        c.in[0] = c.in[1] = (grad_input){SHAPE(1, 1), .low = -2, .high = 2};
        grad_check(&c);
    }
}

/* --- one operand --------------------------------------------------------------------------------------------------- */

static elb_tensor *affine_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    return elb_affine(t, in[0], c->with[0], c->with[1]);
}

static double affine_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    return c->with[0] * (double)in[0][i] + c->with[1];
}

static elb_tensor *apply_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    return elb_apply(t, (elb_unary)c->with[0], in[0]);
}

static double apply_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    double x = (double)in[0][i];
    switch ((elb_unary)c->with[0]) {
    case ELB_EXP: return exp(x);
    case ELB_LOG: return log(x);
    case ELB_SQUARE: return x * x;
    case ELB_UNARY_COUNT: break;
    }
    return NAN;
}

static elb_tensor *activate_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    return elb_activate(t, (elb_activation)c->with[0], in[0]);
}

static double activate_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    return grad_activation((elb_activation)c->with[0], (double)in[0][i]);
}

/* Over small shapes and one of several tiles. */
static void single_check(grad_case c)
{
    c.inputs = 1;
    for (size_t s = 0; s < COUNT(samples_of); s++)
        for (size_t b = 0; b < COUNT(batches_of); b++) {
            memcpy(c.in[0].shape, (int64_t[]){samples_of[s], batches_of[b], 3}, 3 * sizeof(int64_t));
            c.in[0].rank = 3;
            grad_check(&c);
        }
    memcpy(c.in[0].shape, (int64_t[]){3, 50, 100}, 3 * sizeof(int64_t));
    grad_check(&c);
}

static void test_affine(void **state)
{
    (void)state;
    single_check((grad_case){
        .build = affine_build, .plain = affine_plain, .with = {-1.7, 0.3}, .in[0] = {.low = -2, .high = 2}});
    single_check(
        (grad_case){.build = affine_build, .plain = affine_plain, .with = {0, 0.3}, .in[0] = {.low = -2, .high = 2}});
}

static void test_apply(void **state)
{
    (void)state;
    for (int f = 0; f < ELB_UNARY_COUNT; f++)
        single_check(
            (grad_case){.build = apply_build, .plain = apply_plain, .with = {f}, .in[0] = {.low = 0.2, .high = 3}});
}

static void test_activate(void **state)
{
    (void)state;
    for (int act = 0; act < ELB_ACTIVATION_COUNT; act++) /* the gap keeps differences off ReLU's kink */
        single_check((grad_case){.build = activate_build,
                                 .plain = activate_plain,
                                 .with = {act},
                                 .in[0] = {.low = -3, .high = 3, .gap = 0.01}});
}

/* --- reductions ---------------------------------------------------------------------------------------------------- */

static elb_tensor *sum_last_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    (void)c;
    return elb_sum_last(t, in[0]);
}

static double sum_last_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    double sum = 0;
    int64_t n = grad_cols(&c->in[0]);
    for (int64_t j = 0; j < n; j++) sum += (double)in[0][i * n + j];
    return sum;
}

static elb_tensor *mean_all_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    (void)c;
    return elb_mean_all(t, in[0]);
}

static double mean_all_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    double sum = 0;
    int64_t n = grad_count(&c->in[0]);
    for (int64_t j = 0; j < n; j++) sum += (double)in[0][i + j];
    return sum / (double)n;
}

static elb_tensor *mean_first_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    (void)c;
    return elb_mean_first(t, in[0]);
}

static double mean_first_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    int64_t samples = c->in[0].shape[0], width = grad_count(&c->in[0]) / samples;
    double sum = 0;
    for (int64_t s = 0; s < samples; s++) sum += (double)in[0][s * width + i];
    return sum / (double)samples;
}

static elb_tensor *log_mean_exp_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    (void)c;
    return elb_log_mean_exp(t, in[0]);
}

static double log_mean_exp_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    int64_t samples = c->in[0].shape[0], width = grad_count(&c->in[0]) / samples;
    double sum = 0;
    for (int64_t s = 0; s < samples; s++) sum += exp((double)in[0][s * width + i]);
    return log(sum / (double)samples);
}

static void test_reductions(void **state)
{
    static const struct {
        elb_tensor *(*build)(elb_tape *, elb_tensor *const *, const grad_case *);
        double (*plain)(const grad_case *, const elb_real *const *, int64_t);
    } ops[] = {{sum_last_build, sum_last_plain},
               {mean_all_build, mean_all_plain},
               {mean_first_build, mean_first_plain},
               {log_mean_exp_build, log_mean_exp_plain}};
    static const grad_input shapes[] = {
        {SHAPE(1, 1)},       {SHAPE(1, 7)},       {SHAPE(2, 5, 1)},    {SHAPE(2, 1, 5)},       {SHAPE(2, 3, 130)},
        {SHAPE(3, 1, 1, 4)}, {SHAPE(3, 3, 5, 2)}, {SHAPE(3, 1, 5, 1)}, {SHAPE(3, 3, 50, 100)},
    };
    (void)state;
    for (size_t o = 0; o < COUNT(ops); o++)
        for (size_t x = 0; x < COUNT(shapes); x++) {
            grad_case c = {.inputs = 1, .build = ops[o].build, .plain = ops[o].plain, .in[0] = shapes[x]};
            c.in[0].low = -3;
            c.in[0].high = 3;
            grad_check(&c);
        }
}

static elb_tensor *sum_squares_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    return elb_sum_squares(t, in[0], (int64_t)c->with[0]);
}

static double sum_squares_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    int64_t width = (int64_t)c->with[0];
    double sum = 0;
    for (int64_t j = 0; j < width; j++) sum += pow((double)in[0][i * width + j], 2);
    return sum;
}

static void test_sum_squares(void **state)
{
    static const grad_input shapes[] = {{SHAPE(1, 6)}, {SHAPE(2, 5, 6)}, {SHAPE(3, 3, 5, 12)}, {SHAPE(2, 30, 210)}};
    (void)state;
    for (size_t x = 0; x < COUNT(shapes); x++)
        for (int width = 1; width <= 6; width++) {
            if (6 % width != 0) continue;
            grad_case c = {.inputs = 1, .build = sum_squares_build, .plain = sum_squares_plain, .with = {width}};
            c.in[0] = shapes[x];
            c.in[0].low = -2;
            c.in[0].high = 2;
            grad_check(&c);
        }
}

/* Weights that exp() alone could not take. */
static void test_log_mean_exp_extremes(void **state)
{
    elb_context *c = support_context(NULL);
    elb_tape *t;
    elb_real x[8] = {-1e5, 1e5, -745, 3, -1e5, 1e5 + 1, -INFINITY, 3}, g[8];
    (void)state;
    assert_int_equal(elb_tape_create(c, &t), ELB_OK);
    elb_tensor *in = elb_leaf(t, "x", x, g, 2, (int64_t[]){2, 4});
    elb_tensor *y = elb_log_mean_exp(t, in);
    assert_int_equal(elb_tape_run(t, elb_mean_all(t, y)), ELB_OK);
    support_assert_near((double)y->data[0], -1e5, 1e-9, 0);
    support_assert_near((double)y->data[1], 1e5 + log((1 + exp(1)) / 2), 1e-9, 0);
    support_assert_near((double)y->data[2], -745 - log(2), 1e-9, 0);
    support_assert_near((double)y->data[3], 3, 1e-12, 0);
    const double want[8] = {0.5, 1 / (1 + exp(1)), 1, 0.5, 0.5, exp(1) / (1 + exp(1)), 0, 0.5};
    for (int i = 0; i < 8; i++) support_assert_near((double)g[i], want[i] / 4, 1e-10, 0);
    elb_tape_destroy(t);
    support_context_end(c, NULL);
}

/* --- shapes -------------------------------------------------------------------------------------------------------- */

static elb_tensor *columns_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    return elb_columns(t, in[0], (int64_t)c->with[0], (int64_t)c->with[1]);
}

static double columns_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    int64_t begin = (int64_t)c->with[0], count = (int64_t)c->with[1];
    return (double)in[0][i / count * grad_cols(&c->in[0]) + begin + i % count];
}

static void test_columns(void **state)
{
    (void)state;
    for (int64_t begin = 0; begin < 4; begin++)
        for (int64_t count = 1; count <= 4 - begin; count++) {
            grad_case c = {
                .inputs = 1, .build = columns_build, .plain = columns_plain, .with = {(double)begin, (double)count}};
            c.in[0] = (grad_input){SHAPE(1, 4), .low = -1, .high = 1};
            grad_check(&c);
            c.in[0] = (grad_input){SHAPE(3, 3, 5, 4), .low = -1, .high = 1};
            grad_check(&c);
        }
    grad_case large = {.inputs = 1,
                       .build = columns_build,
                       .plain = columns_plain,
                       .with = {30, 60},
                       .in[0] = {SHAPE(2, 200, 100), .low = -1, .high = 1}};
    grad_check(&large);
}

static elb_tensor *reshape_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    return elb_reshape(t, in[0], 2, (int64_t[]){(int64_t)c->with[0], (int64_t)c->with[1]});
}

static double reshape_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    (void)c;
    return (double)in[0][i];
}

static void test_reshape(void **state)
{
    static const grad_case cases[] = {{.in[0] = {SHAPE(1, 6), .low = -1, .high = 1}, .with = {3, 2}},
                                      {.in[0] = {SHAPE(3, 2, 3, 4), .low = -1, .high = 1}, .with = {6, 4}},
                                      {.in[0] = {SHAPE(2, 50, 100), .low = -1, .high = 1}, .with = {500, 10}}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        grad_case c = cases[i];
        c.inputs = 1;
        c.build = reshape_build;
        c.plain = reshape_plain;
        grad_check(&c);
    }
}

static elb_tensor *broadcast_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    int64_t shape[] = {(int64_t)c->with[1], (int64_t)c->with[2], (int64_t)c->with[3]};
    int rank = (int)c->with[0];
    return elb_broadcast(t, in[0], rank, shape + 3 - rank);
}

static double broadcast_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    return (double)in[0][i % grad_count(&c->in[0])];
}

static void test_broadcast(void **state)
{
    (void)state;
    for (int rank = 1; rank <= 3; rank++)
        for (int one = 0; one < 2; one++) {
            grad_case c = {.inputs = 1, .build = broadcast_build, .plain = broadcast_plain, .with = {rank, 3, 5, 4}};
            c.in[0] = (grad_input){SHAPE(1, one ? 1 : 4), .low = -1, .high = 1};
            grad_check(&c);
            c.with[3] = 1;
            c.in[0].shape[0] = 1;
            grad_check(&c);
            memcpy(c.with, (double[]){3, 3, 50, 100}, sizeof c.with);
            c.in[0].shape[0] = one ? 1 : 100;
            grad_check(&c);
        }
}

/* Without a weight it is the identity. */
static elb_tensor *scale_gradient_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    (void)c;
    return elb_scale_gradient(t, in[0]);
}

static double same_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    (void)c;
    return (double)in[0][i];
}

static void test_scale_gradient_alone(void **state)
{
    (void)state;
    single_check((grad_case){.build = scale_gradient_build, .plain = same_plain, .in[0] = {.low = -1, .high = 1}});
}

/* x -> scaled by weights that are computed from x further down; another consumer takes x as it is. */
static void scale_check(int64_t samples, int64_t batch, int64_t n)
{
    elb_context *c = support_context(NULL);
    elb_tape *t;
    int64_t rows = samples * batch;
    elb_real *x = calloc((size_t)(rows * n), sizeof *x), *g = calloc((size_t)(rows * n), sizeof *g);
    for (int64_t i = 0; i < rows * n; i++) x[i] = (elb_real)support_number(1, (uint64_t)i);
    assert_int_equal(elb_tape_create(c, &t), ELB_OK);
    elb_tensor *in = elb_leaf(t, "x", x, g, 3, (int64_t[]){samples, batch, n});
    elb_tensor *scaled = elb_scale_gradient(t, in);
    elb_tensor *square = elb_sum_last(t, elb_apply(t, ELB_SQUARE, scaled)); /* [S,B] */
    elb_scale_gradient_by(scaled, elb_softmax_first(t, square));
    elb_tensor *loss = elb_add(t, elb_mean_all(t, square), elb_affine(t, elb_mean_all(t, in), 3, 0));
    assert_int_equal(elb_tape_run(t, loss), ELB_OK);
    for (int64_t r = 0; r < rows; r++) {
        double total = 0, own = exp((double)square->data[r]);
        for (int64_t s = 0; s < samples; s++) total += exp((double)square->data[s * batch + r % batch]);
        for (int64_t j = 0; j < n; j++) {
            double want = own / total * 2 * (double)x[r * n + j] / (double)rows + 3 / (double)(rows * n);
            support_assert_near((double)g[r * n + j], want, 1e-12, 1e-10);
        }
    }
    elb_tape_destroy(t);
    support_context_end(c, NULL);
    free(x);
    free(g);
}

static void test_scale_gradient(void **state)
{
    (void)state;
    scale_check(1, 1, 1);
    scale_check(3, 2, 4);
    scale_check(3, 50, 100);
}

static void test_stop_gradient(void **state)
{
    elb_context *c = support_context(NULL);
    elb_tape *t;
    elb_real x[3] = {1, -2, 3}, g[3] = {9, 9, 9};
    (void)state;
    assert_int_equal(elb_tape_create(c, &t), ELB_OK);
    elb_tensor *in = elb_leaf(t, "x", x, g, 1, (int64_t[]){3});
    elb_tensor *stopped = elb_stop_gradient(t, in);
    elb_tensor *loss = elb_mean_all(t, elb_mul(t, in, stopped)); /* x * constant: the gradient is x, not 2x */
    assert_false(stopped->needs_grad);
    assert_int_equal(elb_tape_run(t, loss), ELB_OK);
    for (int i = 0; i < 3; i++) support_assert_near((double)g[i], (double)x[i] / 3, 1e-15, 0);
    elb_tape_destroy(t);
    support_context_end(c, NULL);
}

/* --- constants: no gradient flows ------------------------------------------------------------------------------------ */

static elb_tensor *softmax_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    (void)c;
    return elb_softmax_first(t, in[0]);
}

static double softmax_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    int64_t samples = c->in[0].shape[0], width = grad_count(&c->in[0]) / samples;
    double sum = 0;
    for (int64_t s = 0; s < samples; s++) sum += exp((double)in[0][s * width + i % width]);
    return exp((double)in[0][i]) / sum;
}

static void test_softmax_first(void **state)
{
    elb_context *c = support_context(NULL);
    elb_tape *t;
    elb_real x[2] = {1, -2}, g[2] = {9, 9};
    (void)state;
    single_check(
        (grad_case){.build = softmax_build, .plain = softmax_plain, .in[0] = {.low = -3, .high = 3, .constant = true}});
    assert_int_equal(elb_tape_create(c, &t), ELB_OK);
    elb_tensor *in = elb_leaf(t, "x", x, g, 1, (int64_t[]){2});
    elb_tensor *y = elb_softmax_first(t, in);
    assert_false(y->needs_grad);
    assert_int_equal(elb_tape_run(t, elb_mean_all(t, elb_mul(t, in, y))), ELB_OK);
    for (int i = 0; i < 2; i++) support_assert_near((double)g[i], (double)y->data[i] / 2, 1e-15, 0);
    elb_tape_destroy(t);
    support_context_end(c, NULL);
}

enum { NOISE_SAMPLES = 3, NOISE_BATCH = 4, NOISE_WIDTH = 6 };
static uint64_t noise_datum[NOISE_BATCH] = {7, 0, UINT64_C(1) << 40, 3};

static elb_tensor *noise_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    elb_noise noise = {.key = 5, .datum = noise_datum, .draw = 2, .samples = NOISE_SAMPLES};
    (void)in;
    return elb_noise_normal(t, &noise, NOISE_BATCH, NOISE_WIDTH, (uint32_t)c->with[0]);
}

/* Each row straight from the generator, which test_kernels_random.c holds to published vectors. */
static double noise_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    elb_real row[NOISE_WIDTH];
    int64_t r = i / NOISE_WIDTH;
    (void)in;
    uint64_t key = 5 + (uint64_t)c->with[0] * UINT64_C(0x9E3779B97F4A7C15);
    elb_kernels_reference.normal((elb_stream){key, noise_datum[r % NOISE_BATCH], (uint32_t)(2 + r / NOISE_BATCH)},
                                 NOISE_WIDTH, row);
    return (double)row[i % NOISE_WIDTH];
}

static void test_noise(void **state)
{
    (void)state;
    for (int lane = 0; lane < 3; lane++) {
        grad_case c = {.build = noise_build, .plain = noise_plain, .with = {lane}};
        grad_check(&c);
    }
}

/* --- side by side -------------------------------------------------------------------------------- */

static elb_tensor *join_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    (void)c;
    return elb_join(t, in[0], in[1]);
}

static double join_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    int64_t n = grad_cols(&c->in[0]), m = grad_cols(&c->in[1]), row = i / (n + m), column = i % (n + m);
    if (column < n) return (double)in[0][row * n + column];
    return (double)in[1][row % grad_rows(&c->in[1]) * m + column - n];
}

static void test_join(void **state)
{
    static const grad_input pairs[][2] = {
        {{SHAPE(1, 3)}, {SHAPE(1, 2)}},          {{SHAPE(3, 3, 5, 4)}, {SHAPE(3, 3, 5, 1)}},
        {{SHAPE(3, 3, 5, 4)}, {SHAPE(2, 5, 2)}}, {{SHAPE(2, 5, 1)}, {SHAPE(1, 6)}},
        {{SHAPE(2, 50, 60)}, {SHAPE(2, 50, 9)}}, {{SHAPE(3, 3, 50, 40)}, {SHAPE(2, 50, 30)}},
    };
    (void)state;
    for (size_t p = 0; p < COUNT(pairs); p++) {
        grad_case c = {.inputs = 2, .build = join_build, .plain = join_plain, .in = {pairs[p][0], pairs[p][1]}};
        c.in[0].low = c.in[1].low = -1;
        c.in[0].high = c.in[1].high = 1;
        grad_check(&c);
    }
}

static elb_tensor *clamp_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    return elb_clamp(t, in[0], c->with[0], c->with[1]);
}

static double clamp_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    return fmin(fmax((double)in[0][i], c->with[0]), c->with[1]);
}

static void test_clamp(void **state)
{
    (void)state;
    for (int side = 0; side < 2; side++) /* a bound at 0, of which the numbers keep clear */
        single_check((grad_case){.build = clamp_build,
                                 .plain = clamp_plain,
                                 .with = {side - 1, side},
                                 .in[0] = {.low = -0.9, .high = 0.9, .gap = 0.1}});
}

/* --- whether all ops were here ------------------------------------------------------------------------------------- */

/* Runs last. The linear layers are test_linear_ops.c's, the steps of flows and their masks test_flow_ops.c's. */
static void test_registry(void **state)
{
    static const char *const elsewhere[] = {"linear", "flow", "mask"};
    (void)state;
    for (const elb_op *const *op = elb_tensor_ops; *op != NULL; op++) {
        bool here = true;
        for (size_t i = 0; i < COUNT(elsewhere); i++) here = here && strstr((*op)->name, elsewhere[i]) == NULL;
        if (here && !grad_seen(*op)) fail_msg("the op %s has no case in this file", (*op)->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),          cmocka_unit_test(test_pairs_of_one),
        cmocka_unit_test(test_affine),         cmocka_unit_test(test_apply),
        cmocka_unit_test(test_activate),       cmocka_unit_test(test_reductions),
        cmocka_unit_test(test_sum_squares),    cmocka_unit_test(test_log_mean_exp_extremes),
        cmocka_unit_test(test_columns),        cmocka_unit_test(test_broadcast),
        cmocka_unit_test(test_reshape),        cmocka_unit_test(test_scale_gradient_alone),
        cmocka_unit_test(test_scale_gradient), cmocka_unit_test(test_stop_gradient),
        cmocka_unit_test(test_softmax_first),  cmocka_unit_test(test_noise),
        cmocka_unit_test(test_join),           cmocka_unit_test(test_clamp),
        cmocka_unit_test(test_registry),
    };
    return cmocka_run_group_tests(tests, NULL, grad_end_group);
}
