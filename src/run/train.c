#include <math.h>

#include "data/checksum.h"
#include "run/auto_order.h"
#include "run/schedule.h"
#include "run/trainer.h"

/* --- setting up --------------------------------------------------------------------------------------------------- */

static elb_status train_open_data(elb_trainer *t)
{
    ELB_TRY(elb_config_open_data(t->config, NULL, ELB_PART_TRAIN, &t->data));
    ELB_TRY(elb_config_settle(t->config, t->data));
    if (t->config->data.validation > 0)
        ELB_TRY(elb_config_open_data(t->config, NULL, ELB_PART_VALIDATION, &t->validation));
    if (t->config->train.patience > 0 && t->validation == NULL)
        return elb_fail(t->context, ELB_USAGE,
                        "train.patience needs validation data: set data.validation to how many data to hold out");
    ELB_TRY(elb_vae_create(t->config, t->data, &t->vae));
    if (t->validation != NULL) ELB_TRY(elb_vae_check_data(t->vae, t->config, t->validation));
    t->vae->model->params.frozen = t->config->train.encoder_only;
    if (t->settings.resume) return ELB_OK;
    if (t->config->train.from[0] == '\0')
        return !t->config->train.encoder_only
                   ? ELB_OK
                   : elb_fail(t->context, ELB_USAGE,
                              "train.encoder_only needs a decoder: set train.from to a run or a model.safetensors");
    return elb_vae_start_from(t->vae, t->config->train.from);
}

static elb_status train_prepare(elb_trainer *t)
{
    elb_context *c = t->context;
    int64_t n = elb_dataset_count(t->data), batch = t->config->train.batch;
    t->steps = (n + batch - 1) / batch;
    t->checksum = elb_dataset_checksum(t->data);
    t->at.best = -INFINITY;
    elb_objective_init(&t->objective, &t->config->objective);
    t->objective.data = n;
    t->objective.refine = &t->config->refine;
    ELB_TRY(elb_objective_open(&t->objective, t->vae->model, t->vae->posterior));
    elb_optimizer_init(&t->optimizer, c, &t->config->optimizer);
    for (int b = 0; b < ELB_VAE_BLOCKS; b++) ELB_TRY(elb_optimizer_add(&t->optimizer, elb_vae_block(t->vae, b)));
    t->step = (elb_step){.vae = t->vae, .data = t->data, .objective = &t->objective, .optimizer = &t->optimizer};
    ELB_TRY(elb_tape_create(c, &t->step.tape));
    t->order = elb_alloc(c, n, sizeof *t->order);
    t->step.datum = elb_alloc(c, batch, sizeof *t->step.datum);
    t->sums.kl_coordinate = elb_alloc(c, elb_vae_latent_size(t->vae), sizeof *t->sums.kl_coordinate);
    return t->order != NULL && t->step.datum != NULL && t->sums.kl_coordinate != NULL ? ELB_OK : ELB_MEMORY;
}

static elb_status train_open(elb_trainer *t)
{
    ELB_TRY(elb_trainer_paths(t));
    ELB_TRY(train_open_data(t));
    ELB_TRY(train_prepare(t));
    return t->settings.resume ? elb_trainer_continue(t) : elb_trainer_begin(t);
}

static void train_close(elb_trainer *t)
{
    elb_context *c = t->context;
    elb_log_file_close(t->log);
    elb_tape_destroy(t->step.tape);
    elb_objective_close(&t->objective);
    elb_optimizer_free(&t->optimizer);
    elb_vae_destroy(t->vae);
    elb_config_destroy(t->config);
    elb_dataset_destroy(t->data);
    elb_dataset_destroy(t->validation);
    elb_free(c, t->order);
    elb_free(c, t->step.datum);
    elb_free(c, t->sums.kl_coordinate);
    elb_free(c, t->state_path);
    elb_free(c, t->model_path);
    elb_free(c, t->log_path);
    elb_free(c, t->config_path);
}

/* --- the loop ----------------------------------------------------------------------------------------------------- */

/* Which of the loss's terms is not finite. */
static const char *train_blame(const elb_loss *l)
{
    if (l->reconstruction == NULL) return "refinement before the loss"; /* it has not come to the loss */
    if (!elb_finite(l->reconstruction)) return "reconstruction";
    return elb_finite(l->kl) ? "loss" : "KL";
}

/* One step on `batch` data that begin at `first` of the epoch's order. */
static elb_status train_step(elb_trainer *t, int64_t first, int64_t batch)
{
    int64_t all = t->steps * t->config->train.epochs;
    double rate = t->config->optimizer.rate * elb_schedule_factor(&t->config->schedule, t->at.total, all);
    elb_loss loss;
    elb_status status = elb_step_take(&t->step, rate, (uint32_t)t->at.epoch, t->order + first, batch, &loss);
    if (status == ELB_NUMERIC) elb_fail_in(t->context, status, "the %s is not finite", train_blame(&loss));
    ELB_TRY(status);
    elb_epoch_add(t, &loss, batch);
    return elb_tape_reset(t->step.tape);
}

static void train_enter_stage(elb_trainer *t)
{
    const elb_schedule_options *s = &t->config->schedule;
    int64_t all = t->steps * t->config->train.epochs;
    if (!s->reset_moments || t->at.total == 0) return;
    if (elb_schedule_stage(s, t->at.total, all) != elb_schedule_stage(s, t->at.total - 1, all))
        elb_optimizer_reset(&t->optimizer);
}

/* Sets the objective to the step that comes after `total`. */
static void train_warm(elb_trainer *t, int64_t total)
{
    int64_t whole = total / t->steps;
    elb_objective_warm(&t->objective, (double)whole + (double)(total % t->steps) / (double)t->steps,
                       (double)t->config->train.epochs);
}

/* Sets the objective to the next step, the first of a phase perhaps. */
static elb_status train_enter_phase(elb_trainer *t)
{
    int64_t before = t->objective.phase;
    train_warm(t, t->at.total);
    if (t->objective.phase == before) return ELB_OK;
    elb_optimizer_reset(&t->optimizer);
    ELB_TRY(elb_objective_enter(&t->objective, t->vae->posterior, before, (uint64_t)t->config->top.seed));
    return elb_trainer_log(
        t, "phase",
        json_pack("{s:s,s:I}", "name", elb_objective_phase_name(&t->objective), "step", (json_int_t)t->at.total));
}

/* Before the posterior is used or kept. */
static elb_status train_settle(elb_trainer *t)
{
    return elb_objective_settle(&t->objective, t->vae->posterior, (uint64_t)t->config->top.seed);
}

static elb_status train_tell(elb_trainer *t)
{
    const elb_epoch_sums *s = &t->sums;
    if (s->data > 0) {
        elb_reporter_set(&t->reporter, "ELBO", s->elbo / (double)s->data);
        elb_reporter_set(&t->reporter, "KL", s->kl / (double)s->data);
    }
    int64_t done = t->at.epoch * elb_dataset_count(t->data) + s->data;
    return elb_reporter_update(&t->reporter, done);
}

static bool train_checkpoint_due(const elb_trainer *t)
{
    return elb_clock() - t->checkpointed >= 60 * t->config->train.checkpoint_minutes;
}

static elb_status train_checkpoint(elb_trainer *t)
{
    t->checkpointed = elb_clock();
    ELB_TRY(train_settle(t));
    return elb_checkpoint_write(t);
}

/* From wherever the epoch stands to its end, or to where the caller wants to stop. */
static elb_status train_epoch(elb_trainer *t)
{
    int64_t n = elb_dataset_count(t->data), batch = t->config->train.batch;
    elb_permutation((uint64_t)t->config->top.seed, (uint32_t)t->at.epoch, n, t->order);
    if (t->at.step == t->steps)
        train_warm(t, t->at.total - 1); /* stopped after the last step: its beta is to be logged */
    while (t->at.step < t->steps) {
        double from = elb_clock();
        int64_t first = t->at.step * batch;
        train_enter_stage(t);
        ELB_TRY(train_enter_phase(t));
        elb_status status = train_step(t, first, n - first < batch ? n - first : batch);
        if (status != ELB_OK)
            return elb_fail_in(t->context, status, "step %lld (epoch %lld)", (long long)t->at.total + 1,
                               (long long)t->at.epoch + 1);
        t->at.step++;
        t->at.total++;
        t->sums.seconds += elb_clock() - from;
        elb_status asked = train_tell(t);
        if (asked != ELB_OK || train_checkpoint_due(t)) ELB_TRY(train_checkpoint(t));
        if (asked != ELB_OK) return asked;
    }
    return ELB_OK;
}

static elb_status train_all(elb_trainer *t)
{
    while (!elb_trainer_done(t)) {
        ELB_TRY(train_epoch(t));
        ELB_TRY(train_settle(t));
        ELB_TRY(elb_epoch_finish(t));
        int64_t every = t->config->train.checkpoint_epochs;
        if (every > 0 && t->at.epoch % every == 0) ELB_TRY(train_checkpoint(t));
    }
    ELB_TRY(elb_log_file_sync(t->log, &t->log_end));
    ELB_TRY(elb_trainer_log(t, "end",
                            json_pack("{s:I,s:I}", "epoch", (json_int_t)t->at.epoch, "step", (json_int_t)t->at.total)));
    t->at.ended = 1;
    return train_checkpoint(t);
}

static elb_status train_run(elb_trainer *t)
{
    int64_t n = elb_dataset_count(t->data), done = t->at.epoch * n + t->sums.data;
    t->reporter =
        elb_reporter_start(t->settings.progress, t->settings.user, "training", done, n * t->config->train.epochs);
    t->checkpointed = elb_clock();
    elb_status status = train_all(t);
    bool stopped = status != ELB_OK && status == t->reporter.asked;
    if (status == ELB_OK || stopped) elb_reporter_finish(&t->reporter, t->at.epoch * n + t->sums.data);
    if (status == ELB_NUMERIC && !stopped)
        elb_fail(
            t->context, status,
            "training stopped, the last good checkpoint is kept in %s: %s; lower optimizer.rate or set optimizer.clip",
            t->state_path, elb_context_message(t->context));
    return status;
}

static void train_result(const elb_trainer *t, elb_train_result *result)
{
    result->epochs = t->at.epoch;
    result->steps = t->at.total;
    result->elbo = t->at.last_elbo;
    result->kl = t->at.last_kl;
    result->validation_elbo = t->validation != NULL && isfinite(t->at.best) ? t->at.best : NAN;
    result->active_units = t->at.active_units;
    result->seconds = t->at.seconds + t->sums.seconds;
    result->stopped_early = t->at.epoch < t->config->train.epochs && elb_trainer_done(t);
}

elb_status elb_train(const elb_config *config, const elb_train_settings *settings, elb_train_result *result)
{
    if (elb_order_is_auto(config)) return elb_train_auto_order(config, settings, result);
    *result = (elb_train_result){.validation_elbo = NAN};
    elb_trainer t = {.context = config->context, .settings = *settings};
    elb_status status = elb_config_copy(config, &t.config);
    if (status == ELB_OK) status = train_open(&t);
    if (status == ELB_OK) {
        result->nothing_to_train = t.at.ended;
        if (!t.at.ended) status = train_run(&t);
        train_result(&t, result);
    }
    train_close(&t);
    return status;
}

elb_status elb_run_config(elb_context *c, const char *folder, elb_config **config)
{
    *config = NULL;
    char *path = elb_format(c, "%s/config.yaml", folder);
    if (path == NULL) return ELB_MEMORY;
    elb_config *made;
    elb_status status = elb_config_create(c, &made);
    if (status == ELB_OK) {
        status = elb_config_load(made, path);
        if (status == ELB_OK)
            *config = made;
        else
            elb_config_destroy(made);
    }
    elb_free(c, path);
    return status;
}
