/* lanes.h - one vector of ELB_LANES floats (8: AVX2 with FMA, 16: AVX-512 f, dq, bw, vl), whichever this file is
 * compiled for. Included by the sources that are compiled once per instruction set; the flags choose. */
#ifndef ELB_LANES_H
#define ELB_LANES_H

#include <immintrin.h>
#include <sleef.h>
#include <stdint.h>

/* Runs the statements for i = 0, ELB_LANES, ...; `part` is how many elements from i on belong to the row. It is a
 * constant in all but the last round, so that only the last one pays for masks. */
#define LANES_EACH(n, ...)                                                                                             \
    do {                                                                                                               \
        const int64_t lanes_end = (n);                                                                                 \
        int64_t i = 0;                                                                                                 \
        for (; i + ELB_LANES <= lanes_end; i += ELB_LANES) {                                                           \
            const int64_t part = ELB_LANES;                                                                            \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
        if (i < lanes_end) {                                                                                           \
            const int64_t part = lanes_end - i;                                                                        \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    } while (0)

typedef uint32_t lanes_words __attribute__((vector_size(4 * ELB_LANES)));
typedef uint64_t lanes_pairs __attribute__((vector_size(4 * ELB_LANES))); /* half as many, of 64 bits */

#if ELB_LANES == 16

#define LANES_NAME(stem) stem##_avx512
#define LANES_ISA "avx512"
#define LANES_SLEEF(function, ulp) Sleef_##function##f16_##ulp##avx512f
typedef __m512 lanes;
typedef __mmask16 lanes_mask;

static inline lanes_mask lanes_first(int64_t part)
{
    return (lanes_mask)((1u << part) - 1);
}

static inline lanes lanes_get_masked(const float *from, lanes_mask mask)
{
    return _mm512_maskz_loadu_ps(mask, from);
}

static inline void lanes_put_masked(float *to, lanes_mask mask, lanes x)
{
    _mm512_mask_storeu_ps(to, mask, x);
}

static inline lanes lanes_keep_masked(lanes x, lanes_mask mask)
{
    return _mm512_maskz_mov_ps(mask, x);
}

static inline lanes lanes_all(float x)
{
    return _mm512_set1_ps(x);
}

static inline lanes lanes_fma(lanes a, lanes b, lanes c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline lanes lanes_sqrt(lanes x)
{
    return _mm512_sqrt_ps(x);
}

/* b where either is NaN. */
static inline lanes lanes_max(lanes a, lanes b)
{
    return _mm512_max_ps(a, b);
}

static inline lanes lanes_min(lanes a, lanes b)
{
    return _mm512_min_ps(a, b);
}

static inline lanes lanes_abs(lanes x)
{
    return _mm512_abs_ps(x);
}

/* a < b ? yes : no, with no where either is NaN. */
static inline lanes lanes_if_less(lanes a, lanes b, lanes yes, lanes no)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), no, yes);
}

static inline lanes lanes_round(lanes x)
{
    return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static inline float lanes_total(lanes x)
{
    return _mm512_reduce_add_ps(x);
}

/* The products of the lower 32 bits of every pair. */
static inline lanes_pairs lanes_multiply_low(lanes_pairs a, lanes_pairs b)
{
    return (lanes_pairs)_mm512_mul_epu32((__m512i)a, (__m512i)b);
}

/* Even words from the lower halves of `even`, odd words from those of `odd`. */
static inline lanes_words lanes_interleave(lanes_pairs even, lanes_pairs odd)
{
    return (lanes_words)_mm512_mask_blend_epi32(0xAAAA, (__m512i)even, (__m512i)(odd << 32));
}

/* The blocks of the even lanes, see random_start in vector_random.c. */
static inline lanes_pairs lanes_even_blocks(void)
{
    return (lanes_pairs){0, 8, 1, 9, 2, 10, 3, 11};
}

#define LANES_UNPACK_LOW_WORDS _mm512_unpacklo_ps
#define LANES_UNPACK_HIGH_WORDS _mm512_unpackhi_ps
#define LANES_UNPACK_LOW_PAIRS(a, b) ((lanes)_mm512_unpacklo_pd((__m512d)(a), (__m512d)(b)))
#define LANES_UNPACK_HIGH_PAIRS(a, b) ((lanes)_mm512_unpackhi_pd((__m512d)(a), (__m512d)(b)))

#elif ELB_LANES == 8

#define LANES_NAME(stem) stem##_avx2
#define LANES_ISA "avx2"
#define LANES_SLEEF(function, ulp) Sleef_##function##f8_##ulp##avx2
typedef __m256 lanes;
typedef __m256i lanes_mask;

static inline lanes_mask lanes_first(int64_t part)
{
    static const int32_t ones_then_zeros[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_loadu_si256((const __m256i *)(ones_then_zeros + 8 - part));
}

static inline lanes lanes_get_masked(const float *from, lanes_mask mask)
{
    return _mm256_maskload_ps(from, mask);
}

static inline void lanes_put_masked(float *to, lanes_mask mask, lanes x)
{
    _mm256_maskstore_ps(to, mask, x);
}

static inline lanes lanes_keep_masked(lanes x, lanes_mask mask)
{
    return _mm256_and_ps(x, (lanes)mask);
}

static inline lanes lanes_all(float x)
{
    return _mm256_set1_ps(x);
}

static inline lanes lanes_fma(lanes a, lanes b, lanes c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static inline lanes lanes_sqrt(lanes x)
{
    return _mm256_sqrt_ps(x);
}

/* b where either is NaN. */
static inline lanes lanes_max(lanes a, lanes b)
{
    return _mm256_max_ps(a, b);
}

static inline lanes lanes_min(lanes a, lanes b)
{
    return _mm256_min_ps(a, b);
}

static inline lanes lanes_abs(lanes x)
{
    return _mm256_andnot_ps(lanes_all(-0.0f), x);
}

/* a < b ? yes : no, with no where either is NaN. */
static inline lanes lanes_if_less(lanes a, lanes b, lanes yes, lanes no)
{
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}

static inline lanes lanes_round(lanes x)
{
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static inline float lanes_total(lanes x)
{
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* The products of the lower 32 bits of every pair. */
static inline lanes_pairs lanes_multiply_low(lanes_pairs a, lanes_pairs b)
{
    return (lanes_pairs)_mm256_mul_epu32((__m256i)a, (__m256i)b);
}

/* Even words from the lower halves of `even`, odd words from those of `odd`. */
static inline lanes_words lanes_interleave(lanes_pairs even, lanes_pairs odd)
{
    return (lanes_words)_mm256_blend_epi32((__m256i)even, (__m256i)(odd << 32), 0xAA);
}

/* The blocks of the even lanes, see random_start in vector_random.c. */
static inline lanes_pairs lanes_even_blocks(void)
{
    return (lanes_pairs){0, 4, 1, 5};
}

#define LANES_UNPACK_LOW_WORDS _mm256_unpacklo_ps
#define LANES_UNPACK_HIGH_WORDS _mm256_unpackhi_ps
#define LANES_UNPACK_LOW_PAIRS(a, b) ((lanes)_mm256_unpacklo_pd((__m256d)(a), (__m256d)(b)))
#define LANES_UNPACK_HIGH_PAIRS(a, b) ((lanes)_mm256_unpackhi_pd((__m256d)(a), (__m256d)(b)))

#else
#error "compile with -DELB_LANES=8 or -DELB_LANES=16"
#endif

/* `part` elements, zeros behind them; nothing beyond them is touched. */
static inline lanes lanes_get(const float *from, int64_t part)
{
    lanes x;
    if (part < ELB_LANES) return lanes_get_masked(from, lanes_first(part));
    __builtin_memcpy(&x, from, sizeof x);
    return x;
}

static inline void lanes_put(float *to, int64_t part, lanes x)
{
    if (part < ELB_LANES) {
        lanes_put_masked(to, lanes_first(part), x);
    } else {
        __builtin_memcpy(to, &x, sizeof x);
    }
}

/* Zero behind the first `part` elements. */
static inline lanes lanes_keep(lanes x, int64_t part)
{
    return part < ELB_LANES ? lanes_keep_masked(x, lanes_first(part)) : x;
}

static inline void lanes_add_to(float *to, int64_t part, lanes x)
{
    lanes_put(to, part, lanes_get(to, part) + x);
}

static inline lanes lanes_exp(lanes x)
{
    return LANES_SLEEF(exp, u10)(x);
}

static inline lanes lanes_log(lanes x)
{
    return LANES_SLEEF(log, u35)(x);
}

/* e^x - 1: below 1/2 in size the Taylor polynomial, good to 2e-8; above, the difference loses nothing. */
static inline lanes lanes_expm1(lanes x)
{
    lanes series = lanes_all(1.0f / 40320);
    series = lanes_fma(series, x, lanes_all(1.0f / 5040));
    series = lanes_fma(series, x, lanes_all(1.0f / 720));
    series = lanes_fma(series, x, lanes_all(1.0f / 120));
    series = lanes_fma(series, x, lanes_all(1.0f / 24));
    series = lanes_fma(series, x, lanes_all(1.0f / 6));
    series = lanes_fma(series, x, lanes_all(0.5f));
    series = lanes_fma(series * x, x, x);
    return lanes_if_less(lanes_abs(x), lanes_all(0.5f), series, lanes_exp(x) - 1.0f);
}

/* log(1 + x) for x in [0,1]: what the sum rounds away is put back. */
static inline lanes lanes_log1p(lanes x)
{
    lanes sum = 1.0f + x;
    return lanes_log(sum) + (x - (sum - 1.0f));
}

static inline lanes lanes_tanh(lanes x)
{
    return LANES_SLEEF(tanh, u35)(x);
}

static inline lanes lanes_erfc(lanes x)
{
    return LANES_SLEEF(erfc, u15)(x);
}

/* Each group of 128 bits holds a 4 x 4 matrix, one row in each of the four vectors: transposes all of them. */
static inline void lanes_transpose(lanes x[4])
{
    lanes low01 = LANES_UNPACK_LOW_WORDS(x[0], x[1]), high01 = LANES_UNPACK_HIGH_WORDS(x[0], x[1]);
    lanes low23 = LANES_UNPACK_LOW_WORDS(x[2], x[3]), high23 = LANES_UNPACK_HIGH_WORDS(x[2], x[3]);
    x[0] = LANES_UNPACK_LOW_PAIRS(low01, low23);
    x[1] = LANES_UNPACK_HIGH_PAIRS(low01, low23);
    x[2] = LANES_UNPACK_LOW_PAIRS(high01, high23);
    x[3] = LANES_UNPACK_HIGH_PAIRS(high01, high23);
}

#endif
