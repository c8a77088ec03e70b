/* stream.h - one block of Philox4x32-10 at a position of a stream: the layout every table must reproduce. */
#ifndef ELB_STREAM_H
#define ELB_STREAM_H

#include <Random123/philox.h>

#include "kernels/kernels.h"

enum { ELB_BLOCK_WORDS = 4 };

/* Block `index` of the row at `at`; a row has at most 2^32 blocks. */
static inline philox4x32_ctr_t elb_stream_block(elb_stream at, uint32_t index)
{
    philox4x32_ctr_t counter = {{index, at.draw, (uint32_t)at.datum, (uint32_t)(at.datum >> 32)}};
    philox4x32_key_t key = {{(uint32_t)at.key, (uint32_t)(at.key >> 32)}};
    return philox4x32(counter, key);
}

/* (word + 1/2) 2^-32 in (0,1). Where float would round up to 1, the largest float below 1. */
static inline elb_real elb_stream_uniform(uint32_t word)
{
    const elb_real below_one = sizeof(elb_real) == sizeof(float) ? (elb_real)0x1.fffffep-1 : (elb_real)1;
    elb_real u = ((elb_real)word + (elb_real)0.5) * (elb_real)0x1p-32;
    return u < below_one ? u : below_one;
}

#endif
