/* shuffle.c - random orders. */
#include "data/dataset.h"

/* Uniform on 0 .. bound-1 without bias (Lemire 2019): words that would favour some results are drawn again. */
static uint32_t shuffle_below(uint64_t key, uint64_t datum, uint32_t bound)
{
    uint32_t refused = (0u - bound) % bound;
    for (uint32_t draw = 0;; draw++) {
        uint64_t product = (uint64_t)elb_random_word(key, datum, draw, 0) * bound;
        if ((uint32_t)product >= refused) return (uint32_t)(product >> 32);
    }
}

void elb_permutation_keyed(uint64_t key, int64_t n, int64_t *order)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t j = shuffle_below(key, (uint64_t)i, (uint32_t)(i + 1));
        order[i] = i;
        order[i] = order[j];
        order[j] = i;
    }
}

void elb_permutation(uint64_t seed, uint32_t epoch, int64_t n, int64_t *order)
{
    elb_permutation_keyed(elb_stream_key(seed, ELB_FOR_SHUFFLE, epoch), n, order);
}
