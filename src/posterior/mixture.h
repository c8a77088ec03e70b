/* mixture.h - q(z|x) = sum_m a_m(x) q_m(z|x), fully factorised Gaussians q_m: what training needs beyond the interface.
 *
 * lambda [B, M*(2Z+1)] = m_1, s_1, .., m_M, s_M, then the logits of the weights a. Every component has an encoder; they
 * are computed side by side. Their parameters are stacked, component after component along the rows, under the names
 * that one encoder has alone. */
#ifndef ELB_MIXTURE_H
#define ELB_MIXTURE_H

#include "posterior/posterior.h"

extern const elb_posterior_type elb_posterior_mixture;

typedef struct elb_mixture {
    elb_tensor *components; /* [B, M*2Z], as the ops of dist.h take them */
    elb_tensor *logits;     /* [B, M] */
} elb_mixture;

/* Whether q is a mixture; what follows is for mixtures. */
bool elb_posterior_is_mixture(const elb_posterior *q);
/* The two parts of lambda. */
elb_mixture elb_mixture_of(elb_posterior *q, elb_tape *t, elb_tensor *lambda);
/* The same from x; the weights' gradient does not reach the encoders. */
elb_mixture elb_mixture_encode(elb_posterior *q, elb_tape *t, elb_tensor *x);
/* noise->samples of every component, with their shares and without log q (see elb_posterior_type.strata). */
elb_draw elb_mixture_draw(elb_posterior *q, elb_tape *t, elb_mixture mix, const elb_noise *noise);
/* The first component alone, as a posterior of the family ffg over the same parameters. Borrowed from q. */
elb_posterior *elb_mixture_first(elb_posterior *q);
/* How many rows of parameter `index` belong to the first `components` components. */
int64_t elb_mixture_rows(const elb_posterior *q, int64_t index, int64_t components);
/* The last component of the first `from` becomes the start of all that follow, as posterior.start says: copies of it,
 * with noise on the output weights unless `exact`, or fresh. */
elb_status elb_mixture_spawn(elb_posterior *q, int64_t from, bool exact, uint64_t seed);

#endif
