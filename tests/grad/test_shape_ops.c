/* test_shape_ops.c - columns, reshaping, broadcasting and joining against plain formulas and central differences, in
 * double. */
#include "grad_support.h"

#include <string.h>

static elb_tensor *columns_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    return elb_columns(t, in[0], (int64_t)c->with[0], (int64_t)c->with[1]);
}

static double columns_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    int64_t begin = (int64_t)c->with[0], count = (int64_t)c->with[1];
    return (double)in[0][i / count * grad_cols(&c->in[0]) + begin + i % count];
}

static void test_columns(void **state)
{
    (void)state;
    for (int64_t begin = 0; begin < 4; begin++)
        for (int64_t count = 1; count <= 4 - begin; count++) {
            grad_case c = {
                .inputs = 1, .build = columns_build, .plain = columns_plain, .with = {(double)begin, (double)count}};
            c.in[0] = (grad_input){GRAD_SHAPE(1, 4), .low = -1, .high = 1};
            grad_check(&c);
            c.in[0] = (grad_input){GRAD_SHAPE(3, 3, 5, 4), .low = -1, .high = 1};
            grad_check(&c);
        }
    grad_case large = {.inputs = 1,
                       .build = columns_build,
                       .plain = columns_plain,
                       .with = {30, 60},
                       .in[0] = {GRAD_SHAPE(2, 200, 100), .low = -1, .high = 1}};
    grad_check(&large);
}

static elb_tensor *reshape_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    return elb_reshape(t, in[0], 2, (int64_t[]){(int64_t)c->with[0], (int64_t)c->with[1]});
}

static double reshape_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    (void)c;
    return (double)in[0][i];
}

static void test_reshape(void **state)
{
    static const grad_case cases[] = {{.in[0] = {GRAD_SHAPE(1, 6), .low = -1, .high = 1}, .with = {3, 2}},
                                      {.in[0] = {GRAD_SHAPE(3, 2, 3, 4), .low = -1, .high = 1}, .with = {6, 4}},
                                      {.in[0] = {GRAD_SHAPE(2, 50, 100), .low = -1, .high = 1}, .with = {500, 10}}};
    (void)state;
    for (size_t i = 0; i < GRAD_COUNT(cases); i++) {
        grad_case c = cases[i];
        c.inputs = 1;
        c.build = reshape_build;
        c.plain = reshape_plain;
        grad_check(&c);
    }
}

static elb_tensor *broadcast_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    int64_t shape[] = {(int64_t)c->with[1], (int64_t)c->with[2], (int64_t)c->with[3]};
    int rank = (int)c->with[0];
    return elb_broadcast(t, in[0], rank, shape + 3 - rank);
}

static double broadcast_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    return (double)in[0][i % grad_count(&c->in[0])];
}

static void test_broadcast(void **state)
{
    (void)state;
    for (int rank = 1; rank <= 3; rank++)
        for (int one = 0; one < 2; one++) {
            grad_case c = {.inputs = 1, .build = broadcast_build, .plain = broadcast_plain, .with = {rank, 3, 5, 4}};
            c.in[0] = (grad_input){GRAD_SHAPE(1, one ? 1 : 4), .low = -1, .high = 1};
            grad_check(&c);
            c.with[3] = 1;
            c.in[0].shape[0] = 1;
            grad_check(&c);
            memcpy(c.with, (double[]){3, 3, 50, 100}, sizeof c.with);
            c.in[0].shape[0] = one ? 1 : 100;
            grad_check(&c);
        }
}

static elb_tensor *join_build(elb_tape *t, elb_tensor *const *in, const grad_case *c)
{
    (void)c;
    return elb_join(t, in[0], in[1]);
}

static double join_plain(const grad_case *c, const elb_real *const *in, int64_t i)
{
    int64_t n = grad_cols(&c->in[0]), m = grad_cols(&c->in[1]), row = i / (n + m), column = i % (n + m);
    if (column < n) return (double)in[0][row * n + column];
    return (double)in[1][row % grad_rows(&c->in[1]) * m + column - n];
}

static void test_join(void **state)
{
    static const grad_input pairs[][2] = {
        {{GRAD_SHAPE(1, 3)}, {GRAD_SHAPE(1, 2)}},          {{GRAD_SHAPE(3, 3, 5, 4)}, {GRAD_SHAPE(3, 3, 5, 1)}},
        {{GRAD_SHAPE(3, 3, 5, 4)}, {GRAD_SHAPE(2, 5, 2)}}, {{GRAD_SHAPE(2, 5, 1)}, {GRAD_SHAPE(1, 6)}},
        {{GRAD_SHAPE(2, 50, 60)}, {GRAD_SHAPE(2, 50, 9)}}, {{GRAD_SHAPE(3, 3, 50, 40)}, {GRAD_SHAPE(2, 50, 30)}},
    };
    (void)state;
    for (size_t p = 0; p < GRAD_COUNT(pairs); p++) {
        grad_case c = {.inputs = 2, .build = join_build, .plain = join_plain, .in = {pairs[p][0], pairs[p][1]}};
        c.in[0].low = c.in[1].low = -1;
        c.in[0].high = c.in[1].high = 1;
        grad_check(&c);
    }
}

/* Runs last. */
static void test_registry(void **state)
{
    (void)state;
    grad_assert_all_seen(elb_tensor_ops, "test_shape_ops");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns), cmocka_unit_test(test_reshape),  cmocka_unit_test(test_broadcast),
        cmocka_unit_test(test_join),    cmocka_unit_test(test_registry),
    };
    return cmocka_run_group_tests(tests, NULL, grad_end_group);
}
