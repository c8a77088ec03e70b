/* option.h - option tables: one table makes the parser, the range checks, --help, the man page, the YAML keys and the
 * "did you mean". */
#ifndef ELB_OPTION_H
#define ELB_OPTION_H

#include <elbow/suggest.h>

#include "base/base.h"

typedef enum elb_option_kind {
    ELB_OPTION_BOOL,   /* bool: true/false/yes/no/on/off */
    ELB_OPTION_INT,    /* int64_t in [min,max] */
    ELB_OPTION_REAL,   /* double in [min,max], finite */
    ELB_OPTION_CHOICE, /* int: index into choices */
    ELB_OPTION_TEXT,   /* char[ELB_TEXT_MAX] */
    ELB_OPTION_INTS    /* elb_ints: "200,200" or a YAML list, each in [min,max]; "" or [] is the empty list */
} elb_option_kind;

enum { ELB_TEXT_MAX = 1024, ELB_INTS_MAX = 16 };
typedef struct elb_ints {
    int64_t count;
    int64_t at[ELB_INTS_MAX];
} elb_ints;

typedef struct elb_option {
    const char *name; /* "rate"; the full key is "optimizer.rate" */
    elb_option_kind kind;
    size_t offset;              /* into the section's struct */
    const char *fallback;       /* the default, as text */
    double min, max;            /* INT, REAL, INTS */
    const char *zero;           /* INT: the word for 0, such as "auto", which may then lie below min; NULL: none */
    const char *const *choices; /* CHOICE: NULL-terminated */
    bool list;                  /* TEXT: several, with commas between them, or a YAML list */
    const char *help;           /* one sentence, with the unit */
} elb_option;

/* A struct of options under one prefix. The options end with one whose name is NULL. */
typedef struct elb_section {
    const char *name; /* "optimizer"; "" for top-level keys such as "seed" */
    const char *help;
    const elb_option *options;
    void *values; /* the struct */
} elb_section;

/* sections end with one whose options are NULL. Every key gets its default. */
elb_status elb_options_reset(elb_context *c, const elb_section *sections);
/* "optimizer.rate" = "1e-3". ELB_USAGE with a sentence for an unknown key (did you mean ...), a value of the wrong
 * type, out of range, not among the choices. On failure nothing changes. */
elb_status elb_options_set(elb_context *c, const elb_section *sections, const char *key, const char *value);
/* The value as text that elb_options_set reads back to the same value (reals: shortest that round-trips). */
elb_status elb_options_get(elb_context *c, const elb_section *sections, const char *key, char *text, size_t size);
/* NULL when there is no such key; *section may be NULL. */
const elb_option *elb_options_find(const elb_section *sections, const char *key, const elb_section **section);
/* "int", "real", ... and "a whole number from 1 to 65536", "one of tanh, relu, ..." */
const char *elb_option_type(const elb_option *option);
void elb_option_range(const elb_option *option, char *text, size_t size);

#endif
