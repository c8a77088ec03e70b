/* gap_text.c - a result as a table, and in words. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "study/gap.h"

enum { TEXT_SIZE = 16384, TEXT_CELL = 96 };
#define TEXT_POOR 0.1 /* share of the data from which on a warning is due */

/* Appends, and never beyond the end. */
typedef struct text {
    char *at;
    int64_t used;
} text;

static void text_put(text *t, const char *format, ...) ELB_PRINTF(2, 3);
static void text_put(text *t, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int size = vsnprintf(t->at + t->used, (size_t)(TEXT_SIZE - t->used), format, list);
    va_end(list);
    t->used = size < 0 || t->used + size >= TEXT_SIZE ? TEXT_SIZE - 1 : t->used + size;
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

/* "-89.85 +- 0.31"; "" where it was not worked out. */
static const char *text_mean(const elb_gap_mean *m, char cell[TEXT_CELL])
{
    char mean[ELB_NUMBER_SIZE], error[ELB_NUMBER_SIZE];
    elb_number_fixed(m->mean, 3, mean);
    elb_number_fixed(m->standard_error, 3, error);
    if (!isfinite(m->mean))
        *cell = '\0';
    else
        snprintf(cell, TEXT_CELL, "%s +- %s", mean, isfinite(m->standard_error) ? error : "?");
    return cell;
}

/* A line with a number of every set; nothing where no set has it. */
static void text_row(text *t, const char *name, const elb_gap_result *r, int count, size_t offset)
{
    char cell[TEXT_CELL];
    bool any = false;
    for (int i = 0; i < count; i++) any = any || isfinite(((const elb_gap_mean *)((const char *)&r[i] + offset))->mean);
    if (!any) return;
    text_put(t, "%-34s", name);
    for (int i = 0; i < count; i++)
        text_put(t, "  %22s", text_mean((const elb_gap_mean *)((const char *)&r[i] + offset), cell));
    text_put(t, "\n");
}

static const char *text_family(elb_gap_part part)
{
    static const char *const names[ELB_GAP_PARTS] = {"q",    "diagonal Gaussian", "full covariance",
                                                     "flow", "the model's own",   "AIS"};
    return names[part];
}

/* A line for every optimum; `offset` is that of an array of the parts. */
static void text_optima(text *t, const char *what, const elb_gap_result *r, int count, size_t offset)
{
    for (int part = ELB_GAP_FFG; part <= ELB_GAP_OWN; part++) {
        char name[TEXT_CELL];
        snprintf(name, sizeof name, "%s, %s%s", what, text_family((elb_gap_part)part), part == (int)r->own ? " *" : "");
        text_row(t, name, r, count, offset + (size_t)part * sizeof(elb_gap_mean));
    }
}

static void text_bounds(text *t, const elb_gap_result *r, int count)
{
    size_t bound = offsetof(elb_gap_result, bound);
    text_row(t, "  IWAE by the encoder's q", r, count, bound);
    text_optima(t, "  IWAE by q*", r, count, bound);
    text_row(t, "  AIS", r, count, bound + ELB_GAP_AIS * sizeof(elb_gap_mean));
}

static void text_table(text *t, const elb_gap_result *r, int count)
{
    text_put(t, "%-34s", "nats per datum");
    for (int i = 0; i < count; i++) text_put(t, "  %14s, n = %lld", elb_part_name(r[i].part), (long long)r[i].n);
    text_put(t, "\n");
    text_row(t, "log p(x), the greatest of", r, count, offsetof(elb_gap_result, log_p));
    text_bounds(t, r, count);
    text_optima(t, "L[q*]", r, count, offsetof(elb_gap_result, elbo));
    text_row(t, "L[q]", r, count, offsetof(elb_gap_result, elbo));
    text_row(t, "approximation gap", r, count, offsetof(elb_gap_result, approximation));
    text_row(t, "amortisation gap", r, count, offsetof(elb_gap_result, amortisation));
    text_row(t, "inference gap", r, count, offsetof(elb_gap_result, inference));
    text_put(t, "* the family of q, whose q* the gaps are taken at. +-: standard error over data.\n");
}

static void text_times(text *t, const elb_gap_result *r, int count)
{
    char seconds[ELB_NUMBER_SIZE];
    const char *before = "time, s:";
    for (int part = 0; part < ELB_GAP_PARTS; part++) {
        double sum = 0;
        for (int i = 0; i < count; i++) sum += r[i].seconds[part];
        if (!isfinite(sum)) continue;
        elb_number_fixed(sum, 1, seconds);
        text_put(t, "%s %s %s", before, elb_gap_part_name((elb_gap_part)part), seconds);
        before = ",";
    }
    text_put(t, "\n");
}

/* --- advice ------------------------------------------------------------------------------------------------------- */

static const char *text_number(double value, char number[ELB_NUMBER_SIZE])
{
    elb_number_fixed(value, 2, number);
    return number;
}

/* What the best of a wider family has more than the best of the model's. */
static void text_wider(text *t, const elb_gap_result *r)
{
    char gain[ELB_NUMBER_SIZE];
    for (int part = ELB_GAP_FULL; part <= ELB_GAP_FLOW; part++) {
        double more = r->elbo[part].mean - r->elbo[r->own].mean;
        if (part == (int)r->own || !isfinite(more)) continue;
        text_put(t, " At their best, %s would %s %s nats.",
                 part == ELB_GAP_FULL ? "a full covariance matrix (posterior.type=full)" : "a flow",
                 more >= 0 ? "bring" : "lose", text_number(fabs(more), gain));
    }
}

static void text_encoder(text *t, const elb_gap_result *r)
{
    char most[ELB_NUMBER_SIZE];
    text_put(t,
             " Most is lost by the encoder, which does not find the best q of its family: a larger encoder or more "
             "training of it, or refinement at test time (elbow refine, refine.steps), can bring up to %s nats without "
             "any change to the model.",
             text_number(r->amortisation.mean, most));
}

static void text_approximation(text *t, const elb_gap_result *r)
{
    char most[ELB_NUMBER_SIZE];
    text_put(t,
             " Most is lost by the family of q, which even at its best is not p(z|x): a richer one can bring up to %s "
             "nats; a larger encoder cannot.",
             text_number(r->approximation.mean, most));
}

/* Whether data that the encoder was not trained on cost it more. */
static void text_generalisation(text *t, const elb_gap_result *test, const elb_gap_result *train)
{
    char more[ELB_NUMBER_SIZE];
    double difference = test->amortisation.mean - train->amortisation.mean;
    double error = hypot(test->amortisation.standard_error, train->amortisation.standard_error);
    if (!(difference > 2 * error)) return;
    text_put(t,
             " On training data the amortisation gap is %s nats smaller: the encoder does not generalise as well as it "
             "fits, and more data or a smaller encoder helps it more than a larger one.",
             text_number(difference, more));
}

static void text_doubts(text *t, const elb_gap_result *r)
{
    if (r->k_hat_bad[ELB_GAP_ENCODER] > TEXT_POOR)
        text_put(t,
                 " (IWAE from the encoder's q is not to be trusted alone: Pareto k-hat is above 0.7 for %.0f %% of the "
                 "data.)",
                 100 * r->k_hat_bad[ELB_GAP_ENCODER]);
    for (int part = ELB_GAP_FFG; part <= ELB_GAP_OWN; part++)
        if (1 - r->converged[part] > TEXT_POOR)
            text_put(t, " (The search for the best %s had not come to rest for %.0f %% of the data: more --steps.)",
                     text_family((elb_gap_part)part), 100 * (1 - r->converged[part]));
}

static const elb_gap_result *text_set(const elb_gap_result *r, int count, elb_part part)
{
    for (int i = 0; i < count; i++)
        if (r[i].part == part) return &r[i];
    return NULL;
}

/* About the test data, where there are any. */
static void text_advice(text *t, const elb_gap_result *r, int count)
{
    const elb_gap_result *train = text_set(r, count, ELB_PART_TRAIN), *test = text_set(r, count, ELB_PART_TEST);
    const elb_gap_result *about = test != NULL ? test : r;
    char all[TEXT_CELL], family[TEXT_CELL], encoder[TEXT_CELL];
    text_put(t, "q(z|x) is %s nats below log p(x) on %s data: %s by its family, %s by the encoder.",
             text_mean(&about->inference, all), elb_part_name(about->part), text_mean(&about->approximation, family),
             text_mean(&about->amortisation, encoder));
    if (about->amortisation.mean >= about->approximation.mean)
        text_encoder(t, about);
    else
        text_approximation(t, about);
    text_wider(t, about);
    if (test != NULL && train != NULL) text_generalisation(t, test, train);
    text_doubts(t, about);
    text_put(t, "\n");
}

static elb_status text_make(elb_context *c, const elb_gap_result *results, int count, bool table, char **made)
{
    text t = {.at = elb_alloc(c, TEXT_SIZE, 1)};
    *made = t.at;
    if (t.at == NULL) return ELB_MEMORY;
    if (table) {
        text_table(&t, results, count);
        text_times(&t, results, count);
        text_put(&t, "\n");
    }
    text_advice(&t, results, count);
    return ELB_OK;
}

elb_status elb_gap_text(elb_context *c, const elb_gap_result *results, int count, char **made)
{
    return text_make(c, results, count, true, made);
}

elb_status elb_gap_advice(elb_context *c, const elb_gap_result *results, int count, char **made)
{
    return text_make(c, results, count, false, made);
}
