/* test_base.c - contexts, memory, arenas and numbers as text, and every way they can fail. */
#include "support.h"

#include <locale.h>
#include <math.h>
#include <sched.h>
#include <string.h>

#include "base/number.h"

enum { FAR = 1 << 20 };

/* --- context --- */

static void test_status_names(void **state)
{
    (void)state;
    const elb_status all[] = {ELB_OK,      ELB_FAILURE, ELB_USAGE,   ELB_DATA,       ELB_MODEL,
                              ELB_NUMERIC, ELB_MEMORY,  ELB_REQUEUE, ELB_INTERRUPTED};
    enum { COUNT = sizeof all / sizeof *all };
    for (int i = 0; i < COUNT; i++)
        for (int j = 0; j < i; j++) assert_string_not_equal(elb_status_name(all[i]), elb_status_name(all[j]));
    assert_string_equal(elb_status_name(ELB_OK), "ok");
    assert_string_equal(elb_status_name((elb_status)99), "unknown");
}

static void test_context_defaults(void **state)
{
    (void)state;
    cpu_set_t set;
    elb_context *c = NULL;
    assert_int_equal(elb_context_create(NULL, &c), ELB_OK);
    const elb_settings *s = elb_context_settings(c);
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    assert_int_equal(s->threads, CPU_COUNT(&set) < 256 ? CPU_COUNT(&set) : 256);
    assert_string_equal(s->kernels, "auto");
    assert_non_null(s->alloc);
    assert_non_null(s->write);
    assert_string_equal(elb_context_message(c), "");
    elb_log(c, ELB_LOG_INFO, "nobody listens");
    elb_context_destroy(c);
    elb_context_destroy(NULL);
}

static void test_context_keeps_settings(void **state)
{
    (void)state;
    char kernels[] = "reference";
    elb_settings settings = {.threads = 3, .kernels = kernels};
    elb_context *c = NULL;
    assert_int_equal(elb_context_create(&settings, &c), ELB_OK);
    memset(kernels, 'x', sizeof kernels - 1);
    assert_string_equal(elb_context_settings(c)->kernels, "reference");
    assert_int_equal(elb_context_settings(c)->threads, 3);
    elb_context_destroy(c);
}

static void test_context_refuses(void **state)
{
    (void)state;
    char kernels[100];
    memset(kernels, 'k', sizeof kernels);
    kernels[99] = '\0';
    const elb_settings bad[] = {{.threads = -1}, {.threads = 257}, {.kernels = kernels}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        elb_context *c = (elb_context *)kernels;
        assert_int_equal(elb_context_create(&bad[i], &c), ELB_USAGE);
        assert_null(c);
    }
}

static void test_context_without_memory(void **state)
{
    (void)state;
    fault f = {.alloc_countdown = 1};
    elb_settings settings = fault_settings(&f);
    elb_context *c = (elb_context *)&f;
    assert_int_equal(elb_context_create(&settings, &c), ELB_MEMORY);
    assert_null(c);
    assert_int_equal(f.live, 0);
    assert_int_equal(elb_context_create(&settings, &c), ELB_OK);
    assert_int_equal(f.live, 1);
    support_context_end(c, &f);
}

static void test_message(void **state)
{
    (void)state;
    fault f;
    char longer[5000];
    memset(longer, 'm', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    elb_context *c = support_context(&f);
    assert_int_equal(elb_fail(c, ELB_DATA, "%s has %d rows", "x.csv", 3), ELB_DATA);
    assert_string_equal(elb_context_message(c), "x.csv has 3 rows");
    assert_int_equal(elb_fail_in(c, ELB_USAGE, "line %d", 7), ELB_USAGE);
    assert_string_equal(elb_context_message(c), "line 7: x.csv has 3 rows");
    elb_fail(c, ELB_DATA, "<%s>", elb_context_message(c));
    assert_string_equal(elb_context_message(c), "<line 7: x.csv has 3 rows>");
    elb_fail(c, ELB_DATA, "a\nb\033[31mc\177");
    assert_string_equal(elb_context_message(c), "a b [31mc ");
    elb_fail(c, ELB_DATA, "%s", longer);
    assert_true(strlen(elb_context_message(c)) > 1000);
    elb_fail_in(c, ELB_DATA, "%s", longer);
    elb_log(c, ELB_LOG_WARNING, "two\nlines %d", 5);
    assert_string_equal(f.log, "two lines 5\n");
    support_context_end(c, &f);
}

static void release_attached(elb_context *c, void *object)
{
    elb_log(c, ELB_LOG_INFO, "released");
    elb_free(c, object);
}

static void test_attached(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    assert_null(elb_context_attached(c));
    void *object = elb_alloc(c, 1, 8);
    elb_context_attach(c, object, release_attached);
    assert_ptr_equal(elb_context_attached(c), object);
    support_context_end(c, &f);
    assert_string_equal(f.log, "released\n");
}

/* --- memory --- */

static bool is_aligned(const void *p)
{
    return (uintptr_t)p % 64 == 0;
}

static void test_alloc(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    const char zero[300] = {0};
    for (int64_t size = 0; size < 300; size++) {
        char *block = elb_alloc(c, size, 1);
        assert_non_null(block);
        assert_true(is_aligned(block));
        assert_memory_equal(block, zero, (size_t)size);
        memset(block, 1, (size_t)size);
        elb_free(c, block);
    }
    elb_free(c, NULL);
    support_context_end(c, &f);
}

static void test_alloc_too_much(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    const struct {
        int64_t count;
        size_t size;
    } bad[] = {{-1, 1}, {INT64_MAX, 2}, {INT64_MAX, 1}, {1, SIZE_MAX}, {INT64_MAX - 70, 1}, {INT64_MIN, 8}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        elb_fail(c, ELB_DATA, "before");
        assert_null(elb_alloc(c, bad[i].count, bad[i].size));
        support_assert_message(c, "out of memory");
        assert_null(elb_resize(c, NULL, bad[i].count, bad[i].size));
    }
    support_context_end(c, NULL);
}

static void test_resize(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    char *block = elb_resize(c, NULL, 4, 1);
    memcpy(block, "abc", 4);
    block = elb_resize(c, block, 100, 1);
    assert_true(is_aligned(block));
    assert_memory_equal(block, "abc\0\0", 5);
    assert_int_equal(block[99], 0);
    f.alloc_countdown = 1;
    assert_null(elb_resize(c, block, 200, 1));
    support_assert_message(c, "out of memory");
    assert_memory_equal(block, "abc\0", 4); /* as it was */
    block = elb_resize(c, block, 2, 1);
    assert_memory_equal(block, "ab", 2);
    elb_free(c, block);
    support_context_end(c, &f);
}

static void test_strings(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    char *copy = elb_strdup(c, "text"), *made = elb_format(c, "%s-%0*d", copy, 300, 7);
    assert_string_equal(copy, "text");
    assert_int_equal(strlen(made), 305);
    assert_memory_equal(made, "text-000", 8);
    elb_free(c, copy);
    elb_free(c, made);
    f.alloc_countdown = 1;
    assert_null(elb_strdup(c, "text"));
    f.alloc_countdown = 1;
    assert_null(elb_format(c, "%d", 1));
    support_assert_message(c, "out of memory");
    support_context_end(c, &f);
}

static void test_mul_fits(void **state)
{
    (void)state;
    int64_t p = 0;
    assert_true(elb_mul_fits(INT64_C(1) << 31, INT64_C(1) << 31, &p) && p == INT64_C(1) << 62);
    assert_true(elb_mul_fits(INT64_MAX, 1, &p) && p == INT64_MAX);
    assert_true(elb_mul_fits(0, INT64_MAX, &p) && p == 0);
    assert_false(elb_mul_fits(INT64_C(1) << 32, INT64_C(1) << 31, &p));
    assert_false(elb_mul_fits(-1, -1, &p));
    assert_false(elb_mul_fits(1, -1, &p));
}

/* --- arena --- */

static void use_arena(elb_arena *a, int count, size_t size)
{
    char *before = NULL;
    for (int i = 0; i < count; i++) {
        char *block = elb_arena_alloc(a, 1 + i % 7, size);
        assert_non_null(block);
        assert_true(is_aligned(block));
        memset(block, i, (size_t)(1 + i % 7) * size);
        if (before) assert_int_equal(*before, (char)(i - 1)); /* the neighbours do not overlap */
        before = block;
    }
    char *none = elb_arena_alloc(a, 0, 8), *other = elb_arena_alloc(a, 0, 8);
    assert_true(none && other && none != other);
}

static void test_arena_settles(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    elb_arena *a = NULL;
    assert_int_equal(elb_arena_create(c, &a), ELB_OK);
    assert_int_equal(elb_arena_bytes(a), 0);
    assert_int_equal(elb_arena_reset(a), ELB_OK);
    use_arena(a, 500, 1000);
    assert_non_null(elb_arena_alloc(a, FAR, 3)); /* larger than any block */
    assert_int_equal(elb_arena_reset(a), ELB_OK);
    int64_t allocations = f.allocations, bytes = elb_arena_bytes(a);
    assert_true(bytes >= 3 * FAR + 500 * 1000);
    assert_int_equal(f.live, 3); /* context, arena, one block */
    for (int step = 0; step < 3; step++) {
        use_arena(a, 500, 1000);
        assert_non_null(elb_arena_alloc(a, FAR, 3));
        assert_int_equal(elb_arena_reset(a), ELB_OK);
    }
    assert_int_equal(f.allocations, allocations);
    assert_int_equal(elb_arena_bytes(a), bytes);
    elb_arena_destroy(a);
    elb_arena_destroy(NULL);
    support_context_end(c, &f);
}

static void test_arena_without_memory(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    elb_arena *a = NULL;
    f.alloc_countdown = 1;
    assert_int_equal(elb_arena_create(c, &a), ELB_MEMORY);
    assert_null(a);
    assert_int_equal(elb_arena_create(c, &a), ELB_OK);
    f.alloc_countdown = 1;
    assert_null(elb_arena_alloc(a, 1, 1));
    support_assert_message(c, "out of memory");
    assert_null(elb_arena_alloc(a, INT64_MAX, 1));
    assert_null(elb_arena_alloc(a, -1, 1));
    assert_null(elb_arena_alloc(a, 1, SIZE_MAX));
    use_arena(a, 10, 8);
    assert_non_null(elb_arena_alloc(a, FAR, 1));
    f.alloc_countdown = 1;
    assert_int_equal(elb_arena_reset(a), ELB_MEMORY);
    use_arena(a, 10, 8); /* still of use */
    elb_arena_destroy(a);
    support_context_end(c, &f);
}

/* --- numbers --- */

static void check_number_round_trip(double x, const char *text)
{
    char made[ELB_NUMBER_SIZE];
    double back = NAN;
    elb_number_format(x, made);
    if (text) assert_string_equal(made, text);
    assert_true(elb_number_parse(made, &back));
    assert_memory_equal(&back, &x, sizeof x);
}

static void test_numbers(void **state)
{
    (void)state;
    check_number_round_trip(0.1, "0.1");
    check_number_round_trip(1e-8, "1e-08");
    check_number_round_trip(0.1 + 0.2, "0.30000000000000004");
    check_number_round_trip(1.0 / 3, NULL);
    check_number_round_trip(-0.0, "-0");
    check_number_round_trip(5e-324, NULL);
    check_number_round_trip(1.7976931348623157e308, NULL);
    double x = 7;
    int64_t n = 7;
    const char *const bad[] = {"", " 1", "1 ", "1,5", "one", "1.5.2", "--1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(elb_number_parse(bad[i], &x));
        assert_false(elb_integer_parse(bad[i], &n));
    }
    assert_false(elb_integer_parse("1.0", &n));
    assert_false(elb_integer_parse("9223372036854775808", &n));
    assert_true(x == 7 && n == 7);
    assert_true(elb_integer_parse("-9223372036854775808", &n) && n == INT64_MIN);
}

/* Where the machine has a locale with a decimal comma, it changes nothing. */
static void test_numbers_in_another_locale(void **state)
{
    (void)state;
    const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    const char *found = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && !found; i++) found = setlocale(LC_ALL, names[i]);
    if (!found) skip();
    check_number_round_trip(0.5, "0.5");
    setlocale(LC_ALL, "C");
}

static void test_number_fixed(void **state)
{
    (void)state;
    static const struct {
        double value;
        int decimals;
        const char *text;
    } cases[] = {{-231.404, 2, "-231.40"},       {0.125, 2, "0.13"},   {-0.001, 2, "0.00"}, {1e-9, 9, "0.000000001"},
                 {99.999, 2, "100.00"},          {12345, 0, "12345"},  {-0.5, 0, "-1"},     {NAN, 2, "\xe2\x80\x93"},
                 {-INFINITY, 0, "\xe2\x80\x93"}, {1e300, 2, "1e+300"}, {-2e15, 1, "-2e+15"}};
    char text[ELB_NUMBER_SIZE];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        elb_number_fixed(cases[i].value, cases[i].decimals, text);
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_names),
        cmocka_unit_test(test_context_defaults),
        cmocka_unit_test(test_context_keeps_settings),
        cmocka_unit_test(test_context_refuses),
        cmocka_unit_test(test_context_without_memory),
        cmocka_unit_test(test_message),
        cmocka_unit_test(test_attached),
        cmocka_unit_test(test_alloc),
        cmocka_unit_test(test_alloc_too_much),
        cmocka_unit_test(test_resize),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_mul_fits),
        cmocka_unit_test(test_arena_settles),
        cmocka_unit_test(test_arena_without_memory),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_numbers_in_another_locale),
        cmocka_unit_test(test_number_fixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
