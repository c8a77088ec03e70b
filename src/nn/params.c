#include "nn/params.h"

#include <math.h>
#include <stdio.h>

void elb_params_init(elb_params *p, elb_context *c)
{
    *p = (elb_params){.context = c};
}

void elb_params_free(elb_params *p)
{
    for (int64_t i = 0; i < p->count; i++) elb_free(p->context, p->at[i].name);
    elb_free(p->context, p->at);
    elb_free(p->context, p->data);
    elb_free(p->context, p->grad);
    elb_params_init(p, p->context);
}

elb_status elb_params_add(elb_params *p, int64_t *index, int rank, const int64_t *shape, const char *name_format, ...)
{
    if (p->count == p->capacity) {
        int64_t capacity = p->capacity > 0 ? 2 * p->capacity : 16;
        elb_param *at = elb_resize(p->context, p->at, capacity, sizeof *at);
        if (at == NULL) return ELB_MEMORY;
        p->at = at;
        p->capacity = capacity;
    }
    char name[256];
    va_list arguments;
    va_start(arguments, name_format);
    vsnprintf(name, sizeof name, name_format, arguments);
    va_end(arguments);
    elb_param *a = &p->at[p->count];
    *a = (elb_param){.rank = rank, .offset = p->size, .count = 1};
    for (int i = 0; i < rank; i++) {
        a->shape[i] = shape[i];
        if (!elb_mul_fits(a->count, shape[i], &a->count) || a->count > INT64_MAX / 16 - p->size)
            return elb_fail(p->context, ELB_USAGE, "%s would have too many numbers; choose smaller layers", name);
    }
    a->name = elb_strdup(p->context, name);
    if (a->name == NULL) return ELB_MEMORY;
    p->size += (a->count + 15) / 16 * 16; /* every tensor begins on a cache line */
    *index = p->count++;
    return ELB_OK;
}

elb_status elb_params_build(elb_params *p)
{
    p->data = elb_alloc(p->context, p->size, sizeof *p->data);
    p->grad = elb_alloc(p->context, p->size, sizeof *p->grad);
    return p->data != NULL && p->grad != NULL ? ELB_OK : ELB_MEMORY;
}

elb_tensor *elb_params_leaf(elb_params *p, elb_tape *t, int64_t index)
{
    return elb_params_leaf_rows(p, t, index, p->at[index].shape[0]);
}

elb_tensor *elb_params_leaf_rows(elb_params *p, elb_tape *t, int64_t index, int64_t rows)
{
    const elb_param *a = &p->at[index];
    elb_real *grad = p->frozen ? NULL : p->grad + a->offset;
    elb_tensor *x = elb_leaf(t, a->name, p->data + a->offset, grad, a->rank, (int64_t[]){rows, a->shape[1]});
    if (x == NULL) return NULL;
    x->update = p->update;
    x->update_at = a->offset;
    return x;
}

elb_real *elb_params_data(elb_params *p, int64_t index)
{
    return p->data + p->at[index].offset;
}

void elb_glorot(const elb_kernels *k, elb_stream at, int64_t out, int64_t in, elb_real *w)
{
    elb_real limit = (elb_real)sqrt(6.0 / (double)(out + in));
    k->uniform(at, out * in, w);
    k->axpby(out * in, 2 * limit, w, -limit, w);
}

void elb_params_glorot(elb_params *p, const elb_kernels *k, uint64_t key, int64_t index)
{
    const elb_param *a = &p->at[index];
    elb_glorot(k, (elb_stream){key, (uint64_t)index, 0}, a->shape[0], a->shape[1], elb_params_data(p, index));
}
