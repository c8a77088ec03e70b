/* config_yaml.h - option sections as YAML: a mapping of sections, each a mapping of keys to one value or one list. */
#ifndef ELB_CONFIG_YAML_H
#define ELB_CONFIG_YAML_H

#include "base/option.h"
#include "config/yaml_cursor.h"

/* A key of the outermost mapping whose value is no option's. */
typedef struct elb_yaml_part {
    const char *name;
    elb_yaml_fn read;
} elb_yaml_part;

typedef struct elb_yaml_target {
    const elb_section *sections;
    const elb_yaml_part *parts; /* end with a NULL name; may be NULL */
    /* Told of every option that was set, with its whole key and its value as text; may be NULL. */
    elb_status (*was_set)(void *user, const char *key, const char *value);
    void *user; /* handed to the parts and to was_set */
} elb_yaml_target;

/* Sets what `text` says. ELB_USAGE with "name:line: " and the key; what came before the error is set then. */
elb_status elb_config_yaml_read(elb_context *c, const elb_section *sections, const char *name, const char *text,
                                int64_t size);
/* The same for the mapping that a cursor stands at. */
elb_status elb_config_yaml_mapping(elb_yaml *y, const elb_yaml_target *target);
/* Every key with its help as a comment; *yaml is the caller's (elb_free), NULL on failure. */
elb_status elb_config_yaml_write(elb_context *c, const elb_section *sections, char **yaml);

#endif
