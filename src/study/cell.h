/* cell.h - the work on one cell of a comparison; each part is done once and kept in the cell's folder. */
#ifndef ELB_CELL_H
#define ELB_CELL_H

#include <elbow/progress.h>

#include "run/json.h"
#include "study/grid.h"

/* Trains the cell's run, or goes on with it, unless it has ended; and reads what its log tells of epochs and time.
 * Errors: as elb_train. */
elb_status elb_cell_train(const elb_grid *g, elb_cell *cell, elb_progress_fn progress, void *user);
/* Fills in elbo, own, refined and parameters. Errors: as elb_evaluate. */
elb_status elb_cell_evaluate(const elb_grid *g, elb_cell *cell, elb_progress_fn progress, void *user);
/* Fills in seconds. Times are those of this machine when it was first measured. Errors: as elb_evaluate. */
elb_status elb_cell_time(const elb_grid *g, elb_cell *cell);

/* --- what evaluation and timing share */

typedef struct elb_cell_work {
    const elb_grid *grid;
    elb_cell *cell;
    elb_vae *vae;
    elb_dataset *data; /* that the cell is judged by */
    int64_t checksum;  /* of the model's parameters */
} elb_cell_work;

/* Opens the model, with the cell's keys of "refine", and the data. The caller closes it, also after a failure. */
elb_status elb_cell_open(const elb_grid *g, elb_cell *cell, elb_cell_work *work);
void elb_cell_close(elb_cell_work *work);
/* Keys of "refine" as `config` has them. */
elb_status elb_cell_refine_as(elb_cell_work *work, const elb_config *config);
/* All that a number depends on besides `more`, which it takes: the model, its keys of data and
 * refine. NULL: no memory. */
json_t *elb_cell_key(const elb_cell_work *work, json_t *more);
/* FOLDER/NAME.json: *object is NULL when there is none that was made under this key. Errors: ELB_MEMORY. */
elb_status elb_cell_load(const elb_cell_work *work, const char *name, const json_t *key, json_t **object);
/* Takes the reference to the object, not to the key, which it puts in. */
elb_status elb_cell_save(const elb_cell_work *work, const char *name, json_t *key, json_t *object);

#endif
