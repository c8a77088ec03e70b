/* compare.h - several methods on the same data: trained or taken as they are, evaluated alike, in
 * one table and one plot. */
#ifndef ELBOW_COMPARE_H
#define ELBOW_COMPARE_H

#include <stdbool.h>

#include <elbow/config.h>
#include <elbow/progress.h>

ELB_BEGIN_DECLS

/* What is to be compared. docs/compare.md describes it as YAML. */
typedef struct elb_plan elb_plan;

/* An empty one with the defaults. */
ELB_API elb_status elb_plan_create(elb_context *c, elb_plan **plan);
ELB_API void elb_plan_destroy(elb_plan *plan); /* may be NULL */
/* A YAML file over what is set already. ELB_USAGE names file, line and key; ELB_FAILURE for a file that cannot be read.
 * After a failure the plan is good for nothing but elb_plan_destroy. */
ELB_API elb_status elb_plan_load(elb_plan *plan, const char *path);
/* The same from memory; `name` stands for the file in messages. */
ELB_API elb_status elb_plan_parse(elb_plan *plan, const char *name, const char *text, int64_t size);
/* A key of the plan itself: "seeds", "evaluate.samples". */
ELB_API elb_status elb_plan_set(elb_plan *plan, const char *key, const char *value);
/* A key of every method's configuration: "train.epochs", "100". What a method sets itself wins. */
ELB_API elb_status elb_plan_share(elb_plan *plan, const char *key, const char *value);
/* One more method to train, made by `preset` and named after it. Errors: ELB_USAGE (no such preset,
 * a name that is taken). */
ELB_API elb_status elb_plan_add_preset(elb_plan *plan, const char *preset);
/* A run as it is, named after its folder. Runs that differ in nothing but their seed are seeds of one method. */
ELB_API elb_status elb_plan_add_run(elb_plan *plan, const char *run);
typedef struct elb_compare_settings {
    const char *folder;       /* made if need be; <method>/seed-<n>/ are ordinary runs */
    bool retime;              /* times that an earlier call took are taken anew */
    elb_progress_fn progress; /* NULL: silence. The phase names method, seed and what is being done. */
    void *user;
} elb_compare_settings;

/* Trains what is not trained, evaluates what is not evaluated, and writes compare.json, .csv and .md into the folder,
 * after every cell of the grid anew, and compare.svg and .png at the end. What an earlier call finished there is not
 * done again, so that a call that was stopped is gone on with by the same call. A method that diverges is warned of and
 * reported as that. *table, which the caller frees with elb_text_free, is the result as plain text; it may be NULL.
 * Errors: ELB_USAGE (a plan that makes no sense; methods whose data, decoder or likelihood differ; a folder with runs
 * of another plan), what elb_train and elb_evaluate return, what `progress` returned. */
ELB_API elb_status elb_compare(const elb_plan *plan, const elb_compare_settings *settings, char **table);

ELB_END_DECLS

#endif
