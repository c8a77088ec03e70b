/* trainer.h - the state of a training run, shared by the loop, the checkpoints and the epoch's bookkeeping. */
#ifndef ELB_TRAINER_H
#define ELB_TRAINER_H

#include <elbow/train.h>

#include "nn/optim/optimizer.h"
#include "run/log_file.h"
#include "run/progress.h"
#include "run/step.h"

/* Sums over the epoch so far, all per datum. */
typedef struct elb_epoch_sums {
    int64_t data;
    double elbo, kl, reconstruction, bound, seconds;
    double *kl_coordinate; /* [Z] */
} elb_epoch_sums;

/* All that a checkpoint keeps besides parameters and moments. */
typedef struct elb_counters {
    int64_t epoch;           /* complete ones */
    int64_t step;            /* in this epoch */
    int64_t total;           /* steps in all */
    int64_t best_epoch, stale; /* of validation; epochs since */
    double best;             /* validation ELBO; -inf before the first */
    double seconds;          /* over every stretch of a resumed run */
    double last_elbo, last_kl;
    int64_t active_units;
    int64_t warned;          /* of posterior collapse: 0 or 1 */
} elb_counters;

typedef struct elb_trainer {
    elb_context *context;
    const elb_config *config;
    elb_train_settings settings;
    elb_dataset *data, *validation; /* validation: NULL without */
    elb_vae *vae;
    elb_objective objective;
    elb_optimizer optimizer;
    elb_step step;
    elb_log_file *log;
    elb_reporter reporter;
    int64_t *order;      /* [N] of this epoch */
    int64_t steps;       /* per epoch */
    elb_counters at;
    elb_epoch_sums sums;
    double checkpointed; /* clock at the latest checkpoint */
    char *state_path, *model_path, *log_path, *config_path;
} elb_trainer;

/* --- checkpoint.c */
/* state.safetensors: everything, one atomic file; and model.safetensors beside it unless the best one is kept there.
 * ELB_NUMERIC, and nothing is written, when a parameter is not finite. */
elb_status elb_checkpoint_write(elb_trainer *t);
/* ELB_MODEL when it is corrupt or does not fit the configuration. *log_position: the log's length at that time. */
elb_status elb_checkpoint_read(elb_trainer *t, int64_t *log_position);

/* --- epoch.c */
/* Adds one step's tensors to the sums. */
void elb_epoch_add(elb_trainer *t, const elb_loss *loss, int64_t batch);
/* Validates, logs the epoch's line, warns of collapse, keeps the best model, clears the sums. *stop: patience is over. */
elb_status elb_epoch_finish(elb_trainer *t, bool *stop);
/* Appends {"event": event, ...}; takes `object`. */
elb_status elb_trainer_log(elb_trainer *t, const char *event, json_t *object);
/* Active units over at most the first 500 training data: Var_x(E_q[z_u|x]) > 0.01 (Burda et al. 2016, section 5.1). */
elb_status elb_active_units(const elb_vae *vae, const elb_dataset *data, int64_t *units);
/* Mean ELBO of a data set under one sample per datum and the noise of its own stream. */
elb_status elb_validation_elbo(const elb_vae *vae, const elb_dataset *data, double *elbo);

#endif
