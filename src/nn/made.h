/* made.h - an autoregressive network (MADE, Germain et al. 2015; as used by Kingma et al. 2016): what it gives for
 * coordinate i depends on the coordinates before i alone, and on a context. */
#ifndef ELB_MADE_H
#define ELB_MADE_H

#include "nn/mlp.h"

/* Coordinate i = 1..n has degree i, or n+1-i when reversed. A hidden unit has a degree 0..n-1; it sees inputs and
 * units of its own degree and below; an output sees what is below its coordinate's. The context is seen by all.
 * Differs from source: degrees begin at 0 instead of 1. Such units see the context only, and are the only way for it
 * to reach the first coordinate. */
typedef struct elb_made {
    elb_mlp mlp;  /* of all weights; those that the masks hide count for nothing */
    int64_t size; /* n */
    bool reversed;
} elb_made;

/* Declares parameters as elb_mlp_init does; the input layer takes n + context columns. Any kind but ELB_NET_GATED. */
elb_status elb_made_init(elb_made *made, elb_params *params, const char *prefix, elb_net_kind kind, int64_t size,
                         int64_t context, const elb_ints *hidden, bool reversed);
void elb_made_reset(elb_made *made, const elb_kernels *k, uint64_t key);
/* z [..,n], context [..,C] (see elb_join; NULL: none) -> [..,2n], two numbers for every
 * coordinate: at i and at n + i. */
elb_tensor *elb_made_apply(elb_made *made, elb_tape *t, elb_tensor *z, elb_tensor *context);

#endif
