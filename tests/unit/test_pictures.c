/* test_pictures.c - samples and reconstructions: what is drawn, what is written, refusals, faults. */
#include "world_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <elbow/task.h>

/* --- a VAE and its data ------------------------------------------------------------------------------------------- */

enum { SIDE = 3, SIZE = 9, LATENT = 2 };

/* Linear networks, so that decodings can be recomputed by hand. */
static world world_linear(elb_context *c, int64_t n)
{
    return world_make(c, n, 2, (int64_t[]){SIDE, SIDE},
                      "model.latent=2 data.binarise=dynamic model.hidden= posterior.hidden=");
}

/* --- what was written --------------------------------------------------------------------------------------------- */

/* The numbers of a CSV, row by row; the header is checked to name `columns` of them, the first `first`. */
static double *table_read(const char *path, const char *first, int columns, int64_t *rows)
{
    char *text = support_file_read(path, NULL), *line = strchr(text, '\n');
    int commas = 0;
    assert_non_null(line);
    for (char *p = text; p < line; p++) commas += *p == ',';
    assert_int_equal(commas + 1, columns);
    assert_int_equal(strncmp(text, first, strlen(first)), 0);
    double *numbers = malloc(strlen(text) * sizeof *numbers);
    *rows = 0;
    for (line++; *line != '\0'; ++*rows)
        for (int k = 0; k < columns; k++) {
            numbers[*rows * columns + k] = strtod(line, &line);
            assert_int_equal(*line++, k < columns - 1 ? ',' : '\n');
        }
    free(text);
    return numbers;
}

static void assert_png(const char *path)
{
    size_t size;
    char *bytes = support_file_read(path, &size);
    assert_true(size > 60);
    assert_memory_equal(bytes, "\x89PNG\r\n\x1a\n", 8);
    free(bytes);
}

static double decoded(const world *w, const double *z, int d)
{
    elb_model *m = w->vae->model;
    const elb_real *weight = elb_params_data(&m->params, m->decoder.layer[0].weight);
    double a = (double)elb_mlp_output_bias(&m->decoder)[d];
    for (int u = 0; u < LATENT; u++) a += (double)weight[d * LATENT + u] * z[u];
    return 1 / (1 + exp(-a));
}

/* --- samples ------------------------------------------------------------------------------------------------------ */

static void test_samples(void **state)
{
    (void)state;
    enum { N = 1000, WIDTH = SIZE + LATENT };
    elb_context *c = support_context(NULL);
    world w = world_linear(c, 4);
    elb_picture_settings how = {.count = N, .seed = 5, .table = support_path(w.folder, "s.csv")};
    assert_int_equal(elb_sample_images(w.vae, &how), ELB_OK);
    int64_t rows;
    double *t = table_read(how.table, "x_0,x_1,", WIDTH, &rows), sum[LATENT] = {0}, square[LATENT] = {0};
    assert_int_equal(rows, N);
    for (int64_t i = 0; i < N; i++) {
        const double *z = t + i * WIDTH + SIZE;
        for (int d = 0; d < SIZE; d++) support_assert_near(t[i * WIDTH + d], decoded(&w, z, d), 1e-5, 0);
        for (int u = 0; u < LATENT; u++) sum[u] += z[u], square[u] += z[u] * z[u];
    }
    for (int u = 0; u < LATENT; u++) { /* standard normal, within five standard errors */
        support_assert_near(sum[u] / N, 0, 5 / sqrt(N), 0);
        support_assert_near(square[u] / N, 1, 5 * sqrt(2.0 / N), 0);
    }
    free(t);
    world_end(&w);
    support_context_end(c, NULL);
}

/* A sample is the same whatever is asked for beside it; another seed gives others. */
static void test_sample_prefix(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    world w = world_linear(c, 4);
    const char *paths[] = {support_path(w.folder, "300.csv"), support_path(w.folder, "5.csv"),
                           support_path(w.folder, "other.csv")};
    elb_picture_settings how = {.count = 300, .seed = 1, .table = paths[0], .draw = true};
    assert_int_equal(elb_sample_images(w.vae, &how), ELB_OK);
    how.count = 5;
    how.table = paths[1];
    assert_int_equal(elb_sample_images(w.vae, &how), ELB_OK);
    how.seed = 2;
    how.table = paths[2];
    assert_int_equal(elb_sample_images(w.vae, &how), ELB_OK);
    char *all = support_file_read(paths[0], NULL), *some = support_file_read(paths[1], NULL);
    char *other = support_file_read(paths[2], NULL);
    assert_int_equal(strncmp(all, some, strlen(some)), 0);
    assert_string_not_equal(some, other);
    free(all);
    free(some);
    free(other);
    world_end(&w);
    support_context_end(c, NULL);
}

/* Draws are bits, as often 1 as the mean says. */
static void test_draws(void **state)
{
    (void)state;
    enum { N = 2000, WIDTH = SIZE + LATENT };
    elb_context *c = support_context(NULL);
    world w = world_linear(c, 4);
    elb_picture_settings how = {.count = N, .seed = 5, .draw = true, .table = support_path(w.folder, "s.csv")};
    assert_int_equal(elb_sample_images(w.vae, &how), ELB_OK);
    int64_t rows;
    double *t = table_read(how.table, "x_0,", WIDTH, &rows), surplus = 0, variance = 0;
    for (int64_t i = 0; i < N; i++)
        for (int d = 0; d < SIZE; d++) {
            double x = t[i * WIDTH + d], p = decoded(&w, t + i * WIDTH + SIZE, d);
            assert_true(x == 0 || x == 1);
            surplus += x - p;
            variance += p * (1 - p);
        }
    assert_true(fabs(surplus) < 5 * sqrt(variance));
    free(t);
    world_end(&w);
    support_context_end(c, NULL);
}

/* --- reconstructions ---------------------------------------------------------------------------------------------- */

enum { RECONSTRUCTION_WIDTH = 2 * SIZE + 3 * LATENT + 1 };

static double *reconstruct(world *w, elb_picture_settings how, int64_t *rows)
{
    how.table = support_path(w->folder, "r.csv");
    assert_int_equal(elb_reconstruct_images(w->vae, w->data, &how), ELB_OK);
    return table_read(how.table, "x_0,", RECONSTRUCTION_WIDTH, rows);
}

static void test_reconstructions(void **state)
{
    (void)state;
    enum { N = 200 };
    elb_context *c = support_context(NULL);
    world w = world_linear(c, N);
    const elb_machine *machine;
    assert_int_equal(elb_machine_of(c, &machine), ELB_OK);
    elb_real *x = malloc(N * SIZE * sizeof *x);
    elb_batch_spec spec = elb_config_batch_spec(w.config, 0);
    elb_dataset_batch(w.data, machine->kernels, &spec, NULL, N, x);
    int64_t rows;
    double *t = reconstruct(&w, (elb_picture_settings){.count = N + 50, .seed = 3}, &rows), score = 0;
    assert_int_equal(rows, N); /* no more than there are */
    for (int64_t i = 0; i < N; i++) {
        const double *row = t + i * RECONSTRUCTION_WIDTH, *z = row + 2 * SIZE, *mean = z + LATENT, *s = mean + LATENT;
        double error = 0;
        for (int d = 0; d < SIZE; d++) {
            assert_true(row[d] == (double)x[i * SIZE + d]); /* as the model sees it: binarised */
            support_assert_near(row[SIZE + d], decoded(&w, z, d), 1e-5, 0);
            error += pow(row[d] - row[SIZE + d], 2) / SIZE;
        }
        support_assert_near(row[RECONSTRUCTION_WIDTH - 1], error, 1e-6, 0);
        for (int u = 0; u < LATENT; u++) score += pow((z[u] - mean[u]) / exp(s[u] / 2), 2);
    }
    /* z is a draw from N(mean, exp s): the squared scores are chi-square */
    support_assert_near(score / (N * LATENT), 1, 5 * sqrt(2.0 / (N * LATENT)), 0);
    free(t);

    t = reconstruct(&w, (elb_picture_settings){.count = 3, .mean_latent = true}, &rows);
    assert_int_equal(rows, 3);
    for (int64_t i = 0; i < 3; i++)
        assert_memory_equal(t + i * RECONSTRUCTION_WIDTH + 2 * SIZE, t + i * RECONSTRUCTION_WIDTH + 2 * SIZE + LATENT,
                            LATENT * sizeof *t);
    free(t);
    free(x);
    world_end(&w);
    support_context_end(c, NULL);
}

/* --- pictures of every shape of data ------------------------------------------------------------------------------ */

static void check_pictures(int rank, const int64_t *shape, const char *settings)
{
    elb_context *c = support_context(NULL);
    world w = world_make(c, 12, rank, shape, settings);
    elb_picture_settings how = {.count = 7, .png = support_path(w.folder, "samples.png")};
    if (elb_sample_images(w.vae, &how) != ELB_OK) fail_msg("%s", elb_context_message(c));
    assert_png(how.png);
    how.png = support_path(w.folder, "reconstructions.png");
    how.table = support_path(w.folder, "reconstructions.npz");
    if (elb_reconstruct_images(w.vae, w.data, &how) != ELB_OK) fail_msg("%s", elb_context_message(c));
    assert_png(how.png);
    assert_int_equal(support_folder_count(w.folder), 3);
    world_end(&w);
    support_context_end(c, NULL);
}

static void test_shapes(void **state)
{
    (void)state;
    const int64_t grey[] = {5, 4}, colour[] = {4, 4, 3}, table[] = {6}, plane[] = {2};
    check_pictures(2, grey, "model.latent=3 data.binarise=static");
    check_pictures(3, colour, "model.latent=3 likelihood.type=continuous-bernoulli");
    check_pictures(1, table, "model.latent=3 likelihood.type=gaussian likelihood.variance=predicted");
    check_pictures(1, plane, "model.latent=1 likelihood.type=gaussian");
}

/* The NPZ has the names that the manual promises. */
static void test_npz_names(void **state)
{
    (void)state;
    static const char *const names[] = {"x.npy",    "reconstruction.npy", "z.npy",
                                        "mean.npy", "log_variance.npy",   "mean_squared_error.npy"};
    elb_context *c = support_context(NULL);
    world w = world_linear(c, 4);
    elb_picture_settings how = {.count = 3, .table = support_path(w.folder, "r.npz")};
    assert_int_equal(elb_reconstruct_images(w.vae, w.data, &how), ELB_OK);
    size_t size;
    char *bytes = support_file_read(how.table, &size);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_non_null(memmem(bytes, size, names[i], strlen(names[i])));
    free(bytes);
    world_end(&w);
    support_context_end(c, NULL);
}

/* --- refusals and faults ------------------------------------------------------------------------------------------ */

static void test_refusals(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    const int64_t other[] = {4};
    world w = world_linear(c, 4), wide = world_make(c, 3, 1, other, "data.binarise=static model.latent=1");
    elb_picture_settings how = {.count = 0, .png = support_path(w.folder, "a.png")};
    assert_int_equal(elb_sample_images(w.vae, &how), ELB_USAGE);
    support_assert_message(c, "at least 1 datum, not 0");
    assert_int_equal(elb_reconstruct_images(w.vae, w.data, &how), ELB_USAGE);
    how.count = INT64_MAX;
    assert_int_equal(elb_sample_images(w.vae, &how), ELB_USAGE);
    support_assert_message(c, "more than can be written");
    how = (elb_picture_settings){.count = 2};
    assert_int_equal(elb_sample_images(w.vae, &how), ELB_USAGE);
    support_assert_message(c, "nothing to write");
    how.table = "a.txt";
    assert_int_equal(elb_sample_images(w.vae, &how), ELB_USAGE);
    support_assert_message(c, "must end in .npz");
    how.table = "a.npy";
    assert_int_equal(elb_reconstruct_images(w.vae, w.data, &how), ELB_USAGE);
    how = (elb_picture_settings){.count = 2, .png = "/nonexistent/a.png"};
    assert_int_equal(elb_sample_images(w.vae, &how), ELB_FAILURE);
    assert_int_equal(elb_reconstruct_images(w.vae, wide.data, &how), ELB_MODEL);
    assert_int_equal(elb_config_set(w.vae->config, "data.binarise", "none"), ELB_OK);
    assert_int_equal(elb_reconstruct_images(w.vae, w.data, &how), ELB_DATA);
    assert_int_equal(support_folder_count(w.folder), 0);
    world_end(&w);
    world_end(&wide);
    support_context_end(c, NULL);
}

static elb_status picture_all(world *w)
{
    elb_picture_settings how = {
        .count = 3, .png = support_path(w->folder, "s.png"), .draw = true, .table = support_path(w->folder, "s.csv")};
    ELB_TRY(elb_sample_images(w->vae, &how));
    how.png = support_path(w->folder, "r.png");
    how.table = support_path(w->folder, "r.npz");
    return elb_reconstruct_images(w->vae, w->data, &how);
}

static void test_faults(void **state)
{
    (void)state;
    fault faults;
    elb_context *c = support_context(&faults);
    world w = world_linear(c, 4);
    elb_status status = ELB_MEMORY;
    int64_t live = faults.live, n = 0;
    while (status != ELB_OK) {
        faults.alloc_countdown = ++n;
        status = picture_all(&w);
        assert_true(status == ELB_OK || status == ELB_MEMORY);
        assert_int_equal(faults.live, live);
        assert_true(n < 1000);
    }
    assert_true(n > 20);
    assert_int_equal(support_folder_count(w.folder), 4);
    faults.alloc_countdown = 0;
    status = ELB_FAILURE;
    for (n = 1; status != ELB_OK; n++) {
        faults.write_countdown = n;
        status = picture_all(&w);
        assert_true(status == ELB_OK || status == ELB_FAILURE);
        assert_int_equal(support_folder_count(w.folder), 4);
    }
    assert_true(n - 2 >= 4); /* each file is written at least once */
    faults.write_countdown = 0;
    world_end(&w);
    support_context_end(c, &faults);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),         cmocka_unit_test(test_sample_prefix), cmocka_unit_test(test_draws),
        cmocka_unit_test(test_reconstructions), cmocka_unit_test(test_shapes),        cmocka_unit_test(test_npz_names),
        cmocka_unit_test(test_refusals),        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
