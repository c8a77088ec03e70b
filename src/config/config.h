/* config.h - the complete configuration of a run: every section, its defaults, YAML in and out, presets. */
#ifndef ELB_CONFIG_H
#define ELB_CONFIG_H

#include <elbow/config.h>
#include <elbow/dataset.h>

#include "data/data_options.h"
#include "infer/refine_options.h"
#include "model/model_options.h"
#include "nn/optim/optimizer_options.h"
#include "objective/objective_options.h"
#include "posterior/posterior_options.h"
#include "config/run_options.h"

enum { ELB_SECTION_COUNT = 10 }; /* in the order of the struct */

struct elb_config {
    elb_context *context;
    elb_top_options top;
    elb_data_options data;
    elb_model_options model;
    elb_likelihood_options likelihood;
    elb_posterior_options posterior;
    elb_refine_options refine;
    elb_objective_options objective;
    elb_optimizer_options optimizer;
    elb_schedule_options schedule;
    elb_train_options train;
    elb_section sections[ELB_SECTION_COUNT + 1]; /* point into this struct */
};

enum { ELB_KEY_TEXT = 128 };

/* Puts what suits the training data in the place of every "auto". Errors: ELB_MEMORY. */
elb_status elb_config_settle(elb_config *config, const elb_dataset *dataset);
/* A copy that shares nothing. */
elb_status elb_config_copy(const elb_config *from, elb_config **to);
/* elb_config_write into a file, which is there whole or not at all. Errors: ELB_FAILURE, ELB_MEMORY. */
elb_status elb_config_save(const elb_config *config, const char *path);
/* Whether the two differ in a section other than `except`; then `key` is the first such key. */
bool elb_config_differs(const elb_config *a, const elb_config *b, const char *except, char key[ELB_KEY_TEXT]);
/* Whether they do in `section`, NULL: in any key that has one, where neither is auto; then `key`
 * is the first such key. */
bool elb_config_disagrees(const elb_config *a, const elb_config *b, const char *section, char key[ELB_KEY_TEXT]);

#endif
