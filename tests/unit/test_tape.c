/* test_tape.c - the tape: errors that stick and say what was wrong, parameters used more than once, equal bits when run
 * again, and no memory asked for once a step has been taken. */
#include "vae_support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/optim/optimizer.h"

typedef struct world {
    elb_context *c;
    elb_tape *t;
} world;

static world world_begin(const char *kernels, int threads)
{
    world w;
    elb_settings settings = {.threads = threads, .kernels = kernels};
    assert_int_equal(elb_context_create(&settings, &w.c), ELB_OK);
    assert_int_equal(elb_tape_create(w.c, &w.t), ELB_OK);
    return w;
}

static void world_end(world w)
{
    elb_tape_destroy(w.t);
    elb_context_destroy(w.c);
}

/* --- errors ------------------------------------------------------------------------------------------------------- */

static elb_tensor *input(world w, bool grad, int rank, int64_t a, int64_t b, int64_t c)
{
    elb_tensor *x = elb_input(w.t, "x", grad, rank, (int64_t[]){a, b, c});
    assert_non_null(x);
    memset(x->data, 0, (size_t)(x->rows * x->cols) * sizeof *x->data);
    return x;
}

/* The tape has failed with a sentence that contains `part`; it is fit for use again after a reset. */
static void refused(world w, const elb_tensor *result, elb_status status, const char *part)
{
    assert_null(result);
    assert_true(elb_tape_failed(w.t));
    assert_int_equal(elb_tape_run(w.t, NULL), status);
    support_assert_message(w.c, part);
    assert_int_equal(elb_tape_reset(w.t), ELB_OK);
    assert_false(elb_tape_failed(w.t));
}

static void test_wrong_shapes(void **state)
{
    world w = world_begin(NULL, 1);
    (void)state;
#define X(...) input(w, false, __VA_ARGS__)
#define G(...) input(w, true, __VA_ARGS__)
    refused(w, elb_linear(w.t, X(2, 4, 3, 0), X(2, 5, 2, 0), NULL, ELB_TANH), ELB_MODEL,
            "a linear layer of weight [5,2] cannot take an input of shape [4,3]");
    refused(w, elb_linear(w.t, X(2, 4, 3, 0), X(1, 3, 0, 0), NULL, ELB_TANH), ELB_MODEL, "weight [3]");
    refused(w, elb_linear(w.t, X(2, 4, 3, 0), X(2, 5, 3, 0), X(1, 4, 0, 0), ELB_TANH), ELB_MODEL, "bias of shape [4]");
    refused(w, elb_add(w.t, X(3, 2, 4, 3), X(2, 2, 3, 0)), ELB_MODEL,
            "add: shapes [2,4,3] and [2,3] do not go together");
    refused(w, elb_sub(w.t, X(1, 4, 0, 0), X(2, 4, 3, 0)), ELB_MODEL, "sub: shapes [4,3] and [4] do not go together");
    refused(w, elb_mul(w.t, X(2, 4, 3, 0), X(2, 3, 4, 0)), ELB_MODEL, "mul: shapes [4,3] and [3,4] do not go together");
    refused(w, elb_sum_last(w.t, X(0, 0, 0, 0)), ELB_MODEL, "at least one axis");
    refused(w, elb_mean_all(w.t, X(2, 0, 3, 0)), ELB_DATA, "mean of no numbers");
    refused(w, elb_mean_first(w.t, X(2, 0, 3, 0)), ELB_MODEL, "mean_first needs at least one sample");
    refused(w, elb_log_mean_exp(w.t, X(0, 0, 0, 0)), ELB_MODEL, "log_mean_exp needs at least one sample");
    refused(w, elb_softmax_first(w.t, X(2, 0, 3, 0)), ELB_MODEL, "softmax_first needs at least one sample");
    refused(w, elb_columns(w.t, X(2, 4, 3, 0), 1, 3), ELB_MODEL,
            "columns 1.. (3 of them) are not in a tensor of shape [4,3]");
    refused(w, elb_columns(w.t, X(2, 4, 3, 0), -1, 2), ELB_MODEL, "columns -1");
    refused(w, elb_columns(w.t, X(2, 4, 3, 0), 1, INT64_MAX), ELB_MODEL, "columns 1");
    refused(w, elb_broadcast(w.t, X(1, 3, 0, 0), 2, (int64_t[]){5, 4}), ELB_MODEL, "cannot be repeated to rows of 4");
    refused(w, elb_broadcast(w.t, X(2, 2, 3, 0), 2, (int64_t[]){2, 3}), ELB_MODEL, "shape [2,3] cannot be repeated");
    refused(w, elb_join(w.t, X(2, 4, 3, 0), X(2, 3, 2, 0)), ELB_MODEL, "shape [3,2] cannot stand beside");
    refused(w, elb_mask(w.t, X(2, 2, 3, 0), (const int64_t[]){0, 3, 2, 1}), ELB_MODEL, "hides columns 2 to 1");
    refused(w, elb_mask(w.t, X(2, 2, 3, 0), (const int64_t[]){0, 3, 2, 4}), ELB_MODEL, "hides columns 2 to 4");
    refused(w, elb_linear_each(w.t, X(2, 4, 3, 0), X(2, 4, 9, 0), 2, 2, ELB_TANH), ELB_MODEL,
            "weights of shape [4,9] do not hold, from column 2 on, a layer of 2 units");
    refused(w, elb_linear_each(w.t, X(2, 4, 3, 0), X(2, 3, 9, 0), 0, 2, ELB_SILU), ELB_MODEL, "input of shape [4,3]");
    refused(w, elb_flow_step(w.t, X(2, 4, 3, 0), X(2, 4, 5, 0), ELB_FLOW_GATED), ELB_MODEL, "latent of shape [4,3]");
    refused(w, elb_flow_undo(w.t, X(2, 4, 3, 0), X(2, 4, 5, 0), ELB_FLOW_GATED), ELB_MODEL, "latent of shape [4,3]");
    refused(w, elb_flow_log_det(w.t, X(2, 4, 5, 0), ELB_FLOW_GATED), ELB_MODEL, "shape [4,5] does not hold shifts");
    refused(w, elb_flow_reflect(w.t, X(2, 4, 3, 0), X(2, 3, 3, 0)), ELB_MODEL, "vectors of shape [3,3] do not go with");
    refused(w, elb_bernoulli_log_prob(w.t, X(2, 4, 3, 0), X(3, 2, 4, 2)), ELB_MODEL,
            "bernoulli: data of shape [4,3] do not fit a decoder output of shape [2,4,2]");
    refused(w, elb_continuous_bernoulli_log_prob(w.t, X(2, 3, 3, 0), X(2, 4, 3, 0)), ELB_MODEL, "continuous_bernoulli");
    refused(w, elb_gaussian_log_prob(w.t, X(2, 4, 3, 0), X(1, 2, 0, 0), X(1, 3, 0, 0)), ELB_MODEL,
            "gaussian: shapes [2]");
    refused(w, elb_gaussian_log_prob(w.t, X(2, 4, 3, 0), X(2, 3, 3, 0), X(1, 3, 0, 0)), ELB_MODEL,
            "gaussian: shapes [4,3] and [3,3]");
    refused(w, elb_gaussian_sample(w.t, X(2, 4, 3, 0), X(2, 4, 2, 0), X(3, 2, 4, 3)), ELB_MODEL, "gaussian_sample");
    refused(w, elb_gaussian_sample(w.t, X(2, 4, 3, 0), X(2, 4, 3, 0), X(3, 2, 5, 3)), ELB_MODEL,
            "noise of shape [2,5,3]");
    refused(w, elb_gaussian_sample(w.t, X(2, 4, 3, 0), G(2, 4, 3, 0), X(3, 2, 4, 3)), ELB_MODEL, "both or neither");
    refused(w, elb_gaussian_sample(w.t, X(2, 4, 3, 0), X(2, 4, 3, 0), G(3, 2, 4, 3)), ELB_MODEL,
            "noise takes no gradient");
    refused(w, elb_gaussian_kl_standard(w.t, X(2, 4, 3, 0), X(2, 4, 2, 0)), ELB_MODEL, "must be alike");
    refused(w, elb_gaussian_kl_standard(w.t, X(2, 4, 3, 0), G(2, 4, 3, 0)), ELB_MODEL, "must be alike");
    refused(w, elb_sum_squares(w.t, X(2, 4, 3, 0), 2), ELB_MODEL, "shape [4,3] has no rows of whole parts of 2");
    refused(w, elb_sum_squares(w.t, X(2, 4, 3, 0), 0), ELB_MODEL, "whole parts of 0");
    refused(w, elb_triangle(w.t, X(2, 4, 3, 0)), ELB_MODEL, "triangle: a tensor of shape [4,3] is not made of square");
    refused(w, elb_triangle_kl(w.t, X(3, 2, 4, 4), 1), ELB_MODEL, "triangle_kl: a tensor of shape [2,4,4]");
    elb_scale_gradient_by(elb_scale_gradient(w.t, X(3, 2, 4, 3)), X(2, 2, 3, 0));
    refused(w, NULL, ELB_MODEL, "a gradient of 8 rows cannot be scaled by 6 weights");
    refused(w, elb_leaf(w.t, "x", NULL, NULL, 2, (int64_t[]){INT64_MAX, 4}), ELB_MEMORY, "too large to address");
    refused(w, elb_input(w.t, "x", false, 3, (int64_t[]){INT64_MAX / 2, 1, 8}), ELB_MEMORY, "too large to address");
    refused(w, elb_leaf(w.t, "x", NULL, NULL, 1, (int64_t[]){-1}), ELB_MEMORY, "too large to address");
    world_end(w);
}

/* Gaussian arguments whose repetitions do not nest would be written to by two threads at once. */
static void test_gaussian_that_does_not_nest(void **state)
{
    world w = world_begin(NULL, 1);
    (void)state;
    refused(w, elb_gaussian_log_prob(w.t, X(2, 12, 3, 0), G(2, 4, 3, 0), G(2, 6, 3, 0)), ELB_MODEL, "gaussian: shapes");
    world_end(w);
}

/* Whatever is built on a failure is NULL too, and the first failure is the one that is told. */
static void test_first_failure_is_told(void **state)
{
    world w = world_begin(NULL, 1);
    (void)state;
    elb_tensor *x = input(w, true, 2, 4, 3, 0);
    elb_tensor *bad = elb_add(w.t, x, input(w, false, 2, 4, 2, 0));
    assert_null(bad);
    assert_null(elb_columns(w.t, x, 7, 7)); /* its own failure comes too late to be told */
    assert_null(elb_linear(w.t, bad, x, NULL, ELB_TANH));
    assert_null(elb_linear(w.t, x, bad, NULL, ELB_TANH));
    assert_null(elb_linear(w.t, x, x, bad, ELB_TANH)); /* sticky: not even what would be sound */
    assert_null(elb_sub(w.t, x, bad));
    assert_null(elb_sub(w.t, bad, x));
    assert_null(elb_mul(w.t, bad, bad));
    assert_null(elb_affine(w.t, bad, 1, 0));
    assert_null(elb_apply(w.t, ELB_EXP, bad));
    assert_null(elb_activate(w.t, ELB_TANH, bad));
    assert_null(elb_sum_last(w.t, bad));
    assert_null(elb_mean_all(w.t, bad));
    assert_null(elb_mean_first(w.t, bad));
    assert_null(elb_log_mean_exp(w.t, bad));
    assert_null(elb_softmax_first(w.t, bad));
    assert_null(elb_columns(w.t, bad, 0, 1));
    assert_null(elb_sum_squares(w.t, bad, 1));
    assert_null(elb_triangle(w.t, bad));
    assert_null(elb_triangle_kl(w.t, bad, 1));
    assert_null(elb_broadcast(w.t, bad, 1, (int64_t[]){1}));
    assert_null(elb_stop_gradient(w.t, bad));
    assert_null(elb_scale_gradient(w.t, bad));
    elb_scale_gradient_by(bad, x);
    elb_scale_gradient_by(x, bad);
    assert_null(elb_bernoulli_log_prob(w.t, x, bad));
    assert_null(elb_continuous_bernoulli_log_prob(w.t, bad, x));
    assert_null(elb_gaussian_log_prob(w.t, x, bad, x));
    assert_null(elb_standard_normal_log_prob(w.t, bad));
    assert_null(elb_gaussian_sample(w.t, x, x, bad));
    assert_null(elb_gaussian_kl_standard(w.t, x, bad));
    assert_null(elb_noise_normal(w.t, &(elb_noise){.samples = 1, .datum = (uint64_t[]){0}, .fixed = NULL}, 1, 1, 0));
    assert_null(elb_named(bad, "x"));
    assert_null(elb_input(w.t, "x", true, 1, (int64_t[]){1}));
    refused(w, bad, ELB_MODEL, "add: shapes [4,3] and [4,2]");
    assert_non_null(input(w, true, 1, 1, 0, 0));
    assert_int_equal(elb_tape_run(w.t, NULL), ELB_OK);
    world_end(w);
}

static void test_losses_that_are_none(void **state)
{
    world w = world_begin(NULL, 1);
    (void)state;
    assert_int_equal(elb_tape_run(w.t, input(w, true, 1, 3, 0, 0)), ELB_FAILURE);
    support_assert_message(w.c, "a loss has one element, this one has 3");
    assert_int_equal(elb_tape_run(w.t, elb_mean_all(w.t, input(w, false, 1, 3, 0, 0))), ELB_FAILURE);
    support_assert_message(w.c, "does not depend on anything trainable");
    assert_int_equal(elb_tape_reset(w.t), ELB_OK);
    assert_int_equal(elb_tape_run(w.t, NULL), ELB_OK); /* an empty tape is no error */
    world_end(w);
}

/* --- numbers that are not finite ---------------------------------------------------------------------------------- */

static void take_step(support_vae *v, elb_optimizer *o, elb_status want)
{
    assert_int_equal(elb_tape_reset(v->tape), ELB_OK);
    elb_optimizer_begin(o, 0.01);
    elb_tensor *x = elb_leaf(v->tape, "data", v->x, NULL, 2, (int64_t[]){v->batch, v->model->data});
    elb_loss l = elb_objective_loss(&v->objective, v->tape, v->model, v->posterior, x, &v->noise);
    elb_status status = elb_tape_run(v->tape, l.loss);
    assert_int_equal(status, want);
    assert_int_equal(elb_optimizer_end(o, status == ELB_OK), ELB_OK);
}

static elb_optimizer *optimizer_of(support_vae *v)
{
    elb_optimizer *o = calloc(1, sizeof *o);
    elb_optimizer_init(o, v->context, &v->config->optimizer);
    for (int b = 0; b < SUPPORT_VAE_BLOCKS; b++)
        assert_int_equal(elb_optimizer_add(o, support_vae_block(v, b)), ELB_OK);
    return o;
}

static void optimizer_end(elb_optimizer *o)
{
    elb_optimizer_free(o);
    free(o);
}

/* One number of `name` (NULL: of the data) becomes `value`: the message begins with `blamed`,
 * and no parameter moves. */
static void not_finite(const char *settings, const char *name, elb_real value, const char *blamed, int threads)
{
    world w = world_begin(NULL, threads);
    support_vae *v = support_vae_create(w.c, 60, 200, settings);
    elb_optimizer *o = optimizer_of(v);
    support_vae_fill(v, 0.1, 1);
    support_vae_fill_data(v, 2);
    take_step(v, o, ELB_OK);
    int block = 0;
    elb_real *at = v->x;
    if (name != NULL) {
        int64_t index = support_vae_find(v, name, &block);
        at = elb_params_data(support_vae_block(v, block), index);
    }
    at[7] = value; /* of the encoder's last bias, a log variance */
    elb_real *before[SUPPORT_VAE_BLOCKS];
    for (int b = 0; b < SUPPORT_VAE_BLOCKS; b++) {
        size_t bytes = (size_t)support_vae_block(v, b)->size * sizeof(elb_real);
        before[b] = malloc(bytes);
        memcpy(before[b], support_vae_block(v, b)->data, bytes);
    }
    take_step(v, o, ELB_NUMERIC);
    support_assert_message(w.c, blamed);
    support_assert_message(w.c, "is the first tensor with a number that is not finite");
    for (int b = 0; b < SUPPORT_VAE_BLOCKS; b++) {
        assert_memory_equal(before[b], support_vae_block(v, b)->data,
                            (size_t)support_vae_block(v, b)->size * sizeof(elb_real));
        free(before[b]);
    }
    optimizer_end(o);
    support_vae_destroy(v);
    world_end(w);
}

static void test_not_finite(void **state)
{
    static const char small[] = "model.latent=4 model.hidden=40 posterior.hidden=40 likelihood.type=gaussian";
    static const char clipped[] =
        "model.latent=4 model.hidden=40 posterior.hidden=40 likelihood.type=gaussian optimizer.clip=1";
    (void)state;
    for (int threads = 1; threads <= 3; threads += 2) {
        not_finite(small, NULL, NAN, "data [200,60]", threads);
        not_finite(small, "encoder.2.bias", (elb_real)1e4, "latent sample [1,200,4]", threads);
        not_finite(small, "decoder.0.weight", NAN, "decoder.0.weight [40,4]", threads);
        not_finite(small, "decoder.2.bias", INFINITY, "decoder.2.bias [60]", threads);
        not_finite(clipped, "decoder.2.bias", (elb_real)1e30, "log likelihood [1,200]", threads);
    }
}

/* --- one parameter used more than once ---------------------------------------------------------------------------- */

enum { SQUARE = 40, ROWS = 9 };

/* mean(r * B(A(x))), A and B linear with the same weight, each either trained or not; `first` and `second` are said to
 * be frozen by an own leaf or by elb_stop_gradient. */
typedef enum hold { HOLD_TRAIN, HOLD_FREEZE, HOLD_STOP } hold;

static elb_tensor *weight_leaf(elb_params *p, elb_tape *t, hold how)
{
    p->frozen = how == HOLD_FREEZE;
    elb_tensor *w = elb_params_leaf(p, t, 0);
    p->frozen = false;
    return how == HOLD_STOP ? elb_stop_gradient(t, w) : w;
}

static void weight_numbers(elb_real *to, uint64_t seed, int64_t n)
{
    for (int64_t i = 0; i < n; i++) to[i] = (elb_real)(support_number(seed, (uint64_t)i) / 4);
}

/* After the step p holds the updated weight, dx the gradient of x. */
static void weight_step(world w, elb_params *p, hold first, hold second, elb_real *x, elb_real *dx, elb_real *r)
{
    elb_optimizer_options options = {.type = 2, .rate = 0.5};
    elb_optimizer o;
    elb_optimizer_init(&o, w.c, &options);
    assert_int_equal(elb_optimizer_add(&o, p), ELB_OK);
    assert_int_equal(elb_tape_reset(w.t), ELB_OK);
    elb_optimizer_begin(&o, 0.5);
    elb_tensor *in = elb_leaf(w.t, "x", x, dx, 2, (int64_t[]){ROWS, SQUARE});
    elb_tensor *one = weight_leaf(p, w.t, first), *two = weight_leaf(p, w.t, second);
    elb_tensor *y = elb_linear(w.t, elb_linear(w.t, in, one, NULL, ELB_LINEAR), two, NULL, ELB_LINEAR);
    elb_tensor *loss = elb_mean_all(w.t, elb_mul(w.t, y, elb_leaf(w.t, "r", r, NULL, 2, (int64_t[]){ROWS, SQUARE})));
    assert_int_equal(elb_tape_run(w.t, loss), ELB_OK);
    assert_int_equal(elb_optimizer_end(&o, true), ELB_OK);
    elb_optimizer_free(&o);
}

/* Plain loops: y = x W^T W^T; g = r / count; dA of the inner product's weight and dB of the outer's. */
static void weight_plain(const elb_real *w, const elb_real *x, const elb_real *r, double *da, double *db, double *dx)
{
    static double h[ROWS * SQUARE], g[ROWS * SQUARE];
    for (int i = 0; i < ROWS; i++)
        for (int a = 0; a < SQUARE; a++) {
            h[i * SQUARE + a] = g[i * SQUARE + a] = 0;
            for (int b = 0; b < SQUARE; b++) {
                h[i * SQUARE + a] += (double)x[i * SQUARE + b] * (double)w[a * SQUARE + b];
                g[i * SQUARE + a] += (double)r[i * SQUARE + b] * (double)w[b * SQUARE + a] / (ROWS * SQUARE);
            }
        }
    for (int a = 0; a < SQUARE; a++)
        for (int b = 0; b < SQUARE; b++) {
            da[a * SQUARE + b] = db[a * SQUARE + b] = 0;
            for (int i = 0; i < ROWS; i++) {
                da[a * SQUARE + b] += g[i * SQUARE + a] * (double)x[i * SQUARE + b];
                db[a * SQUARE + b] += (double)r[i * SQUARE + a] * h[i * SQUARE + b] / (ROWS * SQUARE);
            }
        }
    for (int i = 0; i < ROWS; i++)
        for (int b = 0; b < SQUARE; b++) {
            dx[i * SQUARE + b] = 0;
            for (int a = 0; a < SQUARE; a++) dx[i * SQUARE + b] += g[i * SQUARE + a] * (double)w[a * SQUARE + b];
        }
}

static void test_parameter_used_twice(void **state)
{
    (void)state;
    static elb_real x[ROWS * SQUARE], dx[ROWS * SQUARE], r[ROWS * SQUARE], start[SQUARE * SQUARE];
    static double da[SQUARE * SQUARE], db[SQUARE * SQUARE], want_dx[ROWS * SQUARE];
    weight_numbers(x, 1, ROWS * SQUARE);
    weight_numbers(r, 2, ROWS * SQUARE);
    for (int i = 0; i < ROWS * SQUARE; i++) r[i] *= 100;
    weight_numbers(start, 3, SQUARE * SQUARE);
    weight_plain(start, x, r, da, db, want_dx);
    for (int threads = 1; threads <= 3; threads += 2)
        for (int way = 0; way < 8; way++) { /* all but both held */
            hold first = (hold)(way / 3), second = (hold)(way % 3);
            if (first != HOLD_TRAIN && second != HOLD_TRAIN) continue;
            world w = world_begin(NULL, threads);
            elb_params p;
            int64_t index;
            elb_params_init(&p, w.c);
            assert_int_equal(elb_params_add(&p, &index, 2, (int64_t[]){SQUARE, SQUARE}, "w"), ELB_OK);
            assert_int_equal(elb_params_build(&p), ELB_OK);
            memcpy(p.data, start, sizeof start);
            weight_step(w, &p, first, second, x, dx, r);
            for (int i = 0; i < SQUARE * SQUARE; i++) {
                double g = (first == HOLD_TRAIN ? da[i] : 0) + (second == HOLD_TRAIN ? db[i] : 0);
                support_assert_near((double)p.data[i], (double)start[i] - 0.5 * g, 2e-6, 1e-5);
            }
            for (int i = 0; i < ROWS * SQUARE; i++) support_assert_near((double)dx[i], want_dx[i], 2e-7, 1e-4);
            elb_params_free(&p);
            world_end(w);
        }
}

/* A leaf that the loss does not reach ends with a gradient of zero, and is not updated. */
static void test_unreached(void **state)
{
    world w = world_begin(NULL, 1);
    elb_real x[2] = {1, 2}, gx[2] = {5, 5}, y[2] = {3, 4}, gy[2] = {5, 5};
    (void)state;
    elb_tensor *a = elb_leaf(w.t, "a", x, gx, 1, (int64_t[]){2});
    assert_non_null(elb_leaf(w.t, "b", y, gy, 1, (int64_t[]){2}));
    assert_int_equal(elb_tape_run(w.t, elb_mean_all(w.t, a)), ELB_OK);
    assert_true(gx[0] == (elb_real)0.5 && gx[1] == (elb_real)0.5 && gy[0] == 0 && gy[1] == 0);
    world_end(w);
}

/* --- equal bits --------------------------------------------------------------------------------------------------- */

static void bits_of(support_vae *v, elb_real *to)
{
    for (int b = 0; b < SUPPORT_VAE_BLOCKS; b++) {
        elb_params *p = support_vae_block(v, b);
        memcpy(to, p->grad, (size_t)p->size * sizeof *to);
        to += p->size;
    }
}

/* The gradients of a model large enough for several tiles: run again, recorded again, and by 1 to 5 threads. */
static void test_same_bits(void **state)
{
    (void)state;
    for (const elb_kernels *const *k = elb_kernels_available(); *k != NULL; k++) {
        elb_real *first = NULL, *again = NULL;
        int64_t size = 0;
        for (int threads = 1; threads <= 5; threads++) {
            world w = world_begin((*k)->name, threads);
            support_vae *v = support_vae_create(w.c, 150, 40,
                                                "model.latent=6 model.hidden=90,70 posterior.hidden=70,90 "
                                                "objective.type=iwae objective.samples=5");
            support_vae_fill(v, 0.2, 1);
            support_vae_fill_data(v, 2);
            if (first == NULL) {
                for (int b = 0; b < SUPPORT_VAE_BLOCKS; b++) size += support_vae_block(v, b)->size;
                first = malloc((size_t)size * sizeof *first);
                again = malloc((size_t)size * sizeof *again);
                support_vae_run(v);
                bits_of(v, first);
            }
            for (int run = 0; run < 3; run++) {
                elb_loss l = support_vae_run(v);
                bits_of(v, again);
                assert_memory_equal(first, again, (size_t)size * sizeof *first);
                assert_int_equal(elb_tape_run(v->tape, l.loss), ELB_OK);
                bits_of(v, again);
                assert_memory_equal(first, again, (size_t)size * sizeof *first);
            }
            support_vae_destroy(v);
            world_end(w);
        }
        free(first);
        free(again);
    }
}

/* --- noise -------------------------------------------------------------------------------------------------------- */

/* A datum's noise does not depend on its batch, its sample's number continues across calls, lanes differ. */
static void test_noise(void **state)
{
    world w = world_begin(NULL, 2);
    (void)state;
    uint64_t datum[4] = {5, 6, 7, 8};
    elb_noise all = {.key = 3, .datum = datum, .samples = 3},
              part = {.key = 3, .datum = datum + 2, .draw = 1, .samples = 2};
    elb_tensor *a = elb_noise_normal(w.t, &all, 4, 5, 0), *b = elb_noise_normal(w.t, &part, 2, 5, 0);
    elb_tensor *lane = elb_noise_normal(w.t, &all, 4, 5, 1);
    assert_int_equal(elb_tape_run(w.t, NULL), ELB_OK);
    for (int64_t s = 0; s < 2; s++)
        assert_memory_equal(a->data + ((s + 1) * 4 + 2) * 5, b->data + s * 2 * 5, 2 * 5 * sizeof *b->data);
    for (int64_t i = 0; i < 60; i++) assert_true(a->data[i] != lane->data[i]);
    world_end(w);
}

/* noise->step is read at every run. */
static void test_noise_steps(void **state)
{
    world w = world_begin(NULL, 1);
    (void)state;
    uint64_t datum[1] = {5};
    uint32_t step = 0;
    elb_real kept[4];
    elb_noise noise = {.key = 3, .datum = datum, .samples = 1, .step = &step},
              later = {.key = 3, .datum = datum, .draw = 9, .samples = 1};
    elb_tensor *a = elb_noise_normal(w.t, &noise, 1, 4, 0), *b = elb_noise_normal(w.t, &later, 1, 4, 0);
    assert_int_equal(elb_tape_run(w.t, NULL), ELB_OK);
    memcpy(kept, a->data, sizeof kept);
    step = 9;
    assert_int_equal(elb_tape_run(w.t, NULL), ELB_OK);
    assert_memory_equal(a->data, b->data, sizeof kept);
    assert_memory_not_equal(a->data, kept, sizeof kept);
    world_end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_shapes),
        cmocka_unit_test(test_gaussian_that_does_not_nest),
        cmocka_unit_test(test_first_failure_is_told),
        cmocka_unit_test(test_losses_that_are_none),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_parameter_used_twice),
        cmocka_unit_test(test_unreached),
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_noise_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
