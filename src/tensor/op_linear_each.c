#include <string.h>

#include "tensor/tensor.h"

/* A fully connected layer whose weights are each datum's own: act(W_b x + c_b), W_b [m,n] and then c_b [m] standing in
 * row b of a tensor, from one column on. A tile is some data with all their samples. */

static elb_activation each_activation(const elb_tensor *y)
{
    return (elb_activation)y->with.i[1];
}

/* Numbers of one datum's layer. */
static int64_t each_numbers(const elb_tensor *y)
{
    return y->cols * (y->in[0]->cols + 1);
}

static int64_t each_tiles(const elb_tensor *y)
{
    return elb_range_tiles(y->in[1]->rows, each_numbers(y));
}

static const elb_real *each_weights(const elb_tensor *y, int64_t b)
{
    return y->in[1]->data + b * y->in[1]->cols + y->with.i[0];
}

static void each_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const elb_tensor *x = y->in[0];
    int64_t begin, end, data = y->in[1]->rows, n = x->cols, m = y->cols;
    elb_row_range(data, each_numbers(y), tile, &begin, &end);
    for (int64_t b = begin; b < end; b++) {
        const elb_real *w = each_weights(y, b);
        k->gemm(false, true, y->rows / data, m, n, x->data + b * n, data * n, w, n, 0, y->data + b * m, data * m);
        k->activate(each_activation(y), y->rows / data, m, w + m * n, y->data + b * m, data * m);
    }
}

/* y->grad becomes the gradient of the pre-activation, in place. */
static void each_slope(const elb_kernels *k, elb_tensor *y, int64_t b)
{
    for (int64_t r = b; r < y->rows && each_activation(y) != ELB_LINEAR; r += y->in[1]->rows) {
        elb_real *g = y->grad + r * y->cols;
        k->activate_backward(each_activation(y), y->cols, y->data + r * y->cols, g, g);
    }
}

static void each_backward_weights(const elb_kernels *k, elb_tensor *y, int64_t b)
{
    const elb_tensor *x = y->in[0], *w = y->in[1];
    int64_t data = w->rows, n = x->cols, m = y->cols;
    elb_real *row = w->grad + b * w->cols, *dw = row + y->with.i[0];
    if (!y->accumulate[1]) memset(row, 0, (size_t)w->cols * sizeof *row);
    k->gemm(true, false, m, n, y->rows / data, y->grad + b * m, data * m, x->data + b * n, data * n, 1, dw, n);
    for (int64_t r = b; r < y->rows; r += data) k->axpy(m, 1, y->grad + r * m, dw + m * n);
}

static void each_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    elb_tensor *x = y->in[0];
    int64_t begin, end, data = y->in[1]->rows, n = x->cols, m = y->cols;
    elb_row_range(data, each_numbers(y), tile, &begin, &end);
    for (int64_t b = begin; b < end; b++) {
        each_slope(k, y, b);
        if (y->in[1]->needs_grad) each_backward_weights(k, y, b);
        if (x->needs_grad)
            k->gemm(false, false, y->rows / data, n, m, y->grad + b * m, data * m, each_weights(y, b), n,
                    y->accumulate[0] ? 1 : 0, x->grad + b * n, data * n);
    }
}

const elb_op elb_op_linear_each = {"linear_each", {{each_tiles, each_forward}}, {{each_tiles, each_backward}}};

elb_tensor *elb_linear_each(elb_tape *t, elb_tensor *x, elb_tensor *w, int64_t at, int64_t out, elb_activation act)
{
    if (x == NULL || w == NULL) return NULL;
    if (elb_slope_from_input(act)) return elb_activate(t, act, elb_linear_each(t, x, w, at, out, ELB_LINEAR));
    char shape[64], weights[64];
    if (x->rank < 1 || w->rank != 2 || w->rows == 0 || x->rows % w->rows != 0 || at < 0 ||
        at > w->cols - out * (x->cols + 1))
        return elb_tape_fail(
            t, ELB_MODEL,
            "linear_each: weights of shape %s do not hold, from column %lld on, a layer of %lld units for "
            "every row of an input of shape %s",
            elb_shape_text(w, weights), (long long)at, (long long)out, elb_shape_text(x, shape));
    int64_t to[ELB_RANK_MAX];
    memcpy(to, x->shape, sizeof to);
    to[x->rank - 1] = out;
    elb_tensor *y = elb_node(t, &elb_op_linear_each, x->rank, to, 2, (elb_tensor *[]){x, w});
    if (y == NULL) return NULL;
    y->with.i[0] = at;
    y->with.i[1] = act;
    return y;
}
