/* doctor.h - the library checks itself on this machine against closed forms. */
#ifndef ELBOW_DOCTOR_H
#define ELBOW_DOCTOR_H

#include <stdbool.h>

#include <elbow/context.h>

ELB_BEGIN_DECLS

typedef struct elb_check {
    const char *name;       /* "IWAE of a linear-Gaussian model" */
    double expected, found; /* expected: the closed form or quadrature */
    double tolerance;
    bool passed;
    const char *source; /* where `expected` comes from */
} elb_check;

/* The kernels in use, those available, the number of threads and the cache-line round trip between two of them. */
typedef struct elb_machine_facts {
    const char *kernels; /* "avx512" */
    char available[64];  /* "avx512 avx2 reference" */
    int threads;
    double round_trip_ns; /* 0 with one thread */
} elb_machine_facts;

ELB_API elb_status elb_machine_describe(elb_context *c, elb_machine_facts *facts);
/* Runs every check, a few seconds in all. *failed counts those that did not pass. */
ELB_API elb_status elb_doctor(elb_context *c, void (*visit)(void *user, const elb_check *check), void *user,
                              int *failed);

ELB_END_DECLS

#endif
