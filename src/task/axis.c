/* axis.c - round ticks over a range. */
#include "task/axis.h"

#include <math.h>

/* Narrower ranges are taken for none, and numbers beyond are cut: powers of ten there have no reciprocal. */
#define AXIS_LEAST 1e-280
#define AXIS_MOST 1e280

/* n times the power of ten, correctly rounded, so that its text is short. */
static double axis_times_power(double n, int power)
{
    return power < 0 ? n / pow(10, -power) : n * pow(10, power);
}

/* Of 1, 2 and 5 times a power of ten the least that is at least x > 0. */
static double axis_round_step(double x, int *power)
{
    *power = (int)floor(log10(x));
    double ratio = x / pow(10, *power);
    /* A ratio that only rounding lifted above a round number is that number. */
    if (ratio <= 1 + 1e-9) return 1;
    if (ratio <= 2 + 1e-9) return 2;
    return ratio <= 5 + 1e-9 ? 5 : 10;
}

static void axis_linear_ticks(elb_axis *a, int most)
{
    int power = 0;
    double digit = axis_round_step((a->high - a->low) / (most - 1), &power), step = digit * pow(10, power);
    double first = ceil(a->low / step - 1e-9);
    for (a->count = 0; a->count < most; a->count++) {
        double tick = axis_times_power((first + a->count) * digit, power);
        if (!(tick <= a->high + 1e-9 * step)) break;
        a->ticks[a->count] = tick == 0 ? 0 : tick; /* never "-0" */
    }
}

static void axis_add_tick(elb_axis *a, int most, double tick)
{
    if (tick < a->low * (1 - 1e-9) || tick > a->high * (1 + 1e-9)) return;
    if (a->count < most) a->ticks[a->count] = tick;
    a->count++;
}

/* 1, 2 and 5 times powers of ten where these are not too many, else powers of ten, every so many. False when fewer than
 * two such numbers lie within. */
static bool axis_log_ticks(elb_axis *a, int most)
{
    int first = (int)floor(log10(a->low)), last = (int)ceil(log10(a->high));
    a->count = 0;
    for (int power = first; power <= last; power++)
        for (int i = 0; i < 3; i++) axis_add_tick(a, most, axis_times_power((double[]){1, 2, 5}[i], power));
    if (a->count <= most) return a->count >= 2;
    a->count = 0;
    for (int power = first, step = (last - first) / most + 1; power <= last; power += step)
        axis_add_tick(a, most, axis_times_power(1, power));
    return true;
}

elb_axis elb_axis_fit(double low, double high, int most, bool log)
{
    bool low_known = isfinite(low), high_known = isfinite(high);
    elb_axis a = {.log = log, .low = low_known ? low : high, .high = high_known ? high : low};
    if (!low_known && !high_known) a.low = 0, a.high = 1;
    if (a.low > a.high) a.low = high, a.high = low;
    a.low = fmin(fmax(a.low, -AXIS_MOST), AXIS_MOST), a.high = fmin(fmax(a.high, -AXIS_MOST), AXIS_MOST);
    /* A range so narrow that ticks could not be told apart is widened. */
    if (a.high - a.low <= fmax(1e-9 * fmax(fabs(a.low), fabs(a.high)), AXIS_LEAST)) {
        double middle = a.low / 2 + a.high / 2, reach = fabs(middle) > AXIS_LEAST ? 0.1 * fabs(middle) : 1;
        a.low = middle - reach, a.high = middle + reach;
    }
    if (a.low <= 0) a.log = false;
    if (!a.log || !axis_log_ticks(&a, most)) axis_linear_ticks(&a, most);
    return a;
}

double elb_axis_place(const elb_axis *a, double x)
{
    if (a->log) return (log(x) - log(a->low)) / (log(a->high) - log(a->low));
    return (x - a->low) / (a->high - a->low);
}

void elb_axis_label(const elb_axis *a, int tick, char text[ELB_NUMBER_SIZE])
{
    elb_number_format(a->ticks[tick], text);
}
