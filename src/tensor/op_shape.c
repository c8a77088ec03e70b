#include <string.h>

#include "tensor/tensor.h"

/* Ops that move numbers or steer gradients. */

/* --- columns of the last axis ---------------------------------------------------------------------------------------- */

static void columns_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    (void)k;
    const elb_tensor *x = y->in[0];
    int64_t begin, end;
    elb_row_range(y->rows, y->cols, tile, &begin, &end);
    for (int64_t r = begin; r < end; r++)
        memcpy(y->data + r * y->cols, x->data + r * x->cols + y->with.i[0], (size_t)y->cols * sizeof *y->data);
}

static int64_t columns_backward_tiles(const elb_tensor *y)
{
    return elb_row_tiles(y->in[0]);
}

static void columns_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const elb_tensor *x = y->in[0];
    int64_t begin, end;
    elb_row_range(x->rows, x->cols, tile, &begin, &end);
    if (!y->accumulate[0]) memset(x->grad + begin * x->cols, 0, (size_t)((end - begin) * x->cols) * sizeof *x->grad);
    for (int64_t r = begin; r < end; r++)
        k->axpy(y->cols, 1, y->grad + r * y->cols, x->grad + r * x->cols + y->with.i[0]);
}

const elb_op elb_op_columns = {
    "columns", {{elb_row_tiles, columns_forward}}, {{columns_backward_tiles, columns_backward}}};

elb_tensor *elb_columns(elb_tape *t, elb_tensor *x, int64_t begin, int64_t count)
{
    if (x == NULL) return NULL;
    if (x->rank < 1 || begin < 0 || count < 0 || begin > x->cols - count) {
        char shape[64];
        return elb_tape_fail(t, ELB_MODEL, "columns %lld.. (%lld of them) are not in a tensor of shape %s",
                             (long long)begin, (long long)count, elb_shape_text(x, shape));
    }
    int64_t shape[ELB_RANK_MAX];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->rank - 1] = count;
    elb_tensor *y = elb_node(t, &elb_op_columns, x->rank, shape, 1, &x);
    if (y != NULL) y->with.i[0] = begin;
    return y;
}

/* --- broadcast a vector or one element ------------------------------------------------------------------------------- */

static void broadcast_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const elb_tensor *x = y->in[0];
    int64_t begin, end;
    elb_row_range(y->rows, y->cols, tile, &begin, &end);
    for (int64_t r = begin; r < end; r++) {
        elb_real *out = y->data + r * y->cols;
        if (x->cols == y->cols) {
            memcpy(out, x->data, (size_t)y->cols * sizeof *out);
        } else {
            memset(out, 0, (size_t)y->cols * sizeof *out);
            k->axpby(y->cols, 1, out, x->data[0], out);
        }
    }
}

static void broadcast_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    (void)tile;
    elb_tensor *x = y->in[0];
    if (!y->accumulate[0]) memset(x->grad, 0, (size_t)x->cols * sizeof *x->grad);
    for (int64_t r = 0; r < y->rows; r++) {
        const elb_real *g = y->grad + r * y->cols;
        if (x->cols == y->cols)
            k->axpy(y->cols, 1, g, x->grad);
        else
            x->grad[0] += k->sum(y->cols, g);
    }
}

const elb_op elb_op_broadcast = {
    "broadcast", {{elb_row_tiles, broadcast_forward}}, {{elb_one_tile, broadcast_backward}}};

elb_tensor *elb_broadcast(elb_tape *t, elb_tensor *x, int rank, const int64_t *shape)
{
    if (x == NULL) return NULL;
    if (x->rows != 1 || rank < 1 || (x->cols != 1 && x->cols != shape[rank - 1])) {
        char text[64];
        return elb_tape_fail(t, ELB_MODEL, "a tensor of shape %s cannot be repeated to rows of %lld",
                             elb_shape_text(x, text), (long long)(rank > 0 ? shape[rank - 1] : 0));
    }
    return elb_node(t, &elb_op_broadcast, rank, shape, 1, &x);
}

/* --- gradients steered ------------------------------------------------------------------------------------------------- */

/* Aliases x's numbers: a node without work. */
elb_tensor *elb_stop_gradient(elb_tape *t, elb_tensor *x)
{
    if (x == NULL) return NULL;
    return elb_leaf(t, x->name, x->data, NULL, x->rank, x->shape);
}

static void scale_gradient_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    (void)k;
    int64_t begin, end;
    elb_row_range(y->rows, y->cols, tile, &begin, &end);
    memcpy(y->data + begin * y->cols, y->in[0]->data + begin * y->cols,
           (size_t)((end - begin) * y->cols) * sizeof *y->data);
}

static void scale_gradient_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const elb_tensor *x = y->in[0];
    int64_t begin, end;
    elb_row_range(y->rows, y->cols, tile, &begin, &end);
    for (int64_t r = begin; r < end; r++) {
        elb_real *g = x->grad + r * x->cols;
        if (!y->accumulate[0]) memset(g, 0, (size_t)x->cols * sizeof *g);
        k->axpy(x->cols, y->late != NULL ? y->late->data[r] : 1, y->grad + r * y->cols, g);
    }
}

const elb_op elb_op_scale_gradient = {
    "scale_gradient", {{elb_row_tiles, scale_gradient_forward}}, {{elb_row_tiles, scale_gradient_backward}}};

elb_tensor *elb_scale_gradient(elb_tape *t, elb_tensor *x)
{
    if (x == NULL) return NULL;
    return elb_node(t, &elb_op_scale_gradient, x->rank, x->shape, 1, &x);
}

void elb_scale_gradient_by(elb_tensor *scaled, elb_tensor *weight)
{
    if (scaled == NULL || weight == NULL) return;
    if (weight->rows * weight->cols != scaled->rows)
        elb_tape_fail(scaled->tape, ELB_MODEL, "a gradient of %lld rows cannot be scaled by %lld weights",
                      (long long)scaled->rows, (long long)(weight->rows * weight->cols));
    scaled->late = weight;
}
