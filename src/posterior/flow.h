/* flow.h - what the families that carry samples through a flow share: they start from a fully factorised Gaussian whose mean
 * m and log-variance s are the first 2 Z local parameters. */
#ifndef ELB_FLOW_H
#define ELB_FLOW_H

#include "posterior/posterior.h"

/* Where a network's scales c start, so that a sigmoid is near 1 and a step near the identity; 0 for exponentials. */
#define ELB_FLOW_START_OPEN 1.5

/* ELB_USAGE with what to set instead: a context whose bit is not in `contexts` (1 << elb_flow_context), or a kind of network
 * that flows do not have. */
elb_status elb_flow_check(const elb_posterior *q, unsigned contexts);
/* m [B,Z]. */
elb_tensor *elb_flow_start_mean(elb_posterior *q, elb_tape *t, elb_tensor *lambda);
/* z0 ~ N(m, diag exp s) from the noise's first lane, and log q(z0) unless log_q is ELB_LOG_Q_NONE. Fails the tape for
 * ELB_LOG_Q_SAMPLE, the gradient of log q(z) by z alone: it would need the flow's inverse. */
elb_draw elb_flow_start(elb_posterior *q, elb_tape *t, elb_tensor *lambda, const elb_noise *noise, elb_log_q log_q);
/* Starts the last layer's biases b [2n] of a network that gives shifts and scales. */
void elb_flow_open(elb_real *b, int64_t n, elb_flow_form form);

#endif
