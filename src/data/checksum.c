/* checksum.c - tells whether a data set is the one it was. */
#include "data/checksum.h"

static const uint64_t checksum_start = 0xcbf29ce484222325u, checksum_prime = 0x100000001b3u;

static uint64_t checksum_add(uint64_t sum, const void *bytes, size_t size)
{
    const unsigned char *b = bytes;
    for (size_t i = 0; i < size; i++) sum = (sum ^ b[i]) * checksum_prime;
    return sum;
}

int64_t elb_dataset_checksum(const elb_dataset *d)
{
    const elb_array *a = &d->array;
    uint64_t sum = checksum_add(checksum_start, a->shape, (size_t)a->rank * sizeof a->shape[0]);
    sum = checksum_add(sum, a->values, (size_t)elb_array_count(a) * elb_array_width(a));
    return (int64_t)((sum ^ sum >> 53) & (((uint64_t)1 << 53) - 1));
}
