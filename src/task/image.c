/* image.c - canvases, grids of images, PNG. */
#include "task/image.h"

#include <inttypes.h>
#include <string.h>

#include <png.h>

#include "base/file.h"

enum {
    IMAGE_BYTES_MAX = 1 << 28,
    IMAGE_GROUND = 236,   /* grey level between the images of a grid */
    IMAGE_GAP = 2,        /* pixels between images */
    IMAGE_GROUP_GAP = 10, /* pixels between pairs of rows */
    IMAGE_ITEM_SIZE = 56  /* pixels that small images are enlarged to, about */
};

elb_status elb_image_create(elb_context *c, int64_t width, int64_t height, int channels, uint8_t fill,
                            elb_image **image)
{
    int64_t pixels = 0;
    *image = NULL;
    if (width < 1 || height < 1 || !elb_mul_fits(width, height, &pixels) || pixels > IMAGE_BYTES_MAX / channels)
        return elb_fail(c, ELB_USAGE,
                        "an image of %" PRId64 " x %" PRId64 " pixels cannot be made; show fewer or smaller data",
                        width, height);
    elb_image *m = elb_alloc(c, 1, sizeof *m);
    if (!m) return ELB_MEMORY;
    *m = (elb_image){.context = c, .width = width, .height = height, .channels = channels};
    m->pixels = elb_alloc(c, pixels * channels, 1);
    if (!m->pixels) {
        elb_free(c, m);
        return ELB_MEMORY;
    }
    memset(m->pixels, fill, (size_t)(pixels * channels));
    *image = m;
    return ELB_OK;
}

void elb_image_destroy(elb_image *image)
{
    if (!image) return;
    elb_free(image->context, image->pixels);
    elb_free(image->context, image);
}

elb_status elb_image_check(elb_context *c, const elb_image_items *items, int64_t *size)
{
    *size = 0;
    if (items->count < 1 || items->height < 1 || items->width < 1 || items->channels < 1 || !items->values[0])
        return elb_fail(c, ELB_USAGE, "there are no data to draw");
    if (!elb_mul_fits(items->height, items->width, size) || !elb_mul_fits(*size, items->channels, size))
        return elb_fail(c, ELB_USAGE, "data of %" PRId64 " x %" PRId64 " x %" PRId64 " values are too large to draw",
                        items->height, items->width, items->channels);
    return ELB_OK;
}

/* --- grids -------------------------------------------------------------------------------------------------------- */

typedef struct image_layout {
    int64_t columns, rows; /* rows of one source */
    int64_t scale, width, height;
} image_layout;

/* Pixels of n cells of `size` with a gap around each, or -1 when they are too many for any canvas. */
static int64_t image_extent(int64_t n, int64_t size, int64_t gap)
{
    int64_t extent = 0;
    return size < IMAGE_BYTES_MAX && elb_mul_fits(n, size + gap, &extent) && extent < IMAGE_BYTES_MAX ? extent + gap
                                                                                                      : -1;
}

static image_layout image_lay_out(const elb_image_items *items)
{
    image_layout l = {.columns = items->columns, .scale = items->scale};
    int64_t largest = items->height > items->width ? items->height : items->width, size = 0;
    if (l.scale < 1) l.scale = largest >= IMAGE_ITEM_SIZE ? 1 : IMAGE_ITEM_SIZE / largest;
    if (l.columns < 1)
        for (l.columns = 1; l.columns * l.columns < items->count * (items->values[1] ? 2 : 1);) l.columns++;
    if (l.columns > items->count) l.columns = items->count;
    l.rows = (items->count + l.columns - 1) / l.columns;
    l.width = elb_mul_fits(items->width, l.scale, &size) ? image_extent(l.columns, size, IMAGE_GAP) : -1;
    l.height = -1;
    if (!elb_mul_fits(items->height, l.scale, &size) || size >= IMAGE_BYTES_MAX) return l;
    if (items->values[1])
        l.height = image_extent(l.rows, 2 * size + IMAGE_GAP, IMAGE_GROUP_GAP);
    else
        l.height = image_extent(l.rows, size, IMAGE_GAP);
    return l;
}

static uint8_t image_byte(elb_real value)
{
    if (!(value > 0)) return 0; /* NaN too */
    return value < 1 ? (uint8_t)(value * 255 + (elb_real)0.5) : 255;
}

static void image_paste(elb_image *m, const elb_image_items *items, const elb_real *x, int64_t left, int64_t top,
                        int64_t scale)
{
    for (int64_t row = 0; row < items->height * scale; row++) {
        const elb_real *from = x + row / scale * items->width * items->channels;
        uint8_t *to = m->pixels + ((top + row) * m->width + left) * m->channels;
        for (int64_t column = 0; column < items->width * scale; column++)
            for (int64_t k = 0; k < items->channels; k++)
                *to++ = image_byte(from[column / scale * items->channels + k]);
    }
}

elb_status elb_image_grid(elb_context *c, const elb_image_items *items, elb_image **image)
{
    int64_t size = 0;
    *image = NULL;
    ELB_TRY(elb_image_check(c, items, &size));
    if (items->channels != 1 && items->channels != 3)
        return elb_fail(c, ELB_USAGE, "images of %" PRId64 " channels cannot be shown; expected 1 or 3",
                        items->channels);
    image_layout l = image_lay_out(items);
    elb_status status = elb_image_create(c, l.width, l.height, (int)items->channels, IMAGE_GROUND, image);
    if (!*image) return status;
    bool pairs = items->values[1] != NULL;
    int64_t cell_width = items->width * l.scale + IMAGE_GAP, cell_height = items->height * l.scale + IMAGE_GAP;
    int64_t group = pairs ? 2 * cell_height - IMAGE_GAP + IMAGE_GROUP_GAP : cell_height;
    for (int64_t i = 0; i < items->count; i++) {
        int64_t left = IMAGE_GAP + i % l.columns * cell_width;
        int64_t top = (pairs ? IMAGE_GROUP_GAP : IMAGE_GAP) + i / l.columns * group;
        image_paste(*image, items, items->values[0] + i * size, left, top, l.scale);
        if (pairs) image_paste(*image, items, items->values[1] + i * size, left, top + cell_height, l.scale);
    }
    return status;
}

elb_image_kind elb_image_kind_of(int64_t height, int64_t width, int64_t channels)
{
    bool pair = height <= 2 && width <= 2 && channels <= 2 && height * width * channels == 2;
    if (pair) return ELB_IMAGE_SCATTER;
    return height > 1 && width > 1 && (channels == 1 || channels == 3) ? ELB_IMAGE_GRID : ELB_IMAGE_HEAT;
}

elb_status elb_image_draw(elb_context *c, const elb_image_items *items, elb_image **image)
{
    int64_t size = 0;
    *image = NULL;
    ELB_TRY(elb_image_check(c, items, &size));
    elb_image_kind kind = elb_image_kind_of(items->height, items->width, items->channels);
    if (kind == ELB_IMAGE_SCATTER) return elb_image_scatter(c, items, image);
    return kind == ELB_IMAGE_GRID ? elb_image_grid(c, items, image) : elb_image_heat(c, items, image);
}

/* --- PNG ---------------------------------------------------------------------------------------------------------- */

elb_status elb_image_encode(const elb_image *image, uint8_t **bytes, int64_t *size)
{
    png_image png = {.version = PNG_IMAGE_VERSION,
                     .width = (png_uint_32)image->width,
                     .height = (png_uint_32)image->height,
                     .format = image->channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB};
    png_alloc_size_t length = PNG_IMAGE_PNG_SIZE_MAX(png);
    *size = 0;
    *bytes = elb_alloc(image->context, (int64_t)length, 1);
    if (!*bytes) return ELB_MEMORY;
    if (png_image_write_to_memory(&png, *bytes, &length, 0, image->pixels, 0, NULL)) {
        *size = (int64_t)length;
        return ELB_OK;
    }
    elb_free(image->context, *bytes);
    *bytes = NULL;
    return elb_fail(image->context, ELB_FAILURE, "libpng could not encode an image: %s", png.message);
}

elb_status elb_image_save(const elb_image *image, const char *path)
{
    uint8_t *bytes = NULL;
    int64_t size = 0;
    elb_writer *w = NULL;
    ELB_TRY(elb_image_encode(image, &bytes, &size));
    elb_status status = elb_writer_open(image->context, path, &w);
    if (status == ELB_OK) {
        elb_writer_put(w, bytes, (size_t)size); /* commit reports its failure */
        status = elb_writer_commit(w);
    }
    elb_free(image->context, bytes);
    return status;
}
