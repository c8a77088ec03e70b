/* train.h - training runs: folders that can be interrupted at any moment and resumed to the same bits. */
#ifndef ELBOW_TRAIN_H
#define ELBOW_TRAIN_H

#include <elbow/progress.h>
#include <elbow/vae.h>

ELB_BEGIN_DECLS

typedef struct elb_train_settings {
    const char *folder;       /* the run: config.yaml, model.safetensors, state.safetensors, log.jsonl */
    bool resume;              /* go on from folder's state */
    elb_progress_fn progress; /* NULL: silence */
    void *user;
} elb_train_settings;

typedef struct elb_train_result {
    int64_t epochs;         /* done in all */
    int64_t steps;          /* done in all */
    double elbo, kl;        /* of the last epoch, nats per datum, on the training data as trained */
    double validation_elbo; /* best; NaN when there was no validation yet */
    int64_t active_units;   /* latent coordinates with Var_x(E_q[z|x]) > 0.01 (Burda et al. 2016) */
    double seconds;         /* of training, over every stretch of a resumed run */
    bool stopped_early;     /* by train.patience */
    bool nothing_to_train;  /* resumed, but the run had ended: no file was changed */
} elb_train_result;

/* Trains a VAE by `config` into settings->folder. A new run refuses a folder that has one. With resume, `config` must
 * be what the run was started with (elb_run_config reads it), except for the keys of "train" other than train.batch; it
 * is kept as the folder's config.yaml. One process at a time trains in a folder; another gets ELB_USAGE.
 *
 * What is written: log.jsonl, one line per epoch; state.safetensors at the times of train.checkpoint_minutes and when
 * asked to stop; model.safetensors at the end and at every checkpoint (the best epoch's, when train.patience is set).
 * Errors: ELB_USAGE, ELB_DATA (also: other training data than the run was started with), ELB_MODEL (a state that is
 * corrupt or another run's), ELB_FAILURE, ELB_MEMORY;
 * ELB_NUMERIC (a loss that is not finite: names step, term and tensor; the last checkpoint stays);
 * what `progress` returned (a checkpoint was written first). */
ELB_API elb_status elb_train(const elb_config *config, const elb_train_settings *settings, elb_train_result *result);
/* The configuration saved with a run. */
ELB_API elb_status elb_run_config(elb_context *c, const char *folder, elb_config **config);

ELB_END_DECLS

#endif
