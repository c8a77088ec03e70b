#include "apply/simulate.h"

/* What keeps the random numbers of latents and of values apart: the epoch of their stream. */
enum { SIMULATE_LATENT, SIMULATE_VALUES };

typedef struct simulation {
    elb_model *model;
    const elb_machine *machine;
    elb_tape *tape;
    uint64_t seed;
    uint64_t *datum; /* [batch] */
    elb_real *x;     /* [batch,D] */
} simulation;

static elb_status simulate_block(simulation *s, elb_block *block, elb_block_fn visit, void *user)
{
    elb_model *m = s->model;
    for (int64_t i = 0; i < block->count; i++) s->datum[i] = (uint64_t)(block->first + i);
    elb_noise noise = {
        .key = elb_stream_key(s->seed, ELB_FOR_SAMPLE, SIMULATE_LATENT), .datum = s->datum, .samples = 1};
    ELB_TRY(elb_tape_reset(s->tape));
    elb_tensor *z = elb_noise_normal(s->tape, &noise, block->count, m->options.latent, 0);
    elb_tensor *out = elb_model_decode(m, s->tape, z);
    ELB_TRY(elb_tape_run(s->tape, NULL));
    elb_stream at = {.key = elb_stream_key(s->seed, ELB_FOR_SAMPLE, SIMULATE_VALUES)};
    for (int64_t i = 0; i < block->count; i++) {
        at.datum = s->datum[i];
        m->likelihood->draw(m, s->machine->kernels, at, out->data + i * out->cols, s->x + i * m->data);
    }
    block->exact = z->data;
    return visit(user, block);
}

static elb_status simulate_walk(simulation *s, int64_t n, int64_t batch, elb_block_fn visit, void *user)
{
    ELB_TRY(elb_machine_of(s->model->context, &s->machine));
    ELB_TRY(elb_tape_create(s->model->context, &s->tape));
    elb_tape_fix_rows(s->tape);
    if (s->datum == NULL || s->x == NULL) return ELB_MEMORY;
    for (int64_t first = 0; first < n; first += batch) {
        elb_block block = {
            .first = first, .count = n - first < batch ? n - first : batch, .datum = s->datum, .x = s->x};
        ELB_TRY(simulate_block(s, &block, visit, user));
    }
    return ELB_OK;
}

elb_status elb_simulate_visit(const elb_vae *vae, int64_t n, int64_t batch, uint64_t seed, elb_block_fn visit,
                              void *user)
{
    elb_context *c = vae->context;
    simulation s = {.model = vae->model, .seed = seed};
    s.datum = elb_alloc(c, batch, sizeof *s.datum);
    s.x = elb_alloc(c, batch * vae->model->data, sizeof *s.x);
    elb_status status = simulate_walk(&s, n, batch, visit, user);
    elb_tape_destroy(s.tape);
    elb_free(c, s.datum);
    elb_free(c, s.x);
    return status;
}
