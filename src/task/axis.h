/* axis.h - the scale of a plot: round ticks over a range, linear or logarithmic. */
#ifndef ELB_AXIS_H
#define ELB_AXIS_H

#include "base/base.h"
#include "base/number.h"

enum { ELB_AXIS_TICKS = 16 };

typedef struct elb_axis {
    bool log;
    double low, high; /* the ends of the axis, low < high; both > 0 when log */
    int count;        /* ticks, 1..ELB_AXIS_TICKS, rising, within the ends */
    double ticks[ELB_AXIS_TICKS];
} elb_axis;

/* An axis over low..high with at most `most` ticks (2..ELB_AXIS_TICKS). Any numbers will do: an empty, reversed or
 * non-finite range gets some valid axis around what is known, and a range that is not positive a linear one. */
elb_axis elb_axis_fit(double low, double high, int most, bool log);
/* Where x lies: 0 at the low end, 1 at the high end, beyond them outside. Not finite when x is not, or when x <= 0 on a
 * logarithmic axis. */
double elb_axis_place(const elb_axis *axis, double x);
/* The tick as text, the same in every locale. */
void elb_axis_label(const elb_axis *axis, int tick, char text[ELB_NUMBER_SIZE]);

#endif
