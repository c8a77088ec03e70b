/* test_table_writer.c - results as NPZ, NPY and CSV read back as they were; the bytes are those NumPy reads; every
 * refusal and every failing write leaves the old file whole. */
#include "data_support.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "data/readers.h"
#include "data/table_writer.h"

static fault faults;
static elb_context *c;
static char *folder;

static int setup(void **state)
{
    (void)state;
    c = support_context(&faults);
    folder = support_folder_make();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    support_folder_remove(folder);
    support_context_end(c, &faults);
    return 0;
}

static const double elbo[3] = {-90.25, NAN, 0.1};
static const float latent[6] = {0.5f, -1, 2, 1e-20f, INFINITY, 0.1f};
static const int64_t row[3] = {0, -7, INT64_MAX};
static const elb_column columns[] = {
    {"elbo", ELB_COLUMN_DOUBLE, 1, {3}, elbo},
    {"latent", ELB_COLUMN_FLOAT, 3, {3, 1, 2}, latent},
    {"row", ELB_COLUMN_INT64, 1, {3}, row},
};

static void check_array(elb_array *a, int rank, const int64_t *shape, const float *want)
{
    assert_int_equal(a->rank, rank);
    for (int i = 0; i < rank; i++) assert_int_equal(a->shape[i], shape[i]);
    for (int64_t i = 0; i < elb_array_count(a); i++) {
        float got = ((const float *)a->values)[i];
        assert_true(isnan(want[i]) ? isnan(got) : got == want[i]);
    }
    elb_array_reset(c, a);
}

static void test_npz(void **state)
{
    (void)state;
    const char *path = support_path(folder, "a.npz");
    size_t size = 0;
    elb_array a;
    assert_int_equal(elb_table_write(c, path, columns, 3), ELB_OK);
    char *bytes = support_file_read(path, &size);
    assert_int_equal(elb_npz_parse(c, (uint8_t *)bytes, (int64_t)size, "elbo", &a), ELB_OK);
    check_array(&a, 1, (int64_t[]){3}, (float[]){-90.25f, NAN, 0.1f});
    assert_int_equal(elb_npz_parse(c, (uint8_t *)bytes, (int64_t)size, "latent", &a), ELB_OK);
    check_array(&a, 3, (int64_t[]){3, 1, 2}, latent);
    assert_int_equal(elb_npz_parse(c, (uint8_t *)bytes, (int64_t)size, "row", &a), ELB_OK);
    check_array(&a, 1, (int64_t[]){3}, (float[]){0, -7, 9223372036854775807.0f});
    assert_non_null(memmem(bytes, size, elbo, sizeof elbo));
    assert_non_null(memmem(bytes, size, row, sizeof row));
    free(bytes);
    assert_int_equal(support_folder_count(folder), 1);
}

/* The same header as NumPy's own, but for the padding: its files of this array differ in nothing else. */
static void test_npy(void **state)
{
    (void)state;
    const float values[6] = {0, 1, 2, 3, 100, 127};
    const elb_column column = {"x", ELB_COLUMN_FLOAT, 2, {2, 3}, values};
    size_t ours = 0, theirs = 0;
    assert_int_equal(elb_table_write(c, support_path(folder, "a.npy"), &column, 1), ELB_OK);
    char *a = support_file_read(support_path(folder, "a.npy"), &ours);
    char *b = support_file_read(data_corpus("npy/lf4"), &theirs);
    assert_int_equal(ours, theirs);
    assert_memory_equal(a, b, ours);
    free(a);
    free(b);
    assert_int_equal(elb_table_write(c, support_path(folder, "b.npy"), columns, 3), ELB_USAGE);
    support_assert_message(c, "holds one array and not 3");
}

static void test_csv(void **state)
{
    (void)state;
    assert_int_equal(elb_table_write(c, support_path(folder, "a.csv"), columns, 3), ELB_OK);
    char *text = support_file_read(support_path(folder, "a.csv"), NULL);
    assert_string_equal(text, "elbo,latent_0,latent_1,row\n-90.25,0.5,-1,0\nnan,2,9.999999682655225e-21,-7\n"
                              "0.1,inf,0.10000000149011612,9223372036854775807\n");
    elb_array a;
    assert_int_equal(elb_csv_parse(c, (uint8_t *)text, (int64_t)strlen(text), &a), ELB_OK);
    const float want[] = {-90.25f, 0.5f, -1, 0, NAN, 2, 1e-20f, -7, 0.1f, INFINITY, 0.1f, 9223372036854775807.0f};
    check_array(&a, 2, (int64_t[]){3, 4}, want);
    free(text);
}

static void refuse(const char *name, const elb_column *list, int count, const char *message)
{
    assert_int_equal(elb_table_write(c, support_path(folder, name), list, count), ELB_USAGE);
    support_assert_message(c, message);
    assert_int_equal(support_folder_count(folder), 0);
}

static void test_refusals(void **state)
{
    (void)state;
    char name[200];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    const elb_column uneven[] = {columns[0], {"two", ELB_COLUMN_INT64, 1, {2}, row}};
    const elb_column flat = {"flat", ELB_COLUMN_INT64, 0, {0}, row},
                     deep = {"deep", ELB_COLUMN_INT64, 4, {1, 1, 1}, row};
    const elb_column negative = {"negative", ELB_COLUMN_INT64, 1, {-1}, row};
    const elb_column huge = {"huge", ELB_COLUMN_INT64, 3, {INT64_MAX, 2, 2}, row};
    const elb_column large = {"large", ELB_COLUMN_INT64, 1, {INT64_C(1) << 30}, row};
    const elb_column named = {name, ELB_COLUMN_INT64, 1, {1}, row};
    const elb_column none = {"none", ELB_COLUMN_INT64, 1, {0}, NULL};
    refuse("a.txt", columns, 3, "must end in .npz or .csv");
    refuse("a", columns, 3, "must end in");
    refuse("a.npz", columns, 0, "0 arrays");
    refuse("a.npz", columns, 65, "65 arrays");
    refuse("a.csv", uneven, 2, "'elbo' has 3 rows and 'two' 2");
    refuse("a.csv", &none, 1, "no rows");
    refuse("a.npz", &flat, 1, "'flat' has no writable shape");
    refuse("a.npz", &deep, 1, "'deep' has no writable shape");
    refuse("a.npz", &negative, 1, "'negative' has no writable shape");
    refuse("a.npz", &huge, 1, "'huge' has no writable shape");
    refuse("a.npz", &large, 1, "more than the 4 GiB");
    refuse("a.npz", &named, 1, "too long");
    assert_int_equal(elb_table_write(c, "/nowhere/a.npz", columns, 3), ELB_FAILURE);
    assert_int_equal(elb_table_write(c, support_path(folder, "none.npz"), &none, 1), ELB_OK);
}

/* Whichever write or allocation fails, the file that was there stays, and nothing is left beside it. */
static void test_faults(void **state)
{
    (void)state;
    static const char *const names[] = {"a.npz", "a.npy", "a.csv"};
    for (int k = 0; k < 3; k++) {
        const char *path = support_path(folder, names[k]);
        support_file_write(path, "old", 3);
        int entries = support_folder_count(folder), failures = 0;
        for (int64_t n = 1;; n++) {
            faults.write_countdown = n;
            if (elb_table_write(c, path, columns, k == 1 ? 1 : 3) == ELB_OK) break;
            support_assert_message(c, strerror(ENOSPC));
            failures++;
            char *text = support_file_read(path, NULL);
            assert_string_equal(text, "old");
            free(text);
            assert_int_equal(support_folder_count(folder), entries);
        }
        assert_true(failures >= 1);
        faults.write_countdown = 0;
        support_file_write(path, "old", 3);
        failures = 0;
        for (int64_t n = 1;; n++, failures++) {
            faults.alloc_countdown = n;
            elb_status status = elb_table_write(c, path, columns, k == 1 ? 1 : 3);
            if (status == ELB_OK) break;
            assert_int_equal(status, ELB_MEMORY);
            assert_int_equal(support_folder_count(folder), entries);
        }
        assert_true(failures >= 1);
        faults.alloc_countdown = 0;
    }
}

int main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        EACH(test_npz), EACH(test_npy), EACH(test_csv), EACH(test_refusals), EACH(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
