#include <math.h>

#include "objective/objective.h"
#include "posterior/mixture.h"

/* Recursive mixture inference (Kim & Pavlovic 2020, section 3), for a mixture of M components. One sample of each
 * component serves all (objective.samples of them), and one pass of the decoder. Per datum,
 *
 *     component m ascends   log p(x,z_m) - log q_m(z_m) + clip(log q_m(z_m) - log Q_{m-1}(z_m)),   z_m ~ q_m,
 *     the decoder           sum_m a_m log p(x|z_m),
 *     the weights           the mixture's ELBO, all else held,
 *
 * where Q_{m-1}, the mixture of the components before m, is a target whose parameters are held, and clip is to +-C with
 * no gradient beyond. For the first component Q is q_0 itself: its ELBO by the gradient through z alone. After that,
 * all is refined together on the mixture's ELBO, and before it, the first component may be trained alone, as a VAE.
 *
 * The baseline bvi (boosting variational inference, as the paper compares) adds nu H(q_m) for the
 * components after the first.
 *
 * Differs from source: the phases, the clip of every sample's log ratio and its size are ours. */

enum { RECMIX_PRETRAINING, RECMIX_RECURSION, RECMIX_JOINT };
static const char *const recmix_phases[] = {"pretraining", "recursion", "joint refinement", NULL};

#define RECMIX_LEAST_SHARE (-60.0) /* log: a weight that vanished has an inverse all the same */

extern const elb_objective_type elb_objective_recmix, elb_objective_bvi;

static int64_t recmix_phase(const elb_objective *o, double progress)
{
    double alone = o->options.pretrain;
    if (progress < alone) return RECMIX_PRETRAINING;
    return progress < alone + o->options.recursion * (1 - alone) ? RECMIX_RECURSION : RECMIX_JOINT;
}

static elb_status recmix_enter(const elb_objective *o, elb_posterior *q, int64_t from, uint64_t seed)
{
    (void)o;
    return from == RECMIX_PRETRAINING ? elb_mixture_spawn(q, 1, false, seed) : ELB_OK;
}

/* While the first component trains alone, the mixture is that component: the others are its copies. */
static elb_status recmix_settle(const elb_objective *o, elb_posterior *q, uint64_t seed)
{
    return o->phase == RECMIX_PRETRAINING && elb_posterior_is_mixture(q) ? elb_mixture_spawn(q, 1, true, seed) : ELB_OK;
}

/* --- the recursion ------------------------------------------------------------------------------------------------ */

/* 1 in the rows of the components after the first, else 0: [M*S,B]. */
static elb_tensor *recmix_later(elb_tape *t, const elb_tensor *like, int64_t samples)
{
    elb_tensor *later = like != NULL ? elb_input(t, "later components", false, 2, like->shape) : NULL;
    if (later == NULL) return NULL;
    for (int64_t i = 0; i < later->rows * later->cols; i++) later->data[i] = i >= samples * later->cols;
    return later;
}

/* What component m ascends, but for log p(x|z_m): [M*S,B]. */
static elb_tensor *recmix_gain(const elb_objective *o, elb_tape *t, elb_mixture mix, elb_tensor *z, elb_tensor *prior,
                               int64_t samples)
{
    elb_mixture held = {elb_stop_gradient(t, mix.components), elb_stop_gradient(t, mix.logits)};
    elb_tensor *own = elb_mixture_log_prob(t, z, mix.components, held.logits, ELB_MIXTURE_OWN);
    elb_tensor *before = elb_mixture_log_prob(t, z, held.components, held.logits, ELB_MIXTURE_BEFORE);
    elb_tensor *ratio = elb_clamp(t, elb_sub(t, own, before), -o->options.clip_kl, o->options.clip_kl);
    elb_tensor *gain = elb_sub(t, ratio, elb_objective_penalty(o, t, elb_sub(t, own, prior), own));
    if (o->type != &elb_objective_bvi) return gain;
    elb_tensor *entropy = elb_affine(t, elb_mul(t, own, recmix_later(t, own, samples)), -o->options.nu, 0);
    return elb_add(t, gain, entropy);
}

/* log Q of samples and components that are held: only the weights may move. */
static elb_tensor *recmix_log_mixture(elb_tape *t, elb_mixture mix, elb_tensor *z)
{
    return elb_mixture_log_prob(t, elb_stop_gradient(t, z), elb_stop_gradient(t, mix.components), mix.logits,
                                ELB_MIXTURE_ALL);
}

/* The decoder's share of log p(x|z_m) is a_m, component m's is 1: z passes its gradient on with the factor 1 / a_m. */
static elb_tensor *recmix_sample(elb_tape *t, elb_tensor *z, elb_tensor *log_share, int64_t samples)
{
    elb_tensor *scaled = elb_scale_gradient(t, z);
    elb_scale_gradient_by(scaled, elb_apply(t, ELB_EXP, elb_affine(t, log_share, -1, -log((double)samples))));
    return scaled;
}

static elb_loss recmix_recursion(const elb_objective *o, elb_tape *t, elb_model *m, elb_posterior *q, elb_tensor *x,
                                 const elb_noise *noise)
{
    elb_loss l = {NULL, NULL, NULL, NULL, NULL};
    elb_mixture mix = elb_mixture_encode(q, t, x);
    elb_draw d = elb_mixture_draw(q, t, mix, noise), held = d;
    if (d.z == NULL) return l;
    held.log_share = elb_clamp(t, elb_stop_gradient(t, d.log_share), RECMIX_LEAST_SHARE, 0);
    elb_tensor *each = elb_model_log_likelihood(m, t, x, recmix_sample(t, d.z, held.log_share, noise->samples));
    elb_tensor *prior = elb_model_log_prior(m, t, d.z), *log_mixture = recmix_log_mixture(t, mix, d.z);
    elb_tensor *gain = recmix_gain(o, t, mix, d.z, prior, noise->samples);
    elb_tensor *cost = elb_sub(t, log_mixture, elb_stop_gradient(t, prior));
    elb_tensor *weighed = elb_sub(t, elb_stop_gradient(t, each), elb_objective_penalty(o, t, cost, log_mixture));
    l.reconstruction = elb_draw_mean(t, &held, each);
    l.kl = elb_draw_mean(t, &held, elb_stop_gradient(t, cost));
    double order = (double)q->options.order;
    elb_tensor *ascent = elb_add(t, l.reconstruction, elb_affine(t, elb_mean_first(t, gain), order, 0));
    l.loss = elb_affine(t, elb_mean_all(t, elb_add(t, ascent, elb_draw_mean(t, &d, weighed))), -1, 0);
    return l;
}

/* --- the phases --------------------------------------------------------------------------------------------------- */

/* The first component alone, with as many samples as the mixture will have. */
static elb_loss recmix_alone(const elb_objective *o, elb_tape *t, elb_model *m, elb_posterior *q, elb_tensor *x,
                             const elb_noise *noise)
{
    elb_noise all = *noise;
    all.samples *= q->options.order;
    elb_posterior *first = elb_mixture_first(q);
    return elb_elbo_loss(o, t, m, first, x, &all);
}

static elb_loss recmix_loss(const elb_objective *o, elb_tape *t, elb_model *m, elb_posterior *q, elb_tensor *x,
                            const elb_noise *noise)
{
    switch (o->phase) {
    case RECMIX_PRETRAINING: return recmix_alone(o, t, m, q, x, noise);
    case RECMIX_RECURSION: return recmix_recursion(o, t, m, q, x, noise);
    default: return elb_elbo_loss(o, t, m, q, x, noise);
    }
}

const elb_objective_type elb_objective_recmix = {
    .name = "recmix",
    .source = "Kim & Pavlovic 2020, section 3",
    .posterior = &elb_posterior_mixture,
    .plain = true,
    .loss = recmix_loss,
    .phases = recmix_phases,
    .phase = recmix_phase,
    .enter = recmix_enter,
    .settle = recmix_settle,
};

const elb_objective_type elb_objective_bvi = {
    .name = "bvi",
    .source = "Kim & Pavlovic 2020, section 5; Guo et al. 2016",
    .posterior = &elb_posterior_mixture,
    .plain = true,
    .loss = recmix_loss,
    .phases = recmix_phases,
    .phase = recmix_phase,
    .enter = recmix_enter,
    .settle = recmix_settle,
};
