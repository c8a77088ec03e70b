/* world_support.c - a whole VAE with its data and a folder. */
#include "world_support.h"

#include <string.h>

static elb_dataset *world_data(elb_context *c, int64_t n, int rank, const int64_t *shape)
{
    elb_array array = {.type = ELB_ARRAY_F32, .rank = rank + 1, .shape = {n}};
    memcpy(array.shape + 1, shape, (size_t)rank * sizeof *shape);
    int64_t count = elb_array_count(&array);
    float *values = elb_alloc(c, count, sizeof *values);
    int32_t *labels = elb_alloc(c, n, sizeof *labels);
    elb_dataset *data;
    assert_true(values != NULL && labels != NULL);
    for (int64_t i = 0; i < count; i++) values[i] = (float)(support_number(1, (uint64_t)i) + 1) / 2;
    for (int64_t i = 0; i < n; i++) labels[i] = (int32_t)(i % 10);
    array.values = values;
    assert_int_equal(elb_dataset_wrap(c, "grey noise", &array, labels, 1, &data), ELB_OK);
    return data;
}

world world_of(elb_context *c, elb_dataset *data, const char *settings)
{
    world w = {.c = c, .folder = support_folder_make(), .data = data};
    assert_int_equal(elb_config_create(c, &w.config), ELB_OK);
    support_configure(c, w.config, settings);
    if (elb_vae_create(w.config, w.data, &w.vae) != ELB_OK) fail_msg("%s", elb_context_message(c));
    return w;
}

world world_make(elb_context *c, int64_t n, int rank, const int64_t *shape, const char *settings)
{
    return world_of(c, world_data(c, n, rank, shape), settings);
}

void world_end(world *w)
{
    elb_vae_destroy(w->vae);
    elb_dataset_destroy(w->data);
    elb_config_destroy(w->config);
    support_folder_remove(w->folder);
}
