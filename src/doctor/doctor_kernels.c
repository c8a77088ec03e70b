#include <math.h>
#include <stdio.h>

#include "kernels/pool.h"
#include "doctor/doctor.h"

/* --- tables against plain C --------------------------------------------------------------------------------------- */

enum { KERNELS_ROWS = 33, KERNELS_INNER = 47, KERNELS_WIDTH = 65, KERNELS_ALL = KERNELS_ROWS * KERNELS_WIDTH };

/* What a table is asked for: every function of x, u in (0,1), and w writes y[KERNELS_ALL]. */
typedef struct kernels_input {
    elb_real x[KERNELS_ALL], u[KERNELS_ALL], w[KERNELS_WIDTH * KERNELS_INNER];
} kernels_input;

static void kernels_gemm(const elb_kernels *k, const kernels_input *in, elb_real *y)
{
    k->gemm(false, true, KERNELS_ROWS, KERNELS_WIDTH, KERNELS_INNER, in->x, KERNELS_INNER, in->w, KERNELS_INNER, 0, y,
            KERNELS_WIDTH);
}

static void kernels_activate(const elb_kernels *k, const kernels_input *in, elb_real *y)
{
    for (int act = ELB_TANH; act < ELB_ACTIVATION_COUNT; act++) {
        elb_real *row = y + act * KERNELS_WIDTH;
        k->axpby(KERNELS_WIDTH, 3, in->x + act * KERNELS_WIDTH, 0, row);
        k->activate((elb_activation)act, 1, KERNELS_WIDTH, in->x, row, KERNELS_WIDTH);
    }
}

static void kernels_exp_log(const elb_kernels *k, const kernels_input *in, elb_real *y)
{
    k->unary(ELB_EXP, KERNELS_ALL / 2, in->x, y);
    k->unary(ELB_LOG, KERNELS_ALL / 2, in->u, y + KERNELS_ALL / 2);
}

static void kernels_likelihoods(const elb_kernels *k, const kernels_input *in, elb_real *y)
{
    for (int64_t r = 0; r < KERNELS_ROWS / 4; r++) {
        const elb_real *x = in->x + r * KERNELS_WIDTH, *u = in->u + r * KERNELS_WIDTH;
        *y++ = k->bernoulli_log(KERNELS_WIDTH, u, x) / KERNELS_WIDTH;
        *y++ = k->continuous_bernoulli_log(KERNELS_WIDTH, u, x) / KERNELS_WIDTH;
        *y++ = k->gaussian_log(KERNELS_WIDTH, x, u, u) / KERNELS_WIDTH;
        k->bernoulli_grad(KERNELS_WIDTH, u, x, 1, y);
        y += KERNELS_WIDTH;
        k->continuous_bernoulli_grad(KERNELS_WIDTH, u, x, 1, y);
        y += KERNELS_WIDTH;
    }
}

static void kernels_posterior(const elb_kernels *k, const kernels_input *in, elb_real *y)
{
    k->gaussian_sample(KERNELS_ALL / 2, in->x, in->u, in->x, y);
    k->kl_standard(KERNELS_ALL / 2, in->x, in->u, y + KERNELS_ALL / 2);
}

static void kernels_normal(const elb_kernels *k, const kernels_input *in, elb_real *y)
{
    (void)in;
    k->normal((elb_stream){.key = 7, .datum = 11, .draw = 13}, KERNELS_ALL, y);
}

static const struct {
    const char *name;
    void (*run)(const elb_kernels *k, const kernels_input *in, elb_real *y);
} kernels_cases[] = {
    {"matrix product", kernels_gemm},     {"nonlinearities", kernels_activate},      {"exp and log", kernels_exp_log},
    {"likelihoods", kernels_likelihoods}, {"Gaussian posterior", kernels_posterior}, {"normal numbers", kernels_normal},
};

/* The largest |a - b| / (1 + |b|); NaN when there is one. */
static double kernels_distance(const elb_real *a, const elb_real *b)
{
    double largest = 0;
    for (int64_t i = 0; i < KERNELS_ALL; i++) {
        double distance = fabs((double)a[i] - (double)b[i]) / (1 + fabs((double)b[i]));
        if (!(distance <= largest)) largest = distance;
    }
    return largest;
}

static void kernels_compare(elb_doctor_job *job, const elb_kernels *table, const elb_kernels *reference,
                            const kernels_input *in, elb_real *y)
{
    for (size_t i = 0; i < sizeof kernels_cases / sizeof *kernels_cases; i++) {
        char name[96];
        for (int64_t j = 0; j < 2 * KERNELS_ALL; j++) y[j] = 0;
        kernels_cases[i].run(table, in, y);
        kernels_cases[i].run(reference, in, y + KERNELS_ALL);
        snprintf(name, sizeof name, "%s of the %s kernels, largest error", kernels_cases[i].name, table->name);
        elb_doctor_tell(job, name, "plain C", 0, kernels_distance(y, y + KERNELS_ALL), 1e-5);
    }
}

static elb_status kernels_tables(elb_doctor_job *job)
{
    const elb_kernels *const *tables = elb_kernels_available(), *reference;
    ELB_TRY(elb_kernels_select(job->context, "reference", &reference));
    kernels_input *in = elb_alloc(job->context, 1, sizeof *in);
    elb_real *y = elb_alloc(job->context, 2 * KERNELS_ALL, sizeof *y);
    if (in != NULL && y != NULL) {
        reference->normal((elb_stream){.key = 1}, KERNELS_ALL, in->x);
        reference->uniform((elb_stream){.key = 2}, KERNELS_ALL, in->u);
        reference->normal((elb_stream){.key = 3}, KERNELS_WIDTH * KERNELS_INNER, in->w);
        for (int i = 0; tables[i] != reference; i++) kernels_compare(job, tables[i], reference, in, y);
    }
    elb_status status = in != NULL && y != NULL ? ELB_OK : ELB_MEMORY;
    elb_free(job->context, in);
    elb_free(job->context, y);
    return status;
}

/* --- random numbers ----------------------------------------------------------------------------------------------- */

/* Philox4x32-10 of counter 243f6a88 85a308d3 13198a2e 03707344 and key a4093822 299f31d0, as its authors publish. */
static const struct {
    uint32_t counter;
    elb_stream at;
    uint32_t word[4];
} kernels_known = {
    .counter = 0x243f6a88,
    .at = {.key = UINT64_C(0x299f31d0a4093822), .datum = UINT64_C(0x0370734413198a2e), .draw = 0x85a308d3},
    .word = {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
};

static void kernels_random(elb_doctor_job *job)
{
    const elb_stream at = kernels_known.at;
    for (uint32_t i = 0; i < 4; i++) {
        char name[48];
        snprintf(name, sizeof name, "Philox4x32-10, word %u", i + 1);
        elb_doctor_tell(job, name, "Salmon et al. 2011, published answers", kernels_known.word[i],
                        elb_random_word(at.key, at.datum, at.draw, 4 * kernels_known.counter + i), 0);
    }
    for (const elb_kernels *const *table = elb_kernels_available(); *table != NULL; table++) {
        enum { NUMBERS = 67 };
        elb_real u[NUMBERS];
        char name[96];
        int wrong = 0;
        (*table)->uniform(at, NUMBERS, u);
        for (uint32_t i = 0; i < NUMBERS; i++) {
            elb_real word = (elb_real)elb_random_word(at.key, at.datum, at.draw, i);
            wrong += !(u[i] == (word + (elb_real)0.5) * (elb_real)0x1p-32);
        }
        snprintf(name, sizeof name, "uniform numbers of the %s kernels, wrong ones", (*table)->name);
        elb_doctor_tell(job, name, "the generator, word by word", 0, wrong, 0);
    }
}

elb_status elb_doctor_kernels(elb_doctor_job *job)
{
    kernels_random(job);
    return kernels_tables(job);
}
