/* guess.c - a first map of a foreign file: linear layers are tensors with a bias beside them, and a chain of layers is
 * one whose widths fit. Names decide where widths do not. */
#include <elbow/convert.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "run/safetensors.h"

enum { GUESS_LAYERS_MAX = 64, GUESS_CHAIN_MAX = 16 };

typedef struct guess_layer {
    char name[200]; /* before the suffix */
    int64_t out, in;
    bool used;
} guess_layer;

/* How a layer's tensors are named and stored. */
typedef struct guess_style {
    const char *weight, *bias;
    bool transposed;
} guess_style;

static const guess_style guess_styles[] = {
    {".weight", ".bias", false},    {".kernel", ".bias", true},  {"/kernel", "/bias", true},
    {"/kernel:0", "/bias:0", true}, {"_weight", "_bias", false},
};

typedef struct guess_chain {
    int count;
    const guess_layer *layer[GUESS_CHAIN_MAX]; /* the hidden ones */
    const guess_layer *mean, *scale;           /* the last; scale NULL: none, or */
    bool both;                                 /* `mean` is both heads */
    int64_t width;                             /* of the mean */
} guess_chain;

typedef struct guess_job {
    elb_context *context;
    const elb_safetensors *file;
    const guess_style *style;
    int count;
    guess_layer layers[GUESS_LAYERS_MAX]; /* by name, numbers by their value */
    int64_t data;
    guess_chain encoder, decoder;
    char *text;
    size_t used;
    elb_status status;
} guess_job;

/* --- the layers --------------------------------------------------------------------------------------------------- */

/* "fc2" before "fc10". */
static int guess_compare(const void *a, const void *b)
{
    const char *x = ((const guess_layer *)a)->name, *y = ((const guess_layer *)b)->name;
    for (;; x++, y++) {
        char *end_x, *end_y;
        long long m = strtoll(x, &end_x, 10), n = strtoll(y, &end_y, 10);
        bool numbers = *x >= '0' && *x <= '9' && *y >= '0' && *y <= '9';
        if (numbers && m != n) return m < n ? -1 : 1;
        if (numbers) x = end_x, y = end_y;
        if (*x != *y || !*x) return (unsigned char)*x - (unsigned char)*y;
    }
}

static void guess_take(guess_job *j, const elb_safetensors_entry *e)
{
    const guess_style *s = j->style;
    char bias[256];
    size_t length = strlen(e->name), suffix = strlen(s->weight);
    guess_layer *layer = &j->layers[j->count];
    if (e->rank != 2 || length <= suffix || strcmp(e->name + length - suffix, s->weight) != 0) return;
    if (length - suffix >= sizeof layer->name || j->count == GUESS_LAYERS_MAX) return;
    *layer = (guess_layer){.out = e->shape[s->transposed], .in = e->shape[!s->transposed]};
    snprintf(layer->name, sizeof layer->name, "%.*s", (int)(length - suffix), e->name);
    snprintf(bias, sizeof bias, "%s%s", layer->name, s->bias);
    const elb_safetensors_entry *b = elb_safetensors_find(j->file, bias);
    if (b && b->rank == 1 && b->shape[0] == layer->out) j->count++;
}

/* The style that most layers have. */
static void guess_collect(guess_job *j)
{
    const guess_style *best = guess_styles;
    int most = 0;
    for (size_t s = 0; s <= sizeof guess_styles / sizeof *guess_styles; s++) {
        bool last = s == sizeof guess_styles / sizeof *guess_styles;
        j->style = last ? best : &guess_styles[s];
        j->count = 0;
        for (int64_t i = 0; i < elb_safetensors_count(j->file); i++) guess_take(j, elb_safetensors_at(j->file, i));
        if (!last && j->count > most) best = j->style, most = j->count;
    }
    qsort(j->layers, (size_t)j->count, sizeof *j->layers, guess_compare);
}

/* --- the chains --------------------------------------------------------------------------------------------------- */

static bool guess_named(const guess_layer *layer, const char *const *words)
{
    for (; *words; words++)
        if (strstr(layer->name, *words)) return true;
    return false;
}

static bool guess_fits(const guess_layer *layer, int64_t in, const char *other)
{
    return !layer->used && layer->in == in && (!other || !strstr(layer->name, other));
}

/* How much two layers look like mean and spread: by both names, by one, by standing beside each other. */
static int guess_score(const guess_layer *a, const guess_layer *b)
{
    static const char *const means[] = {"mu", "mean", "loc", NULL};
    static const char *const scales[] = {"var", "sigma", "std", "scale", "sd", NULL};
    if (guess_named(b, means) || guess_named(a, scales)) return guess_named(b, scales) ? 3 * guess_named(a, means) : 0;
    int names = guess_named(a, means) + guess_named(b, scales);
    return names > 0 ? 1 + names : b == a + 1;
}

/* Takes the two of one width after `in` values that look most like heads: `wanted` wide, or neither as wide as what is
 * before them nor as the data. */
static bool guess_heads(guess_job *j, guess_chain *chain, int64_t in, int64_t wanted, const char *other)
{
    guess_layer *mean = NULL, *scale = NULL;
    int best = 0;
    for (int i = 0; i < j->count; i++)
        for (int k = 0; k < j->count; k++) {
            guess_layer *a = &j->layers[i], *b = &j->layers[k];
            if (i == k || !guess_fits(a, in, other) || !guess_fits(b, in, other) || a->out != b->out) continue;
            if (wanted > 0 ? a->out != wanted : a->out == in || a->out == j->data) continue;
            if (guess_score(a, b) > best) best = guess_score(a, b), mean = a, scale = b;
        }
    if (!mean) return false;
    mean->used = scale->used = true;
    chain->mean = mean, chain->scale = scale, chain->width = mean->out;
    return true;
}

static guess_layer *guess_next(guess_job *j, int64_t in, const char *other)
{
    for (int i = 0; i < j->count; i++)
        if (guess_fits(&j->layers[i], in, other)) return &j->layers[i];
    return NULL;
}

/* Whether the chain may end in `layer` with both heads: half its width leads on, its width does not. */
static bool guess_ends(guess_job *j, const guess_layer *layer, int64_t wanted, const char *other)
{
    if (wanted > 0) return layer->out == wanted || layer->out == 2 * wanted;
    return !guess_next(j, layer->out, other) && layer->out % 2 == 0 && guess_next(j, layer->out / 2, NULL);
}

/* From `in` values to two heads; or, with `wanted`, to so many values. `other` is in no name of this network. */
static bool guess_walk(guess_job *j, guess_chain *chain, int64_t in, int64_t wanted, const char *other)
{
    for (;;) {
        if (guess_heads(j, chain, in, wanted, other)) return true;
        guess_layer *layer = guess_next(j, in, other);
        if (!layer || chain->count == GUESS_CHAIN_MAX) return false;
        layer->used = true;
        if (guess_ends(j, layer, wanted, other)) {
            chain->mean = layer;
            chain->both = wanted == 0 || layer->out == 2 * wanted;
            chain->width = chain->both ? layer->out / 2 : layer->out;
            return true;
        }
        chain->layer[chain->count++] = layer;
        in = layer->out;
    }
}

/* --- the text ----------------------------------------------------------------------------------------------------- */

static void guess_put(guess_job *j, const char *format, ...) ELB_PRINTF(2, 3);
static void guess_put(guess_job *j, const char *format, ...)
{
    if (j->status != ELB_OK) return;
    va_list args;
    va_start(args, format);
    char *piece = elb_format_list(j->context, format, args);
    va_end(args);
    size_t length = piece ? strlen(piece) : 0;
    char *longer = piece ? elb_resize(j->context, j->text, (int64_t)(j->used + length + 1), 1) : NULL;
    if (longer) memcpy(longer + j->used, piece, length + 1);
    if (longer) j->text = longer, j->used += length;
    if (!longer) j->status = ELB_MEMORY;
    elb_free(j->context, piece);
}

static void guess_put_name(guess_job *j, const guess_layer *layer)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
    const char *name = layer->name;
    if (*name && !name[strspn(name, plain)] && strcmp(name, "null") != 0 && *name != '-') {
        guess_put(j, "%s", name);
        return;
    }
    guess_put(j, "'");
    for (; *name; name++) guess_put(j, *name == '\'' ? "''" : "%c", *name);
    guess_put(j, "'");
}

static void guess_put_key(guess_job *j, const char *key, const guess_layer *layer)
{
    guess_put(j, "  %s: ", key);
    guess_put_name(j, layer);
    guess_put(j, "\n");
}

static void guess_put_net(guess_job *j, const char *section, const guess_chain *chain)
{
    guess_put(j, "%s:\n  layers: [", section);
    for (int i = 0; i < chain->count; i++) {
        guess_put(j, "%s", i ? ", " : "");
        guess_put_name(j, chain->layer[i]);
    }
    guess_put(j, "]\n");
    if (chain->count > 0) guess_put(j, "  activation: relu # CHECK: tanh, elu, leaky_relu, silu, gelu, softplus ...\n");
    if (chain->both) {
        guess_put_key(j, "heads", chain->mean);
        guess_put(j, "  order: mean_first # CHECK: or scale_first\n");
    } else {
        guess_put_key(j, "mean", chain->mean);
        if (chain->scale) guess_put_key(j, "scale", chain->scale);
    }
    if (chain->both || chain->scale)
        guess_put(j, "  scale_is: log_variance # CHECK: log_sd, softplus_sd, softplus_variance\n");
}

static void guess_put_likelihood(guess_job *j)
{
    bool predicted = j->decoder.both || j->decoder.scale;
    guess_put(j, "likelihood:\n");
    if (predicted)
        guess_put(j, "  type: gaussian\n  variance: predicted\n");
    else
        guess_put(j, "  type: bernoulli # CHECK: continuous-bernoulli, or gaussian with a variance\n");
}

static void guess_put_check(guess_job *j)
{
    bool there = elb_safetensors_find(j->file, "x") && elb_safetensors_find(j->file, "noise") &&
                 elb_safetensors_find(j->file, "elbo");
    guess_put(j, "%s",
              there ? "check:\n  x: x\n  noise: noise\n  elbo: elbo\n"
                    : "# check: # tensors that tell whether the map is right: docs/convert.md\n"
                      "#   x: x\n#   noise: noise\n#   elbo: elbo\n");
}

static void guess_write(guess_job *j)
{
    int64_t side = (int64_t)lround(sqrt((double)j->data));
    guess_put(j, "# Guessed from names and shapes, which do not tell what is marked CHECK.\n");
    if (side > 1 && side * side == j->data)
        guess_put(j, "shape: %lldx%lld\n", (long long)side, (long long)side);
    else
        guess_put(j, "shape: %lld # CHECK: of one datum, such as 32x32x3\n", (long long)j->data);
    if (j->style != guess_styles)
        guess_put(j, "weights:\n  layout: %s\n  weight: '%s'\n  bias: '%s'\n",
                  j->style->transposed ? "in_out" : "out_in", j->style->weight, j->style->bias);
    guess_put_likelihood(j);
    guess_put_net(j, "encoder", &j->encoder);
    guess_put_net(j, "decoder", &j->decoder);
    guess_put_check(j);
}

/* Both networks, for data of so many values; how many layers they have in all. */
static int guess_chains(guess_job *j, int64_t data)
{
    int used = 0;
    for (int i = 0; i < j->count; i++) j->layers[i].used = false;
    j->data = data;
    j->encoder = j->decoder = (guess_chain){0};
    bool whole =
        guess_walk(j, &j->encoder, data, 0, "dec") && guess_walk(j, &j->decoder, j->encoder.width, data, "enc");
    for (int i = 0; whole && i < j->count; i++) used += j->layers[i].used;
    return used;
}

/* The data's width is not told by the file: the one with which most layers find their place. */
static elb_status guess_run(guess_job *j)
{
    int64_t data = 0;
    int most = 0;
    guess_collect(j);
    for (int i = 0; i < j->count; i++) {
        int used = guess_chains(j, j->layers[i].in);
        if (used > most || (used == most && used > 0 && j->data > data)) most = used, data = j->data;
    }
    if (most == 0)
        return elb_fail(
            j->context, ELB_MODEL,
            "no encoder and decoder of linear layers was found among %lld tensors: no chain of widths leads "
            "from data to two heads and back",
            (long long)elb_safetensors_count(j->file));
    guess_chains(j, data);
    guess_write(j);
    return j->status;
}

elb_status elb_convert_guess(elb_context *c, const char *weights, char **yaml)
{
    elb_safetensors *file;
    *yaml = NULL;
    ELB_TRY(elb_safetensors_open(c, weights, &file));
    guess_job *j = elb_alloc(c, 1, sizeof *j);
    elb_status status = j ? ELB_OK : ELB_MEMORY;
    if (j) {
        j->context = c;
        j->file = file;
        status = guess_run(j);
        if (status == ELB_OK)
            *yaml = j->text;
        else
            elb_free(c, j->text);
    }
    elb_free(c, j);
    elb_safetensors_close(file);
    return status;
}
