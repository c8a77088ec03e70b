/* image_plot.c - data that are not images as pictures: scatter plots and heat maps. */
#include <math.h>

#include "task/axis.h"
#include "task/paint.h"

enum {
    PLOT_SIDE = 560, /* pixels of the square that the points lie in */
    PLOT_LEFT = 84,  /* pixels around it: for the numbers beside the axes */
    PLOT_BELOW = 34,
    PLOT_MARGIN = 16,
    PLOT_TICKS = 7,
    PLOT_MANY = 2000, /* points from which on they are drawn fainter */
    PLOT_SCALE = 2,   /* of letters */
    HEAT_SIDE = 480,  /* pixels that small tables are enlarged to, about */
    HEAT_CELL_MAX = 24,
    HEAT_LEAST = 240, /* pixels that a picture is wide at least, and rows that it has at most */
    HEAT_GAP = 12
};

static const elb_color plot_points[ELB_IMAGE_SOURCES] = {{{123, 135, 148}}, {{214, 69, 65}}};

/* --- scatter ------------------------------------------------------------------------------------------------------ */

/* A little wider than the finite values of one coordinate (0 or 1) of all sources. */
static elb_axis plot_axis(const elb_image_items *items, int coordinate)
{
    double low = INFINITY, high = -INFINITY;
    for (int s = 0; s < ELB_IMAGE_SOURCES && items->values[s]; s++)
        for (int64_t i = 0; i < items->count; i++) {
            double x = (double)items->values[s][2 * i + coordinate];
            if (!isfinite(x)) continue;
            low = fmin(low, x), high = fmax(high, x);
        }
    double margin = 0.04 * (high - low);
    return elb_axis_fit(low - margin, high + margin, PLOT_TICKS, false);
}

static void plot_scatter_frame(elb_image *m, const elb_axis *x, const elb_axis *y)
{
    char text[ELB_NUMBER_SIZE];
    const int64_t left = PLOT_LEFT, top = PLOT_MARGIN, bottom = top + PLOT_SIDE, height = ELB_LETTER_ABOVE * PLOT_SCALE;
    for (int i = 0; i < x->count; i++) {
        int64_t at = left + (int64_t)lround(elb_axis_place(x, x->ticks[i]) * PLOT_SIDE);
        elb_paint_box(m, at, top, 1, PLOT_SIDE, elb_color_grid);
        elb_axis_label(x, i, text);
        elb_paint_text(m, at - elb_paint_text_width(text, PLOT_SCALE) / 2, bottom + 8, PLOT_SCALE, elb_color_ink, text);
    }
    for (int i = 0; i < y->count; i++) {
        int64_t at = bottom - (int64_t)lround(elb_axis_place(y, y->ticks[i]) * PLOT_SIDE);
        elb_paint_box(m, left, at, PLOT_SIDE, 1, elb_color_grid);
        elb_axis_label(y, i, text);
        elb_paint_text(m, left - 8 - elb_paint_text_width(text, PLOT_SCALE), at - height / 2, PLOT_SCALE, elb_color_ink,
                       text);
    }
    elb_paint_box(m, left, top, 1, PLOT_SIDE + 1, elb_color_frame);
    elb_paint_box(m, left, bottom, PLOT_SIDE + 1, 1, elb_color_frame);
}

elb_status elb_image_scatter(elb_context *c, const elb_image_items *items, elb_image **image)
{
    int64_t size = 0;
    *image = NULL;
    ELB_TRY(elb_image_check(c, items, &size));
    if (size != 2)
        return elb_fail(c, ELB_USAGE, "data of %lld values are no points of a plane; expected 2", (long long)size);
    ELB_TRY(
        elb_image_create(c, PLOT_LEFT + PLOT_SIDE + PLOT_MARGIN, PLOT_MARGIN + PLOT_SIDE + PLOT_BELOW, 3, 255, image));
    elb_axis x = plot_axis(items, 0), y = plot_axis(items, 1);
    plot_scatter_frame(*image, &x, &y);
    bool many = items->count >= PLOT_MANY;
    for (int s = 0; s < ELB_IMAGE_SOURCES && items->values[s]; s++)
        for (int64_t i = 0; i < items->count; i++) {
            double u = (double)items->values[s][2 * i], v = (double)items->values[s][2 * i + 1];
            if (!isfinite(u) || !isfinite(v)) continue;
            elb_paint_disc(*image, PLOT_LEFT + elb_axis_place(&x, u) * PLOT_SIDE,
                           PLOT_MARGIN + PLOT_SIDE - elb_axis_place(&y, v) * PLOT_SIDE, many ? 1.5 : 2.5,
                           plot_points[s], many ? 0.35 : 0.7);
        }
    return ELB_OK;
}

/* --- heat map ----------------------------------------------------------------------------------------------------- */

/* From dark blue over teal to pale yellow: lightness rises evenly. */
static elb_color plot_heat(double place)
{
    static const double stops[][3] = {{32, 24, 74}, {40, 83, 133}, {45, 142, 135}, {122, 199, 98}, {250, 235, 120}};
    enum { LAST = sizeof stops / sizeof stops[0] - 1 };
    if (isnan(place)) return plot_points[1];
    double at = fmin(fmax(place, 0), 1) * LAST;
    int below = at < LAST ? (int)at : LAST - 1;
    elb_color color;
    for (int k = 0; k < 3; k++)
        color.rgb[k] = (uint8_t)lround(stops[below][k] + (at - below) * (stops[below + 1][k] - stops[below][k]));
    return color;
}

static void plot_range(const elb_image_items *items, int64_t size, double *low, double *high)
{
    *low = INFINITY, *high = -INFINITY;
    for (int s = 0; s < ELB_IMAGE_SOURCES && items->values[s]; s++)
        for (int64_t i = 0; i < items->count * size; i++) {
            double x = (double)items->values[s][i];
            if (isfinite(x)) *low = fmin(*low, x), *high = fmax(*high, x);
        }
}

typedef struct heat_layout {
    int64_t rows, cell_width, cell_height, width;
} heat_layout;

/* Square cells unless that makes the picture too narrow; false when the columns cannot be counted. */
static bool heat_lay_out(int64_t count, int64_t size, int64_t sources, heat_layout *l)
{
    int64_t columns = 0;
    if (!elb_mul_fits(size, sources, &columns)) return false;
    l->rows = count < HEAT_LEAST ? count : HEAT_LEAST;
    int64_t longest = l->rows > columns ? l->rows : columns;
    l->cell_height = longest >= HEAT_SIDE ? 1 : HEAT_SIDE / longest;
    if (l->cell_height > HEAT_CELL_MAX) l->cell_height = HEAT_CELL_MAX;
    int64_t least = columns >= HEAT_LEAST ? 1 : (HEAT_LEAST + columns - 1) / columns;
    l->cell_width = l->cell_height > least ? l->cell_height : least;
    if (!elb_mul_fits(columns, l->cell_width, &l->width) || l->width > INT64_MAX - HEAT_GAP) return false;
    l->width += (sources - 1) * HEAT_GAP;
    return true;
}

elb_status elb_image_heat(elb_context *c, const elb_image_items *items, elb_image **image)
{
    int64_t size = 0, sources = items->values[1] ? 2 : 1;
    double low = 0, high = 0;
    *image = NULL;
    ELB_TRY(elb_image_check(c, items, &size));
    heat_layout l;
    if (!heat_lay_out(items->count, size, sources, &l))
        return elb_fail(c, ELB_USAGE, "a table of %lld x %lld values is too large to draw", (long long)items->count,
                        (long long)size);
    if (l.rows < items->count)
        elb_log(c, ELB_LOG_INFO, "the picture shows the first %lld of %lld rows", (long long)l.rows,
                (long long)items->count);
    ELB_TRY(elb_image_create(c, l.width, l.rows * l.cell_height, 3, 255, image));
    elb_image_items shown = *items;
    shown.count = l.rows;
    plot_range(&shown, size, &low, &high);
    for (int s = 0; s < sources; s++)
        for (int64_t i = 0; i < l.rows; i++)
            for (int64_t k = 0; k < size; k++) {
                double x = (double)items->values[s][i * size + k];
                double place = isnan(x) ? NAN : isinf(x) ? x : high > low ? (x - low) / (high - low) : 0.5;
                elb_paint_box(*image, s * (size * l.cell_width + HEAT_GAP) + k * l.cell_width, i * l.cell_height,
                              l.cell_width, l.cell_height, plot_heat(place));
            }
    return ELB_OK;
}
