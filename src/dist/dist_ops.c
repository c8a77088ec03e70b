#include "dist/dist.h"

extern const elb_op elb_op_bernoulli, elb_op_continuous_bernoulli, elb_op_gaussian, elb_op_gaussian_sample,
    elb_op_gaussian_kl_standard, elb_op_triangle, elb_op_triangle_kl, elb_op_triangle_solve, elb_op_mixture_density,
    elb_op_mixture_sample, elb_op_mixture_choice, elb_op_mixture_share, elb_op_mixture_moments;

const elb_op *const elb_dist_ops[] = {
    &elb_op_bernoulli,
    &elb_op_continuous_bernoulli,
    &elb_op_gaussian,
    &elb_op_gaussian_sample,
    &elb_op_gaussian_kl_standard,
    &elb_op_triangle,
    &elb_op_triangle_kl,
    &elb_op_triangle_solve,
    &elb_op_mixture_density,
    &elb_op_mixture_sample,
    &elb_op_mixture_choice,
    &elb_op_mixture_share,
    &elb_op_mixture_moments,
    NULL,
};
