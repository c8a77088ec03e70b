/* progress.c - tells a caller how far long work has come. */
#include "run/progress.h"

#include <math.h>
#include <string.h>

static const double progress_interval = 0.1;    /* seconds between calls */
static const double progress_rate_interval = 1; /* seconds over which a rate is taken */
static const double progress_rate_weight = 0.3; /* of the newest rate in the running mean */

elb_reporter elb_reporter_start(elb_progress_fn report, void *user, const char *phase, int64_t done, int64_t total)
{
    double now = elb_clock();
    return (elb_reporter){
        .report = report,
        .user = user,
        .clock = elb_clock,
        .progress = {.phase = phase, .total = total > 0 ? total : 1, .data_per_second = NAN, .eta_seconds = NAN},
        .started = now,
        .started_done = done,
        .told = -INFINITY,
        .rated = now,
        .rated_done = done,
        .rate = NAN};
}

void elb_reporter_set(elb_reporter *r, const char *name, double value)
{
    elb_progress *p = &r->progress;
    int i = 0;
    while (i < p->value_count && strcmp(p->values[i].name, name) != 0) i++;
    if (i == ELB_PROGRESS_VALUES) return;
    p->values[i] = (elb_progress_value){name, value};
    if (i == p->value_count) p->value_count++;
}

/* A rate over each second or so, averaged over the latest few: steady to read, yet it follows a change. */
static void progress_rate(elb_reporter *r, double now)
{
    elb_progress *p = &r->progress;
    double elapsed = now - r->rated, recent = (double)(p->done - r->rated_done) / elapsed;
    if (isnan(r->rate)) p->data_per_second = elapsed > 0 ? recent : NAN;
    if (elapsed >= progress_rate_interval) {
        r->rate = isnan(r->rate) ? recent : r->rate + progress_rate_weight * (recent - r->rate);
        r->rated = now;
        r->rated_done = p->done;
        p->data_per_second = r->rate;
    }
    if (p->last && p->seconds > 0) p->data_per_second = (double)(p->done - r->started_done) / p->seconds;
    bool moving = p->data_per_second > 0;
    p->eta_seconds = p->done >= p->total ? 0 : moving ? (double)(p->total - p->done) / p->data_per_second : NAN;
}

static elb_status progress_tell(elb_reporter *r, int64_t done, bool last)
{
    if (!r->report) return ELB_OK;
    double now = r->clock();
    if (!last && now - r->told < progress_interval) return r->asked;
    r->progress.done = done;
    r->progress.seconds = now - r->started;
    r->progress.last = last;
    r->told = now;
    progress_rate(r, now);
    elb_status asked = r->report(r->user, &r->progress);
    if (r->asked == ELB_OK) r->asked = asked;
    return r->asked;
}

elb_status elb_reporter_update(elb_reporter *r, int64_t done)
{
    return progress_tell(r, done, false);
}

elb_status elb_reporter_finish(elb_reporter *r, int64_t done)
{
    return progress_tell(r, done, true);
}
