/* test_flows.c - posteriors that carry samples through a flow: log-determinants against numeric Jacobians, values,
 * densities that integrate to one, and the bound that auxiliary variables give. In double. */
#include "vae_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_2PI 1.8378770664093454836
#define COUNT(list) (sizeof(list) / sizeof(list)[0])

/* --- a family with local parameters of its own -------------------------------------------------------------------- */

enum { DATA = 3 };

typedef struct flow {
    elb_context *c;
    support_vae *v;
    elb_posterior *q;
    int64_t n, local;  /* Z, P */
    elb_real *lambda;  /* [P] */
    uint64_t datum[1]; /* whose noise it draws */
} flow;

/* All parameters and local parameters are numbers up to `scale` and 0.5. */
static flow flow_begin(const char *settings, double scale)
{
    flow f = {.c = support_context(NULL)};
    char all[512];
    snprintf(all, sizeof all, "model.hidden= likelihood.type=gaussian likelihood.variance=fixed posterior.hidden=4 %s",
             settings);
    f.v = support_vae_create(f.c, DATA, 1, all);
    f.q = f.v->posterior;
    f.n = f.q->latent;
    f.local = f.q->local;
    support_vae_fill(f.v, scale, 3);
    f.lambda = calloc((size_t)f.local, sizeof *f.lambda);
    assert_non_null(f.lambda);
    for (int64_t i = 0; i < f.local; i++) f.lambda[i] = (elb_real)(support_number(5, (uint64_t)i) / 2);
    return f;
}

static void flow_end(flow *f)
{
    support_vae_destroy(f->v);
    free(f->lambda);
    support_context_end(f->c, NULL);
}

/* The draws [S,1,n] of `eps`, or of fresh noise (NULL); they live until the next. */
static elb_draw flow_draw(flow *f, const elb_real *eps, int64_t samples)
{
    elb_tape *t = f->v->tape;
    elb_noise noise = {.key = 2, .datum = f->datum, .samples = samples, .fixed = eps};
    assert_int_equal(elb_tape_reset(t), ELB_OK);
    elb_tensor *lambda = elb_leaf(t, "lambda", f->lambda, NULL, 2, (int64_t[]){1, f->local});
    elb_draw d = elb_sample(f->q, t, lambda, &noise, ELB_LOG_Q_FULL);
    if (elb_tape_run(t, NULL) != ELB_OK) fail_msg("%s", elb_context_message(f->c));
    return d;
}

/* log |det a|, a [n,n] overwritten, by elimination with pivots. */
static double log_det(double *a, int64_t n)
{
    double sum = 0;
    for (int64_t k = 0; k < n; k++) {
        int64_t best = k;
        for (int64_t i = k + 1; i < n; i++)
            if (fabs(a[i * n + k]) > fabs(a[best * n + k])) best = i;
        for (int64_t j = 0; j < n; j++) {
            double swap = a[k * n + j];
            a[k * n + j] = a[best * n + j];
            a[best * n + j] = swap;
        }
        sum += log(fabs(a[k * n + k]));
        for (int64_t i = k + 1; i < n; i++)
            for (int64_t j = n - 1; j >= k; j--) a[i * n + j] -= a[i * n + k] / a[k * n + k] * a[k * n + j];
    }
    return sum;
}

static double standard_normal(const elb_real *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum -= 0.5 * (LOG_2PI + (double)x[i] * (double)x[i]);
    return sum;
}

/* --- log-determinants --------------------------------------------------------------------------------------------- */

enum { WIDE = 8 };

/* Where (z_T, v_T) lies for the fixed noise, v_T only with auxiliary variables: with r(v|z) = N(k e_j, I) in the place
 * of r = N(0, I) log_q falls by k v_j - k^2/2. The last 2 Z numbers of a local lambda are r's biases; other weights of
 * its last layer are zero here. */
static void carried(flow *f, const elb_real *eps, bool auxiliary, elb_real *at, double *log_q)
{
    elb_draw d = flow_draw(f, eps, 1);
    *log_q = (double)d.log_q->data[0];
    memcpy(at, d.z->data, (size_t)f->n * sizeof *at);
    for (int64_t j = 0; j < f->n && auxiliary; j++) {
        f->lambda[f->local - 2 * f->n + j] = 2;
        at[f->n + j] = (elb_real)((*log_q - (double)flow_draw(f, eps, 1).log_q->data[0]) / 2 + 1);
        f->lambda[f->local - 2 * f->n + j] = 0;
    }
}

/* The start is z_0 = m + exp(s/2) eps, so that d/dm is d/dz_0. */
static void jacobian_check(const char *settings, bool auxiliary)
{
    flow f = flow_begin(settings, 1);
    int64_t n = f.n, wide = auxiliary ? 2 * n : n;
    elb_real eps[WIDE], ahead[WIDE], back[WIDE], at[WIDE];
    double jacobian[WIDE * WIDE], log_q, unused;
    for (int64_t i = 0; i < n; i++) eps[i] = (elb_real)(1.5 * support_number(8, (uint64_t)i));
    if (auxiliary) /* r = N(0, I) */
        for (int64_t i = 1; i <= 2 * n * (n + 1); i++) f.lambda[f.local - i] = 0;
    carried(&f, eps, auxiliary, at, &log_q);
    for (int64_t j = 0; j < wide; j++) {
        elb_real *move = &f.lambda[j < n ? j : n + j], kept = *move; /* lambda: m, s, then v_0's mean */
        *move = kept + (elb_real)1e-4;
        carried(&f, eps, auxiliary, ahead, &unused);
        *move = kept - (elb_real)1e-4;
        carried(&f, eps, auxiliary, back, &unused);
        *move = kept;
        for (int64_t i = 0; i < wide; i++) jacobian[i * wide + j] = (double)(ahead[i] - back[i]) / 2e-4;
    }
    double want = standard_normal(eps, n) - log_det(jacobian, wide);
    for (int64_t i = 0; i < n; i++) want -= (double)f.lambda[n + i] / 2;
    for (int64_t i = 0; i < n && auxiliary; i++)
        want += standard_normal(eps + i, 1) - (double)f.lambda[3 * n + i] / 2 - standard_normal(at + n + i, 1);
    if (!(fabs(log_q - want) < 1e-6)) fail_msg("%s: log q is %.10g, not %.10g", settings, log_q, want);
    flow_end(&f);
}

static void test_log_determinants(void **state)
{
    static const char *const types[] = {
        "posterior.type=iaf posterior.flow_form=gated posterior.flow_context=encoder",
        "posterior.type=iaf posterior.flow_form=affine posterior.flow_context=none",
        "posterior.type=householder",
        "posterior.type=aux_flow posterior.flow_context=local posterior.flow_form=gated",
        "posterior.type=aux_flow posterior.flow_context=local posterior.flow_form=affine",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(types); i++)
        for (int latent = 1; latent <= 4; latent++)
            for (int steps = 1; steps <= 3; steps++) {
                char settings[256];
                snprintf(settings, sizeof settings,
                         "%s model.latent=%d posterior.flow_steps=%d posterior.flow_hidden=%d", types[i], latent, steps,
                         latent);
                jacobian_check(settings, strstr(types[i], "aux_flow") != NULL);
            }
}

/* --- values ------------------------------------------------------------------------------------------------------- */

static elb_real *named(flow *f, const char *name)
{
    int block;
    int64_t index = support_vae_find(f->v, name, &block);
    return elb_params_data(support_vae_block(f->v, block), index);
}

/* An independent implementation, tests/golden/flows.py. */
static const struct {
    const char *settings;
    double z[3], log_q;
} golden[] = {
#include "golden/flows.inc"
};

static void test_golden(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(golden); i++) {
        char settings[256];
        snprintf(settings, sizeof settings, "model.latent=3 posterior.flow_hidden=5,4 posterior.flow_steps=3 %s",
                 golden[i].settings);
        flow f = flow_begin(settings, 0.8);
        elb_real eps[3];
        for (int j = 0; j < 3; j++) eps[j] = (elb_real)(1.5 * support_number(8, (uint64_t)j));
        elb_draw d = flow_draw(&f, eps, 1);
        for (int j = 0; j < 3; j++) support_assert_near((double)d.z->data[j], golden[i].z[j], 1e-12, 1e-12);
        support_assert_near((double)d.log_q->data[0], golden[i].log_q, 1e-12, 1e-12);
        flow_end(&f);
    }
}

/* m = (.2, .1 + .4 z_1), c = (1, .3 - .2 z_1) by a network without hidden layers. */
static void test_iaf_value(void **state)
{
    flow f = flow_begin("posterior.type=iaf model.latent=2 posterior.flow_context=none posterior.flow_steps=1 "
                        "posterior.flow_hidden=",
                        1);
    (void)state;
    memcpy(named(&f, "flow.0.0.weight"), (elb_real[]){7, 7, 0.4, 7, 7, 7, -0.2, 7}, 8 * sizeof(elb_real));
    memcpy(named(&f, "flow.0.0.bias"), (elb_real[]){0.2, 0.1, 1, 0.3}, 4 * sizeof(elb_real));
    memset(f.lambda, 0, (size_t)f.local * sizeof *f.lambda);
    elb_real z[] = {0.5, -1};
    elb_draw d = flow_draw(&f, z, 1);
    support_assert_near((double)d.z->data[0], 0.419317573589, 1e-12, 0);
    support_assert_near((double)d.z->data[1], -0.414784196506, 1e-12, 0);
    support_assert_near((double)d.log_q->data[0], standard_normal(z, 2) + 0.911400556899, 1e-12, 0);
    flow_end(&f);
}

/* One reflection by (1, 2, -1) moves a point and keeps its norm; q is a Gaussian of unchanged KL. */
static void test_householder_value(void **state)
{
    flow f = flow_begin("posterior.type=householder model.latent=3 posterior.flow_steps=1", 1);
    elb_real z[] = {0.3, -0.7, 1.1};
    static const double want[] = {31.0 / 30, 23.0 / 30, 11.0 / 30};
    (void)state;
    memset(f.lambda, 0, (size_t)f.local * sizeof *f.lambda);
    memcpy(f.lambda + 6, (elb_real[]){1, 2, -1}, 3 * sizeof(elb_real));
    elb_draw d = flow_draw(&f, z, 1);
    for (int i = 0; i < 3; i++) support_assert_near((double)d.z->data[i], want[i], 1e-12, 0);
    support_assert_near(standard_normal(d.z->data, 3), standard_normal(z, 3), 1e-12, 0);
    flow_end(&f);
}

/* Draw by draw, log q(z) - log p(z) is that of the Gaussian it starts from. */
static void test_householder_divergence(void **state)
{
    enum { SAMPLES = 50, N = 4 };
    flow f = flow_begin("posterior.type=householder model.latent=4 posterior.flow_steps=5", 1);
    static elb_real eps[SAMPLES * N];
    (void)state;
    for (int i = 0; i < SAMPLES * N; i++) eps[i] = (elb_real)(2 * support_number(9, (uint64_t)i));
    elb_draw d = flow_draw(&f, eps, SAMPLES);
    for (int s = 0; s < SAMPLES; s++) {
        elb_real start[N];
        double log_q = standard_normal(eps + s * N, N);
        for (int i = 0; i < N; i++) {
            start[i] = f.lambda[i] + (elb_real)exp((double)f.lambda[N + i] / 2) * eps[s * N + i];
            log_q -= (double)f.lambda[N + i] / 2;
        }
        support_assert_near((double)d.log_q->data[s] - standard_normal(d.z->data + s * N, N),
                            log_q - standard_normal(start, N), 1e-12, 0);
    }
    flow_end(&f);
}

/* --- densities ---------------------------------------------------------------------------------------------------- */

static double triangle(const elb_real *a, const elb_real *b, const elb_real *c)
{
    return 0.5 * fabs((double)((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])));
}

/* In two dimensions: q summed over the image of a grid, whose cells are pairs of triangles. */
static void integral_check(const char *settings)
{
    enum { SIDE = 301 };
    flow f = flow_begin(settings, 0.8);
    elb_real *eps = calloc((size_t)SIDE * SIDE * 2, sizeof *eps);
    double sum = 0;
    for (int i = 0; i < SIDE * SIDE; i++) {
        int row = i / SIDE, column = i % SIDE;
        eps[2 * i] = (elb_real)(-6 + 12.0 * row / (SIDE - 1));
        eps[2 * i + 1] = (elb_real)(-6 + 12.0 * column / (SIDE - 1));
    }
    elb_draw d = flow_draw(&f, eps, (int64_t)SIDE * SIDE);
    for (int i = 0; i < SIDE * (SIDE - 1); i++) {
        const elb_real *z = d.z->data + 2 * (int64_t)i, *log_q = d.log_q->data + i;
        if (i % SIDE == SIDE - 1) continue;
        double q[] = {exp((double)log_q[0]), exp((double)log_q[1]), exp((double)log_q[SIDE]),
                      exp((double)log_q[SIDE + 1])};
        sum += triangle(z, z + 2, z + 2 * SIDE) * (q[0] + q[1] + q[2]) / 3;
        sum += triangle(z + 2, z + 2 * SIDE, z + 2 * SIDE + 2) * (q[1] + q[2] + q[3]) / 3;
    }
    if (!(fabs(sum - 1) < 1e-3)) fail_msg("%s: the density integrates to %.6f", settings, sum);
    free(eps);
    flow_end(&f);
}

static void test_densities_integrate_to_one(void **state)
{
    (void)state;
    integral_check("model.latent=2 posterior.type=iaf posterior.flow_hidden=5 posterior.flow_steps=3");
    integral_check("model.latent=2 posterior.type=iaf posterior.flow_hidden=5 posterior.flow_form=affine");
    integral_check("model.latent=2 posterior.type=householder");
}

enum { DRAWS = 40000 };

/* Mean and variance of coordinate i of the draws. */
static void moments(const flow *f, const elb_draw *d, int64_t i, double *mean, double *variance)
{
    *mean = *variance = 0;
    for (int64_t s = 0; s < DRAWS; s++) *mean += (double)d->z->data[s * f->n + i] / DRAWS;
    for (int64_t s = 0; s < DRAWS; s++) *variance += pow((double)d->z->data[s * f->n + i] - *mean, 2) / DRAWS;
}

/* Couplings so weak that v_T is nearly N(0, (1/16) I) whatever z_T, and an r narrower than that:
 * weights have a variance. */
static void narrow_reverse(flow *f)
{
    bool local = f->local > 3 * f->n;
    support_vae_fill(f->v, 0.15, 3);
    for (int64_t i = 4 * f->n; i < f->local; i++) f->lambda[i] *= (elb_real)0.3;
    elb_real *log_variance = local ? f->lambda + f->local - f->n : named(f, "reverse.2.bias") + f->n;
    for (int64_t i = 0; i < f->n; i++) log_variance[i] = (elb_real)log(1.0 / 32);
}

/* E_q[g(z) / exp(log_q)] = 1 for any density g, here a Gaussian in the middle of q; with auxiliary variables too. */
static void weights_check(const char *settings)
{
    flow f = flow_begin(settings, 0.5);
    if (strstr(settings, "aux_flow") != NULL) narrow_reverse(&f);
    double *log_w = calloc(DRAWS, sizeof *log_w), sum = 0, square = 0;
    elb_draw d = flow_draw(&f, NULL, DRAWS);
    for (int64_t s = 0; s < DRAWS; s++) log_w[s] = -(double)d.log_q->data[s];
    for (int64_t i = 0; i < f.n; i++) {
        double m, v;
        moments(&f, &d, i, &m, &v);
        v /= 2;
        for (int64_t s = 0; s < DRAWS; s++)
            log_w[s] -= 0.5 * (LOG_2PI + log(v) + pow((double)d.z->data[s * f.n + i] - m, 2) / v);
    }
    for (int64_t s = 0; s < DRAWS; s++) {
        sum += exp(log_w[s]) / DRAWS;
        square += exp(2 * log_w[s]) / DRAWS;
    }
    double error = sqrt((square - sum * sum) / DRAWS);
    if (!(fabs(sum - 1) < 4 * error && error < 0.02))
        fail_msg("%s: the weights' mean is %.4f, standard error %.4f", settings, sum, error);
    free(log_w);
    flow_end(&f);
}

static void test_weights(void **state)
{
    static const char *const contexts[] = {"encoder", "none", "local"};
    (void)state;
    weights_check("model.latent=3 posterior.type=iaf posterior.flow_hidden=6");
    weights_check("model.latent=3 posterior.type=householder");
    for (size_t i = 0; i < COUNT(contexts); i++) {
        char settings[256];
        snprintf(settings, sizeof settings,
                 "model.latent=2 posterior.type=aux_flow posterior.flow_steps=2 posterior.flow_hidden=6 "
                 "posterior.flow_context=%s",
                 contexts[i]);
        weights_check(settings);
    }
}

/* --- auxiliary variables ------------------------------------------------------------------------------------------ */

enum { OWN_WEIGHTS = 12 }; /* begin there in lambda: after m, s, and the mean and log-variance of v_0 */

/* Gives `local`, of Z = 3, what `shared` has. */
static void share_weights(const flow *shared, flow *local)
{
    elb_params *p = &shared->q->params;
    int64_t at = OWN_WEIGHTS;
    memcpy(local->lambda, shared->lambda, 6 * sizeof *local->lambda);
    memset(local->lambda + 6, 0, 6 * sizeof *local->lambda); /* v_0 ~ N(0, I) */
    for (int64_t i = 0; i < p->count; i++) {
        if (strncmp(p->at[i].name, "encoder", 7) == 0) continue;
        memcpy(local->lambda + at, elb_params_data(p, i), (size_t)p->at[i].count * sizeof *local->lambda);
        at += p->at[i].count;
    }
    assert_int_equal(at, local->local);
}

/* A datum's own weights do what the same weights do as parameters. */
static void test_local_weights(void **state)
{
    enum { SAMPLES = 7 };
    static const char common[] =
        "model.latent=3 posterior.type=aux_flow posterior.flow_hidden=5,4 posterior.flow_steps=2 "
        "posterior.flow_context=";
    char settings[2][256];
    (void)state;
    snprintf(settings[0], sizeof settings[0], "%snone", common);
    snprintf(settings[1], sizeof settings[1], "%slocal", common);
    flow shared = flow_begin(settings[0], 0.7), local = flow_begin(settings[1], 0.7);
    share_weights(&shared, &local);
    elb_draw a = flow_draw(&shared, NULL, SAMPLES), b = flow_draw(&local, NULL, SAMPLES);
    for (int i = 0; i < 3 * SAMPLES; i++) support_assert_near((double)b.z->data[i], (double)a.z->data[i], 1e-12, 0);
    for (int i = 0; i < SAMPLES; i++) support_assert_near((double)b.log_q->data[i], (double)a.log_q->data[i], 1e-12, 0);
    flow_end(&shared);
    flow_end(&local);
}

/* The gradient [P] of the mean of log_q over some draws, into `gradient`; the mean itself. */
static double slope(flow *f, elb_log_q form, int64_t first, int64_t samples, elb_real *gradient)
{
    elb_tape *t = f->v->tape;
    elb_noise noise = {.key = 2, .datum = f->datum, .draw = (uint32_t)first, .samples = samples};
    assert_int_equal(elb_tape_reset(t), ELB_OK);
    elb_tensor *lambda = elb_leaf(t, "lambda", f->lambda, gradient, 2, (int64_t[]){1, f->local});
    elb_tensor *mean = elb_mean_all(t, elb_sample(f->q, t, lambda, &noise, form).log_q);
    if (elb_tape_run(t, mean) != ELB_OK) fail_msg("%s", elb_context_message(f->c));
    return (double)mean->data[0];
}

/* Lambda held constant inside log q(z,v): the couplings undone give the same numbers, and the gradient is the same in
 * the mean, that of r's weights draw by draw. */
static void held_check(const char *settings)
{
    enum { BATCHES = 60, SAMPLES = 300, MOST = 256 };
    flow f = flow_begin(settings, 0.7);
    double sum[MOST] = {0}, squares[MOST] = {0};
    elb_real full[MOST], held[MOST];
    assert_true(f.local <= MOST);
    for (int i = 0; i < BATCHES; i++) {
        double a = slope(&f, ELB_LOG_Q_FULL, i * SAMPLES, SAMPLES, full);
        double b = slope(&f, ELB_LOG_Q_SAMPLE, i * SAMPLES, SAMPLES, held);
        support_assert_near(b, a, 1e-9, 0);
        for (int64_t k = 0; k < f.local; k++) {
            double difference = (double)(held[k] - full[k]);
            sum[k] += difference / BATCHES;
            squares[k] += difference * difference / BATCHES;
        }
    }
    double largest = 0;
    for (int64_t k = 0; k < f.local; k++) {
        double error = sqrt(fmax(0, squares[k] - sum[k] * sum[k]) / BATCHES);
        if (!(fabs(sum[k]) <= 4.5 * error + 1e-12)) fail_msg("%s: %lld: %g, %g", settings, (long long)k, sum[k], error);
        largest = fmax(largest, error);
    }
    assert_true(largest > 1e-4); /* they are two estimators */
    flow_end(&f);
}

static void test_held(void **state)
{
    static const char *const kinds[] = {"context=local posterior.flow_form=gated",
                                        "context=local posterior.flow_form=affine",
                                        "context=encoder posterior.flow_form=gated", "context=none"};
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        char settings[256];
        snprintf(settings, sizeof settings,
                 "model.latent=2 posterior.type=aux_flow posterior.flow_hidden=4 posterior.flow_steps=2 "
                 "posterior.flow_%s",
                 kinds[i]);
        held_check(settings);
    }
}

/* Weights that are parameters are held like those that are a datum's own. */
static void test_held_parameters(void **state)
{
    (void)state;
    static const char common[] = "model.latent=3 posterior.type=aux_flow posterior.flow_hidden=5,4 "
                                 "posterior.flow_steps=2 posterior.flow_context=";
    char settings[2][256];
    snprintf(settings[0], sizeof settings[0], "%snone", common);
    snprintf(settings[1], sizeof settings[1], "%slocal", common);
    flow shared = flow_begin(settings[0], 0.7), local = flow_begin(settings[1], 0.7);
    elb_real *a = calloc((size_t)shared.local, sizeof *a), *b = calloc((size_t)local.local, sizeof *b);
    assert_true(a != NULL && b != NULL);
    share_weights(&shared, &local);
    double mean = slope(&shared, ELB_LOG_Q_SAMPLE, 0, 7, a);
    support_assert_near(slope(&local, ELB_LOG_Q_SAMPLE, 0, 7, b), mean, 1e-12, 0);
    for (int i = 0; i < 6; i++) support_assert_near(b[i], a[i], 1e-12, 0);
    int64_t at = OWN_WEIGHTS;
    elb_params *p = &shared.q->params;
    for (int64_t i = 0; i < p->count; i++) {
        if (strncmp(p->at[i].name, "encoder", 7) == 0) continue;
        for (int64_t k = 0; k < p->at[i].count; k++)
            support_assert_near(b[at++], p->grad[p->at[i].offset + k], 1e-12, 0);
    }
    free(a);
    free(b);
    flow_end(&shared);
    flow_end(&local);
}

/* Couplings that shift by linear functions make (z, v) a Gaussian: z_1 = A v_1 + (z_0 / 2), v_1 = B z_0 + v_0 / 2, so
 * that the marginal q(z) is known. log_q must lie above log q(z) on average, and weigh z as q(z) does. */
static void test_bound_of_the_marginal(void **state)
{
    flow f = flow_begin("model.latent=1 posterior.type=aux_flow posterior.flow_hidden= posterior.flow_steps=1 "
                        "posterior.flow_context=none posterior.activation=linear",
                        1);
    double gap = 0, square = 0, ratio = 0;
    (void)state;
    static const struct {
        const char *name;
        double weight, scale_weight, bias, scale;
    } nets[] = {{"flow.0.0", 0.8, 0, 0, 0}, {"flow.1.0", -0.7, 0, 0, 0}, {"reverse.0", 0.1, 0, 0, -0.4}};
    for (size_t i = 0; i < COUNT(nets); i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.weight", nets[i].name);
        memcpy(named(&f, name), (elb_real[]){(elb_real)nets[i].weight, 0}, 2 * sizeof(elb_real));
        snprintf(name, sizeof name, "%s.bias", nets[i].name);
        memcpy(named(&f, name), (elb_real[]){0, (elb_real)nets[i].scale}, 2 * sizeof(elb_real));
    }
    memset(f.lambda, 0, (size_t)f.local * sizeof *f.lambda); /* z_0 ~ N(0,1) */
    double variance = pow(0.5 - 0.7 * 0.8, 2) + pow(0.7 * 0.5, 2);
    elb_draw d = flow_draw(&f, NULL, DRAWS);
    for (int s = 0; s < DRAWS; s++) {
        double log_marginal = -0.5 * (LOG_2PI + log(variance) + pow((double)d.z->data[s], 2) / variance);
        double each = (double)d.log_q->data[s] - log_marginal;
        gap += each / DRAWS;
        square += each * each / DRAWS;
        ratio += exp(-each) / DRAWS;
    }
    assert_true(gap > 4 * sqrt(square / DRAWS));
    support_assert_near(ratio, 1, 0.02, 0);
    flow_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_determinants),
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_iaf_value),
        cmocka_unit_test(test_householder_value),
        cmocka_unit_test(test_householder_divergence),
        cmocka_unit_test(test_densities_integrate_to_one),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_local_weights),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_held_parameters),
        cmocka_unit_test(test_bound_of_the_marginal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
