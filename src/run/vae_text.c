#include "run/vae_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void elb_shape_write(int rank, const int64_t shape[3], char text[ELB_SHAPE_TEXT])
{
    int used = 0;
    for (int i = 0; i < rank; i++)
        used += snprintf(text + used, (size_t)(ELB_SHAPE_TEXT - used), "%s%lld", i > 0 ? "x" : "", (long long)shape[i]);
}

bool elb_shape_read(const char *text, int *rank, int64_t shape[3])
{
    int64_t product = 1;
    for (int i = 0; i < 3; i++) shape[i] = 1;
    for (*rank = 0; *rank < 3;) {
        char *end;
        errno = 0;
        long long side = strtoll(text, &end, 10);
        if (end == text || errno != 0 || side < 1 || !elb_mul_fits(product, side, &product)) return false;
        shape[(*rank)++] = side;
        if (*end == 0) return true;
        if (*end != 'x') return false;
        text = end + 1;
    }
    return false;
}
