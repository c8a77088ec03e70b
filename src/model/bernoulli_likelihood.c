#include <math.h>

#include "model/likelihoods.h"

static int64_t bernoulli_outputs(const elb_likelihood_options *o)
{
    (void)o;
    return 1;
}

static elb_tensor *bernoulli_log_prob(elb_model *m, elb_tape *t, elb_tensor *x, elb_tensor *out)
{
    (void)m;
    return elb_bernoulli_log_prob(t, x, out);
}

static void bernoulli_mean(const elb_model *m, int64_t rows, const elb_real *out, elb_real *mean)
{
    for (int64_t i = 0; i < rows * m->data; i++) mean[i] = (elb_real)(1 / (1 + exp(-(double)out[i])));
}

static void bernoulli_draw(elb_model *m, const elb_kernels *k, elb_stream at, const elb_real *out, elb_real *x)
{
    bernoulli_mean(m, 1, out, x);
    k->bernoulli(at, m->data, x, x);
}

static double bernoulli_bias(const elb_likelihood_options *o, double mean)
{
    (void)o;
    double p = fmin(fmax(mean, 0.001), 0.999);
    return log(p / (1 - p));
}

static elb_status bernoulli_check(elb_context *c, const elb_value_range *range)
{
    ELB_TRY(elb_likelihood_check_unit(c, "Bernoulli", range));
    if (range->binary) return ELB_OK;
    return elb_fail(
        c, ELB_DATA,
        "the Bernoulli likelihood needs values that are 0 or 1, these are grey values: set "
        "data.binarise=dynamic (or static, threshold), or likelihood.type=continuous-bernoulli or gaussian");
}

const elb_likelihood_type elb_likelihood_bernoulli = {
    .name = "bernoulli",
    .source = "Kingma & Welling 2014, appendix C.1, on logits",
    .outputs = bernoulli_outputs,
    .log_prob = bernoulli_log_prob,
    .mean = bernoulli_mean,
    .draw = bernoulli_draw,
    .bias = bernoulli_bias,
    .check = bernoulli_check,
};
