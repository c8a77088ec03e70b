/* test_flow_ops.c - the steps of flows against plain formulas and central differences, in double. */
#include "grad_support.h"

#include <math.h>
#include <string.h>

/* --- weights under a mask ----------------------------------------------------------------------------------------- */

enum { MASK_ROWS = 80 };
static int64_t mask_hidden[2 * MASK_ROWS];

static elb_tensor *mask_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    (void)c;
    return elb_mask(t, in[0], mask_hidden);
}

static double mask_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    int64_t n = grad_cols(&c->in[0]), row = i / n, column = i % n;
    bool hidden = column >= mask_hidden[2 * row] && column < mask_hidden[2 * row + 1];
    return hidden ? 0 : (double)in[0][i];
}

/* From nothing hidden to all, at the row's beginning, end and middle. */
static void test_mask(void **state)
{
    (void)state;
    for (int64_t n = 1; n <= 61; n += 6)
        for (int64_t rows = 1; rows <= MASK_ROWS; rows += MASK_ROWS - 1) {
            for (int64_t r = 0; r < rows; r++) {
                mask_hidden[2 * r] = r % 3 == 0 ? 0 : r * r % (n + 1);
                mask_hidden[2 * r + 1] = r % 3 == 1 ? n : mask_hidden[2 * r] + r % (n + 1 - mask_hidden[2 * r]);
            }
            grad_case c = {.inputs = 1, .build = mask_build, .plain = mask_plain};
            c.in[0] = (grad_input){GRAD_SHAPE(2, rows, n), .low = -1, .high = 1};
            grad_check(&c);
        }
}

/* --- steps -------------------------------------------------------------------------------------------------------- */

static elb_tensor *flow_step_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    return elb_flow_step(t, in[0], in[1], (elb_flow_form)c->with[0]);
}

static double flow_step_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    int64_t n = grad_cols(&c->in[0]), at = i / n * 2 * n + i % n;
    double z = (double)in[0][i], m = (double)in[1][at], scale = (double)in[1][at + n], gate = 1 / (1 + exp(-scale));
    switch ((elb_flow_form)c->with[0]) {
    case ELB_FLOW_GATED: return gate * z + (1 - gate) * m;
    case ELB_FLOW_AFFINE: return exp(scale) * z + m;
    case ELB_FLOW_SCALED: return gate * z + m;
    }
    return NAN;
}

static elb_tensor *flow_undo_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    return elb_flow_undo(t, in[0], in[1], (elb_flow_form)c->with[0]);
}

static double flow_undo_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    int64_t n = grad_cols(&c->in[0]), at = i / n * 2 * n + i % n;
    double y = (double)in[0][i], m = (double)in[1][at], scale = (double)in[1][at + n], gate = 1 / (1 + exp(-scale));
    switch ((elb_flow_form)c->with[0]) {
    case ELB_FLOW_GATED: return (y - (1 - gate) * m) / gate;
    case ELB_FLOW_AFFINE: return (y - m) * exp(-scale);
    case ELB_FLOW_SCALED: return (y - m) / gate;
    }
    return NAN;
}

static elb_tensor *flow_log_det_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    return elb_flow_log_det(t, in[0], (elb_flow_form)c->with[0]);
}

static double flow_log_det_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    int64_t n = grad_cols(&c->in[0]) / 2;
    double sum = 0;
    for (int64_t j = 0; j < n; j++) {
        double scale = (double)in[0][i * 2 * n + n + j];
        sum += (elb_flow_form)c->with[0] == ELB_FLOW_AFFINE ? scale : -log(1 + exp(-scale));
    }
    return sum;
}

static void test_flow_steps(void **state)
{
    static const grad_input shapes[] = {
        {GRAD_SHAPE(1, 1)}, {GRAD_SHAPE(2, 5, 3)}, {GRAD_SHAPE(3, 3, 2, 4)}, {GRAD_SHAPE(3, 3, 50, 20)}};
    (void)state;
    for (int form = ELB_FLOW_GATED; form <= ELB_FLOW_SCALED; form++)
        for (size_t x = 0; x < GRAD_COUNT(shapes); x++) {
            grad_case c = {.inputs = 2, .build = flow_step_build, .plain = flow_step_plain, .with = {form}};
            c.in[0] = c.in[1] = shapes[x];
            c.in[1].shape[c.in[1].rank - 1] *= 2;
            c.in[0].low = c.in[1].low = -2;
            c.in[0].high = c.in[1].high = 2;
            grad_check(&c);
            c.build = flow_undo_build;
            c.plain = flow_undo_plain;
            grad_check(&c);
            grad_case d = {.inputs = 1, .build = flow_log_det_build, .plain = flow_log_det_plain, .with = {form}};
            d.in[0] = c.in[1];
            grad_check(&d);
        }
}

static elb_tensor *reflect_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    (void)c;
    return elb_flow_reflect(t, in[0], in[1]);
}

static double reflect_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    int64_t n = grad_cols(&c->in[0]), row = i / n;
    const elb_real *z = in[0] + row * n, *v = in[1] + row % grad_rows(&c->in[1]) * n;
    double along = 0, square = 0;
    for (int64_t j = 0; j < n; j++) {
        along += (double)v[j] * (double)z[j];
        square += (double)v[j] * (double)v[j];
    }
    return (double)z[i % n] - (square > 0 ? 2 * (double)v[i % n] * along / square : 0);
}

static void test_reflect(void **state)
{
    static const grad_input pairs[][2] = {
        {{GRAD_SHAPE(1, 3)}, {GRAD_SHAPE(1, 3)}},
        {{GRAD_SHAPE(2, 5, 1)}, {GRAD_SHAPE(2, 5, 1)}},
        {{GRAD_SHAPE(3, 3, 2, 4)}, {GRAD_SHAPE(2, 2, 4)}},
        {{GRAD_SHAPE(3, 3, 50, 40)}, {GRAD_SHAPE(2, 50, 40)}},
    };
    (void)state;
    for (size_t p = 0; p < GRAD_COUNT(pairs); p++) {
        grad_case c = {.inputs = 2, .build = reflect_build, .plain = reflect_plain, .in = {pairs[p][0], pairs[p][1]}};
        c.in[0].low = c.in[1].low = -2;
        c.in[0].high = c.in[1].high = 2;
        c.in[1].gap = 0.3;
        grad_check(&c);
    }
    /* A vector without a direction. */
    grad_case zero = {.inputs = 2, .build = reflect_build, .plain = reflect_plain};
    zero.in[0] = (grad_input){GRAD_SHAPE(2, 2, 3), .low = -2, .high = 2};
    zero.in[1] = (grad_input){GRAD_SHAPE(2, 2, 3), .constant = true};
    grad_check(&zero);
}

/* Runs last. */
/* Runs last. */
static void test_registry(void **state)
{
    (void)state;
    grad_assert_all_seen(elb_tensor_ops, "test_flow_ops");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mask),
        cmocka_unit_test(test_flow_steps),
        cmocka_unit_test(test_reflect),
        cmocka_unit_test(test_registry),
    };
    return cmocka_run_group_tests(tests, NULL, grad_end_group);
}
