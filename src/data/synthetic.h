/* synthetic.h - data sets made from a formula. */
#ifndef ELB_SYNTHETIC_H
#define ELB_SYNTHETIC_H

#include "data/array.h"

enum { ELB_SYNTHETIC_COUNT = 1000, ELB_LINEAR_GAUSSIAN_SIZE = 10, ELB_LINEAR_GAUSSIAN_LATENT = 3 };

/* x = f(z) + e with z ~ N(0, I_latent) and e ~ N(0, variance I_size). */
typedef struct elb_synthetic {
    const char *name, *help;
    int size, latent;
    double variance;
    void (*f)(const double *z, double *x);
} elb_synthetic;

/* Ends with a NULL name. figure-8, circle, absolute-value, clusters and spiral-dots are the data functions of MAPA
 * (Yacoby et al. 2024), used directly instead of a network fitted to them; linear-gaussian is a probabilistic PCA whose
 * fixed W [10,3] and mean give the exact maximum of the likelihood to compare a trained model with. */
extern const elb_synthetic elb_synthetic_table[];

/* `stream` tells the parts of one set apart. Gives ELB_SYNTHETIC_COUNT rows of floats. Errors: ELB_MEMORY. */
elb_status elb_synthetic_make(elb_context *c, const elb_synthetic *set, uint64_t seed, uint32_t stream,
                              elb_array *array);

#endif
