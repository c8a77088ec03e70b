/* train_support.h - whole small runs by the public interface, for the tests of training and of resuming. */
#ifndef ELB_TRAIN_SUPPORT_H
#define ELB_TRAIN_SUPPORT_H

#include "support.h"

#include <elbow/train.h>
#include <jansson.h>

typedef struct train_session_settings {
    const char *kernels;
    int threads;
    const char *settings; /* see train_config */
    elb_progress_fn progress;
    bool resume;
} train_session_settings;

/* A table of 150 rows of 60 grey values with some structure, so that there is something to learn. */
void train_data_write(const char *path);
/* settings: see support_configure; over the defaults and folder/data.csv, which is written unless it is there. */
elb_config *train_config(elb_context *c, const char *folder, const char *settings);
/* Runs over noise in a folder of their own, whose allocations and writes can be told to fail. */
typedef struct train_world {
    fault f;
    elb_context *c;
    elb_config *config;
    char *folder;
} train_world;

/* settings: see train_config. */
void train_world_begin(train_world *w, uint64_t rows, uint64_t columns, int threads, const char *settings);
void train_world_end(train_world *w);
/* Trains into folder/name. */
elb_status train_world_run(train_world *w, const char *name, bool resume);

/* Trains into folder/name; fails the test unless the run ends well, is interrupted or leaves the finite numbers. */
elb_status train_session(const train_session_settings *s, const char *folder, const char *name,
                         elb_train_result *result);
/* Trains into folder/name, which must be refused with `want` and words with `part`. */
void train_refused(const char *folder, const char *name, const char *settings, bool resume, elb_status want,
                   const char *part);
void train_same_file(const char *folder, const char *a, const char *b, const char *name);
/* What the log says, but for the clock; only the events named `kind` unless that is NULL. */
json_t *train_log_events(const char *folder, const char *run, const char *kind);
/* Asks every step to stop, and counts the last calls of phases. */
elb_status train_stop_at_once(void *user, const elb_progress *progress);
extern int train_last_calls;

#endif
