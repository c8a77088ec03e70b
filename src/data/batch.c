/* batch.c - rows of a data set as a model wants them. Runs in every training step, so the loops are kept simple enough
 * for the compiler to vectorise. */
#include <string.h>

#include "data/dataset.h"

/* Division rather than multiplication by 1/scale: 255/255 is then exactly 1, and values agree with other programs. */
static void batch_scale_u8(int64_t n, const uint8_t *from, elb_real scale, elb_real *to)
{
    for (int64_t i = 0; i < n; i++) to[i] = (elb_real)from[i] / scale;
}

static void batch_scale_f32(int64_t n, const float *from, elb_real scale, elb_real *to)
{
    for (int64_t i = 0; i < n; i++) to[i] = (elb_real)from[i] / scale;
}

static void batch_threshold(int64_t n, elb_real threshold, elb_real *x)
{
    for (int64_t i = 0; i < n; i++) x[i] = x[i] >= threshold ? 1 : 0;
}

static void batch_row(const elb_dataset *d, int64_t index, elb_real *x)
{
    elb_real scale = (elb_real)d->facts.scale;
    if (d->array.type == ELB_ARRAY_U8)
        batch_scale_u8(d->size, (const uint8_t *)d->array.values + index * d->size, scale, x);
    else
        batch_scale_f32(d->size, (const float *)d->array.values + index * d->size, scale, x);
}

void elb_dataset_batch(const elb_dataset *d, const elb_kernels *k, const elb_batch_spec *spec, const int64_t *indices,
                       int64_t count, elb_real *x)
{
    bool fixed = spec->binarise == ELB_BINARISE_STATIC, chance = fixed || spec->binarise == ELB_BINARISE_DYNAMIC;
    elb_stream at = {.key = elb_stream_key(spec->seed, ELB_FOR_BINARISE, fixed ? 0 : spec->epoch),
                     .draw = fixed ? 0 : spec->draw};
    for (int64_t j = 0; j < count; j++) {
        int64_t index = indices ? indices[j] : j;
        elb_real *row = x + j * d->size;
        batch_row(d, index, row);
        at.datum = d->origin + (uint64_t)index;
        if (chance) k->bernoulli(at, d->size, row, row);
        if (spec->binarise == ELB_BINARISE_THRESHOLD) batch_threshold(d->size, (elb_real)spec->threshold, row);
    }
}
