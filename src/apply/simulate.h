/* simulate.h - data drawn from a model, with the latents they were drawn from: each an exact sample of p(z|x). */
#ifndef ELB_SIMULATE_H
#define ELB_SIMULATE_H

#include "run/blocks.h"

/* As elb_blocks_visit, over n data drawn by `seed`; datum i is the same whatever n and batch. */
elb_status elb_simulate_visit(const elb_vae *vae, int64_t n, int64_t batch, uint64_t seed, elb_block_fn visit,
                              void *user);

#endif
