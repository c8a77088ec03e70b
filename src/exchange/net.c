#include "exchange/net.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NET_KEY_MAX = 64 };

static const char *net_key(const elb_net *net, const char *key, char text[NET_KEY_MAX])
{
    snprintf(text, NET_KEY_MAX, "%s.%s", net->section, key);
    return text;
}

elb_status elb_net_refuse(const elb_net *net, const char *key, const char *format, ...)
{
    char full[NET_KEY_MAX];
    va_list args;
    va_start(args, format);
    char *sentence = elb_format_list(net->map->context, format, args);
    va_end(args);
    if (!sentence) return ELB_MEMORY;
    elb_status status = elb_map_refuse(net->map, net_key(net, key, full), "%s", sentence);
    elb_free(net->map->context, sentence);
    return status;
}

static elb_status net_blame(const elb_net *net, const char *key, elb_status status)
{
    char full[NET_KEY_MAX];
    return status == ELB_OK ? ELB_OK : elb_map_blame(net->map, net_key(net, key, full), status);
}

elb_layer *elb_net_last(elb_net *net)
{
    return &net->layer[net->hidden.count];
}

/* --- layers ------------------------------------------------------------------------------------------------------- */

/* The layer that `key` names, which is given `in` values. */
static elb_status net_layer(elb_net *net, const char *key, const char *word, int64_t in, elb_layer *layer)
{
    ELB_TRY(net_blame(net, key, elb_layer_read(net->foreign, word, layer)));
    if (layer->in == in) return ELB_OK;
    return elb_net_refuse(net, key, "layer '%.200s' takes %lld values, but there are %lld%s", word,
                          (long long)layer->in, (long long)in, layer->out == in ? " (see weights.layout)" : "");
}

/* The name in `list` that goes with a hidden layer. */
static elb_status net_partner(elb_net *net, const char *key, const char **list, char word[ELB_TEXT_MAX])
{
    if (elb_next_word(list, word, ELB_TEXT_MAX)) return ELB_OK;
    return elb_net_refuse(net, key, "has fewer names than %s.layers", net->section);
}

static elb_status net_normalise(elb_net *net, const char *word, elb_layer *layer)
{
    return net_blame(net, "batch_norms", elb_layer_normalise(net->foreign, word, net->says->batch_norm_epsilon, layer));
}

static elb_status net_gate(elb_net *net, const char *word, int64_t in, const elb_layer *layer, elb_layer *gate)
{
    ELB_TRY(net_layer(net, "gates", word, in, gate));
    if (gate->out == layer->out) return ELB_OK;
    return elb_net_refuse(net, "gates", "layer '%.200s' gives %lld values for a gate of %lld", word,
                          (long long)gate->out, (long long)layer->out);
}

static elb_status net_read_hidden(elb_net *net, int64_t *width)
{
    const elb_map_net *says = net->says;
    const char *layers = says->layers, *gates = says->gates, *norms = says->batch_norms;
    bool gated = says->activation == ELB_NET_GATED, normalised = *norms;
    char word[ELB_TEXT_MAX], partner[ELB_TEXT_MAX];
    for (net->hidden.count = 0; elb_next_word(&layers, word, sizeof word); net->hidden.count++) {
        int64_t i = net->hidden.count, in = *width;
        if (i == ELB_INTS_MAX) return elb_net_refuse(net, "layers", "has more than %d layers", ELB_INTS_MAX);
        ELB_TRY(net_layer(net, "layers", word, in, &net->layer[i]));
        if (normalised) ELB_TRY(net_partner(net, "batch_norms", &norms, partner));
        if (normalised) ELB_TRY(net_normalise(net, partner, &net->layer[i]));
        if (gated) ELB_TRY(net_partner(net, "gates", &gates, partner));
        if (gated) ELB_TRY(net_gate(net, partner, in, &net->layer[i], &net->gate[i]));
        *width = net->hidden.at[i] = net->layer[i].out;
    }
    if (elb_next_word(&norms, partner, sizeof partner))
        return elb_net_refuse(net, "batch_norms", "has more names than %s.layers", net->section);
    if (elb_next_word(&gates, partner, sizeof partner))
        return elb_net_refuse(
            net, "gates", gated ? "has more names than %s.layers" : "is for %s.activation: gated, which is not said",
            net->section);
    return ELB_OK;
}

/* --- the last layer ----------------------------------------------------------------------------------------------- */

static elb_status net_fill(elb_net *net, int64_t n, double value, double **values)
{
    *values = elb_arena_alloc(net->foreign->arena, n, sizeof **values);
    for (int64_t i = 0; *values && i < n; i++) (*values)[i] = value;
    return *values ? ELB_OK : ELB_MEMORY;
}

/* log sd -> log variance. What is no linear function of a log-variance is left as it is. */
static elb_status net_fold_scale(elb_net *net, elb_layer rows)
{
    double *two, *zero;
    if (net->says->scale_is == ELB_SCALE_SD || net->says->scale_is == ELB_SCALE_VARIANCE)
        return elb_net_refuse(net, "scale_is", "is for a tensor: a layer's numbers may be negative");
    if (net->says->scale_is != ELB_SCALE_LOG_SD) return ELB_OK;
    ELB_TRY(net_fill(net, rows.out, 2, &two));
    ELB_TRY(net_fill(net, rows.out, 0, &zero));
    elb_layer_after(&rows, two, zero);
    return ELB_OK;
}

static elb_status net_read_heads(elb_net *net, int64_t in, elb_layer *mean, elb_layer *scale)
{
    const elb_map_net *says = net->says;
    elb_layer both;
    if (*says->heads) {
        ELB_TRY(net_layer(net, "heads", says->heads, in, &both));
        if (both.out % 2 != 0)
            return elb_net_refuse(net, "heads",
                                  "layer '%.200s' gives %lld values, which are not twice as many as means", says->heads,
                                  (long long)both.out);
        bool mean_first = says->order == ELB_HEADS_MEAN_FIRST;
        *mean = elb_layer_rows(&both, mean_first ? 0 : both.out / 2, both.out / 2);
        *scale = elb_layer_rows(&both, mean_first ? both.out / 2 : 0, both.out / 2);
        return ELB_OK;
    }
    if (!*says->scale) return elb_net_refuse(net, "scale", "is not said: it names the layer beside the mean's");
    ELB_TRY(net_layer(net, "mean", says->mean, in, mean));
    ELB_TRY(net_layer(net, "scale", says->scale, in, scale));
    if (mean->out == scale->out) return ELB_OK;
    return elb_net_refuse(net, "scale", "layer '%.200s' gives %lld values, but there are %lld means", says->scale,
                          (long long)scale->out, (long long)mean->out);
}

static elb_status net_read_last(elb_net *net, int64_t in, bool two_heads)
{
    const elb_map_net *says = net->says;
    elb_layer mean, scale;
    if (*says->heads && (*says->mean || *says->scale))
        return elb_net_refuse(net, "heads", "stands for both mean and scale: keep it or them");
    if (*says->heads && !two_heads)
        return elb_net_refuse(net, "heads", "gives a variance, which likelihood.variance: predicted would ask for");
    if (!*says->heads && !*says->mean) return elb_net_refuse(net, "mean", "is not said: it names the last layer");
    if (!two_heads) return net_layer(net, "mean", says->mean, in, elb_net_last(net));
    ELB_TRY(net_read_heads(net, in, &mean, &scale));
    ELB_TRY(net_fold_scale(net, scale));
    return net_blame(net, "scale", elb_layer_stack(net->foreign, &mean, &scale, elb_net_last(net)));
}

elb_status elb_net_read(elb_net *net, int64_t in, bool two_heads)
{
    char key[NET_KEY_MAX];
    bool softplus = net->says->scale_is == ELB_SCALE_SOFTPLUS_SD || net->says->scale_is == ELB_SCALE_SOFTPLUS_VARIANCE;
    if (net->says->scale_epsilon > 0 && !softplus)
        return elb_net_refuse(net, "scale_epsilon", "is added to a softplus, which scale_is does not name");
    if (*net->says->layers && !elb_map_given(net->map, net_key(net, "activation", key)))
        return elb_net_refuse(net, "activation", "is not said: it names the function after the hidden layers");
    ELB_TRY(net_read_hidden(net, &in));
    return net_read_last(net, in, two_heads);
}

/* --- standardised data -------------------------------------------------------------------------------------------- */

elb_status elb_net_standard(const elb_net *net, int64_t channels, int64_t n, double **mean, double **sd)
{
    ELB_TRY(net_blame(net, "data_mean", elb_foreign_values(net->foreign, net->says->data_mean, channels, n, mean)));
    ELB_TRY(net_blame(net, "data_sd", elb_foreign_values(net->foreign, net->says->data_sd, channels, n, sd)));
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite((*mean)[i])) return elb_net_refuse(net, "data_mean", "holds a number that is not finite");
        if (!((*sd)[i] > 0 && isfinite((*sd)[i])))
            return elb_net_refuse(net, "data_sd", "holds %g, but must be above 0", (*sd)[i]);
    }
    return ELB_OK;
}

elb_status elb_net_before(elb_net *net, const double *mean, const double *sd)
{
    int64_t n = net->layer[0].in;
    double *scale, *shift;
    ELB_TRY(net_fill(net, n, 1, &scale));
    ELB_TRY(net_fill(net, n, 0, &shift));
    for (int64_t i = 0; i < n; i++) scale[i] /= sd[i], shift[i] -= mean[i] / sd[i];
    elb_layer_before(&net->layer[0], scale, shift);
    if (net->says->activation == ELB_NET_GATED && net->hidden.count > 0) elb_layer_before(&net->gate[0], scale, shift);
    return ELB_OK;
}
