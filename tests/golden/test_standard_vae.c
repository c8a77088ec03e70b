/* test_standard_vae.c - bounds, densities, gradients and optimisers against PyTorch's numbers (README.md beside this
 * file), for every kernel table of this build and processor. */
#include "vae_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/optim/optimizer.h"
#include "run/safetensors.h"

/* Relative to the number, and relative to the tensor's largest: a small element is a difference of large ones. In the
 * model of real size log weights of some -550 nats carry a rounding of 1e-4 into every weight. */
#define TOLERANCE 1e-4
#define SHARE 1e-5
#define SHARE_OF_LARGE 1e-4

typedef struct golden {
    elb_context *context;
    elb_safetensors *file;
    support_vae *vae;
    elb_real *eps;
    int64_t samples;
    double share;
} golden;

/* --- reading ------------------------------------------------------------------------------------------------------ */

static elb_context *golden_context(const char *kernels, int threads)
{
    elb_settings settings = {.threads = threads, .kernels = kernels};
    elb_context *c;
    assert_int_equal(elb_context_create(&settings, &c), ELB_OK);
    return c;
}

static elb_safetensors *golden_open(elb_context *c, const char *name)
{
    elb_safetensors *file;
    const char *path = support_path(ELB_TEST_FOLDER "/golden", name);
    if (elb_safetensors_open(c, path, &file) != ELB_OK) fail_msg("%s", elb_context_message(c));
    return file;
}

/* Any tensor of float as it lies in the file, with its number of elements. */
static elb_real *golden_tensor(const golden *g, const char *name, int64_t *count)
{
    const elb_safetensors_entry *e = elb_safetensors_find(g->file, name);
    if (e == NULL) fail_msg("there is no %s", name);
    *count = 1;
    for (int i = 0; i < e->rank; i++) *count *= e->shape[i];
    elb_real *values = malloc((size_t)*count * sizeof *values);
    assert_non_null(values);
    assert_int_equal(elb_safetensors_read_real(g->file, name, e->rank, e->shape, values), ELB_OK);
    return values;
}

static const char *golden_text(const golden *g, const char *key)
{
    const char *text = elb_safetensors_metadata(g->file, key);
    return text != NULL ? text : "";
}

/* The encoder's widths from the data on; the decoder's are the same the other way round. */
static void golden_settings(const golden *g, char *text, size_t size)
{
    const char *hidden = golden_text(g, "hidden"), *comma = strchr(hidden, ',');
    char mirror[32] = "";
    if (comma != NULL) snprintf(mirror, sizeof mirror, "%s,%.*s", comma + 1, (int)(comma - hidden), hidden);
    const char *variance = golden_text(g, "variance"), *log_variance = golden_text(g, "log_variance");
    snprintf(text, size,
             "likelihood.type=%s likelihood.variance=%s likelihood.log_variance=%s model.latent=%s model.hidden=%s "
             "posterior.hidden=%s model.activation=%s posterior.activation=%s",
             golden_text(g, "likelihood"), *variance ? variance : "scalar", *log_variance ? log_variance : "0",
             golden_text(g, "latent"), mirror, hidden, golden_text(g, "activation"), golden_text(g, "activation"));
}

static golden golden_begin(const char *name, const char *kernels, int threads, int64_t batch)
{
    golden g = {.context = golden_context(kernels, threads), .share = SHARE};
    char settings[512];
    g.file = golden_open(g.context, name);
    golden_settings(&g, settings, sizeof settings);
    g.vae = support_vae_create(g.context, atoll(golden_text(&g, "data")), batch, settings);
    g.samples = atoll(golden_text(&g, "samples"));
    return g;
}

static void golden_end(golden *g)
{
    support_vae_destroy(g->vae);
    elb_safetensors_close(g->file);
    elb_context_destroy(g->context);
    free(g->eps);
}

static void golden_load(golden *g)
{
    int64_t count;
    for (int b = 0; b < SUPPORT_VAE_BLOCKS; b++) {
        elb_params *p = support_vae_block(g->vae, b);
        for (int64_t i = 0; i < p->count; i++) {
            const elb_param *a = &p->at[i];
            assert_int_equal(elb_safetensors_read_real(g->file, a->name, a->rank, a->shape, elb_params_data(p, i)),
                             ELB_OK);
        }
    }
    elb_real *x = golden_tensor(g, "x", &count);
    assert_int_equal(count, g->vae->batch * g->vae->model->data);
    memcpy(g->vae->x, x, (size_t)count * sizeof *x);
    free(x);
    g->eps = golden_tensor(g, "eps", &count);
    assert_int_equal(count, g->samples * g->vae->batch * g->vae->model->options.latent);
    g->vae->noise.fixed = g->eps;
}

/* --- comparing ---------------------------------------------------------------------------------------------------- */

static void golden_compare(const golden *g, const char *name, int64_t count, const elb_real *got)
{
    int64_t stored;
    elb_real *want = golden_tensor(g, name, &stored);
    assert_true(stored <= count); /* of large tensors only the first elements are stored */
    double largest = 0;
    for (int64_t i = 0; i < stored; i++) largest = fmax(largest, fabs((double)want[i]));
    for (int64_t i = 0; i < stored; i++)
        if (!(fabs((double)got[i] - (double)want[i]) <= TOLERANCE * fabs((double)want[i]) + g->share * largest))
            fail_msg("%s[%lld] is %.9g, not %.9g", name, (long long)i, (double)got[i], (double)want[i]);
    free(want);
}

static void golden_compare_norm(const golden *g, const char *kind, const elb_param *a, const elb_real *grad)
{
    char name[128];
    snprintf(name, sizeof name, "grad_norm.%s.%s", kind, a->name);
    double square = 0;
    for (int64_t j = 0; j < a->count; j++) square += (double)grad[j] * (double)grad[j];
    elb_real norm = (elb_real)sqrt(square);
    golden_compare(g, name, 1, &norm);
}

static void golden_compare_gradients(const golden *g, const char *kind, bool norms)
{
    for (int b = 0; b < SUPPORT_VAE_BLOCKS; b++) {
        elb_params *p = support_vae_block(g->vae, b);
        for (int64_t i = 0; i < p->count; i++) {
            char name[128];
            snprintf(name, sizeof name, "grad.%s.%s", kind, p->at[i].name);
            golden_compare(g, name, p->at[i].count, p->grad + p->at[i].offset);
            if (norms) golden_compare_norm(g, kind, &p->at[i], p->grad + p->at[i].offset);
        }
    }
}

/* One objective, whose gradients are stored as `kind`. */
static void golden_objective(golden *g, const char *kind, elb_objective_options options, bool norms)
{
    options.warmup = ELB_WARMUP_NONE;
    elb_objective_init(&g->vae->objective, &options);
    elb_loss l = support_vae_run(g->vae);
    golden_compare_gradients(g, kind, norms);
    int64_t batch = g->vae->batch;
    if (l.bound != NULL) golden_compare(g, "iwae", batch, l.bound->data);
    if (strcmp(kind, "elbo") == 0) {
        elb_real elbo[8];
        for (int64_t b = 0; b < batch; b++) elbo[b] = l.reconstruction->data[b] - l.kl->data[b];
        golden_compare(g, "elbo", batch, elbo);
    } else if (l.reconstruction->rank == 2) {
        elb_real log_w[64];
        for (int64_t i = 0; i < g->samples * batch; i++) log_w[i] = l.reconstruction->data[i] - l.kl->data[i];
        golden_compare(g, "log_w", g->samples * batch, log_w);
    }
}

static void golden_densities(golden *g, bool with_lambda)
{
    support_vae *v = g->vae;
    assert_int_equal(elb_tape_reset(v->tape), ELB_OK);
    elb_tensor *x = elb_leaf(v->tape, "data", v->x, NULL, 2, (int64_t[]){v->batch, v->model->data});
    elb_tensor *lambda = elb_encode(v->posterior, v->tape, x);
    v->noise.samples = g->samples;
    elb_draw d = elb_sample(v->posterior, v->tape, lambda, &v->noise, ELB_LOG_Q_FULL);
    assert_int_equal(elb_tape_run(v->tape, NULL), ELB_OK);
    golden_compare(g, "log_q", g->samples * v->batch, d.log_q->data);
    if (with_lambda) golden_compare(g, "lambda", v->batch * v->posterior->local, lambda->data);
}

/* --- the tiny models ---------------------------------------------------------------------------------------------- */

static void golden_case(const char *name, const char *kernels, int threads)
{
    golden g = golden_begin(name, kernels, threads, 4);
    golden_load(&g);
    golden_densities(&g, true);
    golden_objective(&g, "elbo", (elb_objective_options){.type = 0, .samples = 1}, false);
    golden_objective(&g, "elbo_sampled", (elb_objective_options){.type = 0, .samples = g.samples, .kl = ELB_KL_SAMPLED},
                     false);
    golden_objective(&g, "iwae", (elb_objective_options){.type = 1, .samples = g.samples}, false);
    golden_objective(&g, "stl", (elb_objective_options){.type = 1, .samples = g.samples, .gradient = ELB_GRADIENT_STL},
                     false);
    golden_objective(&g, "dreg",
                     (elb_objective_options){.type = 1, .samples = g.samples, .gradient = ELB_GRADIENT_DREG}, false);
    golden_end(&g);
}

static void test_tiny_models(void **state)
{
    static const char *const cases[] = {
        "bernoulli_leaky_relu",    "bernoulli_silu",
        "bernoulli_gelu",          "bernoulli_sigmoid",
        "bernoulli_elu",           "bernoulli_gated",
        "bernoulli_relu",          "bernoulli_softplus",
        "bernoulli_tanh",          "continuous_bernoulli_tanh",
        "gaussian_fixed_tanh",     "gaussian_pixel_tanh",
        "gaussian_predicted_tanh", "gaussian_scalar_linear",
        "gaussian_scalar_tanh",
    };
    (void)state;
    for (const elb_kernels *const *k = elb_kernels_available(); *k != NULL; k++)
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            char name[128];
            snprintf(name, sizeof name, "standard_vae_%s.safetensors", cases[i]);
            golden_case(name, (*k)->name, 1 + (int)(i % 3));
        }
}

/* --- the model of real size --------------------------------------------------------------------------------------- */

/* README.md's recipe, and the library's order of the parameters turned into the recipe's: encoder first. */
static void golden_recipe(golden *g)
{
    for (int b = 0; b < SUPPORT_VAE_BLOCKS; b++) {
        elb_params *p = support_vae_block(g->vae, b);
        for (int64_t i = 0; i < p->count; i++) {
            const elb_param *a = &p->at[i];
            uint64_t stream = (uint64_t)(i + (b == 0 ? 6 : 0));
            float bound = a->rank == 2 ? (float)sqrt(6.0 / (double)(a->shape[0] + a->shape[1])) : 0.125f;
            for (int64_t j = 0; j < a->count; j++)
                elb_params_data(p, i)[j] = (elb_real)((float)support_number(stream, (uint64_t)j) * bound);
        }
    }
    int64_t n = g->samples * g->vae->batch * g->vae->model->options.latent;
    for (int64_t i = 0; i < g->vae->batch * g->vae->model->data; i++)
        g->vae->x[i] = support_number(100, (uint64_t)i) < -0.5;
    g->eps = malloc((size_t)n * sizeof *g->eps);
    assert_non_null(g->eps);
    for (int64_t i = 0; i < n; i++) g->eps[i] = (elb_real)(2 * support_number(101, (uint64_t)i));
    g->vae->noise.fixed = g->eps;
}

static void test_real_size(void **state)
{
    (void)state;
    for (const elb_kernels *const *k = elb_kernels_available(); *k != NULL; k++) {
        golden g = golden_begin("standard_vae_real_size.safetensors", (*k)->name, 2, 5);
        g.share = SHARE_OF_LARGE;
        golden_recipe(&g);
        golden_densities(&g, false);
        golden_objective(&g, "elbo", (elb_objective_options){.type = 0, .samples = 1}, true);
        golden_objective(&g, "iwae", (elb_objective_options){.type = 1, .samples = g.samples}, true);
        golden_end(&g);
    }
}

/* --- optimisers --------------------------------------------------------------------------------------------------- */

/* "adam rate=0.1 beta1=0.9 ..." */
static double golden_rate(elb_config *config, const char *text)
{
    char copy[256], *rest = NULL;
    snprintf(copy, sizeof copy, "%s", text);
    char *word = strtok_r(copy, " ", &rest);
    assert_int_equal(elb_config_set(config, "optimizer.type", word), ELB_OK);
    while ((word = strtok_r(NULL, " ", &rest)) != NULL) {
        char key[64], *value = strchr(word, '=');
        assert_non_null(value);
        snprintf(key, sizeof key, "optimizer.%.*s", (int)(value - word), word);
        assert_int_equal(elb_config_set(config, key, value + 1), ELB_OK);
    }
    return config->optimizer.rate;
}

enum { OPTIMIZER_STEPS = 5, OPTIMIZER_COUNT = 6 };

/* A loss whose gradient is `gradient`, whatever the parameters: their inner product. */
static void optimizer_step(elb_tape *t, elb_optimizer *o, elb_params *block, double rate, elb_real *gradient)
{
    elb_tensor *loss = NULL;
    assert_int_equal(elb_tape_reset(t), ELB_OK);
    elb_optimizer_begin(o, rate);
    for (int b = 0; b < 2; b++, gradient += 2) {
        elb_tensor *g = elb_leaf(t, "g", gradient, NULL, 1, block[b].at[0].shape);
        elb_tensor *part = elb_sum_last(t, elb_mul(t, elb_params_leaf(&block[b], t, 0), g));
        loss = b == 0 ? part : elb_add(t, loss, part);
    }
    assert_int_equal(elb_tape_run(t, loss), ELB_OK);
    assert_int_equal(elb_optimizer_end(o, true), ELB_OK);
}

/* The six parameters stand in two blocks of 2 and 4: a norm to clip by goes over both. */
static void optimizer_case(const golden *g, const char *name, const char *text)
{
    int64_t index, count, sizes[] = {2, 4};
    elb_config *config;
    elb_optimizer o;
    elb_tape *tape;
    elb_params block[2];
    elb_real *start = golden_tensor(g, "start", &count), *gradients = golden_tensor(g, "gradients", &count);
    elb_real path[OPTIMIZER_STEPS * OPTIMIZER_COUNT];
    assert_int_equal(count, OPTIMIZER_STEPS * OPTIMIZER_COUNT);
    assert_int_equal(elb_config_create(g->context, &config), ELB_OK);
    assert_int_equal(elb_tape_create(g->context, &tape), ELB_OK);
    double rate = golden_rate(config, text);
    elb_optimizer_init(&o, g->context, &config->optimizer);
    for (int b = 0; b < 2; b++) {
        elb_params_init(&block[b], g->context);
        assert_int_equal(elb_params_add(&block[b], &index, 1, &sizes[b], "p"), ELB_OK);
        assert_int_equal(elb_params_build(&block[b]), ELB_OK);
        memcpy(elb_params_data(&block[b], 0), start + 2 * b, (size_t)sizes[b] * sizeof *start);
        assert_int_equal(elb_optimizer_add(&o, &block[b]), ELB_OK);
    }
    for (int64_t s = 0; s < OPTIMIZER_STEPS; s++) {
        optimizer_step(tape, &o, block, rate, gradients + s * OPTIMIZER_COUNT);
        for (int b = 0; b < 2; b++)
            memcpy(path + s * OPTIMIZER_COUNT + 2 * b, block[b].data, (size_t)sizes[b] * sizeof *path);
    }
    char key[128];
    snprintf(key, sizeof key, "%s.parameters", name);
    golden_compare(g, key, OPTIMIZER_STEPS * OPTIMIZER_COUNT, path);
    elb_optimizer_free(&o);
    elb_tape_destroy(tape);
    for (int b = 0; b < 2; b++) elb_params_free(&block[b]);
    elb_config_destroy(config);
    free(start);
    free(gradients);
}

static void test_optimizers(void **state)
{
    (void)state;
    for (const elb_kernels *const *k = elb_kernels_available(); *k != NULL; k++) {
        golden g = {.context = golden_context((*k)->name, 2), .share = SHARE};
        g.file = golden_open(g.context, "optimizers.safetensors");
        assert_int_equal(elb_safetensors_metadata_count(g.file), 9);
        for (int64_t i = 0; i < elb_safetensors_metadata_count(g.file); i++) {
            elb_safetensors_pair pair = elb_safetensors_metadata_at(g.file, i);
            optimizer_case(&g, pair.key, pair.value);
        }
        elb_safetensors_close(g.file);
        elb_context_destroy(g.context);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiny_models),
        cmocka_unit_test(test_real_size),
        cmocka_unit_test(test_optimizers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
