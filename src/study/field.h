/* field.h - a density over a window of the plane, on a grid: its highest regions, shaded or outlined. */
#ifndef ELB_FIELD_H
#define ELB_FIELD_H

#include "study/canvas.h"

enum { ELB_FIELD_SIDE = 128, ELB_FIELD_COUNT = ELB_FIELD_SIDE * ELB_FIELD_SIDE }; /* points along each side; in all */

typedef struct elb_window {
    double low[2], high[2];
} elb_window;

typedef struct elb_field {
    elb_window window;
    double log_mass; /* log of the integral over the window, before the values were divided by it */
    double *values;  /* [SIDE,SIDE], row by row from low[1] up; they sum to 1 */
} elb_field;

/* From log densities, which need not be normalised: takes log_values[SIDE*SIDE] over. */
void elb_field_make(elb_field *f, elb_window window, double *log_values);
/* From n draws z [n,2], smoothed by a Gaussian (Scott 1992); `values` is taken over. */
void elb_field_from_draws(elb_field *f, elb_window window, double *values, int64_t n, const elb_real *z);
/* The centre of point i of SIDE along a side. */
double elb_field_at(const elb_window *w, int side, int64_t i);
/* The level whose region above it holds so much of the mass: the smallest such region (Hyndman
 * 1996). Errors: ELB_MEMORY. */
elb_status elb_field_level(elb_context *c, const elb_field *f, double mass, double *level);

/* Into a square of the page, `side` wide: the region above the level in one colour, or its outline. */
void elb_field_shade(const elb_field *f, elb_canvas *canvas, elb_point corner, double side, double level,
                     elb_color color);
void elb_field_outline(const elb_field *f, elb_canvas *canvas, elb_point corner, double side, double level,
                       double width, elb_color color);

#endif
