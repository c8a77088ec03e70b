/* test_log_file.c - log.jsonl and JSON files: what is written is read back, cuts, torn lines, faults. */
#include "fixture_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/json.h"
#include "run/log_file.h"

static json_t *epoch_line(int epoch, double elbo)
{
    return json_pack("{s:s, s:i, s:o}", "event", "epoch", "epoch", epoch, "elbo", elb_json_real(elbo));
}

static void check_file(const char *path, const char *want)
{
    char *text = support_file_read(path, NULL);
    assert_string_equal(text, want);
    free(text);
}

/* --- writing --- */

static void test_append_and_resume(void **state)
{
    (void)state;
    const char *path = support_path(folder, "log.jsonl");
    elb_log_file *log = NULL;
    int64_t checkpoint = -1, end = -1;
    assert_int_equal(elb_log_file_open(c, path, &log), ELB_OK);
    assert_int_equal(elb_log_file_cut(log, 0), ELB_OK);
    assert_int_equal(elb_log_file_append(log, epoch_line(1, -0.1)), ELB_OK);
    check_file(path, "{\"event\":\"epoch\",\"epoch\":1,\"elbo\":-0.10000000000000001}\n"); /* at once */
    assert_int_equal(elb_log_file_sync(log, &checkpoint), ELB_OK);
    assert_int_equal(elb_log_file_append(log, epoch_line(2, NAN)), ELB_OK);
    assert_int_equal(elb_log_file_append(log, epoch_line(3, -INFINITY)), ELB_OK);
    assert_int_equal(elb_log_file_sync(log, &end), ELB_OK);
    elb_log_file_close(log);
    char *text = support_file_read(path, NULL);
    assert_int_equal(strlen(text), end);
    assert_non_null(strstr(text, "\"epoch\":2,\"elbo\":null}\n"));
    free(text);

    assert_int_equal(elb_log_file_open(c, path, &log), ELB_OK); /* as if killed after the checkpoint */
    assert_int_equal(elb_log_file_cut(log, checkpoint), ELB_OK);
    assert_int_equal(elb_log_file_append(log, json_pack("{s:i}", "a", 1)), ELB_OK);
    elb_log_file_close(log);
    check_file(path, "{\"event\":\"epoch\",\"epoch\":1,\"elbo\":-0.10000000000000001}\n{\"a\":1}\n");

    assert_int_equal(elb_log_file_open(c, path, &log), ELB_OK); /* anew */
    assert_int_equal(elb_log_file_cut(log, 0), ELB_OK);
    elb_log_file_close(log);
    check_file(path, "");
    elb_log_file_close(NULL);
}

static void test_shorter_than_remembered(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after;
    } cases[] = {{"{}\n{\"a\":", "{}\n"}, {"{}\n", "{}\n"}, {"{\"a\"", ""}, {"", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *path = support_path(folder, "log.jsonl");
        elb_log_file *log = NULL;
        int64_t position = -1;
        support_file_write(path, cases[i].before, strlen(cases[i].before));
        faults.log[0] = '\0';
        assert_int_equal(elb_log_file_open(c, path, &log), ELB_OK);
        assert_int_equal(elb_log_file_cut(log, 100), ELB_OK);
        assert_non_null(strstr(faults.log, "lacks some lines"));
        assert_int_equal(elb_log_file_sync(log, &position), ELB_OK);
        assert_int_equal(position, strlen(cases[i].after));
        elb_log_file_close(log);
        check_file(path, cases[i].after);
    }
}

static void test_cannot_open(void **state)
{
    (void)state;
    elb_log_file *log = NULL;
    assert_int_equal(elb_log_file_open(c, support_path(folder, "absent/log.jsonl"), &log), ELB_FAILURE);
    assert_null(log);
    support_assert_message(c, "absent/log.jsonl");
    for (int n = 1; n <= 2; n++) {
        faults.alloc_countdown = n;
        assert_int_equal(elb_log_file_open(c, support_path(folder, "log.jsonl"), &log), ELB_MEMORY);
        assert_null(log);
    }
}

/* Writes a few bytes of the line, then fails. */
static long write_part(void *user, int fd, const void *bytes, size_t size)
{
    fault *f = user;
    return fault_write(user, fd, bytes, f->writes % 2 || size < 5 ? size : 5);
}

static void test_line_not_written(void **state)
{
    (void)state;
    fault f = {0};
    elb_settings settings = fault_settings(&f);
    settings.write = write_part;
    elb_context *slow = NULL;
    assert_int_equal(elb_context_create(&settings, &slow), ELB_OK);
    const char *path = support_path(folder, "log.jsonl");
    elb_log_file *log = NULL;
    assert_int_equal(elb_log_file_open(slow, path, &log), ELB_OK);
    assert_int_equal(elb_log_file_cut(log, 0), ELB_OK);
    assert_int_equal(elb_log_file_append(log, json_pack("{s:i}", "a", 1)), ELB_OK); /* in two pieces */
    check_file(path, "{\"a\":1}\n");
    f.write_countdown = 2; /* the second piece of the next line */
    assert_int_equal(elb_log_file_append(log, json_pack("{s:i}", "b", 2)), ELB_FAILURE);
    support_assert_message(slow, "No space left");
    check_file(path, "{\"a\":1}\n");
    f.writes = 0;
    assert_int_equal(elb_log_file_append(log, json_pack("{s:i}", "c", 3)), ELB_OK);
    check_file(path, "{\"a\":1}\n{\"c\":3}\n");
    f.alloc_countdown = 1;
    assert_int_equal(elb_log_file_append(log, json_pack("{s:i}", "d", 4)), ELB_MEMORY);
    assert_int_equal(elb_log_file_append(log, NULL), ELB_MEMORY);
    support_assert_message(slow, "could not be made");
    check_file(path, "{\"a\":1}\n{\"c\":3}\n");
    elb_log_file_close(log);
    support_context_end(slow, &f);
}

/* --- reading --- */

static elb_status read_text(const char *path, const char *text, elb_log_history *h)
{
    support_file_write(path, text, strlen(text));
    return elb_log_history_read(c, path, h);
}

static void test_series(void **state)
{
    (void)state;
    const char *path = support_path(folder, "log.jsonl");
    elb_log_history h;
    elb_series s;
    assert_int_equal(read_text(path,
                               "{\"event\":\"start\",\"elbo\":7}\n"
                               "{\"event\":\"epoch\",\"epoch\":1,\"elbo\":-0.10000000000000001}\n"
                               "{\"event\":\"epoch\",\"epoch\":2,\"elbo\":null}\n"
                               "{\"event\":\"epoch\",\"epoch\":3}\n"
                               "{\"event\":\"epoch\",\"elbo\":1}\n"
                               "{\"event\":\"epoch\",\"epoch\":4,\"elbo\":-5,\"more\":\"x\"}\n"
                               "{\"event\":\"epoch\",\"epoch\":5,\"elb",
                               &h),
                     ELB_OK);
    assert_int_equal(elb_log_history_series(&h, "epoch", "epoch", "elbo", &s), ELB_OK);
    assert_int_equal(s.count, 3);
    assert_true(s.x[0] == 1 && s.x[1] == 2 && s.x[2] == 4);
    assert_true(s.y[0] == -0.1 && isnan(s.y[1]) && s.y[2] == -5);
    elb_series_reset(c, &s);
    assert_int_equal(elb_log_history_series(&h, "epoch", "epoch", "absent", &s), ELB_OK);
    assert_int_equal(s.count, 0);
    elb_series_reset(c, &s);
    assert_string_equal(json_string_value(json_object_get(elb_log_history_last(&h, "epoch"), "more")), "x");
    assert_null(elb_log_history_last(&h, "end"));
    for (int n = 1; n <= 2; n++) {
        faults.alloc_countdown = n;
        assert_int_equal(elb_log_history_series(&h, "epoch", "epoch", "elbo", &s), ELB_MEMORY);
        assert_null(s.x);
    }
    elb_log_history_reset(&h);
}

static void test_bad_lines(void **state)
{
    (void)state;
    const char *path = support_path(folder, "log.jsonl");
    elb_log_history h;
    static const char *const texts[] = {"{}\nrubbish\n{}\n", "{}\n[1]\n", "{}\n\n", "{}\n{\"a\":1,\"a\":2}\n",
                                        "{}\n\x01\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(read_text(path, texts[i], &h), ELB_DATA);
        support_assert_message(c, "line 2 of");
        assert_null(h.lines);
    }
    assert_int_equal(read_text(path, "", &h), ELB_OK);
    elb_log_history_reset(&h);
    assert_int_equal(read_text(path, "torn", &h), ELB_OK);
    assert_int_equal(json_array_size(h.lines), 0);
    elb_log_history_reset(&h);
    assert_int_equal(elb_log_history_read(c, support_path(folder, "absent"), &h), ELB_FAILURE);
}

/* --- JSON files --- */

static void test_json_file(void **state)
{
    (void)state;
    const char *path = support_path(folder, "eval-iwae.json");
    const double values[] = {0.1, -86.76, 1e-300, 123456789.123456789, 1.0 / 3};
    json_t *read = NULL;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        assert_int_equal(elb_json_save(c, path, json_pack("{s:o}", "x", elb_json_real(values[i]))), ELB_OK);
        assert_int_equal(elb_json_load(c, path, &read), ELB_OK);
        assert_true(elb_json_number(read, "x") == values[i]);
        assert_true(isnan(elb_json_number(read, "y")));
        json_decref(read);
    }
    assert_int_equal(elb_json_save(c, path, NULL), ELB_MEMORY);
    faults.write_countdown = 1;
    assert_int_equal(elb_json_save(c, path, json_object()), ELB_FAILURE);
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{\n1", "line 2"}, {"[]", "holds no JSON object"}, {"", "is not JSON"}, {"{\"a\":1,\"a\":1}", "not JSON"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        support_file_write(path, cases[i].text, strlen(cases[i].text));
        assert_int_equal(elb_json_load(c, path, &read), ELB_DATA);
        assert_null(read);
        support_assert_message(c, cases[i].message);
        support_assert_message(c, path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_append_and_resume),
        FIXTURE_TEST(test_shorter_than_remembered),
        FIXTURE_TEST(test_cannot_open),
        FIXTURE_TEST(test_line_not_written),
        FIXTURE_TEST(test_series),
        FIXTURE_TEST(test_bad_lines),
        FIXTURE_TEST(test_json_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
