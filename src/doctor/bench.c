#include <elbow/bench.h>

#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "infer/ais.h"
#include "infer/importance.h"
#include "infer/refine.h"
#include "run/step.h"

enum {
    BENCH_IMAGES = 2000,
    BENCH_WARM_UP = 3,
    BENCH_DATA_MAX = 1000000,
    BENCH_TEMPERATURES = 10, /* of one call of AIS */
    BENCH_LEAPFROG = 10
};

typedef struct bench {
    elb_context *context;
    const elb_machine *machine;
    elb_bench_settings settings;
    elb_dataset *data;
    elb_vae *vae;
    elb_objective objective;
    elb_optimizer optimizer;
    elb_importance *importance;
    elb_refiner *refiner;
    elb_ais *ais; /* NULL: not timed */
    elb_ais_result *annealed;
    elb_step step;
    int64_t *indices; /* [BENCH_IMAGES] */
    elb_real *x;      /* [batch, D] */
    elb_real *lambda; /* [batch, P] */
    elb_real *noise;  /* [batch, Z] */
    elb_importance_result *results;
    int64_t first; /* of the next batch */
} bench;

/* Grey images with a quarter of the pixels lit, about as in images of digits. */
static elb_status bench_images(bench *b, int64_t size)
{
    const elb_kernels *k = b->machine->kernels;
    elb_real *u = elb_alloc(b->context, 2 * size, sizeof *u);
    float *x = elb_alloc(b->context, BENCH_IMAGES * size, sizeof *x);
    elb_status status = u != NULL && x != NULL ? ELB_OK : ELB_MEMORY;
    for (int64_t i = 0; i < BENCH_IMAGES && status == ELB_OK; i++) {
        k->uniform((elb_stream){elb_stream_key(1, ELB_FOR_SYNTHETIC, 0), (uint64_t)i, 0}, 2 * size, u);
        for (int64_t d = 0; d < size; d++) x[i * size + d] = u[size + d] < (elb_real)0.25 ? (float)u[d] : 0;
    }
    if (status == ELB_OK) status = elb_dataset_create(b->context, "bench", BENCH_IMAGES, 1, &size, x, &b->data);
    elb_free(b->context, u);
    elb_free(b->context, x);
    return status;
}

/* --- one call of each task ---------------------------------------------------------------------------------------- */

static const int64_t *bench_next(bench *b)
{
    if (b->first + b->settings.batch > BENCH_IMAGES) b->first = 0;
    const int64_t *indices = b->indices + b->first;
    b->first += b->settings.batch;
    return indices;
}

static elb_status bench_train(bench *b)
{
    elb_loss loss;
    double rate = b->vae->config->optimizer.rate;
    ELB_TRY(elb_step_take(&b->step, rate, 0, bench_next(b), b->settings.batch, &loss));
    return elb_tape_reset(b->step.tape);
}

static elb_status bench_encode(bench *b)
{
    elb_tape *t = b->step.tape;
    elb_tensor *x = elb_leaf(t, "data", b->x, NULL, 2, (int64_t[]){b->settings.batch, b->vae->model->data});
    elb_encode(b->vae->posterior, t, x);
    ELB_TRY(elb_tape_run(t, NULL));
    return elb_tape_reset(t);
}

static elb_status bench_iwae(bench *b)
{
    return elb_importance_block(b->importance, 1, b->step.datum, b->x, b->results);
}

static elb_status bench_svi(bench *b)
{
    memset(b->lambda, 0, (size_t)(b->settings.batch * b->vae->posterior->local) * sizeof *b->lambda);
    return elb_refiner_run(b->refiner, 1, b->settings.batch, b->step.datum, b->x, b->lambda);
}

static elb_status bench_ais(bench *b)
{
    return elb_ais_block(b->ais, b->settings.batch, b->step.datum, b->x, NULL, b->annealed);
}

static elb_status bench_random(bench *b)
{
    elb_batch_spec spec = elb_config_batch_spec(b->vae->config, 0);
    elb_dataset_batch(b->data, b->machine->kernels, &spec, bench_next(b), b->settings.batch, b->x);
    int64_t latent = b->vae->posterior->latent;
    for (int64_t i = 0; i < b->settings.batch; i++)
        b->machine->kernels->normal((elb_stream){1, (uint64_t)i, 0}, latent, b->noise + i * latent);
    return ELB_OK;
}

/* Arithmetic of one forward pass through all weight matrices of a block, per row. */
static double bench_flops(const elb_params *p)
{
    double flops = 0;
    for (int64_t i = 0; i < p->count; i++) flops += p->at[i].rank == 2 ? 2.0 * (double)p->at[i].count : 0;
    return flops;
}

/* How much arithmetic a call's matrix products do. */
static double bench_work(const bench *b)
{
    double rows = (double)b->settings.batch, samples = (double)b->settings.samples;
    const elb_params *model = &b->vae->model->params, *posterior = &b->vae->posterior->params;
    double decode = bench_flops(model), encode = bench_flops(posterior);
    switch (b->settings.task) {
    case ELB_BENCH_TRAIN: /* forward, weights' gradient, input's gradient; the data need none */
        return rows * (3 * (encode + decode) - 2.0 * (double)posterior->at[0].count);
    case ELB_BENCH_ENCODE: return rows * encode;
    case ELB_BENCH_IWAE: return samples * decode;
    case ELB_BENCH_SVI: /* forward, and back to the latent */ return rows * samples * 2 * decode;
    case ELB_BENCH_AIS: /* a move at all temperatures but the last, and a first look */
        return rows * samples * 2 * decode * (BENCH_LEAPFROG * (BENCH_TEMPERATURES - 1) + 1) / BENCH_TEMPERATURES;
    case ELB_BENCH_RANDOM: break;
    }
    return 0;
}

static elb_status (*const bench_calls[])(bench *b) = {
    [ELB_BENCH_TRAIN] = bench_train, [ELB_BENCH_ENCODE] = bench_encode, [ELB_BENCH_IWAE] = bench_iwae,
    [ELB_BENCH_SVI] = bench_svi,     [ELB_BENCH_AIS] = bench_ais,       [ELB_BENCH_RANDOM] = bench_random,
};

/* --- timing ------------------------------------------------------------------------------------------------------- */

static elb_status bench_time(bench *b, elb_bench_result *result)
{
    int n = b->settings.repeats, warm = BENCH_WARM_UP + n / 5;
    double *seconds = elb_alloc(b->context, n, sizeof *seconds);
    double units = b->settings.task == ELB_BENCH_AIS ? BENCH_TEMPERATURES : 1;
    elb_status status = seconds != NULL ? ELB_OK : ELB_MEMORY;
    for (int i = -warm; i < n && status == ELB_OK; i++) {
        double from = elb_clock();
        status = bench_calls[b->settings.task](b);
        if (i >= 0 && status == ELB_OK) seconds[i] = (elb_clock() - from) / units;
    }
    if (status == ELB_OK) {
        qsort(seconds, (size_t)n, sizeof *seconds, elb_number_compare);
        result->median_seconds = seconds[n / 2];
        result->low_seconds = seconds[n / 10];
        result->high_seconds = seconds[n * 9 / 10];
        result->gflops = bench_work(b) / result->median_seconds * 1e-9;
        result->round_trip_ns = elb_pool_round_trip(b->machine->pool);
    }
    elb_free(b->context, seconds);
    return status;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static elb_status bench_check(elb_context *c, int64_t data, const elb_bench_settings *s)
{
    if ((unsigned)s->task > ELB_BENCH_RANDOM)
        return elb_fail(c, ELB_USAGE, "bench: there is no task number %d", (int)s->task);
    if (data < 1 || data > BENCH_DATA_MAX)
        return elb_fail(c, ELB_USAGE, "bench: data of 1..%d values, not %lld", BENCH_DATA_MAX, (long long)data);
    if (s->batch < 1 || s->batch > BENCH_IMAGES)
        return elb_fail(c, ELB_USAGE, "bench: a batch of 1..%d, not %lld", BENCH_IMAGES, (long long)s->batch);
    if (s->repeats < 1 || s->samples < 1)
        return elb_fail(c, ELB_USAGE, "bench: repeats and samples must be at least 1");
    return ELB_OK;
}

/* Steps are adapted as the peers' are, in the run: so all do the same moves. */
static elb_status bench_open_ais(bench *b)
{
    elb_anneal_settings how = {.chains = b->settings.samples,
                               .temperatures = BENCH_TEMPERATURES,
                               .leapfrog = BENCH_LEAPFROG,
                               .adapt = ELB_ADAPT_IN_RUN};
    if (b->settings.task != ELB_BENCH_AIS) return ELB_OK;
    b->annealed = elb_alloc(b->context, b->settings.batch, sizeof *b->annealed);
    if (b->annealed == NULL) return ELB_MEMORY;
    return elb_ais_create(b->context, b->vae->model, b->vae->posterior, NULL, &how, 1, &b->ais);
}

static elb_status bench_open(bench *b, const elb_config *config, int64_t data)
{
    elb_context *c = b->context;
    int64_t batch = b->settings.batch;
    ELB_TRY(elb_machine_of(c, &b->machine));
    ELB_TRY(bench_images(b, data));
    ELB_TRY(elb_vae_create(config, b->data, &b->vae));
    elb_objective_init(&b->objective, &config->objective);
    b->objective.refine = &config->refine;
    ELB_TRY(elb_objective_open(&b->objective, b->vae->model, b->vae->posterior));
    elb_optimizer_init(&b->optimizer, c, &config->optimizer);
    for (int i = 0; i < ELB_VAE_BLOCKS; i++) ELB_TRY(elb_optimizer_add(&b->optimizer, elb_vae_block(b->vae, i)));
    ELB_TRY(elb_importance_create(c, b->vae->model, b->vae->posterior, NULL, b->settings.samples, 1, &b->importance));
    elb_refine_options adam = {.steps = b->settings.samples, .rate = 1e-2, .samples = 1};
    ELB_TRY(elb_refiner_create(b->vae->model, b->vae->posterior, &adam, &b->refiner));
    ELB_TRY(bench_open_ais(b));
    b->step = (elb_step){.vae = b->vae, .data = b->data, .objective = &b->objective, .optimizer = &b->optimizer};
    ELB_TRY(elb_tape_create(c, &b->step.tape));
    b->step.datum = elb_alloc(c, batch, sizeof *b->step.datum);
    b->indices = elb_alloc(c, BENCH_IMAGES, sizeof *b->indices);
    b->x = elb_alloc(c, batch * data, sizeof *b->x);
    b->lambda = elb_alloc(c, batch * b->vae->posterior->local, sizeof *b->lambda);
    b->noise = elb_alloc(c, batch * b->vae->posterior->latent, sizeof *b->noise);
    b->results = elb_alloc(c, 1, sizeof *b->results);
    if (b->step.datum == NULL || b->indices == NULL || b->x == NULL || b->lambda == NULL || b->noise == NULL ||
        b->results == NULL)
        return ELB_MEMORY;
    for (int64_t i = 0; i < BENCH_IMAGES; i++) b->indices[i] = i;
    elb_batch_spec spec = elb_config_batch_spec(config, 0);
    elb_dataset_batch(b->data, b->machine->kernels, &spec, NULL, batch, b->x);
    return ELB_OK;
}

static void bench_close(bench *b)
{
    elb_context *c = b->context;
    elb_importance_destroy(b->importance);
    elb_refiner_destroy(b->refiner);
    elb_ais_destroy(b->ais);
    elb_free(c, b->annealed);
    elb_objective_close(&b->objective);
    elb_tape_destroy(b->step.tape);
    elb_optimizer_free(&b->optimizer);
    elb_vae_destroy(b->vae);
    elb_dataset_destroy(b->data);
    elb_free(c, b->step.datum);
    elb_free(c, b->indices);
    elb_free(c, b->x);
    elb_free(c, b->lambda);
    elb_free(c, b->noise);
    elb_free(c, b->results);
}

elb_status elb_bench(const elb_config *config, int64_t data, const elb_bench_settings *settings,
                     elb_bench_result *result)
{
    *result = (elb_bench_result){0};
    ELB_TRY(bench_check(config->context, data, settings));
    bench b = {.context = config->context, .settings = *settings};
    elb_status status = bench_open(&b, config, data);
    if (status == ELB_OK) status = bench_time(&b, result);
    bench_close(&b);
    return status;
}
