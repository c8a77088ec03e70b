/* ffg.h - the fully factorised Gaussian, for families that are made of it. */
#ifndef ELB_FFG_H
#define ELB_FFG_H

#include "posterior/posterior.h"

typedef struct elb_ffg_state {
    elb_mlp encoder;
} elb_ffg_state;

extern const elb_posterior_type elb_posterior_ffg;

#endif
