#include <string.h>

#include "tensor/tensor.h"

static void noise_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const elb_noise *noise = y->with.p[0];
    int64_t begin, end, batch = y->shape[1];
    uint32_t draw = noise->draw + (noise->step != NULL ? *noise->step : 0);
    elb_row_range(y->rows, y->cols, tile, &begin, &end);
    for (int64_t r = begin; r < end; r++) {
        elb_stream at = {noise->key, noise->datum[r % batch], draw + (uint32_t)(r / batch)};
        k->normal(at, y->cols, y->data + r * y->cols);
    }
}

const elb_op elb_op_noise = {"noise", {{elb_row_tiles, noise_forward}}, {{NULL, NULL}}};

uint64_t elb_noise_key(const elb_noise *noise, uint32_t lane)
{
    return noise->key + lane * UINT64_C(0x9E3779B97F4A7C15); /* an odd constant: lanes never meet */
}

elb_tensor *elb_noise_normal(elb_tape *t, const elb_noise *noise, int64_t batch, int64_t n, uint32_t lane)
{
    int64_t shape[] = {noise->samples, batch, n};
    if (noise->fixed != NULL) {
        elb_tensor *x = elb_input(t, "noise", false, 3, shape);
        if (x != NULL) memcpy(x->data, noise->fixed, (size_t)(x->rows * x->cols) * sizeof *x->data);
        return x;
    }
    elb_noise *own = elb_tape_alloc(t, 1, sizeof *own);
    elb_tensor *y = elb_node(t, &elb_op_noise, 3, shape, 0, NULL);
    if (y == NULL) return NULL;
    *own = *noise;
    own->key = elb_noise_key(noise, lane);
    y->with.p[0] = own;
    return y;
}
