#include <math.h>

#include "nn/optim/types.h"

static elb_adam_step adam_prepare(const elb_optimizer_options *o, double rate, int64_t t)
{
    return (elb_adam_step){
        .rate = (elb_real)(rate / (1 - pow(o->beta1, (double)t))),
        .beta1 = (elb_real)o->beta1,
        .beta2 = (elb_real)o->beta2,
        .epsilon = (elb_real)o->epsilon,
        .second_root = (elb_real)(1 / sqrt(1 - pow(o->beta2, (double)t))),
    };
}

static void adam_sweep(const elb_kernels *k, const elb_adam_step *h, int64_t n, elb_real *p, const elb_real *g,
                       elb_real *const moment[ELB_OPTIMIZER_MOMENTS])
{
    k->adam(h, n, p, g, moment[0], moment[1]);
}

const elb_optimizer_type elb_optimizer_adam = {"adam", "Kingma & Ba 2015, algorithm 1", 2, adam_prepare, adam_sweep};
