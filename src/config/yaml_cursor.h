/* yaml_cursor.h - a walk through a YAML text, event by event; what is refused is named by file and line. */
#ifndef ELB_YAML_CURSOR_H
#define ELB_YAML_CURSOR_H

#include <yaml.h>

#include "base/base.h"

enum {
    ELB_YAML_KEY_MAX = 128,
    ELB_YAML_SIZE_MAX = 1 << 20 /* bytes; larger texts are refused */
};

typedef struct elb_yaml {
    elb_context *context;
    const char *name; /* of the file */
    yaml_parser_t parser;
    yaml_event_t event; /* the present one */
    int64_t key_line;   /* of the latest key: a block mapping as its value begins a line later */
} elb_yaml;

/* Stands at a value when it is called; the value's last event is the present one when it returns. */
typedef elb_status (*elb_yaml_fn)(void *user, elb_yaml *y);

/* The text of a file, the caller's (elb_free). `what` it is to be, as "configuration", stands in the message.
 * Errors: ELB_FAILURE (missing, unreadable), ELB_USAGE (too large, no regular file). */
elb_status elb_yaml_load(elb_context *c, const char *path, const char *what, char **text, int64_t *size);
/* Hands the text's one value to `root`, or nothing when the text is empty. Aliases, anchors, tags, zero bytes and a
 * second document are refused. Errors: ELB_USAGE with "name:line: ", ELB_MEMORY; what `root` returned. */
elb_status elb_yaml_read(elb_context *c, const char *name, const char *text, int64_t size, elb_yaml_fn root,
                         void *user);

/* Moves to the next event. */
elb_status elb_yaml_next(elb_yaml *y);
/* Within a mapping: moves to its next key, which is copied after "prefix.", and on to its value; *end at the end. */
elb_status elb_yaml_key(elb_yaml *y, const char *prefix, char key[ELB_YAML_KEY_MAX], bool *end);
const char *elb_yaml_text(const elb_yaml *y); /* of a scalar */
bool elb_yaml_is_nothing(const elb_yaml *y);  /* "key:" with nothing after it, or YAML's words for nothing */
/* ELB_USAGE and the sentence in `what`, after the file and the present line; or after the line of
 * the latest key, and it. */
elb_status elb_yaml_refuse(elb_yaml *y, const char *what);
elb_status elb_yaml_refuse_key(elb_yaml *y, const char *key, const char *what);

#endif
