/* test_data_batch.c - batches: scaling, the four ways to binarise, their statistics and what they depend on; random
 * orders; synthetic sets against their formulas; the real sets where they are installed. */
#include "data_support.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "data/synthetic.h"

static const elb_kernels *table(elb_context *c)
{
    const elb_kernels *k = NULL;
    assert_int_equal(elb_kernels_select(c, "reference", &k), ELB_OK);
    return k;
}

/* `count` data of `size` values, datum i being all i / (count - 1). */
static elb_dataset *ramp(elb_context *c, int count, int size)
{
    float *values = malloc((size_t)count * (size_t)size * sizeof *values);
    for (int i = 0; i < count * size; i++) values[i] = (float)(i / size) / (float)(count - 1);
    elb_dataset *d = NULL;
    assert_int_equal(elb_dataset_create(c, "ramp", count, 1, (int64_t[]){size}, values, &d), ELB_OK);
    free(values);
    return d;
}

/* --- binarisation --- */

static void test_scaling(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    char *folder = support_folder_make();
    elb_data_options o = data_options(data_write_idx(folder, "a.idx", 200));
    elb_dataset *d = NULL;
    assert_int_equal(elb_dataset_load(c, &o, 1, ELB_PART_ALL, &d), ELB_OK);
    const elb_batch_spec plain = {.binarise = ELB_BINARISE_NONE};
    const elb_batch_spec half = {.binarise = ELB_BINARISE_THRESHOLD, .threshold = 0.5};
    const int64_t rows[3] = {150, 0, 100};
    elb_real x[12];
    elb_dataset_batch(d, table(c), &plain, rows, 3, x);
    for (int i = 0; i < 12; i++) assert_true(x[i] == (elb_real)(rows[i / 4] * (i % 4 + 1) % 256) / (elb_real)255);
    elb_dataset_batch(d, table(c), &half, rows, 3, x);
    for (int i = 0; i < 12; i++) assert_true(x[i] == (rows[i / 4] * (i % 4 + 1) % 256 >= 128));
    elb_dataset_destroy(d);
    support_folder_remove(folder);
    support_context_end(c, &f);
}

static void test_threshold_is_reached(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    elb_dataset *d = ramp(c, 3, 2);
    const elb_batch_spec half = {.binarise = ELB_BINARISE_THRESHOLD, .threshold = 0.5};
    elb_real x[6];
    elb_dataset_batch(d, table(c), &half, NULL, 3, x);
    for (int i = 0; i < 6; i++) assert_true(x[i] == (i >= 2));
    elb_dataset_destroy(d);
    support_context_end(c, &f);
}

/* Each datum's share of ones is its value, within 5 standard errors; the ends are certain. */
static void test_chance(void **state)
{
    (void)state;
    enum { COUNT = 11, SIZE = 20000 };
    fault f;
    elb_context *c = support_context(&f);
    elb_dataset *d = ramp(c, COUNT, SIZE);
    elb_real *x = malloc(COUNT * SIZE * sizeof *x);
    for (int how = ELB_BINARISE_DYNAMIC; how <= ELB_BINARISE_STATIC; how++) {
        elb_dataset_batch(d, table(c), &(elb_batch_spec){.binarise = how, .seed = 3, .epoch = 2}, NULL, COUNT, x);
        for (int i = 0; i < COUNT; i++) {
            double p = i / 10.0, ones = 0;
            for (int k = 0; k < SIZE; k++) {
                assert_true(x[i * SIZE + k] == 0 || x[i * SIZE + k] == 1);
                ones += x[i * SIZE + k];
            }
            support_assert_near(ones / SIZE, p, 5 * sqrt(p * (1 - p) / SIZE), 0);
        }
    }
    free(x);
    elb_dataset_destroy(d);
    support_context_end(c, &f);
}

/* Whether two specifications give the same bits for the whole set. */
static bool same_bits(const elb_dataset *d, const elb_kernels *k, elb_batch_spec a, elb_batch_spec b)
{
    enum { COUNT = 5, SIZE = 64 };
    elb_real x[COUNT * SIZE], y[COUNT * SIZE];
    elb_dataset_batch(d, k, &a, NULL, COUNT, x);
    elb_dataset_batch(d, k, &b, NULL, COUNT, y);
    return memcmp(x, y, sizeof x) == 0;
}

static void test_what_chance_depends_on(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    elb_dataset *d = ramp(c, 5, 64);
    const elb_kernels *k = table(c);
    const elb_batch_spec dynamic = {.binarise = ELB_BINARISE_DYNAMIC, .seed = 1, .epoch = 4, .draw = 2};
    elb_batch_spec s = dynamic;
    assert_true(same_bits(d, k, dynamic, s));
    s.epoch = 5;
    assert_false(same_bits(d, k, dynamic, s));
    s = dynamic;
    s.draw = 3;
    assert_false(same_bits(d, k, dynamic, s));
    s = dynamic;
    s.seed = 2;
    assert_false(same_bits(d, k, dynamic, s));
    const elb_batch_spec fixed = {.binarise = ELB_BINARISE_STATIC, .seed = 1};
    s = fixed;
    s.epoch = 7;
    s.draw = 3;
    assert_true(same_bits(d, k, fixed, s));
    s.seed = 2;
    assert_false(same_bits(d, k, fixed, s));
    s = fixed;
    s.binarise = ELB_BINARISE_DYNAMIC;
    assert_true(same_bits(d, k, fixed, s)); /* epoch 0, draw 0 */
    elb_dataset_destroy(d);
    support_context_end(c, &f);
}

/* A datum's bits are the same in whatever batch it comes. */
static void test_batch_does_not_matter(void **state)
{
    (void)state;
    enum { COUNT = 40, SIZE = 17 };
    fault f;
    elb_context *c = support_context(&f);
    elb_dataset *d = ramp(c, COUNT, SIZE);
    const elb_batch_spec s = {.binarise = ELB_BINARISE_DYNAMIC, .seed = 9, .epoch = 1};
    elb_real whole[COUNT * SIZE], one[SIZE];
    elb_dataset_batch(d, table(c), &s, NULL, COUNT, whole);
    for (int64_t i = 0; i < COUNT; i++) {
        elb_dataset_batch(d, table(c), &s, &i, 1, one);
        assert_memory_equal(one, whole + i * SIZE, sizeof one);
    }
    elb_dataset_destroy(d);
    support_context_end(c, &f);
}

/* Training and validation draw differently; a test file alone and as part of a set alike. */
static void test_parts_draw_apart(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    elb_data_options o = data_options("synthetic:circle");
    uint64_t origin[4];
    for (int part = ELB_PART_TRAIN; part <= ELB_PART_ALL; part++) {
        elb_dataset *d = NULL;
        assert_int_equal(elb_dataset_load(c, &o, 1, (elb_part)part, &d), ELB_OK);
        origin[part] = d->origin;
        elb_dataset_destroy(d);
    }
    assert_true(origin[ELB_PART_TEST] == 0 && origin[ELB_PART_ALL] == 0);
    assert_true(origin[ELB_PART_TRAIN] != 0 && origin[ELB_PART_VALIDATION] != 0);
    assert_true(origin[ELB_PART_TRAIN] != origin[ELB_PART_VALIDATION]);
    support_context_end(c, &f);
}

typedef struct batch_thread {
    const elb_dataset *d;
    const elb_kernels *k;
    int64_t indices[25];
    elb_real x[25 * 64];
} batch_thread;

static void *batch_run(void *user)
{
    batch_thread *t = user;
    const elb_batch_spec s = {.binarise = ELB_BINARISE_DYNAMIC, .seed = 5};
    elb_dataset_batch(t->d, t->k, &s, t->indices, 25, t->x);
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    fault f;
    elb_context *c = support_context(&f);
    elb_dataset *d = ramp(c, 100, 64);
    static batch_thread threads[THREADS];
    static elb_real whole[100 * 64];
    pthread_t ids[THREADS];
    for (int i = 0; i < THREADS; i++) {
        threads[i].d = d;
        threads[i].k = table(c);
        for (int j = 0; j < 25; j++) threads[i].indices[j] = 25 * i + j;
        assert_int_equal(pthread_create(&ids[i], NULL, batch_run, &threads[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(ids[i], NULL), 0);
    elb_dataset_batch(d, table(c), &(elb_batch_spec){.binarise = ELB_BINARISE_DYNAMIC, .seed = 5}, NULL, 100, whole);
    for (int i = 0; i < THREADS; i++) assert_memory_equal(threads[i].x, whole + 25 * 64 * i, sizeof threads[i].x);
    elb_dataset_destroy(d);
    support_context_end(c, &f);
}

/* --- random orders --- */

static void test_permutation(void **state)
{
    (void)state;
    enum { N = 1000 };
    int64_t a[N], b[N];
    char seen[N] = {0};
    elb_permutation(1, 2, N, a);
    for (int i = 0; i < N; i++) {
        assert_in_range(a[i], 0, N - 1);
        assert_int_equal(seen[a[i]]++, 0);
    }
    elb_permutation(1, 2, N, b);
    assert_memory_equal(a, b, sizeof a);
    elb_permutation(1, 3, N, b);
    assert_memory_not_equal(a, b, sizeof a);
    elb_permutation(2, 2, N, b);
    assert_memory_not_equal(a, b, sizeof a);
    elb_permutation(1, 1, 1, a);
    assert_int_equal(a[0], 0);
    elb_permutation(1, 1, 0, NULL);
}

/* All 24 orders of 4 are equally likely: chi-square with 23 degrees of freedom below its 1 - 1e-6 quantile. */
static void test_permutation_is_uniform(void **state)
{
    (void)state;
    enum { DRAWS = 24000 };
    int counts[256] = {0}, found = 0;
    double chi_square = 0;
    for (uint32_t epoch = 0; epoch < DRAWS; epoch++) {
        int64_t p[4];
        elb_permutation(7, epoch, 4, p);
        counts[p[0] | p[1] << 2 | p[2] << 4 | p[3] << 6]++;
    }
    for (int i = 0; i < 256; i++) {
        found += counts[i] > 0;
        if (counts[i]) chi_square += (counts[i] - 1000.0) * (counts[i] - 1000.0) / 1000;
    }
    assert_int_equal(found, 24);
    assert_true(chi_square < 70.6);
}

/* --- synthetic sets --- */

static const elb_synthetic *synthetic(const char *name)
{
    const elb_synthetic *s = elb_synthetic_table;
    while (s->name && strcmp(s->name, name) != 0) s++;
    assert_non_null(s->name);
    return s;
}

/* Values of f at z = -1, 0, 1, computed from the formulas by an independent program at 30 digits. */
static void test_synthetic_formulas(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double variance, want[3][2];
    } cases[] = {
        {"figure-8",
         0.02,
         {{-0.58902495678955755, -0.41440421999474546}, {0.0, 0.0}, {0.58902495678955755, 0.41440421999474546}}},
        {"circle",
         0.01,
         {{0.54294155417766279, 0.83977048575616425}, {-1.0, 0.0}, {0.54294155417766279, -0.83977048575616425}}},
        {"absolute-value",
         0.01,
         {{0.6826894921370859, 0.6826894921370859}, {0.0, 0.0}, {0.6826894921370859, 0.6826894921370859}}},
        {"clusters",
         0.2,
         {{-0.97976972740157494, -0.20012816210479606},
          {0.076414954389099117, 0.99707610278539516},
          {0.80461262771521189, -0.59380006679119011}}},
        {"spiral-dots",
         0.08,
         {{-0.83229391167670009, 1.8185948618723168},
          {5.7610248525428964, -1.6764864764432429},
          {-8.3906544533562085, -5.440329244255873}}},
    };
    const double z[3] = {-1, 0, 1};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const elb_synthetic *s = synthetic(cases[i].name);
        assert_int_equal(s->size, 2);
        assert_int_equal(s->latent, 1);
        assert_true(s->variance == cases[i].variance);
        for (int k = 0; k < 3; k++) {
            double x[2];
            s->f(&z[k], x);
            support_assert_near(x[0], cases[i].want[k][0], 1e-12, 1e-12);
            support_assert_near(x[1], cases[i].want[k][1], 1e-12, 1e-12);
        }
    }
}

/* The circle's radius shows the noise: E|x|^2 = 1 + 2 s2. */
static void test_synthetic_noise(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    elb_data_options o = data_options("synthetic:circle");
    double sum = 0, angle[2] = {0, 0};
    for (uint64_t seed = 0; seed < 20; seed++) {
        elb_dataset *d = NULL;
        assert_int_equal(elb_dataset_load(c, &o, seed, ELB_PART_TRAIN, &d), ELB_OK);
        float x[2000];
        assert_int_equal(elb_dataset_count(d), 1000);
        assert_int_equal(elb_dataset_rows(d, 0, 1000, x), ELB_OK);
        for (int i = 0; i < 1000; i++) {
            sum += x[2 * i] * x[2 * i] + x[2 * i + 1] * x[2 * i + 1];
            angle[0] += x[2 * i];
            angle[1] += x[2 * i + 1];
        }
        elb_dataset_destroy(d);
    }
    /* Var |x|^2 = 4 s2 + 4 s2^2 = 0.0404; Var x = 0.51. */
    support_assert_near(sum / 20000, 1.02, 5 * sqrt(0.0404 / 20000), 0);
    support_assert_near(angle[0] / 20000, 0, 5 * sqrt(0.51 / 20000), 0);
    support_assert_near(angle[1] / 20000, 0, 5 * sqrt(0.51 / 20000), 0);
    support_context_end(c, &f);
}

static void test_synthetic_parts(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    elb_data_options o = data_options("synthetic:spiral-dots");
    float x[4][2000], again[2000];
    for (int part = ELB_PART_TRAIN; part <= ELB_PART_ALL; part++) {
        elb_dataset *d = NULL;
        assert_int_equal(elb_dataset_load(c, &o, 3, (elb_part)part, &d), ELB_OK);
        assert_int_equal(elb_dataset_count(d), 1000);
        assert_int_equal(elb_dataset_rows(d, 0, 1000, x[part]), ELB_OK);
        elb_dataset_destroy(d);
        assert_int_equal(elb_dataset_load(c, &o, 3, (elb_part)part, &d), ELB_OK);
        assert_int_equal(elb_dataset_rows(d, 0, 1000, again), ELB_OK);
        assert_memory_equal(x[part], again, sizeof again);
        elb_dataset_destroy(d);
    }
    assert_memory_not_equal(x[0], x[1], sizeof again);
    assert_memory_not_equal(x[0], x[2], sizeof again);
    assert_memory_not_equal(x[1], x[2], sizeof again);
    assert_memory_equal(x[2], x[3], sizeof again);
    support_context_end(c, &f);
}

/* Mean and covariance of the linear-Gaussian set are mu and W W^T + s2 I, from columns of f itself. */
static void test_linear_gaussian(void **state)
{
    (void)state;
    enum { D = ELB_LINEAR_GAUSSIAN_SIZE, Z = ELB_LINEAR_GAUSSIAN_LATENT, SEEDS = 20 };
    const elb_synthetic *s = synthetic("linear-gaussian");
    const double zero[Z] = {0};
    double mu[D], w[Z][D], mean[D] = {0}, moment[D][D] = {{0}};
    s->f(zero, mu);
    for (int j = 0; j < Z; j++) {
        double z[Z] = {0};
        z[j] = 1;
        s->f(z, w[j]);
        for (int i = 0; i < D; i++) {
            w[j][i] -= mu[i];
            support_assert_near(w[j][i], 0.5 * (3 - j) * sin((i + 1) * (j + 1)), 1e-12, 0);
        }
    }
    fault f;
    elb_context *c = support_context(&f);
    elb_data_options o = data_options("synthetic:linear-gaussian");
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        elb_dataset *d = NULL;
        float x[1000 * D];
        assert_int_equal(elb_dataset_load(c, &o, seed, ELB_PART_TRAIN, &d), ELB_OK);
        assert_int_equal(elb_dataset_rows(d, 0, 1000, x), ELB_OK);
        for (int n = 0; n < 1000; n++)
            for (int i = 0; i < D; i++) {
                mean[i] += (x[n * D + i] - mu[i]) / (1000 * SEEDS);
                for (int j = 0; j < D; j++)
                    moment[i][j] += (x[n * D + i] - mu[i]) * (x[n * D + j] - mu[j]) / (1000 * SEEDS);
            }
        elb_dataset_destroy(d);
    }
    for (int i = 0; i < D; i++)
        for (int j = 0; j < D; j++) {
            double want = i == j ? s->variance : 0, vi = s->variance, vj = s->variance;
            for (int k = 0; k < Z; k++) {
                want += w[k][i] * w[k][j];
                vi += w[k][i] * w[k][i];
                vj += w[k][j] * w[k][j];
            }
            support_assert_near(mean[i], 0, 5 * sqrt(vi / (1000 * SEEDS)), 0);
            support_assert_near(moment[i][j], want, 5 * sqrt((vi * vj + want * want) / (1000 * SEEDS)), 0);
        }
    support_context_end(c, &f);
}

/* --- the real sets --- */

/* The mean pixel of a training set, as published with the set, to the digits that everyone quotes. */
static void check_real(const elb_data_options *o, double mean, int first_label)
{
    fault f;
    elb_context *c = support_context(&f);
    elb_dataset *d = NULL;
    double sum = 0;
    if (elb_dataset_load(c, o, 1, ELB_PART_TRAIN, &d) != ELB_OK) fail_msg("%s", elb_context_message(c));
    assert_string_equal(elb_dataset_describe(d), "60000 x 28x28, 8-bit, range 0..255, 0 NaN");
    for (int64_t i = 0; i < 60000 * 784; i++) sum += ((const uint8_t *)d->array.values)[i];
    support_assert_near(sum / (255.0 * 60000 * 784), mean, 5e-5, 0);
    assert_int_equal(elb_dataset_label(d, 0), first_label);
    elb_dataset_destroy(d);
    assert_int_equal(elb_dataset_load(c, o, 1, ELB_PART_TEST, &d), ELB_OK);
    assert_string_equal(elb_dataset_describe(d), "10000 x 28x28, 8-bit, range 0..255, 0 NaN");
    elb_dataset_destroy(d);
    support_context_end(c, &f);
}

static void test_fashion_mnist(void **state)
{
    (void)state;
    elb_data_options o = data_options("fashion-mnist");
    if (access("/usr/share/datasets/fashion-mnist", R_OK) != 0) {
        print_message("skipped: Debian's package dataset-fashion-mnist is not installed\n");
        skip();
    }
    check_real(&o, 0.2860, 9);
}

static void test_mnist(void **state)
{
    (void)state;
    elb_data_options o = data_options("mnist");
    const char *folder = getenv("ELBOW_MNIST");
    snprintf(o.folder, sizeof o.folder, "%s", folder ? folder : ELB_TEST_FOLDER "/../../shared/data/mnist");
    if (access(o.folder, R_OK) != 0) {
        print_message("skipped: there is no MNIST in '%s'; set ELBOW_MNIST\n", o.folder);
        skip();
    }
    check_real(&o, 0.1307, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scaling),
        cmocka_unit_test(test_threshold_is_reached),
        cmocka_unit_test(test_chance),
        cmocka_unit_test(test_what_chance_depends_on),
        cmocka_unit_test(test_batch_does_not_matter),
        cmocka_unit_test(test_parts_draw_apart),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_permutation),
        cmocka_unit_test(test_permutation_is_uniform),
        cmocka_unit_test(test_synthetic_formulas),
        cmocka_unit_test(test_synthetic_noise),
        cmocka_unit_test(test_synthetic_parts),
        cmocka_unit_test(test_linear_gaussian),
        cmocka_unit_test(test_fashion_mnist),
        cmocka_unit_test(test_mnist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
