/* field.c - densities of the plane. */
#include "study/field.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

double elb_field_at(const elb_window *w, int side, int64_t i)
{
    return w->low[side] + ((double)i + 0.5) / ELB_FIELD_SIDE * (w->high[side] - w->low[side]);
}

void elb_field_make(elb_field *f, elb_window window, double *log_values)
{
    double top = -INFINITY, sum = 0, cell = 1;
    for (int64_t i = 0; i < ELB_FIELD_COUNT; i++) top = fmax(top, log_values[i]);
    for (int64_t i = 0; i < ELB_FIELD_COUNT; i++) sum += log_values[i] = exp(log_values[i] - top);
    for (int64_t i = 0; i < ELB_FIELD_COUNT; i++) log_values[i] /= sum;
    for (int k = 0; k < 2; k++) cell *= (window.high[k] - window.low[k]) / ELB_FIELD_SIDE;
    *f = (elb_field){window, top + log(sum * cell), log_values};
}

/* --- draws -------------------------------------------------------------------------------------------------------- */

/* Along one side, by a Gaussian of `deviation` grid points. Mass that would leave the window is left out. */
static void field_blur(double *values, int64_t step, double deviation)
{
    enum { REACH = 24 };
    double weight[2 * REACH + 1], sum = 0, line[ELB_FIELD_SIDE];
    for (int64_t i = -REACH; i <= REACH; i++)
        sum += weight[i + REACH] = exp(-(double)(i * i) / (2 * deviation * deviation));
    for (int64_t row = 0; row < ELB_FIELD_SIDE; row++) {
        double *at = values + row * (step == 1 ? ELB_FIELD_SIDE : 1);
        memset(line, 0, sizeof line);
        for (int64_t i = 0; i < ELB_FIELD_SIDE; i++)
            for (int64_t k = i < REACH ? -i : -REACH; k <= REACH && i + k < ELB_FIELD_SIDE; k++)
                line[i + k] += at[i * step] * weight[k + REACH] / sum;
        for (int64_t i = 0; i < ELB_FIELD_SIDE; i++) at[i * step] = line[i];
    }
}

void elb_field_from_draws(elb_field *f, elb_window window, double *values, int64_t n, const elb_real *z)
{
    double mean[2] = {0, 0}, square[2] = {0, 0}, sum = 0;
    memset(values, 0, ELB_FIELD_COUNT * sizeof *values);
    for (int64_t i = 0; i < n; i++) {
        double place[2];
        for (int k = 0; k < 2; k++) {
            place[k] = ((double)z[2 * i + k] - window.low[k]) / (window.high[k] - window.low[k]) * ELB_FIELD_SIDE;
            mean[k] += place[k] / (double)n;
            square[k] += place[k] * place[k] / (double)n;
        }
        bool inside = place[0] >= 0 && place[0] < ELB_FIELD_SIDE && place[1] >= 0 && place[1] < ELB_FIELD_SIDE;
        if (inside) values[(int64_t)place[1] * ELB_FIELD_SIDE + (int64_t)place[0]] += 1;
    }
    for (int k = 0; k < 2; k++) {
        double deviation = sqrt(fmax(square[k] - mean[k] * mean[k], 0)) * pow((double)n, -1.0 / 6);
        field_blur(values, k == 0 ? 1 : ELB_FIELD_SIDE, fmin(fmax(deviation, 0.5), 8));
    }
    for (int64_t i = 0; i < ELB_FIELD_COUNT; i++) sum += values[i];
    for (int64_t i = 0; i < ELB_FIELD_COUNT && sum > 0; i++) values[i] /= sum;
    *f = (elb_field){window, NAN, values};
}

/* --- regions ------------------------------------------------------------------------------------------------------ */

elb_status elb_field_level(elb_context *c, const elb_field *f, double mass, double *level)
{
    double *sorted = elb_alloc(c, ELB_FIELD_COUNT, sizeof *sorted), sum = 0;
    if (sorted == NULL) return ELB_MEMORY;
    memcpy(sorted, f->values, ELB_FIELD_COUNT * sizeof *sorted);
    qsort(sorted, ELB_FIELD_COUNT, sizeof *sorted, elb_number_compare);
    int64_t i = ELB_FIELD_COUNT;
    while (i > 0 && sum < mass) sum += sorted[--i];
    *level = sorted[i];
    elb_free(c, sorted);
    return ELB_OK;
}

/* Between the points, both in grid points. */
static double field_between(const elb_field *f, double x, double y)
{
    double most = ELB_FIELD_SIDE - 1, u = fmin(fmax(x, 0), most), v = fmin(fmax(y, 0), most);
    int64_t i = (int64_t)fmin(u, most - 1), k = (int64_t)fmin(v, most - 1);
    const double *at = f->values + k * ELB_FIELD_SIDE + i;
    double low = at[0] + (u - (double)i) * (at[1] - at[0]);
    double high = at[ELB_FIELD_SIDE] + (u - (double)i) * (at[ELB_FIELD_SIDE + 1] - at[ELB_FIELD_SIDE]);
    return low + (v - (double)k) * (high - low);
}

/* By rows finer than the grid's, a run of each in one box. */
void elb_field_shade(const elb_field *f, elb_canvas *canvas, elb_point corner, double side, double level,
                     elb_color color)
{
    enum { FINE = 3, ROWS = FINE * ELB_FIELD_SIDE };
    const double cell = side / ROWS;
    for (int64_t row = 0; row < ROWS; row++)
        for (int64_t begin = 0, end; begin < ROWS; begin = end + 1) {
            double y = ((double)row + 0.5) / FINE - 0.5;
            for (end = begin; end < ROWS && field_between(f, ((double)end + 0.5) / FINE - 0.5, y) >= level;) end++;
            elb_point at = {corner.x + (double)begin * cell, corner.y + side - (double)(row + 1) * cell};
            if (end > begin) elb_canvas_box(canvas, at, (double)(end - begin) * cell, cell, color);
        }
}

typedef struct field_square {
    const elb_field *field;
    int64_t x, y; /* its lowest corner's point */
    double level;
} field_square;

static double field_corner(const field_square *s, int corner, double at[2])
{
    static const int dx[] = {0, 1, 1, 0}, dy[] = {0, 0, 1, 1};
    at[0] = (double)(s->x + dx[corner]) + 0.5;
    at[1] = (double)(s->y + dy[corner]) + 0.5;
    return s->field->values[(s->y + dy[corner]) * ELB_FIELD_SIDE + s->x + dx[corner]];
}

/* Where the outline crosses the four sides; 0, 2 or 4 places in the order of the sides. */
static int field_crossings(const field_square *s, double cross[4][2])
{
    int count = 0;
    for (int i = 0; i < 4; i++) {
        double a[2], b[2], from = field_corner(s, i, a), to = field_corner(s, (i + 1) % 4, b);
        if ((from >= s->level) == (to >= s->level)) continue;
        double along = (s->level - from) / (to - from);
        for (int k = 0; k < 2; k++) cross[count][k] = a[k] + along * (b[k] - a[k]);
        count++;
    }
    return count;
}

/* Marching squares. */
void elb_field_outline(const elb_field *f, elb_canvas *canvas, elb_point corner, double side, double level,
                       double width, elb_color color)
{
    const double cell = side / ELB_FIELD_SIDE;
    for (int64_t y = 0; y + 1 < ELB_FIELD_SIDE; y++)
        for (int64_t x = 0; x + 1 < ELB_FIELD_SIDE; x++) {
            field_square s = {f, x, y, level};
            double cross[4][2];
            int count = field_crossings(&s, cross);
            for (int i = 0; i + 1 < count; i += 2)
                elb_canvas_line(
                    canvas, (elb_point){corner.x + cross[i][0] * cell, corner.y + side - cross[i][1] * cell},
                    (elb_point){corner.x + cross[i + 1][0] * cell, corner.y + side - cross[i + 1][1] * cell}, width,
                    color);
        }
}
