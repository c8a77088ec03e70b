/* posterior_options.h - the "posterior" section of a configuration. */
#ifndef ELB_POSTERIOR_OPTIONS_H
#define ELB_POSTERIOR_OPTIONS_H

#include "base/option.h"
#include "nn/net_kind.h"

enum { ELB_FLOW_STEPS_MAX = 32 };

typedef enum elb_flow_context { ELB_CONTEXT_ENCODER, ELB_CONTEXT_NONE, ELB_CONTEXT_LOCAL } elb_flow_context;

typedef enum elb_gp_covariance { ELB_GP_DIAGONAL, ELB_GP_FULL } elb_gp_covariance;

typedef struct elb_posterior_options {
    int type;        /* index into elb_posterior_types */
    elb_ints hidden; /* encoder's hidden widths; empty = a linear encoder */
    int activation;  /* elb_net_kind, of the encoder and of a flow's networks */
    int64_t flow_steps;
    elb_ints flow_hidden; /* hidden widths of a flow's networks */
    int flow_form;        /* 0: scales are sigmoids; 1: exponentials */
    int flow_context;     /* elb_flow_context */
    int gp_covariance;    /* elb_gp_covariance */
    double gp_scale;      /* prior scale of gp's weights; 0: 1/sqrt(p) */
} elb_posterior_options;

extern const elb_option elb_posterior_option_table[];

#endif
