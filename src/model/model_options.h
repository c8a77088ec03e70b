/* model_options.h - the "model" and "likelihood" sections of a configuration. */
#ifndef ELB_MODEL_OPTIONS_H
#define ELB_MODEL_OPTIONS_H

#include "base/option.h"
#include "nn/net_kind.h"

typedef enum elb_likelihood_kind {
    ELB_BERNOULLI,
    ELB_CONTINUOUS_BERNOULLI,
    ELB_GAUSSIAN,
    ELB_LIKELIHOOD_AUTO /* until the data are known */
} elb_likelihood_kind;
typedef enum elb_variance_kind {
    ELB_VARIANCE_FIXED,
    ELB_VARIANCE_SCALAR,
    ELB_VARIANCE_PIXEL,
    ELB_VARIANCE_PREDICTED
} elb_variance_kind;

/* What makes a Gaussian's mean of the decoder's output. */
typedef enum elb_mean_kind { ELB_MEAN_LINEAR, ELB_MEAN_SIGMOID, ELB_MEAN_TANH } elb_mean_kind;

typedef struct elb_model_options {
    int64_t latent;  /* Z; 0 = by the data */
    elb_ints hidden; /* decoder's hidden widths, from z to x; empty = a linear decoder */
    int activation;  /* elb_net_kind */
} elb_model_options;

typedef struct elb_likelihood_options {
    int type;            /* elb_likelihood_kind */
    int mean;            /* elb_mean_kind, Gaussian only */
    int variance;        /* elb_variance_kind, Gaussian only */
    double log_variance; /* fixed value, or the start of a learned one, in log of data units squared */
} elb_likelihood_options;

extern const elb_option elb_model_option_table[], elb_likelihood_option_table[];

#endif
