#include "posterior/mixture.h"

#include <string.h>

#include "posterior/ffg.h"

/* A mixture of fully factorised Gaussians (Kim & Pavlovic 2020). Its KL to the prior has no closed form.
 *
 * Differs from source: its encoders are called one after the other; here they are one stack, whose first layer is one
 * matrix product. */

enum { MIXTURE_NOISE, MIXTURE_CHOICE }; /* lanes of the noise */

typedef struct mixture_state {
    elb_mlp encoder;      /* M groups with outputs 2Z, or one with M*2Z */
    int64_t weight, bias; /* of the logits: parameter indices; -1: none */
    elb_posterior first;  /* the first component as a family of its own */
    elb_ffg_state first_encoder;
} mixture_state;

bool elb_posterior_is_mixture(const elb_posterior *q)
{
    return q->type == &elb_posterior_mixture;
}

static int64_t mixture_order(const elb_posterior *q)
{
    return q->options.order;
}

/* --- parameters --------------------------------------------------------------------------------------------------- */

static elb_status mixture_init_encoder(elb_posterior *q, elb_mlp *encoder)
{
    const elb_posterior_options *o = &q->options;
    bool separate = o->trunk == ELB_TRUNK_SEPARATE;
    int64_t groups = separate ? o->order : 1, out = separate ? 2 * q->latent : o->order * 2 * q->latent;
    return elb_mlp_init_groups(encoder, &q->params, "encoder", (elb_net_kind)o->activation, groups, q->data, &o->hidden,
                               out);
}

static elb_status mixture_init_weights(elb_posterior *q, mixture_state *state)
{
    const elb_posterior_options *o = &q->options;
    int64_t n = state->encoder.layer[state->encoder.layers - 1].in, weight[] = {o->order, n};
    state->weight = state->bias = -1;
    if (o->order == 1 || o->weights == ELB_WEIGHTS_UNIFORM) return ELB_OK;
    if (o->weights == ELB_WEIGHTS_INPUT)
        ELB_TRY(elb_params_add(&q->params, &state->weight, 2, weight, "weights.weight"));
    return elb_params_add(&q->params, &state->bias, 1, weight, "weights.bias");
}

static elb_status mixture_init(elb_posterior *q)
{
    mixture_state *state = q->state;
    if (q->options.order == 0)
        return elb_fail(q->context, ELB_USAGE,
                        "posterior.order=auto is for training, which finds the order: give a number from 1 to %d",
                        ELB_MIXTURE_MAX);
    if (q->options.order < 1 || q->options.order > ELB_MIXTURE_MAX)
        return elb_fail(q->context, ELB_USAGE, "a mixture has 1 to %d components, not %lld", ELB_MIXTURE_MAX,
                        (long long)q->options.order);
    q->local = q->options.order * (2 * q->latent + 1);
    ELB_TRY(mixture_init_encoder(q, &state->encoder));
    ELB_TRY(mixture_init_weights(q, state));
    state->first_encoder.encoder = elb_mlp_first(&state->encoder, 2 * q->latent);
    state->first = (elb_posterior){.context = q->context,
                                   .type = &elb_posterior_ffg,
                                   .options = q->options,
                                   .data = q->data,
                                   .latent = q->latent,
                                   .local = 2 * q->latent,
                                   .state = &state->first_encoder};
    state->first.options.ffg_scale = ELB_FFG_LOG_VARIANCE; /* as every component's */
    return ELB_OK;
}

static void mixture_reset(elb_posterior *q, const elb_kernels *k, uint64_t key)
{
    mixture_state *state = q->state;
    elb_mlp_reset(&state->encoder, k, key); /* the logits start at 0: equal weights */
}

elb_posterior *elb_mixture_first(elb_posterior *q)
{
    mixture_state *state = q->state;
    return &state->first;
}

/* --- the components' start ---------------------------------------------------------------------------------------- */

/* Whether parameter `index` has rows of every component. */
static bool mixture_stacked(const elb_posterior *q, int64_t index)
{
    const mixture_state *state = q->state;
    int64_t last = state->encoder.layers - 1;
    return q->options.trunk == ELB_TRUNK_SEPARATE || index == state->weight || index == state->bias ||
           index == state->encoder.layer[last].weight || index == state->encoder.layer[last].bias;
}

int64_t elb_mixture_rows(const elb_posterior *q, int64_t index, int64_t components)
{
    int64_t rows = q->params.at[index].shape[0];
    return mixture_stacked(q, index) ? rows / mixture_order(q) * components : rows;
}

static void mixture_copy(elb_posterior *q, int64_t from, int64_t to)
{
    for (int64_t i = 0; i < q->params.count; i++) {
        if (!mixture_stacked(q, i)) continue;
        int64_t count = q->params.at[i].count / mixture_order(q);
        elb_real *base = elb_params_data(&q->params, i);
        memcpy(base + to * count, base + from * count, (size_t)count * sizeof *base);
    }
}

static elb_status mixture_jitter(elb_posterior *q, const elb_kernels *k, uint64_t key, int64_t component)
{
    const mixture_state *state = q->state;
    int64_t index = state->encoder.layer[state->encoder.layers - 1].weight;
    int64_t count = q->params.at[index].count / mixture_order(q);
    elb_real *noise = elb_alloc(q->context, count, sizeof *noise);
    if (noise == NULL) return ELB_MEMORY;
    k->normal((elb_stream){key, (uint64_t)index, (uint32_t)component}, count, noise);
    k->axpy(count, (elb_real)q->options.jitter, noise, elb_params_data(&q->params, index) + component * count);
    elb_free(q->context, noise);
    return ELB_OK;
}

/* With a shared trunk the output layer is what is fresh: it is seen as M groups of one layer. */
static void mixture_refresh(elb_posterior *q, const elb_kernels *k, uint64_t key, int64_t component)
{
    const mixture_state *state = q->state;
    elb_mlp encoder = state->encoder;
    if (q->options.trunk == ELB_TRUNK_SHARED) {
        encoder.layer[0] = encoder.layer[encoder.layers - 1];
        encoder.layers = 1;
        encoder.groups = mixture_order(q);
    }
    elb_mlp_reset_group(&encoder, k, key, component);
    for (int i = 0; i < 2; i++) {
        int64_t index = i == 0 ? state->weight : state->bias;
        if (index < 0) continue;
        int64_t count = q->params.at[index].count / mixture_order(q);
        memset(elb_params_data(&q->params, index) + component * count, 0, (size_t)count * sizeof(elb_real));
    }
}

elb_status elb_mixture_spawn(elb_posterior *q, int64_t from, bool exact, uint64_t seed)
{
    const elb_machine *machine;
    ELB_TRY(elb_machine_of(q->context, &machine));
    uint64_t key = elb_stream_key(seed, ELB_FOR_INIT, 1);
    for (int64_t j = from; j < mixture_order(q); j++) {
        if (!exact && q->options.start == ELB_START_FRESH) {
            mixture_refresh(q, machine->kernels, key, j);
            continue;
        }
        mixture_copy(q, from - 1, j);
        if (!exact) ELB_TRY(mixture_jitter(q, machine->kernels, key, j));
    }
    return ELB_OK;
}

/* --- lambda ------------------------------------------------------------------------------------------------------- */

static elb_tensor *mixture_equal_logits(elb_posterior *q, elb_tape *t, int64_t batch)
{
    elb_tensor *logits = elb_input(t, "log weights", false, 2, (int64_t[]){batch, mixture_order(q)});
    if (logits != NULL) memset(logits->data, 0, (size_t)(batch * mixture_order(q)) * sizeof *logits->data);
    return logits;
}

/* features: the encoders' last hidden layer, which logits of the input are read off. */
static elb_tensor *mixture_logits(elb_posterior *q, elb_tape *t, elb_tensor *features)
{
    const mixture_state *state = q->state;
    if (features == NULL) return NULL;
    int64_t shape[] = {features->rows, mixture_order(q)}, groups = state->encoder.groups;
    if (state->bias < 0) return mixture_equal_logits(q, t, features->rows);
    elb_tensor *bias = elb_params_leaf(&q->params, t, state->bias);
    if (state->weight < 0) return elb_broadcast(t, bias, 2, shape);
    elb_tensor *weight = elb_params_leaf(&q->params, t, state->weight);
    if (groups == 1 || state->encoder.layers == 1) return elb_linear(t, features, weight, bias, ELB_LINEAR);
    return elb_grouped_linear(t, features, weight, bias, groups, ELB_LINEAR);
}

static elb_tensor *mixture_encode(elb_posterior *q, elb_tape *t, elb_tensor *x)
{
    mixture_state *state = q->state;
    elb_tensor *features = NULL;
    elb_tensor *components = elb_mlp_apply(&state->encoder, t, x, &features);
    return elb_join(t, components, mixture_logits(q, t, features));
}

elb_mixture elb_mixture_encode(elb_posterior *q, elb_tape *t, elb_tensor *x)
{
    mixture_state *state = q->state;
    elb_tensor *features = NULL;
    elb_tensor *components = elb_named(elb_mlp_apply(&state->encoder, t, x, &features), "encoder output");
    return (elb_mixture){components, mixture_logits(q, t, elb_stop_gradient(t, features))};
}

elb_mixture elb_mixture_of(elb_posterior *q, elb_tape *t, elb_tensor *lambda)
{
    int64_t order = mixture_order(q), width = order * 2 * q->latent;
    return (elb_mixture){elb_lambda_part(q, t, lambda, 0, width), elb_lambda_part(q, t, lambda, width, order)};
}

/* --- the interface ------------------------------------------------------------------------------------------------ */

/* log q of z, with the gradients that are asked for. */
static elb_tensor *mixture_log_q(elb_tape *t, elb_mixture mix, elb_tensor *z, elb_log_q log_q)
{
    if (log_q == ELB_LOG_Q_NONE) return NULL;
    if (log_q == ELB_LOG_Q_SAMPLE) {
        mix.components = elb_stop_gradient(t, mix.components);
        mix.logits = elb_stop_gradient(t, mix.logits);
    }
    return elb_mixture_log_prob(t, z, mix.components, mix.logits, ELB_MIXTURE_ALL);
}

/* Differs from the strata: the gradient does not reach the weights through the choice of components. */
static elb_draw mixture_sample(elb_posterior *q, elb_tape *t, elb_tensor *lambda, const elb_noise *noise,
                               elb_log_q log_q)
{
    if (lambda == NULL) return (elb_draw){NULL, NULL, NULL};
    elb_mixture mix = elb_mixture_of(q, t, lambda);
    bool multinomial = q->options.allocation == ELB_ALLOCATION_MULTINOMIAL;
    elb_tensor *choice = elb_mixture_choice(t, mix.logits, noise, MIXTURE_CHOICE, multinomial);
    elb_tensor *eps = elb_noise_normal(t, noise, lambda->rows, q->latent, MIXTURE_NOISE);
    elb_draw d = {elb_mixture_sample(t, mix.components, choice, eps), NULL, NULL};
    d.log_q = mixture_log_q(t, mix, d.z, log_q);
    return d;
}

/* sum_m a_m E_q_m: every component is sampled, and its samples share its weight. */
elb_draw elb_mixture_draw(elb_posterior *q, elb_tape *t, elb_mixture mix, const elb_noise *noise)
{
    if (mix.components == NULL) return (elb_draw){NULL, NULL, NULL};
    int64_t order = mixture_order(q);
    elb_tensor *eps = elb_noise_normal(t, noise, mix.components->rows, order * q->latent, MIXTURE_NOISE);
    return (elb_draw){elb_mixture_strata(t, mix.components, order, eps), NULL,
                      elb_mixture_log_share(t, mix.logits, noise->samples)};
}

static elb_draw mixture_strata(elb_posterior *q, elb_tape *t, elb_tensor *lambda, const elb_noise *noise,
                               elb_log_q log_q)
{
    if (lambda == NULL) return (elb_draw){NULL, NULL, NULL};
    elb_mixture mix = elb_mixture_of(q, t, lambda);
    elb_draw d = elb_mixture_draw(q, t, mix, noise);
    d.log_q = mixture_log_q(t, mix, d.z, log_q);
    return d;
}

static elb_tensor *mixture_mean(elb_posterior *q, elb_tape *t, elb_tensor *lambda)
{
    elb_mixture mix = elb_mixture_of(q, t, lambda);
    return elb_named(elb_columns(t, elb_mixture_moments(t, mix.components, mix.logits), 0, q->latent),
                     "posterior mean");
}

static elb_tensor *mixture_log_variance(elb_posterior *q, elb_tape *t, elb_tensor *lambda)
{
    elb_mixture mix = elb_mixture_of(q, t, lambda);
    elb_tensor *moments = elb_mixture_moments(t, mix.components, mix.logits);
    return elb_named(elb_columns(t, moments, q->latent, q->latent), "posterior log variance");
}

static elb_tensor *mixture_log_density(elb_posterior *q, elb_tape *t, elb_tensor *lambda, elb_tensor *z)
{
    return mixture_log_q(t, elb_mixture_of(q, t, lambda), z, ELB_LOG_Q_FULL);
}

static void mixture_mark_mean(const elb_posterior *q, elb_real *mark)
{
    for (int64_t j = 0; j < mixture_order(q); j++)
        for (int64_t i = 0; i < q->latent; i++) mark[j * 2 * q->latent + i] = 1;
}

const elb_posterior_type elb_posterior_mixture = {
    .name = "mixture",
    .source = "Kim & Pavlovic 2020, section 3",
    .state_size = sizeof(mixture_state),
    .init = mixture_init,
    .reset = mixture_reset,
    .encode = mixture_encode,
    .sample = mixture_sample,
    .strata = mixture_strata,
    .mean = mixture_mean,
    .log_variance = mixture_log_variance,
    .log_density = mixture_log_density,
    .mark_mean = mixture_mark_mean,
};
