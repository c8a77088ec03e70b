/* fixture_support.h - what each test of a file begins with: a context whose memory and writes can be told
 * to fail, and an empty folder. A test named with FIXTURE_TEST finds them here and leaves them to be put
 * away, also when it fails. */
#ifndef ELB_TEST_FIXTURE_SUPPORT_H
#define ELB_TEST_FIXTURE_SUPPORT_H

#include "support.h"

static fault faults;
static elb_context *c;
static char *folder;

static int fixture_make(void **state)
{
    (void)state;
    c = support_context(&faults);
    folder = support_folder_make();
    return 0;
}

/* Asserts that every block was freed. */
static int fixture_end(void **state)
{
    (void)state;
    support_folder_remove(folder);
    support_context_end(c, &faults);
    return 0;
}

#define FIXTURE_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_make, fixture_end)

#endif
