#include <math.h>
#include <string.h>

#include "model/likelihoods.h"

/* x ~ N(mean, exp(l)) per pixel. l is a constant, one learned number, one learned number per pixel, or predicted: then
 * the decoder's output is [mean (D), l (D)]. The mean may have been put through a sigmoid or a tanh. */

static elb_variance_kind gaussian_kind(const elb_model *m)
{
    return (elb_variance_kind)m->likelihood_options.variance;
}

static int64_t gaussian_outputs(const elb_likelihood_options *o)
{
    return o->variance == ELB_VARIANCE_PREDICTED ? 2 : 1;
}

static elb_status gaussian_declare(elb_model *m)
{
    int64_t count = gaussian_kind(m) == ELB_VARIANCE_PIXEL ? m->data : 1;
    if (gaussian_kind(m) != ELB_VARIANCE_SCALAR && gaussian_kind(m) != ELB_VARIANCE_PIXEL) return ELB_OK;
    return elb_params_add(&m->params, &m->log_variance, 1, &count, "likelihood.log_variance");
}

static void gaussian_reset(elb_model *m)
{
    int64_t count = 0;
    elb_real *l = NULL;
    if (gaussian_kind(m) == ELB_VARIANCE_PREDICTED)
        l = elb_mlp_output_bias(&m->decoder) + m->data, count = m->data;
    else if (m->log_variance >= 0)
        l = elb_params_data(&m->params, m->log_variance), count = m->params.at[m->log_variance].count;
    for (int64_t i = 0; i < count; i++) l[i] = (elb_real)m->likelihood_options.log_variance;
}

/* The mean's part of the output through its sigmoid or tanh. */
static elb_tensor *gaussian_link(elb_model *m, elb_tape *t, elb_tensor *out)
{
    if (m->likelihood_options.mean == ELB_MEAN_LINEAR) return out;
    elb_activation act = m->likelihood_options.mean == ELB_MEAN_SIGMOID ? ELB_SIGMOID : ELB_TANH;
    if (gaussian_kind(m) != ELB_VARIANCE_PREDICTED) return elb_activate(t, act, out);
    elb_tensor *mean = elb_activate(t, act, elb_columns(t, out, 0, m->data));
    return elb_join(t, mean, elb_columns(t, out, m->data, m->data));
}

static elb_tensor *gaussian_log_variance(elb_model *m, elb_tape *t)
{
    if (m->log_variance >= 0) return elb_broadcast(t, elb_params_leaf(&m->params, t, m->log_variance), 1, &m->data);
    elb_tensor *l = elb_input(t, "log variance", false, 1, &m->data);
    for (int64_t d = 0; l != NULL && d < m->data; d++) l->data[d] = (elb_real)m->likelihood_options.log_variance;
    return l;
}

static elb_tensor *gaussian_log_prob(elb_model *m, elb_tape *t, elb_tensor *x, elb_tensor *out)
{
    if (gaussian_kind(m) != ELB_VARIANCE_PREDICTED)
        return elb_gaussian_log_prob(t, x, out, gaussian_log_variance(m, t));
    return elb_gaussian_log_prob(t, x, elb_columns(t, out, 0, m->data), elb_columns(t, out, m->data, m->data));
}

static void gaussian_mean(const elb_model *m, int64_t rows, const elb_real *out, elb_real *mean)
{
    int64_t width = gaussian_outputs(&m->likelihood_options) * m->data;
    for (int64_t r = 0; r < rows; r++) memcpy(mean + r * m->data, out + r * width, (size_t)m->data * sizeof *mean);
}

static double gaussian_log_variance_at(elb_model *m, const elb_real *out, int64_t d)
{
    if (gaussian_kind(m) == ELB_VARIANCE_PREDICTED) return (double)out[m->data + d];
    if (m->log_variance < 0) return m->likelihood_options.log_variance;
    const elb_real *l = elb_params_data(&m->params, m->log_variance);
    return (double)l[gaussian_kind(m) == ELB_VARIANCE_PIXEL ? d : 0];
}

static void gaussian_draw(elb_model *m, const elb_kernels *k, elb_stream at, const elb_real *out, elb_real *x)
{
    k->normal(at, m->data, x);
    for (int64_t d = 0; d < m->data; d++)
        x[d] = out[d] + (elb_real)(exp(gaussian_log_variance_at(m, out, d) / 2) * (double)x[d]);
}

static double gaussian_bias(const elb_likelihood_options *o, double mean)
{
    double p = fmin(fmax(mean, 0.001), 0.999), y = fmin(fmax(mean, -0.999), 0.999);
    return o->mean == ELB_MEAN_SIGMOID ? log(p / (1 - p)) : o->mean == ELB_MEAN_TANH ? atanh(y) : mean;
}

const elb_likelihood_type elb_likelihood_gaussian = {
    .name = "gaussian",
    .source = "Kingma & Welling 2014, appendix C.2",
    .outputs = gaussian_outputs,
    .declare = gaussian_declare,
    .reset = gaussian_reset,
    .link = gaussian_link,
    .log_prob = gaussian_log_prob,
    .mean = gaussian_mean,
    .draw = gaussian_draw,
    .bias = gaussian_bias,
    .check = elb_likelihood_check_present,
};
