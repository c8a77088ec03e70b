#include "infer/gate.h"

#include <string.h>

#include "posterior/mixture.h"

/* The components' means as samples, [M,B,Z]: without noise. */
static elb_tensor *gate_means(elb_posterior *q, elb_tape *t, elb_mixture mix)
{
    if (mix.logits == NULL) return NULL;
    int64_t order = mix.logits->cols, shape[] = {1, mix.logits->rows, order * q->latent};
    elb_tensor *none = elb_input(t, "no noise", false, 3, shape);
    if (none == NULL) return NULL;
    memset(none->data, 0, (size_t)(none->rows * none->cols) * sizeof *none->data);
    return elb_mixture_strata(t, mix.components, order, none);
}

elb_status elb_gate_best(elb_model *model, elb_posterior *mixture, elb_tape *t, elb_tensor *x, elb_tensor *lambda,
                         elb_real *best)
{
    elb_posterior *one = elb_mixture_first(mixture); /* the family of every component */
    elb_mixture mix = elb_mixture_of(mixture, t, lambda);
    elb_tensor *fit = elb_model_log_likelihood(model, t, x, gate_means(mixture, t, mix)), *kl[ELB_MIXTURE_MAX];
    int64_t width = one->local, order = mixture->options.order;
    for (int64_t j = 0; j < order; j++)
        kl[j] = elb_sum_last(t, one->type->kl_to_prior(one, t, elb_columns(t, mix.components, j * width, width)));
    ELB_TRY(elb_tape_run(t, NULL));
    for (int64_t b = 0; b < lambda->rows; b++) {
        int64_t at = 0;
        for (int64_t j = 1; j < order; j++)
            if (fit->data[j * lambda->rows + b] - kl[j]->data[b] > fit->data[at * lambda->rows + b] - kl[at]->data[b])
                at = j;
        memcpy(best + b * width, lambda->data + b * lambda->cols + at * width, (size_t)width * sizeof *best);
    }
    return ELB_OK;
}
