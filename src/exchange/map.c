/* map.c - a convert map by option tables: what makes configurations makes its keys, their lines and "did you mean". */
#include "exchange/map.h"

#include <string.h>

#include "config/config_yaml.h"

/* --- the keys --- */

static const char *const map_layouts[] = {"out_in", "in_out", NULL};
static const char *const map_orders[] = {"mean_first", "scale_first", NULL};
static const char *const map_scales[] = {"log_variance", "log_sd",   "softplus_sd", "softplus_variance",
                                         "sd",           "variance", NULL}; /* in the order of elb_scale_kind */

static const elb_option map_top_table[] = {
    {.name = "shape",
     .kind = ELB_OPTION_TEXT,
     .offset = offsetof(elb_map_top, shape),
     .fallback = "",
     .help = "Shape of one datum: 28x28, 32x32x3 (height, width, channels), or the number of values of a table's row."},
    {.name = NULL},
};

static const elb_option map_weights_table[] = {
    {.name = "layout",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_map_weights, transposed),
     .fallback = "out_in",
     .choices = map_layouts,
     .help = "How a weight matrix is stored: out_in as PyTorch does, in_out as JAX and Keras do."},
    {.name = "weight",
     .kind = ELB_OPTION_TEXT,
     .offset = offsetof(elb_map_weights, weight),
     .fallback = ".weight",
     .help = "What follows a layer's name in the name of its weight, such as /kernel."},
    {.name = "bias",
     .kind = ELB_OPTION_TEXT,
     .offset = offsetof(elb_map_weights, bias),
     .fallback = ".bias",
     .help = "What follows a layer's name in the name of its bias."},
    {.name = NULL},
};

static const elb_option map_net_table[] = {
    {.name = "layers",
     .kind = ELB_OPTION_TEXT,
     .list = true,
     .offset = offsetof(elb_map_net, layers),
     .fallback = "",
     .help = "The hidden linear layers from the network's input on: names before .weight and .bias, or 'W + b' for "
             "tensors W and b, or 'W + 0' for a layer without a bias."},
    {.name = "activation",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_map_net, activation),
     .fallback = "linear",
     .choices = elb_net_kind_names,
     .help = "The function after every hidden layer; leaky_relu falls by 0.01, gelu is the exact one."},
    {.name = "gates",
     .kind = ELB_OPTION_TEXT,
     .list = true,
     .offset = offsetof(elb_map_net, gates),
     .fallback = "",
     .help = "With activation: gated, the layer inside the sigmoid for each of the hidden layers."},
    {.name = "batch_norms",
     .kind = ELB_OPTION_TEXT,
     .list = true,
     .offset = offsetof(elb_map_net, batch_norms),
     .fallback = "",
     .help = "Names of the batch normalisations between each hidden layer and its activation, which are folded into "
             "the layers."},
    {.name = "batch_norm_epsilon",
     .kind = ELB_OPTION_REAL,
     .offset = offsetof(elb_map_net, batch_norm_epsilon),
     .fallback = "1e-05",
     .min = 0,
     .max = 1,
     .help = "What batch normalisation adds to a running variance."},
    {.name = "mean",
     .kind = ELB_OPTION_TEXT,
     .offset = offsetof(elb_map_net, mean),
     .fallback = "",
     .help = "The last layer: it gives the mean of q(z|x), the logits of a Bernoulli, or the mean of a Gaussian."},
    {.name = "scale",
     .kind = ELB_OPTION_TEXT,
     .offset = offsetof(elb_map_net, scale),
     .fallback = "",
     .help = "The layer beside it that gives the spread; for likelihood.variance scalar or pixel, the tensor that "
             "is it."},
    {.name = "heads",
     .kind = ELB_OPTION_TEXT,
     .offset = offsetof(elb_map_net, heads),
     .fallback = "",
     .help = "Instead of mean and scale: one layer that gives both."},
    {.name = "order",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_map_net, order),
     .fallback = "mean_first",
     .choices = map_orders,
     .help = "Which half of the heads' layer comes first."},
    {.name = "scale_is",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_map_net, scale_is),
     .fallback = "log_variance",
     .choices = map_scales,
     .help = "What the spread's numbers are: log_sd for sd = exp(number), softplus_sd for sd = softplus(number); "
             "sd and variance for a tensor only."},
    {.name = "scale_epsilon",
     .kind = ELB_OPTION_REAL,
     .offset = offsetof(elb_map_net, scale_epsilon),
     .fallback = "0",
     .min = 0,
     .max = 1,
     .help = "What is added after a softplus."},
    {.name = "data_mean",
     .kind = ELB_OPTION_TEXT,
     .offset = offsetof(elb_map_net, data_mean),
     .fallback = "0",
     .help = "This network knows data as (x - data_mean) / data_sd: a number, or a tensor with one for every value or "
             "channel."},
    {.name = "data_sd",
     .kind = ELB_OPTION_TEXT,
     .offset = offsetof(elb_map_net, data_sd),
     .fallback = "1",
     .help = "See data_mean; 2x - 1 is data_mean 0.5 with data_sd 0.5."},
    {.name = NULL},
};

static const elb_option map_check_table[] = {
    {.name = "file",
     .kind = ELB_OPTION_TEXT,
     .offset = offsetof(elb_map_check, file),
     .fallback = "",
     .help = "A safetensors or NPZ file with the tensors below; empty: they lie beside the weights."},
    {.name = "x",
     .kind = ELB_OPTION_TEXT,
     .offset = offsetof(elb_map_check, x),
     .fallback = "x",
     .help = "Name of the data [N, ...] before any standardisation."},
    {.name = "noise",
     .kind = ELB_OPTION_TEXT,
     .offset = offsetof(elb_map_check, noise),
     .fallback = "noise",
     .help = "Name of the standard normal numbers [N, latent] or [samples, N, latent] in z = mean + sd * noise."},
    {.name = "elbo",
     .kind = ELB_OPTION_TEXT,
     .offset = offsetof(elb_map_check, elbo),
     .fallback = "",
     .help = "Name of the ELBO [N] in nats: log p(x|z) averaged over the samples, less the KL in closed form."},
    {.name = "log_w",
     .kind = ELB_OPTION_TEXT,
     .offset = offsetof(elb_map_check, log_w),
     .fallback = "",
     .help = "Name of log p(x,z) - log q(z|x) [N] or [samples, N] in nats."},
    {.name = "tolerance",
     .kind = ELB_OPTION_REAL,
     .offset = offsetof(elb_map_check, tolerance),
     .fallback = "0.0001",
     .min = 0,
     .max = 1,
     .help = "Largest difference that is accepted, as a part of the number itself, or of 1 nat where that is more."},
    {.name = NULL},
};

/* --- reading --- */

static const elb_section *map_config_section(const elb_config *config, const char *name)
{
    const elb_section *s = config->sections;
    while (s->options && strcmp(s->name, name) != 0) s++;
    return s;
}

static void map_lay_out(elb_map *m)
{
    elb_section *s = m->sections;
    *s++ = (elb_section){"", "The model.", map_top_table, &m->top};
    *s++ = (elb_section){"weights", "How the file names and stores layers.", map_weights_table, &m->weights};
    *s++ = *map_config_section(m->config, "data");
    *s++ = *map_config_section(m->config, "likelihood");
    *s++ = (elb_section){"encoder", "From data x to q(z|x).", map_net_table, &m->encoder};
    *s++ = (elb_section){"decoder", "From latent z to data x.", map_net_table, &m->decoder};
    *s++ = (elb_section){"check", "What the model gave where it was trained.", map_check_table, &m->check};
}

/* How many keys the sections before `end` have; NULL for all sections. */
static int64_t map_count(const elb_map *m, const elb_section *end)
{
    int64_t count = 0;
    for (const elb_section *s = m->sections; s->options && s != end; s++)
        for (const elb_option *o = s->options; o->name; o++) count++;
    return count;
}

/* Where the line of a key of the tables is kept. */
static int64_t *map_line(const elb_map *m, const char *key)
{
    const elb_section *section = NULL;
    const elb_option *option = elb_options_find(m->sections, key, &section);
    return &m->lines[map_count(m, section) + (option - section->options)];
}

static elb_status map_was_set(void *user, const char *key, const char *value)
{
    elb_map *m = user;
    (void)value;
    *map_line(m, key) = m->yaml->key_line;
    return ELB_OK;
}

static elb_status map_read(void *user, elb_yaml *y)
{
    elb_map *m = user;
    m->yaml = y;
    elb_yaml_target target = {.sections = m->sections, .was_set = map_was_set, .user = m};
    return elb_config_yaml_mapping(y, &target);
}

static elb_status map_fill(elb_map *m, const char *text, int64_t size)
{
    ELB_TRY(elb_config_create(m->context, &m->config));
    map_lay_out(m);
    ELB_TRY(elb_options_reset(m->context, m->sections));
    m->lines = elb_alloc(m->context, map_count(m, NULL), sizeof *m->lines);
    if (!m->lines) return ELB_MEMORY;
    return elb_yaml_read(m->context, m->name, text, size, map_read, m);
}

elb_status elb_map_parse(elb_context *c, const char *name, const char *text, int64_t size, elb_map **map)
{
    *map = NULL;
    elb_map *m = elb_alloc(c, 1, sizeof *m);
    if (!m) return ELB_MEMORY;
    m->context = c;
    m->name = elb_strdup(c, name);
    elb_status status = m->name ? map_fill(m, text, size) : ELB_MEMORY;
    m->yaml = NULL;
    if (status == ELB_OK)
        *map = m;
    else
        elb_map_close(m);
    return status;
}

elb_status elb_map_open(elb_context *c, const char *path, elb_map **map)
{
    char *text;
    int64_t size;
    *map = NULL;
    ELB_TRY(elb_yaml_load(c, path, "map", &text, &size));
    elb_status status = elb_map_parse(c, path, text, size, map);
    elb_free(c, text);
    return status;
}

void elb_map_close(elb_map *m)
{
    if (!m) return;
    elb_config_destroy(m->config);
    elb_free(m->context, m->lines);
    elb_free(m->context, m->name);
    elb_free(m->context, m);
}

/* --- what was said --- */

bool elb_map_given(const elb_map *m, const char *key)
{
    return *map_line(m, key) > 0;
}

elb_status elb_map_blame(const elb_map *m, const char *key, elb_status status)
{
    int64_t line = *map_line(m, key);
    if (line == 0) return elb_fail_in(m->context, status, "%s: %s", m->name, key);
    return elb_fail_in(m->context, status, "%s:%lld: %s", m->name, (long long)line, key);
}

elb_status elb_map_refuse(const elb_map *m, const char *key, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *sentence = elb_format_list(m->context, format, args);
    va_end(args);
    if (!sentence) return ELB_MEMORY;
    elb_fail(m->context, ELB_USAGE, "%s", sentence);
    elb_free(m->context, sentence);
    return elb_map_blame(m, key, ELB_USAGE);
}
