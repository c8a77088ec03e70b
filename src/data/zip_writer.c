/* zip_writer.c - headers, directory and end of an archive of stored entries. */
#include "data/zip_writer.h"

#include <stdio.h>
#include <string.h>

enum {
    ZIP_LOCAL_SIZE = 30,
    ZIP_LOCAL_EXTRA = 20,
    ZIP_ENTRY_SIZE = 46,
    ZIP_ENTRY_EXTRA = 28,
    ZIP_END64_SIZE = 56,
    ZIP_VERSION = 20,
    ZIP_VERSION_64 = 45
};

/* A record as it grows. */
typedef struct zip_record {
    uint8_t bytes[ZIP_END64_SIZE];
    size_t size;
} zip_record;

static void zip_put(zip_record *r, int width, uint64_t value)
{
    for (int i = 0; i < width; i++) r->bytes[r->size++] = (uint8_t)(value >> 8 * i);
}

static bool zip_large(const elb_zip *z, const elb_zip_entry *e)
{
    return e->size >= z->limit || e->offset >= z->limit;
}

elb_status elb_zip_add(elb_context *c, elb_zip *z, const char *name, int64_t size, int64_t *begin)
{
    if (z->count == ELB_ZIP_ENTRIES_MAX)
        return elb_fail(c, ELB_USAGE, "an archive of more than %d arrays cannot be written", ELB_ZIP_ENTRIES_MAX);
    elb_zip_entry *e = &z->entries[z->count];
    int length = snprintf(e->name, sizeof e->name, "%s", name);
    if (length >= (int)sizeof e->name)
        return elb_fail(c, ELB_USAGE, "the array name '%s' is too long for an NPZ file", name);
    e->offset = z->end;
    e->size = size;
    e->crc = 0;
    *begin = e->offset + ZIP_LOCAL_SIZE + length + (zip_large(z, e) ? ZIP_LOCAL_EXTRA : 0);
    if (__builtin_add_overflow(*begin, size, &z->end))
        return elb_fail(c, ELB_USAGE, "the arrays are more than any file can hold: write fewer");
    z->count++;
    return ELB_OK;
}

/* The fields that a local header and a directory entry share: stored, 1 January 1980. Of a large entry the sizes are
 * told in an extra field. */
static void zip_common(zip_record *r, const elb_zip_entry *e, bool large, int extra)
{
    uint64_t size = large ? UINT32_MAX : (uint64_t)e->size;
    zip_put(r, 2, large ? ZIP_VERSION_64 : ZIP_VERSION);
    zip_put(r, 2, 0);          /* flags */
    zip_put(r, 2, 0);          /* stored */
    zip_put(r, 2, 0);          /* time */
    zip_put(r, 2, 1 << 5 | 1); /* date */
    zip_put(r, 4, e->crc);
    zip_put(r, 4, size);
    zip_put(r, 4, size);
    zip_put(r, 2, strlen(e->name));
    zip_put(r, 2, large ? (uint64_t)extra : 0);
}

static void zip_extra(zip_record *r, const elb_zip_entry *e, int extra)
{
    zip_put(r, 2, 1); /* zip64 */
    zip_put(r, 2, (uint64_t)extra - 4);
    zip_put(r, 8, (uint64_t)e->size);
    zip_put(r, 8, (uint64_t)e->size);
    if (extra == ZIP_ENTRY_EXTRA) zip_put(r, 8, (uint64_t)e->offset);
}

static elb_status zip_write(elb_writer *w, const zip_record *head, const elb_zip_entry *e, bool large, int extra)
{
    zip_record tail = {.size = 0};
    if (large) zip_extra(&tail, e, extra);
    ELB_TRY(elb_writer_put(w, head->bytes, head->size));
    ELB_TRY(elb_writer_put(w, e->name, strlen(e->name)));
    return elb_writer_put(w, tail.bytes, tail.size);
}

static elb_status zip_local(const elb_zip *z, const elb_zip_entry *e, elb_writer *w)
{
    zip_record r = {.size = 0};
    zip_put(&r, 4, 0x04034b50);
    zip_common(&r, e, zip_large(z, e), ZIP_LOCAL_EXTRA);
    ELB_TRY(elb_writer_seek(w, e->offset));
    return zip_write(w, &r, e, zip_large(z, e), ZIP_LOCAL_EXTRA);
}

static elb_status zip_directory_entry(const elb_zip *z, const elb_zip_entry *e, elb_writer *w)
{
    zip_record r = {.size = 0};
    bool large = zip_large(z, e);
    zip_put(&r, 4, 0x02014b50);
    zip_put(&r, 2, large ? ZIP_VERSION_64 : ZIP_VERSION);
    zip_common(&r, e, large, ZIP_ENTRY_EXTRA);
    zip_put(&r, 6, 0); /* comment, disk, internal attributes */
    zip_put(&r, 4, 0); /* external attributes */
    zip_put(&r, 4, large ? UINT32_MAX : (uint64_t)e->offset);
    return zip_write(w, &r, e, large, ZIP_ENTRY_EXTRA);
}

/* The end record of zip64, and where it is. */
static elb_status zip_end64(const elb_zip *z, int64_t size, elb_writer *w)
{
    zip_record r = {.size = 0}, locator = {.size = 0};
    zip_put(&r, 4, 0x06064b50);
    zip_put(&r, 8, ZIP_END64_SIZE - 12);
    zip_put(&r, 2, ZIP_VERSION_64);
    zip_put(&r, 2, ZIP_VERSION_64);
    zip_put(&r, 8, 0); /* disks */
    zip_put(&r, 8, (uint64_t)z->count);
    zip_put(&r, 8, (uint64_t)z->count);
    zip_put(&r, 8, (uint64_t)size);
    zip_put(&r, 8, (uint64_t)z->end);
    zip_put(&locator, 4, 0x07064b50);
    zip_put(&locator, 4, 0); /* disk */
    zip_put(&locator, 8, (uint64_t)(z->end + size));
    zip_put(&locator, 4, 1); /* disks */
    ELB_TRY(elb_writer_put(w, r.bytes, r.size));
    return elb_writer_put(w, locator.bytes, locator.size);
}

static elb_status zip_end(const elb_zip *z, int64_t size, elb_writer *w)
{
    bool large = z->end >= z->limit;
    zip_record r = {.size = 0};
    if (large) ELB_TRY(zip_end64(z, size, w));
    zip_put(&r, 4, 0x06054b50);
    zip_put(&r, 4, 0); /* disks */
    zip_put(&r, 2, (uint64_t)z->count);
    zip_put(&r, 2, (uint64_t)z->count);
    zip_put(&r, 4, (uint64_t)size);
    zip_put(&r, 4, large ? UINT32_MAX : (uint64_t)z->end);
    zip_put(&r, 2, 0); /* comment */
    return elb_writer_put(w, r.bytes, r.size);
}

elb_status elb_zip_finish(const elb_zip *z, elb_writer *w)
{
    int64_t size = 0;
    for (int i = 0; i < z->count; i++) ELB_TRY(zip_local(z, &z->entries[i], w));
    ELB_TRY(elb_writer_seek(w, z->end));
    for (int i = 0; i < z->count; i++) {
        const elb_zip_entry *e = &z->entries[i];
        ELB_TRY(zip_directory_entry(z, e, w));
        size += ZIP_ENTRY_SIZE + (int64_t)strlen(e->name) + (zip_large(z, e) ? ZIP_ENTRY_EXTRA : 0);
    }
    return zip_end(z, size, w);
}
