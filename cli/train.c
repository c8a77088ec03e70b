/* train.c - elbow train. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <elbow/train.h>

#include "verbs.h"

typedef struct train_options {
    const char *data, *preset, *config, *out;
    cli_list set;
    bool resume, print_config;
} train_options;

static const cli_option train_table[] = {
    {.name = "data",
     .kind = CLI_TEXT,
     .offset = offsetof(train_options, data),
     .value = "SPEC",
     .words = CLI_WORDS_DATA,
     .help = "What to train on (data.spec): a file (IDX, NPY, NPZ, CSV, TSV, also with .gz), a folder of PNG images or "
             "IDX files, fashion-mnist, mnist, or synthetic:NAME."},
    {.name = "out",
     .kind = CLI_TEXT,
     .offset = offsetof(train_options, out),
     .value = "RUN",
     .words = CLI_WORDS_FOLDER,
     .help = "The run's folder; made if need be. A folder that holds a run is refused unless it is resumed."},
    {.name = "preset",
     .kind = CLI_TEXT,
     .offset = offsetof(train_options, preset),
     .value = "NAME",
     .words = CLI_WORDS_PRESET,
     .help = "A configuration with a name; 'elbow presets' lists them."},
    {.name = "config",
     .kind = CLI_TEXT,
     .offset = offsetof(train_options, config),
     .value = "FILE",
     .words = CLI_WORDS_FILE,
     .help = "A configuration in YAML, over the preset."},
    {.name = "set",
     .kind = CLI_LIST,
     .offset = offsetof(train_options, set),
     .value = "KEY=VALUE",
     .words = CLI_WORDS_KEY,
     .help = "One key of the configuration, over all else; may be repeated. 'elbow keys' lists the keys."},
    {.name = "resume",
     .kind = CLI_FLAG,
     .offset = offsetof(train_options, resume),
     .help = "Go on with the run in --out, from its last checkpoint, to the same bits as if it had never stopped. Only "
             "keys of train other than train.batch may differ from before."},
    {.name = "print-config",
     .kind = CLI_FLAG,
     .offset = offsetof(train_options, print_config),
     .help = "Print the complete configuration as YAML, with an explanation of every key, and stop."},
    {.name = NULL},
};

/* --- the configuration -------------------------------------------------------------------------------------------- */

/* Later ones win: what the run was started with or the defaults, preset, file, --data and --seed, --set. */
static elb_status train_fill(cli *c, const train_options *o, elb_config *config)
{
    char seed[32];
    if (o->preset) CLI_TRY(elb_config_preset(config, o->preset));
    if (o->config) CLI_TRY(elb_config_load(config, o->config));
    if (o->data) CLI_TRY(elb_config_set(config, "data.spec", o->data));
    if (c->common.seed != CLI_UNSET) {
        snprintf(seed, sizeof seed, "%lld", (long long)c->common.seed);
        CLI_TRY(elb_config_set(config, "seed", seed));
    }
    return cli_set_config(c, &o->set, config);
}

static elb_status train_check(cli *c, const train_options *o, const elb_config *config)
{
    char spec[1024];
    if (!o->out) return cli_fail(c, ELB_USAGE, "--out RUN is missing: the folder for the trained model and its log");
    CLI_TRY(elb_config_get(config, "data.spec", spec, sizeof spec));
    if (!*spec)
        return cli_fail(c, ELB_USAGE,
                        "--data SPEC is missing: a file, a folder, fashion-mnist, mnist or synthetic:NAME");
    return ELB_OK;
}

static elb_status train_print_config(const elb_config *config, elb_context *context)
{
    char *yaml;
    CLI_TRY(elb_config_write(config, &yaml));
    fputs(yaml, stdout);
    elb_text_free(context, yaml);
    return ELB_OK;
}

/* --- the result --------------------------------------------------------------------------------------------------- */

typedef struct train_size {
    int64_t data, latent, parameters;
} train_size;

static elb_status train_measure(cli *c, const char *folder, train_size *size)
{
    elb_vae *vae;
    CLI_TRY(elb_vae_open(c->context, folder, &vae));
    *size = (train_size){elb_vae_data_size(vae), elb_vae_latent_size(vae), elb_vae_parameter_count(vae)};
    elb_vae_destroy(vae);
    return ELB_OK;
}

static void train_bound(const char *name, double nats, int64_t size, const char *estimator)
{
    cli_row(name, "%.3f nats per datum, %.4f bits/dim (%s)", nats, cli_bits_per_dim(nats, size), estimator);
}

static void train_print(const char *folder, const elb_train_result *r, const train_size *size)
{
    cli_row("run", "%s", folder);
    cli_row("model", "%lld values, %lld latent, %lld parameters", (long long)size->data, (long long)size->latent,
            (long long)size->parameters);
    cli_row("trained", "%lld epochs, %lld steps, %.1f s%s", (long long)r->epochs, (long long)r->steps, r->seconds,
            r->stopped_early ? "; stopped early" : "");
    if (r->nothing_to_train)
        cli_row("now", "nothing was left to train, no file was changed; more: --set train.epochs=N");
    train_bound("ELBO", r->elbo, size->data, "training data, mean over the last epoch");
    cli_row("KL", "%.3f nats per datum", r->kl);
    if (isfinite(r->validation_elbo))
        train_bound("validation ELBO", r->validation_elbo, size->data, "1 sample, best epoch");
    cli_row("active units", "%lld of %lld", (long long)r->active_units, (long long)size->latent);
}

static elb_status train_print_json(cli *c, const char *folder, const elb_train_result *r, const train_size *size)
{
    json_t *o = json_object();
    json_object_set_new(o, "run", json_string(folder));
    json_object_set_new(o, "epochs", json_integer(r->epochs));
    json_object_set_new(o, "steps", json_integer(r->steps));
    json_object_set_new(o, "seconds", cli_real(r->seconds));
    json_object_set_new(o, "unit", json_string("nats per datum"));
    json_object_set_new(o, "elbo", cli_real(r->elbo));
    json_object_set_new(o, "kl", cli_real(r->kl));
    json_object_set_new(o, "bits_per_dim", cli_real(cli_bits_per_dim(r->elbo, size->data)));
    json_object_set_new(o, "validation_elbo", cli_real(r->validation_elbo));
    json_object_set_new(o, "active_units", json_integer(r->active_units));
    json_object_set_new(o, "data_size", json_integer(size->data));
    json_object_set_new(o, "latent_size", json_integer(size->latent));
    json_object_set_new(o, "parameters", json_integer(size->parameters));
    json_object_set_new(o, "stopped_early", json_boolean(r->stopped_early));
    json_object_set_new(o, "nothing_to_train", json_boolean(r->nothing_to_train));
    return cli_print_json(c, o, JSON_INDENT(2));
}

/* --- the verb ----------------------------------------------------------------------------------------------------- */

static elb_status train_go(cli *c, const train_options *o, const elb_config *config)
{
    elb_train_settings settings = {
        .folder = o->out, .resume = o->resume, .progress = progress_bar_show, .user = &c->bar};
    elb_train_result result;
    CLI_TRY(train_check(c, o, config));
    elb_status status = elb_train(config, &settings, &result);
    if (status == ELB_INTERRUPTED || status == ELB_REQUEUE)
        return cli_fail(c, status,
                        "stopped in epoch %lld after step %lld; a checkpoint was written, go on with: elbow train "
                        "--resume --out %s",
                        (long long)result.epochs + 1, (long long)result.steps, o->out);
    CLI_TRY(status);
    train_size size;
    CLI_TRY(train_measure(c, o->out, &size));
    if (c->common.json) return train_print_json(c, o->out, &result, &size);
    train_print(o->out, &result, &size);
    cli_hint(c, "elbow eval %s   elbow sample %s   elbow report %s", o->out, o->out, o->out);
    return ELB_OK;
}

static elb_status train_run(cli *c, const void *values)
{
    const train_options *o = values;
    if (o->resume && !o->out) return cli_fail(c, ELB_USAGE, "--out RUN is missing: the run's folder to go on with");
    elb_config *config;
    CLI_TRY(o->resume ? elb_run_config(c->context, o->out, &config) : elb_config_create(c->context, &config));
    elb_status status = train_fill(c, o, config);
    if (status == ELB_OK) status = o->print_config ? train_print_config(config, c->context) : train_go(c, o, config);
    elb_config_destroy(config);
    return status;
}

const cli_verb verb_train = {
    .name = "train",
    .summary = "train a variational autoencoder into a run folder",
    .arguments = "",
    .details = "Trains on --data and writes the run folder --out: config.yaml (complete), model.safetensors (PyTorch's "
               "names and layout), state.safetensors (to resume from), log.jsonl (one object per epoch).\n\n"
               "Configuration comes from the defaults, then --preset, then --config, then --data and --seed, then "
               "--set: the later one wins. SIGINT and SIGTERM write a checkpoint first.",
    .examples = "elbow train --preset avi --data fashion-mnist --out run\n"
                "elbow train --preset table --data table.csv --set model.latent=8 --out run\n"
                "elbow train --resume --out run --set train.epochs=100\n"
                "elbow train --preset avi --print-config >my.yaml",
    .options = train_table,
    .size = sizeof(train_options),
    .accepts = CLI_WORK | CLI_SEED | CLI_PROGRESS,
    .interruptible = true,
    .run = train_run,
};
