#include <math.h>
#include <string.h>

#include "infer/importance.h"
#include "infer/inference.h"
#include "posterior/mixture.h"
#include "run/blocks.h"
#include "run/components.h"
#include "run/schedule.h"
#include "run/trainer.h"

enum { EPOCH_ACTIVE_DATA = 500 };
#define EPOCH_ACTIVE_VARIANCE 0.01
#define EPOCH_RIPE 0.9         /* part of training after which components that started afresh are judged */
#define EPOCH_COLLAPSED_KL 0.1 /* nats: below it the latent says next to nothing about the data */

static double epoch_total(const elb_tensor *x)
{
    double sum = 0;
    for (int64_t i = 0; i < x->rows * x->cols; i++) sum += (double)x->data[i];
    return sum;
}

void elb_epoch_add(elb_trainer *t, const elb_loss *l, int64_t batch)
{
    elb_epoch_sums *s = &t->sums;
    double per_sample = (double)batch / (double)(l->reconstruction->rows * l->reconstruction->cols);
    double reconstruction = epoch_total(l->reconstruction) * per_sample;
    double kl = epoch_total(l->kl) * ((double)batch / (double)(l->kl->rows * l->kl->cols));
    s->data += batch;
    s->reconstruction += reconstruction;
    s->kl += kl;
    s->elbo += reconstruction - kl;
    s->bound += l->bound != NULL ? epoch_total(l->bound) : reconstruction - kl;
    if (l->kl_coordinate == NULL) return;
    const elb_tensor *k = l->kl_coordinate;
    for (int64_t i = 0; i < k->rows * k->cols; i++) s->kl_coordinate[i % k->cols] += (double)k->data[i];
}

elb_status elb_trainer_log(elb_trainer *t, const char *event, json_t *object)
{
    if (object != NULL) json_object_set_new(object, "event", json_string(event));
    return elb_log_file_append(t->log, object);
}

/* --- what is measured at the end of an epoch ---------------------------------------------------------------------- */

/* How many columns of the means [n,Z] vary over the data. */
static int64_t epoch_count_active(const elb_tensor *mean)
{
    int64_t n = mean->rows, units = 0;
    for (int64_t u = 0; u < mean->cols; u++) {
        double sum = 0, square = 0;
        for (int64_t i = 0; i < n; i++) sum += (double)mean->data[i * mean->cols + u];
        for (int64_t i = 0; i < n; i++) square += pow((double)mean->data[i * mean->cols + u] - sum / (double)n, 2);
        units += square / (double)n > EPOCH_ACTIVE_VARIANCE;
    }
    return units;
}

typedef struct epoch_units {
    const elb_vae *vae;
    elb_inference *inference;
    elb_tape *tape;
    elb_real *lambda; /* [EPOCH_ACTIVE_DATA, P] */
    int64_t units;
} epoch_units;

static elb_status epoch_units_block(void *user, const elb_block *b)
{
    epoch_units *e = user;
    elb_posterior *q = elb_inference_family(e->inference);
    ELB_TRY(elb_inference_run(e->inference, b->count, b->datum, b->x, e->lambda));
    elb_tensor *lambda = elb_leaf(e->tape, "local parameters", e->lambda, NULL, 2, (int64_t[]){b->count, q->local});
    elb_tensor *mean = q->type->mean(q, e->tape, lambda);
    ELB_TRY(elb_tape_run(e->tape, NULL));
    e->units = epoch_count_active(mean);
    return ELB_OK;
}

static elb_status epoch_units_measure(epoch_units *e, const elb_dataset *data)
{
    const elb_vae *v = e->vae;
    uint64_t seed = (uint64_t)v->config->top.seed;
    ELB_TRY(elb_tape_create(v->context, &e->tape));
    ELB_TRY(elb_inference_create(v->context, v->model, v->posterior, &v->config->refine, seed, &e->inference));
    e->lambda = elb_alloc(v->context, EPOCH_ACTIVE_DATA * elb_inference_family(e->inference)->local, sizeof *e->lambda);
    if (e->lambda == NULL) return ELB_MEMORY;
    return elb_blocks_visit(v, data, EPOCH_ACTIVE_DATA, EPOCH_ACTIVE_DATA, epoch_units_block, e);
}

elb_status elb_active_units(const elb_vae *vae, const elb_dataset *data, int64_t *units)
{
    epoch_units e = {.vae = vae};
    elb_status status = epoch_units_measure(&e, data);
    elb_free(vae->context, e.lambda);
    elb_inference_destroy(e.inference);
    elb_tape_destroy(e.tape);
    *units = e.units;
    return status;
}

typedef struct epoch_validation {
    elb_importance *importance;
    elb_importance_result *results; /* of one block */
    double total;                   /* of the ELBO */
} epoch_validation;

static elb_status epoch_validate_block(void *user, const elb_block *block)
{
    epoch_validation *v = user;
    ELB_TRY(elb_importance_block(v->importance, block->count, block->datum, block->x, v->results));
    for (int64_t i = 0; i < block->count; i++) v->total += v->results[i].elbo;
    return ELB_OK;
}

elb_status elb_validation_elbo(const elb_vae *vae, const elb_dataset *data, double *elbo)
{
    epoch_validation v = {.total = 0};
    uint64_t seed = (uint64_t)vae->config->top.seed;
    ELB_TRY(
        elb_importance_create(vae->context, vae->model, vae->posterior, &vae->config->refine, 1, seed, &v.importance));
    int64_t batch = elb_importance_batch(v.importance);
    v.results = elb_alloc(vae->context, batch, sizeof *v.results);
    elb_status status =
        v.results != NULL ? elb_blocks_visit(vae, data, 0, batch, epoch_validate_block, &v) : ELB_MEMORY;
    elb_free(vae->context, v.results);
    elb_importance_destroy(v.importance);
    *elbo = v.total / (double)elb_dataset_count(data);
    return status;
}

/* --- the end of an epoch ------------------------------------------------------------------------------------------ */

static json_t *epoch_coordinates(const elb_trainer *t)
{
    json_t *coordinates = json_array();
    for (int64_t u = 0; u < elb_vae_latent_size(t->vae); u++)
        json_array_append_new(coordinates, elb_json_real(t->sums.kl_coordinate[u] / (double)t->sums.data));
    return coordinates;
}

static json_t *epoch_line(const elb_trainer *t, double validation, const elb_components *components)
{
    const elb_epoch_sums *s = &t->sums;
    double n = (double)s->data;
    json_t *line = json_object();
    json_object_set_new(line, "epoch", json_integer(t->at.epoch));
    json_object_set_new(line, "step", json_integer(t->at.total));
    double factor = elb_schedule_factor(&t->config->schedule, t->at.total - 1, t->steps * t->config->train.epochs);
    json_object_set_new(line, "rate", elb_json_real(t->config->optimizer.rate * factor));
    json_object_set_new(line, "beta", elb_json_real(t->objective.beta));
    json_object_set_new(line, "elbo", elb_json_real(s->elbo / n));
    json_object_set_new(line, "bound", elb_json_real(s->bound / n));
    json_object_set_new(line, "kl", elb_json_real(s->kl / n));
    json_object_set_new(line, "reconstruction", elb_json_real(s->reconstruction / n));
    if (!isnan(validation)) json_object_set_new(line, "validation_elbo", elb_json_real(validation));
    json_object_set_new(line, "active_units", json_integer(t->at.active_units));
    if (t->vae->posterior->type->kl_to_prior != NULL)
        json_object_set_new(line, "kl_per_dimension", epoch_coordinates(t));
    if (components != NULL) json_object_set_new(line, "components", elb_components_json(components));
    json_object_set_new(line, "seconds", elb_json_real(s->seconds));
    json_object_set_new(line, "data_per_second", elb_json_real(n / s->seconds));
    return line;
}

static elb_status epoch_warn(elb_trainer *t, const char *text)
{
    elb_log(t->context, ELB_LOG_WARNING, "%s", text);
    return elb_trainer_log(t, "warning", json_pack("{s:I,s:s}", "epoch", (json_int_t)t->at.epoch, "message", text));
}

static elb_status epoch_warn_of_collapse(elb_trainer *t)
{
    bool warm = t->objective.beta >= 1 && t->at.epoch >= 2;
    if (t->at.warned || !warm || (t->at.active_units > 0 && t->at.last_kl >= EPOCH_COLLAPSED_KL)) return ELB_OK;
    t->at.warned = 1;
    char text[256];
    snprintf(
        text, sizeof text,
        "posterior collapse: %lld of %lld latent units are active and the KL is %.3g nats; try objective.warmup=kl, "
        "a smaller decoder, or a smaller likelihood variance",
        (long long)t->at.active_units, (long long)elb_vae_latent_size(t->vae), t->at.last_kl);
    return epoch_warn(t, text);
}

/* Everything that is wrong with a mixture's components, each thing once in a run. */
static elb_status epoch_warn_of_components(elb_trainer *t, const elb_components *components)
{
    char text[ELB_COMPONENTS_TEXT];
    bool ripe = t->objective.progress >= EPOCH_RIPE;
    for (int64_t bit; t->objective.beta >= 1 &&
                      (bit = elb_components_warn(components, t->config, ripe, t->at.components_told, text)) != 0;) {
        t->at.components_told |= bit;
        ELB_TRY(epoch_warn(t, text));
    }
    return ELB_OK;
}

static elb_status epoch_validate(elb_trainer *t, double *validation)
{
    *validation = NAN;
    if (t->validation == NULL || t->at.epoch % t->config->train.validate_every != 0) return ELB_OK;
    ELB_TRY(elb_validation_elbo(t->vae, t->validation, validation));
    if (!(*validation > t->at.best)) {
        t->at.stale += t->config->train.validate_every;
        return ELB_OK;
    }
    t->at.best = *validation;
    t->at.best_epoch = t->at.epoch;
    t->at.stale = 0;
    if (t->config->train.patience == 0) return ELB_OK;
    t->at.best_saved = 1;
    return elb_vae_save(t->vae, t->model_path);
}

elb_status elb_epoch_finish(elb_trainer *t)
{
    elb_epoch_sums *s = &t->sums;
    t->at.epoch++;
    t->at.step = 0;
    t->at.seconds += s->seconds;
    t->at.last_elbo = s->elbo / (double)s->data;
    t->at.last_kl = s->kl / (double)s->data;
    double validation;
    ELB_TRY(epoch_validate(t, &validation));
    ELB_TRY(elb_active_units(t->vae, t->data, &t->at.active_units));
    bool mixture = elb_posterior_is_mixture(t->vae->posterior);
    elb_components components;
    if (mixture) ELB_TRY(elb_components_measure(t->vae, t->data, &components));
    ELB_TRY(elb_trainer_log(t, "epoch", epoch_line(t, validation, mixture ? &components : NULL)));
    ELB_TRY(epoch_warn_of_collapse(t));
    if (mixture) ELB_TRY(epoch_warn_of_components(t, &components));
    double *coordinates = s->kl_coordinate;
    memset(coordinates, 0, (size_t)elb_vae_latent_size(t->vae) * sizeof *coordinates);
    *s = (elb_epoch_sums){.kl_coordinate = coordinates};
    return ELB_OK;
}
