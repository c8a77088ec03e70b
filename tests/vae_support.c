/* vae_support.c - a small VAE with its data. */
#include "vae_support.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

/* --- life --------------------------------------------------------------------------------------------------------- */

support_vae *support_vae_create(elb_context *c, int64_t data, int64_t batch, const char *settings)
{
    support_vae *v = calloc(1, sizeof *v);
    assert_non_null(v);
    v->context = c;
    v->batch = batch;
    assert_int_equal(elb_config_create(c, &v->config), ELB_OK);
    support_configure(c, v->config, "likelihood.type=bernoulli model.latent=50 data.binarise=none");
    support_configure(c, v->config, settings);
    assert_int_equal(elb_model_create(c, &v->config->model, &v->config->likelihood, data, &v->model), ELB_OK);
    assert_int_equal(elb_posterior_create(c, &v->config->posterior, data, v->config->model.latent, &v->posterior),
                     ELB_OK);
    assert_int_equal(elb_tape_create(c, &v->tape), ELB_OK);
    elb_objective_init(&v->objective, &v->config->objective);
    v->x = calloc((size_t)(batch * data), sizeof *v->x);
    v->datum = calloc((size_t)batch, sizeof *v->datum);
    assert_true(v->x != NULL && v->datum != NULL);
    for (int64_t b = 0; b < batch; b++) v->datum[b] = (uint64_t)b;
    v->noise = (elb_noise){.key = 1, .datum = v->datum};
    return v;
}

void support_vae_destroy(support_vae *v)
{
    elb_tape_destroy(v->tape);
    elb_posterior_destroy(v->posterior);
    elb_model_destroy(v->model);
    elb_config_destroy(v->config);
    free(v->x);
    free(v->datum);
    free(v);
}

/* --- contents ----------------------------------------------------------------------------------------------------- */

elb_params *support_vae_block(support_vae *v, int block)
{
    return block == 0 ? &v->model->params : &v->posterior->params;
}

void support_vae_fill(support_vae *v, double scale, uint64_t seed)
{
    for (int b = 0; b < SUPPORT_VAE_BLOCKS; b++) {
        elb_params *p = support_vae_block(v, b);
        for (int64_t i = 0; i < p->count; i++)
            for (int64_t j = 0; j < p->at[i].count; j++)
                elb_params_data(p, i)[j] =
                    (elb_real)(scale * support_number(seed, (uint64_t)(b * 1000000 + i * 10000 + j)));
    }
}

void support_vae_fill_data(support_vae *v, uint64_t seed)
{
    for (int64_t i = 0; i < v->batch * v->model->data; i++) {
        double u = support_number(seed, (uint64_t)i);
        switch ((elb_likelihood_kind)v->config->likelihood.type) {
        case ELB_BERNOULLI: u = u < -0.2; break;
        case ELB_CONTINUOUS_BERNOULLI: u = (u + 1) / 2; break;
        case ELB_GAUSSIAN: u *= 2; break;
        case ELB_LIKELIHOOD_AUTO: fail();
        }
        v->x[i] = (elb_real)u;
    }
}

int64_t support_vae_find(support_vae *v, const char *name, int *block)
{
    for (int b = 0; b < SUPPORT_VAE_BLOCKS; b++) {
        elb_params *p = support_vae_block(v, b);
        for (int64_t i = 0; i < p->count; i++)
            if (strcmp(p->at[i].name, name) == 0) {
                *block = b;
                return i;
            }
    }
    fail_msg("there is no parameter %s", name);
    return -1;
}

/* --- running ------------------------------------------------------------------------------------------------------ */

elb_loss support_vae_run(support_vae *v)
{
    assert_int_equal(elb_tape_reset(v->tape), ELB_OK);
    int64_t shape[] = {v->batch, v->model->data};
    elb_tensor *x = elb_leaf(v->tape, "data", v->x, NULL, 2, shape);
    elb_loss l = elb_objective_loss(&v->objective, v->tape, v->model, v->posterior, x, &v->noise);
    if (elb_tape_run(v->tape, l.loss) != ELB_OK) fail_msg("the loss failed: %s", elb_context_message(v->context));
    assert_non_null(l.loss);
    return l;
}

double support_vae_loss(support_vae *v)
{
    return (double)support_vae_run(v).loss->data[0];
}

/* --- registries --------------------------------------------------------------------------------------------------- */

void support_page_says(const char *folder, const char *text)
{
    DIR *d = opendir(folder);
    bool found = false;
    if (d == NULL) fail_msg("there is no folder %s", folder);
    for (struct dirent *e = readdir(d); e != NULL && !found; e = readdir(d)) {
        if (strstr(e->d_name, ".md") == NULL) continue;
        char *page = support_file_read(support_path(folder, e->d_name), NULL);
        found = strstr(page, text) != NULL;
        free(page);
    }
    closedir(d);
    if (!found) fail_msg("no page in %s says \"%s\"", folder, text);
}

const char *const *support_choices(const elb_option *table, const char *name)
{
    for (; table->name != NULL; table++)
        if (strcmp(table->name, name) == 0) return table->choices;
    fail_msg("there is no option %s", name);
    return NULL;
}
