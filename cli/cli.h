/* cli.h - what the files of the command share: verbs, the running command, its output. */
#ifndef ELB_CLI_CLI_H
#define ELB_CLI_CLI_H

#include <jansson.h>

#include <elbow/config.h>
#include <elbow/dataset.h>
#include <elbow/vae.h>

#include "options.h"
#include "progress_bar.h"

typedef struct cli cli;

typedef struct cli_verb {
    const char *name;
    const char *summary;       /* one line, no full stop */
    const char *arguments;     /* "RUN"; "" for none */
    const char *details;       /* paragraphs, separated by an empty line */
    const char *examples;      /* one command a line */
    const cli_option *options; /* end with one whose name is NULL; may be NULL */
    size_t size;               /* of the struct that they fill */
    elb_status (*run)(cli *c, const void *values);
    unsigned accepts;   /* CLI_THREADS ... */
    int least, most;    /* arguments; most < 0: any number */
    cli_words words;    /* what its arguments are */
    bool interruptible; /* its work asks the progress callback whether to stop */
} cli_verb;

extern const cli_verb *const cli_verbs[]; /* end with NULL */
const cli_verb *cli_verb_find(const char *name);
/* What to tell someone whose `word` is no verb: "; did you mean 'train'?" */
const char *cli_verb_advice(const char *word, char *text, size_t size);

struct cli {
    const cli_verb *verb;
    elb_context *context;
    progress_bar bar;
    cli_common common;
    const char **arguments;
    int count;
    char message[2048]; /* why the command itself, not the library, failed */
};

/* --- failing and telling: stderr */
/* Keeps the sentence, which is printed when the verb returns, and returns `status`. */
elb_status cli_fail(cli *c, elb_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A remark, unless --quiet. */
void cli_note(cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "Next: elbow eval RUN": what one may want to do after this; unless --quiet or --json. */
void cli_hint(cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define CLI_TRY(call)                                                                                                  \
    do {                                                                                                               \
        elb_status cli_try_status = (call);                                                                            \
        if (cli_try_status != ELB_OK) return cli_try_status;                                                           \
    } while (0)

/* --- results: stdout */
/* Prints the object and releases it. */
elb_status cli_print_json(cli *c, json_t *object, size_t flags);
/* Prints FOLDER/NAME, one JSON object that the library wrote. */
elb_status cli_print_json_file(cli *c, const char *folder, const char *name);
/* JSON knows no NaN and no infinity: null. */
json_t *cli_real(double value);
/* A line of a two-column table. */
void cli_row(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* -log_likelihood nats over `size` dimensions. */
double cli_bits_per_dim(double nats, int64_t size);

/* --- shared by several verbs */
/* Every "key=value" of a --set. */
elb_status cli_set_keys(cli *c, const cli_list *list,
                        elb_status (*set)(void *target, const char *key, const char *value), void *target);
elb_status cli_set_config(cli *c, const cli_list *list, elb_config *config);
/* The number that was given, or else `fallback`. */
int64_t cli_or(int64_t given, int64_t fallback);
/* "FOLDER/NAME", to be freed; ELB_MEMORY. */
elb_status cli_path(cli *c, const char *folder, const char *name, char **path);
bool cli_is_folder(const char *path);
bool cli_exists(const char *path);
/* --seed, or else the seed that the configuration has. */
elb_status cli_seed(cli *c, const elb_config *config, uint64_t *seed);

/* --- help */
typedef struct cli_exit_code {
    int code;
    const char *meaning;
} cli_exit_code;
typedef struct cli_variable {
    const char *name, *meaning;
} cli_variable;
extern const cli_exit_code cli_exit_codes[];              /* end with a NULL meaning */
extern const cli_variable cli_environment[], cli_files[]; /* end with a NULL name */
void cli_help_page(const cli_verb *verb, FILE *out);
void cli_help_overview(FILE *out);
/* Words of `text` in lines of at most `width` columns, every line but the first indented. */
void cli_wrap(FILE *out, const char *text, int indent, int width);

#endif
