#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "run/trainer.h"

/* state.safetensors: every parameter under its own name, every optimiser moment as "moment<i>.<name>", the epoch's KL
 * sums, and the numbers below as text in the metadata; reals with as many digits as read back to the same bits, and
 * read in hexadecimal too. */

enum { CHECKPOINT_TEXT = ELB_NUMBER_SIZE };
enum { CHECKPOINT_UNKNOWN = -1 };

static const int64_t checkpoint_most = (int64_t)1 << 53; /* of any counter: sums of a few still fit */

typedef struct checkpoint_number {
    const char *key;
    bool real;     /* double, else int64_t */
    bool optional; /* earlier states lack it: then it is CHECKPOINT_UNKNOWN */
    size_t offset; /* into elb_trainer */
} checkpoint_number;

#define CHECKPOINT_INT(name, field)                                                                                    \
    {                                                                                                                  \
        name, false, false, offsetof(elb_trainer, field)                                                               \
    }
#define CHECKPOINT_LATE(name, field)                                                                                   \
    {                                                                                                                  \
        name, false, true, offsetof(elb_trainer, field)                                                                \
    }
#define CHECKPOINT_REAL(name, field)                                                                                   \
    {                                                                                                                  \
        name, true, false, offsetof(elb_trainer, field)                                                                \
    }

static const checkpoint_number checkpoint_numbers[] = {
    CHECKPOINT_INT("epoch", at.epoch),         CHECKPOINT_INT("step", at.step),
    CHECKPOINT_INT("total", at.total),         CHECKPOINT_INT("best_epoch", at.best_epoch),
    CHECKPOINT_INT("stale", at.stale),         CHECKPOINT_REAL("best", at.best),
    CHECKPOINT_REAL("seconds", at.seconds),    CHECKPOINT_REAL("last_elbo", at.last_elbo),
    CHECKPOINT_REAL("last_kl", at.last_kl),    CHECKPOINT_INT("active_units", at.active_units),
    CHECKPOINT_INT("warned", at.warned),       CHECKPOINT_LATE("best_saved", at.best_saved),
    CHECKPOINT_LATE("phase", objective.phase), CHECKPOINT_LATE("components_told", at.components_told),
    CHECKPOINT_LATE("ended", at.ended),        CHECKPOINT_INT("optimizer_steps", optimizer.steps),
    CHECKPOINT_INT("sums_data", sums.data),    CHECKPOINT_REAL("sums_elbo", sums.elbo),
    CHECKPOINT_REAL("sums_kl", sums.kl),       CHECKPOINT_REAL("sums_reconstruction", sums.reconstruction),
    CHECKPOINT_REAL("sums_bound", sums.bound), CHECKPOINT_REAL("sums_seconds", sums.seconds),
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

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void checkpoint_number_write(const elb_trainer *t, const checkpoint_number *n, char text[CHECKPOINT_TEXT])
{
    const void *field = (const char *)t + n->offset;
    if (n->real)
        elb_number_format(*(const double *)field, text);
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
        (elb_safetensors_entry){.name = "epoch.kl_coordinate",
                                .dtype = ELB_DTYPE_F64,
                                .rank = 1,
                                .shape = {elb_vae_latent_size(t->vae)},
                                .data = t->sums.kl_coordinate};
    return ELB_OK;
}

static elb_status checkpoint_write_with(elb_trainer *t, elb_arena *arena, const char *yaml)
{
    int64_t count = (t->optimizer.type->moments + 1) * elb_vae_tensor_count(t->vae) + 1, position;
    elb_safetensors_entry *entries = elb_arena_alloc(arena, count, sizeof *entries);
    if (entries == NULL) return ELB_MEMORY;
    ELB_TRY(checkpoint_tensors(t, arena, entries));
    ELB_TRY(elb_log_file_sync(t->log, &position));
    if (t->at.ended) position = t->log_end; /* more epochs take the place of the "end" line */
    char texts[CHECKPOINT_NUMBERS][CHECKPOINT_TEXT], more[3][CHECKPOINT_TEXT];
    elb_safetensors_pair pairs[CHECKPOINT_NUMBERS + 4];
    for (int i = 0; i < CHECKPOINT_NUMBERS; i++) {
        checkpoint_number_write(t, &checkpoint_numbers[i], texts[i]);
        pairs[i] = (elb_safetensors_pair){checkpoint_numbers[i].key, texts[i]};
    }
    snprintf(more[0], CHECKPOINT_TEXT, "%lld", (long long)position);
    snprintf(more[1], CHECKPOINT_TEXT, "%lld", (long long)elb_dataset_count(t->data));
    snprintf(more[2], CHECKPOINT_TEXT, "%lld", (long long)t->checksum);
    pairs[CHECKPOINT_NUMBERS] = (elb_safetensors_pair){"log_position", more[0]};
    pairs[CHECKPOINT_NUMBERS + 1] = (elb_safetensors_pair){"data_count", more[1]};
    pairs[CHECKPOINT_NUMBERS + 2] = (elb_safetensors_pair){"data_checksum", more[2]};
    pairs[CHECKPOINT_NUMBERS + 3] = (elb_safetensors_pair){"elbow.config", yaml};
    return elb_safetensors_save(t->context, t->state_path, entries, count, pairs, CHECKPOINT_NUMBERS + 4);
}

/* A finite loss may have an infinite gradient: the next loss would tell, but then the good checkpoint is gone. */
static elb_status checkpoint_check_finite(const elb_trainer *t)
{
    const char *name = elb_vae_not_finite(t->vae);
    if (name == NULL) return ELB_OK;
    return elb_fail(t->context, ELB_NUMERIC, "step %lld left a number in %s that is not finite", (long long)t->at.total,
                    name);
}

static elb_status checkpoint_write_state(elb_trainer *t)
{
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

elb_status elb_checkpoint_write(elb_trainer *t)
{
    ELB_TRY(checkpoint_check_finite(t));
    if (t->config->train.patience == 0) t->at.best_saved = 0;
    if (!t->at.ended) ELB_TRY(checkpoint_write_state(t));
    if (!t->at.best_saved) ELB_TRY(elb_vae_save(t->vae, t->model_path));
    return t->at.ended ? checkpoint_write_state(t) : ELB_OK;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static elb_status checkpoint_missing(const elb_trainer *t, const char *key)
{
    return elb_fail(t->context, ELB_MODEL, "%s: the metadata's \"%s\" is missing or no number", t->state_path, key);
}

static bool checkpoint_integer(const char *text, int64_t *value)
{
    return text != NULL && elb_integer_parse(text, value) && *value >= 0 && *value <= checkpoint_most;
}

static elb_status checkpoint_number_read(elb_trainer *t, const elb_safetensors *file, const checkpoint_number *n)
{
    const char *text = elb_safetensors_metadata(file, n->key);
    void *field = (char *)t + n->offset;
    if (text == NULL && n->optional) {
        *(int64_t *)field = CHECKPOINT_UNKNOWN;
        return ELB_OK;
    }
    bool good = n->real ? text != NULL && elb_number_parse(text, field) : checkpoint_integer(text, field);
    return good ? ELB_OK : checkpoint_missing(t, n->key);
}

static elb_status checkpoint_check_counters(const elb_trainer *t)
{
    const elb_counters *at = &t->at;
    int64_t n = elb_dataset_count(t->data), all;
    bool sound = at->epoch <= at->total / t->steps && at->step <= t->steps &&
                 at->total == at->epoch * t->steps + at->step && at->best_epoch <= at->epoch &&
                 t->optimizer.steps <= at->total && t->objective.phase < elb_objective_phases(&t->objective) &&
                 elb_mul_fits(at->epoch + 1, n, &all) &&
                 t->sums.data == (at->step == t->steps ? n : at->step * t->config->train.batch);
    if (sound) return ELB_OK;
    return elb_fail(t->context, ELB_MODEL,
                    "%s stands at step %lld of epoch %lld, which is not a place in this run of %lld steps per epoch",
                    t->state_path, (long long)at->step, (long long)at->epoch, (long long)t->steps);
}

/* Earlier states know nothing of the data. */
static elb_status checkpoint_check_data(const elb_trainer *t, const elb_safetensors *file)
{
    const char *count_text = elb_safetensors_metadata(file, "data_count");
    const char *checksum_text = elb_safetensors_metadata(file, "data_checksum");
    if (count_text == NULL && checksum_text == NULL) return ELB_OK;
    int64_t count, checksum, now = elb_dataset_count(t->data);
    if (!checkpoint_integer(count_text, &count)) return checkpoint_missing(t, "data_count");
    if (!checkpoint_integer(checksum_text, &checksum)) return checkpoint_missing(t, "data_checksum");
    if (count == now && checksum == t->checksum) return ELB_OK;
    char counts[96] = "";
    if (count != now) snprintf(counts, sizeof counts, " (%lld then, %lld now)", (long long)count, (long long)now);
    return elb_fail(
        t->context, ELB_DATA,
        "%s: the training data%s are not those the run was started with; bring them back, or start a new run",
        elb_dataset_name(t->data), counts);
}

/* Whether the saved configuration is the one in hand, the "train" section aside but for its batch: it says where in an
 * epoch a step stands. */
static elb_status checkpoint_compare_config(const elb_trainer *t, const elb_config *saved)
{
    char key[ELB_KEY_TEXT], before[ELB_TEXT_MAX] = "?", now[ELB_TEXT_MAX] = "?";
    if (!elb_config_differs(saved, t->config, "train", key)) {
        if (saved->train.batch == t->config->train.batch) return ELB_OK;
        snprintf(key, sizeof key, "train.batch");
    }
    elb_config_get(saved, key, before, sizeof before);
    elb_config_get(t->config, key, now, sizeof now);
    return elb_fail(t->context, ELB_USAGE,
                    "the run was started with %s=%s and cannot go on with %s; only keys of \"train\" other than "
                    "train.batch may change",
                    key, before, now);
}

/* *patience: what the run went by. */
static elb_status checkpoint_check_config(elb_trainer *t, const elb_safetensors *file, int64_t *patience)
{
    const char *yaml = elb_safetensors_metadata(file, "elbow.config");
    if (yaml == NULL) return elb_fail(t->context, ELB_MODEL, "%s: the metadata lack elbow.config", t->state_path);
    elb_config *saved;
    ELB_TRY(elb_config_create(t->context, &saved));
    elb_status status = elb_config_parse(saved, t->state_path, yaml, (int64_t)strlen(yaml));
    if (status == ELB_OK) status = checkpoint_compare_config(t, saved);
    *patience = saved->train.patience;
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
    int64_t patience = 0;
    ELB_TRY(checkpoint_check_config(t, file, &patience));
    ELB_TRY(checkpoint_check_data(t, file));
    ELB_TRY(checkpoint_read_tensors(t, file));
    for (int i = 0; i < CHECKPOINT_NUMBERS; i++) ELB_TRY(checkpoint_number_read(t, file, &checkpoint_numbers[i]));
    ELB_TRY(checkpoint_check_counters(t));
    if (t->at.best_saved == CHECKPOINT_UNKNOWN) t->at.best_saved = patience > 0 && t->at.best_epoch > 0;
    if (t->at.ended == CHECKPOINT_UNKNOWN) t->at.ended = 1; /* when no epoch is left, no second "end" is logged */
    if (t->objective.phase == CHECKPOINT_UNKNOWN) t->objective.phase = 0;
    if (t->at.components_told == CHECKPOINT_UNKNOWN) t->at.components_told = 0;
    const char *position = elb_safetensors_metadata(file, "log_position");
    return checkpoint_integer(position, log_position) ? ELB_OK : checkpoint_missing(t, "log_position");
}

elb_status elb_checkpoint_read(elb_trainer *t, int64_t *log_position)
{
    elb_safetensors *file;
    ELB_TRY(elb_safetensors_open(t->context, t->state_path, &file));
    elb_status status = checkpoint_read_from(t, file, log_position);
    elb_safetensors_close(file);
    return status;
}
