#include <math.h>
#include <string.h>

#include "objective/objective.h"
#include "doctor/doctor.h"
#include "run/step.h"

enum { TRAINING_DATA = 96, TRAINING_BATCH = 48, TRAINING_SIZE = 256, TRAINING_STEPS = 12 };

/* A small VAE on grey noise. */
typedef struct training_run {
    elb_context *context; /* borrowed */
    elb_config *config;
    elb_dataset *data;
    elb_vae *vae;
    elb_tape *tape;
    elb_objective objective;
    elb_optimizer optimizer;
} training_run;

/* --- setting up --------------------------------------------------------------------------------------------------- */

static elb_status training_data(training_run *r)
{
    const elb_machine *machine;
    ELB_TRY(elb_machine_of(r->context, &machine));
    elb_real *grey = elb_alloc(r->context, TRAINING_DATA * TRAINING_SIZE, sizeof *grey);
    float *values = elb_alloc(r->context, TRAINING_DATA * TRAINING_SIZE, sizeof *values);
    elb_status status = ELB_MEMORY;
    if (grey != NULL && values != NULL) {
        machine->kernels->uniform((elb_stream){.key = 5}, TRAINING_DATA * TRAINING_SIZE, grey);
        for (int64_t i = 0; i < TRAINING_DATA * TRAINING_SIZE; i++) values[i] = (float)grey[i];
        status = elb_dataset_create(r->context, "grey noise", TRAINING_DATA, 1, (int64_t[]){TRAINING_SIZE}, values,
                                    &r->data);
    }
    elb_free(r->context, grey);
    elb_free(r->context, values);
    return status;
}

static elb_status training_configure(training_run *r)
{
    static const char *const settings[][2] = {{"model.latent", "8"},
                                              {"model.hidden", "64"},
                                              {"posterior.hidden", "64"},
                                              {"data.binarise", "dynamic"},
                                              {"optimizer.clip", "0"}};
    ELB_TRY(elb_config_create(r->context, &r->config));
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        ELB_TRY(elb_config_set(r->config, settings[i][0], settings[i][1]));
    return ELB_OK;
}

static elb_status training_build(training_run *r, elb_context *c)
{
    r->context = c;
    ELB_TRY(training_configure(r));
    ELB_TRY(training_data(r));
    ELB_TRY(elb_vae_create(r->config, r->data, &r->vae));
    ELB_TRY(elb_tape_create(r->context, &r->tape));
    elb_objective_init(&r->objective, &r->config->objective);
    elb_optimizer_init(&r->optimizer, r->context, &r->config->optimizer);
    for (int b = 0; b < ELB_VAE_BLOCKS; b++) ELB_TRY(elb_optimizer_add(&r->optimizer, elb_vae_block(r->vae, b)));
    return ELB_OK;
}

static void training_close(training_run *r)
{
    elb_optimizer_free(&r->optimizer);
    elb_tape_destroy(r->tape);
    elb_vae_destroy(r->vae);
    elb_dataset_destroy(r->data);
    elb_config_destroy(r->config);
}

/* --- the same bits ------------------------------------------------------------------------------------------------ */

static elb_status training_steps(training_run *r)
{
    uint64_t datum[TRAINING_BATCH];
    int64_t indices[TRAINING_BATCH];
    elb_step step = {r->vae, r->data, &r->objective, &r->optimizer, r->tape, datum};
    for (int64_t i = 0; i < TRAINING_STEPS; i++) {
        elb_loss loss;
        for (int64_t b = 0; b < TRAINING_BATCH; b++) indices[b] = (i * TRAINING_BATCH + b) % TRAINING_DATA;
        ELB_TRY(elb_step_take(&step, 1e-2, (uint32_t)i, indices, TRAINING_BATCH, &loss));
        ELB_TRY(elb_tape_reset(r->tape));
    }
    return ELB_OK;
}

static elb_status training_copy(elb_context *c, const training_run *r, elb_real **after, int64_t *all)
{
    const elb_params *first = elb_vae_block(r->vae, 0), *second = elb_vae_block(r->vae, 1);
    *all = first->size + second->size;
    *after = elb_alloc(c, *all, sizeof **after);
    if (*after == NULL) return ELB_MEMORY;
    memcpy(*after, first->data, (size_t)first->size * sizeof **after);
    memcpy(*after + first->size, second->data, (size_t)second->size * sizeof **after);
    return ELB_OK;
}

/* The parameters after the training, in `after` [all], by so many threads in a context of their own. */
static elb_status training_by(elb_doctor_job *job, int threads, elb_real **after, int64_t *all)
{
    training_run run = {.context = NULL};
    elb_context *c;
    elb_settings settings = *elb_context_settings(job->context);
    settings.threads = threads;
    if (elb_context_create(&settings, &c) != ELB_OK)
        return elb_fail(job->context, ELB_MEMORY, "out of memory: a second context could not be made");
    elb_status status = training_build(&run, c);
    if (status == ELB_OK) status = training_steps(&run);
    if (status != ELB_OK) elb_fail(job->context, status, "%s", elb_context_message(c));
    if (status == ELB_OK) status = training_copy(job->context, &run, after, all);
    training_close(&run);
    elb_context_destroy(c);
    return status;
}

static elb_status training_same_bits(elb_doctor_job *job)
{
    elb_real *one = NULL, *two = NULL;
    int64_t all = 0, differ = 0;
    elb_status status = training_by(job, 1, &one, &all);
    if (status == ELB_OK) status = training_by(job, 2, &two, &all);
    if (one != NULL && two != NULL) {
        for (int64_t i = 0; i < all; i++) differ += memcmp(&one[i], &two[i], sizeof one[i]) != 0;
        elb_doctor_tell(job, "training on 2 threads, parameters that differ from 1 thread's", "bit by bit", 0,
                        (double)differ, 0);
    }
    elb_free(job->context, one);
    elb_free(job->context, two);
    return status;
}

/* --- gradients ---------------------------------------------------------------------------------------------------- */

/* Moves every parameter by `by` along its gradient, which is kept in `direction`. */
static void training_move(training_run *r, const elb_real *direction, double by)
{
    for (int block = 0; block < ELB_VAE_BLOCKS; block++) {
        elb_params *p = elb_vae_block(r->vae, block);
        for (int64_t i = 0; i < p->size; i++) p->data[i] += (elb_real)(by * (double)*direction++);
    }
}

static double training_direction(const training_run *r, elb_real *direction)
{
    double square = 0;
    const elb_real *begin = direction;
    for (int block = 0; block < ELB_VAE_BLOCKS; block++) {
        const elb_params *p = elb_vae_block(r->vae, block);
        memcpy(direction, p->grad, (size_t)p->size * sizeof *direction);
        direction += p->size;
    }
    for (const elb_real *g = begin; g < direction; g++) square += (double)*g * (double)*g;
    return sqrt(square);
}

/* The slope of the loss along its gradient, by backpropagation and by a central difference of
 * the same replayed tape. */
static elb_status training_slope(training_run *r, elb_tensor *loss, elb_real *direction, double *slope,
                                 double *difference)
{
    const double reach = 0.02; /* small beside the curvature, large beside the loss's last bits */
    double value[2];
    ELB_TRY(elb_tape_run(r->tape, loss));
    *slope = training_direction(r, direction);
    for (int side = 0; side < 2; side++) {
        double by = (side == 0 ? reach : -reach) / *slope;
        training_move(r, direction, by);
        ELB_TRY(elb_tape_run(r->tape, NULL));
        value[side] = (double)loss->data[0];
        training_move(r, direction, -by);
    }
    *difference = (value[0] - value[1]) / (2 * reach);
    return ELB_OK;
}

static elb_status training_check_gradient(elb_doctor_job *job, training_run *r)
{
    uint64_t datum[TRAINING_BATCH];
    for (int64_t i = 0; i < TRAINING_BATCH; i++) datum[i] = (uint64_t)i;
    elb_noise noise = {.key = elb_stream_key(1, ELB_FOR_POSTERIOR, 0), .datum = datum};
    int64_t size = elb_vae_block(r->vae, 0)->size + elb_vae_block(r->vae, 1)->size;
    elb_tensor *x = elb_input(r->tape, "data", false, 2, (int64_t[]){TRAINING_BATCH, TRAINING_SIZE});
    elb_real *direction = elb_tape_alloc(r->tape, size, sizeof *direction);
    elb_loss loss = elb_objective_loss(&r->objective, r->tape, r->vae->model, r->vae->posterior, x, &noise);
    if (elb_tape_failed(r->tape)) return elb_tape_run(r->tape, NULL);
    elb_batch_spec spec = elb_config_batch_spec(r->config, 0);
    elb_dataset_batch(r->data, elb_tape_machine(r->tape)->kernels, &spec, NULL, TRAINING_BATCH, x->data);
    double slope, difference;
    ELB_TRY(training_slope(r, loss.loss, direction, &slope, &difference));
    elb_doctor_tell(job, "gradient of the ELBO of a small VAE, its length", "central differences", difference, slope,
                    2e-3 * fabs(difference));
    return ELB_OK;
}

static elb_status training_gradient(elb_doctor_job *job)
{
    training_run run = {.context = NULL};
    elb_status status = training_build(&run, job->context);
    if (status == ELB_OK) status = training_check_gradient(job, &run);
    training_close(&run);
    return status;
}

elb_status elb_doctor_training(elb_doctor_job *job)
{
    ELB_TRY(training_gradient(job));
    return training_same_bits(job);
}
