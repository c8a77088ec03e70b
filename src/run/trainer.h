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
    int64_t epoch;             /* complete ones */
    int64_t step;              /* in this epoch */
    int64_t total;             /* steps in all */
    int64_t best_epoch, stale; /* of validation; epochs since */
    double best;               /* validation ELBO; -inf before the first */
    double seconds;            /* over every stretch of a resumed run */
    double last_elbo, last_kl;
    int64_t active_units;
    int64_t warned;          /* of posterior collapse: 0 or 1 */
    int64_t components_told; /* bits of elb_components_warn */
    int64_t best_saved;      /* model.safetensors is the best epoch's: 0 or 1 */
    int64_t ended;           /* the log has its "end" line: 0 or 1 */
} elb_counters;

typedef struct elb_trainer {
    elb_context *context;
    elb_config *config; /* the trainer's own, settled */
    elb_train_settings settings;
    elb_dataset *data, *validation; /* validation: NULL without */
    elb_vae *vae;
    elb_objective objective;
    elb_optimizer optimizer;
    elb_step step;
    elb_log_file *log;
    elb_reporter reporter;
    int64_t *order;   /* [N] of this epoch */
    int64_t steps;    /* per epoch */
    int64_t checksum; /* of the training data */
    int64_t log_end;  /* the log's length before its "end" line; counts when the run has ended */
    elb_counters at;
    elb_epoch_sums sums;
    double checkpointed; /* clock at the latest checkpoint */
    char *state_path, *model_path, *log_path, *config_path;
} elb_trainer;

/* --- trainer_folder.c */
/* Fills in the paths. */
elb_status elb_trainer_paths(elb_trainer *t);
/* A new run in the folder: its log, config.yaml and first state. ELB_USAGE when the folder holds a run, or files of
 * these names that are no run's, or another process trains there. */
elb_status elb_trainer_begin(elb_trainer *t);
/* The folder's run, locked and read; unless there is nothing left to train, when no file changes, its log is cut to the
 * checkpoint and config.yaml written anew. Errors: as elb_checkpoint_read; ELB_USAGE (no run, another process). */
elb_status elb_trainer_continue(elb_trainer *t);
/* Whether the epochs or the patience are used up. */
bool elb_trainer_done(const elb_trainer *t);

/* --- checkpoint.c */
/* state.safetensors: everything, one atomic file; and model.safetensors beside it unless the best one is kept there.
 * The state comes first, so that a folder with a model can be resumed; but the one that says that the run has ended
 * comes last. ELB_NUMERIC, and nothing is written, when a parameter is not finite. */
elb_status elb_checkpoint_write(elb_trainer *t);
/* *log_position: the log's length at that time. Errors: ELB_MODEL (corrupt), ELB_USAGE (another configuration),
 * ELB_DATA (other training data). */
elb_status elb_checkpoint_read(elb_trainer *t, int64_t *log_position);

/* --- epoch.c */
/* Adds one step's tensors to the sums. */
void elb_epoch_add(elb_trainer *t, const elb_loss *loss, int64_t batch);
/* Validates, logs the epoch's line, warns of collapse, keeps the best model, clears the sums. */
elb_status elb_epoch_finish(elb_trainer *t);
/* Appends {"event": event, ...}; takes `object`. */
elb_status elb_trainer_log(elb_trainer *t, const char *event, json_t *object);
/* Active units over at most the first 500 training data: Var_x(E_q[z_u|x]) > 0.01 (Burda et al. 2016, section 5.1). */
elb_status elb_active_units(const elb_vae *vae, const elb_dataset *data, int64_t *units);
/* Mean ELBO of a data set under one sample per datum and the noise of its own stream. */
elb_status elb_validation_elbo(const elb_vae *vae, const elb_dataset *data, double *elbo);

#endif
