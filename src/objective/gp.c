#include "objective/objective.h"
#include "posterior/gp.h"

/* The bound of random functions f, g (posterior/gp.h), negated, for one of N data:
 *
 *   E_{f,g} [E_{z|f,g} log p(x|z) - KL(N(f, diag exp g) || N(0,I))] - 1/N KL(weights)
 *
 * (Kim & Pavlovic 2021). The reconstruction is sampled; both KLs are in closed form. */

#define GP_LOG_2PI_E 2.8378770664093454836

/* 1/2 [exp(E g + Var g / 2) + (E f)^2 + Var f - 1 - E g], [B,Z]: the KL of lambda, whose log-variance s is
 * log(Var f + exp(E g + Var g / 2)), and what s has over E g. */
static elb_tensor *gp_expected_kl(elb_tape *t, elb_posterior *q, const elb_gp_functions *at)
{
    elb_tensor *lambda = elb_gp_lambda(t, at), *s = q->type->log_variance(q, t, lambda);
    return elb_add(t, q->type->kl_to_prior(q, t, lambda), elb_affine(t, elb_sub(t, s, at->g.mean), 0.5, 0));
}

static elb_tensor *gp_draw(elb_tape *t, elb_tensor *mean, elb_tensor *log_variance, const elb_noise *noise,
                           uint32_t lane)
{
    if (mean == NULL) return NULL;
    int64_t batch = mean->shape[mean->rank - 2];
    return elb_gaussian_sample(t, mean, log_variance, elb_noise_normal(t, noise, batch, mean->cols, lane));
}

/* f and g, then z ~ N(f, exp g): [S,B,Z]. */
static elb_tensor *gp_sample(elb_tape *t, const elb_gp_functions *at, const elb_noise *noise)
{
    elb_tensor *f = gp_draw(t, at->f.mean, elb_apply(t, ELB_LOG, at->f.variance), noise, 1);
    elb_tensor *g = gp_draw(t, at->g.mean, elb_apply(t, ELB_LOG, at->g.variance), noise, 2);
    return gp_draw(t, f, g, noise, 0);
}

/* What the expected KL costs per datum, [B]: E log q(z|f,g) = -1/2 sum_j (log 2 pi e + mean_g) is
 * annealed by `entropy`. */
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
    l.reconstruction = elb_mean_first(t, elb_model_log_likelihood(m, t, x, gp_sample(t, &at, noise)));
    l.kl_coordinate = gp_expected_kl(t, q, &at);
    l.kl = elb_sum_last(t, l.kl_coordinate);
    elb_tensor *weights = elb_affine(t, elb_gp_weight_kl(q, t), 1 / (double)o->data, 0);
    l.bound = elb_sub(t, elb_sub(t, l.reconstruction, l.kl), weights);
    elb_tensor *penalty = gp_penalty(o, t, l.kl, at.g.mean);
    l.loss = elb_add(t, elb_mean_all(t, elb_sub(t, penalty, l.reconstruction)), weights);
    return l;
}

const elb_objective_type elb_objective_gp = {
    .name = "gp", .source = "Kim & Pavlovic 2021", .posterior = &elb_posterior_gp, .plain = true, .loss = gp_loss};
