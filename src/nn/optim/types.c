#include "nn/optim/types.h"

const elb_optimizer_type *const elb_optimizer_types[] = {
    &elb_optimizer_adam,
    &elb_optimizer_adamax,
    &elb_optimizer_sgd,
    NULL,
};
