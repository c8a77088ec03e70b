/* plan.h - what a comparison is made from: what all methods share, and the methods. */
#ifndef ELB_PLAN_H
#define ELB_PLAN_H

#include <elbow/compare.h>

#include "base/option.h"
#include "config/config.h"

typedef struct elb_plan_options {
    char data[ELB_TEXT_MAX];      /* data.spec of every method; "" leaves it to "set" */
    char preset[ELB_TEXT_MAX];    /* where data, decoder and budget come from; "": the first method's */
    char reference[ELB_TEXT_MAX]; /* name of the method that the others are compared with; "": the first */
    char title[ELB_TEXT_MAX];
    int64_t seeds; /* runs of every method: with seeds 1, 2, ... */
} elb_plan_options;

typedef struct elb_plan_evaluate {
    int part;             /* elb_part */
    int64_t samples;      /* K of both IWAE estimates */
    int64_t limit;        /* data; 0: all */
    int64_t refine_steps; /* of the second estimate's proposal; 0: no second estimate */
    double refine_rate;
} elb_plan_evaluate;

typedef struct elb_plan_method_options {
    char label[ELB_TEXT_MAX];  /* in table and plot, ELB_PLAN_NAME_MAX bytes at most; "": the name */
    char preset[ELB_TEXT_MAX]; /* "": the plan's */
    char from[ELB_TEXT_MAX];   /* training starts from this method's run of the same seed; "": from nothing */
    char of[ELB_TEXT_MAX];     /* not trained: this method's runs, evaluated with other keys of "refine"; "": trained */
    int64_t seeds;             /* 0: the plan's */
    bool plot;                 /* whether the plot shows it */
} elb_plan_method_options;

enum { ELB_PLAN_NAME_MAX = 64 };

/* Keys of a configuration and their values as text, in the order given. */
typedef struct elb_pair {
    char *key, *value;
} elb_pair;
typedef struct elb_pairs {
    int64_t count;
    elb_pair *at;
} elb_pairs;

typedef struct elb_plan_method {
    char name[ELB_PLAN_NAME_MAX];
    elb_plan_method_options options;
    elb_pairs set;
    int64_t run_count; /* folders of runs to take as they are; 0: it is trained, or another's */
    char **runs;
} elb_plan_method;

enum { ELB_PLAN_SECTIONS = 2 };

struct elb_plan {
    elb_context *context;
    elb_plan_options top;
    elb_plan_evaluate evaluate;
    elb_section sections[ELB_PLAN_SECTIONS + 1]; /* point into this struct */
    elb_pairs set;
    int64_t count;
    elb_plan_method *methods;
};

extern const elb_option elb_plan_option_table[], elb_plan_evaluate_table[], elb_plan_method_table[];

/* A new method with the default options. Errors: ELB_USAGE (a name that is taken, or no name for
 * a folder), ELB_MEMORY. */
elb_status elb_plan_add(elb_plan *plan, const char *name, elb_plan_method **method);
/* The method of that name, or -1. */
int64_t elb_plan_find(const elb_plan *plan, const char *name);
const char *elb_plan_label(const elb_plan_method *method);
elb_status elb_plan_add_run_to(elb_plan *plan, elb_plan_method *method, const char *run);
elb_status elb_pairs_add(elb_context *c, elb_pairs *pairs, const char *key, const char *value);

#endif
