#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/trainer.h"

/* state.safetensors: every parameter under its own name, every optimiser moment as "moment<i>.<name>", the epoch's KL
 * sums, and the numbers below as text in the metadata; reals as hexadecimal, so that no bit is lost. */

enum { CHECKPOINT_TEXT = 40 };

typedef struct checkpoint_number {
    const char *key;
    bool real;     /* double, else int64_t */
    size_t offset; /* into elb_trainer */
} checkpoint_number;

#define CHECKPOINT_INT(name, field) {name, false, offsetof(elb_trainer, field)}
#define CHECKPOINT_REAL(name, field) {name, true, offsetof(elb_trainer, field)}

static const checkpoint_number checkpoint_numbers[] = {
    CHECKPOINT_INT("epoch", at.epoch),
    CHECKPOINT_INT("step", at.step),
    CHECKPOINT_INT("total", at.total),
    CHECKPOINT_INT("best_epoch", at.best_epoch),
    CHECKPOINT_INT("stale", at.stale),
    CHECKPOINT_REAL("best", at.best),
    CHECKPOINT_REAL("seconds", at.seconds),
    CHECKPOINT_REAL("last_elbo", at.last_elbo),
    CHECKPOINT_REAL("last_kl", at.last_kl),
    CHECKPOINT_INT("active_units", at.active_units),
    CHECKPOINT_INT("warned", at.warned),
    CHECKPOINT_INT("optimizer_steps", optimizer.steps),
    CHECKPOINT_INT("sums_data", sums.data),
    CHECKPOINT_REAL("sums_elbo", sums.elbo),
    CHECKPOINT_REAL("sums_kl", sums.kl),
    CHECKPOINT_REAL("sums_reconstruction", sums.reconstruction),
    CHECKPOINT_REAL("sums_bound", sums.bound),
    CHECKPOINT_REAL("sums_seconds", sums.seconds),
};
enum { CHECKPOINT_NUMBERS = sizeof checkpoint_numbers / sizeof checkpoint_numbers[0] };

static void checkpoint_moments(const elb_trainer *t, int moment, elb_real *values[ELB_VAE_BLOCKS])
{
    for (int b = 0; b < ELB_VAE_BLOCKS; b++) values[b] = t->optimizer.block[b].moment[moment];
}

static void checkpoint_params(const elb_trainer *t, elb_real *values[ELB_VAE_BLOCKS])
{
    for (int b = 0; b < ELB_VAE_BLOCKS; b++) values[b] = elb_vae_block(t->vae, b)->data;
}

/* --- writing --------------------------------------------------------------------------------------------------------- */

static void checkpoint_number_write(const elb_trainer *t, const checkpoint_number *n, char text[CHECKPOINT_TEXT])
{
    const char *field = (const char *)t + n->offset;
    if (n->real)
        snprintf(text, CHECKPOINT_TEXT, "%a", *(const double *)field);
    else
        snprintf(text, CHECKPOINT_TEXT, "%lld", (long long)*(const int64_t *)field);
}

static elb_status checkpoint_tensors(elb_trainer *t, elb_arena *arena, elb_safetensors_entry *entries)
{
    int64_t tensors = elb_vae_tensor_count(t->vae);
    elb_real *values[ELB_VAE_BLOCKS];
    checkpoint_params(t, values);
    ELB_TRY(elb_vae_entries(t->vae, arena, "", values, entries));
    for (int i = 0; i < t->optimizer.type->moments; i++) {
        char prefix[32];
        snprintf(prefix, sizeof prefix, "moment%d.", i);
        checkpoint_moments(t, i, values);
        ELB_TRY(elb_vae_entries(t->vae, arena, prefix, values, entries + (i + 1) * tensors));
    }
    entries[(t->optimizer.type->moments + 1) * tensors] =
        (elb_safetensors_entry){.name = "epoch.kl_coordinate", .dtype = ELB_DTYPE_F64, .rank = 1,
                                .shape = {elb_vae_latent_size(t->vae)}, .data = t->sums.kl_coordinate};
    return ELB_OK;
}

static elb_status checkpoint_write_with(elb_trainer *t, elb_arena *arena, const char *yaml)
{
    int64_t count = (t->optimizer.type->moments + 1) * elb_vae_tensor_count(t->vae) + 1, position;
    elb_safetensors_entry *entries = elb_arena_alloc(arena, count, sizeof *entries);
    if (entries == NULL) return ELB_MEMORY;
    ELB_TRY(checkpoint_tensors(t, arena, entries));
    ELB_TRY(elb_log_file_sync(t->log, &position));
    char texts[CHECKPOINT_NUMBERS][CHECKPOINT_TEXT], log_position[CHECKPOINT_TEXT];
    elb_safetensors_pair pairs[CHECKPOINT_NUMBERS + 2];
    for (int i = 0; i < CHECKPOINT_NUMBERS; i++) {
        checkpoint_number_write(t, &checkpoint_numbers[i], texts[i]);
        pairs[i] = (elb_safetensors_pair){checkpoint_numbers[i].key, texts[i]};
    }
    snprintf(log_position, sizeof log_position, "%lld", (long long)position);
    pairs[CHECKPOINT_NUMBERS] = (elb_safetensors_pair){"log_position", log_position};
    pairs[CHECKPOINT_NUMBERS + 1] = (elb_safetensors_pair){"elbow.config", yaml};
    return elb_safetensors_save(t->context, t->state_path, entries, count, pairs, CHECKPOINT_NUMBERS + 2);
}

/* A finite loss may have an infinite gradient: the next loss would tell, but then the good checkpoint is gone. */
static elb_status checkpoint_check_finite(const elb_trainer *t)
{
    for (int b = 0; b < ELB_VAE_BLOCKS; b++) {
        elb_params *p = elb_vae_block(t->vae, b);
        for (int64_t i = 0; i < p->count; i++)
            for (int64_t j = 0; j < p->at[i].count; j++)
                if (!isfinite(elb_params_data(p, i)[j]))
                    return elb_fail(t->context, ELB_NUMERIC, "step %lld left a number in %s that is not finite",
                                    (long long)t->at.total, p->at[i].name);
    }
    return ELB_OK;
}

elb_status elb_checkpoint_write(elb_trainer *t)
{
    ELB_TRY(checkpoint_check_finite(t));
    bool best_is_kept = t->config->train.patience > 0 && t->at.best_epoch > 0;
    if (!best_is_kept) ELB_TRY(elb_vae_save(t->vae, t->model_path));
    char *yaml;
    ELB_TRY(elb_config_write(t->config, &yaml));
    elb_arena *arena;
    elb_status status = elb_arena_create(t->context, &arena);
    if (status == ELB_OK) {
        status = checkpoint_write_with(t, arena, yaml);
        elb_arena_destroy(arena);
    }
    elb_text_free(t->context, yaml);
    return status;
}

/* --- reading --------------------------------------------------------------------------------------------------------- */

static elb_status checkpoint_number_read(elb_trainer *t, const elb_safetensors *file, const checkpoint_number *n)
{
    const char *text = elb_safetensors_metadata(file, n->key);
    char *end = NULL, *field = (char *)t + n->offset;
    errno = 0;
    if (text != NULL && n->real) *(double *)field = strtod(text, &end);
    if (text != NULL && !n->real) *(int64_t *)field = strtoll(text, &end, 10);
    bool bad = text == NULL || end == text || *end != 0 || errno != 0 || (!n->real && *(int64_t *)field < 0);
    return bad ? elb_fail(t->context, ELB_MODEL, "%s: the metadata's \"%s\" is missing or no number", t->state_path,
                          n->key)
               : ELB_OK;
}

static elb_status checkpoint_check_counters(const elb_trainer *t)
{
    const elb_counters *at = &t->at;
    bool sound = at->epoch <= at->total && at->step < t->steps + 1 && at->total == at->epoch * t->steps + at->step;
    if (sound) return ELB_OK;
    return elb_fail(t->context, ELB_MODEL,
                    "%s stands at step %lld of epoch %lld, which is not a place in this run of %lld steps per epoch",
                    t->state_path, (long long)at->step, (long long)at->epoch, (long long)t->steps);
}

/* Whether the saved configuration is the one in hand, the "train" section aside. */
static elb_status checkpoint_check_config(elb_trainer *t, const elb_safetensors *file)
{
    const char *yaml = elb_safetensors_metadata(file, "elbow.config");
    if (yaml == NULL) return elb_fail(t->context, ELB_MODEL, "%s: the metadata lack elbow.config", t->state_path);
    elb_config *saved;
    ELB_TRY(elb_config_create(t->context, &saved));
    elb_status status = elb_config_parse(saved, t->state_path, yaml, (int64_t)strlen(yaml));
    char key[ELB_KEY_TEXT];
    if (status == ELB_OK && elb_config_differs(saved, t->config, "train", key)) {
        char before[ELB_TEXT_MAX] = "?", now[ELB_TEXT_MAX] = "?";
        elb_config_get(saved, key, before, sizeof before);
        elb_config_get(t->config, key, now, sizeof now);
        status = elb_fail(t->context, ELB_USAGE, "the run was started with %s=%s and cannot go on with %s; only keys of "
                          "\"train\" may change", key, before, now);
    }
    elb_config_destroy(saved);
    return status;
}

static elb_status checkpoint_read_tensors(elb_trainer *t, const elb_safetensors *file)
{
    elb_real *values[ELB_VAE_BLOCKS];
    checkpoint_params(t, values);
    ELB_TRY(elb_vae_read(t->vae, file, "", values));
    for (int i = 0; i < t->optimizer.type->moments; i++) {
        char prefix[32];
        snprintf(prefix, sizeof prefix, "moment%d.", i);
        checkpoint_moments(t, i, values);
        ELB_TRY(elb_vae_read(t->vae, file, prefix, values));
    }
    int64_t latent = elb_vae_latent_size(t->vae);
    return elb_safetensors_read(file, "epoch.kl_coordinate", ELB_DTYPE_F64, 1, &latent, t->sums.kl_coordinate);
}

static elb_status checkpoint_read_from(elb_trainer *t, const elb_safetensors *file, int64_t *log_position)
{
    ELB_TRY(checkpoint_check_config(t, file));
    ELB_TRY(checkpoint_read_tensors(t, file));
    for (int i = 0; i < CHECKPOINT_NUMBERS; i++) ELB_TRY(checkpoint_number_read(t, file, &checkpoint_numbers[i]));
    ELB_TRY(checkpoint_check_counters(t));
    const char *position = elb_safetensors_metadata(file, "log_position");
    *log_position = position != NULL ? strtoll(position, NULL, 10) : 0;
    return ELB_OK;
}

elb_status elb_checkpoint_read(elb_trainer *t, int64_t *log_position)
{
    elb_safetensors *file;
    ELB_TRY(elb_safetensors_open(t->context, t->state_path, &file));
    elb_status status = checkpoint_read_from(t, file, log_position);
    elb_safetensors_close(file);
    return status;
}
