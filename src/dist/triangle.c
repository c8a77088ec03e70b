#include <math.h>
#include <string.h>
#include <tgmath.h>

#include "dist/dist.h"

/* Gaussians with full covariance S = U^T U: blocks of p x p numbers, one below another, that hold the upper
 * triangular U with the logarithms of its diagonal; what stands below the diagonal means nothing. Row r's
 * diagonal is column r % p. */

/* --- U ------------------------------------------------------------------------------------------------------------ */

static void triangle_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    (void)k;
    int64_t begin, end, p = y->cols;
    elb_row_range(y->rows, p, tile, &begin, &end);
    for (int64_t r = begin; r < end; r++) {
        int64_t d = r % p;
        const elb_real *x = y->in[0]->data + r * p;
        elb_real *u = y->data + r * p;
        memset(u, 0, (size_t)d * sizeof *u);
        memcpy(u + d, x + d, (size_t)(p - d) * sizeof *u);
        u[d] = exp(x[d]);
    }
}

static void triangle_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    int64_t begin, end, p = y->cols;
    elb_row_range(y->rows, p, tile, &begin, &end);
    for (int64_t r = begin; r < end; r++) {
        int64_t d = r % p;
        const elb_real *u = y->data + r * p, *g = y->grad + r * p;
        elb_real *dx = y->in[0]->grad + r * p;
        if (!y->accumulate[0]) memset(dx, 0, (size_t)p * sizeof *dx);
        dx[d] += g[d] * u[d];
        k->axpy(p - d - 1, 1, g + d + 1, dx + d + 1);
    }
}

const elb_op elb_op_triangle = {"triangle", {{elb_row_tiles, triangle_forward}}, {{elb_row_tiles, triangle_backward}}};

static elb_tensor *triangle_node(elb_tape *t, const elb_op *op, int rank, elb_tensor *x)
{
    if (x->rank != 2 || x->cols < 1 || x->rows % x->cols != 0) {
        char shape[64];
        return elb_tape_fail(t, ELB_MODEL, "%s: a tensor of shape %s is not made of square blocks", op->name,
                             elb_shape_text(x, shape));
    }
    return elb_node(t, op, rank, x->shape, 1, &x);
}

elb_tensor *elb_triangle(elb_tape *t, elb_tensor *x)
{
    return x == NULL ? NULL : triangle_node(t, &elb_op_triangle, 2, x);
}

/* --- KL to N(0, k^2 I), the mean's part left out: 1/2 (tr S / k^2 - p - log det (S / k^2)), by rows of U ---------- */

static int64_t triangle_kl_tiles(const elb_tensor *y)
{
    return elb_row_tiles(y->in[0]);
}

static void triangle_kl_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const elb_tensor *x = y->in[0];
    int64_t begin, end, p = x->cols;
    elb_real inverse = y->with.r[0], log_scale = y->with.r[1];
    elb_row_range(x->rows, p, tile, &begin, &end);
    for (int64_t r = begin; r < end; r++) {
        const elb_real *diagonal = x->data + r * p + r % p, *rest = diagonal + 1;
        elb_real square = exp(2 * *diagonal) + k->dot(p - r % p - 1, rest, rest);
        y->data[r] = (square * inverse - 1) / 2 - (*diagonal - log_scale);
    }
}

static void triangle_kl_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const elb_tensor *x = y->in[0];
    int64_t begin, end, p = x->cols;
    elb_real inverse = y->with.r[0];
    elb_row_range(x->rows, p, tile, &begin, &end);
    for (int64_t r = begin; r < end; r++) {
        int64_t d = r % p;
        const elb_real *in = x->data + r * p;
        elb_real *dx = x->grad + r * p;
        if (!y->accumulate[0]) memset(dx, 0, (size_t)p * sizeof *dx);
        dx[d] += y->grad[r] * (exp(2 * in[d]) * inverse - 1);
        k->axpy(p - d - 1, y->grad[r] * inverse, in + d + 1, dx + d + 1);
    }
}

const elb_op elb_op_triangle_kl = {
    "triangle_kl", {{triangle_kl_tiles, triangle_kl_forward}}, {{triangle_kl_tiles, triangle_kl_backward}}};

elb_tensor *elb_triangle_kl(elb_tape *t, elb_tensor *x, double scale)
{
    if (x == NULL) return NULL;
    elb_tensor *y = triangle_node(t, &elb_op_triangle_kl, 1, x);
    if (y == NULL) return NULL;
    y->with.r[0] = (elb_real)(1 / (scale * scale));
    y->with.r[1] = (elb_real)log(scale);
    return y;
}

/* --- U y = x, every datum's own U; a tile is some data with all their samples ------------------------------------- */

static int64_t triangle_solve_tiles(const elb_tensor *y)
{
    return elb_range_tiles(y->in[0]->rows / y->cols, y->rows / (y->in[0]->rows / y->cols) * y->cols);
}

static void triangle_solve_range(const elb_tensor *y, int64_t tile, int64_t *begin, int64_t *end)
{
    int64_t data = y->in[0]->rows / y->cols;
    elb_row_range(data, y->rows / data * y->cols, tile, begin, end);
}

static void triangle_solve_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    int64_t begin, end, p = y->cols, data = y->in[0]->rows / p;
    triangle_solve_range(y, tile, &begin, &end);
    for (int64_t b = begin; b < end; b++)
        for (int64_t r = b; r < y->rows; r += data) {
            const elb_real *u = y->in[0]->data + b * p * p, *x = y->in[1]->data + r * p;
            elb_real *to = y->data + r * p;
            for (int64_t i = p - 1; i >= 0; i--)
                to[i] = (x[i] - k->dot(p - 1 - i, u + i * p + i + 1, to + i + 1)) / u[i * p + i];
        }
}

/* With h = U^-T g: h to x, and -h y^T to U. */
static void triangle_solve_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    elb_tensor *factor = y->in[0], *x = y->in[1];
    int64_t begin, end, p = y->cols, data = factor->rows / p;
    triangle_solve_range(y, tile, &begin, &end);
    if (factor->grad != NULL && !y->accumulate[0])
        memset(factor->grad + begin * p * p, 0, (size_t)((end - begin) * p * p) * sizeof *factor->grad);
    for (int64_t b = begin; b < end; b++)
        for (int64_t r = b; r < y->rows; r += data) {
            const elb_real *u = factor->data + b * p * p;
            elb_real *h = y->scratch + r * p;
            memcpy(h, y->grad + r * p, (size_t)p * sizeof *h);
            for (int64_t i = 0; i < p; i++) {
                h[i] /= u[i * p + i];
                k->axpy(p - 1 - i, -h[i], u + i * p + i + 1, h + i + 1);
                if (factor->grad != NULL)
                    k->axpy(p - i, -h[i], y->data + r * p + i, factor->grad + (b * p + i) * p + i);
            }
            if (x->grad == NULL) continue;
            if (!y->accumulate[1]) memset(x->grad + r * p, 0, (size_t)p * sizeof *x->grad);
            k->axpy(p, 1, h, x->grad + r * p);
        }
}

const elb_op elb_op_triangle_solve = {"triangle_solve",
                                      {{triangle_solve_tiles, triangle_solve_forward}},
                                      {{triangle_solve_tiles, triangle_solve_backward}}};

elb_tensor *elb_triangle_solve(elb_tape *t, elb_tensor *u, elb_tensor *x)
{
    if (u == NULL || x == NULL) return NULL;
    if (u->rank != 2 || x->cols != u->cols || u->rows % u->cols != 0 || x->rows % (u->rows / u->cols) != 0) {
        char a[64], b[64];
        return elb_tape_fail(t, ELB_MODEL, "triangle_solve: factors of shape %s do not fit numbers of shape %s",
                             elb_shape_text(u, a), elb_shape_text(x, b));
    }
    elb_tensor *y = elb_node(t, &elb_op_triangle_solve, x->rank, x->shape, 2, (elb_tensor *[]){u, x});
    if (y != NULL) y->scratch = elb_tape_alloc(t, y->rows * y->cols, sizeof *y->scratch);
    return y != NULL && y->scratch != NULL ? y : NULL;
}
