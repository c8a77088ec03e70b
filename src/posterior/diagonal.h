/* diagonal.h - what families share whose lambda is a diagonal Gaussian, N(m, diag exp s), or begins with one: lambda =
 * [m (Z), s (Z), ...]. The functions are members of elb_posterior_type; shapes and errors are said there. */
#ifndef ELB_DIAGONAL_H
#define ELB_DIAGONAL_H

#include "posterior/posterior.h"

/* Of any lambda that begins with the mean. */
elb_tensor *elb_diagonal_mean(elb_posterior *q, elb_tape *t, elb_tensor *lambda);
elb_tensor *elb_diagonal_log_variance(elb_posterior *q, elb_tape *t, elb_tensor *lambda);
elb_draw elb_diagonal_sample(elb_posterior *q, elb_tape *t, elb_tensor *lambda, const elb_noise *noise,
                             elb_log_q log_q);
elb_tensor *elb_diagonal_log_density(elb_posterior *q, elb_tape *t, elb_tensor *lambda, elb_tensor *z);
elb_tensor *elb_diagonal_kl_to_prior(elb_posterior *q, elb_tape *t, elb_tensor *lambda);
void elb_diagonal_from_moments(const elb_posterior *q, int64_t count, const elb_real *moments, elb_real *lambda);

#endif
