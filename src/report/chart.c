/* chart.c - line and bar charts as inline SVG. */
#include "report/chart.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/number.h"
#include "task/html.h"
#include "task/axis.h"

/* All lengths in tenths of a pixel, so that whole numbers, which no locale changes, are fine enough. */
enum {
    CHART_WIDTH = 6400,
    CHART_HEIGHT = 3100,
    CHART_LEFT = 760,
    CHART_RIGHT = 6300,
    CHART_TOP = 520,
    CHART_BOTTOM = 2560,
    CHART_LETTER = 82, /* about the width of one, for the legend */
    CHART_X_TICKS = 8,
    CHART_Y_TICKS = 8,
    CHART_DOTS = 40 /* up to so many points are marked one by one */
};

const char elb_chart_style[] =
    ":root{--paper:#fff;--panel:#f6f8fa;--ink:#1c2733;--muted:#5f6f80;--rule:#dde3e9;"
    "--s0:#2563eb;--s1:#e0701a;--s2:#17936f;--s3:#8f5bd6}\n"
    "@media(prefers-color-scheme:dark){:root{--paper:#12181f;--panel:#1a222b;--ink:#e6ecf2;--muted:#9aa9b8;"
    "--rule:#2d3945;--s0:#6ea0ff;--s1:#ff9d52;--s2:#4fd0a8;--s3:#bd95f5}}\n"
    ".chart{display:block;width:100%;height:auto;font-size:145px}\n"
    ".chart text{fill:var(--muted)}.chart .title{fill:var(--ink);font-size:172px;font-weight:600}\n"
    ".chart .end{text-anchor:end}.chart .middle{text-anchor:middle}\n"
    ".chart .grid{stroke:var(--rule);stroke-width:8}.chart .axis{stroke:var(--muted);stroke-width:10}\n"
    ".chart polyline{fill:none;stroke-width:20;stroke-linejoin:round;stroke-linecap:round}\n"
    ".chart .s0{stroke:var(--s0)}.chart .s1{stroke:var(--s1)}.chart .s2{stroke:var(--s2)}.chart .s3{stroke:var(--s3)}\n"
    ".chart .d0{fill:var(--s0)}.chart .d1{fill:var(--s1)}.chart .d2{fill:var(--s2)}.chart .d3{fill:var(--s3)}\n";

static void chart_text(elb_writer *w, int64_t x, int64_t y, const char *class, const char *text)
{
    elb_writer_printf(w, "<text x=\"%" PRId64 "\" y=\"%" PRId64 "\" class=\"%s\">", x, y, class);
    elb_html_put(w, text);
    elb_writer_printf(w, "</text>");
}

/* --- axes --------------------------------------------------------------------------------------------------------- */

/* Axes end before the largest doubles do; a point out there is drawn just off the chart. */
static double chart_place(const elb_axis *axis, double value)
{
    return fmin(fmax(elb_axis_place(axis, value), -1), 2);
}

static int64_t chart_x(const elb_axis *axis, double x)
{
    return CHART_LEFT + llround(chart_place(axis, x) * (CHART_RIGHT - CHART_LEFT));
}

static int64_t chart_y(const elb_axis *axis, double y)
{
    return CHART_BOTTOM - llround(chart_place(axis, y) * (CHART_BOTTOM - CHART_TOP));
}

static void chart_open(elb_writer *w, const char *title, const char *y_label)
{
    elb_writer_printf(w, "<svg class=\"chart\" viewBox=\"0 0 %d %d\" role=\"img\"><title>", CHART_WIDTH, CHART_HEIGHT);
    elb_html_put(w, title);
    elb_writer_printf(w, "</title>\n");
    chart_text(w, 0, 160, "title", title);
    chart_text(w, CHART_RIGHT, 160, "end", y_label);
}

static void chart_put_y_axis(elb_writer *w, const elb_axis *y)
{
    char label[ELB_NUMBER_SIZE];
    for (int i = 0; i < y->count; i++) {
        int64_t at = chart_y(y, y->ticks[i]);
        elb_writer_printf(w, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%" PRId64 "\" y2=\"%" PRId64 "\"/>",
                          CHART_LEFT, CHART_RIGHT, at, at);
        elb_axis_label(y, i, label);
        chart_text(w, CHART_LEFT - 80, at + 50, "end", label);
    }
    elb_writer_printf(w, "\n<line class=\"axis\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>\n", CHART_LEFT, CHART_RIGHT,
                      CHART_BOTTOM, CHART_BOTTOM);
}

static void chart_put_x_tick(elb_writer *w, int64_t at, const char *label)
{
    elb_writer_printf(w, "<line class=\"axis\" x1=\"%" PRId64 "\" x2=\"%" PRId64 "\" y1=\"%d\" y2=\"%d\"/>", at, at,
                      CHART_BOTTOM, CHART_BOTTOM + 50);
    chart_text(w, at, CHART_BOTTOM + 210, "middle", label);
}

static void chart_close(elb_writer *w, const char *x_label)
{
    chart_text(w, (CHART_LEFT + CHART_RIGHT) / 2, CHART_HEIGHT - 110, "middle", x_label);
    elb_writer_printf(w, "</svg>\n");
}

static void chart_widen(double value, double *low, double *high)
{
    if (isfinite(value)) *low = fmin(*low, value), *high = fmax(*high, value);
}

static elb_axis chart_y_axis(double low, double high, bool from_zero)
{
    if (from_zero) low = fmin(low, 0), high = fmax(high, 0);
    if (from_zero && low == high) high = 1;
    double margin = 0.05 * (high - low);
    return elb_axis_fit(from_zero ? low : low - margin, high + margin, CHART_Y_TICKS, false);
}

/* x are epochs and the like: ticks at whole numbers only. */
static elb_axis chart_x_axis(double low, double high, bool log)
{
    if (!(high - low >= 1)) return elb_axis_fit(low - 0.5, high + 0.5, 2, false);
    return elb_axis_fit(low, high, (int)fmin(CHART_X_TICKS, high - low + 1), log);
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

/* Enough for four or five digits in all; none for a whole number, which is a count. */
static int chart_decimals(double value)
{
    double size = fabs(value);
    if (value == round(value)) return 0;
    return size >= 1000 ? 0 : size >= 10 ? 2 : size >= 0.1 ? 4 : 6;
}

/* The last finite value of each line stands beside its name. */
static void chart_put_legend(elb_writer *w, const elb_chart *chart)
{
    int64_t x = CHART_LEFT;
    for (int k = 0; k < chart->count; k++) {
        const elb_series *s = &chart->lines[k].points;
        double last = NAN;
        char label[ELB_NUMBER_SIZE], text[128];
        for (int64_t i = 0; i < s->count; i++)
            if (isfinite(s->y[i])) last = s->y[i];
        elb_number_fixed(last, chart_decimals(last), label);
        int length = snprintf(text, sizeof text, "%s  %s", chart->lines[k].name, label);
        elb_writer_printf(w, "<circle class=\"d%d\" cx=\"%" PRId64 "\" cy=\"330\" r=\"45\"/>", k, x);
        chart_text(w, x + 90, 380, "name", text);
        x += 90 + (length + 3) * CHART_LETTER;
    }
    elb_writer_printf(w, "\n");
}

static void chart_put_line(elb_writer *w, const elb_series *s, int k, const elb_axis *x, const elb_axis *y)
{
    bool open = false;
    for (int64_t i = 0; i < s->count; i++) {
        bool known = isfinite(s->x[i]) && isfinite(s->y[i]);
        if (known && !open) elb_writer_printf(w, "<polyline class=\"s%d\" points=\"", k);
        if (known) elb_writer_printf(w, "%" PRId64 ",%" PRId64 " ", chart_x(x, s->x[i]), chart_y(y, s->y[i]));
        if (!known && open) elb_writer_printf(w, "\"/>\n");
        open = known;
    }
    if (open) elb_writer_printf(w, "\"/>\n");
    for (int64_t i = s->count <= CHART_DOTS ? 0 : s->count - 1; i < s->count; i++)
        if (isfinite(s->x[i]) && isfinite(s->y[i]))
            elb_writer_printf(w, "<circle class=\"d%d\" cx=\"%" PRId64 "\" cy=\"%" PRId64 "\" r=\"32\"/>", k,
                              chart_x(x, s->x[i]), chart_y(y, s->y[i]));
}

void elb_chart_put(elb_writer *w, const elb_chart *chart)
{
    double x_low = INFINITY, x_high = -INFINITY, y_low = INFINITY, y_high = -INFINITY;
    char label[ELB_NUMBER_SIZE];
    for (int k = 0; k < chart->count; k++)
        for (int64_t i = 0; i < chart->lines[k].points.count; i++) {
            chart_widen(chart->lines[k].points.x[i], &x_low, &x_high);
            chart_widen(chart->lines[k].points.y[i], &y_low, &y_high);
        }
    elb_axis x = chart_x_axis(x_low, x_high, chart->log_x), y = chart_y_axis(y_low, y_high, chart->from_zero);
    chart_open(w, chart->title, chart->y_label);
    chart_put_legend(w, chart);
    chart_put_y_axis(w, &y);
    for (int i = 0; i < x.count; i++) {
        elb_axis_label(&x, i, label);
        chart_put_x_tick(w, chart_x(&x, x.ticks[i]), label);
    }
    for (int k = 0; k < chart->count; k++) chart_put_line(w, &chart->lines[k].points, k, &x, &y);
    chart_close(w, chart->x_label);
}

/* --- bars --------------------------------------------------------------------------------------------------------- */

void elb_chart_put_bars(elb_writer *w, const char *title, const char *x_label, const char *y_label, int64_t count,
                        const double *values)
{
    double low = INFINITY, high = -INFINITY;
    char label[ELB_NUMBER_SIZE];
    for (int64_t i = 0; i < count; i++) chart_widen(values[i], &low, &high);
    elb_axis y = chart_y_axis(low, high, true), x = elb_axis_fit(-0.5, (double)count - 0.5, CHART_X_TICKS, false);
    if (count <= CHART_X_TICKS) x = elb_axis_fit(-0.5, (double)count - 0.5, (int)count + 1, false);
    chart_open(w, title, y_label);
    chart_put_y_axis(w, &y);
    for (int i = 0; i < x.count; i++) {
        if (x.ticks[i] != floor(x.ticks[i])) continue;
        elb_axis_label(&x, i, label);
        chart_put_x_tick(w, chart_x(&x, x.ticks[i]), label);
    }
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) continue;
        int64_t left = chart_x(&x, (double)i - 0.4), right = chart_x(&x, (double)i + 0.4);
        int64_t top = chart_y(&y, fmax(values[i], 0)), bottom = chart_y(&y, fmin(values[i], 0));
        elb_number_fixed(values[i], chart_decimals(values[i]), label);
        elb_writer_printf(w,
                          "<rect class=\"d0\" x=\"%" PRId64 "\" y=\"%" PRId64 "\" width=\"%" PRId64
                          "\" height=\"%" PRId64 "\"><title>%" PRId64 ": %s</title></rect>\n",
                          left, top, right - left, bottom - top, i, label);
    }
    chart_close(w, x_label);
}
