/* test_safetensors.c - named tensors in a file: round trip, the Python package's bytes, and
 * every way to be malformed. */
#include "fixture_support.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/safetensors.h"

static const double three_doubles[3] = {0.1, -1e300, 3};
static const float six_floats[6] = {1, 2, 3, 4, 5, -0.1f};
static const int64_t two_longs[2] = {-1, INT64_MAX};
static const uint64_t one_ulong = UINT64_MAX;
static const uint8_t five_bytes[5] = {0, 1, 2, 254, 255};

static const elb_safetensors_entry entries[] = {
    {"bytes", ELB_DTYPE_U8, 1, {5}, five_bytes},
    {"weight", ELB_DTYPE_F32, 2, {2, 3}, six_floats},
    {"counters", ELB_DTYPE_I64, 1, {2}, two_longs},
    {"seed", ELB_DTYPE_U64, 0, {0}, &one_ulong},
    {"moment", ELB_DTYPE_F64, 3, {1, 3, 1}, three_doubles},
    {"nothing", ELB_DTYPE_F32, 2, {0, 7}, NULL},
};
enum { ENTRIES = sizeof entries / sizeof entries[0] };
static const elb_safetensors_pair metadata[] = {{"config", "model:\n  latent: 50 # \"quoted\"\n"}, {"empty", ""}};

/* --- round trip --------------------------------------------------------------------------------------------------- */

static void check_same(const elb_safetensors *file, const elb_safetensors_entry *want)
{
    const elb_safetensors_entry *e = elb_safetensors_find(file, want->name);
    int64_t bytes = elb_dtype_size(want->dtype);
    assert_non_null(e);
    assert_int_equal(e->dtype, want->dtype);
    assert_int_equal(e->rank, want->rank);
    for (int i = 0; i < want->rank; i++) {
        assert_int_equal(e->shape[i], want->shape[i]);
        bytes *= want->shape[i];
    }
    assert_int_equal((uintptr_t)e->data % (uintptr_t)elb_dtype_size(e->dtype), 0); /* 64-aligned file, widest first */
    if (bytes) assert_memory_equal(e->data, want->data, (size_t)bytes);
    char out[64];
    assert_int_equal(elb_safetensors_read(file, want->name, want->dtype, want->rank, want->shape, out), ELB_OK);
    if (bytes) assert_memory_equal(out, want->data, (size_t)bytes);
}

static void test_round_trip(void **state)
{
    (void)state;
    const char *path = support_path(folder, "m.safetensors");
    elb_safetensors *file = NULL;
    assert_int_equal(elb_safetensors_save(c, path, entries, ENTRIES, metadata, 2), ELB_OK);
    assert_int_equal(elb_safetensors_open(c, path, &file), ELB_OK);
    assert_int_equal(elb_safetensors_count(file), ENTRIES);
    for (int i = 0; i < ENTRIES; i++) check_same(file, &entries[i]);
    assert_null(elb_safetensors_find(file, "absent"));
    assert_null(elb_safetensors_find(file, "__metadata__"));
    assert_int_equal(elb_safetensors_metadata_count(file), 2);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(elb_safetensors_metadata_at(file, i).key, metadata[i].key);
        assert_string_equal(elb_safetensors_metadata_at(file, i).value, metadata[i].value);
        assert_string_equal(elb_safetensors_metadata(file, metadata[i].key), metadata[i].value);
    }
    assert_null(elb_safetensors_metadata(file, "absent"));
    elb_safetensors_close(file);

    size_t size = 0;
    char *bytes = support_file_read(path, &size);
    uint64_t header;
    memcpy(&header, bytes, 8);
    assert_int_equal(header % 8, 0);
    free(bytes);
    assert_int_equal(support_folder_count(folder), 1);
}

static void test_nothing_at_all(void **state)
{
    (void)state;
    const char *path = support_path(folder, "m.safetensors");
    elb_safetensors *file = NULL;
    assert_int_equal(elb_safetensors_save(c, path, NULL, 0, NULL, 0), ELB_OK);
    assert_int_equal(elb_safetensors_open(c, path, &file), ELB_OK);
    assert_int_equal(elb_safetensors_count(file), 0);
    assert_int_equal(elb_safetensors_metadata_count(file), 0);
    assert_null(elb_safetensors_metadata(file, "config"));
    elb_safetensors_close(file);
}

/* --- what Python wrote -------------------------------------------------------------------------------------------- */

static void check_reals(const elb_safetensors *file, const char *name, int rank, const int64_t *shape, int n,
                        const double *want)
{
    elb_real out[8];
    assert_int_equal(elb_safetensors_read_real(file, name, rank, shape, out), ELB_OK);
    for (int i = 0; i < n; i++) {
        assert_true(out[i] == (elb_real)want[i]);
        assert_int_equal(!signbit(out[i]), !signbit(want[i]));
    }
}

static void test_python(void **state)
{
    (void)state;
    elb_safetensors *file = NULL;
    assert_int_equal(elb_safetensors_open(c, ELB_TEST_FOLDER "/golden/safetensors.bin", &file), ELB_OK);
    assert_int_equal(elb_safetensors_count(file), 8);
    assert_string_equal(elb_safetensors_metadata(file, "made by"), "Python");
    assert_string_equal(elb_safetensors_metadata(file, "text"), "caf\xc3\xa9 \"quoted\"\n");
    check_reals(file, "half", 2, (int64_t[]){2, 3}, 6, (double[]){1, -2.5, 65504, 0x1p-24, -0.0, INFINITY});
    check_reals(file, "brain", 1, (int64_t[]){3}, 3, (double[]){1, -3.5, 0x1p-100});
    check_reals(file, "single", 2, (int64_t[]){2, 2}, 4, (double[]){0.1f, -1e-30f, 3e38f, 7});
    check_reals(file, "double", 1, (int64_t[]){1}, 1, (double[]){0.1});
    check_reals(file, "scalar", 0, NULL, 1, (double[]){2.5});
    check_reals(file, "empty", 2, (int64_t[]){0, 4}, 0, NULL);
    int64_t count[2];
    assert_int_equal(elb_safetensors_read(file, "count", ELB_DTYPE_I64, 1, (int64_t[]){2}, count), ELB_OK);
    assert_int_equal(count[0], -1);
    assert_true(count[1] == (int64_t)1 << 62);
    uint8_t bytes[3];
    assert_int_equal(elb_safetensors_read(file, "byte", ELB_DTYPE_U8, 1, (int64_t[]){3}, bytes), ELB_OK);
    assert_memory_equal(bytes, "\0\7\377", 3);
    elb_safetensors_close(file);
}

/* --- from memory -------------------------------------------------------------------------------------------------- */

/* A file of this header and so many data bytes, all zero, with `f16` at their start. */
static elb_status parse_text(const char *json, size_t data_size, elb_safetensors **file)
{
    static char bytes[4096];
    uint64_t length = strlen(json);
    assert_true(8 + length + data_size <= sizeof bytes);
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, json, length);
    return elb_safetensors_parse(c, bytes, (int64_t)(8 + length + data_size), file);
}

static void test_half_numbers(void **state)
{
    (void)state;
    static const struct {
        uint16_t bits;
        double value;
    } cases[] = {{0x0000, 0.0},      {0x8000, -0.0},      {0x0001, 0x1p-24},       {0x83ff, -1023 * 0x1p-24},
                 {0x0400, 0x1p-14},  {0x3c00, 1},         {0x3c01, 1 + 0x1p-10},   {0xfbff, -65504},
                 {0x7c00, INFINITY}, {0xfc00, -INFINITY}, {0x3555, 0.333251953125}};
    elb_safetensors *file = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(parse_text("{\"h\":{\"dtype\":\"F16\",\"shape\":[],\"data_offsets\":[0,2]}}", 2, &file),
                         ELB_OK);
        memcpy((char *)(uintptr_t)elb_safetensors_at(file, 0)->data, &cases[i].bits, 2);
        check_reals(file, "h", 0, NULL, 1, &cases[i].value);
        elb_safetensors_close(file);
    }
    assert_int_equal(parse_text("{\"h\":{\"dtype\":\"F16\",\"shape\":[],\"data_offsets\":[0,2]}}", 2, &file), ELB_OK);
    memcpy((char *)(uintptr_t)elb_safetensors_at(file, 0)->data, "\1\176", 2);
    elb_real out = 0;
    assert_int_equal(elb_safetensors_read_real(file, "h", 0, NULL, &out), ELB_OK);
    assert_true(isnan(out));
    elb_safetensors_close(file);
}

static void test_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        size_t data;
        const char *message;
    } cases[] = {
        {"", 0, "not a JSON object"},
        {"[]", 0, "not a JSON object"},
        {"{\"a\":", 0, "not a JSON object"},
        {"{} x", 0, "not a JSON object"},
        {"{\"a\":{},\"a\":{}}", 0, "duplicate"},
        {"{\"a\\u0000b\":{}}", 0, "not a JSON object"},
        {"{\"a\xff\":{}}", 0, "not a JSON object"},
        {"{\"__metadata__\":3}", 0, "__metadata__ is not an object"},
        {"{\"__metadata__\":{\"k\":3}}", 0, "the metadata 'k' is not a text"},
        {"{\"a\":3}", 0, "tensor 'a' has no dtype"},
        {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "no dtype"},
        {"{\"a\":{\"dtype\":4,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "no dtype"},
        {"{\"a\":{\"dtype\":\"f32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "unknown dtype 'f32'"},
        {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "no shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", 4, "no shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, "at most 4 dimensions"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "dimension 0 of tensor 'a'"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1.0],\"data_offsets\":[0,4]}}", 4, "dimension 1 of tensor 'a'"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,4]}}", 4, "big integer"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "no pair of data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "no pair of data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 4, "no pair of data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,\"4\"]}}", 4, "no pair of data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", 4, "cut short or corrupt"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, "cut short or corrupt"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4, "cut short or corrupt"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,4]}}", 4, "which do not make [2,1] F32"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0, "do not make"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
         4, "gap or an overlap before tensor 'b'"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
         8, "gap or an overlap before tensor 'b'"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "gap or an overlap before tensor 'a'"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 9, "5 bytes follow the last tensor"},
        {"{}", 1, "1 bytes follow the last tensor"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        elb_safetensors *file = (void *)&faults;
        assert_int_equal(parse_text(cases[i].json, cases[i].data, &file), ELB_MODEL);
        assert_null(file);
        support_assert_message(c, cases[i].message);
    }
}

static void test_header_size(void **state)
{
    (void)state;
    elb_safetensors *file = NULL;
    assert_int_equal(elb_safetensors_parse(c, "", 0, &file), ELB_MODEL);
    support_assert_message(c, "0 bytes are too few");
    assert_int_equal(elb_safetensors_parse(c, "\2\0\0\0\0\0\0", 7, &file), ELB_MODEL);
    assert_int_equal(elb_safetensors_parse(c, "\3\0\0\0\0\0\0\0{}", 10, &file), ELB_MODEL);
    support_assert_message(c, "the header would have 3 bytes, but the file has 10");
    assert_int_equal(elb_safetensors_parse(c, "\377\377\377\377\377\377\377\377{}", 10, &file), ELB_MODEL);
    assert_int_equal(elb_safetensors_parse(c, "\2\0\0\0\0\0\0\0{}", 10, &file), ELB_OK);
    elb_safetensors_close(file);
    elb_safetensors_close(NULL);
}

/* Every shorter version of a sound file is refused, as is a longer one. */
static void test_cut_short(void **state)
{
    (void)state;
    const char *path = support_path(folder, "m.safetensors");
    elb_safetensors *file = NULL;
    size_t size = 0;
    assert_int_equal(elb_safetensors_save(c, path, entries, ENTRIES, metadata, 2), ELB_OK);
    char *bytes = support_file_read(path, &size);
    for (size_t n = 0; n <= size + 1; n++) {
        if (n == size) continue;
        assert_int_equal(elb_safetensors_parse(c, bytes, (int64_t)n, &file), ELB_MODEL);
    }
    support_file_write(path, bytes, size - 1);
    assert_int_equal(elb_safetensors_open(c, path, &file), ELB_MODEL);
    support_assert_message(c, path);
    free(bytes);
}

static void test_missing_file(void **state)
{
    (void)state;
    elb_safetensors *file = NULL;
    assert_int_equal(elb_safetensors_open(c, support_path(folder, "absent"), &file), ELB_FAILURE);
    support_assert_message(c, "absent");
    assert_int_equal(elb_safetensors_open(c, folder, &file), ELB_MODEL);
    support_assert_message(c, folder);
}

/* --- wrong requests ----------------------------------------------------------------------------------------------- */

static void test_wrong_expectations(void **state)
{
    (void)state;
    elb_safetensors *file = NULL;
    elb_real out[8];
    double doubles[3];
    assert_int_equal(parse_text("{\"w\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]},"
                                "\"n\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[8,12]}}",
                                12, &file),
                     ELB_OK);
    assert_int_equal(elb_safetensors_read_real(file, "v", 2, (int64_t[]){2, 1}, out), ELB_MODEL);
    support_assert_message(c, "no tensor 'v'; expected one of shape [2,1]");
    assert_int_equal(elb_safetensors_read_real(file, "w", 2, (int64_t[]){2, 3}, out), ELB_MODEL);
    support_assert_message(c, "tensor 'w' has shape [2,1]; expected [2,3]");
    assert_int_equal(elb_safetensors_read_real(file, "w", 1, (int64_t[]){2}, out), ELB_MODEL);
    support_assert_message(c, "expected [2]");
    assert_int_equal(elb_safetensors_read_real(file, "w", 0, NULL, out), ELB_MODEL);
    support_assert_message(c, "expected []");
    assert_int_equal(elb_safetensors_read_real(file, "w", 5, (int64_t[]){2, 1, 1, 1, 1}, out), ELB_MODEL);
    support_assert_message(c, "at most 4");
    assert_int_equal(elb_safetensors_read_real(file, "n", 1, (int64_t[]){1}, out), ELB_MODEL);
    support_assert_message(c, "tensor 'n' is of dtype I32; expected F32, F64, F16 or BF16");
    assert_int_equal(elb_safetensors_read(file, "w", ELB_DTYPE_F64, 2, (int64_t[]){2, 1}, doubles), ELB_MODEL);
    support_assert_message(c, "tensor 'w' is of dtype F32; expected F64");
    assert_int_equal(elb_safetensors_read(file, "w", ELB_DTYPE_F32, 2, (int64_t[]){1, 2}, doubles), ELB_MODEL);
    elb_safetensors_close(file);
}

static void check_refused(elb_safetensors_entry one, elb_safetensors_pair pair, const char *message)
{
    elb_safetensors_entry twice[2] = {{"a", ELB_DTYPE_U8, 1, {5}, five_bytes}, one};
    elb_safetensors_pair pairs[2] = {{"k", "v"}, pair};
    const char *path = support_path(folder, "m.safetensors");
    assert_int_equal(elb_safetensors_save(c, path, twice, 2, pairs, 2), ELB_USAGE);
    support_assert_message(c, message);
    assert_int_equal(support_folder_count(folder), 0);
}

static void test_wrong_entries(void **state)
{
    (void)state;
    const elb_safetensors_entry good = {"b", ELB_DTYPE_U8, 1, {5}, five_bytes};
    const elb_safetensors_pair pair = {"l", "v"};
    elb_safetensors_entry e = good;
    e.name = "a";
    check_refused(e, pair, "two tensors are named 'a'");
    e.name = "__metadata__";
    check_refused(e, pair, "neither empty nor");
    e.name = "";
    check_refused(e, pair, "neither empty nor");
    e.name = NULL;
    check_refused(e, pair, "neither empty nor");
    e.name = "b\xff";
    check_refused(e, pair, "not UTF-8");
    e = good;
    e.shape[0] = -1;
    check_refused(e, pair, "tensor 'b' has a negative");
    e = (elb_safetensors_entry){"b", ELB_DTYPE_U8, 2, {INT64_MAX, 2}, five_bytes};
    check_refused(e, pair, "tensor 'b' has a negative");
    e = (elb_safetensors_entry){"b", ELB_DTYPE_U8, 1, {INT64_MAX}, five_bytes};
    check_refused(e, pair, "tensor 'b' has a negative");
    e = good;
    e.rank = 5;
    check_refused(e, pair, "tensor 'b' has a negative");
    check_refused(good, (elb_safetensors_pair){"k", "w"}, "two metadata texts are named 'k'");
    check_refused(good, (elb_safetensors_pair){"l", "\xff"}, "the metadata 'l' is not UTF-8");
}

/* --- faults ------------------------------------------------------------------------------------------------------- */

static void test_allocations_fail(void **state)
{
    (void)state;
    const char *path = support_path(folder, "m.safetensors");
    elb_safetensors *file = NULL;
    int64_t n = 1;
    for (;; n++) {
        faults.alloc_countdown = n;
        elb_status status = elb_safetensors_save(c, path, entries, ENTRIES, metadata, 2);
        if (status == ELB_OK) break;
        assert_int_equal(status, ELB_MEMORY);
        assert_int_equal(support_folder_count(folder), 0);
    }
    assert_true(n > 3);
    for (n = 1;; n++) {
        faults.alloc_countdown = n;
        elb_status status = elb_safetensors_open(c, path, &file);
        if (status == ELB_OK) break;
        assert_int_equal(status, ELB_MEMORY);
        assert_null(file);
    }
    assert_true(n > 3);
    faults.alloc_countdown = 0;
    elb_safetensors_close(file);
}

/* The old file stays whole whichever write fails. */
static void test_writes_fail(void **state)
{
    (void)state;
    const char *path = support_path(folder, "m.safetensors");
    static float large[100000];
    const elb_safetensors_entry old = {"old", ELB_DTYPE_F32, 1, {6}, six_floats};
    const elb_safetensors_entry new[2] = {{"new", ELB_DTYPE_F32, 1, {100000}, large}, old};
    assert_int_equal(elb_safetensors_save(c, path, &old, 1, NULL, 0), ELB_OK);
    int64_t n = 1;
    for (;; n++) {
        elb_safetensors *file = NULL;
        faults.write_countdown = n;
        elb_status status = elb_safetensors_save(c, path, new, 2, NULL, 0);
        if (status == ELB_OK) break;
        assert_int_equal(status, ELB_FAILURE);
        support_assert_message(c, "No space left");
        assert_int_equal(support_folder_count(folder), 1);
        assert_int_equal(elb_safetensors_open(c, path, &file), ELB_OK);
        assert_int_equal(elb_safetensors_count(file), 1);
        elb_safetensors_close(file);
    }
    assert_true(n > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_round_trip),    FIXTURE_TEST(test_nothing_at_all),   FIXTURE_TEST(test_python),
        FIXTURE_TEST(test_half_numbers),  FIXTURE_TEST(test_malformed),        FIXTURE_TEST(test_header_size),
        FIXTURE_TEST(test_cut_short),     FIXTURE_TEST(test_missing_file),     FIXTURE_TEST(test_wrong_expectations),
        FIXTURE_TEST(test_wrong_entries), FIXTURE_TEST(test_allocations_fail), FIXTURE_TEST(test_writes_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
