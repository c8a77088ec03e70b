/* refine_options.c - the keys of "refine". */
#include "infer/refine_options.h"

static const char *const refine_methods[] = {"adam", "momentum", NULL};
static const char *const refine_starts[] = {"encoder", "zero", NULL};
static const char *const refine_parts[] = {"all", "mean", NULL};
static const char *const refine_families[] = {"own", "ffg", "full", "flow", NULL};
static const char *const refine_gates[] = {"none", "best", NULL};

const elb_option elb_refine_option_table[] = {
    {.name = "steps",
     .kind = ELB_OPTION_INT,
     .offset = offsetof(elb_refine_options, steps),
     .fallback = "0",
     .min = 0,
     .max = 1e9,
     .help = "Gradient steps on every datum's local parameters after the encoder; 0 is amortised inference alone."},
    {.name = "method",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_refine_options, method),
     .fallback = "adam",
     .choices = refine_methods,
     .help = "How a step is taken: Adam, or gradient descent with momentum."},
    {.name = "rate",
     .kind = ELB_OPTION_REAL,
     .offset = offsetof(elb_refine_options, rate),
     .fallback = "0.03",
     .min = 1e-12,
     .max = 1e6,
     .help = "Step size: Adam's, or for momentum the factor on the gradient of one datum's ELBO in nats."},
    {.name = "decay",
     .kind = ELB_OPTION_REAL,
     .offset = offsetof(elb_refine_options, decay),
     .fallback = "0",
     .min = 0,
     .max = 1,
     .help = "Share of the rate that is gone at the last step; it falls linearly, and 0 keeps it."},
    {.name = "momentum",
     .kind = ELB_OPTION_REAL,
     .offset = offsetof(elb_refine_options, momentum),
     .fallback = "0.5",
     .min = 0,
     .max = 0.9999,
     .help = "Share of the last step that momentum keeps."},
    {.name = "clip",
     .kind = ELB_OPTION_REAL,
     .offset = offsetof(elb_refine_options, clip),
     .fallback = "0",
     .min = 0,
     .max = 1e12,
     .help = "Largest norm of the gradient for one datum's parameters; 0 does not clip."},
    {.name = "start",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_refine_options, start),
     .fallback = "encoder",
     .choices = refine_starts,
     .help = "Where the steps start: at the encoder's output, or at zero, which for a Gaussian is the prior."},
    {.name = "part",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_refine_options, part),
     .fallback = "all",
     .choices = refine_parts,
     .help = "Which local parameters move: all of them, or the mean alone."},
    {.name = "family",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_refine_options, family),
     .fallback = "own",
     .choices = refine_families,
     .help =
         "Family of q(z|x) that is refined: the model's own, or one that starts from its mean and variance: a fully "
         "factorised Gaussian (ffg), one with full covariance (full), or a flow of every datum's own (flow)."},
    {.name = "gate",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_refine_options, gate),
     .fallback = "none",
     .choices = refine_gates,
     .help = "For mixtures, whether only the best component goes on, chosen for each datum by log p(x|z) at its mean "
             "less its KL divergence."},
    {.name = "samples",
     .kind = ELB_OPTION_INT,
     .offset = offsetof(elb_refine_options, samples),
     .fallback = "1",
     .min = 1,
     .max = 100000,
     .help = "Samples of z per datum and step."},
    {.name = "tolerance",
     .kind = ELB_OPTION_REAL,
     .offset = offsetof(elb_refine_options, tolerance),
     .fallback = "0",
     .min = 0,
     .max = 1e6,
     .help = "A datum is done when its ELBO rises by less than this many nats over a window of steps; 0 takes every "
             "step."},
    {.name = NULL},
};

double elb_refine_rate(const elb_refine_options *o, int64_t k)
{
    return o->steps > 1 ? o->rate * (1 - o->decay * (double)k / (double)(o->steps - 1)) : o->rate;
}
