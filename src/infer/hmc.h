/* hmc.h - Hamiltonian Monte Carlo, many chains in lock-step, on a path of unnormalised densities
 *
 *     log f_t(z) = start(z) + t rise(z)
 *
 * A move draws a momentum v ~ N(0,I), follows H = -log f_t(z) + |v|^2 / 2 by leapfrog steps, and is accepted
 * with chance min(1, exp(H_before - H_after)), which leaves f_t as it is (Neal 2011, section 5.3). start, rise
 * and their gradients are kept apart: t may change from move to move, nothing is recorded or computed anew for
 * it, and a move costs one gradient per leapfrog step. Kick and drift are the tape's update of z, by the threads
 * that formed its gradient.
 *
 * Rows: chain s of datum b is row s B + b, as in tensors [S,B,..]. A row's bits depend on its density, its step size
 * and (key, datum, chain): not on the other rows, nor on threads. */
#ifndef ELB_HMC_H
#define ELB_HMC_H

#include "tensor/tensor.h"

/* Elements of a force are cut to this size (Li, Cremer & Duvenaud's code): the map stays a function of z that is
 * traversed both ways and keeps volume, and a chain whose step is far too long stays among the finite numbers. */
#define ELB_HMC_FORCE_MOST 1e4

typedef struct elb_hmc {
    elb_context *context;
    elb_tape *tape;
    int64_t rows_most, latent, chains, data, rows; /* S, B, S B */
    elb_real *z;                                   /* [rows,Z]: where the chains stand */
    elb_tensor *start, *rise;                      /* [S,B]: their values there */
    elb_real *step;                                /* [rows]: step size of each chain, to be set before a move */
    double *chance;                                /* [rows]: of acceptance in the latest move, 0..1 */
    bool *accepted;                                /* [rows]: by the latest move */
    struct elb_hmc_state *state;
} elb_hmc;

/* For at most so many rows. Errors: ELB_MEMORY. */
elb_status elb_hmc_create(elb_context *c, int64_t rows, int64_t latent, elb_hmc **hmc);
void elb_hmc_destroy(elb_hmc *h); /* may be NULL */

/* Empties the tape for chains S of B data, S B <= rows. The caller records start(z) from *start_z and rise(z) from
 * *rise_z, both [S,B,Z] over the same z, each once and from its own leaf, and then ends with elb_hmc_record. */
elb_status elb_hmc_begin(elb_hmc *h, int64_t chains, int64_t data, elb_tensor **start_z, elb_tensor **rise_z);
elb_status elb_hmc_record(elb_hmc *h, elb_tensor *start, elb_tensor *rise);
/* After z was set by hand. */
elb_status elb_hmc_look(elb_hmc *h);

typedef struct elb_hmc_move {
    double t;
    int64_t leapfrog;      /* steps, >= 1 */
    uint64_t key;          /* of this move's random numbers */
    const uint64_t *datum; /* [B] stream positions */
    uint32_t chain;        /* number of the first chain */
} elb_hmc_move;

/* One move of every chain. A trajectory that ends in a number that is not finite is rejected. Allocates nothing. */
elb_status elb_hmc_move_all(elb_hmc *h, const elb_hmc_move *move);

#endif
