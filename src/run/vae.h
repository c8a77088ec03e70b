/* vae.h - the VAE as the run room holds it. */
#ifndef ELB_VAE_H
#define ELB_VAE_H

#include <elbow/version.h>
#include <elbow/vae.h>

#include "data/dataset.h"
#include "model/model.h"
#include "posterior/posterior.h"
#include "config/config.h"
#include "run/safetensors.h"

enum { ELB_VAE_BLOCKS = 2 };

struct elb_vae {
    elb_context *context;
    elb_config *config;
    int rank; /* of one datum */
    int64_t shape[3];
    elb_model *model;
    elb_posterior *posterior;
};

/* One whose parameters are zero, for the caller to fill. `config` has nothing that is auto; shape: of one
 * datum, 1 beyond `rank`. */
elb_status elb_vae_create_blank(elb_context *c, const elb_config *config, int rank, const int64_t shape[3],
                                elb_vae **vae);
/* The parameter blocks, decoder's first. */
elb_params *elb_vae_block(const elb_vae *vae, int block);
int64_t elb_vae_tensor_count(const elb_vae *vae);
/* An entry per parameter with data from `values[block]` (laid out like the block), names prefixed. entries must hold
 * elb_vae_tensor_count. Names are allocated from `arena`. */
elb_status elb_vae_entries(const elb_vae *vae, elb_arena *arena, const char *prefix,
                           elb_real *const values[ELB_VAE_BLOCKS], elb_safetensors_entry *entries);
/* The way back; every parameter must be there with its shape. */
elb_status elb_vae_read(const elb_vae *vae, const elb_safetensors *file, const char *prefix,
                        elb_real *const values[ELB_VAE_BLOCKS]);
/* The file that a run's folder, or a file's own path, names: a new string. */
char *elb_vae_file(elb_context *c, const char *path);
/* The first parameter with a number that is not finite; NULL: none. */
const char *elb_vae_not_finite(const elb_vae *vae);
/* ELB_MODEL names it. */
elb_status elb_vae_check_finite(const elb_vae *vae);
/* Takes the parameters of another run, a folder or a model.safetensors file: every tensor of the decoder, and of the
 * encoder those whose name the file has. An encoder of fewer components than this VAE's mixture has becomes its first
 * ones, and the others follow from it as posterior.start says; a file's tensors that this VAE lacks are left alone.
 * Errors: ELB_FAILURE; ELB_MODEL (corrupt, another shape or nonlinearity), naming what does not fit; ELB_MEMORY. */
elb_status elb_vae_start_from(elb_vae *vae, const char *path);
/* Says in words when the data cannot be this VAE's: other size, or values its likelihood does not take. `config` says
 * how they will be scaled and binarised. Errors: ELB_MODEL (size), ELB_DATA (values). */
elb_status elb_vae_check_data(const elb_vae *vae, const elb_config *config, const elb_dataset *dataset);
/* How a dataset's rows are binarised by the "data" section. */
elb_batch_spec elb_config_batch_spec(const elb_config *config, uint32_t epoch);

#endif
