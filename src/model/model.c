#include "model/model.h"

static elb_status model_declare(elb_model *m)
{
    int64_t outputs = m->likelihood->outputs(&m->likelihood_options) * m->data;
    ELB_TRY(elb_mlp_init(&m->decoder, &m->params, "decoder", (elb_net_kind)m->options.activation, m->options.latent,
                         &m->options.hidden, outputs));
    return m->likelihood->declare != NULL ? m->likelihood->declare(m) : ELB_OK;
}

elb_status elb_model_declare(elb_context *c, const elb_model_options *options, const elb_likelihood_options *likelihood,
                             int64_t data, elb_model **model)
{
    *model = NULL;
    elb_model *m = elb_alloc(c, 1, sizeof *m);
    if (m == NULL) return ELB_MEMORY;
    m->context = c;
    m->options = *options;
    m->likelihood_options = *likelihood;
    m->likelihood = elb_likelihood_types[likelihood->type];
    m->data = data;
    m->log_variance = -1;
    elb_params_init(&m->params, c);
    elb_status status = model_declare(m);
    if (status != ELB_OK) {
        elb_model_destroy(m);
        return status;
    }
    *model = m;
    return ELB_OK;
}

elb_status elb_model_create(elb_context *c, const elb_model_options *options, const elb_likelihood_options *likelihood,
                            int64_t data, elb_model **model)
{
    ELB_TRY(elb_model_declare(c, options, likelihood, data, model));
    elb_status status = elb_params_build(&(*model)->params);
    if (status == ELB_OK) return ELB_OK;
    elb_model_destroy(*model);
    *model = NULL;
    return status;
}

void elb_model_destroy(elb_model *m)
{
    if (m == NULL) return;
    elb_params_free(&m->params);
    elb_free(m->context, m);
}

elb_status elb_model_reset(elb_model *m, uint64_t seed)
{
    const elb_machine *machine;
    ELB_TRY(elb_machine_of(m->context, &machine));
    elb_mlp_reset(&m->decoder, machine->kernels, elb_stream_key(seed, ELB_FOR_INIT, 0));
    if (m->likelihood->reset != NULL) m->likelihood->reset(m);
    return ELB_OK;
}

void elb_model_start_at_mean(elb_model *m, const double *mean)
{
    elb_real *bias = elb_mlp_output_bias(&m->decoder);
    for (int64_t d = 0; d < m->data; d++) bias[d] = (elb_real)m->likelihood->bias(&m->likelihood_options, mean[d]);
}

elb_tensor *elb_model_decode(elb_model *m, elb_tape *t, elb_tensor *z)
{
    elb_tensor *out = elb_mlp_apply(&m->decoder, t, z, NULL);
    return elb_named(m->likelihood->link != NULL ? m->likelihood->link(m, t, out) : out, "decoder output");
}

elb_tensor *elb_model_log_likelihood(elb_model *m, elb_tape *t, elb_tensor *x, elb_tensor *z)
{
    return elb_named(m->likelihood->log_prob(m, t, x, elb_model_decode(m, t, z)), "log likelihood");
}

elb_tensor *elb_model_log_prior(elb_model *m, elb_tape *t, elb_tensor *z)
{
    (void)m;
    return elb_named(elb_standard_normal_log_prob(t, z), "log prior");
}

elb_tensor *elb_model_log_joint(elb_model *m, elb_tape *t, elb_tensor *x, elb_tensor *z)
{
    return elb_add(t, elb_model_log_likelihood(m, t, x, z), elb_model_log_prior(m, t, z));
}
