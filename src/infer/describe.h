/* describe.h - what there is to say of q(z|x) when lambda is given: its moments, samples, KL and ELBO.
 *
 * A datum's numbers depend on the model, lambda, the datum, its stream position, K and the seed; not on its
 * neighbours, nor on threads. */
#ifndef ELB_DESCRIBE_H
#define ELB_DESCRIBE_H

#include "model/model.h"
#include "posterior/posterior.h"

/* The arrays hold what the latest call found. */
typedef struct elb_description {
    elb_context *context;
    elb_model *model;
    elb_posterior *posterior, *family; /* whose encoder knows the uncertainty; whose lambda is given */
    int64_t samples, chunk, room;      /* K; of one tile; the most data at a time */
    uint64_t key;
    elb_tape *tape;
    double *elbo, *kl;         /* [room], nats; kl is NULL where it has no closed form */
    elb_real *mean, *variance; /* [room,Z]; variance is NULL where the family does not tell it */
    elb_real *uncertainty;     /* [room]; NULL where the posterior has no such score */
    elb_real *z, *log_q;       /* [room,K,Z] and [room,K]; NULL unless kept */
} elb_description;

/* Model and posteriors are borrowed. samples >= 1. keep: the samples. elb_description_free may follow a failure too.
 * Errors: ELB_USAGE (samples), ELB_MEMORY. */
elb_status elb_description_init(elb_description *s, elb_model *model, elb_posterior *posterior, elb_posterior *family,
                                int64_t samples, bool keep, uint64_t seed);
void elb_description_free(elb_description *s); /* s may be all zero */
/* elbo, kl, z, log_q of count <= room data: x [count,D], lambda [count,P], datum[count] their stream positions.
 * ELBO = mean over K samples of log p(x|z) - KL(q||p), or of log p(x,z) - log q(z|x) where the KL has no closed form.
 * Errors: ELB_NUMERIC (an ELBO that is not finite), ELB_MEMORY. */
elb_status elb_description_elbo(elb_description *s, int64_t count, const uint64_t *datum, elb_real *x,
                                elb_real *lambda);
/* mean, variance, uncertainty. */
elb_status elb_description_moments(elb_description *s, int64_t count, elb_real *x, elb_real *lambda);

#endif
