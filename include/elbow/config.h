/* config.h - what a run is made from: keys such as "model.latent" with typed, range-checked values. */
#ifndef ELBOW_CONFIG_H
#define ELBOW_CONFIG_H

#include <elbow/context.h>

ELB_BEGIN_DECLS

typedef struct elb_config elb_config;

/* All defaults: the standard VAE of Burda et al. 2016, 784-200-200-50, tanh. */
ELB_API elb_status elb_config_create(elb_context *c, elb_config **config);
ELB_API void elb_config_destroy(elb_config *config);
/* A YAML file over what is set already: sections, each with keys that have one value or one list. At most 1 MB;
 * aliases, tags, repeated keys and a second document are refused. ELB_USAGE names file, line and key; ELB_FAILURE for a
 * file that cannot be read. On failure nothing changes. */
ELB_API elb_status elb_config_load(elb_config *config, const char *path);
/* The same from memory; `name` stands for the file in messages. */
ELB_API elb_status elb_config_parse(elb_config *config, const char *name, const char *text, int64_t size);
/* A preset over what is set already; elb_presets lists them. */
ELB_API elb_status elb_config_preset(elb_config *config, const char *preset);
/* "model.latent", "50". Unknown keys are refused with the nearest known one. */
ELB_API elb_status elb_config_set(elb_config *config, const char *key, const char *value);
ELB_API elb_status elb_config_get(const elb_config *config, const char *key, char *text, size_t size);
/* The complete configuration as YAML, every key with its help as a comment; the caller frees it with elb_text_free. */
ELB_API elb_status elb_config_write(const elb_config *config, char **yaml);
ELB_API void elb_text_free(elb_context *c, char *text);

/* Every option of every section, for help pages: calls visit once per key. */
typedef struct elb_key {
    const char *key, *type, *fallback, *range, *help;
} elb_key;
ELB_API void elb_config_keys(void (*visit)(void *user, const elb_key *key), void *user);
typedef struct elb_preset {
    const char *name, *help, *yaml;
} elb_preset;
ELB_API const elb_preset *elb_presets(void); /* ends with a NULL name */

ELB_END_DECLS

#endif
