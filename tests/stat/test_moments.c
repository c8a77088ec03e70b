/* test_moments.c - a Gaussian in the place of a posterior that does not tell its moments. */
#include "vae_support.h"

#include <math.h>
#include <stdio.h>

#include "infer/inference.h"

enum { DATA = 6, BATCH = 5, LATENT = 3, DRAWS = 64, MANY = 20000 };

static support_vae *moments_vae(elb_context *c, const char *posterior)
{
    char settings[128];
    snprintf(settings, sizeof settings, "model.latent=%d model.hidden=4 posterior.hidden=4 posterior.type=%s", LATENT,
             posterior);
    support_vae *v = support_vae_create(c, DATA, BATCH, settings);
    support_vae_fill(v, 0.7, 3);
    support_vae_fill_data(v, 4);
    return v;
}

static void moments_infer(support_vae *v, int64_t first, int64_t count, elb_real *lambda)
{
    elb_inference *i;
    const elb_refine_options options = {.family = ELB_REFINE_FFG, .samples = 1};
    assert_int_equal(elb_inference_create(v->context, v->model, v->posterior, &options, 9, &i), ELB_OK);
    assert_string_equal(elb_inference_family(i)->type->name, "ffg");
    assert_int_equal(elb_inference_run(i, count, v->datum + first, v->x + first * DATA, lambda), ELB_OK);
    elb_inference_destroy(i);
}

/* mean and variance [BATCH,LATENT] by many draws. */
static void moments_draw(support_vae *v, double *mean, double *variance)
{
    assert_int_equal(elb_tape_reset(v->tape), ELB_OK);
    elb_tensor *x = elb_leaf(v->tape, "data", v->x, NULL, 2, (int64_t[]){BATCH, DATA});
    v->noise.samples = MANY;
    elb_draw d = elb_sample(v->posterior, v->tape, elb_encode(v->posterior, v->tape, x), &v->noise, ELB_LOG_Q_NONE);
    assert_int_equal(elb_tape_run(v->tape, NULL), ELB_OK);
    for (int i = 0; i < BATCH * LATENT; i++) {
        mean[i] = variance[i] = 0;
        for (int s = 0; s < MANY; s++) mean[i] += (double)d.z->data[s * BATCH * LATENT + i] / MANY;
        for (int s = 0; s < MANY; s++)
            variance[i] += pow((double)d.z->data[s * BATCH * LATENT + i] - mean[i], 2) / MANY;
    }
}

static void test_moments(void **state)
{
    static const char *const families[] = {"iaf", "aux_flow"};
    (void)state;
    elb_context *c = support_context(NULL);
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        support_vae *v = moments_vae(c, families[f]);
        elb_real together[BATCH * 2 * LATENT], alone[2 * LATENT];
        double mean[BATCH * LATENT], variance[BATCH * LATENT];
        assert_null(v->posterior->type->log_variance);
        moments_infer(v, 0, BATCH, together);
        moments_draw(v, mean, variance);
        for (int b = 0; b < BATCH; b++) {
            moments_infer(v, b, 1, alone);
            assert_memory_equal(alone, together + b * 2 * LATENT, sizeof alone);
            for (int k = 0; k < LATENT; k++) {
                double sd = sqrt(variance[b * LATENT + k]);
                support_assert_near((double)alone[k], mean[b * LATENT + k], 4.5 * sd / sqrt(DRAWS), 0);
                /* of a log variance: sqrt(2 / (n - 1)) for a Gaussian, and flows are not far from it */
                support_assert_near((double)alone[LATENT + k], 2 * log(sd), 6 * sqrt(2.0 / (DRAWS - 1)), 0);
            }
        }
        support_vae_destroy(v);
    }
    support_context_end(c, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_moments)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
