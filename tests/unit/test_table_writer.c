/* test_table_writer.c - results as NPZ, NPY and CSV read back as they were; the bytes are those NumPy reads; every
 * refusal and every failing write leaves the old file whole. */
#include "data_support.h"
#include "fixture_support.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <zlib.h>

#include "data/readers.h"
#include "data/table_writer.h"
#include "data/zip_writer.h"

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

/* --- row by row --------------------------------------------------------------------------------------------------- */

enum { ROWS = 1000, WIDE = 37 };
static double wide[ROWS * WIDE];
static int64_t counted[ROWS];
static const elb_column tall[] = {
    {"wide", ELB_COLUMN_DOUBLE, 2, {ROWS, WIDE}, wide},
    {"counted", ELB_COLUMN_INT64, 1, {ROWS}, counted},
};

static void fill_tall(void)
{
    for (int64_t i = 0; i < ROWS * WIDE; i++) wide[i] = support_number(1, (uint64_t)i);
    for (int64_t i = 0; i < ROWS; i++) counted[i] = i * i;
}

/* Rows first .. first+rows-1 of `tall`. */
static elb_status append_tall(elb_table *t, int64_t first, int64_t rows)
{
    const elb_column block[] = {
        {"wide", ELB_COLUMN_DOUBLE, 2, {rows, WIDE}, wide + first * WIDE},
        {"counted", ELB_COLUMN_INT64, 1, {rows}, counted + first},
    };
    return elb_table_append(t, block);
}

/* However the rows come, the bytes are those of the whole table. */
static void test_stream(void **state)
{
    (void)state;
    static const char *const names[] = {"a.npz", "a.csv"};
    fill_tall();
    for (int k = 0; k < 2; k++) {
        size_t sizes[2];
        const char *path = support_path(folder, names[k]);
        assert_int_equal(elb_table_write(c, path, tall, 2), ELB_OK);
        char *whole = support_file_read(path, &sizes[0]);
        for (int64_t step = 1; step <= ROWS; step = step * 7 + 2) {
            elb_table *t;
            assert_int_equal(elb_table_open(c, path, tall, 2, &t), ELB_OK);
            for (int64_t first = 0; first < ROWS; first += step)
                assert_int_equal(append_tall(t, first, first + step < ROWS ? step : ROWS - first), ELB_OK);
            assert_int_equal(append_tall(t, 0, 0), ELB_OK);
            assert_int_equal(elb_table_commit(t), ELB_OK);
            char *parts = support_file_read(path, &sizes[1]);
            assert_int_equal(sizes[0], sizes[1]);
            assert_memory_equal(whole, parts, sizes[0]);
            free(parts);
        }
        free(whole);
    }
    assert_int_equal(support_folder_count(folder), 2);
}

static void test_stream_refusals(void **state)
{
    (void)state;
    elb_table *t;
    const char *path = support_path(folder, "a.csv");
    support_file_write(path, "old", 3);
    assert_int_equal(elb_table_open(c, path, tall, 2, &t), ELB_OK);
    assert_int_equal(append_tall(t, 0, ROWS - 1), ELB_OK);
    assert_int_equal(append_tall(t, 0, 2), ELB_USAGE);
    support_assert_message(c, "'wide' was announced with 1000 rows, and more came");
    assert_int_equal(elb_table_commit(t), ELB_USAGE);
    support_assert_message(c, "'wide' was announced with 1000 rows, and 999 came");
    assert_int_equal(elb_table_open(c, path, tall, 2, &t), ELB_OK);
    const elb_column uneven[] = {{"wide", ELB_COLUMN_DOUBLE, 2, {1, WIDE}, wide},
                                 {"counted", ELB_COLUMN_INT64, 1, {2}, counted}};
    assert_int_equal(elb_table_append(t, uneven), ELB_USAGE);
    support_assert_message(c, "'wide' has 1 rows and 'counted' 2");
    elb_table_discard(t);
    elb_table_discard(NULL);
    char *text = support_file_read(path, NULL);
    assert_string_equal(text, "old");
    free(text);
    assert_int_equal(support_folder_count(folder), 1);
}

/* --- zip64 -------------------------------------------------------------------------------------------------------- */

/* Two arrays in an archive whose large numbers begin at `limit`; the caller frees its bytes. */
static char *zip_make(int64_t limit, size_t *size)
{
    static const char header[] = "\x93NUMPY\1\0v\0{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }";
    char npy[131];
    memset(npy, ' ', sizeof npy);
    memcpy(npy, header, sizeof header - 1);
    npy[127] = '\n';
    elb_zip z = {.limit = limit};
    elb_writer *w;
    const char *path = support_path(folder, "zip.npz");
    assert_int_equal(elb_writer_open(c, path, &w), ELB_OK);
    for (int i = 0; i < 2; i++) {
        int64_t begin;
        memcpy(npy + 128, i ? "abc" : "xyz", 3);
        assert_int_equal(elb_zip_add(c, &z, i ? "b.npy" : "a.npy", sizeof npy, &begin), ELB_OK);
        assert_int_equal(elb_writer_seek(w, begin), ELB_OK);
        assert_int_equal(elb_writer_put(w, npy, sizeof npy), ELB_OK);
        z.entries[i].crc = (uint32_t)crc32_z(0, (const uint8_t *)npy, sizeof npy);
    }
    assert_int_equal(elb_zip_finish(&z, w), ELB_OK);
    assert_int_equal(elb_writer_commit(w), ELB_OK);
    return support_file_read(path, size);
}

static elb_status zip_read(const char *bytes, size_t size, const char *name, const char *want)
{
    elb_array a;
    elb_status status = elb_npz_parse(c, (const uint8_t *)bytes, (int64_t)size, name, &a);
    if (status != ELB_OK) return status;
    assert_int_equal(elb_array_count(&a), 3);
    assert_memory_equal(a.values, want, 3);
    elb_array_reset(c, &a);
    return ELB_OK;
}

/* The lowest limit makes both entries and the end large, the next the second entry's place alone, or the end alone. */
static void test_zip64(void **state)
{
    (void)state;
    static const int64_t limits[] = {0, 131, 166, 167, 320, 360, UINT32_MAX};
    size_t plain = 0;
    free(zip_make(UINT32_MAX, &plain));
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        size_t size = 0;
        char *bytes = zip_make(limits[i], &size);
        assert_true(limits[i] < 320 ? size > plain : size >= plain);
        assert_true((memmem(bytes, size, "PK\6\6", 4) != NULL) == (limits[i] <= 332));
        assert_int_equal(zip_read(bytes, size, "a", "xyz"), ELB_OK);
        assert_int_equal(zip_read(bytes, size, "b", "abc"), ELB_OK);
        free(bytes);
    }
}

/* A number of 64 bits that is missing, cut or absurd is refused in words. */
static void test_zip64_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *signature, *message;
        int offset;
        uint8_t byte;
    } cases[] = {
        {"PK\6\7", "zip64 end is missing", 0, 'Q'},        {"PK\6\7", "zip64 end is missing", 15, 0x80},
        {"PK\6\7", "zip64 end is missing", 9, 0x7f},       {"PK\6\6", "zip64 end is missing", 0, 'Q'},
        {"PK\6\6", "directory lies outside", 55, 0x80},    {"PK\6\6", "directory lies outside", 50, 1},
        {"PK\1\2", "zip64 sizes are missing", 51, 2},      {"PK\1\2", "zip64 sizes are missing", 53, 16},
        {"PK\1\2", "zip64 sizes are missing", 53, 200},    {"PK\1\2", "zip64 sizes are missing", 62, 0x80},
        {"PK\1\2", "not where its directory says", 72, 1},
    };
    size_t size = 0;
    char *bytes = zip_make(0, &size);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *at = memmem(bytes, size, cases[i].signature, 4), kept;
        assert_non_null(at);
        at += cases[i].offset;
        kept = *at;
        *at = (char)cases[i].byte;
        assert_int_equal(zip_read(bytes, size, "a", "xyz"), ELB_DATA);
        support_assert_message(c, cases[i].message);
        *at = kept;
    }
    free(bytes);
    elb_zip z = {.limit = UINT32_MAX};
    int64_t begin;
    for (int i = 0; i < ELB_ZIP_ENTRIES_MAX; i++) assert_int_equal(elb_zip_add(c, &z, "a", 1, &begin), ELB_OK);
    assert_int_equal(elb_zip_add(c, &z, "a", 1, &begin), ELB_USAGE);
    support_assert_message(c, "more than 64 arrays");
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
    const elb_column full = {"full", ELB_COLUMN_INT64, 1, {INT64_MAX / 8}, row};
    const elb_column endless[] = {{"one", ELB_COLUMN_INT64, 1, {INT64_MAX / 16}, row},
                                  {"two", ELB_COLUMN_INT64, 1, {INT64_MAX / 16}, row},
                                  {"three", ELB_COLUMN_INT64, 1, {1}, row}};
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
    refuse("a.npz", &full, 1, "'full' has no writable shape");
    refuse("a.npz", endless, 3, "more than any file can hold");
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
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_npz),
        FIXTURE_TEST(test_npy),
        FIXTURE_TEST(test_csv),
        FIXTURE_TEST(test_stream),
        FIXTURE_TEST(test_stream_refusals),
        FIXTURE_TEST(test_zip64),
        FIXTURE_TEST(test_zip64_malformed),
        FIXTURE_TEST(test_refusals),
        FIXTURE_TEST(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
