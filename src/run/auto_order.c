#include "run/auto_order.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "infer/importance.h"
#include "posterior/mixture.h"
#include "run/blocks.h"
#include "run/log_file.h"
#include "run/moments.h"

enum {
    ORDER_START = 0, /* in place of an order: the VAE that all start from */
    ORDER_MOST = 10,
    ORDER_SAMPLES = 100, /* of a log-likelihood */
    ORDER_DECODES = 8,   /* decoder samples per datum and step */
    ORDER_PATIENCE = 2   /* orders in a row that gain nothing: one alone may have had bad luck in training */
};

typedef struct order_run {
    elb_context *context;
    elb_config *config; /* settled; its order is auto */
    elb_train_settings settings;
    elb_dataset *validation;
    elb_log_file *log;
    int64_t count;      /* validation data */
    double *best, *now; /* [count], log-likelihoods by the best order so far and by the latest */
    double elbo;        /* its sum over the data */
    elb_train_result result[ORDER_MOST + 1];
    int64_t latest; /* that was trained */
    double seconds;
    bool new_work;
} order_run;

bool elb_order_is_auto(const elb_config *config)
{
    return elb_posterior_types[config->posterior.type] == &elb_posterior_mixture && config->posterior.order == 0;
}

/* --- the stages' runs --------------------------------------------------------------------------------------------- */

static char *order_folder(const order_run *r, int64_t order)
{
    if (order == ORDER_START) return elb_format(r->context, "%s/start", r->settings.folder);
    return elb_format(r->context, "%s/order-%lld", r->settings.folder, (long long)order);
}

/* Epochs of the start; 0 where there is none. */
static int64_t order_start_epochs(const order_run *r)
{
    int64_t epochs = r->config->train.epochs;
    double share = r->config->objective.pretrain * (double)epochs;
    return share <= 0 || epochs < 2 ? 0 : (int64_t)fmin(fmax(1, round(share)), (double)epochs - 1);
}

static elb_status order_set(elb_config *stage, const char *key, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    return elb_config_set(stage, key, text);
}

static elb_status order_set_from(const order_run *r, elb_config *stage)
{
    char *start = order_folder(r, ORDER_START);
    if (start == NULL) return ELB_MEMORY;
    elb_status status = elb_config_set(stage, "train.from", start);
    elb_free(r->context, start);
    return status;
}

/* Order 1 and the start are VAEs: their encoder's file is that of a mixture's first component. */
static elb_status order_configure(const order_run *r, int64_t order, elb_config *stage)
{
    int64_t start = order_start_epochs(r), components = order == ORDER_START ? 1 : order;
    int64_t samples = (ORDER_DECODES + components - 1) / components;
    if (samples < r->config->objective.samples) samples = r->config->objective.samples;
    ELB_TRY(order_set(stage, "posterior.order", components));
    ELB_TRY(order_set(stage, "objective.samples", samples));
    ELB_TRY(order_set(stage, "objective.pretrain", 0));
    ELB_TRY(order_set(stage, "train.epochs", order == ORDER_START ? start : r->config->train.epochs - start));
    if (components == 1) {
        ELB_TRY(elb_config_set(stage, "posterior.type", "ffg"));
        ELB_TRY(elb_config_set(stage, "objective.type", "elbo"));
    }
    return order != ORDER_START && start > 0 ? order_set_from(r, stage) : ELB_OK;
}

static bool order_has_state(const order_run *r, const char *folder)
{
    char *path = elb_format(r->context, "%s/state.safetensors", folder);
    bool there = path != NULL && elb_file_exists(path);
    elb_free(r->context, path);
    return there;
}

static elb_status order_train(order_run *r, int64_t order)
{
    elb_config *stage;
    ELB_TRY(elb_config_copy(r->config, &stage));
    char *folder = order_folder(r, order);
    elb_status status = folder != NULL ? order_configure(r, order, stage) : ELB_MEMORY;
    if (status == ELB_OK) {
        elb_train_settings settings = r->settings;
        settings.folder = folder;
        settings.resume = r->settings.resume && order_has_state(r, folder);
        status = elb_train(stage, &settings, &r->result[order]);
        r->latest = order;
        r->seconds += r->result[order].seconds;
        r->new_work = r->new_work || !r->result[order].nothing_to_train;
    }
    elb_free(r->context, folder);
    elb_config_destroy(stage);
    return status;
}

/* --- what an order gains ------------------------------------------------------------------------------------------ */

typedef struct order_measure {
    order_run *run;
    elb_importance *importance;
    elb_importance_result *results;
} order_measure;

static elb_status order_measure_block(void *user, const elb_block *block)
{
    order_measure *m = user;
    ELB_TRY(elb_importance_block(m->importance, block->count, block->datum, block->x, m->results));
    for (int64_t i = 0; i < block->count; i++) {
        m->run->now[block->first + i] = m->results[i].log_likelihood;
        m->run->elbo += m->results[i].elbo / (double)m->run->count;
    }
    return ELB_OK;
}

/* Fills in `now`. */
static elb_status order_measure_with(order_run *r, const elb_vae *vae)
{
    order_measure m = {.run = r};
    uint64_t seed = (uint64_t)r->config->top.seed;
    ELB_TRY(elb_importance_create(r->context, vae->model, vae->posterior, &vae->config->refine, ORDER_SAMPLES, seed,
                                  &m.importance));
    int64_t batch = elb_importance_batch(m.importance);
    m.results = elb_alloc(r->context, batch, sizeof *m.results);
    r->elbo = 0;
    elb_status status =
        m.results != NULL ? elb_blocks_visit(vae, r->validation, 0, batch, order_measure_block, &m) : ELB_MEMORY;
    elb_free(r->context, m.results);
    elb_importance_destroy(m.importance);
    return status;
}

/* The model of an order, opened. */
static elb_status order_open(const order_run *r, int64_t order, elb_vae **vae)
{
    char *folder = order_folder(r, order);
    if (folder == NULL) return ELB_MEMORY;
    elb_status status = elb_vae_open(r->context, folder, vae);
    elb_free(r->context, folder);
    return status;
}

static elb_status order_log(order_run *r, int64_t order, int64_t best, const elb_moments *level,
                            const elb_moments *gain)
{
    double error = elb_moments_error(gain);
    json_t *line = json_object();
    json_object_set_new(line, "event", json_string("order"));
    json_object_set_new(line, "order", json_integer(order));
    json_object_set_new(line, "log_likelihood", elb_json_real(level->mean));
    json_object_set_new(line, "elbo", elb_json_real(r->elbo));
    json_object_set_new(line, "seconds", elb_json_real(r->result[order].seconds));
    if (order > 1) {
        json_object_set_new(line, "over", json_integer(best));
        json_object_set_new(line, "gain", elb_json_real(gain->mean));
        json_object_set_new(line, "standard_error", elb_json_real(error));
        elb_log(r->context, ELB_LOG_INFO, "order %lld: %.3f nats, %+.3f +- %.3f over order %lld", (long long)order,
                level->mean, gain->mean, error, (long long)best);
    } else {
        elb_log(r->context, ELB_LOG_INFO, "order 1: %.3f nats (held-out log-likelihood, %d samples)", level->mean,
                ORDER_SAMPLES);
    }
    return elb_log_file_append(r->log, line);
}

/* *better: whether the order gains more than its error over the best so far. */
static elb_status order_judge(order_run *r, int64_t order, int64_t best, bool *better)
{
    elb_vae *vae;
    elb_moments level = {0}, gain = {0};
    ELB_TRY(order_open(r, order, &vae));
    elb_status status = order_measure_with(r, vae);
    elb_vae_destroy(vae);
    ELB_TRY(status);
    for (int64_t i = 0; i < r->count; i++) {
        elb_moments_add(&level, r->now[i]);
        elb_moments_add(&gain, r->now[i] - r->best[i]);
    }
    *better = order == 1 || gain.mean > elb_moments_error(&gain);
    if (*better) {
        double *swap = r->best;
        r->best = r->now;
        r->now = swap;
    }
    return order_log(r, order, best, &level, &gain);
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static elb_status order_keep(order_run *r, int64_t order)
{
    elb_vae *vae;
    ELB_TRY(order_open(r, order, &vae));
    char *path = elb_format(r->context, "%s/model.safetensors", r->settings.folder);
    elb_status status = path != NULL ? elb_vae_save(vae, path) : ELB_MEMORY;
    elb_free(r->context, path);
    elb_vae_destroy(vae);
    ELB_TRY(status);
    return elb_log_file_append(r->log, json_pack("{s:s,s:I}", "event", "end", "order", (json_int_t)order));
}

static elb_status order_grow(order_run *r, int64_t *chosen)
{
    if (order_start_epochs(r) > 0) ELB_TRY(order_train(r, ORDER_START));
    for (int64_t order = 1; order <= ORDER_MOST && order - *chosen <= ORDER_PATIENCE; order++) {
        bool better;
        ELB_TRY(order_train(r, order));
        ELB_TRY(order_judge(r, order, *chosen, &better));
        if (better) *chosen = order;
    }
    return order_keep(r, *chosen);
}

/* A resumed run must have the configuration that the folder has. */
static elb_status order_check_config(const order_run *r)
{
    char key[ELB_KEY_TEXT];
    elb_config *saved;
    ELB_TRY(elb_run_config(r->context, r->settings.folder, &saved));
    bool differs = elb_config_differs(saved, r->config, "", key);
    elb_config_destroy(saved);
    if (!differs) return ELB_OK;
    return elb_fail(r->context, ELB_USAGE,
                    "the search for an order in %s was begun with another %s: resume it as it was, or choose another "
                    "folder",
                    r->settings.folder, key);
}

static elb_status order_begin(order_run *r)
{
    char *path = elb_format(r->context, "%s/config.yaml", r->settings.folder);
    if (path == NULL) return ELB_MEMORY;
    elb_status status = ELB_OK;
    bool there = elb_file_exists(path);
    if (there && !r->settings.resume)
        status = elb_fail(r->context, ELB_USAGE, "%s already holds a run; resume it, or choose another folder",
                          r->settings.folder);
    else if (there)
        status = order_check_config(r);
    else
        status = elb_folder_make(r->context, r->settings.folder);
    if (status == ELB_OK && !there) status = elb_config_save(r->config, path);
    elb_free(r->context, path);
    return status;
}

static elb_status order_open_log(order_run *r)
{
    char *path = elb_format(r->context, "%s/log.jsonl", r->settings.folder);
    if (path == NULL) return ELB_MEMORY;
    elb_status status = elb_log_file_open(r->context, path, &r->log);
    elb_free(r->context, path);
    if (status == ELB_USAGE)
        elb_fail(r->context, status, "another process trains in %s; wait for it or end it", r->settings.folder);
    if (status == ELB_OK) status = elb_log_file_cut(r->log, 0);
    ELB_TRY(status);
    return elb_log_file_append(r->log, json_pack("{s:s,s:s,s:I}", "event", "start", "data",
                                                 elb_dataset_name(r->validation), "data_count", (json_int_t)r->count));
}

static elb_status order_open_data(order_run *r)
{
    elb_dataset *data;
    if (r->config->data.validation == 0)
        return elb_fail(r->context, ELB_USAGE,
                        "posterior.order=auto is decided on held-out data: set data.validation to how many to hold "
                        "out, such as 1000");
    ELB_TRY(elb_config_open_data(r->config, NULL, ELB_PART_TRAIN, &data));
    elb_status status = elb_config_settle(r->config, data);
    elb_dataset_destroy(data);
    ELB_TRY(status);
    ELB_TRY(elb_config_open_data(r->config, NULL, ELB_PART_VALIDATION, &r->validation));
    r->count = elb_dataset_count(r->validation);
    r->best = elb_alloc(r->context, r->count, sizeof *r->best);
    r->now = elb_alloc(r->context, r->count, sizeof *r->now);
    return r->best != NULL && r->now != NULL ? ELB_OK : ELB_MEMORY;
}

elb_status elb_train_auto_order(const elb_config *config, const elb_train_settings *settings, elb_train_result *result)
{
    order_run r = {.context = config->context, .settings = *settings};
    int64_t chosen = 1;
    *result = (elb_train_result){.validation_elbo = NAN};
    elb_status status = elb_config_copy(config, &r.config);
    if (status == ELB_OK) status = order_open_data(&r);
    if (status == ELB_OK) status = order_begin(&r);
    if (status == ELB_OK) status = order_open_log(&r);
    if (status == ELB_OK) status = order_grow(&r, &chosen);
    *result = r.result[status == ELB_OK ? chosen : r.latest];
    result->seconds = r.seconds;
    result->nothing_to_train = !r.new_work;
    elb_log_file_close(r.log);
    elb_dataset_destroy(r.validation);
    elb_config_destroy(r.config);
    elb_free(r.context, r.best);
    elb_free(r.context, r.now);
    return status;
}
