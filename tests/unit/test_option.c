/* test_option.c - option tables: parsing, ranges, suggestions, and values that come back as they went in. */
#include "support.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/option.h"

static const char *const colours[] = {"red", "green", "dark-blue", NULL};

typedef struct values {
    int64_t seed;
    bool on;
    int64_t width;
    double rate;
    int colour;
    char name[ELB_TEXT_MAX];
    elb_ints sizes;
} values;

static const elb_option top_table[] = {
    {.name = "seed",
     .kind = ELB_OPTION_INT,
     .offset = offsetof(values, seed),
     .fallback = "1",
     .min = 0,
     .max = 9007199254740992.0,
     .help = "Seed."},
    {.name = NULL},
};
static const elb_option part_table[] = {
    {.name = "on", .kind = ELB_OPTION_BOOL, .offset = offsetof(values, on), .fallback = "yes", .help = "On."},
    {.name = "width",
     .kind = ELB_OPTION_INT,
     .offset = offsetof(values, width),
     .fallback = "5",
     .min = -3,
     .max = 10,
     .help = "Width."},
    {.name = "rate",
     .kind = ELB_OPTION_REAL,
     .offset = offsetof(values, rate),
     .fallback = "1e-3",
     .min = -1e300,
     .max = 2.5,
     .help = "Rate."},
    {.name = "colour",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(values, colour),
     .fallback = "green",
     .choices = colours,
     .help = "Colour."},
    {.name = "name", .kind = ELB_OPTION_TEXT, .offset = offsetof(values, name), .fallback = "n", .help = "Name."},
    {.name = "sizes",
     .kind = ELB_OPTION_INTS,
     .offset = offsetof(values, sizes),
     .fallback = "200,200",
     .min = 1,
     .max = 300,
     .help = "Sizes."},
    {.name = NULL},
};

typedef struct fixture {
    fault f;
    elb_context *c;
    values v;
    elb_section sections[3];
} fixture;

static int fixture_make(void **state)
{
    static fixture x;
    memset(&x, 0, sizeof x);
    x.c = support_context(&x.f);
    x.sections[0] = (elb_section){"", "Top.", top_table, &x.v};
    x.sections[1] = (elb_section){"part", "Part.", part_table, &x.v};
    assert_int_equal(elb_options_reset(x.c, x.sections), ELB_OK);
    *state = &x;
    return 0;
}

static int fixture_end(void **state)
{
    fixture *x = *state;
    support_context_end(x->c, &x->f);
    return 0;
}

static void check_set(fixture *x, const char *key, const char *value)
{
    elb_status status = elb_options_set(x->c, x->sections, key, value);
    if (status != ELB_OK) fail_msg("%s = '%s': %s", key, value, elb_context_message(x->c));
}

/* Refused with `part` in the message, and nothing changed. */
static void check_refused(fixture *x, const char *key, const char *value, const char *part)
{
    values before = x->v;
    if (elb_options_set(x->c, x->sections, key, value) != ELB_USAGE) fail_msg("%s = '%s' is accepted", key, value);
    support_assert_message(x->c, part);
    assert_memory_equal(&x->v, &before, sizeof before);
}

static void check_get(fixture *x, const char *key, const char *want)
{
    char text[ELB_TEXT_MAX];
    assert_int_equal(elb_options_get(x->c, x->sections, key, text, sizeof text), ELB_OK);
    assert_string_equal(text, want);
}

static void test_defaults(void **state)
{
    fixture *x = *state;
    assert_int_equal(x->v.seed, 1);
    assert_true(x->v.on);
    assert_int_equal(x->v.width, 5);
    assert_true(x->v.rate == 1e-3);
    assert_int_equal(x->v.colour, 1);
    assert_string_equal(x->v.name, "n");
    assert_int_equal(x->v.sizes.count, 2);
    assert_int_equal(x->v.sizes.at[1], 200);
}

static void test_bad_default_is_reported(void **state)
{
    fixture *x = *state;
    const elb_option bad[] = {
        {.name = "w", .kind = ELB_OPTION_INT, .offset = 0, .fallback = "11", .min = 0, .max = 10, .help = "W."},
        {.name = NULL},
    };
    const elb_section sections[] = {{"s", "S.", bad, &x->v}, {.options = NULL}};
    assert_int_equal(elb_options_reset(x->c, sections), ELB_USAGE);
    support_assert_message(x->c, "s.w is '11'");
}

static void test_bool(void **state)
{
    fixture *x = *state;
    const char *const yes[] = {"true", "yes", "on", "TRUE", "Yes"}, *const no[] = {"false", "no", "off", "False"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        x->v.on = false;
        check_set(x, "part.on", yes[i]);
        assert_true(x->v.on);
    }
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        x->v.on = true;
        check_set(x, "part.on", no[i]);
        assert_false(x->v.on);
    }
    check_get(x, "part.on", "false");
    check_refused(x, "part.on", "", "true or false");
    check_refused(x, "part.on", "1", "part.on is '1', but true or false is expected");
    check_refused(x, "part.on", "truer", "truer");
}

static void test_int(void **state)
{
    fixture *x = *state;
    check_set(x, "part.width", "-3");
    check_set(x, "part.width", "10");
    check_get(x, "part.width", "10");
    const char *const bad[] = {"-4",  "11",  "", " 5", "5 ", "5.0", "5e0", "0x5", "five", "99999999999999999999",
                               "nan", "5,5", "+"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) check_refused(x, "part.width", bad[i], "from -3 to 10");
    check_set(x, "seed", "9007199254740992");
    assert_true(x->v.seed == INT64_C(1) << 53);
    check_refused(x, "seed", "9007199254740994", "9007199254740992");
    check_refused(x, "seed", "-1", "a whole number");
}

static void test_real(void **state)
{
    fixture *x = *state;
    const double round_trip[] = {0.1, 1.0 / 3, 1e-300, -1e300, 2.5, DBL_MIN, 5e-324, -0.0, -123456789.123456789};
    for (size_t i = 0; i < sizeof round_trip / sizeof *round_trip; i++) {
        char text[64];
        snprintf(text, sizeof text, "%.17g", round_trip[i]);
        check_set(x, "part.rate", text);
        assert_int_equal(elb_options_get(x->c, x->sections, "part.rate", text, sizeof text), ELB_OK);
        x->v.rate = NAN;
        check_set(x, "part.rate", text);
        assert_memory_equal(&x->v.rate, &round_trip[i], sizeof(double));
    }
    check_set(x, "part.rate", "0.1");
    check_get(x, "part.rate", "0.1");
    const char *const bad[] = {"nan", "-nan", "inf", "-inf",  "2.5000001", "",
                               " 1",  "1 ",   "1,5", "1e999", "-1e999",    "x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) check_refused(x, "part.rate", bad[i], "from -1e+300 to 2.5");
}

static void test_choice(void **state)
{
    fixture *x = *state;
    check_set(x, "part.colour", "dark-blue");
    assert_int_equal(x->v.colour, 2);
    check_get(x, "part.colour", "dark-blue");
    check_refused(x, "part.colour", "darkblue", "did you mean 'dark-blue'?");
    check_refused(x, "part.colour", "mauve", "one of red, green, dark-blue is expected");
    check_refused(x, "part.colour", "", "part.colour is ''");
    check_refused(x, "part.colour", "2", "red");
}

static void test_text(void **state)
{
    fixture *x = *state;
    char longest[ELB_TEXT_MAX + 1];
    memset(longest, 'a', sizeof longest);
    longest[ELB_TEXT_MAX] = '\0';
    check_refused(x, "part.name", longest, "1024 bytes");
    longest[ELB_TEXT_MAX - 1] = '\0';
    check_set(x, "part.name", longest);
    assert_string_equal(x->v.name, longest);
    check_set(x, "part.name", x->v.name); /* its own value */
    assert_string_equal(x->v.name, longest);
    const char *const good[] = {"", "a b: 'c' # \"d\"", "caf\xc3\xa9", "\xe6\x95\xb0", "\xf0\x9f\x90\x98"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        check_set(x, "part.name", good[i]);
        check_get(x, "part.name", good[i]);
    }
    for (size_t i = strlen(x->v.name); i < ELB_TEXT_MAX; i++) assert_int_equal(x->v.name[i], 0);
    const char *const bad[] = {"a\nb",
                               "\t",
                               "\177",
                               "\x80",
                               "\xc3",
                               "\xc3(",
                               "\xc0\xaf",
                               "\xe0\x80\xaf",
                               "\xe0\x82\xa9",
                               "\xed\xa0\x80",
                               "\xf4\x90\x80\x80",
                               "\xff",
                               "\xc2\x85",
                               "\xe2\x80\xa8",
                               "\xef\xbb\xbf",
                               "\xef\xbf\xbf"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) check_refused(x, "part.name", bad[i], "UTF-8");
}

static void check_ints(fixture *x, const char *text, int64_t count, int64_t first, int64_t last)
{
    check_set(x, "part.sizes", text);
    assert_int_equal(x->v.sizes.count, count);
    if (count == 0) return;
    assert_int_equal(x->v.sizes.at[0], first);
    assert_int_equal(x->v.sizes.at[count - 1], last);
}

static void test_ints(void **state)
{
    fixture *x = *state;
    check_ints(x, "7", 1, 7, 7);
    check_ints(x, "1,300", 2, 1, 300);
    check_ints(x, " 1 , 2 , 3 ", 3, 1, 3);
    check_ints(x, "[4, 5]", 2, 4, 5);
    check_get(x, "part.sizes", "4,5");
    check_ints(x, "[]", 0, 0, 0);
    check_ints(x, "[ ]", 0, 0, 0);
    check_ints(x, "8", 1, 8, 8);
    assert_int_equal(x->v.sizes.at[1], 0); /* no remains: equal options are equal bytes */
    check_ints(x, "", 0, 0, 0);
    check_get(x, "part.sizes", "");
    check_ints(x, "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16", 16, 1, 16);
    char longest[3000];
    memset(longest, '1', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    const char *const bad[] = {
        "0",     "301", "1,", ",1",  "1,,2", ",",     "[1",
        "1]",    "[",   "a",  "1 2", "1.5",  longest, "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
        "[[1]]", "1;2"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_refused(x, "part.sizes", bad[i], "up to 16 whole numbers from 1 to 300");
}

static void test_unknown_keys(void **state)
{
    fixture *x = *state;
    check_refused(x, "part.wdith", "1", "unknown key 'part.wdith'; did you mean 'part.width'?");
    check_refused(x, "width", "1", "did you mean 'part.width'?");
    check_refused(x, "prat.rate", "1", "did you mean 'part.rate'?");
    check_refused(x, "other.rate", "1", "did you mean 'part.rate'?");
    check_refused(x, "sede", "1", "did you mean 'seed'?");
    check_refused(x, "part.zzzzzzz", "1", "the keys of 'part' are on, width, rate, colour, name, sizes");
    check_refused(x, "zzzzzzzzzz", "1", "the sections are part");
    check_refused(x, "", "1", "unknown key ''");
    check_refused(x, "part", "1", "unknown key 'part'");
    check_refused(x, "part.", "1", "unknown key 'part.'");
    check_refused(x, ".seed", "1", "did you mean 'seed'?");
    char word[5000];
    memset(word, 'w', sizeof word);
    word[sizeof word - 1] = '\0';
    check_refused(x, word, "1", "unknown key");
    char text[8];
    assert_int_equal(elb_options_get(x->c, x->sections, "part.wdith", text, sizeof text), ELB_USAGE);
    support_assert_message(x->c, "did you mean 'part.width'?");
}

static void test_get_needs_room(void **state)
{
    fixture *x = *state;
    char text[8] = "before";
    assert_int_equal(elb_options_get(x->c, x->sections, "part.colour", text, 5), ELB_USAGE);
    support_assert_message(x->c, "6 bytes");
    assert_string_equal(text, "before");
    assert_int_equal(elb_options_get(x->c, x->sections, "part.colour", text, 6), ELB_OK);
    assert_string_equal(text, "green");
}

static void test_find_and_describe(void **state)
{
    fixture *x = *state;
    const elb_section *section = NULL;
    char range[200];
    assert_ptr_equal(elb_options_find(x->sections, "part.rate", &section), &part_table[2]);
    assert_ptr_equal(section, &x->sections[1]);
    assert_ptr_equal(elb_options_find(x->sections, "seed", NULL), &top_table[0]);
    assert_null(elb_options_find(x->sections, "rate", NULL));
    const char *const types[] = {"bool", "int", "real", "choice", "text", "ints"};
    for (int i = 0; i < 6; i++) {
        assert_string_equal(elb_option_type(&part_table[i]), types[i]);
        elb_option_range(&part_table[i], range, sizeof range);
        assert_true(strlen(range) > 8);
    }
    elb_option_range(&part_table[3], range, 16);
    assert_string_equal(range, "one of red, gre"); /* cut, and ended */
}

static void test_did_you_mean(void **state)
{
    (void)state;
    const char *const names[] = {"train", "eval", "reconstruct", "t", NULL}, *const none[] = {NULL};
    assert_string_equal(elb_did_you_mean("trian", names), "train");
    assert_string_equal(elb_did_you_mean("TRAIN", names), "train");
    assert_string_equal(elb_did_you_mean("eval", names), "eval");
    assert_string_equal(elb_did_you_mean("reconstrcut", names), "reconstruct");
    assert_string_equal(elb_did_you_mean("recnstrct", names), "reconstruct");
    assert_null(elb_did_you_mean("sample", names));
    assert_null(elb_did_you_mean("xy", names));
    assert_null(elb_did_you_mean("train", none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defaults, fixture_make, fixture_end),
        cmocka_unit_test_setup_teardown(test_bad_default_is_reported, fixture_make, fixture_end),
        cmocka_unit_test_setup_teardown(test_bool, fixture_make, fixture_end),
        cmocka_unit_test_setup_teardown(test_int, fixture_make, fixture_end),
        cmocka_unit_test_setup_teardown(test_real, fixture_make, fixture_end),
        cmocka_unit_test_setup_teardown(test_choice, fixture_make, fixture_end),
        cmocka_unit_test_setup_teardown(test_text, fixture_make, fixture_end),
        cmocka_unit_test_setup_teardown(test_ints, fixture_make, fixture_end),
        cmocka_unit_test_setup_teardown(test_unknown_keys, fixture_make, fixture_end),
        cmocka_unit_test_setup_teardown(test_get_needs_room, fixture_make, fixture_end),
        cmocka_unit_test_setup_teardown(test_find_and_describe, fixture_make, fixture_end),
        cmocka_unit_test(test_did_you_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
