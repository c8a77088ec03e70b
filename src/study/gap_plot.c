/* gap_plot.c - the gaps as bars, and the data that have the largest. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/number.h"
#include "study/canvas.h"
#include "study/gap.h"
#include "task/axis.h"
#include "task/image.h"

/* --- bars --------------------------------------------------------------------------------------------------------- */

/* Units. */
enum {
    BARS_LEFT = 84,
    BARS_WIDTH = 420,
    BARS_RIGHT = 62,
    BARS_TOP = 46,
    BARS_STEP = 44, /* from bar to bar */
    BARS_HIGH = 24, /* of a bar */
    BARS_BELOW = 40,
    BARS_TICKS = 8
};
static const elb_color bars_light = {{255, 255, 255}};
static const elb_color bars_colors[] = {{{37, 99, 235}}, {{224, 112, 26}}}; /* approximation, amortisation */

typedef struct bars {
    elb_canvas *canvas;
    elb_axis axis; /* nats */
} bars;

static double bars_place(const bars *b, double nats)
{
    return BARS_LEFT + elb_axis_place(&b->axis, nats) * BARS_WIDTH;
}

static void bars_draw_axis(const bars *b, int count)
{
    double bottom = BARS_TOP + count * BARS_STEP;
    char text[ELB_NUMBER_SIZE];
    for (int i = 0; i < b->axis.count; i++) {
        double at = bars_place(b, b->axis.ticks[i]);
        elb_axis_label(&b->axis, i, text);
        elb_canvas_line(b->canvas, (elb_point){at, BARS_TOP}, (elb_point){at, bottom}, 0.5, elb_color_grid);
        elb_canvas_text(b->canvas, (elb_point){at, bottom + 13}, ELB_ANCHOR_MIDDLE, elb_color_ink, text);
    }
    elb_canvas_line(b->canvas, (elb_point){BARS_LEFT, bottom}, (elb_point){BARS_LEFT + BARS_WIDTH, bottom}, 1,
                    elb_color_frame);
    elb_canvas_text(b->canvas, (elb_point){BARS_LEFT + BARS_WIDTH / 2.0, bottom + 28}, ELB_ANCHOR_MIDDLE, elb_color_ink,
                    "nats per datum below log p(x)");
}

static void bars_draw_legend(const bars *b)
{
    static const char *const names[] = {"approximation: the family of q", "amortisation: the encoder"};
    double left = BARS_LEFT;
    for (int i = 0; i < 2; i++) {
        elb_canvas_box(b->canvas, (elb_point){left, 18}, 9, 9, bars_colors[i]);
        elb_canvas_text(b->canvas, (elb_point){left + 14, 26}, ELB_ANCHOR_START, elb_color_ink, names[i]);
        left += 34 + elb_canvas_text_width(names[i]);
    }
}

/* A part of a bar, with its number where there is room for it. */
static void bars_draw_part(const bars *b, double from, double to, double top, elb_color color)
{
    double left = bars_place(b, from), right = bars_place(b, to);
    char text[ELB_NUMBER_SIZE];
    if (right < left) return;
    elb_canvas_box(b->canvas, (elb_point){left, top}, right - left, BARS_HIGH, color);
    elb_number_fixed(to - from, 2, text);
    if (elb_canvas_text_width(text) + 6 < right - left)
        elb_canvas_text(b->canvas, (elb_point){(left + right) / 2, top + BARS_HIGH / 2.0 + 3.5}, ELB_ANCHOR_MIDDLE,
                        bars_light, text);
}

static void bars_draw_set(const bars *b, const elb_gap_result *r, int row)
{
    double top = BARS_TOP + row * BARS_STEP + (BARS_STEP - BARS_HIGH) / 2.0, middle = top + BARS_HIGH / 2.0;
    double approximation = fmax(r->approximation.mean, 0), inference = approximation + fmax(r->amortisation.mean, 0);
    double error = isfinite(r->inference.standard_error) ? r->inference.standard_error : 0, end = inference + error;
    char text[ELB_NUMBER_SIZE];
    elb_canvas_text(b->canvas, (elb_point){BARS_LEFT - 8, middle + 3.5}, ELB_ANCHOR_END, elb_color_ink,
                    elb_part_name(r->part));
    bars_draw_part(b, 0, approximation, top, bars_colors[0]);
    bars_draw_part(b, approximation, inference, top, bars_colors[1]);
    elb_point low = {bars_place(b, inference - error), middle}, high = {bars_place(b, end), middle};
    elb_canvas_line(b->canvas, low, high, 1, elb_color_ink);
    elb_canvas_line(b->canvas, (elb_point){high.x, middle - 3}, (elb_point){high.x, middle + 3}, 1, elb_color_ink);
    elb_number_fixed(r->inference.mean, 2, text);
    elb_canvas_text(b->canvas, (elb_point){high.x + 6, middle + 3.5}, ELB_ANCHOR_START, elb_color_ink, text);
}

elb_status elb_gap_save_bars(elb_context *c, const elb_gap_result *results, int count, const char *path)
{
    bars b;
    double most = 0;
    for (int i = 0; i < count; i++) {
        const elb_gap_mean *m = &results[i].inference;
        most = fmax(most, m->mean + (isfinite(m->standard_error) ? m->standard_error : 0));
    }
    b.axis = elb_axis_fit(0, most > 0 ? 1.05 * most : 1, BARS_TICKS, false);
    ELB_TRY(elb_canvas_open(c, path, BARS_LEFT + BARS_WIDTH + BARS_RIGHT, BARS_TOP + count * BARS_STEP + BARS_BELOW,
                            &b.canvas));
    bars_draw_axis(&b, count);
    bars_draw_legend(&b);
    for (int i = 0; i < count; i++) bars_draw_set(&b, &results[i], i);
    return elb_canvas_close(b.canvas);
}

/* --- the worst data ----------------------------------------------------------------------------------------------- */

typedef struct worst_datum {
    double gap;
    int64_t index;
} worst_datum;

/* For qsort(3): larger gaps first; of equals, the earlier datum. */
static int worst_compare(const void *a, const void *b)
{
    const worst_datum *x = a, *y = b;
    if (x->gap != y->gap) return x->gap > y->gap ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static elb_status worst_find(const elb_gap_work *w, const elb_gap_result *r, int64_t most, int64_t *index,
                             int64_t *count)
{
    worst_datum *all = elb_alloc(w->vae->context, w->n, sizeof *all);
    if (all == NULL) return ELB_MEMORY;
    for (int64_t i = 0; i < w->n; i++)
        all[i] = (worst_datum){
            elb_gap_at(w, r->log_p_by, i, ELB_GAP_BOUND) - elb_gap_at(w, ELB_GAP_ENCODER, i, ELB_GAP_ELBO), i};
    qsort(all, (size_t)w->n, sizeof *all, worst_compare);
    *count = w->n < most ? w->n : most;
    for (int64_t i = 0; i < *count; i++) index[i] = all[i].index;
    elb_free(w->vae->context, all);
    return ELB_OK;
}

static elb_status worst_draw(const elb_gap_work *w, const char *path, int64_t count, const elb_real *x)
{
    elb_image_items items = {.count = count,
                             .height = w->vae->shape[0],
                             .width = w->vae->shape[1],
                             .channels = w->vae->shape[2],
                             .values = {x}};
    elb_image *image;
    ELB_TRY(elb_image_grid(w->vae->context, &items, &image));
    elb_status status = elb_image_save(image, path);
    elb_image_destroy(image);
    return status;
}

elb_status elb_gap_save_worst(const elb_gap_work *w, const elb_gap_result *result)
{
    enum { WORST = 25 };
    const elb_vae *v = w->vae;
    elb_context *c = v->context;
    const elb_machine *machine;
    int64_t index[WORST], count;
    if (elb_image_kind_of(v->shape[0], v->shape[1], v->shape[2]) != ELB_IMAGE_GRID) return ELB_OK;
    ELB_TRY(elb_machine_of(c, &machine));
    ELB_TRY(worst_find(w, result, WORST, index, &count));
    char *path = elb_format(c, "%s/worst-%s.png", w->settings->folder, elb_part_name(w->set->part));
    elb_real *x = elb_alloc(c, count * v->model->data, sizeof *x);
    elb_status status = path != NULL && x != NULL ? ELB_OK : ELB_MEMORY;
    if (status == ELB_OK) {
        elb_batch_spec spec = elb_config_batch_spec(v->config, 0);
        elb_dataset_batch(w->set->dataset, machine->kernels, &spec, index, count, x);
        status = worst_draw(w, path, count, x);
    }
    elb_free(c, path);
    elb_free(c, x);
    return status;
}
