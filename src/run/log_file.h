/* log_file.h - log.jsonl: what happened in a run, one JSON object per line, and its way back into series of numbers. */
#ifndef ELB_LOG_FILE_H
#define ELB_LOG_FILE_H

#include "run/json.h"

/* --- writing */

typedef struct elb_log_file elb_log_file;

/* Opens a log, made if need be, and locks it until it is closed, so that one process at a time writes a run. A file
 * system without locks is warned of. Nothing in it changes before elb_log_file_cut.
 * Errors: ELB_USAGE (another holds the lock), ELB_FAILURE, ELB_MEMORY. */
elb_status elb_log_file_open(elb_context *c, const char *path, elb_log_file **log);
/* Cuts the log to its earliest `keep` bytes and appends from there: 0 begins anew, and a resumed run passes the
 * position that its checkpoint remembers, so that lines written after the checkpoint are not there twice. A log that is
 * already shorter (somebody edited it) is kept to its last whole line, and a warning is logged. Errors: ELB_FAILURE. */
elb_status elb_log_file_cut(elb_log_file *log, int64_t keep);
/* Appends one object and hands it to the system at once. Takes the reference, also on failure; object may be NULL,
 * which is ELB_MEMORY. A line that could not be written whole is taken back. Use elb_json_real for every real. */
elb_status elb_log_file_append(elb_log_file *log, json_t *object);
/* *position = bytes in the log, all of which are on the disk when this returns. */
elb_status elb_log_file_sync(elb_log_file *log, int64_t *position);
void elb_log_file_close(elb_log_file *log); /* may be NULL */

/* --- reading */

typedef struct elb_log_history {
    elb_context *context;
    json_t *lines; /* an array of objects, in order */
} elb_log_history;

/* Reads a whole log. A last line without its end (the run was killed, or is writing) is left out.
 * Errors: ELB_FAILURE; ELB_DATA, naming the line that is no JSON object; ELB_MEMORY. */
elb_status elb_log_history_read(elb_context *c, const char *path, elb_log_history *history);
void elb_log_history_reset(elb_log_history *history);
/* The latest line with this "event", borrowed, or NULL. */
const json_t *elb_log_history_last(const elb_log_history *history, const char *event);

typedef struct elb_series {
    int64_t count;
    double *x, *y;
} elb_series;

/* The numbers under `key` in the lines of one event against those under `x_key`; null becomes NaN, and lines without
 * either key are left out. The caller releases it with elb_series_reset. Errors: ELB_MEMORY. */
elb_status elb_log_history_series(const elb_log_history *history, const char *event, const char *x_key, const char *key,
                                  elb_series *series);
void elb_series_reset(elb_context *c, elb_series *series);

#endif
