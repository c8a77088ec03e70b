/* table_writer.h - named arrays of results into NPZ, NPY or CSV, whole or some rows at a time. */
#ifndef ELB_TABLE_WRITER_H
#define ELB_TABLE_WRITER_H

#include "base/base.h"

typedef enum elb_column_type { ELB_COLUMN_DOUBLE, ELB_COLUMN_FLOAT, ELB_COLUMN_INT64 } elb_column_type;

/* elb_real's. */
#define ELB_COLUMN_REAL (sizeof(elb_real) == sizeof(float) ? ELB_COLUMN_FLOAT : ELB_COLUMN_DOUBLE)

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

/* The same file, its rows as they come, in memory that does not grow with them: the bytes are
 * those of elb_table_write. */
typedef struct elb_table elb_table;

/* The columns say what will come, shape[0] the rows in all; their values are not looked at. Names are borrowed. */
elb_status elb_table_open(elb_context *c, const char *path, const elb_column *columns, int count, elb_table **table);
/* The next rows: block[i].shape[0] of column i, all else as at opening. ELB_USAGE for more rows than were announced,
 * and in a CSV file for columns that do not keep step. */
elb_status elb_table_append(elb_table *t, const elb_column *block);
/* Both free the table. Commit: ELB_USAGE when rows are missing; after a failed append it fails too. t may be NULL for
 * discard, which leaves what was there before. */
elb_status elb_table_commit(elb_table *t);
void elb_table_discard(elb_table *t);

#endif
