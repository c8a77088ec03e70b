/* optimizer_options.h - the "optimizer" section of a configuration. */
#ifndef ELB_OPTIMIZER_OPTIONS_H
#define ELB_OPTIMIZER_OPTIONS_H

#include "base/option.h"

typedef struct elb_optimizer_options {
    int type;            /* index into elb_optimizer_types */
    double rate;         /* step size at the start */
    double beta1, beta2; /* Adam, Adamax */
    double epsilon;
    double momentum;     /* sgd */
    double weight_decay; /* L2 */
    double clip;         /* largest global gradient norm; 0 = no clipping */
} elb_optimizer_options;

extern const elb_option elb_optimizer_option_table[];

#endif
