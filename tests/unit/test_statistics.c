/* test_statistics.c - paired tests against SciPy's values (tests/golden/statistics.py) and exact ones. */
#include "support.h"

#include <math.h>
#include <stdlib.h>

#include "study/statistics.h"

static const struct {
    int64_t n;
    double shift, grid, mean, error, t_p, wilcoxon_p;
} known[] = {
#include "golden/statistics.inc"
};

static void test_known(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        double *d = calloc((size_t)known[k].n, sizeof *d);
        elb_paired_test t;
        assert_non_null(d);
        for (int64_t i = 0; i < known[k].n; i++) {
            d[i] = support_number(300 + k, (uint64_t)i) + known[k].shift;
            if (known[k].grid > 0) d[i] = floor(d[i] / known[k].grid + 0.5) * known[k].grid;
        }
        assert_int_equal(elb_paired_test_run(c, d, known[k].n, &t), ELB_OK);
        free(d);
        assert_int_equal(t.n, known[k].n);
        support_assert_near(t.mean, known[k].mean, 1e-15, 1e-12);
        support_assert_near(t.standard_error, known[k].error, 1e-15, 1e-12);
        support_assert_near(t.t_p, known[k].t_p, 1e-300, 1e-9);
        support_assert_near(t.wilcoxon_p, known[k].wilcoxon_p, 1e-300, 1e-9);
    }
    support_context_end(c, NULL);
}

/* P(|T| >= t): Cauchy for one degree of freedom, t / sqrt(2 + t^2) for two. */
static void test_student(void **state)
{
    (void)state;
    for (double t = -8; t <= 8; t += 0.25) {
        support_assert_near(elb_student_p(t, 1), 1 - 2 * atan(fabs(t)) / acos(-1), 1e-14, 1e-12);
        support_assert_near(elb_student_p(t, 2), 1 - fabs(t) / sqrt(2 + t * t), 1e-14, 1e-12);
    }
    support_assert_near(elb_student_p(1e200, 5), 0, 1e-300, 0);
    assert_true(elb_student_p(INFINITY, 3) == 0);
    assert_true(isnan(elb_student_p(NAN, 3)));
}

static void test_corners(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    elb_paired_test t;
    const double same[] = {0.5, 0.5, 0.5}, zeros[] = {0, 0}, one[] = {2}, three[] = {1, 2, 3};
    assert_int_equal(elb_paired_test_run(c, same, 3, &t), ELB_OK);
    assert_true(t.mean == 0.5 && t.standard_error == 0 && t.t_p == 0);
    assert_int_equal(elb_paired_test_run(c, zeros, 2, &t), ELB_OK);
    assert_true(t.t_p == 1 && t.wilcoxon_p == 1);
    assert_int_equal(elb_paired_test_run(c, one, 1, &t), ELB_OK);
    assert_true(t.mean == 2 && isnan(t.standard_error) && isnan(t.t_p) && t.wilcoxon_p == 1);
    assert_int_equal(elb_paired_test_run(c, one, 0, &t), ELB_OK);
    assert_true(isnan(t.mean) && isnan(t.t_p) && isnan(t.wilcoxon_p));
    assert_int_equal(elb_paired_test_run(c, three, 3, &t), ELB_OK);
    support_assert_near(t.wilcoxon_p, 2.0 / 8, 1e-15, 0); /* one of the eight signs, and its mirror */
    f.alloc_countdown = 1;
    assert_int_equal(elb_paired_test_run(c, three, 3, &t), ELB_MEMORY);
    support_context_end(c, &f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_student),
        cmocka_unit_test(test_corners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
