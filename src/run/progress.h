/* progress.h - tells a caller how far long work has come. */
#ifndef ELB_PROGRESS_H
#define ELB_PROGRESS_H

#include <elbow/progress.h>

#include "base/base.h"

/* One phase of work. Plain data: nothing to release. */
typedef struct elb_reporter {
    elb_progress_fn report; /* may be NULL: then nothing is told */
    void *user;
    double (*clock)(void); /* seconds from any start, never going back */
    elb_progress progress;
    double started, told; /* clock at the start and at the latest call */
    int64_t started_done;
    double rated, rate; /* clock when the rate was last taken; its running mean, NaN at first */
    int64_t rated_done;
    elb_status asked; /* what the latest call returned */
} elb_reporter;

/* Begins a phase of `total` data (1 at least), of which `done` were done before: a resumed run. `phase` is borrowed. */
elb_reporter elb_reporter_start(elb_progress_fn report, void *user, const char *phase, int64_t done, int64_t total);
/* Shows `value` under `name` (borrowed) from now on. A name beyond the first ELB_PROGRESS_VALUES is not shown. */
void elb_reporter_set(elb_reporter *r, const char *name, double value);
/* `done` data are done. Cheap: tells nobody when it told a moment ago. Returns what the caller asks for: ELB_OK to go
 * on; any other status is to be returned, after saving, and is returned again by every later call. */
elb_status elb_reporter_update(elb_reporter *r, int64_t done);
/* The phase ends here, stopped or complete. Returns as update does. */
elb_status elb_reporter_finish(elb_reporter *r, int64_t done);

#endif
