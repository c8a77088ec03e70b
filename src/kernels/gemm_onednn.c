/* gemm_onednn.c - matrix products from oneDNN (2.6 and 3.x alike): the only file that knows it. */
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>

#include "kernels/gemm.h"

/* Below this many multiplications a plain loop ends before the library has begun. */
enum { GEMM_SMALL = 256 };

void elb_gemm_thread_setup(int *saved)
{
    *saved = omp_get_max_threads();
    omp_set_num_threads(1);
}

void elb_gemm_thread_restore(int saved)
{
    omp_set_num_threads(saved);
}

void elb_gemm_onednn(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const elb_real *a, int64_t lda,
                     const elb_real *b, int64_t ldb, elb_real beta, elb_real *c, int64_t ldc)
{
    bool small = m == 0 || n == 0 || k == 0 || (m * n <= GEMM_SMALL && m * n * k <= GEMM_SMALL);
    /* A failure (no memory for its workspace) comes before any work, so the plain product can still be had. */
    if (small || dnnl_sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', m, n, k, 1, a, lda, b, ldb, beta, c, ldc) != dnnl_success)
        elb_kernels_reference.gemm(ta, tb, m, n, k, a, lda, b, ldb, beta, c, ldc);
}
