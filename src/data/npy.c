/* npy.c - NumPy's array files (numpy.lib.format, versions 1.0 to 3.0). */
#include <string.h>

#include "data/readers.h"

/* The header is a Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } */
typedef struct npy_header {
    const char *at, *end;
    elb_element element;
    bool big, fortran;
    bool has_descr, has_order, has_shape;
    int rank;
    int64_t shape[ELB_ARRAY_RANK_MAX];
} npy_header;

static void npy_skip(npy_header *h)
{
    while (h->at < h->end && (*h->at == ' ' || *h->at == '\n' || *h->at == '\t' || *h->at == '\r')) h->at++;
}

static bool npy_take(npy_header *h, const char *word)
{
    npy_skip(h);
    size_t length = strlen(word);
    if ((size_t)(h->end - h->at) < length || memcmp(h->at, word, length) != 0) return false;
    h->at += length;
    return true;
}

static bool npy_string(npy_header *h, char *text, size_t size)
{
    npy_skip(h);
    if (h->at >= h->end || (*h->at != '\'' && *h->at != '"')) return false;
    char quote = *h->at++;
    size_t n = 0;
    while (h->at < h->end && *h->at != quote) {
        if (n + 1 >= size) return false;
        text[n++] = *h->at++;
    }
    text[n] = '\0';
    return h->at < h->end && *h->at++ == quote;
}

static elb_status npy_descr(elb_context *c, npy_header *h)
{
    static const struct {
        char name[4];
        elb_element element;
    } known[] = {{"b1", ELB_ELEMENT_BOOL}, {"u1", ELB_ELEMENT_U8},  {"i1", ELB_ELEMENT_I8},  {"u2", ELB_ELEMENT_U16},
                 {"i2", ELB_ELEMENT_I16},  {"u4", ELB_ELEMENT_U32}, {"i4", ELB_ELEMENT_I32}, {"u8", ELB_ELEMENT_U64},
                 {"i8", ELB_ELEMENT_I64},  {"f2", ELB_ELEMENT_F16}, {"f4", ELB_ELEMENT_F32}, {"f8", ELB_ELEMENT_F64}};
    char text[16];
    if (!npy_string(h, text, sizeof text))
        return elb_fail(c, ELB_DATA,
                        "the array has fields or a type with a long name; save one plain array of numbers");
    bool order = text[0] == '<' || text[0] == '>' || text[0] == '|' || text[0] == '=';
    for (size_t i = 0; order && i < sizeof known / sizeof *known; i++) {
        if (strcmp(text + 1, known[i].name) != 0) continue;
        h->element = known[i].element;
        h->big = text[0] == '>';
        h->has_descr = true;
        return ELB_OK;
    }
    return elb_fail(c, ELB_DATA, "values of NumPy type '%s' cannot be read; save booleans, integers or real floats",
                    text);
}

static elb_status npy_order(elb_context *c, npy_header *h)
{
    h->fortran = npy_take(h, "True");
    if (!h->fortran && !npy_take(h, "False"))
        return elb_fail(c, ELB_DATA, "the NPY header is corrupt: fortran_order must be True or False");
    h->has_order = true;
    return ELB_OK;
}

static bool npy_number(npy_header *h, int64_t *number)
{
    npy_skip(h);
    const char *start = h->at;
    int64_t n = 0;
    for (; h->at < h->end && *h->at >= '0' && *h->at <= '9'; h->at++)
        if (!elb_mul_fits(n, 10, &n) || __builtin_add_overflow(n, *h->at - '0', &n)) return false;
    *number = n;
    return h->at > start;
}

static elb_status npy_shape(elb_context *c, npy_header *h)
{
    bool good = npy_take(h, "(");
    h->rank = 0;
    while (good && !npy_take(h, ")")) {
        if (h->rank == ELB_ARRAY_RANK_MAX)
            return elb_fail(c, ELB_DATA,
                            "the array has more than %d dimensions; reshape it to data x height x width x channels",
                            ELB_ARRAY_RANK_MAX);
        good = npy_number(h, &h->shape[h->rank]) && (npy_take(h, ",") || (h->at < h->end && *h->at == ')'));
        h->rank++;
    }
    if (!good) return elb_fail(c, ELB_DATA, "the NPY header is corrupt: its shape is not a tuple of sizes");
    if (h->rank == 0) return elb_fail(c, ELB_DATA, "the array is a single number; save an array of data");
    h->has_shape = true;
    return ELB_OK;
}

static elb_status npy_dictionary(elb_context *c, npy_header *h)
{
    bool good = npy_take(h, "{");
    while (good && !npy_take(h, "}")) {
        char key[16];
        if (!npy_string(h, key, sizeof key) || !npy_take(h, ":"))
            good = false;
        else if (strcmp(key, "descr") == 0)
            ELB_TRY(npy_descr(c, h));
        else if (strcmp(key, "fortran_order") == 0)
            ELB_TRY(npy_order(c, h));
        else if (strcmp(key, "shape") == 0)
            ELB_TRY(npy_shape(c, h));
        else
            good = false;
        npy_skip(h);
        good = good && (npy_take(h, ",") || (h->at < h->end && *h->at == '}'));
    }
    if (!good || !h->has_descr || !h->has_order || !h->has_shape)
        return elb_fail(c, ELB_DATA,
                        "the NPY header is corrupt: it must be a dictionary of descr, fortran_order and shape");
    return ELB_OK;
}

/* Finds the dictionary between the fixed part and the values. */
static elb_status npy_header_find(elb_context *c, const uint8_t *bytes, int64_t size, npy_header *h)
{
    if (size < 10 || memcmp(bytes, "\x93NUMPY", 6) != 0)
        return elb_fail(c, ELB_DATA, "this is not an NPY file: it does not begin with \\x93NUMPY");
    int version = bytes[6];
    if (version < 1 || version > 3)
        return elb_fail(c, ELB_DATA, "NPY version %d is not known: save the array with a current NumPy", version);
    int64_t fixed = version == 1 ? 10 : 12;
    if (size < fixed) return elb_fail(c, ELB_DATA, "the NPY header is truncated");
    int64_t length = bytes[8] | bytes[9] << 8;
    if (version > 1) length |= (int64_t)bytes[10] << 16 | (int64_t)bytes[11] << 24;
    if (length > size - fixed)
        return elb_fail(c, ELB_DATA, "the NPY header is truncated: it promises %lld bytes and %lld follow",
                        (long long)length, (long long)(size - fixed));
    *h = (npy_header){.at = (const char *)bytes + fixed, .end = (const char *)bytes + fixed + length};
    return ELB_OK;
}

elb_status elb_npy_locate(elb_context *c, const uint8_t *bytes, int64_t size, elb_layout *layout)
{
    npy_header h = {.at = NULL};
    ELB_TRY(npy_header_find(c, bytes, size, &h));
    const uint8_t *values = (const uint8_t *)h.end;
    ELB_TRY(npy_dictionary(c, &h));
    *layout = (elb_layout){.element = h.element,
                           .big = h.big,
                           .fortran = h.fortran,
                           .rank = h.rank,
                           .values = values,
                           .size = size - (values - bytes)};
    memcpy(layout->shape, h.shape, sizeof layout->shape);
    return ELB_OK;
}

elb_status elb_npy_parse(elb_context *c, const uint8_t *bytes, int64_t size, elb_array *array)
{
    elb_layout layout;
    *array = (elb_array){.values = NULL};
    ELB_TRY(elb_npy_locate(c, bytes, size, &layout));
    return elb_array_decode(c, &layout, array);
}
