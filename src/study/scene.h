/* scene.h - a figure of posteriors over two latent numbers: a row per datum, a panel per q. */
#ifndef ELB_SCENE_H
#define ELB_SCENE_H

#include "study/field.h"

enum { ELB_SCENE_PANELS = 4, ELB_SCENE_COMPONENTS = 16 };

/* A q(z|x) beside p(z|x). */
typedef struct elb_scene_panel {
    const char *title;
    double elbo; /* nats */
    elb_field field;
    int components; /* of a mixture; 0: none are shown */
    double mean[ELB_SCENE_COMPONENTS][2], deviation[ELB_SCENE_COMPONENTS][2];
} elb_scene_panel;

typedef struct elb_scene_row {
    char title[64], subtitle[64];
    double log_p;          /* nats */
    const elb_real *image; /* [height,width,channels] in [0,1]; NULL: none is shown */
    int64_t height, width, channels;
    elb_field truth;
    int panels;
    elb_scene_panel panel[ELB_SCENE_PANELS];
} elb_scene_row;

/* SVG or PNG by the ending of `path`. Rows have the same panels. Errors: ELB_MEMORY, ELB_FAILURE. */
elb_status elb_scene_save(elb_context *c, const char *path, const elb_scene_row *rows, int64_t count);

#endif
