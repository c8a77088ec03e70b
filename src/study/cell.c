/* cell.c - training one cell, and its folder of numbers. */
#include "study/cell.h"

#include <math.h>
#include <string.h>

#include <elbow/train.h>

#include "base/file.h"
#include "data/checksum.h"
#include "run/log_file.h"
#include "run/vae.h"

const int64_t elb_cell_batches[ELB_CELL_BATCHES] = {1, 128};

/* --- a run that is there ------------------------------------------------------------------------------------------ */

static bool cell_has(const elb_cell *cell, const char *name)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", cell->run, name);
    return n > 0 && (size_t)n < sizeof path && elb_file_exists(path);
}

/* Sums over the epochs in the run's log. */
static void cell_read_log(elb_cell *cell, const elb_log_history *log)
{
    double epochs = 0, seconds = 0;
    for (size_t i = 0; i < json_array_size(log->lines); i++) {
        const json_t *line = json_array_get(log->lines, i);
        const char *event = json_string_value(json_object_get(line, "event"));
        if (!event || strcmp(event, "epoch") != 0) continue;
        epochs++;
        seconds += elb_json_number(line, "seconds");
    }
    cell->epochs = epochs;
    cell->train_seconds = seconds;
}

/* What the run's configuration left to the data, as the data settled it. */
static void cell_settle(elb_cell *cell, const elb_config *config)
{
    cell->config->data = config->data;
    cell->config->model = config->model;
    cell->config->likelihood = config->likelihood;
    cell->config->train = config->train;
}

/* *ended: the run that is there is the one wanted, and its log ends with its end. */
static elb_status cell_look(const elb_grid *g, elb_cell *cell, bool *ended)
{
    elb_log_history log;
    elb_config *config;
    char key[ELB_KEY_TEXT], *path = elb_format(g->context, "%s/log.jsonl", cell->run);
    *ended = false;
    if (!path) return ELB_MEMORY;
    elb_status status = elb_log_history_read(g->context, path, &log);
    elb_free(g->context, path);
    if (status == ELB_FAILURE) return ELB_OK; /* a model without a log has its numbers all the same */
    ELB_TRY(status);
    cell_read_log(cell, &log);
    const json_t *last = json_array_get(log.lines, json_array_size(log.lines) - 1);
    const char *event = json_string_value(json_object_get(last, "event"));
    bool at_end = event && strcmp(event, "end") == 0;
    elb_log_history_reset(&log);
    if (!at_end || !cell->trains) return ELB_OK;
    ELB_TRY(elb_run_config(g->context, cell->run, &config));
    *ended = cell->config->top.seed == config->top.seed && !elb_config_disagrees(config, cell->config, NULL, key);
    if (*ended) cell_settle(cell, config);
    elb_config_destroy(config);
    return ELB_OK;
}

/* --- what a run starts from --------------------------------------------------------------------------------------- */

static int64_t cell_checksum(const elb_vae *vae)
{
    uint64_t sum = ELB_CHECKSUM_START;
    for (int b = 0; b < ELB_VAE_BLOCKS; b++) {
        const elb_params *p = elb_vae_block(vae, b);
        for (int64_t i = 0; i < p->count; i++)
            sum = elb_checksum_add(sum, p->data + p->at[i].offset, (size_t)p->at[i].count * sizeof *p->data);
    }
    return elb_checksum_end(sum);
}

static elb_status cell_start_checksum(const elb_grid *g, const elb_cell *cell, int64_t *checksum)
{
    elb_vae *vae;
    ELB_TRY(elb_vae_open(g->context, g->cells[cell->start].run, &vae));
    *checksum = cell_checksum(vae);
    elb_vae_destroy(vae);
    return ELB_OK;
}

/* from.json remembers the parameters that a run started from: it does not follow when they are trained further. */
static elb_status cell_check_start(const elb_grid *g, const elb_cell *cell)
{
    json_t *kept = NULL;
    int64_t checksum = 0;
    char *path = elb_format(g->context, "%s/from.json", cell->folder);
    if (!path) return ELB_MEMORY;
    elb_status status = cell_start_checksum(g, cell, &checksum);
    if (status == ELB_OK && cell_has(cell, "state.safetensors") && cell_has(cell, "from.json")) {
        status = elb_json_load(g->context, path, &kept);
        if (status == ELB_OK && json_integer_value(json_object_get(kept, "model")) != checksum)
            status = elb_fail(
                g->context, ELB_USAGE,
                "the run started from another model than there is now in %s, which was trained further or anew; "
                "remove %s to train it from that, or compare into another folder",
                g->cells[cell->start].run, cell->folder);
        json_decref(kept);
    } else if (status == ELB_OK) {
        status = elb_folder_make(g->context, cell->folder);
        if (status == ELB_OK)
            status = elb_json_save(g->context, path, json_pack("{s:I}", "model", (json_int_t)checksum));
    }
    elb_free(g->context, path);
    return status;
}

/* --- training ----------------------------------------------------------------------------------------------------- */

elb_status elb_cell_train(const elb_grid *g, elb_cell *cell, elb_progress_fn progress, void *user)
{
    bool ended;
    if (cell->start >= 0) ELB_TRY(cell_check_start(g, cell));
    ELB_TRY(cell_look(g, cell, &ended));
    if (cell->trains && !ended) {
        elb_train_settings settings = {
            .folder = cell->run, .resume = cell_has(cell, "state.safetensors"), .progress = progress, .user = user};
        elb_train_result result;
        ELB_TRY(elb_train(cell->config, &settings, &result));
        ELB_TRY(cell_look(g, cell, &ended));
    }
    const elb_cell *source = cell->source >= 0 ? &g->cells[cell->source] : NULL;
    const elb_cell *before = cell->start >= 0 ? &g->cells[cell->start] : NULL;
    if (source) {
        cell_settle(cell, source->config);
        cell->epochs = source->epochs;
        cell->train_seconds = source->train_seconds;
    }
    if (before) cell->epochs += before->epochs;
    if (before) cell->train_seconds += before->train_seconds;
    return ELB_OK;
}

/* --- the model and the data --------------------------------------------------------------------------------------- */

elb_status elb_cell_refine_as(elb_cell_work *work, const elb_config *config)
{
    char key[ELB_KEY_TEXT], value[ELB_TEXT_MAX];
    for (const elb_option *o = elb_refine_option_table; o->name; o++) {
        snprintf(key, sizeof key, "refine.%s", o->name);
        ELB_TRY(elb_config_get(config, key, value, sizeof value));
        ELB_TRY(elb_vae_set(work->vae, key, value));
    }
    return ELB_OK;
}

elb_status elb_cell_open(const elb_grid *g, elb_cell *cell, elb_cell_work *work)
{
    *work = (elb_cell_work){.grid = g, .cell = cell};
    ELB_TRY(elb_vae_open(g->context, cell->run, &work->vae));
    work->checksum = cell_checksum(work->vae);
    cell->parameters = elb_vae_parameter_count(work->vae);
    ELB_TRY(elb_cell_refine_as(work, cell->config));
    const elb_config *config = cell->config; /* whose data training told of */
    return elb_dataset_load(g->context, &config->data, (uint64_t)config->top.seed, (elb_part)g->plan->evaluate.part,
                            &work->data);
}

void elb_cell_close(elb_cell_work *work)
{
    elb_dataset_destroy(work->data);
    elb_vae_destroy(work->vae);
}

/* --- what is kept ------------------------------------------------------------------------------------------------- */

json_t *elb_cell_key(const elb_cell_work *work, json_t *more)
{
    const elb_config *config = elb_vae_config(work->vae);
    char key[ELB_KEY_TEXT], value[ELB_TEXT_MAX];
    bool good = more && !json_object_set_new(more, "model", json_integer(work->checksum)) &&
                !json_object_set_new(more, "version", json_string(ELBOW_VERSION));
    for (const elb_section *s = config->sections; good && s->options; s++) {
        if (strcmp(s->name, "data") != 0 && strcmp(s->name, "refine") != 0) continue;
        for (const elb_option *o = s->options; good && o->name; o++) {
            snprintf(key, sizeof key, "%s.%s", s->name, o->name);
            good = elb_config_get(config, key, value, sizeof value) == ELB_OK &&
                   !json_object_set_new(more, key, json_string(value));
        }
    }
    if (good) return more;
    json_decref(more);
    return NULL;
}

static char *cell_path(const elb_cell_work *work, const char *name)
{
    return elb_format(work->grid->context, "%s/%s.json", work->cell->folder, name);
}

elb_status elb_cell_load(const elb_cell_work *work, const char *name, const json_t *key, json_t **object)
{
    char *path = cell_path(work, name);
    *object = NULL;
    if (!path) return ELB_MEMORY;
    elb_status status = elb_json_load(work->grid->context, path, object);
    elb_free(work->grid->context, path);
    if (status == ELB_MEMORY) return status;
    if (status == ELB_OK && json_equal(json_object_get(*object, "key"), key)) return ELB_OK;
    json_decref(*object); /* none, or no longer true: made anew */
    *object = NULL;
    return ELB_OK;
}

elb_status elb_cell_save(const elb_cell_work *work, const char *name, json_t *key, json_t *object)
{
    elb_context *c = work->grid->context;
    char *path = cell_path(work, name);
    elb_status status = path && object && !json_object_set(object, "key", key) ? ELB_OK : ELB_MEMORY;
    if (status == ELB_MEMORY) {
        json_decref(object);
        elb_fail(c, status, "out of memory: the numbers for '%s' could not be kept", work->cell->folder);
    } else {
        status = elb_folder_make(c, work->cell->folder);
        if (status == ELB_OK)
            status = elb_json_save(c, path, object);
        else
            json_decref(object);
    }
    elb_free(c, path);
    return status;
}
