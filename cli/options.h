/* options.h - one table per verb makes its parser, its --help, its part of the manual and its completion. */
#ifndef ELB_CLI_OPTIONS_H
#define ELB_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum cli_kind {
    CLI_FLAG,   /* bool */
    CLI_TEXT,   /* const char *, NULL when not given */
    CLI_LIST,   /* cli_list: may be given several times */
    CLI_INT,    /* int64_t in [min,max], CLI_UNSET when not given */
    CLI_CHOICE, /* int: index into choices, CLI_UNSET when not given */
    CLI_HELP    /* no field: asks for the help page */
} cli_kind;

enum { CLI_UNSET = -1, CLI_LIST_MAX = 256 };
#define CLI_DATA_MAX INT64_C(1000000000000) /* of a --limit */
typedef struct cli_list {
    int count;
    const char *at[CLI_LIST_MAX];
} cli_list;

/* What completion offers as an option's value or a verb's argument. */
typedef enum cli_words {
    CLI_WORDS_NONE,
    CLI_WORDS_FILE,
    CLI_WORDS_FOLDER,
    CLI_WORDS_DATA, /* files, and the names of data sets */
    CLI_WORDS_PRESET,
    CLI_WORDS_KEY, /* a configuration key and "=" */
    CLI_WORDS_VERB
} cli_words;

typedef struct cli_option {
    const char *name;     /* without its dashes */
    const char *value;    /* what help calls its value; NULL for a flag */
    const char *fallback; /* the default as text, or NULL: not given */
    const char *help;     /* sentences */
    const char *const *choices;
    int64_t min, max;
    size_t offset; /* into the verb's values, or into cli_common when `common` is set */
    cli_kind kind;
    cli_words words;
    unsigned common; /* of the options that many verbs share: which one; else 0 */
    char letter;     /* its short form, or 0 */
} cli_option;

/* The shared options that a verb may accept. */
enum {
    CLI_THREADS = 1,
    CLI_SEED = 2,
    CLI_JSON = 4,
    CLI_PROGRESS = 8,
    CLI_LOG = 16,
    CLI_ALWAYS = 32, /* --help */
    CLI_WORK = CLI_THREADS | CLI_JSON | CLI_LOG | CLI_ALWAYS
};

typedef struct cli_common {
    int64_t threads, seed;
    const char *kernels;
    int progress; /* a progress_style, or CLI_UNSET */
    bool json, quiet, verbose;
} cli_common;

struct cli_verb;

/* The options of a verb, its own before the shared ones: NULL after the last. */
const cli_option *cli_option_at(const struct cli_verb *verb, int index);

typedef struct cli_parsed {
    cli_common common;
    void *values;           /* the verb's own */
    const char **arguments; /* those that are no option, in order; as many as argc is enough */
    int count;
    bool help;
    char message[512]; /* why parsing failed */
} cli_parsed;

/* Sets every field to its default, then reads the arguments after the verb. false with a message on failure. */
bool cli_parse(const struct cli_verb *verb, int argc, char **argv, cli_parsed *parsed);
/* "from 1 to 256", "one of a, b": what values an option takes; "" where any will do. */
void cli_option_range(const cli_option *option, char *text, size_t size);
/* "; did you mean 'train'?", or "" when no name is near; names end with NULL. */
const char *cli_suggestion(const char *word, const char *const *names, char *text, size_t size);

#endif
