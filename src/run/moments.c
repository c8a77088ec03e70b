#include "run/moments.h"

#include <math.h>

void elb_moments_add(elb_moments *m, double value)
{
    double before = value - m->mean;
    m->mean += before / (double)++m->count;
    m->squares += before * (value - m->mean);
}

double elb_moments_error(const elb_moments *m)
{
    double n = (double)m->count;
    return m->count > 1 ? sqrt(m->squares / (n - 1) / n) : NAN;
}
