/* test_chart.c - safe text, base64, charts: what they put into a page. */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/chart.h"
#include "run/folder.h"
#include "task/html.h"

typedef struct page {
    elb_context *c;
    char *folder;
    elb_writer *w;
    char *text;
} page;

static page page_open(void)
{
    page p = {.c = support_context(NULL), .folder = support_folder_make()};
    assert_int_equal(elb_writer_open(p.c, support_path(p.folder, "page"), &p.w), ELB_OK);
    return p;
}

/* What was written so far; opens the page anew. */
static const char *page_text(page *p)
{
    free(p->text);
    assert_int_equal(elb_writer_commit(p->w), ELB_OK);
    p->text = support_file_read(support_path(p->folder, "page"), NULL);
    assert_int_equal(elb_writer_open(p->c, support_path(p->folder, "page"), &p->w), ELB_OK);
    return p->text;
}

static void page_close(page *p)
{
    free(p->text);
    elb_writer_discard(p->w);
    support_folder_remove(p->folder);
    support_context_end(p->c, NULL);
}

static int count_of(const char *text, const char *part)
{
    int n = 0;
    for (; (text = strstr(text, part)); text += strlen(part)) n++;
    return n;
}

/* --- text --- */

static void test_escapes(void **state)
{
    (void)state;
    page p = page_open();
    static const struct {
        const char *text, *html;
    } cases[] = {
        {"", ""},
        {"<script a=\"b\" c='d'>&amp;", "&lt;script a=&quot;b&quot; c=&#39;d&#39;&gt;&amp;amp;"},
        {"tab\tline\nreturn\r", "tab\tline\nreturn\r"},
        {"a\x01z\x7f\x1b[", "a\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd["},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x99\x82", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x99\x82"},
        {"\xc3", "\xef\xbf\xbd"},                      /* cut short */
        {"\xe2\x82<", "\xef\xbf\xbd\xef\xbf\xbd&lt;"}, /* cut short before markup */
        {"\xc0\xbc", "\xef\xbf\xbd\xef\xbf\xbd"},      /* '<' in two bytes */
        {"\xe0\x80\xbc", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},                 /* a surrogate */
        {"\xef\xbf\xbf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},                 /* no character */
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* beyond the last */
        {"\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xc2\x85", "\xef\xbf\xbd\xef\xbf\xbd"}, /* a control character in two bytes */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        elb_html_put(p.w, cases[i].text);
        assert_string_equal(page_text(&p), cases[i].html);
    }
    page_close(&p);
}

/* RFC 4648, section 10. */
static void test_base64(void **state)
{
    (void)state;
    page p = page_open();
    const char *want[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    for (int n = 0; n <= 6; n++) {
        elb_html_put_base64(p.w, (const uint8_t *)"foobar", n);
        assert_string_equal(page_text(&p), want[n]);
    }
    elb_html_put_base64(p.w, (const uint8_t *)"\xff\xfb\xf0", 3);
    assert_string_equal(page_text(&p), "//vw");
    page_close(&p);
}

/* --- charts --- */

/* The coordinates of the k-th polyline of a chart. */
static void check_polyline(const char *text, int k, const char *want)
{
    for (; k >= 0; k--) {
        text = strstr(text, "points=\"");
        assert_non_null(text);
        text += strlen("points=\"");
    }
    if (strncmp(text, want, strlen(want)) != 0) fail_msg("%.80s is not %s", text, want);
}

static void test_lines(void **state)
{
    (void)state;
    page p = page_open();
    double x[] = {1, 2, 3, 4, 5}, y[] = {0, 10, NAN, 5, 10}, z[] = {INFINITY, NAN, NAN, NAN, 2};
    elb_chart chart = {.title = "A < B",
                       .x_label = "epoch",
                       .y_label = "nats",
                       .count = 2,
                       .lines = {{"one", {5, x, y}}, {"two & more", {5, x, z}}}};
    elb_chart_put(p.w, &chart);
    const char *text = page_text(&p);
    assert_int_equal(count_of(text, "<polyline"), 3); /* broken once by NaN; one of the second line's single point */
    /* the ends of the x axis are 760 and 6300; 0..10 has a margin of 5 % in 520..2560 */
    check_polyline(text, 0, "760,2467 2145,613 \"");
    check_polyline(text, 1, "4915,1540 6300,613 \"");
    check_polyline(text, 2, "6300,2096 \"");
    assert_int_equal(count_of(text, "<circle"), 2 + 4 + 1);
    assert_int_equal(count_of(text, "A &lt; B"), 2);
    assert_non_null(strstr(text, ">one  10<"));
    assert_non_null(strstr(text, ">two &amp; more  2<"));
    for (int tick = 1; tick <= 5; tick++) {
        char label[32];
        snprintf(label, sizeof label, ">%d</text>", tick);
        assert_non_null(strstr(text, label));
    }
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
    page_close(&p);
}

/* Nothing to draw, one point, a constant, huge and tiny numbers: still a sound picture. */
static void test_odd_lines(void **state)
{
    (void)state;
    page p = page_open();
    double x[] = {7, 8, 9},
           cases[][3] = {{NAN, NAN, NAN}, {5, 5, 5}, {0, 0, 0}, {-1e300, 1e300, 0}, {1e-300, 2e-300, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int count = 0; count <= 3; count++)
            for (int flags = 0; flags < 4; flags++) {
                elb_chart chart = {.title = "t",
                                   .x_label = "x",
                                   .y_label = "y",
                                   .log_x = flags & 1,
                                   .from_zero = flags & 2,
                                   .count = 1,
                                   .lines = {{"l", {count, x, cases[i]}}}};
                elb_chart_put(p.w, &chart);
                const char *text = page_text(&p);
                assert_non_null(strstr(text, "</svg>"));
                assert_null(strstr(text, "nan"));
                assert_null(strstr(text, "inf"));
                assert_null(strstr(text, "922337203685")); /* an overflowed coordinate */
            }
    page_close(&p);
}

static void test_bars(void **state)
{
    (void)state;
    page p = page_open();
    double values[] = {1, NAN, 0.5, 0};
    elb_chart_put_bars(p.w, "KL", "dimension", "nats", 4, values);
    const char *text = page_text(&p);
    assert_int_equal(count_of(text, "<rect"), 3);
    assert_non_null(strstr(text, "<title>0: 1</title>"));
    assert_non_null(strstr(text, "<title>2: 0.5000</title>"));
    /* each of 4 places is 1385 wide, its bar 0.8 of that; the y axis ends at 1.05 */
    assert_non_null(strstr(text, "y=\"617\" width=\"1109\" height=\"1943\""));
    assert_non_null(strstr(text, "x=\"3669\" y=\"1589\" width=\"1108\" height=\"971\""));
    elb_chart_put_bars(p.w, "KL", "dimension", "nats", 1, values + 1);
    assert_int_equal(count_of(page_text(&p), "<rect"), 0);
    page_close(&p);
}

/* --- folders --- */

static void test_folder_list(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    char *folder = support_folder_make();
    elb_names names;
    const char *files[] = {"eval-b.json", "eval-a.json", "eval-.json", "eval.json", "eval-a.jsonl", "xeval-a.json"};
    for (int i = 0; i < 6; i++) support_file_write(support_path(folder, files[i]), "", 0);
    assert_int_equal(elb_folder_list(c, folder, "eval-", ".json", &names), ELB_OK);
    assert_int_equal(names.count, 3);
    assert_string_equal(names.at[0], support_path(folder, "eval-.json"));
    assert_string_equal(names.at[1], support_path(folder, "eval-a.json"));
    assert_string_equal(names.at[2], support_path(folder, "eval-b.json"));
    elb_names_reset(c, &names);
    assert_int_equal(elb_folder_list(c, support_path(folder, "absent"), "", "", &names), ELB_OK);
    assert_int_equal(names.count, 0);
    elb_names_reset(c, &names);
    assert_int_equal(elb_folder_list(c, support_path(folder, "eval.json"), "", "", &names), ELB_FAILURE);
    support_assert_message(c, "eval.json");
    for (int n = 1; n <= 6; n++) {
        f.alloc_countdown = n;
        assert_int_equal(elb_folder_list(c, folder, "eval-", ".json", &names), ELB_MEMORY);
        elb_names_reset(c, &names);
    }
    f.alloc_countdown = 0;
    support_folder_remove(folder);
    support_context_end(c, &f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escapes),   cmocka_unit_test(test_base64), cmocka_unit_test(test_lines),
        cmocka_unit_test(test_odd_lines), cmocka_unit_test(test_bars),   cmocka_unit_test(test_folder_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
