/* posterior.h - q(z|x): what every family of approximate posteriors provides.
 *
 * Local parameters are a tensor: encode gives lambda(x) [B,P], sample draws from q_lambda. Whoever has lambda may
 * change it in between. Shapes: B batch, D data, Z latent, S samples, P local parameters. */
#ifndef ELB_POSTERIOR_H
#define ELB_POSTERIOR_H

#include "dist/dist.h"
#include "nn/mlp.h"
#include "posterior/posterior_options.h"

typedef struct elb_posterior elb_posterior;

typedef struct elb_draw {
    elb_tensor *z;     /* [S,B,Z] */
    elb_tensor *log_q; /* [S,B], nats; NULL unless asked for. With auxiliary variables: of mean >= that of log q(z) */
    elb_tensor *log_share; /* [S,B]: log of every sample's share in an average over the samples; NULL: 1/S each */
} elb_draw;

/* What log_q's gradient is wanted for. */
typedef enum elb_log_q {
    ELB_LOG_Q_NONE,  /* not needed: a closed-form KL is used */
    ELB_LOG_Q_FULL,  /* d/dz and d/dlambda */
    ELB_LOG_Q_SAMPLE /* d/dz alone: lambda inside log q is held constant (Roeder et al. 2017, "sticking the landing") */
} elb_log_q;

typedef struct elb_posterior_type {
    const char *name, *source;
    size_t state_size;
    bool sticks;  /* refinement, where it samples log q, holds lambda inside it constant, which has less noise */
    bool central; /* mean is a point in the middle of q and not E_q[z], which has no closed form */
    elb_status (*init)(elb_posterior *q);                                /* REQUIRED: declares parameters and *local */
    void (*reset)(elb_posterior *q, const elb_kernels *k, uint64_t key); /* REQUIRED: their start */
    elb_tensor *(*encode)(elb_posterior *q, elb_tape *t, elb_tensor *x); /* REQUIRED: [B,D] -> lambda [B,P] */
    elb_draw (*sample)(elb_posterior *q, elb_tape *t, elb_tensor *lambda, const elb_noise *noise,
                       elb_log_q log_q); /* REQUIRED: equal shares */
    elb_draw (*strata)(elb_posterior *q, elb_tape *t, elb_tensor *lambda, const elb_noise *noise,
                       elb_log_q log_q); /* OPTIONAL, mixtures: noise->samples from EVERY component, with shares through
                                            which the gradient reaches the weights */
    elb_tensor *(*mean)(elb_posterior *q, elb_tape *t, elb_tensor *lambda);         /* REQUIRED: E_q[z], [B,Z] */
    elb_tensor *(*log_variance)(elb_posterior *q, elb_tape *t, elb_tensor *lambda); /* OPTIONAL: log Var_q[z], [B,Z] */
    elb_tensor *(*log_density)(elb_posterior *q, elb_tape *t, elb_tensor *lambda, elb_tensor *z); /* OPTIONAL: [S,B] */
    elb_tensor *(*kl_to_prior)(elb_posterior *q, elb_tape *t, elb_tensor *lambda); /* OPTIONAL: closed form per
                                                                                       coordinate, [B,Z] */
    elb_tensor *(*uncertainty)(elb_posterior *q, elb_tape *t, elb_tensor *x);      /* OPTIONAL: how little lambda(x) is
                                                                                 to be trusted, a score per datum [B] */
    void (*from_moments)(const elb_posterior *q, int64_t count, const elb_real *moments,
                         elb_real *lambda); /* OPTIONAL: [count,P], the member that is, or is nearest to, N(m, diag
                                               exp s) of moments = [m, s], [count,2Z] */
    void (*mark_mean)(const elb_posterior *q,
                      elb_real *mark); /* OPTIONAL: mark [P], all 0, becomes 1 where lambda holds
                                                                  means; without it they are the first Z */
} elb_posterior_type;

extern const elb_posterior_type *const elb_posterior_types[]; /* NULL at the end */

struct elb_posterior {
    elb_context *context;
    const elb_posterior_type *type;
    elb_posterior_options options;
    int64_t data, latent; /* D, Z */
    int64_t local;        /* P */
    elb_params params;
    void *state; /* the family's own, state_size bytes */
};

/* Parameters are zero until elb_posterior_reset or a load. */
elb_status elb_posterior_create(elb_context *c, const elb_posterior_options *options, int64_t data, int64_t latent,
                                elb_posterior **posterior);
/* The same without memory for the parameters: elb_params_build of posterior->params is left to the caller. */
elb_status elb_posterior_declare(elb_context *c, const elb_posterior_options *options, int64_t data, int64_t latent,
                                 elb_posterior **posterior);
void elb_posterior_destroy(elb_posterior *q);
elb_status elb_posterior_reset(elb_posterior *q, uint64_t seed);

elb_tensor *elb_encode(elb_posterior *q, elb_tape *t, elb_tensor *x);
elb_draw elb_sample(elb_posterior *q, elb_tape *t, elb_tensor *lambda, const elb_noise *noise, elb_log_q log_q);
/* mark [P] becomes 1 where lambda holds the mean, or every component's, and 0 elsewhere. */
void elb_mark_mean(const elb_posterior *q, elb_real *mark);
/* Columns begin .. begin+count-1 of lambda, which must be P wide. */
elb_tensor *elb_lambda_part(elb_posterior *q, elb_tape *t, elb_tensor *lambda, int64_t begin, int64_t count);
/* What a loss is averaged over: strata where the family has them, else samples. */
elb_draw elb_sample_strata(elb_posterior *q, elb_tape *t, elb_tensor *lambda, const elb_noise *noise, elb_log_q log_q);
/* Averages over the samples of a draw, by their shares: value [S,B] -> [B]. */
elb_tensor *elb_draw_mean(elb_tape *t, const elb_draw *d, elb_tensor *value);
elb_tensor *elb_draw_log_mean_exp(elb_tape *t, const elb_draw *d, elb_tensor *log_value);

#endif
