/* test_data_readers.c - every reader gives the values that NumPy, zlib and the PNG specification put into the files. */
#include "data_support.h"

#include <math.h>
#include <stdlib.h>
#include <zlib.h>

#include "data/inflate.h"
#include "data/readers.h"

typedef elb_status (*parser)(elb_context *c, const uint8_t *bytes, int64_t size, elb_array *array);

static void read_with(elb_context *c, parser parse, const char *name, elb_array *array)
{
    size_t size = 0;
    char *bytes = support_file_read(data_corpus(name), &size);
    elb_status status = parse(c, (const uint8_t *)bytes, (int64_t)size, array);
    if (status != ELB_OK) fail_msg("%s: %s", name, elb_context_message(c));
    free(bytes);
}

static void check_shape(const elb_array *a, int rank, const int64_t *shape)
{
    assert_int_equal(a->rank, rank);
    for (int i = 0; i < rank; i++) assert_int_equal(a->shape[i], shape[i]);
}

/* Floats, where a NaN matches a NaN. */
static void check_floats(const elb_array *a, int64_t n, const double *want)
{
    assert_int_equal(a->type, ELB_ARRAY_F32);
    assert_int_equal(elb_array_count(a), n);
    for (int64_t i = 0; i < n; i++) {
        float got = ((const float *)a->values)[i];
        if (isnan(want[i]) ? !isnan(got) : !(got == (float)want[i]))
            fail_msg("value %d is %.9g instead of %.9g", (int)i, got, want[i]);
    }
}

static void check_bytes(const elb_array *a, int64_t n, const uint8_t *want)
{
    assert_int_equal(a->type, ELB_ARRAY_U8);
    assert_int_equal(elb_array_count(a), n);
    assert_memory_equal(a->values, want, (size_t)n);
}

static void test_idx_bytes(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    elb_array a;
    uint8_t want[24];
    for (int i = 0; i < 24; i++) want[i] = (uint8_t)(10 * i);
    read_with(c, elb_idx_parse, "idx/u1_2x3x4", &a);
    check_shape(&a, 3, (int64_t[]){2, 3, 4});
    check_bytes(&a, 24, want);
    assert_false(a.flags);
    elb_array_reset(c, &a);
    assert_null(a.values);
    support_context_end(c, &f);
}

static void test_idx_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int count;
        double want[6];
    } cases[] = {
        {"idx/i1_2x3", 6, {-3, -2, -1, 0, 1, 2}},
        {"idx/i2_4", 4, {-32768, -1, 0, 32767}},
        {"idx/i4_2x2", 4, {-5, 7, 1 << 24, -(1 << 24)}},
        {"idx/f4_2x2", 4, {0.5, -1.25, NAN, 3e8}},
        {"idx/f8_1x2", 2, {0.1, -INFINITY}},
    };
    fault f;
    elb_context *c = support_context(&f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        elb_array a;
        read_with(c, elb_idx_parse, cases[i].name, &a);
        check_floats(&a, cases[i].count, cases[i].want);
        elb_array_reset(c, &a);
    }
    support_context_end(c, &f);
}

static void test_npy_types(void **state)
{
    (void)state;
    static const char *const names[] = {"ni1", "li2", "bi2", "lu2", "li4", "bu4", "li8",      "lu8",
                                        "lf2", "bf2", "lf4", "bf4", "lf8", "bf8", "version2", "version3"};
    static const double want[] = {0, 1, 2, 3, 100, 127};
    fault f;
    elb_context *c = support_context(&f);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[32];
        elb_array a;
        snprintf(name, sizeof name, "npy/%s", names[i]);
        read_with(c, elb_npy_parse, name, &a);
        check_shape(&a, 2, (int64_t[]){2, 3});
        check_floats(&a, 6, want);
        elb_array_reset(c, &a);
    }
    support_context_end(c, &f);
}

static void test_npy_eight_bit(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    elb_array a;
    read_with(c, elb_npy_parse, "npy/nu1", &a);
    check_bytes(&a, 6, (uint8_t[]){0, 1, 2, 3, 100, 127});
    assert_false(a.flags);
    elb_array_reset(c, &a);
    read_with(c, elb_npy_parse, "npy/bool", &a);
    check_bytes(&a, 6, (uint8_t[]){0, 0, 1, 1, 1, 1});
    assert_true(a.flags);
    elb_array_reset(c, &a);
    support_context_end(c, &f);
}

static void test_npy_half(void **state)
{
    (void)state;
    static const double want[] = {0, 0, 0x1p-24, 0x1p-14, 65504, -INFINITY, NAN, 0.333251953125};
    fault f;
    elb_context *c = support_context(&f);
    elb_array a;
    read_with(c, elb_npy_parse, "npy/half_special", &a);
    check_floats(&a, 8, want);
    assert_true(signbit(((const float *)a.values)[1]));
    elb_array_reset(c, &a);
    support_context_end(c, &f);
}

static void test_npy_fortran(void **state)
{
    (void)state;
    double want[24];
    for (int i = 0; i < 24; i++) want[i] = i;
    fault f;
    elb_context *c = support_context(&f);
    elb_array a;
    read_with(c, elb_npy_parse, "npy/fortran", &a);
    check_shape(&a, 3, (int64_t[]){2, 3, 4});
    check_floats(&a, 24, want);
    elb_array_reset(c, &a);
    support_context_end(c, &f);
}

static void test_npz(void **state)
{
    (void)state;
    static const struct {
        const char *name, *key;
        int count;
        double want[6];
    } cases[] = {
        {"npz/stored", "", 6, {0, 1, 2, 3, 4, 5}}, {"npz/deflated", "", 6, {0, 1, 2, 3, 4, 5}},
        {"npz/deflated", "y", 2, {0, 1}},          {"npz/no_x", "a", 6, {0, 1, 2, 3, 4, 5}},
        {"npz/zip64", "", 6, {0, 1, 2, 3, 4, 5}},  {"npz/zip64", "y", 2, {0, 1}},
    };
    fault f;
    elb_context *c = support_context(&f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size = 0;
        char *bytes = support_file_read(data_corpus(cases[i].name), &size);
        elb_array a;
        assert_int_equal(elb_npz_parse(c, (const uint8_t *)bytes, (int64_t)size, cases[i].key, &a), ELB_OK);
        check_floats(&a, cases[i].count, cases[i].want);
        elb_array_reset(c, &a);
        free(bytes);
    }
    support_context_end(c, &f);
}

static void test_npz_single(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    size_t size = 0;
    char *bytes = support_file_read(data_corpus("npz/single"), &size);
    uint8_t want[64];
    for (int i = 0; i < 64; i++) want[i] = (uint8_t)(i % 7);
    elb_array a;
    assert_int_equal(elb_npz_parse(c, (const uint8_t *)bytes, (int64_t)size, "", &a), ELB_OK);
    check_bytes(&a, 64, want);
    elb_array_reset(c, &a);
    free(bytes);
    support_context_end(c, &f);
}

static void test_csv(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int rows, columns;
        double want[6];
    } cases[] = {
        {"a,b,c\n1,2,3\n4,5.5,-6e-1\n", 2, 3, {1, 2, 3, 4, 5.5, -0.6}},
        {"1\t2\n3\t4\n", 2, 2, {1, 2, 3, 4}},
        {"\xef\xbb\xbfx;y\r\n1;\r\n;nan\r\n\r\n", 2, 2, {1, NAN, NAN, NAN}},
        {"\"a, b\",c\n\"1.5\",2\n3,\"4\"\n", 2, 2, {1.5, 2, 3, 4}},
        {"1e5,-2.5E-3,+7,inf,123456789012345678901234567890", 1, 5, {1e5, -2.5e-3, 7, INFINITY, 1.2345678901234568e29}},
        {"0.1,-.5,5.,-0,999999999999999\n", 1, 5, {0.1, -0.5, 5, 0, 999999999999999}},
        {"7", 1, 1, {7}},
        {"\n\n 1 , 2 \n\n3,NaN\n", 2, 2, {1, 2, 3, NAN}},
        {"1,\n,2\n", 2, 2, {1, NAN, NAN, 2}},
        {"-inf,1\n", 1, 2, {-INFINITY, 1}},
        {"id,,w\n1,2,3\n", 1, 3, {1, 2, 3}},
        {"1\t\n\t\n", 2, 2, {1, NAN, NAN, NAN}},
    };
    fault f;
    elb_context *c = support_context(&f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        elb_array a;
        elb_status status = elb_csv_parse(c, (const uint8_t *)cases[i].text, (int64_t)strlen(cases[i].text), &a);
        if (status != ELB_OK) fail_msg("%s: %s", cases[i].text, elb_context_message(c));
        check_shape(&a, 2, (int64_t[]){cases[i].rows, cases[i].columns});
        check_floats(&a, (int64_t)cases[i].rows * cases[i].columns, cases[i].want);
        elb_array_reset(c, &a);
    }
    support_context_end(c, &f);
}

/* The quick path for plain decimals gives the same double as strtod, over many lengths and points. */
static void test_csv_exact(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    uint64_t random = 1;
    for (int i = 0; i < 2000; i++) {
        char text[40];
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        int digits = 1 + (int)(random >> 60), decimals = (int)(random >> 40 & 7);
        snprintf(text, sizeof text, "%.*f", decimals, (double)(random >> 20) / pow(10, 14 - digits));
        elb_array a;
        assert_int_equal(elb_csv_parse(c, (const uint8_t *)text, (int64_t)strlen(text), &a), ELB_OK);
        check_floats(&a, 1, (double[]){strtod(text, NULL)});
        elb_array_reset(c, &a);
    }
    support_context_end(c, &f);
}

static void test_png(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int rank;
        int64_t shape[4];
        uint8_t want[6];
    } cases[] = {
        {"png/grey", 3, {1, 2, 3, 1}, {0, 127, 255, 1, 2, 3}},      {"png/grey1", 3, {1, 1, 3, 1}, {255, 0, 255}},
        {"png/rgb", 4, {1, 1, 2, 3}, {1, 2, 3, 4, 5, 6}},           {"png/rgba", 4, {1, 2, 1, 3}, {9, 8, 7, 6, 5, 4}},
        {"png/palette", 4, {1, 1, 2, 3}, {10, 20, 30, 40, 50, 60}}, {"png/interlaced", 3, {1, 1, 1, 1}, {77}},
    };
    fault f;
    elb_context *c = support_context(&f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        elb_array a;
        read_with(c, elb_png_parse, cases[i].name, &a);
        check_shape(&a, cases[i].rank, cases[i].shape);
        check_bytes(&a, elb_array_count(&a), cases[i].want);
        elb_array_reset(c, &a);
    }
    support_context_end(c, &f);
}

/* gzip of `size` pseudo-random letters, by zlib's own writer. */
static uint8_t *gzip_make(const uint8_t *plain, size_t size, int64_t *packed)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)plain, .avail_in = (uInt)size};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = deflateBound(&z, size);
    uint8_t *out = malloc(room);
    z.next_out = out;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    *packed = (int64_t)(room - z.avail_out);
    deflateEnd(&z);
    return out;
}

static void test_gzip(void **state)
{
    (void)state;
    enum { SIZE = 100000 };
    static uint8_t plain[SIZE];
    for (int i = 0; i < SIZE; i++) plain[i] = (uint8_t)("abcd"[(i * 7 + i / 13) % 4]);
    int64_t packed = 0, size = 0;
    uint8_t *bytes = gzip_make(plain, SIZE, &packed);
    char *out = NULL;
    fault f;
    elb_context *c = support_context(&f);
    assert_true(elb_gzip_is(bytes, packed));
    assert_int_equal(elb_gzip_inflate(c, bytes, packed, SIZE, &out, &size), ELB_OK);
    assert_int_equal(size, SIZE);
    assert_memory_equal(out, plain, SIZE);
    assert_int_equal(out[SIZE], '\0');
    elb_free(c, out);

    /* Two members make one file, and a length that lies is only a guess. */
    uint8_t *two = malloc(2 * (size_t)packed);
    memcpy(two, bytes, (size_t)packed);
    memcpy(two + packed, bytes, (size_t)packed);
    assert_int_equal(elb_gzip_inflate(c, two, 2 * packed, 2 * SIZE, &out, &size), ELB_OK);
    assert_int_equal(size, 2 * SIZE);
    assert_memory_equal(out + SIZE, plain, SIZE);
    elb_free(c, out);

    assert_int_equal(elb_gzip_inflate(c, bytes, packed, SIZE - 1, &out, &size), ELB_DATA);
    assert_null(out);
    support_assert_message(c, "more than 99999 bytes");
    assert_int_equal(elb_gzip_inflate(c, two, 2 * packed, 2 * SIZE - 1, &out, &size), ELB_DATA);
    assert_int_equal(elb_gzip_inflate(c, bytes, packed - 9, SIZE, &out, &size), ELB_DATA);
    support_assert_message(c, "truncated");
    bytes[packed - 6] ^= 0x55; /* in the checksum */
    assert_int_equal(elb_gzip_inflate(c, bytes, packed, SIZE, &out, &size), ELB_DATA);
    support_assert_message(c, "corrupt");
    assert_int_equal(elb_gzip_inflate(c, bytes, 0, SIZE, &out, &size), ELB_DATA);
    free(two);
    free(bytes);
    support_context_end(c, &f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idx_bytes),     cmocka_unit_test(test_idx_numbers), cmocka_unit_test(test_npy_types),
        cmocka_unit_test(test_npy_eight_bit), cmocka_unit_test(test_npy_half),    cmocka_unit_test(test_npy_fortran),
        cmocka_unit_test(test_npz),           cmocka_unit_test(test_npz_single),  cmocka_unit_test(test_csv),
        cmocka_unit_test(test_csv_exact),     cmocka_unit_test(test_png),         cmocka_unit_test(test_gzip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
