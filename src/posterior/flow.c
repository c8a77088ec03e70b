#include "posterior/flow.h"

elb_status elb_flow_check(const elb_posterior *q, unsigned contexts)
{
    static const char *const context_names[] = {"encoder", "none", "local"};
    if (!(contexts >> q->options.flow_context & 1))
        return elb_fail(q->context, ELB_USAGE,
                        "posterior.type=%s has no posterior.flow_context=%s; set it to encoder%s", q->type->name,
                        context_names[q->options.flow_context], contexts >> ELB_CONTEXT_NONE & 1 ? " or none" : "");
    if (q->options.activation == ELB_NET_GATED)
        return elb_fail(q->context, ELB_USAGE,
                        "the networks of a flow have no gated layers; set posterior.activation to another "
                        "nonlinearity, such as tanh or elu");
    return ELB_OK;
}

elb_tensor *elb_flow_start_mean(elb_posterior *q, elb_tape *t, elb_tensor *lambda)
{
    return elb_lambda_part(q, t, lambda, 0, q->latent);
}

elb_draw elb_flow_start(elb_posterior *q, elb_tape *t, elb_tensor *lambda, const elb_noise *noise, elb_log_q log_q)
{
    elb_draw d = {NULL, NULL, NULL};
    if (log_q == ELB_LOG_Q_SAMPLE)
        elb_tape_fail(t, ELB_USAGE,
                      "objective.gradient=stl and dreg need the inverse of the flow, which posterior.type=%s does not "
                      "have; set objective.gradient=plain",
                      q->type->name);
    elb_tensor *m = elb_flow_start_mean(q, t, lambda), *s = elb_lambda_part(q, t, lambda, q->latent, q->latent);
    if (m == NULL || s == NULL) return d;
    d.z = elb_gaussian_sample(t, m, s, elb_noise_normal(t, noise, lambda->rows, q->latent, 0));
    if (log_q != ELB_LOG_Q_NONE) d.log_q = elb_gaussian_log_prob(t, d.z, m, s);
    return d;
}

void elb_flow_open(elb_real *b, int64_t n, elb_flow_form form)
{
    for (int64_t i = 0; i < n; i++) b[n + i] = form == ELB_FLOW_AFFINE ? 0 : (elb_real)ELB_FLOW_START_OPEN;
}
