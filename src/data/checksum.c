/* checksum.c - tells whether numbers are the ones they were. */
#include "data/checksum.h"

static const uint64_t checksum_prime = 0x100000001b3u;

uint64_t elb_checksum_add(uint64_t sum, const void *bytes, size_t size)
{
    const unsigned char *b = bytes;
    for (size_t i = 0; i < size; i++) sum = (sum ^ b[i]) * checksum_prime;
    return sum;
}

int64_t elb_checksum_end(uint64_t sum)
{
    return (int64_t)((sum ^ sum >> 53) & (((uint64_t)1 << 53) - 1));
}

int64_t elb_dataset_checksum(const elb_dataset *d)
{
    const elb_array *a = &d->array;
    uint64_t sum = elb_checksum_add(ELB_CHECKSUM_START, a->shape, (size_t)a->rank * sizeof a->shape[0]);
    sum = elb_checksum_add(sum, a->values, (size_t)elb_array_count(a) * elb_array_width(a));
    return elb_checksum_end(sum);
}
