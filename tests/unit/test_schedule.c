/* test_schedule.c - the step size over a run. */
#include "support.h"

#include <math.h>
#include <stdlib.h>

#include "run/schedule.h"

static void test_constant(void **state)
{
    elb_schedule_options o = {.type = ELB_SCHEDULE_CONSTANT, .final_rate = 0.1};
    (void)state;
    for (int64_t step = 0; step < 100; step += 9) {
        support_assert_near(elb_schedule_factor(&o, step, 100), 1, 0, 0);
        assert_int_equal(elb_schedule_stage(&o, step, 100), 0);
    }
}

static void test_cosine(void **state)
{
    elb_schedule_options o = {.type = ELB_SCHEDULE_COSINE, .final_rate = 0.2};
    static const int64_t at[] = {0, 400, 600, 800, 1200};
    static const double want[] = {1, 0.2 + 0.8 * 0.75, 0.6, 0.2 + 0.8 * 0.25, 0.2};
    (void)state;
    for (int i = 0; i <= 4; i++) support_assert_near(elb_schedule_factor(&o, at[i], 1200), want[i], 1e-12, 0);
    for (int64_t step = 1; step <= 1200; step++)
        assert_true(elb_schedule_factor(&o, step, 1200) < elb_schedule_factor(&o, step - 1, 1200));
}

/* Stage i lasts 3^i of 3280 epochs at the rate 10^(-i/7) (Burda et al. 2016), whatever the steps per epoch; of fewer
 * epochs, the same share. */
static void test_iwae(void **state)
{
    elb_schedule_options o = {.type = ELB_SCHEDULE_IWAE};
    (void)state;
    for (int64_t per_epoch = 1; per_epoch <= 600; per_epoch += 599) {
        int64_t begin = 0, length = 1, steps = 3280 * per_epoch;
        for (int i = 0; i < 8; i++, begin += length, length *= 3) {
            assert_int_equal(elb_schedule_stage(&o, begin * per_epoch, steps), i);
            assert_int_equal(elb_schedule_stage(&o, (begin + length) * per_epoch - 1, steps), i);
            support_assert_near(elb_schedule_factor(&o, begin * per_epoch, steps), pow(10, -i / 7.0), 1e-12, 0);
        }
        assert_int_equal(begin, 3280);
    }
    int64_t of[8] = {0};
    for (int64_t step = 0; step < 32800 / 4; step++) of[elb_schedule_stage(&o, step, 32800 / 4)]++;
    for (int64_t i = 0, length = 1; i < 8; i++, length *= 3)
        assert_true(llabs(of[i] - (int64_t)(2.5 * (double)length)) <= 1);
    assert_int_equal(elb_schedule_stage(&o, 0, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant),
        cmocka_unit_test(test_cosine),
        cmocka_unit_test(test_iwae),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
