/* scene.c - draws posteriors. */
#include "study/scene.h"

#include <math.h>
#include <stdio.h>

#include "base/number.h"
#include "task/axis.h"

/* Units. */
enum {
    SCENE_LEFT = 118, /* for the datum */
    SCENE_IMAGE = 72,
    SCENE_SIDE = 190, /* of a panel */
    SCENE_GAP = 34,   /* between panels, for the numbers of the second */
    SCENE_TOP = 52,
    SCENE_STEP = SCENE_SIDE + 44,
    SCENE_MARGIN = 10,
    SCENE_TICKS = 5,
    SCENE_ARC = 96, /* pieces of an ellipse */
    SCENE_BANDS = 4
};
static const elb_color scene_q = {{208, 52, 44}}, scene_component = {{23, 121, 94}};
/* p(z|x): the regions that hold so much of it, widest first. */
static const double scene_mass[SCENE_BANDS] = {0.99, 0.9, 0.5, 0.2};
static const elb_color scene_band[SCENE_BANDS] = {
    {{226, 234, 248}}, {{183, 204, 240}}, {{122, 160, 224}}, {{66, 112, 196}}};
static const double scene_outlined[] = {0.9, 0.5}; /* of q */

typedef struct scene_square {
    elb_canvas *canvas;
    elb_context *context;
    elb_point corner;
    const elb_window *window;
} scene_square;

static elb_point scene_place(const scene_square *s, double x, double y)
{
    const elb_window *w = s->window;
    return (elb_point){s->corner.x + (x - w->low[0]) / (w->high[0] - w->low[0]) * SCENE_SIDE,
                       s->corner.y + SCENE_SIDE - (y - w->low[1]) / (w->high[1] - w->low[1]) * SCENE_SIDE};
}

static bool scene_inside(const scene_square *s, elb_point at)
{
    return at.x >= s->corner.x && at.x <= s->corner.x + SCENE_SIDE && at.y >= s->corner.y &&
           at.y <= s->corner.y + SCENE_SIDE;
}

/* --- one panel ---------------------------------------------------------------------------------------------------- */

static void scene_draw_axes(const scene_square *s)
{
    elb_axis axis[2];
    char text[ELB_NUMBER_SIZE];
    double right = s->corner.x + SCENE_SIDE, bottom = s->corner.y + SCENE_SIDE;
    for (int k = 0; k < 2; k++) axis[k] = elb_axis_fit(s->window->low[k], s->window->high[k], SCENE_TICKS, false);
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < axis[k].count; i++) {
            double tick = axis[k].ticks[i];
            elb_point at = scene_place(s, k == 0 ? tick : s->window->low[0], k == 0 ? s->window->low[1] : tick);
            elb_point in = {at.x + (k == 0 ? 0 : 3), at.y - (k == 0 ? 3 : 0)};
            if (!scene_inside(s, at)) continue;
            elb_axis_label(&axis[k], i, text);
            elb_canvas_line(s->canvas, at, in, 1, elb_color_frame);
            elb_canvas_text(s->canvas, (elb_point){at.x - (k == 0 ? 0 : 4), at.y + (k == 0 ? 11 : 3.5)},
                            k == 0 ? ELB_ANCHOR_MIDDLE : ELB_ANCHOR_END, elb_color_ink, text);
        }
    const elb_point corners[] = {s->corner, {right, s->corner.y}, {right, bottom}, {s->corner.x, bottom}, s->corner};
    for (int i = 0; i < 4; i++) elb_canvas_line(s->canvas, corners[i], corners[i + 1], 1, elb_color_frame);
}

/* The ellipse that holds 0.9 of a component. */
static void scene_draw_component(const scene_square *s, const double mean[2], const double deviation[2])
{
    double reach = sqrt(-2 * log(0.1)), step = 2 * acos(-1) / SCENE_ARC;
    for (int i = 0; i < SCENE_ARC; i++) {
        elb_point ends[2];
        for (int k = 0; k < 2; k++)
            ends[k] = scene_place(s, mean[0] + reach * deviation[0] * cos((i + k) * step),
                                  mean[1] + reach * deviation[1] * sin((i + k) * step));
        if (scene_inside(s, ends[0]) && scene_inside(s, ends[1]))
            elb_canvas_line(s->canvas, ends[0], ends[1], 0.8, scene_component);
    }
}

static elb_status scene_draw_panel(const scene_square *s, const elb_scene_row *row, const elb_scene_panel *p)
{
    double level;
    for (int i = 0; i < SCENE_BANDS; i++) {
        ELB_TRY(elb_field_level(s->context, &row->truth, scene_mass[i], &level));
        elb_field_shade(&row->truth, s->canvas, s->corner, SCENE_SIDE, level, scene_band[i]);
    }
    for (int i = 0; i < p->components; i++) scene_draw_component(s, p->mean[i], p->deviation[i]);
    for (size_t i = 0; i < sizeof scene_outlined / sizeof *scene_outlined; i++) {
        ELB_TRY(elb_field_level(s->context, &p->field, scene_outlined[i], &level));
        elb_field_outline(&p->field, s->canvas, s->corner, SCENE_SIDE, level, 1.4, scene_q);
    }
    scene_draw_axes(s);
    char elbo[ELB_NUMBER_SIZE], gap[ELB_NUMBER_SIZE], text[128];
    elb_number_fixed(p->elbo, 2, elbo);
    elb_number_fixed(row->log_p - p->elbo, 2, gap);
    snprintf(text, sizeof text, "L = %s, gap %s", elbo, gap);
    elb_canvas_text(s->canvas, (elb_point){s->corner.x + SCENE_SIDE / 2.0, s->corner.y + SCENE_SIDE + 26},
                    ELB_ANCHOR_MIDDLE, elb_color_ink, text);
    return ELB_OK;
}

/* --- one row ------------------------------------------------------------------------------------------------------ */

static elb_color scene_pixel(const elb_scene_row *r, int64_t y, int64_t x)
{
    elb_color color;
    for (int64_t k = 0; k < 3; k++) {
        double value = (double)r->image[(y * r->width + x) * r->channels + (r->channels == 3 ? k : 0)];
        color.rgb[k] = (uint8_t)lround(255 * fmin(fmax(value, 0), 1));
    }
    return color;
}

static void scene_draw_image(elb_canvas *v, const elb_scene_row *r, elb_point corner)
{
    double cell = (double)SCENE_IMAGE / (double)(r->height > r->width ? r->height : r->width);
    for (int64_t y = 0; y < r->height; y++)
        for (int64_t x = 0; x < r->width; x++)
            elb_canvas_box(v, (elb_point){corner.x + (double)x * cell, corner.y + (double)y * cell}, cell, cell,
                           scene_pixel(r, y, x));
}

static void scene_draw_datum(elb_canvas *v, const elb_scene_row *r, double top)
{
    char log_p[ELB_NUMBER_SIZE], text[64];
    double at = top + 8;
    elb_number_fixed(r->log_p, 2, log_p);
    snprintf(text, sizeof text, "log p = %s", log_p);
    const char *const lines[] = {r->title, r->subtitle, text};
    for (int i = 0; i < 3; i++) {
        if (*lines[i] == '\0') continue;
        elb_canvas_text(v, (elb_point){SCENE_MARGIN, at}, ELB_ANCHOR_START, elb_color_ink, lines[i]);
        at += 14;
    }
    if (r->image != NULL) scene_draw_image(v, r, (elb_point){SCENE_MARGIN, at});
}

static elb_point scene_corner(int64_t row, int panel)
{
    return (elb_point){SCENE_LEFT + SCENE_GAP + panel * (SCENE_SIDE + SCENE_GAP),
                       (double)(SCENE_TOP + row * SCENE_STEP)};
}

static elb_status scene_draw(elb_context *c, elb_canvas *v, const elb_scene_row *rows, int64_t count)
{
    elb_canvas_text(
        v, (elb_point){SCENE_MARGIN, 16}, ELB_ANCHOR_START, elb_color_ink,
        "p(z|x) shaded: the regions that hold 0.2, 0.5, 0.9 and 0.99 of it. q(z|x) outlined: 0.5 and 0.9. gap: "
        "log p - L, nats.");
    for (int64_t i = 0; i < count; i++) {
        scene_draw_datum(v, &rows[i], (double)(SCENE_TOP + i * SCENE_STEP));
        for (int k = 0; k < rows[i].panels; k++) {
            scene_square s = {v, c, scene_corner(i, k), &rows[i].truth.window};
            if (i == 0)
                elb_canvas_text(v, (elb_point){s.corner.x + SCENE_SIDE / 2.0, s.corner.y - 8}, ELB_ANCHOR_MIDDLE,
                                elb_color_ink, rows[i].panel[k].title);
            ELB_TRY(scene_draw_panel(&s, &rows[i], &rows[i].panel[k]));
        }
    }
    return ELB_OK;
}

elb_status elb_scene_save(elb_context *c, const char *path, const elb_scene_row *rows, int64_t count)
{
    elb_canvas *v;
    elb_point end = scene_corner(count, rows[0].panels);
    ELB_TRY(elb_canvas_open(c, path, (int64_t)end.x - SCENE_GAP + SCENE_MARGIN, (int64_t)end.y, &v));
    elb_status status = scene_draw(c, v, rows, count);
    if (status == ELB_OK) return elb_canvas_close(v);
    elb_canvas_discard(v);
    return status;
}
