/* checksum.h - tells whether a data set, or any other numbers, are the ones they were. */
#ifndef ELB_CHECKSUM_H
#define ELB_CHECKSUM_H

#include "data/dataset.h"

/* FNV-1a over bytes (Fowler, Noll and Vo), from ELB_CHECKSUM_START on, and its number in 0 .. 2^53-1. It is no defence
 * against somebody who wants two sets to have the same. */
#define ELB_CHECKSUM_START 0xcbf29ce484222325u
uint64_t elb_checksum_add(uint64_t sum, const void *bytes, size_t size);
int64_t elb_checksum_end(uint64_t sum);
/* Of the stored values and their shape. */
int64_t elb_dataset_checksum(const elb_dataset *d);

#endif
