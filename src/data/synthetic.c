/* synthetic.c - x = f(z) + noise: the data functions of MAPA and a linear-Gaussian model. */
#include <math.h>

#include "data/synthetic.h"
#include "kernels/kernels.h"

#define SYNTHETIC_PI 3.14159265358979323846

/* The standard normal distribution function. */
static double synthetic_phi(double z)
{
    return 0.5 * erfc(-z * sqrt(0.5));
}

static void synthetic_figure_8(const double *z, double *x)
{
    double u = (0.6 + 1.8 * synthetic_phi(z[0])) * SYNTHETIC_PI, r = sqrt(2.0) / (sin(u) * sin(u) + 1);
    x[0] = 0.5 * r * cos(u);
    x[1] = r * cos(u) * sin(u);
}

static void synthetic_circle(const double *z, double *x)
{
    double u = 2 * SYNTHETIC_PI * synthetic_phi(z[0]);
    x[0] = cos(u);
    x[1] = sin(u);
}

/* Differs from source: a fold of our own in place of MAPA's formula; the posterior is symmetric in z as there. */
static void synthetic_absolute_value(const double *z, double *x)
{
    x[0] = x[1] = fabs(2 * synthetic_phi(z[0]) - 1);
}

/* A smooth staircase of height `step`, which gathers the latent line into a few places. */
static double synthetic_stairs(double u, double step)
{
    double floor_half = floor(u / 2);
    return step * (tanh(10 * u - 20 * floor_half - 10) + 2 * floor_half + 1);
}

static void synthetic_clusters(const double *z, double *x)
{
    double t = synthetic_stairs(2 * SYNTHETIC_PI / (1 + exp(-SYNTHETIC_PI * z[0] / 2)), 2);
    x[0] = cos(t);
    x[1] = sin(t);
}

static void synthetic_spiral_dots(const double *z, double *x)
{
    double t = synthetic_stairs(4 * SYNTHETIC_PI / (1 + exp(-SYNTHETIC_PI * z[0] / 2)), 1);
    x[0] = t * cos(t);
    x[1] = t * sin(t);
}

/* x = W z + mu with W[i][j] = (3 - j) sin((i + 1)(j + 1)) / 2 and mu[i] = i/5 - 1: directions of clearly different
 * strength, so that the maximum of the likelihood is easy to reach. */
static void synthetic_linear_gaussian(const double *z, double *x)
{
    for (int i = 0; i < ELB_LINEAR_GAUSSIAN_SIZE; i++) {
        x[i] = 0.2 * i - 1;
        for (int j = 0; j < ELB_LINEAR_GAUSSIAN_LATENT; j++)
            x[i] += 0.5 * (ELB_LINEAR_GAUSSIAN_LATENT - j) * sin((i + 1.0) * (j + 1.0)) * z[j];
    }
}

const elb_synthetic elb_synthetic_table[] = {
    {"figure-8", "a curve that crosses itself", 2, 1, 0.02, synthetic_figure_8},
    {"circle", "a circle that the latent line meets at its two ends", 2, 1, 0.01, synthetic_circle},
    {"absolute-value", "a segment that the latent line covers twice", 2, 1, 0.01, synthetic_absolute_value},
    {"clusters", "dots on a circle", 2, 1, 0.2, synthetic_clusters},
    {"spiral-dots", "dots on a spiral", 2, 1, 0.08, synthetic_spiral_dots},
    {"linear-gaussian", "probabilistic PCA: 3 latent, 10 observed dimensions", ELB_LINEAR_GAUSSIAN_SIZE,
     ELB_LINEAR_GAUSSIAN_LATENT, 0.25, synthetic_linear_gaussian},
    {.name = NULL},
};

/* A standard normal number by Box & Muller, in double: the generator of the kernels room may be float. */
static double synthetic_normal(uint64_t key, uint64_t datum, uint32_t index)
{
    double u = (elb_random_word(key, datum, index, 0) + 0.5) * 0x1p-32;
    double v = (elb_random_word(key, datum, index, 1) + 0.5) * 0x1p-32;
    return sqrt(-2 * log(u)) * cos(2 * SYNTHETIC_PI * v);
}

elb_status elb_synthetic_make(elb_context *c, const elb_synthetic *set, uint64_t seed, uint32_t stream,
                              elb_array *array)
{
    *array = (elb_array){.values = NULL};
    float *values = elb_alloc(c, ELB_SYNTHETIC_COUNT * (int64_t)set->size, sizeof *values);
    if (!values) return ELB_MEMORY;
    uint64_t key = elb_stream_key(seed, ELB_FOR_SYNTHETIC, stream);
    for (int64_t n = 0; n < ELB_SYNTHETIC_COUNT; n++) {
        double z[ELB_LINEAR_GAUSSIAN_LATENT], x[ELB_LINEAR_GAUSSIAN_SIZE];
        uint32_t draw = 0;
        for (int j = 0; j < set->latent; j++) z[j] = synthetic_normal(key, (uint64_t)n, draw++);
        set->f(z, x);
        for (int i = 0; i < set->size; i++)
            values[n * set->size + i] =
                (float)(x[i] + sqrt(set->variance) * synthetic_normal(key, (uint64_t)n, draw++));
    }
    *array = (elb_array){.type = ELB_ARRAY_F32, .rank = 2, .shape = {ELB_SYNTHETIC_COUNT, set->size}, .values = values};
    return ELB_OK;
}
