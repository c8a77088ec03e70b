/* pool.h - the threads of one context, and the kernels they run: the machine.
 *
 * Plain POSIX threads with a spinning barrier: a training step has some fifty barriers of well under a microsecond, no
 * state is shared between contexts, and thread sanitizers see every hand-over. */
#ifndef ELB_POOL_H
#define ELB_POOL_H

#include "kernels/kernels.h"

typedef struct elb_pool elb_pool;

typedef struct elb_machine {
    const elb_kernels *kernels;
    elb_pool *pool;
} elb_machine;

/* The context's machine, made at the first call and kept until the context is destroyed. */
elb_status elb_machine_of(elb_context *c, const elb_machine **machine);

/* Runs body(argument, thread) once on each thread, 0 being the caller's, and returns when all have returned. */
void elb_pool_run(elb_pool *pool, void (*body)(void *argument, int thread), void *argument);
/* The same on the caller's thread alone, for work too small to share. */
void elb_pool_run_alone(elb_pool *pool, void (*body)(void *argument, int thread), void *argument);
/* Inside a body, with its thread number: waits until every thread has come here; what was written
 * before it is seen after it. */
void elb_pool_barrier(elb_pool *pool, int thread);
int elb_pool_threads(const elb_pool *pool);
/* How many threads the next piece of work should be given: all, or 1 for a while after runs in which they mostly waited
 * for each other because the machine is busy. To be asked once per piece. */
int elb_pool_team(elb_pool *pool);
/* Median nanoseconds for a word to travel between the first two threads and back; 0 with one thread. */
double elb_pool_round_trip(elb_pool *pool);

#endif
