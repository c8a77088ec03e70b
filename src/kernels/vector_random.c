/* vector_random.c - Philox4x32-10 (Salmon et al. 2011), ELB_LANES blocks at a time, and what is drawn from it.
 * Compiled once per instruction set, see lanes.h. The words are those of stream.h. */
#include "kernels/vector_random.h"

enum { RANDOM_WORDS = 4, RANDOM_PASS = RANDOM_WORDS * ELB_LANES };

/* One half (even or odd lanes) of the blocks of a pass; only the lower 32 bits of every pair count, since
 * lanes_multiply_low ignores the others. */
typedef struct random_half {
    lanes_pairs counter[RANDOM_WORDS];
} random_half;

static inline lanes_pairs random_all(uint32_t x)
{
    return (lanes_pairs){0} + x;
}

static inline void random_round(random_half *h, uint32_t key0, uint32_t key1)
{
    lanes_pairs *c = h->counter;
    lanes_pairs left = lanes_multiply_low(c[0], random_all(0xD2511F53u));
    lanes_pairs right = lanes_multiply_low(c[2], random_all(0xCD9E8D57u));
    c[0] = (right >> 32) ^ c[1] ^ random_all(key0);
    c[1] = right;
    c[2] = (left >> 32) ^ c[3] ^ random_all(key1);
    c[3] = left;
}

/* The even or the odd lanes' counters at the start of a pass. Lane k of 128-bit group g takes block
 * (ELB_LANES/4) k + g of the pass: then lanes_transpose alone brings the words into the row's order. */
static inline random_half random_start(elb_stream at, int64_t first, bool odd)
{
    uint64_t block = (uint64_t)(first / RANDOM_WORDS) + (odd ? ELB_LANES / 4 : 0);
    return (random_half){.counter = {lanes_even_blocks() + block, random_all(at.draw), random_all((uint32_t)at.datum),
                                     random_all((uint32_t)(at.datum >> 32))}};
}

/* The uniforms of elements first .. first + RANDOM_PASS - 1, word k of each block in u[k]. */
static inline void random_uniforms(elb_stream at, int64_t first, lanes u[RANDOM_WORDS])
{
    random_half even = random_start(at, first, false), odd = random_start(at, first, true);
    uint32_t key0 = (uint32_t)at.key, key1 = (uint32_t)(at.key >> 32);
    for (int round = 0; round < 10; round++) {
        random_round(&even, key0, key1);
        random_round(&odd, key0, key1);
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    for (int k = 0; k < RANDOM_WORDS; k++) {
        lanes_words words = lanes_interleave(even.counter[k], odd.counter[k]);
        u[k] = (__builtin_convertvector(words, lanes) + 0.5f) * 0x1p-32f;
        u[k] = lanes_min(u[k], lanes_all(0x1.fffffep-1f));
    }
}

/* sin and cos of 2 pi u for u in (0,1): u is split, exactly, into quarter turns and a rest of at most 1/8 turn, for
 * which the Taylor polynomials are good to 4e-8. */
static inline void random_turn(lanes u, lanes *sine, lanes *cosine)
{
    lanes quarter = lanes_round(u * 4.0f), angle = (u - quarter * 0.25f) * 6.28318531f, square = angle * angle;
    lanes s = lanes_fma(square, lanes_all(1.0f / 362880), lanes_all(-1.0f / 5040));
    s = lanes_fma(square, lanes_fma(square, s, lanes_all(1.0f / 120)), lanes_all(-1.0f / 6));
    s = lanes_fma(angle * square, s, angle);
    lanes c = lanes_fma(square, lanes_all(1.0f / 40320), lanes_all(-1.0f / 720));
    c = lanes_fma(square, lanes_fma(square, c, lanes_all(1.0f / 24)), lanes_all(-0.5f));
    c = lanes_fma(square, c, lanes_all(1));
    /* quarter: 0 (s, c); 1 (c, -s); 2 (-s, -c); 3 (-c, s); 4 as 0 */
    lanes from_two = lanes_abs(quarter - 2.0f); /* 2, 1, 0, 1, 2 */
    lanes is_odd = lanes_abs(from_two - 1.0f);  /* 1, 0, 1, 0, 1 */
    lanes sine_size = lanes_if_less(is_odd, lanes_all(0.5f), c, s);
    lanes cosine_size = lanes_if_less(is_odd, lanes_all(0.5f), s, c);
    *sine = lanes_if_less(lanes_abs(quarter - 2.5f), lanes_all(1), -sine_size, sine_size);
    *cosine = lanes_if_less(lanes_abs(quarter - 1.5f), lanes_all(1), -cosine_size, cosine_size);
}

/* Stores the pass at `first`, lane-wise words already in row order, as far as the row of n goes. */
static inline void random_put(float *row, int64_t first, int64_t n, const lanes x[RANDOM_WORDS])
{
    for (int k = 0; k < RANDOM_WORDS; k++) {
        int64_t at = first + k * ELB_LANES;
        if (at >= n) return;
        lanes_put(row + at, n - at, x[k]);
    }
}

void LANES_NAME(elb_vector_uniform)(elb_stream at, int64_t n, float *u)
{
    for (int64_t i = 0; i < n; i += RANDOM_PASS) {
        lanes x[RANDOM_WORDS];
        random_uniforms(at, i, x);
        lanes_transpose(x);
        random_put(u, i, n, x);
    }
}

void LANES_NAME(elb_vector_normal)(elb_stream at, int64_t n, float *z)
{
    for (int64_t i = 0; i < n; i += RANDOM_PASS) {
        lanes x[RANDOM_WORDS];
        random_uniforms(at, i, x);
        for (int k = 0; k < RANDOM_WORDS; k += 2) {
            lanes sine, cosine, radius = lanes_sqrt(lanes_log(x[k]) * -2.0f);
            random_turn(x[k + 1], &sine, &cosine);
            x[k] = radius * cosine;
            x[k + 1] = radius * sine;
        }
        lanes_transpose(x);
        random_put(z, i, n, x);
    }
}

void LANES_NAME(elb_vector_bernoulli)(elb_stream at, int64_t n, const float *p, float *x)
{
    for (int64_t i = 0; i < n; i += RANDOM_PASS) {
        lanes u[RANDOM_WORDS];
        random_uniforms(at, i, u);
        lanes_transpose(u);
        for (int k = 0; k < RANDOM_WORDS && i + k * ELB_LANES < n; k++) {
            int64_t from = i + k * ELB_LANES;
            lanes chance = lanes_get(p + from, n - from);
            lanes_put(x + from, n - from, lanes_if_less(u[k], chance, lanes_all(1), lanes_all(0)));
        }
    }
}
