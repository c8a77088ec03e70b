#include "objective/objective.h"

#include <math.h>

extern const elb_objective_type elb_objective_elbo, elb_objective_iwae, elb_objective_gp, elb_objective_savi,
    elb_objective_recmix, elb_objective_bvi;

const elb_objective_type *const elb_objective_types[] = {&elb_objective_elbo,
                                                         &elb_objective_iwae,
                                                         &elb_objective_gp,
                                                         &elb_objective_savi,
                                                         &elb_objective_recmix,
                                                         &elb_objective_bvi,
                                                         NULL};

static void objective_enter_phase(elb_objective *o)
{
    int64_t now = o->type->phase != NULL ? o->type->phase(o, o->progress) : 0;
    if (now > o->phase) o->phase = now;
}

void elb_objective_init(elb_objective *o, const elb_objective_options *options)
{
    *o = (elb_objective){.type = elb_objective_types[options->type], .options = *options, .beta = 1, .data = 1};
    objective_enter_phase(o);
}

void elb_objective_warm(elb_objective *o, double epoch, double epochs)
{
    const elb_objective_options *with = &o->options;
    o->progress = epochs > 0 ? fmin(1, epoch / epochs) : 0;
    objective_enter_phase(o);
    o->beta = 1;
    if (with->warmup == ELB_WARMUP_NONE || with->warmup_epochs <= 0) return;
    o->beta = fmin(1, with->warmup_start + (1 - with->warmup_start) * epoch / with->warmup_epochs);
}

const char *elb_objective_phase_name(const elb_objective *o)
{
    return o->type->phases != NULL ? o->type->phases[o->phase] : NULL;
}

int64_t elb_objective_phases(const elb_objective *o)
{
    int64_t count = 0;
    while (o->type->phases != NULL && o->type->phases[count] != NULL) count++;
    return count > 0 ? count : 1;
}

elb_status elb_objective_enter(const elb_objective *o, elb_posterior *q, int64_t from, uint64_t seed)
{
    return o->type->enter != NULL ? o->type->enter(o, q, from, seed) : ELB_OK;
}

elb_status elb_objective_settle(const elb_objective *o, elb_posterior *q, uint64_t seed)
{
    return o->type->settle != NULL ? o->type->settle(o, q, seed) : ELB_OK;
}

elb_tensor *elb_objective_penalty(const elb_objective *o, elb_tape *t, elb_tensor *kl, elb_tensor *log_q)
{
    if (o->options.warmup == ELB_WARMUP_KL && o->beta < 1) return elb_affine(t, kl, o->beta, 0);
    if (o->options.warmup == ELB_WARMUP_ENTROPY && o->beta < 1)
        return elb_sub(t, kl, elb_affine(t, log_q, 1 - o->beta, 0));
    return kl;
}

/* Whether the objective is for this posterior and these options; else the tape is told in words. */
static bool objective_fits(const elb_objective *o, elb_tape *t, const elb_posterior *q)
{
    const elb_objective_type *type = o->type;
    if (type->posterior != NULL && type->posterior != q->type)
        elb_tape_fail(t, ELB_USAGE, "objective.type=%s is for posterior.type=%s alone, not for %s: set both",
                      type->name, type->posterior->name, q->type->name);
    if (type->plain && o->options.gradient != ELB_GRADIENT_PLAIN)
        elb_tape_fail(t, ELB_USAGE, "objective.type=%s has the plain gradient alone: set objective.gradient=plain",
                      type->name);
    return !elb_tape_failed(t);
}

elb_loss elb_objective_loss(const elb_objective *o, elb_tape *t, elb_model *m, elb_posterior *q, elb_tensor *x,
                            const elb_noise *noise)
{
    if (!objective_fits(o, t, q)) return (elb_loss){NULL, NULL, NULL, NULL, NULL};
    elb_noise own = *noise;
    own.samples = o->options.samples;
    elb_loss l = o->type->loss(o, t, m, q, x, &own);
    elb_named(l.loss, "loss");
    elb_named(l.reconstruction, "reconstruction term");
    elb_named(l.kl, "KL term");
    return l;
}

elb_status elb_objective_open(elb_objective *o, elb_model *m, elb_posterior *q)
{
    o->context = m->context;
    return o->type->open != NULL ? o->type->open(o, m, q) : ELB_OK;
}

void elb_objective_close(elb_objective *o)
{
    if (o->state != NULL) o->type->close(o);
    o->state = NULL;
}

bool elb_objective_runs_often(const elb_objective *o)
{
    return o->type->step != NULL;
}

elb_status elb_objective_step(elb_objective *o, elb_tape *t, elb_model *m, elb_posterior *q, elb_tensor *x,
                              const elb_noise *noise, elb_loss *loss)
{
    if (o->type->step != NULL) return o->type->step(o, t, m, q, x, noise, loss);
    *loss = elb_objective_loss(o, t, m, q, x, noise);
    return elb_tape_run(t, loss->loss);
}
