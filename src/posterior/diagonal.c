#include "posterior/diagonal.h"

#include <string.h>

elb_tensor *elb_diagonal_mean(elb_posterior *q, elb_tape *t, elb_tensor *lambda)
{
    return elb_named(elb_lambda_part(q, t, lambda, 0, q->latent), "posterior mean");
}

elb_tensor *elb_diagonal_log_variance(elb_posterior *q, elb_tape *t, elb_tensor *lambda)
{
    return elb_named(elb_lambda_part(q, t, lambda, q->latent, q->latent), "posterior log variance");
}

elb_draw elb_diagonal_sample(elb_posterior *q, elb_tape *t, elb_tensor *lambda, const elb_noise *noise, elb_log_q log_q)
{
    if (lambda == NULL) return (elb_draw){NULL, NULL, NULL};
    elb_tensor *m = elb_diagonal_mean(q, t, lambda), *s = elb_diagonal_log_variance(q, t, lambda);
    elb_draw d = {elb_gaussian_sample(t, m, s, elb_noise_normal(t, noise, lambda->rows, q->latent, 0)), NULL, NULL};
    if (log_q == ELB_LOG_Q_SAMPLE) m = elb_stop_gradient(t, m), s = elb_stop_gradient(t, s);
    if (log_q != ELB_LOG_Q_NONE) d.log_q = elb_gaussian_log_prob(t, d.z, m, s);
    return d;
}

elb_tensor *elb_diagonal_log_density(elb_posterior *q, elb_tape *t, elb_tensor *lambda, elb_tensor *z)
{
    return elb_gaussian_log_prob(t, z, elb_diagonal_mean(q, t, lambda), elb_diagonal_log_variance(q, t, lambda));
}

elb_tensor *elb_diagonal_kl_to_prior(elb_posterior *q, elb_tape *t, elb_tensor *lambda)
{
    return elb_gaussian_kl_standard(t, elb_diagonal_mean(q, t, lambda), elb_diagonal_log_variance(q, t, lambda));
}

void elb_diagonal_from_moments(const elb_posterior *q, int64_t count, const elb_real *moments, elb_real *lambda)
{
    int64_t width = 2 * q->latent;
    memset(lambda, 0, (size_t)(count * q->local) * sizeof *lambda);
    for (int64_t b = 0; b < count; b++)
        memcpy(lambda + b * q->local, moments + b * width, (size_t)width * sizeof *lambda);
}
