/* flow.h - what the families that carry samples through a flow share: they start from the diagonal
 * Gaussian of diagonal.h. */
#ifndef ELB_FLOW_H
#define ELB_FLOW_H

#include "posterior/diagonal.h"

/* Where a network's scales c start, so that a sigmoid is near 1 and a step near the identity; 0 for exponentials. */
#define ELB_FLOW_START_OPEN 2.0

/* ELB_USAGE with what to set instead, for a context whose bit is not in `contexts` (1 << elb_flow_context). */
elb_status elb_flow_check_context(const elb_posterior *q, unsigned contexts);
/* The same for gated layers, which masked networks and those with every datum's own weights do not have. */
elb_status elb_flow_check_networks(const elb_posterior *q);
/* z0 ~ N(m, diag exp s), and log q(z0) unless log_q is ELB_LOG_Q_NONE. Fails the tape for ELB_LOG_Q_SAMPLE, the
 * gradient of log q(z) by z alone: it would need the flow's inverse. */
elb_draw elb_flow_start(elb_posterior *q, elb_tape *t, elb_tensor *lambda, const elb_noise *noise, elb_log_q log_q);
/* Starts the last layer's biases b [2n] of a network that gives shifts and scales. */
void elb_flow_open(elb_real *b, int64_t n, elb_flow_form form);

#endif
