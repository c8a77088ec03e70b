/* inference.h - how lambda(x) comes about: encoded, gated, refined. What evaluation, inference
 * and reconstruction share.
 *
 * The result of a datum depends on the model, the datum, its stream position, the options and the seed; not on its
 * neighbours, the batch or threads. */
#ifndef ELB_INFERENCE_H
#define ELB_INFERENCE_H

#include "infer/refine.h"

typedef struct elb_inference elb_inference;

/* The elb_refine_family that a family of posteriors is; ELB_REFINE_OWN: none of them by name. */
elb_refine_family elb_refine_family_of(const elb_posterior_type *type);

/* Model and posterior are borrowed; options NULL: encoded only. Errors: ELB_USAGE (options that the family
 * cannot serve), ELB_MEMORY. */
elb_status elb_inference_create(elb_context *c, elb_model *model, elb_posterior *posterior,
                                const elb_refine_options *options, uint64_t seed, elb_inference **inference);
void elb_inference_destroy(elb_inference *i); /* may be NULL */
/* The family that lambda belongs to: the posterior itself or, gated or changed to another family, one without an
 * encoder. Only what takes lambda may be asked of it. */
elb_posterior *elb_inference_family(const elb_inference *i);
/* How many data are best inferred together; any number may be. */
int64_t elb_inference_batch(const elb_inference *i);
/* The watcher of refinement (refine.h); places count from the first of the data that elb_inference_run was given. */
void elb_inference_watch(elb_inference *i, elb_refine_watch_fn watch, void *user);
/* Lets a datum's last bits depend on its batch, as in training: small batches are then many times faster. */
void elb_inference_free_rows(elb_inference *i);
/* Steps of refinement in the runs from now on: 0 up to the options'. */
void elb_inference_set_steps(elb_inference *i, int64_t steps);
/* x [count,D], datum[count] their stream positions -> lambda [count, family's local]. Errors: ELB_NUMERIC, ELB_MEMORY;
 * what the watcher returned. */
elb_status elb_inference_run(elb_inference *i, int64_t count, const uint64_t *datum, elb_real *x, elb_real *lambda);

#endif
