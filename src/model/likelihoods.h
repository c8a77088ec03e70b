/* likelihoods.h - every likelihood, one file each. */
#ifndef ELB_LIKELIHOODS_H
#define ELB_LIKELIHOODS_H

#include "model/model.h"

extern const elb_likelihood_type elb_likelihood_bernoulli, elb_likelihood_continuous_bernoulli, elb_likelihood_gaussian;

/* Refuses NaN and infinities in words; shared by all. */
elb_status elb_likelihood_check_present(elb_context *c, const elb_value_range *range);
/* Refuses values outside [0,1] in words, for the likelihood `name`. */
elb_status elb_likelihood_check_unit(elb_context *c, const char *name, const elb_value_range *range);

#endif
