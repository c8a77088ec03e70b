/* test_data.c - the n-th allocation fails, for every n, in every way to load data: each time ELB_MEMORY, a sentence,
 * and no block left behind. */
#include "data_support.h"

#include <stdlib.h>
#include <unistd.h>

/* Loads again and again until no allocation is left to fail. */
static void fail_each(const elb_data_options *o, elb_part part)
{
    fault f;
    elb_context *c = support_context(&f);
    int64_t failures = 0, live = f.live;
    for (;; failures++) {
        elb_dataset *d = NULL;
        f.alloc_countdown = failures + 1;
        elb_status status = elb_dataset_load(c, o, 1, part, &d);
        if (status == ELB_OK) {
            assert_non_null(d);
            elb_dataset_destroy(d);
            break;
        }
        if (status != ELB_MEMORY) fail_msg("%s: %s", o->spec, elb_context_message(c));
        assert_null(d);
        support_assert_message(c, "out of memory");
        assert_int_equal(f.live, live);
    }
    assert_true(failures >= 3); /* values, name, description at least */
    assert_int_equal(f.alloc_countdown, 1);
    f.alloc_countdown = 0;
    support_context_end(c, &f);
}

static void test_files(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"idx/u1_2x3x4", "a.idx"}, {"idx/u1_2x2_gz", "b.idx.gz"}, {"npy/lf4", "c.npy"},    {"npy/fortran", "d.npy"},
        {"npz/deflated", "e.npz"}, {"npz/stored", "f.npz"},       {"csv/header", "g.csv"},
    };
    char *folder = support_folder_make();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t size = 0;
        char *bytes = support_file_read(data_corpus(names[i][0]), &size);
        support_file_write(support_path(folder, names[i][1]), bytes, size);
        free(bytes);
        elb_data_options o = data_options(support_path(folder, names[i][1]));
        fail_each(&o, ELB_PART_ALL);
    }
    support_folder_remove(folder);
}

static void test_split(void **state)
{
    (void)state;
    char *folder = support_folder_make();
    elb_data_options o = data_options(data_write_idx(folder, "a.idx", 50));
    o.validation = o.test = 10;
    fail_each(&o, ELB_PART_TRAIN);
    fail_each(&o, ELB_PART_TEST);
    support_folder_remove(folder);
}

static void test_folders(void **state)
{
    (void)state;
    static const char *const images[] = {"png/rgb", "png/palette"};
    char *folder = support_folder_make();
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) {
        size_t size = 0;
        char *bytes = support_file_read(data_corpus(images[i]), &size);
        support_file_write(support_path(folder, i ? "b.png" : "a.png"), bytes, size);
        free(bytes);
    }
    elb_data_options o = data_options(folder);
    fail_each(&o, ELB_PART_ALL);
    data_write_idx(folder, "train-images-idx3-ubyte", 20);
    data_write_labels(folder, "train-labels-idx1-ubyte", 20);
    data_write_idx(folder, "t10k-images-idx3-ubyte", 10);
    o.validation = 5;
    fail_each(&o, ELB_PART_VALIDATION);
    fail_each(&o, ELB_PART_TEST);
    support_folder_remove(folder);
}

static void test_synthetic(void **state)
{
    (void)state;
    elb_data_options o = data_options("synthetic:circle");
    o.limit = 10;
    fail_each(&o, ELB_PART_TRAIN);
}

static void test_create(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    const float x = 1;
    elb_dataset *d = NULL;
    for (int64_t n = 1; n <= 4; n++) {
        f.alloc_countdown = n;
        assert_int_equal(elb_dataset_create(c, "one", 1, 0, NULL, &x, &d), ELB_MEMORY);
        assert_null(d);
    }
    assert_int_equal(elb_dataset_create(c, "one", 1, 0, NULL, &x, &d), ELB_OK);
    elb_dataset_destroy(d);
    support_context_end(c, &f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),     cmocka_unit_test(test_split),  cmocka_unit_test(test_folders),
        cmocka_unit_test(test_synthetic), cmocka_unit_test(test_create),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
