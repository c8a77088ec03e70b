/* test_convert.c - models in the forms that PyTorch's users have them (convert.py): the ELBO and log-weights computed
 * there in double are found again, by the converter itself and by an evaluation of what it wrote. */
#include "support.h"

#include <stdio.h>

#include <elbow/convert.h>

#include "run/vae.h"

static const char *const cases[] = {"two_heads",    "one_layer", "softplus_sd", "predicted",
                                    "sigmoid_mean", "gated",     "fixed",       "linear"};
enum { CASES = sizeof cases / sizeof *cases, D = 12, Z = 3, N = 4 };

static void golden_paths(const char *name, char weights[512], char map[512])
{
    snprintf(weights, 512, "%s/golden/convert_%s.safetensors", ELB_TEST_FOLDER, name);
    snprintf(map, 512, "%s/golden/convert_%s.yaml", ELB_TEST_FOLDER, name);
}

static void test_cases(void **state)
{
    (void)state;
    char *folder = support_folder_make();
    for (int i = 0; i < CASES; i++) {
        fault f;
        char weights[512], map[512];
        elb_conversion result;
        elb_vae *vae;
        elb_context *c = support_context(&f);
        golden_paths(cases[i], weights, map);
        const char *out = support_path(folder, "model.safetensors");
        elb_status status = elb_convert(c, &(elb_convert_settings){weights, map, out}, &result);
        if (status != ELB_OK) fail_msg("%s: %s", cases[i], elb_context_message(c));
        assert_true(result.data_size == D && result.latent_size == Z && result.checked == N && result.unused == 0);
        if (!(result.difference <= 2e-6)) fail_msg("%s: off by %g", cases[i], result.difference);
        assert_int_equal(elb_vae_open(c, out, &vae), ELB_OK);
        assert_int_equal(elb_vae_parameter_count(vae), result.parameter_count);
        elb_vae_destroy(vae);
        support_context_end(c, &f);
    }
    support_folder_remove(folder);
}

/* Each memory request in turn is refused: an error, nothing written, nothing lost. */
static void test_no_memory(void **state)
{
    (void)state;
    char *folder = support_folder_make(), weights[512], map[512];
    golden_paths("fixed", weights, map); /* its check lies in an NPZ file */
    for (int64_t n = 1;; n++) {
        fault f;
        elb_conversion result;
        elb_context *c = support_context(&f);
        f.alloc_countdown = n;
        const char *out = support_path(folder, "model.safetensors");
        elb_status status = elb_convert(c, &(elb_convert_settings){weights, map, out}, &result);
        bool refused = f.alloc_countdown == 0;
        if (refused && status != ELB_MEMORY) fail_msg("request %d: %s", (int)n, elb_context_message(c));
        assert_int_equal(support_folder_count(folder), refused ? 0 : 1);
        support_context_end(c, &f);
        if (!refused) break;
    }
    support_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
