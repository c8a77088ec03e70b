/* test_vae.c - a VAE's data and its files: what does not fit is refused in words, before memory is asked for. */
#include "support.h"

#include <math.h>
#include <string.h>

#include <elbow/bench.h>

#include "run/vae.h"

enum { N = 6, D = 4 };

static elb_config *config_of(elb_context *c, const char *binarise)
{
    elb_config *config;
    assert_int_equal(elb_config_create(c, &config), ELB_OK);
    assert_int_equal(elb_config_set(config, "model.latent", "2"), ELB_OK);
    assert_int_equal(elb_config_set(config, "model.hidden", "3"), ELB_OK);
    assert_int_equal(elb_config_set(config, "posterior.hidden", "3"), ELB_OK);
    assert_int_equal(elb_config_set(config, "data.binarise", binarise), ELB_OK);
    return config;
}

/* N data of D values: all 0.25 but the first, which is `first`. */
static elb_dataset *data_of(elb_context *c, int64_t size, float first)
{
    float x[N * D];
    elb_dataset *d;
    for (int i = 0; i < N * D; i++) x[i] = 0.25F;
    x[0] = first;
    assert_int_equal(elb_dataset_create(c, "mine", N, 1, &size, x, &d), ELB_OK);
    return d;
}

/* --- data --------------------------------------------------------------------------------------------------------- */

static void test_refused_data(void **state)
{
    (void)state;
    static const struct {
        float first;
        const char *binarise, *words;
    } cases[] = {
        {NAN, "dynamic", "mine: 1 values are NaN"},
        {INFINITY, "dynamic", "mine: 1 values are infinite"},
        {-INFINITY, "threshold", "mine: 1 values are infinite"},
        {1.5F, "dynamic", "mine: the values lie in [0.25,1.5] after division by 1"},
        {-0.5F, "static", "only those in [0,1] can be binarised by chance"},
    };
    fault f;
    elb_context *c = support_context(&f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        elb_config *config = config_of(c, cases[i].binarise);
        elb_dataset *d = data_of(c, D, cases[i].first);
        elb_vae *vae;
        assert_int_equal(elb_vae_create(config, d, &vae), ELB_DATA);
        assert_null(vae);
        support_assert_message(c, cases[i].words);
        elb_dataset_destroy(d);
        elb_config_destroy(config);
    }
    support_context_end(c, &f);
}

/* The size is told first, and a changed binarisation is minded. */
static void test_refused_later(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    elb_config *config = config_of(c, "threshold");
    elb_dataset *d = data_of(c, D, 7), *narrow = data_of(c, D - 1, 7);
    elb_vae *vae;
    assert_int_equal(elb_vae_create(config, d, &vae), ELB_OK);
    assert_int_equal(elb_vae_set(vae, "data.binarise", "dynamic"), ELB_OK);
    assert_int_equal(elb_vae_check_data(vae, elb_vae_config(vae), d), ELB_DATA);
    support_assert_message(c, "can be binarised by chance");
    assert_int_equal(elb_vae_check_data(vae, elb_vae_config(vae), narrow), ELB_MODEL);
    support_assert_message(c, "takes data of 4 values, mine has 3");
    char spec[ELB_TEXT_MAX + 1];
    memset(spec, 'x', sizeof spec - 1);
    spec[sizeof spec - 1] = '\0';
    elb_dataset *none = NULL;
    assert_int_equal(elb_config_open_data(config, spec, ELB_PART_ALL, &none), ELB_USAGE);
    support_assert_message(c, "the data's name has");
    elb_vae_destroy(vae);
    elb_dataset_destroy(d);
    elb_dataset_destroy(narrow);
    elb_config_destroy(config);
    support_context_end(c, &f);
}

/* The output bias starts at the mean of what the model is shown: of bits, under a threshold. */
static void test_mean_of_bits(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    elb_config *config = config_of(c, "threshold");
    elb_dataset *d = data_of(c, D, 0.75F);
    elb_vae *vae;
    assert_int_equal(elb_vae_create(config, d, &vae), ELB_OK);
    const elb_real *bias = elb_mlp_output_bias(&vae->model->decoder);
    support_assert_near((double)bias[0], log(1 / (N - 1.0)), 1e-5, 0);
    for (int i = 1; i < D; i++) support_assert_near((double)bias[i], log(0.001 / 0.999), 1e-5, 0);
    elb_vae_destroy(vae);
    elb_dataset_destroy(d);
    elb_config_destroy(config);
    support_context_end(c, &f);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static void test_not_finite(void **state)
{
    (void)state;
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    fault f;
    elb_context *c = support_context(&f);
    char *folder = support_folder_make();
    elb_config *config = config_of(c, "dynamic");
    elb_dataset *d = data_of(c, D, 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        elb_vae *vae, *back;
        const char *path = support_path(folder, "m.safetensors");
        assert_int_equal(elb_vae_create(config, d, &vae), ELB_OK);
        assert_int_equal(elb_vae_save(vae, path), ELB_OK);
        assert_int_equal(elb_vae_open(c, path, &back), ELB_OK);
        elb_vae_destroy(back);
        elb_mlp_output_bias(&vae->model->decoder)[2] = (elb_real)bad[i];
        assert_int_equal(elb_vae_save(vae, path), ELB_OK);
        elb_vae_destroy(vae);
        assert_int_equal(elb_vae_open(c, path, &back), ELB_MODEL);
        assert_null(back);
        support_assert_message(c, "m.safetensors: tensor 'decoder.2.bias' holds a number that is not finite");
    }
    elb_dataset_destroy(d);
    elb_config_destroy(config);
    support_folder_remove(folder);
    support_context_end(c, &f);
}

/* An allocator that has no large blocks to give. */
static void *small_alloc(void *user, void *block, size_t size)
{
    return size > 1 << 24 ? NULL : fault_alloc(user, block, size);
}

static void test_large_declaration(void **state)
{
    (void)state;
    fault f = {0};
    elb_settings settings = fault_settings(&f);
    settings.alloc = small_alloc;
    elb_context *c;
    assert_int_equal(elb_context_create(&settings, &c), ELB_OK);
    char *folder = support_folder_make();
    const elb_real weight[6] = {0};
    const elb_safetensors_entry entry = {
        .name = "decoder.0.weight", .dtype = ELB_DTYPE_REAL, .rank = 2, .shape = {3, 2}, .data = weight};
    const elb_safetensors_pair metadata[] = {
        {"elbow.shape", "30000x30000"},
        {"elbow.config", "model: {latent: 2, hidden: [3]}\nposterior: {hidden: [3]}\nlikelihood: {type: bernoulli}\n"}};
    const char *path = support_path(folder, "m.safetensors");
    elb_vae *vae;
    assert_int_equal(elb_safetensors_save(c, path, &entry, 1, metadata, 2), ELB_OK);
    assert_int_equal(elb_vae_open(c, path, &vae), ELB_MODEL);
    support_assert_message(c, "there is no tensor 'decoder.0.bias'");
    assert_null(vae);
    support_folder_remove(folder);
    support_context_end(c, &f);
}

/* --- bench -------------------------------------------------------------------------------------------------------- */

static void test_bench_task(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    elb_config *config = config_of(c, "dynamic");
    elb_bench_result r;
    for (int task = -1; task <= ELB_BENCH_RANDOM + 1; task += ELB_BENCH_RANDOM + 2) {
        elb_bench_settings how = {.task = (elb_bench_task)task, .batch = 1, .samples = 1, .repeats = 1};
        assert_int_equal(elb_bench(config, D, &how, &r), ELB_USAGE);
        support_assert_message(c, "there is no task number");
    }
    elb_config_destroy(config);
    support_context_end(c, &f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_data),      cmocka_unit_test(test_refused_later),
        cmocka_unit_test(test_mean_of_bits),      cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_large_declaration), cmocka_unit_test(test_bench_task),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
