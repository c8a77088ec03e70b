/* status.h - what a call returned. The same numbers are the exit codes of the command. */
#ifndef ELBOW_STATUS_H
#define ELBOW_STATUS_H

#if defined(__GNUC__)
#define ELB_API __attribute__((visibility("default")))
#else
#define ELB_API
#endif

/* C++ sees C's names. */
#ifdef __cplusplus
#define ELB_BEGIN_DECLS extern "C" {
#define ELB_END_DECLS }
#else
#define ELB_BEGIN_DECLS
#define ELB_END_DECLS
#endif

ELB_BEGIN_DECLS

typedef enum elb_status {
    ELB_OK = 0,
    ELB_FAILURE = 1,      /* the system refused: no such file, no space, no permission */
    ELB_USAGE = 2,        /* an option or configuration that makes no sense */
    ELB_DATA = 3,         /* data that is corrupt, of the wrong shape, or outside its range */
    ELB_MODEL = 4,        /* a model or checkpoint that is corrupt or does not fit the data */
    ELB_NUMERIC = 5,      /* a non-finite number; the last good checkpoint is kept */
    ELB_MEMORY = 6,       /* an allocation failed */
    ELB_REQUEUE = 75,     /* SIGTERM: a checkpoint was written, run again with --resume */
    ELB_INTERRUPTED = 130 /* SIGINT: a checkpoint was written */
} elb_status;

/* One or two words for a status: "ok", "data", ... Never NULL. */
ELB_API const char *elb_status_name(elb_status status);

ELB_END_DECLS

#endif
