/* gap.h - the rooms' view of elbow gap: rows of every datum, what they come to, and files. */
#ifndef ELB_STUDY_GAP_H
#define ELB_STUDY_GAP_H

#include <elbow/gap.h>

#include "run/partial.h"
#include "run/vae.h"

/* What is known of a datum by a part; NaN where it does not apply. The FFG's rows go on with its lambda, [2Z]. */
typedef enum elb_gap_column {
    ELB_GAP_ELBO,
    ELB_GAP_BOUND,
    ELB_GAP_ESS,
    ELB_GAP_K_HAT,
    ELB_GAP_SPREAD, /* between the best and the worst start */
    ELB_GAP_STEPS,
    ELB_GAP_START, /* the best one's number */
    ELB_GAP_CONVERGED,
    ELB_GAP_ERROR, /* of AIS, by its chains */
    ELB_GAP_ACCEPTANCE,
    ELB_GAP_SECONDS,
    ELB_GAP_COLUMNS
} elb_gap_column;

/* All data of one set. */
typedef struct elb_gap_work {
    elb_vae *vae;
    const elb_gap_settings *settings;
    const elb_gap_set *set;
    int64_t n;
    elb_gap_part own;
    bool wanted[ELB_GAP_PARTS];
    elb_partial rows[ELB_GAP_PARTS]; /* count == n when all is done */
} elb_gap_work;

/* Checks the settings, and opens what was done before. elb_gap_work_end is due after a failure too. */
elb_status elb_gap_work_begin(elb_gap_work *w, elb_vae *vae, const elb_gap_set *set, const elb_gap_settings *settings);
void elb_gap_work_end(elb_gap_work *w);
/* Works out what is missing. */
elb_status elb_gap_work_run(elb_gap_work *w);
/* The files of rows are no longer needed. */
void elb_gap_work_remove(elb_gap_work *w);
/* A number of datum i. */
double elb_gap_at(const elb_gap_work *w, elb_gap_part part, int64_t i, elb_gap_column column);

void elb_gap_conclude(const elb_gap_work *w, elb_gap_result *result);
/* New strings: the table and the advice, and the advice alone. */
elb_status elb_gap_advice(elb_context *c, const elb_gap_result *results, int count, char **made);
elb_status elb_gap_text(elb_context *c, const elb_gap_result *results, int count, char **made);
elb_status elb_gap_save_json(const elb_vae *vae, const elb_gap_settings *settings, const elb_gap_set *sets,
                             const elb_gap_result *results, int count, const char *advice);
/* The gaps as bars; SVG or PNG by the ending of `path`. */
elb_status elb_gap_save_bars(elb_context *c, const elb_gap_result *results, int count, const char *path);
/* worst-<set>.png: the data with the largest inference gaps, the largest first; none where data are no images. */
elb_status elb_gap_save_worst(const elb_gap_work *w, const elb_gap_result *result);
elb_status elb_gap_save_table(const elb_gap_work *w, const elb_gap_result *result);

#endif
