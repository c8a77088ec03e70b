#include "nn/optim/types.h"

static elb_adam_step sgd_prepare(const elb_optimizer_options *o, double rate, int64_t t)
{
    (void)t;
    return (elb_adam_step){.rate = (elb_real)rate, .beta1 = (elb_real)o->momentum};
}

static void sgd_sweep(const elb_kernels *k, const elb_adam_step *h, int64_t n, elb_real *p, const elb_real *g,
                      elb_real *const moment[ELB_OPTIMIZER_MOMENTS])
{
    k->sgd(h, n, p, g, moment[0]);
}

const elb_optimizer_type elb_optimizer_sgd = {"sgd", "Sutskever et al. 2013, classical momentum", 1, sgd_prepare,
                                              sgd_sweep};
