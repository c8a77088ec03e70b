/* objective_options.c - the keys of "objective". */
#include "objective/objective_options.h"

static const char *const objective_types[] = {"elbo",   "iwae", "gp", "savi",
                                              "recmix", "bvi",  NULL}; /* in the order of elb_objective_types */
static const char *const objective_kl_forms[] = {"closed", "sampled", NULL};
static const char *const objective_gradients[] = {"plain", "stl", "dreg", NULL};
static const char *const objective_warmups[] = {"none", "kl", "entropy", NULL};
static const char *const objective_encoders[] = {"through", "start", "kl", NULL};
static const char *const objective_differences[] = {"forward", "central", NULL};

const elb_option elb_objective_option_table[] = {
    {.name = "type",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_objective_options, type),
     .fallback = "elbo",
     .choices = objective_types,
     .help = "Bound on the log-likelihood that training maximises: the ELBO, the IWAE bound, or the ELBO after the "
             "steps of "
             "refine."},
    {.name = "samples",
     .kind = ELB_OPTION_INT,
     .offset = offsetof(elb_objective_options, samples),
     .fallback = "1",
     .min = 1,
     .max = 100000,
     .help = "Posterior samples per datum and step: averaged by elbo and gp, the K importance samples of iwae."},
    {.name = "kl",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_objective_options, kl),
     .fallback = "closed",
     .choices = objective_kl_forms,
     .help = "How elbo gets the KL divergence to the prior: in closed form, or from the samples; stl and dreg always "
             "sample it."},
    {.name = "gradient",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_objective_options, gradient),
     .fallback = "plain",
     .choices = objective_gradients,
     .help = "Gradient estimator of the encoder: plain reparameterisation, stl (sticking the landing), or dreg (doubly "
             "reparameterised)."},
    {.name = "warmup",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_objective_options, warmup),
     .fallback = "none",
     .choices = objective_warmups,
     .help = "What a factor beta that grows to 1 multiplies early in training: nothing, the KL term, or log q (entropy "
             "annealing)."},
    {.name = "warmup_epochs",
     .kind = ELB_OPTION_REAL,
     .offset = offsetof(elb_objective_options, warmup_epochs),
     .fallback = "10",
     .min = 0.001,
     .max = 1e6,
     .help = "Epochs after which the warm-up's beta reaches 1."},
    {.name = "warmup_start",
     .kind = ELB_OPTION_REAL,
     .offset = offsetof(elb_objective_options, warmup_start),
     .fallback = "0",
     .min = 0,
     .max = 1,
     .help = "The warm-up's beta at the first step, as a fraction."},
    {.name = "encoder",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_objective_options, encoder),
     .fallback = "through",
     .choices = objective_encoders,
     .help = "What savi trains the encoder by: the refined ELBO through all steps of refine, the ELBO at their start, "
             "or the "
             "KL divergence from q at their start to q at their end; with refine.start=zero it is not trained."},
    {.name = "difference",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_objective_options, difference),
     .fallback = "forward",
     .choices = objective_differences,
     .help =
         "Differences of gradients that give savi its second derivatives: forward, one run per step, or central, two "
         "and more digits."},
    {.name = "radius",
     .kind = ELB_OPTION_REAL,
     .offset = offsetof(elb_objective_options, radius),
     .fallback = "0.003",
     .min = 1e-12,
     .max = 1,
     .help = "How far savi moves the local parameters for a difference of gradients: the Euclidean norm for the datum "
             "that is "
             "moved most."},
    {.name = "pretrain",
     .kind = ELB_OPTION_REAL,
     .offset = offsetof(elb_objective_options, pretrain),
     .fallback = "0",
     .min = 0,
     .max = 0.99,
     .help =
         "Share of the epochs, at the start, in which recmix and bvi train a mixture's first component alone, as a VAE "
         "with as many samples; the others start from it."},
    {.name = "recursion",
     .kind = ELB_OPTION_REAL,
     .offset = offsetof(elb_objective_options, recursion),
     .fallback = "0.33",
     .min = 0,
     .max = 1,
     .help =
         "Share of the epochs after that in which recmix and bvi train each component against those before it; in the "
         "rest all are trained together on the mixture's ELBO."},
    {.name = "clip_kl",
     .kind = ELB_OPTION_REAL,
     .offset = offsetof(elb_objective_options, clip_kl),
     .fallback = "3",
     .min = 0,
     .max = 1e6,
     .help =
         "Largest log ratio in nats, of either sign, by which recmix and bvi credit a component for being unlike those "
         "before it."},
    {.name = "nu",
     .kind = ELB_OPTION_REAL,
     .offset = offsetof(elb_objective_options, nu),
     .fallback = "1",
     .min = 0,
     .max = 1e6,
     .help = "Factor of the entropy that bvi adds for every component after the first."},
    {.name = NULL},
};
