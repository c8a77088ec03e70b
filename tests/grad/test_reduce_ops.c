/* test_reduce_ops.c - sums, means and softmax against plain formulas and central differences, in double. */
#include "grad_support.h"

#include <math.h>

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
        {GRAD_SHAPE(1, 1)},       {GRAD_SHAPE(1, 7)},       {GRAD_SHAPE(2, 5, 1)},
        {GRAD_SHAPE(2, 1, 5)},    {GRAD_SHAPE(2, 3, 130)},  {GRAD_SHAPE(3, 1, 1, 4)},
        {GRAD_SHAPE(3, 3, 5, 2)}, {GRAD_SHAPE(3, 1, 5, 1)}, {GRAD_SHAPE(3, 3, 50, 100)},
    };
    (void)state;
    for (size_t o = 0; o < GRAD_COUNT(ops); o++)
        for (size_t x = 0; x < GRAD_COUNT(shapes); x++) {
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
    static const grad_input shapes[] = {
        {GRAD_SHAPE(1, 6)}, {GRAD_SHAPE(2, 5, 6)}, {GRAD_SHAPE(3, 3, 5, 12)}, {GRAD_SHAPE(2, 30, 210)}};
    (void)state;
    for (size_t x = 0; x < GRAD_COUNT(shapes); x++)
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
    grad_check_shapes(
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

/* Runs last. */
static void test_registry(void **state)
{
    (void)state;
    grad_assert_all_seen(elb_tensor_ops, "test_reduce_ops");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reductions),
        cmocka_unit_test(test_sum_squares),
        cmocka_unit_test(test_log_mean_exp_extremes),
        cmocka_unit_test(test_softmax_first),
        cmocka_unit_test(test_registry),
    };
    return cmocka_run_group_tests(tests, NULL, grad_end_group);
}
