/* gemm.h - the matrix product behind the vector tables, and the one thing the threads that call it must do first. */
#ifndef ELB_GEMM_H
#define ELB_GEMM_H

#include "kernels/tables.h"

#if ELB_HAS_VECTOR_TABLES

/* elb_kernels.gemm through oneDNN; sequential in a thread that has called elb_gemm_thread_setup. */
void elb_gemm_onednn(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const elb_real *a, int64_t lda,
                     const elb_real *b, int64_t ldb, elb_real beta, elb_real *c, int64_t ldc);

/* oneDNN would start threads of its own. Setup confines it to the calling thread, for calls from this thread only, and
 * keeps what was set in *saved for restore. */
void elb_gemm_thread_setup(int *saved);
void elb_gemm_thread_restore(int saved);

#else

static inline void elb_gemm_thread_setup(int *saved)
{
    *saved = 0;
}

static inline void elb_gemm_thread_restore(int saved)
{
    (void)saved;
}

#endif

#endif
