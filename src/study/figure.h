/* figure.h - points with error bars and names on a logarithmic x axis, some joined by lines: panels side by side. */
#ifndef ELB_FIGURE_H
#define ELB_FIGURE_H

#include "study/canvas.h"

typedef struct elb_figure_point {
    const char *name;
    double x, y, error; /* not drawn unless x > 0 and y are finite; no bar unless error is */
    int color;          /* any number: points of one colour belong together */
    bool open;          /* a ring */
} elb_figure_point;

typedef struct elb_panel {
    const char *x_label, *y_label;
    int64_t count;
    const elb_figure_point *points;
    int64_t lines; /* pairs of points that are joined */
    const int64_t (*joined)[2];
} elb_panel;

enum { ELB_FIGURE_COLUMNS = 2 };

/* Panels from left to right, two in a row, under a title; SVG or PNG by the ending of `path`. */
elb_status elb_figure_save(elb_context *c, const char *path, const char *title, const elb_panel *panels, int64_t count);

#endif
