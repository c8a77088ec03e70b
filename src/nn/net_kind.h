/* net_kind.h - the nonlinearities that a multilayer perceptron may have, for the model's and
 * the posterior's options. */
#ifndef ELB_NET_KIND_H
#define ELB_NET_KIND_H

typedef enum elb_net_kind {
    ELB_NET_TANH,
    ELB_NET_RELU,
    ELB_NET_ELU,
    ELB_NET_SOFTPLUS,
    ELB_NET_GATED,
    ELB_NET_LINEAR,
    ELB_NET_LEAKY_RELU,
    ELB_NET_SILU,
    ELB_NET_GELU,
    ELB_NET_SIGMOID
} elb_net_kind;

/* In the order of elb_net_kind, NULL at the end. */
extern const char *const elb_net_kind_names[];

#endif
