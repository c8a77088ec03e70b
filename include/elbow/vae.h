/* vae.h - a variational autoencoder: a model p(x,z) with its posterior q(z|x), and the configuration they were made
 * from. */
#ifndef ELBOW_VAE_H
#define ELBOW_VAE_H

#include <elbow/config.h>
#include <elbow/dataset.h>

ELB_BEGIN_DECLS

typedef struct elb_vae elb_vae;

/* A fresh one for data of `dataset`'s shape, parameters drawn from the configuration's seed, the output bias at the
 * data's mean unless train.output_bias is false. Checks the data against the likelihood, in words.
 * Errors: ELB_DATA, ELB_USAGE, ELB_MEMORY. */
ELB_API elb_status elb_vae_create(const elb_config *config, const elb_dataset *dataset, elb_vae **vae);
/* From a run's folder or a model.safetensors file. Errors: ELB_FAILURE, ELB_MODEL, ELB_MEMORY. */
ELB_API elb_status elb_vae_open(elb_context *c, const char *path, elb_vae **vae);
/* Writes model.safetensors, atomically: PyTorch's names and layout, the configuration in its metadata. */
ELB_API elb_status elb_vae_save(elb_vae *vae, const char *path);
ELB_API void elb_vae_destroy(elb_vae *vae); /* may be NULL */

/* Opens the part of the data that the configuration describes; data.spec may be replaced by `spec` unless NULL. */
ELB_API elb_status elb_config_open_data(const elb_config *config, const char *spec, elb_part part,
                                        elb_dataset **dataset);

/* Changes a key of "data", to use other data or another binarisation than in training, or of "refine", for another way
 * from the encoder to q(z|x); ELB_USAGE for any other key. */
ELB_API elb_status elb_vae_set(elb_vae *vae, const char *key, const char *value);
/* Borrowed; what the model was trained with. */
ELB_API const elb_config *elb_vae_config(const elb_vae *vae);
ELB_API int64_t elb_vae_data_size(const elb_vae *vae);   /* D */
ELB_API int64_t elb_vae_latent_size(const elb_vae *vae); /* Z */
ELB_API int64_t elb_vae_parameter_count(const elb_vae *vae);
/* Calls visit for every parameter tensor, in the file's order. */
ELB_API void elb_vae_parameters(const elb_vae *vae,
                                void (*visit)(void *user, const char *name, int rank, const int64_t *shape),
                                void *user);

ELB_END_DECLS

#endif
