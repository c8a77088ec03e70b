/* summary.h - the cells of a comparison as one row per method. */
#ifndef ELB_SUMMARY_H
#define ELB_SUMMARY_H

#include "study/grid.h"
#include "study/statistics.h"

enum { ELB_MEASURE_ELBO, ELB_MEASURE_OWN, ELB_MEASURE_REFINED, ELB_MEASURES };

/* A mean and its standard error: over seeds where there are two or more, else over the data. */
typedef struct elb_row_mean {
    int64_t seeds; /* 0: not known */
    double mean, error;
} elb_row_mean;

/* A method's advantage over the reference, seed by seed and datum by datum. */
typedef struct elb_row_gain {
    elb_row_mean mean;         /* nats */
    elb_paired_test over_data; /* of each datum's differences, averaged over the seeds */
    double seeds_p;            /* two-sided p-value of the paired t-test over seeds; NaN for fewer than two */
} elb_row_gain;

typedef struct elb_row {
    int64_t method;
    int64_t diverged; /* seeds without a run for that reason */
    elb_row_mean mean[ELB_MEASURES];
    elb_row_gain gain[ELB_MEASURES]; /* all zero for the reference itself */
    double k_hat_bad;                /* of the method's own posterior; means over seeds, here and below */
    double parameters, epochs, train_seconds;
    double seconds[ELB_CELL_BATCHES]; /* median over seeds */
} elb_row;

typedef struct elb_summary {
    const elb_grid *grid;
    const char *title;
    int64_t count; /* of methods with a cell that has been worked on */
    elb_row *rows;
} elb_summary;

elb_status elb_summary_create(const elb_grid *grid, elb_summary **summary);
void elb_summary_destroy(elb_summary *summary); /* may be NULL */
const elb_cell_estimate *elb_cell_measure(const elb_cell *cell, int measure);
/* Mean and standard error over the data of `cell` minus `reference`; NaN where either is not known. */
elb_paired_test elb_cell_gain(const elb_cell *cell, const elb_cell *reference, int measure);

/* --- what is written from it */

/* A table for people: *text is the caller's (elb_free). */
elb_status elb_summary_text(const elb_summary *s, char **text);
elb_status elb_summary_save_markdown(const elb_summary *s, const char *path);
elb_status elb_summary_save_csv(const elb_summary *s, const char *path);
elb_status elb_summary_save_json(const elb_summary *s, const char *path);
/* SVG or PNG, by the ending. */
elb_status elb_summary_save_plot(const elb_summary *s, const char *path);

#endif
