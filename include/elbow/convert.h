/* convert.h - models trained elsewhere, such as in PyTorch, as models of elbow: nothing is trained again. */
#ifndef ELBOW_CONVERT_H
#define ELBOW_CONVERT_H

#include <stdbool.h>

#include <elbow/context.h>

ELB_BEGIN_DECLS

typedef struct elb_convert_settings {
    const char *weights; /* a safetensors file */
    const char *map;     /* YAML that says which tensors are which layers: docs/convert.md */
    const char *out;     /* NAME.safetensors, or the folder of a run, made if need be, for its model.safetensors */
} elb_convert_settings;

typedef struct elb_conversion {
    int64_t data_size, latent_size, parameter_count;
    int64_t unused;    /* tensors of the file that the map does not name; each is logged */
    int64_t checked;   /* data whose ELBO or log-weight was computed again; 0: the map has no check */
    double difference; /* the largest found, as a part of the number (of 1 nat, where it is smaller) */
} elb_conversion;

/* Reads weights by the map, computes the map's check again, and writes the model, with its configuration, where `out`
 * says. Errors: ELB_USAGE (what the map says is wrong, or not in the file), ELB_MODEL (not a safetensors file; the
 * check failed, and nothing is written), ELB_FAILURE, ELB_NUMERIC, ELB_MEMORY. */
ELB_API elb_status elb_convert(elb_context *c, const elb_convert_settings *settings, elb_conversion *result);

/* A map for the file to begin with, guessed from the names and shapes of its tensors; what names and shapes do not tell
 * is marked. The caller frees it with elb_text_free. Errors: ELB_FAILURE, ELB_MODEL, ELB_MEMORY. */
ELB_API elb_status elb_convert_guess(elb_context *c, const char *weights, char **yaml);

/* Calls visit for every tensor of any safetensors file, in the file's order; dtype as in the file, such as "F32". *own:
 * whether it is meant as a model of elbow. Errors: ELB_FAILURE, ELB_MODEL, ELB_MEMORY. */
ELB_API elb_status elb_weights_list(elb_context *c, const char *path, bool *own,
                                    void (*visit)(void *user, const char *name, const char *dtype, int rank,
                                                  const int64_t *shape),
                                    void *user);

ELB_END_DECLS

#endif
