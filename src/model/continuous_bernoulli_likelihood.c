#include <math.h>

#include "model/likelihoods.h"

static int64_t continuous_outputs(const elb_likelihood_options *o)
{
    (void)o;
    return 1;
}

static elb_tensor *continuous_log_prob(elb_model *m, elb_tape *t, elb_tensor *x, elb_tensor *out)
{
    (void)m;
    return elb_continuous_bernoulli_log_prob(t, x, out);
}

/* E[x] = 1/(1 - e^-a) - 1/a, by its series near a = 0, where both terms blow up. */
static double continuous_expectation(double a)
{
    if (fabs(a) < 1e-2) return 0.5 + a / 12 - a * a * a / 720;
    return a > 0 ? 1 / -expm1(-a) - 1 / a : -exp(a) / -expm1(a) - 1 / a;
}

static void continuous_mean(const elb_model *m, int64_t rows, const elb_real *out, elb_real *mean)
{
    for (int64_t i = 0; i < rows * m->data; i++) mean[i] = (elb_real)continuous_expectation((double)out[i]);
}

/* By inversion: u = (e^(a x) - 1) / (e^a - 1). */
static void continuous_draw(elb_model *m, const elb_kernels *k, elb_stream at, const elb_real *out, elb_real *x)
{
    k->uniform(at, m->data, x);
    for (int64_t d = 0; d < m->data; d++) {
        double a = (double)out[d], u = (double)x[d];
        if (fabs(a) < 1e-6) continue; /* uniform */
        /* for a > 0 through 1 - x, so that no exponential overflows */
        double v = a > 0 ? 1 + log1p((1 - u) * expm1(-a)) / a : log1p(u * expm1(a)) / a;
        x[d] = (elb_real)fmin(fmax(v, 0), 1);
    }
}

/* The parameter whose mean this is, by bisection: the mean rises with a. */
static double continuous_bias(const elb_likelihood_options *o, double mean)
{
    (void)o;
    double p = fmin(fmax(mean, 0.001), 0.999), low = -1100, high = 1100;
    for (int i = 0; i < 100; i++) {
        double middle = (low + high) / 2;
        if (continuous_expectation(middle) < p)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

static elb_status continuous_check(elb_context *c, const elb_value_range *range)
{
    return elb_likelihood_check_unit(c, "continuous Bernoulli", range);
}

const elb_likelihood_type elb_likelihood_continuous_bernoulli = {
    .name = "continuous-bernoulli",
    .source = "Loaiza-Ganem & Cunningham 2019",
    .outputs = continuous_outputs,
    .log_prob = continuous_log_prob,
    .mean = continuous_mean,
    .draw = continuous_draw,
    .bias = continuous_bias,
    .check = continuous_check,
};
