#include "nn/optim/optimizer.h"

#include <math.h>
#include <string.h>

enum { OPTIMIZER_TILE = 16384 };

elb_status elb_optimizer_init(elb_optimizer *o, elb_context *c, const elb_optimizer_options *options)
{
    *o = (elb_optimizer){.context = c, .type = elb_optimizer_types[options->type], .options = *options};
    return ELB_OK;
}

void elb_optimizer_free(elb_optimizer *o)
{
    for (int64_t b = 0; b < o->blocks; b++)
        for (int i = 0; i < ELB_OPTIMIZER_MOMENTS; i++) elb_free(o->context, o->block[b].moment[i]);
    o->blocks = 0;
}

elb_status elb_optimizer_add(elb_optimizer *o, elb_params *params)
{
    if (o->blocks == ELB_OPTIMIZER_BLOCKS)
        return elb_fail(o->context, ELB_FAILURE, "an optimizer takes at most %d parameter blocks", ELB_OPTIMIZER_BLOCKS);
    int64_t b = o->blocks++;
    o->block[b].params = params;
    for (int i = 0; i < o->type->moments; i++) {
        o->block[b].moment[i] = elb_alloc(o->context, params->size, sizeof(elb_real));
        if (o->block[b].moment[i] == NULL) return ELB_MEMORY;
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

typedef struct optimizer_sweep {
    elb_optimizer *optimizer;
    const elb_machine *machine;
    elb_adam_step step;
} optimizer_sweep;

static void optimizer_update(optimizer_sweep *s, int64_t b, int64_t begin, int64_t count)
{
    elb_optimizer *o = s->optimizer;
    elb_params *p = o->block[b].params;
    elb_real *moment[ELB_OPTIMIZER_MOMENTS];
    for (int i = 0; i < ELB_OPTIMIZER_MOMENTS; i++)
        moment[i] = o->block[b].moment[i] != NULL ? o->block[b].moment[i] + begin : NULL;
    o->type->sweep(s->machine->kernels, &s->step, count, p->data + begin, p->grad + begin, moment);
}

static void optimizer_sweep_blocks(void *argument, int thread)
{
    optimizer_sweep *s = argument;
    int64_t stride = OPTIMIZER_TILE * (int64_t)elb_pool_threads(s->machine->pool);
    for (int64_t b = 0; b < s->optimizer->blocks; b++) {
        int64_t size = s->optimizer->block[b].params->size;
        for (int64_t begin = OPTIMIZER_TILE * (int64_t)thread; begin < size; begin += stride)
            optimizer_update(s, b, begin, size - begin < OPTIMIZER_TILE ? size - begin : OPTIMIZER_TILE);
    }
}

/* The gradient's global norm, summed in the parameters' order. */
static double optimizer_norm(const optimizer_sweep *s)
{
    double total = 0;
    for (int64_t b = 0; b < s->optimizer->blocks; b++) {
        const elb_params *p = s->optimizer->block[b].params;
        total += (double)s->machine->kernels->dot(p->size, p->grad, p->grad);
    }
    return sqrt(total);
}

elb_status elb_optimizer_step(elb_optimizer *o, double rate)
{
    optimizer_sweep s = {.optimizer = o};
    ELB_TRY(elb_machine_of(o->context, &s.machine));
    s.step = o->type->prepare(&o->options, rate, ++o->steps);
    s.step.weight_decay = (elb_real)o->options.weight_decay;
    s.step.gradient_scale = 1;
    if (o->options.clip > 0) s.step.gradient_scale = (elb_real)fmin(1, o->options.clip / (optimizer_norm(&s) + 1e-6));
    elb_pool_run(s.machine->pool, optimizer_sweep_blocks, &s);
    return ELB_OK;
}
