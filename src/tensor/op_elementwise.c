#include <string.h>

#include "tensor/tensor.h"

/* Elementwise ops. A binary op's second operand may be a suffix of the first: row r of the result meets row
 * r % rows of it; one element meets every column. */

static const elb_real *elementwise_row(const elb_tensor *x, const elb_real *base, int64_t r)
{
    return base + r % x->rows * x->cols;
}

static bool elementwise_single(const elb_tensor *x, const elb_tensor *y)
{
    return x->rows * x->cols == 1 && y->cols != 1;
}

/* Whether b's shape is a suffix of a's, or b is one element. */
static bool elementwise_fits(const elb_tensor *a, const elb_tensor *b)
{
    if (b->rows * b->cols == 1) return true;
    if (b->rank > a->rank) return false;
    return memcmp(a->shape + (a->rank - b->rank), b->shape, (size_t)b->rank * sizeof b->shape[0]) == 0;
}

static elb_tensor *elementwise_binary(elb_tape *t, const elb_op *op, elb_tensor *a, elb_tensor *b)
{
    if (a == NULL || b == NULL) return NULL;
    if (!elementwise_fits(a, b)) {
        char x[64], y[64];
        return elb_tape_fail(t, ELB_MODEL, "%s: shapes %s and %s do not go together", op->name, elb_shape_text(a, x),
                             elb_shape_text(b, y));
    }
    return elb_node(t, op, a->rank, a->shape, 2, (elb_tensor *[]){a, b});
}

/* Whether a's shape may be a proper end of b's, so that b must be the first operand. */
static bool elementwise_smaller(const elb_tensor *a, const elb_tensor *b)
{
    if (a == NULL || b == NULL) return false;
    int64_t m = a->rows * a->cols, n = b->rows * b->cols;
    return m < n || (m == n && a->rank < b->rank);
}

/* --- backward into a broadcast operand ---------------------------------------------------------------------------- */

/* Rows of operand i that a tile owns: the tile's own rows when shapes agree; else all, as one tile does it. */
static int64_t elementwise_backward_tiles(const elb_tensor *y)
{
    bool same = y->in[1] == NULL || (y->in[1]->rows == y->rows && y->in[1]->cols == y->cols);
    return same || !y->in[1]->needs_grad ? elb_row_tiles(y) : 1;
}

static void elementwise_clear(elb_tensor *x, int64_t begin, int64_t end)
{
    memset(x->grad + begin * x->cols, 0, (size_t)((end - begin) * x->cols) * sizeof *x->grad);
}

/* Clears what a first contribution to input i will add to. */
static void elementwise_begin(elb_tensor *y, int i, int64_t begin, int64_t end)
{
    elb_tensor *x = y->in[i];
    if (y->accumulate[i]) return;
    if (x->rows == y->rows && x->cols == y->cols)
        elementwise_clear(x, begin, end);
    else
        elementwise_clear(x, 0, x->rows);
}

/* --- add and sub -------------------------------------------------------------------------------------------------- */

static void add_signed(const elb_kernels *k, elb_tensor *y, int64_t tile, elb_real sign)
{
    const elb_tensor *a = y->in[0], *b = y->in[1];
    int64_t begin, end, n = y->cols;
    elb_row_range(y->rows, n, tile, &begin, &end);
    for (int64_t r = begin; r < end; r++) {
        const elb_real *x = a->data + r * n;
        elb_real *out = y->data + r * n;
        if (elementwise_single(b, y)) {
            k->axpby(n, 1, x, sign * b->data[0], out);
        } else {
            memcpy(out, x, (size_t)n * sizeof *out);
            k->axpy(n, sign, elementwise_row(b, b->data, r), out);
        }
    }
}

static void add_signed_backward(const elb_kernels *k, elb_tensor *y, int64_t tile, elb_real sign)
{
    int64_t begin, end, n = y->cols;
    elb_row_range(y->rows, n, tile, &begin, &end);
    if (elementwise_backward_tiles(y) == 1) begin = 0, end = y->rows;
    for (int i = 0; i < 2; i++) {
        elb_tensor *x = y->in[i];
        if (!x->needs_grad) continue;
        elementwise_begin(y, i, begin, end);
        elb_real s = i == 0 ? 1 : sign;
        for (int64_t r = begin; r < end; r++) {
            const elb_real *g = y->grad + r * n;
            if (elementwise_single(x, y))
                x->grad[0] += s * k->sum(n, g);
            else
                k->axpy(n, s, g, x->grad + r % x->rows * x->cols);
        }
    }
}

static void add_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    add_signed(k, y, tile, 1);
}

static void add_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    add_signed_backward(k, y, tile, 1);
}

static void sub_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    add_signed(k, y, tile, -1);
}

static void sub_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    add_signed_backward(k, y, tile, -1);
}

const elb_op elb_op_add = {"add", {{elb_row_tiles, add_forward}}, {{elementwise_backward_tiles, add_backward}}};
const elb_op elb_op_sub = {"sub", {{elb_row_tiles, sub_forward}}, {{elementwise_backward_tiles, sub_backward}}};

elb_tensor *elb_add(elb_tape *t, elb_tensor *a, elb_tensor *b)
{
    elb_tensor *y =
        elementwise_smaller(a, b) ? elementwise_binary(t, &elb_op_add, b, a) : elementwise_binary(t, &elb_op_add, a, b);
    return elb_sparing(y, ELB_SPARES_ALL);
}

elb_tensor *elb_sub(elb_tape *t, elb_tensor *a, elb_tensor *b)
{
    if (elementwise_smaller(a, b)) return elb_affine(t, elb_sub(t, b, a), -1, 0);
    return elb_sparing(elementwise_binary(t, &elb_op_sub, a, b), ELB_SPARES_ALL);
}

/* --- mul ---------------------------------------------------------------------------------------------------------- */

static void mul_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const elb_tensor *a = y->in[0], *b = y->in[1];
    int64_t begin, end, n = y->cols;
    elb_row_range(y->rows, n, tile, &begin, &end);
    for (int64_t r = begin; r < end; r++) {
        if (elementwise_single(b, y)) {
            memset(y->data + r * n, 0, (size_t)n * sizeof *y->data);
            k->axpy(n, b->data[0], a->data + r * n, y->data + r * n);
        } else {
            k->mul(n, a->data + r * n, elementwise_row(b, b->data, r), y->data + r * n);
        }
    }
}

static void mul_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    int64_t begin, end, n = y->cols;
    elb_row_range(y->rows, n, tile, &begin, &end);
    if (elementwise_backward_tiles(y) == 1) begin = 0, end = y->rows;
    for (int i = 0; i < 2; i++) {
        elb_tensor *x = y->in[i], *other = y->in[1 - i];
        if (!x->needs_grad) continue;
        elementwise_begin(y, i, begin, end);
        for (int64_t r = begin; r < end; r++) {
            const elb_real *g = y->grad + r * n;
            if (elementwise_single(x, y))
                x->grad[0] += k->dot(n, g, other->data + r * n);
            else if (elementwise_single(other, y))
                k->axpy(n, other->data[0], g, x->grad + r * n);
            else
                k->mul_add(n, g, elementwise_row(other, other->data, r), x->grad + r % x->rows * x->cols);
        }
    }
}

const elb_op elb_op_mul = {"mul", {{elb_row_tiles, mul_forward}}, {{elementwise_backward_tiles, mul_backward}}};

elb_tensor *elb_mul(elb_tape *t, elb_tensor *a, elb_tensor *b)
{
    return elementwise_smaller(a, b) ? elementwise_binary(t, &elb_op_mul, b, a)
                                     : elementwise_binary(t, &elb_op_mul, a, b);
}

/* --- one operand -------------------------------------------------------------------------------------------------- */

static void affine_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    int64_t begin, end;
    elb_row_range(y->rows, y->cols, tile, &begin, &end);
    k->axpby((end - begin) * y->cols, y->with.r[0], y->in[0]->data + begin * y->cols, y->with.r[1],
             y->data + begin * y->cols);
}

static void affine_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    int64_t begin, end;
    elb_row_range(y->rows, y->cols, tile, &begin, &end);
    elementwise_begin(y, 0, begin, end);
    k->axpy((end - begin) * y->cols, y->with.r[0], y->grad + begin * y->cols, y->in[0]->grad + begin * y->cols);
}

const elb_op elb_op_affine = {"affine", {{elb_row_tiles, affine_forward}}, {{elb_row_tiles, affine_backward}}};

elb_tensor *elb_affine(elb_tape *t, elb_tensor *x, double scale, double shift)
{
    if (x == NULL) return NULL;
    elb_tensor *y = elb_node(t, &elb_op_affine, x->rank, x->shape, 1, &x);
    if (y == NULL) return NULL;
    y->with.r[0] = (elb_real)scale;
    y->with.r[1] = (elb_real)shift;
    return y;
}

static void apply_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    int64_t begin, end;
    elb_row_range(y->rows, y->cols, tile, &begin, &end);
    k->unary((elb_unary)y->with.i[0], (end - begin) * y->cols, y->in[0]->data + begin * y->cols,
             y->data + begin * y->cols);
}

static void apply_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    int64_t begin, end;
    elb_row_range(y->rows, y->cols, tile, &begin, &end);
    elementwise_begin(y, 0, begin, end);
    int64_t at = begin * y->cols;
    k->unary_backward((elb_unary)y->with.i[0], (end - begin) * y->cols, y->in[0]->data + at, y->data + at, y->grad + at,
                      y->in[0]->grad + at);
}

const elb_op elb_op_apply = {"apply", {{elb_row_tiles, apply_forward}}, {{elb_row_tiles, apply_backward}}};

elb_tensor *elb_apply(elb_tape *t, elb_unary f, elb_tensor *x)
{
    if (x == NULL) return NULL;
    elb_tensor *y = elb_node(t, &elb_op_apply, x->rank, x->shape, 1, &x);
    if (y != NULL) y->with.i[0] = f;
    return y;
}

static void activate_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    int64_t begin, end;
    elb_row_range(y->rows, y->cols, tile, &begin, &end);
    elb_real *out = y->data + begin * y->cols;
    memcpy(out, y->in[0]->data + begin * y->cols, (size_t)((end - begin) * y->cols) * sizeof *out);
    k->activate((elb_activation)y->with.i[0], end - begin, y->cols, NULL, out, y->cols);
}

static void activate_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    int64_t begin, end;
    elb_row_range(y->rows, y->cols, tile, &begin, &end);
    elementwise_begin(y, 0, begin, end);
    int64_t at = begin * y->cols, n = (end - begin) * y->cols;
    elb_activation act = (elb_activation)y->with.i[0];
    const elb_real *slope_at = (elb_slope_from_input(act) ? y->in[0] : y)->data + at;
    k->activate_backward(act, n, slope_at, y->grad + at, y->grad + at);
    k->axpy(n, 1, y->grad + at, y->in[0]->grad + at);
}

const elb_op elb_op_activate = {"activate", {{elb_row_tiles, activate_forward}}, {{elb_row_tiles, activate_backward}}};

elb_tensor *elb_activate(elb_tape *t, elb_activation act, elb_tensor *x)
{
    if (x == NULL) return NULL;
    elb_tensor *y = elb_node(t, &elb_op_activate, x->rank, x->shape, 1, &x);
    if (y != NULL) y->with.i[0] = act;
    return y;
}

int64_t elb_slope_tiles(const elb_tensor *y)
{
    return y->with.i[0] == ELB_LINEAR ? 0 : elb_row_tiles(y);
}

void elb_slope(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    int64_t begin, end;
    elb_row_range(y->rows, y->cols, tile, &begin, &end);
    elb_real *g = y->grad + begin * y->cols;
    k->activate_backward((elb_activation)y->with.i[0], (end - begin) * y->cols, y->data + begin * y->cols, g, g);
}

static void clamp_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    (void)k;
    int64_t begin, end;
    elb_row_range(y->rows, y->cols, tile, &begin, &end);
    elb_real low = y->with.r[0], high = y->with.r[1];
    for (int64_t i = begin * y->cols; i < end * y->cols; i++) {
        elb_real x = y->in[0]->data[i];
        y->data[i] = x < low ? low : x > high ? high : x; /* a NaN comes through */
    }
}

static void clamp_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    (void)k;
    int64_t begin, end;
    elb_row_range(y->rows, y->cols, tile, &begin, &end);
    elementwise_begin(y, 0, begin, end);
    const elb_real *x = y->in[0]->data;
    for (int64_t i = begin * y->cols; i < end * y->cols; i++)
        if (x[i] >= y->with.r[0] && x[i] <= y->with.r[1]) y->in[0]->grad[i] += y->grad[i];
}

const elb_op elb_op_clamp = {"clamp", {{elb_row_tiles, clamp_forward}}, {{elb_row_tiles, clamp_backward}}};

elb_tensor *elb_clamp(elb_tape *t, elb_tensor *x, double low, double high)
{
    if (x == NULL) return NULL;
    elb_tensor *y = elb_node(t, &elb_op_clamp, x->rank, x->shape, 1, &x);
    if (y == NULL) return NULL;
    y->with.r[0] = (elb_real)low;
    y->with.r[1] = (elb_real)high;
    return y;
}
