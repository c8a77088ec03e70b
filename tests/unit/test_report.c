/* test_report.c - a run's page: what it holds, that it is sound and needs nothing else, and what it refuses. */
#include "fixture_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <elbow/config.h>
#include <elbow/report.h>

#include "run/log_file.h"
#include "run/safetensors.h"

/* --- a run folder --- */

static json_t *epoch_line(int epoch, double elbo)
{
    return json_pack("{s:s, s:i, s:i, s:f, s:f, s:o, s:f, s:f, s:i, s:[f,o,f], s:f, s:f}", "event", "epoch", "epoch",
                     epoch, "step", epoch * 600, "rate", 0.001, "beta", 1.0, "elbo", elb_json_real(elbo), "kl", 25.125,
                     "reconstruction", elbo + 25.125, "active_units", 2, "kl_per_dimension", 20.0, elb_json_real(NAN),
                     0.001, "seconds", 40.0, "data_per_second", 15000.0);
}

static void add_log(int epochs)
{
    elb_log_file *log = NULL;
    assert_int_equal(elb_log_file_open(c, support_path(folder, "log.jsonl"), &log), ELB_OK);
    assert_int_equal(elb_log_file_cut(log, 0), ELB_OK);
    elb_log_file_append(log, json_pack("{s:s, s:s, s:i, s:[i]}", "event", "start", "data_description",
                                       "10 x 28x28 <8-bit>", "parameters", 445884, "list", 1));
    for (int i = 1; i <= epochs; i++) elb_log_file_append(log, epoch_line(i, -300.0 + i));
    elb_log_file_append(log,
                        json_pack("{s:s, s:s}", "event", "warning", "message", "<script>alert('x')</script> & co"));
    elb_log_file_append(log, json_pack("{s:s}", "event", "end"));
    elb_log_file_close(log);
}

static void add_evaluation(const char *file, const char *estimator, int samples, double value)
{
    json_t *e = json_pack("{s:s, s:f, s:f, s:f, s:i, s:i, s:o, s:o, s:i, s:s, s:s}", "estimator", estimator,
                          "log_likelihood_nats", value, "standard_error", 0.91234, "bits_per_dim", 0.425831, "samples",
                          samples, "n", 10000, "ess", json_null(), "k_hat", json_real(0.61), "seed", 7, "binarisation",
                          "dynamic", "data", "fashion-mnist (test)");
    assert_int_equal(elb_json_save(c, support_path(folder, file), e), ELB_OK);
}

static void add_config(void)
{
    elb_config *config = NULL;
    char *yaml = NULL;
    assert_int_equal(elb_config_create(c, &config), ELB_OK);
    assert_int_equal(elb_config_set(config, "data.spec", "<odd> & \"name\""), ELB_OK);
    assert_int_equal(elb_config_set(config, "model.latent", "50"), ELB_OK);
    assert_int_equal(elb_config_set(config, "likelihood.type", "bernoulli"), ELB_OK);
    assert_int_equal(elb_config_write(config, &yaml), ELB_OK);
    support_file_write(support_path(folder, "config.yaml"), yaml, strlen(yaml));
    elb_text_free(c, yaml);
    elb_config_destroy(config);
}

static void whole_run(int epochs)
{
    add_config();
    add_log(epochs);
    add_evaluation("eval-elbo.json", "elbo", 1, -234.5678);
    add_evaluation("eval-iwae.json", "iwae", 5000, -231.4012);
    assert_int_equal(mkdir(support_path(folder, "images"), 0777), 0);
    support_file_write(support_path(folder, "images/samples-epoch_2.png"), "foobar", 6);
    support_file_write(support_path(folder, "images/reconstructions.png"), "fo", 2);
    support_file_write(support_path(folder, "images/notes.txt"), "not shown", 9);
}

/* --- looking at the page --- */

/* Every element is closed in turn; the page names no other file and no address. */
static void check_sound(const char *html)
{
    char open[64][32];
    int depth = 0;
    assert_int_equal(strncmp(html, "<!DOCTYPE html>\n", 16), 0);
    for (const char *at = html + 16; (at = strchr(at, '<')); at++) {
        char name[32];
        bool closes = at[1] == '/';
        if (sscanf(at + 1 + closes, "%31[a-z0-9]", name) != 1) fail_msg("'<%.20s' is no tag", at + 1);
        const char *end = strchr(at, '>');
        assert_non_null(end);
        if (closes) {
            assert_true(depth > 0);
            assert_string_equal(open[--depth], name);
        } else if (end[-1] != '/') {
            assert_true(depth < 64);
            memcpy(open[depth++], name, sizeof name);
        }
    }
    assert_int_equal(depth, 0);
    assert_null(strstr(html, "http"));
    assert_null(strstr(html, "url("));
    assert_null(strstr(html, "<script"));
    for (const char *at = html; (at = strstr(at, "src=\"")); at++)
        assert_int_equal(strncmp(at, "src=\"data:image/png;base64,", 27), 0);
}

static char *write_and_read(void)
{
    if (elb_report_write(c, folder) != ELB_OK) fail_msg("%s", elb_context_message(c));
    char *html = support_file_read(support_path(folder, "report.html"), NULL);
    check_sound(html);
    assert_null(strstr(html, "nan"));
    return html;
}

static void assert_holds(const char *html, const char *part)
{
    if (!strstr(html, part)) fail_msg("the page lacks \"%s\"", part);
}

static int count_of(const char *text, const char *part)
{
    int n = 0;
    for (; (text = strstr(text, part)); text += strlen(part)) n++;
    return n;
}

/* --- what it holds --- */

static void test_whole_run(void **state)
{
    (void)state;
    whole_run(12);
    char *html = write_and_read();
    static const char *const parts[] = {
        "with 50 latent dimensions on &lt;odd&gt; &amp; &quot;name&quot;: bernoulli likelihood",
        /* tiles: the tightest estimate, the last epoch */
        "<dd>-231.40 <small>\xc2\xb1 0.91 nats per datum, 10000 data of fashion-mnist (test), iwae, 5000 "
        "samples</small>",
        "<dt>ELBO, training data</dt><dd>-288.00 ",
        "<dd>25.13 <small>nats per datum, 2 of 3 units active",
        "<dd>8 min 00 s <small>12 epochs</small>",
        "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; co",
        /* estimates */
        ("<td>elbo</td><td>fashion-mnist (test)</td><td class=\"n\">10000</td><td class=\"n\">1</td>"
         "<td class=\"n\">-234.57</td><td class=\"n\">0.912</td><td class=\"n\">0.4258</td>"
         "<td class=\"n\">\xe2\x80\x93</td><td class=\"n\">0.61</td><td>dynamic</td><td class=\"n\">7</td>"),
        "<td class=\"n\">-231.40</td>",
        /* last epoch */
        "<tr><td>Reconstruction, E log p(x|z)</td><td class=\"n\">-262.875</td><td>nats per datum</td></tr>",
        "<td class=\"n\">7200</td>",
        /* facts */
        "<dt>decoder&#39;s hidden widths</dt><dd>200,200</dd>",
        "<dt>data description</dt><dd>10 x 28x28 &lt;8-bit&gt;</dd>",
        "<dt>parameters</dt><dd>445884</dd>",
        /* pictures, in the order of their names */
        "base64,Zm8=\"/>\n<figcaption>reconstructions: data and what the model makes of them<",
        "base64,Zm9vYmFy\"/>\n<figcaption>samples epoch 2: drawn from the model",
        "<summary>The complete configuration</summary>",
        "spec: ",
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) assert_holds(html, parts[i]);
    /* ELBO, reconstruction, KL, active units, speed, KL per dimension; step size and beta never moved */
    assert_int_equal(count_of(html, "<svg"), 6);
    assert_int_equal(count_of(html, "<rect"), 2);
    assert_int_equal(count_of(html, "<img"), 2);
    assert_null(strstr(html, "notes"));
    assert_null(strstr(html, "not finished"));
    free(html);
}

static void test_changing_rate_and_validation(void **state)
{
    (void)state;
    elb_log_file *log = NULL;
    assert_int_equal(elb_log_file_open(c, support_path(folder, "log.jsonl"), &log), ELB_OK);
    assert_int_equal(elb_log_file_cut(log, 0), ELB_OK);
    for (int i = 1; i <= 300; i++) {
        json_t *line = epoch_line(i, -300 + log1p(i));
        json_object_set_new(line, "rate", json_real(1e-3 / i));
        json_object_set_new(line, "beta", json_real(i / 300.0));
        if (i % 50 == 0) json_object_set_new(line, "validation_elbo", json_real(-310.0));
        elb_log_file_append(log, line);
    }
    elb_log_file_close(log);
    char *html = write_and_read();
    assert_int_equal(count_of(html, "<svg"), 8);
    assert_holds(html, ">validation  -310<");
    assert_holds(html, "<dt>ELBO, validation data</dt><dd>-310.00 ");
    assert_holds(html, "<dd>3 h 20 min <small>300 epochs, not finished when this was written");
    assert_holds(html, ">200</text>"); /* a tick of a logarithmic axis: 1 2 5 10 20 50 100 200 */
    free(html);
}

/* Each part of a run may be missing. */
static void test_parts_of_runs(void **state)
{
    (void)state;
    add_config();
    char *html = write_and_read();
    assert_int_equal(count_of(html, "<svg"), 0);
    free(html);
    support_file_write(support_path(folder, "log.jsonl"), "", 0);
    free(write_and_read());
    support_file_write(support_path(folder, "log.jsonl"), "{\"event\":\"epoch\"}\n{\"event\":\"epoch\",\"epoch\":1}\n{",
                       47);
    html = write_and_read();
    assert_holds(html, "<dt>ELBO, training data</dt><dd>\xe2\x80\x93 ");
    free(html);
    assert_int_equal(remove(support_path(folder, "config.yaml")), 0);
    add_log(1);
    html = write_and_read();
    assert_int_equal(count_of(html, "<svg"), 6);
    assert_null(strstr(html, "complete configuration"));
    free(html);
    support_file_write(support_path(folder, "eval-odd.json"), "{\"estimator\":3}", 15);
    html = write_and_read();
    assert_holds(html, "<h2>Estimates</h2>");
    assert_null(strstr(html, "<dt>Log-likelihood</dt>"));
    free(html);
}

static void test_many_pictures_and_warnings(void **state)
{
    (void)state;
    elb_log_file *log = NULL;
    char name[64];
    assert_int_equal(mkdir(support_path(folder, "images"), 0777), 0);
    assert_int_equal(elb_log_file_open(c, support_path(folder, "log.jsonl"), &log), ELB_OK);
    assert_int_equal(elb_log_file_cut(log, 0), ELB_OK);
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "images/%03d.png", i);
        support_file_write(support_path(folder, name), "x", 1);
        snprintf(name, sizeof name, "warning number %d.", i);
        elb_log_file_append(log, json_pack("{s:s, s:s}", "event", "warning", "message", name));
    }
    elb_log_file_close(log);
    char *html = write_and_read();
    assert_int_equal(count_of(html, "<img"), 24);
    assert_holds(html, "The last 24 of 30");
    assert_null(strstr(html, "<figcaption>005"));
    assert_holds(html, "<figcaption>006");
    assert_int_equal(count_of(html, "<li>warning"), 12);
    assert_holds(html, "18 earlier ones");
    assert_null(strstr(html, "number 17."));
    assert_holds(html, "number 18.");
    assert_holds(html, "number 29.");
    free(html);
}

/* --- what it refuses --- */

static void check_refused(elb_status status, const char *message)
{
    assert_int_equal(elb_report_write(c, folder), status);
    support_assert_message(c, message);
    char *html = support_file_read(support_path(folder, "report.html"), NULL);
    assert_string_equal(html, "the old one");
    free(html);
}

static void test_refused(void **state)
{
    (void)state;
    support_file_write(support_path(folder, "report.html"), "the old one", 11);
    check_refused(ELB_FAILURE, "is no run folder");
    assert_int_equal(elb_report_write(c, support_path(folder, "absent")), ELB_FAILURE);

    support_file_write(support_path(folder, "config.yaml"), "modle: {latent: 3}\n", 19);
    check_refused(ELB_USAGE, "config.yaml");
    assert_int_equal(remove(support_path(folder, "config.yaml")), 0);
    support_file_write(support_path(folder, "log.jsonl"), "rubbish\n", 8);
    check_refused(ELB_DATA, "line 1 of");
    support_file_write(support_path(folder, "log.jsonl"), "", 0);
    support_file_write(support_path(folder, "eval-x.json"), "[1]", 3);
    check_refused(ELB_DATA, "eval-x.json");
    assert_int_equal(remove(support_path(folder, "eval-x.json")), 0);
    assert_int_equal(mkdir(support_path(folder, "images"), 0777), 0);
    assert_int_equal(mkdir(support_path(folder, "images/a.png"), 0777), 0);
    check_refused(ELB_DATA, "a.png");
}

static void test_faults(void **state)
{
    (void)state;
    whole_run(1);
    support_file_write(support_path(folder, "report.html"), "the old one", 11);
    int files = support_folder_count(folder);
    faults.write_countdown = 1;
    check_refused(ELB_FAILURE, "No space left");
    assert_int_equal(support_folder_count(folder), files);
    faults.write_countdown = 0;
    int64_t before = faults.allocations;
    assert_int_equal(elb_report_write(c, folder), ELB_OK);
    int64_t needed = faults.allocations - before;
    support_file_write(support_path(folder, "report.html"), "the old one", 11);
    for (int64_t n = 1; n <= needed; n += n < 60 ? 1 : 7) {
        faults.alloc_countdown = n;
        check_refused(ELB_MEMORY, "out of memory");
        assert_int_equal(support_folder_count(folder), files);
    }
    faults.alloc_countdown = 0;
}

/* What the picture of reconstructions is said to show follows from the shape of a datum. */
static void test_captions(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"28x28", "each datum above what"},     {"8x8x3", "each datum above what"}, {"2", "data grey,"},
        {"16", "a row per datum, on the left"}, {"4x4x2", "a row per datum"},       {"oddx", "data and what"}};
    whole_run(1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const elb_safetensors_pair shape = {"elbow.shape", cases[i][0]};
        const char *path = support_path(folder, "model.safetensors");
        assert_int_equal(elb_safetensors_save(c, path, NULL, 0, &shape, 1), ELB_OK);
        char *html = write_and_read(), words[80];
        snprintf(words, sizeof words, "<figcaption>reconstructions: %s", cases[i][1]);
        assert_holds(html, words);
        free(html);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_whole_run),
        FIXTURE_TEST(test_captions),
        FIXTURE_TEST(test_changing_rate_and_validation),
        FIXTURE_TEST(test_parts_of_runs),
        FIXTURE_TEST(test_many_pictures_and_warnings),
        FIXTURE_TEST(test_refused),
        FIXTURE_TEST(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
