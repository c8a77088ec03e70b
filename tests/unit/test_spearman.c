/* test_spearman.c - the rank correlation against numbers worked out by hand. */
#include "support.h"

#include <math.h>

#include "infer/spearman.h"

static double rho(int64_t n, const double *a, const double *b)
{
    elb_context *c = support_context(NULL);
    double value = 9;
    assert_int_equal(elb_spearman(c, n, a, b, &value), ELB_OK);
    support_context_end(c, NULL);
    return value;
}

static void test_order(void **state)
{
    const double a[] = {3, -1, 10, 0.5, 1e300}, up[] = {3, 1, 4, 2, INFINITY}, down[] = {-3, -1, -4, -2, -9};
    (void)state;
    support_assert_near(rho(5, a, up), 1, 1e-15, 0);
    support_assert_near(rho(5, a, down), -1, 1e-15, 0);
    support_assert_near(rho(2, a, (double[]){1, 2}), -1, 1e-15, 0);
    /* 1 - 6 sum d^2 / (n (n^2 - 1)) with d = 1,1,1,1,0 */
    support_assert_near(rho(5, a, (double[]){4, 2, 3, 1, 5}), 1 - 6 * 4.0 / 120, 1e-15, 0);
}

/* Ranks 0, 1.5, 1.5, 3 and 0, 1, 2, 3: 4.5 / sqrt(4.5 * 5). */
static void test_ties(void **state)
{
    (void)state;
    support_assert_near(rho(4, (double[]){1, 2, 2, 7}, (double[]){-5, -4, -3, -2}), 4.5 / sqrt(22.5), 1e-15, 0);
    support_assert_near(rho(4, (double[]){1, 2, 2, 7}, (double[]){1, 2, 2, 7}), 1, 1e-15, 0);
    support_assert_near(rho(4, (double[]){0, 0, 1, 1}, (double[]){1, 0, 1, 0}), 0, 1e-15, 0);
}

static void test_undefined(void **state)
{
    (void)state;
    assert_true(isnan(rho(3, (double[]){2, 2, 2}, (double[]){1, 2, 3})));
    assert_true(isnan(rho(3, (double[]){1, 2, 3}, (double[]){2, 2, 2})));
    assert_true(isnan(rho(1, (double[]){1}, (double[]){1})));
    assert_true(isnan(rho(0, NULL, NULL)));
}

static void test_refusals(void **state)
{
    fault f = {0};
    elb_context *c = support_context(&f);
    const double a[] = {1, 2, 3}, bad[] = {1, NAN, 3};
    double value;
    (void)state;
    assert_int_equal(elb_spearman(c, 3, bad, a, &value), ELB_DATA);
    support_assert_message(c, "number 1 is NaN");
    assert_int_equal(elb_spearman(c, 3, a, bad, &value), ELB_DATA);
    assert_true(isnan(value));
    for (int n = 1; n <= 3; n++) {
        f.alloc_countdown = n;
        assert_int_equal(elb_spearman(c, 3, a, a, &value), ELB_MEMORY);
    }
    assert_int_equal(elb_spearman(c, 3, a, a, &value), ELB_OK);
    support_context_end(c, &f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_undefined),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
