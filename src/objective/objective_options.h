/* objective_options.h - the "objective" section of a configuration. */
#ifndef ELB_OBJECTIVE_OPTIONS_H
#define ELB_OBJECTIVE_OPTIONS_H

#include "base/option.h"

typedef enum elb_kl_form { ELB_KL_CLOSED, ELB_KL_SAMPLED } elb_kl_form;
typedef enum elb_gradient_form { ELB_GRADIENT_PLAIN, ELB_GRADIENT_STL, ELB_GRADIENT_DREG } elb_gradient_form;
typedef enum elb_warmup { ELB_WARMUP_NONE, ELB_WARMUP_KL, ELB_WARMUP_ENTROPY } elb_warmup;

typedef enum elb_savi_encoder { ELB_SAVI_THROUGH, ELB_SAVI_START, ELB_SAVI_KL } elb_savi_encoder;
typedef enum elb_difference { ELB_DIFFERENCE_FORWARD, ELB_DIFFERENCE_CENTRAL } elb_difference;

typedef struct elb_objective_options {
    int type;             /* index into elb_objective_types */
    int64_t samples;      /* posterior samples per datum */
    int kl;               /* elb_kl_form: elbo only */
    int gradient;         /* elb_gradient_form */
    int warmup;           /* elb_warmup */
    double warmup_epochs; /* beta reaches 1 after so many */
    double warmup_start;  /* beta at the start */
    int encoder;          /* elb_savi_encoder: savi only, like the next two */
    int difference;       /* elb_difference */
    double radius;        /* how far lambda is moved for a difference of gradients */
    double pretrain;      /* recmix, bvi: share of training in which the first component is alone */
    double recursion;     /* recmix, bvi: share of the rest in which components are trained against those before */
    double clip_kl;       /* recmix, bvi: largest log ratio */
    double nu;            /* bvi: factor of the entropy */
} elb_objective_options;

extern const elb_option elb_objective_option_table[];

#endif
