#include "exchange/layer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "base/option.h"

enum { LAYER_NAMES_MAX = 4096 }; /* tensors that a misspelt name is compared with */

/* --- tensors ------------------------------------------------------------------------------------------------------ */

elb_status elb_foreign_open(elb_context *c, const char *path, elb_foreign *f)
{
    *f = (elb_foreign){.context = c, .weight = ".weight", .bias = ".bias"};
    ELB_TRY(elb_arena_create(c, &f->arena));
    ELB_TRY(elb_safetensors_open(c, path, &f->file));
    f->used = elb_alloc(c, elb_safetensors_count(f->file), sizeof *f->used);
    return f->used ? ELB_OK : ELB_MEMORY;
}

void elb_foreign_close(elb_foreign *f)
{
    elb_safetensors_close(f->file);
    if (f->arena) elb_arena_destroy(f->arena);
    elb_free(f->context, f->used);
}

static void layer_unknown(elb_foreign *f, const char *name)
{
    int64_t n = elb_safetensors_count(f->file);
    if (n > LAYER_NAMES_MAX) n = LAYER_NAMES_MAX;
    const char **names = elb_alloc(f->context, n + 1, sizeof *names);
    if (!names) return;
    for (int64_t i = 0; i < n; i++) names[i] = elb_safetensors_at(f->file, i)->name;
    const char *nearest = elb_did_you_mean(name, names);
    if (nearest)
        elb_fail(f->context, ELB_USAGE, "there is no tensor '%.200s'; did you mean '%.200s'?", name, nearest);
    else
        elb_fail(f->context, ELB_USAGE, "there is no tensor '%.200s'; 'elbow inspect' lists those of the file", name);
    elb_free(f->context, names);
}

static const elb_safetensors_entry *layer_find(elb_foreign *f, const char *name)
{
    const elb_safetensors_entry *e = elb_safetensors_find(f->file, name);
    if (e) f->used[e - elb_safetensors_at(f->file, 0)] = true;
    return e;
}

const elb_safetensors_entry *elb_foreign_find(elb_foreign *f, const char *name)
{
    const elb_safetensors_entry *e = layer_find(f, name);
    if (!e) layer_unknown(f, name);
    return e;
}

elb_status elb_foreign_read(elb_foreign *f, const elb_safetensors_entry *e, int64_t *count, double **values)
{
    *count = 1;
    for (int i = 0; i < e->rank; i++) *count *= e->shape[i]; /* as many as the file has bytes for */
    elb_real *numbers = elb_arena_alloc(f->arena, *count, sizeof *numbers);
    *values = elb_arena_alloc(f->arena, *count, sizeof **values);
    if (!numbers || !*values) return ELB_MEMORY;
    elb_status status = elb_safetensors_read_real(f->file, e->name, e->rank, e->shape, numbers);
    if (status != ELB_OK) return elb_fail(f->context, ELB_USAGE, "%s", elb_context_message(f->context));
    for (int64_t i = 0; i < *count; i++) (*values)[i] = (double)numbers[i];
    return ELB_OK;
}

elb_status elb_foreign_values(elb_foreign *f, const char *text, int64_t channels, int64_t n, double **values)
{
    int64_t count = 1;
    double number, *found = &number;
    if (!elb_number_parse(text, &number)) {
        const elb_safetensors_entry *e = elb_foreign_find(f, text);
        if (!e) return ELB_USAGE;
        ELB_TRY(elb_foreign_read(f, e, &count, &found));
    }
    if (count != 1 && count != n && count != channels)
        return elb_fail(f->context, ELB_USAGE, "tensor '%.200s' has %lld numbers; expected 1 or %lld", text,
                        (long long)count, (long long)n);
    *values = elb_arena_alloc(f->arena, n, sizeof **values);
    if (!*values) return ELB_MEMORY;
    for (int64_t i = 0; i < n; i++) (*values)[i] = found[i % count];
    return ELB_OK;
}

/* --- layers ------------------------------------------------------------------------------------------------------- */

bool elb_next_word(const char **list, char word[], size_t size)
{
    const char *at = *list + strspn(*list, " ");
    if (!*at) return false;
    size_t length = strcspn(at, ","), last = length;
    while (last > 0 && at[last - 1] == ' ') last--;
    snprintf(word, size, "%.*s", (int)last, at);
    *list = at + length + (at[length] == ',');
    return true;
}

static elb_status layer_allocate(elb_foreign *f, int64_t out, int64_t in, elb_layer *layer)
{
    int64_t count;
    if (!elb_mul_fits(out, in, &count)) return elb_fail(f->context, ELB_USAGE, "a layer is too large");
    *layer = (elb_layer){.out = out,
                         .in = in,
                         .weight = elb_arena_alloc(f->arena, count, sizeof(double)),
                         .bias = elb_arena_alloc(f->arena, out, sizeof(double))};
    return layer->weight && layer->bias ? ELB_OK : ELB_MEMORY;
}

static elb_status layer_read_weight(elb_foreign *f, const char *name, elb_layer *layer)
{
    int64_t count;
    double *stored;
    const elb_safetensors_entry *e = elb_foreign_find(f, name);
    if (!e) return ELB_USAGE;
    if (e->rank != 2)
        return elb_fail(f->context, ELB_USAGE,
                        "tensor '%.200s' has %d dimensions, but the weight of a linear layer has 2%s", name, e->rank,
                        e->rank == 4 ? "; convolutions cannot be converted" : "");
    ELB_TRY(elb_foreign_read(f, e, &count, &stored));
    ELB_TRY(layer_allocate(f, e->shape[f->transposed], e->shape[!f->transposed], layer));
    for (int64_t i = 0; i < layer->out; i++)
        for (int64_t j = 0; j < layer->in; j++)
            layer->weight[i * layer->in + j] = stored[f->transposed ? j * layer->out + i : i * layer->in + j];
    return ELB_OK;
}

static elb_status layer_read_bias(elb_foreign *f, const elb_safetensors_entry *e, elb_layer *layer)
{
    int64_t count;
    if (e->rank != 1 || e->shape[0] != layer->out)
        return elb_fail(f->context, ELB_USAGE,
                        "tensor '%.200s' is no bias of %lld numbers, which its weight asks for%s", e->name,
                        (long long)layer->out, e->rank == 1 && e->shape[0] == layer->in ? " (see weights.layout)" : "");
    return elb_foreign_read(f, e, &count, &layer->bias);
}

elb_status elb_layer_read(elb_foreign *f, const char *word, elb_layer *layer)
{
    char weight[2 * ELB_TEXT_MAX], bias[2 * ELB_TEXT_MAX];
    const char *plus = strstr(word, " + ");
    if (plus) {
        snprintf(weight, sizeof weight, "%.*s", (int)(plus - word), word);
        snprintf(bias, sizeof bias, "%s", plus + 3 + strspn(plus + 3, " "));
    } else {
        snprintf(weight, sizeof weight, "%s%s", word, f->weight);
        snprintf(bias, sizeof bias, "%s%s", word, f->bias);
    }
    ELB_TRY(layer_read_weight(f, weight, layer));
    if (plus && strcmp(bias, "0") == 0) {
        for (int64_t i = 0; i < layer->out; i++) layer->bias[i] = 0;
        return ELB_OK;
    }
    const elb_safetensors_entry *e = layer_find(f, bias);
    if (!e)
        return elb_fail(f->context, ELB_USAGE,
                        "there is no tensor '%.200s' beside '%.200s'; write '%.200s + 0' for a layer without a bias",
                        bias, weight, weight);
    return layer_read_bias(f, e, layer);
}

elb_status elb_layer_stack(elb_foreign *f, const elb_layer *a, const elb_layer *b, elb_layer *stacked)
{
    if (a->in != b->in)
        return elb_fail(f->context, ELB_USAGE, "the mean's layer takes %lld values and the scale's layer %lld",
                        (long long)a->in, (long long)b->in);
    ELB_TRY(layer_allocate(f, a->out + b->out, a->in, stacked));
    memcpy(stacked->weight, a->weight, (size_t)(a->out * a->in) * sizeof(double));
    memcpy(stacked->weight + a->out * a->in, b->weight, (size_t)(b->out * b->in) * sizeof(double));
    memcpy(stacked->bias, a->bias, (size_t)a->out * sizeof(double));
    memcpy(stacked->bias + a->out, b->bias, (size_t)b->out * sizeof(double));
    return ELB_OK;
}

elb_layer elb_layer_rows(const elb_layer *layer, int64_t first, int64_t rows)
{
    return (elb_layer){rows, layer->in, layer->weight + first * layer->in, layer->bias + first};
}

void elb_layer_before(elb_layer *layer, const double *scale, const double *shift)
{
    for (int64_t i = 0; i < layer->out; i++)
        for (int64_t j = 0; j < layer->in; j++) {
            double *w = &layer->weight[i * layer->in + j];
            layer->bias[i] += *w * shift[j];
            *w *= scale[j];
        }
}

void elb_layer_after(elb_layer *layer, const double *scale, const double *shift)
{
    for (int64_t i = 0; i < layer->out; i++) {
        for (int64_t j = 0; j < layer->in; j++) layer->weight[i * layer->in + j] *= scale[i];
        layer->bias[i] = scale[i] * layer->bias[i] + shift[i];
    }
}

elb_status elb_layer_normalise(elb_foreign *f, const char *word, double epsilon, elb_layer *layer)
{
    static const char *const parts[] = {".weight", ".bias", ".running_mean", ".running_var"};
    double *values[4];
    char name[2 * ELB_TEXT_MAX];
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s%s", word, parts[i]);
        ELB_TRY(elb_foreign_values(f, name, layer->out, layer->out, &values[i]));
    }
    snprintf(name, sizeof name, "%s.num_batches_tracked", word);
    layer_find(f, name); /* nothing is lost by leaving it */
    double *gain = values[0], *shift = values[1];
    for (int64_t i = 0; i < layer->out; i++) {
        gain[i] /= sqrt(values[3][i] + epsilon);
        shift[i] -= gain[i] * values[2][i];
    }
    elb_layer_after(layer, gain, shift);
    return ELB_OK;
}
