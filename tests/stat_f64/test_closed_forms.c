/* test_closed_forms.c - in double precision the ELBO and its gradient are the closed forms' to ten digits. */
#include "support.h"

#include <string.h>

#include <elbow/doctor.h>

typedef struct seen {
    int exact;
} seen;

/* Those checks that take their expectations exactly. */
static void see(void *user, const elb_check *check)
{
    seen *s = user;
    bool exact = strcmp(check->name, "ELBO of a linear-Gaussian model") == 0 ||
                 strcmp(check->name, "its greatest ELBO") == 0 || strncmp(check->name, "its slope", 9) == 0;
    if (!exact) return;
    support_assert_near(check->found, check->expected, 1e-10, 0);
    s->exact++;
}

static void test_closed_forms(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    seen s = {0};
    int failed = -1;
    assert_int_equal(elb_doctor(c, see, &s, &failed), ELB_OK);
    assert_int_equal(failed, 0);
    assert_int_equal(s.exact, 6);
    support_context_end(c, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_closed_forms)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
