/* posterior_options.h - the "posterior" section of a configuration. */
#ifndef ELB_POSTERIOR_OPTIONS_H
#define ELB_POSTERIOR_OPTIONS_H

#include "base/option.h"
#include "nn/net_kind.h"

enum { ELB_FLOW_STEPS_MAX = 32 };

/* What the encoder's second half is. */
typedef enum elb_ffg_scale { ELB_FFG_LOG_VARIANCE, ELB_FFG_SOFTPLUS_SD, ELB_FFG_SOFTPLUS_VARIANCE } elb_ffg_scale;

typedef enum elb_flow_context { ELB_CONTEXT_ENCODER, ELB_CONTEXT_NONE, ELB_CONTEXT_LOCAL } elb_flow_context;

typedef enum elb_gp_covariance { ELB_GP_DIAGONAL, ELB_GP_FULL } elb_gp_covariance;

typedef enum elb_mixture_trunk { ELB_TRUNK_SEPARATE, ELB_TRUNK_SHARED } elb_mixture_trunk;
typedef enum elb_mixture_weights { ELB_WEIGHTS_UNIFORM, ELB_WEIGHTS_GLOBAL, ELB_WEIGHTS_INPUT } elb_mixture_weights;
typedef enum elb_mixture_start { ELB_START_COPIES, ELB_START_FRESH } elb_mixture_start;
typedef enum elb_mixture_allocation { ELB_ALLOCATION_SYSTEMATIC, ELB_ALLOCATION_MULTINOMIAL } elb_mixture_allocation;

typedef struct elb_posterior_options {
    int type;           /* index into elb_posterior_types */
    elb_ints hidden;    /* encoder's hidden widths; empty = a linear encoder */
    int activation;     /* elb_net_kind, of the encoder and of a flow's networks */
    int ffg_scale;      /* elb_ffg_scale */
    double ffg_epsilon; /* added to a softplus */
    int64_t flow_steps;
    elb_ints flow_hidden; /* hidden widths of a flow's networks */
    int flow_form;        /* 0: scales are sigmoids; 1: exponentials */
    int flow_context;     /* elb_flow_context */
    int gp_covariance;    /* elb_gp_covariance */
    double gp_scale;      /* prior scale of gp's weights; 0: 1/sqrt(p) */
    int64_t order;        /* mixture: components; 0: to be found in training */
    int trunk;            /* mixture: elb_mixture_trunk */
    int weights;          /* mixture: elb_mixture_weights */
    int allocation;       /* mixture: elb_mixture_allocation */
    int start;            /* mixture: elb_mixture_start */
    double jitter;        /* mixture: standard deviation of what is added to a copy's output weights */
} elb_posterior_options;

extern const elb_option elb_posterior_option_table[];

#endif
