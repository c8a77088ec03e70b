/* mlp.h - the multi-layer perceptron: the network that encoder and decoder are made of. */
#ifndef ELB_MLP_H
#define ELB_MLP_H

#include "base/option.h"
#include "nn/net_kind.h"
#include "nn/params.h"

enum { ELB_MLP_LAYERS_MAX = ELB_INTS_MAX + 1 };

typedef struct elb_mlp {
    elb_params *params;
    elb_net_kind kind;
    int64_t groups; /* networks side by side, in one set of tensors; 1: just one */
    int64_t layers; /* hidden layers and the linear output */
    struct {
        int64_t in, out;                /* of one group */
        int64_t weight, bias;           /* parameter indices */
        int64_t gate_weight, gate_bias; /* gated hidden layers only */
    } layer[ELB_MLP_LAYERS_MAX];
} elb_mlp;

/* Declares the parameters "<prefix>.<2i>.weight" [out,in] and ".bias" [out], numbered like PyTorch's nn.Sequential of
 * linear layers with activations between; a gated hidden layer, (W x + b) sigmoid(V x + c), has also
 * "<prefix>.<2i>.gate.weight" and ".gate.bias". */
elb_status elb_mlp_init(elb_mlp *mlp, elb_params *params, const char *prefix, elb_net_kind kind, int64_t in,
                        const elb_ints *hidden, int64_t out);
/* `groups` networks of the same shape over the same x, computed together: their tensors are stacked, [groups*out,in]
 * and [groups*out], and so are their results, [..,groups*out]. One group is elb_mlp_init's network, to the bit. */
elb_status elb_mlp_init_groups(elb_mlp *mlp, elb_params *params, const char *prefix, elb_net_kind kind, int64_t groups,
                               int64_t in, const elb_ints *hidden, int64_t out);
/* The first group alone, over the same parameters, its output layer narrowed to the first `out` of its rows. */
elb_mlp elb_mlp_first(const elb_mlp *mlp, int64_t out);
/* Weights as elb_glorot draws them, biases 0. Call after elb_params_build. */
void elb_mlp_reset(elb_mlp *mlp, const elb_kernels *k, uint64_t key);
void elb_mlp_reset_group(elb_mlp *mlp, const elb_kernels *k, uint64_t key, int64_t group);
/* x [..,in] -> [..,groups*out]; the last layer is linear. *features, unless NULL, gets the last hidden layer's output,
 * x itself where there is none. */
elb_tensor *elb_mlp_apply(elb_mlp *mlp, elb_tape *t, elb_tensor *x, elb_tensor **features);
/* Of a hidden layer; a gated one is linear before its gate. */
elb_activation elb_mlp_activation(elb_net_kind kind);
/* The output layer's bias [out]. */
elb_real *elb_mlp_output_bias(elb_mlp *mlp);

#endif
