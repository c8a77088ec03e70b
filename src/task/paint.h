/* paint.h - boxes, lines, discs and words on a canvas of three channels. What lies outside is cut off. */
#ifndef ELB_PAINT_H
#define ELB_PAINT_H

#include "task/image.h"

typedef struct elb_color {
    uint8_t rgb[3];
} elb_color;

extern const elb_color elb_color_grid, elb_color_frame, elb_color_ink; /* of every chart */

/* Pixels of a letter at scale 1; its lowest two rows lie below the line. */
enum { ELB_LETTER_WIDTH = 6, ELB_LETTER_HEIGHT = 9, ELB_LETTER_ABOVE = 7 };

void elb_paint_box(elb_image *m, int64_t left, int64_t top, int64_t width, int64_t height, elb_color color);
/* With soft edges, as the next: opacity 0..1. */
void elb_paint_disc(elb_image *m, double x, double y, double radius, elb_color color, double opacity);
void elb_paint_line(elb_image *m, const double from[2], const double to[2], double width, elb_color color);
/* Printable ASCII; any other character is a question mark. `scale` times as large. */
void elb_paint_text(elb_image *m, int64_t left, int64_t top, int64_t scale, elb_color color, const char *text);
int64_t elb_paint_text_width(const char *text, int64_t scale);

#endif
