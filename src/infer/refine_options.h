/* refine_options.h - the "refine" section of a configuration: what is done to lambda(x) between encoder and use. */
#ifndef ELB_REFINE_OPTIONS_H
#define ELB_REFINE_OPTIONS_H

#include "base/option.h"

typedef enum elb_refine_method { ELB_REFINE_ADAM, ELB_REFINE_MOMENTUM } elb_refine_method;
typedef enum elb_refine_start { ELB_REFINE_FROM_ENCODER, ELB_REFINE_FROM_ZERO } elb_refine_start;
typedef enum elb_refine_part { ELB_REFINE_ALL, ELB_REFINE_MEAN } elb_refine_part;
typedef enum elb_refine_family { ELB_REFINE_OWN, ELB_REFINE_FFG, ELB_REFINE_FULL, ELB_REFINE_FLOW } elb_refine_family;
typedef enum elb_refine_gate { ELB_REFINE_UNGATED, ELB_REFINE_BEST_COMPONENT } elb_refine_gate;

typedef struct elb_refine_options {
    int64_t steps;    /* gradient steps on lambda; 0: none */
    int method;       /* elb_refine_method */
    double rate;      /* step size: of Adam, or per nat of one datum's ELBO for momentum */
    double decay;     /* share of the rate that is gone at the last step; 0: it stays */
    double momentum;  /* momentum method only */
    double clip;      /* largest norm of one datum's gradient; 0: not clipped */
    int start;        /* elb_refine_start */
    int part;         /* elb_refine_part: what moves */
    int family;       /* elb_refine_family: what q becomes before it is refined */
    int gate;         /* elb_refine_gate: mixtures only */
    int64_t samples;  /* of z per datum and step */
    int64_t patience; /* with a tolerance: so many windows must pass without a rise before a datum is done */
    double
        tolerance; /* a datum whose ELBO rises by less over a window of steps is done; nats; 0: all steps are taken */
} elb_refine_options;

extern const elb_option elb_refine_option_table[];

/* The step size of step k = 0 .. steps-1: linear from rate down to (1 - decay) rate. */
double elb_refine_rate(const elb_refine_options *o, int64_t k);

#endif
