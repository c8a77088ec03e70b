/* config_settle.c - what a configuration leaves to the data: every key that is "auto" becomes what suits them. */
#include <math.h>

#include "data/dataset.h"
#include "config/config.h"

enum { SETTLE_LATENT_MOST = 50, SETTLE_STEPS = 12000, SETTLE_EPOCHS_LEAST = 20, SETTLE_EPOCHS_MOST = 1000 };
enum { SETTLE_ROWS = 1000 }; /* data whose variance is looked at */
#define SETTLE_BELOW_DATA                                                                                              \
    2. /* a learned variance starts e^2 times below the data's: at it, the posterior would collapse */

static bool settle_unit(const elb_data_facts *f)
{
    return f->min >= 0 && f->max / f->scale <= 1;
}

static int settle_binarise(const elb_config *config, const elb_data_facts *f)
{
    bool bernoulli = config->likelihood.type == ELB_BERNOULLI, open = config->likelihood.type == ELB_LIKELIHOOD_AUTO;
    if (f->binary || !settle_unit(f)) return ELB_BINARISE_NONE;
    return bernoulli || (open && f->eight_bit) ? ELB_BINARISE_DYNAMIC : ELB_BINARISE_NONE;
}

/* The mean over the columns of their variances, in squared data units. */
static elb_status settle_variance(const elb_dataset *d, double *variance)
{
    int64_t size = elb_dataset_size(d), n = elb_dataset_count(d) < SETTLE_ROWS ? elb_dataset_count(d) : SETTLE_ROWS;
    float *rows = elb_alloc(d->context, n * size, sizeof *rows);
    if (rows == NULL) return ELB_MEMORY;
    elb_status status = elb_dataset_rows(d, 0, n, rows);
    *variance = 0;
    for (int64_t i = 0; i < size; i++) {
        double sum = 0, square = 0;
        for (int64_t r = 0; r < n; r++) sum += (double)rows[r * size + i];
        for (int64_t r = 0; r < n; r++) square += pow((double)rows[r * size + i] - sum / (double)n, 2);
        *variance += square / (double)n / (double)size;
    }
    elb_free(d->context, rows);
    return status;
}

static elb_status settle_gaussian(elb_likelihood_options *likelihood, const elb_dataset *d)
{
    int64_t shape[3];
    double variance;
    ELB_TRY(settle_variance(d, &variance));
    likelihood->type = ELB_GAUSSIAN;
    likelihood->variance = elb_dataset_shape(d, shape) == 1 ? ELB_VARIANCE_PIXEL : ELB_VARIANCE_SCALAR;
    double start = round(100 * (log(variance) - SETTLE_BELOW_DATA)) / 100;
    likelihood->log_variance = isfinite(start) ? fmin(20, fmax(-20, start)) : -SETTLE_BELOW_DATA;
    return ELB_OK;
}

elb_status elb_config_settle(elb_config *config, const elb_dataset *dataset)
{
    elb_data_facts facts = elb_dataset_facts(dataset);
    int64_t size = elb_dataset_size(dataset), n = elb_dataset_count(dataset);
    if (config->data.binarise == ELB_BINARISE_AUTO) config->data.binarise = settle_binarise(config, &facts);
    if (config->likelihood.type == ELB_LIKELIHOOD_AUTO) {
        if (facts.binary || config->data.binarise != ELB_BINARISE_NONE)
            config->likelihood.type = ELB_BERNOULLI;
        else
            ELB_TRY(settle_gaussian(&config->likelihood, dataset));
    }
    if (config->model.latent == 0)
        config->model.latent = size / 2 > SETTLE_LATENT_MOST ? SETTLE_LATENT_MOST : size / 2 > 0 ? size / 2 : 1;
    if (config->train.epochs == 0) {
        double epochs = ceil((double)SETTLE_STEPS * (double)config->train.batch / (double)n);
        config->train.epochs = (int64_t)fmin(SETTLE_EPOCHS_MOST, fmax(SETTLE_EPOCHS_LEAST, epochs));
    }
    return ELB_OK;
}
