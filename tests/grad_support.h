/* grad_support.h - one op against a plain formula and against central differences. */
#ifndef ELB_TEST_GRAD_SUPPORT_H
#define ELB_TEST_GRAD_SUPPORT_H

#include "support.h"

#include "tensor/tensor.h"

typedef struct grad_input {
    int rank;
    int64_t shape[ELB_RANK_MAX];
    double low, high; /* its numbers are drawn between them, */
    double gap;       /* and none is nearer to 0 */
    bool constant;    /* the op has no gradient to give it */
} grad_input;

typedef struct grad_case grad_case;
struct grad_case {
    int inputs;
    grad_input in[ELB_INPUT_MAX];
    elb_tensor *(*build)(elb_tape *t, elb_tensor *const *in, const grad_case *c);
    /* Element i of the result from the inputs' numbers. */
    double (*plain)(const grad_case *c, const elb_real *const *in, int64_t i);
    double with[4];  /* the op's constants, for build and plain */
    bool together;   /* the inputs want a gradient all or none */
    bool fixed_rows; /* see elb_tape_fix_rows */
    bool twice;      /* the second input is the first */
};

#define GRAD_SHAPE(r, ...) .rank = (r), .shape = {__VA_ARGS__}
#define GRAD_COUNT(list) (sizeof(list) / sizeof(list)[0])

static const int64_t grad_samples[] = {1, 3}, grad_batches[] = {1, 2, 5};

int64_t grad_count(const grad_input *in);
int64_t grad_cols(const grad_input *in);
int64_t grad_rows(const grad_input *in);

/* Forward and backward: every choice of inputs that want a gradient; the inputs leaves or results of other ops; alone,
 * or with another consumer recorded before or after; 1 and 3 threads, whose bits must agree; every run repeated. */
void grad_check(const grad_case *c);
/* Of one input: over small shapes and one of several tiles. */
void grad_check_shapes(grad_case c);
/* Runs last: grad_check has seen every op of `ops` that is at home in this file; grad_support.c tells which are. */
void grad_assert_all_seen(const elb_op *const *ops, const char *file);

/* f'(0) by central differences of this width and of half of it, extrapolated; f gets `user` and the step. */
double grad_derivative(double (*f)(void *user, double step), void *user, double width);

/* act(x) in plain C. */
double grad_activation(elb_activation act, double x);

/* To be given to cmocka as the group's teardown: frees what grad_check keeps. */
int grad_end_group(void **state);

#endif
