#include "doctor/oracle.h"

#include <math.h>

#include "infer/importance.h"

const elb_oracle_facts elb_oracle_linear_gaussian = {
    .name = "linear-Gaussian model",
    .source = "linear algebra",
    .latent = 2,
    .likelihood = ELB_GAUSSIAN,
    .weight = {{1, 0.5}, {-0.5, 1}, {0.25, -0.75}},
    .bias = {0.1, -0.2, 0.3},
    .variance = 0.5,
    .x = {1, 2, -1},
    .log_evidence = -4.750405764902,
    .best_mean = {-0.128571428571, 1.557142857143},
    .best_variance = {0.275862068966, 0.216216216216},
    .best_elbo = -4.754617301267,
};

const elb_oracle_facts elb_oracle_bernoulli = {
    .name = "Bernoulli model",
    .source = "quadrature",
    .latent = 1,
    .likelihood = ELB_BERNOULLI,
    .weight = {{2}, {-1}, {0.5}},
    .bias = {0, 0.5, -0.5},
    .x = {1, 0, 1},
    .log_evidence = -2.068598886553,
    .best_mean = {1.01364},
    .best_variance = {0.57680},
    .best_elbo = -2.071682722641,
};

/* --- life --------------------------------------------------------------------------------------------------------- */

static void oracle_fill(elb_oracle *o)
{
    const elb_oracle_facts *f = o->facts;
    elb_real *weight = elb_params_data(&o->model->params, o->model->decoder.layer[0].weight);
    elb_real *bias = elb_mlp_output_bias(&o->model->decoder);
    for (int64_t d = 0; d < ELB_ORACLE_DATA; d++) {
        bias[d] = (elb_real)f->bias[d];
        for (int64_t u = 0; u < f->latent; u++) weight[d * f->latent + u] = (elb_real)f->weight[d][u];
    }
    elb_oracle_set(o, f->best_mean, f->best_variance);
}

elb_status elb_oracle_create(elb_context *c, const elb_oracle_facts *facts, elb_oracle *o)
{
    *o = (elb_oracle){.facts = facts};
    elb_model_options model = {.latent = facts->latent, .activation = ELB_NET_LINEAR};
    elb_likelihood_options likelihood = {.type = facts->likelihood, .variance = ELB_VARIANCE_FIXED};
    if (facts->variance > 0) likelihood.log_variance = log(facts->variance);
    elb_posterior_options posterior = {.activation = ELB_NET_LINEAR};
    elb_status status = elb_model_create(c, &model, &likelihood, ELB_ORACLE_DATA, &o->model);
    if (status == ELB_OK) status = elb_posterior_create(c, &posterior, ELB_ORACLE_DATA, facts->latent, &o->posterior);
    if (status == ELB_OK)
        oracle_fill(o);
    else
        elb_oracle_destroy(o);
    return status;
}

void elb_oracle_destroy(elb_oracle *o)
{
    elb_model_destroy(o->model);
    elb_posterior_destroy(o->posterior);
    *o = (elb_oracle){.facts = o->facts};
}

/* The linear encoder's weights are zero: its bias [mean, log-variance] is lambda. */
void elb_oracle_set(elb_oracle *o, const double *mean, const double *variance)
{
    elb_params *p = &o->posterior->params;
    elb_real *bias = elb_params_data(p, p->count - 1);
    for (int64_t u = 0; u < o->facts->latent; u++) {
        bias[u] = (elb_real)mean[u];
        bias[o->facts->latent + u] = (elb_real)log(variance[u]);
    }
}

/* --- estimates ---------------------------------------------------------------------------------------------------- */

static elb_status oracle_walk(elb_importance *e, const double *datum, int64_t count, elb_oracle_estimate *estimate)
{
    elb_real x[ELB_IMPORTANCE_BLOCK * ELB_ORACLE_DATA];
    uint64_t position[ELB_IMPORTANCE_BLOCK];
    elb_importance_result results[ELB_IMPORTANCE_BLOCK];
    for (int64_t i = 0; i < ELB_IMPORTANCE_BLOCK * ELB_ORACLE_DATA; i++) x[i] = (elb_real)datum[i % ELB_ORACLE_DATA];
    for (int64_t first = 0; first < count; first += ELB_IMPORTANCE_BLOCK) {
        int64_t some = count - first < ELB_IMPORTANCE_BLOCK ? count - first : ELB_IMPORTANCE_BLOCK;
        for (int64_t i = 0; i < some; i++) position[i] = (uint64_t)(first + i);
        ELB_TRY(elb_importance_block(e, some, position, x, results));
        for (int64_t i = 0; i < some; i++) {
            elb_moments_add(&estimate->elbo, results[i].elbo);
            elb_moments_add(&estimate->log_likelihood, results[i].log_likelihood);
        }
    }
    return ELB_OK;
}

elb_status elb_oracle_estimates(elb_oracle *o, int64_t count, int64_t samples, uint64_t seed,
                                elb_oracle_estimate *estimate)
{
    elb_importance *e;
    *estimate = (elb_oracle_estimate){.elbo = {0}};
    ELB_TRY(elb_importance_create(o->model->context, o->model, o->posterior, NULL, samples, seed, &e));
    elb_status status = oracle_walk(e, o->facts->x, count, estimate);
    elb_importance_destroy(e);
    return status;
}
