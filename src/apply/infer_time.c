/* infer_time.c - what inference takes, in seconds per datum. */
#include <elbow/infer.h>

#include <stdlib.h>

#include "base/number.h"
#include "infer/inference.h"
#include "run/vae.h"

enum { TIME_CALLS_LEAST = 3, TIME_CALLS_MOST = 201, TIME_BATCH_MOST = 1 << 20 };
static const double time_warm_up = 0.1, time_budget = 0.5; /* seconds */

typedef struct time_job {
    elb_vae *vae;
    const elb_dataset *dataset;
    const elb_machine *machine;
    elb_inference *inference;
    int64_t batch, next; /* the first datum of the next call */
    int64_t *indices;    /* [batch] */
    uint64_t *datum;     /* [batch] */
    elb_real *x;         /* [batch,D] */
    elb_real *lambda;    /* [batch,P] */
    double *seconds;     /* [TIME_CALLS_MOST] */
    elb_tape *tape;      /* of the draw */
    uint64_t key;        /* of its noise */
} time_job;

/* One z with its log q for every datum: a flow's work is here. */
static elb_status time_draw(time_job *j)
{
    elb_posterior *q = elb_inference_family(j->inference);
    elb_noise noise = {.key = j->key, .datum = j->datum, .samples = 1};
    ELB_TRY(elb_tape_reset(j->tape));
    elb_tensor *lambda = elb_leaf(j->tape, "lambda", j->lambda, NULL, 2, (int64_t[]){j->batch, q->local});
    elb_sample(q, j->tape, lambda, &noise, ELB_LOG_Q_FULL);
    return elb_tape_run(j->tape, NULL);
}

static elb_status time_call(time_job *j, double *seconds)
{
    elb_batch_spec spec = elb_config_batch_spec(j->vae->config, 0);
    for (int64_t i = 0; i < j->batch; i++) {
        j->indices[i] = (j->next + i) % elb_dataset_count(j->dataset);
        j->datum[i] = j->dataset->origin + (uint64_t)j->indices[i];
    }
    j->next += j->batch;
    elb_dataset_batch(j->dataset, j->machine->kernels, &spec, j->indices, j->batch, j->x);
    double from = elb_clock();
    ELB_TRY(elb_inference_run(j->inference, j->batch, j->datum, j->x, j->lambda));
    ELB_TRY(time_draw(j));
    *seconds = elb_clock() - from;
    return ELB_OK;
}

static elb_status time_median(time_job *j, double *median)
{
    int calls = 0;
    double begun = elb_clock(), unused;
    do ELB_TRY(time_call(j, &unused));
    while (elb_clock() - begun < time_warm_up);
    begun = elb_clock();
    while (calls < TIME_CALLS_LEAST || (calls < TIME_CALLS_MOST && elb_clock() - begun < time_budget))
        ELB_TRY(time_call(j, &j->seconds[calls++]));
    qsort(j->seconds, (size_t)calls, sizeof *j->seconds, elb_number_compare);
    *median = j->seconds[calls / 2];
    return ELB_OK;
}

static elb_status time_open(time_job *j, uint64_t seed)
{
    elb_vae *v = j->vae;
    elb_context *c = v->context;
    ELB_TRY(elb_machine_of(c, &j->machine));
    ELB_TRY(elb_inference_create(c, v->model, v->posterior, &v->config->refine, seed, &j->inference));
    elb_inference_free_rows(j->inference);
    ELB_TRY(elb_tape_create(c, &j->tape));
    j->key = elb_stream_key(seed, ELB_FOR_ESTIMATE, 0);
    j->indices = elb_alloc(c, j->batch, sizeof *j->indices);
    j->datum = elb_alloc(c, j->batch, sizeof *j->datum);
    j->x = elb_alloc(c, j->batch * v->model->data, sizeof *j->x);
    j->lambda = elb_alloc(c, j->batch * elb_inference_family(j->inference)->local, sizeof *j->lambda);
    j->seconds = elb_alloc(c, TIME_CALLS_MOST, sizeof *j->seconds);
    bool all = j->indices != NULL && j->datum != NULL && j->x != NULL && j->lambda != NULL && j->seconds != NULL;
    return all ? ELB_OK : ELB_MEMORY;
}

static void time_close(time_job *j)
{
    elb_context *c = j->vae->context;
    elb_inference_destroy(j->inference);
    elb_tape_destroy(j->tape);
    elb_free(c, j->indices);
    elb_free(c, j->datum);
    elb_free(c, j->x);
    elb_free(c, j->lambda);
    elb_free(c, j->seconds);
}

elb_status elb_infer_time(elb_vae *vae, const elb_dataset *dataset, int64_t batch, uint64_t seed,
                          double *seconds_per_datum)
{
    *seconds_per_datum = 0;
    if (batch < 1 || batch > TIME_BATCH_MOST)
        return elb_fail(vae->context, ELB_USAGE, "inference is timed with 1 to %d data at a time, not %lld",
                        TIME_BATCH_MOST, (long long)batch);
    ELB_TRY(elb_vae_check_data(vae, vae->config, dataset));
    time_job j = {.vae = vae, .dataset = dataset, .batch = batch};
    double median = 0;
    elb_status status = time_open(&j, seed);
    if (status == ELB_OK) status = time_median(&j, &median);
    time_close(&j);
    if (status == ELB_OK) *seconds_per_datum = median / (double)batch;
    return status;
}
