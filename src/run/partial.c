#include "run/partial.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "data/checksum.h"
#include "run/safetensors.h"

#define PARTIAL_EVERY_SECONDS 5.0
#define PARTIAL_KEY "elbow.partial"

char *elb_partial_key(const elb_vae *vae, const elb_dataset *dataset, const char *what)
{
    char *yaml;
    uint64_t sum = ELB_CHECKSUM_START;
    for (int b = 0; b < ELB_VAE_BLOCKS; b++) {
        const elb_params *p = elb_vae_block(vae, b);
        sum = elb_checksum_add(sum, p->data, (size_t)p->size * sizeof *p->data);
    }
    if (elb_config_write(vae->config, &yaml) != ELB_OK) return NULL;
    sum = elb_checksum_add(sum, yaml, strlen(yaml));
    elb_text_free(vae->context, yaml);
    return elb_format(vae->context, "%s model=%lld data=%lld", what, (long long)elb_checksum_end(sum),
                      dataset != NULL ? (long long)elb_dataset_checksum(dataset) : 0LL);
}

static elb_status partial_reserve(elb_partial *p, int64_t count)
{
    if (count <= p->capacity) return ELB_OK;
    int64_t capacity = count > 2 * p->capacity ? count : 2 * p->capacity;
    double *rows = elb_resize(p->context, p->rows, capacity * p->columns, sizeof *rows);
    if (rows == NULL) return ELB_MEMORY;
    p->rows = rows;
    p->capacity = capacity;
    return ELB_OK;
}

static elb_status partial_take(elb_partial *p, const elb_safetensors *file)
{
    const char *key = elb_safetensors_metadata(file, PARTIAL_KEY);
    const elb_safetensors_entry *rows = elb_safetensors_find(file, "rows");
    if (key == NULL || rows == NULL || rows->rank != 2 || rows->shape[1] != p->columns)
        return elb_fail(p->context, ELB_MODEL,
                        "'%s' does not hold the data done so far of such an evaluation; name "
                        "another file, or remove it",
                        p->path);
    if (strcmp(key, p->key) != 0)
        return elb_fail(p->context, ELB_USAGE,
                        "'%s' holds the data done so far of work with other settings, data or model: finish that, say "
                        "another place (--partial, or --out of gap), or remove it",
                        p->path);
    ELB_TRY(partial_reserve(p, rows->shape[0]));
    ELB_TRY(elb_safetensors_read(file, "rows", ELB_DTYPE_F64, 2, (int64_t[]){rows->shape[0], p->columns}, p->rows));
    p->count = rows->shape[0];
    return ELB_OK;
}

elb_status elb_partial_open(elb_partial *p, elb_context *c, const char *path, const char *key, int64_t columns)
{
    *p = (elb_partial){.context = c, .columns = columns, .saved = elb_clock()};
    p->path = elb_strdup(c, path);
    p->key = elb_strdup(c, key);
    if (p->path == NULL || p->key == NULL) return ELB_MEMORY;
    if (!elb_file_exists(path)) return ELB_OK;
    elb_safetensors *file;
    ELB_TRY(elb_safetensors_open(c, path, &file));
    elb_status status = partial_take(p, file);
    elb_safetensors_close(file);
    return status;
}

elb_status elb_partial_add(elb_partial *p, const double *rows, int64_t count)
{
    if (p->path == NULL) return ELB_OK;
    ELB_TRY(partial_reserve(p, p->count + count));
    memcpy(p->rows + p->count * p->columns, rows, (size_t)(count * p->columns) * sizeof *rows);
    p->count += count;
    return elb_clock() - p->saved < PARTIAL_EVERY_SECONDS ? ELB_OK : elb_partial_save(p);
}

elb_status elb_partial_save(elb_partial *p)
{
    if (p->path == NULL || p->count == 0) return ELB_OK;
    elb_safetensors_entry rows = {
        .name = "rows", .dtype = ELB_DTYPE_F64, .rank = 2, .shape = {p->count, p->columns}, .data = p->rows};
    elb_safetensors_pair key = {PARTIAL_KEY, p->key};
    ELB_TRY(elb_safetensors_save(p->context, p->path, &rows, 1, &key, 1));
    p->saved = elb_clock();
    return ELB_OK;
}

void elb_partial_remove(elb_partial *p)
{
    if (p->path != NULL) unlink(p->path);
}

void elb_partial_end(elb_partial *p)
{
    elb_free(p->context, p->path);
    elb_free(p->context, p->key);
    elb_free(p->context, p->rows);
}
