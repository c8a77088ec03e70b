/* array.c - values in files' number formats become 8-bit integers or floats. */
#include <math.h>
#include <string.h>

#include "data/array.h"

enum { ARRAY_PIECE = 1 << 20 };

void elb_array_reset(elb_context *c, elb_array *array)
{
    if (!array->mapping.bytes) elb_free(c, array->values);
    elb_mapping_close(&array->mapping);
    *array = (elb_array){.values = NULL};
}

int64_t elb_array_count(const elb_array *array)
{
    int64_t n = array->rank > 0;
    for (int i = 0; i < array->rank; i++) n *= array->shape[i];
    return n;
}

size_t elb_array_width(const elb_array *array)
{
    return array->type == ELB_ARRAY_U8 ? sizeof(uint8_t) : sizeof(float);
}

/* Bytes of one item of the first axis. */
static int64_t array_item(const elb_array *array)
{
    return elb_array_count(array) / array->shape[0] * (int64_t)elb_array_width(array);
}

int64_t elb_array_piece(const elb_array *array)
{
    return 1 + ARRAY_PIECE / array_item(array);
}

void elb_array_forget(const elb_array *array, int64_t first, int64_t count)
{
    if (!array->mapping.bytes) return;
    int64_t item = array_item(array);
    int64_t begin = (const uint8_t *)array->values - array->mapping.bytes + first * item;
    elb_mapping_forget(&array->mapping, begin, begin + count * item);
}

int64_t elb_element_width(elb_element element)
{
    switch (element) {
    case ELB_ELEMENT_BOOL:
    case ELB_ELEMENT_U8:
    case ELB_ELEMENT_I8: return 1;
    case ELB_ELEMENT_U16:
    case ELB_ELEMENT_I16:
    case ELB_ELEMENT_F16: return 2;
    case ELB_ELEMENT_U32:
    case ELB_ELEMENT_I32:
    case ELB_ELEMENT_F32: return 4;
    case ELB_ELEMENT_U64:
    case ELB_ELEMENT_I64:
    case ELB_ELEMENT_F64: return 8;
    }
    return 0;
}

static uint64_t array_word(const uint8_t *p, int64_t width, bool big)
{
    uint64_t word = 0;
    for (int64_t i = 0; i < width; i++) word = word << 8 | p[big ? i : width - 1 - i];
    return word;
}

static double array_half(uint16_t h)
{
    int exponent = h >> 10 & 31, mantissa = h & 1023;
    double size = exponent == 31 ? (mantissa ? NAN : INFINITY)
                                 : ldexp(exponent ? 1024 + mantissa : mantissa, (exponent ? exponent : 1) - 25);
    return h >> 15 ? -size : size;
}

static float array_float32(uint32_t word)
{
    float f;
    memcpy(&f, &word, sizeof f);
    return f;
}

static double array_float64(uint64_t word)
{
    double d;
    memcpy(&d, &word, sizeof d);
    return d;
}

static float array_number(elb_element element, uint64_t word)
{
    switch (element) {
    case ELB_ELEMENT_I8: return (float)(int8_t)word;
    case ELB_ELEMENT_I16: return (float)(int16_t)word;
    case ELB_ELEMENT_I32: return (float)(int32_t)word;
    case ELB_ELEMENT_I64: return (float)(int64_t)word;
    case ELB_ELEMENT_F16: return (float)array_half((uint16_t)word);
    case ELB_ELEMENT_F32: return array_float32((uint32_t)word);
    case ELB_ELEMENT_F64: return (float)array_float64(word);
    default: return (float)word;
    }
}

/* Copies `array` from its layout, all but the values. */
static elb_status array_describe(elb_context *c, const elb_layout *l, elb_array *array)
{
    int64_t expected = elb_element_width(l->element);
    bool fits = true;
    for (int i = 0; i < l->rank && fits; i++) fits = elb_mul_fits(expected, l->shape[i], &expected);
    if (!fits) return elb_fail(c, ELB_DATA, "the header describes more values than any file can hold: it is corrupt");
    if (expected != l->size)
        return elb_fail(c, ELB_DATA, "the header describes %lld bytes of values but %lld follow it: the file is %s",
                        (long long)expected, (long long)l->size, l->size < expected ? "truncated" : "corrupt");
    bool eight_bit = l->element == ELB_ELEMENT_U8 || l->element == ELB_ELEMENT_BOOL;
    *array = (elb_array){
        .type = eight_bit ? ELB_ARRAY_U8 : ELB_ARRAY_F32, .flags = l->element == ELB_ELEMENT_BOOL, .rank = l->rank};
    memcpy(array->shape, l->shape, sizeof array->shape);
    return ELB_OK;
}

/* Column-major values become row-major ones. */
static elb_status array_transpose(elb_context *c, elb_array *array)
{
    int64_t count = elb_array_count(array), size = (int64_t)elb_array_width(array);
    char *from = array->values, *to = elb_alloc(c, count, (size_t)size);
    if (!to) return ELB_MEMORY;
    int64_t stride[ELB_ARRAY_RANK_MAX] = {1}, index[ELB_ARRAY_RANK_MAX] = {0};
    for (int i = 1; i < array->rank; i++) stride[i] = stride[i - 1] * array->shape[i - 1];
    int64_t at = 0;
    for (int64_t n = 0; n < count; n++) {
        memcpy(to + n * size, from + at * size, (size_t)size);
        for (int i = array->rank - 1; i >= 0; i--) {
            at += stride[i];
            if (++index[i] < array->shape[i]) break;
            at -= stride[i] * array->shape[i];
            index[i] = 0;
        }
    }
    elb_free(c, array->values);
    array->values = to;
    return ELB_OK;
}

elb_status elb_array_decode(elb_context *c, const elb_layout *l, elb_array *array)
{
    elb_array a;
    *array = (elb_array){.values = NULL};
    ELB_TRY(array_describe(c, l, &a));
    int64_t width = elb_element_width(l->element), count = l->size / width;
    a.values = elb_alloc(c, count, elb_array_width(&a));
    if (!a.values) return ELB_MEMORY;
    if (l->element == ELB_ELEMENT_BOOL) {
        uint8_t *to = a.values;
        for (int64_t i = 0; i < count; i++) to[i] = l->values[i] != 0;
    } else if (l->element == ELB_ELEMENT_U8) {
        if (count > 0) memcpy(a.values, l->values, (size_t)count);
    } else {
        float *to = a.values;
        for (int64_t i = 0; i < count; i++)
            to[i] = array_number(l->element, array_word(l->values + i * width, width, l->big));
    }
    elb_status status = l->fortran && l->rank > 1 ? array_transpose(c, &a) : ELB_OK;
    if (status == ELB_OK)
        *array = a;
    else
        elb_array_reset(c, &a);
    return status;
}

static bool array_viewable(const elb_layout *l)
{
    const bool machine_big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
    bool aligned = (uintptr_t)l->values % sizeof(float) == 0;
    if (l->size == 0 || (l->fortran && l->rank > 1)) return false;
    return l->element == ELB_ELEMENT_U8 || (l->element == ELB_ELEMENT_F32 && l->big == machine_big && aligned);
}

elb_status elb_array_view(elb_context *c, const elb_layout *l, elb_mapping *mapping, elb_array *array)
{
    if (!array_viewable(l)) return elb_array_decode(c, l, array);
    *array = (elb_array){.values = NULL};
    ELB_TRY(array_describe(c, l, array));
    array->values = mapping->bytes + (l->values - mapping->bytes);
    array->mapping = *mapping;
    *mapping = (elb_mapping){.bytes = NULL};
    return ELB_OK;
}
