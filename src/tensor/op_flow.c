#include <string.h>

#include "tensor/tensor.h"

/* The steps of normalising flows, fused: every coordinate shifted and scaled, and reflections. */

/* --- shift and scale ---------------------------------------------------------------------------------------------- */

static elb_flow_form step_form(const elb_tensor *y)
{
    return (elb_flow_form)y->with.i[0];
}

/* s = sg(c), or exp(c), into s [n]. */
static void step_scale(const elb_kernels *k, elb_flow_form form, int64_t n, const elb_real *c, elb_real *s)
{
    if (form == ELB_FLOW_AFFINE) {
        k->unary(ELB_EXP, n, c, s);
    } else {
        memcpy(s, c, (size_t)n * sizeof *s);
        k->activate(ELB_SIGMOID, 1, n, NULL, s, n);
    }
}

static void step_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    int64_t begin, end, n = y->cols;
    bool gated = step_form(y) == ELB_FLOW_GATED;
    elb_row_range(y->rows, n, tile, &begin, &end);
    for (int64_t r = begin; r < end; r++) {
        const elb_real *z = y->in[0]->data + r * n, *m = y->in[1]->data + 2 * r * n;
        elb_real *s = y->scratch + r * n, *out = y->data + r * n;
        step_scale(k, step_form(y), n, m + n, s);
        for (int64_t i = 0; i < n; i++) out[i] = m[i] + s[i] * (gated ? z[i] - m[i] : z[i]);
    }
}

/* The derivative of s by c is s itself, or s (1 - s). */
static void step_backward_row(elb_flow_form form, int64_t n, const elb_real *z, const elb_real *m, const elb_real *s,
                              const elb_real *g, elb_real *dm)
{
    bool gated = form == ELB_FLOW_GATED, affine = form == ELB_FLOW_AFFINE;
    elb_real *dc = dm + n;
    for (int64_t i = 0; i < n; i++) {
        dm[i] += gated ? g[i] * (1 - s[i]) : g[i];
        dc[i] += g[i] * (gated ? z[i] - m[i] : z[i]) * (affine ? s[i] : s[i] * (1 - s[i]));
    }
}

static void step_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    elb_tensor *z = y->in[0], *mc = y->in[1];
    int64_t begin, end, n = y->cols;
    elb_row_range(y->rows, n, tile, &begin, &end);
    for (int i = 0; i < 2; i++) {
        elb_tensor *x = y->in[i];
        if (x->needs_grad && !y->accumulate[i])
            memset(x->grad + begin * x->cols, 0, (size_t)((end - begin) * x->cols) * sizeof *x->grad);
    }
    if (z->needs_grad) k->mul_add((end - begin) * n, y->grad + begin * n, y->scratch + begin * n, z->grad + begin * n);
    for (int64_t r = begin; r < end && mc->needs_grad; r++)
        step_backward_row(step_form(y), n, z->data + r * n, mc->data + 2 * r * n, y->scratch + r * n, y->grad + r * n,
                          mc->grad + 2 * r * n);
}

const elb_op elb_op_flow_step = {"flow_step", {{elb_row_tiles, step_forward}}, {{elb_row_tiles, step_backward}}};

static elb_tensor *step_node(elb_tape *t, const elb_op *op, elb_tensor *x, elb_tensor *mc, elb_flow_form form)
{
    if (x == NULL || mc == NULL) return NULL;
    char a[64], b[64];
    if (x->rows != mc->rows || mc->cols != 2 * x->cols)
        return elb_tape_fail(t, ELB_MODEL, "%s: shifts and scales of shape %s do not go with a latent of shape %s",
                             op->name, elb_shape_text(mc, b), elb_shape_text(x, a));
    elb_tensor *y = elb_node(t, op, x->rank, x->shape, 2, (elb_tensor *[]){x, mc});
    if (y == NULL) return NULL;
    y->with.i[0] = form;
    y->scratch = elb_tape_alloc(t, y->rows * y->cols, sizeof *y->scratch); /* the scales */
    return y->scratch != NULL ? y : NULL;
}

elb_tensor *elb_flow_step(elb_tape *t, elb_tensor *z, elb_tensor *mc, elb_flow_form form)
{
    return step_node(t, &elb_op_flow_step, z, mc, form);
}

/* --- the same undone: z of y = shift + scale z -------------------------------------------------------------------- */

static void undo_forward(const elb_kernels *k, elb_tensor *z, int64_t tile)
{
    int64_t begin, end, n = z->cols;
    bool gated = step_form(z) == ELB_FLOW_GATED;
    elb_row_range(z->rows, n, tile, &begin, &end);
    for (int64_t r = begin; r < end; r++) {
        const elb_real *y = z->in[0]->data + r * n, *m = z->in[1]->data + 2 * r * n;
        elb_real *s = z->scratch + r * n, *out = z->data + r * n;
        step_scale(k, step_form(z), n, m + n, s);
        for (int64_t i = 0; i < n; i++) out[i] = (y[i] - m[i]) / s[i] + (gated ? m[i] : 0);
    }
}

static void undo_backward_row(elb_flow_form form, int64_t n, const elb_real *z, const elb_real *m, const elb_real *s,
                              const elb_real *g, elb_real *dm)
{
    bool gated = form == ELB_FLOW_GATED, affine = form == ELB_FLOW_AFFINE;
    elb_real *dc = dm + n;
    for (int64_t i = 0; i < n; i++) {
        dm[i] -= g[i] / s[i] - (gated ? g[i] : 0);
        dc[i] -= g[i] * (gated ? z[i] - m[i] : z[i]) * (affine ? 1 : 1 - s[i]);
    }
}

static void undo_backward(const elb_kernels *k, elb_tensor *z, int64_t tile)
{
    (void)k;
    elb_tensor *y = z->in[0], *mc = z->in[1];
    int64_t begin, end, n = z->cols;
    elb_row_range(z->rows, n, tile, &begin, &end);
    for (int i = 0; i < 2; i++) {
        elb_tensor *x = z->in[i];
        if (x->needs_grad && !z->accumulate[i])
            memset(x->grad + begin * x->cols, 0, (size_t)((end - begin) * x->cols) * sizeof *x->grad);
    }
    for (int64_t i = begin * n; i < end * n && y->needs_grad; i++) y->grad[i] += z->grad[i] / z->scratch[i];
    for (int64_t r = begin; r < end && mc->needs_grad; r++)
        undo_backward_row(step_form(z), n, z->data + r * n, mc->data + 2 * r * n, z->scratch + r * n, z->grad + r * n,
                          mc->grad + 2 * r * n);
}

const elb_op elb_op_flow_undo = {"flow_undo", {{elb_row_tiles, undo_forward}}, {{elb_row_tiles, undo_backward}}};

elb_tensor *elb_flow_undo(elb_tape *t, elb_tensor *y, elb_tensor *mc, elb_flow_form form)
{
    return step_node(t, &elb_op_flow_undo, y, mc, form);
}

/* --- its log-determinant ------------------------------------------------------------------------------------------ */

static int64_t log_det_tiles(const elb_tensor *y)
{
    return elb_row_tiles(y->in[0]);
}

static void log_det_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const elb_tensor *mc = y->in[0];
    int64_t begin, end, n = mc->cols / 2;
    elb_row_range(mc->rows, mc->cols, tile, &begin, &end);
    for (int64_t r = begin; r < end; r++) {
        const elb_real *c = mc->data + 2 * r * n + n;
        elb_real *s = y->scratch + r * n;
        if (step_form(y) == ELB_FLOW_AFFINE) {
            y->data[r] = k->sum(n, c);
        } else { /* log sg(c) = -softplus(-c) */
            k->axpby(n, -1, c, 0, s);
            k->activate(ELB_SOFTPLUS, 1, n, NULL, s, n);
            y->data[r] = -k->sum(n, s);
        }
    }
}

/* By c: 1, or sg(-c). */
static void log_det_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    elb_tensor *mc = y->in[0];
    int64_t begin, end, n = mc->cols / 2;
    elb_row_range(mc->rows, mc->cols, tile, &begin, &end);
    if (!y->accumulate[0])
        memset(mc->grad + begin * mc->cols, 0, (size_t)((end - begin) * mc->cols) * sizeof *mc->grad);
    for (int64_t r = begin; r < end; r++) {
        const elb_real *c = mc->data + 2 * r * n + n;
        elb_real *dc = mc->grad + 2 * r * n + n, *s = y->scratch + r * n;
        if (step_form(y) == ELB_FLOW_AFFINE) {
            k->axpby(n, 1, dc, y->grad[r], dc);
        } else {
            k->axpby(n, -1, c, 0, s);
            k->activate(ELB_SIGMOID, 1, n, NULL, s, n);
            k->axpy(n, y->grad[r], s, dc);
        }
    }
}

const elb_op elb_op_flow_log_det = {
    "flow_log_det", {{log_det_tiles, log_det_forward}}, {{log_det_tiles, log_det_backward}}};

elb_tensor *elb_flow_log_det(elb_tape *t, elb_tensor *mc, elb_flow_form form)
{
    if (mc == NULL) return NULL;
    char text[64];
    if (mc->rank < 1 || mc->cols % 2 != 0)
        return elb_tape_fail(t, ELB_MODEL, "flow_log_det: a tensor of shape %s does not hold shifts and scales",
                             elb_shape_text(mc, text));
    elb_tensor *y = elb_node(t, &elb_op_flow_log_det, mc->rank - 1, mc->shape, 1, &mc);
    if (y == NULL) return NULL;
    y->with.i[0] = form;
    y->scratch = elb_tape_alloc(t, mc->rows * (mc->cols / 2), sizeof *y->scratch);
    return y->scratch != NULL ? y : NULL;
}

/* --- reflections: a backward tile owns vectors b and walks their samples ------------------------------------------ */

#define REFLECT_LEAST 1e-12 /* of |v|^2: a shorter vector has no direction, and reflects nothing */

/* 2 / |v|^2 */
static elb_real reflect_factor(const elb_kernels *k, int64_t n, const elb_real *v)
{
    elb_real square = k->dot(n, v, v);
    return square < (elb_real)REFLECT_LEAST ? 0 : 2 / square;
}

static void reflect_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const elb_tensor *z = y->in[0], *v = y->in[1];
    int64_t begin, end, n = y->cols;
    elb_row_range(y->rows, n, tile, &begin, &end);
    memcpy(y->data + begin * n, z->data + begin * n, (size_t)((end - begin) * n) * sizeof *y->data);
    for (int64_t r = begin; r < end; r++) {
        const elb_real *axis = v->data + r % v->rows * n;
        k->axpy(n, -reflect_factor(k, n, axis) * k->dot(n, axis, z->data + r * n), axis, y->data + r * n);
    }
}

static int64_t reflect_backward_tiles(const elb_tensor *y)
{
    const elb_tensor *v = y->in[1];
    return elb_range_tiles(v->rows, y->cols * (y->rows / v->rows));
}

/* With f = 2 / |v|^2, a = v.z and b = v.g: dz = g - f b v, dv = -f (a g + b z - f a b v). */
static void reflect_backward_row(const elb_kernels *k, elb_tensor *y, int64_t r, elb_real f, const elb_real *v,
                                 elb_real *dv)
{
    int64_t n = y->cols;
    const elb_real *z = y->in[0]->data + r * n, *g = y->grad + r * n;
    elb_real a = k->dot(n, v, z), b = k->dot(n, v, g);
    if (y->in[0]->needs_grad) {
        elb_real *dz = y->in[0]->grad + r * n;
        if (!y->accumulate[0]) memset(dz, 0, (size_t)n * sizeof *dz);
        k->axpy(n, 1, g, dz);
        k->axpy(n, -f * b, v, dz);
    }
    if (dv == NULL) return;
    k->axpy(n, -f * a, g, dv);
    k->axpy(n, -f * b, z, dv);
    k->axpy(n, f * f * a * b, v, dv);
}

static void reflect_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    elb_tensor *v = y->in[1];
    int64_t begin, end, n = y->cols;
    elb_row_range(v->rows, n * (y->rows / v->rows), tile, &begin, &end);
    for (int64_t b = begin; b < end; b++) {
        elb_real *dv = v->needs_grad ? v->grad + b * n : NULL;
        elb_real f = reflect_factor(k, n, v->data + b * n);
        if (dv != NULL && !y->accumulate[1]) memset(dv, 0, (size_t)n * sizeof *dv);
        for (int64_t r = b; r < y->rows; r += v->rows) reflect_backward_row(k, y, r, f, v->data + b * n, dv);
    }
}

const elb_op elb_op_flow_reflect = {
    "flow_reflect", {{elb_row_tiles, reflect_forward}}, {{reflect_backward_tiles, reflect_backward}}};

elb_tensor *elb_flow_reflect(elb_tape *t, elb_tensor *z, elb_tensor *v)
{
    if (z == NULL || v == NULL) return NULL;
    char a[64], b[64];
    if (z->cols != v->cols || v->rows == 0 || z->rows % v->rows != 0)
        return elb_tape_fail(t, ELB_MODEL, "flow_reflect: vectors of shape %s do not go with a latent of shape %s",
                             elb_shape_text(v, b), elb_shape_text(z, a));
    return elb_node(t, &elb_op_flow_reflect, z->rank, z->shape, 2, (elb_tensor *[]){z, v});
}
