/* step.h - one training step, for the training loop and the benchmark. */
#ifndef ELB_STEP_H
#define ELB_STEP_H

#include "nn/optim/optimizer.h"
#include "objective/objective.h"
#include "run/vae.h"

typedef struct elb_step {
    elb_vae *vae;
    const elb_dataset *data;
    elb_objective *objective; /* opened */
    elb_optimizer *optimizer;
    elb_tape *tape;
    uint64_t *datum; /* room for the stream positions of the largest batch */
} elb_step;

/* Steps at `rate` against the gradient of the loss of data indices[batch] in `epoch`; `loss` can be read until the tape
 * is reset. Errors: ELB_NUMERIC (nothing was updated), ELB_MEMORY. */
elb_status elb_step_take(const elb_step *s, double rate, uint32_t epoch, const int64_t *indices, int64_t batch,
                         elb_loss *loss);

#endif
