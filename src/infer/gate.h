/* gate.h - one component of a mixture for each datum. */
#ifndef ELB_GATE_H
#define ELB_GATE_H

#include "model/model.h"
#include "posterior/posterior.h"

/* For every datum the component m with the largest log p(x|z = mean of q_m) - KL(q_m||p): x [B,D] and the mixture's
 * lambda [B,P] stand on the tape, which is run; best [B,2Z] gets the component's [m, s]. One pass of the decoder over
 * the M means. Errors: as elb_tape_run. */
elb_status elb_gate_best(elb_model *model, elb_posterior *mixture, elb_tape *t, elb_tensor *x, elb_tensor *lambda,
                         elb_real *best);

#endif
