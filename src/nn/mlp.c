#include "nn/mlp.h"

#include <string.h>

static elb_status mlp_declare(elb_mlp *mlp, const char *prefix, int64_t i, bool gated)
{
    elb_params *p = mlp->params;
    int64_t weight[] = {mlp->groups * mlp->layer[i].out, mlp->layer[i].in}, bias[] = {weight[0]};
    long long place = 2 * (long long)i;
    ELB_TRY(elb_params_add(p, &mlp->layer[i].weight, 2, weight, "%s.%lld.weight", prefix, place));
    ELB_TRY(elb_params_add(p, &mlp->layer[i].bias, 1, bias, "%s.%lld.bias", prefix, place));
    if (!gated) return ELB_OK;
    ELB_TRY(elb_params_add(p, &mlp->layer[i].gate_weight, 2, weight, "%s.%lld.gate.weight", prefix, place));
    return elb_params_add(p, &mlp->layer[i].gate_bias, 1, bias, "%s.%lld.gate.bias", prefix, place);
}

elb_status elb_mlp_init_groups(elb_mlp *mlp, elb_params *params, const char *prefix, elb_net_kind kind, int64_t groups,
                               int64_t in, const elb_ints *hidden, int64_t out)
{
    *mlp = (elb_mlp){.params = params, .kind = kind, .groups = groups, .layers = hidden->count + 1};
    for (int64_t i = 0; i < mlp->layers; i++) {
        bool last = i == hidden->count;
        mlp->layer[i].in = i == 0 ? in : hidden->at[i - 1];
        mlp->layer[i].out = last ? out : hidden->at[i];
        ELB_TRY(mlp_declare(mlp, prefix, i, kind == ELB_NET_GATED && !last));
    }
    return ELB_OK;
}

elb_status elb_mlp_init(elb_mlp *mlp, elb_params *params, const char *prefix, elb_net_kind kind, int64_t in,
                        const elb_ints *hidden, int64_t out)
{
    return elb_mlp_init_groups(mlp, params, prefix, kind, 1, in, hidden, out);
}

elb_mlp elb_mlp_first(const elb_mlp *mlp, int64_t out)
{
    elb_mlp first = *mlp;
    first.groups = 1;
    first.layer[first.layers - 1].out = out;
    return first;
}

/* Group g's rows of a weight, from a stream of their own, and of its bias. */
static void mlp_reset_layer(elb_mlp *mlp, const elb_kernels *k, uint64_t key, int64_t g, int64_t weight, int64_t bias)
{
    const elb_param *w = &mlp->params->at[weight];
    int64_t out = w->shape[0] / mlp->groups;
    elb_glorot(k, (elb_stream){key, (uint64_t)weight, (uint32_t)g}, out, w->shape[1],
               elb_params_data(mlp->params, weight) + g * out * w->shape[1]);
    memset(elb_params_data(mlp->params, bias) + g * out, 0, (size_t)out * sizeof(elb_real));
}

void elb_mlp_reset_group(elb_mlp *mlp, const elb_kernels *k, uint64_t key, int64_t group)
{
    for (int64_t i = 0; i < mlp->layers; i++) {
        mlp_reset_layer(mlp, k, key, group, mlp->layer[i].weight, mlp->layer[i].bias);
        if (mlp->kind == ELB_NET_GATED && i < mlp->layers - 1)
            mlp_reset_layer(mlp, k, key, group, mlp->layer[i].gate_weight, mlp->layer[i].gate_bias);
    }
}

void elb_mlp_reset(elb_mlp *mlp, const elb_kernels *k, uint64_t key)
{
    for (int64_t g = 0; g < mlp->groups; g++) elb_mlp_reset_group(mlp, k, key, g);
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

/* Layer i with this weight and bias: all groups read x itself, and from then on each what is its own. */
static elb_tensor *mlp_layer(elb_mlp *mlp, elb_tape *t, elb_tensor *x, int64_t i, int64_t weight, int64_t bias,
                             elb_activation act)
{
    int64_t rows = mlp->groups * mlp->layer[i].out;
    elb_tensor *w = elb_params_leaf_rows(mlp->params, t, weight, rows);
    elb_tensor *b = elb_params_leaf_rows(mlp->params, t, bias, rows);
    if (i == 0 || mlp->groups == 1) return elb_linear(t, x, w, b, act);
    return elb_grouped_linear(t, x, w, b, mlp->groups, act);
}

elb_tensor *elb_mlp_apply(elb_mlp *mlp, elb_tape *t, elb_tensor *x, elb_tensor **features)
{
    elb_tensor *h = x;
    for (int64_t i = 0; i < mlp->layers; i++) {
        bool last = i == mlp->layers - 1;
        elb_tensor *in = h;
        if (last && features != NULL) *features = h;
        h = mlp_layer(mlp, t, in, i, mlp->layer[i].weight, mlp->layer[i].bias,
                      last ? ELB_LINEAR : elb_mlp_activation(mlp->kind));
        if (mlp->kind == ELB_NET_GATED && !last)
            h = elb_mul(t, h,
                        mlp_layer(mlp, t, in, i, mlp->layer[i].gate_weight, mlp->layer[i].gate_bias, ELB_SIGMOID));
    }
    return h;
}

elb_real *elb_mlp_output_bias(elb_mlp *mlp)
{
    return elb_params_data(mlp->params, mlp->layer[mlp->layers - 1].bias);
}
