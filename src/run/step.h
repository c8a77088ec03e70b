/* step.h - the gradient of one training step, for the training loop and the benchmark. */
#ifndef ELB_STEP_H
#define ELB_STEP_H

#include "objective/objective.h"
#include "run/vae.h"

typedef struct elb_step {
    elb_vae *vae;
    const elb_dataset *data;
    const elb_objective *objective;
    elb_tape *tape;
    uint64_t *datum;         /* room for the stream positions of the largest batch */
} elb_step;

/* Records and runs the loss of data indices[batch] in `epoch` and its gradients; `loss` can be read until the tape is
 * reset. Errors: ELB_NUMERIC, ELB_MEMORY. */
elb_status elb_step_gradient(const elb_step *s, uint32_t epoch, const int64_t *indices, int64_t batch, elb_loss *loss);

#endif
