#include <string.h>

#include "tensor/tensor.h"

/* act(x W^T + b), a fully connected layer in one op: bias and activation are applied to each tile while it is warm, and
 * backward computes what belongs to a tile of the weights together. */

enum {
    LINEAR_ROWS = 128,                  /* rows from which on tiles are cut along the rows */
    LINEAR_FROZEN_ROWS = 32,            /* the same where the weights are only read */
    LINEAR_FIXED_ROWS = 128,            /* the one height of a block when rows are fixed (elb_tape_fix_rows) */
    LINEAR_TURNED_ROWS = ELB_TILE_ROWS, /* the same where the weights are turned, and low blocks cost no more */
    LINEAR_FEW_FLOPS = 300000,          /* below it, one tile: a barrier costs more */
    LINEAR_SLICE = 28                   /* weight rows of one product in linear_dx_share */
};

typedef struct linear_tiling {
    int64_t rows, cols; /* of a tile */
    int64_t row_tiles, col_tiles;
} linear_tiling;

static int64_t linear_divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static bool linear_trains(const elb_tensor *y)
{
    return y->in[1]->needs_grad || (y->in[2] != NULL && y->in[2]->needs_grad);
}

/* A large batch is cut along its rows, and every thread reads all weights; a small one along the weights' rows, and
 * every thread reads the whole batch. */
static bool linear_by_rows(const elb_tensor *y)
{
    return elb_tape_rows_fixed(y->tape) || y->rows >= (linear_trains(y) ? LINEAR_ROWS : LINEAR_FROZEN_ROWS);
}

/* A product with W^T copies it about each time, which costs a tenth of it. Where rows are fixed and the weights frozen,
 * as where one tape is run many times, they are turned once, into W^T [n,m]. */
static bool linear_turns(const elb_tensor *y)
{
    return elb_tape_rows_fixed(y->tape) && !y->in[1]->needs_grad;
}

static int64_t linear_fixed_rows(const elb_tensor *y)
{
    return linear_turns(y) ? LINEAR_TURNED_ROWS : LINEAR_FIXED_ROWS;
}

static linear_tiling linear_fixed_tiling(const elb_tensor *y, int64_t cols)
{
    return (linear_tiling){linear_fixed_rows(y), cols, linear_divide_up(y->rows, linear_fixed_rows(y)), 1};
}

/* Row tiles of at most LINEAR_ROWS rows, an even number of them. */
static linear_tiling linear_row_tiling(int64_t rows, int64_t cols)
{
    int64_t pieces = 2 * linear_divide_up(rows, 2 * LINEAR_ROWS);
    int64_t height = linear_divide_up(linear_divide_up(rows, pieces), 8) * 8;
    return (linear_tiling){height, cols, linear_divide_up(rows, height), 1};
}

static int64_t linear_count(linear_tiling t)
{
    return t.row_tiles * t.col_tiles;
}

typedef struct linear_block {
    int64_t row, rows, col, cols;
} linear_block;

static linear_block linear_block_at(linear_tiling t, int64_t m, int64_t n, int64_t tile)
{
    linear_block b = {tile / t.col_tiles * t.rows, t.rows, tile % t.col_tiles * t.cols, t.cols};
    if (b.rows > m - b.row) b.rows = m - b.row;
    if (b.cols > n - b.col) b.cols = n - b.col;
    return b;
}

static elb_activation linear_activation(const elb_tensor *y)
{
    return (elb_activation)y->with.i[0];
}

/* --- scratch: a padded block for fixed rows, then W^T or the shares of dx ----------------------------------------- */

static int64_t linear_pad(const elb_tensor *y)
{
    bool odd = elb_tape_rows_fixed(y->tape) && y->rows % linear_fixed_rows(y) != 0;
    return odd ? linear_fixed_rows(y) * (y->in[0]->cols + y->cols) : 0;
}

static elb_real *linear_turned(const elb_tensor *y)
{
    return y->scratch + linear_pad(y);
}

/* --- forward ------------------------------------------------------------------------------------------------------ */

static int64_t linear_turn_tiles(const elb_tensor *y)
{
    return linear_turns(y) && elb_tape_fresh(y->tape) ? elb_weight_tiles(y->in[1]) : 0;
}

static void linear_turn(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const elb_tensor *w = y->in[1];
    elb_real *turned = linear_turned(y);
    int64_t begin, end;
    (void)k;
    elb_weight_range(w, tile, &begin, &end);
    for (int64_t c = 0; c < w->cols; c++)
        for (int64_t r = begin; r < end; r++) turned[c * w->rows + r] = w->data[r * w->cols + c];
}

static linear_tiling linear_forward_tiling(const elb_tensor *y)
{
    if (elb_tape_rows_fixed(y->tape)) return linear_fixed_tiling(y, y->cols);
    if (2 * y->rows * y->cols * y->in[0]->cols < LINEAR_FEW_FLOPS) return (linear_tiling){y->rows, y->cols, 1, 1};
    if (linear_by_rows(y)) return linear_row_tiling(y->rows, y->cols);
    int64_t begin, end;
    elb_weight_range(y->in[1], 0, &begin, &end);
    return (linear_tiling){y->rows, end, 1, elb_weight_tiles(y->in[1])};
}

static int64_t linear_forward_tiles(const elb_tensor *y)
{
    return linear_count(linear_forward_tiling(y));
}

/* out [rows,cols] = in W^T, W's rows from `col` on. */
static void linear_product(const elb_kernels *k, const elb_tensor *y, int64_t rows, int64_t col, int64_t cols,
                           const elb_real *in, elb_real *out)
{
    int64_t n = y->in[0]->cols;
    if (linear_turns(y))
        k->gemm(false, false, rows, cols, n, in, n, linear_turned(y) + col, y->cols, 0, out, y->cols);
    else
        k->gemm(false, true, rows, cols, n, in, n, y->in[1]->data + col * n, n, 0, out, y->cols);
}

/* The last, shorter block of fixed height: computed at full height on a padded copy. */
static void linear_forward_padded(const elb_kernels *k, elb_tensor *y, int64_t row, int64_t rows)
{
    const elb_tensor *x = y->in[0], *b = y->in[2];
    int64_t height = linear_fixed_rows(y);
    elb_real *in = y->scratch, *out = in + height * x->cols;
    memcpy(in, x->data + row * x->cols, (size_t)(rows * x->cols) * sizeof *in);
    memset(in + rows * x->cols, 0, (size_t)((height - rows) * x->cols) * sizeof *in);
    linear_product(k, y, height, 0, y->cols, in, out);
    k->activate(linear_activation(y), rows, y->cols, b != NULL ? b->data : NULL, out, y->cols);
    memcpy(y->data + row * y->cols, out, (size_t)(rows * y->cols) * sizeof *out);
}

static void linear_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const elb_tensor *x = y->in[0], *b = y->in[2];
    linear_block at = linear_block_at(linear_forward_tiling(y), y->rows, y->cols, tile);
    if (elb_tape_rows_fixed(y->tape) && at.rows < linear_fixed_rows(y)) {
        linear_forward_padded(k, y, at.row, at.rows);
        return;
    }
    elb_real *out = y->data + at.row * y->cols + at.col;
    if (!linear_by_rows(y)) elb_fetch(at.rows, x->cols, x->data + at.row * x->cols, x->cols);
    linear_product(k, y, at.rows, at.col, at.cols, x->data + at.row * x->cols, out);
    k->activate(linear_activation(y), at.rows, at.cols, b != NULL ? b->data + at.col : NULL, out, y->cols);
}

/* --- backward ----------------------------------------------------------------------------------------------------- */

/* A tile of the weights' rows gives dW = g^T x and db for these rows and, in a small batch, its share of dx = g W: so a
 * weight is only ever touched by the thread that updates it. The shares are then summed in the tiles' order. */
static bool linear_shares(const elb_tensor *y)
{
    return y->in[0]->needs_grad && !linear_by_rows(y);
}

static int64_t linear_weight_tiles(const elb_tensor *y)
{
    return linear_trains(y) || linear_shares(y) ? elb_weight_tiles(y->in[1]) : 0;
}

static void linear_db(const elb_kernels *k, elb_tensor *y, int64_t begin, int64_t end)
{
    elb_real *db = y->in[2]->grad + begin;
    if (!y->accumulate[2]) memset(db, 0, (size_t)(end - begin) * sizeof *db);
    for (int64_t r = 0; r < y->rows; r++) k->axpy(end - begin, 1, y->grad + r * y->cols + begin, db);
}

static elb_real *linear_share(const elb_tensor *y, int64_t tile)
{
    return y->scratch + linear_pad(y) + tile * y->rows * y->in[0]->cols;
}

/* In slices of few weight rows: GEMM libraries prefetch as far past the end of their operand as they were told to read,
 * and would pull the rows of the thread next door out of its cache just before it updates them. */
static void linear_dx_share(const elb_kernels *k, elb_tensor *y, int64_t tile, int64_t begin, int64_t end)
{
    const elb_tensor *x = y->in[0], *w = y->in[1];
    for (int64_t row = begin; row < end; row += LINEAR_SLICE) {
        int64_t rows = end - row < LINEAR_SLICE ? end - row : LINEAR_SLICE;
        k->gemm(false, false, y->rows, x->cols, rows, y->grad + row, y->cols, w->data + row * x->cols, x->cols,
                row > begin ? 1 : 0, linear_share(y, tile), x->cols);
    }
}

static void linear_backward_weights(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const elb_tensor *x = y->in[0], *w = y->in[1];
    int64_t begin, end;
    elb_weight_range(w, tile, &begin, &end);
    const elb_real *g = y->grad + begin;
    if (!linear_by_rows(y)) elb_fetch(y->rows, end - begin, g, y->cols);
    if (linear_shares(y)) linear_dx_share(k, y, tile, begin, end);
    if (w->needs_grad)
        k->gemm(true, false, end - begin, x->cols, y->rows, g, y->cols, x->data, x->cols, y->accumulate[1] ? 1 : 0,
                w->grad + begin * x->cols, x->cols);
    if (y->in[2] != NULL && y->in[2]->needs_grad) linear_db(k, y, begin, end);
}

static void linear_sum_shares(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const elb_tensor *x = y->in[0];
    int64_t begin, end;
    elb_row_range(x->rows, x->cols, tile, &begin, &end);
    int64_t at = begin * x->cols, n = (end - begin) * x->cols;
    if (!y->accumulate[0]) memset(x->grad + at, 0, (size_t)n * sizeof *x->grad);
    for (int64_t i = 0; i < elb_weight_tiles(y->in[1]); i++) elb_fetch(1, n, linear_share(y, i) + at, n);
    for (int64_t i = 0; i < elb_weight_tiles(y->in[1]); i++) k->axpy(n, 1, linear_share(y, i) + at, x->grad + at);
}

static linear_tiling linear_dx_tiling(const elb_tensor *y)
{
    return elb_tape_rows_fixed(y->tape) ? linear_fixed_tiling(y, y->in[0]->cols)
                                        : linear_row_tiling(y->rows, y->in[0]->cols);
}

static int64_t linear_dx_tiles(const elb_tensor *y)
{
    if (!y->in[0]->needs_grad) return 0;
    return linear_shares(y) ? elb_row_tiles(y->in[0]) : linear_count(linear_dx_tiling(y));
}

/* As linear_forward_padded, on the way back. */
static void linear_dx_padded(const elb_kernels *k, elb_tensor *y, int64_t row, int64_t rows)
{
    const elb_tensor *x = y->in[0], *w = y->in[1];
    int64_t height = linear_fixed_rows(y);
    elb_real *in = y->scratch, *out = in + height * y->cols, *dx = x->grad + row * x->cols;
    memcpy(in, y->grad + row * y->cols, (size_t)(rows * y->cols) * sizeof *in);
    memset(in + rows * y->cols, 0, (size_t)((height - rows) * y->cols) * sizeof *in);
    memset(out, 0, (size_t)(height * x->cols) * sizeof *out);
    if (y->accumulate[0]) memcpy(out, dx, (size_t)(rows * x->cols) * sizeof *out);
    k->gemm(false, false, height, x->cols, y->cols, in, y->cols, w->data, x->cols, y->accumulate[0] ? 1 : 0, out,
            x->cols);
    memcpy(dx, out, (size_t)(rows * x->cols) * sizeof *out);
}

static void linear_dx(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    if (linear_shares(y)) {
        linear_sum_shares(k, y, tile);
        return;
    }
    const elb_tensor *x = y->in[0], *w = y->in[1];
    linear_block at = linear_block_at(linear_dx_tiling(y), y->rows, x->cols, tile);
    if (elb_tape_rows_fixed(y->tape) && at.rows < linear_fixed_rows(y)) {
        linear_dx_padded(k, y, at.row, at.rows);
        return;
    }
    k->gemm(false, false, at.rows, x->cols, y->cols, y->grad + at.row * y->cols, y->cols, w->data, x->cols,
            y->accumulate[0] ? 1 : 0, x->grad + at.row * x->cols, x->cols);
}

const elb_op elb_op_linear = {
    "linear",
    {{linear_turn_tiles, linear_turn}, {linear_forward_tiles, linear_forward}},
    {{elb_slope_tiles, elb_slope}, {linear_weight_tiles, linear_backward_weights}, {linear_dx_tiles, linear_dx}},
};

elb_tensor *elb_linear(elb_tape *t, elb_tensor *x, elb_tensor *w, elb_tensor *b, elb_activation act)
{
    if (x == NULL || w == NULL) return NULL;
    if (elb_slope_from_input(act)) return elb_activate(t, act, elb_linear(t, x, w, b, ELB_LINEAR));
    char shape[64], weight[64];
    if (w->rank != 2 || w->cols != x->cols)
        return elb_tape_fail(t, ELB_MODEL, "a linear layer of weight %s cannot take an input of shape %s",
                             elb_shape_text(w, weight), elb_shape_text(x, shape));
    if (b != NULL && (b->rank != 1 || b->cols != w->rows))
        return elb_tape_fail(t, ELB_MODEL, "a linear layer of weight %s cannot take a bias of shape %s",
                             elb_shape_text(w, weight), elb_shape_text(b, shape));
    int64_t out[ELB_RANK_MAX];
    memcpy(out, x->shape, sizeof out);
    out[x->rank - 1] = w->rows;
    elb_tensor *y = elb_node(t, &elb_op_linear, x->rank, out, b != NULL ? 3 : 2, (elb_tensor *[]){x, w, b});
    if (y == NULL) return NULL;
    y->with.i[0] = act;
    int64_t shares = linear_shares(y) ? elb_weight_tiles(w) * x->rows * x->cols : 0;
    int64_t scratch = linear_pad(y) + (linear_turns(y) ? w->rows * w->cols : shares);
    if (scratch > 0) y->scratch = elb_tape_alloc(t, scratch, sizeof *y->scratch);
    return elb_tape_failed(t) ? NULL : y;
}
