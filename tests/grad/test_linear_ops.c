/* test_linear_ops.c - the linear layers against a plain formula and central differences, in double. */
#include "grad_support.h"

#include <math.h>
#include <string.h>

/* --- linear ------------------------------------------------------------------------------------------------------- */

static elb_tensor *linear_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    return elb_linear(t, in[0], in[1], c->inputs == 3 ? in[2] : NULL, (elb_activation)c->with[0]);
}

static double linear_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    int64_t n = grad_cols(&c->in[0]), m = c->in[1].shape[0], row = i / m, out = i % m;
    double sum = c->inputs == 3 ? (double)in[2][out] : 0;
    for (int64_t j = 0; j < n; j++) sum += (double)in[0][row * n + j] * (double)in[1][out * n + j];
    return grad_activation((elb_activation)c->with[0], sum);
}

static void linear_check(grad_input x, int64_t out, int inputs, elb_activation act, bool fixed)
{
    int64_t n = grad_cols(&x);
    double scale = 1 / sqrt((double)n);
    grad_case c = {.inputs = inputs, .build = linear_build, .plain = linear_plain, .with = {act}, .fixed_rows = fixed};
    x.low = -1;
    x.high = 1.1;
    c.in[0] = x;
    c.in[1] = (grad_input){GRAD_SHAPE(2, out, n), .low = -scale, .high = 1.3 * scale};
    c.in[2] = (grad_input){GRAD_SHAPE(1, out), .low = 0.05, .high = 0.4}; /* keeps small layers off ReLU's kink */
    grad_check(&c);
}

static void test_linear_small(void **state)
{
    static const grad_input shapes[] = {
        {GRAD_SHAPE(1, 3)}, {GRAD_SHAPE(2, 1, 3)}, {GRAD_SHAPE(2, 5, 4)}, {GRAD_SHAPE(3, 3, 2, 1)}};
    (void)state;
    for (int act = 0; act < ELB_ACTIVATION_COUNT; act++)
        for (size_t x = 0; x < GRAD_COUNT(shapes); x++)
            for (int inputs = 2; inputs <= 3; inputs++)
                for (int fixed = 0; fixed < 2; fixed++)
                    for (int64_t out = 1; out <= 5; out += 4) {
                        if ((act == ELB_RELU || act == ELB_LEAKY_RELU) && inputs == 2)
                            continue; /* have their kink where a product may be */
                        linear_check(shapes[x], out, inputs, (elb_activation)act, fixed);
                    }
}

/* Sizes at which products are cut along rows, along columns, into two and into four, with remainders. */
static void test_linear_tiled(void **state)
{
    (void)state;
    linear_check((grad_input){GRAD_SHAPE(2, 300, 45)}, 37, 3, ELB_TANH, false);
    linear_check((grad_input){GRAD_SHAPE(3, 3, 45, 45)}, 50, 3, ELB_LINEAR, false);
    linear_check((grad_input){GRAD_SHAPE(2, 5, 200)}, 301, 3, ELB_TANH, false);
    linear_check((grad_input){GRAD_SHAPE(2, 3, 170)}, 515, 2, ELB_LINEAR, false);
    linear_check((grad_input){GRAD_SHAPE(2, 3, 515)}, 170, 3, ELB_SOFTPLUS, false);
    linear_check((grad_input){GRAD_SHAPE(2, 40, 90)}, 70, 3, ELB_TANH, false);
    linear_check((grad_input){GRAD_SHAPE(2, 130, 70)}, 90, 3, ELB_ELU, false);
    linear_check((grad_input){GRAD_SHAPE(2, 300, 45)}, 37, 3, ELB_TANH, true);
    linear_check((grad_input){GRAD_SHAPE(2, 256, 20)}, 9, 2, ELB_LINEAR, true);
}

/* With every datum's own weights, which stand in the middle of its row. */
static elb_tensor *linear_each_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    return elb_linear_each(t, in[0], in[1], (int64_t)c->with[0], (int64_t)c->with[1], (elb_activation)c->with[2]);
}

static double linear_each_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    int64_t n = grad_cols(&c->in[0]), m = (int64_t)c->with[1], row = i / m, out = i % m;
    const elb_real *w = in[1] + row % grad_rows(&c->in[1]) * grad_cols(&c->in[1]) + (int64_t)c->with[0];
    double sum = (double)w[m * n + out];
    for (int64_t j = 0; j < n; j++) sum += (double)in[0][row * n + j] * (double)w[out * n + j];
    return grad_activation((elb_activation)c->with[2], sum);
}

static void test_linear_each(void **state)
{
    static const int64_t sizes[][4] = {{1, 1, 1, 1}, {3, 2, 4, 3}, {2, 5, 3, 1}, {3, 7, 30, 40}}; /* S, B, n, m */
    (void)state;
    for (size_t k = 0; k < GRAD_COUNT(sizes); k++)
        for (int act = 0; act < ELB_ACTIVATION_COUNT; act++) {
            int64_t n = sizes[k][2], m = sizes[k][3];
            if (act == ELB_RELU || act == ELB_LEAKY_RELU) continue; /* their kink is in reach */
            grad_case c = {
                .inputs = 2, .build = linear_each_build, .plain = linear_each_plain, .with = {2, (double)m, act}};
            c.in[0] = (grad_input){GRAD_SHAPE(3, sizes[k][0], sizes[k][1], n), .low = -1, .high = 1.1};
            c.in[1] = (grad_input){GRAD_SHAPE(2, sizes[k][1], m * (n + 1) + 5), .low = -0.7, .high = 0.8};
            grad_check(&c);
        }
}

/* Each group is a linear layer of its own columns and rows. */
static elb_tensor *grouped_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    return elb_grouped_linear(t, in[0], in[1], c->inputs == 3 ? in[2] : NULL, (int64_t)c->with[1],
                              (elb_activation)c->with[0]);
}

static double grouped_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    int64_t n = grad_cols(&c->in[1]), all = c->in[1].shape[0], row = i / all, out = i % all;
    int64_t group = out / (all / (int64_t)c->with[1]);
    double sum = c->inputs == 3 ? (double)in[2][out] : 0;
    for (int64_t j = 0; j < n; j++)
        sum += (double)in[0][row * grad_cols(&c->in[0]) + group * n + j] * (double)in[1][out * n + j];
    return grad_activation((elb_activation)c->with[0], sum);
}

static void test_grouped_linear(void **state)
{
    static const int64_t sizes[][4] = {
        {1, 3, 2, 2}, {5, 1, 3, 3}, {70, 40, 30, 4}, {130, 9, 17, 2}}; /* rows, n, m, G */
    (void)state;
    for (size_t k = 0; k < GRAD_COUNT(sizes); k++)
        for (int way = 0; way < 4; way++) {
            const int64_t *a = sizes[k];
            double scale = 1 / sqrt((double)a[1]);
            grad_case c = {
                .inputs = 2 + way % 2, .build = grouped_build, .plain = grouped_plain, .fixed_rows = way / 2};
            c.with[0] = way == 1 ? ELB_LINEAR : ELB_TANH;
            c.with[1] = (double)a[3];
            c.in[0] = (grad_input){GRAD_SHAPE(2, a[0], a[3] * a[1]), .low = -1, .high = 1.1};
            c.in[1] = (grad_input){GRAD_SHAPE(2, a[3] * a[2], a[1]), .low = -scale, .high = 1.3 * scale};
            c.in[2] = (grad_input){GRAD_SHAPE(1, a[3] * a[2]), .low = 0.05, .high = 0.4};
            grad_check(&c);
        }
}

/* Runs last. */
/* Runs last. */
static void test_registry(void **state)
{
    (void)state;
    grad_assert_all_seen(elb_tensor_ops, "test_linear_ops");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear_small),   cmocka_unit_test(test_linear_tiled), cmocka_unit_test(test_linear_each),
        cmocka_unit_test(test_grouped_linear), cmocka_unit_test(test_registry),
    };
    return cmocka_run_group_tests(tests, NULL, grad_end_group);
}
