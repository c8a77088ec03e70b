#include "run/batch_op.h"

typedef struct batch_source {
    const elb_dataset *dataset;
    const int64_t *indices;
    elb_batch_spec spec;
} batch_source;

static void batch_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const batch_source *from = y->with.p[0];
    int64_t begin, end;
    elb_row_range(y->rows, y->cols, tile, &begin, &end);
    elb_dataset_batch(from->dataset, k, &from->spec, from->indices + begin, end - begin, y->data + begin * y->cols);
}

static const elb_op batch_op = {"data", {{elb_row_tiles, batch_forward}}, {{NULL, NULL}}};

elb_tensor *elb_batch(elb_tape *t, const elb_dataset *dataset, const elb_batch_spec *spec, const int64_t *indices,
                      int64_t count)
{
    batch_source *from = elb_tape_alloc(t, 1, sizeof *from);
    elb_tensor *y = elb_node(t, &batch_op, 2, (int64_t[]){count, elb_dataset_size(dataset)}, 0, NULL);
    if (y == NULL) return NULL;
    *from = (batch_source){dataset, indices, *spec};
    y->with.p[0] = from;
    return y;
}
