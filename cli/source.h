/* source.h - the options that say which data a trained model is shown. */
#ifndef ELB_CLI_SOURCE_H
#define ELB_CLI_SOURCE_H

#include "cli.h"

typedef struct cli_source {
    const char *data;
    int part; /* an elb_part, or CLI_UNSET */
    cli_list set;
} cli_source;

extern const char *const cli_parts[]; /* in the order of elb_part; end with NULL */

/* Entries of an option table for a struct that has a cli_source named `source`. */
#define CLI_SOURCE_OPTIONS(type)                                                                                       \
    {.name = "data",                                                                                                   \
     .kind = CLI_TEXT,                                                                                                 \
     .offset = offsetof(type, source.data),                                                                            \
     .value = "SPEC",                                                                                                  \
     .words = CLI_WORDS_DATA,                                                                                          \
     .help = "The data: a file, a folder or a name, as for train; by default what the model was trained with."},       \
        {.name = "part",                                                                                               \
         .kind = CLI_CHOICE,                                                                                           \
         .offset = offsetof(type, source.part),                                                                        \
         .value = "PART",                                                                                              \
         .choices = cli_parts,                                                                                         \
         .help = "Which of the data; by default the test part of what the model was trained with, and all of any "     \
                 "other data. 'all' of a set with test files is its test part."},                                      \
    {                                                                                                                  \
        .name = "set", .kind = CLI_LIST, .offset = offsetof(type, source.set), .value = "KEY=VALUE",                   \
        .words = CLI_WORDS_KEY,                                                                                        \
        .help = "A key of data or refine other than in training, such as data.binarise=threshold or "                  \
                "refine.steps=100; may "                                                                               \
                "be repeated."                                                                                         \
    }

/* Entries of an option table for a struct that has int64_t limit and batch: of work that goes through the data. */
#define CLI_WALK_OPTIONS(type)                                                                                         \
    {.name = "limit",                                                                                                  \
     .kind = CLI_INT,                                                                                                  \
     .offset = offsetof(type, limit),                                                                                  \
     .value = "N",                                                                                                     \
     .min = 1,                                                                                                         \
     .max = CLI_DATA_MAX,                                                                                              \
     .help = "Only the first N data."},                                                                                \
    {                                                                                                                  \
        .name = "batch", .kind = CLI_INT, .offset = offsetof(type, batch), .value = "B", .min = 1, .max = 1000000,     \
        .help = "Data in flight at a time. Changes memory and speed, never the result."                                \
    }

/* The keys of --set alone, for work that needs no data. */
elb_status cli_set_source(cli *c, elb_vae *vae, const cli_source *source);
/* Has `vae`'s configuration describe the data. *foreign: they are not what it was trained with. */
elb_status cli_describe_data(cli *c, elb_vae *vae, const cli_source *source, bool *foreign);
/* The same, and opens them: the part that is named; else of other data all; else the test part where there is one. */
elb_status cli_open_data(cli *c, elb_vae *vae, const cli_source *source, bool *foreign, elb_dataset **dataset);

#endif
