/* inspect.c - elbow inspect: what is in a run, a model file, or data. What is found is one JSON object, which --json
 * prints as it is, and which is laid out as text otherwise. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <elbow/convert.h>
#include <elbow/evaluate.h>

#include "source.h"
#include "verbs.h"

typedef struct inspect_options {
    cli_list set;
} inspect_options;

static const cli_option inspect_table[] = {
    {.name = "set",
     .kind = CLI_LIST,
     .offset = offsetof(inspect_options, set),
     .value = "KEY=VALUE",
     .words = CLI_WORDS_KEY,
     .help = "For data: how to read them, such as data.key=x for an array in an NPZ file; may be repeated."},
    {.name = NULL},
};

/* --- layout ------------------------------------------------------------------------------------------------------- */

static void inspect_put_scalar(const json_t *value)
{
    if (json_is_string(value)) fputs(json_string_value(value), stdout);
    if (json_is_integer(value)) printf("%lld", (long long)json_integer_value(value));
    if (json_is_real(value)) printf("%.6g", json_real_value(value));
    if (json_is_boolean(value)) fputs(json_is_true(value) ? "yes" : "no", stdout);
    if (json_is_null(value)) fputs("unknown", stdout);
}

/* A line per object: its first value as a column, then the others by name. */
static void inspect_put_list(json_t *list)
{
    size_t i;
    json_t *item, *value;
    json_array_foreach(list, i, item)
    {
        const char *key;
        int at = 0;
        json_object_foreach(item, key, value)
        {
            if (at == 0) printf("  %-28s", json_string_value(value));
            if (at > 0) printf("%s%s ", at > 1 ? ", " : " ", key);
            if (at++ > 0) inspect_put_scalar(value);
        }
        putchar('\n');
    }
}

/* "nan_count" reads better as "nan count". */
static int inspect_put_label(const char *key)
{
    int width = 0;
    for (; *key; key++, width++) putchar(*key == '_' ? ' ' : *key);
    return width;
}

static void inspect_put(json_t *object)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (!json_is_object(value) && !json_is_array(value)) {
            int width = inspect_put_label(key);
            printf("%*s", width < 20 ? 21 - width : 1, "");
            inspect_put_scalar(value);
            putchar('\n');
            continue;
        }
        inspect_put_label(key);
        putchar('\n');
        if (json_is_array(value)) inspect_put_list(value);
        const char *name;
        json_t *inner;
        json_object_foreach(value, name, inner)
        {
            printf("  %-28s ", name);
            inspect_put_scalar(inner);
            putchar('\n');
        }
    }
}

/* --- data --------------------------------------------------------------------------------------------------------- */

static void inspect_facts(json_t *o, const elb_dataset *d)
{
    int64_t shape[3];
    int rank = elb_dataset_shape(d, shape);
    elb_data_facts f = elb_dataset_facts(d);
    char text[80];
    int used = snprintf(text, sizeof text, "%lld", (long long)shape[0]);
    for (int i = 1; i < rank; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "x%lld", (long long)shape[i]);
    json_object_set_new(o, "shape", json_string(text));
    json_object_set_new(o, "values_per_datum", json_integer(elb_dataset_size(d)));
    json_object_set_new(o, "type", json_string(f.eight_bit ? "8-bit integer" : "32-bit float"));
    json_object_set_new(o, "min", cli_real(f.min));
    json_object_set_new(o, "max", cli_real(f.max));
    json_object_set_new(o, "nan_count", json_integer(f.nan_count));
    json_object_set_new(o, "infinite_count", json_integer(f.infinite_count));
    json_object_set_new(o, "scale", cli_real(f.scale));
    json_object_set_new(o, "binary", json_boolean(f.binary));
    json_object_set_new(o, "labels", json_boolean(elb_dataset_has_labels(d)));
}

/* A part that is not there (ELB_USAGE) is left out. */
static elb_status inspect_part(const elb_config *config, elb_part part, json_t *parts, json_t *facts)
{
    elb_dataset *d;
    elb_status status = elb_config_open_data(config, NULL, part, &d);
    if (status == ELB_USAGE && !facts) return ELB_OK;
    CLI_TRY(status);
    json_array_append_new(parts, json_pack("{s:s,s:I,s:s}", "part", elb_part_name(part), "count",
                                           (json_int_t)elb_dataset_count(d), "as", elb_dataset_describe(d)));
    if (facts) inspect_facts(facts, d);
    elb_dataset_destroy(d);
    return ELB_OK;
}

static elb_status inspect_data_parts(const elb_config *config, json_t *o)
{
    json_t *parts = json_array();
    elb_status status = inspect_part(config, ELB_PART_TEST, parts, NULL);
    if (status == ELB_OK) status = inspect_part(config, ELB_PART_VALIDATION, parts, NULL);
    if (status == ELB_OK) status = inspect_part(config, ELB_PART_TRAIN, parts, o);
    json_object_set_new(o, "parts", parts);
    return status;
}

static elb_status inspect_data(cli *c, const inspect_options *options, json_t *o)
{
    elb_config *config;
    const char *spec = c->arguments[0];
    c->common.quiet = true; /* the same facts would be logged */
    json_object_set_new(o, "kind", json_string("data"));
    json_object_set_new(o, "data", json_string(spec));
    CLI_TRY(elb_config_create(c->context, &config));
    elb_status status = elb_config_set(config, "data.spec", spec);
    if (status == ELB_OK) status = cli_set_config(c, &options->set, config);
    if (status == ELB_OK) status = inspect_data_parts(config, o);
    elb_config_destroy(config);
    return status;
}

/* --- models and runs ---------------------------------------------------------------------------------------------- */

static void inspect_parameter(void *user, const char *name, int rank, const int64_t *shape)
{
    char text[120] = "";
    size_t used = 0;
    int64_t count = 1;
    for (int i = 0; i < rank; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%lld", i ? "x" : "", (long long)shape[i]);
        count *= shape[i];
    }
    json_array_append_new(user, json_pack("{s:s,s:s,s:I}", "name", name, "shape", text, "count", (json_int_t)count));
}

typedef struct inspect_keys {
    const elb_config *config;
    json_t *object;
} inspect_keys;

static void inspect_key(void *user, const elb_key *key)
{
    inspect_keys *job = user;
    char text[1024];
    if (elb_config_get(job->config, key->key, text, sizeof text) == ELB_OK)
        json_object_set_new(job->object, key->key, json_string(text));
}

static elb_status inspect_model(cli *c, json_t *o)
{
    elb_vae *vae;
    CLI_TRY(elb_vae_open(c->context, c->arguments[0], &vae));
    json_t *parameters = json_array();
    inspect_keys keys = {elb_vae_config(vae), json_object()};
    json_object_set_new(o, "data_size", json_integer(elb_vae_data_size(vae)));
    json_object_set_new(o, "latent_size", json_integer(elb_vae_latent_size(vae)));
    json_object_set_new(o, "parameter_count", json_integer(elb_vae_parameter_count(vae)));
    elb_vae_parameters(vae, inspect_parameter, parameters);
    elb_config_keys(inspect_key, &keys);
    json_object_set_new(o, "parameters", parameters);
    json_object_set_new(o, "configuration", keys.object);
    elb_vae_destroy(vae);
    return ELB_OK;
}

static void inspect_tensor(void *user, const char *name, const char *dtype, int rank, const int64_t *shape)
{
    json_t *list = user;
    inspect_parameter(list, name, rank, shape);
    json_object_set_new(json_array_get(list, json_array_size(list) - 1), "dtype", json_string(dtype));
}

/* A model of elbow, or somebody else's tensors, which elbow convert may make one of. */
static elb_status inspect_file(cli *c, json_t *o)
{
    bool own;
    json_t *tensors = json_array();
    elb_status status = elb_weights_list(c->context, c->arguments[0], &own, inspect_tensor, tensors);
    if (status == ELB_OK && !own) {
        json_object_set_new(o, "kind", json_string("weights"));
        json_object_set_new(o, "file", json_string(c->arguments[0]));
        json_object_set_new(o, "tensors", tensors);
        return ELB_OK;
    }
    json_decref(tensors);
    CLI_TRY(status);
    json_object_set_new(o, "kind", json_string("model"));
    json_object_set_new(o, "model", json_string(c->arguments[0]));
    return inspect_model(c, o);
}

/* The numbers of the log's last epoch; a log that cannot be read tells nothing. */
static json_t *inspect_last_epoch(const char *path)
{
    FILE *file = fopen(path, "r");
    json_t *last = NULL;
    char *line = NULL;
    size_t size = 0;
    while (file && getline(&line, &size, file) > 0) {
        json_t *object = json_loads(line, 0, NULL);
        const char *event = json_string_value(json_object_get(object, "event"));
        if (event && strcmp(event, "epoch") == 0) {
            json_decref(last);
            last = json_incref(object);
        }
        json_decref(object);
    }
    free(line);
    if (file) fclose(file);
    return last;
}

static elb_status inspect_training(cli *c, json_t *o)
{
    static const char *const keys[] = {"epoch",           "step",        "elbo", "kl", "reconstruction",
                                       "validation_elbo", "active_units"};
    char *path;
    CLI_TRY(cli_path(c, c->arguments[0], "log.jsonl", &path));
    json_t *last = inspect_last_epoch(path), *training = json_object();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_t *value = json_object_get(last, keys[i]);
        if (value) json_object_set(training, keys[i], value);
    }
    json_object_set_new(o, "last_epoch", training);
    json_decref(last);
    free(path);
    return ELB_OK;
}

static elb_status inspect_evaluations(cli *c, json_t *o)
{
    static const char *const keys[] = {"log_likelihood_nats", "standard_error", "bits_per_dim", "samples", "n", "data"};
    json_t *list = json_array();
    json_object_set_new(o, "evaluations", list);
    for (int e = ELB_ESTIMATE_ELBO; e <= ELB_ESTIMATE_BDMC; e++) {
        char *path, name[32];
        snprintf(name, sizeof name, "eval-%s.json", elb_estimator_name((elb_estimator)e));
        CLI_TRY(cli_path(c, c->arguments[0], name, &path));
        json_t *found = json_load_file(path, 0, NULL), *line = json_pack("{s:s}", "file", name);
        for (size_t k = 0; found && k < sizeof keys / sizeof *keys; k++)
            json_object_set(line, keys[k], json_object_get(found, keys[k]));
        if (found) json_array_append(list, line);
        json_decref(line);
        json_decref(found);
        free(path);
    }
    return ELB_OK;
}

static elb_status inspect_run_folder(cli *c, json_t *o)
{
    json_object_set_new(o, "kind", json_string("run"));
    json_object_set_new(o, "run", json_string(c->arguments[0]));
    CLI_TRY(inspect_training(c, o));
    CLI_TRY(inspect_evaluations(c, o));
    return inspect_model(c, o);
}

/* --- the verb ----------------------------------------------------------------------------------------------------- */

static bool inspect_holds(const char *folder, const char *name)
{
    char path[4096];
    return snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path && cli_exists(path);
}

static elb_status inspect_any(cli *c, const inspect_options *options, json_t *o)
{
    const char *target = c->arguments[0], *dot = strrchr(target, '.');
    bool run =
        cli_is_folder(target) && (inspect_holds(target, "config.yaml") || inspect_holds(target, "model.safetensors"));
    bool model = dot && strcmp(dot, ".safetensors") == 0;
    if (!run && !model) return inspect_data(c, options, o);
    if (options->set.count > 0)
        return cli_fail(c, ELB_USAGE, "--set says how data are read, but '%s' is a trained model", target);
    return run ? inspect_run_folder(c, o) : inspect_file(c, o);
}

static elb_status inspect_run(cli *c, const void *values)
{
    json_t *o = json_object();
    elb_status status = inspect_any(c, values, o);
    if (status == ELB_OK && !c->common.json) inspect_put(o);
    if (status == ELB_OK && json_object_get(o, "tensors")) cli_hint(c, "elbow convert %s --print-map", c->arguments[0]);
    if (status == ELB_OK && c->common.json) return cli_print_json(c, o, JSON_INDENT(2));
    json_decref(o);
    return status;
}

const cli_verb verb_inspect = {
    .name = "inspect",
    .summary = "tell what is in a run, a model file, or data",
    .arguments = "RUN|MODEL|DATA",
    .details = "Of data: shape, type, range, number of NaN and infinities, and how many there are in each part. Of a "
               "model.safetensors file: its parameters and configuration; of any other safetensors file, its tensors. "
               "Of a run's folder: also its last epoch and its evaluations.",
    .examples = "elbow inspect fashion-mnist\n"
                "elbow inspect arrays.npz --set data.key=images\n"
                "elbow inspect run --json",
    .options = inspect_table,
    .size = sizeof(inspect_options),
    .accepts = CLI_WORK,
    .least = 1,
    .most = 1,
    .words = CLI_WORDS_DATA,
    .run = inspect_run,
};
