/* types.h - every optimiser, one file each. */
#ifndef ELB_OPTIMIZER_TYPES_H
#define ELB_OPTIMIZER_TYPES_H

#include "nn/optim/optimizer.h"

extern const elb_optimizer_type elb_optimizer_adam, elb_optimizer_adamax, elb_optimizer_sgd;

#endif
