/* picture.h - what sample and reconstruct share: where a picture goes, and telling so. */
#ifndef ELB_CLI_PICTURE_H
#define ELB_CLI_PICTURE_H

#include <elbow/task.h>

#include "cli.h"

typedef struct cli_picture {
    const char *out, *table;
    int64_t count;
    bool draw;
} cli_picture;

/* Entries of an option table for a struct that has a cli_picture named `picture`. */
#define CLI_PICTURE_OPTIONS(type, how_many)                                                                            \
    {.name = "count",                                                                                                  \
     .kind = CLI_INT,                                                                                                  \
     .offset = offsetof(type, picture.count),                                                                          \
     .value = "N",                                                                                                     \
     .fallback = how_many,                                                                                             \
     .min = 1,                                                                                                         \
     .max = 1000000,                                                                                                   \
     .help = "How many."},                                                                                             \
        {.name = "out",                                                                                                \
         .kind = CLI_TEXT,                                                                                             \
         .offset = offsetof(type, picture.out),                                                                        \
         .value = "FILE.png",                                                                                          \
         .words = CLI_WORDS_FILE,                                                                                      \
         .help = "The picture; by default in the run's folder images, unless --table is all that is asked for."},      \
        {.name = "table",                                                                                              \
         .kind = CLI_TEXT,                                                                                             \
         .offset = offsetof(type, picture.table),                                                                      \
         .value = "FILE",                                                                                              \
         .words = CLI_WORDS_FILE,                                                                                      \
         .help = "The numbers, as an .npz or .csv file."},                                                             \
    {                                                                                                                  \
        .name = "draw", .kind = CLI_FLAG, .offset = offsetof(type, picture.draw),                                      \
        .help = "Draw x from p(x|z) instead of showing its mean."                                                      \
    }

/* Fills in what the options say; *made, which settings->png may point to, is to be freed. `name`
 * is the picture's own. */
elb_status cli_picture_settings(cli *c, const cli_picture *picture, const char *name, const elb_config *config,
                                elb_picture_settings *settings, char **made);
/* Says what was written. */
elb_status cli_picture_tell(cli *c, const elb_picture_settings *settings);

#endif
