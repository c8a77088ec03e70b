/* canvas.c - one page, as SVG or as pixels. */
#include "study/canvas.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/number.h"
#include "task/html.h"

enum { CANVAS_SCALE = 2 };  /* pixels of a PNG per unit */
#define CANVAS_ENLARGED 1.5 /* of an SVG where it is shown by itself: ten units make small letters */

typedef struct canvas_type {
    void (*box)(elb_canvas *canvas, elb_point corner, double width, double height, elb_color color);
    void (*line)(elb_canvas *canvas, elb_point from, elb_point to, double width, elb_color color);
    void (*disc)(elb_canvas *canvas, elb_point at, double radius, elb_color color, bool open);
    void (*text)(elb_canvas *canvas, elb_point at, elb_anchor anchor, elb_color color, const char *text);
    elb_status (*close)(elb_canvas *canvas);
} canvas_type;

struct elb_canvas {
    elb_context *context;
    const canvas_type *type;
    elb_writer *writer; /* SVG */
    elb_image *image;   /* PNG */
    char *path;
};

static const elb_color canvas_ground = {{255, 255, 255}};

double elb_canvas_text_width(const char *text)
{
    return (double)elb_paint_text_width(text, 1);
}

/* --- SVG ---------------------------------------------------------------------------------------------------------- */

/* A number of units to a hundredth, the same in every locale. */
static void svg_put(elb_writer *w, const char *name, double value)
{
    char text[ELB_NUMBER_SIZE];
    elb_number_fixed(value, 2, text);
    elb_writer_printf(w, " %s=\"%s\"", name, text);
}

static void svg_put_color(elb_writer *w, const char *name, elb_color color)
{
    elb_writer_printf(w, " %s=\"#%02x%02x%02x\"", name, color.rgb[0], color.rgb[1], color.rgb[2]);
}

static void svg_box(elb_canvas *v, elb_point corner, double width, double height, elb_color color)
{
    elb_writer_printf(v->writer, "<rect");
    svg_put(v->writer, "x", corner.x);
    svg_put(v->writer, "y", corner.y);
    svg_put(v->writer, "width", width);
    svg_put(v->writer, "height", height);
    svg_put_color(v->writer, "fill", color);
    elb_writer_printf(v->writer, " shape-rendering=\"crispEdges\"/>\n"); /* boxes that meet leave no seam */
}

static void svg_line(elb_canvas *v, elb_point from, elb_point to, double width, elb_color color)
{
    elb_writer_printf(v->writer, "<line");
    svg_put(v->writer, "x1", from.x);
    svg_put(v->writer, "y1", from.y);
    svg_put(v->writer, "x2", to.x);
    svg_put(v->writer, "y2", to.y);
    svg_put(v->writer, "stroke-width", width);
    svg_put_color(v->writer, "stroke", color);
    elb_writer_printf(v->writer, "/>\n");
}

static void svg_disc(elb_canvas *v, elb_point at, double radius, elb_color color, bool open)
{
    elb_writer_printf(v->writer, "<circle");
    svg_put(v->writer, "cx", at.x);
    svg_put(v->writer, "cy", at.y);
    svg_put(v->writer, "r", open ? radius - 0.5 : radius);
    svg_put_color(v->writer, "fill", open ? canvas_ground : color);
    if (open) svg_put_color(v->writer, "stroke", color);
    elb_writer_printf(v->writer, "/>\n");
}

static void svg_text(elb_canvas *v, elb_point at, elb_anchor anchor, elb_color color, const char *text)
{
    static const char *const anchors[] = {"start", "middle", "end"};
    elb_writer_printf(v->writer, "<text");
    svg_put(v->writer, "x", at.x);
    svg_put(v->writer, "y", at.y);
    svg_put_color(v->writer, "fill", color);
    elb_writer_printf(v->writer, " text-anchor=\"%s\">", anchors[anchor]);
    elb_html_put(v->writer, text);
    elb_writer_printf(v->writer, "</text>\n");
}

static elb_status svg_close(elb_canvas *v)
{
    elb_writer_printf(v->writer, "</svg>\n");
    return elb_writer_commit(v->writer);
}

static const canvas_type canvas_svg = {svg_box, svg_line, svg_disc, svg_text, svg_close};

static elb_status svg_open(elb_canvas *v, int64_t width, int64_t height)
{
    v->type = &canvas_svg;
    ELB_TRY(elb_writer_open(v->context, v->path, &v->writer));
    elb_writer_printf(v->writer,
                      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %" PRId64 " %" PRId64
                      "\" width=\"%.0f\" "
                      "height=\"%.0f\" font-family=\"ui-monospace,Menlo,Consolas,monospace\" font-size=\"10\">\n"
                      "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
                      width, height, (double)width * CANVAS_ENLARGED, (double)height * CANVAS_ENLARGED);
    return ELB_OK;
}

/* --- PNG ---------------------------------------------------------------------------------------------------------- */

/* Edges at whole pixels: boxes that meet leave no gap. */
static void png_box(elb_canvas *v, elb_point corner, double width, double height, elb_color color)
{
    int64_t left = llround(CANVAS_SCALE * corner.x), right = llround(CANVAS_SCALE * (corner.x + width));
    int64_t top = llround(CANVAS_SCALE * corner.y), bottom = llround(CANVAS_SCALE * (corner.y + height));
    elb_paint_box(v->image, left, top, right - left, bottom - top, color);
}

static void png_line(elb_canvas *v, elb_point from, elb_point to, double width, elb_color color)
{
    const double a[2] = {CANVAS_SCALE * from.x, CANVAS_SCALE * from.y},
                 b[2] = {CANVAS_SCALE * to.x, CANVAS_SCALE * to.y};
    elb_paint_line(v->image, a, b, CANVAS_SCALE * width, color);
}

static void png_disc(elb_canvas *v, elb_point at, double radius, elb_color color, bool open)
{
    double x = CANVAS_SCALE * at.x, y = CANVAS_SCALE * at.y, r = CANVAS_SCALE * radius;
    elb_paint_disc(v->image, x, y, r, color, 1);
    if (open) elb_paint_disc(v->image, x, y, r - CANVAS_SCALE, canvas_ground, 1);
}

static void png_text(elb_canvas *v, elb_point at, elb_anchor anchor, elb_color color, const char *text)
{
    int64_t width = elb_paint_text_width(text, CANVAS_SCALE), left = llround(CANVAS_SCALE * at.x);
    left -= anchor == ELB_ANCHOR_END ? width : anchor == ELB_ANCHOR_MIDDLE ? width / 2 : 0;
    elb_paint_text(v->image, left, llround(CANVAS_SCALE * (at.y - ELB_LETTER_ABOVE)), CANVAS_SCALE, color, text);
}

static elb_status png_close(elb_canvas *v)
{
    return elb_image_save(v->image, v->path);
}

static const canvas_type canvas_png = {png_box, png_line, png_disc, png_text, png_close};

static elb_status png_open(elb_canvas *v, int64_t width, int64_t height)
{
    v->type = &canvas_png;
    return elb_image_create(v->context, width * CANVAS_SCALE, height * CANVAS_SCALE, 3, 255, &v->image);
}

/* --- either ------------------------------------------------------------------------------------------------------- */

static void canvas_free(elb_canvas *v)
{
    elb_image_destroy(v->image);
    elb_free(v->context, v->path);
    elb_free(v->context, v);
}

elb_status elb_canvas_open(elb_context *c, const char *path, int64_t width, int64_t height, elb_canvas **canvas)
{
    *canvas = NULL;
    elb_canvas *made = elb_alloc(c, 1, sizeof *made);
    if (!made) return ELB_MEMORY;
    *made = (elb_canvas){.context = c, .path = elb_strdup(c, path)};
    size_t length = strlen(path);
    bool svg = length >= 4 && strcmp(path + length - 4, ".svg") == 0;
    elb_status status = !made->path ? ELB_MEMORY : svg ? svg_open(made, width, height) : png_open(made, width, height);
    if (status == ELB_OK)
        *canvas = made;
    else
        canvas_free(made);
    return status;
}

elb_status elb_canvas_close(elb_canvas *canvas)
{
    elb_status status = canvas->type->close(canvas);
    canvas_free(canvas);
    return status;
}

void elb_canvas_discard(elb_canvas *canvas)
{
    elb_writer_discard(canvas->writer);
    canvas_free(canvas);
}

void elb_canvas_box(elb_canvas *canvas, elb_point corner, double width, double height, elb_color color)
{
    canvas->type->box(canvas, corner, width, height, color);
}

void elb_canvas_line(elb_canvas *canvas, elb_point from, elb_point to, double width, elb_color color)
{
    canvas->type->line(canvas, from, to, width, color);
}

void elb_canvas_disc(elb_canvas *canvas, elb_point at, double radius, elb_color color, bool open)
{
    canvas->type->disc(canvas, at, radius, color, open);
}

void elb_canvas_text(elb_canvas *canvas, elb_point at, elb_anchor anchor, elb_color color, const char *text)
{
    canvas->type->text(canvas, at, anchor, color, text);
}
