/* objective.h - losses to train by: nats per datum, to be minimised. */
#ifndef ELB_OBJECTIVE_H
#define ELB_OBJECTIVE_H

#include "infer/refine_options.h"
#include "model/model.h"
#include "objective/objective_options.h"
#include "posterior/posterior.h"

/* The loss and what it is made of. kl_coordinate and bound may be NULL. */
typedef struct elb_loss {
    elb_tensor *loss;           /* one element: the mean over the batch, with beta */
    elb_tensor *reconstruction; /* log p(x|z): [B], averaged over the samples, or [S,B] */
    elb_tensor *kl;             /* [B] in closed form or averaged; or [S,B]: log q(z) - log p(z) */
    elb_tensor *kl_coordinate;  /* [B,Z], closed form */
    elb_tensor *bound;          /* [B], what is bounded with beta = 1, where that is not the ELBO */
} elb_loss;

typedef struct elb_objective elb_objective;

typedef struct elb_objective_type {
    const char *name, *source;
    const elb_posterior_type *posterior; /* the only family it is for; NULL: any */
    bool plain;                          /* objective.gradient must be plain */
    elb_loss (*loss)(const elb_objective *o, elb_tape *t, elb_model *m, elb_posterior *q, elb_tensor *x,
                     const elb_noise *noise);
    /* The other members are OPTIONAL. These are for losses whose gradient takes more than one run of one tape. */
    elb_status (*open)(elb_objective *o, elb_model *m, elb_posterior *q); /* checks, and makes o->state */
    void (*close)(elb_objective *o);                                      /* frees o->state; may be NULL */
    elb_status (*step)(elb_objective *o, elb_tape *t, elb_model *m, elb_posterior *q, elb_tensor *x,
                       const elb_noise *noise, elb_loss *loss); /* as elb_objective_step */
    /* These are for training in phases; a new phase begins with the optimiser's moments at zero. */
    const char *const *phases;                                 /* their names in order, NULL at the end */
    int64_t (*phase)(const elb_objective *o, double progress); /* which one, at a part 0..1 of training */
    /* Once, as a phase begins after `from`: what is done to q. */
    elb_status (*enter)(const elb_objective *o, elb_posterior *q, int64_t from, uint64_t seed);
    /* Before q is used or kept in the middle of a phase: makes it what has been trained. */
    elb_status (*settle)(const elb_objective *o, elb_posterior *q, uint64_t seed);
} elb_objective_type;

extern const elb_objective_type *const elb_objective_types[]; /* NULL at the end */

struct elb_objective {
    const elb_objective_type *type;
    elb_objective_options options;
    const elb_refine_options *refine; /* borrowed; for losses that refine; NULL: none */
    elb_context *context;             /* of the state */
    void *state;                      /* the type's own; NULL before elb_objective_open */
    double beta;                      /* of the warm-up, now; 1 without */
    double progress;                  /* the part of training that is done, now: 0..1 */
    int64_t phase;                    /* of type->phases; never goes back */
    int64_t data;                     /* N, training data; for terms that are paid once for all of them */
};

void elb_objective_init(elb_objective *o, const elb_objective_options *options);
/* Sets progress, phase and beta for `epoch`, a real number counted from 0, of `epochs`: beta is linear from
 * warmup_start to 1 over warmup_epochs. */
void elb_objective_warm(elb_objective *o, double epoch, double epochs);
/* To be called before elb_objective_step; a loss alone does without. Errors: ELB_USAGE (options that do not go
 * together), ELB_MEMORY. elb_objective_close may be called in any case. */
elb_status elb_objective_open(elb_objective *o, elb_model *m, elb_posterior *q);
void elb_objective_close(elb_objective *o);
/* Whether elb_objective_step leaves gradients to be taken up afterwards (elb_optimizer_defer). */
bool elb_objective_runs_often(const elb_objective *o);
/* Records the loss on t, which has x [B,D] and did not run yet, and runs it, gradients into the parameters' blocks.
 * `loss` can be read until t is reset. Errors: as elb_tape_run. */
elb_status elb_objective_step(elb_objective *o, elb_tape *t, elb_model *m, elb_posterior *q, elb_tensor *x,
                              const elb_noise *noise, elb_loss *loss);
const char *elb_objective_phase_name(const elb_objective *o); /* NULL for an objective without phases */
int64_t elb_objective_phases(const elb_objective *o);         /* how many; 1 for an objective without */
/* type->enter and type->settle, where there are any. */
elb_status elb_objective_enter(const elb_objective *o, elb_posterior *q, int64_t from, uint64_t seed);
elb_status elb_objective_settle(const elb_objective *o, elb_posterior *q, uint64_t seed);
/* What the KL costs under the warm-up: with kl = log q - log p(z), or an average of it, and log_q alike, beta kl or
 * kl - (1 - beta) log_q. log_q may be NULL but for the warm-up `entropy`. */
elb_tensor *elb_objective_penalty(const elb_objective *o, elb_tape *t, elb_tensor *kl, elb_tensor *log_q);
/* x [B,D]; noise->samples is set from the options. */
elb_loss elb_objective_loss(const elb_objective *o, elb_tape *t, elb_model *m, elb_posterior *q, elb_tensor *x,
                            const elb_noise *noise);
/* The negative ELBO of q(z|x) as it is encoded. */
elb_loss elb_elbo_loss(const elb_objective *o, elb_tape *t, elb_model *m, elb_posterior *q, elb_tensor *x,
                       const elb_noise *noise);
/* The same where lambda [B,P] stands, in the ways of objective.type: elbo; noise->samples as given. */
elb_loss elb_elbo_at(const elb_objective *o, elb_tape *t, elb_model *m, elb_posterior *q, elb_tensor *x,
                     elb_tensor *lambda, const elb_noise *noise);

#endif
