/* run_options.h - the sections of a configuration that govern a training run: top level, "train", "schedule". */
#ifndef ELB_RUN_OPTIONS_H
#define ELB_RUN_OPTIONS_H

#include "base/option.h"

typedef enum elb_schedule_kind { ELB_SCHEDULE_CONSTANT, ELB_SCHEDULE_COSINE, ELB_SCHEDULE_IWAE } elb_schedule_kind;

typedef struct elb_top_options {
    int64_t seed;
} elb_top_options;

typedef struct elb_train_options {
    int64_t
        epochs; /* passes over the training data, 0 = by their number; the iwae schedule's stages are scaled to it */
    int64_t batch;
    int64_t patience;          /* stop after so many epochs without a better validation ELBO; 0 = never */
    int64_t validate_every;    /* epochs between validation passes */
    double checkpoint_minutes; /* longest time between checkpoints; one is also written at the end and on a signal */
    int64_t checkpoint_epochs; /* and after so many epochs; 0 = by time alone */
    char from[ELB_TEXT_MAX];   /* a run, or its model.safetensors, whose parameters training starts from; "": none */
    bool encoder_only;         /* the model stays as `from` has it, and the encoder starts anew */
    bool output_bias;          /* start the decoder's output bias at the data's mean (Burda et al. 2016's code) */
} elb_train_options;

typedef struct elb_schedule_options {
    int type;           /* elb_schedule_kind */
    double final_rate;  /* cosine: fraction of the rate at the end */
    bool reset_moments; /* iwae: forget the optimiser's moments at every stage, as Cremer et al.'s code does */
} elb_schedule_options;

extern const elb_option elb_top_option_table[], elb_train_option_table[], elb_schedule_option_table[];

#endif
