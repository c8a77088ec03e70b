/* table.c - a comparison as a table for people: plain text and Markdown. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/number.h"
#include "study/summary.h"

enum { TABLE_COLUMNS = 12, TABLE_CELL = 96, TABLE_LINE = 1300, TABLE_NOTES = 2048 };

/* A cell's text; label alone is not among them. */
typedef char table_row[TABLE_COLUMNS][TABLE_CELL];

static const char *const table_heads[TABLE_COLUMNS] = {"IWAE, own q", "gain",          "p (t, W)", "log p, refined q",
                                                       "gain",        "p (t, W)",      "ELBO",     "k-hat > .7",
                                                       "ms, batch 1", "ms, batch 128", "epochs",   "parameters"};

/* --- cells -------------------------------------------------------------------------------------------------------- */

static void table_number(double value, int decimals, char text[TABLE_CELL])
{
    char number[ELB_NUMBER_SIZE];
    elb_number_fixed(value, decimals, number);
    snprintf(text, TABLE_CELL, "%s", isfinite(value) ? number : "-");
}

static void table_percent(double share, char text[TABLE_CELL])
{
    char number[ELB_NUMBER_SIZE];
    elb_number_fixed(100 * share, 1, number);
    if (isfinite(share))
        snprintf(text, TABLE_CELL, "%s %%", number);
    else
        snprintf(text, TABLE_CELL, "-");
}

/* "-87.12 +- 0.03", with a star where the error is over data. */
static void table_mean(const elb_row_mean *m, bool sign, char text[TABLE_CELL])
{
    char mean[ELB_NUMBER_SIZE], error[ELB_NUMBER_SIZE];
    elb_number_fixed(m->mean, 2, mean);
    elb_number_fixed(m->error, 2, error);
    if (m->seeds == 0)
        snprintf(text, TABLE_CELL, "-");
    else
        snprintf(text, TABLE_CELL, "%s%s +- %s%s", sign && m->mean > 0 ? "+" : "", mean,
                 isfinite(m->error) ? error : "?", m->seeds > 1 ? " " : "*");
}

static void table_p(double p, char text[ELB_NUMBER_SIZE])
{
    if (p < 0.001)
        snprintf(text, ELB_NUMBER_SIZE, "<.001");
    else
        elb_number_fixed(p, 3, text);
}

static void table_tests(const elb_row_gain *gain, char text[TABLE_CELL])
{
    char t[ELB_NUMBER_SIZE], w[ELB_NUMBER_SIZE];
    table_p(gain->over_data.t_p, t);
    table_p(gain->over_data.wilcoxon_p, w);
    if (gain->mean.seeds == 0)
        snprintf(text, TABLE_CELL, "-");
    else
        snprintf(text, TABLE_CELL, "%s, %s", t, w);
}

static void table_fill(const elb_row *r, table_row row)
{
    int at = 0;
    for (int measure = ELB_MEASURE_OWN; measure <= ELB_MEASURE_REFINED; measure++) {
        table_mean(&r->mean[measure], false, row[at++]);
        table_mean(&r->gain[measure].mean, true, row[at++]);
        table_tests(&r->gain[measure], row[at++]);
    }
    table_mean(&r->mean[ELB_MEASURE_ELBO], false, row[at++]);
    table_percent(r->k_hat_bad, row[at++]);
    for (int b = 0; b < ELB_CELL_BATCHES; b++) table_number(1e3 * r->seconds[b], 4, row[at++]);
    table_number(r->epochs, 0, row[at++]);
    table_number(r->parameters, 0, row[at++]);
}

static const char *table_label(const elb_summary *s, const elb_row *row, char text[TABLE_CELL])
{
    const char *label = elb_plan_label(&s->grid->plan->methods[row->method]);
    if (row->diverged > 0)
        snprintf(text, TABLE_CELL, "%s (%lld diverged)", label, (long long)row->diverged);
    else
        snprintf(text, TABLE_CELL, "%s", label);
    return text;
}

/* What the numbers are. */
static void table_notes(const elb_summary *s, char notes[TABLE_NOTES])
{
    static const char *const parts[] = {"training", "validation", "test", ""};
    const elb_plan_evaluate *e = &s->grid->plan->evaluate;
    const elb_cell *first = s->grid->cells;
    char refined[256] = "";
    for (int64_t i = 0; i < s->grid->count && first->own.n == 0; i++) first = &s->grid->cells[i];
    if (e->refine_steps > 0)
        snprintf(
            refined, sizeof refined,
            "; refined q: the same family after %lld Adam steps on every datum, which says what the model deserves",
            (long long)e->refine_steps);
    snprintf(
        notes, TABLE_NOTES,
        "Nats per datum over %lld %s data, %lld samples each; own q: the method's posterior%s.\n"
        "gain: over %s, paired by datum; +-: standard error over seeds, with * over data; p: of the paired t-test and "
        "Wilcoxon's signed-rank test over data.\n"
        "k-hat > .7: share of data whose weights are not to be trusted; ms: median milliseconds of inference per "
        "datum.\n",
        (long long)first->own.n, parts[e->part], (long long)e->samples, refined,
        elb_plan_label(&s->grid->plan->methods[s->grid->reference]));
}

/* --- plain text --------------------------------------------------------------------------------------------------- */

typedef struct table_widths {
    int label, columns[TABLE_COLUMNS];
} table_widths;

static table_widths table_measure(const elb_summary *s)
{
    table_widths w = {.label = (int)strlen("method")};
    for (int k = 0; k < TABLE_COLUMNS; k++) w.columns[k] = (int)strlen(table_heads[k]);
    for (int64_t i = 0; i < s->count; i++) {
        table_row row;
        char label[TABLE_CELL];
        table_fill(&s->rows[i], row);
        int length = (int)strlen(table_label(s, &s->rows[i], label));
        if (length > w.label) w.label = length;
        for (int k = 0; k < TABLE_COLUMNS; k++)
            if ((int)strlen(row[k]) > w.columns[k]) w.columns[k] = (int)strlen(row[k]);
    }
    return w;
}

static int table_put(char *line, const table_widths *w, const char *label, const char *const cells[TABLE_COLUMNS])
{
    int used = snprintf(line, TABLE_LINE, "%-*s", w->label, label);
    for (int k = 0; k < TABLE_COLUMNS; k++)
        used += snprintf(line + used, (size_t)(TABLE_LINE - used), "  %*s", w->columns[k], cells[k]);
    used += snprintf(line + used, (size_t)(TABLE_LINE - used), "\n");
    return used;
}

elb_status elb_summary_text(const elb_summary *s, char **text)
{
    int64_t size = (s->count + 1) * TABLE_LINE + TABLE_NOTES + 1;
    *text = elb_alloc(s->grid->context, size, 1);
    if (!*text) return ELB_MEMORY;
    table_widths w = table_measure(s);
    char *at = *text;
    at += table_put(at, &w, "method", table_heads);
    for (int64_t i = 0; i < s->count; i++) {
        table_row row;
        char label[TABLE_CELL];
        const char *cells[TABLE_COLUMNS];
        table_fill(&s->rows[i], row);
        for (int k = 0; k < TABLE_COLUMNS; k++) cells[k] = row[k];
        at += table_put(at, &w, table_label(s, &s->rows[i], label), cells);
    }
    table_notes(s, at);
    return ELB_OK;
}

/* --- Markdown ----------------------------------------------------------------------------------------------------- */

/* A bar would end the cell. */
static void table_put_label(elb_writer *w, const char *label)
{
    for (; *label; label++) elb_writer_printf(w, *label == '|' ? "\\|" : "%c", *label);
}

static void table_put_markdown(elb_writer *w, const elb_summary *s)
{
    char notes[TABLE_NOTES];
    elb_writer_printf(w, "## %s\n\n![log-likelihood against time](compare.svg)\n\n| method |", s->title);
    for (int k = 0; k < TABLE_COLUMNS; k++) elb_writer_printf(w, " %s |", table_heads[k]);
    elb_writer_printf(w, "\n|---|");
    for (int k = 0; k < TABLE_COLUMNS; k++) elb_writer_printf(w, "--:|");
    for (int64_t i = 0; i < s->count; i++) {
        table_row row;
        char label[TABLE_CELL];
        table_fill(&s->rows[i], row);
        elb_writer_printf(w, "\n| ");
        table_put_label(w, table_label(s, &s->rows[i], label));
        elb_writer_printf(w, " |");
        for (int k = 0; k < TABLE_COLUMNS; k++) {
            const char *sign = strstr(row[k], "+-");
            if (sign)
                elb_writer_printf(w, " %.*s\xc2\xb1%s |", (int)(sign - row[k]), row[k], sign + 2);
            else
                elb_writer_printf(w, " %s |", row[k]);
        }
    }
    table_notes(s, notes);
    elb_writer_printf(w, "\n\n%s", notes);
}

elb_status elb_summary_save_markdown(const elb_summary *s, const char *path)
{
    elb_writer *w;
    ELB_TRY(elb_writer_open(s->grid->context, path, &w));
    table_put_markdown(w, s);
    return elb_writer_commit(w);
}
