/* test_dataset.c - loading: what a specification means, splits, limits, scale, facts, batches, and every refusal. */
#include "data_support.h"
#include "fixture_support.h"

#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static elb_dataset *load_part(const elb_data_options *o, uint64_t seed, elb_part part)
{
    elb_dataset *d = NULL;
    if (elb_dataset_load(c, o, seed, part, &d) != ELB_OK) fail_msg("%s: %s", o->spec, elb_context_message(c));
    assert_non_null(d);
    return d;
}

static void refuse(const elb_data_options *o, elb_part part, elb_status want, const char *message)
{
    elb_dataset *d = (elb_dataset *)folder;
    elb_status status = elb_dataset_load(c, o, 1, part, &d);
    if (status != want)
        fail_msg("%s: %s where %s was expected", o->spec, elb_status_name(status), elb_status_name(want));
    support_assert_message(c, message);
    assert_null(d);
}

static void write_text(const char *name, const char *text)
{
    support_file_write(support_path(folder, name), text, strlen(text));
}

static void copy_corpus(const char *from, const char *to)
{
    size_t size = 0;
    char *bytes = support_file_read(data_corpus(from), &size);
    support_file_write(support_path(folder, to), bytes, size);
    free(bytes);
}

/* The image number that data_write_idx put into row i: its second value less its first. */
static int image_number(const elb_dataset *d, int64_t i)
{
    return ((const uint8_t *)d->array.values)[i * 4];
}

/* --- what a specification means --- */

static void test_one_idx_file(void **state)
{
    (void)state;
    elb_data_options o = data_options(data_write_idx(folder, "a.idx", 200));
    elb_dataset *d = load_part(&o, 1, ELB_PART_ALL);
    int64_t shape[3];
    float x[8];
    assert_int_equal(elb_dataset_count(d), 200);
    assert_int_equal(elb_dataset_size(d), 4);
    assert_int_equal(elb_dataset_shape(d, shape), 2);
    assert_int_equal(shape[0], 2);
    assert_int_equal(shape[1], 2);
    assert_int_equal(shape[2], 1);
    assert_false(elb_dataset_has_labels(d));
    assert_int_equal(elb_dataset_label(d, 0), -1);
    assert_string_equal(elb_dataset_describe(d), "200 x 2x2, 8-bit, range 0..255, 0 NaN");
    assert_non_null(strstr(elb_dataset_name(d), "a.idx (all)"));
    elb_data_facts f = elb_dataset_facts(d);
    assert_true(f.eight_bit && !f.binary && f.scale == 255 && f.min == 0 && f.max == 255 && f.nan_count == 0);
    assert_int_equal(elb_dataset_rows(d, 9, 2, x), ELB_OK);
    for (int i = 0; i < 8; i++) assert_true(x[i] == (float)((9 + i / 4) * (i % 4 + 1)) / 255.0f);
    assert_int_equal(elb_dataset_rows(d, 200, 0, x), ELB_OK);
    assert_int_equal(elb_dataset_rows(d, 199, 2, x), ELB_USAGE);
    support_assert_message(c, "has 200");
    assert_int_equal(elb_dataset_rows(d, -1, 1, x), ELB_USAGE);
    assert_int_equal(elb_dataset_rows(d, 0, -1, x), ELB_USAGE);
    assert_int_equal(elb_dataset_rows(d, INT64_MAX, INT64_MAX, x), ELB_USAGE);
    elb_dataset_destroy(d);
}

static void test_endings(void **state)
{
    (void)state;
    static const char *const names[][3] = {
        {"idx/u1_2x2_gz", "m-ubyte.gz", "2 x 2, 8-bit, range 0..3, 0 NaN"},
        {"idx/u1_2x2_gz", "m.idx", "2 x 2, 8-bit, range 0..3, 0 NaN"}, /* gzip is known by its bytes */
        {"idx/f4_2x2", "f.idx", "2 x 2, float, range -1.25..3e+08, 1 NaN"},
        {"npy/nu1", "a.npy", "2 x 3, 8-bit, range 0..127, 0 NaN"},
        {"npy/fortran", "b.npy", "2 x 3x4, float, range 0..23, 0 NaN"},
        {"npz/deflated", "c.npz", "2 x 3, float, range 0..5, 0 NaN"},
        {"npz/single", "d.npz", "4 x 4x4, 8-bit, range 0..6, 0 NaN"},
        {"csv/header", "e.csv", "2 x 3, float, range -0.6..5.5, 0 NaN"},
        {"csv/tabs", "f.tsv", "2 x 2, float, range 1..4, 0 NaN"},
        {"csv/semicolon", "g.csv", "2 x 2, float, range 1..1, 3 NaN"},
        {"idx/i2_4", "h.idx", "4 x 1, float, range -32768..32767, 0 NaN"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        copy_corpus(names[i][0], names[i][1]);
        elb_data_options o = data_options(support_path(folder, names[i][1]));
        elb_dataset *d = load_part(&o, 1, ELB_PART_TRAIN);
        assert_string_equal(elb_dataset_describe(d), names[i][2]);
        elb_dataset_destroy(d);
    }
}

static void test_npz_key(void **state)
{
    (void)state;
    copy_corpus("npz/no_x", "a.npz");
    elb_data_options o = data_options(support_path(folder, "a.npz"));
    refuse(&o, ELB_PART_ALL, ELB_DATA, "choose one with data.key (a, b)");
    strcpy(o.key, "b");
    elb_dataset *d = load_part(&o, 1, ELB_PART_ALL);
    assert_string_equal(elb_dataset_describe(d), "2 x 1, float, range 0..1, 0 NaN");
    assert_true(elb_dataset_facts(d).binary);
    elb_dataset_destroy(d);
}

static void test_png_folder(void **state)
{
    (void)state;
    copy_corpus("png/palette", "b.PNG");
    copy_corpus("png/rgb", "a.png");
    copy_corpus("png/grey16", ".hidden.png");
    write_text("notes.txt", "not an image");
    elb_data_options o = data_options(folder);
    elb_dataset *d = load_part(&o, 1, ELB_PART_ALL);
    assert_string_equal(elb_dataset_describe(d), "2 x 1x2x3, 8-bit, range 1..60, 0 NaN");
    assert_memory_equal(d->array.values, ((uint8_t[]){1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60}), 12);
    elb_dataset_destroy(d);
    copy_corpus("png/grey", "c.png");
    refuse(&o, ELB_PART_ALL, ELB_DATA, "the image 'c.png' is 2x3 grey, but 'a.png' is 1x2 RGB: all must be the same");
    write_text("aa.png", "no image at all");
    refuse(&o, ELB_PART_ALL, ELB_DATA, "aa.png': this is not a PNG image");
}

static void write_pair(const char *middle, int train, int test)
{
    char name[64];
    snprintf(name, sizeof name, "train-images%sidx3-ubyte", middle);
    data_write_idx(folder, name, train);
    snprintf(name, sizeof name, "train-labels%sidx1-ubyte", middle);
    data_write_labels(folder, name, train);
    if (test == 0) return;
    snprintf(name, sizeof name, "t10k-images%sidx3-ubyte", middle);
    data_write_idx(folder, name, test);
}

static void test_idx_folder(void **state)
{
    (void)state;
    write_pair("-", 60, 20);
    elb_data_options o = data_options(folder);
    o.validation = 10;
    o.test = 5; /* it has its own */
    elb_dataset *train = load_part(&o, 1, ELB_PART_TRAIN), *held = load_part(&o, 2, ELB_PART_VALIDATION);
    elb_dataset *test = load_part(&o, 1, ELB_PART_TEST), *all = load_part(&o, 1, ELB_PART_ALL);
    assert_int_equal(elb_dataset_count(train), 50);
    assert_int_equal(elb_dataset_count(held), 10);
    assert_int_equal(elb_dataset_count(test), 20);
    assert_int_equal(elb_dataset_count(all), 20);
    for (int i = 0; i < 60; i++) assert_int_equal(i < 50 ? image_number(train, i) : image_number(held, i - 50), i);
    for (int i = 0; i < 60; i++)
        assert_int_equal(i < 50 ? elb_dataset_label(train, i) : elb_dataset_label(held, i - 50), i % 10);
    assert_false(elb_dataset_has_labels(test));
    elb_dataset_destroy(train);
    elb_dataset_destroy(held);
    elb_dataset_destroy(test);
    elb_dataset_destroy(all);
    o.validation = 60;
    refuse(&o, ELB_PART_TRAIN, ELB_USAGE, "data.validation 60 and data.test 0 leave nothing of 60");
}

static void test_idx_folder_without_test(void **state)
{
    (void)state;
    write_pair(".", 60, 0);
    elb_data_options o = data_options(folder);
    refuse(&o, ELB_PART_TEST, ELB_USAGE, "has no test set: set data.test");
    o.test = 7;
    elb_dataset *d = load_part(&o, 1, ELB_PART_TEST);
    assert_int_equal(elb_dataset_count(d), 7);
    for (int i = 0; i < 7; i++) assert_int_equal(elb_dataset_label(d, i), image_number(d, i) % 10);
    elb_dataset_destroy(d);
    data_write_labels(folder, "train-labels.idx1-ubyte", 59);
    refuse(&o, ELB_PART_TRAIN, ELB_DATA, "one 8-bit label for each of the 60 images");
}

static void test_named(void **state)
{
    (void)state;
    elb_data_options o = data_options("mnist");
    char kept[1024] = "";
    if (getenv("ELBOW_MNIST")) snprintf(kept, sizeof kept, "%s", getenv("ELBOW_MNIST"));
    unsetenv("ELBOW_MNIST");
    refuse(&o, ELB_PART_TRAIN, ELB_FAILURE, "set data.folder, or the environment variable ELBOW_MNIST");
    setenv("ELBOW_MNIST", "/nowhere", 1);
    refuse(&o, ELB_PART_TRAIN, ELB_FAILURE, "is not in '/nowhere'");
    write_pair("-", 30, 10);
    setenv("ELBOW_MNIST", folder, 1);
    elb_dataset *d = load_part(&o, 1, ELB_PART_TEST);
    assert_string_equal(elb_dataset_name(d), "mnist (test)");
    assert_int_equal(elb_dataset_count(d), 10);
    elb_dataset_destroy(d);
    if (*kept)
        setenv("ELBOW_MNIST", kept, 1);
    else
        unsetenv("ELBOW_MNIST");
    o = data_options("fashion-mnist");
    strcpy(o.folder, "/nowhere");
    refuse(&o, ELB_PART_TRAIN, ELB_FAILURE, "install Debian's package dataset-fashion-mnist");
    strcpy(o.folder, folder);
    d = load_part(&o, 1, ELB_PART_TRAIN);
    assert_int_equal(elb_dataset_count(d), 30);
    elb_dataset_destroy(d);
}

static void test_unknown(void **state)
{
    (void)state;
    elb_data_options o = data_options("");
    refuse(&o, ELB_PART_TRAIN, ELB_USAGE, "no data is given");
    o = data_options("fashon-mnist");
    refuse(&o, ELB_PART_TRAIN, ELB_FAILURE, "did you mean 'fashion-mnist'?");
    o = data_options("/nowhere/at.all");
    refuse(&o, ELB_PART_TRAIN, ELB_FAILURE, "no file, folder or data set '/nowhere/at.all'");
    o = data_options("synthetic:cluster");
    refuse(&o, ELB_PART_TRAIN, ELB_USAGE, "did you mean 'clusters'");
    o = data_options("synthetic:");
    refuse(&o, ELB_PART_TRAIN, ELB_USAGE, "figure-8, circle, absolute-value, clusters, spiral-dots, linear-gaussian");
    o = data_options(folder);
    refuse(&o, ELB_PART_TRAIN, ELB_DATA, "neither PNG images nor train-images-idx3-ubyte");
    write_text("a.txt", "1,2\n");
    o = data_options(support_path(folder, "a.txt"));
    refuse(&o, ELB_PART_TRAIN, ELB_DATA, "no known ending");
}

static void test_unreadable(void **state)
{
    (void)state;
    write_text("empty.npy", "");
    elb_data_options o = data_options(support_path(folder, "empty.npy"));
    refuse(&o, ELB_PART_TRAIN, ELB_DATA, "empty.npy': this is not an NPY file");
    write_text("short.idx.gz", "\x1f\x8b\x08");
    o = data_options(support_path(folder, "short.idx.gz"));
    refuse(&o, ELB_PART_TRAIN, ELB_DATA, "short.idx.gz': the compressed data is truncated");
    assert_int_equal(mkfifo(support_path(folder, "pipe.csv"), 0600), 0);
    o = data_options(support_path(folder, "pipe.csv"));
    refuse(&o, ELB_PART_TRAIN, ELB_DATA, "not a regular file");
    write_text("none.idx", "");
    support_file_write(support_path(folder, "none.idx"), "\0\0\10\2\0\0\0\0\0\0\0\3", 12);
    o = data_options(support_path(folder, "none.idx"));
    o.limit = 1;
    refuse(&o, ELB_PART_TRAIN, ELB_DATA, "holds no data");
    if (geteuid() == 0) return; /* root may read everything */
    write_text("secret.csv", "1\n");
    assert_int_equal(chmod(support_path(folder, "secret.csv"), 0), 0);
    o = data_options(support_path(folder, "secret.csv"));
    refuse(&o, ELB_PART_TRAIN, ELB_FAILURE, "Permission denied");
}

/* --- splits --- */

/* Which part each of the 200 images is in; every image is in exactly one. */
static void split(uint64_t seed, char where[200])
{
    elb_data_options o = data_options(support_path(folder, "a.idx"));
    o.validation = 30;
    o.test = 50;
    const int sizes[] = {120, 30, 50};
    memset(where, 0, 200);
    for (int part = 0; part < 3; part++) {
        elb_dataset *d = load_part(&o, seed, (elb_part)part);
        assert_int_equal(elb_dataset_count(d), sizes[part]);
        for (int i = 0; i < sizes[part]; i++) {
            int n = image_number(d, i);
            if (i > 0) assert_true(n > image_number(d, i - 1)); /* file order */
            assert_int_equal(where[n], 0);
            where[n] = (char)('a' + part);
            for (int k = 0; k < 4; k++) assert_int_equal(((uint8_t *)d->array.values)[4 * i + k], n * (k + 1) % 256);
        }
        elb_dataset_destroy(d);
    }
}

static void test_split_by_seed(void **state)
{
    (void)state;
    data_write_idx(folder, "a.idx", 200);
    char one[200], again[200], other[200];
    split(1, one);
    split(1, again);
    split(2, other);
    assert_memory_equal(one, again, 200);
    assert_memory_not_equal(one, other, 200);
    int early = 0; /* the held out are spread over the file: of 50, 25 +- 4 sd lie in its first half */
    for (int i = 0; i < 100; i++) early += one[i] == 'c';
    assert_in_range(early, 13, 37);
}

static void test_split_refusals(void **state)
{
    (void)state;
    elb_data_options o = data_options(data_write_idx(folder, "a.idx", 200));
    refuse(&o, ELB_PART_VALIDATION, ELB_USAGE, "set data.validation");
    refuse(&o, ELB_PART_TEST, ELB_USAGE, "set data.test");
    o.validation = 150;
    o.test = 50;
    refuse(&o, ELB_PART_TRAIN, ELB_USAGE, "leave nothing of 200");
    refuse(&o, ELB_PART_TEST, ELB_USAGE, "leave nothing of 200");
    o.validation = o.test = INT64_MAX;
    refuse(&o, ELB_PART_TRAIN, ELB_USAGE, "leave nothing of 200");
    o.validation = 0;
    refuse(&o, ELB_PART_TRAIN, ELB_USAGE, "leave nothing of 200");
}

static void test_limit(void **state)
{
    (void)state;
    elb_data_options o = data_options(data_write_idx(folder, "a.idx", 200));
    o.validation = 30;
    elb_dataset *whole = load_part(&o, 1, ELB_PART_VALIDATION);
    o.limit = 5;
    elb_dataset *few = load_part(&o, 1, ELB_PART_VALIDATION);
    assert_int_equal(elb_dataset_count(few), 5);
    assert_memory_equal(few->array.values, whole->array.values, 5 * 4);
    elb_dataset_destroy(few);
    elb_dataset_destroy(whole);
    o.limit = INT64_MAX;
    few = load_part(&o, 1, ELB_PART_TRAIN);
    assert_int_equal(elb_dataset_count(few), 170);
    elb_dataset_destroy(few);
    o.limit = 5;
    few = load_part(&o, 1, ELB_PART_ALL);
    assert_int_equal(elb_dataset_count(few), 5);
    assert_int_equal(image_number(few, 4), 4);
    elb_dataset_destroy(few);
}

/* --- scale and facts --- */

static void test_scale(void **state)
{
    (void)state;
    copy_corpus("npy/bool", "bool.npy");
    elb_data_options o = data_options(support_path(folder, "bool.npy"));
    elb_dataset *d = load_part(&o, 1, ELB_PART_ALL);
    assert_true(elb_dataset_facts(d).scale == 1 && elb_dataset_facts(d).binary);
    elb_dataset_destroy(d);

    support_file_write(support_path(folder, "flags.idx"), "\0\0\10\1\0\0\0\3\0\1\1", 11);
    o = data_options(support_path(folder, "flags.idx"));
    d = load_part(&o, 1, ELB_PART_ALL);
    assert_true(elb_dataset_facts(d).scale == 1 && elb_dataset_facts(d).binary && elb_dataset_facts(d).max == 1);
    assert_non_null(strstr(faults.log, "is not divided by 255"));
    elb_dataset_destroy(d);
    o.scale = 255;
    d = load_part(&o, 1, ELB_PART_ALL);
    assert_true(elb_dataset_facts(d).scale == 255 && !elb_dataset_facts(d).binary);
    elb_dataset_destroy(d);

    support_file_write(support_path(folder, "two.idx"), "\0\0\10\1\0\0\0\3\0\377\377", 11);
    o = data_options(support_path(folder, "two.idx"));
    d = load_part(&o, 1, ELB_PART_ALL);
    assert_true(elb_dataset_facts(d).scale == 255 && elb_dataset_facts(d).binary);
    elb_dataset_destroy(d);

    write_text("a.csv", "2,4\n0,2\n");
    o = data_options(support_path(folder, "a.csv"));
    o.scale = 2;
    d = load_part(&o, 1, ELB_PART_ALL);
    float x[4];
    assert_int_equal(elb_dataset_rows(d, 0, 2, x), ELB_OK);
    assert_true(x[0] == 1 && x[1] == 2 && x[2] == 0 && x[3] == 1);
    assert_true(elb_dataset_facts(d).max == 4 && !elb_dataset_facts(d).binary);
    elb_dataset_destroy(d);
}

static void test_create(void **state)
{
    (void)state;
    const float values[6] = {0, NAN, 1, 1, 0, 1};
    elb_dataset *d = NULL;
    int64_t shape[3] = {3, 1, 1};
    assert_int_equal(elb_dataset_create(c, "mine", 2, 1, shape, values, &d), ELB_OK);
    assert_string_equal(elb_dataset_describe(d), "2 x 3, float, range 0..1, 1 NaN");
    assert_false(elb_dataset_facts(d).binary);
    elb_dataset_destroy(d);
    assert_int_equal(elb_dataset_create(c, "mine", 3, 0, NULL, values + 2, &d), ELB_OK);
    assert_true(elb_dataset_facts(d).binary && elb_dataset_facts(d).scale == 1);
    assert_int_equal(elb_dataset_shape(d, shape), 1);
    assert_int_equal(shape[0], 1);
    elb_dataset_destroy(d);
    const float nan = NAN;
    assert_int_equal(elb_dataset_create(c, "nothing", 1, 0, NULL, &nan, &d), ELB_OK);
    assert_true(isnan(elb_dataset_facts(d).min) && isnan(elb_dataset_facts(d).max));
    assert_int_equal(elb_dataset_facts(d).nan_count, 1);
    elb_dataset_destroy(d);
    const float beyond[] = {2, INFINITY, -1, -INFINITY, 3};
    assert_int_equal(elb_dataset_create(c, "beyond", 5, 0, NULL, beyond, &d), ELB_OK);
    assert_true(elb_dataset_facts(d).min == -1 && elb_dataset_facts(d).max == 3 && !elb_dataset_facts(d).binary);
    assert_true(elb_dataset_facts(d).infinite_count == 2 && elb_dataset_facts(d).nan_count == 0);
    assert_string_equal(elb_dataset_describe(d), "5 x 1, float, range -1..3, 0 NaN, 2 infinite");
    elb_dataset_destroy(d);
    shape[0] = INT64_MAX;
    assert_int_equal(elb_dataset_create(c, "huge", 2, 1, shape, values, &d), ELB_USAGE);
    assert_null(d);
    assert_int_equal(elb_dataset_create(c, "none", 0, 0, NULL, values, &d), ELB_USAGE);
    shape[0] = 0;
    assert_int_equal(elb_dataset_create(c, "flat", 1, 1, shape, values, &d), ELB_USAGE);
    assert_int_equal(elb_dataset_create(c, "deep", 1, 4, shape, values, &d), ELB_USAGE);
    support_assert_message(c, "rank 4");
    elb_dataset_destroy(NULL);
}

static void test_part_names(void **state)
{
    (void)state;
    assert_string_equal(elb_part_name(ELB_PART_TRAIN), "train");
    assert_string_equal(elb_part_name(ELB_PART_VALIDATION), "validation");
    assert_string_equal(elb_part_name(ELB_PART_TEST), "test");
    assert_string_equal(elb_part_name(ELB_PART_ALL), "all");
    assert_string_equal(elb_part_name((elb_part)9), "unknown");
    assert_string_equal(elb_part_name((elb_part)-1), "unknown");
}

static void test_binarise_refusals(void **state)
{
    (void)state;
    static const struct {
        float other;
        double scale;
        bool fits;
    } cases[] = {{1, 0, true}, {1.5F, 0, false}, {1.5F, 1.5, true}, {-0.5F, 0, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[32];
        snprintf(text, sizeof text, "0,%g\n", (double)cases[i].other);
        write_text("pair.csv", text);
        elb_data_options o = data_options(support_path(folder, "pair.csv"));
        o.scale = cases[i].scale;
        elb_dataset *d = load_part(&o, 1, ELB_PART_ALL);
        for (int b = ELB_BINARISE_NONE; b <= ELB_BINARISE_THRESHOLD; b++) {
            bool chance = b == ELB_BINARISE_DYNAMIC || b == ELB_BINARISE_STATIC;
            assert_int_equal(elb_dataset_check_binarise(d, b), chance && !cases[i].fits ? ELB_DATA : ELB_OK);
            if (chance && !cases[i].fits) support_assert_message(c, "only those in [0,1] can be binarised by chance");
        }
        elb_dataset_destroy(d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_one_idx_file),   FIXTURE_TEST(test_endings),
        FIXTURE_TEST(test_npz_key),        FIXTURE_TEST(test_png_folder),
        FIXTURE_TEST(test_idx_folder),     FIXTURE_TEST(test_idx_folder_without_test),
        FIXTURE_TEST(test_named),          FIXTURE_TEST(test_unknown),
        FIXTURE_TEST(test_unreadable),     FIXTURE_TEST(test_split_by_seed),
        FIXTURE_TEST(test_split_refusals), FIXTURE_TEST(test_limit),
        FIXTURE_TEST(test_scale),          FIXTURE_TEST(test_create),
        FIXTURE_TEST(test_part_names),     FIXTURE_TEST(test_binarise_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
