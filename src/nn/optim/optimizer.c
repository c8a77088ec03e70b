#include "nn/optim/optimizer.h"

#include <math.h>
#include <string.h>

enum { OPTIMIZER_TILE = 16384 };

void elb_optimizer_init(elb_optimizer *o, elb_context *c, const elb_optimizer_options *options)
{
    *o = (elb_optimizer){.context = c, .type = elb_optimizer_types[options->type], .options = *options};
}

void elb_optimizer_free(elb_optimizer *o)
{
    for (int64_t b = 0; b < o->blocks; b++)
        for (int i = 0; i < ELB_OPTIMIZER_MOMENTS; i++) elb_free(o->context, o->block[b].moment[i]);
    o->blocks = 0;
}

static void optimizer_update(const elb_kernels *k, void *owner, int64_t at, int64_t count)
{
    elb_optimizer_block *block = owner;
    elb_real *moment[ELB_OPTIMIZER_MOMENTS] = {NULL};
    for (int i = 0; i < block->optimizer->type->moments; i++) moment[i] = block->moment[i] + at;
    block->optimizer->type->sweep(k, &block->optimizer->step, count, block->params->data + at, block->params->grad + at,
                                  moment);
}

elb_status elb_optimizer_add(elb_optimizer *o, elb_params *params)
{
    if (o->blocks == ELB_OPTIMIZER_BLOCKS)
        return elb_fail(o->context, ELB_FAILURE, "an optimizer takes at most %d parameter blocks",
                        ELB_OPTIMIZER_BLOCKS);
    elb_optimizer_block *block = &o->block[o->blocks++];
    *block = (elb_optimizer_block){.optimizer = o, .params = params, .update = {optimizer_update, block}};
    for (int i = 0; i < o->type->moments; i++) {
        block->moment[i] = elb_alloc(o->context, params->size, sizeof(elb_real));
        if (block->moment[i] == NULL) return ELB_MEMORY;
    }
    return ELB_OK;
}

void elb_optimizer_reset(elb_optimizer *o)
{
    o->steps = 0;
    for (int64_t b = 0; b < o->blocks; b++)
        for (int i = 0; i < o->type->moments; i++)
            memset(o->block[b].moment[i], 0, (size_t)o->block[b].params->size * sizeof(elb_real));
}

void elb_optimizer_begin(elb_optimizer *o, double rate)
{
    o->step = o->type->prepare(&o->options, rate, ++o->steps);
    o->step.weight_decay = (elb_real)o->options.weight_decay;
    o->step.gradient_scale = 1;
    o->deferred = false;
    for (int64_t b = 0; b < o->blocks; b++) o->block[b].params->update = &o->block[b].update;
    if (o->options.clip > 0) elb_optimizer_defer(o);
}

void elb_optimizer_defer(elb_optimizer *o)
{
    o->deferred = true;
    for (int64_t b = 0; b < o->blocks; b++) {
        elb_params *p = o->block[b].params;
        p->update = NULL;
        memset(p->grad, 0, (size_t)p->size * sizeof *p->grad);
    }
}

/* The gradient's global norm, summed in the parameters' order. */
static double optimizer_norm(const elb_optimizer *o, const elb_kernels *k)
{
    double total = 0;
    for (int64_t b = 0; b < o->blocks; b++) {
        const elb_params *p = o->block[b].params;
        total += (double)k->dot(p->size, p->grad, p->grad);
    }
    return sqrt(total);
}

typedef struct optimizer_sweep {
    elb_optimizer *optimizer;
    const elb_machine *machine;
} optimizer_sweep;

static void optimizer_sweep_blocks(void *argument, int thread)
{
    optimizer_sweep *s = argument;
    int64_t stride = OPTIMIZER_TILE * (int64_t)elb_pool_threads(s->machine->pool);
    for (int64_t b = 0; b < s->optimizer->blocks; b++) {
        int64_t size = s->optimizer->block[b].params->size;
        for (int64_t at = OPTIMIZER_TILE * (int64_t)thread; at < size; at += stride)
            optimizer_update(s->machine->kernels, &s->optimizer->block[b], at,
                             size - at < OPTIMIZER_TILE ? size - at : OPTIMIZER_TILE);
    }
}

elb_status elb_optimizer_end(elb_optimizer *o, bool ran)
{
    for (int64_t b = 0; b < o->blocks; b++) o->block[b].params->update = NULL;
    if (!ran || !o->deferred) return ELB_OK;
    optimizer_sweep s = {.optimizer = o};
    ELB_TRY(elb_machine_of(o->context, &s.machine));
    if (o->options.clip > 0)
        o->step.gradient_scale = (elb_real)fmin(1, o->options.clip / (optimizer_norm(o, s.machine->kernels) + 1e-6));
    elb_pool_run(s.machine->pool, optimizer_sweep_blocks, &s);
    return ELB_OK;
}
