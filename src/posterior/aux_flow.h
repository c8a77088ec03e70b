/* aux_flow.h - flows with an auxiliary variable (posterior.type: aux_flow): from weights that all data
 * share to a datum's own. */
#ifndef ELB_AUX_FLOW_H
#define ELB_AUX_FLOW_H

#include "posterior/posterior.h"

extern const elb_posterior_type elb_posterior_aux_flow;

/* Whether q is one whose networks have shared weights. */
bool elb_aux_flow_shared(const elb_posterior *q);
/* The same flows: encoded [count,P] of q, whose weights are shared -> lambda [count,P] of `own`, whose weights are the
 * datum's (posterior.flow_context: local), all else alike. Networks without gated layers only. */
void elb_aux_flow_localise(const elb_posterior *q, const elb_posterior *own, int64_t count, const elb_real *encoded,
                           elb_real *lambda);

#endif
