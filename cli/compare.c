/* compare.c - elbow compare. */
#include <string.h>

#include <elbow/compare.h>

#include "verbs.h"

typedef struct compare_options {
    const char *data, *preset, *methods, *reference, *out;
    cli_list set;
    int64_t epochs, seeds, samples, limit, refine_steps;
    bool retime;
} compare_options;

static const cli_option compare_table[] = {
    {.name = "out",
     .kind = CLI_TEXT,
     .offset = offsetof(compare_options, out),
     .value = "FOLDER",
     .words = CLI_WORDS_FOLDER,
     .help = "Where the runs, the table and the plot go; made if need be. What is finished there is not done again."},
    {.name = "data",
     .kind = CLI_TEXT,
     .offset = offsetof(compare_options, data),
     .value = "SPEC",
     .words = CLI_WORDS_DATA,
     .help = "What every method is trained on, as for train."},
    {.name = "methods",
     .kind = CLI_TEXT,
     .offset = offsetof(compare_options, methods),
     .value = "NAME,NAME",
     .help = "Presets to train, with commas between them; 'elbow presets' lists them."},
    {.name = "preset",
     .kind = CLI_TEXT,
     .offset = offsetof(compare_options, preset),
     .value = "NAME",
     .words = CLI_WORDS_PRESET,
     .help = "The preset whose decoder, data preparation, optimiser and budget every method gets; by default the first "
             "method's."},
    {.name = "set",
     .kind = CLI_LIST,
     .offset = offsetof(compare_options, set),
     .value = "KEY=VALUE",
     .words = CLI_WORDS_KEY,
     .help = "One key of every method's configuration; may be repeated. 'elbow keys' lists the keys."},
    {.name = "epochs",
     .kind = CLI_INT,
     .offset = offsetof(compare_options, epochs),
     .value = "E",
     .min = 1,
     .max = 1000000,
     .help = "Passes over the training data for every method: --set train.epochs=E."},
    {.name = "seeds",
     .kind = CLI_INT,
     .offset = offsetof(compare_options, seeds),
     .value = "N",
     .min = 1,
     .max = 1000,
     .help = "Runs of every method, with seeds 1 to N; 1 by default."},
    {.name = "reference",
     .kind = CLI_TEXT,
     .offset = offsetof(compare_options, reference),
     .value = "NAME",
     .help = "The method that all others are compared with; by default the first."},
    {.name = "samples",
     .kind = CLI_INT,
     .offset = offsetof(compare_options, samples),
     .value = "K",
     .min = 1,
     .max = 100000000,
     .help = "Posterior samples per datum of both likelihood estimates; 500 by default."},
    {.name = "limit",
     .kind = CLI_INT,
     .offset = offsetof(compare_options, limit),
     .value = "N",
     .min = 0,
     .max = CLI_DATA_MAX,
     .help = "Judge by the first N test data; 1000 by default, 0 takes all."},
    {.name = "refine-steps",
     .kind = CLI_INT,
     .offset = offsetof(compare_options, refine_steps),
     .value = "T",
     .min = 0,
     .max = 1000000000,
     .help = "Adam steps per datum before the second estimate, which says what the model deserves; 100 by default, 0 "
             "leaves it out."},
    {.name = "retime",
     .kind = CLI_FLAG,
     .offset = offsetof(compare_options, retime),
     .help = "Measure the times of inference anew. Those that are kept are of the machine as it was, which may have "
             "been busy."},
    {.name = NULL},
};

/* --- the plan ----------------------------------------------------------------------------------------------------- */

static elb_status compare_add_presets(cli *c, const char *list, elb_plan *plan)
{
    char name[128];
    for (const char *at = list;; at++) {
        size_t length = strcspn(at, ",");
        if (length == 0 || length >= sizeof name)
            return cli_fail(c, ELB_USAGE, "--methods '%s' is not a list of presets with commas between them", list);
        memcpy(name, at, length);
        name[length] = '\0';
        CLI_TRY(elb_plan_add_preset(plan, name));
        at += length;
        if (!*at) return ELB_OK;
    }
}

static elb_status compare_set_number(elb_plan *plan, const char *key, int64_t value)
{
    char text[32];
    if (value == CLI_UNSET) return ELB_OK;
    snprintf(text, sizeof text, "%lld", (long long)value);
    return elb_plan_set(plan, key, text);
}

static elb_status compare_share(void *plan, const char *key, const char *value)
{
    return elb_plan_share(plan, key, value);
}

/* Arguments are plans and runs; options win over a plan's keys. */
static elb_status compare_fill(cli *c, const compare_options *o, elb_plan *plan)
{
    char epochs[32];
    for (int i = 0; i < c->count; i++)
        CLI_TRY(cli_is_folder(c->arguments[i]) ? elb_plan_add_run(plan, c->arguments[i])
                                               : elb_plan_load(plan, c->arguments[i]));
    if (o->methods) CLI_TRY(compare_add_presets(c, o->methods, plan));
    if (o->data) CLI_TRY(elb_plan_set(plan, "data", o->data));
    if (o->preset) CLI_TRY(elb_plan_set(plan, "preset", o->preset));
    if (o->reference) CLI_TRY(elb_plan_set(plan, "reference", o->reference));
    CLI_TRY(compare_set_number(plan, "seeds", o->seeds));
    CLI_TRY(compare_set_number(plan, "evaluate.samples", o->samples));
    CLI_TRY(compare_set_number(plan, "evaluate.limit", o->limit));
    CLI_TRY(compare_set_number(plan, "evaluate.refine_steps", o->refine_steps));
    if (o->epochs != CLI_UNSET) {
        snprintf(epochs, sizeof epochs, "%lld", (long long)o->epochs);
        CLI_TRY(elb_plan_share(plan, "train.epochs", epochs));
    }
    return cli_set_keys(c, &o->set, compare_share, plan);
}

/* --- the result --------------------------------------------------------------------------------------------------- */

static elb_status compare_go(cli *c, const compare_options *o, const elb_plan *plan)
{
    char *table;
    elb_compare_settings settings = {
        .folder = o->out, .retime = o->retime, .progress = progress_bar_show, .user = &c->bar};
    elb_status status = elb_compare(plan, &settings, &table);
    if (status == ELB_INTERRUPTED || status == ELB_REQUEUE)
        return cli_fail(c, status,
                        "stopped; what is finished is kept in %s, and the same command goes on with the rest", o->out);
    CLI_TRY(status);
    if (c->common.json)
        status = cli_print_json_file(c, o->out, "compare.json");
    else
        fputs(table, stdout);
    elb_text_free(c->context, table);
    cli_hint(c, "the same in %s: compare.md, .csv, .json; the plot: compare.svg, .png", o->out);
    return status;
}

static elb_status compare_run(cli *c, const void *values)
{
    const compare_options *o = values;
    if (!o->out) return cli_fail(c, ELB_USAGE, "--out FOLDER is missing: where the runs, the table and the plot go");
    if (c->count == 0 && !o->methods)
        return cli_fail(c, ELB_USAGE, "there is nothing to compare: give a plan, runs, or --methods NAME,NAME");
    elb_plan *plan;
    CLI_TRY(elb_plan_create(c->context, &plan));
    elb_status status = compare_fill(c, o, plan);
    if (status == ELB_OK) status = compare_go(c, o, plan);
    elb_plan_destroy(plan);
    return status;
}

const cli_verb verb_compare = {
    .name = "compare",
    .summary = "train or take runs of several methods and compare them on likelihood and time",
    .arguments = "[PLAN.yaml | RUN]...",
    .details = "Every method gets the same data, decoder, likelihood and budget, and every seed is a run in "
               "FOLDER/METHOD/seed-N. Runs given as arguments are taken as they are; those that differ in their seed "
               "alone count as one method. A plan in YAML says more: docs/compare.md.\n\n"
               "Two likelihoods are estimated: by the method's own posterior, and after refining it for every datum, "
               "which judges the model and not the proposal. Differences from the reference are paired by datum. "
               "Writes compare.json, compare.csv and compare.md into FOLDER after every run, and the plot at the end, "
               "as compare.svg and compare.png; the same command goes on where it was stopped.",
    .examples = "elbow compare --data fashion-mnist --methods avi,iaf --epochs 5 --seeds 3 --out compared\n"
                "elbow compare plan.yaml --out compared\n"
                "elbow compare run-1 run-2 --out compared",
    .options = compare_table,
    .size = sizeof(compare_options),
    .accepts = CLI_WORK | CLI_PROGRESS,
    .least = 0,
    .most = -1,
    .words = CLI_WORDS_FILE,
    .interruptible = true,
    .run = compare_run,
};
