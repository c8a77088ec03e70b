/* doctor.h - what the self-checks share. */
#ifndef ELB_DOCTOR_H
#define ELB_DOCTOR_H

#include <elbow/doctor.h>

#include "base/base.h"

typedef struct elb_doctor_job {
    elb_context *context;
    void (*visit)(void *user, const elb_check *check);
    void *user;
    int failed;
} elb_doctor_job;

/* Passed when |found - expected| <= tolerance, which no NaN is. */
void elb_doctor_tell(elb_doctor_job *job, const char *name, const char *source, double expected, double found,
                     double tolerance);

elb_status elb_doctor_estimates(elb_doctor_job *job); /* bounds and likelihoods of models with known evidence */
elb_status elb_doctor_kernels(elb_doctor_job *job);   /* tables against plain C, random numbers against known answers */
elb_status elb_doctor_training(elb_doctor_job *job);  /* gradients against differences, the same bits on two threads */

#endif
