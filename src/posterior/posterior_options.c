/* posterior_options.c - the keys of "posterior". */
#include "posterior/posterior_options.h"

static const char *const posterior_ffg_scales[] = {"log_variance", "softplus_sd", "softplus_variance", NULL};
static const char *const posterior_flow_forms[] = {"gated", "affine", NULL};
static const char *const posterior_flow_contexts[] = {"encoder", "none", "local", NULL};
static const char *const posterior_covariances[] = {"diagonal", "full", NULL};
static const char *const posterior_types[] = {"ffg",     "iaf",  "householder", "aux_flow", "gp",
                                              "mixture", "full", NULL}; /* in the order of elb_posterior_types */
static const char *const posterior_trunks[] = {"separate", "shared", NULL};
static const char *const posterior_weights[] = {"uniform", "global", "input", NULL};
static const char *const posterior_allocations[] = {"systematic", "multinomial", NULL};
static const char *const posterior_starts[] = {"copies", "fresh", NULL};

const elb_option elb_posterior_option_table[] = {
    {.name = "type",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_posterior_options, type),
     .fallback = "ffg",
     .choices = posterior_types,
     .help = "Family of q(z|x): ffg is the fully factorised Gaussian; iaf, householder and aux_flow carry its samples "
             "through a flow; gp is that of random functions; mixture has several of it; full has a full covariance "
             "matrix."},
    {.name = "hidden",
     .kind = ELB_OPTION_INTS,
     .offset = offsetof(elb_posterior_options, hidden),
     .fallback = "200,200",
     .min = 1,
     .max = 65536,
     .help = "Widths of the encoder's hidden layers in units, from the data to the latent side; empty makes a linear "
             "encoder."},
    {.name = "activation",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_posterior_options, activation),
     .fallback = "tanh",
     .choices = elb_net_kind_names,
     .help = "Nonlinearity of the hidden layers of the encoder and of a flow's networks."},
    {.name = "ffg_scale",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_posterior_options, ffg_scale),
     .fallback = "log_variance",
     .choices = posterior_ffg_scales,
     .help = "What the second half of the encoder's output is for ffg: a log-variance, or what a softplus makes the "
             "standard deviation or the variance of."},
    {.name = "ffg_epsilon",
     .kind = ELB_OPTION_REAL,
     .offset = offsetof(elb_posterior_options, ffg_epsilon),
     .fallback = "0",
     .min = 0,
     .max = 1,
     .help = "What is added to that softplus."},
    {.name = "flow_steps",
     .kind = ELB_OPTION_INT,
     .offset = offsetof(elb_posterior_options, flow_steps),
     .fallback = "4",
     .min = 1,
     .max = ELB_FLOW_STEPS_MAX,
     .help =
         "Steps of the flow: autoregressive steps (iaf), reflections (householder), or pairs of couplings (aux_flow)."},
    {.name = "flow_hidden",
     .kind = ELB_OPTION_INTS,
     .offset = offsetof(elb_posterior_options, flow_hidden),
     .fallback = "200",
     .min = 1,
     .max = 65536,
     .help = "Widths of the hidden layers in units of every network in a step of iaf or aux_flow; empty makes them "
             "linear."},
    {.name = "flow_form",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_posterior_options, flow_form),
     .fallback = "gated",
     .choices = posterior_flow_forms,
     .help = "How a step of iaf or aux_flow scales a coordinate: by a sigmoid (gated), or by an exponential (affine)."},
    {.name = "flow_context",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_posterior_options, flow_context),
     .fallback = "encoder",
     .choices = posterior_flow_contexts,
     .help = "How the flow's networks know the datum: by numbers from the encoder, not at all (none), or by weights of "
             "its own that refinement can fit (local, aux_flow only)."},
    {.name = "gp_covariance",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_posterior_options, gp_covariance),
     .fallback = "diagonal",
     .choices = posterior_covariances,
     .help =
         "What gp learns of the weights behind each random function: their variances, or a full covariance matrix."},
    {.name = "gp_scale",
     .kind = ELB_OPTION_REAL,
     .offset = offsetof(elb_posterior_options, gp_scale),
     .fallback = "0",
     .min = 0,
     .max = 1e6,
     .help = "Standard deviation of the prior of these weights; 0 makes it 1 / sqrt(p) for p features."},
    {.name = "order",
     .kind = ELB_OPTION_INT,
     .offset = offsetof(elb_posterior_options, order),
     .fallback = "4",
     .min = 1,
     .max = 10,
     .zero = "auto",
     .help =
         "Components of a mixture; auto adds one after the other while held-out data (data.validation) gain by it."},
    {.name = "trunk",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_posterior_options, trunk),
     .fallback = "separate",
     .choices = posterior_trunks,
     .help = "Whether every component of a mixture has an encoder of its own, or all share the hidden layers of one "
             "and have output layers of their own."},
    {.name = "weights",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_posterior_options, weights),
     .fallback = "uniform",
     .choices = posterior_weights,
     .help = "A mixture's weights: all equal, learned but the same for all data, or read off the encoders' last hidden "
             "layer for every datum."},
    {.name = "allocation",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_posterior_options, allocation),
     .fallback = "systematic",
     .choices = posterior_allocations,
     .help = "How a mixture's samples are shared out among its components: in proportion to the weights, or by chance "
             "for each sample."},
    {.name = "start",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_posterior_options, start),
     .fallback = "copies",
     .choices = posterior_starts,
     .help = "What a mixture's further components start as when the first was trained before: copies of it with a "
             "little noise, or fresh encoders."},
    {.name = "jitter",
     .kind = ELB_OPTION_REAL,
     .offset = offsetof(elb_posterior_options, jitter),
     .fallback = "0.005",
     .min = 0,
     .max = 10,
     .help = "Standard deviation of the noise on the output weights of a component that starts as a copy."},
    {.name = NULL},
};
