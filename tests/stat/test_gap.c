/* test_gap.c - elbow gap where every gap is known in closed form or by quadrature. */
#include "world_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <elbow/gap.h>

#include "doctor/oracle.h"

enum { COPIES = 16, SAMPLES = 200000, MANY_SAMPLES = 1000000 };

static const double poor_mean[] = {0.5, 1}, poor_variance[] = {0.3, 0.2};

/* The oracle's datum, many times over, and a VAE that has its decoder. */
static world oracle_world(const elb_oracle_facts *f, const char *posterior)
{
    char settings[512];
    snprintf(
        settings, sizeof settings,
        "model.latent=%d model.hidden= posterior.hidden= posterior.flow_hidden=8 posterior.type=%s data.binarise=none "
        "likelihood.type=%s likelihood.variance=fixed likelihood.log_variance=%.17g",
        (int)f->latent, posterior, f->variance > 0 ? "gaussian" : "bernoulli", f->variance > 0 ? log(f->variance) : 0);
    elb_context *c = support_context(NULL);
    float x[COPIES * ELB_ORACLE_DATA];
    elb_dataset *data;
    for (int i = 0; i < COPIES * ELB_ORACLE_DATA; i++) x[i] = (float)f->x[i % ELB_ORACLE_DATA];
    assert_int_equal(elb_dataset_create(c, "oracle", COPIES, 1, (int64_t[]){ELB_ORACLE_DATA}, x, &data), ELB_OK);
    world w = world_of(c, data, settings);
    elb_model *m = w.vae->model;
    elb_real *weight = elb_params_data(&m->params, m->decoder.layer[0].weight),
             *bias = elb_mlp_output_bias(&m->decoder);
    for (int64_t d = 0; d < ELB_ORACLE_DATA; d++) {
        bias[d] = (elb_real)f->bias[d];
        for (int64_t u = 0; u < f->latent; u++) weight[d * f->latent + u] = (elb_real)f->weight[d][u];
    }
    return w;
}

/* A linear encoder that is the same Gaussian for every x. */
static void oracle_world_encoder(world *w, const double *mean, const double *variance)
{
    elb_params *p = &w->vae->posterior->params;
    int64_t z = w->vae->model->options.latent;
    memset(p->data, 0, (size_t)p->size * sizeof *p->data);
    elb_real *bias = elb_params_data(p, p->count - 1);
    for (int64_t u = 0; u < z; u++) {
        bias[u] = (elb_real)mean[u];
        bias[z + u] = (elb_real)log(variance[u]);
    }
}

static void oracle_world_end(world *w)
{
    world_end(w);
    support_context_end(w->c, NULL);
}

static elb_gap_settings usual(const world *w)
{
    return (elb_gap_settings){
        .folder = w->folder,
        .samples = SAMPLES,
        .starts = 3,
        .steps = 4000,
        .step_samples = 16,
        .tolerance = 0.001,
        .anneal = {.chains = 1, .temperatures = 1, .leapfrog = 1}, /* E_p(z) log p(x|z): far below the others */
        .seed = 3,
    };
}

static elb_gap_result gap(world *w, const elb_gap_settings *how)
{
    elb_gap_result r;
    elb_gap_set all = {ELB_PART_ALL, w->data};
    if (elb_gap(w->vae, &all, 1, how, &r, NULL) != ELB_OK) fail_msg("%s", elb_context_message(w->c));
    assert_int_equal(r.n, COPIES);
    return r;
}

/* METHODS: a gap below 0 by more than its error is a mistake of the estimate. */
static void not_below_zero(const elb_gap_mean *m)
{
    assert_true(m->mean >= -3 * m->standard_error);
}

static void check_signs(const elb_gap_result *r)
{
    not_below_zero(&r->approximation);
    not_below_zero(&r->amortisation);
    not_below_zero(&r->inference);
    support_assert_near(r->inference.mean, r->approximation.mean + r->amortisation.mean, 1e-9, 0);
}

/* q* and log p(x) by it. */
static void check_truth(const elb_gap_result *r, const elb_oracle_facts *f)
{
    support_assert_near(r->elbo[ELB_GAP_FFG].mean, f->best_elbo, 1e-3, 0);
    support_assert_near(r->bound[ELB_GAP_FFG].mean, f->log_evidence, 5e-4, 0);
    assert_int_equal(r->log_p_by, r->own); /* a poor encoder's bound is no greater but by chance */
    assert_memory_equal(&r->log_p, &r->bound[r->own], sizeof r->log_p);
}

/* --- the linear-Gaussian model ------------------------------------------------------------------------------------ */

/* What a poor encoder costs: of its ELBO's samples each is off by two nats, hence so many. */
static void test_poor_encoder(void **state)
{
    (void)state;
    const elb_oracle_facts *f = &elb_oracle_linear_gaussian;
    world w = oracle_world(f, "ffg");
    elb_gap_settings how = usual(&w);
    how.samples = MANY_SAMPLES;
    oracle_world_encoder(&w, poor_mean, poor_variance);
    elb_gap_result r = gap(&w, &how);
    check_truth(&r, f);
    support_assert_near(r.approximation.mean, 0.004211536365, 1e-3, 0);
    support_assert_near(r.amortisation.mean, 1.568557885887, 1e-3, 0);
    support_assert_near(r.inference.mean, 1.572769422252, 1e-3, 0);
    check_signs(&r);
    oracle_world_end(&w);
}

static void test_wider_families(void **state)
{
    (void)state;
    const elb_oracle_facts *f = &elb_oracle_linear_gaussian;
    world w = oracle_world(f, "ffg");
    elb_gap_settings how = usual(&w);
    how.full = how.flow = true;
    oracle_world_encoder(&w, poor_mean, poor_variance);
    elb_gap_result r = gap(&w, &how);
    support_assert_near(r.elbo[ELB_GAP_FULL].mean, f->log_evidence, 1e-3, 0);
    support_assert_near(r.elbo[ELB_GAP_FLOW].mean, f->best_elbo, 0.02, 0); /* nearly: its many weights tremble */
    assert_true(r.elbo[ELB_GAP_FLOW].mean < f->log_evidence + 1e-3);
    assert_true(r.bound[ELB_GAP_AIS].mean < f->log_evidence - 1);
    for (int part = ELB_GAP_FFG; part <= ELB_GAP_FULL; part++) {
        assert_true(r.converged[part] == 1);
        assert_true(r.agree[part] == 1); /* three starts within 0.05 nats */
    }
    oracle_world_end(&w);
}

/* Where the encoder is the optimum there is nothing to amortise. */
static void test_best_encoder(void **state)
{
    (void)state;
    const elb_oracle_facts *f = &elb_oracle_linear_gaussian;
    world w = oracle_world(f, "ffg");
    elb_gap_settings how = usual(&w);
    oracle_world_encoder(&w, f->best_mean, f->best_variance);
    elb_gap_result r = gap(&w, &how);
    support_assert_near(r.amortisation.mean, 0, 1e-3, 0);
    support_assert_near(r.inference.mean, 0.004211536365, 1e-3, 0);
    assert_true(isnan(r.elbo[ELB_GAP_FULL].mean) && isnan(r.elbo[ELB_GAP_FLOW].mean));
    oracle_world_end(&w);
}

/* Three bounds of the same number, of which the greatest is taken. */
static void test_bounds(void **state)
{
    (void)state;
    const elb_oracle_facts *f = &elb_oracle_linear_gaussian;
    world w = oracle_world(f, "ffg");
    elb_gap_settings how = usual(&w);
    how.samples = 100;
    how.steps = 100;
    how.anneal = (elb_anneal_settings){.chains = 100, .temperatures = 200, .leapfrog = 10};
    oracle_world_encoder(&w, poor_mean, poor_variance);
    elb_gap_result r = gap(&w, &how);
    const elb_gap_mean *by[] = {&r.bound[ELB_GAP_ENCODER], &r.bound[ELB_GAP_FFG], &r.bound[ELB_GAP_AIS]};
    for (int i = 0; i < 3; i++) {
        assert_true(by[i]->mean <= r.log_p.mean + 3 * hypot(by[i]->standard_error, r.log_p.standard_error));
        support_assert_near(by[i]->mean, f->log_evidence, 0.1, 0);
        assert_true(by[i]->mean < f->log_evidence + 3 * by[i]->standard_error);
    }
    assert_memory_equal(&r.log_p, &r.bound[r.log_p_by], sizeof r.log_p);
    oracle_world_end(&w);
}

/* A model whose own family holds the posterior has no approximation gap. */
static void test_full(void **state)
{
    (void)state;
    const elb_oracle_facts *f = &elb_oracle_linear_gaussian;
    world w = oracle_world(f, "full");
    elb_gap_settings how = usual(&w);
    elb_gap_result r = gap(&w, &how);
    assert_int_equal(r.own, ELB_GAP_FULL);
    support_assert_near(r.bound[ELB_GAP_FULL].mean - r.elbo[ELB_GAP_FULL].mean, 0, 1e-3, 0);
    support_assert_near(r.elbo[ELB_GAP_FULL].mean, f->log_evidence, 1e-3, 0);
    assert_true(r.amortisation.mean > 0.1); /* as it starts, untrained */
    oracle_world_end(&w);
}

/* --- one latent, three bits --------------------------------------------------------------------------------------- */

static void test_bernoulli(void **state)
{
    (void)state;
    const elb_oracle_facts *f = &elb_oracle_bernoulli;
    static const double mean[] = {0}, variance[] = {1};
    world w = oracle_world(f, "ffg");
    elb_gap_settings how = usual(&w);
    oracle_world_encoder(&w, mean, variance);
    elb_gap_result r = gap(&w, &how);
    check_truth(&r, f);
    support_assert_near(r.approximation.mean, 0.003083836088, 1e-3, 0);
    check_signs(&r);
    oracle_world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_poor_encoder), cmocka_unit_test(test_wider_families), cmocka_unit_test(test_best_encoder),
        cmocka_unit_test(test_bounds),       cmocka_unit_test(test_full),           cmocka_unit_test(test_bernoulli),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
