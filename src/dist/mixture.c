#include <math.h>
#include <string.h>
#include <tgmath.h>

#include "dist/dist.h"

/* Mixtures of M diagonal Gaussians, one mixture per datum: components [B, M*2n] hold mean and log-variance of one after
 * the other, logits [B,M] the log weights up to a constant. A row r of samples or densities belongs to datum r % B. */

/* What every op here knows of its sizes. */
typedef struct mixture_size {
    int64_t batch, order, n; /* B, M, n */
} mixture_size;

static mixture_size mixture_size_of(const elb_tensor *components, int64_t order)
{
    return (mixture_size){components->rows, order, components->cols / (2 * order)};
}

/* Mean of component j of datum b; its log-variance follows n numbers later. */
static elb_real *mixture_at(mixture_size s, elb_real *base, int64_t b, int64_t j)
{
    return base + (b * s.order + j) * 2 * s.n;
}

static bool mixture_fits(const elb_tensor *components, const elb_tensor *logits)
{
    return logits->rows == components->rows && logits->cols >= 1 && logits->cols <= ELB_MIXTURE_MAX &&
           components->cols % (2 * logits->cols) == 0;
}

static elb_tensor *mixture_refuse(elb_tape *t, const elb_op *op, const elb_tensor *a, const elb_tensor *b)
{
    char x[64], y[64];
    return elb_tape_fail(t, ELB_MODEL, "%s: shapes %s and %s do not go together", op->name, elb_shape_text(a, x),
                         elb_shape_text(b, y));
}

static void mixture_clear(const elb_tensor *y, int i, int64_t begin, int64_t end)
{
    elb_tensor *x = y->in[i];
    if (!x->needs_grad || y->accumulate[i]) return;
    memset(x->grad + begin * x->cols, 0, (size_t)((end - begin) * x->cols) * sizeof *x->grad);
}

/* log sum exp of a[n], by the largest term. */
static elb_real mixture_log_sum_exp(int64_t n, const elb_real *a)
{
    elb_real top = a[0], sum = 0;
    for (int64_t j = 1; j < n; j++)
        if (!(a[j] <= top)) top = a[j]; /* a NaN comes through */
    for (int64_t j = 0; j < n; j++) sum += exp(a[j] - top);
    return top + log(sum);
}

/* --- log density -------------------------------------------------------------------------------------------------- */

/* The components that row r is measured against. */
typedef struct mixture_span {
    int64_t begin, end;
} mixture_span;

static mixture_span mixture_span_at(const elb_tensor *y, mixture_size s, int64_t r)
{
    elb_mixture_part part = (elb_mixture_part)y->with.i[0];
    if (part == ELB_MIXTURE_ALL) return (mixture_span){0, s.order};
    int64_t own = r / (y->rows * y->cols / s.order);
    return part == ELB_MIXTURE_OWN ? (mixture_span){own, own + 1} : (mixture_span){0, own > 0 ? own : 1};
}

/* joint[j] = logit_j + log N_j(z), for the span's components in order. */
static void mixture_joint(const elb_kernels *k, const elb_tensor *y, mixture_size s, int64_t r, elb_real *joint)
{
    const elb_tensor *z = y->in[0], *components = y->in[1], *logits = y->in[2];
    mixture_span span = mixture_span_at(y, s, r);
    for (int64_t j = span.begin; j < span.end; j++) {
        const elb_real *m = mixture_at(s, components->data, r % s.batch, j);
        *joint++ = logits->data[r % s.batch * s.order + j] + k->gaussian_log(s.n, z->data + r * s.n, m, m + s.n);
    }
}

static int64_t mixture_density_tiles(const elb_tensor *y)
{
    return elb_range_tiles(y->rows * y->cols, y->in[1]->cols);
}

static void mixture_density_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    const elb_tensor *logits = y->in[2];
    mixture_size s = mixture_size_of(y->in[1], logits->cols);
    elb_real joint[ELB_MIXTURE_MAX];
    int64_t begin, end;
    elb_row_range(y->rows * y->cols, y->in[1]->cols, tile, &begin, &end);
    for (int64_t r = begin; r < end; r++) {
        mixture_span span = mixture_span_at(y, s, r);
        mixture_joint(k, y, s, r, joint);
        y->data[r] = mixture_log_sum_exp(span.end - span.begin, joint) -
                     mixture_log_sum_exp(span.end - span.begin, logits->data + r % s.batch * s.order + span.begin);
    }
}

/* A backward tile owns data and walks their rows. */
static int64_t mixture_density_backward_tiles(const elb_tensor *y)
{
    int64_t batch = y->in[1]->rows;
    return elb_range_tiles(batch, y->in[1]->cols * (y->rows * y->cols / batch));
}

/* With responsibilities r_j: g r_j d log N_j, and g (r_j - a_j) to the logits. */
static void mixture_density_row(const elb_kernels *k, elb_tensor *y, mixture_size s, int64_t r)
{
    elb_tensor *z = y->in[0], *components = y->in[1], *logits = y->in[2];
    mixture_span span = mixture_span_at(y, s, r);
    elb_real joint[ELB_MIXTURE_MAX];
    int64_t b = r % s.batch, count = span.end - span.begin;
    mixture_joint(k, y, s, r, joint);
    elb_real all = mixture_log_sum_exp(count, joint);
    elb_real weights = mixture_log_sum_exp(count, logits->data + b * s.order + span.begin);
    for (int64_t j = span.begin; j < span.end; j++) {
        elb_real share = exp(joint[j - span.begin] - all);
        const elb_real *m = mixture_at(s, components->data, b, j);
        elb_real *dm = components->needs_grad ? mixture_at(s, components->grad, b, j) : NULL;
        if (logits->needs_grad)
            logits->grad[b * s.order + j] += y->grad[r] * (share - exp(logits->data[b * s.order + j] - weights));
        if (z->needs_grad || dm != NULL)
            k->gaussian_grad(s.n, z->data + r * s.n, m, m + s.n, y->grad[r] * share,
                             z->needs_grad ? z->grad + r * s.n : NULL, dm, dm != NULL ? dm + s.n : NULL);
    }
}

static void mixture_density_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    mixture_size s = mixture_size_of(y->in[1], y->in[2]->cols);
    int64_t begin, end, rows = y->rows * y->cols;
    elb_row_range(s.batch, y->in[1]->cols * (rows / s.batch), tile, &begin, &end);
    for (int i = 1; i < 3; i++) mixture_clear(y, i, begin, end);
    for (int64_t r = begin; r < rows; r += s.batch) mixture_clear(y, 0, r, r + end - begin);
    for (int64_t b = begin; b < end; b++)
        for (int64_t r = b; r < rows; r += s.batch) mixture_density_row(k, y, s, r);
}

const elb_op elb_op_mixture_density = {"mixture_density",
                                       {{mixture_density_tiles, mixture_density_forward}},
                                       {{mixture_density_backward_tiles, mixture_density_backward}}};

elb_tensor *elb_mixture_log_prob(elb_tape *t, elb_tensor *z, elb_tensor *components, elb_tensor *logits,
                                 elb_mixture_part part)
{
    if (z == NULL || components == NULL || logits == NULL) return NULL;
    const elb_op *op = &elb_op_mixture_density;
    if (!mixture_fits(components, logits)) return mixture_refuse(t, op, components, logits);
    int64_t strata = part == ELB_MIXTURE_ALL ? 1 : logits->cols;
    if (z->rank < 2 || z->cols != components->cols / (2 * logits->cols) || components->rows == 0 ||
        z->rows % (components->rows * strata) != 0)
        return mixture_refuse(t, op, z, components);
    elb_tensor *y = elb_node(t, op, z->rank - 1, z->shape, 3, (elb_tensor *[]){z, components, logits});
    if (y != NULL) y->with.i[0] = part;
    return y;
}

/* --- samples ------------------------------------------------------------------------------------------------------ */

/* Where row r of the result gets its component and its noise from: strata S*M rows and noise of all components beside
 * each other, choices S rows. */
typedef struct mixture_source {
    int64_t component;
    const elb_real *eps;
} mixture_source;

static bool mixture_stratified(const elb_tensor *y)
{
    return y->in[2] == NULL;
}

static mixture_source mixture_source_at(const elb_tensor *y, mixture_size s, int64_t r)
{
    const elb_tensor *eps = y->in[1];
    if (!mixture_stratified(y)) return (mixture_source){(int64_t)y->in[2]->data[r], eps->data + r * s.n};
    int64_t component = r / eps->rows;
    return (mixture_source){component, eps->data + (r % eps->rows * s.order + component) * s.n};
}

static void mixture_sample_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    mixture_size s = mixture_size_of(y->in[0], y->with.i[0]);
    int64_t begin, end;
    elb_row_range(y->rows, y->cols, tile, &begin, &end);
    for (int64_t r = begin; r < end; r++) {
        mixture_source from = mixture_source_at(y, s, r);
        const elb_real *m = mixture_at(s, y->in[0]->data, r % s.batch, from.component);
        k->gaussian_sample(s.n, m, m + s.n, from.eps, y->data + r * s.n);
    }
}

static int64_t mixture_sample_backward_tiles(const elb_tensor *y)
{
    int64_t batch = y->in[0]->rows;
    return elb_range_tiles(batch, y->cols * (y->rows / batch));
}

static void mixture_sample_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    elb_tensor *components = y->in[0];
    mixture_size s = mixture_size_of(components, y->with.i[0]);
    int64_t begin, end;
    elb_row_range(s.batch, y->cols * (y->rows / s.batch), tile, &begin, &end);
    mixture_clear(y, 0, begin, end);
    for (int64_t b = begin; b < end; b++)
        for (int64_t r = b; r < y->rows; r += s.batch) {
            mixture_source from = mixture_source_at(y, s, r);
            const elb_real *m = mixture_at(s, components->data, b, from.component);
            elb_real *dm = mixture_at(s, components->grad, b, from.component);
            k->gaussian_sample_grad(s.n, m + s.n, from.eps, y->grad + r * s.n, dm, dm + s.n);
        }
}

const elb_op elb_op_mixture_sample = {"mixture_sample",
                                      {{elb_row_tiles, mixture_sample_forward}},
                                      {{mixture_sample_backward_tiles, mixture_sample_backward}}};

static elb_tensor *mixture_sample_node(elb_tape *t, elb_tensor *components, int64_t order, int64_t n, int64_t samples,
                                       elb_tensor *eps, elb_tensor *choice)
{
    const elb_op *op = &elb_op_mixture_sample;
    int64_t shape[] = {samples, components->rows, n};
    if (components->cols != 2 * n * order || eps->shape[1] != components->rows ||
        (choice != NULL && choice->rows * choice->cols != eps->rows))
        return mixture_refuse(t, op, components, eps);
    if (eps->needs_grad) return elb_tape_fail(t, ELB_MODEL, "%s: noise takes no gradient; stop it first", op->name);
    elb_tensor *y = elb_node(t, op, 3, shape, choice != NULL ? 3 : 2, (elb_tensor *[]){components, eps, choice});
    if (y != NULL) y->with.i[0] = order;
    return y;
}

elb_tensor *elb_mixture_strata(elb_tape *t, elb_tensor *components, int64_t order, elb_tensor *eps)
{
    if (components == NULL || eps == NULL) return NULL;
    if (order < 1 || eps->rank != 3) return mixture_refuse(t, &elb_op_mixture_sample, components, eps);
    return mixture_sample_node(t, components, order, eps->cols / order, order * eps->shape[0], eps, NULL);
}

elb_tensor *elb_mixture_sample(elb_tape *t, elb_tensor *components, elb_tensor *choice, elb_tensor *eps)
{
    if (components == NULL || choice == NULL || eps == NULL) return NULL;
    if (eps->rank != 3 || eps->cols < 1) return mixture_refuse(t, &elb_op_mixture_sample, components, eps);
    return mixture_sample_node(t, components, components->cols / (2 * eps->cols), eps->cols, eps->shape[0], eps,
                               choice);
}

/* --- which component a sample is drawn from ----------------------------------------------------------------------- */

typedef struct mixture_chooser {
    elb_noise noise;
    uint64_t key;
    bool multinomial;
} mixture_chooser;

static double mixture_uniform(const mixture_chooser *c, uint64_t datum, uint32_t draw)
{
    return ((double)elb_random_word(c->key, datum, draw, 0) + 0.5) * 0x1p-32;
}

/* Where sample s of a datum stands in [0,1): anywhere, each for itself; or all K evenly from a
 * point that is anywhere. */
static double mixture_position(const mixture_chooser *c, uint64_t datum, int64_t s)
{
    const elb_noise *noise = &c->noise;
    uint32_t step = noise->step != NULL ? *noise->step : 0;
    if (c->multinomial) return mixture_uniform(c, datum, noise->draw + step + (uint32_t)s);
    bool part = noise->whole > 0;
    double place =
        part ? (double)((int64_t)noise->draw + s) / (double)noise->whole : (double)s / (double)noise->samples;
    double position = place + mixture_uniform(c, datum, part ? step : noise->draw + step);
    return position - floor(position);
}

/* The component whose part of the cumulative weights holds the position. */
static int64_t mixture_choose(int64_t order, const elb_real *logits, double position)
{
    double total = 0, sum = 0, top = (double)logits[0];
    for (int64_t j = 1; j < order; j++) top = (double)logits[j] > top ? (double)logits[j] : top;
    for (int64_t j = 0; j < order; j++) total += exp((double)logits[j] - top);
    for (int64_t j = 0; j < order - 1; j++) {
        sum += exp((double)logits[j] - top);
        if (position * total < sum) return j;
    }
    return order - 1;
}

static void mixture_choice_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    (void)k;
    (void)tile;
    const mixture_chooser *c = y->with.p[0];
    const elb_tensor *logits = y->in[0];
    for (int64_t s = 0; s < y->rows; s++)
        for (int64_t b = 0; b < y->cols; b++)
            y->data[s * y->cols + b] = (elb_real)mixture_choose(logits->cols, logits->data + b * logits->cols,
                                                                mixture_position(c, c->noise.datum[b], s));
}

const elb_op elb_op_mixture_choice = {"mixture_choice", {{elb_one_tile, mixture_choice_forward}}, {{NULL, NULL}}};

elb_tensor *elb_mixture_choice(elb_tape *t, elb_tensor *logits, const elb_noise *noise, uint32_t lane, bool multinomial)
{
    if (logits == NULL) return NULL;
    int64_t shape[] = {noise->samples, logits->rows};
    mixture_chooser *c = elb_tape_alloc(t, 1, sizeof *c);
    elb_tensor *y = elb_node(t, &elb_op_mixture_choice, 2, shape, 1, &logits);
    if (y == NULL) return NULL;
    *c = (mixture_chooser){*noise, elb_noise_key(noise, lane), multinomial};
    y->with.p[0] = c;
    y->needs_grad = false;
    return y;
}

/* --- the samples' shares ------------------------------------------------------------------------------------------ */

static void mixture_share_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    (void)k;
    (void)tile;
    const elb_tensor *logits = y->in[0];
    int64_t order = logits->cols, samples = y->rows / order;
    for (int64_t b = 0; b < y->cols; b++) {
        elb_real all = mixture_log_sum_exp(order, logits->data + b * order) + log((elb_real)samples);
        for (int64_t r = 0; r < y->rows; r++) y->data[r * y->cols + b] = logits->data[b * order + r / samples] - all;
    }
}

static void mixture_share_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    (void)k;
    (void)tile;
    elb_tensor *logits = y->in[0];
    int64_t order = logits->cols, samples = y->rows / order;
    mixture_clear(y, 0, 0, logits->rows);
    for (int64_t b = 0; b < y->cols; b++) {
        elb_real total = 0, *g = logits->grad + b * order;
        for (int64_t r = 0; r < y->rows; r++) total += y->grad[r * y->cols + b];
        for (int64_t r = 0; r < y->rows; r++) g[r / samples] += y->grad[r * y->cols + b];
        for (int64_t j = 0; j < order; j++) g[j] -= total * (elb_real)samples * exp(y->data[j * samples * y->cols + b]);
    }
}

const elb_op elb_op_mixture_share = {
    "mixture_share", {{elb_one_tile, mixture_share_forward}}, {{elb_one_tile, mixture_share_backward}}};

elb_tensor *elb_mixture_log_share(elb_tape *t, elb_tensor *logits, int64_t samples)
{
    if (logits == NULL) return NULL;
    return elb_node(t, &elb_op_mixture_share, 2, (int64_t[]){logits->cols * samples, logits->rows}, 1, &logits);
}

/* --- mean and variance -------------------------------------------------------------------------------------------- */

static void mixture_moments_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    (void)k;
    const elb_tensor *logits = y->in[1];
    mixture_size s = mixture_size_of(y->in[0], logits->cols);
    int64_t begin, end;
    elb_row_range(y->rows, y->in[0]->cols, tile, &begin, &end);
    for (int64_t b = begin; b < end; b++) {
        elb_real *mean = y->data + b * 2 * s.n, *log_variance = mean + s.n;
        const elb_real *logit = logits->data + b * s.order;
        elb_real all = mixture_log_sum_exp(s.order, logit);
        memset(mean, 0, (size_t)(2 * s.n) * sizeof *mean);
        for (int64_t j = 0; j < s.order; j++)
            k->axpy(s.n, exp(logit[j] - all), mixture_at(s, y->in[0]->data, b, j), mean);
        for (int64_t j = 0; j < s.order; j++) {
            const elb_real *m = mixture_at(s, y->in[0]->data, b, j);
            for (int64_t i = 0; i < s.n; i++)
                log_variance[i] += exp(logit[j] - all) * (exp(m[s.n + i]) + (m[i] - mean[i]) * (m[i] - mean[i]));
        }
        k->unary(ELB_LOG, s.n, log_variance, log_variance);
    }
}

static int64_t mixture_moments_tiles(const elb_tensor *y)
{
    return elb_range_tiles(y->rows, y->in[0]->cols);
}

const elb_op elb_op_mixture_moments = {
    "mixture_moments", {{mixture_moments_tiles, mixture_moments_forward}}, {{NULL, NULL}}};

elb_tensor *elb_mixture_moments(elb_tape *t, elb_tensor *components, elb_tensor *logits)
{
    if (components == NULL || logits == NULL) return NULL;
    if (!mixture_fits(components, logits)) return mixture_refuse(t, &elb_op_mixture_moments, components, logits);
    int64_t shape[] = {components->rows, components->cols / logits->cols};
    elb_tensor *y = elb_node(t, &elb_op_mixture_moments, 2, shape, 2, (elb_tensor *[]){components, logits});
    if (y != NULL) y->needs_grad = false;
    return y;
}
