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
#include "task/image.h"

enum {
    PICTURE_COUNT = ELB_FIELD_SIDE * ELB_FIELD_SIDE,
    PICTURE_BLOCK = 32, /* data that are worked on together */
    PICTURE_ROWS = 512, /* decoder rows at a time */
    PICTURE_DRAWS = 16384,
    PICTURE_LOOK = 2000 /* draws by which a window is chosen */
};
#define PICTURE_NEAR 4.0   /* from the prior's mean, what is looked over first, */
#define PICTURE_FAR 32.0   /* and at last */
#define PICTURE_FAINT 9.0  /* nats below the top that are out of sight */
#define PICTURE_LEAST 0.02 /* side of a window */

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
    elb_tape *tape;
    int count;
    picture_q q[ELB_SCENE_PANELS]; /* the model's, then the best ones, the diagonal Gaussian's first */
    elb_reporter reporter;
    int64_t done, block; /* of the phase; of which so much is in progress */
    double *grid;        /* [PICTURE_COUNT] */
    elb_real *z;         /* [PICTURE_DRAWS,2] */
} picture_job;

/* --- densities -------------------------------------------------------------------------------------------------------- */

/* Point i of the grid over a window, as z. */
static void picture_point(const elb_window *w, int64_t i, elb_real *z)
{
    z[0] = (elb_real)elb_field_at(w, 0, i % ELB_FIELD_SIDE);
    z[1] = (elb_real)elb_field_at(w, 1, i / ELB_FIELD_SIDE);
}

/* log p(x,z), or where q is given log q(z|x), at points first .. first+count-1 of the grid, into j->grid. */
static elb_status picture_rows(picture_job *j, const elb_window *w, elb_real *x, const picture_q *q, int64_t first,
                               int64_t count)
{
    elb_tape *t = j->tape;
    ELB_TRY(elb_tape_reset(t));
    elb_tensor *z = elb_input(t, "latent", false, 3, (int64_t[]){count, 1, 2}), *value;
    for (int64_t i = 0; z != NULL && i < count; i++) picture_point(w, first + i, z->data + 2 * i);
    if (q != NULL) {
        elb_tensor *lambda = elb_leaf(t, "local parameters", q->lambda, NULL, 2, (int64_t[]){1, q->family->local});
        value = q->family->type->log_density(q->family, t, lambda, z);
    } else {
        elb_tensor *in = elb_leaf(t, "data", x, NULL, 2, (int64_t[]){1, j->vae->model->data});
        value = elb_model_log_joint(j->vae->model, t, in, z);
    }
    ELB_TRY(elb_tape_run(t, NULL));
    for (int64_t i = 0; i < count; i++) j->grid[first + i] = (double)value->data[i];
    return ELB_OK;
}

static elb_status picture_evaluate(picture_job *j, const elb_window *w, elb_real *x, const picture_q *q)
{
    for (int64_t first = 0; first < PICTURE_COUNT; first += PICTURE_ROWS)
        ELB_TRY(picture_rows(j, w, x, q, first, PICTURE_ROWS));
    return ELB_OK;
}

static elb_status picture_draw(picture_job *j, const picture_q *q, int64_t count)
{
    static const uint64_t datum = 0;
    elb_tape *t = j->tape;
    elb_noise noise = {.key = elb_stream_key(j->settings->seed, ELB_FOR_SAMPLE, 1), .datum = &datum, .samples = count};
    ELB_TRY(elb_tape_reset(t));
    elb_tensor *lambda = elb_leaf(t, "local parameters", q->lambda, NULL, 2, (int64_t[]){1, q->family->local});
    elb_draw d = elb_sample(q->family, t, lambda, &noise, ELB_LOG_Q_NONE);
    ELB_TRY(elb_tape_run(t, NULL));
    memcpy(j->z, d.z->data, (size_t)(2 * count) * sizeof *j->z);
    return ELB_OK;
}

/* --- windows ---------------------------------------------------------------------------------------------------------- */

static void picture_widen(elb_window *w, const double z[2])
{
    for (int k = 0; k < 2; k++) {
        w->low[k] = fmin(w->low[k], z[k]);
        w->high[k] = fmax(w->high[k], z[k]);
    }
}

/* A square around it, with a margin. */
static void picture_square(elb_window *w)
{
    double side = fmax(fmax(w->high[0] - w->low[0], w->high[1] - w->low[1]), PICTURE_LEAST) * 1.12;
    for (int k = 0; k < 2; k++) {
        double middle = (w->low[k] + w->high[k]) / 2;
        w->low[k] = middle - side / 2;
        w->high[k] = middle + side / 2;
    }
}

/* What of the posterior is in sight within `far` of the prior's mean. */
static elb_status picture_within(picture_job *j, elb_real *x, double far, elb_window *w)
{
    const elb_window all = {{-far, -far}, {far, far}};
    double top = -INFINITY, half = far / ELB_FIELD_SIDE;
    *w = (elb_window){{INFINITY, INFINITY}, {-INFINITY, -INFINITY}};
    ELB_TRY(picture_evaluate(j, &all, x, NULL));
    for (int64_t i = 0; i < PICTURE_COUNT; i++) top = fmax(top, j->grid[i]);
    for (int64_t i = 0; i < PICTURE_COUNT; i++) {
        if (j->grid[i] < top - PICTURE_FAINT) continue;
        double z0 = elb_field_at(&all, 0, i % ELB_FIELD_SIDE), z1 = elb_field_at(&all, 1, i / ELB_FIELD_SIDE);
        picture_widen(w, (double[]){z0 - half, z1 - half});
        picture_widen(w, (double[]){z0 + half, z1 + half});
    }
    return ELB_OK;
}

/* Where the posterior is: farther off while it reaches over the edge. */
static elb_status picture_find(picture_job *j, elb_real *x, elb_window *w)
{
    for (double far = PICTURE_NEAR;; far *= 2) {
        ELB_TRY(picture_within(j, x, far, w));
        double edge = far * (1 - 0.5 / ELB_FIELD_SIDE);
        bool over = w->low[0] < -edge || w->low[1] < -edge || w->high[0] > edge || w->high[1] > edge;
        if (!over || far >= PICTURE_FAR) return ELB_OK;
    }
}

/* log p(x) by the trapezoid rule; `field`, whose values are j->grid, gets p(z|x). */
static elb_status picture_truth(picture_job *j, elb_window w, elb_real *x, elb_field *field)
{
    picture_square(&w);
    ELB_TRY(picture_evaluate(j, &w, x, NULL));
    elb_field_make(field, w, j->grid);
    return ELB_OK;
}

/* --- lambda ----------------------------------------------------------------------------------------------------------- */

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

/* --- which data ------------------------------------------------------------------------------------------------------- */

typedef struct picture_gaps {
    picture_job *job;
    double *amortisation, *approximation; /* of every datum */
} picture_gaps;

static elb_status picture_consider(void *user, const elb_block *b)
{
    picture_gaps *g = user;
    picture_job *j = g->job;
    int64_t data = j->vae->model->data;
    double elbo[PICTURE_BLOCK], best[PICTURE_BLOCK];
    j->done = b->first, j->block = b->count;
    ELB_TRY(picture_infer(&j->q[0], b->count, b->datum, b->x, NULL, elbo));
    ELB_TRY(picture_infer(&j->q[1], b->count, b->datum, b->x, NULL, best));
    for (int64_t i = 0; i < b->count; i++) {
        elb_window w;
        elb_field truth;
        ELB_TRY(picture_find(j, b->x + i * data, &w));
        ELB_TRY(picture_truth(j, w, b->x + i * data, &truth));
        g->amortisation[b->first + i] = best[i] - elbo[i];
        g->approximation[b->first + i] = truth.log_mass - best[i];
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

/* --- one row ---------------------------------------------------------------------------------------------------------- */

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

/* Widens the window by what is in sight of q. */
static elb_status picture_look(picture_job *j, const picture_q *q, elb_window *w)
{
    ELB_TRY(picture_draw(j, q, PICTURE_LOOK));
    for (int k = 0; k < 2; k++) {
        double mean = 0, square = 0;
        for (int64_t i = 0; i < PICTURE_LOOK; i++) mean += (double)j->z[2 * i + k] / PICTURE_LOOK;
        for (int64_t i = 0; i < PICTURE_LOOK; i++) square += pow((double)j->z[2 * i + k] - mean, 2) / PICTURE_LOOK;
        w->low[k] = fmin(w->low[k], mean - 2.5 * sqrt(square));
        w->high[k] = fmax(w->high[k], mean + 2.5 * sqrt(square));
    }
    return ELB_OK;
}

/* q over the row's window; by draws where it does not tell its density. */
static elb_status picture_panel(picture_job *j, const picture_q *q, const elb_window *w, elb_scene_panel *p)
{
    double *values = elb_alloc(j->context, PICTURE_COUNT, sizeof *values);
    if (values == NULL) return ELB_MEMORY;
    p->field.values = values;
    p->title = q->title;
    picture_components(q, p);
    if (q->family->type->log_density == NULL) {
        ELB_TRY(picture_draw(j, q, PICTURE_DRAWS));
        elb_field_from_draws(&p->field, *w, values, PICTURE_DRAWS, j->z);
        return ELB_OK;
    }
    ELB_TRY(picture_evaluate(j, w, NULL, q));
    memcpy(values, j->grid, PICTURE_COUNT * sizeof *values);
    elb_field_make(&p->field, *w, values);
    return ELB_OK;
}

/* x: the datum as the model sees it, which the row keeps. */
static elb_status picture_row(picture_job *j, int64_t index, const char *why, elb_real *x, elb_scene_row *row)
{
    const elb_vae *v = j->vae;
    uint64_t datum = j->set->dataset->origin + (uint64_t)index;
    elb_window w;
    snprintf(row->title, sizeof row->title, "datum %lld", (long long)index);
    snprintf(row->subtitle, sizeof row->subtitle, "%s", why);
    if (elb_image_kind_of(v->shape[0], v->shape[1], v->shape[2]) == ELB_IMAGE_GRID) row->image = x;
    row->height = v->shape[0], row->width = v->shape[1], row->channels = v->shape[2];
    row->panels = j->count;
    ELB_TRY(picture_find(j, x, &w));
    for (int i = 0; i < j->count; i++) {
        const elb_real *given = i > 1 ? j->q[1].lambda : NULL;
        ELB_TRY(picture_infer(&j->q[i], 1, &datum, x, given, &row->panel[i].elbo));
        ELB_TRY(picture_look(j, &j->q[i], &w));
        ELB_TRY(picture_tell(j, 1));
        j->done++;
    }
    ELB_TRY(picture_truth(j, w, x, &row->truth));
    row->log_p = row->truth.log_mass;
    row->truth.values = elb_alloc(j->context, PICTURE_COUNT, sizeof *row->truth.values);
    if (row->truth.values == NULL) return ELB_MEMORY;
    memcpy(row->truth.values, j->grid, PICTURE_COUNT * sizeof *j->grid);
    for (int i = 0; i < j->count; i++) ELB_TRY(picture_panel(j, &j->q[i], &row->truth.window, &row->panel[i]));
    return ELB_OK;
}

/* --- the whole -------------------------------------------------------------------------------------------------------- */

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
        elb_free(c, rows[i].truth.values == j->grid ? NULL : rows[i].truth.values);
        for (int k = 0; k < ELB_SCENE_PANELS; k++) elb_free(c, rows[i].panel[k].field.values);
    }
    elb_free(c, rows);
    elb_free(c, x);
    return status;
}

static elb_status picture_open(picture_job *j)
{
    const elb_gap_settings *s = j->settings;
    j->grid = elb_alloc(j->context, PICTURE_COUNT, sizeof *j->grid);
    j->z = elb_alloc(j->context, 2 * PICTURE_DRAWS, sizeof *j->z);
    if (j->grid == NULL || j->z == NULL) return ELB_MEMORY;
    ELB_TRY(elb_tape_create(j->context, &j->tape));
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
    elb_tape_destroy(j->tape);
    elb_free(j->context, j->grid);
    elb_free(j->context, j->z);
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
