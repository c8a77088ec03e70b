#include "run/components.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "objective/objective.h"
#include "posterior/mixture.h"
#include "run/blocks.h"

enum { COMPONENTS_DATA = 500 };
#define COMPONENTS_RAN_AWAY 2.0  /* nats below the first component */
#define COMPONENTS_CLIPPED 3.0   /* times the clip */
#define COMPONENTS_COLLAPSED 1.5 /* weights that count */
#define COMPONENTS_ALIKE 1.1     /* components that are apart */

typedef struct components_sums {
    const elb_vae *vae;
    elb_tape *tape;
    int64_t data;
    double elbo[ELB_MIXTURE_MAX], kl[ELB_MIXTURE_MAX], weight[ELB_MIXTURE_MAX], information;
    double *ratios; /* of data and later components */
    int64_t ratio_count;
} components_sums;

/* --- measuring ---------------------------------------------------------------------------------------------------- */

typedef struct components_values {
    elb_tensor *log_weight, *joint, *own, *before, *all; /* [M,B] */
} components_values;

static elb_status components_compute(components_sums *s, const elb_block *block, components_values *v)
{
    elb_tape *t = s->tape;
    elb_posterior *q = s->vae->posterior;
    elb_noise noise = {.key = elb_stream_key((uint64_t)s->vae->config->top.seed, ELB_FOR_ESTIMATE, 0),
                       .datum = block->datum,
                       .samples = 1};
    ELB_TRY(elb_tape_reset(t));
    elb_tensor *x = elb_leaf(t, "data", block->x, NULL, 2, (int64_t[]){block->count, s->vae->model->data});
    elb_mixture mix = elb_mixture_encode(q, t, x);
    elb_draw d = elb_mixture_draw(q, t, mix, &noise);
    v->log_weight = d.log_share;
    v->joint = elb_model_log_joint(s->vae->model, t, x, d.z);
    v->own = elb_mixture_log_prob(t, d.z, mix.components, mix.logits, ELB_MIXTURE_OWN);
    v->before = elb_mixture_log_prob(t, d.z, mix.components, mix.logits, ELB_MIXTURE_BEFORE);
    v->all = elb_mixture_log_prob(t, d.z, mix.components, mix.logits, ELB_MIXTURE_ALL);
    return elb_tape_run(t, NULL);
}

static elb_status components_block(void *user, const elb_block *block)
{
    components_sums *s = user;
    components_values v;
    ELB_TRY(components_compute(s, block, &v));
    for (int64_t i = 0; i < v.own->rows * v.own->cols; i++) {
        int64_t m = i / block->count;
        double own = (double)v.own->data[i], ratio = own - (double)v.before->data[i];
        double a = exp((double)v.log_weight->data[i]);
        s->elbo[m] += (double)v.joint->data[i] - own;
        s->kl[m] += ratio;
        s->weight[m] += a;
        s->information += a * (own - (double)v.all->data[i]);
        if (m > 0) s->ratios[s->ratio_count++] = ratio;
    }
    s->data += block->count;
    return ELB_OK;
}

static void components_conclude(components_sums *s, elb_components *c)
{
    double n = (double)s->data, entropy = 0;
    for (int64_t m = 0; m < c->order; m++) {
        double a = s->weight[m] / n;
        c->elbo[m] = s->elbo[m] / n;
        c->kl[m] = s->kl[m] / n;
        if (a > 0) entropy -= a * log(a);
    }
    c->weights = exp(entropy);
    c->distinct = exp(s->information / n);
    c->least_kl = c->median_kl = c->most_kl = NAN;
    if (s->ratio_count == 0) return;
    qsort(s->ratios, (size_t)s->ratio_count, sizeof *s->ratios, elb_number_compare);
    c->least_kl = s->ratios[0];
    c->median_kl = s->ratios[s->ratio_count / 2];
    c->most_kl = s->ratios[s->ratio_count - 1];
}

elb_status elb_components_measure(const elb_vae *vae, const elb_dataset *data, elb_components *c)
{
    components_sums s = {.vae = vae};
    *c = (elb_components){.order = vae->posterior->options.order};
    ELB_TRY(elb_tape_create(vae->context, &s.tape));
    s.ratios = elb_alloc(vae->context, COMPONENTS_DATA * c->order, sizeof *s.ratios);
    elb_status status =
        s.ratios != NULL ? elb_blocks_visit(vae, data, COMPONENTS_DATA, 0, components_block, &s) : ELB_MEMORY;
    if (status == ELB_OK) components_conclude(&s, c);
    elb_free(vae->context, s.ratios);
    elb_tape_destroy(s.tape);
    return status;
}

json_t *elb_components_json(const elb_components *c)
{
    json_t *object = json_object(), *elbo = json_array(), *kl = json_array();
    for (int64_t m = 0; m < c->order; m++) {
        json_array_append_new(elbo, elb_json_real(c->elbo[m]));
        json_array_append_new(kl, elb_json_real(c->kl[m]));
    }
    json_object_set_new(object, "elbo", elbo);
    json_object_set_new(object, "kl_to_earlier", kl);
    json_object_set_new(object, "log_ratio_least", elb_json_real(c->least_kl));
    json_object_set_new(object, "log_ratio_median", elb_json_real(c->median_kl));
    json_object_set_new(object, "log_ratio_most", elb_json_real(c->most_kl));
    json_object_set_new(object, "weights", elb_json_real(c->weights));
    json_object_set_new(object, "distinct", elb_json_real(c->distinct));
    return object;
}

/* --- what may be wrong -------------------------------------------------------------------------------------------- */

static bool components_ran_away(const elb_components *c, char text[ELB_COMPONENTS_TEXT])
{
    int64_t worst = 0;
    for (int64_t m = 1; m < c->order; m++)
        if (isnan(c->elbo[m]) || c->elbo[m] < c->elbo[worst]) worst = m;
    snprintf(
        text, ELB_COMPONENTS_TEXT,
        "component %lld of the mixture has an ELBO %.3g nats below the first's: it runs away from the posterior; lower "
        "objective.clip_kl, or train longer together with a smaller objective.recursion",
        (long long)worst + 1, c->elbo[0] - c->elbo[worst]);
    return !(c->elbo[worst] >= c->elbo[0] - COMPONENTS_RAN_AWAY);
}

static bool components_clipped(const elb_components *c, const elb_config *config, char text[ELB_COMPONENTS_TEXT])
{
    double clip = config->objective.clip_kl;
    snprintf(
        text, ELB_COMPONENTS_TEXT,
        "the mixture's components are %.3g nats apart (median), more than %g times objective.clip_kl=%g: most samples "
        "are clipped, and the clip no longer holds the components back; lower it",
        c->median_kl, COMPONENTS_CLIPPED, clip);
    return c->median_kl > COMPONENTS_CLIPPED * clip;
}

static bool components_collapsed(const elb_components *c, char text[ELB_COMPONENTS_TEXT])
{
    snprintf(
        text, ELB_COMPONENTS_TEXT,
        "the mixture's weights collapse: %.2f of %lld components count; set posterior.weights=uniform, or start from "
        "copies (objective.pretrain or train.from)",
        c->weights, (long long)c->order);
    return c->weights < COMPONENTS_COLLAPSED;
}

static bool components_alike(const elb_components *c, char text[ELB_COMPONENTS_TEXT])
{
    snprintf(
        text, ELB_COMPONENTS_TEXT,
        "the mixture's components are nearly one: %.2f of %lld are distinct; train longer, raise objective.clip_kl or "
        "posterior.jitter, or set a smaller posterior.order",
        c->distinct, (long long)c->order);
    return c->distinct < COMPONENTS_ALIKE;
}

int64_t elb_components_warn(const elb_components *c, const elb_config *config, bool ripe, int64_t told,
                            char text[ELB_COMPONENTS_TEXT])
{
    const elb_objective_options *o = &config->objective;
    bool fresh = config->posterior.start == ELB_START_FRESH || (o->pretrain == 0 && config->train.from[0] == '\0');
    bool recursion = elb_objective_types[o->type]->phases != NULL && o->recursion > 0, judged = ripe || !fresh;
    if (c->order < 2) return 0;
    if (judged && !(told & ELB_COMPONENT_RAN_AWAY) && components_ran_away(c, text)) return ELB_COMPONENT_RAN_AWAY;
    if (judged && recursion && !(told & ELB_COMPONENTS_CLIPPED) && components_clipped(c, config, text))
        return ELB_COMPONENTS_CLIPPED;
    if (!(told & ELB_WEIGHTS_COLLAPSED) && components_collapsed(c, text)) return ELB_WEIGHTS_COLLAPSED;
    if (ripe && !(told & ELB_COMPONENTS_ALIKE) && components_alike(c, text)) return ELB_COMPONENTS_ALIKE;
    return 0;
}
