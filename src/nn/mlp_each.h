/* mlp_each.h - a multi-layer perceptron with every datum's own weights: they are numbers of a tensor [B,P], one set per
 * row, and not parameters. */
#ifndef ELB_MLP_EACH_H
#define ELB_MLP_EACH_H

#include "nn/mlp.h"

typedef struct elb_mlp_each {
    elb_net_kind kind;
    int64_t layers; /* hidden layers and the linear output */
    int64_t end;    /* the column after its last */
    struct {
        int64_t in, out;
        int64_t at; /* first column: weight [out,in], then bias [out] */
    } layer[ELB_MLP_LAYERS_MAX];
} elb_mlp_each;

/* Its weights begin at column `at`. Any kind but ELB_NET_GATED. */
void elb_mlp_each_init(elb_mlp_each *mlp, elb_net_kind kind, int64_t in, const elb_ints *hidden, int64_t out,
                       int64_t at);
/* Starts one row like elb_mlp_reset; from[0] is the row's column `begin`. */
void elb_mlp_each_reset(const elb_mlp_each *mlp, const elb_kernels *k, uint64_t key, int64_t begin, elb_real *from);
/* x [..,B,in], w [B,P] -> [..,B,out]; the last layer is linear. */
elb_tensor *elb_mlp_each_apply(const elb_mlp_each *mlp, elb_tape *t, elb_tensor *x, elb_tensor *w);

#endif
