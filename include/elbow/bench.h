/* bench.h - how fast this machine trains, encodes, estimates and refines. */
#ifndef ELBOW_BENCH_H
#define ELBOW_BENCH_H

#include <elbow/config.h>

typedef enum elb_bench_task {
    ELB_BENCH_TRAIN,  /* one optimiser step on a batch of grey images, binarised and noised on the way */
    ELB_BENCH_ENCODE, /* q(z|x) of a batch */
    ELB_BENCH_IWAE,   /* the log-likelihood of one image by `samples` samples */
    ELB_BENCH_SVI,    /* `samples` Adam steps on lambda for a batch, decoder frozen */
    ELB_BENCH_RANDOM  /* only the random numbers of a training step: binarisation and noise */
} elb_bench_task;

typedef struct elb_bench_settings {
    elb_bench_task task;
    int64_t batch, samples;
    int repeats;        /* timed, after as many warm-up runs as needed */
} elb_bench_settings;

typedef struct elb_bench_result {
    double median_seconds, least_seconds; /* per repeat */
    double gflops;                        /* of the matrix products alone; 0 where there are none */
    double peak_gflops;                   /* measured fp32 FMA peak of one thread times threads; 0 when unknown */
    double round_trip_ns;
} elb_bench_result;

/* The VAE of `config` on synthetic grey images of `data` values. */
ELB_API elb_status elb_bench(const elb_config *config, int64_t data, const elb_bench_settings *settings,
                             elb_bench_result *result);

#endif
