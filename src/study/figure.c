/* figure.c - panels, their axes, points, and a place for every name. */
#include "study/figure.h"

#include <math.h>
#include <stdio.h>

#include "task/axis.h"

/* Units. */
enum {
    FIGURE_PLOT_WIDTH = 400,
    FIGURE_PLOT_HEIGHT = 270,
    FIGURE_LEFT = 62,
    FIGURE_RIGHT = 14,
    FIGURE_ABOVE = 26,
    FIGURE_BELOW = 40,
    FIGURE_TITLE = 24,
    FIGURE_TICKS = 8,
    FIGURE_WIDTH = FIGURE_LEFT + FIGURE_PLOT_WIDTH + FIGURE_RIGHT,
    FIGURE_HEIGHT = FIGURE_ABOVE + FIGURE_PLOT_HEIGHT + FIGURE_BELOW,
    FIGURE_CAP = 2,     /* half of an error bar's end */
    FIGURE_PIECES = 24, /* of a line, each of which a name may cover or not */
    FIGURE_LETTERS = 36 /* of a name that are shown */
};
static const double figure_radius = 3;

static const elb_color figure_colors[] = {{{37, 99, 235}},  {{214, 69, 65}}, {{23, 147, 111}}, {{143, 91, 214}},
                                          {{224, 112, 26}}, {{8, 145, 178}}, {{190, 24, 93}},  {{101, 123, 31}},
                                          {{120, 83, 60}},  {{79, 70, 160}}, {{90, 105, 120}}, {{202, 138, 4}},
                                          {{13, 118, 60}}};

static elb_color figure_color(int color)
{
    return figure_colors[(unsigned)color % (sizeof figure_colors / sizeof *figure_colors)];
}

typedef struct figure_box {
    double left, top, right, bottom;
} figure_box;

typedef struct figure_panel {
    elb_canvas *canvas;
    const elb_panel *panel;
    figure_box plot;
    elb_axis x, y;
    int64_t box_count;
    figure_box *boxes; /* what names must not cover: points, pieces of lines, and the names that have a place */
} figure_panel;

static bool figure_shown(const elb_figure_point *p)
{
    return isfinite(p->x) && p->x > 0 && isfinite(p->y);
}

static elb_point figure_place(const figure_panel *f, double x, double y)
{
    const figure_box *b = &f->plot;
    return (elb_point){b->left + elb_axis_place(&f->x, x) * (b->right - b->left),
                       b->bottom - elb_axis_place(&f->y, y) * (b->bottom - b->top)};
}

/* --- axes --------------------------------------------------------------------------------------------------------- */

static void figure_fit(figure_panel *f)
{
    double x_low = INFINITY, x_high = 0, y_low = INFINITY, y_high = -INFINITY;
    for (int64_t i = 0; i < f->panel->count; i++) {
        const elb_figure_point *p = &f->panel->points[i];
        if (!figure_shown(p)) continue;
        double error = isfinite(p->error) ? p->error : 0;
        x_low = fmin(x_low, p->x), x_high = fmax(x_high, p->x);
        y_low = fmin(y_low, p->y - error), y_high = fmax(y_high, p->y + error);
    }
    if (x_high > 0) x_low /= 1.5, x_high *= 2.5; /* names stand on the right of their points, where there is room */
    double margin = 0.08 * (y_high - y_low);
    f->x = elb_axis_fit(x_low, x_high, FIGURE_TICKS, true);
    f->y = elb_axis_fit(y_low - margin, y_high + margin, FIGURE_TICKS, false);
}

static void figure_draw_axes(const figure_panel *f)
{
    elb_canvas *v = f->canvas;
    const figure_box *b = &f->plot;
    char text[ELB_NUMBER_SIZE];
    for (int i = 0; i < f->x.count; i++) {
        double at = b->left + elb_axis_place(&f->x, f->x.ticks[i]) * (b->right - b->left);
        elb_axis_label(&f->x, i, text);
        elb_canvas_line(v, (elb_point){at, b->top}, (elb_point){at, b->bottom}, 0.5, elb_color_grid);
        elb_canvas_text(v, (elb_point){at, b->bottom + 12}, ELB_ANCHOR_MIDDLE, elb_color_ink, text);
    }
    for (int i = 0; i < f->y.count; i++) {
        double at = b->bottom - elb_axis_place(&f->y, f->y.ticks[i]) * (b->bottom - b->top);
        elb_axis_label(&f->y, i, text);
        elb_canvas_line(v, (elb_point){b->left, at}, (elb_point){b->right, at}, 0.5, elb_color_grid);
        elb_canvas_text(v, (elb_point){b->left - 5, at + 3.5}, ELB_ANCHOR_END, elb_color_ink, text);
    }
    elb_canvas_line(v, (elb_point){b->left, b->top}, (elb_point){b->left, b->bottom}, 1, elb_color_frame);
    elb_canvas_line(v, (elb_point){b->left, b->bottom}, (elb_point){b->right, b->bottom}, 1, elb_color_frame);
    elb_canvas_text(v, (elb_point){b->left, b->top - 8}, ELB_ANCHOR_START, elb_color_ink, f->panel->y_label);
    elb_canvas_text(v, (elb_point){(b->left + b->right) / 2, b->bottom + 27}, ELB_ANCHOR_MIDDLE, elb_color_ink,
                    f->panel->x_label);
}

/* --- points ------------------------------------------------------------------------------------------------------- */

/* A stroke that names keep off. */
static void figure_draw_stroke(figure_panel *f, elb_point from, elb_point to, elb_color color)
{
    elb_canvas_line(f->canvas, from, to, 1, color);
    for (int i = 0; i < FIGURE_PIECES; i++) {
        double along = (i + 0.5) / FIGURE_PIECES, x = from.x + along * (to.x - from.x),
               y = from.y + along * (to.y - from.y);
        f->boxes[f->box_count++] = (figure_box){x - 1, y - 1, x + 1, y + 1};
    }
}

static void figure_draw_lines(figure_panel *f)
{
    for (int64_t i = 0; i < f->panel->lines; i++) {
        const elb_figure_point *a = &f->panel->points[f->panel->joined[i][0]],
                               *b = &f->panel->points[f->panel->joined[i][1]];
        if (figure_shown(a) && figure_shown(b))
            figure_draw_stroke(f, figure_place(f, a->x, a->y), figure_place(f, b->x, b->y), figure_color(b->color));
    }
}

static void figure_draw_point(figure_panel *f, const elb_figure_point *p)
{
    elb_point at = figure_place(f, p->x, p->y);
    elb_color color = figure_color(p->color);
    if (isfinite(p->error)) {
        elb_point low = figure_place(f, p->x, p->y - p->error), high = figure_place(f, p->x, p->y + p->error);
        figure_draw_stroke(f, low, high, color);
        elb_canvas_line(f->canvas, (elb_point){low.x - FIGURE_CAP, low.y}, (elb_point){low.x + FIGURE_CAP, low.y}, 1,
                        color);
        elb_canvas_line(f->canvas, (elb_point){high.x - FIGURE_CAP, high.y}, (elb_point){high.x + FIGURE_CAP, high.y},
                        1, color);
    }
    elb_canvas_disc(f->canvas, at, figure_radius, color, p->open);
    f->boxes[f->box_count++] =
        (figure_box){at.x - figure_radius, at.y - figure_radius, at.x + figure_radius, at.y + figure_radius};
}

/* --- names -------------------------------------------------------------------------------------------------------- */

static double figure_overlap(const figure_box *a, const figure_box *b)
{
    double width = fmin(a->right, b->right) - fmax(a->left, b->left),
           height = fmin(a->bottom, b->bottom) - fmax(a->top, b->top);
    return width > 0 && height > 0 ? width * height : 0;
}

/* How bad a place for a name is: what it covers, what of it lies outside the plot, how far it is from its point. */
static double figure_badness(const figure_panel *f, const figure_box *box, double distance)
{
    const figure_box *b = &f->plot;
    double bad = 2 * distance, area = (box->right - box->left) * (box->bottom - box->top);
    for (int64_t i = 0; i < f->box_count; i++) bad += 10 * figure_overlap(box, &f->boxes[i]);
    return bad + 40 * (area - figure_overlap(box, b));
}

/* Round the point, nearer places first; the best one is taken. */
static void figure_draw_name(figure_panel *f, const elb_figure_point *p)
{
    enum { DIRECTIONS = 16, RINGS = 5 };
    char name[FIGURE_LETTERS + 1];
    elb_point at = figure_place(f, p->x, p->y);
    snprintf(name, sizeof name, "%s", p->name);
    double half = elb_canvas_text_width(name) / 2 + 1, high = ELB_LETTER_HEIGHT / 2.0, least = INFINITY;
    figure_box best = {0};
    for (int ring = 0; ring < RINGS; ring++)
        for (int d = 0; d < DIRECTIONS; d++) {
            double angle = 2 * acos(-1) * d / DIRECTIONS, reach = figure_radius + 2 + 9 * ring;
            double x = at.x + cos(angle) * (reach + half), y = at.y + sin(angle) * (reach + high);
            figure_box box = {x - half, y - high, x + half, y + high};
            double bad = figure_badness(f, &box, 9 * ring + (d != 0));
            if (bad < least) least = bad, best = box;
        }
    elb_point nearest = {fmin(fmax(at.x, best.left), best.right), fmin(fmax(at.y, best.top), best.bottom)};
    if (hypot(nearest.x - at.x, nearest.y - at.y) > 2.5 * figure_radius)
        elb_canvas_line(f->canvas, at, nearest, 0.5, elb_color_frame);
    elb_canvas_text(f->canvas, (elb_point){best.left + 1, best.bottom - 2}, ELB_ANCHOR_START, figure_color(p->color),
                    name);
    f->boxes[f->box_count++] = best;
}

/* --- panels ------------------------------------------------------------------------------------------------------- */

static void figure_draw_panel(figure_panel *f)
{
    const elb_panel *panel = f->panel;
    figure_fit(f);
    figure_draw_axes(f);
    figure_draw_lines(f);
    for (int64_t i = 0; i < panel->count; i++)
        if (figure_shown(&panel->points[i])) figure_draw_point(f, &panel->points[i]);
    for (int64_t i = 0; i < panel->count; i++)
        if (figure_shown(&panel->points[i])) figure_draw_name(f, &panel->points[i]);
}

static elb_status figure_draw(elb_context *c, elb_canvas *canvas, const char *title, const elb_panel *panels,
                              int64_t count)
{
    elb_canvas_text(canvas, (elb_point){FIGURE_LEFT, 16}, ELB_ANCHOR_START, elb_color_ink, title);
    for (int64_t i = 0; i < count; i++) {
        int64_t column = i % ELB_FIGURE_COLUMNS, row = i / ELB_FIGURE_COLUMNS;
        double left = (double)(FIGURE_LEFT + column * FIGURE_WIDTH);
        double top = (double)(FIGURE_TITLE + FIGURE_ABOVE + row * FIGURE_HEIGHT);
        figure_panel f = {.canvas = canvas,
                          .panel = &panels[i],
                          .plot = {left, top, left + FIGURE_PLOT_WIDTH, top + FIGURE_PLOT_HEIGHT}};
        f.boxes =
            elb_alloc(c, (2 + FIGURE_PIECES) * panels[i].count + FIGURE_PIECES * panels[i].lines, sizeof *f.boxes);
        if (!f.boxes) return ELB_MEMORY;
        figure_draw_panel(&f);
        elb_free(c, f.boxes);
    }
    return ELB_OK;
}

elb_status elb_figure_save(elb_context *c, const char *path, const char *title, const elb_panel *panels, int64_t count)
{
    elb_canvas *canvas;
    int64_t rows = (count + ELB_FIGURE_COLUMNS - 1) / ELB_FIGURE_COLUMNS;
    int64_t columns = count < ELB_FIGURE_COLUMNS ? count : ELB_FIGURE_COLUMNS;
    ELB_TRY(elb_canvas_open(c, path, columns * FIGURE_WIDTH, FIGURE_TITLE + rows * FIGURE_HEIGHT, &canvas));
    elb_status status = figure_draw(c, canvas, title, panels, count);
    if (status != ELB_OK) {
        elb_canvas_discard(canvas);
        return status;
    }
    return elb_canvas_close(canvas);
}
