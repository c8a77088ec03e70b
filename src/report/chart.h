/* chart.h - line and bar charts as inline SVG for a report's page, whose style sheet gives the
 * classes their colours. */
#ifndef ELB_CHART_H
#define ELB_CHART_H

#include "base/file.h"
#include "run/log_file.h"

enum { ELB_CHART_LINES = 4 };

typedef struct elb_chart_line {
    const char *name;
    elb_series points; /* borrowed; a point that is not finite breaks the line */
} elb_chart_line;

typedef struct elb_chart {
    const char *title, *x_label, *y_label;
    bool log_x;     /* where all x, which are whole numbers such as epochs, are positive */
    bool from_zero; /* the y axis includes 0 */
    int count;      /* lines, 1..ELB_CHART_LINES */
    elb_chart_line lines[ELB_CHART_LINES];
} elb_chart;

/* The style rules that every page with charts needs once: classes below .chart, light and dark. */
extern const char elb_chart_style[];

/* One <svg>. A failure to write shows when the writer commits. */
void elb_chart_put(elb_writer *w, const elb_chart *chart);
/* One bar per value, numbered from 0; not finite: no bar. */
void elb_chart_put_bars(elb_writer *w, const char *title, const char *x_label, const char *y_label, int64_t count,
                        const double *values);

#endif
