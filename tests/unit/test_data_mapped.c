/* test_data_mapped.c - plain IDX and NPY files are left where they lie: the same values as when they are copied, memory
 * that does not grow with them, and no mapping left behind. */
#include "data_support.h"
#include "fixture_support.h"

#include <stdlib.h>
#include <unistd.h>

/* How many mappings of files in the test's folder this process has; *resident: their bytes in memory. */
static int mappings(int64_t *resident)
{
    FILE *f = fopen("/proc/self/smaps", "r");
    assert_non_null(f);
    char line[4096];
    int count = 0;
    bool ours = false;
    *resident = 0;
    while (fgets(line, sizeof line, f)) {
        long long kilobytes;
        if (strstr(line, folder)) {
            ours = true;
            count++;
        } else if (ours && sscanf(line, "Rss: %lld kB", &kilobytes) == 1) {
            *resident += kilobytes << 10;
            ours = false;
        }
    }
    fclose(f);
    return count;
}

static void assert_mappings(int want)
{
    int64_t resident;
    assert_int_equal(mappings(&resident), want);
}

static elb_dataset *load(const char *path, elb_part part, int64_t limit, int64_t validation)
{
    elb_data_options o = data_options(path);
    elb_dataset *d = NULL;
    o.limit = limit;
    o.validation = validation;
    if (elb_dataset_load(c, &o, 1, part, &d) != ELB_OK) fail_msg("%s", elb_context_message(c));
    return d;
}

/* An NPY file [count, 2] of `descr` numbers of `width` bytes, all their bytes `byte`, behind `padding` more spaces. */
static const char *write_npy(const char *name, const char *descr, const char *fortran, int64_t count, size_t width,
                             uint8_t byte, size_t padding)
{
    char header[256];
    int length = snprintf(header + 10, sizeof header - 10, "{'descr': '%s', 'fortran_order': %s, 'shape': (%lld, 2)}",
                          descr, fortran, (long long)count);
    size_t total = 128 + padding, values = (size_t)count * 2 * width;
    memcpy(header, "\x93NUMPY\1\0", 8);
    memset(header + 10 + length, ' ', total - 10 - (size_t)length);
    header[8] = (char)(total - 10);
    header[9] = 0;
    char *bytes = malloc(total + values);
    memcpy(bytes, header, total);
    memset(bytes + total, byte, values);
    const char *path = support_path(folder, name);
    support_file_write(path, bytes, total + values);
    free(bytes);
    return path;
}

static void test_which(void **state)
{
    (void)state;
    static const struct {
        const char *name, *descr, *fortran;
        size_t width, padding;
        bool mapped;
        float value;
    } cases[] = {
        {"u1.npy", "|u1", "False", 1, 0, true, 2},
        {"f4.npy", "<f4", "False", 4, 0, true, 0x1.040404p-123f},
        {"odd.npy", "<f4", "False", 4, 1, false, 0x1.040404p-123f},
        {"big.npy", ">f4", "False", 4, 0, false, 0x1.040404p-123f},
        {"f8.npy", "<f8", "False", 8, 0, false, 0},
        {"bool.npy", "|b1", "False", 1, 0, false, 1},
        {"fortran.npy", "|u1", "True", 1, 0, false, 2},
        {"i2.npy", "<i2", "False", 2, 0, false, 514},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path =
            write_npy(cases[i].name, cases[i].descr, cases[i].fortran, 50, cases[i].width, 2, cases[i].padding);
        elb_dataset *d = load(path, ELB_PART_ALL, 0, 0);
        assert_mappings(cases[i].mapped);
        assert_int_equal(d->array.mapping.bytes != NULL, cases[i].mapped);
        float x[100];
        assert_int_equal(elb_dataset_rows(d, 0, 50, x), ELB_OK);
        double scale = elb_dataset_facts(d).scale;
        for (int k = 0; k < 100; k++)
            if (!(x[k] == cases[i].value / (float)scale)) fail_msg("%s: %a", cases[i].name, (double)x[k]);
        elb_dataset_destroy(d);
        assert_mappings(0);
    }
}

/* Rows from `first` on of the images that data_write_idx made. */
static void check_images(elb_dataset *d, int first, int count)
{
    float x[4];
    assert_int_equal(elb_dataset_count(d), count);
    for (int i = 0; i < count; i++) {
        assert_int_equal(elb_dataset_rows(d, i, 1, x), ELB_OK);
        for (int k = 0; k < 4; k++) assert_true(x[k] == (float)(uint8_t)((first + i) * (k + 1)) / 255);
    }
}

/* A row of rows is a part of the mapping; any other choice is copied, and the file then let go. */
static void test_parts(void **state)
{
    (void)state;
    const char *path = data_write_idx(folder, "a.idx", 200);
    elb_dataset *d = load(path, ELB_PART_ALL, 20, 0);
    assert_mappings(1);
    check_images(d, 0, 20);
    assert_string_equal(elb_dataset_describe(d), "20 x 2x2, 8-bit, range 0..76, 0 NaN");
    elb_dataset_destroy(d);
    d = load(path, ELB_PART_TRAIN, 0, 30);
    assert_mappings(0);
    assert_int_equal(elb_dataset_count(d), 170);
    elb_dataset_destroy(d);
    data_write_idx(folder, "train-images-idx3-ubyte", 200);
    data_write_labels(folder, "train-labels-idx1-ubyte", 200);
    data_write_idx(folder, "t10k-images-idx3-ubyte", 10);
    const struct {
        elb_part part;
        int64_t limit;
        int first, count;
    } cases[] = {{ELB_PART_TRAIN, 0, 0, 170}, {ELB_PART_VALIDATION, 0, 170, 30}, {ELB_PART_VALIDATION, 7, 170, 7}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        d = load(folder, cases[i].part, cases[i].limit, 30);
        assert_mappings(1);
        check_images(d, cases[i].first, cases[i].count);
        assert_int_equal(elb_dataset_label(d, 3), (cases[i].first + 3) % 10);
        elb_dataset_destroy(d);
        assert_mappings(0);
    }
}

/* Nothing of a file that is refused stays mapped, and memory that is refused leaves nothing either. */
static void test_failures(void **state)
{
    (void)state;
    const char *path = write_npy("cut.npy", "|u1", "False", 50, 1, 2, 0);
    assert_int_equal(truncate(path, 200), 0);
    elb_data_options o = data_options(path);
    elb_dataset *d = NULL;
    assert_int_equal(elb_dataset_load(c, &o, 1, ELB_PART_ALL, &d), ELB_DATA);
    support_assert_message(c, "cut.npy': the header describes 100 bytes of values but 72 follow it");
    assert_mappings(0);
    o = data_options(data_write_idx(folder, "a.idx", 100));
    for (int64_t n = 1;; n++) {
        faults.alloc_countdown = n;
        if (elb_dataset_load(c, &o, 1, ELB_PART_ALL, &d) == ELB_OK) break;
        assert_null(d);
        assert_mappings(0);
    }
    faults.alloc_countdown = 0;
    elb_dataset_destroy(d);
}

/* 64 MB of zeros that need no disk: looking at all of them keeps a few in memory, and what was let go comes back. */
static void test_memory(void **state)
{
    (void)state;
    const int64_t count = 1 << 18, size = 256;
    const uint8_t header[12] = {0, 0, 8, 2, 0, 4, 0, 0, 0, 0, 1, 0};
    const char *path = support_path(folder, "large.idx");
    support_file_write(path, header, sizeof header);
    assert_int_equal(truncate(path, 12 + count * size), 0);
    elb_data_options o = data_options(path);
    elb_dataset *d = NULL;
    int64_t resident, blocks = faults.allocations;
    assert_int_equal(elb_dataset_load(c, &o, 1, ELB_PART_ALL, &d), ELB_OK);
    assert_int_equal(elb_dataset_count(d), count);
    assert_true(faults.allocations - blocks <= 4);
    assert_int_equal(mappings(&resident), 1);
    assert_true(resident < 12 << 20);
    float x[256] = {1};
    for (int64_t i = 0; i < count; i += 1000) {
        assert_int_equal(elb_dataset_rows(d, i, 1, x), ELB_OK);
        elb_array_forget(&d->array, i, 1000 < count - i ? 1000 : count - i);
    }
    assert_true(x[0] == 0 && x[255] == 0);
    mappings(&resident);
    assert_true(resident < 12 << 20);
    elb_dataset_destroy(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {FIXTURE_TEST(test_which), FIXTURE_TEST(test_parts), FIXTURE_TEST(test_failures),
                                       FIXTURE_TEST(test_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
