/* report_tables.c - the words and numbers of a run's page. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/number.h"
#include "base/option.h"
#include "task/html.h"
#include "report/report.h"

enum { REPORT_WARNINGS = 12 };

static const char *report_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* A key of the configuration as text; "" when there is none. */
static const char *report_key(const elb_report *r, const char *key, char text[ELB_TEXT_MAX])
{
    text[0] = '\0';
    if (r->config && elb_config_get(r->config, key, text, ELB_TEXT_MAX) != ELB_OK) text[0] = '\0';
    return text;
}

/* "1 h 02 min", "3 min 05 s", "12.3 s" */
static void report_duration(double seconds, char text[ELB_NUMBER_SIZE])
{
    int64_t whole = seconds >= 0 && seconds < 1e12 ? (int64_t)seconds : 0;
    if (whole >= 3600)
        snprintf(text, ELB_NUMBER_SIZE, "%" PRId64 " h %02d min", whole / 3600, (int)(whole / 60 % 60));
    else if (whole >= 60)
        snprintf(text, ELB_NUMBER_SIZE, "%" PRId64 " min %02d s", whole / 60, (int)(whole % 60));
    else {
        char number[ELB_NUMBER_SIZE];
        elb_number_fixed(seconds, 1, number);
        snprintf(text, ELB_NUMBER_SIZE, "%.20s s", number);
    }
}

/* --- heading ------------------------------------------------------------------------------------------------------ */

void elb_report_put_heading(const elb_report *r)
{
    char text[ELB_TEXT_MAX];
    elb_writer *w = r->writer;
    elb_writer_printf(w, "<h1>");
    elb_html_put(w, r->name);
    elb_writer_printf(w, "</h1>\n");
    if (!r->config) return;
    elb_writer_printf(w, "<p class=\"lede\">A variational autoencoder with ");
    elb_html_put(w, report_key(r, "model.latent", text));
    elb_writer_printf(w, " latent dimensions on ");
    elb_html_put(w, report_key(r, "data.spec", text));
    elb_writer_printf(w, ": ");
    elb_html_put(w, report_key(r, "likelihood.type", text));
    elb_writer_printf(w, " likelihood, ");
    elb_html_put(w, report_key(r, "posterior.type", text));
    elb_writer_printf(w, " posterior, trained by the ");
    elb_html_put(w, report_key(r, "objective.type", text));
    elb_writer_printf(w, " objective.</p>\n");
}

/* --- tiles -------------------------------------------------------------------------------------------------------- */

static void report_put_tile(const elb_report *r, const char *name, const char *number, const char *note)
{
    elb_writer_printf(r->writer, "<div><dt>%s</dt><dd>%s <small>", name, number);
    elb_html_put(r->writer, note);
    elb_writer_printf(r->writer, "</small></dd></div>\n");
}

/* All are lower bounds: the highest is the tightest. Those on data drawn from the model tell nothing of the run's. */
static const json_t *report_best_evaluation(const elb_report *r)
{
    size_t i;
    const json_t *one, *best = NULL;
    json_array_foreach(r->evaluations, i, one)
    {
        double value = elb_json_number(one, "log_likelihood_nats");
        if (!isfinite(value) || json_is_true(json_object_get(one, "simulated"))) continue;
        if (!best || value >= elb_json_number(best, "log_likelihood_nats")) best = one;
    }
    return best;
}

static void report_put_evaluation_tile(const elb_report *r, const json_t *e)
{
    char number[ELB_NUMBER_SIZE], error[ELB_NUMBER_SIZE], samples[ELB_NUMBER_SIZE], n[ELB_NUMBER_SIZE];
    char note[256];
    elb_number_fixed(elb_json_number(e, "log_likelihood_nats"), 2, number);
    elb_number_fixed(elb_json_number(e, "standard_error"), 2, error);
    bool chains = json_object_get(e, "chains") != NULL;
    elb_number_fixed(elb_json_number(e, chains ? "chains" : "samples"), 0, samples);
    elb_number_fixed(elb_json_number(e, "n"), 0, n);
    snprintf(note, sizeof note, "\xc2\xb1 %s nats per datum, %s data of %s, %s, %s %s", error, n,
             report_text(e, "data"), report_text(e, "estimator"), samples, chains ? "chains" : "samples");
    report_put_tile(r, "Log-likelihood", number, note);
}

static void report_put_epoch_tiles(const elb_report *r, const json_t *line)
{
    char number[ELB_NUMBER_SIZE], other[ELB_NUMBER_SIZE], note[256];
    double validation = elb_json_number(line, "validation_elbo"), seconds = 0;
    size_t i;
    const json_t *each;

    elb_number_fixed(isfinite(validation) ? validation : elb_json_number(line, "elbo"), 2, number);
    report_put_tile(r, isfinite(validation) ? "ELBO, validation data" : "ELBO, training data", number,
                    "nats per datum, last epoch");

    elb_number_fixed(elb_json_number(line, "kl"), 2, number);
    elb_number_fixed(elb_json_number(line, "active_units"), 0, other);
    size_t units = json_array_size(json_object_get(line, "kl_per_dimension"));
    if (units > 0)
        snprintf(note, sizeof note, "nats per datum, %s of %zu units active", other, units);
    else /* no closed form */
        snprintf(note, sizeof note, "nats per datum, %s units active", other);
    report_put_tile(r, "KL divergence", number, note);

    json_array_foreach(r->history.lines, i, each)
    {
        double part = elb_json_number(each, "seconds");
        if (!strcmp(report_text(each, "event"), "epoch") && isfinite(part)) seconds += part;
    }
    report_duration(seconds, number);
    elb_number_fixed(elb_json_number(line, "epoch"), 0, other);
    snprintf(note, sizeof note, "%s epochs%s", other,
             elb_log_history_last(&r->history, "end") ? "" : ", not finished when this was written");
    report_put_tile(r, "Training time", number, note);
}

void elb_report_put_tiles(const elb_report *r)
{
    const json_t *best = report_best_evaluation(r), *line = elb_log_history_last(&r->history, "epoch");
    if (!best && !line) return;
    elb_writer_printf(r->writer, "<dl class=\"tiles\">\n");
    if (best) report_put_evaluation_tile(r, best);
    if (line) report_put_epoch_tiles(r, line);
    elb_writer_printf(r->writer, "</dl>\n");
}

/* --- warnings ----------------------------------------------------------------------------------------------------- */

void elb_report_put_warnings(const elb_report *r)
{
    size_t i, count = 0, seen = 0;
    const json_t *line;
    json_array_foreach(r->history.lines, i, line) count += !strcmp(report_text(line, "event"), "warning");
    if (count == 0) return;
    elb_writer_printf(r->writer, "<h2>Warnings</h2>\n<ul class=\"warnings\">\n");
    if (count > REPORT_WARNINGS)
        elb_writer_printf(r->writer, "<li>%zu earlier ones stand in log.jsonl</li>\n", count - REPORT_WARNINGS);
    json_array_foreach(r->history.lines, i, line)
    {
        if (strcmp(report_text(line, "event"), "warning") != 0 || seen++ + REPORT_WARNINGS < count) continue;
        elb_writer_printf(r->writer, "<li>");
        elb_html_put(r->writer, report_text(line, "message"));
        elb_writer_printf(r->writer, "</li>\n");
    }
    elb_writer_printf(r->writer, "</ul>\n");
}

/* --- tables ------------------------------------------------------------------------------------------------------- */

/* A column of an evaluation: text, or a number with so many decimals. */
typedef struct report_column {
    const char *key, *heading;
    int decimals; /* -1: text */
} report_column;

static const report_column report_columns[] = {
    {"estimator", "Estimator", -1},
    {"data", "Data", -1},
    {"n", "Number of data", 0},
    {"samples", "Samples", 0},
    {"log_likelihood_nats", "Log-likelihood, nats per datum", 2},
    {"standard_error", "Standard error, nats", 3},
    {"bits_per_dim", "Bits per dimension", 4},
    {"ess", "Effective samples", 1},
    {"k_hat", "Pareto k\xcc\x82", 2},
    {"binarisation", "Binarisation", -1},
    {"seed", "Seed", 0},
};
enum { REPORT_COLUMNS = sizeof report_columns / sizeof report_columns[0] };

static void report_put_cell(const elb_report *r, const json_t *object, const report_column *column)
{
    char number[ELB_NUMBER_SIZE];
    const json_t *value = json_object_get(object, column->key);
    elb_writer_printf(r->writer, column->decimals < 0 ? "<td>" : "<td class=\"n\">");
    if (column->decimals < 0) {
        elb_html_put(r->writer, report_text(object, column->key));
    } else if (json_is_integer(value)) {
        elb_writer_printf(r->writer, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else {
        elb_number_fixed(elb_json_number(object, column->key), column->decimals, number);
        elb_writer_printf(r->writer, "%s", number);
    }
    elb_writer_printf(r->writer, "</td>");
}

void elb_report_put_evaluations(const elb_report *r)
{
    size_t i;
    const json_t *one;
    if (json_array_size(r->evaluations) == 0) return;
    elb_writer_printf(r->writer, "<h2>Estimates</h2>\n<div class=\"wide\"><table>\n<tr>");
    for (int k = 0; k < REPORT_COLUMNS; k++)
        elb_writer_printf(r->writer, "<th%s>%s</th>", report_columns[k].decimals < 0 ? "" : " class=\"n\"",
                          report_columns[k].heading);
    elb_writer_printf(r->writer, "</tr>\n");
    json_array_foreach(r->evaluations, i, one)
    {
        elb_writer_printf(r->writer, "<tr>");
        for (int k = 0; k < REPORT_COLUMNS; k++) report_put_cell(r, one, &report_columns[k]);
        elb_writer_printf(r->writer, "</tr>\n");
    }
    elb_writer_printf(r->writer, "</table></div>\n");
}

void elb_report_put_last_epoch(const elb_report *r)
{
    static const struct {
        report_column number;
        const char *unit;
    } rows[] = {
        {{"elbo", "ELBO, training data", 3}, "nats per datum"},
        {{"validation_elbo", "ELBO, validation data", 3}, "nats per datum"},
        {{"bound", "Training objective", 3}, "nats per datum"},
        {{"reconstruction", "Reconstruction, E log p(x|z)", 3}, "nats per datum"},
        {{"kl", "KL(q(z|x) || p(z))", 3}, "nats per datum"},
        {{"active_units", "Active units", 0}, "latent dimensions"},
        {{"beta", "Weight of the KL", 4}, ""},
        {{"rate", "Step size", 7}, ""},
        {{"step", "Steps", 0}, ""},
        {{"seconds", "Time for the epoch", 2}, "s"},
        {{"data_per_second", "Speed", 0}, "data per second"},
    };
    const json_t *line = elb_log_history_last(&r->history, "epoch");
    if (!line) return;
    elb_writer_printf(r->writer, "<h2>Last epoch</h2>\n<table>\n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!json_object_get(line, rows[i].number.key)) continue;
        elb_writer_printf(r->writer, "<tr><td>%s</td>", rows[i].number.heading);
        report_put_cell(r, line, &rows[i].number);
        elb_writer_printf(r->writer, "<td>%s</td></tr>\n", rows[i].unit);
    }
    elb_writer_printf(r->writer, "</table>\n");
}

/* --- data and model ----------------------------------------------------------------------------------------------- */

static void report_put_fact(const elb_report *r, const char *name, const char *value)
{
    if (!*value) return;
    elb_writer_printf(r->writer, "<div><dt>");
    elb_html_put(r->writer, name);
    elb_writer_printf(r->writer, "</dt><dd>");
    elb_html_put(r->writer, value);
    elb_writer_printf(r->writer, "</dd></div>\n");
}

/* What the run said of itself when it began: whatever is one text or number. */
static void report_put_start(const elb_report *r)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)elb_log_history_last(&r->history, "start"), key, value)
    {
        char name[64], number[ELB_NUMBER_SIZE];
        if (!strcmp(key, "event")) continue;
        snprintf(name, sizeof name, "%s", key);
        for (char *p = name; *p; p++)
            if (*p == '_') *p = ' ';
        if (json_is_number(value)) elb_number_format(json_number_value(value), number);
        if (json_is_number(value) || json_is_string(value))
            report_put_fact(r, name, json_is_number(value) ? number : json_string_value(value));
    }
}

void elb_report_put_facts(const elb_report *r)
{
    static const char *const keys[][2] = {
        {"data.spec", "source of the data"},
        {"data.binarise", "binarisation"},
        {"data.validation", "data held out for validation"},
        {"model.latent", "latent dimensions"},
        {"posterior.hidden", "encoder's hidden widths"},
        {"posterior.activation", "encoder's nonlinearity"},
        {"model.hidden", "decoder's hidden widths"},
        {"model.activation", "decoder's nonlinearity"},
        {"likelihood.type", "likelihood"},
        {"posterior.type", "posterior"},
        {"objective.type", "objective"},
        {"objective.samples", "posterior samples per datum"},
        {"optimizer.type", "optimiser"},
        {"optimizer.rate", "step size at the start"},
        {"schedule.type", "step size schedule"},
        {"train.epochs", "epochs asked for"},
        {"train.batch", "data per batch"},
        {"seed", "seed"},
    };
    char text[ELB_TEXT_MAX];
    if (!r->config && !elb_log_history_last(&r->history, "start")) return;
    elb_writer_printf(r->writer, "<h2>Data and model</h2>\n<dl class=\"facts\">\n");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        report_put_fact(r, keys[i][1], report_key(r, keys[i][0], text));
    report_put_start(r);
    elb_writer_printf(r->writer, "</dl>\n");
}
