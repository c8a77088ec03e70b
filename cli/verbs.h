/* verbs.h - the verbs, one file each. */
#ifndef ELB_CLI_VERBS_H
#define ELB_CLI_VERBS_H

#include "cli.h"

extern const cli_verb verb_train, verb_eval, verb_infer, verb_refine, verb_sample, verb_reconstruct, verb_inspect,
    verb_report, verb_bench, verb_compare, verb_gap, verb_convert, verb_doctor, verb_presets, verb_keys,
    verb_completion, verb_man, verb_help;

#endif
