/* gap_work.c - the parts of elbow gap, each over all data of a set, block by block. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "infer/ais.h"
#include "infer/importance.h"
#include "infer/inference.h"
#include "infer/optimum.h"
#include "posterior/gp.h"
#include "run/blocks.h"
#include "run/progress.h"
#include "study/gap.h"

enum { GAP_BLOCK = 32 }; /* data that are worked on together */
#define GAP_CLIMB 0.9    /* of an optimum's time, what goes into finding it, about */

static const char *const gap_names[ELB_GAP_PARTS] = {"encoder", "ffg", "full", "flow", "own", "ais"};

const char *elb_gap_part_name(elb_gap_part part)
{
    return (unsigned)part < ELB_GAP_PARTS ? gap_names[part] : "unknown";
}

/* One part at work. */
typedef struct gap_part {
    elb_gap_work *work;
    elb_context *context;
    elb_gap_part part;
    elb_optimum *optimum;       /* NULL where nothing is optimised */
    elb_importance *importance; /* NULL for AIS */
    elb_ais *ais;
    elb_reporter reporter;
    int64_t done, block; /* data done, and data of the block in progress */
    double from, share;  /* of the block's time: what is done, and what the step in progress takes */
    int64_t columns;
    double *rows; /* [GAP_BLOCK, columns] */
    elb_real *lambda, *given;
    elb_optimum_result found[GAP_BLOCK];
    elb_importance_result weighed[GAP_BLOCK];
    elb_ais_result annealed[GAP_BLOCK];
} gap_part;

double elb_gap_at(const elb_gap_work *w, elb_gap_part part, int64_t i, elb_gap_column column)
{
    const elb_partial *p = &w->rows[part];
    return i < p->count ? p->rows[i * p->columns + column] : NAN;
}

/* --- one block ---------------------------------------------------------------------------------------------------- */

static elb_status gap_watch(void *user, double done)
{
    gap_part *g = user;
    double part = g->from + g->share * done;
    return elb_reporter_update(&g->reporter, g->done + (int64_t)(part * (double)g->block));
}

/* The best diagonal Gaussian of the block's data, which wider families start from. */
static const elb_real *gap_given(gap_part *g, int64_t first, int64_t count)
{
    const elb_partial *ffg = &g->work->rows[ELB_GAP_FFG];
    int64_t width = 2 * g->work->vae->model->options.latent;
    if (g->part != ELB_GAP_FULL && g->part != ELB_GAP_FLOW) return NULL;
    for (int64_t i = 0; i < count; i++)
        for (int64_t k = 0; k < width; k++)
            g->given[i * width + k] = (elb_real)ffg->rows[(first + i) * ffg->columns + ELB_GAP_COLUMNS + k];
    return g->given;
}

static elb_status gap_optimise(gap_part *g, const elb_block *b)
{
    int64_t local = elb_optimum_family(g->optimum)->local;
    g->share = GAP_CLIMB;
    ELB_TRY(
        elb_optimum_run(g->optimum, b->count, b->datum, b->x, gap_given(g, b->first, b->count), g->lambda, g->found));
    g->from = GAP_CLIMB, g->share = 1 - GAP_CLIMB;
    ELB_TRY(elb_importance_given(g->importance, b->count, b->datum, b->x, g->lambda, g->weighed));
    for (int64_t i = 0; i < b->count; i++) {
        double *row = g->rows + i * g->columns;
        row[ELB_GAP_SPREAD] = g->found[i].spread;
        row[ELB_GAP_STEPS] = (double)g->found[i].steps;
        row[ELB_GAP_START] = (double)g->found[i].start;
        row[ELB_GAP_CONVERGED] = g->found[i].converged;
        for (int64_t k = 0; k < g->columns - ELB_GAP_COLUMNS; k++)
            row[ELB_GAP_COLUMNS + k] = (double)g->lambda[i * local + k];
    }
    return ELB_OK;
}

static elb_status gap_anneal(gap_part *g, const elb_block *b)
{
    ELB_TRY(elb_ais_block(g->ais, b->count, b->datum, b->x, NULL, g->annealed));
    for (int64_t i = 0; i < b->count; i++) {
        const elb_ais_result *r = &g->annealed[i];
        double *row = g->rows + i * g->columns;
        row[ELB_GAP_BOUND] = r->lower.value;
        row[ELB_GAP_ERROR] = r->lower.error;
        row[ELB_GAP_ESS] = r->lower.ess;
        row[ELB_GAP_ACCEPTANCE] = r->acceptance;
    }
    return ELB_OK;
}

static elb_status gap_find(gap_part *g, const elb_block *b)
{
    g->from = 0, g->share = 1;
    for (int64_t i = 0; i < b->count * g->columns; i++) g->rows[i] = NAN;
    if (g->part == ELB_GAP_AIS) return gap_anneal(g, b);
    ELB_TRY(g->optimum != NULL ? gap_optimise(g, b)
                               : elb_importance_block(g->importance, b->count, b->datum, b->x, g->weighed));
    for (int64_t i = 0; i < b->count; i++) {
        const elb_importance_result *r = &g->weighed[i];
        double *row = g->rows + i * g->columns;
        row[ELB_GAP_ELBO] = r->elbo;
        row[ELB_GAP_BOUND] = r->log_likelihood;
        row[ELB_GAP_ESS] = r->ess;
        row[ELB_GAP_K_HAT] = r->k_hat;
    }
    return ELB_OK;
}

/* What of the block was not done before. */
static elb_status gap_block(void *user, const elb_block *whole)
{
    gap_part *g = user;
    int64_t skip = g->done - whole->first;
    if (skip >= whole->count) return ELB_OK;
    if (skip < 0) skip = 0;
    elb_block b = {.first = whole->first + skip,
                   .count = whole->count - skip,
                   .datum = whole->datum + skip,
                   .x = whole->x + skip * g->work->vae->model->data};
    double from = elb_clock();
    g->block = b.count;
    elb_status status = gap_find(g, &b);
    if (status != ELB_OK && status != g->reporter.asked)
        return elb_fail_in(g->context, status, "%s", elb_dataset_name(g->work->set->dataset));
    ELB_TRY(status);
    for (int64_t i = 0; i < b.count; i++)
        g->rows[i * g->columns + ELB_GAP_SECONDS] = (elb_clock() - from) / (double)b.count;
    ELB_TRY(elb_partial_add(&g->work->rows[g->part], g->rows, b.count));
    g->done = b.first + b.count;
    return elb_reporter_update(&g->reporter, g->done);
}

/* --- one part ----------------------------------------------------------------------------------------------------- */

static elb_status gap_open_optimum(gap_part *g)
{
    static const int families[ELB_GAP_PARTS] = {[ELB_GAP_FFG] = ELB_REFINE_FFG,
                                                [ELB_GAP_FULL] = ELB_REFINE_FULL,
                                                [ELB_GAP_FLOW] = ELB_REFINE_FLOW,
                                                [ELB_GAP_OWN] = ELB_REFINE_OWN};
    const elb_vae *v = g->work->vae;
    const elb_gap_settings *s = g->work->settings;
    /* The best diagonal Gaussian is a start that already has what its own starts found. */
    bool wide = g->part == ELB_GAP_FULL || g->part == ELB_GAP_FLOW;
    elb_optimum_settings settings = {.family = families[g->part],
                                     .starts = wide && s->starts > 1 ? s->starts - 1 : s->starts,
                                     .steps = s->steps,
                                     .samples = s->step_samples,
                                     .tolerance = s->tolerance};
    ELB_TRY(elb_optimum_create(g->context, v->model, v->posterior, &settings, s->seed, &g->optimum));
    elb_optimum_watch(g->optimum, gap_watch, g);
    elb_posterior *family = elb_optimum_family(g->optimum);
    g->lambda = elb_alloc(g->context, GAP_BLOCK * family->local, sizeof *g->lambda);
    g->given = elb_alloc(g->context, GAP_BLOCK * 2 * family->latent, sizeof *g->given);
    if (g->lambda == NULL || g->given == NULL) return ELB_MEMORY;
    return elb_importance_create(g->context, v->model, family, NULL, s->samples, s->seed, &g->importance);
}

static elb_status gap_open(gap_part *g)
{
    const elb_vae *v = g->work->vae;
    const elb_gap_settings *s = g->work->settings;
    g->rows = elb_alloc(g->context, GAP_BLOCK * g->columns, sizeof *g->rows);
    if (g->rows == NULL) return ELB_MEMORY;
    if (g->part == ELB_GAP_AIS) {
        ELB_TRY(elb_ais_create(g->context, v->model, v->posterior, &v->config->refine, &s->anneal, s->seed, &g->ais));
        elb_ais_watch(g->ais, gap_watch, g);
        return ELB_OK;
    }
    ELB_TRY(g->part == ELB_GAP_ENCODER ? elb_importance_create(g->context, v->model, v->posterior, &v->config->refine,
                                                               s->samples, s->seed, &g->importance)
                                       : gap_open_optimum(g));
    elb_importance_watch(g->importance, gap_watch, g);
    return ELB_OK;
}

static void gap_close(gap_part *g)
{
    elb_optimum_destroy(g->optimum);
    elb_importance_destroy(g->importance);
    elb_ais_destroy(g->ais);
    elb_free(g->context, g->rows);
    elb_free(g->context, g->lambda);
    elb_free(g->context, g->given);
}

static elb_status gap_run(gap_part *g)
{
    static const char *const doing[ELB_GAP_PARTS] = {"encoder",   "best FFG", "best full covariance",
                                                     "best flow", "best q",   "AIS"};
    elb_gap_work *w = g->work;
    char phase[64];
    ELB_TRY(gap_open(g));
    snprintf(phase, sizeof phase, "%s: %s", elb_part_name(w->set->part), doing[g->part]);
    g->reporter = elb_reporter_start(w->settings->progress, w->settings->user, phase, g->done, w->n);
    elb_status status = elb_blocks_visit(w->vae, w->set->dataset, w->n, GAP_BLOCK, gap_block, g);
    bool asked = status != ELB_OK && status == g->reporter.asked;
    if (status == ELB_OK || asked) elb_reporter_finish(&g->reporter, g->done);
    if (status == ELB_OK || asked) ELB_TRY(elb_partial_save(&w->rows[g->part]));
    return status;
}

elb_status elb_gap_work_run(elb_gap_work *w)
{
    for (int part = 0; part < ELB_GAP_PARTS; part++) {
        elb_partial *rows = &w->rows[part];
        if (!w->wanted[part] || rows->count >= w->n) continue;
        gap_part g = {.work = w,
                      .context = w->vae->context,
                      .part = (elb_gap_part)part,
                      .columns = rows->columns,
                      .done = rows->count};
        elb_status status = gap_run(&g);
        gap_close(&g);
        ELB_TRY(status);
    }
    return ELB_OK;
}

/* --- all of a set ------------------------------------------------------------------------------------------------- */

/* The family of q(z|x) as it is used: what refinement makes of the posterior's, where it is set to. */
static elb_gap_part gap_own(const elb_vae *v)
{
    static const elb_gap_part refined[] = {ELB_GAP_OWN, ELB_GAP_FFG, ELB_GAP_FULL,
                                           ELB_GAP_FLOW}; /* elb_refine_family */
    if (v->config->refine.family != ELB_REFINE_OWN) return refined[v->config->refine.family];
    if (v->posterior->type == &elb_posterior_gp) return ELB_GAP_FFG; /* its lambda is the Gaussian's */
    return refined[elb_refine_family_of(v->posterior->type)];
}

/* What the part's rows depend on. */
static char *gap_key(const elb_gap_work *w, elb_gap_part part)
{
    const elb_gap_settings *s = w->settings;
    const elb_anneal_settings *a = &s->anneal;
    char own[256];
    if (part == ELB_GAP_AIS)
        snprintf(own, sizeof own, "chains=%lld temperatures=%lld leapfrog=%lld schedule=%d start=%d adapt=%d",
                 (long long)a->chains, (long long)a->temperatures, (long long)a->leapfrog, (int)a->schedule,
                 (int)a->start, (int)a->adapt);
    else if (part == ELB_GAP_ENCODER)
        snprintf(own, sizeof own, "samples=%lld", (long long)s->samples);
    else
        snprintf(own, sizeof own, "samples=%lld starts=%lld steps=%lld step_samples=%lld tolerance=%.17g",
                 (long long)s->samples, (long long)s->starts, (long long)s->steps, (long long)s->step_samples,
                 s->tolerance);
    char *what = elb_format(w->vae->context, "gap %s %s seed=%llu", gap_names[part], own, (unsigned long long)s->seed);
    char *key = what != NULL ? elb_partial_key(w->vae, w->set->dataset, what) : NULL;
    elb_free(w->vae->context, what);
    return key;
}

static elb_status gap_open_rows(elb_gap_work *w, elb_gap_part part)
{
    elb_context *c = w->vae->context;
    int64_t columns = ELB_GAP_COLUMNS + (part == ELB_GAP_FFG ? 2 * w->vae->model->options.latent : 0);
    char *path =
        elb_format(c, "%s/gap-%s-%s.partial", w->settings->folder, elb_part_name(w->set->part), gap_names[part]);
    char *key = gap_key(w, part);
    elb_status status = path != NULL && key != NULL ? ELB_OK : ELB_MEMORY;
    if (status == ELB_OK) status = elb_partial_open(&w->rows[part], c, path, key, columns);
    elb_free(c, path);
    elb_free(c, key);
    return status;
}

elb_status elb_gap_work_begin(elb_gap_work *w, elb_vae *vae, const elb_gap_set *set, const elb_gap_settings *settings)
{
    *w = (elb_gap_work){.vae = vae, .settings = settings, .set = set, .own = gap_own(vae)};
    ELB_TRY(elb_vae_check_data(vae, vae->config, set->dataset));
    w->n = elb_blocks_count(set->dataset, settings->limit);
    w->wanted[ELB_GAP_ENCODER] = w->wanted[ELB_GAP_FFG] = w->wanted[ELB_GAP_AIS] = true;
    w->wanted[ELB_GAP_FULL] = settings->full;
    w->wanted[ELB_GAP_FLOW] = settings->flow;
    w->wanted[w->own] = true;
    for (int part = 0; part < ELB_GAP_PARTS; part++)
        if (w->wanted[part]) ELB_TRY(gap_open_rows(w, (elb_gap_part)part));
    return ELB_OK;
}

void elb_gap_work_remove(elb_gap_work *w)
{
    for (int part = 0; part < ELB_GAP_PARTS; part++) elb_partial_remove(&w->rows[part]);
}

void elb_gap_work_end(elb_gap_work *w)
{
    for (int part = 0; part < ELB_GAP_PARTS; part++) elb_partial_end(&w->rows[part]);
}
