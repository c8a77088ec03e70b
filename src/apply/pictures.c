#include <elbow/task.h>

#include <string.h>

#include "data/table_writer.h"
#include "infer/importance.h"
#include "infer/inference.h"
#include "run/blocks.h"
#include "task/image.h"

/* What keeps the random numbers of latents and of pixels apart: the epoch of their stream. */
enum { PICTURES_LATENT, PICTURES_PIXELS };
enum { PICTURES_COLUMNS = 6 };

/* What is shown and written, a row per datum. */
typedef struct pictures_job {
    elb_vae *vae;
    const elb_picture_settings *settings;
    const elb_machine *machine;
    elb_tape *tape;
    elb_inference *inference; /* reconstructions only, like what is said to be so below */
    elb_real *lambda;         /* [batch of inference, P] */
    int64_t count;
    elb_real *original, *shown;    /* [count,D]; original: reconstructions only */
    elb_real *z;                   /* [count,Z] */
    elb_real *mean, *log_variance; /* [count,Z], reconstructions only; log_variance: where the posterior has one */
    double *error;                 /* [count] mean squared error, reconstructions only */
} pictures_job;

/* --- rows --------------------------------------------------------------------------------------------------------- */

static elb_status pictures_alloc(const pictures_job *j, int64_t width, elb_real **rows)
{
    int64_t all;
    if (!elb_mul_fits(j->count, width, &all))
        return elb_fail(j->vae->context, ELB_USAGE, "%lld data are more than can be written; ask for fewer",
                        (long long)j->count);
    *rows = elb_alloc(j->vae->context, all, sizeof **rows);
    return *rows != NULL ? ELB_OK : ELB_MEMORY;
}

/* The decoder's output for data first .. first+rows-1 as values: the mean of p(x|z), or a draw from it. */
static void pictures_show(pictures_job *j, int64_t first, const elb_tensor *out)
{
    elb_model *m = j->vae->model;
    elb_real *x = j->shown + first * m->data;
    if (!j->settings->draw) {
        m->likelihood->mean(m, out->rows, out->data, x);
        return;
    }
    elb_stream at = {.key = elb_stream_key(j->settings->seed, ELB_FOR_SAMPLE, PICTURES_PIXELS)};
    for (int64_t r = 0; r < out->rows; r++) {
        at.datum = (uint64_t)(first + r);
        m->likelihood->draw(m, j->machine->kernels, at, out->data + r * out->cols, x + r * m->data);
    }
}

static void pictures_keep(elb_real *rows, int64_t first, const elb_tensor *from)
{
    if (from != NULL) memcpy(rows + first * from->cols, from->data, (size_t)(from->rows * from->cols) * sizeof *rows);
}

static elb_noise pictures_noise(const pictures_job *j, const uint64_t *datum)
{
    uint64_t key = elb_stream_key(j->settings->seed, ELB_FOR_SAMPLE, PICTURES_LATENT);
    return (elb_noise){.key = key, .datum = datum, .samples = 1};
}

static elb_status pictures_sample_block(pictures_job *j, int64_t first, int64_t count)
{
    uint64_t datum[ELB_IMPORTANCE_BLOCK];
    for (int64_t i = 0; i < count; i++) datum[i] = (uint64_t)(first + i);
    elb_noise noise = pictures_noise(j, datum);
    ELB_TRY(elb_tape_reset(j->tape));
    elb_tensor *z = elb_noise_normal(j->tape, &noise, count, j->vae->posterior->latent, 0);
    elb_tensor *out = elb_model_decode(j->vae->model, j->tape, z);
    ELB_TRY(elb_tape_run(j->tape, NULL));
    pictures_keep(j->z, first, z);
    pictures_show(j, first, out);
    return ELB_OK;
}

static void pictures_compare(pictures_job *j, int64_t first, int64_t count)
{
    int64_t size = j->vae->model->data;
    for (int64_t i = first; i < first + count; i++)
        for (int64_t d = i * size; d < (i + 1) * size; d++) {
            double difference = (double)j->shown[d] - (double)j->original[d];
            j->error[i] += difference * difference / (double)size;
        }
}

static elb_status pictures_reconstruct_block(void *user, const elb_block *b)
{
    pictures_job *j = user;
    elb_posterior *q = elb_inference_family(j->inference);
    elb_noise noise = pictures_noise(j, b->datum);
    ELB_TRY(elb_inference_run(j->inference, b->count, b->datum, b->x, j->lambda));
    ELB_TRY(elb_tape_reset(j->tape));
    elb_tensor *lambda = elb_leaf(j->tape, "local parameters", j->lambda, NULL, 2, (int64_t[]){b->count, q->local});
    elb_tensor *mean = q->type->mean(q, j->tape, lambda);
    elb_tensor *spread = q->type->log_variance != NULL ? q->type->log_variance(q, j->tape, lambda) : NULL;
    elb_tensor *z = j->settings->mean_latent ? mean : elb_sample(q, j->tape, lambda, &noise, ELB_LOG_Q_NONE).z;
    elb_tensor *out = elb_model_decode(j->vae->model, j->tape, z);
    ELB_TRY(elb_tape_run(j->tape, NULL));
    memcpy(j->original + b->first * j->vae->model->data, b->x, (size_t)(b->count * j->vae->model->data) * sizeof *b->x);
    pictures_keep(j->mean, b->first, mean);
    pictures_keep(j->log_variance, b->first, spread);
    pictures_keep(j->z, b->first, z);
    pictures_show(j, b->first, out);
    pictures_compare(j, b->first, b->count);
    return ELB_OK;
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static elb_status pictures_draw(const pictures_job *j)
{
    const elb_vae *v = j->vae;
    bool table = v->rank == 1;
    elb_image_items items = {
        .count = j->count,
        .height = table ? 1 : v->shape[0],
        .width = table ? v->shape[0] : v->shape[1],
        .channels = v->shape[2],
        .values = {j->original != NULL ? j->original : j->shown, j->original != NULL ? j->shown : NULL},
    };
    elb_image *image;
    ELB_TRY(elb_image_draw(v->context, &items, &image));
    elb_status status = elb_image_save(image, j->settings->png);
    elb_image_destroy(image);
    return status;
}

static elb_status pictures_tabulate(const pictures_job *j)
{
    const elb_column_type real = ELB_COLUMN_REAL;
    const int64_t n = j->count, size = j->vae->model->data, latent = j->vae->posterior->latent;
    const elb_column all[PICTURES_COLUMNS] = {
        {"x", real, 2, {n, size}, j->original != NULL ? j->original : j->shown},
        {"reconstruction", real, 2, {n, size}, j->original != NULL ? j->shown : NULL},
        {"z", real, 2, {n, latent}, j->z},
        {"mean", real, 2, {n, latent}, j->mean},
        {"log_variance", real, 2, {n, latent}, j->log_variance},
        {"mean_squared_error", ELB_COLUMN_DOUBLE, 1, {n}, j->error},
    };
    elb_column columns[PICTURES_COLUMNS];
    int count = 0;
    for (int i = 0; i < PICTURES_COLUMNS; i++)
        if (all[i].values != NULL) columns[count++] = all[i];
    return elb_table_write(j->vae->context, j->settings->table, columns, count);
}

static elb_status pictures_write(const pictures_job *j)
{
    if (j->settings->table != NULL) ELB_TRY(pictures_tabulate(j));
    return j->settings->png != NULL ? pictures_draw(j) : ELB_OK;
}

/* --- the two ------------------------------------------------------------------------------------------------------ */

/* A slip of the hand must not put a picture in a model's place. */
static elb_status pictures_check_name(elb_context *c, const char *png)
{
    const char *dot = strrchr(png, '.');
    if (dot != NULL && strcmp(dot, ".png") == 0) return ELB_OK;
    return elb_fail(c, ELB_USAGE, "'%s' must end in .png, to be written as a picture", png);
}

static elb_status pictures_open(pictures_job *j)
{
    elb_context *c = j->vae->context;
    if (j->count < 1)
        return elb_fail(c, ELB_USAGE, "a picture shows at least 1 datum, not %lld", (long long)j->settings->count);
    if (j->settings->png == NULL && j->settings->table == NULL)
        return elb_fail(c, ELB_USAGE, "there is nothing to write: name a picture (.png) or a table (.npz, .csv)");
    if (j->settings->png != NULL) ELB_TRY(pictures_check_name(c, j->settings->png));
    if (j->settings->table != NULL) ELB_TRY(elb_table_check(c, j->settings->table, PICTURES_COLUMNS));
    ELB_TRY(elb_machine_of(c, &j->machine));
    ELB_TRY(elb_tape_create(c, &j->tape));
    elb_tape_fix_rows(j->tape); /* so that a datum looks the same whatever the count */
    ELB_TRY(pictures_alloc(j, j->vae->model->data, &j->shown));
    return pictures_alloc(j, j->vae->posterior->latent, &j->z);
}

static elb_status pictures_open_reconstruction(pictures_job *j)
{
    elb_vae *v = j->vae;
    ELB_TRY(pictures_open(j));
    ELB_TRY(
        elb_inference_create(v->context, v->model, v->posterior, &v->config->refine, j->settings->seed, &j->inference));
    const elb_posterior *q = elb_inference_family(j->inference);
    j->lambda = elb_alloc(v->context, elb_inference_batch(j->inference) * q->local, sizeof *j->lambda);
    if (j->lambda == NULL) return ELB_MEMORY;
    ELB_TRY(pictures_alloc(j, j->vae->model->data, &j->original));
    ELB_TRY(pictures_alloc(j, q->latent, &j->mean));
    if (q->type->log_variance != NULL) ELB_TRY(pictures_alloc(j, q->latent, &j->log_variance));
    j->error = elb_alloc(j->vae->context, j->count, sizeof *j->error);
    return j->error != NULL ? ELB_OK : ELB_MEMORY;
}

static void pictures_close(pictures_job *j)
{
    elb_context *c = j->vae->context;
    elb_tape_destroy(j->tape);
    elb_inference_destroy(j->inference);
    elb_free(c, j->lambda);
    elb_free(c, j->original);
    elb_free(c, j->shown);
    elb_free(c, j->z);
    elb_free(c, j->mean);
    elb_free(c, j->log_variance);
    elb_free(c, j->error);
}

elb_status elb_sample_images(elb_vae *vae, const elb_picture_settings *settings)
{
    pictures_job j = {.vae = vae, .settings = settings, .count = settings->count};
    elb_status status = pictures_open(&j);
    for (int64_t first = 0; first < j.count && status == ELB_OK; first += ELB_IMPORTANCE_BLOCK) {
        int64_t rest = j.count - first;
        status = pictures_sample_block(&j, first, rest < ELB_IMPORTANCE_BLOCK ? rest : ELB_IMPORTANCE_BLOCK);
    }
    if (status == ELB_OK) status = pictures_write(&j);
    pictures_close(&j);
    return status;
}

elb_status elb_reconstruct_images(elb_vae *vae, const elb_dataset *dataset, const elb_picture_settings *settings)
{
    pictures_job j = {.vae = vae, .settings = settings, .count = settings->count};
    ELB_TRY(elb_vae_check_data(vae, vae->config, dataset));
    if (j.count > elb_dataset_count(dataset)) j.count = elb_dataset_count(dataset);
    elb_status status = pictures_open_reconstruction(&j);
    if (status == ELB_OK)
        status =
            elb_blocks_visit(vae, dataset, j.count, elb_inference_batch(j.inference), pictures_reconstruct_block, &j);
    if (status == ELB_OK) status = pictures_write(&j);
    pictures_close(&j);
    return status;
}
