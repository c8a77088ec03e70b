/* gap.c - elbow gap. */
#include <stdlib.h>
#include <string.h>

#include <elbow/gap.h>

#include "source.h"
#include "verbs.h"

typedef struct gap_options {
    cli_source source;
    const char *out, *optima, *indices;
    bool picture;
    int64_t limit, samples, starts, steps, step_samples, chains, temperatures;
} gap_options;

static const cli_option gap_table[] = {
    CLI_SOURCE_OPTIONS(gap_options),
    {.name = "out",
     .kind = CLI_TEXT,
     .offset = offsetof(gap_options, out),
     .value = "FOLDER",
     .words = CLI_WORDS_FOLDER,
     .help = "Where all files go, and what is done so far; by default gap in the run's folder."},
    {.name = "limit",
     .kind = CLI_INT,
     .offset = offsetof(gap_options, limit),
     .value = "N",
     .fallback = "100",
     .min = 1,
     .max = CLI_DATA_MAX,
     .help = "The first N data of every part."},
    {.name = "optima",
     .kind = CLI_TEXT,
     .offset = offsetof(gap_options, optima),
     .value = "LIST",
     .fallback = "full,flow",
     .help = "Families whose best members are wanted beside the diagonal Gaussian's and the model's own: full (full "
             "covariance), flow, both with a comma between them, or none."},
    {.name = "samples",
     .kind = CLI_INT,
     .offset = offsetof(gap_options, samples),
     .value = "K",
     .fallback = "5000",
     .min = 1,
     .max = 100000000,
     .help = "Samples of z per datum of every ELBO and importance-weighted bound."},
    {.name = "steps",
     .kind = CLI_INT,
     .offset = offsetof(gap_options, steps),
     .value = "T",
     .fallback = "6000",
     .min = 0,
     .max = 100000000,
     .help = "Adam steps from every start of an optimum, at most; a datum whose ELBO has come to rest takes fewer."},
    {.name = "starts",
     .kind = CLI_INT,
     .offset = offsetof(gap_options, starts),
     .value = "R",
     .fallback = "3",
     .min = 1,
     .max = 1000,
     .help = "Starts of the best diagonal Gaussian, of which the best end is kept for each datum: the encoder's q, the "
             "prior, then random ones. Wider families start from that best one, the encoder's q and so on: one start "
             "less."},
    {.name = "step-samples",
     .kind = CLI_INT,
     .offset = offsetof(gap_options, step_samples),
     .value = "S",
     .fallback = "16",
     .min = 1,
     .max = 100000,
     .help = "Samples of z per datum and step."},
    {.name = "chains",
     .kind = CLI_INT,
     .offset = offsetof(gap_options, chains),
     .value = "C",
     .fallback = "16",
     .min = 1,
     .max = 1000000,
     .help = "Chains per datum of annealed importance sampling."},
    {.name = "temperatures",
     .kind = CLI_INT,
     .offset = offsetof(gap_options, temperatures),
     .value = "R",
     .fallback = "500",
     .min = 1,
     .max = 10000000,
     .help = "Temperatures of annealed importance sampling between prior and posterior."},
    {.name = "picture",
     .kind = CLI_FLAG,
     .offset = offsetof(gap_options, picture),
     .help = "Instead of the table, for a model with two latent numbers: p(z|x) of some data, and what q(z|x) and the "
             "best q of every family make of it, as picture.svg and .png."},
    {.name = "indices",
     .kind = CLI_TEXT,
     .offset = offsetof(gap_options, indices),
     .value = "I,J",
     .help = "Which data --picture shows, counted from 0, with commas between them; by default, of the first N, the "
             "one with the largest amortisation gap and the one with the largest approximation gap."},
    {.name = NULL},
};

#define GAP_TOLERANCE 0.01 /* nats in 50 steps */

/* --- what is asked for -------------------------------------------------------------------------------------------- */

static elb_status gap_optima(cli *c, const char *list, elb_gap_settings *s)
{
    if (strcmp(list, "none") == 0) return ELB_OK;
    for (const char *at = list;; at++) {
        size_t length = strcspn(at, ",");
        bool full = length == 4 && strncmp(at, "full", 4) == 0, flow = length == 4 && strncmp(at, "flow", 4) == 0;
        if (!full && !flow)
            return cli_fail(c, ELB_USAGE, "--optima '%s' is none of full, flow, full,flow and none", list);
        s->full = s->full || full;
        s->flow = s->flow || flow;
        at += length;
        if (!*at) return ELB_OK;
    }
}

static elb_status gap_settings(cli *c, const gap_options *o, const elb_vae *vae, const char *folder,
                               elb_gap_settings *s)
{
    *s = (elb_gap_settings){.folder = folder,
                            .limit = o->limit,
                            .samples = o->samples,
                            .starts = o->starts,
                            .steps = o->steps,
                            .step_samples = o->step_samples,
                            .tolerance = GAP_TOLERANCE,
                            .anneal = {.chains = o->chains,
                                       .temperatures = o->temperatures,
                                       .leapfrog = 10,
                                       .schedule = ELB_ANNEAL_SIGMOID},
                            .progress = progress_bar_show,
                            .user = &c->bar};
    CLI_TRY(gap_optima(c, o->optima, s));
    return cli_seed(c, elb_vae_config(vae), &s->seed);
}

/* --- data --------------------------------------------------------------------------------------------------------- */

typedef struct gap_data {
    int count;
    elb_gap_set sets[ELB_GAP_SETS_MAX];
    elb_dataset *opened[ELB_GAP_SETS_MAX];
} gap_data;

static elb_status gap_open_part(const elb_vae *vae, elb_part part, gap_data *d)
{
    elb_dataset **dataset = &d->opened[d->count];
    CLI_TRY(elb_config_open_data(elb_vae_config(vae), NULL, part, dataset));
    d->sets[d->count++] = (elb_gap_set){part, *dataset};
    return ELB_OK;
}

/* The part that is named; else of other data all; else what the model was trained on, and its test
 * part where there is one. */
static elb_status gap_open(cli *c, const gap_options *o, elb_vae *vae, gap_data *d)
{
    bool foreign;
    CLI_TRY(cli_describe_data(c, vae, &o->source, &foreign));
    if (o->source.part != CLI_UNSET) return gap_open_part(vae, (elb_part)o->source.part, d);
    if (foreign) return gap_open_part(vae, ELB_PART_ALL, d);
    CLI_TRY(gap_open_part(vae, ELB_PART_TRAIN, d));
    elb_status status = gap_open_part(vae, ELB_PART_TEST, d);
    if (status != ELB_USAGE) return status;
    cli_note(c, "note: there is no test part, so the gaps are those of the training data alone");
    return ELB_OK;
}

/* The caller asked for more than there is. */
static elb_status gap_check(cli *c, const gap_options *o, const gap_data *d)
{
    for (int i = 0; i < d->count; i++)
        if (o->limit > elb_dataset_count(d->opened[i]))
            return cli_fail(c, ELB_USAGE, "--limit %lld: %s has %lld data", (long long)o->limit,
                            elb_dataset_name(d->opened[i]), (long long)elb_dataset_count(d->opened[i]));
    return ELB_OK;
}

/* --- the work ----------------------------------------------------------------------------------------------------- */

static elb_status gap_go(cli *c, const gap_options *o, elb_vae *vae, const gap_data *d, const char *folder)
{
    elb_gap_settings settings;
    elb_gap_result results[ELB_GAP_SETS_MAX];
    char *text;
    CLI_TRY(gap_settings(c, o, vae, folder, &settings));
    elb_status status = elb_gap(vae, d->sets, d->count, &settings, results, &text);
    if (status == ELB_INTERRUPTED || status == ELB_REQUEUE)
        return cli_fail(c, status, "stopped before the end; the same command goes on from what is kept in %s", folder);
    CLI_TRY(status);
    if (c->common.json)
        status = cli_print_json_file(c, folder, "gap.json");
    else
        fputs(text, stdout);
    elb_text_free(c->context, text);
    cli_hint(c, "in %s: every datum in gap-*.csv, the bars in gap.svg; of images, the worst in worst-*.png", folder);
    return status;
}

/* --- pictures ----------------------------------------------------------------------------------------------------- */

enum { GAP_INDICES_MOST = 16 };

static elb_status gap_indices(cli *c, const char *list, int64_t *index, int64_t *count)
{
    *count = 0;
    for (const char *at = list; at; at++) {
        char *end;
        long long value = strtoll(at, &end, 10);
        if (end == at || value < 0 || (*end && *end != ',') || *count == GAP_INDICES_MOST)
            return cli_fail(c, ELB_USAGE, "--indices '%s' is no list of up to %d data, as in 3,17", list,
                            GAP_INDICES_MOST);
        index[(*count)++] = value;
        if (!*end) return ELB_OK;
        at = end;
    }
    return ELB_OK;
}

static elb_status gap_draw(cli *c, const gap_options *o, elb_vae *vae, const gap_data *d, const char *folder)
{
    elb_gap_settings settings;
    int64_t index[GAP_INDICES_MOST], count;
    CLI_TRY(gap_indices(c, o->indices, index, &count));
    CLI_TRY(gap_settings(c, o, vae, folder, &settings));
    elb_status status = elb_gap_picture(vae, &d->sets[d->count - 1], index, count, &settings);
    if (status == ELB_INTERRUPTED || status == ELB_REQUEUE)
        return cli_fail(c, status, "stopped before the end; no picture was written");
    CLI_TRY(status);
    if (!c->common.json) {
        cli_row("picture", "%s/picture.svg, %s/picture.png", folder, folder);
        return ELB_OK;
    }
    json_t *object = json_pack("{s:o}", "picture", json_sprintf("%s/picture.svg", folder));
    return cli_print_json(c, object, JSON_INDENT(2));
}

static elb_status gap_work(cli *c, const gap_options *o, elb_vae *vae, const char *folder)
{
    gap_data d = {.count = 0};
    elb_status status = gap_open(c, o, vae, &d);
    if (status == ELB_OK) status = gap_check(c, o, &d);
    if (status == ELB_OK) status = (o->picture ? gap_draw : gap_go)(c, o, vae, &d, folder);
    for (int i = 0; i < d.count; i++) elb_dataset_destroy(d.opened[i]);
    return status;
}

/* The folder that is named, or gap in the run's own. *made is to be freed. */
static elb_status gap_folder(cli *c, const gap_options *o, char **made)
{
    *made = NULL;
    if (o->out) return ELB_OK;
    if (cli_is_folder(c->arguments[0])) return cli_path(c, c->arguments[0], "gap", made);
    return cli_fail(c, ELB_USAGE, "'%s' is no run's folder to put the results into: say where with --out FOLDER",
                    c->arguments[0]);
}

static elb_status gap_run(cli *c, const void *values)
{
    const gap_options *o = values;
    elb_vae *vae;
    char *made;
    if (o->indices && !o->picture) return cli_fail(c, ELB_USAGE, "--indices belongs to --picture");
    CLI_TRY(elb_vae_open(c->context, c->arguments[0], &vae));
    elb_status status = gap_folder(c, o, &made);
    if (status == ELB_OK) status = gap_work(c, o, vae, made ? made : o->out);
    free(made);
    elb_vae_destroy(vae);
    return status;
}

const cli_verb verb_gap = {
    .name = "gap",
    .summary = "tell where q(z|x) loses against log p(x): by its family, or by the encoder",
    .arguments = "RUN",
    .details =
        "RUN is a run's folder or a model.safetensors file. log p(x) less the ELBO is the inference gap. It is "
        "the sum of the approximation gap, what even the best q of its family loses, and the amortisation gap, "
        "what the encoder loses against that best q (Cremer, Li & Duvenaud 2018). log p(x) is the greatest of the "
        "lower bounds at hand; the best q of every datum is found by gradient steps from several starts.\n\n"
        "Prints a table for training and test data and what to improve, and writes into FOLDER gap.json, every "
        "datum in gap-PART.npz and .csv, and pictures. Stopped, the same command goes on where it was.",
    .examples = "elbow gap run\n"
                "elbow gap run --limit 20 --temperatures 200 --optima none\n"
                "elbow gap run --part test --set refine.steps=20 --json\n"
                "elbow gap two-d --picture --indices 3,17\n"
                "elbow gap converted.safetensors --data images.npy --out gaps",
    .options = gap_table,
    .size = sizeof(gap_options),
    .accepts = CLI_WORK | CLI_SEED | CLI_PROGRESS,
    .least = 1,
    .most = 1,
    .words = CLI_WORDS_FOLDER,
    .interruptible = true,
    .run = gap_run,
};
