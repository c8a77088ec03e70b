#include "run/step.h"

#include "run/batch_op.h"

elb_status elb_step_take(const elb_step *s, double rate, uint32_t epoch, const int64_t *indices, int64_t batch,
                         elb_loss *loss)
{
    const elb_config *config = s->vae->config;
    for (int64_t i = 0; i < batch; i++) s->datum[i] = s->data->origin + (uint64_t)indices[i];
    elb_noise noise = {.key = elb_stream_key((uint64_t)config->top.seed, ELB_FOR_POSTERIOR, epoch), .datum = s->datum};
    elb_batch_spec spec = elb_config_batch_spec(config, epoch);
    elb_optimizer_begin(s->optimizer, rate);
    if (elb_objective_runs_often(s->objective)) elb_optimizer_defer(s->optimizer);
    elb_tensor *x = elb_batch(s->tape, s->data, &spec, indices, batch);
    elb_status status = elb_objective_step(s->objective, s->tape, s->vae->model, s->vae->posterior, x, &noise, loss);
    elb_status ended = elb_optimizer_end(s->optimizer, status == ELB_OK);
    return status != ELB_OK ? status : ended;
}
