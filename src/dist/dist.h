/* dist.h - distributions as ops on the tape. Values are sums over the last axis, in nats.
 *
 * Broadcasting: an argument's rows may be fewer than the result's; row r of the result meets row r % rows of it, so
 * that x [B,D] meets logits [S,B,D], and a vector [D] meets every row. */
#ifndef ELB_DIST_H
#define ELB_DIST_H

#include "tensor/tensor.h"

/* sum_d x a - softplus(a): x [B,D] in [0,1], logits a [..,B,D] -> [..,B]. Gradient flows to the logits. */
elb_tensor *elb_bernoulli_log_prob(elb_tape *t, elb_tensor *x, elb_tensor *logits);
/* sum_d x a + log a - log(e^a - 1) (Loaiza-Ganem & Cunningham 2019): x [B,D] in [0,1], natural parameter a [..,B,D] ->
 * [..,B]. Gradient flows to a. */
elb_tensor *elb_continuous_bernoulli_log_prob(elb_tape *t, elb_tensor *x, elb_tensor *a);
/* -1/2 sum_n [log 2 pi + l + (v - m)^2 exp(-l)]: value v, mean m, log-variance l, any of them broadcast -> rows of the
 * largest. Gradients flow to all three. */
elb_tensor *elb_gaussian_log_prob(elb_tape *t, elb_tensor *value, elb_tensor *mean, elb_tensor *log_variance);
/* -1/2 sum_n [log 2 pi + v^2]: [..,n] -> [..]. */
elb_tensor *elb_standard_normal_log_prob(elb_tape *t, elb_tensor *value);
/* Reparameterised draws z = m + exp(s/2) eps: m, s [B,n], eps [S,B,n] -> [S,B,n]. */
elb_tensor *elb_gaussian_sample(elb_tape *t, elb_tensor *mean, elb_tensor *log_variance, elb_tensor *eps);
/* KL(N(m, e^s) || N(0,1)) per coordinate, 1/2 (e^s + m^2 - 1 - s): [B,n] -> [B,n]. */
elb_tensor *elb_gaussian_kl_standard(elb_tape *t, elb_tensor *mean, elb_tensor *log_variance);

/* Cholesky factors U of n covariances U^T U: x [n p, p], blocks that hold the upper triangular U with the logarithms of
 * its diagonal (below the diagonal they are not read) -> U [n p, p]. */
elb_tensor *elb_triangle(elb_tape *t, elb_tensor *x);
/* Of the same x: sum over a block's p results = KL(N(0, U^T U) || N(0, scale^2 I)): [n p, p] -> [n p]. */
elb_tensor *elb_triangle_kl(elb_tape *t, elb_tensor *x, double scale);
/* y with U_b y = x for every datum b: U [B p, p] as elb_triangle gives it, x [..,B,p] -> [..,B,p].
 * Gradients flow to both. */
elb_tensor *elb_triangle_solve(elb_tape *t, elb_tensor *u, elb_tensor *x);
/* --- mixtures of M diagonal Gaussians, one mixture per datum: components [B,M*2n] = m_1, s_1, .., m_M, s_M (means and
 * log-variances), logits [B,M] = log weights up to a constant; a = softmax(logits). M <= ELB_MIXTURE_MAX. */
enum { ELB_MIXTURE_MAX = 16 };
/* What a row of z is measured against. Where z has M*S rows per datum, rows m*S .. m*S+S-1 belong to component m. */
typedef enum elb_mixture_part {
    ELB_MIXTURE_ALL,   /* the whole mixture */
    ELB_MIXTURE_OWN,   /* the row's own component */
    ELB_MIXTURE_BEFORE /* the mixture of the components before the row's own; for the first, the first */
} elb_mixture_part;
/* log sum_j a_j N(z; m_j, e^s_j) over the part's components, whose weights sum to 1: z [..,B,n] -> [..,B].
 * Gradients flow to all three. */
elb_tensor *elb_mixture_log_prob(elb_tape *t, elb_tensor *z, elb_tensor *components, elb_tensor *logits,
                                 elb_mixture_part part);
/* Reparameterised draws from every component: eps [S,B,M*n] -> [M*S,B,n], component m's in rows m*S .. m*S+S-1. */
elb_tensor *elb_mixture_strata(elb_tape *t, elb_tensor *components, int64_t order, elb_tensor *eps);
/* Reparameterised draws from the chosen components: choice [S,B], eps [S,B,n] -> [S,B,n]. */
elb_tensor *elb_mixture_sample(elb_tape *t, elb_tensor *components, elb_tensor *choice, elb_tensor *eps);
/* The component, 0..M-1, of every sample, [S,B]; no gradient flows. Sample k of the K that noise->whole tells of takes
 * the component whose part of the cumulative weights holds k/K + u, modulo 1, u uniform and the datum's own: systematic
 * sampling. Each sample is one of the mixture, and component m is taken K a_m times but for less than one. Or
 * `multinomial`: independently. */
elb_tensor *elb_mixture_choice(elb_tape *t, elb_tensor *logits, const elb_noise *noise, uint32_t lane,
                               bool multinomial);
/* log a_m - log S for the rows of elb_mixture_strata: [B,M] -> [M*S,B]. */
elb_tensor *elb_mixture_log_share(elb_tape *t, elb_tensor *logits, int64_t samples);
/* Mean and log-variance of the whole mixture beside each other, [B,2n]; no gradient flows. */
elb_tensor *elb_mixture_moments(elb_tape *t, elb_tensor *components, elb_tensor *logits);

extern const elb_op *const elb_dist_ops[];

#endif
