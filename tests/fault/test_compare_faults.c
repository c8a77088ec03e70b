/* test_compare_faults.c - no memory or no space at any moment of a comparison: a sentence, nothing
 * leaked, no half files. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include <elbow/compare.h>

static const char plan_text[] = "data: synthetic:figure-8\n"
                                "preset: table\n"
                                "set: {model: {latent: 2, hidden: [4]}, posterior: {hidden: [4]}, train: {epochs: 1}}\n"
                                "evaluate: {samples: 25, limit: 10, refine_steps: 2}\n"
                                "methods: {vae: , fair: {set: {objective.samples: 2}}, refined: {of: vae, set: "
                                "{refine.steps: 1}}}\n";

static elb_status run(fault *f, const char *folder, int64_t alloc, int64_t write)
{
    elb_context *c = support_context(f);
    elb_plan *plan;
    char *table = NULL;
    f->alloc_countdown = alloc;
    f->write_countdown = write;
    elb_status status = elb_plan_create(c, &plan);
    if (status == ELB_OK) status = elb_plan_parse(plan, "plan.yaml", plan_text, (int64_t)strlen(plan_text));
    if (status == ELB_OK) status = elb_compare(plan, &(elb_compare_settings){.folder = folder}, &table);
    f->alloc_countdown = f->write_countdown = 0;
    if (status == ELB_MEMORY) support_assert_message(c, "memory");
    if (status == ELB_FAILURE) support_assert_message(c, folder);
    elb_text_free(c, table);
    elb_plan_destroy(plan);
    support_context_end(c, f);
    return status;
}

/* No file is left half-written under any name. */
static void check_folder(const char *folder)
{
    assert_true(support_folder_count(folder) <= 3 + 5);
    assert_true(support_folder_count(support_path(folder, "refined/seed-1")) <= 2);
}

/* With the numbers kept, and without them. */
static void test_memory(void **state)
{
    (void)state;
    char *folder = support_folder_make();
    fault f;
    elb_status status = run(&f, folder, 0, 0);
    assert_int_equal(status, ELB_OK);
    int64_t all = 0;
    for (int64_t n = 1; status != ELB_OK || n == 1; n += 1 + n / 10, all++) {
        if (n % 3 == 0) {
            remove(support_path(folder, "fair/seed-1/own.json"));
            remove(support_path(folder, "refined/seed-1/time.json"));
        }
        status = run(&f, folder, n, 0);
        if (status != ELB_OK) assert_int_equal(status, ELB_MEMORY);
        check_folder(folder);
        assert_true(n < 1000000);
    }
    assert_true(all > 30);
    support_folder_remove(folder);
}

static void test_writes(void **state)
{
    (void)state;
    char *folder = support_folder_make();
    fault f;
    assert_int_equal(run(&f, folder, 0, 0), ELB_OK);
    elb_status status = ELB_FAILURE;
    for (int64_t n = 1; status != ELB_OK; n += 1 + n / 10) {
        remove(support_path(folder, "fair/seed-1/own.json"));
        remove(support_path(folder, "refined/seed-1/time.json"));
        status = run(&f, folder, 0, n);
        if (status != ELB_OK) assert_int_equal(status, ELB_FAILURE);
        check_folder(folder);
        assert_true(n < 100000);
    }
    support_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_memory), cmocka_unit_test(test_writes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
