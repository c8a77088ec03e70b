#include <string.h>

#include "dist/dist.h"

/* The diagonal Gaussian with the moments of a scale mixture: z ~ N(f, exp g), f ~ N(m_f, v_f) and g ~ N(m_g, v_g) have
 * mean m_f and variance v_f + exp(m_g + v_g/2). Half a row is n numbers. */

static int64_t match_width(const elb_tensor *y)
{
    return y->cols / 2;
}

/* Forward leaves 1 / total and exp(.) / total here, for backward. */
static elb_real *match_inverse(const elb_tensor *y, int64_t row)
{
    return y->scratch + row * y->cols;
}

static void match_row(const elb_kernels *k, const elb_tensor *y, int64_t r)
{
    int64_t n = match_width(y);
    const elb_real *m = y->in[0]->data + r * y->cols, *v = y->in[1]->data + r * y->cols;
    elb_real *mean = y->data + r * y->cols, *log_total = mean + n, *inverse = match_inverse(y, r), *share = inverse + n;
    memcpy(mean, m, (size_t)n * sizeof *mean);
    memcpy(share, m + n, (size_t)n * sizeof *share);
    k->axpy(n, (elb_real)0.5, v + n, share);
    k->unary(ELB_EXP, n, share, share);
    k->add(n, share, v, log_total);
    for (int64_t i = 0; i < n; i++) inverse[i] = 1 / log_total[i];
    k->mul(n, share, inverse, share);
    k->unary(ELB_LOG, n, log_total, log_total);
}

static void match_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    int64_t begin, end;
    elb_row_range(y->rows, y->cols, tile, &begin, &end);
    for (int64_t r = begin; r < end; r++) match_row(k, y, r);
}

static void match_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    elb_tensor *m = y->in[0], *v = y->in[1];
    int64_t begin, end, n = match_width(y), cols = y->cols;
    elb_row_range(y->rows, cols, tile, &begin, &end);
    for (int i = 0; i < 2; i++)
        if (y->in[i]->needs_grad && !y->accumulate[i])
            memset(y->in[i]->grad + begin * cols, 0, (size_t)((end - begin) * cols) * sizeof *m->grad);
    for (int64_t r = begin; r < end; r++) {
        const elb_real *g = y->grad + r * cols, *inverse = match_inverse(y, r), *share = inverse + n;
        if (m->needs_grad) {
            k->axpy(n, 1, g, m->grad + r * cols);
            k->mul_add(n, g + n, share, m->grad + r * cols + n);
        }
        if (!v->needs_grad) continue;
        k->mul_add(n, g + n, inverse, v->grad + r * cols);
        for (int64_t i = 0; i < n; i++) v->grad[r * cols + n + i] += g[n + i] * share[i] / 2;
    }
}

const elb_op elb_op_gaussian_match = {
    "gaussian_match", {{elb_row_tiles, match_forward}}, {{elb_row_tiles, match_backward}}};

elb_tensor *elb_gaussian_match(elb_tape *t, elb_tensor *mean, elb_tensor *variance)
{
    if (mean == NULL || variance == NULL) return NULL;
    if (mean->rows != variance->rows || mean->cols != variance->cols || mean->cols % 2 != 0) {
        char a[64], b[64];
        return elb_tape_fail(
            t, ELB_MODEL,
            "gaussian_match: a mean of shape %s and a variance of shape %s must be alike, with an even "
            "number of columns",
            elb_shape_text(mean, a), elb_shape_text(variance, b));
    }
    elb_tensor *y = elb_node(t, &elb_op_gaussian_match, mean->rank, mean->shape, 2, (elb_tensor *[]){mean, variance});
    if (y != NULL) y->scratch = elb_tape_alloc(t, y->rows * y->cols, sizeof *y->scratch);
    return elb_tape_failed(t) ? NULL : y;
}
