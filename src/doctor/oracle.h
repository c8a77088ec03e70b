/* oracle.h - tiny models whose evidence is known exactly, to check estimates against. */
#ifndef ELB_ORACLE_H
#define ELB_ORACLE_H

#include "model/model.h"
#include "posterior/posterior.h"
#include "run/moments.h"

enum { ELB_ORACLE_DATA = 3, ELB_ORACLE_LATENT_MAX = 2 };

/* What is known of a model, by linear algebra or by quadrature in double. */
typedef struct elb_oracle_facts {
    const char *name, *source;
    int64_t latent;
    int likelihood;                                        /* elb_likelihood_kind */
    double weight[ELB_ORACLE_DATA][ELB_ORACLE_LATENT_MAX]; /* of the linear decoder */
    double bias[ELB_ORACLE_DATA], variance;                /* variance: Gaussian likelihood only */
    double x[ELB_ORACLE_DATA];
    double log_evidence; /* log p(x), nats */
    double best_mean[ELB_ORACLE_LATENT_MAX], best_variance[ELB_ORACLE_LATENT_MAX],
        best_elbo; /* of diagonal Gaussians */
} elb_oracle_facts;

/* x = W z + mu + e in three dimensions, two of them latent: evidence N(x; mu, W W' + s2 I), q* has the posterior's mean
 * and the inverse of its precision's diagonal. */
extern const elb_oracle_facts elb_oracle_linear_gaussian;
/* Three bits from one latent: evidence and q* by the trapezoid rule on [-12,12] with 200 001 points. */
extern const elb_oracle_facts elb_oracle_bernoulli;

/* The model, and a posterior that is the same Gaussian for every x. */
typedef struct elb_oracle {
    const elb_oracle_facts *facts;
    elb_model *model;
    elb_posterior *posterior;
} elb_oracle;

elb_status elb_oracle_create(elb_context *c, const elb_oracle_facts *facts, elb_oracle *oracle);
void elb_oracle_destroy(elb_oracle *oracle);
/* Makes q(z|x) = N(mean, diag variance) for every x. */
void elb_oracle_set(elb_oracle *oracle, const double *mean, const double *variance);
/* The K-sample estimates over `count` repetitions of x, each with noise of its own. */
typedef struct elb_oracle_estimate {
    elb_moments elbo, log_likelihood;
} elb_oracle_estimate;
elb_status elb_oracle_estimates(elb_oracle *oracle, int64_t count, int64_t samples, uint64_t seed,
                                elb_oracle_estimate *estimate);

#endif
