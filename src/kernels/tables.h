/* tables.h - the tables that exist; select.c decides which of them this build and processor offer. */
#ifndef ELB_TABLES_H
#define ELB_TABLES_H

#include "kernels/kernels.h"

/* Instruction sets beyond plain C: only for float, and not in the build that asks for the reference alone. */
#define ELB_IS_FLOAT_float 1
#define ELB_IS_FLOAT_double 0
#define ELB_IS_FLOAT_PASTE(real) ELB_IS_FLOAT_##real
#define ELB_IS_FLOAT(real) ELB_IS_FLOAT_PASTE(real)
#if !defined(ELBOW_KERNELS_REFERENCE_ONLY) && defined(__x86_64__) && ELB_IS_FLOAT(ELBOW_REAL)
#define ELB_HAS_VECTOR_TABLES 1
#else
#define ELB_HAS_VECTOR_TABLES 0
#endif

extern const elb_kernels elb_kernels_reference;
#if ELB_HAS_VECTOR_TABLES
extern const elb_kernels elb_kernels_avx2;   /* needs avx2, fma */
extern const elb_kernels elb_kernels_avx512; /* needs avx512 f, dq, bw, vl */
#endif

#endif
