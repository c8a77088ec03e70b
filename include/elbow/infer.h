/* infer.h - q(z|x) of every datum: its local parameters, moments and samples, how good it is, and what it costs.
 *
 * Inference is what the configuration says: the encoder and, with keys of "refine", gradient steps after it. */
#ifndef ELBOW_INFER_H
#define ELBOW_INFER_H

#include <elbow/progress.h>
#include <elbow/vae.h>

ELB_BEGIN_DECLS

enum { ELB_INFER_RUNGS_MAX = 32 };

typedef struct elb_infer_settings {
    const char
        *table;      /* .npz or .csv for every datum's index, label (where there are any), elbo, kl, steps, uncertainty,
                        * mean, variance, lambda, z, log_q, as far as q has them; NULL: none */
    int64_t limit;   /* the first so many data; 0: all */
    int64_t batch;   /* data inferred together; 0, or more than are of use: the default. No result depends on it. */
    int64_t samples; /* K >= 1 of z per datum, for its ELBO */
    bool keep_samples; /* write them: z [n,K,Z] and log_q [n,K] */
    bool ladder;       /* the ELBO after 0, 1, 2, 5, 10, .. steps of refinement too, not only after all of them */
    uint64_t seed;     /* of the noise; at most INT64_MAX */
    elb_progress_fn progress;
    void *user;
} elb_infer_settings;

/* All data after so many steps. ELBOs are taken by the same noise on every rung. */
typedef struct elb_infer_rung {
    int64_t steps;
    double elbo_nats, standard_error; /* mean over data, and the error of that mean; nats */
    double gain_nats, gain_error;     /* over the first rung: mean over data of the difference, and its error */
    double seconds_per_datum;         /* of the whole inference from the data on, in batches */
    int64_t converged;                /* data that stopped before that many steps (refine.tolerance) */
} elb_infer_rung;

typedef struct elb_infer_result {
    int64_t n, samples, batch;
    int64_t latent, local; /* Z and P: values of z and of lambda per datum */
    uint64_t seed;
    double kl_nats;                           /* mean KL(q||p) over data; NaN where it has no closed form */
    double mean_steps;                        /* that a datum took */
    bool has_variance;                        /* q tells its variance */
    double seconds;                           /* in all, ELBO and writing included */
    int rung_count;                           /* at least 1 */
    elb_infer_rung rung[ELB_INFER_RUNGS_MAX]; /* the last one is what was asked for */
} elb_infer_result;

/* The dataset is scaled as it says and binarised as the VAE's configuration says (with the configuration's seed).
 * Memory does not grow with the number of data; the table appears whole or not at all.
 * Errors: ELB_MODEL, ELB_DATA (data that do not fit), ELB_USAGE, ELB_NUMERIC, ELB_FAILURE, ELB_MEMORY;
 * what `progress` returned. */
ELB_API elb_status elb_infer(elb_vae *vae, const elb_dataset *dataset, const elb_infer_settings *settings,
                             elb_infer_result *result);
/* Seconds that inference takes per datum when `batch` data come at a time: the median of at most 201 calls in about
 * half a second, after some to warm up; every call has other data, the first again after the last. What is timed goes
 * from data in memory to lambda and one draw of z with its log q. Errors: as elb_infer. */
ELB_API elb_status elb_infer_time(elb_vae *vae, const elb_dataset *dataset, int64_t batch, uint64_t seed,
                                  double *seconds_per_datum);

ELB_END_DECLS

#endif
