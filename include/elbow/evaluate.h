/* evaluate.h - likelihoods to report. */
#ifndef ELBOW_EVALUATE_H
#define ELBOW_EVALUATE_H

#include <elbow/annealing.h>
#include <elbow/progress.h>
#include <elbow/vae.h>

ELB_BEGIN_DECLS

typedef enum elb_estimator {
    ELB_ESTIMATE_ELBO, /* E_q[log p(x|z)] - KL(q||p), K samples averaged */
    ELB_ESTIMATE_IWAE, /* log 1/K sum_k p(x,z_k)/q(z_k|x) */
    ELB_ESTIMATE_AIS,  /* annealed importance sampling: a lower bound in the mean, free of q unless it starts there */
    ELB_ESTIMATE_BDMC  /* AIS on data drawn from the model, between a lower and an upper bound: how far it is off */
} elb_estimator;

/* BDMC's upper less lower bound, in nats, up to which AIS by these settings counts as converged. */
#define ELB_SANDWICH_CONVERGED 0.1

enum { ELB_BDMC_DATA = 100 }; /* data that BDMC draws unless a limit says */

/* What is known of one datum. */
typedef struct elb_datum_estimate {
    int64_t index;     /* in the data set */
    double elbo, iwae; /* nats; both estimators, whichever was asked for; NaN by AIS and BDMC */
    double ais;        /* nats; by AIS and BDMC */
    double ess, k_hat; /* k_hat: NaN for few samples, and by AIS and BDMC */
} elb_datum_estimate;

typedef struct elb_evaluate_settings {
    elb_estimator estimator;
    int64_t samples;            /* K >= 1; ELBO and IWAE */
    elb_anneal_settings anneal; /* AIS and BDMC */
    int64_t limit;              /* the first so many data; 0: all, for BDMC ELB_BDMC_DATA */
    int64_t batch; /* data in flight, fewer where they take too much memory; 0: the default. The result does not depend
                    * on it. */
    uint64_t seed; /* of the noise; at most INT64_MAX */
    /* .npz or .csv for every datum's index, label (where there are any), and by estimator: elbo, iwae (both, whichever
     * was asked for), ess, k_hat; ais, ais_error, ess, acceptance, step; lower, lower_error, lower_ess, acceptance,
     * step, upper, upper_error, upper_ess. NULL: none. */
    const char *per_datum;
    /* A file for the data done so far: the same evaluation, started again, goes on from it, and removes it at its end.
     * NULL: none. */
    const char *partial;
    /* Told of every datum, in order; NULL: nobody is. */
    void (*each)(void *user, const elb_datum_estimate *datum);
    elb_progress_fn progress;
    void *user; /* handed to both */
} elb_evaluate_settings;

typedef struct elb_evaluation {
    elb_estimator estimator;
    int64_t samples, n; /* samples: K of ELBO and IWAE, else 0 */
    uint64_t seed;
    double log_likelihood_nats; /* mean over data; of BDMC the lower bound */
    double standard_error;      /* of that mean over data, nats */
    double bits_per_dim;        /* -log_likelihood / (D log 2) */
    double elbo_nats;           /* mean ELBO from the same samples; NaN by AIS and BDMC, as the next two */
    double ess;                 /* mean effective sample size, of K; by AIS and BDMC of the chains */
    double k_hat;               /* mean Pareto k-hat, where finite; NaN for the ELBO and for K < 25 */
    double k_hat_bad;           /* share of data with k-hat > 0.7, whose estimate is not to be trusted; NaN as above */
    double seconds;
    /* AIS and BDMC */
    elb_anneal_settings anneal;
    double chain_error;           /* standard error of the mean over data by the finite number of chains alone, nats */
    double acceptance, step_size; /* means over data */
    /* BDMC */
    double upper_nats;                    /* mean upper bound */
    double sandwich_nats, sandwich_error; /* mean of upper less lower bound, and its standard error over data */
    bool converged;                       /* sandwich_nats is at most ELB_SANDWICH_CONVERGED */
} elb_evaluation;

/* BDMC takes no dataset (NULL). Any other is scaled as it says and binarised as the VAE's configuration says (with the
 * configuration's seed).
 * Errors: ELB_MODEL, ELB_DATA (data that do not fit), ELB_USAGE, ELB_NUMERIC, ELB_FAILURE, ELB_MEMORY; what `progress`
 * returned. */
ELB_API elb_status elb_evaluate(elb_vae *vae, const elb_dataset *dataset, const elb_evaluate_settings *settings,
                                elb_evaluation *result);
ELB_API const char *elb_estimator_name(elb_estimator estimator); /* "elbo", "iwae", ... */
/* One JSON object, as `elbow eval --json` prints it: log_likelihood_nats, standard_error, bits_per_dim, estimator, n,
 * seed, binarisation, data, unit, and what belongs to the estimator (docs/files.md). dataset: as evaluated. The caller
 * frees it with elb_text_free. */
ELB_API elb_status elb_evaluation_json(const elb_vae *vae, const elb_dataset *dataset, const elb_evaluation *e,
                                       char **json);
/* Writes the same object to <folder>/eval-<estimator>.json, where the report finds it; atomically. */
ELB_API elb_status elb_evaluation_save(const elb_vae *vae, const elb_dataset *dataset, const elb_evaluation *e,
                                       const char *folder);

ELB_END_DECLS

#endif
