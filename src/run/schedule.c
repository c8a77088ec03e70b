#include "run/schedule.h"

#include <math.h>

enum { SCHEDULE_STAGES = 8, SCHEDULE_WHOLE = 3280 }; /* (3^8 - 1) / 2 epochs as published */

int elb_schedule_stage(const elb_schedule_options *o, int64_t step, int64_t steps)
{
    if (o->type != ELB_SCHEDULE_IWAE) return 0;
    int stage = 0;
    for (int64_t end = 1, length = 1; stage < SCHEDULE_STAGES - 1 && step * SCHEDULE_WHOLE >= end * steps; stage++) {
        length *= 3;
        end += length;
    }
    return stage;
}

double elb_schedule_factor(const elb_schedule_options *o, int64_t step, int64_t steps)
{
    switch ((elb_schedule_kind)o->type) {
    case ELB_SCHEDULE_COSINE: {
        double cosine = 0.5 * (1 + cos(3.14159265358979323846 * (double)step / (double)steps));
        return o->final_rate + (1 - o->final_rate) * cosine;
    }
    case ELB_SCHEDULE_IWAE: return pow(10, -elb_schedule_stage(o, step, steps) / (SCHEDULE_STAGES - 1.0));
    case ELB_SCHEDULE_CONSTANT: break;
    }
    return 1;
}
