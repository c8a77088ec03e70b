/* config_yaml.h - option sections as YAML: a mapping of sections, each a mapping of keys to one value or one list. */
#ifndef ELB_CONFIG_YAML_H
#define ELB_CONFIG_YAML_H

#include "base/option.h"

enum { ELB_CONFIG_SIZE_MAX = 1 << 20 }; /* bytes; larger texts are refused */

/* Sets what `text` says. ELB_USAGE with "name:line: " and the key; what came before the error is set then. */
elb_status elb_config_yaml_read(elb_context *c, const elb_section *sections, const char *name, const char *text,
                                int64_t size);
/* Every key with its help as a comment; *yaml is the caller's (elb_free), NULL on failure. */
elb_status elb_config_yaml_write(elb_context *c, const elb_section *sections, char **yaml);

#endif
