/* schedule.h - the step size over a run. */
#ifndef ELB_SCHEDULE_H
#define ELB_SCHEDULE_H

#include "config/run_options.h"

/* The factor on optimizer.rate at step `step` of `steps`. constant: 1. cosine: from 1 to final_rate along half a
 * cosine. iwae: 10^(-i/7) in stage i = 0..7, which lasts 3^i / 3280 of the run (Burda et al. 2016, section 5). */
double elb_schedule_factor(const elb_schedule_options *o, int64_t step, int64_t steps);
/* The stage of the iwae schedule, 0..7; 0 for the others. */
int elb_schedule_stage(const elb_schedule_options *o, int64_t step, int64_t steps);

#endif
