/* kernels.h - float arrays in and out: the narrow waist towards the processor.
 *
 * A table of functions, one per instruction set, chosen at run time. Every function is sequential, touches only its
 * arguments, and sums in an order that depends on the sizes alone, so that callers may hand pieces of one problem to
 * any number of threads and get the same bits. The reference table is plain C over elb_real and the oracle for the
 * others. No pointer needs alignment unless said; outputs may alias inputs only where "in place" is said. */
#ifndef ELB_KERNELS_H
#define ELB_KERNELS_H

#include "base/base.h"

typedef enum elb_activation {
    ELB_LINEAR,
    ELB_TANH,
    ELB_RELU,
    ELB_ELU,
    ELB_SOFTPLUS,
    ELB_SIGMOID,
    ELB_LEAKY_RELU, /* x < 0 ? 0.01 x : x */
    ELB_SILU,       /* x sigmoid(x) */
    ELB_GELU,       /* x Phi(x), Phi the normal distribution function */
    ELB_ACTIVATION_COUNT
} elb_activation;

/* Whether the slope at x does not follow from act(x): these two fall before they rise. */
static inline bool elb_slope_from_input(elb_activation act)
{
    return act == ELB_SILU || act == ELB_GELU;
}

typedef enum elb_unary { ELB_EXP, ELB_LOG, ELB_SQUARE, ELB_UNARY_COUNT } elb_unary;

/* Where a random number stands: equal positions give equal numbers, whatever was drawn before. */
typedef struct elb_stream {
    uint64_t key;   /* elb_stream_key(seed, purpose, epoch) */
    uint64_t datum; /* the datum's index in its data set */
    uint32_t draw;  /* which sample for that datum */
} elb_stream;

typedef struct elb_adam_step {
    elb_real rate; /* step size with the bias corrections already in it: lr / (1 - beta1^t) */
    elb_real beta1, beta2;
    elb_real epsilon;        /* added outside the root */
    elb_real second_root;    /* 1 / sqrt(1 - beta2^t) */
    elb_real gradient_scale; /* multiplies every gradient first (clipping); 1 for none */
    elb_real weight_decay;   /* L2, added to the gradient */
} elb_adam_step;

typedef struct elb_leapfrog {
    elb_real t;     /* where on the path */
    elb_real limit; /* the largest element of the force; larger ones are cut to it */
    elb_real kick, drift;
} elb_leapfrog;

typedef struct elb_kernels {
    const char *name; /* "reference", "avx2", "avx512" */

    /* C[m,n] = op(A)[m,k] op(B)[k,n] + beta*C, row-major; ta: A is stored [k,m]; tb: B is stored [n,k].
     * beta is 0 (C is not read) or 1. Any of m, n, k may be 0. */
    void (*gemm)(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const elb_real *a, int64_t lda, const elb_real *b,
                 int64_t ldb, elb_real beta, elb_real *c, int64_t ldc);

    /* y = act(y + bias) in place on rows x cols with row stride ld; bias [cols] or NULL. */
    void (*activate)(elb_activation act, int64_t rows, int64_t cols, const elb_real *bias, elb_real *y, int64_t ld);
    /* dx = dy * act'(x), from the OUTPUT y = act(x): tanh 1-y^2; relu y>0; leaky relu y>0 ? 1 : 0.01; elu y>0
     * ? 1 : y+1; softplus 1-exp(-y); sigmoid y(1-y). Where elb_slope_from_input, y is the INPUT x instead. dx
     * may be dy (in place). */
    void (*activate_backward)(elb_activation act, int64_t n, const elb_real *y, const elb_real *dy, elb_real *dx);

    void (*unary)(elb_unary f, int64_t n, const elb_real *x, elb_real *y); /* y may be x */
    void (*unary_backward)(elb_unary f, int64_t n, const elb_real *x, const elb_real *y, const elb_real *dy,
                           elb_real *dx);                                          /* dx += dy f'(x) */
    void (*add)(int64_t n, const elb_real *a, const elb_real *b, elb_real *y);     /* y = a + b; y may be a or b */
    void (*mul)(int64_t n, const elb_real *a, const elb_real *b, elb_real *y);     /* y = a * b; y may be a or b */
    void (*mul_add)(int64_t n, const elb_real *a, const elb_real *b, elb_real *y); /* y += a * b */
    void (*axpy)(int64_t n, elb_real alpha, const elb_real *x, elb_real *y);       /* y += alpha x */
    void (*axpby)(int64_t n, elb_real alpha, const elb_real *x, elb_real beta,
                  elb_real *y); /* y = alpha x + beta (constant) ; y may be x */
    elb_real (*sum)(int64_t n, const elb_real *x);
    elb_real (*dot)(int64_t n, const elb_real *x, const elb_real *y);

    /* --- one row of a likelihood: n pixels; *_log returns the sum over them, nats; *_grad ADDS g times the derivative.
     * Bernoulli from logits a: sum x a - softplus(a). */
    elb_real (*bernoulli_log)(int64_t n, const elb_real *x, const elb_real *a);
    void (*bernoulli_grad)(int64_t n, const elb_real *x, const elb_real *a, elb_real g, elb_real *da);
    /* Continuous Bernoulli, natural parameter a (Loaiza-Ganem & Cunningham 2019): sum x a + log a - log(e^a - 1);
     * series 'log C' for |a| < 1e-2 (reference: chosen so that the error stays below 1e-6 float, 1e-12 double). */
    elb_real (*continuous_bernoulli_log)(int64_t n, const elb_real *x, const elb_real *a);
    void (*continuous_bernoulli_grad)(int64_t n, const elb_real *x, const elb_real *a, elb_real g, elb_real *da);
    /* Gaussian with mean a and log-variance l, both [n]: -1/2 sum log 2pi + l + (x-a)^2 exp(-l).
     * da or dl may be NULL: not wanted. Also serves as any diagonal Gaussian's log density. dx likewise. */
    elb_real (*gaussian_log)(int64_t n, const elb_real *x, const elb_real *a, const elb_real *l);
    void (*gaussian_grad)(int64_t n, const elb_real *x, const elb_real *a, const elb_real *l, elb_real g, elb_real *dx,
                          elb_real *da, elb_real *dl);

    /* --- one row of a diagonal Gaussian posterior, mean m and log-variance s, both [n] */
    void (*gaussian_sample)(int64_t n, const elb_real *m, const elb_real *s, const elb_real *eps,
                            elb_real *z); /* z = m + exp(s/2) eps */
    /* dm += dz; ds += dz eps exp(s/2)/2 */
    void (*gaussian_sample_grad)(int64_t n, const elb_real *s, const elb_real *eps, const elb_real *dz, elb_real *dm,
                                 elb_real *ds);
    /* y_i = 1/2 (exp(s) + m^2 - 1 - s), per coordinate (its sum is KL(N(m,exp s) || N(0,1))) */
    void (*kl_standard)(int64_t n, const elb_real *m, const elb_real *s, elb_real *y);
    /* dm_i += g_i m; ds_i += g_i (exp(s)-1)/2 */
    void (*kl_standard_grad)(int64_t n, const elb_real *m, const elb_real *s, const elb_real *g, elb_real *dm,
                             elb_real *ds);

    /* --- optimisers, n parameters in one sweep */
    void (*adam)(const elb_adam_step *h, int64_t n, elb_real *p, const elb_real *g, elb_real *m, elb_real *v);
    /* Adamax (Kingma & Ba 2015, alg. 2; epsilon inside the maximum): u = max(beta2 u, |g| + epsilon); p -= rate m/u */
    void (*adamax)(const elb_adam_step *h, int64_t n, elb_real *p, const elb_real *g, elb_real *m, elb_real *u);
    /* v = beta1 v + g; p -= rate v */
    void (*sgd)(const elb_adam_step *h, int64_t n, elb_real *p, const elb_real *g, elb_real *v);

    /* --- Hamiltonian dynamics, in one sweep: v += kick clip(a + t b); z += drift v */
    void (*leapfrog)(const elb_leapfrog *h, int64_t n, const elb_real *a, const elb_real *b, elb_real *v, elb_real *z);

    /* --- counter-based random numbers, Philox4x32-10 (Salmon et al. 2011). Element i of a row comes from block i/4
     * (word i%4) with counter {i/4, draw, datum low, datum high} and the stream's key: the same words by any table. */
    void (*uniform)(elb_stream at, int64_t n, elb_real *u); /* (word + 0.5) 2^-32, rounded into (0,1) */
    void (*normal)(elb_stream at, int64_t n, elb_real *z);  /* Box-Muller on word pairs (0,1) and (2,3) of a block */
    /* x = 1 where u < p, else 0; p in [0,1]; p = 0 gives 0 and p = 1 gives 1 always. x may be p. */
    void (*bernoulli)(elb_stream at, int64_t n, const elb_real *p, elb_real *x);
} elb_kernels;

/* Asks for rows x cols numbers with row stride ld all at once. Another core wrote them, and one by one each would cost
 * a round trip between the cores. */
static inline void elb_fetch(int64_t rows, int64_t cols, const elb_real *x, int64_t ld)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < cols; i += 64 / (int64_t)sizeof *x) __builtin_prefetch(x + r * ld + i);
}

/* The table for this processor, or the named one. *table is NULL and ELB_USAGE is returned for a name that is unknown,
 * not built, or not supported by this processor; the message lists those that are. */
elb_status elb_kernels_select(elb_context *c, const char *name, const elb_kernels **table);
/* All tables this build and processor offer, best first, NULL at the end; "reference" is always the last. */
const elb_kernels *const *elb_kernels_available(void);

/* What a random number is for; keeps the streams of one seed apart. Never renumber: runs would not resume. */
typedef enum elb_purpose {
    ELB_FOR_INIT,
    ELB_FOR_SHUFFLE,
    ELB_FOR_BINARISE,
    ELB_FOR_POSTERIOR, /* training noise */
    ELB_FOR_ESTIMATE,  /* evaluation noise */
    ELB_FOR_SAMPLE,    /* ancestral samples */
    ELB_FOR_SPLIT,
    ELB_FOR_SYNTHETIC,
    ELB_FOR_REFINE,
    ELB_FOR_ANNEAL /* AIS */
} elb_purpose;

uint64_t elb_stream_key(uint64_t seed, elb_purpose purpose, uint32_t epoch);
/* 32 random bits, for shuffles and the like. */
uint32_t elb_random_word(uint64_t key, uint64_t datum, uint32_t draw, uint32_t index);

#endif
