/* test_data_malformed.c - every reader refuses what is wrong, says so in words, and keeps no memory. */
#include "data_support.h"

#include <stdlib.h>

#include "data/readers.h"

typedef elb_status (*parser)(elb_context *c, const uint8_t *bytes, int64_t size, elb_array *array);

/* A copy of exactly the bytes, so that a sanitizer sees a read past the end. */
static void refuse(elb_context *c, parser parse, const void *bytes, size_t size, const char *message)
{
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    elb_array a = {.rank = 7};
    elb_status status = parse(c, copy, (int64_t)size, &a);
    if (status != ELB_DATA) fail_msg("status %s where \"%s\" was expected", elb_status_name(status), message);
    support_assert_message(c, message);
    assert_null(a.values);
    free(copy);
}

/* Every proper beginning of a corpus file is refused. */
static void refuse_cuts(elb_context *c, parser parse, const char *name)
{
    size_t size = 0;
    char *bytes = support_file_read(data_corpus(name), &size);
    for (size_t cut = 0; cut < size; cut++) refuse(c, parse, bytes, cut, "");
    free(bytes);
}

static void test_idx(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    refuse(c, elb_idx_parse, "", 0, "has only 0");
    refuse(c, elb_idx_parse, "\0\0\10", 3, "has only 3");
    refuse(c, elb_idx_parse, "\1\0\10\1\0\0\0\1x", 9, "not an IDX file");
    refuse(c, elb_idx_parse, "\0\0\7\1\0\0\0\1x", 9, "not an IDX file");
    refuse(c, elb_idx_parse, "\0\0\10\0", 4, "rank 0");
    refuse(c, elb_idx_parse, "\0\0\10\5", 4, "rank 5");
    refuse(c, elb_idx_parse, "\0\0\10\2\0\0\0\1", 8, "header is truncated");
    refuse(c, elb_idx_parse, "\0\0\10\1\0\0\0\2x", 9, "truncated");
    refuse(c, elb_idx_parse, "\0\0\10\1\0\0\0\1xy", 10, "corrupt");
    refuse(c, elb_idx_parse, "\0\0\10\1\xff\xff\xff\xffx", 9, "4294967295 bytes");
    refuse(c, elb_idx_parse, "\0\0\16\3\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16,
           "more values than any file");
    refuse_cuts(c, elb_idx_parse, "idx/u1_2x3x4");
    assert_int_equal(f.allocations, 1); /* the context itself: sizes are compared before memory is asked for */
    support_context_end(c, &f);
}

/* An NPY version 1 file with the given dictionary and `values` bytes behind it. */
static void refuse_npy(elb_context *c, const char *dictionary, size_t values, const char *message)
{
    uint8_t bytes[512] = "\x93NUMPY\1";
    size_t length = strlen(dictionary);
    bytes[8] = (uint8_t)length;
    bytes[9] = (uint8_t)(length >> 8);
    memcpy(bytes + 10, dictionary, length);
    refuse(c, elb_npy_parse, bytes, 10 + length + values, message);
}

static void test_npy(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    refuse(c, elb_npy_parse, "", 0, "not an NPY file");
    refuse(c, elb_npy_parse, "\x93NUMPX\1\0\0\0", 10, "not an NPY file");
    refuse(c, elb_npy_parse, "\x93NUMPY\4\0\0\0", 10, "version 4");
    refuse(c, elb_npy_parse, "\x93NUMPY\2\0\0\0", 10, "truncated");
    refuse(c, elb_npy_parse, "\x93NUMPY\1\0\xff\xff", 10, "promises 65535 bytes");
    refuse(c, elb_npy_parse, "\x93NUMPY\3\0\xff\xff\xff\xff", 12, "promises 4294967295 bytes");
    refuse_npy(c, "", 0, "must be a dictionary");
    refuse_npy(c, "{}", 0, "must be a dictionary");
    refuse_npy(c, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)", 4, "must be a dictionary");
    refuse_npy(c, "{'descr': '<f4', 'fortran_order': False, 'size': (1,)}", 4, "must be a dictionary");
    refuse_npy(c, "{'descr': '<f4' 'fortran_order': False, 'shape': (1,)}", 4, "must be a dictionary");
    refuse_npy(c, "{'descr': '<f4', 'fortran_order': False, 'a key that is far too long': 1}", 4,
               "must be a dictionary");
    refuse_npy(c, "{'descr': '<f4', 'fortran_order': Perhaps, 'shape': (1,)}", 4, "True or False");
    refuse_npy(c, "{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", 8, "'<c8' cannot be read");
    refuse_npy(c, "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", 8, "'|O' cannot be read");
    refuse_npy(c, "{'descr': 'f4', 'fortran_order': False, 'shape': (1,)}", 8, "'f4' cannot be read");
    refuse_npy(c, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", 4, "has fields");
    refuse_npy(c, "{'descr': '<f4', 'fortran_order': False, 'shape': ()}", 4, "a single number");
    refuse_npy(c, "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1)}", 4, "more than 4 dimensions");
    refuse_npy(c, "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", 4, "tuple of sizes");
    refuse_npy(c, "{'descr': '<f4', 'fortran_order': False, 'shape': (1 2)}", 4, "tuple of sizes");
    refuse_npy(c, "{'descr': '<f4', 'fortran_order': False, 'shape': [1]}", 4, "tuple of sizes");
    refuse_npy(c, "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775808,)}", 4, "tuple of sizes");
    refuse_npy(c, "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4)}", 4,
               "more values than any");
    refuse_npy(c, "{'descr': '<f4', 'fortran_order': False, 'shape': (4000000000, 4000)}", 4, "truncated");
    refuse_npy(c, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 9, "corrupt");
    refuse_cuts(c, elb_npy_parse, "npy/lf4");
    assert_int_equal(f.allocations, 1);
    static const char *const names[][2] = {{"npy/fields", "has fields"},
                                           {"npy/text", "cannot be read"},
                                           {"npy/scalar", "a single number"},
                                           {"npy/rank5", "4 dim"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t size = 0;
        char *bytes = support_file_read(data_corpus(names[i][0]), &size);
        refuse(c, elb_npy_parse, bytes, size, names[i][1]);
        free(bytes);
    }
    support_context_end(c, &f);
}

static elb_status npz_any(elb_context *c, const uint8_t *bytes, int64_t size, elb_array *array)
{
    return elb_npz_parse(c, bytes, size, "", array);
}

static elb_status npz_absent(elb_context *c, const uint8_t *bytes, int64_t size, elb_array *array)
{
    return elb_npz_parse(c, bytes, size, "absent", array);
}

static char *find(char *bytes, size_t size, const char *signature)
{
    char *found = memmem(bytes, size, signature, 4);
    assert_non_null(found);
    return found;
}

/* Puts `width` little-endian bytes at `offset` behind a signature, and expects a refusal; then puts them back. */
static void npz_spoil(elb_context *c, char *bytes, size_t size, const char *signature, int offset, uint32_t value,
                      int width, const char *message)
{
    char kept[4], *at = find(bytes, size, signature) + offset;
    memcpy(kept, at, 4);
    for (int i = 0; i < width; i++) at[i] = (char)(value >> 8 * i);
    refuse(c, npz_any, bytes, size, message);
    memcpy(at, kept, 4);
}

static void test_npz(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    size_t size = 0;
    char *bytes = support_file_read(data_corpus("npz/deflated"), &size);
    refuse(c, npz_any, "", 0, "not an NPZ file");
    refuse(c, npz_any, "PK\3\4", 4, "not an NPZ file");
    refuse(c, npz_absent, bytes, size, "no array named 'absent': set data.key to one of: x, y");
    npz_spoil(c, bytes, size, "PK\5\6", 16, UINT32_MAX, 4, "zip64");
    npz_spoil(c, bytes, size, "PK\5\6", 16, 100000, 4, "directory lies outside");
    npz_spoil(c, bytes, size, "PK\5\6", 16, 3, 4, "broken entry");
    npz_spoil(c, bytes, size, "PK\5\6", 10, 0, 2, "holds no array");
    npz_spoil(c, bytes, size, "PK\1\2", 8, 1, 2, "encrypted");
    npz_spoil(c, bytes, size, "PK\1\2", 10, 12, 2, "method 12");
    npz_spoil(c, bytes, size, "PK\1\2", 10, 0, 2, "cannot become");
    npz_spoil(c, bytes, size, "PK\1\2", 16, 1, 4, "checksum");
    npz_spoil(c, bytes, size, "PK\1\2", 20, UINT32_MAX, 4, "zip64");
    npz_spoil(c, bytes, size, "PK\1\2", 20, 100000, 4, "longer than the file");
    npz_spoil(c, bytes, size, "PK\1\2", 20, 10, 4, "truncated");
    npz_spoil(c, bytes, size, "PK\1\2", 24, 4000000000u, 4, "cannot become");
    npz_spoil(c, bytes, size, "PK\1\2", 24, 150, 4, "corrupt");
    npz_spoil(c, bytes, size, "PK\1\2", 24, 2000, 4, "corrupt");
    npz_spoil(c, bytes, size, "PK\1\2", 28, 60000, 2, "broken entry");
    npz_spoil(c, bytes, size, "PK\1\2", 42, 7, 4, "not where its directory says");
    npz_spoil(c, bytes, size, "PK\1\2", 42, 100000, 4, "not where its directory says");
    npz_spoil(c, bytes, size, "PK\3\4", 28, 60000, 2, "longer than the file");
    free(bytes);
    bytes = support_file_read(data_corpus("npz/no_x"), &size);
    refuse(c, npz_any, bytes, size, "holds 2 arrays and none is named x: choose one with data.key (a, b)");
    free(bytes);
    bytes = support_file_read(data_corpus("npz/empty"), &size);
    refuse(c, npz_any, bytes, size, "holds no array");
    free(bytes);
    refuse_cuts(c, npz_any, "npz/deflated");
    support_context_end(c, &f);
}

static void test_csv(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "the table is empty"},
        {"\n \r\n\n", "the table is empty"},
        {"a,b\n", "no data lines"},
        {"1,2\n3,four\n", "line 2, column 2: 'four' is not a number"},
        {"1,two\n3,4\n", "line 1, column 2: 'two' is not a number"},
        {"a,b\n\n1,2\n3,4x\n", "line 4, column 2: '4x' is not a number"},
        {"1,2\n3\n", "line 2 has 1 fields, but the first line has 2"},
        {"1,2\n3,4,5\n", "line 2 has 3 fields, but the first line has 2"},
        {"1\n0x10\n", "'0x10' is not a number"},
        {"1\n1.2.3\n", "'1.2.3' is not a number"},
        {"1\n-\n", "'-' is not a number"},
        {"1\n.\n", "'.' is not a number"},
        {"1\n1e\n", "'1e' is not a number"},
        {"1\ninfinitely\n", "'infinitely' is not a number"},
        {"1\nabcdefghijklmnopqrstuvwxyz\n", "'abcdefghijklmnopqrstuvwx...' is not a number"},
        {"1\n0000000000000000000000000000000000000000000000000000000000000000000001\n", "is not a number"},
        {"1,1,1,1,1,1,1,1,1,1\n1\n1\n1\n1\n1\n1\n1\n1\n1\n1\n1\n1\n", "fewer fields"},
    };
    fault f;
    elb_context *c = support_context(&f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse(c, elb_csv_parse, cases[i].text, strlen(cases[i].text), cases[i].message);
    refuse(c, elb_csv_parse, "1\n\0002\n", 5, "is not a number");
    support_context_end(c, &f);
}

static void test_png(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    size_t size = 0;
    refuse(c, elb_png_parse, "", 0, "not a PNG image");
    refuse(c, elb_png_parse, "\x89PNG\r\n\x1a\r", 8, "not a PNG image");
    char *bytes = support_file_read(data_corpus("png/grey16"), &size);
    refuse(c, elb_png_parse, bytes, size, "16 bits per channel");
    free(bytes);
    bytes = support_file_read(data_corpus("png/huge"), &size);
    refuse(c, elb_png_parse, bytes, size, "cannot hold 16000x16000 pixels");
    bytes[18] = 127; /* wider than any image may be */
    refuse(c, elb_png_parse, bytes, size, "corrupt");
    free(bytes);
    bytes = support_file_read(data_corpus("png/rgb"), &size);
    find(bytes, size, "IDAT")[7] ^= 1;
    refuse(c, elb_png_parse, bytes, size, "corrupt");
    free(bytes);
    refuse_cuts(c, elb_png_parse, "png/rgb");
    support_context_end(c, &f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idx), cmocka_unit_test(test_npy), cmocka_unit_test(test_npz),
        cmocka_unit_test(test_csv), cmocka_unit_test(test_png),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
