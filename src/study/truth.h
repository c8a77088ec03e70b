/* truth.h - p(z|x) of a model with two latent numbers by a grid, and q(z|x) on the same. */
#ifndef ELB_TRUTH_H
#define ELB_TRUTH_H

#include "model/model.h"
#include "posterior/posterior.h"
#include "study/field.h"

enum { ELB_TRUTH_DRAWS = 16384 };

typedef struct elb_truth {
    elb_model *model; /* borrowed; with two latent numbers */
    uint64_t key;     /* of draws */
    elb_tape *tape;
    double *grid; /* [ELB_FIELD_COUNT] the values of the latest field */
    elb_real *z;  /* [ELB_TRUTH_DRAWS,2] */
} elb_truth;

/* elb_truth_close may follow a failure too. Errors: ELB_MEMORY. */
elb_status elb_truth_open(elb_truth *h, elb_model *model, uint64_t seed);
void elb_truth_close(elb_truth *h); /* h may be all zero */

/* x [1,D] -> a window that holds what is in sight of p(z|x). Errors: as elb_tape_run, as all that follow. */
elb_status elb_truth_find(elb_truth *h, elb_real *x, elb_window *window);
/* Makes it hold what is in sight of q(z|x), too: lambda [1,P]. */
elb_status elb_truth_widen(elb_truth *h, elb_posterior *q, elb_real *lambda, elb_window *window);
/* p(z|x) over a square around the window; its log_mass is log p(x), as far as the window holds the mass. The field's
 * values are h->grid, as the next's. */
elb_status elb_truth_of_p(elb_truth *h, elb_real *x, elb_window window, elb_field *field);
/* q(z|x) over a window; by draws where it does not tell its density. */
elb_status elb_truth_of_q(elb_truth *h, elb_posterior *q, elb_real *lambda, const elb_window *window, elb_field *field);
/* A narrow Gaussian at the top of p(z|x), [mean, log-variance]: where a search for the best q begins well. */
void elb_truth_mode(const elb_field *p, elb_real moments[4]);

#endif
