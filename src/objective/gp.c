#include "objective/objective.h"
#include "posterior/gp.h"

/* The bound of random functions f, g (posterior/gp.h), negated, for one of N data:
 *
 *   E_{f,g} [E_{z|f,g} log p(x|z) - KL(N(f, diag exp g) || N(0,I))] - 1/N KL(weights)
 *
 * (Kim & Pavlovic 2021). The reconstruction is sampled; both KLs are in closed form. */

#define GP_LOG_2PI_E 2.8378770664093454836

/* 1/2 [exp(mean_g + variance_g/2) + mean_f^2 + variance_f - 1 - mean_g]: the KL of lambda, whose log-variance s is
 * log(variance_f + exp(mean_g + variance_g/2)), and what s has over mean_g. [B,Z] */
static elb_tensor *gp_expected_kl(elb_tape *t, elb_posterior *q, const elb_gp_functions *at, elb_tensor *mean_g)
{
    elb_tensor *lambda = elb_gaussian_match(t, at->mean, at->variance);
    elb_tensor *s = elb_columns(t, lambda, q->latent, q->latent);
    return elb_add(t, q->type->kl_to_prior(q, t, lambda), elb_affine(t, elb_sub(t, s, mean_g), 0.5, 0));
}

/* f and g, then z ~ N(f, diag exp g): [S,B,Z]. */
static elb_tensor *gp_sample(elb_tape *t, elb_posterior *q, const elb_gp_functions *at, const elb_noise *noise)
{
    if (at->variance == NULL) return NULL;
    int64_t batch = at->mean->rows, z = q->latent;
    elb_tensor *functions = elb_gaussian_sample(t, at->mean, elb_apply(t, ELB_LOG, at->variance),
                                                elb_noise_normal(t, noise, batch, 2 * z, 1));
    return elb_gaussian_sample(t, elb_columns(t, functions, 0, z), elb_columns(t, functions, z, z),
                               elb_noise_normal(t, noise, batch, z, 0));
}

/* What the expected KL costs per datum, [B]: E log q(z|f,g) = -1/2 sum_j (log 2 pi e + mean_g) is annealed by `entropy`. */
static elb_tensor *gp_penalty(const elb_objective *o, elb_tape *t, elb_tensor *kl, elb_tensor *mean_g)
{
    if (o->beta < 1 && o->options.warmup == ELB_WARMUP_KL) return elb_affine(t, kl, o->beta, 0);
    if (o->beta < 1 && o->options.warmup == ELB_WARMUP_ENTROPY)
        return elb_add(t, kl,
                       elb_sum_last(t, elb_affine(t, mean_g, (1 - o->beta) / 2, (1 - o->beta) / 2 * GP_LOG_2PI_E)));
    return kl;
}

static elb_loss gp_loss(const elb_objective *o, elb_tape *t, elb_model *m, elb_posterior *q, elb_tensor *x,
                        const elb_noise *noise)
{
    elb_loss l = {NULL, NULL, NULL, NULL, NULL};
    elb_gp_functions at = elb_gp_at(q, t, x);
    elb_tensor *mean_g = elb_columns(t, at.mean, q->latent, q->latent), *z = gp_sample(t, q, &at, noise);
    l.reconstruction = elb_mean_first(t, elb_model_log_likelihood(m, t, x, z));
    l.kl_coordinate = gp_expected_kl(t, q, &at, mean_g);
    l.kl = elb_sum_last(t, l.kl_coordinate);
    elb_tensor *weights = elb_affine(t, elb_gp_weight_kl(q, t), 1 / (double)o->data, 0);
    l.bound = elb_sub(t, elb_sub(t, l.reconstruction, l.kl), weights);
    elb_tensor *penalty = gp_penalty(o, t, l.kl, mean_g);
    l.loss = elb_add(t, elb_mean_all(t, elb_sub(t, penalty, l.reconstruction)), weights);
    return l;
}

const elb_objective_type elb_objective_gp = {
    .name = "gp", .source = "Kim & Pavlovic 2021", .posterior = &elb_posterior_gp, .plain = true, .loss = gp_loss};
