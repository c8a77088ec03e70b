/* trainer_folder.c - the folder of a run: begun, or found and gone on with, by one process at a time. */
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "run/folder.h"
#include "run/trainer.h"

elb_status elb_trainer_paths(elb_trainer *t)
{
    const char *folder = t->settings.folder;
    t->state_path = elb_format(t->context, "%s/state.safetensors", folder);
    t->model_path = elb_format(t->context, "%s/model.safetensors", folder);
    t->log_path = elb_format(t->context, "%s/log.jsonl", folder);
    t->config_path = elb_format(t->context, "%s/config.yaml", folder);
    bool all = t->state_path != NULL && t->model_path != NULL && t->log_path != NULL && t->config_path != NULL;
    return all ? ELB_OK : ELB_MEMORY;
}

/* --- one process at a time ---------------------------------------------------------------------------------------- */

/* What a killed process had not finished. */
static elb_status trainer_clean(elb_trainer *t)
{
    static const char *const prefixes[] = {"config.yaml.tmp-", "model.safetensors.tmp-", "state.safetensors.tmp-"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        elb_names names;
        elb_status status = elb_folder_list(t->context, t->settings.folder, prefixes[i], "", &names);
        for (int64_t n = 0; n < names.count && status == ELB_OK; n++) unlink(names.at[n]);
        elb_names_reset(t->context, &names);
        ELB_TRY(status);
    }
    return ELB_OK;
}

static elb_status trainer_lock(elb_trainer *t)
{
    elb_status status = elb_log_file_open(t->context, t->log_path, &t->log);
    if (status == ELB_USAGE)
        elb_fail(t->context, status, "another process trains in %s; wait for it or end it", t->settings.folder);
    ELB_TRY(status);
    return trainer_clean(t);
}

/* --- a new run ---------------------------------------------------------------------------------------------------- */

static elb_status trainer_refuse(const elb_trainer *t, const char *name)
{
    return elb_fail(t->context, ELB_USAGE,
                    "%s holds no run, but a %s that would be overwritten; move it away, or choose another folder",
                    t->settings.folder, name);
}

/* Whether a log is of a run that was begun, or empty. */
static elb_status trainer_check_log(const elb_trainer *t)
{
    struct stat info;
    if (stat(t->log_path, &info) == 0 && info.st_size == 0) return ELB_OK;
    elb_log_history history;
    elb_status status = elb_log_history_read(t->context, t->log_path, &history);
    if (status == ELB_MEMORY || status == ELB_FAILURE) return status;
    const char *event = NULL;
    if (status == ELB_OK) {
        event = json_string_value(json_object_get(json_array_get(history.lines, 0), "event"));
        status = event != NULL && strcmp(event, "start") == 0 ? ELB_OK : ELB_DATA;
        elb_log_history_reset(&history);
    }
    return status == ELB_OK ? ELB_OK : trainer_refuse(t, "log.jsonl");
}

/* A run that ended before its first checkpoint left a log and a configuration, in this order; they may go. */
static elb_status trainer_check_new(const elb_trainer *t)
{
    if (elb_file_exists(t->state_path))
        return elb_fail(t->context, ELB_USAGE, "%s already holds a run; resume it, or choose another folder",
                        t->settings.folder);
    if (elb_file_exists(t->model_path)) return trainer_refuse(t, "model.safetensors");
    if (elb_file_exists(t->log_path)) return trainer_check_log(t);
    return elb_file_exists(t->config_path) ? trainer_refuse(t, "config.yaml") : ELB_OK;
}

elb_status elb_trainer_begin(elb_trainer *t)
{
    ELB_TRY(trainer_check_new(t));
    ELB_TRY(elb_folder_make(t->context, t->settings.folder));
    ELB_TRY(trainer_lock(t));
    if (elb_file_exists(t->state_path)) return trainer_check_new(t); /* another was faster */
    ELB_TRY(elb_log_file_cut(t->log, 0));
    ELB_TRY(elb_trainer_log(t, "start",
                            json_pack("{s:s,s:I,s:I,s:I}", "data", elb_dataset_name(t->data), "data_count",
                                      (json_int_t)elb_dataset_count(t->data), "parameters",
                                      (json_int_t)elb_vae_parameter_count(t->vae), "steps_per_epoch",
                                      (json_int_t)t->steps)));
    ELB_TRY(elb_config_save(t->config, t->config_path));
    return elb_checkpoint_write(t);
}

/* --- a run that is there ------------------------------------------------------------------------------------------ */

bool elb_trainer_done(const elb_trainer *t)
{
    int64_t patience = t->config->train.patience;
    return t->at.epoch >= t->config->train.epochs || (patience > 0 && t->at.stale >= patience);
}

elb_status elb_trainer_continue(elb_trainer *t)
{
    if (!elb_file_exists(t->state_path))
        return elb_fail(t->context, ELB_USAGE, "%s holds no run to resume: there is no state.safetensors",
                        t->settings.folder);
    ELB_TRY(trainer_lock(t));
    int64_t position;
    ELB_TRY(elb_checkpoint_read(t, &position));
    if (t->config->train.patience > 0 && !t->at.best_saved) { /* the best model so far is nowhere: seek from here */
        t->at.best = -INFINITY;
        t->at.best_epoch = t->at.stale = 0;
    }
    if (t->at.ended && elb_trainer_done(t)) return ELB_OK;
    t->at.ended = 0;
    ELB_TRY(elb_log_file_cut(t->log, position));
    return elb_config_save(t->config, t->config_path);
}
