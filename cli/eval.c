/* eval.c - elbow eval. */
#include <math.h>
#include <string.h>

#include <elbow/evaluate.h>

#include "source.h"
#include "verbs.h"

typedef struct eval_options {
    cli_source source;
    int estimator;
    int64_t samples, limit, batch;
    const char *per_datum;
} eval_options;

static const char *const eval_estimators[] = {"elbo", "iwae", NULL}; /* as elb_estimator */

static const cli_option eval_table[] = {
    CLI_SOURCE_OPTIONS(eval_options),
    {.name = "estimator",
     .kind = CLI_CHOICE,
     .offset = offsetof(eval_options, estimator),
     .value = "NAME",
     .choices = eval_estimators,
     .fallback = "iwae",
     .help = "iwae: importance-weighted log-likelihood, which approaches log p(x) from below as K grows. elbo: the "
             "evidence lower bound."},
    {.name = "samples",
     .kind = CLI_INT,
     .offset = offsetof(eval_options, samples),
     .value = "K",
     .min = 1,
     .max = 100000000,
     .help = "Posterior samples per datum; by default 100 for iwae and 1 for elbo. 5000 is usual in print."},
    {.name = "limit",
     .kind = CLI_INT,
     .offset = offsetof(eval_options, limit),
     .value = "N",
     .min = 1,
     .max = INT64_C(1000000000000),
     .help = "Only the first N data."},
    {.name = "batch",
     .kind = CLI_INT,
     .offset = offsetof(eval_options, batch),
     .value = "B",
     .min = 1,
     .max = 1000000,
     .help = "Data in flight at a time. Changes memory and speed, never the result."},
    {.name = "per-datum",
     .kind = CLI_TEXT,
     .offset = offsetof(eval_options, per_datum),
     .value = "FILE",
     .words = CLI_WORDS_FILE,
     .help = "Write every datum's index, label, elbo, iwae, ess and k_hat to an .npz or .csv file."},
    {.name = NULL},
};

static void eval_print(const elb_evaluation *e, const elb_dataset *dataset, const char *binarise)
{
    bool iwae = e->estimator == ELB_ESTIMATE_IWAE;
    cli_row("data", "%s, %lld of %lld, binarised: %s", elb_dataset_name(dataset), (long long)e->n,
            (long long)elb_dataset_count(dataset), binarise);
    cli_row("estimator", "%s, %lld sample%s per datum, seed %llu", elb_estimator_name(e->estimator),
            (long long)e->samples, e->samples == 1 ? "" : "s", (unsigned long long)e->seed);
    cli_row(iwae ? "log-likelihood" : "ELBO", "%.3f +- %.3f nats per datum (standard error over data)",
            e->log_likelihood_nats, e->standard_error);
    cli_row("bits/dim", "%.4f", e->bits_per_dim);
    if (iwae) cli_row("ELBO", "%.3f nats per datum (the same samples)", e->elbo_nats);
    if (iwae) cli_row("effective samples", "%.1f of %lld (mean)", e->ess, (long long)e->samples);
    if (isfinite(e->k_hat))
        cli_row("Pareto k-hat", "%.2f (mean); above 0.7 for %.1f %% of the data", e->k_hat, 100 * e->k_hat_bad);
    cli_row("time", "%.1f s", e->seconds);
}

static elb_status eval_print_json(cli *c, const elb_vae *vae, const elb_dataset *dataset, const elb_evaluation *e)
{
    char *text;
    CLI_TRY(elb_evaluation_json(vae, dataset, e, &text));
    puts(text);
    elb_text_free(c->context, text);
    return ELB_OK;
}

static elb_status eval_show(cli *c, const elb_vae *vae, const elb_dataset *dataset, const elb_evaluation *e)
{
    char binarise[64];
    if (c->common.json) return eval_print_json(c, vae, dataset, e);
    CLI_TRY(elb_config_get(elb_vae_config(vae), "data.binarise", binarise, sizeof binarise));
    eval_print(e, dataset, binarise);
    if (e->k_hat_bad > 0.1)
        cli_note(
            c, "note: Pareto k-hat is above 0.7 for many data: the estimate is still a lower bound, and more --samples "
               "will raise it");
    return ELB_OK;
}

/* A run keeps what tells of it as a whole: the estimate on all of its own test data, as it was trained to see them. */
static elb_status eval_keep(cli *c, const eval_options *o, bool foreign, const elb_vae *vae, const elb_dataset *dataset,
                            const elb_evaluation *e)
{
    const char *run = c->arguments[0];
    bool part = o->source.part != CLI_UNSET && o->source.part != ELB_PART_TEST;
    if (!cli_is_folder(run)) return ELB_OK;
    if (o->limit != CLI_UNSET || foreign || part || o->source.set.count > 0) {
        cli_note(c,
                 "note: not kept in '%s', which keeps only what was found on all of its own test data, without --limit "
                 "and --set",
                 run);
        return ELB_OK;
    }
    CLI_TRY(elb_evaluation_save(vae, dataset, e, run));
    cli_hint(c, "elbow report %s (this result is kept there)", run);
    return ELB_OK;
}

static elb_status eval_data(cli *c, const eval_options *o, bool foreign, elb_vae *vae, const elb_dataset *dataset)
{
    elb_evaluation e;
    elb_evaluate_settings settings = {.estimator = (elb_estimator)o->estimator,
                                      .samples = o->samples != CLI_UNSET             ? o->samples
                                                 : o->estimator == ELB_ESTIMATE_IWAE ? 100
                                                                                     : 1,
                                      .limit = o->limit == CLI_UNSET ? 0 : o->limit,
                                      .batch = o->batch == CLI_UNSET ? 0 : o->batch,
                                      .per_datum = o->per_datum,
                                      .progress = progress_bar_show,
                                      .user = &c->bar};
    CLI_TRY(cli_seed(c, elb_vae_config(vae), &settings.seed));
    elb_status status = elb_evaluate(vae, dataset, &settings, &e);
    if (status == ELB_INTERRUPTED || status == ELB_REQUEUE)
        return cli_fail(c, status, "stopped before the end; nothing was written");
    CLI_TRY(status);
    CLI_TRY(eval_show(c, vae, dataset, &e));
    fflush(stdout); /* a run that cannot keep it must not cost the result */
    return eval_keep(c, o, foreign, vae, dataset, &e);
}

static elb_status eval_run(cli *c, const void *values)
{
    const eval_options *o = values;
    elb_vae *vae;
    elb_dataset *dataset = NULL;
    CLI_TRY(elb_vae_open(c->context, c->arguments[0], &vae));
    bool foreign;
    elb_status status = cli_open_data(c, vae, &o->source, &foreign, &dataset);
    if (status == ELB_OK) status = eval_data(c, o, foreign, vae, dataset);
    elb_dataset_destroy(dataset);
    elb_vae_destroy(vae);
    return status;
}

const cli_verb verb_eval = {
    .name = "eval",
    .summary = "estimate the log-likelihood of data under a trained model",
    .arguments = "RUN",
    .details =
        "RUN is a run's folder or a model.safetensors file. Prints the mean over the data in nats and in bits per "
        "dimension, "
        "with its standard error, the effective sample size and Pareto k-hat; a run keeps it as eval-elbo.json or "
        "eval-iwae.json for its report, unless --limit, --set, other --data or another --part than test was given.\n\n"
        "The result depends neither on --batch nor on --threads.",
    .examples = "elbow eval run\n"
                "elbow eval run --estimator iwae --samples 5000 --limit 1000 --json\n"
                "elbow eval run --data other.npy --per-datum other.npz\n"
                "elbow eval run --set data.binarise=threshold",
    .options = eval_table,
    .size = sizeof(eval_options),
    .accepts = CLI_WORK | CLI_SEED | CLI_PROGRESS,
    .least = 1,
    .most = 1,
    .words = CLI_WORDS_FOLDER,
    .interruptible = true,
    .run = eval_run,
};
