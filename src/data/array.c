/* array.c - values in files' number formats become 8-bit integers or floats. */
#include <math.h>
#include <string.h>

#include "data/array.h"

void elb_array_reset(elb_context *c, elb_array *array)
{
    elb_free(c, array->values);
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

/* The bytes that rank and shape promise; false when the number does not fit. */
static bool array_bytes(const elb_array *array, int64_t width, int64_t *bytes)
{
    int64_t n = width;
    for (int i = 0; i < array->rank; i++)
        if (!elb_mul_fits(n, array->shape[i], &n)) return false;
    *bytes = n;
    return true;
}

elb_status elb_array_decode(elb_context *c, elb_element element, bool big, const uint8_t *bytes, int64_t size,
                            elb_array *array)
{
    int64_t width = elb_element_width(element), expected = 0;
    if (!array_bytes(array, width, &expected))
        return elb_fail(c, ELB_DATA, "the header describes more values than any file can hold: it is corrupt");
    if (expected != size)
        return elb_fail(c, ELB_DATA, "the header describes %lld bytes of values but %lld follow it: the file is %s",
                        (long long)expected, (long long)size, size < expected ? "truncated" : "corrupt");
    bool eight_bit = element == ELB_ELEMENT_U8 || element == ELB_ELEMENT_BOOL;
    array->type = eight_bit ? ELB_ARRAY_U8 : ELB_ARRAY_F32;
    array->flags = element == ELB_ELEMENT_BOOL;
    int64_t count = size / width;
    array->values = elb_alloc(c, count, elb_array_width(array));
    if (!array->values) return ELB_MEMORY;
    if (element == ELB_ELEMENT_BOOL) {
        uint8_t *to = array->values;
        for (int64_t i = 0; i < count; i++) to[i] = bytes[i] != 0;
    } else if (eight_bit) {
        if (count > 0) memcpy(array->values, bytes, (size_t)count);
    } else {
        float *to = array->values;
        for (int64_t i = 0; i < count; i++) to[i] = array_number(element, array_word(bytes + i * width, width, big));
    }
    return ELB_OK;
}
