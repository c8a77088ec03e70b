/* task.h - what a trained VAE is shown by: samples and reconstructions. */
#ifndef ELBOW_TASK_H
#define ELBOW_TASK_H

#include <elbow/vae.h>

ELB_BEGIN_DECLS

typedef struct elb_picture_settings {
    const char *png;   /* picture to write, named .png; NULL: none */
    const char *table; /* .npz or .csv for the numbers; NULL: none */
    int64_t count;     /* data in it */
    uint64_t seed;
    bool draw;        /* draw x ~ p(x|z) instead of showing its mean */
    bool mean_latent; /* reconstruct from the posterior's mean instead of a draw */
} elb_picture_settings;

/* z ~ p(z), decoded. NPZ: x [count,D], z [count,Z]. A sample depends on the seed and its place alone. */
ELB_API elb_status elb_sample_images(elb_vae *vae, const elb_picture_settings *settings);
/* The first `count` data, as the model sees them (binarised), above their reconstructions. NPZ: x, reconstruction
 * [count,D], z, mean, log_variance [count,Z], mean_squared_error [count]. */
ELB_API elb_status elb_reconstruct_images(elb_vae *vae, const elb_dataset *dataset,
                                          const elb_picture_settings *settings);

ELB_END_DECLS

#endif
