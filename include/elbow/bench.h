/* bench.h - how fast this machine trains, encodes, estimates and refines. */
#ifndef ELBOW_BENCH_H
#define ELBOW_BENCH_H

#include <elbow/config.h>

ELB_BEGIN_DECLS

typedef enum elb_bench_task {
    ELB_BENCH_TRAIN,  /* one optimiser step on a batch of grey images, prepared as the configuration says */
    ELB_BENCH_ENCODE, /* q(z|x) of a batch */
    ELB_BENCH_IWAE,   /* the log-likelihood of one image by `samples` samples */
    ELB_BENCH_SVI,    /* `samples` Adam steps on lambda for a batch, decoder frozen */
    ELB_BENCH_AIS, /* one temperature of AIS, 10 leapfrog steps, `samples` chains from the prior for each of a batch */
    ELB_BENCH_RANDOM /* only the random numbers of a training step: binarisation and noise */
} elb_bench_task;

typedef struct elb_bench_settings {
    elb_bench_task task;
    int64_t batch, samples;
    int repeats; /* timed, after some to warm up */
} elb_bench_settings;

typedef struct elb_bench_result {
    double median_seconds;            /* per repeat; AIS: per temperature of one */
    double low_seconds, high_seconds; /* the first and the last tenth end here */
    double gflops;                    /* rate of the matrix products' arithmetic over the whole time; 0 for random */
    double round_trip_ns;             /* of a cache line between two threads; 0 with one */
} elb_bench_result;

/* The VAE of `config` on synthetic grey images of `data` values. */
ELB_API elb_status elb_bench(const elb_config *config, int64_t data, const elb_bench_settings *settings,
                             elb_bench_result *result);

ELB_END_DECLS

#endif
