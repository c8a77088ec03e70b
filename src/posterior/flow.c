#include "posterior/flow.h"

elb_status elb_flow_check_context(const elb_posterior *q, unsigned contexts)
{
    static const char *const context_names[] = {"encoder", "none", "local"};
    if (!(contexts >> q->options.flow_context & 1))
        return elb_fail(q->context, ELB_USAGE,
                        "posterior.type=%s has no posterior.flow_context=%s; set it to encoder%s", q->type->name,
                        context_names[q->options.flow_context], contexts >> ELB_CONTEXT_NONE & 1 ? " or none" : "");
    return ELB_OK;
}

elb_status elb_flow_check_networks(const elb_posterior *q)
{
    if (q->options.activation != ELB_NET_GATED) return ELB_OK;
    return elb_fail(q->context, ELB_USAGE,
                    "the networks of this flow have no gated layers; set posterior.activation to another nonlinearity, "
                    "such as tanh or elu");
}

elb_draw elb_flow_start(elb_posterior *q, elb_tape *t, elb_tensor *lambda, const elb_noise *noise, elb_log_q log_q)
{
    if (log_q == ELB_LOG_Q_SAMPLE)
        elb_tape_fail(t, ELB_USAGE,
                      "objective.gradient=stl and dreg need the inverse of the flow, which posterior.type=%s does not "
                      "have; set objective.gradient=plain",
                      q->type->name);
    return elb_diagonal_sample(q, t, lambda, noise, log_q);
}

void elb_flow_open(elb_real *b, int64_t n, elb_flow_form form)
{
    for (int64_t i = 0; i < n; i++) b[n + i] = form == ELB_FLOW_AFFINE ? 0 : (elb_real)ELB_FLOW_START_OPEN;
}
