/* dataset.c - what is known of a data set, and its rows. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/dataset.h"

enum { DATASET_SHAPE_SIZE = 64 };

const char *elb_part_name(elb_part part)
{
    static const char *const names[] = {"train", "validation", "test", "all"};
    return (unsigned)part < sizeof names / sizeof *names ? names[part] : "unknown";
}

/* --- facts --- */

static void dataset_facts_u8(int64_t n, const uint8_t *x, elb_data_facts *f)
{
    uint8_t low = UINT8_MAX, high = 0;
    bool binary = true;
    for (int64_t i = 0; i < n; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
        binary &= x[i] == 0 || x[i] == f->scale;
    }
    f->min = low < f->min ? low : f->min;
    f->max = high > f->max ? high : f->max;
    f->binary &= binary;
}

static void dataset_facts_f32(int64_t n, const float *x, elb_data_facts *f)
{
    for (int64_t i = 0; i < n; i++) {
        bool finite = isfinite(x[i]);
        f->nan_count += isnan(x[i]) != 0;
        f->infinite_count += isinf(x[i]) != 0;
        if (finite && x[i] < f->min) f->min = x[i];
        if (finite && x[i] > f->max) f->max = x[i];
        f->binary &= x[i] == 0 || x[i] == f->scale;
    }
}

static elb_data_facts dataset_facts(const elb_array *array, double scale)
{
    elb_data_facts facts = {
        .min = INFINITY, .max = -INFINITY, .scale = scale, .binary = true, .eight_bit = array->type == ELB_ARRAY_U8};
    int64_t count = array->shape[0], width = elb_array_count(array) / count, piece = elb_array_piece(array);
    for (int64_t first = 0; first < count; first += piece) {
        int64_t some = count - first < piece ? count - first : piece;
        if (facts.eight_bit)
            dataset_facts_u8(some * width, (const uint8_t *)array->values + first * width, &facts);
        else
            dataset_facts_f32(some * width, (const float *)array->values + first * width, &facts);
        elb_array_forget(array, first, some);
    }
    if (facts.nan_count + facts.infinite_count == count * width) facts.min = facts.max = NAN;
    return facts;
}

/* --- making --- */

static void dataset_shape_text(const elb_dataset *d, char text[DATASET_SHAPE_SIZE])
{
    int64_t s[3];
    int rank = elb_dataset_shape(d, s);
    if (rank == 1) snprintf(text, DATASET_SHAPE_SIZE, "%lld", (long long)s[0]);
    if (rank == 2) snprintf(text, DATASET_SHAPE_SIZE, "%lldx%lld", (long long)s[0], (long long)s[1]);
    if (rank == 3)
        snprintf(text, DATASET_SHAPE_SIZE, "%lldx%lldx%lld", (long long)s[0], (long long)s[1], (long long)s[2]);
}

static elb_status dataset_describe(elb_dataset *d, const char *name)
{
    const elb_data_facts *f = &d->facts;
    char shape[DATASET_SHAPE_SIZE] = "";
    dataset_shape_text(d, shape);
    d->name = elb_strdup(d->context, name);
    if (!d->name) return ELB_MEMORY;
    char infinite[48] = "";
    if (f->infinite_count > 0) snprintf(infinite, sizeof infinite, ", %lld infinite", (long long)f->infinite_count);
    d->description =
        elb_format(d->context, "%lld x %s, %s, range %g..%g, %lld NaN%s", (long long)d->array.shape[0], shape,
                   f->eight_bit ? "8-bit" : "float", f->min, f->max, (long long)f->nan_count, infinite);
    return d->description ? ELB_OK : ELB_MEMORY;
}

static elb_status dataset_check(elb_context *c, const elb_array *array)
{
    int64_t count = array->rank > 0 ? array->shape[0] : 0;
    if (elb_array_count(array) == 0) return elb_fail(c, ELB_DATA, "the source holds no data: its shape has a zero");
    if (count > UINT32_MAX)
        return elb_fail(c, ELB_DATA, "%lld data are more than the 2^32 - 1 that can be used: split the source",
                        (long long)count);
    return ELB_OK;
}

elb_status elb_dataset_wrap(elb_context *c, const char *name, elb_array *array, int32_t *labels, double scale,
                            elb_dataset **dataset)
{
    *dataset = NULL;
    elb_status status = dataset_check(c, array);
    elb_dataset *d = status == ELB_OK ? elb_alloc(c, 1, sizeof *d) : NULL;
    if (!d) {
        elb_array_reset(c, array);
        elb_free(c, labels);
        return status == ELB_OK ? ELB_MEMORY : status;
    }
    d->context = c;
    d->array = *array;
    d->labels = labels;
    *array = (elb_array){.values = NULL};
    d->size = elb_array_count(&d->array) / d->array.shape[0];
    d->facts = dataset_facts(&d->array, scale);
    status = dataset_describe(d, name);
    if (status != ELB_OK)
        elb_dataset_destroy(d);
    else
        *dataset = d;
    return status;
}

elb_status elb_dataset_create(elb_context *c, const char *name, int64_t count, int rank, const int64_t *shape,
                              const float *values, elb_dataset **dataset)
{
    *dataset = NULL;
    if (rank < 0 || rank >= ELB_ARRAY_RANK_MAX)
        return elb_fail(c, ELB_USAGE, "an item of rank %d cannot be a datum: 0 to %d are expected", rank,
                        ELB_ARRAY_RANK_MAX - 1);
    elb_array array = {.type = ELB_ARRAY_F32, .rank = rank + 1, .shape = {count}};
    int64_t total = count;
    bool good = count > 0;
    for (int i = 0; i < rank; i++) {
        array.shape[i + 1] = shape[i];
        good = good && shape[i] > 0 && elb_mul_fits(total, shape[i], &total);
    }
    if (!good) return elb_fail(c, ELB_USAGE, "data and shape must be at least 1 each, and not more than memory holds");
    array.values = elb_alloc(c, total, sizeof(float));
    if (!array.values) return ELB_MEMORY;
    memcpy(array.values, values, (size_t)total * sizeof(float));
    return elb_dataset_wrap(c, name, &array, NULL, 1, dataset);
}

void elb_dataset_destroy(elb_dataset *d)
{
    if (!d) return;
    elb_context *c = d->context;
    elb_array_reset(c, &d->array);
    elb_free(c, d->labels);
    elb_free(c, d->name);
    elb_free(c, d->description);
    elb_free(c, d);
}

elb_status elb_dataset_check_binarise(const elb_dataset *d, int binarise)
{
    const elb_data_facts *f = &d->facts;
    bool chance = binarise == ELB_BINARISE_DYNAMIC || binarise == ELB_BINARISE_STATIC;
    if (!chance || !(f->min < 0 || f->max / f->scale > 1)) return ELB_OK;
    return elb_fail(d->context, ELB_DATA,
                    "the values lie in [%g,%g] after division by %g, and only those in [0,1] can be binarised by "
                    "chance: set data.scale to the largest value, or data.binarise to threshold or none",
                    f->min / f->scale, f->max / f->scale, f->scale);
}

/* --- getters --- */

int64_t elb_dataset_count(const elb_dataset *d)
{
    return d->array.shape[0];
}

int64_t elb_dataset_size(const elb_dataset *d)
{
    return d->size;
}

int elb_dataset_shape(const elb_dataset *d, int64_t shape[3])
{
    int rank = d->array.rank - 1;
    for (int i = 0; i < 3; i++) shape[i] = i < rank ? d->array.shape[i + 1] : 1;
    return rank > 0 ? rank : 1;
}

elb_data_facts elb_dataset_facts(const elb_dataset *d)
{
    return d->facts;
}

bool elb_dataset_has_labels(const elb_dataset *d)
{
    return d->labels != NULL;
}

int64_t elb_dataset_label(const elb_dataset *d, int64_t index)
{
    return d->labels ? d->labels[index] : -1;
}

elb_status elb_dataset_rows(const elb_dataset *d, int64_t first, int64_t count, float *x)
{
    int64_t n = elb_dataset_count(d);
    if (first < 0 || count < 0 || first > n || count > n - first)
        return elb_fail(d->context, ELB_USAGE, "%lld data from number %lld on were asked for, but '%s' has %lld",
                        (long long)count, (long long)first, d->name, (long long)n);
    const uint8_t *small = d->array.values;
    const float *wide = d->array.values;
    float scale = (float)d->facts.scale;
    for (int64_t i = first * d->size, end = i + count * d->size; i < end; i++)
        *x++ = (d->facts.eight_bit ? (float)small[i] : wide[i]) / scale;
    return ELB_OK;
}

const char *elb_dataset_name(const elb_dataset *d)
{
    return d->name;
}

const char *elb_dataset_describe(const elb_dataset *d)
{
    return d->description;
}
