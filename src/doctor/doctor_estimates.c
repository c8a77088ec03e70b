#include <math.h>
#include <stdio.h>

#include "objective/objective.h"
#include "doctor/doctor.h"
#include "doctor/oracle.h"

/* A posterior far from the best one, and what is known of it in the linear-Gaussian model. */
static const double estimates_mean[] = {0.5, 1}, estimates_variance[] = {0.3, 0.2};
static const double estimates_elbo = -6.323175187154;
static const double estimates_slope[] = {-2.4875, 2.8125, -0.04375, 0.0375}; /* dELBO/d(m, s) */
static const double estimates_iwae50 = -4.8457; /* 1.6 million repetitions, standard error 0.0003 */

/* ELBO(q) and its gradient with respect to lambda [2Z], as training computes them, but with the expectation over four
 * points (+-sqrt 2 along each axis) instead of random ones: exact where log p(x|z) is quadratic in z. */
static elb_status estimates_cubature(elb_oracle *o, elb_tape *t, double *elbo, double gradient[4])
{
    enum { POINTS = 4, LATENT = 2 };
    const elb_real r = (elb_real)sqrt(2);
    const elb_real points[POINTS][LATENT] = {{r, 0}, {-r, 0}, {0, r}, {0, -r}};
    const uint64_t datum = 0;
    elb_real x[ELB_ORACLE_DATA];
    for (int d = 0; d < ELB_ORACLE_DATA; d++) x[d] = (elb_real)o->facts->x[d];
    elb_objective objective;
    elb_objective_init(&objective, &(elb_objective_options){.samples = POINTS, .kl = ELB_KL_CLOSED});
    elb_noise noise = {.datum = &datum, .fixed = &points[0][0]};
    elb_tensor *in = elb_leaf(t, "data", x, NULL, 2, (int64_t[]){1, ELB_ORACLE_DATA});
    elb_loss loss = elb_objective_loss(&objective, t, o->model, o->posterior, in, &noise);
    ELB_TRY(elb_tape_run(t, loss.loss));
    *elbo = -(double)loss.loss->data[0];
    const elb_params *p = &o->posterior->params;
    for (int i = 0; i < 2 * LATENT; i++) gradient[i] = -(double)p->grad[p->at[p->count - 1].offset + i];
    return elb_tape_reset(t);
}

static elb_status estimates_bounds(elb_doctor_job *job, elb_oracle *o, elb_tape *t)
{
    static const char *const names[] = {"its slope along the first mean", "its slope along the second mean",
                                        "its slope along the first log-variance",
                                        "its slope along the second log-variance"};
    double elbo, gradient[4];
    elb_oracle_set(o, estimates_mean, estimates_variance);
    ELB_TRY(estimates_cubature(o, t, &elbo, gradient));
    elb_doctor_tell(job, "ELBO of a linear-Gaussian model", o->facts->source, estimates_elbo, elbo, 1e-4);
    for (int i = 0; i < 4; i++) elb_doctor_tell(job, names[i], o->facts->source, estimates_slope[i], gradient[i], 1e-4);
    elb_oracle_set(o, o->facts->best_mean, o->facts->best_variance);
    ELB_TRY(estimates_cubature(o, t, &elbo, gradient));
    elb_doctor_tell(job, "its greatest ELBO", o->facts->source, o->facts->best_elbo, elbo, 1e-4);
    return ELB_OK;
}

/* From a poor posterior the bound rises with K to the evidence. */
static elb_status estimates_rise(elb_doctor_job *job, elb_oracle *o)
{
    elb_oracle_estimate e;
    elb_oracle_set(o, estimates_mean, estimates_variance);
    ELB_TRY(elb_oracle_estimates(o, 8192, 1, 1, &e));
    elb_doctor_tell(job, "its IWAE bound, K = 1, from a poor posterior", "the ELBO, by linear algebra", estimates_elbo,
                    e.log_likelihood.mean, 0.12);
    ELB_TRY(elb_oracle_estimates(o, 8192, 50, 1, &e));
    elb_doctor_tell(job, "its IWAE bound, K = 50, from a poor posterior", "independent simulation", estimates_iwae50,
                    e.log_likelihood.mean, 0.025);
    ELB_TRY(elb_oracle_estimates(o, 1, 100000, 1, &e));
    elb_doctor_tell(job, "its IWAE bound, K = 100000, from a poor posterior", "the evidence, by linear algebra",
                    o->facts->log_evidence, e.log_likelihood.mean, 0.03);
    return ELB_OK;
}

/* From the best Gaussian a hundred thousand samples leave three digits. */
static elb_status estimates_evidence(elb_doctor_job *job, elb_oracle *o)
{
    char name[64];
    elb_oracle_estimate e;
    elb_oracle_set(o, o->facts->best_mean, o->facts->best_variance);
    ELB_TRY(elb_oracle_estimates(o, 1, 100000, 1, &e));
    snprintf(name, sizeof name, "ELBO of a %s by sampling", o->facts->name);
    elb_doctor_tell(job, name, o->facts->source, o->facts->best_elbo, e.elbo.mean, 0.02);
    snprintf(name, sizeof name, "log-likelihood of a %s", o->facts->name);
    elb_doctor_tell(job, name, o->facts->source, o->facts->log_evidence, e.log_likelihood.mean, 1e-3);
    return ELB_OK;
}

static elb_status estimates_linear_gaussian(elb_doctor_job *job)
{
    elb_oracle o;
    elb_tape *t;
    ELB_TRY(elb_oracle_create(job->context, &elb_oracle_linear_gaussian, &o));
    elb_status status = elb_tape_create(job->context, &t);
    if (status == ELB_OK) {
        status = estimates_bounds(job, &o, t);
        elb_tape_destroy(t);
    }
    if (status == ELB_OK) status = estimates_rise(job, &o);
    if (status == ELB_OK) status = estimates_evidence(job, &o);
    elb_oracle_destroy(&o);
    return status;
}

elb_status elb_doctor_estimates(elb_doctor_job *job)
{
    elb_oracle o;
    ELB_TRY(estimates_linear_gaussian(job));
    ELB_TRY(elb_oracle_create(job->context, &elb_oracle_bernoulli, &o));
    elb_status status = estimates_evidence(job, &o);
    elb_oracle_destroy(&o);
    return status;
}
