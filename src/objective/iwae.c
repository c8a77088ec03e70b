#include "objective/objective.h"

/* The negative importance-weighted bound, -E log 1/K sum_k p(x,z_k)/q(z_k|x) (Burda et al. 2016, eq. 8).
 *
 * Gradient of the encoder: plain; STL (Roeder et al. 2017) holds lambda inside log q constant; DReG (Tucker et al.
 * 2019) also squares the normalised weights on the path through z, which is one more factor w_k on z's gradient. */
static elb_loss iwae_loss(const elb_objective *o, elb_tape *t, elb_model *m, elb_posterior *q, elb_tensor *x,
                          const elb_noise *noise)
{
    elb_loss l = {NULL, NULL, NULL, NULL, NULL};
    bool plain = o->options.gradient == ELB_GRADIENT_PLAIN, dreg = o->options.gradient == ELB_GRADIENT_DREG;
    if (dreg && q->type->log_density == NULL) {
        elb_tape_fail(t, ELB_USAGE,
                      "objective.gradient=dreg needs the density of any z, which the posterior %s does not "
                      "have; choose stl or plain",
                      q->type->name);
        return l;
    }
    elb_tensor *lambda = elb_encode(q, t, x);
    elb_tensor *fixed = plain ? lambda : elb_stop_gradient(t, lambda);
    elb_draw d = elb_sample_strata(q, t, lambda, noise,
                                   dreg    ? ELB_LOG_Q_NONE
                                   : plain ? ELB_LOG_Q_FULL
                                           : ELB_LOG_Q_SAMPLE);
    elb_tensor *z = dreg ? elb_scale_gradient(t, d.z) : d.z;
    if (dreg) d.log_q = q->type->log_density(q, t, fixed, z);
    l.reconstruction = elb_model_log_likelihood(m, t, x, z);
    l.kl = elb_sub(t, d.log_q, elb_model_log_prior(m, t, z));
    elb_tensor *penalty = elb_objective_penalty(o, t, l.kl, d.log_q);
    elb_tensor *log_weight = elb_sub(t, l.reconstruction, penalty);
    if (dreg)
        elb_scale_gradient_by(
            z, elb_softmax_first(t, d.log_share != NULL ? elb_add(t, log_weight, d.log_share) : log_weight));
    elb_tensor *tempered = elb_draw_log_mean_exp(t, &d, log_weight);
    l.bound = penalty == l.kl ? tempered : elb_draw_log_mean_exp(t, &d, elb_sub(t, l.reconstruction, l.kl));
    l.loss = elb_affine(t, elb_mean_all(t, tempered), -1, 0);
    if (d.log_share != NULL) {
        l.reconstruction = elb_draw_mean(t, &d, l.reconstruction);
        l.kl = elb_draw_mean(t, &d, l.kl);
    }
    if (q->type->kl_to_prior != NULL) l.kl_coordinate = q->type->kl_to_prior(q, t, elb_stop_gradient(t, lambda));
    return l;
}

const elb_objective_type elb_objective_iwae = {.name = "iwae", .source = "Burda et al. 2016, eq. 8", .loss = iwae_loss};
