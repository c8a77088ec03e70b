/* convert.c - elbow convert. */
#include <elbow/convert.h>

#include "verbs.h"

typedef struct convert_options {
    const char *map, *out;
    bool print_map;
} convert_options;

static const cli_option convert_table[] = {
    {.name = "map",
     .kind = CLI_TEXT,
     .offset = offsetof(convert_options, map),
     .value = "FILE",
     .words = CLI_WORDS_FILE,
     .help = "YAML that says which tensors are which layers, and what they were trained for."},
    {.name = "out",
     .kind = CLI_TEXT,
     .offset = offsetof(convert_options, out),
     .value = "PATH",
     .words = CLI_WORDS_FILE,
     .help = "Where the model goes: NAME.safetensors, or the folder of a run, for its model.safetensors."},
    {.name = "print-map",
     .kind = CLI_FLAG,
     .offset = offsetof(convert_options, print_map),
     .help = "Print a map to begin with, guessed from the names and shapes of the tensors, and do nothing else."},
    {.name = NULL},
};

static elb_status convert_guess(cli *c)
{
    char *yaml;
    CLI_TRY(elb_convert_guess(c->context, c->arguments[0], &yaml));
    if (c->common.json) {
        json_t *object = json_pack("{s:s}", "map", yaml);
        elb_text_free(c->context, yaml);
        return cli_print_json(c, object, JSON_INDENT(2));
    }
    fputs(yaml, stdout);
    elb_text_free(c->context, yaml);
    return ELB_OK;
}

static void convert_print(const char *out, const elb_conversion *r)
{
    cli_row("model", "%s", out);
    cli_row("size", "%lld values, %lld latent, %lld parameters", (long long)r->data_size, (long long)r->latent_size,
            (long long)r->parameter_count);
    if (r->checked > 0)
        cli_row("check", "%lld data, the largest relative difference is %.2g", (long long)r->checked, r->difference);
    else
        cli_row("check", "none");
    if (r->unused > 0) cli_row("not used", "%lld tensors", (long long)r->unused);
}

static json_t *convert_json(const char *out, const elb_conversion *r)
{
    return json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:o}", "model", out, "data_size", (json_int_t)r->data_size,
                     "latent_size", (json_int_t)r->latent_size, "parameter_count", (json_int_t)r->parameter_count,
                     "unused", (json_int_t)r->unused, "checked", (json_int_t)r->checked, "largest_difference",
                     r->checked > 0 ? cli_real(r->difference) : json_null());
}

static elb_status convert_run(cli *c, const void *values)
{
    const convert_options *o = values;
    elb_conversion result;
    if (o->print_map) return convert_guess(c);
    if (!o->map)
        return cli_fail(
            c, ELB_USAGE,
            "--map is missing: a file that says which tensors are which layers; --print-map makes one to begin with");
    if (!o->out) return cli_fail(c, ELB_USAGE, "--out is missing: where the model is to go, such as model.safetensors");
    elb_convert_settings settings = {.weights = c->arguments[0], .map = o->map, .out = o->out};
    CLI_TRY(elb_convert(c->context, &settings, &result));
    if (c->common.json) return cli_print_json(c, convert_json(o->out, &result), JSON_INDENT(2));
    convert_print(o->out, &result);
    cli_hint(c, "elbow eval %s --data DATA   elbow sample %s", o->out, o->out);
    return ELB_OK;
}

const cli_verb verb_convert = {
    .name = "convert",
    .summary = "make a model of weights trained elsewhere",
    .arguments = "WEIGHTS",
    .details = "Reads an encoder and a decoder of linear layers, trained in PyTorch or another framework, out of a "
               "safetensors file, by a map that says which tensors are which layers. The result is an ordinary model: "
               "eval, sample, reconstruct and every other command work on it, and nothing is trained again.\n\n"
               "A map may name data, noise and the ELBO that the model gave where it was trained; then nothing is "
               "written unless elbow computes the same. docs/convert.md describes every key.",
    .examples = "elbow inspect weights.safetensors\n"
                "elbow convert weights.safetensors --print-map >map.yaml\n"
                "elbow convert weights.safetensors --map map.yaml --out model.safetensors\n"
                "elbow eval model.safetensors --data fashion-mnist --set data.binarise=threshold",
    .options = convert_table,
    .size = sizeof(convert_options),
    .accepts = CLI_WORK,
    .least = 1,
    .most = 1,
    .words = CLI_WORDS_FILE,
    .run = convert_run,
};
