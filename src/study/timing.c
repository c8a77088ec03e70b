/* timing.c - how long the inference of one cell takes for a datum. */
#include <math.h>

#include <elbow/infer.h>

#include "study/cell.h"

static elb_status timing_run(elb_cell_work *work, json_t *key)
{
    elb_cell *cell = work->cell;
    json_t *kept = NULL;
    if (!work->grid->retime) ELB_TRY(elb_cell_load(work, "time", key, &kept));
    const json_t *seconds = json_object_get(kept, "seconds");
    bool known = json_array_size(seconds) == ELB_CELL_BATCHES;
    for (int b = 0; known && b < ELB_CELL_BATCHES; b++) {
        const json_t *value = json_array_get(seconds, (size_t)b);
        cell->seconds[b] = json_is_number(value) ? json_number_value(value) : NAN;
    }
    json_decref(kept);
    if (known) return ELB_OK;
    json_t *array = json_array();
    elb_status status = ELB_OK;
    for (int b = 0; status == ELB_OK && b < ELB_CELL_BATCHES; b++) {
        status = elb_infer_time(work->vae, work->data, elb_cell_batches[b], 0, &cell->seconds[b]);
        json_array_append_new(array, elb_json_real(cell->seconds[b]));
    }
    if (status == ELB_OK) return elb_cell_save(work, "time", key, json_pack("{s:o}", "seconds", array));
    json_decref(array);
    return status;
}

elb_status elb_cell_time(const elb_grid *g, elb_cell *cell)
{
    elb_cell_work work;
    elb_status status = elb_cell_open(g, cell, &work);
    if (status == ELB_OK) {
        const elb_settings *settings = elb_context_settings(g->context);
        json_t *key =
            elb_cell_key(&work, json_pack("{s:i,s:s}", "threads", settings->threads, "kernels", settings->kernels));
        status =
            key ? timing_run(&work, key) : elb_fail(g->context, ELB_MEMORY, "out of memory before inference was timed");
        json_decref(key);
    }
    elb_cell_close(&work);
    return status;
}
