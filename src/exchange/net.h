/* net.h - the encoder or the decoder of a map, read from a foreign file. */
#ifndef ELB_NET_H
#define ELB_NET_H

#include "exchange/layer.h"
#include "exchange/map.h"
#include "nn/mlp.h"

typedef struct elb_net {
    const elb_map *map;
    const char *section; /* "encoder", "decoder" */
    const elb_map_net *says;
    elb_foreign *foreign;
    elb_ints hidden;                     /* widths */
    elb_layer layer[ELB_MLP_LAYERS_MAX]; /* hidden.count hidden ones, and the last */
    elb_layer gate[ELB_MLP_LAYERS_MAX];  /* with activation gated */
} elb_net;

/* Reads the layers of a network that takes `in` values. two_heads: its last layer gives the mean's numbers and then,
 * with log_sd made a log-variance, as many for the spread; else the mean's alone. Set the fields before `hidden` first.
 * Errors: ELB_USAGE with the map's line and key; ELB_MEMORY. */
elb_status elb_net_read(elb_net *net, int64_t in, bool two_heads);
/* What the data were standardised by at this end of the network: n numbers each, the values'
 * channels varying fastest. */
elb_status elb_net_standard(const elb_net *net, int64_t channels, int64_t n, double **mean, double **sd);
/* The network takes x where it took (x - mean) / sd, [in] each. */
elb_status elb_net_before(elb_net *net, const double *mean, const double *sd);
elb_layer *elb_net_last(elb_net *net);
/* elb_map_refuse of a key of this network. */
elb_status elb_net_refuse(const elb_net *net, const char *key, const char *format, ...) ELB_PRINTF(3, 4);

#endif
