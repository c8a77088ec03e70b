/* test_kernels_math.c - the reference kernels themselves, in double: every gradient against central differences, every
 * density and divergence against closed forms computed elsewhere. */
#include "grad_support.h"

#include <math.h>
#include <string.h>

#include "kernels/tables.h"

static const elb_kernels *const ref = &elb_kernels_reference;

enum { N = 9 };
static const elb_real points[N] = {-30, -3, -0.6, -0.3, 1e-3, 0.4, 0.51, 2, 25};
static const elb_real spreads[N] = {-8, -2, -0.5, -0.1, 0, 0.3, 1, 2.5, 7};
static const elb_real targets[N] = {0, 0.1, 1, 0.4, 0.9, 0.5, 1, 0, 0.7};

/* d f / d v[i]. */
typedef double (*scalar)(elb_real *const v[3]);

typedef struct moved {
    scalar f;
    elb_real *const *v, *at, kept;
} moved;

static double moved_value(void *user, double step)
{
    const moved *m = user;
    *m->at = m->kept + step;
    return m->f(m->v);
}

static double slope_of(scalar f, elb_real *const v[3], int which, int i)
{
    moved m = {f, v, &v[which][i], v[which][i]};
    double slope = grad_derivative(moved_value, &m, 1e-3 * fmax(1, fabs(m.kept)));
    *m.at = m.kept;
    return slope;
}

static void check_slope(scalar f, elb_real *const v[3], int which, const elb_real *got, double scale)
{
    for (int i = 0; i < N; i++) support_assert_near(got[i], scale * slope_of(f, v, which, i), 1e-8, 1e-7);
}

/* --- elementwise: one function at a time through a file-local choice ---------------------------------------------- */

typedef struct variables {
    elb_real at[3][N];
    elb_real *v[3];
} variables;

static void variables_set(variables *s, const elb_real *a, const elb_real *b, const elb_real *c)
{
    const elb_real *from[3] = {a, b, c};
    for (int k = 0; k < 3; k++) {
        memcpy(s->at[k], from[k], sizeof s->at[k]);
        s->v[k] = s->at[k];
    }
}

#define ACTIVATION_SUM(name, kind)                                                                                     \
    static double name(elb_real *const v[3])                                                                           \
    {                                                                                                                  \
        elb_real y[N];                                                                                                 \
        memcpy(y, v[0], sizeof y);                                                                                     \
        ref->activate(kind, 1, N, NULL, y, N);                                                                         \
        return ref->dot(N, y, v[1]);                                                                                   \
    }
ACTIVATION_SUM(linear_sum, ELB_LINEAR)
ACTIVATION_SUM(tanh_sum, ELB_TANH)
ACTIVATION_SUM(relu_sum, ELB_RELU)
ACTIVATION_SUM(elu_sum, ELB_ELU)
ACTIVATION_SUM(softplus_sum, ELB_SOFTPLUS)
ACTIVATION_SUM(sigmoid_sum, ELB_SIGMOID)
ACTIVATION_SUM(leaky_relu_sum, ELB_LEAKY_RELU)
ACTIVATION_SUM(silu_sum, ELB_SILU)
ACTIVATION_SUM(gelu_sum, ELB_GELU)

static void test_activations(void **state)
{
    static const scalar sums[ELB_ACTIVATION_COUNT] = {linear_sum,  tanh_sum,       relu_sum, elu_sum, softplus_sum,
                                                      sigmoid_sum, leaky_relu_sum, silu_sum, gelu_sum};
    variables s;
    (void)state;
    variables_set(&s, points, spreads, targets);
    s.at[0][4] = 0.01; /* the difference must not straddle the kink of ReLU */
    for (int act = 0; act < ELB_ACTIVATION_COUNT; act++) {
        elb_real y[N], dx[N];
        memcpy(y, s.v[0], sizeof y);
        ref->activate((elb_activation)act, 1, N, NULL, y, N);
        bool from_input = elb_slope_from_input((elb_activation)act);
        ref->activate_backward((elb_activation)act, N, from_input ? s.v[0] : y, s.v[1], dx);
        check_slope(sums[act], s.v, 0, dx, 1);
    }
}

static void test_activation_values(void **state)
{
    static const elb_real want[ELB_ACTIVATION_COUNT] = {-0.7,
                                                        -0.604367777117163,
                                                        0,
                                                        -0.503414696208590,
                                                        0.403186048885458,
                                                        0.331812227831834,
                                                        -0.007,
                                                        -0.232268559482284,
                                                        -0.169374556556151};
    (void)state;
    for (int act = 0; act < ELB_ACTIVATION_COUNT; act++) {
        elb_real y[2] = {-1, -0.7}, bias[2] = {0.3, 0};
        ref->activate((elb_activation)act, 1, 2, bias, y, 2);
        support_assert_near(y[0], want[act], 1e-14, 0);
        support_assert_near(y[1], want[act], 1e-14, 0);
    }
}

#define UNARY_SUM(name, kind)                                                                                          \
    static double name(elb_real *const v[3])                                                                           \
    {                                                                                                                  \
        elb_real y[N];                                                                                                 \
        ref->unary(kind, N, v[0], y);                                                                                  \
        return ref->dot(N, y, v[1]);                                                                                   \
    }
UNARY_SUM(exp_sum, ELB_EXP)
UNARY_SUM(log_sum, ELB_LOG)
UNARY_SUM(square_sum, ELB_SQUARE)

static void test_unaries(void **state)
{
    static const scalar sums[ELB_UNARY_COUNT] = {exp_sum, log_sum, square_sum};
    variables s;
    (void)state;
    for (int f = 0; f < ELB_UNARY_COUNT; f++) {
        elb_real y[N], dx[N] = {0};
        variables_set(&s, spreads, points, targets);
        for (int i = 0; f == ELB_LOG && i < N; i++) s.at[0][i] = 0.2 + s.at[0][i] * s.at[0][i];
        ref->unary((elb_unary)f, N, s.v[0], y);
        ref->unary_backward((elb_unary)f, N, s.v[0], y, s.v[1], dx);
        check_slope(sums[f], s.v, 0, dx, 1);
    }
}

/* --- likelihoods: all gradients ADD, so they start from something ------------------------------------------------- */

static double bernoulli_sum(elb_real *const v[3])
{
    return ref->bernoulli_log(N, v[0], v[1]);
}

static double continuous_sum(elb_real *const v[3])
{
    return ref->continuous_bernoulli_log(N, v[0], v[1]);
}

static double gaussian_sum(elb_real *const v[3])
{
    return ref->gaussian_log(N, v[0], v[1], v[2]);
}

static void fill(elb_real *x, elb_real value)
{
    for (int i = 0; i < N; i++) x[i] = value;
}

static void test_likelihood_gradients(void **state)
{
    variables s;
    elb_real dx[N], da[N], dl[N];
    (void)state;
    variables_set(&s, targets, points, spreads);
    fill(da, 0);
    ref->bernoulli_grad(N, s.v[0], s.v[1], -0.7, da);
    check_slope(bernoulli_sum, s.v, 1, da, -0.7);
    fill(da, 0);
    ref->continuous_bernoulli_grad(N, s.v[0], s.v[1], -0.7, da);
    check_slope(continuous_sum, s.v, 1, da, -0.7);
    variables_set(&s, targets, points, spreads);
    s.at[1][0] = 3, s.at[1][8] = -2; /* keeps (x-a)^2 exp(8) from drowning the other terms of the difference */
    fill(dx, 0), fill(da, 0), fill(dl, 0);
    ref->gaussian_grad(N, s.v[0], s.v[1], s.v[2], -0.7, dx, da, dl);
    for (int i = 0; i < N; i++) {
        support_assert_near(dx[i], -0.7 * slope_of(gaussian_sum, s.v, 0, i), 1e-6, 1e-7);
        support_assert_near(da[i], -0.7 * slope_of(gaussian_sum, s.v, 1, i), 1e-6, 1e-7);
        support_assert_near(dl[i], -0.7 * slope_of(gaussian_sum, s.v, 2, i), 1e-6, 1e-7);
    }
    elb_real again[N]; /* adds: a second call doubles, and NULL leaves the others' bits alone */
    memcpy(again, da, sizeof again);
    ref->gaussian_grad(N, s.v[0], s.v[1], s.v[2], -0.7, NULL, again, NULL);
    for (int i = 0; i < N; i++) assert_true(again[i] == 2 * da[i]);
}

static double sample_sum(elb_real *const v[3])
{
    elb_real z[N];
    ref->gaussian_sample(N, v[0], v[1], v[2], z);
    return ref->dot(N, z, targets);
}

static double kl_sum(elb_real *const v[3])
{
    elb_real y[N];
    ref->kl_standard(N, v[0], v[1], y);
    return ref->dot(N, y, targets);
}

static void test_posterior_gradients(void **state)
{
    variables s;
    elb_real dm[N], ds[N];
    (void)state;
    variables_set(&s, points, spreads, points);
    fill(dm, 0), fill(ds, 0);
    ref->gaussian_sample_grad(N, s.v[1], s.v[2], targets, dm, ds);
    check_slope(sample_sum, s.v, 0, dm, 1);
    check_slope(sample_sum, s.v, 1, ds, 1);
    fill(dm, 0), fill(ds, 0);
    ref->kl_standard_grad(N, s.v[0], s.v[1], targets, dm, ds);
    check_slope(kl_sum, s.v, 0, dm, 1);
    check_slope(kl_sum, s.v, 1, ds, 1);
}

/* --- closed forms ------------------------------------------------------------------------------------------------- */

static void test_divergences(void **state)
{
    elb_real m[2] = {1, (1 - -1) / sqrt(2)}, s[2] = {log(0.5), log(0.5 / 2)}, y[2];
    (void)state;
    ref->kl_standard(2, m, s, y);
    support_assert_near(y[0], 0.596573590280, 1e-12, 0);
    support_assert_near(y[1], 1.318147180560, 1e-12, 0); /* N(1,.5) from N(-1,2), standardised by the latter */
    m[0] = 0, s[0] = 1e-9;
    ref->kl_standard(1, m, s, y); /* s^2/4: nothing is left of it if e^s - 1 - s cancels */
    assert_true(y[0] >= 0 && y[0] < 1e-16);
}

static void test_densities(void **state)
{
    elb_real x[2] = {1, 0}, a[2] = {0.3, -1.2}, l[2] = {0.4, -0.9};
    (void)state;
    support_assert_near(ref->bernoulli_log(2, x, a), -0.554355244468527 - 0.263282467338031, 1e-14, 0);
    double first = -0.5 * (log(2 * acos(-1)) + 0.4 + 0.49 * exp(-0.4));
    double second = -0.5 * (log(2 * acos(-1)) - 0.9 + 1.44 * exp(0.9));
    support_assert_near(ref->gaussian_log(2, x, a, l), first + second, 1e-13, 0);
}

/* Normaliser and mean of the continuous Bernoulli with parameter lambda, a = log(lambda/(1-lambda)). */
static void test_continuous_bernoulli_constants(void **state)
{
    static const struct {
        double lambda, normaliser, mean;
    } known[] = {{0.1, 2.746530721670, 0.330119613313},
                 {0.25, 2.197224577336, 0.410239226627},
                 {0.499, 2.000002666673, 0.499666666311},
                 {0.5, 2, 0.5}};
    (void)state;
    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
        for (int mirror = 0; mirror < 2; mirror++) {
            double lambda = mirror ? 1 - known[k].lambda : known[k].lambda;
            double mean = mirror ? 1 - known[k].mean : known[k].mean;
            elb_real a = log(lambda / (1 - lambda)), x = 1, zero = 0, da = 0;
            support_assert_near(exp(ref->continuous_bernoulli_log(1, &x, &a)) / lambda, known[k].normaliser, 2e-12, 0);
            ref->continuous_bernoulli_grad(1, &zero, &a, -1, &da);
            support_assert_near(da, mean, 2e-12, 0);
        }
    }
}

/* Simpson's rule over [0,1]: the density integrates to 1, and its mean is minus the gradient at x = 0. */
static void test_continuous_bernoulli_integrates_to_one(void **state)
{
    enum { STEPS = 2000 };
    static const elb_real naturals[] = {-40, -5, -0.51, -0.49, -1e-3, 0, 1e-9, 0.2, 0.4999, 0.5, 3, 40};
    (void)state;
    for (size_t k = 0; k < sizeof naturals / sizeof naturals[0]; k++) {
        double total = 0, mean = 0;
        elb_real zero = 0, da = 0;
        for (int i = 0; i <= STEPS; i++) {
            elb_real x = (elb_real)i / STEPS;
            double weight = (i == 0 || i == STEPS ? 1 : i % 2 ? 4 : 2) / (3. * STEPS);
            double density = exp(ref->continuous_bernoulli_log(1, &x, &naturals[k]));
            total += weight * density;
            mean += weight * density * x;
        }
        ref->continuous_bernoulli_grad(1, &zero, &naturals[k], -1, &da);
        support_assert_near(total, 1, 1e-8, 0);
        support_assert_near(da, mean, 1e-8, 0);
    }
}

/* --- optimisers: two steps written out ---------------------------------------------------------------------------- */

static void test_optimisers(void **state)
{
    elb_adam_step h = {.rate = 0.1,
                       .beta1 = 0.9,
                       .beta2 = 0.99,
                       .epsilon = 1e-3,
                       .second_root = 10,
                       .gradient_scale = 0.5,
                       .weight_decay = 0.2};
    elb_real p = 1, g = 2, m = 0, v = 0;
    (void)state;
    ref->adam(&h, 1, &p, &g, &m, &v); /* slope 0.5 * 2 + 0.2 * 1 = 1.2; m = .12; v = .0144; root .12 * 10 */
    support_assert_near(m, 0.12, 1e-15, 0);
    support_assert_near(v, 0.0144, 1e-15, 0);
    support_assert_near(p, 1 - 0.1 * 0.12 / (1.2 + 1e-3), 1e-15, 0);
    p = 1, m = 0, v = 3;
    ref->adamax(&h, 1, &p, &g, &m, &v); /* 0.99 * 3 beats 1.2 + 1e-3 */
    support_assert_near(v, 2.97, 1e-15, 0);
    support_assert_near(p, 1 - 0.1 * 0.12 / 2.97, 1e-15, 0);
    p = 1, m = 0, v = 0;
    ref->adamax(&h, 1, &p, &g, &m, &v);
    support_assert_near(v, 1.201, 1e-15, 0);
    support_assert_near(p, 1 - 0.1 * 0.12 / 1.201, 1e-15, 0);
    p = 1, v = 4;
    ref->sgd(&h, 1, &p, &g, &v);
    support_assert_near(v, 0.9 * 4 + 1.2, 1e-15, 0);
    support_assert_near(p, 1 - 0.1 * 4.8, 1e-15, 0);
}

static void test_leapfrog(void **state)
{
    elb_leapfrog h = {.t = 0.5, .limit = 3, .kick = 0.1, .drift = 0.2};
    elb_real start[] = {1, 1, -9}, rise[] = {2, 10, 0}, v[] = {1, 1, 1}, z[] = {5, 5, 5};
    (void)state;
    ref->leapfrog(&h, 3, start, rise, v, z); /* forces 2, 6 cut to 3, -9 cut to -3 */
    for (int i = 0; i < 3; i++) {
        support_assert_near(v[i], (double[]){1.2, 1.3, 0.7}[i], 1e-15, 0);
        support_assert_near(z[i], 5 + 0.2 * v[i], 1e-15, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_activation_values),
        cmocka_unit_test(test_unaries),
        cmocka_unit_test(test_likelihood_gradients),
        cmocka_unit_test(test_posterior_gradients),
        cmocka_unit_test(test_divergences),
        cmocka_unit_test(test_densities),
        cmocka_unit_test(test_continuous_bernoulli_constants),
        cmocka_unit_test(test_continuous_bernoulli_integrates_to_one),
        cmocka_unit_test(test_optimisers),
        cmocka_unit_test(test_leapfrog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
