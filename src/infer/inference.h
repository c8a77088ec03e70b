/* inference.h - how lambda(x) comes about: encoded, gated, refined. What evaluation, inference and reconstruction share.
 *
 * The result of a datum depends on the model, the datum, its stream position, the options and the seed; not on its
 * neighbours, the batch or threads. */
#ifndef ELB_INFERENCE_H
#define ELB_INFERENCE_H

#include "infer/refine_options.h"
#include "model/model.h"
#include "posterior/posterior.h"

typedef struct elb_inference elb_inference;

/* Model and posterior are borrowed. Errors: ELB_USAGE (options that the family cannot serve), ELB_MEMORY. */
elb_status elb_inference_create(elb_context *c, elb_model *model, elb_posterior *posterior,
                                const elb_refine_options *options, uint64_t seed, elb_inference **inference);
void elb_inference_destroy(elb_inference *i); /* may be NULL */
/* The family that lambda belongs to: the posterior itself or, gated or changed to another family, one without an encoder.
 * Only what takes lambda may be asked of it. */
elb_posterior *elb_inference_family(const elb_inference *i);
/* x [count,D], datum[count] their stream positions -> lambda [count, family's local]. Errors: ELB_NUMERIC, ELB_MEMORY. */
elb_status elb_inference_run(elb_inference *i, int64_t count, const uint64_t *datum, elb_real *x, elb_real *lambda);

#endif
