/* blocks.h - a data set walked in blocks, as a model sees it, in memory that does not grow with the set. */
#ifndef ELB_BLOCKS_H
#define ELB_BLOCKS_H

#include "run/vae.h"

typedef struct elb_block {
    int64_t first, count;  /* data first .. first+count-1 of the set */
    const uint64_t *datum; /* [count] their stream positions */
    elb_real *x;           /* [count,D], scaled and binarised as the VAE's configuration says, in epoch 0 */
    const elb_real *exact; /* [count,Z] the latents they were drawn from; NULL for data that were not (simulate.h) */
} elb_block;

/* Anything but ELB_OK ends the walk. */
typedef elb_status (*elb_block_fn)(void *user, const elb_block *block);

/* Visits the first `limit` data (0: all), at most `batch` at a time (0: ELB_IMPORTANCE_BLOCK).
 * What the block points at lasts until `visit` returns. Errors: ELB_MEMORY; what `visit` returned. */
elb_status elb_blocks_visit(const elb_vae *vae, const elb_dataset *dataset, int64_t limit, int64_t batch,
                            elb_block_fn visit, void *user);
/* ELB_USAGE for what a caller may not ask for: a negative limit or batch, a seed that JSON's integers do not hold. */
elb_status elb_blocks_check(elb_context *c, int64_t limit, int64_t batch, uint64_t seed);
/* How many data that are. */
int64_t elb_blocks_count(const elb_dataset *dataset, int64_t limit);

#endif
