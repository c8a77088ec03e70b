#include "run/blocks.h"

#include "infer/importance.h"

int64_t elb_blocks_count(const elb_dataset *dataset, int64_t limit)
{
    int64_t n = elb_dataset_count(dataset);
    return limit > 0 && limit < n ? limit : n;
}

elb_status elb_blocks_visit(const elb_vae *vae, const elb_dataset *dataset, int64_t limit, int64_t batch,
                            elb_block_fn visit, void *user)
{
    const elb_machine *machine;
    ELB_TRY(elb_machine_of(vae->context, &machine));
    int64_t n = elb_blocks_count(dataset, limit), indices[ELB_IMPORTANCE_BLOCK];
    uint64_t datum[ELB_IMPORTANCE_BLOCK];
    if (batch <= 0 || batch > ELB_IMPORTANCE_BLOCK) batch = ELB_IMPORTANCE_BLOCK;
    if (batch > n) batch = n;
    elb_batch_spec spec = elb_config_batch_spec(vae->config, 0);
    elb_real *x = elb_alloc(vae->context, batch * elb_dataset_size(dataset), sizeof *x);
    elb_status status = x != NULL ? ELB_OK : ELB_MEMORY;
    for (int64_t first = 0; first < n && status == ELB_OK; first += batch) {
        elb_block block = {.first = first, .count = n - first < batch ? n - first : batch, .datum = datum, .x = x};
        for (int64_t i = 0; i < block.count; i++) {
            indices[i] = first + i;
            datum[i] = dataset->origin + (uint64_t)(first + i);
        }
        elb_dataset_batch(dataset, machine->kernels, &spec, indices, block.count, x);
        status = visit(user, &block);
        elb_array_forget(&dataset->array, first, block.count);
    }
    elb_free(vae->context, x);
    return status;
}
