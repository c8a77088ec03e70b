/* infer.c - elbow infer and elbow refine: q(z|x) of every datum, and what steps of refinement make of it. */
#include <math.h>
#include <string.h>

#include <elbow/infer.h>

#include "source.h"
#include "verbs.h"

enum { REFINE_SAMPLES = 10 }; /* of refine, unless told otherwise */

typedef struct infer_options {
    cli_source source;
    int64_t limit, batch, samples;
    const char *out;
    int64_t steps; /* refine only, and the next two */
    const char *rate;
    int from;
} infer_options;

static const char *const infer_starts[] = {"encoder", "zero", NULL};

#define INFER_OPTIONS                                                                                                  \
    CLI_SOURCE_OPTIONS(infer_options), CLI_WALK_OPTIONS(infer_options),                                                \
    {                                                                                                                  \
        .name = "out", .kind = CLI_TEXT, .offset = offsetof(infer_options, out), .value = "FILE",                      \
        .words = CLI_WORDS_FILE,                                                                                       \
        .help =                                                                                                        \
            "Write every datum's index, label, elbo, kl, steps, uncertainty, mean, variance and lambda, as far as "    \
            "q(z|x) has them, to an .npz or .csv file."                                                                \
    }

static const cli_option infer_table[] = {
    INFER_OPTIONS,
    {.name = "samples",
     .kind = CLI_INT,
     .offset = offsetof(infer_options, samples),
     .value = "K",
     .min = 1,
     .max = 100000,
     .help = "Take the ELBO from K samples of z per datum, and write them as z, with log_q, into --out. By default it "
             "is taken from one, which is not written."},
    {.name = NULL},
};

static const cli_option refine_table[] = {
    INFER_OPTIONS,
    {.name = "steps",
     .kind = CLI_INT,
     .offset = offsetof(infer_options, steps),
     .value = "T",
     .min = 1,
     .max = 1000000000,
     .help = "Gradient steps on every datum's lambda; by default the run's own refine.steps, or 100. The same as --set "
             "refine.steps=T."},
    {.name = "rate",
     .kind = CLI_TEXT,
     .offset = offsetof(infer_options, rate),
     .value = "R",
     .help = "Step size; by default what refine.rate says."},
    {.name = "from",
     .kind = CLI_CHOICE,
     .offset = offsetof(infer_options, from),
     .value = "START",
     .choices = infer_starts,
     .help = "Start at the encoder's output, or at zero; by default what refine.start says, which is the encoder "
             "unless set."},
    {.name = "samples",
     .kind = CLI_INT,
     .offset = offsetof(infer_options, samples),
     .value = "K",
     .min = 1,
     .max = 100000,
     .help = "Samples of z per datum that the printed ELBOs are taken from, the same for every line; by default 10."},
    {.name = NULL},
};

/* --- what is printed ---------------------------------------------------------------------------------------------- */

/* What a run was asked and what came of it. */
typedef struct infer_report {
    const elb_vae *vae;
    const elb_dataset *dataset;
    const char *table;
    elb_infer_result result;
    double latency; /* seconds per datum, one at a time; NaN: not measured */
} infer_report;

static const char *infer_key(const infer_report *r, const char *key, char text[64])
{
    if (elb_config_get(elb_vae_config(r->vae), key, text, 64) != ELB_OK) text[0] = '\0';
    return text;
}

static const elb_infer_rung *infer_last(const infer_report *r)
{
    return &r->result.rung[r->result.rung_count - 1];
}

static void infer_print_head(const infer_report *r)
{
    const elb_infer_result *e = &r->result;
    char text[4][64];
    cli_row("data", "%s, %lld of %lld, binarised: %s", elb_dataset_name(r->dataset), (long long)e->n,
            (long long)elb_dataset_count(r->dataset), infer_key(r, "data.binarise", text[0]));
    if (infer_last(r)->steps > 0)
        cli_row("refinement", "%lld steps of %s from the %s, rate %s, samples %s", (long long)infer_last(r)->steps,
                infer_key(r, "refine.method", text[0]), infer_key(r, "refine.start", text[1]),
                infer_key(r, "refine.rate", text[2]), infer_key(r, "refine.samples", text[3]));
}

static void infer_print_tail(const infer_report *r)
{
    const elb_infer_result *e = &r->result;
    if (infer_last(r)->converged > 0)
        cli_row("steps taken", "%.1f per datum; %lld data converged before the last", e->mean_steps,
                (long long)infer_last(r)->converged);
    if (r->table) cli_row("table", "%s", r->table);
    cli_row("time", "%.1f s", e->seconds);
}

static void infer_print(const infer_report *r)
{
    const elb_infer_result *e = &r->result;
    const elb_infer_rung *last = infer_last(r);
    infer_print_head(r);
    cli_row("lambda", "%lld values per datum, for %lld latents", (long long)e->local, (long long)e->latent);
    cli_row("ELBO", "%.3f +- %.3f nats per datum (standard error over data), %lld sample%s, seed %llu", last->elbo_nats,
            last->standard_error, (long long)e->samples, e->samples == 1 ? "" : "s", (unsigned long long)e->seed);
    if (isfinite(e->kl_nats)) cli_row("KL", "%.3f nats per datum", e->kl_nats);
    cli_row("latency", "%.4g ms per datum, one at a time (median)", 1e3 * r->latency);
    cli_row("throughput", "%.4g data/s, %lld at a time", 1 / last->seconds_per_datum, (long long)e->batch);
    infer_print_tail(r);
}

static void refine_print(const infer_report *r)
{
    const elb_infer_result *e = &r->result;
    infer_print_head(r);
    cli_row("ELBO", "nats per datum +- standard error over data, %lld samples, seed %llu", (long long)e->samples,
            (unsigned long long)e->seed);
    printf("\n%10s %12s %8s %10s %8s %12s %10s\n", "steps", "ELBO", "+-", "gain", "+-", "ms/datum", "converged");
    for (int i = 0; i < e->rung_count; i++) {
        const elb_infer_rung *g = &e->rung[i];
        printf("%10lld %12.3f %8.3f %10.3f %8.3f %12.4g %10lld\n", (long long)g->steps, g->elbo_nats, g->standard_error,
               g->gain_nats, g->gain_error, 1e3 * g->seconds_per_datum, (long long)g->converged);
    }
    puts("");
    cli_row("gain", "%.3f +- %.3f nats per datum", infer_last(r)->gain_nats, infer_last(r)->gain_error);
    infer_print_tail(r);
}

static json_t *infer_rungs_json(const elb_infer_result *e)
{
    json_t *rungs = json_array();
    for (int i = 0; i < e->rung_count; i++) {
        const elb_infer_rung *g = &e->rung[i];
        json_array_append_new(
            rungs, json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:I}", "steps", (json_int_t)g->steps, "elbo_nats",
                             cli_real(g->elbo_nats), "standard_error", cli_real(g->standard_error), "gain_nats",
                             cli_real(g->gain_nats), "gain_standard_error", cli_real(g->gain_error), "ms_per_datum",
                             cli_real(1e3 * g->seconds_per_datum), "converged", (json_int_t)g->converged));
    }
    return rungs;
}

static elb_status infer_print_json(cli *c, const infer_report *r, bool ladder)
{
    const elb_infer_result *e = &r->result;
    const elb_infer_rung *last = infer_last(r);
    char binarisation[64];
    json_t *o = json_pack(
        "{s:I, s:s, s:s, s:o, s:o, s:s, s:o, s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:o, s:o}", "n", (json_int_t)e->n,
        "data", elb_dataset_name(r->dataset), "binarisation", infer_key(r, "data.binarise", binarisation), "elbo_nats",
        cli_real(last->elbo_nats), "standard_error", cli_real(last->standard_error), "unit", "nats per datum",
        "kl_nats", cli_real(e->kl_nats), "samples", (json_int_t)e->samples, "seed", (json_int_t)e->seed, "latent",
        (json_int_t)e->latent, "local", (json_int_t)e->local, "mean_steps", cli_real(e->mean_steps), "steps",
        (json_int_t)last->steps, "converged", (json_int_t)last->converged, "data_per_second",
        cli_real(1 / last->seconds_per_datum), "seconds", cli_real(e->seconds));
    json_object_set_new(o, "batch", json_integer(e->batch));
    json_object_set_new(o, "table", r->table ? json_string(r->table) : json_null());
    if (ladder) json_object_set_new(o, "ladder", infer_rungs_json(e));
    if (!ladder) json_object_set_new(o, "latency_ms", cli_real(1e3 * r->latency));
    return cli_print_json(c, o, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
}

/* --- the two ------------------------------------------------------------------------------------------------------ */

static elb_status infer_data(cli *c, const infer_options *o, elb_vae *vae, const elb_dataset *dataset, bool ladder)
{
    infer_report r = {.vae = vae, .dataset = dataset, .table = o->out, .latency = NAN};
    elb_infer_settings settings = {.table = o->out,
                                   .limit = cli_or(o->limit, 0),
                                   .batch = cli_or(o->batch, 0),
                                   .samples = cli_or(o->samples, ladder ? REFINE_SAMPLES : 1),
                                   .keep_samples = !ladder && o->samples != CLI_UNSET,
                                   .ladder = ladder,
                                   .progress = progress_bar_show,
                                   .user = &c->bar};
    CLI_TRY(cli_seed(c, elb_vae_config(vae), &settings.seed));
    elb_status status = elb_infer(vae, dataset, &settings, &r.result);
    if (status == ELB_INTERRUPTED || status == ELB_REQUEUE)
        return cli_fail(c, status, "stopped before the end; nothing was written");
    CLI_TRY(status);
    if (!ladder) CLI_TRY(elb_infer_time(vae, dataset, 1, settings.seed, &r.latency));
    if (o->out && !r.result.has_variance)
        cli_note(c,
                 "note: this family of q(z|x) does not tell its variance, so '%s' has no column of it; --samples "
                 "writes draws to take it from",
                 o->out);
    const elb_infer_rung *last = infer_last(&r);
    if (ladder && last->gain_nats < -2 * last->gain_error)
        cli_note(c,
                 "note: the steps lowered the ELBO: they are too long for posteriors as narrow as these; try a tenth "
                 "of the rate, or --set refine.decay=1");
    if (c->common.json) return infer_print_json(c, &r, ladder);
    (ladder ? refine_print : infer_print)(&r);
    return ELB_OK;
}

static elb_status infer_with(cli *c, const infer_options *o, bool ladder, elb_vae *vae)
{
    elb_dataset *dataset = NULL;
    bool foreign;
    elb_status status = cli_open_data(c, vae, &o->source, &foreign, &dataset);
    if (status == ELB_OK) status = infer_data(c, o, vae, dataset, ladder);
    elb_dataset_destroy(dataset);
    return status;
}

static elb_status infer_run(cli *c, const void *values)
{
    elb_vae *vae;
    CLI_TRY(elb_vae_open(c->context, c->arguments[0], &vae));
    elb_status status = infer_with(c, values, false, vae);
    elb_vae_destroy(vae);
    return status;
}

/* The verb's own options are keys of refine, which a --set then has the last word on. */
static elb_status refine_set(const infer_options *o, elb_vae *vae)
{
    char steps[32];
    CLI_TRY(elb_config_get(elb_vae_config(vae), "refine.steps", steps, sizeof steps));
    if (o->steps != CLI_UNSET) snprintf(steps, sizeof steps, "%lld", (long long)o->steps);
    CLI_TRY(elb_vae_set(vae, "refine.steps", strcmp(steps, "0") == 0 ? "100" : steps));
    if (o->rate) CLI_TRY(elb_vae_set(vae, "refine.rate", o->rate));
    return o->from == CLI_UNSET ? ELB_OK : elb_vae_set(vae, "refine.start", infer_starts[o->from]);
}

static elb_status refine_run(cli *c, const void *values)
{
    elb_vae *vae;
    CLI_TRY(elb_vae_open(c->context, c->arguments[0], &vae));
    elb_status status = refine_set(values, vae);
    if (status == ELB_OK) status = infer_with(c, values, true, vae);
    elb_vae_destroy(vae);
    return status;
}

const cli_verb verb_infer = {
    .name = "infer",
    .summary = "the posterior q(z|x) of every datum, to a file",
    .arguments = "RUN",
    .details = "RUN is a run's folder or a model.safetensors file. Writes what is known of q(z|x) for every datum, and "
               "prints the mean ELBO, the time that inference takes for one datum alone, and how many a second it does "
               "in batches. With --set refine.steps=T it is refined by T gradient steps.\n\n"
               "Plain IDX and NPY files may be of any size: memory does not grow with them. The result depends neither "
               "on --batch nor on --threads. docs/methods/inference.md says what lambda holds.",
    .examples = "elbow infer run --out posterior.npz\n"
                "elbow infer run --data other.npy --samples 10 --out posterior.npz\n"
                "elbow infer run --set refine.steps=100 --limit 1000 --json",
    .options = infer_table,
    .size = sizeof(infer_options),
    .accepts = CLI_WORK | CLI_SEED | CLI_PROGRESS,
    .least = 1,
    .most = 1,
    .words = CLI_WORDS_FOLDER,
    .interruptible = true,
    .run = infer_run,
};

const cli_verb verb_refine = {
    .name = "refine",
    .summary = "improve every datum's q(z|x) by gradient steps, and tell what they gain",
    .arguments = "RUN",
    .details = "RUN is a run's folder or a model.safetensors file. Stochastic variational inference: the encoder's "
               "lambda(x) goes up the ELBO's gradient, the model held fixed. Prints the ELBO after 0, 1, 2, 5, 10, 20, "
               "50, ... steps, with its gain and the time per datum, each rung from the start; eval, infer and "
               "reconstruct refine with --set refine.steps=T.\n\n"
               "elbow keys lists the other keys of refine. The result depends neither on --batch nor on --threads.",
    .examples = "elbow refine run --steps 100\n"
                "elbow refine run --steps 1000 --from zero --rate 0.1 --limit 500\n"
                "elbow refine run --set refine.tolerance=0.01 --steps 2000 --out refined.npz",
    .options = refine_table,
    .size = sizeof(infer_options),
    .accepts = CLI_WORK | CLI_SEED | CLI_PROGRESS,
    .least = 1,
    .most = 1,
    .words = CLI_WORDS_FOLDER,
    .interruptible = true,
    .run = refine_run,
};
