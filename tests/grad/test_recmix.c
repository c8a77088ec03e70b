/* test_recmix.c - one step of the recursion against the losses it is made of, each on a tape of its own, in double:
 * what the decoder, every component's encoder and the weights ascend (docs/methods/mixtures.md). */
#include "vae_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "posterior/mixture.h"

enum { D = 4, B = 3, Z = 2, M = 3, S = 2 };

typedef struct world {
    elb_context *c;
    support_vae *v;
    elb_real noise[S * B * M * Z];
    elb_real *want[SUPPORT_VAE_BLOCKS];
} world;

static world world_begin(const char *settings)
{
    world w = {.c = support_context(NULL)};
    char all[512];
    snprintf(all, sizeof all,
             "model.latent=2 model.hidden=5 posterior.type=mixture posterior.order=3 posterior.hidden=4 "
             "objective.samples=2 likelihood.type=gaussian %s",
             settings);
    w.v = support_vae_create(w.c, D, B, all);
    support_vae_fill(w.v, 0.6, 3);
    support_vae_fill_data(w.v, 4);
    for (int i = 0; i < S * B * M * Z; i++) w.noise[i] = (elb_real)(1.5 * support_number(8, (uint64_t)i));
    for (int b = 0; b < SUPPORT_VAE_BLOCKS; b++) {
        w.want[b] = calloc((size_t)support_vae_block(w.v, b)->size, sizeof(elb_real));
        assert_non_null(w.want[b]);
    }
    return w;
}

static void world_end(world *w)
{
    for (int b = 0; b < SUPPORT_VAE_BLOCKS; b++) free(w->want[b]);
    support_vae_destroy(w->v);
    support_context_end(w->c, NULL);
}

static elb_tensor *data(world *w)
{
    return elb_leaf(w->v->tape, "data", w->v->x, NULL, 2, (int64_t[]){B, D});
}

/* Runs -loss and adds the gradient of one block to what is wanted of it. */
static void add_gradient(world *w, elb_tensor *ascent, int block)
{
    elb_params *p = support_vae_block(w->v, block);
    assert_int_equal(elb_tape_run(w->v->tape, elb_affine(w->v->tape, elb_mean_all(w->v->tape, ascent), -1, 0)), ELB_OK);
    for (int64_t i = 0; i < p->size; i++) w->want[block][i] += p->grad[i];
    assert_int_equal(elb_tape_reset(w->v->tape), ELB_OK);
    for (int b = 0; b < SUPPORT_VAE_BLOCKS; b++) {
        elb_params *all = support_vae_block(w->v, b);
        memset(all->grad, 0, (size_t)all->size * sizeof *all->grad);
    }
}

/* --- the parts, by the ops of plain Gaussians --------------------------------------------------------------------- */

typedef struct part {
    elb_mixture mix;
    elb_tensor *m[M], *s[M];
} part;

static part encode(world *w, bool held)
{
    elb_tape *t = w->v->tape;
    part p = {.mix = elb_mixture_encode(w->v->posterior, t, data(w))};
    if (held) p.mix.components = elb_stop_gradient(t, p.mix.components);
    for (int j = 0; j < M; j++) {
        p.m[j] = elb_columns(t, p.mix.components, j * 2 * Z, Z);
        p.s[j] = elb_columns(t, p.mix.components, j * 2 * Z + Z, Z);
    }
    return p;
}

/* Samples of component j: [S,B,Z]. */
static elb_tensor *sample(world *w, const part *p, int j)
{
    elb_tensor *eps = elb_input(w->v->tape, "eps", false, 3, (int64_t[]){S, B, Z});
    for (int r = 0; r < S * B; r++)
        for (int i = 0; i < Z; i++) eps->data[r * Z + i] = w->noise[(r * M + j) * Z + i];
    return elb_gaussian_sample(w->v->tape, p->m[j], p->s[j], eps);
}

/* log sum_{j<k} a_j N_j(z) - log sum_{j<k} a_j as a plain sum of exponentials; logits [B,M] are columns. */
static elb_tensor *log_mixture(world *w, const part *p, elb_tensor *logits, elb_tensor *z, int k)
{
    elb_tape *t = w->v->tape;
    elb_tensor *sum = NULL, *weights = NULL;
    for (int j = 0; j < k; j++) {
        elb_tensor *a = elb_apply(t, ELB_EXP, elb_sum_last(t, elb_columns(t, logits, j, 1)));
        elb_tensor *term = elb_mul(t, elb_apply(t, ELB_EXP, elb_gaussian_log_prob(t, z, p->m[j], p->s[j])), a);
        sum = sum == NULL ? term : elb_add(t, sum, term);
        weights = weights == NULL ? a : elb_add(t, weights, a);
    }
    return elb_sub(t, elb_apply(t, ELB_LOG, sum), elb_apply(t, ELB_LOG, weights));
}

/* a_j: [B]. */
static elb_tensor *weight(world *w, elb_tensor *logits, int j)
{
    elb_tape *t = w->v->tape;
    elb_tensor *a = NULL, *sum = NULL;
    for (int i = 0; i < M; i++) {
        elb_tensor *e = elb_apply(t, ELB_EXP, elb_sum_last(t, elb_columns(t, logits, i, 1)));
        sum = sum == NULL ? e : elb_add(t, sum, e);
        if (i == j) a = e;
    }
    elb_tensor *inverse = elb_apply(t, ELB_EXP, elb_affine(t, elb_apply(t, ELB_LOG, sum), -1, 0));
    return elb_mul(t, a, inverse);
}

/* The decoder: sum_j a_j log p(x|z_j), z and a held. */
static void want_decoder(world *w)
{
    elb_tape *t = w->v->tape;
    for (int j = 0; j < M; j++) {
        part p = encode(w, true);
        elb_tensor *a = elb_stop_gradient(t, weight(w, p.mix.logits, j));
        elb_tensor *each = elb_model_log_likelihood(w->v->model, t, data(w), elb_stop_gradient(t, sample(w, &p, j)));
        add_gradient(w, elb_mul(t, elb_mean_first(t, each), a), 0);
    }
}

/* Component j: log p(x,z_j) - log q_j + clip(log q_j - log Q_{j-1}) (+ nu H), the decoder held. Clipping by hand:
 * beyond C the ratio is dropped, sample by sample. */
static void want_component(world *w, int j)
{
    elb_tape *t = w->v->tape;
    part p = encode(w, false), held = encode(w, true);
    double clip = w->v->config->objective.clip_kl, nu = w->v->config->objective.nu;
    elb_tensor *logits = elb_stop_gradient(t, held.mix.logits), *z = sample(w, &p, j);
    elb_tensor *own = elb_gaussian_log_prob(t, z, p.m[j], p.s[j]);
    elb_tensor *ratio = elb_sub(t, own, log_mixture(w, &held, logits, z, j > 0 ? j : 1));
    elb_tensor *open = elb_input(t, "open", false, 2, (int64_t[]){S, B});
    assert_int_equal(elb_tape_run(t, NULL), ELB_OK);
    for (int i = 0; i < S * B; i++) open->data[i] = j == 0 || fabs((double)ratio->data[i]) <= clip;
    w->v->model->params.frozen = true;
    elb_tensor *joint = elb_model_log_joint(w->v->model, t, data(w), z);
    w->v->model->params.frozen = false;
    elb_tensor *gain = elb_add(t, elb_sub(t, joint, own), elb_mul(t, ratio, open));
    if (strcmp(w->v->objective.type->name, "bvi") == 0 && j > 0) gain = elb_sub(t, gain, elb_affine(t, own, nu, 0));
    add_gradient(w, elb_mean_first(t, gain), 1);
}

/* The weights: sum_j a_j [log p(x,z_j) - log Q(z_j)], all else held. */
static void want_weights(world *w)
{
    elb_tape *t = w->v->tape;
    for (int j = 0; j < M; j++) {
        part p = encode(w, true);
        elb_tensor *z = elb_stop_gradient(t, sample(w, &p, j));
        elb_tensor *joint = elb_stop_gradient(t, elb_model_log_joint(w->v->model, t, data(w), z));
        elb_tensor *gain = elb_sub(t, joint, log_mixture(w, &p, p.mix.logits, z, M));
        add_gradient(w, elb_mul(t, elb_mean_first(t, gain), weight(w, p.mix.logits, j)), 1);
    }
}

/* --- all together ------------------------------------------------------------------------------------------------- */

static void check(const char *settings)
{
    world w = world_begin(settings);
    int64_t used = 0;
    want_decoder(&w);
    for (int j = 0; j < M; j++) want_component(&w, j);
    if (w.v->config->posterior.weights != ELB_WEIGHTS_UNIFORM) want_weights(&w);
    w.v->noise.fixed = w.noise;
    support_vae_run(w.v);
    for (int b = 0; b < SUPPORT_VAE_BLOCKS; b++) {
        elb_params *p = support_vae_block(w.v, b);
        for (int64_t i = 0; i < p->count; i++)
            for (int64_t k = 0; k < p->at[i].count; k++) {
                double got = (double)p->grad[p->at[i].offset + k], want = (double)w.want[b][p->at[i].offset + k];
                if (!(fabs(got - want) <= 1e-9 * (1 + fabs(want))))
                    fail_msg("%s: the gradient of %s[%lld] is %.12g, not %.12g", settings, p->at[i].name, (long long)k,
                             got, want);
                used += want != 0;
            }
    }
    assert_true(used > 100);
    world_end(&w);
}

static void test_recursion(void **state)
{
    static const char *const weights[] = {"uniform", "global", "input"};
    static const char *const trunks[] = {"separate", "shared"};
    static const double clips[] = {1e6, 0.5, 0};
    (void)state;
    for (int k = 0; k < 18; k++) {
        char settings[256];
        snprintf(
            settings, sizeof settings,
            "objective.type=recmix objective.recursion=1 posterior.weights=%s posterior.trunk=%s objective.clip_kl=%g",
            weights[k % 3], trunks[k / 3 % 2], clips[k / 6]);
        check(settings);
    }
}

static void test_bvi(void **state)
{
    (void)state;
    check("objective.type=bvi objective.recursion=1 objective.nu=0.7 objective.clip_kl=1 posterior.weights=global");
    check("objective.type=bvi objective.recursion=1 objective.nu=0 objective.clip_kl=1");
}

/* Before the recursion the first component is a VAE with M S samples; after it, the loss is that of elbo. */
static void test_other_phases(void **state)
{
    (void)state;
    world alone = world_begin("objective.type=recmix objective.pretrain=0.5");
    support_vae *vae = support_vae_create(alone.c, D, B,
                                          "model.latent=2 model.hidden=5 posterior.hidden=4 objective.samples=6 "
                                          "likelihood.type=gaussian");
    support_vae_fill(vae, 0.6, 3);
    support_vae_fill_data(vae, 4);
    for (int64_t i = 0; i < vae->posterior->params.count; i++)
        memcpy(elb_params_data(&vae->posterior->params, i), elb_params_data(&alone.v->posterior->params, i),
               (size_t)vae->posterior->params.at[i].count * sizeof(elb_real));
    assert_string_equal(elb_objective_phase_name(&alone.v->objective), "pretraining");
    assert_true(support_vae_loss(alone.v) == support_vae_loss(vae));
    for (int64_t i = 0; i < vae->posterior->params.count; i++) {
        const elb_real *a = alone.v->posterior->params.grad + alone.v->posterior->params.at[i].offset;
        const elb_real *b = vae->posterior->params.grad + vae->posterior->params.at[i].offset;
        for (int64_t k = 0; k < vae->posterior->params.at[i].count; k++) assert_true(a[k] == b[k]);
    }
    support_vae_destroy(vae);
    world_end(&alone);
    world joint = world_begin("objective.type=recmix objective.recursion=0"), me = world_begin("objective.type=elbo");
    assert_string_equal(elb_objective_phase_name(&joint.v->objective), "joint refinement");
    assert_true(support_vae_loss(joint.v) == support_vae_loss(me.v));
    assert_memory_equal(joint.v->posterior->params.grad, me.v->posterior->params.grad,
                        (size_t)me.v->posterior->params.size * sizeof(elb_real));
    world_end(&joint);
    world_end(&me);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recursion),
        cmocka_unit_test(test_bvi),
        cmocka_unit_test(test_other_phases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
