/* convert.c - a model out of a map and a foreign file: layers read and folded, a configuration that fits them, both put
 * together, checked, and saved. */
#include <elbow/convert.h>

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/number.h"
#include "exchange/convert_check.h"
#include "exchange/net.h"
#include "run/vae.h"
#include "run/vae_text.h"

typedef struct convert_job {
    elb_context *context;
    const elb_convert_settings *settings;
    elb_map *map;
    elb_foreign foreign;
    int rank; /* of one datum */
    int64_t shape[3], data;
    elb_net encoder, decoder;
    double *log_variance; /* [data], of a gaussian whose variance is not predicted */
    elb_vae *vae;
} convert_job;

/* --- what the map says of data and likelihood --------------------------------------------------------------------- */

static elb_status convert_shape(convert_job *j)
{
    const elb_map *m = j->map;
    if (!elb_map_given(m, "shape"))
        return elb_map_refuse(m, "shape", "is not said: it is one datum's, such as 28x28 or 12");
    if (!elb_shape_read(m->top.shape, &j->rank, j->shape))
        return elb_map_refuse(m, "shape", "'%.100s' is no shape; write 28x28, 32x32x3 or 12", m->top.shape);
    j->data = j->shape[0] * j->shape[1] * j->shape[2];
    return ELB_OK;
}

static bool convert_is_gaussian(const convert_job *j)
{
    return j->map->config->likelihood.type == ELB_GAUSSIAN;
}

static bool convert_predicts(const convert_job *j)
{
    return convert_is_gaussian(j) && j->map->config->likelihood.variance == ELB_VARIANCE_PREDICTED;
}

static elb_status convert_likelihood(const convert_job *j)
{
    const elb_map *m = j->map;
    bool spread = elb_map_given(m, "decoder.scale");
    if (m->config->likelihood.type == ELB_LIKELIHOOD_AUTO)
        return elb_map_refuse(m, "likelihood.type", "is not said: bernoulli, continuous-bernoulli or gaussian");
    if (!convert_is_gaussian(j))
        return spread ? elb_net_refuse(&j->decoder, "scale", "is for a gaussian likelihood") : ELB_OK;
    if (!elb_map_given(m, "likelihood.variance"))
        return elb_map_refuse(m, "likelihood.variance", "is not said: fixed, scalar, pixel or predicted");
    bool fixed = m->config->likelihood.variance == ELB_VARIANCE_FIXED;
    if (fixed && spread)
        return elb_net_refuse(&j->decoder, "scale", "is a learned variance, but likelihood.variance is fixed");
    if (!fixed && !convert_predicts(j) && !spread)
        return elb_net_refuse(&j->decoder, "scale", "is not said: it names the tensor of the learned variance");
    return ELB_OK;
}

/* --- the networks ------------------------------------------------------------------------------------------------- */

static elb_status convert_encoder(convert_job *j)
{
    double *mean, *sd;
    elb_net *net = &j->encoder;
    ELB_TRY(elb_net_read(net, j->data, true));
    ELB_TRY(elb_net_standard(net, j->shape[j->rank - 1], j->data, &mean, &sd));
    return elb_net_before(net, mean, sd);
}

/* One number of the variance as its logarithm; not finite where it is none. */
static double convert_log_variance(const elb_map_net *says, double number)
{
    double softplus = fmax(number, 0) + log1p(exp(-fabs(number))) + says->scale_epsilon;
    switch ((elb_scale_kind)says->scale_is) {
    case ELB_SCALE_LOG_VARIANCE: return number;
    case ELB_SCALE_LOG_SD: return 2 * number;
    case ELB_SCALE_SOFTPLUS_SD: return 2 * log(softplus);
    case ELB_SCALE_SOFTPLUS_VARIANCE: return log(softplus);
    case ELB_SCALE_SD: return 2 * log(number);
    case ELB_SCALE_VARIANCE: return log(number);
    }
    return NAN;
}

/* The variance where the decoder does not predict it, of data that were divided by sd. Numbers that differ make it one
 * per value, whatever it was. */
static elb_status convert_variance(convert_job *j, const double *sd)
{
    elb_likelihood_options *likelihood = &j->map->config->likelihood;
    const elb_map_net *says = j->decoder.says;
    double *numbers;
    bool fixed = likelihood->variance == ELB_VARIANCE_FIXED, equal = true;
    j->log_variance = elb_arena_alloc(j->foreign.arena, j->data, sizeof(double));
    if (!j->log_variance) return ELB_MEMORY;
    elb_status status = elb_foreign_values(&j->foreign, fixed ? "0" : says->scale, 1, j->data, &numbers);
    if (status != ELB_OK) return elb_map_blame(j->map, "decoder.scale", status);
    for (int64_t d = 0; d < j->data; d++) {
        double l = fixed ? likelihood->log_variance : convert_log_variance(says, numbers[d]);
        if (!isfinite(l))
            return elb_net_refuse(&j->decoder, "scale", "holds %g, of which no variance can be made", numbers[d]);
        j->log_variance[d] = l + 2 * log(sd[d]);
        equal = equal && j->log_variance[d] == j->log_variance[0];
    }
    if (!equal) likelihood->variance = ELB_VARIANCE_PIXEL;
    if (likelihood->variance == ELB_VARIANCE_FIXED) likelihood->log_variance = j->log_variance[0];
    return ELB_OK;
}

/* x = sd * output + mean, and with it a predicted log-variance rises by 2 log sd. */
static elb_status convert_unstandardise(convert_job *j, const double *mean, const double *sd)
{
    elb_layer *last = elb_net_last(&j->decoder), means = elb_layer_rows(last, 0, j->data);
    elb_layer_after(&means, sd, mean);
    if (!convert_predicts(j)) return convert_variance(j, sd);
    for (int64_t d = 0; d < j->data; d++) last->bias[j->data + d] += 2 * log(sd[d]);
    return ELB_OK;
}

static elb_status convert_decoder(convert_job *j, int64_t latent)
{
    double *mean, *sd;
    elb_net *net = &j->decoder;
    ELB_TRY(elb_net_read(net, latent, convert_predicts(j)));
    int64_t out = elb_net_last(net)->out, wanted = convert_predicts(j) ? 2 * j->data : j->data;
    if (out != wanted)
        return elb_net_refuse(net, *net->says->heads ? "heads" : "mean", "gives %lld values for data of %lld",
                              (long long)(convert_predicts(j) ? out / 2 : out), (long long)j->data);
    bool softplus = net->says->scale_is == ELB_SCALE_SOFTPLUS_SD || net->says->scale_is == ELB_SCALE_SOFTPLUS_VARIANCE;
    if (convert_predicts(j) && softplus)
        return elb_net_refuse(net, "scale_is",
                              "of a decoder's layer is log_variance or log_sd: it predicts no softplus");
    bool standardised = elb_map_given(j->map, "decoder.data_mean") || elb_map_given(j->map, "decoder.data_sd");
    if (!convert_is_gaussian(j))
        return standardised ? elb_net_refuse(net, "data_mean", "is for a gaussian likelihood") : ELB_OK;
    ELB_TRY(elb_net_standard(net, j->shape[j->rank - 1], j->data, &mean, &sd));
    return convert_unstandardise(j, mean, sd);
}

/* --- the model ---------------------------------------------------------------------------------------------------- */

static elb_status convert_set_widths(convert_job *j, const char *key, const elb_ints *widths)
{
    char text[ELB_TEXT_MAX] = "";
    size_t used = 0;
    for (int64_t i = 0; i < widths->count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%lld", i ? "," : "", (long long)widths->at[i]);
    return elb_config_set(j->map->config, key, text);
}

/* What of the encoder's second head could not be folded into its layer. */
static elb_ffg_scale convert_ffg_scale(const elb_map_net *says)
{
    if (says->scale_is == ELB_SCALE_SOFTPLUS_SD) return ELB_FFG_SOFTPLUS_SD;
    return says->scale_is == ELB_SCALE_SOFTPLUS_VARIANCE ? ELB_FFG_SOFTPLUS_VARIANCE : ELB_FFG_LOG_VARIANCE;
}

/* Through the configuration's own keys, whose ranges are thereby kept. */
static elb_status convert_configure(convert_job *j, int64_t latent)
{
    elb_config *config = j->map->config;
    char number[ELB_NUMBER_SIZE];
    snprintf(number, sizeof number, "%lld", (long long)latent);
    ELB_TRY(elb_config_set(config, "model.latent", number));
    elb_number_format(config->likelihood.log_variance, number);
    ELB_TRY(elb_config_set(config, "likelihood.log_variance", number));
    ELB_TRY(elb_config_set(config, "posterior.type", "ffg"));
    ELB_TRY(convert_set_widths(j, "posterior.hidden", &j->encoder.hidden));
    ELB_TRY(convert_set_widths(j, "model.hidden", &j->decoder.hidden));
    config->posterior.ffg_scale = convert_ffg_scale(j->encoder.says);
    config->posterior.ffg_epsilon = j->encoder.says->scale_epsilon;
    config->posterior.activation = j->encoder.says->activation;
    config->model.activation = j->decoder.says->activation;
    if (config->data.binarise == ELB_BINARISE_AUTO) config->data.binarise = ELB_BINARISE_NONE;
    return ELB_OK;
}

static void convert_put(elb_params *p, const char *name, const double *values)
{
    for (int64_t i = 0; i < p->count; i++)
        if (strcmp(p->at[i].name, name) == 0)
            for (int64_t k = 0; k < p->at[i].count; k++) elb_params_data(p, i)[k] = (elb_real)values[k];
}

static void convert_put_layer(elb_params *p, const char *prefix, int64_t place, const char *part,
                              const elb_layer *layer)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%lld%s.weight", prefix, 2 * (long long)place, part);
    convert_put(p, name, layer->weight);
    snprintf(name, sizeof name, "%s.%lld%s.bias", prefix, 2 * (long long)place, part);
    convert_put(p, name, layer->bias);
}

static void convert_put_net(elb_params *p, const elb_net *net)
{
    for (int64_t i = 0; i <= net->hidden.count; i++) {
        convert_put_layer(p, net->section, i, "", &net->layer[i]);
        if (net->says->activation == ELB_NET_GATED && i < net->hidden.count)
            convert_put_layer(p, net->section, i, ".gate", &net->gate[i]);
    }
}

static elb_status convert_build(convert_job *j)
{
    ELB_TRY(convert_shape(j));
    ELB_TRY(convert_likelihood(j));
    ELB_TRY(convert_encoder(j));
    int64_t latent = elb_net_last(&j->encoder)->out / 2;
    ELB_TRY(convert_decoder(j, latent));
    ELB_TRY(convert_configure(j, latent));
    ELB_TRY(elb_vae_create_blank(j->context, j->map->config, j->rank, j->shape, &j->vae));
    convert_put_net(&j->vae->posterior->params, &j->encoder);
    convert_put_net(&j->vae->model->params, &j->decoder);
    if (j->log_variance) convert_put(&j->vae->model->params, "likelihood.log_variance", j->log_variance);
    return elb_vae_check_finite(j->vae);
}

/* --- from file to file -------------------------------------------------------------------------------------------- */

static int64_t convert_tell_unused(convert_job *j)
{
    int64_t unused = 0;
    for (int64_t i = 0; i < elb_safetensors_count(j->foreign.file); i++) {
        if (j->foreign.used[i]) continue;
        unused++;
        elb_log(j->context, ELB_LOG_WARNING, "tensor '%.200s' is not used: the map does not name it",
                elb_safetensors_at(j->foreign.file, i)->name);
    }
    return unused;
}

/* The file that `out` stands for. */
static elb_status convert_target(convert_job *j, char **path)
{
    const char *out = j->settings->out, *dot = strrchr(out, '.');
    struct stat from, to;
    bool file = dot && strcmp(dot, ".safetensors") == 0;
    *path = file ? elb_strdup(j->context, out) : elb_format(j->context, "%s/model.safetensors", out);
    if (!*path) return ELB_MEMORY;
    if (stat(j->settings->weights, &from) == 0 && stat(*path, &to) == 0 && from.st_dev == to.st_dev &&
        from.st_ino == to.st_ino)
        return elb_fail(j->context, ELB_USAGE, "'%s' holds the weights themselves: write the model elsewhere", *path);
    return file ? ELB_OK : elb_folder_make(j->context, out);
}

static elb_status convert_run(convert_job *j, elb_conversion *result)
{
    char *path = NULL;
    ELB_TRY(convert_build(j));
    ELB_TRY(elb_convert_check(j->vae, j->map, &j->foreign, &result->checked, &result->difference));
    elb_status status = convert_target(j, &path);
    if (status == ELB_OK) status = elb_vae_save(j->vae, path);
    elb_free(j->context, path);
    if (status != ELB_OK) return status;
    if (result->checked == 0)
        elb_log(j->context, ELB_LOG_WARNING, "%s has no check: nothing says that this is the model that was trained",
                j->map->name);
    result->unused = convert_tell_unused(j);
    result->data_size = elb_vae_data_size(j->vae);
    result->latent_size = elb_vae_latent_size(j->vae);
    result->parameter_count = elb_vae_parameter_count(j->vae);
    return ELB_OK;
}

static elb_status convert_open(convert_job *j)
{
    ELB_TRY(elb_map_open(j->context, j->settings->map, &j->map));
    elb_map *m = j->map;
    ELB_TRY(elb_foreign_open(j->context, j->settings->weights, &j->foreign));
    j->foreign.transposed = m->weights.transposed;
    j->foreign.weight = m->weights.weight;
    j->foreign.bias = m->weights.bias;
    j->encoder = (elb_net){.map = m, .section = "encoder", .says = &m->encoder, .foreign = &j->foreign};
    j->decoder = (elb_net){.map = m, .section = "decoder", .says = &m->decoder, .foreign = &j->foreign};
    return ELB_OK;
}

elb_status elb_convert(elb_context *c, const elb_convert_settings *settings, elb_conversion *result)
{
    convert_job j = {.context = c, .settings = settings, .foreign = {.context = c}};
    *result = (elb_conversion){0};
    elb_status status = convert_open(&j);
    if (status == ELB_OK) status = convert_run(&j, result);
    elb_vae_destroy(j.vae);
    elb_foreign_close(&j.foreign);
    elb_map_close(j.map);
    return status;
}

elb_status elb_weights_list(elb_context *c, const char *path, bool *own,
                            void (*visit)(void *user, const char *name, const char *dtype, int rank,
                                          const int64_t *shape),
                            void *user)
{
    elb_safetensors *file;
    ELB_TRY(elb_safetensors_open(c, path, &file));
    *own = elb_safetensors_metadata(file, "elbow.config") || elb_safetensors_metadata(file, "elbow.shape");
    for (int64_t i = 0; i < elb_safetensors_count(file); i++) {
        const elb_safetensors_entry *e = elb_safetensors_at(file, i);
        visit(user, e->name, elb_dtype_name(e->dtype), e->rank, e->shape);
    }
    elb_safetensors_close(file);
    return ELB_OK;
}
