/* context.h - where errors, log lines, memory and threads of one user of the library live.
 *
 * There is no global state: two contexts in one process know nothing of each other. A context may be used by one
 * thread at a time. */
#ifndef ELBOW_CONTEXT_H
#define ELBOW_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include <elbow/status.h>

ELB_BEGIN_DECLS

typedef enum elb_log_level { ELB_LOG_DEBUG, ELB_LOG_INFO, ELB_LOG_WARNING } elb_log_level;

/* As realloc(3), with size 0 meaning free. */
typedef void *(*elb_alloc_fn)(void *user, void *block, size_t size);
/* As write(2) on an open descriptor: bytes written, or -1 with errno set. */
typedef long (*elb_write_fn)(void *user, int fd, const void *bytes, size_t size);
/* `message` has no newline and is valid during the call only. */
typedef void (*elb_log_fn)(void *user, elb_log_level level, const char *message);

/* All fields may be zero, which means the default. */
typedef struct elb_settings {
    int threads;         /* 1..256; 0: one per processor this process may use. Results do not depend on it. */
    const char *kernels; /* "auto" (default), "reference", "avx2", "avx512" */
    elb_alloc_fn alloc;  /* default: the C library's */
    elb_write_fn write;  /* default: write(2); tests let the n-th write fail */
    elb_log_fn log;      /* default: silence */
    void *user;          /* handed to the three functions above */
} elb_settings;

typedef struct elb_context elb_context;

/* settings: NULL for all defaults. On failure *context is NULL. Errors: ELB_USAGE, ELB_MEMORY. */
ELB_API elb_status elb_context_create(const elb_settings *settings, elb_context **context);
ELB_API void elb_context_destroy(elb_context *context);

/* The sentence that explains the latest failure: what was wrong, what was expected, what to do. Borrowed, valid
 * until the next failure. "" when nothing failed. */
ELB_API const char *elb_context_message(const elb_context *context);

ELB_END_DECLS

#endif
