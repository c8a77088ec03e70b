/* grid.h - the cells of a comparison: every method with every seed, and what is known of each. */
#ifndef ELB_GRID_H
#define ELB_GRID_H

#include <elbow/vae.h>

#include "study/plan.h"

/* A bound or likelihood of the judged data. */
typedef struct elb_cell_estimate {
    int64_t n;          /* data; 0: not known yet */
    double mean, error; /* nats; error: standard error over the data */
    double k_hat_bad;   /* share of data with weights not to be trusted; NaN for the ELBO and few samples */
    double *values;     /* [n], by datum */
} elb_cell_estimate;

enum { ELB_CELL_BATCHES = 2 };
extern const int64_t elb_cell_batches[ELB_CELL_BATCHES]; /* batch sizes that inference is timed with: 1 and 128 */

typedef struct elb_cell {
    int64_t method, seed;
    int64_t source;     /* the cell whose run this one evaluates with other keys of "refine"; -1: none */
    int64_t start;      /* the cell whose run this one's training starts from; -1: none */
    char *run;          /* the folder of the model */
    char *folder;       /* the folder of the numbers; the same where the run is trained here */
    bool trains;        /* the run is trained here */
    elb_config *config; /* of the run, with the keys of "refine" that this cell is evaluated with */
    bool done;          /* all estimates are known */
    bool diverged;      /* there is no such run: numbers that are not finite turned up */
    int64_t parameters;
    double epochs, train_seconds;     /* with those of the run that it started from; NaN: not known */
    elb_cell_estimate elbo, own;      /* by the method's own posterior: ELBO and IWAE */
    elb_cell_estimate refined;        /* IWAE from a proposal refined for every datum, or own where that is higher */
    double seconds[ELB_CELL_BATCHES]; /* of inference per datum, median; NaN: not known */
} elb_cell;

typedef struct elb_grid {
    elb_context *context;
    const elb_plan *plan;
    const char *folder;
    bool retime;       /* kept times are not taken */
    int64_t reference; /* the method that the others are compared with */
    int64_t count;
    elb_cell *cells; /* seed by seed, the methods in the plan's order within each */
} elb_grid;

/* Every cell with its configuration, checked: methods that are named exist, and data, decoder and likelihood are one.
 * Errors: ELB_USAGE, ELB_MEMORY; what elb_run_config returns. */
elb_status elb_grid_create(const elb_plan *plan, const char *folder, elb_grid **grid);
void elb_grid_destroy(elb_grid *grid); /* may be NULL */
/* Whether a cell's data, decoder and likelihood are those of the cells before it. Again after training, which settles
 * what the configuration left to the data. Errors: ELB_USAGE. */
elb_status elb_grid_check(const elb_grid *grid, const elb_cell *cell);
/* NULL when there is none. */
elb_cell *elb_grid_find(const elb_grid *grid, int64_t method, int64_t seed);

#endif
