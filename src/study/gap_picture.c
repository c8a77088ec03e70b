/* gap_picture.c - true posteriors of two latent numbers, and what q(z|x) makes of them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"

#include "infer/importance.h"
#include "infer/inference.h"
#include "infer/optimum.h"
#include "posterior/mixture.h"
#include "run/blocks.h"
#include "run/progress.h"
#include "study/gap.h"
#include "study/scene.h"
#include "study/truth.h"
#include "task/image.h"

enum { PICTURE_BLOCK = 32 }; /* data that are worked on together */

/* A q that is shown: lambda of a family. */
typedef struct picture_q {
    const char *title;
    elb_posterior *family;
    elb_inference *inference; /* one of the two */
    elb_optimum *optimum;
    elb_importance *importance;
    elb_real *lambda; /* [PICTURE_BLOCK,P] */
} picture_q;

typedef struct picture_job {
    elb_context *context;
    elb_vae *vae;
    const elb_gap_set *set;
    const elb_gap_settings *settings;
    const elb_machine *machine;
    elb_truth truth;
    int count;
    picture_q q[ELB_SCENE_PANELS]; /* the model's, then the best ones, the diagonal Gaussian's first */
    elb_reporter reporter;
    int64_t done, block; /* of the phase; of which so much is in progress */
} picture_job;

/* --- lambda ------------------------------------------------------------------------------------------------------- */

static elb_status picture_tell(picture_job *j, double part)
{
    return elb_reporter_update(&j->reporter, j->done + (int64_t)(part * (double)j->block));
}

static elb_status picture_climbing(void *user, double done)
{
    return picture_tell(user, done);
}

/* The q of count <= PICTURE_BLOCK data, and their ELBOs. given: the best diagonal Gaussians; NULL: none. */
static elb_status picture_infer(picture_q *q, int64_t count, const uint64_t *datum, elb_real *x, const elb_real *given,
                                double *elbo)
{
    elb_importance_result weighed[PICTURE_BLOCK];
    elb_optimum_result found[PICTURE_BLOCK];
    ELB_TRY(q->optimum != NULL ? elb_optimum_run(q->optimum, count, datum, x, given, q->lambda, found)
                               : elb_inference_run(q->inference, count, datum, x, q->lambda));
    ELB_TRY(elb_importance_given(q->importance, count, datum, x, q->lambda, weighed));
    for (int64_t i = 0; i < count; i++) elbo[i] = weighed[i].elbo;
    return ELB_OK;
}

static elb_status picture_open_q(picture_job *j, const char *title, int family)
{
    const elb_gap_settings *s = j->settings;
    elb_vae *v = j->vae;
    picture_q *q = &j->q[j->count++];
    q->title = title;
    if (family == ELB_REFINE_OWN) {
        ELB_TRY(elb_inference_create(j->context, v->model, v->posterior, &v->config->refine, s->seed, &q->inference));
        q->family = elb_inference_family(q->inference);
    } else {
        elb_optimum_settings settings = {.family = family,
                                         .starts = s->starts,
                                         .steps = s->steps,
                                         .samples = s->step_samples,
                                         .tolerance = s->tolerance};
        ELB_TRY(elb_optimum_create(j->context, v->model, v->posterior, &settings, s->seed, &q->optimum));
        elb_optimum_watch(q->optimum, picture_climbing, j);
        q->family = elb_optimum_family(q->optimum);
    }
    q->lambda = elb_alloc(j->context, PICTURE_BLOCK * q->family->local, sizeof *q->lambda);
    if (q->lambda == NULL) return ELB_MEMORY;
    return elb_importance_create(j->context, v->model, q->family, NULL, s->samples, s->seed, &q->importance);
}

/* --- which data --------------------------------------------------------------------------------------------------- */

typedef struct picture_gaps {
    picture_job *job;
    double *amortisation, *approximation; /* of every datum */
} picture_gaps;

static elb_status picture_consider(void *user, const elb_block *b)
{
    picture_gaps *g = user;
    picture_job *j = g->job;
    int64_t data = j->vae->model->data;
    double elbo[PICTURE_BLOCK], best[PICTURE_BLOCK], log_p[PICTURE_BLOCK];
    elb_real mode[PICTURE_BLOCK * 4];
    j->done = b->first, j->block = b->count;
    for (int64_t i = 0; i < b->count; i++) {
        elb_window w;
        elb_field p;
        ELB_TRY(elb_truth_find(&j->truth, b->x + i * data, &w));
        ELB_TRY(elb_truth_of_p(&j->truth, b->x + i * data, w, &p));
        elb_truth_mode(&p, mode + 4 * i);
        log_p[i] = p.log_mass;
    }
    ELB_TRY(picture_infer(&j->q[0], b->count, b->datum, b->x, NULL, elbo));
    ELB_TRY(picture_infer(&j->q[1], b->count, b->datum, b->x, mode, best));
    for (int64_t i = 0; i < b->count; i++) {
        g->amortisation[b->first + i] = best[i] - elbo[i];
        g->approximation[b->first + i] = log_p[i] - best[i];
    }
    return ELB_OK;
}

static int64_t picture_largest(int64_t n, const double *gap, int64_t but)
{
    int64_t most = but == 0 && n > 1 ? 1 : 0;
    for (int64_t i = 0; i < n; i++)
        if (i != but && gap[i] > gap[most]) most = i;
    return most;
}

/* The datum with the largest amortisation gap, and another one with the largest approximation gap. */
static elb_status picture_choose(picture_job *j, int64_t index[2])
{
    int64_t n = elb_blocks_count(j->set->dataset, j->settings->limit);
    picture_gaps g = {.job = j, .amortisation = elb_alloc(j->context, 2 * n, sizeof *g.amortisation)};
    if (g.amortisation == NULL) return ELB_MEMORY;
    g.approximation = g.amortisation + n;
    j->reporter = elb_reporter_start(j->settings->progress, j->settings->user, "choosing data", 0, n);
    elb_status status = elb_blocks_visit(j->vae, j->set->dataset, n, PICTURE_BLOCK, picture_consider, &g);
    if (status == ELB_OK) status = elb_reporter_finish(&j->reporter, n);
    index[1] = picture_largest(n, g.approximation, -1);
    index[0] = picture_largest(n, g.amortisation, index[1]);
    elb_free(j->context, g.amortisation);
    return status;
}

/* --- one row ------------------------------------------------------------------------------------------------------ */

/* Ellipses instead of nothing but the outline of them all. */
static void picture_components(const picture_q *q, elb_scene_panel *p)
{
    if (!elb_posterior_is_mixture(q->family)) return;
    p->components = (int)q->family->options.order;
    for (int m = 0; m < p->components; m++)
        for (int k = 0; k < 2; k++) {
            p->mean[m][k] = (double)q->lambda[m * 4 + k];
            p->deviation[m][k] = exp((double)q->lambda[m * 4 + 2 + k] / 2);
        }
}

/* A copy of a field that stands on the grid. */
static elb_status picture_keep(picture_job *j, elb_field *field)
{
    double *values = elb_alloc(j->context, ELB_FIELD_COUNT, sizeof *values);
    if (values != NULL) memcpy(values, field->values, ELB_FIELD_COUNT * sizeof *values);
    field->values = values;
    return values != NULL ? ELB_OK : ELB_MEMORY;
}
static void picture_drop(const picture_job *j, elb_field *field)
{
    if (field->values != j->truth.grid) elb_free(j->context, field->values);
}

static elb_status picture_panel(picture_job *j, const picture_q *q, const elb_window *w, elb_scene_panel *p)
{
    p->title = q->title;
    picture_components(q, p);
    ELB_TRY(elb_truth_of_q(&j->truth, q->family, q->lambda, w, &p->field));
    return picture_keep(j, &p->field);
}

/* Every q of the datum, and a window that holds them all. */
static elb_status picture_search(picture_job *j, uint64_t datum, elb_real *x, elb_scene_row *row, elb_window *w)
{
    elb_field p;
    elb_real mode[4];
    ELB_TRY(elb_truth_find(&j->truth, x, w));
    ELB_TRY(elb_truth_of_p(&j->truth, x, *w, &p));
    elb_truth_mode(&p, mode);
    for (int i = 0; i < j->count; i++) {
        picture_q *q = &j->q[i];
        const elb_real *given = i == 0 ? NULL : i == 1 ? mode : j->q[1].lambda;
        ELB_TRY(picture_infer(q, 1, &datum, x, given, &row->panel[i].elbo));
        ELB_TRY(elb_truth_widen(&j->truth, q->family, q->lambda, w));
        ELB_TRY(picture_tell(j, 1));
        j->done++;
    }
    return ELB_OK;
}

/* x: the datum as the model sees it, which the row keeps. */
static elb_status picture_row(picture_job *j, int64_t index, const char *why, elb_real *x, elb_scene_row *row)
{
    const elb_vae *v = j->vae;
    elb_window w;
    snprintf(row->title, sizeof row->title, "datum %lld", (long long)index);
    snprintf(row->subtitle, sizeof row->subtitle, "%s", why);
    if (elb_image_kind_of(v->shape[0], v->shape[1], v->shape[2]) == ELB_IMAGE_GRID) row->image = x;
    row->height = v->shape[0], row->width = v->shape[1], row->channels = v->shape[2];
    row->panels = j->count;
    ELB_TRY(picture_search(j, j->set->dataset->origin + (uint64_t)index, x, row, &w));
    ELB_TRY(elb_truth_of_p(&j->truth, x, w, &row->truth));
    ELB_TRY(picture_keep(j, &row->truth));
    row->log_p = row->truth.log_mass;
    for (int i = 0; i < j->count; i++) ELB_TRY(picture_panel(j, &j->q[i], &row->truth.window, &row->panel[i]));
    return ELB_OK;
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static elb_status picture_save(const picture_job *j, const elb_scene_row *rows, int64_t count)
{
    static const char *const endings[] = {"svg", "png"};
    ELB_TRY(elb_folder_make(j->context, j->settings->folder));
    for (int i = 0; i < 2; i++) {
        char *path = elb_format(j->context, "%s/picture.%s", j->settings->folder, endings[i]);
        elb_status status = path != NULL ? elb_scene_save(j->context, path, rows, count) : ELB_MEMORY;
        elb_free(j->context, path);
        ELB_TRY(status);
    }
    return ELB_OK;
}

static elb_status picture_rows_of(picture_job *j, const int64_t *index, int64_t count, bool chosen, elb_real *x,
                                  elb_scene_row *rows)
{
    static const char *const why[] = {"largest amortisation", "largest approximation"};
    elb_batch_spec spec = elb_config_batch_spec(j->vae->config, 0);
    elb_dataset_batch(j->set->dataset, j->machine->kernels, &spec, index, count, x);
    j->done = 0, j->block = 1;
    j->reporter =
        elb_reporter_start(j->settings->progress, j->settings->user, "posteriors", 0, count * (int64_t)j->count);
    for (int64_t i = 0; i < count; i++)
        ELB_TRY(picture_row(j, index[i], chosen ? why[i] : "", x + i * j->vae->model->data, &rows[i]));
    ELB_TRY(elb_reporter_finish(&j->reporter, count * (int64_t)j->count));
    return picture_save(j, rows, count);
}

static elb_status picture_work(picture_job *j, const int64_t *index, int64_t count, bool chosen)
{
    elb_context *c = j->context;
    elb_real *x = elb_alloc(c, count * j->vae->model->data, sizeof *x);
    elb_scene_row *rows = elb_alloc(c, count, sizeof *rows);
    elb_status status = ELB_MEMORY;
    if (x != NULL && rows != NULL) status = picture_rows_of(j, index, count, chosen, x, rows);
    for (int64_t i = 0; rows != NULL && i < count; i++) {
        picture_drop(j, &rows[i].truth);
        for (int k = 0; k < ELB_SCENE_PANELS; k++) picture_drop(j, &rows[i].panel[k].field);
    }
    elb_free(c, rows);
    elb_free(c, x);
    return status;
}

static elb_status picture_open(picture_job *j)
{
    const elb_gap_settings *s = j->settings;
    ELB_TRY(elb_truth_open(&j->truth, j->vae->model, s->seed));
    ELB_TRY(elb_machine_of(j->context, &j->machine));
    ELB_TRY(picture_open_q(j, "q(z|x) as trained", ELB_REFINE_OWN));
    ELB_TRY(picture_open_q(j, "best diagonal Gaussian", ELB_REFINE_FFG));
    if (s->full) ELB_TRY(picture_open_q(j, "best full covariance", ELB_REFINE_FULL));
    return s->flow ? picture_open_q(j, "best flow", ELB_REFINE_FLOW) : ELB_OK;
}

static void picture_close(picture_job *j)
{
    for (int i = 0; i < j->count; i++) {
        elb_importance_destroy(j->q[i].importance);
        elb_optimum_destroy(j->q[i].optimum);
        elb_inference_destroy(j->q[i].inference);
        elb_free(j->context, j->q[i].lambda);
    }
    elb_truth_close(&j->truth);
}

static elb_status picture_check(const elb_vae *vae, const elb_gap_set *set, const int64_t *index, int64_t count)
{
    int64_t n = elb_dataset_count(set->dataset);
    if (vae->model->options.latent != 2)
        return elb_fail(vae->context, ELB_MODEL,
                        "posteriors can be drawn of a model with 2 latent numbers, and this one has %lld; train one "
                        "with model.latent=2",
                        (long long)vae->model->options.latent);
    for (int64_t i = 0; i < count; i++)
        if (index[i] < 0 || index[i] >= n)
            return elb_fail(vae->context, ELB_USAGE, "there is no datum %lld: %s has %lld, counted from 0",
                            (long long)index[i], elb_dataset_name(set->dataset), (long long)n);
    return elb_vae_check_data(vae, vae->config, set->dataset);
}

elb_status elb_gap_picture(elb_vae *vae, const elb_gap_set *set, const int64_t *index, int64_t count,
                           const elb_gap_settings *settings)
{
    int64_t found[2] = {0, 0};
    picture_job j = {.context = vae->context, .vae = vae, .set = set, .settings = settings};
    ELB_TRY(picture_check(vae, set, index, count));
    bool choose = count == 0;
    elb_status status = picture_open(&j);
    if (status == ELB_OK && choose) status = picture_choose(&j, found);
    if (choose) index = found, count = elb_dataset_count(set->dataset) > 1 ? 2 : 1;
    if (status == ELB_OK) status = picture_work(&j, index, count, choose);
    picture_close(&j);
    return status;
}
