/* image.h - data as pictures: 8-bit canvases, grids of images, scatter plots, heat maps, PNG. */
#ifndef ELB_IMAGE_H
#define ELB_IMAGE_H

#include "base/base.h"

enum { ELB_IMAGE_SOURCES = 2 };

typedef struct elb_image {
    elb_context *context;
    int64_t width, height;
    int channels;    /* 1 grey, 3 red green blue */
    uint8_t *pixels; /* [height, width, channels] */
} elb_image;

/* Every byte is `fill`. channels 1 or 3. Errors: ELB_USAGE (no pixel, or more than 2^28 bytes), ELB_MEMORY. */
elb_status elb_image_create(elb_context *c, int64_t width, int64_t height, int channels, uint8_t fill,
                            elb_image **image);
void elb_image_destroy(elb_image *image); /* may be NULL */

/* What is shown: `count` data of `size` values each, or two such sets that belong together datum by datum (an original
 * and its reconstruction, data and samples). */
typedef struct elb_image_items {
    int64_t count;                             /* B */
    int64_t height, width, channels;           /* one datum is [height, width, channels]; a table: 1, D, 1 */
    const elb_real *values[ELB_IMAGE_SOURCES]; /* each [B, height*width*channels]; the second may be NULL */
    int64_t columns;                           /* data side by side in a grid; 0: about as many as rows */
    int64_t scale;                             /* pixels per value in a grid, each way; 0: fit for the eye */
} elb_image_items;

/* *size = values of one datum. Errors: ELB_USAGE when there are no data, or more than can be counted. */
elb_status elb_image_check(elb_context *c, const elb_image_items *items, int64_t *size);
/* Images with values in [0,1] (what lies outside is cut off, NaN is black), channels 1 or 3, on a light ground. With
 * two sources each row of the first stands directly above the same row of the second, and a wider gap follows. Errors:
 * ELB_USAGE (no data, other channels, too large), ELB_MEMORY. */
elb_status elb_image_grid(elb_context *c, const elb_image_items *items, elb_image **image);
/* Pairs of numbers as points of a plane (height*width*channels = 2): the first source grey, the second in colour on
 * top. Points that are not finite are left out. Errors: as above. */
elb_status elb_image_scatter(elb_context *c, const elb_image_items *items, elb_image **image);
/* Any table: a row per datum, 240 at most, and a column per value, dark for the least and light for the greatest value
 * of all; two sources side by side. NaN is red. Errors: as above. */
elb_status elb_image_heat(elb_context *c, const elb_image_items *items, elb_image **image);
typedef enum elb_image_kind { ELB_IMAGE_GRID, ELB_IMAGE_SCATTER, ELB_IMAGE_HEAT } elb_image_kind;
/* Whichever of the three suits data of this shape. */
elb_image_kind elb_image_kind_of(int64_t height, int64_t width, int64_t channels);
elb_status elb_image_draw(elb_context *c, const elb_image_items *items, elb_image **image);

/* The image as a PNG file in memory; the caller frees *bytes with elb_free. Errors: ELB_MEMORY, ELB_FAILURE. */
elb_status elb_image_encode(const elb_image *image, uint8_t **bytes, int64_t *size);
/* The same into a file, atomically. */
elb_status elb_image_save(const elb_image *image, const char *path);

#endif
