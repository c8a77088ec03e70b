/* gap.h - where the inference gap comes from (Cremer, Li & Duvenaud 2018):
 *
 *     log p(x) - L[q]  =  (log p(x) - L[q*])  +  (L[q*] - L[q])
 *      inference           approximation         amortisation
 *
 * q is the model's q(z|x), q* the best member of the same family for this x. */
#ifndef ELBOW_GAP_H
#define ELBOW_GAP_H

#include <elbow/annealing.h>
#include <elbow/progress.h>
#include <elbow/vae.h>

ELB_BEGIN_DECLS

/* What is worked out of every datum. */
typedef enum elb_gap_part {
    ELB_GAP_ENCODER, /* q(z|x) as the encoder gives it */
    ELB_GAP_FFG,     /* the best fully factorised Gaussian */
    ELB_GAP_FULL,    /* the best Gaussian with full covariance */
    ELB_GAP_FLOW,    /* the best flow, its weights the datum's own */
    ELB_GAP_OWN,     /* the best lambda of the model's family, where that is none of these */
    ELB_GAP_AIS,     /* annealed importance sampling */
    ELB_GAP_PARTS
} elb_gap_part;

enum { ELB_GAP_SETS_MAX = 4 };

typedef struct elb_gap_set {
    elb_part part; /* names it */
    const elb_dataset *dataset;
} elb_gap_set;

typedef struct elb_gap_settings {
    const char *folder;   /* where all files go; made if need be */
    int64_t limit;        /* the first so many data of every set; 0: all */
    int64_t samples;      /* K >= 1 of every ELBO and importance-weighted bound */
    bool full, flow;      /* whether these optima are wanted; one that is the model's own family always is */
    int64_t starts;       /* of every optimum, >= 1; one less for families that start from the best diagonal Gaussian */
    int64_t steps;        /* of Adam from every start, at most */
    int64_t step_samples; /* of z per step, >= 1 */
    double tolerance;     /* nats in 50 steps, > 0: where an optimum has come to rest */
    elb_anneal_settings anneal;
    uint64_t seed; /* at most INT64_MAX */
    elb_progress_fn progress;
    void *user;
} elb_gap_settings;

/* Over the data of a set; nats per datum. */
typedef struct elb_gap_mean {
    double mean, standard_error; /* NaN: not worked out; the error also for one datum */
} elb_gap_mean;

typedef struct elb_gap_result {
    elb_part part; /* of the data */
    int64_t n;
    elb_gap_mean elbo[ELB_GAP_PARTS];  /* L; not of AIS */
    elb_gap_mean bound[ELB_GAP_PARTS]; /* lower bounds of log p(x): importance-weighted, from that q; AIS */
    double k_hat_bad[ELB_GAP_PARTS];   /* share of data whose importance weights are not to be trusted: k-hat > 0.7 */
    double converged[ELB_GAP_PARTS];   /* share of data whose optimum had come to rest */
    double agree[ELB_GAP_PARTS];       /* share of data whose starts ended within 0.05 nats of each other */
    double seconds[ELB_GAP_PARTS];
    elb_gap_part own;      /* which optimum is q* */
    elb_gap_part log_p_by; /* own, unless another bound is greater by more than two standard errors */
    elb_gap_mean log_p, approximation, amortisation, inference;
} elb_gap_result;

/* Works out results[count], one per set, and writes into the folder: gap.json; gap-<set>.npz and .csv with every datum;
 * gap.svg and .png, the gaps as bars; worst-<set>.png, the data with the largest gaps where data are images. What is
 * done is kept in the folder while it works: stopped, the same call goes on from there. *text, to be freed with
 * elb_text_free, is the result as a table with a paragraph of advice; it may be NULL.
 * Errors: ELB_MODEL, ELB_DATA, ELB_USAGE, ELB_NUMERIC, ELB_FAILURE, ELB_MEMORY; what `progress` returned. */
ELB_API elb_status elb_gap(elb_vae *vae, const elb_gap_set *sets, int count, const elb_gap_settings *settings,
                           elb_gap_result *results, char **text);
/* picture.svg and .png in the folder: for a model with two latent numbers p(z|x) of some data, a row each, and beside
 * it q(z|x) as trained and the best ones. index[count]: which; count 0 chooses, among the first settings->limit, the
 * datum with the largest amortisation gap and the one with the largest approximation gap, of diagonal Gaussians.
 * Errors: as elb_gap; ELB_MODEL (another number of latent numbers). */
ELB_API elb_status elb_gap_picture(elb_vae *vae, const elb_gap_set *set, const int64_t *index, int64_t count,
                                   const elb_gap_settings *settings);
ELB_API const char *elb_gap_part_name(elb_gap_part part); /* "encoder", "ffg", ... */

ELB_END_DECLS

#endif
