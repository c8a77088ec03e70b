/* file.h - whole files in, atomic files out. */
#ifndef ELB_FILE_H
#define ELB_FILE_H

#include "base/base.h"

bool elb_file_exists(const char *path); /* or a folder */
/* Reads a whole file. *bytes has a NUL after its last byte and is the caller's (elb_free).
 * Errors: ELB_FAILURE (missing, unreadable), ELB_DATA (larger than `limit` bytes, not a regular file). */
elb_status elb_file_read(elb_context *c, const char *path, int64_t limit, char **bytes, int64_t *size);

/* A file seen as memory, read by the system where it is touched. Who shortens the file meanwhile ends the process
 * (SIGBUS); who overwrites it changes what is seen; who replaces it by another (rename) does no harm. */
typedef struct elb_mapping {
    uint8_t *bytes; /* not to be written to; NULL: an empty file, or none */
    int64_t size;
} elb_mapping;

/* Errors: ELB_FAILURE (missing, unreadable), ELB_DATA (not a regular file). */
elb_status elb_file_map(elb_context *c, const char *path, elb_mapping *mapping);
/* Bytes begin .. end-1 need not stay in memory: they are read from the file again when touched. */
void elb_mapping_forget(const elb_mapping *mapping, int64_t begin, int64_t end);
void elb_mapping_close(elb_mapping *mapping); /* mapping may be all zero */

/* All of the bytes, through the context's own writing function. 0, or what is wrong as errno says it. */
int elb_write_all(elb_context *c, int fd, const void *bytes, size_t size);

/* A file that appears under its name whole or not at all: written to a temporary name beside it, synced, renamed. */
typedef struct elb_writer elb_writer;

elb_status elb_writer_open(elb_context *c, const char *path, elb_writer **writer);
elb_status elb_writer_put(elb_writer *w, const void *bytes, size_t size);
/* The next bytes go there; what is skipped and never written reads as zeros. */
elb_status elb_writer_seek(elb_writer *w, int64_t position);
elb_status elb_writer_printf(elb_writer *w, const char *format, ...) ELB_PRINTF(2, 3);
/* Both free the writer. After a failed put, commit fails too and leaves the old file as it was. w may be NULL for
 * discard. */
elb_status elb_writer_commit(elb_writer *w);
void elb_writer_discard(elb_writer *w);

/* mkdir -p. */
elb_status elb_folder_make(elb_context *c, const char *path);

#endif
