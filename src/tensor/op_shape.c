#include <string.h>

#include "tensor/tensor.h"

/* Ops that move numbers or steer gradients. */

/* The first to give to dx stores, the others add. */
static void shape_give(const elb_kernels *k, bool first, int64_t n, const elb_real *g, elb_real *dx)
{
    if (first)
        memcpy(dx, g, (size_t)n * sizeof *dx);
    else
        k->axpy(n, 1, g, dx);
}

/* --- columns of the last axis ------------------------------------------------------------------------------------- */

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

/* --- another shape ------------------------------------------------------------------------------------------------ */

static int64_t reshape_tiles(const elb_tensor *y)
{
    return elb_range_tiles(y->rows * y->cols, 1);
}

static void reshape_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    (void)k;
    int64_t begin, end;
    elb_row_range(y->rows * y->cols, 1, tile, &begin, &end);
    memcpy(y->data + begin, y->in[0]->data + begin, (size_t)(end - begin) * sizeof *y->data);
}

static void reshape_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    int64_t begin, end;
    elb_row_range(y->rows * y->cols, 1, tile, &begin, &end);
    shape_give(k, !y->accumulate[0], end - begin, y->grad + begin, y->in[0]->grad + begin);
}

const elb_op elb_op_reshape = {"reshape", {{reshape_tiles, reshape_forward}}, {{reshape_tiles, reshape_backward}}};

elb_tensor *elb_reshape(elb_tape *t, elb_tensor *x, int rank, const int64_t *shape)
{
    if (x == NULL) return NULL;
    int64_t count = 1;
    for (int i = 0; i < rank; i++) count *= shape[i];
    if (count == x->rows * x->cols) return elb_node(t, &elb_op_reshape, rank, shape, 1, &x);
    char text[64];
    return elb_tape_fail(t, ELB_MODEL, "a tensor of shape %s does not have the %lld numbers of another shape",
                         elb_shape_text(x, text), (long long)count);
}

/* --- two tensors side by side ------------------------------------------------------------------------------------- */

static void join_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    (void)k;
    const elb_tensor *a = y->in[0], *b = y->in[1];
    int64_t begin, end;
    elb_row_range(y->rows, y->cols, tile, &begin, &end);
    for (int64_t r = begin; r < end; r++) {
        elb_real *out = y->data + r * y->cols;
        memcpy(out, a->data + r * a->cols, (size_t)a->cols * sizeof *out);
        memcpy(out + a->cols, b->data + r % b->rows * b->cols, (size_t)b->cols * sizeof *out);
    }
}

/* A backward tile owns whole rows of b and every row of a that they stand beside. */
static int64_t join_period(const elb_tensor *y)
{
    return y->in[1]->needs_grad ? y->in[1]->rows : y->rows;
}

static int64_t join_backward_tiles(const elb_tensor *y)
{
    int64_t period = join_period(y);
    return elb_range_tiles(period, y->cols * (y->rows / period));
}

static void join_backward_part(const elb_kernels *k, elb_tensor *y, int i, int64_t begin, int64_t end)
{
    elb_tensor *x = y->in[i];
    int64_t period = join_period(y), column = i == 0 ? 0 : y->in[0]->cols;
    for (int64_t p = begin; p < end; p++)
        for (int64_t r = p; r < y->rows; r += period) {
            bool first = !y->accumulate[i] && r < x->rows;
            shape_give(k, first, x->cols, y->grad + r * y->cols + column, x->grad + r % x->rows * x->cols);
        }
}

static void join_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    int64_t begin, end, period = join_period(y);
    elb_row_range(period, y->cols * (y->rows / period), tile, &begin, &end);
    for (int i = 0; i < 2; i++)
        if (y->in[i]->needs_grad) join_backward_part(k, y, i, begin, end);
}

const elb_op elb_op_join = {"join", {{elb_row_tiles, join_forward}}, {{join_backward_tiles, join_backward}}};

elb_tensor *elb_join(elb_tape *t, elb_tensor *a, elb_tensor *b)
{
    if (a == NULL || b == NULL) return NULL;
    char left[64], right[64];
    if (a->rank < 1 || b->rank < 1 || b->rows == 0 || a->rows % b->rows != 0)
        return elb_tape_fail(t, ELB_MODEL, "a tensor of shape %s cannot stand beside one of shape %s",
                             elb_shape_text(b, right), elb_shape_text(a, left));
    int64_t shape[ELB_RANK_MAX];
    memcpy(shape, a->shape, sizeof shape);
    shape[a->rank - 1] = a->cols + b->cols;
    return elb_node(t, &elb_op_join, a->rank, shape, 2, (elb_tensor *[]){a, b});
}

/* --- weights under a mask: tiles are those of the weights, so that rows stay with their thread -------------------- */

static void mask_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    (void)k;
    const int64_t *hidden = y->with.p[0];
    int64_t begin, end;
    elb_weight_range(y, tile, &begin, &end);
    memcpy(y->data + begin * y->cols, y->in[0]->data + begin * y->cols,
           (size_t)((end - begin) * y->cols) * sizeof *y->data);
    for (int64_t r = begin; r < end; r++)
        memset(y->data + r * y->cols + hidden[2 * r], 0, (size_t)(hidden[2 * r + 1] - hidden[2 * r]) * sizeof *y->data);
}

static void mask_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    elb_tensor *w = y->in[0];
    const int64_t *hidden = y->with.p[0];
    int64_t begin, end, n = y->cols;
    elb_weight_range(y, tile, &begin, &end);
    for (int64_t r = begin; r < end; r++) {
        int64_t from = hidden[2 * r], to = hidden[2 * r + 1];
        const elb_real *g = y->grad + r * n;
        elb_real *dw = w->grad + r * n;
        if (!y->accumulate[0]) memset(dw + from, 0, (size_t)(to - from) * sizeof *dw);
        shape_give(k, !y->accumulate[0], from, g, dw);
        shape_give(k, !y->accumulate[0], n - to, g + to, dw + to);
    }
}

const elb_op elb_op_mask = {"mask", {{elb_weight_tiles, mask_forward}}, {{elb_weight_tiles, mask_backward}}};

elb_tensor *elb_mask(elb_tape *t, elb_tensor *w, const int64_t *hidden)
{
    if (w == NULL || hidden == NULL) return NULL;
    for (int64_t r = 0; r < w->rows; r++)
        if (hidden[2 * r] < 0 || hidden[2 * r] > hidden[2 * r + 1] || hidden[2 * r + 1] > w->cols)
            return elb_tape_fail(t, ELB_MODEL, "a mask hides columns %lld to %lld of a weight with %lld",
                                 (long long)hidden[2 * r], (long long)hidden[2 * r + 1], (long long)w->cols);
    elb_tensor *y = elb_node(t, &elb_op_mask, w->rank, w->shape, 1, &w);
    if (y != NULL) y->with.p[0] = hidden;
    return y;
}

/* --- broadcast a vector or one element ---------------------------------------------------------------------------- */

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

/* --- gradients steered -------------------------------------------------------------------------------------------- */

/* Aliases x's numbers: a node without work. */
elb_tensor *elb_stop_gradient(elb_tape *t, elb_tensor *x)
{
    if (x == NULL) return NULL;
    x->kept = true;
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
    weight->kept = true;
    scaled->late = weight;
}
