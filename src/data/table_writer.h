/* table_writer.h - named arrays of results into NPZ, NPY or CSV. */
#ifndef ELB_TABLE_WRITER_H
#define ELB_TABLE_WRITER_H

#include "base/base.h"

typedef enum elb_column_type { ELB_COLUMN_DOUBLE, ELB_COLUMN_FLOAT, ELB_COLUMN_INT64 } elb_column_type;

typedef struct elb_column {
    const char *name;
    elb_column_type type;
    int rank; /* 1..3 */
    int64_t shape[3];
    const void *values; /* row-major */
} elb_column;

/* By the extension of `path`: .npz (every array under its name), .npy (one array), .csv (arrays with the same first
 * dimension; an array of rank 2 or 3 becomes columns name_0, name_1, ...; numbers with as many digits as it takes to
 * read back the same). The file appears whole or not at all. Errors: ELB_USAGE (another extension, shapes that the
 * format cannot hold), ELB_FAILURE, ELB_MEMORY. */
elb_status elb_table_write(elb_context *c, const char *path, const elb_column *columns, int count);
/* Whether elb_table_write could write `count` arrays there, asked before the work that makes them. */
elb_status elb_table_check(elb_context *c, const char *path, int count);

#endif
