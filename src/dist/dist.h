/* dist.h - distributions as ops on the tape. Values are sums over the last axis, in nats.
 *
 * Broadcasting: an argument's rows may be fewer than the result's; row r of the result meets row r % rows of it, so that
 * x [B,D] meets logits [S,B,D], and a vector [D] meets every row. */
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

/* Cholesky factors U of n covariances U^T U: x [n p, p], blocks that hold the upper triangular U with the logarithms of its
 * diagonal (below the diagonal they are not read) -> U [n p, p]. */
elb_tensor *elb_triangle(elb_tape *t, elb_tensor *x);
/* Of the same x: sum over a block's p results = KL(N(0, U^T U) || N(0, scale^2 I)): [n p, p] -> [n p]. */
elb_tensor *elb_triangle_kl(elb_tape *t, elb_tensor *x, double scale);

extern const elb_op *const elb_dist_ops[];

#endif
