/* checksum.h - tells whether a data set is the one it was. */
#ifndef ELB_CHECKSUM_H
#define ELB_CHECKSUM_H

#include "data/dataset.h"

/* A number in 0 .. 2^53-1 that follows from the stored values and their shape: FNV-1a over their bytes (Fowler, Noll and
 * Vo). It is no defence against somebody who wants two sets to have the same. */
int64_t elb_dataset_checksum(const elb_dataset *d);

#endif
