#include <string.h>

#include "tensor/tensor.h"

/* act(x W^T + b) for several layers side by side: group g of them reads its own n columns of x and writes its own m
 * columns of the result. Tiles never cross a group. */

enum {
    GROUPED_ROWS = 64,        /* of x, in one tile */
    GROUPED_FIXED_ROWS = 128, /* the one height of a tile when rows are fixed (elb_tape_fix_rows) */
    GROUPED_PIECES = 2        /* tiles of one group's weights */
};

static int64_t grouped_count(const elb_tensor *y)
{
    return y->with.i[1];
}

static int64_t grouped_height(const elb_tensor *y)
{
    return elb_tape_rows_fixed(y->tape) ? GROUPED_FIXED_ROWS : GROUPED_ROWS;
}

static int64_t grouped_blocks(const elb_tensor *y)
{
    return (y->rows + grouped_height(y) - 1) / grouped_height(y);
}

static int64_t grouped_row_tiles(const elb_tensor *y)
{
    return grouped_count(y) * grouped_blocks(y);
}

/* A tile of rows, or of weights, and the group it lies in. */
typedef struct grouped_tile {
    int64_t group, in, out;  /* n and m */
    int64_t row, rows;       /* of x and y */
    int64_t weight, weights; /* rows of the group's W */
} grouped_tile;

static grouped_tile grouped_rows_at(const elb_tensor *y, int64_t tile)
{
    int64_t groups = grouped_count(y), height = grouped_height(y), blocks = grouped_blocks(y);
    grouped_tile at = {.group = tile / blocks, .in = y->in[0]->cols / groups, .out = y->cols / groups};
    at.row = tile % blocks * height;
    at.rows = y->rows - at.row < height ? y->rows - at.row : height;
    at.weights = at.out;
    return at;
}

static int64_t grouped_weight_tiles(const elb_tensor *y)
{
    bool trains = y->in[1]->needs_grad || (y->in[2] != NULL && y->in[2]->needs_grad);
    return trains ? GROUPED_PIECES * grouped_count(y) : 0;
}

static grouped_tile grouped_weights_at(const elb_tensor *y, int64_t tile)
{
    int64_t groups = grouped_count(y), piece = tile % GROUPED_PIECES;
    grouped_tile at = {.group = tile / GROUPED_PIECES, .in = y->in[0]->cols / groups, .out = y->cols / groups};
    at.rows = y->rows;
    at.weight = at.out * piece / GROUPED_PIECES;
    at.weights = at.out * (piece + 1) / GROUPED_PIECES - at.weight;
    return at;
}

static elb_activation grouped_activation(const elb_tensor *y)
{
    return (elb_activation)y->with.i[0];
}

static int64_t grouped_scratch(const elb_tensor *y)
{
    return GROUPED_FIXED_ROWS * (y->in[0]->cols + y->cols) / grouped_count(y);
}

/* The last, shorter tile of fixed height: computed at full height on a padded copy. */
static void grouped_forward_padded(const elb_kernels *k, elb_tensor *y, grouped_tile at)
{
    const elb_tensor *x = y->in[0], *w = y->in[1], *b = y->in[2];
    elb_real *in = y->scratch + at.group * grouped_scratch(y), *out = in + GROUPED_FIXED_ROWS * at.in;
    memset(in, 0, (size_t)(GROUPED_FIXED_ROWS * at.in) * sizeof *in);
    for (int64_t r = 0; r < at.rows; r++)
        memcpy(in + r * at.in, x->data + (at.row + r) * x->cols + at.group * at.in, (size_t)at.in * sizeof *in);
    k->gemm(false, true, GROUPED_FIXED_ROWS, at.out, at.in, in, at.in, w->data + at.group * at.out * at.in, at.in, 0,
            out, at.out);
    k->activate(grouped_activation(y), at.rows, at.out, b != NULL ? b->data + at.group * at.out : NULL, out, at.out);
    for (int64_t r = 0; r < at.rows; r++)
        memcpy(y->data + (at.row + r) * y->cols + at.group * at.out, out + r * at.out, (size_t)at.out * sizeof *out);
}

static void grouped_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const elb_tensor *x = y->in[0], *w = y->in[1], *b = y->in[2];
    grouped_tile at = grouped_rows_at(y, tile);
    if (elb_tape_rows_fixed(y->tape) && at.rows < GROUPED_FIXED_ROWS) {
        grouped_forward_padded(k, y, at);
        return;
    }
    elb_real *out = y->data + at.row * y->cols + at.group * at.out;
    k->gemm(false, true, at.rows, at.out, at.in, x->data + at.row * x->cols + at.group * at.in, x->cols,
            w->data + at.group * at.out * at.in, at.in, 0, out, y->cols);
    k->activate(grouped_activation(y), at.rows, at.out, b != NULL ? b->data + at.group * at.out : NULL, out, y->cols);
}

static void grouped_backward_weights(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    elb_tensor *x = y->in[0], *w = y->in[1], *b = y->in[2];
    grouped_tile at = grouped_weights_at(y, tile);
    int64_t first = at.group * at.out + at.weight;
    const elb_real *g = y->grad + first;
    if (w->needs_grad)
        k->gemm(true, false, at.weights, at.in, y->rows, g, y->cols, x->data + at.group * at.in, x->cols,
                y->accumulate[1] ? 1 : 0, w->grad + first * at.in, at.in);
    if (b == NULL || !b->needs_grad) return;
    if (!y->accumulate[2]) memset(b->grad + first, 0, (size_t)at.weights * sizeof *b->grad);
    for (int64_t r = 0; r < y->rows; r++) k->axpy(at.weights, 1, g + r * y->cols, b->grad + first);
}

static int64_t grouped_dx_tiles(const elb_tensor *y)
{
    return y->in[0]->needs_grad ? grouped_row_tiles(y) : 0;
}

static void grouped_dx(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const elb_tensor *x = y->in[0], *w = y->in[1];
    grouped_tile at = grouped_rows_at(y, tile);
    k->gemm(false, false, at.rows, at.in, at.out, y->grad + at.row * y->cols + at.group * at.out, y->cols,
            w->data + at.group * at.out * at.in, at.in, y->accumulate[0] ? 1 : 0,
            x->grad + at.row * x->cols + at.group * at.in, x->cols);
}

const elb_op elb_op_grouped_linear = {
    "grouped_linear",
    {{grouped_row_tiles, grouped_forward}},
    {{elb_slope_tiles, elb_slope}, {grouped_weight_tiles, grouped_backward_weights}, {grouped_dx_tiles, grouped_dx}},
};

elb_tensor *elb_grouped_linear(elb_tape *t, elb_tensor *x, elb_tensor *w, elb_tensor *b, int64_t groups,
                               elb_activation act)
{
    if (x == NULL || w == NULL) return NULL;
    if (elb_slope_from_input(act)) return elb_activate(t, act, elb_grouped_linear(t, x, w, b, groups, ELB_LINEAR));
    char shape[64], weight[64];
    if (groups < 1 || w->rank != 2 || w->rows % groups != 0 || w->cols * groups != x->cols)
        return elb_tape_fail(t, ELB_MODEL, "%lld linear layers of weight %s cannot take an input of shape %s",
                             (long long)groups, elb_shape_text(w, weight), elb_shape_text(x, shape));
    if (b != NULL && (b->rank != 1 || b->cols != w->rows))
        return elb_tape_fail(t, ELB_MODEL, "linear layers of weight %s cannot take a bias of shape %s",
                             elb_shape_text(w, weight), elb_shape_text(b, shape));
    int64_t out[ELB_RANK_MAX];
    memcpy(out, x->shape, sizeof out);
    out[x->rank - 1] = w->rows;
    elb_tensor *y = elb_node(t, &elb_op_grouped_linear, x->rank, out, b != NULL ? 3 : 2, (elb_tensor *[]){x, w, b});
    if (y == NULL) return NULL;
    y->with.i[0] = act;
    y->with.i[1] = groups;
    if (elb_tape_rows_fixed(t)) y->scratch = elb_tape_alloc(t, groups * grouped_scratch(y), sizeof *y->scratch);
    return elb_tape_failed(t) ? NULL : y;
}
