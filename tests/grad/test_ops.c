/* test_ops.c - elementwise ops, noise, and what changes gradients alone, against plain formulas and central
 * differences, in double. */
#include "grad_support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/tables.h"

/* --- two operands ------------------------------------------------------------------------------------------------- */

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
    for (size_t s = 0; s < GRAD_COUNT(grad_samples); s++)
        for (size_t b = 0; b < GRAD_COUNT(grad_batches); b++)
            for (int64_t z = 1; z <= 4; z += 3) {
                int64_t n = grad_samples[s], m = grad_batches[b];
                grad_input full = {GRAD_SHAPE(3, n, m, z)};
                pair_check(full, full);
                pair_check(full, (grad_input){GRAD_SHAPE(2, m, z)});
                pair_check(full, (grad_input){GRAD_SHAPE(1, z)});
                pair_check(full, (grad_input){GRAD_SHAPE(1, 1)});
                pair_check((grad_input){GRAD_SHAPE(2, n, m)}, (grad_input){GRAD_SHAPE(1, m)});
            }
    grad_input large = {GRAD_SHAPE(3, 3, 50, 100)}; /* several tiles, not equally large */
    pair_check(large, large);
    pair_check(large, (grad_input){GRAD_SHAPE(2, 50, 100)});
    pair_check(large, (grad_input){GRAD_SHAPE(1, 100)});
    pair_check(large, (grad_input){GRAD_SHAPE(1, 1)});
}

static void test_pairs_of_one(void **state)
{
    (void)state;
    for (int op = PAIR_ADD; op <= PAIR_MUL; op++) {
        grad_case c = {.inputs = 2, .build = pair_build, .plain = pair_plain, .with = {op}, .twice = true};
        c.in[0] = c.in[1] = (grad_input){GRAD_SHAPE(3, 3, 2, 4), .low = -2, .high = 2};
        grad_check(&c);
        c.in[0] = c.in[1] = (grad_input){GRAD_SHAPE(1, 1), .low = -2, .high = 2};
        grad_check(&c);
    }
}

/* --- one operand -------------------------------------------------------------------------------------------------- */

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

static void test_affine(void **state)
{
    (void)state;
    grad_check_shapes((grad_case){
        .build = affine_build, .plain = affine_plain, .with = {-1.7, 0.3}, .in[0] = {.low = -2, .high = 2}});
    grad_check_shapes(
        (grad_case){.build = affine_build, .plain = affine_plain, .with = {0, 0.3}, .in[0] = {.low = -2, .high = 2}});
}

static void test_apply(void **state)
{
    (void)state;
    for (int f = 0; f < ELB_UNARY_COUNT; f++)
        grad_check_shapes(
            (grad_case){.build = apply_build, .plain = apply_plain, .with = {f}, .in[0] = {.low = 0.2, .high = 3}});
}

static void test_activate(void **state)
{
    (void)state;
    for (int act = 0; act < ELB_ACTIVATION_COUNT; act++) /* the gap keeps differences off ReLU's kink */
        grad_check_shapes((grad_case){.build = activate_build,
                                      .plain = activate_plain,
                                      .with = {act},
                                      .in[0] = {.low = -3, .high = 3, .gap = 0.01}});
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
        grad_check_shapes((grad_case){.build = clamp_build,
                                      .plain = clamp_plain,
                                      .with = {side - 1, side},
                                      .in[0] = {.low = -0.9, .high = 0.9, .gap = 0.1}});
}

/* --- noise -------------------------------------------------------------------------------------------------------- */

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

/* --- gradients ---------------------------------------------------------------------------------------------------- */

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
    grad_check_shapes((grad_case){.build = scale_gradient_build, .plain = same_plain, .in[0] = {.low = -1, .high = 1}});
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

/* Runs last. */
static void test_registry(void **state)
{
    (void)state;
    grad_assert_all_seen(elb_tensor_ops, "test_ops");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),          cmocka_unit_test(test_pairs_of_one),
        cmocka_unit_test(test_affine),         cmocka_unit_test(test_apply),
        cmocka_unit_test(test_activate),       cmocka_unit_test(test_clamp),
        cmocka_unit_test(test_noise),          cmocka_unit_test(test_scale_gradient_alone),
        cmocka_unit_test(test_scale_gradient), cmocka_unit_test(test_stop_gradient),
        cmocka_unit_test(test_registry),
    };
    return cmocka_run_group_tests(tests, NULL, grad_end_group);
}
