/* posterior_options.h - the "posterior" section of a configuration. */
#ifndef ELB_POSTERIOR_OPTIONS_H
#define ELB_POSTERIOR_OPTIONS_H

#include "base/option.h"
#include "nn/net_kind.h"

typedef struct elb_posterior_options {
    int type;        /* index into elb_posterior_types */
    elb_ints hidden; /* encoder's hidden widths; empty = a linear encoder */
    int activation;  /* elb_net_kind */
} elb_posterior_options;

extern const elb_option elb_posterior_option_table[];

#endif
