/* zip_writer.h - the frame of a zip archive whose entries' sizes are known before their bytes
 * (PKWARE APPNOTE 6.3.3). */
#ifndef ELB_ZIP_WRITER_H
#define ELB_ZIP_WRITER_H

#include "base/file.h"

enum { ELB_ZIP_NAME_MAX = 128, ELB_ZIP_ENTRIES_MAX = 64 };

/* A stored (not compressed) entry. */
typedef struct elb_zip_entry {
    char name[ELB_ZIP_NAME_MAX];
    int64_t offset, size; /* of its header in the archive; bytes without the header */
    uint32_t crc;         /* of its bytes; the owner's to set before elb_zip_finish */
} elb_zip_entry;

/* Begins as zeros but for the limit. Nothing to release. */
typedef struct elb_zip {
    int64_t limit; /* sizes and offsets from here on are told in 64 bits (zip64): UINT32_MAX, less in tests */
    int64_t end;   /* of what was placed */
    int count;
    elb_zip_entry entries[ELB_ZIP_ENTRIES_MAX];
} elb_zip;

/* Places an entry behind those before it; its `size` bytes belong at *begin of the file, written whenever and in any
 * order. Errors: ELB_USAGE (a name or a size that an archive cannot hold, too many entries). */
elb_status elb_zip_add(elb_context *c, elb_zip *z, const char *name, int64_t size, int64_t *begin);
/* Writes what stands between and behind the entries' bytes. */
elb_status elb_zip_finish(const elb_zip *z, elb_writer *w);

#endif
