#include "run/vae.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "run/vae_text.h"

/* --- the parts ---------------------------------------------------------------------------------------------------- */

/* A small file can declare a huge model: nothing is allocated for parameters that it does not hold. */
static elb_status vae_check_shapes(const elb_vae *v, const elb_safetensors *file)
{
    for (int b = 0; b < ELB_VAE_BLOCKS; b++) {
        const elb_params *p = elb_vae_block(v, b);
        for (int64_t i = 0; i < p->count; i++)
            ELB_TRY(elb_safetensors_check(file, p->at[i].name, p->at[i].rank, p->at[i].shape));
    }
    return ELB_OK;
}

static elb_status vae_build(elb_vae *v, const elb_config *config, const elb_safetensors *file)
{
    ELB_TRY(elb_config_copy(config, &v->config));
    if (config->likelihood.type == ELB_LIKELIHOOD_AUTO || config->model.latent == 0)
        return elb_fail(v->context, ELB_MODEL, "a trained model has no likelihood.type or model.latent that is auto");
    int64_t size = v->shape[0] * v->shape[1] * v->shape[2];
    ELB_TRY(elb_model_declare(v->context, &config->model, &config->likelihood, size, &v->model));
    ELB_TRY(elb_posterior_declare(v->context, &config->posterior, size, config->model.latent, &v->posterior));
    if (file != NULL) ELB_TRY(vae_check_shapes(v, file));
    for (int b = 0; b < ELB_VAE_BLOCKS; b++) ELB_TRY(elb_params_build(elb_vae_block(v, b)));
    return ELB_OK;
}

/* file: what its parameters will be read from, or NULL. */
static elb_status vae_new(elb_context *c, const elb_config *config, int rank, const int64_t shape[3],
                          const elb_safetensors *file, elb_vae **vae)
{
    *vae = NULL;
    elb_vae *v = elb_alloc(c, 1, sizeof *v);
    if (v == NULL) return ELB_MEMORY;
    v->context = c;
    v->rank = rank;
    memcpy(v->shape, shape, sizeof v->shape);
    elb_status status = vae_build(v, config, file);
    if (status != ELB_OK) {
        elb_vae_destroy(v);
        return status;
    }
    *vae = v;
    return ELB_OK;
}

elb_status elb_vae_create_blank(elb_context *c, const elb_config *config, int rank, const int64_t shape[3],
                                elb_vae **vae)
{
    return vae_new(c, config, rank, shape, NULL, vae);
}

void elb_vae_destroy(elb_vae *v)
{
    if (v == NULL) return;
    elb_posterior_destroy(v->posterior);
    elb_model_destroy(v->model);
    elb_config_destroy(v->config);
    elb_free(v->context, v);
}

elb_params *elb_vae_block(const elb_vae *v, int block)
{
    return block == 0 ? &v->model->params : &v->posterior->params;
}

/* --- a fresh one -------------------------------------------------------------------------------------------------- */

enum { VAE_MEAN_ROWS = 256 };

/* Mean over the data of every value, as the model sees it before chance binarises it. */
static elb_status vae_data_mean(const elb_dataset *d, const elb_data_options *options, double *mean)
{
    bool threshold = options->binarise == ELB_BINARISE_THRESHOLD;
    int64_t size = elb_dataset_size(d), n = elb_dataset_count(d);
    float *rows = elb_alloc(d->context, VAE_MEAN_ROWS * size, sizeof *rows);
    if (rows == NULL) return ELB_MEMORY;
    elb_status status = ELB_OK;
    for (int64_t first = 0; first < n && status == ELB_OK; first += VAE_MEAN_ROWS) {
        int64_t count = n - first < VAE_MEAN_ROWS ? n - first : VAE_MEAN_ROWS;
        status = elb_dataset_rows(d, first, count, rows);
        for (int64_t i = 0; i < count * size && status == ELB_OK; i++) {
            double x = threshold ? rows[i] >= (float)options->threshold : (double)rows[i];
            mean[i % size] += x / (double)n;
        }
    }
    elb_free(d->context, rows);
    return status;
}

static elb_status vae_start(elb_vae *v, const elb_dataset *dataset)
{
    uint64_t seed = (uint64_t)v->config->top.seed;
    ELB_TRY(elb_model_reset(v->model, seed));
    ELB_TRY(elb_posterior_reset(v->posterior, seed));
    if (!v->config->train.output_bias) return ELB_OK;
    double *mean = elb_alloc(v->context, elb_dataset_size(dataset), sizeof *mean);
    if (mean == NULL) return ELB_MEMORY;
    elb_status status = vae_data_mean(dataset, &v->config->data, mean);
    if (status == ELB_OK) elb_model_start_at_mean(v->model, mean);
    elb_free(v->context, mean);
    return status;
}

static elb_status vae_create_settled(const elb_config *config, const elb_dataset *dataset, elb_vae **vae)
{
    int64_t shape[3];
    int rank = elb_dataset_shape(dataset, shape);
    ELB_TRY(vae_new(config->context, config, rank, shape, NULL, vae));
    elb_status status = elb_vae_check_data(*vae, config, dataset);
    if (status == ELB_OK) status = vae_start(*vae, dataset);
    if (status != ELB_OK) {
        elb_vae_destroy(*vae);
        *vae = NULL;
    }
    return status;
}

elb_status elb_vae_create(const elb_config *config, const elb_dataset *dataset, elb_vae **vae)
{
    *vae = NULL;
    elb_config *settled;
    ELB_TRY(elb_config_copy(config, &settled));
    elb_status status = elb_config_settle(settled, dataset);
    if (status == ELB_OK) status = vae_create_settled(settled, dataset, vae);
    elb_config_destroy(settled);
    return status;
}

/* --- data --------------------------------------------------------------------------------------------------------- */

elb_batch_spec elb_config_batch_spec(const elb_config *config, uint32_t epoch)
{
    return (elb_batch_spec){
        .binarise = config->data.binarise,
        .threshold = config->data.threshold,
        .seed = (uint64_t)config->top.seed,
        .epoch = epoch,
    };
}

elb_status elb_config_open_data(const elb_config *config, const char *spec, elb_part part, elb_dataset **dataset)
{
    elb_data_options options = config->data;
    if (spec != NULL && strlen(spec) >= sizeof options.spec)
        return elb_fail(config->context, ELB_USAGE, "the data's name has %zu bytes: at most %zu are expected",
                        strlen(spec), sizeof options.spec - 1);
    if (spec != NULL) snprintf(options.spec, sizeof options.spec, "%s", spec);
    ELB_TRY(elb_dataset_load(config->context, &options, (uint64_t)config->top.seed, part, dataset));
    elb_log(config->context, ELB_LOG_INFO, "%s: %s", elb_dataset_name(*dataset), elb_dataset_describe(*dataset));
    return ELB_OK;
}

elb_status elb_vae_check_data(const elb_vae *v, const elb_config *config, const elb_dataset *dataset)
{
    if (elb_dataset_size(dataset) != v->model->data)
        return elb_fail(v->context, ELB_MODEL, "the model takes data of %lld values, %s has %lld values per datum",
                        (long long)v->model->data, elb_dataset_name(dataset), (long long)elb_dataset_size(dataset));
    elb_data_facts facts = elb_dataset_facts(dataset);
    bool binarised = config->data.binarise != ELB_BINARISE_NONE;
    elb_value_range range = {
        .least = binarised ? 0 : facts.min / facts.scale,
        .largest = binarised ? 1 : facts.max / facts.scale,
        .missing = facts.nan_count,
        .infinite = facts.infinite_count,
        .binary = binarised || facts.binary,
    };
    elb_status status = v->model->likelihood->check(v->context, &range);
    if (status == ELB_OK) status = elb_dataset_check_binarise(dataset, config->data.binarise);
    return status == ELB_OK ? ELB_OK : elb_fail_in(v->context, status, "%s", elb_dataset_name(dataset));
}

elb_status elb_vae_set(elb_vae *v, const char *key, const char *value)
{
    char present[ELB_TEXT_MAX];
    ELB_TRY(elb_config_get(v->config, key, present, sizeof present));
    if (strncmp(key, "data.", 5) != 0 && strncmp(key, "refine.", 7) != 0)
        return elb_fail(v->context, ELB_USAGE,
                        "%s belongs to the trained model: only keys of data and refine can be changed", key);
    return elb_config_set(v->config, key, value);
}

/* --- in and out --------------------------------------------------------------------------------------------------- */

int64_t elb_vae_tensor_count(const elb_vae *v)
{
    return v->model->params.count + v->posterior->params.count;
}

static char *vae_name(elb_arena *arena, const char *prefix, const char *name)
{
    size_t size = strlen(prefix) + strlen(name) + 1;
    char *text = elb_arena_alloc(arena, (int64_t)size, 1);
    if (text != NULL) snprintf(text, size, "%s%s", prefix, name);
    return text;
}

elb_status elb_vae_entries(const elb_vae *v, elb_arena *arena, const char *prefix,
                           elb_real *const values[ELB_VAE_BLOCKS], elb_safetensors_entry *entries)
{
    for (int b = 0; b < ELB_VAE_BLOCKS; b++) {
        const elb_params *p = elb_vae_block(v, b);
        for (int64_t i = 0; i < p->count; i++, entries++) {
            const elb_param *a = &p->at[i];
            *entries = (elb_safetensors_entry){.name = vae_name(arena, prefix, a->name),
                                               .dtype = ELB_DTYPE_REAL,
                                               .rank = a->rank,
                                               .data = values[b] + a->offset};
            if (entries->name == NULL) return ELB_MEMORY;
            memcpy(entries->shape, a->shape, sizeof a->shape);
        }
    }
    return ELB_OK;
}

elb_status elb_vae_read(const elb_vae *v, const elb_safetensors *file, const char *prefix,
                        elb_real *const values[ELB_VAE_BLOCKS])
{
    for (int b = 0; b < ELB_VAE_BLOCKS; b++) {
        const elb_params *p = elb_vae_block(v, b);
        for (int64_t i = 0; i < p->count; i++) {
            const elb_param *a = &p->at[i];
            char name[512];
            snprintf(name, sizeof name, "%s%s", prefix, a->name);
            ELB_TRY(elb_safetensors_read_real(file, name, a->rank, a->shape, values[b] + a->offset));
        }
    }
    return ELB_OK;
}

static void vae_blocks(const elb_vae *v, elb_real *values[ELB_VAE_BLOCKS])
{
    for (int b = 0; b < ELB_VAE_BLOCKS; b++) values[b] = elb_vae_block(v, b)->data;
}

static elb_status vae_save_with(elb_vae *v, const char *path, elb_arena *arena, const char *yaml)
{
    int64_t n = elb_vae_tensor_count(v);
    elb_safetensors_entry *entries = elb_arena_alloc(arena, n, sizeof *entries);
    if (entries == NULL) return ELB_MEMORY;
    elb_real *values[ELB_VAE_BLOCKS];
    vae_blocks(v, values);
    ELB_TRY(elb_vae_entries(v, arena, "", values, entries));
    char shape[ELB_SHAPE_TEXT];
    elb_shape_write(v->rank, v->shape, shape);
    elb_safetensors_pair metadata[] = {
        {"format", "pt"}, {"elbow.version", ELBOW_VERSION}, {"elbow.shape", shape}, {"elbow.config", yaml}};
    return elb_safetensors_save(v->context, path, entries, n, metadata, sizeof metadata / sizeof metadata[0]);
}

elb_status elb_vae_save(elb_vae *v, const char *path)
{
    char *yaml;
    ELB_TRY(elb_config_write(v->config, &yaml));
    elb_arena *arena;
    elb_status status = elb_arena_create(v->context, &arena);
    if (status == ELB_OK) {
        status = vae_save_with(v, path, arena, yaml);
        elb_arena_destroy(arena);
    }
    elb_text_free(v->context, yaml);
    return status;
}

const char *elb_vae_not_finite(const elb_vae *v)
{
    for (int b = 0; b < ELB_VAE_BLOCKS; b++) {
        const elb_params *p = elb_vae_block(v, b);
        for (int64_t i = 0; i < p->count; i++)
            for (int64_t k = 0; k < p->at[i].count; k++)
                if (!isfinite(p->data[p->at[i].offset + k])) return p->at[i].name;
    }
    return NULL;
}

elb_status elb_vae_check_finite(const elb_vae *v)
{
    const char *name = elb_vae_not_finite(v);
    if (name == NULL) return ELB_OK;
    return elb_fail(v->context, ELB_MODEL,
                    "tensor '%s' holds a number that is not finite: train the model again, or repair it", name);
}

static elb_status vae_load_with(elb_context *c, const elb_safetensors *file, elb_config *config, elb_vae **vae)
{
    const char *yaml = elb_safetensors_metadata(file, "elbow.config");
    const char *text = elb_safetensors_metadata(file, "elbow.shape");
    int rank;
    int64_t shape[3];
    if (yaml == NULL || text == NULL || !elb_shape_read(text, &rank, shape))
        return elb_fail(c, ELB_MODEL,
                        "not a model of elbow: its metadata lack elbow.config or elbow.shape; weights "
                        "trained elsewhere are for elbow convert");
    elb_status parsed = elb_config_parse(config, "elbow.config", yaml, (int64_t)strlen(yaml));
    if (parsed == ELB_MEMORY) return parsed;
    if (parsed != ELB_OK) return elb_fail_in(c, ELB_MODEL, "the configuration in the model's metadata");
    ELB_TRY(vae_new(c, config, rank, shape, file, vae));
    elb_real *values[ELB_VAE_BLOCKS];
    vae_blocks(*vae, values);
    elb_status status = elb_vae_read(*vae, file, "", values);
    if (status == ELB_OK) status = elb_vae_check_finite(*vae);
    if (status != ELB_OK) {
        elb_vae_destroy(*vae);
        *vae = NULL;
    }
    return status;
}

char *elb_vae_file(elb_context *c, const char *path)
{
    struct stat info;
    bool folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    return folder ? elb_format(c, "%s/model.safetensors", path) : elb_strdup(c, path);
}

elb_status elb_vae_open(elb_context *c, const char *path, elb_vae **vae)
{
    *vae = NULL;
    char *name = elb_vae_file(c, path);
    if (name == NULL) return ELB_MEMORY;
    elb_safetensors *file;
    elb_status status = elb_safetensors_open(c, name, &file);
    if (status == ELB_OK) {
        elb_config *config;
        status = elb_config_create(c, &config);
        if (status == ELB_OK) {
            status = vae_load_with(c, file, config, vae);
            if (status != ELB_OK) elb_fail_in(c, status, "%s", name);
            elb_config_destroy(config);
        }
        elb_safetensors_close(file);
    }
    elb_free(c, name);
    return status;
}

/* --- facts -------------------------------------------------------------------------------------------------------- */

const elb_config *elb_vae_config(const elb_vae *v)
{
    return v->config;
}

int64_t elb_vae_data_size(const elb_vae *v)
{
    return v->model->data;
}

int64_t elb_vae_latent_size(const elb_vae *v)
{
    return v->posterior->latent;
}

int64_t elb_vae_parameter_count(const elb_vae *v)
{
    int64_t count = 0;
    for (int b = 0; b < ELB_VAE_BLOCKS; b++)
        for (int64_t i = 0; i < elb_vae_block(v, b)->count; i++) count += elb_vae_block(v, b)->at[i].count;
    return count;
}

void elb_vae_parameters(const elb_vae *v, void (*visit)(void *user, const char *name, int rank, const int64_t *shape),
                        void *user)
{
    for (int b = 0; b < ELB_VAE_BLOCKS; b++) {
        const elb_params *p = elb_vae_block(v, b);
        for (int64_t i = 0; i < p->count; i++) visit(user, p->at[i].name, p->at[i].rank, p->at[i].shape);
    }
}
