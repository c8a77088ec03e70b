/* evaluate.h - likelihoods to report. */
#ifndef ELBOW_EVALUATE_H
#define ELBOW_EVALUATE_H

#include <elbow/progress.h>
#include <elbow/vae.h>

ELB_BEGIN_DECLS

typedef enum elb_estimator {
    ELB_ESTIMATE_ELBO, /* E_q[log p(x|z)] - KL(q||p), K samples averaged */
    ELB_ESTIMATE_IWAE  /* log 1/K sum_k p(x,z_k)/q(z_k|x) */
} elb_estimator;

/* What is known of one datum. */
typedef struct elb_datum_estimate {
    int64_t index;     /* in the data set */
    double elbo, iwae; /* nats; both estimators, whichever was asked for */
    double ess, k_hat; /* k_hat: NaN for few samples */
} elb_datum_estimate;

typedef struct elb_evaluate_settings {
    elb_estimator estimator;
    int64_t samples;       /* K >= 1 */
    int64_t limit;         /* the first so many data; 0: all */
    int64_t batch;         /* data in flight, fewer where they take too much memory; 0: the default. The result does not depend on it. */
    uint64_t seed;         /* of the noise; at most INT64_MAX */
    const char *per_datum; /* .npz or .csv for every datum's index, label (where there are any), elbo, iwae (both
                            * estimators, whichever was asked for), ess, k_hat; NULL: none */
    /* Told of every datum, in order; NULL: nobody is. */
    void (*each)(void *user, const elb_datum_estimate *datum);
    elb_progress_fn progress;
    void *user; /* handed to both */
} elb_evaluate_settings;

typedef struct elb_evaluation {
    elb_estimator estimator;
    int64_t samples, n;
    uint64_t seed;
    double log_likelihood_nats; /* mean over data */
    double standard_error;      /* of that mean over data, nats */
    double bits_per_dim;        /* -log_likelihood / (D log 2) */
    double elbo_nats;           /* mean ELBO from the same samples */
    double ess;                 /* mean effective sample size, of K */
    double k_hat;               /* mean Pareto k-hat, where finite; NaN for the ELBO and for K < 25 */
    double k_hat_bad;           /* share of data with k-hat > 0.7, whose estimate is not to be trusted; NaN as above */
    double seconds;
} elb_evaluation;

/* The dataset is scaled as it says and binarised as the VAE's configuration says (with the configuration's seed).
 * Errors: ELB_MODEL, ELB_DATA (data that do not fit), ELB_USAGE, ELB_NUMERIC, ELB_FAILURE, ELB_MEMORY; what `progress`
 * returned. */
ELB_API elb_status elb_evaluate(elb_vae *vae, const elb_dataset *dataset, const elb_evaluate_settings *settings,
                                elb_evaluation *result);
ELB_API const char *elb_estimator_name(elb_estimator estimator); /* "elbo", "iwae" */
/* One JSON object, as `elbow eval --json` prints it: log_likelihood_nats, standard_error, bits_per_dim, estimator,
 * samples, n, ess, k_hat, seed, binarisation, data, unit, ... The caller frees it with elb_text_free. */
ELB_API elb_status elb_evaluation_json(const elb_vae *vae, const elb_dataset *dataset, const elb_evaluation *e,
                                       char **json);
/* Writes the same object to <folder>/eval-<estimator>.json, where the report finds it; atomically. */
ELB_API elb_status elb_evaluation_save(const elb_vae *vae, const elb_dataset *dataset, const elb_evaluation *e,
                                       const char *folder);

ELB_END_DECLS

#endif
