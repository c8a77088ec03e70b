/* partial.h - the data done so far of long work, kept in a file that the same work goes on from. */
#ifndef ELB_PARTIAL_H
#define ELB_PARTIAL_H

#include "run/vae.h"

/* Rows of `columns` numbers, in the order of the data. All zeros: nothing is kept. */
typedef struct elb_partial {
    elb_context *context;
    char *path, *key;
    int64_t columns, count, capacity;
    double *rows;
    double saved; /* the clock at the last save */
} elb_partial;

/* `what` with checksums of the model, its configuration and the data (NULL: none): a new string, or NULL. */
char *elb_partial_key(const elb_vae *vae, const elb_dataset *dataset, const char *what);
/* `key` says, in any words, what the rows depend on. What the file holds is read, when there is one: a safetensors file
 * with the tensor "rows" [count, columns] and the key in its metadata. Errors: ELB_USAGE (the rows of other work),
 * ELB_MODEL (not such a file), ELB_FAILURE, ELB_MEMORY; elb_partial_end is due after a failure too. */
elb_status elb_partial_open(elb_partial *p, elb_context *c, const char *path, const char *key, int64_t columns);
/* Adds rows, and writes the file unless it was written a moment ago. */
elb_status elb_partial_add(elb_partial *p, const double *rows, int64_t count);
/* Writes the file, atomically, unless there is nothing to keep. */
elb_status elb_partial_save(elb_partial *p);
/* Removes the file: the work is complete. */
void elb_partial_remove(elb_partial *p);
void elb_partial_end(elb_partial *p);

#endif
