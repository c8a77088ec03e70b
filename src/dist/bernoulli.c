#include <string.h>

#include "dist/dist.h"

/* Bernoulli and continuous Bernoulli: both are likelihoods of x given one number a per pixel, and differ in the row
 * kernel only. */

typedef elb_real (*bernoulli_log_fn)(int64_t n, const elb_real *x, const elb_real *a);
typedef void (*bernoulli_grad_fn)(int64_t n, const elb_real *x, const elb_real *a, elb_real g, elb_real *da);

static int64_t bernoulli_tiles(const elb_tensor *y)
{
    return elb_row_tiles(y->in[1]);
}

static void bernoulli_rows(elb_tensor *y, int64_t tile, bernoulli_log_fn log_prob)
{
    const elb_tensor *x = y->in[0], *a = y->in[1];
    int64_t begin, end, n = a->cols;
    elb_row_range(a->rows, n, tile, &begin, &end);
    for (int64_t r = begin; r < end; r++) y->data[r] = log_prob(n, x->data + r % x->rows * n, a->data + r * n);
}

static void bernoulli_rows_backward(elb_tensor *y, int64_t tile, bernoulli_grad_fn grad)
{
    const elb_tensor *x = y->in[0], *a = y->in[1];
    int64_t begin, end, n = a->cols;
    elb_row_range(a->rows, n, tile, &begin, &end);
    for (int64_t r = begin; r < end; r++) {
        elb_real *da = a->grad + r * n;
        if (!y->accumulate[1]) memset(da, 0, (size_t)n * sizeof *da);
        grad(n, x->data + r % x->rows * n, a->data + r * n, y->grad[r], da);
    }
}

static void bernoulli_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    bernoulli_rows(y, tile, k->bernoulli_log);
}

static void bernoulli_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    bernoulli_rows_backward(y, tile, k->bernoulli_grad);
}

static void continuous_bernoulli_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    bernoulli_rows(y, tile, k->continuous_bernoulli_log);
}

static void continuous_bernoulli_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    bernoulli_rows_backward(y, tile, k->continuous_bernoulli_grad);
}

const elb_op elb_op_bernoulli = {
    "bernoulli", {{bernoulli_tiles, bernoulli_forward}}, {{bernoulli_tiles, bernoulli_backward}}};
const elb_op elb_op_continuous_bernoulli = {"continuous_bernoulli",
                                            {{bernoulli_tiles, continuous_bernoulli_forward}},
                                            {{bernoulli_tiles, continuous_bernoulli_backward}}};

static elb_tensor *bernoulli_node(elb_tape *t, const elb_op *op, elb_tensor *x, elb_tensor *a)
{
    if (x == NULL || a == NULL) return NULL;
    if (a->rank < 1 || x->cols != a->cols || x->rows == 0 || a->rows % x->rows != 0) {
        char data[64], out[64];
        return elb_tape_fail(t, ELB_MODEL, "%s: data of shape %s do not fit a decoder output of shape %s", op->name,
                             elb_shape_text(x, data), elb_shape_text(a, out));
    }
    elb_tensor *in[] = {elb_stop_gradient(t, x), a};
    return elb_sparing(elb_node(t, op, a->rank - 1, a->shape, 2, in), ELB_SPARES_RESULT);
}

elb_tensor *elb_bernoulli_log_prob(elb_tape *t, elb_tensor *x, elb_tensor *logits)
{
    return bernoulli_node(t, &elb_op_bernoulli, x, logits);
}

elb_tensor *elb_continuous_bernoulli_log_prob(elb_tape *t, elb_tensor *x, elb_tensor *a)
{
    return bernoulli_node(t, &elb_op_continuous_bernoulli, x, a);
}
