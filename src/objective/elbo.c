#include "objective/objective.h"

/* The negative ELBO, -E_q[log p(x|z)] + beta KL(q||p) (Kingma & Welling 2014, eq. 3), KL in closed form where the
 * posterior has one, else sampled; S samples averaged.
 *
 * STL (Roeder et al. 2017) is a statement about the gradient of log q and so needs the KL sampled. DReG is the same
 * here: every sample is a bound of its own, with a weight of 1.
 *
 * Entropy annealing (Cremer et al. 2018) maximises E_q[log p(x,z) - beta log q(z|x)] instead, the prior term unscaled:
 * with a closed-form KL that is E_q[log p(x|z)] - KL + (1 - beta) E_q[log q]. */

static elb_log_q elbo_log_q(const elb_objective *o, bool closed)
{
    bool annealed = o->options.warmup == ELB_WARMUP_ENTROPY && o->beta < 1;
    if (closed && !annealed) return ELB_LOG_Q_NONE;
    return o->options.gradient == ELB_GRADIENT_PLAIN ? ELB_LOG_Q_FULL : ELB_LOG_Q_SAMPLE;
}

elb_loss elb_elbo_at(const elb_objective *o, elb_tape *t, elb_model *m, elb_posterior *q, elb_tensor *x,
                     elb_tensor *lambda, const elb_noise *noise)
{
    bool plain = o->options.gradient == ELB_GRADIENT_PLAIN;
    bool closed = o->options.kl == ELB_KL_CLOSED && plain && q->type->kl_to_prior != NULL;
    elb_loss l = {NULL, NULL, NULL, NULL, NULL};
    elb_draw d = elb_sample_strata(q, t, lambda, noise, elbo_log_q(o, closed));
    l.reconstruction = elb_draw_mean(t, &d, elb_model_log_likelihood(m, t, x, d.z));
    if (q->type->kl_to_prior != NULL)
        l.kl_coordinate = q->type->kl_to_prior(q, t, closed ? lambda : elb_stop_gradient(t, lambda));
    l.kl = closed ? elb_sum_last(t, l.kl_coordinate)
                  : elb_draw_mean(t, &d, elb_sub(t, d.log_q, elb_model_log_prior(m, t, d.z)));
    elb_tensor *log_q = d.log_q != NULL ? elb_draw_mean(t, &d, d.log_q) : NULL;
    l.loss = elb_mean_all(t, elb_sub(t, elb_objective_penalty(o, t, l.kl, log_q), l.reconstruction));
    return l;
}

elb_loss elb_elbo_loss(const elb_objective *o, elb_tape *t, elb_model *m, elb_posterior *q, elb_tensor *x,
                       const elb_noise *noise)
{
    return elb_elbo_at(o, t, m, q, x, elb_encode(q, t, x), noise);
}

const elb_objective_type elb_objective_elbo = {
    .name = "elbo", .source = "Kingma & Welling 2014, eq. 3", .loss = elb_elbo_loss};
