/* test_convert.c - what a map may get wrong is refused in one sentence with its line; the guessed map; the list of a
 * file's tensors. That right maps give the right numbers is tests/golden/test_convert.c's matter. */
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <elbow/convert.h>

#include "exchange/map.h"
#include "run/vae.h"

enum { D = 4, H = 3, Z = 2, N = 2 };

static const char base[] = "shape: 2x2\n"
                           "likelihood:\n"
                           "  type: bernoulli\n"
                           "encoder:\n"
                           "  layers: [fc1]\n"
                           "  activation: tanh\n"
                           "  mean: mu\n"
                           "  scale: logvar\n"
                           "decoder:\n"
                           "  layers: [fc3]\n"
                           "  activation: relu\n"
                           "  mean: fc4\n";

typedef struct world {
    elb_context *context;
    fault f;
    char *folder;
    elb_conversion result;
} world;

static elb_real zeros[64], halves[D] = {1, 1, 1, 1}, wild[H] = {0, (elb_real)NAN, 0};
static const int64_t whole[1] = {1};

#define T1(name, a, data)                                                                                              \
    {                                                                                                                  \
        name, ELB_DTYPE_REAL, 1, {a}, data                                                                             \
    }
#define T2(name, a, b, data)                                                                                           \
    {                                                                                                                  \
        name, ELB_DTYPE_REAL, 2, {a, b}, data                                                                          \
    }
static const elb_safetensors_entry tensors[] = {
    T2("fc1.weight", H, D, zeros),
    T1("fc1.bias", H, zeros),
    T2("mu.weight", Z, H, zeros),
    T1("mu.bias", Z, zeros),
    T2("logvar.weight", Z, H, zeros),
    T1("logvar.bias", Z, zeros),
    T2("fc3.weight", H, Z, zeros),
    T1("fc3.bias", H, zeros),
    T2("fc4.weight", D, H, zeros),
    T1("fc4.bias", D, zeros),
    T2("both.weight", 2 * Z, H, zeros),
    T1("both.bias", 2 * Z, zeros),
    T2("odd.weight", 3, H, zeros),
    T1("odd.bias", 3, zeros),
    T2("bare.weight", H, D, zeros),
    T1("wild.bias", H, wild),
    T1("sd", D, halves),
    T1("three", 3, halves),
    T2("x", N, D, zeros),
    T2("noise", N, Z, zeros),
    T1("elbo", N, zeros),
    T1("few", 1, zeros),
    T1("zero", 1, zeros),
    {"conv.weight", ELB_DTYPE_REAL, 4, {1, 1, 2, 2}, zeros},
    {"count", ELB_DTYPE_I64, 1, {1}, whole},
    T1("bn.weight", H, zeros),
    T1("bn.bias", H, zeros),
    T1("bn.running_mean", H, zeros),
};
enum { TENSORS = sizeof tensors / sizeof *tensors };

static world *world_begin(void)
{
    static world w;
    w = (world){.folder = support_folder_make()};
    w.context = support_context(&w.f);
    assert_int_equal(
        elb_safetensors_save(w.context, support_path(w.folder, "weights.safetensors"), tensors, TENSORS, NULL, 0),
        ELB_OK);
    return &w;
}

static void world_end(world *w)
{
    support_context_end(w->context, &w->f);
    support_folder_remove(w->folder);
}

/* The base map with `from` replaced by `to`; with `from` empty, `to` behind it. */
static elb_status convert(world *w, const char *from, const char *to)
{
    char text[4096];
    const char *at = *from ? strstr(base, from) : base + strlen(base);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - base), base, to, at + strlen(from));
    support_file_write(support_path(w->folder, "map.yaml"), text, strlen(text));
    elb_convert_settings settings = {support_path(w->folder, "weights.safetensors"),
                                     support_path(w->folder, "map.yaml"), support_path(w->folder, "model.safetensors")};
    return elb_convert(w->context, &settings, &w->result);
}

static void test_base(void **state)
{
    (void)state;
    world *w = world_begin();
    assert_int_equal(convert(w, "", ""), ELB_OK);
    assert_true(w->result.data_size == D && w->result.latent_size == Z && w->result.checked == 0);
    assert_int_equal(w->result.parameter_count, H * D + H + 2 * Z * H + 2 * Z + H * Z + H + D * H + D);
    assert_int_equal(w->result.unused, TENSORS - 10);
    assert_non_null(strstr(w->f.log, "has no check"));
    assert_non_null(strstr(w->f.log, "tensor 'both.weight' is not used"));
    world_end(w);
}

static void test_refused(void **state)
{
    static const char gaussian[] = "type: gaussian\n  variance: scalar";
    static const char *const bad[][3] = {
        /* what stands where no layer can be */
        {"shape: 2x2\n", "", "map.yaml: shape: is not said"},
        {"2x2", "2y2", "map.yaml:1: shape: '2y2' is no shape"},
        {"2x2", "5", "map.yaml:5: encoder.layers: layer 'fc1' takes 4 values, but there are 5"},
        {"2x2", "3", "takes 4 values, but there are 3 (see weights.layout)"},
        {"  type: bernoulli\n", "", "likelihood.type: is not said"},
        {"bernoulli", "bernouli", "map.yaml:3: likelihood.type is 'bernouli'"},
        {"bernoulli", "gaussian", "likelihood.variance: is not said"},
        {"  activation: tanh\n", "", "encoder.activation: is not said"},
        {"tanh", "tahn", "map.yaml:6: encoder.activation is 'tahn'"},
        {"tanh", "tahn", "did you mean 'tanh'?"},
        {"encoder:", "encodr:", "did you mean 'encoder'?"},
        {"layers: [fc1]", "layer: [fc1]", "unknown key 'encoder.layer'; did you mean 'encoder.layers'?"},
        {"[fc1]", "[[fc1]]", "is a list with an item that is not a word"},
        {"mean: mu", "mean: [mu]", "encoder.mean is a list, but it takes one value"},
        /* tensors */
        {"mean: mu", "mean: mu2",
         "map.yaml:7: encoder.mean: there is no tensor 'mu2.weight'; did you mean 'mu.weight'?"},
        {"mean: mu", "mean: elsewhere", "there is no tensor 'elsewhere.weight'; 'elbow inspect' lists"},
        {"[fc1]", "[bare]", "no tensor 'bare.bias' beside 'bare.weight'; write 'bare.weight + 0'"},
        {"[fc1]", "[conv]",
         "tensor 'conv.weight' has 4 dimensions, but the weight of a linear layer has 2; convolutions"},
        {"[fc1]", "[fc1.bias + fc1.bias]", "'fc1.bias' has 1 dimensions"},
        {"[fc1]", "[fc1.weight + fc4.bias]",
         "'fc4.bias' is no bias of 3 numbers, which its weight asks for (see weights"},
        {"[fc1]", "[fc1.weight + count]", "tensor 'count' is no bias"},
        {"[fc1]", "[fc1, fc4]", "layer 'mu' takes 3 values, but there are 4"},
        {"[fc1]", "[fc1, fc1]", "layer 'fc1' takes 4 values, but there are 3"},
        {"[fc1]", "[fc1.weight + wild.bias]", "tensor 'encoder.0.bias' holds a number that is not finite"},
        /* heads */
        {"  mean: mu\n", "", "encoder.mean: is not said"},
        {"  scale: logvar\n", "", "encoder.scale: is not said"},
        {"  scale: logvar\n", "  scale: odd\n", "layer 'odd' gives 3 values, but there are 2 means"},
        {"  scale: logvar\n", "  heads: both\n", "encoder.heads: stands for both mean and scale"},
        {"  mean: mu\n  scale: logvar\n", "  heads: odd\n", "layer 'odd' gives 3 values, which are not twice"},
        {"  scale: logvar\n", "  scale: logvar\n  scale_is: sd\n", "map.yaml:9: encoder.scale_is: is for a tensor"},
        {"  scale: logvar\n", "  scale: logvar\n  scale_epsilon: 0.1\n", "scale_epsilon: is added to a softplus"},
        {"  mean: fc4\n", "  heads: fc4\n", "decoder.heads: gives a variance"},
        {"  mean: fc4\n", "  mean: odd\n", "decoder.mean: gives 3 values for data of 4"},
        {"  mean: fc4\n", "  mean: fc4\n  scale: sd\n", "decoder.scale: is for a gaussian"},
        {"  mean: fc4\n", "  mean: fc4\n  data_sd: 2\n", "decoder.data_mean: is for a gaussian"},
        /* gates and batch normalisation */
        {"tanh", "gated", "encoder.gates: has fewer names than encoder.layers"},
        {"tanh", "tanh\n  gates: [fc1]", "encoder.gates: is for encoder.activation: gated"},
        {"tanh", "gated\n  gates: [fc1, fc1]", "encoder.gates: has more names"},
        {"tanh", "gated\n  gates: [fc4]", "encoder.gates: layer 'fc4' takes 3 values"},
        {"tanh", "tanh\n  batch_norms: [bn, bn]", "encoder.batch_norms: there is no tensor 'bn.running_var'"},
        {"[fc1]", "[fc1, both]\n  batch_norms: [bn]", "encoder.batch_norms"},
        {"  layers: [fc3]\n  activation: relu\n", "  batch_norms: [bn]\n", "decoder.batch_norms: has more names"},
        /* standardisation */
        {"mean: mu", "mean: mu\n  data_mean: three",
         "encoder.data_mean: tensor 'three' has 3 numbers; expected 1 or 4"},
        {"mean: mu", "mean: mu\n  data_mean: thrice", "encoder.data_mean: there is no tensor 'thrice'"},
        {"mean: mu", "mean: mu\n  data_sd: 0", "encoder.data_sd: holds 0, but must be above 0"},
        {"mean: mu", "mean: mu\n  data_sd: count", "tensor 'count' is of dtype I64; expected F32"},
        /* a gaussian's variance */
        {"type: bernoulli", gaussian, "decoder.scale: is not said: it names the tensor"},
    };
    (void)state;
    world *w = world_begin();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        elb_status status = convert(w, bad[i][0], bad[i][1]);
        if (status == ELB_OK) fail_msg("'%s' as '%s' was accepted", bad[i][0], bad[i][1]);
        support_assert_message(w->context, bad[i][2]);
        assert_int_equal(support_folder_count(w->folder), 2); /* no model */
    }
    world_end(w);
}

/* Of a gaussian with everything else right. */
static void test_refused_variance(void **state)
{
    static const char *const bad[][3] = {
        {"fixed", "  scale: sd\n", "decoder.scale: is a learned variance, but likelihood.variance is fixed"},
        {"predicted", "", "decoder.scale: is not said: it names the layer"},
        {"predicted", "  scale: mu\n", "decoder.scale: layer 'mu' gives 2 values, but there are 4 means"},
        {"predicted", "  scale: fc4\n  scale_is: softplus_sd\n", "decoder.scale_is: of a decoder's layer"},
        {"pixel", "  scale: three\n", "decoder.scale: tensor 'three' has 3 numbers"},
        {"scalar", "  scale: zero\n  scale_is: variance\n", "decoder.scale: holds 0, of which no variance"},
        {"scalar", "  scale: zero\n  scale_is: sd\n", "decoder.scale: holds 0, of which no variance"},
    };
    (void)state;
    world *w = world_begin();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char rest[2048];
        snprintf(rest, sizeof rest, "type: gaussian\n  variance: %s\n%s%s", bad[i][0], strstr(base, "encoder:"),
                 bad[i][1]);
        assert_int_equal(convert(w, strstr(base, "type: bernoulli"), rest), ELB_USAGE);
        support_assert_message(w->context, bad[i][2]);
    }
    world_end(w);
}

/* The variance in the data's own units, folded from a fixed one. */
static void test_fixed_variance(void **state)
{
    (void)state;
    world *w = world_begin();
    elb_vae *vae;
    char rest[2048];
    snprintf(rest, sizeof rest, "type: gaussian\n  variance: fixed\n%s  data_sd: 2\n", strstr(base, "encoder:"));
    assert_int_equal(convert(w, strstr(base, "type: bernoulli"), rest), ELB_OK);
    assert_int_equal(elb_vae_open(w->context, support_path(w->folder, "model.safetensors"), &vae), ELB_OK);
    assert_int_equal(elb_vae_config(vae)->likelihood.variance, ELB_VARIANCE_FIXED);
    support_assert_near(elb_vae_config(vae)->likelihood.log_variance, 2 * log(2), 1e-12, 0);
    elb_vae_destroy(vae);
    world_end(w);
}

static void test_check(void **state)
{
    /* Weights of zero: the reconstruction is -4 log 2, the KL 0. */
    static const char *const bad[][2] = {
        {"  x: x\n", "check.elbo: is not said, nor is log_w"},
        {"  elbo: elbow\n", "check.elbo: there is no tensor 'elbow'; did you mean 'elbo'?"},
        {"  elbo: few\n", "check.elbo: has 1 numbers for 2 data"},
        {"  log_w: few\n", "check.log_w: has 1 numbers for 1 samples of 2 data"},
        {"  elbo: elbo\n  x: sd\n", "check.x: has 4 numbers, which are not 4 data of 4 values"},
        {"  elbo: elbo\n  noise: few\n", "check.noise: has 1 numbers; expected [2,2]"},
        {"  elbo: elbo\n  file: nowhere.npz\n", "nowhere.npz"},
        {"  elbo: elbo\n  file: nowhere.safetensors\n", "nowhere.safetensors"},
        {"  elbo: elbo\n  file: map.npz\n", "check.x: "},
        {"  elbo: elbo\n", "the ELBO of datum 0 is -2.772589 here (reconstruction -2.772589, KL 0), but 0 where"},
        {"  elbo: elbo\n", "off by 2.8, more than check.tolerance 0.0001"},
    };
    (void)state;
    world *w = world_begin();
    support_file_write(support_path(w->folder, "map.npz"), "PK", 2);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[512];
        snprintf(text, sizeof text, "check:\n%s", bad[i][0]);
        elb_status status = convert(w, "", text);
        if (status == ELB_OK) fail_msg("'%s' was accepted", bad[i][0]);
        support_assert_message(w->context, bad[i][1]);
    }
    assert_int_equal(convert(w, "", "check:\n  elbo: elbo\n"), ELB_MODEL);
    assert_int_equal(convert(w, "", "check:\n  elbo: elbo\n  tolerance: 1\n"), ELB_MODEL); /* 2.8 is more */
    world_end(w);
}

static void test_out(void **state)
{
    (void)state;
    world *w = world_begin();
    assert_int_equal(convert(w, "", ""), ELB_OK); /* writes the map */
    const char *weights = support_path(w->folder, "weights.safetensors"), *map = support_path(w->folder, "map.yaml");
    elb_convert_settings settings = {weights, map, weights};
    assert_int_equal(elb_convert(w->context, &settings, &w->result), ELB_USAGE);
    support_assert_message(w->context, "holds the weights themselves");
    settings.out = support_path(w->folder, "new/run");
    assert_int_equal(elb_convert(w->context, &settings, &w->result), ELB_OK);
    elb_vae *vae;
    assert_int_equal(elb_vae_open(w->context, settings.out, &vae), ELB_OK);
    elb_vae_destroy(vae);
    settings.map = support_path(w->folder, "nowhere.yaml");
    assert_int_equal(elb_convert(w->context, &settings, &w->result), ELB_FAILURE);
    settings.map = w->folder;
    assert_int_equal(elb_convert(w->context, &settings, &w->result), ELB_USAGE);
    support_assert_message(w->context, "this is no map");
    settings.map = map;
    settings.weights = map;
    assert_int_equal(elb_convert(w->context, &settings, &w->result), ELB_MODEL);
    world_end(w);
}

/* --- guessing ----------------------------------------------------------------------------------------------------- */

typedef struct guess_case {
    elb_safetensors_entry tensors[14];
    const char *says[8];
} guess_case;

#define LAYER(name, a, b) T2(name ".weight", a, b, zeros), T1(name ".bias", a, zeros)
static const guess_case guesses[] = {
    {{LAYER("fc1", 5, 4), LAYER("fc10", 4, 5), LAYER("fc21", 2, 5), LAYER("fc22", 2, 5), LAYER("fc3", 5, 2)},
     {"shape: 2x2", "type: bernoulli", "layers: [fc1]", "mean: fc21\n  scale: fc22", "layers: [fc3]", "mean: fc10\n"}},
    {{LAYER("decoder.0", 3, 2), LAYER("decoder.2", 10, 3), LAYER("encoder.0", 3, 5), LAYER("encoder.2", 4, 3)},
     {"shape: 5 # CHECK", "variance: predicted", "layers: [encoder.0]", "heads: encoder.2", "layers: [decoder.0]",
      "heads: decoder.2"}},
    {{T2("a b/kernel", 4, 3, zeros), T1("a b/bias", 3, zeros), T2("z_logvar/kernel", 3, 2, zeros),
      T1("z_logvar/bias", 2, zeros), T2("z_mean/kernel", 3, 2, zeros), T1("z_mean/bias", 2, zeros),
      T2("out's/kernel", 2, 4, zeros), T1("out's/bias", 4, zeros)},
     {"layout: in_out", "weight: '/kernel'", "layers: ['a b']", "mean: z_mean\n  scale: z_logvar", "layers: []",
      "mean: 'out''s'"}},
};

static void test_guess(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof guesses / sizeof *guesses; i++) {
        fault f;
        elb_context *c = support_context(&f);
        char *folder = support_folder_make(), *yaml;
        const char *path = support_path(folder, "weights.safetensors");
        int64_t n = 0;
        while (n < 14 && guesses[i].tensors[n].name) n++;
        assert_int_equal(elb_safetensors_save(c, path, guesses[i].tensors, n, NULL, 0), ELB_OK);
        assert_int_equal(elb_convert_guess(c, path, &yaml), ELB_OK);
        for (int k = 0; k < 8 && guesses[i].says[k]; k++)
            if (!strstr(yaml, guesses[i].says[k])) fail_msg("'%s' is not in\n%s", guesses[i].says[k], yaml);

        /* It is a map, and converts as it stands. */
        elb_conversion result;
        support_file_write(support_path(folder, "map.yaml"), yaml, strlen(yaml));
        elb_convert_settings settings = {path, support_path(folder, "map.yaml"), support_path(folder, "run")};
        if (elb_convert(c, &settings, &result) != ELB_OK) fail_msg("%s\n%s", elb_context_message(c), yaml);
        assert_int_equal(result.unused, 0);
        elb_free(c, yaml);
        support_folder_remove(folder);
        support_context_end(c, &f);
    }
}

static void test_nothing_to_guess(void **state)
{
    (void)state;
    world *w = world_begin();
    char *yaml;
    const char *path = support_path(w->folder, "one.safetensors");
    assert_int_equal(elb_safetensors_save(w->context, path, tensors, 1, NULL, 0), ELB_OK);
    assert_int_equal(elb_convert_guess(w->context, path, &yaml), ELB_MODEL);
    assert_null(yaml);
    support_assert_message(w->context, "no encoder and decoder of linear layers was found among 1 tensors");
    assert_int_equal(elb_convert_guess(w->context, support_path(w->folder, "none"), &yaml), ELB_FAILURE);
    for (int64_t n = 1;; n++) { /* every refused request for memory */
        fault f;
        elb_context *c = support_context(&f);
        f.alloc_countdown = n;
        elb_status status = elb_convert_guess(c, support_path(w->folder, "weights.safetensors"), &yaml);
        bool refused = f.alloc_countdown == 0;
        assert_int_equal(status, refused ? ELB_MEMORY : ELB_OK);
        elb_free(c, yaml);
        support_context_end(c, &f);
        if (!refused) break;
    }
    world_end(w);
}

/* --- lists -------------------------------------------------------------------------------------------------------- */

static void count_tensor(void *user, const char *name, const char *dtype, int rank, const int64_t *shape)
{
    int *count = user;
    if (strcmp(name, "conv.weight") == 0) assert_true(rank == 4 && shape[3] == 2);
    if (strcmp(name, "count") == 0) assert_string_equal(dtype, "I64");
    ++*count;
}

static void test_list(void **state)
{
    (void)state;
    world *w = world_begin();
    bool own = true;
    int count = 0;
    assert_int_equal(
        elb_weights_list(w->context, support_path(w->folder, "weights.safetensors"), &own, count_tensor, &count),
        ELB_OK);
    assert_true(!own && count == TENSORS);
    assert_int_equal(convert(w, "", ""), ELB_OK);
    assert_int_equal(
        elb_weights_list(w->context, support_path(w->folder, "model.safetensors"), &own, count_tensor, &count), ELB_OK);
    assert_true(own);
    assert_int_equal(elb_weights_list(w->context, w->folder, &own, count_tensor, &count), ELB_MODEL);
    world_end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_refused_variance),
        cmocka_unit_test(test_fixed_variance),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_out),
        cmocka_unit_test(test_guess),
        cmocka_unit_test(test_nothing_to_guess),
        cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
