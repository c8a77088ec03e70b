/* vector_random.h - the generators of vector_random.c, once per instruction set. */
#ifndef ELB_VECTOR_RANDOM_H
#define ELB_VECTOR_RANDOM_H

#include "kernels/kernels.h"
#include "kernels/lanes.h"

void LANES_NAME(elb_vector_uniform)(elb_stream at, int64_t n, float *u);
void LANES_NAME(elb_vector_normal)(elb_stream at, int64_t n, float *z);
void LANES_NAME(elb_vector_bernoulli)(elb_stream at, int64_t n, const float *p, float *x);

#endif
