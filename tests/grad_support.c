/* grad_support.c - one op against a plain formula and against central differences. */
#include "grad_support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GRAD_PROBES = 12, GRAD_FEW_PROBES = 4, GRAD_LARGE = 2000, GRAD_SEEN = 64 };

typedef enum grad_company { GRAD_ALONE, GRAD_OTHER_BEFORE, GRAD_OTHER_AFTER, GRAD_COMPANIES } grad_company;

/* One way to run a case. */
typedef struct grad_way {
    unsigned wanted; /* bit k: input k wants a gradient */
    bool through;    /* inputs are results of other ops, not leaves */
    grad_company company;
    int threads;
} grad_way;

typedef struct grad_run {
    const grad_case *c;
    grad_way way;
    elb_context *context;
    elb_tape *tape;
    elb_real *data[ELB_INPUT_MAX], *grad[ELB_INPUT_MAX],
        *other[ELB_INPUT_MAX]; /* other: weights of the other consumer */
    elb_real *weight;          /* of the result in the loss */
    elb_tensor *y, *loss;
    int64_t results;
} grad_run;

static const elb_op *grad_ops[GRAD_SEEN];
static int grad_ops_seen;
static elb_context *grad_contexts[2]; /* of 1 and of 3 threads */
/* Of each, without and with fixed rows; used over and over: what was in their memory must not matter. */
static elb_tape *grad_tapes[2][2];

/* --- shapes ------------------------------------------------------------------------------------------------------- */

int64_t grad_count(const grad_input *in)
{
    int64_t n = 1;
    for (int i = 0; i < in->rank; i++) n *= in->shape[i];
    return n;
}

int64_t grad_cols(const grad_input *in)
{
    return in->rank > 0 ? in->shape[in->rank - 1] : 1;
}

int64_t grad_rows(const grad_input *in)
{
    return grad_count(in) / grad_cols(in);
}

double grad_activation(elb_activation act, double x)
{
    switch (act) {
    case ELB_LINEAR: return x;
    case ELB_TANH: return tanh(x);
    case ELB_RELU: return x > 0 ? x : 0;
    case ELB_ELU: return x > 0 ? x : exp(x) - 1;
    case ELB_SOFTPLUS: return log(1 + exp(x));
    case ELB_SIGMOID: return 1 / (1 + exp(-x));
    case ELB_LEAKY_RELU: return x > 0 ? x : x / 100;
    case ELB_SILU: return x / (1 + exp(-x));
    case ELB_GELU: return x * (1 + erf(x / sqrt(2))) / 2;
    case ELB_ACTIVATION_COUNT: break;
    }
    return NAN;
}

double grad_derivative(double (*f)(void *user, double step), void *user, double width)
{
    double wide = (f(user, width) - f(user, -width)) / (2 * width);
    double narrow = (f(user, width / 2) - f(user, -width / 2)) / width;
    return (4 * narrow - wide) / 3;
}

/* --- whether every op was seen ------------------------------------------------------------------------------------ */

/* The file with the cases of ops whose name holds the word; of all others the file is test_ops.c or test_dist_ops.c. */
static const char *const grad_homes[][2] = {
    {"linear", "test_linear_ops"}, {"flow", "test_flow_ops"},       {"mask", "test_flow_ops"},
    {"sum", "test_reduce_ops"},    {"mean", "test_reduce_ops"},     {"softmax", "test_reduce_ops"},
    {"columns", "test_shape_ops"}, {"reshape", "test_shape_ops"},   {"broadcast", "test_shape_ops"},
    {"join", "test_shape_ops"},    {"mixture", "test_mixture_ops"},
};

/* NULL: not in the table. */
static const char *grad_home(const elb_op *op)
{
    for (size_t i = 0; i < GRAD_COUNT(grad_homes); i++)
        if (strstr(op->name, grad_homes[i][0]) != NULL) return grad_homes[i][1];
    return NULL;
}

static bool grad_seen(const elb_op *op)
{
    for (int i = 0; i < grad_ops_seen; i++)
        if (grad_ops[i] == op) return true;
    return false;
}

static void grad_mark(const elb_op *op)
{
    if (grad_seen(op)) return;
    assert_true(grad_ops_seen < GRAD_SEEN);
    grad_ops[grad_ops_seen++] = op;
}

void grad_assert_all_seen(const elb_op *const *ops, const char *file)
{
    bool listed = false;
    for (size_t i = 0; i < GRAD_COUNT(grad_homes); i++) listed = listed || strcmp(grad_homes[i][1], file) == 0;
    for (; *ops != NULL; ops++) {
        const char *home = grad_home(*ops);
        bool here = home != NULL ? strcmp(home, file) == 0 : !listed;
        if (here && !grad_seen(*ops)) fail_msg("the op %s has no case in %s.c", (*ops)->name, file);
    }
}

/* --- recording ---------------------------------------------------------------------------------------------------- */

/* Between low and high, but not nearer to 0 than `gap`. */
static elb_real *grad_numbers(int64_t n, double low, double high, double gap, uint64_t seed)
{
    elb_real *values = malloc((size_t)(n > 0 ? n : 1) * sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < n; i++) {
        double value = low + (high - low) * (support_number(seed, (uint64_t)i) + 1) / 2;
        values[i] = (elb_real)(fabs(value) < gap ? copysign(gap, value) : value);
    }
    return values;
}

/* mean of w * x, whatever x's shape. */
static elb_tensor *grad_mean(grad_run *r, elb_tensor *x, elb_real *w)
{
    elb_tensor *weight = elb_leaf(r->tape, "weight", w, NULL, x->rank, x->shape);
    return elb_mean_all(r->tape, elb_mul(r->tape, x, weight));
}

static elb_tensor *grad_others(grad_run *r, elb_tensor *const *in, elb_tensor *sum)
{
    for (int k = 0; k < r->c->inputs; k++) {
        if (!(r->way.wanted >> k & 1)) continue;
        elb_tensor *part = grad_mean(r, in[k], r->other[k]);
        sum = sum != NULL ? elb_add(r->tape, sum, part) : part;
    }
    return sum;
}

static void grad_record(grad_run *r)
{
    elb_tensor *in[ELB_INPUT_MAX] = {NULL}, *others = NULL;
    for (int k = 0; k < r->c->inputs; k++) {
        const grad_input *g = &r->c->in[k];
        bool wanted = r->way.wanted >> k & 1;
        in[k] = elb_leaf(r->tape, "input", r->data[k], wanted ? r->grad[k] : NULL, g->rank, g->shape);
        if (r->way.through) in[k] = elb_affine(r->tape, in[k], 1, 0);
    }
    if (r->c->twice) in[1] = in[0];
    if (r->way.company == GRAD_OTHER_BEFORE) others = grad_others(r, in, NULL);
    r->y = r->c->build(r->tape, in, r->c);
    if (r->y == NULL) {
        elb_tape_run(r->tape, NULL);
        fail_msg("the op was refused: %s", elb_context_message(r->context));
    }
    r->results = r->y->rows * r->y->cols;
    if (r->weight == NULL) r->weight = grad_numbers(r->results, -1, 1, 0, 77);
    elb_tensor *mean = grad_mean(r, r->y, r->weight);
    if (r->way.company == GRAD_OTHER_AFTER) others = grad_others(r, in, NULL);
    r->loss = others != NULL ? elb_add(r->tape, mean, others) : mean;
    grad_mark(r->y->op);
}

static void grad_begin_group(int threads)
{
    int i = threads > 1;
    elb_settings settings = {.threads = threads};
    if (grad_contexts[i] != NULL) return;
    assert_int_equal(elb_context_create(&settings, &grad_contexts[i]), ELB_OK);
    for (int fixed = 0; fixed < 2; fixed++)
        assert_int_equal(elb_tape_create(grad_contexts[i], &grad_tapes[i][fixed]), ELB_OK);
    elb_tape_fix_rows(grad_tapes[i][1]);
}

int grad_end_group(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        for (int fixed = 0; fixed < 2; fixed++) elb_tape_destroy(grad_tapes[i][fixed]);
        elb_context_destroy(grad_contexts[i]);
        grad_contexts[i] = NULL;
        grad_tapes[i][0] = grad_tapes[i][1] = NULL;
    }
    return 0;
}

static grad_run grad_begin(const grad_case *c, grad_way way)
{
    grad_run r = {.c = c, .way = way};
    grad_begin_group(way.threads);
    r.tape = grad_tapes[way.threads > 1][c->fixed_rows];
    r.context = elb_tape_context(r.tape);
    assert_int_equal(elb_tape_reset(r.tape), ELB_OK);
    for (int k = 0; k < c->inputs; k++) {
        int64_t n = grad_count(&c->in[k]);
        r.data[k] = grad_numbers(n, c->in[k].low, c->in[k].high, c->in[k].gap, (uint64_t)k + 1);
        r.grad[k] = grad_numbers(n, NAN, NAN, 0, 0); /* whoever adds to it is found out */
        r.other[k] = grad_numbers(n, -1, 1, 0, (uint64_t)k + 11);
    }
    grad_record(&r);
    return r;
}

static void grad_end(grad_run *r)
{
    for (int k = 0; k < r->c->inputs; k++) {
        free(r->data[k]);
        free(r->grad[k]);
        free(r->other[k]);
    }
    free(r->weight);
}

static void grad_execute(grad_run *r, bool reverse)
{
    if (elb_tape_run(r->tape, reverse ? r->loss : NULL) != ELB_OK)
        fail_msg("the run failed: %s", elb_context_message(r->context));
}

/* --- comparing ---------------------------------------------------------------------------------------------------- */

/* Element i of the result. */
static double grad_plain(const grad_run *r, int64_t i)
{
    const elb_real *in[ELB_INPUT_MAX] = {r->data[0], r->c->twice ? r->data[0] : r->data[1], r->data[2]};
    return r->c->plain(r->c, in, i);
}

static void grad_compare_forward(const grad_run *r)
{
    for (int64_t i = 0; i < r->results; i++) {
        double want = grad_plain(r, i);
        if (!(fabs((double)r->y->data[i] - want) <= 1e-10 * (1 + fabs(want))))
            fail_msg("%s: element %lld is %.15g, not %.15g", r->y->op->name, (long long)i, (double)r->y->data[i], want);
    }
}

/* The loss from the plain formulas alone. */
static double grad_plain_loss(const grad_run *r)
{
    double loss = 0;
    for (int64_t i = 0; i < r->results; i++) loss += (double)r->weight[i] * grad_plain(r, i) / (double)r->results;
    for (int k = 0; k < r->c->inputs && r->way.company != GRAD_ALONE; k++) {
        int64_t n = grad_count(&r->c->in[k]);
        if (!(r->way.wanted >> k & 1)) continue;
        int from = r->c->twice && k == 1 ? 0 : k;
        for (int64_t i = 0; i < n; i++) loss += (double)r->other[k][i] * (double)r->data[from][i] / (double)n;
    }
    return loss;
}

/* Input k moved along `direction`, or along coordinate i where that is NULL. */
typedef struct grad_move {
    grad_run *r;
    int k;
    const elb_real *kept, *direction;
    int64_t i;
} grad_move;

static double grad_moved_loss(void *user, double step)
{
    const grad_move *m = user;
    int64_t n = grad_count(&m->r->c->in[m->k]);
    for (int64_t j = 0; j < n; j++) {
        double along = m->direction != NULL ? (double)m->direction[j] : (double)(j == m->i);
        m->r->data[m->k][j] = m->kept[j] + (elb_real)(step * along);
    }
    return grad_plain_loss(m->r);
}

static double grad_slope(grad_run *r, int k, const elb_real *direction, int64_t i)
{
    size_t size = (size_t)grad_count(&r->c->in[k]) * sizeof(elb_real);
    elb_real *kept = malloc(size);
    assert_non_null(kept);
    memcpy(kept, r->data[k], size);
    double slope = grad_derivative(grad_moved_loss, &(grad_move){r, k, kept, direction, i}, 1e-3);
    memcpy(r->data[k], kept, size);
    free(kept);
    return slope;
}

static void grad_near(const grad_run *r, int k, const char *what, double got, double want, double scale)
{
    char text[ELB_INPUT_MAX][64] = {""};
    if (fabs(got - want) <= 1e-6 * fabs(want) + 1e-7 * scale) return;
    for (int j = 0; j < r->c->inputs; j++) elb_shape_text(r->y->in[j], text[j]);
    fail_msg("%s of %s %s %s (wanted %x, through %d, company %d): input %d, %s: the gradient is %.12g, not %.12g",
             r->y->op->name, text[0], text[1], text[2], r->way.wanted, (int)r->way.through, (int)r->way.company, k,
             what, got, want);
}

/* Single coordinates, and one direction that has a part along every coordinate. */
static void grad_compare_backward(grad_run *r)
{
    for (int k = 0; k < r->c->inputs; k++) {
        if (!(r->way.wanted >> k & 1) || (r->c->twice && k > 0)) continue;
        int64_t n = grad_count(&r->c->in[k]);
        double largest = 1e-3, along = 0;
        elb_real *direction = grad_numbers(n, -1, 1, 0, 99);
        for (int64_t i = 0; i < n; i++) {
            assert_true(isfinite((double)r->grad[k][i]));
            largest = fmax(largest, fabs((double)r->grad[k][i]));
            along += (double)r->grad[k][i] * (double)direction[i];
        }
        grad_near(r, k, "all", along, grad_slope(r, k, direction, 0), largest * (double)n);
        int64_t probes = n > GRAD_LARGE ? GRAD_FEW_PROBES : GRAD_PROBES, step = n > probes ? n / probes : 1;
        for (int64_t i = n - 1; i >= 0; i -= step)
            grad_near(r, k, "one", (double)r->grad[k][i], grad_slope(r, k, NULL, i), largest);
        free(direction);
    }
}

static void grad_same_bits(const grad_run *a, const grad_run *b)
{
    assert_memory_equal(a->y->data, b->y->data, (size_t)a->results * sizeof(elb_real));
    for (int k = 0; k < a->c->inputs; k++)
        if (a->way.wanted >> k & 1)
            assert_memory_equal(a->grad[k], b->grad[k], (size_t)grad_count(&a->c->in[k]) * sizeof(elb_real));
}

/* --- every way ---------------------------------------------------------------------------------------------------- */

static void grad_check_way(const grad_case *c, grad_way way)
{
    way.threads = 1;
    grad_run one = grad_begin(c, way);
    way.threads = 3;
    grad_run three = grad_begin(c, way);
    grad_execute(&one, way.wanted != 0);
    grad_compare_forward(&one);
    if (way.wanted != 0) grad_compare_backward(&one);
    for (int again = 0; again < 2; again++) { /* gradients of the first run lie where those of the second will */
        grad_execute(&three, way.wanted != 0);
        grad_same_bits(&one, &three);
    }
    grad_end(&one);
    grad_end(&three);
}

void grad_check(const grad_case *c)
{
    unsigned can = 0;
    bool large = false;
    for (int k = 0; k < c->inputs; k++) {
        if (!c->in[k].constant) can |= 1u << k;
        large = large || grad_count(&c->in[k]) > GRAD_LARGE;
    }
    for (unsigned wanted = 0; wanted <= can; wanted++) {
        bool possible = (wanted & ~can) == 0;
        if (!possible || ((c->together || c->twice) && wanted != 0 && wanted != can)) continue;
        for (int through = 0; through < 2; through++)
            for (int company = 0; company < GRAD_COMPANIES; company++) {
                if (wanted == 0 && company > 0) continue;
                /* Of large shapes the tiles matter, and adding to a gradient. */
                if (large && wanted != 0 && (through || company != GRAD_OTHER_AFTER)) continue;
                grad_check_way(c, (grad_way){wanted, through, (grad_company)company, 1});
            }
    }
}

void grad_check_shapes(grad_case c)
{
    c.inputs = 1;
    c.in[0].rank = 3;
    for (size_t s = 0; s < GRAD_COUNT(grad_samples); s++)
        for (size_t b = 0; b < GRAD_COUNT(grad_batches); b++) {
            memcpy(c.in[0].shape, (int64_t[]){grad_samples[s], grad_batches[b], 3}, 3 * sizeof(int64_t));
            grad_check(&c);
        }
    memcpy(c.in[0].shape, (int64_t[]){3, 50, 100}, 3 * sizeof(int64_t));
    grad_check(&c);
}
