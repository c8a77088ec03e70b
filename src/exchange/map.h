/* map.h - what a convert map says: which tensors of a foreign file are which layers of an encoder and a decoder. */
#ifndef ELB_MAP_H
#define ELB_MAP_H

#include "config/config.h"
#include "config/yaml_cursor.h"

/* What a number of the second head means. */
typedef enum elb_scale_kind {
    ELB_SCALE_LOG_VARIANCE,
    ELB_SCALE_LOG_SD,
    ELB_SCALE_SOFTPLUS_SD,       /* sd = softplus(number) + epsilon */
    ELB_SCALE_SOFTPLUS_VARIANCE, /* variance = softplus(number) + epsilon */
    ELB_SCALE_SD,
    ELB_SCALE_VARIANCE
} elb_scale_kind;

typedef enum elb_head_order { ELB_HEADS_MEAN_FIRST, ELB_HEADS_SCALE_FIRST } elb_head_order;

/* An encoder or a decoder. A layer is named by a word, "fc1", or by its tensors, "W1 + b1"; see elb_layer_read. */
typedef struct elb_map_net {
    char layers[ELB_TEXT_MAX]; /* the hidden ones, from the net's input on */
    int activation;            /* elb_net_kind */
    char gates[ELB_TEXT_MAX];
    char batch_norms[ELB_TEXT_MAX];
    double batch_norm_epsilon;
    char mean[ELB_TEXT_MAX], scale[ELB_TEXT_MAX]; /* two heads, or */
    char heads[ELB_TEXT_MAX];                     /* one layer that is both */
    int order;                                    /* elb_head_order, within `heads` */
    int scale_is;                                 /* elb_scale_kind */
    double scale_epsilon;
    char data_mean[ELB_TEXT_MAX], data_sd[ELB_TEXT_MAX]; /* numbers, or tensors' names */
} elb_map_net;

typedef struct elb_map_top {
    char shape[ELB_TEXT_MAX]; /* "28x28" */
} elb_map_top;

typedef struct elb_map_weights {
    int transposed;                                /* weights are stored [in,out] */
    char weight[ELB_TEXT_MAX], bias[ELB_TEXT_MAX]; /* what follows a layer's name */
} elb_map_weights;

typedef struct elb_map_check {
    char file[ELB_TEXT_MAX]; /* "" = the weights' own */
    char x[ELB_TEXT_MAX], noise[ELB_TEXT_MAX], elbo[ELB_TEXT_MAX], log_w[ELB_TEXT_MAX];
    double tolerance;
} elb_map_check;

enum { ELB_MAP_SECTIONS = 7 };

typedef struct elb_map {
    elb_context *context;
    char *name;         /* of the file, for messages */
    elb_config *config; /* of the model to be: "data" and "likelihood" are its own sections */
    elb_map_top top;
    elb_map_weights weights;
    elb_map_net encoder, decoder;
    elb_map_check check;
    elb_section sections[ELB_MAP_SECTIONS + 1]; /* point into this struct and its configuration */
    int64_t *lines;                             /* of each key in the tables' order; 0: not given */
    const elb_yaml *yaml;                       /* while it is read */
} elb_map;

/* ELB_USAGE with file, line and key; ELB_FAILURE for a file that cannot be read. *map is NULL on failure. */
elb_status elb_map_open(elb_context *c, const char *path, elb_map **map);
/* The same from memory; `name` stands for the file in messages. */
elb_status elb_map_parse(elb_context *c, const char *name, const char *text, int64_t size, elb_map **map);
void elb_map_close(elb_map *map); /* may be NULL */

bool elb_map_given(const elb_map *map, const char *key);
/* ELB_USAGE: "map.yaml:7: encoder.mean: " and the sentence. */
elb_status elb_map_refuse(const elb_map *map, const char *key, const char *format, ...) ELB_PRINTF(3, 4);
/* The same before the context's present message; returns `status`. */
elb_status elb_map_blame(const elb_map *map, const char *key, elb_status status);

#endif
