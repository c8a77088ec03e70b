/* gp.h - random functions f and g with Gaussian processes behind them (posterior.type: gp), for the objective
 * that trains them. Their kernel is that of linear functions of psi(x), the encoder's last hidden features and
 * a constant 1, p numbers:
 *
 *   z_j | f,g ~ N(f_j(x), exp g_j(x))    f_j = u_j.psi(x)    g_j = t_j.psi(x)    u_j, t_j ~ N(0, k^2 I)
 *
 * with q(u_j) = N(a_j, S_j) and q(t_j) = N(c_j, R_j) over the weights (Kim & Pavlovic 2021; our reconstruction). */
#ifndef ELB_GP_H
#define ELB_GP_H

#include "posterior/posterior.h"

extern const elb_posterior_type elb_posterior_gp;

/* What the weights' posterior says of a function at x, for every latent coordinate. */
typedef struct elb_gp_function {
    elb_tensor *mean;     /* [B,Z]: a.psi or c.psi */
    elb_tensor *variance; /* [B,Z]: psi^T S psi or psi^T R psi */
} elb_gp_function;

typedef struct elb_gp_functions {
    elb_gp_function f, g;
} elb_gp_functions;

/* The posterior must be elb_posterior_gp, in all three. x [B,D]. */
elb_gp_functions elb_gp_at(elb_posterior *q, elb_tape *t, elb_tensor *x);
/* The Gaussian with the moments of z when f and g are integrated out, [mean, log-variance]: lambda [B,2Z]. */
elb_tensor *elb_gp_lambda(elb_tape *t, const elb_gp_functions *at);
/* KL of the weights' posterior from their prior, summed over both functions of every coordinate: one element, nats. */
elb_tensor *elb_gp_weight_kl(elb_posterior *q, elb_tape *t);

#endif
