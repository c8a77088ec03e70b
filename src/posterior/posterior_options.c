/* posterior_options.c - the keys of "posterior". */
#include "posterior/posterior_options.h"

static const char *const posterior_types[] = {"ffg", NULL}; /* in the order of elb_posterior_types */

const elb_option elb_posterior_option_table[] = {
    {.name = "type",
     .kind = ELB_OPTION_CHOICE,
     .offset = offsetof(elb_posterior_options, type),
     .fallback = "ffg",
     .choices = posterior_types,
     .help = "Family of q(z|x): ffg is the fully factorised Gaussian."},
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
     .help = "Nonlinearity of the encoder's hidden layers."},
    {.name = NULL},
};
