/* start_from.c - another run's parameters as the start of this one. */
#include <string.h>

#include "posterior/mixture.h"
#include "run/vae.h"

typedef struct start_source {
    elb_context *context;
    const elb_safetensors *file;
    int64_t components; /* of a mixture, that the file holds; else whatever */
} start_source;

/* How many rows of the posterior's parameter i the first components are. */
static int64_t start_rows(const elb_posterior *q, int64_t i, int64_t components)
{
    return elb_posterior_is_mixture(q) ? elb_mixture_rows(q, i, components) : q->params.at[i].shape[0];
}

static bool start_fits(const start_source *s, const elb_posterior *q, int64_t components)
{
    for (int64_t i = 0; i < q->params.count; i++) {
        const elb_param *a = &q->params.at[i];
        const elb_safetensors_entry *entry = elb_safetensors_find(s->file, a->name);
        if (entry == NULL) continue;
        if (entry->rank != a->rank || entry->shape[0] != start_rows(q, i, components)) return false;
        if (a->rank == 2 && entry->shape[1] != a->shape[1]) return false;
    }
    return true;
}

/* The most components of a mixture, or just one posterior, that the file's encoder can be; else all,
 * which will be refused. */
static int64_t start_components(const start_source *s, const elb_posterior *q)
{
    int64_t most = elb_posterior_is_mixture(q) ? q->options.order : 1;
    for (int64_t components = most; components > 0; components--)
        if (start_fits(s, q, components)) return components;
    return most;
}

static elb_status start_read(const start_source *s, const elb_posterior *q)
{
    for (int64_t i = 0; i < q->params.count; i++) {
        const elb_param *a = &q->params.at[i];
        int64_t shape[] = {start_rows(q, i, s->components), a->shape[1]};
        if (elb_safetensors_find(s->file, a->name) == NULL) continue; /* keeps its own start */
        ELB_TRY(elb_safetensors_read_real(s->file, a->name, a->rank, shape, q->params.data + a->offset));
    }
    return ELB_OK;
}

static elb_status start_read_model(const start_source *s, const elb_model *m)
{
    for (int64_t i = 0; i < m->params.count; i++) {
        const elb_param *a = &m->params.at[i];
        ELB_TRY(elb_safetensors_read_real(s->file, a->name, a->rank, a->shape, m->params.data + a->offset));
    }
    return ELB_OK;
}

/* The same numbers under another nonlinearity are another network. */
static elb_status start_check_activation(elb_context *c, const char *key, int theirs, int ours)
{
    if (theirs == ours) return ELB_OK;
    return elb_fail(c, ELB_MODEL, "it was trained with %s=%s, and this run has %s: set it to the same", key,
                    elb_net_kind_names[theirs], elb_net_kind_names[ours]);
}

static elb_status start_check_encoder(const start_source *s, const elb_config *theirs, const elb_vae *v)
{
    ELB_TRY(start_check_activation(s->context, "posterior.activation", theirs->posterior.activation,
                                   v->config->posterior.activation));
    if (theirs->posterior.ffg_scale != v->config->posterior.ffg_scale)
        return elb_fail(s->context, ELB_MODEL,
                        "its encoder was trained with another posterior.ffg_scale: set the same");
    if (elb_posterior_is_mixture(v->posterior) && theirs->posterior.ffg_scale != ELB_FFG_LOG_VARIANCE)
        return elb_fail(s->context, ELB_MODEL,
                        "its encoder does not give log-variances (posterior.ffg_scale), as a mixture's does");
    return ELB_OK;
}

static elb_status start_check_config(const start_source *s, const elb_vae *v)
{
    const char *yaml = elb_safetensors_metadata(s->file, "elbow.config");
    if (yaml == NULL) return ELB_OK; /* from elsewhere: names and shapes are all there is */
    elb_config *theirs;
    ELB_TRY(elb_config_create(s->context, &theirs));
    elb_status status = elb_config_parse(theirs, "elbow.config", yaml, (int64_t)strlen(yaml));
    if (status == ELB_OK)
        status = start_check_activation(s->context, "model.activation", theirs->model.activation,
                                        v->config->model.activation);
    if (status == ELB_OK && !v->config->train.encoder_only) status = start_check_encoder(s, theirs, v);
    elb_config_destroy(theirs);
    return status;
}

static elb_status start_with(elb_vae *v, start_source *s)
{
    elb_posterior *q = v->posterior;
    ELB_TRY(start_check_config(s, v));
    ELB_TRY(start_read_model(s, v->model));
    if (v->config->train.encoder_only) return ELB_OK;
    s->components = start_components(s, q);
    ELB_TRY(start_read(s, q));
    if (!elb_posterior_is_mixture(q)) return ELB_OK;
    return elb_mixture_spawn(q, s->components, false, (uint64_t)v->config->top.seed);
}

elb_status elb_vae_start_from(elb_vae *v, const char *path)
{
    start_source s = {.context = v->context};
    char *name = elb_vae_file(v->context, path);
    if (name == NULL) return ELB_MEMORY;
    elb_safetensors *file = NULL;
    elb_status status = elb_safetensors_open(v->context, name, &file);
    s.file = file;
    if (status == ELB_OK) status = start_with(v, &s);
    if (status == ELB_OK) status = elb_vae_check_finite(v);
    if (status != ELB_OK) elb_fail_in(v->context, status, "train.from=%s", path);
    elb_safetensors_close(file);
    elb_free(v->context, name);
    return status;
}
