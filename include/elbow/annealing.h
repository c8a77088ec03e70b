/* annealing.h - what annealed importance sampling is told. */
#ifndef ELBOW_ANNEALING_H
#define ELBOW_ANNEALING_H

#include <elbow/context.h>

ELB_BEGIN_DECLS

/* Where the temperatures t_0 = 0 .. t_R = 1 lie. */
typedef enum elb_anneal_schedule {
    ELB_ANNEAL_LINEAR, /* t_r = r / R */
    ELB_ANNEAL_SIGMOID /* dense at both ends: of sigmoid(-4 .. 4), scaled to 0 .. 1 */
} elb_anneal_schedule;

typedef enum elb_anneal_start {
    ELB_ANNEAL_PRIOR,    /* path p(z) p(x|z)^t */
    ELB_ANNEAL_POSTERIOR /* path q(z|x)^(1-t) p(x,z)^t */
} elb_anneal_start;

typedef enum elb_anneal_adapt {
    ELB_ADAPT_PILOT, /* step sizes per datum from a short run of its own, then frozen: the weights are unbiased */
    ELB_ADAPT_IN_RUN /* per chain, while it runs, as published; the weights are not exactly unbiased */
} elb_anneal_adapt;

typedef struct elb_anneal_settings {
    int64_t chains;       /* per datum, >= 1 */
    int64_t temperatures; /* R >= 1, t_0 = 0 not counted */
    int64_t leapfrog;     /* steps of every HMC move, >= 1 */
    elb_anneal_schedule schedule;
    elb_anneal_start start;
    elb_anneal_adapt adapt;
} elb_anneal_settings;

/* t_r, 0 <= r <= R. */
ELB_API double elb_temperature(elb_anneal_schedule schedule, int64_t r, int64_t temperatures);

ELB_END_DECLS

#endif
