/* model_options.c - the keys of "model" and "likelihood". */
#include "model/model_options.h"

static const char *const model_likelihoods[] = {"bernoulli", "continuous-bernoulli", "gaussian", "auto", NULL};
static const char *const model_means[] = {"linear", "sigmoid", "tanh", NULL};
static const char *const model_variances[] = {"fixed", "scalar", "pixel", "predicted", NULL};

const elb_option elb_model_option_table[] = {
    {.name = "latent",
     .kind = ELB_OPTION_INT,
     .offset = offsetof(elb_model_options, latent),
     .fallback = "auto",
     .min = 1,
     .max = 65536,
     .zero = "auto",
     .help = "Number of latent dimensions; auto is half as many as a datum has values, and at most 50."},
    {.name = "hidden",
     .kind = ELB_OPTION_INTS,
     .offset = offsetof(elb_model_options, hidden),
     .fallback = "200,200",
     .min = 1,
     .max = 65536,
     .help = "Widths of the decoder's hidden layers in units, from the latent side to the data; empty makes a linear "
             "decoder."},
    {.name = "activation",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_model_options, activation),
     .fallback = "tanh",
     .choices = elb_net_kind_names,
     .help = "Nonlinearity of the decoder's hidden layers."},
    {.name = NULL},
};

const elb_option elb_likelihood_option_table[] = {
    {.name = "type",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_likelihood_options, type),
     .fallback = "auto",
     .choices = model_likelihoods,
     .help = "Distribution of one data value given the decoder's output: bernoulli for 0 and 1, continuous-bernoulli "
             "for [0,1], gaussian for any number. auto is bernoulli for data of 0 and 1 or binarised data, else "
             "gaussian with learned variances that start below the data's."},
    {.name = "mean",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_likelihood_options, mean),
     .fallback = "linear",
     .choices = model_means,
     .help = "What makes the mean of a gaussian likelihood of the decoder's output: nothing (linear), a sigmoid for "
             "data in [0,1], or a tanh for data in [-1,1]."},
    {.name = "variance",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_likelihood_options, variance),
     .fallback = "scalar",
     .choices = model_variances,
     .help = "Variance of a gaussian likelihood: fixed, one learned scalar, one learned per data dimension (pixel), or "
             "predicted by the decoder."},
    {.name = "log_variance",
     .kind = ELB_OPTION_REAL,
     .offset = offsetof(elb_likelihood_options, log_variance),
     .fallback = "0",
     .min = -20,
     .max = 20,
     .help = "Natural log of the gaussian variance in squared data units: the value when fixed, else where learning "
             "starts."},
    {.name = NULL},
};
