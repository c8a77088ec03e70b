#include "tensor/tensor.h"

extern const elb_op elb_op_linear, elb_op_add, elb_op_sub, elb_op_mul, elb_op_affine, elb_op_apply, elb_op_activate,
    elb_op_sum_last, elb_op_mean_all, elb_op_mean_first, elb_op_log_mean_exp, elb_op_softmax_first, elb_op_columns,
    elb_op_broadcast, elb_op_scale_gradient, elb_op_noise, elb_op_linear_each, elb_op_join, elb_op_mask,
    elb_op_flow_step, elb_op_flow_log_det, elb_op_flow_reflect, elb_op_sum_squares, elb_op_grouped_linear, elb_op_clamp,
    elb_op_reshape;

const elb_op *const elb_tensor_ops[] = {
    &elb_op_linear,       &elb_op_add,          &elb_op_sub,
    &elb_op_mul,          &elb_op_affine,       &elb_op_apply,
    &elb_op_activate,     &elb_op_sum_last,     &elb_op_mean_all,
    &elb_op_mean_first,   &elb_op_log_mean_exp, &elb_op_softmax_first,
    &elb_op_columns,      &elb_op_broadcast,    &elb_op_scale_gradient,
    &elb_op_noise,        &elb_op_linear_each,  &elb_op_join,
    &elb_op_mask,         &elb_op_flow_step,    &elb_op_flow_log_det,
    &elb_op_flow_reflect, &elb_op_sum_squares,  &elb_op_grouped_linear,
    &elb_op_clamp,        &elb_op_reshape,      NULL,
};
