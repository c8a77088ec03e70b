#include "objective/objective.h"

#include <math.h>

extern const elb_objective_type elb_objective_elbo, elb_objective_iwae;

const elb_objective_type *const elb_objective_types[] = {&elb_objective_elbo, &elb_objective_iwae, NULL};

void elb_objective_init(elb_objective *o, const elb_objective_options *options)
{
    *o = (elb_objective){.type = elb_objective_types[options->type], .options = *options, .beta = 1, .data = 1};
}

void elb_objective_warm(elb_objective *o, double epoch, double epochs)
{
    const elb_objective_options *with = &o->options;
    o->progress = epochs > 0 ? fmin(1, epoch / epochs) : 0;
    o->beta = 1;
    if (with->warmup == ELB_WARMUP_NONE || with->warmup_epochs <= 0) return;
    o->beta = fmin(1, with->warmup_start + (1 - with->warmup_start) * epoch / with->warmup_epochs);
}

elb_loss elb_objective_loss(const elb_objective *o, elb_tape *t, elb_model *m, elb_posterior *q, elb_tensor *x,
                            const elb_noise *noise)
{
    elb_noise own = *noise;
    own.samples = o->options.samples;
    elb_loss l = o->type->loss(o, t, m, q, x, &own);
    elb_named(l.loss, "loss");
    elb_named(l.reconstruction, "reconstruction term");
    elb_named(l.kl, "KL term");
    return l;
}
