#include "dist/dist.h"

extern const elb_op elb_op_bernoulli, elb_op_continuous_bernoulli, elb_op_gaussian, elb_op_gaussian_sample,
    elb_op_gaussian_kl_standard, elb_op_triangle, elb_op_triangle_kl;

const elb_op *const elb_dist_ops[] = {
    &elb_op_bernoulli,
    &elb_op_continuous_bernoulli,
    &elb_op_gaussian,
    &elb_op_gaussian_sample,
    &elb_op_gaussian_kl_standard,
    &elb_op_triangle,
    &elb_op_triangle_kl,
    NULL,
};
