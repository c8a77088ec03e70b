/* npz.c - NumPy's archives: a zip file of NPY files (PKWARE APPNOTE 6.3.3, without encryption). */
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "data/inflate.h"
#include "data/readers.h"

enum {
    NPZ_END_SIZE = 22,
    NPZ_ENTRY_SIZE = 46,
    NPZ_LOCAL_SIZE = 30,
    NPZ_COMMENT_MAX = 65535,
    NPZ_LOCATOR_SIZE = 20,
    NPZ_END64_SIZE = 56,
    NPZ_NAMES_SIZE = 160
};

typedef struct npz_file {
    const uint8_t *bytes;
    int64_t size;
    int64_t directory; /* where the central directory begins */
    int64_t count;
} npz_file;

typedef struct npz_entry {
    const char *name; /* not terminated; without ".npy" */
    int name_length;
    int method;
    bool encrypted;
    uint32_t crc;
    int64_t packed, size, local;
} npz_entry;

static int64_t npz_u16(const uint8_t *p)
{
    return p[0] | p[1] << 8;
}

static int64_t npz_u32(const uint8_t *p)
{
    return npz_u16(p) | npz_u16(p + 2) << 16;
}

/* -1 for a number that no file's size reaches. */
static int64_t npz_u64(const uint8_t *p)
{
    int64_t high = npz_u32(p + 4);
    return high > INT32_MAX ? -1 : high << 32 | npz_u32(p);
}

/* Before the end record at `at` may stand where zip64's is, which has the numbers that did not fit. */
static elb_status npz_open64(elb_context *c, int64_t at, npz_file *file)
{
    const uint8_t *locator = file->bytes + at - NPZ_LOCATOR_SIZE;
    bool good = at >= NPZ_LOCATOR_SIZE + NPZ_END64_SIZE && memcmp(locator, "PK\6\7", 4) == 0;
    int64_t end = good ? npz_u64(locator + 8) : -1;
    good = end >= 0 && end <= at - NPZ_LOCATOR_SIZE - NPZ_END64_SIZE && memcmp(file->bytes + end, "PK\6\6", 4) == 0;
    if (!good) return elb_fail(c, ELB_DATA, "the NPZ file is corrupt: its zip64 end is missing");
    file->count = npz_u64(file->bytes + end + 32);
    file->directory = npz_u64(file->bytes + end + 48);
    return ELB_OK;
}

/* The end record stands last, followed only by a comment. */
static elb_status npz_open(elb_context *c, const uint8_t *bytes, int64_t size, npz_file *file)
{
    int64_t last = size - NPZ_END_SIZE, first = last - NPZ_COMMENT_MAX > 0 ? last - NPZ_COMMENT_MAX : 0;
    int64_t at = last;
    while (at >= first && memcmp(bytes + at, "PK\5\6", 4) != 0) at--;
    if (at < first)
        return elb_fail(c, ELB_DATA, "this is not an NPZ file, or its end is missing: fetch or save it again");
    *file = (npz_file){bytes, size, npz_u32(bytes + at + 16), npz_u16(bytes + at + 10)};
    if (file->directory == UINT32_MAX || file->count == UINT16_MAX) ELB_TRY(npz_open64(c, at, file));
    if (file->directory < 0 || file->directory > at)
        return elb_fail(c, ELB_DATA, "the NPZ file is corrupt: its directory lies outside it");
    return ELB_OK;
}

/* Zip64 has the numbers that did not fit, and only those, in an extra field: `left` bytes of such fields at `p`. */
static elb_status npz_sizes64(elb_context *c, const uint8_t *p, int64_t left, npz_entry *e)
{
    int64_t *const numbers[] = {&e->size, &e->packed, &e->local};
    while (left >= 4 && npz_u16(p) != 1) {
        int64_t skip = 4 + npz_u16(p + 2);
        left -= skip;
        p += left > 0 ? skip : 0;
    }
    int64_t size = left >= 4 && npz_u16(p + 2) <= left - 4 ? npz_u16(p + 2) : 0;
    p += 4;
    for (int i = 0; i < 3; i++) {
        if (*numbers[i] != UINT32_MAX) continue;
        *numbers[i] = size >= 8 ? npz_u64(p) : -1;
        if (*numbers[i] < 0)
            return elb_fail(c, ELB_DATA, "the NPZ file is corrupt: an array's zip64 sizes are missing");
        size -= 8;
        p += 8;
    }
    return ELB_OK;
}

/* Reads the directory's entry at *at and moves on to the next. */
static elb_status npz_next(elb_context *c, const npz_file *file, int64_t *at, npz_entry *e)
{
    int64_t left = file->size - *at;
    const uint8_t *p = left < NPZ_ENTRY_SIZE ? NULL : file->bytes + *at;
    if (!p || memcmp(p, "PK\1\2", 4) != 0 || left < NPZ_ENTRY_SIZE + npz_u16(p + 28) + npz_u16(p + 30))
        return elb_fail(c, ELB_DATA, "the NPZ file is corrupt: its directory has a broken entry");
    *e = (npz_entry){.name = (const char *)p + NPZ_ENTRY_SIZE,
                     .name_length = (int)npz_u16(p + 28),
                     .method = (int)npz_u16(p + 10),
                     .encrypted = p[8] & 1,
                     .crc = (uint32_t)npz_u32(p + 16),
                     .packed = npz_u32(p + 20),
                     .size = npz_u32(p + 24),
                     .local = npz_u32(p + 42)};
    if (e->name_length > 4 && memcmp(e->name + e->name_length - 4, ".npy", 4) == 0) e->name_length -= 4;
    *at += NPZ_ENTRY_SIZE + npz_u16(p + 28) + npz_u16(p + 30) + npz_u16(p + 32);
    return npz_sizes64(c, p + NPZ_ENTRY_SIZE + npz_u16(p + 28), npz_u16(p + 30), e);
}

static bool npz_named(const npz_entry *e, const char *name)
{
    return (size_t)e->name_length == strlen(name) && memcmp(e->name, name, strlen(name)) == 0;
}

static elb_status npz_fail_choice(elb_context *c, const npz_file *file, const char *key, const char *names)
{
    if (file->count == 0) return elb_fail(c, ELB_DATA, "the NPZ file holds no array");
    if (!*key)
        return elb_fail(c, ELB_DATA,
                        "the NPZ file holds %lld arrays and none is named x: choose one with data.key (%s)",
                        (long long)file->count, names);
    return elb_fail(c, ELB_DATA, "the NPZ file holds no array named '%s': set data.key to one of: %s", key, names);
}

static elb_status npz_choose(elb_context *c, const npz_file *file, const char *key, npz_entry *chosen)
{
    char names[NPZ_NAMES_SIZE] = "";
    bool found = false;
    int64_t at = file->directory;
    for (int64_t i = 0; i < file->count && !found; i++) {
        npz_entry e;
        ELB_TRY(npz_next(c, file, &at, &e));
        found = npz_named(&e, *key ? key : "x") || (!*key && file->count == 1);
        if (found) *chosen = e;
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%.*s", i ? ", " : "", e.name_length, e.name);
    }
    return found ? ELB_OK : npz_fail_choice(c, file, key, names);
}

/* Where the entry's bytes begin, and that they are all there. */
static elb_status npz_locate(elb_context *c, const npz_file *file, const npz_entry *e, const uint8_t **packed)
{
    if (e->encrypted) return elb_fail(c, ELB_DATA, "the array is encrypted: save it without a password");
    if (e->method != 0 && e->method != Z_DEFLATED)
        return elb_fail(c, ELB_DATA, "the array is compressed by method %d: save it with numpy.savez_compressed",
                        e->method);
    int64_t left = file->size - e->local;
    const uint8_t *p = left < NPZ_LOCAL_SIZE ? NULL : file->bytes + e->local;
    if (!p || memcmp(p, "PK\3\4", 4) != 0)
        return elb_fail(c, ELB_DATA, "the NPZ file is corrupt: an array is not where its directory says");
    int64_t skip = NPZ_LOCAL_SIZE + npz_u16(p + 26) + npz_u16(p + 28);
    if (left - skip < e->packed)
        return elb_fail(c, ELB_DATA, "the NPZ file is corrupt: an array is longer than the file");
    if (e->method == 0 ? e->size != e->packed : e->size / ELB_DEFLATE_RATIO_MAX > e->packed)
        return elb_fail(c, ELB_DATA, "the NPZ file is corrupt: %lld bytes cannot become %lld", (long long)e->packed,
                        (long long)e->size);
    *packed = p + skip;
    return ELB_OK;
}

static elb_status npz_check(elb_context *c, const npz_entry *e, const uint8_t *bytes)
{
    if (crc32_z(crc32_z(0, NULL, 0), bytes, (z_size_t)e->size) == e->crc) return ELB_OK;
    return elb_fail(c, ELB_DATA, "the array's checksum is wrong: the NPZ file is corrupt, fetch or save it again");
}

elb_status elb_npz_parse(elb_context *c, const uint8_t *bytes, int64_t size, const char *key, elb_array *array)
{
    *array = (elb_array){.values = NULL};
    npz_file file = {.bytes = NULL};
    npz_entry e = {.name = NULL};
    const uint8_t *packed = NULL;
    ELB_TRY(npz_open(c, bytes, size, &file));
    ELB_TRY(npz_choose(c, &file, key, &e));
    ELB_TRY(npz_locate(c, &file, &e, &packed));
    uint8_t *plain = NULL;
    elb_status status = ELB_OK;
    if (e.method == Z_DEFLATED) {
        plain = elb_alloc(c, e.size, 1);
        status = plain ? elb_deflate_inflate(c, packed, e.packed, plain, e.size) : ELB_MEMORY;
        packed = plain;
    }
    if (status == ELB_OK) status = npz_check(c, &e, packed);
    if (status == ELB_OK) status = elb_npy_parse(c, packed, e.size, array);
    elb_free(c, plain);
    if (status == ELB_DATA) return elb_fail_in(c, status, "array '%.*s'", e.name_length, e.name);
    return status;
}
