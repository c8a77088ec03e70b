/* canvas.h - a page that is drawn once as SVG and once as PNG by the same calls.
 *
 * Lengths are in units, of which a letter is 6 wide and 7 high above its line; y grows downwards. Nothing here returns
 * a status but open and close: a canvas remembers a failure until it is closed. */
#ifndef ELB_CANVAS_H
#define ELB_CANVAS_H

#include "base/base.h"
#include "task/paint.h"

typedef struct elb_canvas elb_canvas;

typedef struct elb_point {
    double x, y;
} elb_point;

typedef enum elb_anchor { ELB_ANCHOR_START, ELB_ANCHOR_MIDDLE, ELB_ANCHOR_END } elb_anchor;

/* By the ending of `path`, .svg or .png. The file appears whole or not at all, when the canvas is closed. */
elb_status elb_canvas_open(elb_context *c, const char *path, int64_t width, int64_t height, elb_canvas **canvas);
elb_status elb_canvas_close(elb_canvas *canvas);
void elb_canvas_discard(elb_canvas *canvas); /* no file */

void elb_canvas_box(elb_canvas *canvas, elb_point corner, double width, double height, elb_color color);
void elb_canvas_line(elb_canvas *canvas, elb_point from, elb_point to, double width, elb_color color);
/* open: a ring with the page's ground in it. */
void elb_canvas_disc(elb_canvas *canvas, elb_point at, double radius, elb_color color, bool open);
/* at: the left end, middle or right end of the line that the letters stand on. */
void elb_canvas_text(elb_canvas *canvas, elb_point at, elb_anchor anchor, elb_color color, const char *text);
double elb_canvas_text_width(const char *text);

#endif
