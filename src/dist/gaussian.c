#include <string.h>

#include "dist/dist.h"

/* Diagonal Gaussians: log density, reparameterised draws, KL to the standard normal. */

/* --- how backward is cut ------------------------------------------------------------------------------------------ */

/* Rows of an argument may be shared by several rows of the result. A backward tile therefore owns whole rows of every
 * argument that wants a gradient: result rows r with the same r % period, period being the fewest rows among those
 * arguments. Where one argument is a single row, tiles own columns instead. */
enum { GAUSSIAN_COLUMNS = 64 };

static int64_t gaussian_period(const elb_tensor *y)
{
    int64_t period = y->rows * y->cols;
    for (int i = 0; i < 3; i++)
        if (y->in[i]->needs_grad && y->in[i]->rows < period) period = y->in[i]->rows;
    return period;
}

static bool gaussian_by_columns(const elb_tensor *y)
{
    return gaussian_period(y) == 1 && y->rows * y->cols > 1;
}

static int64_t gaussian_width(const elb_tensor *y)
{
    return y->in[0]->cols;
}

static int64_t gaussian_backward_tiles(const elb_tensor *y)
{
    if (gaussian_by_columns(y)) return (gaussian_width(y) + GAUSSIAN_COLUMNS - 1) / GAUSSIAN_COLUMNS;
    int64_t period = gaussian_period(y);
    return elb_range_tiles(period, gaussian_width(y) * (y->rows * y->cols / period));
}

/* --- log density -------------------------------------------------------------------------------------------------- */

static const elb_real *gaussian_row(const elb_tensor *x, const elb_real *base, int64_t r)
{
    return base + r % x->rows * x->cols;
}

static int64_t gaussian_tiles(const elb_tensor *y)
{
    return elb_range_tiles(y->rows * y->cols, gaussian_width(y));
}

static void gaussian_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const elb_tensor *v = y->in[0], *m = y->in[1], *l = y->in[2];
    int64_t begin, end;
    elb_row_range(y->rows * y->cols, v->cols, tile, &begin, &end);
    for (int64_t r = begin; r < end; r++)
        y->data[r] = k->gaussian_log(v->cols, gaussian_row(v, v->data, r), gaussian_row(m, m->data, r),
                                     gaussian_row(l, l->data, r));
}

typedef struct gaussian_span {
    int64_t begin, end;    /* rows, modulo the period */
    int64_t column, count; /* columns */
} gaussian_span;

static gaussian_span gaussian_span_at(const elb_tensor *y, int64_t tile)
{
    int64_t n = gaussian_width(y), period = gaussian_period(y);
    gaussian_span s = {0, period, 0, n};
    if (gaussian_by_columns(y)) {
        s.column = tile * GAUSSIAN_COLUMNS;
        s.count = n - s.column < GAUSSIAN_COLUMNS ? n - s.column : GAUSSIAN_COLUMNS;
    } else {
        elb_row_range(period, n * (y->rows * y->cols / period), tile, &s.begin, &s.end);
    }
    return s;
}

static void gaussian_clear(const elb_tensor *y, int i, gaussian_span s, int64_t period)
{
    elb_tensor *x = y->in[i];
    if (!x->needs_grad || y->accumulate[i]) return;
    for (int64_t b = s.begin; b < s.end; b++)
        for (int64_t r = b; r < x->rows; r += period)
            memset(x->grad + r * x->cols + s.column, 0, (size_t)s.count * sizeof *x->grad);
}

static elb_real *gaussian_target(const elb_tensor *x, int64_t r, int64_t column)
{
    return x->needs_grad ? x->grad + r % x->rows * x->cols + column : NULL;
}

static void gaussian_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const elb_tensor *v = y->in[0], *m = y->in[1], *l = y->in[2];
    int64_t period = gaussian_period(y);
    gaussian_span s = gaussian_span_at(y, tile);
    for (int i = 0; i < 3; i++) gaussian_clear(y, i, s, period);
    for (int64_t b = s.begin; b < s.end; b++)
        for (int64_t r = b; r < y->rows * y->cols; r += period)
            k->gaussian_grad(s.count, gaussian_row(v, v->data, r) + s.column, gaussian_row(m, m->data, r) + s.column,
                             gaussian_row(l, l->data, r) + s.column, y->grad[r], gaussian_target(v, r, s.column),
                             gaussian_target(m, r, s.column), gaussian_target(l, r, s.column));
}

const elb_op elb_op_gaussian = {
    "gaussian", {{gaussian_tiles, gaussian_forward}}, {{gaussian_backward_tiles, gaussian_backward}}};

/* Whether the rows of one repeat as a whole in those of the other; else two backward tiles would share a row. */
static bool gaussian_nest(const elb_tensor *a, const elb_tensor *b)
{
    int64_t few = a->rows < b->rows ? a->rows : b->rows, many = a->rows + b->rows - few;
    return few > 0 && many % few == 0;
}

elb_tensor *elb_gaussian_log_prob(elb_tape *t, elb_tensor *value, elb_tensor *mean, elb_tensor *log_variance)
{
    if (value == NULL || mean == NULL || log_variance == NULL) return NULL;
    elb_tensor *in[] = {value, mean, log_variance}, *largest = value;
    for (int i = 1; i < 3; i++)
        if (in[i]->rows > largest->rows || (in[i]->rows == largest->rows && in[i]->rank > largest->rank))
            largest = in[i];
    for (int i = 0; i < 3; i++)
        if (in[i]->cols != largest->cols || !gaussian_nest(in[i], largest) || !gaussian_nest(in[i], in[(i + 1) % 3])) {
            char a[64], b[64];
            return elb_tape_fail(t, ELB_MODEL, "gaussian: shapes %s and %s do not go together",
                                 elb_shape_text(in[i], a),
                                 elb_shape_text(gaussian_nest(in[i], largest) ? in[(i + 1) % 3] : largest, b));
        }
    int rank = largest->rank > 0 ? largest->rank - 1 : 0;
    return elb_sparing(elb_node(t, &elb_op_gaussian, rank, largest->shape, 3, in), ELB_SPARES_RESULT);
}

elb_tensor *elb_standard_normal_log_prob(elb_tape *t, elb_tensor *value)
{
    if (value == NULL) return NULL;
    elb_tensor *zero = elb_named(elb_input(t, "standard normal", false, 1, &value->cols), "standard normal");
    if (zero == NULL) return NULL;
    memset(zero->data, 0, (size_t)zero->cols * sizeof *zero->data);
    return elb_gaussian_log_prob(t, value, zero, zero);
}

/* --- reparameterised draws: a backward tile owns data b and walks their samples ----------------------------------- */

static void sample_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const elb_tensor *m = y->in[0], *s = y->in[1], *eps = y->in[2];
    int64_t begin, end, n = y->cols;
    elb_row_range(y->rows, n, tile, &begin, &end);
    for (int64_t r = begin; r < end; r++)
        k->gaussian_sample(n, gaussian_row(m, m->data, r), gaussian_row(s, s->data, r), eps->data + r * n,
                           y->data + r * n);
}

static int64_t sample_backward_tiles(const elb_tensor *y)
{
    const elb_tensor *m = y->in[0];
    return elb_range_tiles(m->rows, y->cols * (y->rows / m->rows));
}

static void sample_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    elb_tensor *m = y->in[0], *s = y->in[1], *eps = y->in[2];
    int64_t begin, end, n = y->cols;
    elb_row_range(m->rows, n * (y->rows / m->rows), tile, &begin, &end);
    for (int i = 0; i < 2; i++)
        if (!y->accumulate[i]) memset(y->in[i]->grad + begin * n, 0, (size_t)((end - begin) * n) * sizeof *m->grad);
    for (int64_t b = begin; b < end; b++)
        for (int64_t r = b; r < y->rows; r += m->rows)
            k->gaussian_sample_grad(n, s->data + b * n, eps->data + r * n, y->grad + r * n, m->grad + b * n,
                                    s->grad + b * n);
}

const elb_op elb_op_gaussian_sample = {
    "gaussian_sample", {{elb_row_tiles, sample_forward}}, {{sample_backward_tiles, sample_backward}}};

elb_tensor *elb_gaussian_sample(elb_tape *t, elb_tensor *mean, elb_tensor *log_variance, elb_tensor *eps)
{
    if (mean == NULL || log_variance == NULL || eps == NULL) return NULL;
    char a[64], b[64];
    if (mean->rows != log_variance->rows || mean->cols != log_variance->cols || mean->cols != eps->cols ||
        mean->rows == 0 || eps->rows % mean->rows != 0)
        return elb_tape_fail(t, ELB_MODEL, "gaussian_sample: a mean of shape %s does not go with noise of shape %s",
                             elb_shape_text(mean, a), elb_shape_text(eps, b));
    if (mean->needs_grad != log_variance->needs_grad)
        return elb_tape_fail(t, ELB_MODEL, "gaussian_sample: mean and log-variance want a gradient both or neither");
    if (eps->needs_grad) return elb_tape_fail(t, ELB_MODEL, "gaussian_sample: noise takes no gradient; stop it first");
    return elb_node(t, &elb_op_gaussian_sample, eps->rank, eps->shape, 3, (elb_tensor *[]){mean, log_variance, eps});
}

/* --- KL to the standard normal ------------------------------------------------------------------------------------ */

static void kl_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    int64_t begin, end, n = y->cols;
    elb_row_range(y->rows, n, tile, &begin, &end);
    k->kl_standard((end - begin) * n, y->in[0]->data + begin * n, y->in[1]->data + begin * n, y->data + begin * n);
}

static void kl_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    elb_tensor *m = y->in[0], *s = y->in[1];
    int64_t begin, end, n = y->cols;
    elb_row_range(y->rows, n, tile, &begin, &end);
    int64_t at = begin * n, count = (end - begin) * n;
    for (int i = 0; i < 2; i++)
        if (!y->accumulate[i]) memset(y->in[i]->grad + at, 0, (size_t)count * sizeof *m->grad);
    k->kl_standard_grad(count, m->data + at, s->data + at, y->grad + at, m->grad + at, s->grad + at);
}

const elb_op elb_op_gaussian_kl_standard = {
    "gaussian_kl_standard", {{elb_row_tiles, kl_forward}}, {{elb_row_tiles, kl_backward}}};

elb_tensor *elb_gaussian_kl_standard(elb_tape *t, elb_tensor *mean, elb_tensor *log_variance)
{
    if (mean == NULL || log_variance == NULL) return NULL;
    if (mean->rows != log_variance->rows || mean->cols != log_variance->cols ||
        mean->needs_grad != log_variance->needs_grad)
        return elb_tape_fail(t, ELB_MODEL, "gaussian_kl_standard: mean and log-variance must be alike");
    return elb_node(t, &elb_op_gaussian_kl_standard, mean->rank, mean->shape, 2, (elb_tensor *[]){mean, log_variance});
}
