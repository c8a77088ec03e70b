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
    int64_t chains, temperatures, leapfrog;
    int schedule, start, adapt;
    const char *per_datum, *partial;
} eval_options;

static const char *const eval_estimators[] = {"elbo", "iwae", "ais", "bdmc", NULL}; /* as elb_estimator */
static const char *const eval_schedules[] = {"linear", "sigmoid", NULL};            /* as elb_anneal_schedule */
static const char *const eval_starts[] = {"prior", "posterior", NULL};              /* as elb_anneal_start */
static const char *const eval_adapts[] = {"pilot", "in-run", NULL};                 /* as elb_anneal_adapt */

static const cli_option eval_table[] = {
    CLI_SOURCE_OPTIONS(eval_options),
    {.name = "estimator",
     .kind = CLI_CHOICE,
     .offset = offsetof(eval_options, estimator),
     .value = "NAME",
     .choices = eval_estimators,
     .fallback = "iwae",
     .help = "iwae: importance-weighted log-likelihood, which approaches log p(x) from below as K grows. elbo: the "
             "evidence lower bound. ais: annealed importance sampling, a lower bound in the mean that does not hang on "
             "q(z|x). bdmc: ais between a lower and an upper bound, on data drawn from the model, to tell whether it "
             "has converged."},
    {.name = "samples",
     .kind = CLI_INT,
     .offset = offsetof(eval_options, samples),
     .value = "K",
     .min = 1,
     .max = 100000000,
     .help = "Posterior samples per datum; by default 100 for iwae and 1 for elbo. 5000 is usual in print."},
    {.name = "chains",
     .kind = CLI_INT,
     .offset = offsetof(eval_options, chains),
     .value = "C",
     .min = 1,
     .max = 1000000,
     .help = "Chains per datum of ais and bdmc; by default 16."},
    {.name = "temperatures",
     .kind = CLI_INT,
     .offset = offsetof(eval_options, temperatures),
     .value = "R",
     .min = 1,
     .max = 10000000,
     .help = "Temperatures between the start and the target of ais and bdmc, the target among them; by default 500. "
             "More bring the estimate closer to log p(x), in proportional time; 10000 is usual in print."},
    {.name = "leapfrog",
     .kind = CLI_INT,
     .offset = offsetof(eval_options, leapfrog),
     .value = "L",
     .min = 1,
     .max = 100000,
     .help = "Leapfrog steps of every Hamiltonian move of ais and bdmc; by default 10."},
    {.name = "schedule",
     .kind = CLI_CHOICE,
     .offset = offsetof(eval_options, schedule),
     .value = "NAME",
     .choices = eval_schedules,
     .help =
         "How ais and bdmc space their temperatures: evenly (linear), or densely at both ends (sigmoid, the default)."},
    {.name = "start",
     .kind = CLI_CHOICE,
     .offset = offsetof(eval_options, start),
     .value = "NAME",
     .choices = eval_starts,
     .help = "Where the chains of ais and bdmc start: from the prior (the default), or from q(z|x), refined as --set "
             "refine.steps says."},
    {.name = "adapt",
     .kind = CLI_CHOICE,
     .offset = offsetof(eval_options, adapt),
     .value = "NAME",
     .choices = eval_adapts,
     .help = "How ais and bdmc find their step sizes: by a pilot run per datum, then frozen (pilot, the default), or "
             "per chain while it runs, as published (in-run)."},
    CLI_WALK_OPTIONS(eval_options),
    {.name = "per-datum",
     .kind = CLI_TEXT,
     .offset = offsetof(eval_options, per_datum),
     .value = "FILE",
     .words = CLI_WORDS_FILE,
     .help = "Write every datum's index, label and results to an .npz or .csv file."},
    {.name = "partial",
     .kind = CLI_TEXT,
     .offset = offsetof(eval_options, partial),
     .value = "FILE",
     .words = CLI_WORDS_FILE,
     .help = "Where the data done so far are kept, so that the same command, stopped, goes on from there; by default "
             "eval-NAME.partial in a run's folder for ais and bdmc."},
    {.name = NULL},
};

static bool eval_anneals(elb_estimator estimator)
{
    return estimator == ELB_ESTIMATE_AIS || estimator == ELB_ESTIMATE_BDMC;
}

static void eval_print_importance(const elb_evaluation *e)
{
    bool iwae = e->estimator == ELB_ESTIMATE_IWAE;
    cli_row("estimator", "%s, %lld sample%s per datum, seed %llu", elb_estimator_name(e->estimator),
            (long long)e->samples, e->samples == 1 ? "" : "s", (unsigned long long)e->seed);
    cli_row(iwae ? "log-likelihood" : "ELBO", "%.3f +- %.3f nats per datum (standard error over data)",
            e->log_likelihood_nats, e->standard_error);
    cli_row("bits/dim", "%.4f", e->bits_per_dim);
    if (iwae) cli_row("ELBO", "%.3f nats per datum (the same samples)", e->elbo_nats);
    if (iwae) cli_row("effective samples", "%.1f of %lld (mean)", e->ess, (long long)e->samples);
    if (isfinite(e->k_hat))
        cli_row("Pareto k-hat", "%.2f (mean); above 0.7 for %.1f %% of the data", e->k_hat, 100 * e->k_hat_bad);
}

static void eval_print_sandwich(const elb_evaluation *e)
{
    cli_row("lower bound", "%.3f nats per datum", e->log_likelihood_nats);
    cli_row("upper bound", "%.3f nats per datum", e->upper_nats);
    cli_row("sandwich", "%.3f +- %.3f nats (standard error over data)", e->sandwich_nats, e->sandwich_error);
    if (e->converged)
        cli_row("converged", "yes: AIS by these settings is within %.3f nats of log p(x) on the model's own data",
                e->sandwich_nats);
    else
        cli_row("converged", "NO: the bounds are more than %g nats apart; take more --temperatures or --chains",
                ELB_SANDWICH_CONVERGED);
}

static void eval_print_annealed(const elb_evaluation *e)
{
    const elb_anneal_settings *a = &e->anneal;
    cli_row("estimator", "%s, %lld chains, %lld temperatures (%s, from the %s), %lld leapfrog steps, seed %llu",
            elb_estimator_name(e->estimator), (long long)a->chains, (long long)a->temperatures,
            eval_schedules[a->schedule], eval_starts[a->start], (long long)a->leapfrog, (unsigned long long)e->seed);
    if (e->estimator == ELB_ESTIMATE_BDMC) {
        eval_print_sandwich(e);
    } else {
        cli_row("log-likelihood", "%.3f +- %.3f nats per datum (standard error over data; %.3f by the chains)",
                e->log_likelihood_nats, e->standard_error, e->chain_error);
        cli_row("bits/dim", "%.4f", e->bits_per_dim);
    }
    cli_row("effective chains", "%.1f of %lld (mean)", e->ess, (long long)a->chains);
    cli_row("moves", "%.0f %% accepted, step size %.3g (means)", 100 * e->acceptance, e->step_size);
}

static void eval_print(const elb_evaluation *e, const elb_dataset *dataset, const char *binarise, const char *steps)
{
    if (dataset)
        cli_row("data", "%s, %lld of %lld, binarised: %s", elb_dataset_name(dataset), (long long)e->n,
                (long long)elb_dataset_count(dataset), binarise);
    else
        cli_row("data", "%lld, drawn from the model", (long long)e->n);
    if (strcmp(steps, "0") != 0) cli_row("q(z|x)", "refined, %s steps at most", steps);
    if (eval_anneals(e->estimator))
        eval_print_annealed(e);
    else
        eval_print_importance(e);
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
    char binarise[64], steps[64];
    if (c->common.json) return eval_print_json(c, vae, dataset, e);
    CLI_TRY(elb_config_get(elb_vae_config(vae), "data.binarise", binarise, sizeof binarise));
    CLI_TRY(elb_config_get(elb_vae_config(vae), "refine.steps", steps, sizeof steps));
    eval_print(e, dataset, binarise, steps);
    if (e->k_hat_bad > 0.1)
        cli_note(c, "note: Pareto k-hat is above 0.7 for many data: the estimate is still a lower bound, and more "
                    "--samples will raise it");
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

/* An option of another estimator is refused: what it should change would not change. */
static elb_status eval_check(cli *c, const eval_options *o)
{
    bool anneals = eval_anneals((elb_estimator)o->estimator), bdmc = o->estimator == ELB_ESTIMATE_BDMC;
    bool annealing = o->chains != CLI_UNSET || o->temperatures != CLI_UNSET || o->leapfrog != CLI_UNSET ||
                     o->schedule != CLI_UNSET || o->start != CLI_UNSET || o->adapt != CLI_UNSET;
    if (anneals && o->samples != CLI_UNSET)
        return cli_fail(c, ELB_USAGE, "--samples belongs to elbo and iwae; %s takes --chains and --temperatures",
                        eval_estimators[o->estimator]);
    if (!anneals && annealing)
        return cli_fail(c, ELB_USAGE,
                        "--chains, --temperatures, --leapfrog, --schedule, --start and --adapt belong to ais and bdmc; "
                        "%s takes --samples",
                        eval_estimators[o->estimator]);
    if (bdmc && (o->source.data || o->source.part != CLI_UNSET))
        return cli_fail(c, ELB_USAGE, "bdmc draws its data from the model: --data and --part are not for it");
    return ELB_OK;
}

/* The file that the caller names; for what takes hours, one in the run's folder. *path is to be freed. */
static elb_status eval_partial(cli *c, const eval_options *o, char **path)
{
    char name[64];
    *path = NULL;
    if (o->partial || !eval_anneals((elb_estimator)o->estimator) || !cli_is_folder(c->arguments[0])) return ELB_OK;
    snprintf(name, sizeof name, "eval-%s.partial", eval_estimators[o->estimator]);
    return cli_path(c, c->arguments[0], name, path);
}

static elb_status eval_run_estimate(cli *c, const eval_options *o, const char *partial, elb_vae *vae,
                                    const elb_dataset *dataset, elb_evaluation *e)
{
    elb_evaluate_settings settings = {
        .estimator = (elb_estimator)o->estimator,
        .samples = cli_or(o->samples, o->estimator == ELB_ESTIMATE_IWAE ? 100 : 1),
        .anneal = {.chains = cli_or(o->chains, 16),
                   .temperatures = cli_or(o->temperatures, 500),
                   .leapfrog = cli_or(o->leapfrog, 10),
                   .schedule = (elb_anneal_schedule)cli_or(o->schedule, ELB_ANNEAL_SIGMOID),
                   .start = (elb_anneal_start)cli_or(o->start, ELB_ANNEAL_PRIOR),
                   .adapt = (elb_anneal_adapt)cli_or(o->adapt, ELB_ADAPT_PILOT)},
        .limit = cli_or(o->limit, 0),
        .batch = cli_or(o->batch, 0),
        .per_datum = o->per_datum,
        .partial = partial,
        .progress = progress_bar_show,
        .user = &c->bar};
    CLI_TRY(cli_seed(c, elb_vae_config(vae), &settings.seed));
    elb_status status = elb_evaluate(vae, dataset, &settings, e);
    if (status != ELB_INTERRUPTED && status != ELB_REQUEUE) return status;
    if (partial) return cli_fail(c, status, "stopped before the end; the same command goes on from %s", partial);
    return cli_fail(c, status, "stopped before the end; nothing was written");
}

static elb_status eval_data(cli *c, const eval_options *o, bool foreign, elb_vae *vae, const elb_dataset *dataset)
{
    elb_evaluation e;
    char *partial;
    CLI_TRY(eval_partial(c, o, &partial));
    elb_status status = eval_run_estimate(c, o, partial ? partial : o->partial, vae, dataset, &e);
    free(partial);
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
    bool foreign = false;
    CLI_TRY(eval_check(c, o));
    CLI_TRY(elb_vae_open(c->context, c->arguments[0], &vae));
    elb_status status = o->estimator == ELB_ESTIMATE_BDMC ? cli_set_source(c, vae, &o->source)
                                                          : cli_open_data(c, vae, &o->source, &foreign, &dataset);
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
        "dimension, with its standard error, the effective sample size and Pareto k-hat; a run keeps it as "
        "eval-NAME.json for its report, unless --limit, --set, other --data or another --part than test was given.\n\n"
        "ais and bdmc may take hours. Stopped, they keep the data done so far in a file of the run's folder, and the "
        "same command goes on from it. bdmc needs no data: it draws them from the model, 100 unless --limit says "
        "otherwise.\n\n"
        "The result depends neither on --batch nor on --threads.",
    .examples = "elbow eval run\n"
                "elbow eval run --estimator iwae --samples 5000 --limit 1000 --json\n"
                "elbow eval run --estimator ais --temperatures 1000 --limit 100 --per-datum ais.csv\n"
                "elbow eval run --estimator bdmc --temperatures 1000\n"
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
