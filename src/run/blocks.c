#include "run/blocks.h"

#include "infer/importance.h"

elb_status elb_blocks_check(elb_context *c, int64_t limit, int64_t batch, uint64_t seed)
{
    if (limit < 0 || batch < 0)
        return elb_fail(c, ELB_USAGE,
                        "limit and batch count data and must be 0 (the default) or more, not %lld and %lld",
                        (long long)limit, (long long)batch);
    if (seed > INT64_MAX)
        return elb_fail(c, ELB_USAGE, "the seed must be at most %lld, not %llu", (long long)INT64_MAX,
                        (unsigned long long)seed);
    return ELB_OK;
}

int64_t elb_blocks_count(const elb_dataset *dataset, int64_t limit)
{
    int64_t n = elb_dataset_count(dataset);
    return limit > 0 && limit < n ? limit : n;
}

/* Room for the largest block. */
typedef struct blocks_room {
    int64_t *indices;
    uint64_t *datum;
    elb_real *x;
} blocks_room;

static elb_status blocks_walk(const elb_vae *vae, const elb_dataset *dataset, const elb_machine *machine, int64_t n,
                              int64_t batch, const blocks_room *room, elb_block_fn visit, void *user)
{
    elb_batch_spec spec = elb_config_batch_spec(vae->config, 0);
    for (int64_t first = 0; first < n; first += batch) {
        elb_block block = {.first = first, .count = n - first < batch ? n - first : batch, room->datum, room->x};
        for (int64_t i = 0; i < block.count; i++) {
            room->indices[i] = first + i;
            room->datum[i] = dataset->origin + (uint64_t)(first + i);
        }
        elb_dataset_batch(dataset, machine->kernels, &spec, room->indices, block.count, room->x);
        ELB_TRY(visit(user, &block));
        elb_array_forget(&dataset->array, first, block.count);
    }
    return ELB_OK;
}

elb_status elb_blocks_visit(const elb_vae *vae, const elb_dataset *dataset, int64_t limit, int64_t batch,
                            elb_block_fn visit, void *user)
{
    elb_context *c = vae->context;
    const elb_machine *machine;
    ELB_TRY(elb_machine_of(c, &machine));
    int64_t n = elb_blocks_count(dataset, limit);
    if (batch <= 0) batch = ELB_IMPORTANCE_BLOCK;
    if (batch > n) batch = n;
    blocks_room room = {
        .indices = elb_alloc(c, batch, sizeof *room.indices),
        .datum = elb_alloc(c, batch, sizeof *room.datum),
        .x = elb_alloc(c, batch * elb_dataset_size(dataset), sizeof *room.x),
    };
    elb_status status = ELB_MEMORY;
    if (room.indices != NULL && room.datum != NULL && room.x != NULL)
        status = blocks_walk(vae, dataset, machine, n, batch, &room, visit, user);
    elb_free(c, room.indices);
    elb_free(c, room.datum);
    elb_free(c, room.x);
    return status;
}
