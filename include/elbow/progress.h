/* progress.h - how far long work has come, told to whoever started it, who may ask it to stop. */
#ifndef ELBOW_PROGRESS_H
#define ELBOW_PROGRESS_H

#include <stdbool.h>

#include <elbow/context.h>

ELB_BEGIN_DECLS

enum { ELB_PROGRESS_VALUES = 6 };

typedef struct elb_progress_value {
    const char *name; /* "ELBO", "KL": as it should be shown */
    double value;     /* NaN when not known yet */
} elb_progress_value;

typedef struct elb_progress {
    const char *phase;      /* "training", "evaluating": what is being done */
    int64_t done, total;    /* data dealt with, of how many; total is at least 1 */
    double seconds;         /* since the phase began, in this process */
    double data_per_second; /* of late, and in the last call over the whole phase; NaN while unknown */
    double eta_seconds;     /* until the phase ends; NaN while unknown */
    int value_count;        /* 0..ELB_PROGRESS_VALUES */
    elb_progress_value values[ELB_PROGRESS_VALUES];
    bool last; /* no further call for this phase; comes also when it was stopped, but not when it failed */
} elb_progress;

/* Called from the thread that does the work, at most some ten times a second, and once at the end of a phase. What it
 * points to is valid during the call only. ELB_OK lets the work go on; anything else (ELB_INTERRUPTED, ELB_REQUEUE)
 * asks it to stop: it saves what it has and returns that status. */
typedef elb_status (*elb_progress_fn)(void *user, const elb_progress *progress);

ELB_END_DECLS

#endif
