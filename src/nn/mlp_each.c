#include "nn/mlp_each.h"

#include <string.h>

void elb_mlp_each_init(elb_mlp_each *mlp, elb_net_kind kind, int64_t in, const elb_ints *hidden, int64_t out,
                       int64_t at)
{
    *mlp = (elb_mlp_each){.kind = kind, .layers = hidden->count + 1, .end = at};
    for (int64_t i = 0; i < mlp->layers; i++) {
        mlp->layer[i].in = i == 0 ? in : hidden->at[i - 1];
        mlp->layer[i].out = i == hidden->count ? out : hidden->at[i];
        mlp->layer[i].at = mlp->end;
        mlp->end += mlp->layer[i].out * (mlp->layer[i].in + 1);
    }
}

void elb_mlp_each_reset(const elb_mlp_each *mlp, const elb_kernels *k, uint64_t key, int64_t begin, elb_real *from)
{
    for (int64_t i = 0; i < mlp->layers; i++) {
        int64_t in = mlp->layer[i].in, out = mlp->layer[i].out;
        elb_real *w = from + (mlp->layer[i].at - begin);
        elb_glorot(k, (elb_stream){key, (uint64_t)mlp->layer[i].at, 0}, out, in, w);
        memset(w + out * in, 0, (size_t)out * sizeof *w);
    }
}

elb_tensor *elb_mlp_each_apply(const elb_mlp_each *mlp, elb_tape *t, elb_tensor *x, elb_tensor *w)
{
    for (int64_t i = 0; i < mlp->layers; i++)
        x = elb_linear_each(t, x, w, mlp->layer[i].at, mlp->layer[i].out,
                            i == mlp->layers - 1 ? ELB_LINEAR : elb_mlp_activation(mlp->kind));
    return x;
}
