/* test_tape_again.c - a tape run again and again, as evaluation does: rows of one height, weights that are turned once,
 * and gradients without the values that they do not depend on. */
#include "support.h"

#include <string.h>

#include "dist/dist.h"

typedef struct world {
    elb_context *c;
    elb_tape *t;
} world;

static world world_begin(const char *kernels)
{
    world w;
    elb_settings settings = {.threads = 2, .kernels = kernels};
    assert_int_equal(elb_context_create(&settings, &w.c), ELB_OK);
    assert_int_equal(elb_tape_create(w.c, &w.t), ELB_OK);
    return w;
}

static void world_end(world w)
{
    elb_tape_destroy(w.t);
    elb_context_destroy(w.c);
}

static void numbers(elb_real *to, uint64_t seed, int64_t n)
{
    for (int64_t i = 0; i < n; i++) to[i] = (elb_real)(support_number(seed, (uint64_t)i) / 4);
}

/* --- fixed rows --------------------------------------------------------------------------------------------------- */

enum { FIXED_ROWS = 300, FIXED_IN = 50, FIXED_OUT = 37 };

typedef struct fixed_layer {
    elb_real x[FIXED_ROWS * FIXED_IN], weight[FIXED_OUT * FIXED_IN], slope[FIXED_OUT * FIXED_IN], bias[FIXED_OUT];
} fixed_layer;

static elb_tensor *fixed_record(world w, fixed_layer *l, bool frozen, int64_t rows)
{
    assert_int_equal(elb_tape_reset(w.t), ELB_OK);
    elb_tensor *x = elb_leaf(w.t, "x", l->x, NULL, 2, (int64_t[]){rows, FIXED_IN});
    elb_tensor *weight =
        elb_leaf(w.t, "weight", l->weight, frozen ? NULL : l->slope, 2, (int64_t[]){FIXED_OUT, FIXED_IN});
    return elb_linear(w.t, x, weight, elb_leaf(w.t, "bias", l->bias, NULL, 1, (int64_t[]){FIXED_OUT}), ELB_TANH);
}

/* With fixed rows a row's bits do not depend on how many there are. */
static void fixed_any_rows(world w, fixed_layer *l, bool frozen)
{
    static elb_real all[FIXED_ROWS * FIXED_OUT];
    for (int64_t rows = FIXED_ROWS; rows > 0; rows -= rows > 20 && rows % 128 > 2 ? 17 : 1) {
        elb_tensor *y = fixed_record(w, l, frozen, rows);
        assert_int_equal(elb_tape_run(w.t, NULL), ELB_OK);
        if (rows == FIXED_ROWS) memcpy(all, y->data, sizeof all);
        assert_memory_equal(all, y->data, (size_t)(rows * FIXED_OUT) * sizeof *all);
    }
}

/* Run again over other data, frozen weights are what they were; recorded again, what they have become. */
static void fixed_again(world w, fixed_layer *l)
{
    static elb_real first[FIXED_ROWS * FIXED_OUT];
    for (int change = 0; change < 2; change++) {
        elb_tensor *y = fixed_record(w, l, true, FIXED_ROWS);
        assert_int_equal(elb_tape_run(w.t, NULL), ELB_OK);
        numbers(change == 0 ? l->x : l->weight, 4, change == 0 ? FIXED_ROWS * FIXED_IN : FIXED_OUT * FIXED_IN);
        if (change == 0) assert_int_equal(elb_tape_run(w.t, NULL), ELB_OK);
        memcpy(first, y->data, sizeof first);
        y = fixed_record(w, l, true, FIXED_ROWS);
        assert_int_equal(elb_tape_run(w.t, NULL), ELB_OK);
        assert_int_equal(memcmp(first, y->data, sizeof first) == 0, change == 0);
    }
}

static void test_fixed_rows(void **state)
{
    static fixed_layer l;
    (void)state;
    for (const elb_kernels *const *k = elb_kernels_available(); *k != NULL; k++) {
        world w = world_begin((*k)->name);
        elb_tape_fix_rows(w.t);
        assert_true(elb_tape_rows_fixed(w.t));
        numbers(l.x, 1, FIXED_ROWS * FIXED_IN);
        numbers(l.weight, 2, FIXED_OUT * FIXED_IN);
        numbers(l.bias, 3, FIXED_OUT);
        for (int frozen = 0; frozen < 2; frozen++) fixed_any_rows(w, &l, frozen);
        fixed_again(w, &l);
        world_end(w);
    }
}

/* --- gradients alone ---------------------------------------------------------------------------------------------- */

enum { ALONE_S = 3, ALONE_B = 100, ALONE_Z = 5, ALONE_D = 8, ALONE_ROWS = ALONE_S * ALONE_B };

static void alone_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    (void)k, (void)tile;
    y->data[0] = 0;
}

static void alone_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    (void)k, (void)tile;
    for (int64_t r = 0; r < ALONE_ROWS; r++) y->in[0]->grad[r] = 1;
}

static const elb_op alone_op = {"alone", {{elb_one_tile, alone_forward}}, {{elb_one_tile, alone_backward}}};

/* Who else asks for the likelihood's value. */
typedef enum alone_reader { ALONE_NOBODY, ALONE_BACKWARD, ALONE_LATE, ALONE_READERS } alone_reader;

typedef struct alone_terms {
    elb_tensor *z, *likelihood, *loss;
} alone_terms;

/* log p(x|z) + log p(z), from z whose numbers are set later. */
static alone_terms alone_record(world w, alone_reader reader, elb_real *x, elb_real *weight)
{
    alone_terms a = {.z = elb_input(w.t, "z", true, 3, (int64_t[]){ALONE_S, ALONE_B, ALONE_Z})};
    elb_tensor *scaled = reader == ALONE_LATE ? elb_scale_gradient(w.t, a.z) : a.z;
    elb_tensor *logits = elb_linear(
        w.t, scaled, elb_leaf(w.t, "weight", weight, NULL, 2, (int64_t[]){ALONE_D, ALONE_Z}), NULL, ELB_LINEAR);
    a.likelihood = elb_bernoulli_log_prob(w.t, elb_leaf(w.t, "x", x, NULL, 2, (int64_t[]){ALONE_B, ALONE_D}), logits);
    if (reader == ALONE_LATE) elb_scale_gradient_by(scaled, elb_stop_gradient(w.t, a.likelihood));
    elb_tensor *term = reader == ALONE_BACKWARD ? elb_apply(w.t, ELB_EXP, a.likelihood) : a.likelihood;
    elb_tensor *joint = elb_add(w.t, term, elb_standard_normal_log_prob(w.t, a.z));
    a.loss = elb_sparing(elb_node(w.t, &alone_op, 0, NULL, 1, &joint), ELB_SPARES_ALL);
    return a;
}

/* The same gradients as of a whole run, while a value that they do not depend on is left as it was. */
static void test_gradients_alone(void **state)
{
    static elb_real x[ALONE_B * ALONE_D], weight[ALONE_D * ALONE_Z];
    static elb_real gradient[ALONE_ROWS * ALONE_Z], before[ALONE_ROWS];
    (void)state;
    for (int i = 0; i < ALONE_B * ALONE_D; i++) x[i] = i % 3 == 0;
    numbers(weight, 1, ALONE_D * ALONE_Z);
    for (int reader = 0; reader < ALONE_READERS; reader++) {
        world w = world_begin(NULL);
        alone_terms a = alone_record(w, (alone_reader)reader, x, weight);
        assert_non_null(a.loss);
        numbers(a.z->data, 2, ALONE_ROWS * ALONE_Z);
        assert_int_equal(elb_tape_run(w.t, a.loss), ELB_OK);
        memcpy(before, a.likelihood->data, sizeof before);
        numbers(a.z->data, 3, ALONE_ROWS * ALONE_Z);
        assert_int_equal(elb_tape_run_gradient(w.t, a.loss), ELB_OK);
        memcpy(gradient, a.z->grad, sizeof gradient);
        assert_int_equal(memcmp(before, a.likelihood->data, sizeof before) == 0, reader == ALONE_NOBODY);
        assert_int_equal(elb_tape_run(w.t, a.loss), ELB_OK);
        assert_memory_equal(gradient, a.z->grad, sizeof gradient);
        assert_memory_not_equal(before, a.likelihood->data, sizeof before);
        world_end(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixed_rows),
        cmocka_unit_test(test_gradients_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
