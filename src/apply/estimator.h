/* estimator.h - what an evaluation can estimate: one table each, in the order of elb_estimator. */
#ifndef ELB_ESTIMATOR_H
#define ELB_ESTIMATOR_H

#include <elbow/evaluate.h>

#include <jansson.h>

#include "run/blocks.h"

typedef struct elb_estimate elb_estimate;

typedef struct elb_estimator_type {
    const char *name;     /* "iwae" */
    const char *quantity; /* what is averaged, for people: "log-likelihood" */
    bool simulated;       /* draws its data from the model */
    size_t state_size;
    const char *const *columns;              /* what is found of a datum, NULL at the end */
    elb_status (*open)(elb_estimate *e);     /* checks the settings */
    void (*close)(elb_estimate *e);          /* after a failed open too */
    char *(*key)(const elb_estimate *e);     /* the settings that results depend on, as text; NULL: no memory */
    int64_t (*batch)(const elb_estimate *e); /* data of a block, unless the caller says */
    int64_t (*most)(const elb_estimate *e);  /* data that a block may have; 0: any number */
    elb_status (*block)(elb_estimate *e, const elb_block *block, double *rows); /* rows [count, columns] */
    double (*value)(const elb_estimate *e, const double *row);                  /* what is averaged */
    elb_datum_estimate (*datum)(const double *row);                             /* without its index */
    void (*add)(elb_estimate *e, const double *row);                            /* of every datum, in their order */
    void (*conclude)(const elb_estimate *e, elb_evaluation *result);            /* its own fields */
    json_t *(*tell)(const elb_evaluation *result);                              /* likewise, as an object */
} elb_estimator_type;

extern const elb_estimator_type elb_estimator_elbo, elb_estimator_iwae, elb_estimator_ais, elb_estimator_bdmc;
extern const elb_estimator_type *const elb_estimator_types[]; /* NULL at the end */

struct elb_estimate {
    const elb_estimator_type *type;
    elb_vae *vae;
    const elb_evaluate_settings *settings;
    int64_t n;   /* data in all */
    void *state; /* the type's own */
    elb_status (*watch)(void *user,
                        double done); /* to be told which part of a block is done; its status ends the work */
    void *user;
};

#endif
