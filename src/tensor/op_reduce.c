#include <math.h>
#include <string.h>
#include <tgmath.h>

#include "tensor/tensor.h"

/* Reductions over the last axis, over the first axis (samples), and over everything. */

/* --- sum over the last axis --------------------------------------------------------------------------------------- */

static int64_t sum_last_tiles(const elb_tensor *y)
{
    return elb_row_tiles(y->in[0]);
}

static void sum_last_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const elb_tensor *x = y->in[0];
    int64_t begin, end;
    elb_row_range(x->rows, x->cols, tile, &begin, &end);
    for (int64_t r = begin; r < end; r++) y->data[r] = k->sum(x->cols, x->data + r * x->cols);
}

static void sum_last_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const elb_tensor *x = y->in[0];
    int64_t begin, end;
    elb_row_range(x->rows, x->cols, tile, &begin, &end);
    for (int64_t r = begin; r < end; r++) {
        elb_real *g = x->grad + r * x->cols;
        if (!y->accumulate[0]) memset(g, 0, (size_t)x->cols * sizeof *g);
        k->axpby(x->cols, 1, g, y->grad[r], g);
    }
}

const elb_op elb_op_sum_last = {
    "sum_last", {{sum_last_tiles, sum_last_forward}}, {{sum_last_tiles, sum_last_backward}}};

elb_tensor *elb_sum_last(elb_tape *t, elb_tensor *x)
{
    if (x == NULL) return NULL;
    if (x->rank < 1) return elb_tape_fail(t, ELB_MODEL, "sum_last needs a tensor with at least one axis");
    return elb_node(t, &elb_op_sum_last, x->rank - 1, x->shape, 1, &x);
}

/* --- sums of squares over equal parts of the last axis ------------------------------------------------------------ */

static void sum_squares_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const elb_tensor *x = y->in[0];
    int64_t begin, end, width = y->with.i[0];
    elb_row_range(x->rows, x->cols, tile, &begin, &end);
    for (int64_t i = begin * y->cols; i < end * y->cols; i++)
        y->data[i] = k->dot(width, x->data + i * width, x->data + i * width);
}

static void sum_squares_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const elb_tensor *x = y->in[0];
    int64_t begin, end, width = y->with.i[0];
    elb_row_range(x->rows, x->cols, tile, &begin, &end);
    if (!y->accumulate[0]) memset(x->grad + begin * x->cols, 0, (size_t)((end - begin) * x->cols) * sizeof *x->grad);
    for (int64_t i = begin * y->cols; i < end * y->cols; i++)
        k->axpy(width, 2 * y->grad[i], x->data + i * width, x->grad + i * width);
}

const elb_op elb_op_sum_squares = {
    "sum_squares", {{sum_last_tiles, sum_squares_forward}}, {{sum_last_tiles, sum_squares_backward}}};

elb_tensor *elb_sum_squares(elb_tape *t, elb_tensor *x, int64_t width)
{
    if (x == NULL) return NULL;
    if (x->rank < 1 || width < 1 || x->cols % width != 0) {
        char shape[64];
        return elb_tape_fail(t, ELB_MODEL, "sum_squares: a tensor of shape %s has no rows of whole parts of %lld",
                             elb_shape_text(x, shape), (long long)width);
    }
    int64_t shape[ELB_RANK_MAX];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->rank - 1] = x->cols / width;
    elb_tensor *y = elb_node(t, &elb_op_sum_squares, x->rank, shape, 1, &x);
    if (y != NULL) y->with.i[0] = width;
    return y;
}

/* --- mean of everything ------------------------------------------------------------------------------------------- */

static void mean_all_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    (void)tile;
    const elb_tensor *x = y->in[0];
    int64_t n = x->rows * x->cols;
    y->data[0] = k->sum(n, x->data) / (elb_real)n;
}

static void mean_all_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    (void)tile;
    const elb_tensor *x = y->in[0];
    int64_t n = x->rows * x->cols;
    if (!y->accumulate[0]) memset(x->grad, 0, (size_t)n * sizeof *x->grad);
    k->axpby(n, 1, x->grad, y->grad[0] / (elb_real)n, x->grad);
}

const elb_op elb_op_mean_all = {"mean_all", {{elb_one_tile, mean_all_forward}}, {{elb_one_tile, mean_all_backward}}};

elb_tensor *elb_mean_all(elb_tape *t, elb_tensor *x)
{
    if (x == NULL) return NULL;
    if (x->rows * x->cols == 0) return elb_tape_fail(t, ELB_DATA, "the mean of no numbers is not defined");
    return elb_node(t, &elb_op_mean_all, 0, NULL, 1, &x);
}

/* --- over the first axis: x is seen as [S,n] ---------------------------------------------------------------------- */

enum { FIRST_TILE = 64 }; /* columns of one tile */

static int64_t first_width(const elb_tensor *x)
{
    return x->shape[0] > 0 ? x->rows * x->cols / x->shape[0] : 0;
}

static int64_t first_tiles(const elb_tensor *y)
{
    return (first_width(y->in[0]) + FIRST_TILE - 1) / FIRST_TILE;
}

typedef struct first_span {
    int64_t samples, width, begin, count;
} first_span;

static first_span first_at(const elb_tensor *x, int64_t tile)
{
    first_span s = {x->shape[0], first_width(x), tile * FIRST_TILE, FIRST_TILE};
    if (s.count > s.width - s.begin) s.count = s.width - s.begin;
    return s;
}

static elb_tensor *first_node(elb_tape *t, const elb_op *op, elb_tensor *x)
{
    if (x == NULL) return NULL;
    if (x->rank < 1 || x->shape[0] < 1)
        return elb_tape_fail(t, ELB_MODEL, "%s needs at least one sample on its first axis", op->name);
    return elb_node(t, op, x->rank - 1, x->shape + 1, 1, &x);
}

static void mean_first_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const elb_tensor *x = y->in[0];
    first_span a = first_at(x, tile);
    memset(y->data + a.begin, 0, (size_t)a.count * sizeof *y->data);
    for (int64_t s = 0; s < a.samples; s++)
        k->axpy(a.count, 1 / (elb_real)a.samples, x->data + s * a.width + a.begin, y->data + a.begin);
}

static void mean_first_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const elb_tensor *x = y->in[0];
    first_span a = first_at(x, tile);
    for (int64_t s = 0; s < a.samples; s++) {
        elb_real *g = x->grad + s * a.width + a.begin;
        if (!y->accumulate[0]) memset(g, 0, (size_t)a.count * sizeof *g);
        k->axpy(a.count, 1 / (elb_real)a.samples, y->grad + a.begin, g);
    }
}

const elb_op elb_op_mean_first = {
    "mean_first", {{first_tiles, mean_first_forward}}, {{first_tiles, mean_first_backward}}};

elb_tensor *elb_mean_first(elb_tape *t, elb_tensor *x)
{
    return first_node(t, &elb_op_mean_first, x);
}

/* log sum_s exp x_s of column i, by the largest term. */
static elb_real first_log_sum_exp(const elb_tensor *x, first_span a, int64_t i)
{
    elb_real top = x->data[i], sum = 0;
    for (int64_t s = 1; s < a.samples; s++)
        if (!(x->data[s * a.width + i] <= top)) top = x->data[s * a.width + i]; /* a NaN comes through */
    for (int64_t s = 0; s < a.samples; s++) sum += exp(x->data[s * a.width + i] - top);
    return top + log(sum);
}

static void log_mean_exp_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    (void)k;
    first_span a = first_at(y->in[0], tile);
    for (int64_t i = a.begin; i < a.begin + a.count; i++)
        y->data[i] = first_log_sum_exp(y->in[0], a, i) - log((elb_real)a.samples);
}

static void log_mean_exp_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    (void)k;
    const elb_tensor *x = y->in[0];
    first_span a = first_at(x, tile);
    for (int64_t s = 0; s < a.samples; s++) {
        const elb_real *in = x->data + s * a.width;
        elb_real *g = x->grad + s * a.width;
        for (int64_t i = a.begin; i < a.begin + a.count; i++) {
            elb_real share = exp(in[i] - y->data[i]) / (elb_real)a.samples;
            g[i] = (y->accumulate[0] ? g[i] : 0) + y->grad[i] * share;
        }
    }
}

const elb_op elb_op_log_mean_exp = {
    "log_mean_exp", {{first_tiles, log_mean_exp_forward}}, {{first_tiles, log_mean_exp_backward}}};

elb_tensor *elb_log_mean_exp(elb_tape *t, elb_tensor *x)
{
    return first_node(t, &elb_op_log_mean_exp, x);
}

static void softmax_first_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    (void)k;
    const elb_tensor *x = y->in[0];
    first_span a = first_at(x, tile);
    for (int64_t i = a.begin; i < a.begin + a.count; i++) {
        elb_real total = first_log_sum_exp(x, a, i);
        for (int64_t s = 0; s < a.samples; s++) y->data[s * a.width + i] = exp(x->data[s * a.width + i] - total);
    }
}

const elb_op elb_op_softmax_first = {"softmax_first", {{first_tiles, softmax_first_forward}}, {{NULL, NULL}}};

elb_tensor *elb_softmax_first(elb_tape *t, elb_tensor *x)
{
    if (x == NULL) return NULL;
    if (x->rank < 1 || x->shape[0] < 1)
        return elb_tape_fail(t, ELB_MODEL, "softmax_first needs at least one sample on its first axis");
    elb_tensor *y = elb_node(t, &elb_op_softmax_first, x->rank, x->shape, 1, &x);
    if (y != NULL) y->needs_grad = false;
    return y;
}
