#include "nn/mlp.h"

static elb_status mlp_declare(elb_mlp *mlp, const char *prefix, int64_t i, bool gated)
{
    elb_params *p = mlp->params;
    int64_t weight[] = {mlp->layer[i].out, mlp->layer[i].in}, bias[] = {mlp->layer[i].out};
    long long place = 2 * (long long)i;
    ELB_TRY(elb_params_add(p, &mlp->layer[i].weight, 2, weight, "%s.%lld.weight", prefix, place));
    ELB_TRY(elb_params_add(p, &mlp->layer[i].bias, 1, bias, "%s.%lld.bias", prefix, place));
    if (!gated) return ELB_OK;
    ELB_TRY(elb_params_add(p, &mlp->layer[i].gate_weight, 2, weight, "%s.%lld.gate.weight", prefix, place));
    return elb_params_add(p, &mlp->layer[i].gate_bias, 1, bias, "%s.%lld.gate.bias", prefix, place);
}

elb_status elb_mlp_init(elb_mlp *mlp, elb_params *params, const char *prefix, elb_net_kind kind, int64_t in,
                        const elb_ints *hidden, int64_t out)
{
    *mlp = (elb_mlp){.params = params, .kind = kind, .layers = hidden->count + 1};
    for (int64_t i = 0; i < mlp->layers; i++) {
        bool last = i == hidden->count;
        mlp->layer[i].in = i == 0 ? in : hidden->at[i - 1];
        mlp->layer[i].out = last ? out : hidden->at[i];
        ELB_TRY(mlp_declare(mlp, prefix, i, kind == ELB_NET_GATED && !last));
    }
    return ELB_OK;
}

void elb_mlp_reset(elb_mlp *mlp, const elb_kernels *k, uint64_t key)
{
    for (int64_t i = 0; i < mlp->layers; i++) {
        elb_params_glorot(mlp->params, k, key, mlp->layer[i].weight);
        if (mlp->kind == ELB_NET_GATED && i < mlp->layers - 1)
            elb_params_glorot(mlp->params, k, key, mlp->layer[i].gate_weight);
    }
}

elb_activation elb_mlp_activation(elb_net_kind kind)
{
    static const elb_activation of[] = {
        [ELB_NET_TANH] = ELB_TANH,
        [ELB_NET_RELU] = ELB_RELU,
        [ELB_NET_ELU] = ELB_ELU,
        [ELB_NET_SOFTPLUS] = ELB_SOFTPLUS,
        [ELB_NET_GATED] = ELB_LINEAR,
        [ELB_NET_LINEAR] = ELB_LINEAR,
        [ELB_NET_LEAKY_RELU] = ELB_LEAKY_RELU,
        [ELB_NET_SILU] = ELB_SILU,
        [ELB_NET_GELU] = ELB_GELU,
        [ELB_NET_SIGMOID] = ELB_SIGMOID,
    };
    return of[kind];
}

elb_tensor *elb_mlp_apply(elb_mlp *mlp, elb_tape *t, elb_tensor *x, elb_tensor **features)
{
    elb_params *p = mlp->params;
    elb_tensor *h = x;
    for (int64_t i = 0; i < mlp->layers; i++) {
        bool last = i == mlp->layers - 1;
        elb_tensor *in = h;
        if (last && features != NULL) *features = h;
        h = elb_linear(t, in, elb_params_leaf(p, t, mlp->layer[i].weight), elb_params_leaf(p, t, mlp->layer[i].bias),
                       last ? ELB_LINEAR : elb_mlp_activation(mlp->kind));
        if (mlp->kind == ELB_NET_GATED && !last)
            h = elb_mul(t, h,
                        elb_linear(t, in, elb_params_leaf(p, t, mlp->layer[i].gate_weight),
                                   elb_params_leaf(p, t, mlp->layer[i].gate_bias), ELB_SIGMOID));
    }
    return h;
}

elb_real *elb_mlp_output_bias(elb_mlp *mlp)
{
    return elb_params_data(mlp->params, mlp->layer[mlp->layers - 1].bias);
}
