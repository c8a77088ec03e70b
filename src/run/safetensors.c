/* safetensors.c - named tensors in a file. */
#include "run/safetensors.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/file.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are copied between memory and file as they are");

enum {
    SAFETENSORS_PREFIX = 8,               /* the header's size, before the header */
    SAFETENSORS_HEADER_LIMIT = 100000000, /* the format's own limit, bytes */
    SAFETENSORS_SHAPE_TEXT = 24 * ELB_SAFETENSORS_RANK + 3
};
static const int64_t safetensors_file_limit = (int64_t)1 << 36;
static const char safetensors_metadata_key[] = "__metadata__";

static const struct {
    const char *name;
    int64_t size;
} safetensors_dtypes[ELB_DTYPE_COUNT] = {
    [ELB_DTYPE_F64] = {"F64", 8},   [ELB_DTYPE_F32] = {"F32", 4}, [ELB_DTYPE_F16] = {"F16", 2},
    [ELB_DTYPE_BF16] = {"BF16", 2}, [ELB_DTYPE_I64] = {"I64", 8}, [ELB_DTYPE_I32] = {"I32", 4},
    [ELB_DTYPE_I16] = {"I16", 2},   [ELB_DTYPE_I8] = {"I8", 1},   [ELB_DTYPE_U64] = {"U64", 8},
    [ELB_DTYPE_U32] = {"U32", 4},   [ELB_DTYPE_U16] = {"U16", 2}, [ELB_DTYPE_U8] = {"U8", 1},
    [ELB_DTYPE_BOOL] = {"BOOL", 1},
};

struct elb_safetensors {
    elb_context *context;
    char *owned;    /* the file's bytes, when this object read them */
    json_t *header; /* holds every name and every metadata text */
    json_t *metadata;
    elb_safetensors_entry *entries;
    int64_t count;
};

const char *elb_dtype_name(elb_dtype dtype)
{
    return safetensors_dtypes[dtype].name;
}

int64_t elb_dtype_size(elb_dtype dtype)
{
    return safetensors_dtypes[dtype].size;
}

/* "[200,784]" */
static const char *safetensors_shape_text(int rank, const int64_t *shape, char text[SAFETENSORS_SHAPE_TEXT])
{
    int used = snprintf(text, SAFETENSORS_SHAPE_TEXT, "[");
    for (int i = 0; i < rank; i++)
        used += snprintf(text + used, SAFETENSORS_SHAPE_TEXT - (size_t)used, "%s%" PRId64, i ? "," : "", shape[i]);
    snprintf(text + used, SAFETENSORS_SHAPE_TEXT - (size_t)used, "]");
    return text;
}

/* false when the byte count does not fit, or a dimension is negative. */
static bool safetensors_byte_count(const elb_safetensors_entry *e, int64_t *bytes)
{
    if (e->rank < 0 || e->rank > ELB_SAFETENSORS_RANK) return false;
    *bytes = elb_dtype_size(e->dtype);
    for (int i = 0; i < e->rank; i++)
        if (e->shape[i] < 0 || !elb_mul_fits(*bytes, e->shape[i], bytes)) return false;
    return true;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* Adds one entry's description, whose data begin at *offset, and moves *offset behind them. */
static elb_status safetensors_describe(elb_context *c, json_t *header, const elb_safetensors_entry *e, int64_t *offset)
{
    int64_t bytes = 0;
    if (!e->name || !e->name[0] || !strcmp(e->name, safetensors_metadata_key))
        return elb_fail(c, ELB_USAGE, "a tensor is named '%s'; expected a name that is neither empty nor '%s'",
                        e->name ? e->name : "", safetensors_metadata_key);
    if (json_object_get(header, e->name)) return elb_fail(c, ELB_USAGE, "two tensors are named '%s'", e->name);
    if (!safetensors_byte_count(e, &bytes) || bytes > safetensors_file_limit - *offset)
        return elb_fail(c, ELB_USAGE, "tensor '%s' has a negative, too large or too deep shape for one file", e->name);
    json_t *shape = json_array();
    for (int i = 0; i < e->rank; i++) json_array_append_new(shape, json_integer(e->shape[i]));
    json_t *description = json_pack("{s:s, s:o, s:[I,I]}", "dtype", elb_dtype_name(e->dtype), "shape", shape,
                                    "data_offsets", (json_int_t)*offset, (json_int_t)(*offset + bytes));
    if (!description) return elb_fail(c, ELB_MEMORY, "no memory for the description of tensor '%s'", e->name);
    if (json_object_set_new(header, e->name, description))
        return elb_fail(c, ELB_USAGE, "the tensor name '%s' is not UTF-8", e->name);
    *offset += bytes;
    return ELB_OK;
}

static elb_status safetensors_put_metadata(elb_context *c, json_t *header, const elb_safetensors_pair *metadata,
                                           int64_t m)
{
    if (m == 0) return ELB_OK;
    json_t *object = json_object();
    if (!object || json_object_set_new(header, safetensors_metadata_key, object))
        return elb_fail(c, ELB_MEMORY, "no memory for the file's metadata");
    for (int64_t i = 0; i < m; i++) {
        if (json_object_get(object, metadata[i].key))
            return elb_fail(c, ELB_USAGE, "two metadata texts are named '%s'", metadata[i].key);
        if (json_object_set_new(object, metadata[i].key, json_string(metadata[i].value)))
            return elb_fail(c, ELB_USAGE, "the metadata '%s' is not UTF-8", metadata[i].key);
    }
    return ELB_OK;
}

static void safetensors_order(const elb_safetensors_entry *entries, int64_t n, int64_t *order)
{
    int64_t placed = 0;
    for (int64_t width = 8; width > 0; width /= 2)
        for (int64_t i = 0; i < n; i++)
            if (elb_dtype_size(entries[i].dtype) == width) order[placed++] = i;
}

static elb_status safetensors_write(elb_context *c, const char *path, const json_t *header,
                                    const elb_safetensors_entry *entries, const int64_t *order, int64_t n)
{
    char *json = json_dumps(header, JSON_COMPACT);
    if (!json) return elb_fail(c, ELB_MEMORY, "no memory for the header of '%s'", path);
    uint64_t length = strlen(json), padded = (length + 7) / 8 * 8;
    elb_writer *w = NULL;
    elb_status status = elb_writer_open(c, path, &w);
    if (status == ELB_OK) status = elb_writer_put(w, &padded, sizeof padded);
    if (status == ELB_OK) status = elb_writer_put(w, json, length);
    if (status == ELB_OK) status = elb_writer_put(w, "        ", padded - length);
    free(json);
    for (int64_t i = 0; status == ELB_OK && i < n; i++) {
        int64_t bytes = 0;
        safetensors_byte_count(&entries[order[i]], &bytes);
        status = elb_writer_put(w, entries[order[i]].data, (size_t)bytes);
    }
    if (status == ELB_OK) return elb_writer_commit(w);
    elb_writer_discard(w);
    return status;
}

elb_status elb_safetensors_save(elb_context *c, const char *path, const elb_safetensors_entry *entries, int64_t n,
                                const elb_safetensors_pair *metadata, int64_t m)
{
    int64_t offset = 0;
    int64_t *order = elb_alloc(c, n, sizeof *order);
    if (!order) return ELB_MEMORY;
    safetensors_order(entries, n, order);
    json_t *header = json_object();
    elb_status status = header ? ELB_OK : elb_fail(c, ELB_MEMORY, "no memory for the header of '%s'", path);
    if (status == ELB_OK) status = safetensors_put_metadata(c, header, metadata, m);
    for (int64_t i = 0; status == ELB_OK && i < n; i++)
        status = safetensors_describe(c, header, &entries[order[i]], &offset);
    if (status == ELB_OK) status = safetensors_write(c, path, header, entries, order, n);
    json_decref(header);
    elb_free(c, order);
    return status;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static bool safetensors_find_dtype(const char *name, elb_dtype *dtype)
{
    for (int i = 0; i < ELB_DTYPE_COUNT; i++) {
        *dtype = (elb_dtype)i;
        if (!strcmp(name, safetensors_dtypes[i].name)) return true;
    }
    return false;
}

static elb_status safetensors_parse_shape(elb_context *c, const json_t *shape, elb_safetensors_entry *e)
{
    if (!json_is_array(shape) || json_array_size(shape) > ELB_SAFETENSORS_RANK)
        return elb_fail(c, ELB_MODEL, "tensor '%.100s' has no shape of at most %d dimensions", e->name,
                        ELB_SAFETENSORS_RANK);
    e->rank = (int)json_array_size(shape);
    for (int i = 0; i < e->rank; i++) {
        const json_t *size = json_array_get(shape, (size_t)i);
        if (!json_is_integer(size) || json_integer_value(size) < 0)
            return elb_fail(c, ELB_MODEL, "dimension %d of tensor '%.100s' is not a whole number >= 0", i, e->name);
        e->shape[i] = json_integer_value(size);
    }
    return ELB_OK;
}

/* e->data becomes data + its first byte; `room` is the number of bytes that there are. */
static elb_status safetensors_parse_entry(elb_context *c, const json_t *o, const char *data, int64_t room,
                                          elb_safetensors_entry *e)
{
    const char *dtype = json_string_value(json_object_get(o, "dtype"));
    if (!json_is_object(o) || !dtype)
        return elb_fail(c, ELB_MODEL, "tensor '%.100s' has no dtype in the header", e->name);
    if (!safetensors_find_dtype(dtype, &e->dtype))
        return elb_fail(c, ELB_MODEL, "tensor '%.100s' has the unknown dtype '%.20s'", e->name, dtype);
    ELB_TRY(safetensors_parse_shape(c, json_object_get(o, "shape"), e));

    const json_t *offsets = json_object_get(o, "data_offsets");
    const json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(last))
        return elb_fail(c, ELB_MODEL, "tensor '%.100s' has no pair of data_offsets", e->name);
    int64_t begin = json_integer_value(first), end = json_integer_value(last), bytes = 0;
    if (begin < 0 || end < begin || end > room)
        return elb_fail(c, ELB_MODEL,
                        "tensor '%.100s' lies at bytes %" PRId64 "..%" PRId64 " of %" PRId64
                        "; the file is cut short or corrupt",
                        e->name, begin, end, room);
    if (!safetensors_byte_count(e, &bytes) || bytes != end - begin) {
        char text[SAFETENSORS_SHAPE_TEXT];
        return elb_fail(c, ELB_MODEL, "tensor '%.100s' has %" PRId64 " bytes, which do not make %s %s", e->name,
                        end - begin, safetensors_shape_text(e->rank, e->shape, text), dtype);
    }
    e->data = data + begin;
    return ELB_OK;
}

/* By first byte; an empty tensor goes before the one that begins where it stands. */
static int safetensors_compare(const void *a, const void *b)
{
    const elb_safetensors_entry *x = a, *y = b;
    int64_t nx = 0, ny = 0;
    if (x->data != y->data) return (const char *)x->data < (const char *)y->data ? -1 : 1;
    safetensors_byte_count(x, &nx);
    safetensors_byte_count(y, &ny);
    if (nx != ny) return nx < ny ? -1 : 1;
    return strcmp(x->name, y->name);
}

static elb_status safetensors_check_layout(elb_safetensors *f, const char *data, int64_t room)
{
    const char *at = data;
    if (f->count > 1) qsort(f->entries, (size_t)f->count, sizeof *f->entries, safetensors_compare);
    for (int64_t i = 0; i < f->count; i++) {
        int64_t bytes = 0;
        safetensors_byte_count(&f->entries[i], &bytes);
        if ((const char *)f->entries[i].data != at)
            return elb_fail(f->context, ELB_MODEL, "there is a gap or an overlap before tensor '%.100s'",
                            f->entries[i].name);
        at += bytes;
    }
    if (at != data + room)
        return elb_fail(f->context, ELB_MODEL, "%" PRId64 " bytes follow the last tensor; expected none",
                        room - (int64_t)(at - data));
    return ELB_OK;
}

static elb_status safetensors_check_metadata(elb_safetensors *f)
{
    const char *key;
    json_t *value;
    f->metadata = json_object_get(f->header, safetensors_metadata_key);
    if (!f->metadata) return ELB_OK;
    if (!json_is_object(f->metadata))
        return elb_fail(f->context, ELB_MODEL, "%s is not an object", safetensors_metadata_key);
    json_object_foreach(f->metadata, key, value)
    {
        if (!json_is_string(value)) return elb_fail(f->context, ELB_MODEL, "the metadata '%.100s' is not a text", key);
    }
    return ELB_OK;
}

static elb_status safetensors_parse_header(elb_safetensors *f, const char *header, int64_t length, const char *data,
                                           int64_t room)
{
    json_error_t error;
    const char *name;
    json_t *value;
    f->header = length ? json_loadb(header, (size_t)length, JSON_REJECT_DUPLICATES, &error) : NULL;
    if (!json_is_object(f->header))
        return elb_fail(f->context, ELB_MODEL, "the header is not a JSON object: %s",
                        f->header || !length ? "something else stands there" : error.text);
    ELB_TRY(safetensors_check_metadata(f));
    f->entries = elb_alloc(f->context, (int64_t)json_object_size(f->header), sizeof *f->entries);
    if (!f->entries) return ELB_MEMORY;
    json_object_foreach(f->header, name, value)
    {
        if (value == f->metadata) continue;
        f->entries[f->count].name = name;
        ELB_TRY(safetensors_parse_entry(f->context, value, data, room, &f->entries[f->count]));
        f->count++;
    }
    return safetensors_check_layout(f, data, room);
}

elb_status elb_safetensors_parse(elb_context *c, const void *bytes, int64_t size, elb_safetensors **file)
{
    uint64_t length = 0;
    *file = NULL;
    if (size < SAFETENSORS_PREFIX)
        return elb_fail(c, ELB_MODEL, "%" PRId64 " bytes are too few for a safetensors file", size);
    memcpy(&length, bytes, sizeof length);
    if (length > SAFETENSORS_HEADER_LIMIT || length > (uint64_t)(size - SAFETENSORS_PREFIX))
        return elb_fail(c, ELB_MODEL,
                        "the header would have %" PRIu64 " bytes, but the file has %" PRId64
                        "; it is cut short, or not a safetensors file",
                        length, size);
    elb_safetensors *f = elb_alloc(c, 1, sizeof *f);
    if (!f) return ELB_MEMORY;
    f->context = c;
    const char *header = (const char *)bytes + SAFETENSORS_PREFIX;
    elb_status status = safetensors_parse_header(f, header, (int64_t)length, header + length,
                                                 size - SAFETENSORS_PREFIX - (int64_t)length);
    if (status == ELB_OK)
        *file = f;
    else
        elb_safetensors_close(f);
    return status;
}

elb_status elb_safetensors_open(elb_context *c, const char *path, elb_safetensors **file)
{
    char *bytes = NULL;
    int64_t size = 0;
    *file = NULL;
    elb_status status = elb_file_read(c, path, safetensors_file_limit, &bytes, &size);
    if (status == ELB_DATA) return elb_fail_in(c, ELB_MODEL, "not a model file");
    if (status != ELB_OK) return status;
    elb_safetensors *f = NULL;
    status = elb_safetensors_parse(c, bytes, size, &f);
    if (!f) {
        elb_free(c, bytes);
        return elb_fail_in(c, status, "'%s'", path);
    }
    f->owned = bytes;
    *file = f;
    return ELB_OK;
}

void elb_safetensors_close(elb_safetensors *file)
{
    if (!file) return;
    json_decref(file->header);
    elb_free(file->context, file->entries);
    elb_free(file->context, file->owned);
    elb_free(file->context, file);
}

/* --- looking up --------------------------------------------------------------------------------------------------- */

int64_t elb_safetensors_count(const elb_safetensors *file)
{
    return file->count;
}

const elb_safetensors_entry *elb_safetensors_at(const elb_safetensors *file, int64_t i)
{
    return &file->entries[i];
}

const elb_safetensors_entry *elb_safetensors_find(const elb_safetensors *file, const char *name)
{
    for (int64_t i = 0; i < file->count; i++)
        if (!strcmp(file->entries[i].name, name)) return &file->entries[i];
    return NULL;
}

int64_t elb_safetensors_metadata_count(const elb_safetensors *file)
{
    return (int64_t)json_object_size(file->metadata);
}

elb_safetensors_pair elb_safetensors_metadata_at(const elb_safetensors *file, int64_t i)
{
    void *at = json_object_iter(file->metadata);
    while (i-- > 0) at = json_object_iter_next(file->metadata, at);
    return (elb_safetensors_pair){json_object_iter_key(at), json_string_value(json_object_iter_value(at))};
}

const char *elb_safetensors_metadata(const elb_safetensors *file, const char *key)
{
    return json_string_value(json_object_get(file->metadata, key));
}

/* The entry, or NULL with the message set when it is missing or of another shape. */
static const elb_safetensors_entry *safetensors_expect(const elb_safetensors *file, const char *name, int rank,
                                                       const int64_t *shape)
{
    char expected[SAFETENSORS_SHAPE_TEXT], found[SAFETENSORS_SHAPE_TEXT];
    const elb_safetensors_entry *e = elb_safetensors_find(file, name);
    if (rank < 0 || rank > ELB_SAFETENSORS_RANK) {
        elb_fail(file->context, ELB_MODEL, "tensor '%s' is wanted with %d dimensions; at most %d can be", name, rank,
                 ELB_SAFETENSORS_RANK);
        return NULL;
    }
    safetensors_shape_text(rank, shape, expected);
    if (!e) {
        elb_fail(file->context, ELB_MODEL, "there is no tensor '%s'; expected one of shape %s", name, expected);
        return NULL;
    }
    bool same = e->rank == rank;
    for (int i = 0; same && i < rank; i++) same = e->shape[i] == shape[i];
    if (same) return e;
    elb_fail(file->context, ELB_MODEL, "tensor '%s' has shape %s; expected %s", name,
             safetensors_shape_text(e->rank, e->shape, found), expected);
    return NULL;
}

elb_status elb_safetensors_check(const elb_safetensors *file, const char *name, int rank, const int64_t *shape)
{
    return safetensors_expect(file, name, rank, shape) ? ELB_OK : ELB_MODEL;
}

elb_status elb_safetensors_read(const elb_safetensors *file, const char *name, elb_dtype dtype, int rank,
                                const int64_t *shape, void *out)
{
    int64_t bytes = 0;
    const elb_safetensors_entry *e = safetensors_expect(file, name, rank, shape);
    if (!e) return ELB_MODEL;
    if (e->dtype != dtype)
        return elb_fail(file->context, ELB_MODEL, "tensor '%s' is of dtype %s; expected %s", name,
                        elb_dtype_name(e->dtype), elb_dtype_name(dtype));
    safetensors_byte_count(e, &bytes);
    if (bytes) memcpy(out, e->data, (size_t)bytes);
    return ELB_OK;
}

static elb_real safetensors_f64(const char *at)
{
    double x;
    memcpy(&x, at, sizeof x);
    return (elb_real)x;
}

static elb_real safetensors_f32(const char *at)
{
    float x;
    memcpy(&x, at, sizeof x);
    return (elb_real)x;
}

/* The upper half of a float32. */
static elb_real safetensors_bf16(const char *at)
{
    char wide[4] = {0, 0, at[0], at[1]};
    return safetensors_f32(wide);
}

/* IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. */
static elb_real safetensors_f16(const char *at)
{
    uint16_t bits;
    memcpy(&bits, at, sizeof bits);
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double size = exponent == 31  ? (fraction ? NAN : INFINITY)
                  : exponent == 0 ? ldexp(fraction, -24)
                                  : ldexp(1024 + fraction, exponent - 25);
    return (elb_real)(bits >> 15 ? -size : size);
}

elb_status elb_safetensors_read_real(const elb_safetensors *file, const char *name, int rank, const int64_t *shape,
                                     elb_real *out)
{
    int64_t bytes = 0;
    const elb_safetensors_entry *e = safetensors_expect(file, name, rank, shape);
    if (!e) return ELB_MODEL;
    elb_real (*convert)(const char *) = e->dtype == ELB_DTYPE_F64    ? safetensors_f64
                                        : e->dtype == ELB_DTYPE_F32  ? safetensors_f32
                                        : e->dtype == ELB_DTYPE_F16  ? safetensors_f16
                                        : e->dtype == ELB_DTYPE_BF16 ? safetensors_bf16
                                                                     : NULL;
    if (!convert)
        return elb_fail(file->context, ELB_MODEL, "tensor '%s' is of dtype %s; expected F32, F64, F16 or BF16", name,
                        elb_dtype_name(e->dtype));
    safetensors_byte_count(e, &bytes);
    int64_t width = elb_dtype_size(e->dtype);
    for (int64_t i = 0; i < bytes / width; i++) out[i] = convert((const char *)e->data + i * width);
    return ELB_OK;
}
