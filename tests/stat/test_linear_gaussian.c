/* test_linear_gaussian.c - a VAE with linear networks reaches the maximum of the likelihood of
 * probabilistic PCA (Tipping & Bishop 1999), which the data's covariance gives in closed form; so do its
 * ELBO and its importance estimate. */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <elbow/train.h>

#include "infer/importance.h"
#include "run/vae.h"

enum { D = 10, SWEEPS = 60 };
#define LOG_2PI 1.8378770664093454836

/* --- the closed form ---------------------------------------------------------------------------------------------- */

/* Eigenvalues of the symmetric a, which is overwritten, largest first: Jacobi's rotations. */
static void eigenvalues(double a[D][D], double l[D])
{
    for (int sweep = 0; sweep < SWEEPS; sweep++)
        for (int p = 0; p < D; p++)
            for (int q = p + 1; q < D; q++) {
                if (a[p][q] == 0) continue;
                double angle = 0.5 * atan2(2 * a[p][q], a[q][q] - a[p][p]), c = cos(angle), s = sin(angle);
                for (int i = 0; i < D; i++) {
                    double x = a[i][p], y = a[i][q];
                    a[i][p] = c * x - s * y;
                    a[i][q] = s * x + c * y;
                }
                for (int i = 0; i < D; i++) {
                    double x = a[p][i], y = a[q][i];
                    a[p][i] = c * x - s * y;
                    a[q][i] = s * x + c * y;
                }
            }
    for (int i = 0; i < D; i++) l[i] = a[i][i];
    for (int i = 1; i < D; i++)
        for (int j = i; j > 0 && l[j] > l[j - 1]; j--) {
            double swap = l[j];
            l[j] = l[j - 1];
            l[j - 1] = swap;
        }
}

/* Mean and (biased) covariance. */
static void moments(const float *x, int64_t n, double mean[D], double s[D][D])
{
    for (int i = 0; i < D; i++) {
        mean[i] = 0;
        for (int64_t r = 0; r < n; r++) mean[i] += (double)x[r * D + i] / (double)n;
    }
    for (int i = 0; i < D; i++)
        for (int j = 0; j < D; j++) {
            s[i][j] = 0;
            for (int64_t r = 0; r < n; r++)
                s[i][j] += ((double)x[r * D + i] - mean[i]) * ((double)x[r * D + j] - mean[j]) / (double)n;
        }
}

/* The greatest mean log-likelihood of any model with `latent` dimensions. */
static double best_possible(const float *x, int64_t n, int latent)
{
    double mean[D], s[D][D], l[D], sum = D * LOG_2PI + D, rest = 0;
    moments(x, n, mean, s);
    eigenvalues(s, l);
    for (int i = 0; i < latent; i++) sum += log(l[i]);
    for (int i = latent; i < D; i++) rest += l[i] / (D - latent);
    return -0.5 * (sum + (D - latent) * log(rest));
}

/* --- the trained model -------------------------------------------------------------------------------------------- */

/* Replaces the symmetric positive c by its Cholesky factor. */
static void cholesky(double c[D][D])
{
    for (int j = 0; j < D; j++)
        for (int i = j; i < D; i++) {
            double sum = c[i][j];
            for (int k = 0; k < j; k++) sum -= c[i][k] * c[j][k];
            c[i][j] = i == j ? sqrt(sum) : sum / c[j][j];
        }
}

/* Mean of log N(x; b, W W^T + s2 I), W [D,latent], b [D] and s2 the decoder's. */
static double exact_log_likelihood(const elb_vae *vae, const float *x, int64_t n, int latent)
{
    elb_model *m = vae->model;
    const elb_real *w = elb_params_data(&m->params, 0), *b = elb_params_data(&m->params, 1);
    const elb_real *log_variance = elb_params_data(&m->params, 2);
    double c[D][D], determinant = 0, square = 0;
    assert_string_equal(m->params.at[2].name, "likelihood.log_variance");
    for (int i = 0; i < D; i++)
        for (int j = 0; j < D; j++) {
            c[i][j] = i == j ? exp((double)log_variance[0]) : 0;
            for (int k = 0; k < latent; k++) c[i][j] += (double)w[i * latent + k] * (double)w[j * latent + k];
        }
    cholesky(c);
    for (int i = 0; i < D; i++) determinant += 2 * log(c[i][i]);
    for (int64_t r = 0; r < n; r++) {
        double y[D];
        for (int i = 0; i < D; i++) {
            y[i] = (double)x[r * D + i] - (double)b[i];
            for (int k = 0; k < i; k++) y[i] -= c[i][k] * y[k];
            y[i] /= c[i][i];
            square += y[i] * y[i] / (double)n;
        }
    }
    return -0.5 * (D * LOG_2PI + determinant + square);
}

/* Means over all data of the estimates by importance sampling. */
static elb_importance_result estimated(elb_context *c, const elb_vae *vae, const float *x, int64_t n)
{
    elb_real rows[ELB_IMPORTANCE_BLOCK * D];
    elb_importance *e;
    elb_importance_result mean = {0, 0, 0, 0}, block[ELB_IMPORTANCE_BLOCK];
    uint64_t datum[ELB_IMPORTANCE_BLOCK];
    assert_int_equal(elb_importance_create(c, vae->model, vae->posterior, NULL, 32, 5, &e), ELB_OK);
    for (int64_t first = 0; first < n; first += ELB_IMPORTANCE_BLOCK) {
        int64_t count = n - first < ELB_IMPORTANCE_BLOCK ? n - first : ELB_IMPORTANCE_BLOCK;
        for (int64_t i = 0; i < count; i++) datum[i] = (uint64_t)(first + i);
        for (int64_t i = 0; i < count * D; i++) rows[i] = (elb_real)x[first * D + i];
        assert_int_equal(elb_importance_block(e, count, datum, rows, block), ELB_OK);
        for (int64_t i = 0; i < count; i++) {
            mean.log_likelihood += block[i].log_likelihood / (double)n;
            mean.elbo += block[i].elbo / (double)n;
        }
    }
    elb_importance_destroy(e);
    return mean;
}

static void compare(elb_context *c, const elb_vae *vae, const float *x, int64_t n, int latent)
{
    double best = best_possible(x, n, latent), got = exact_log_likelihood(vae, x, n, latent);
    elb_importance_result e = estimated(c, vae, x, n);
    print_message("latent %d: possible %.5f, reached %.5f, estimated %.5f, ELBO %.5f nats per datum\n", latent, best,
                  got, e.log_likelihood, e.elbo);
    assert_true(got > best - 0.01 && got < best + 1e-4);
    support_assert_near(e.log_likelihood, got, 0.005, 0); /* the posterior is exact, and so is every weight, but for */
    support_assert_near(e.elbo, got, 0.06, 0); /* what training has left; the closed KL leaves noise of 0.012 */
}

static void reaches(int latent)
{
    char *folder = support_folder_make(), number[16];
    elb_context *c = support_context(NULL);
    elb_config *config;
    elb_dataset *data;
    elb_vae *vae;
    elb_train_result result;
    snprintf(number, sizeof number, "%d", latent);
    assert_int_equal(elb_config_create(c, &config), ELB_OK);
    assert_int_equal(elb_config_preset(config, "linear-gaussian"), ELB_OK);
    assert_int_equal(elb_config_set(config, "data.spec", "synthetic:linear-gaussian"), ELB_OK);
    assert_int_equal(elb_config_set(config, "model.latent", number), ELB_OK);
    elb_train_settings settings = {.folder = support_path(folder, "run")};
    if (elb_train(config, &settings, &result) != ELB_OK) fail_msg("%s", elb_context_message(c));
    assert_int_equal(elb_config_open_data(config, NULL, ELB_PART_TRAIN, &data), ELB_OK);
    int64_t n = elb_dataset_count(data);
    float *x = malloc((size_t)(n * D) * sizeof *x);
    assert_int_equal(elb_dataset_size(data), D);
    assert_int_equal(elb_dataset_rows(data, 0, n, x), ELB_OK);
    assert_int_equal(elb_vae_open(c, support_path(folder, "run"), &vae), ELB_OK);
    compare(c, vae, x, n, latent);
    elb_vae_destroy(vae);
    elb_dataset_destroy(data);
    elb_config_destroy(config);
    free(x);
    support_context_end(c, NULL);
    support_folder_remove(folder);
}

static void test_ppca(void **state)
{
    (void)state;
    for (int latent = 1; latent <= 3; latent++) reaches(latent);
}

/* The closed form itself: 2 x 2 blocks whose eigenvalues are known. */
static void test_eigenvalues(void **state)
{
    double a[D][D] = {{0}}, l[D];
    (void)state;
    for (int i = 0; i < D; i += 2) {
        a[i][i] = a[i + 1][i + 1] = 2 + i;
        a[i][i + 1] = a[i + 1][i] = 0.5;
    }
    eigenvalues(a, l);
    for (int i = 0; i < D; i++) support_assert_near(l[i], 10 - 2 * (i / 2) + (i % 2 == 0 ? 0.5 : -0.5), 1e-12, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_eigenvalues), cmocka_unit_test(test_ppca)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
