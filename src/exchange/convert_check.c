#include "exchange/convert_check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "data/readers.h"

enum { CHECK_ROWS = 512 }; /* decoder rows of one tape: samples times data */
static const int64_t check_file_limit = (int64_t)1 << 32;

typedef struct check_array {
    int rank;
    int64_t shape[ELB_SAFETENSORS_RANK];
    int64_t count;
    double *values;
} check_array;

typedef struct check_job {
    elb_context *context;
    elb_vae *vae;
    const elb_map *map;
    elb_foreign *from; /* where the tensors lie: the weights' file or `other`; or */
    elb_foreign other;
    char *npz; /* the bytes of an NPZ file */
    int64_t npz_size;
    elb_arena *arena;
    elb_tape *tape;
    check_array x, noise, elbo, log_w;
    int64_t n, samples;
    double worst;       /* the largest difference so far, as a part of the number */
    char sentence[400]; /* about it */
} check_job;

/* --- reading ------------------------------------------------------------------------------------------------------ */

static elb_status check_read_npz(check_job *j, const char *name, check_array *a)
{
    elb_array found = {0};
    elb_status status = elb_npz_parse(j->context, (const uint8_t *)j->npz, j->npz_size, name, &found);
    if (status != ELB_OK) return status == ELB_DATA ? ELB_USAGE : status;
    a->rank = found.rank;
    memcpy(a->shape, found.shape, sizeof a->shape);
    a->count = elb_array_count(&found);
    a->values = elb_arena_alloc(j->arena, a->count, sizeof *a->values);
    for (int64_t i = 0; a->values && i < a->count; i++)
        a->values[i] =
            found.type == ELB_ARRAY_U8 ? ((const uint8_t *)found.values)[i] : (double)((const float *)found.values)[i];
    elb_array_reset(j->context, &found);
    return a->values ? ELB_OK : ELB_MEMORY;
}

static elb_status check_read_tensor(check_job *j, const char *name, check_array *a)
{
    const elb_safetensors_entry *e = elb_foreign_find(j->from, name);
    if (!e) return ELB_USAGE;
    a->rank = e->rank;
    memcpy(a->shape, e->shape, sizeof a->shape);
    return elb_foreign_read(j->from, e, &a->count, &a->values);
}

static elb_status check_read(check_job *j, const char *key, const char *name, check_array *a)
{
    elb_status status = j->npz ? check_read_npz(j, name, a) : check_read_tensor(j, name, a);
    return status == ELB_USAGE ? elb_map_blame(j->map, key, status) : status;
}

/* Shapes that go together: x [n,..D], noise [n,Z] or [samples,n,Z], elbo [n], log_w [samples,n]. */
static elb_status check_fit(check_job *j)
{
    int64_t data = elb_vae_data_size(j->vae), latent = elb_vae_latent_size(j->vae);
    j->n = j->x.rank > 0 ? j->x.shape[0] : 0;
    if (j->n == 0 || j->x.count != j->n * data)
        return elb_map_refuse(j->map, "check.x", "has %lld numbers, which are not %lld data of %lld values",
                              (long long)j->x.count, (long long)j->n, (long long)data);
    j->samples = j->noise.rank == 3 ? j->noise.shape[0] : 1;
    if (j->samples == 0 || j->noise.count != j->samples * j->n * latent)
        return elb_map_refuse(j->map, "check.noise",
                              "has %lld numbers; expected [%lld,%lld], or one such block for every sample",
                              (long long)j->noise.count, (long long)j->n, (long long)latent);
    if (j->elbo.values && j->elbo.count != j->n)
        return elb_map_refuse(j->map, "check.elbo", "has %lld numbers for %lld data", (long long)j->elbo.count,
                              (long long)j->n);
    if (j->log_w.values && j->log_w.count != j->samples * j->n)
        return elb_map_refuse(j->map, "check.log_w", "has %lld numbers for %lld samples of %lld data",
                              (long long)j->log_w.count, (long long)j->samples, (long long)j->n);
    return ELB_OK;
}

static elb_status check_load(check_job *j)
{
    const elb_map_check *says = &j->map->check;
    if (!*says->elbo && !*says->log_w)
        return elb_map_refuse(j->map, "check.elbo", "is not said, nor is log_w: one of them is compared");
    ELB_TRY(check_read(j, "check.x", says->x, &j->x));
    ELB_TRY(check_read(j, "check.noise", says->noise, &j->noise));
    if (*says->elbo) ELB_TRY(check_read(j, "check.elbo", says->elbo, &j->elbo));
    if (*says->log_w) ELB_TRY(check_read(j, "check.log_w", says->log_w, &j->log_w));
    return check_fit(j);
}

/* --- comparing ---------------------------------------------------------------------------------------------------- */

/* Keeps the largest; a number that is none is larger than any. */
static void check_compare(check_job *j, const char *what, int64_t datum, double found, double wanted,
                          const char *details)
{
    double difference = fabs(found - wanted) / fmax(1, fabs(wanted));
    if (isnan(difference)) difference = INFINITY;
    if (difference <= j->worst && j->worst > 0) return;
    j->worst = difference;
    snprintf(j->sentence, sizeof j->sentence, "the %s of datum %lld is %.7g here%s, but %.7g where it was trained",
             what, (long long)datum, found, details, wanted);
}

typedef struct check_nodes {
    elb_tensor *x, *reconstruction, *kl, *log_w; /* [b,D], [b], [b], [samples,b] */
} check_nodes;

static check_nodes check_record(check_job *j, const elb_noise *noise, int64_t b)
{
    elb_tape *t = j->tape;
    elb_posterior *q = j->vae->posterior;
    check_nodes nodes = {.x = elb_input(t, "x", false, 2, (int64_t[]){b, elb_vae_data_size(j->vae)})};
    elb_tensor *lambda = elb_encode(q, t, nodes.x);
    elb_draw d = elb_sample(q, t, lambda, noise, ELB_LOG_Q_FULL);
    elb_tensor *log_likelihood = elb_model_log_likelihood(j->vae->model, t, nodes.x, d.z);
    nodes.reconstruction = elb_mean_first(t, log_likelihood);
    nodes.kl = elb_sum_last(t, q->type->kl_to_prior(q, t, lambda));
    nodes.log_w = elb_sub(t, elb_add(t, log_likelihood, elb_model_log_prior(j->vae->model, t, d.z)), d.log_q);
    return nodes;
}

static void check_compare_block(check_job *j, const check_nodes *nodes, int64_t first, int64_t b)
{
    for (int64_t i = 0; i < b; i++) {
        double reconstruction = (double)nodes->reconstruction->data[i], kl = (double)nodes->kl->data[i];
        char parts[100];
        snprintf(parts, sizeof parts, " (reconstruction %.7g, KL %.7g)", reconstruction, kl);
        if (j->elbo.values) check_compare(j, "ELBO", first + i, reconstruction - kl, j->elbo.values[first + i], parts);
        for (int64_t s = 0; j->log_w.values && s < j->samples; s++)
            check_compare(j, "log weight", first + i, (double)nodes->log_w->data[s * b + i],
                          j->log_w.values[s * j->n + first + i], "");
    }
}

/* Data first .. first+b-1. */
static elb_status check_block(check_job *j, int64_t first, int64_t b, elb_real *eps, const uint64_t *datum)
{
    int64_t data = elb_vae_data_size(j->vae), latent = elb_vae_latent_size(j->vae);
    for (int64_t s = 0; s < j->samples; s++)
        for (int64_t i = 0; i < b * latent; i++)
            eps[s * b * latent + i] = (elb_real)j->noise.values[(s * j->n + first) * latent + i];
    ELB_TRY(elb_tape_reset(j->tape));
    elb_noise noise = {.datum = datum, .samples = j->samples, .fixed = eps};
    check_nodes nodes = check_record(j, &noise, b);
    for (int64_t i = 0; nodes.x && i < b * data; i++) nodes.x->data[i] = (elb_real)j->x.values[first * data + i];
    ELB_TRY(elb_tape_run(j->tape, NULL));
    check_compare_block(j, &nodes, first, b);
    return ELB_OK;
}

static elb_status check_all(check_job *j)
{
    int64_t block = 1, latent = elb_vae_latent_size(j->vae);
    while (2 * block * j->samples <= CHECK_ROWS) block *= 2;
    elb_real *eps = elb_arena_alloc(j->arena, j->samples * block * latent, sizeof *eps);
    uint64_t *datum = elb_arena_alloc(j->arena, block, sizeof *datum);
    if (!eps || !datum) return ELB_MEMORY;
    memset(datum, 0, (size_t)block * sizeof *datum);
    ELB_TRY(elb_tape_create(j->context, &j->tape));
    for (int64_t first = 0; first < j->n; first += block)
        ELB_TRY(check_block(j, first, j->n - first < block ? j->n - first : block, eps, datum));
    if (j->worst <= j->map->check.tolerance) return ELB_OK;
    return elb_fail(
        j->context, ELB_MODEL,
        "%s: %s: off by %.2g, more than check.tolerance %g; compare activation, scale_is, order and likelihood "
        "with the code that trained it",
        j->map->name, j->sentence, j->worst, j->map->check.tolerance);
}

static elb_status check_run(check_job *j)
{
    ELB_TRY(check_load(j));
    return check_all(j);
}

/* --- the file with the tensors ------------------------------------------------------------------------------------ */

static elb_status check_from_npz(check_job *j, const char *path)
{
    elb_status status = elb_file_read(j->context, path, check_file_limit, &j->npz, &j->npz_size);
    if (status == ELB_OK) status = check_run(j);
    elb_free(j->context, j->npz);
    return status;
}

static elb_status check_from_safetensors(check_job *j, const char *path)
{
    elb_status status = elb_foreign_open(j->context, path, &j->other);
    j->from = &j->other;
    if (status == ELB_OK) status = check_run(j);
    elb_foreign_close(&j->other);
    return status;
}

/* A file's path in a map is meant from where the map lies. */
static char *check_path(const elb_map *m)
{
    const char *slash = strrchr(m->name, '/');
    if (m->check.file[0] == '/' || !slash) return elb_strdup(m->context, m->check.file);
    return elb_format(m->context, "%.*s/%s", (int)(slash - m->name), m->name, m->check.file);
}

static elb_status check_elsewhere(check_job *j)
{
    char *path = check_path(j->map);
    if (!path) return ELB_MEMORY;
    const char *dot = strrchr(path, '.');
    elb_status status = dot && strcmp(dot, ".npz") == 0 ? check_from_npz(j, path) : check_from_safetensors(j, path);
    elb_free(j->context, path);
    return status;
}

static bool check_wanted(const elb_map *m)
{
    static const char *const keys[] = {"check.file", "check.x", "check.noise", "check.elbo", "check.log_w"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (elb_map_given(m, keys[i])) return true;
    return false;
}

elb_status elb_convert_check(elb_vae *vae, const elb_map *map, elb_foreign *weights, int64_t *checked,
                             double *difference)
{
    check_job j = {.context = vae->context, .vae = vae, .map = map, .from = weights, .arena = weights->arena};
    *checked = 0;
    *difference = 0;
    if (!check_wanted(map)) return ELB_OK;
    elb_status status = *map->check.file ? check_elsewhere(&j) : check_run(&j);
    if (j.tape) elb_tape_destroy(j.tape);
    if (status != ELB_OK) return status;
    *checked = j.n;
    *difference = j.worst;
    return ELB_OK;
}
