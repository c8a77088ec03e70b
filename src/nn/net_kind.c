/* net_kind.c - the names of the nonlinearities. */
#include "nn/net_kind.h"

#include <stddef.h>

const char *const elb_net_kind_names[] = {"tanh",       "relu", "elu",  "softplus", "gated", "linear",
                                          "leaky_relu", "silu", "gelu", "sigmoid",  NULL};
