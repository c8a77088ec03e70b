#include "objective/objective.h"

#include <math.h>
#include <string.h>

#include "infer/refine.h"

/* Semi-amortised variational inference (Kim et al. 2018): the ELBO after T steps of refinement is trained through the
 * steps. With f = -ELBO of one datum, the noise e_k of step k fixed, step size alpha and momentum gamma:
 *
 *     g_k = df(lambda_k, theta; e_k)/dlambda     u_k = gamma u_(k-1) - g_k     lambda_(k+1) = lambda_k + alpha u_k
 *
 * and back, from lbar = df(lambda_T)/dlambda, tbar = df(lambda_T)/dtheta, ubar = 0, for k = T-1 .. 0
 *
 *     ubar += alpha lbar     lbar -= H_k ubar     tbar -= J_k ubar     ubar *= gamma
 *
 * where H_k u and J_k u, the second derivatives of f by lambda twice and by lambda and theta, are differences of f's
 * first derivatives at lambda_k + r u and at lambda_k. Then lbar is the gradient of lambda_0 and so the encoder's, tbar
 * theta's; theta is every parameter that f has for a given lambda: the model's, a learned variance too, and those of a
 * posterior's transformations.
 *
 * Differs from source: f is the loss of one datum, and what is clipped is one datum's gradient, so that data do not see
 * each other; there f is the mean of a batch of 50, whose step 1 is 0.02 here, and the whole batch's gradient is
 * clipped. The derivative knows of the clipping; there it takes it for the identity, and clips on the way back as well.
 * r is relative to u, so that float has digits left, where the source has 1e-5.
 *
 * The source's baselines hold lambda_T constant: theta learns by f(lambda_T), and the encoder by f(lambda_0)
 * ("VAE+SVI"), by KL(q_lambda_0 || q_lambda_T) ("VAE+SVI+KL"), here from samples, or not at all, when the steps
 * start at zero ("SVI"). */

enum { SAVI_MODEL, SAVI_POSTERIOR, SAVI_BLOCKS };

/* What outlives a training step. */
typedef struct savi_state {
    elb_tape *encoder, *steps;
    elb_refiner *refiner; /* where lambda_T is held constant; else NULL */
    elb_real *mark;       /* [P]; NULL: all of lambda moves */
} savi_state;

/* The gradients of a run. */
typedef struct savi_slopes {
    elb_real *lambda; /* [B,P] */
    elb_real *block[SAVI_BLOCKS];
} savi_slopes;

/* One training step; the arrays are the steps' tape's. lbar and tbar are of the mean over the batch. */
typedef struct savi {
    const elb_objective *o;
    const elb_refine_options *how;
    savi_state *state;
    elb_model *model;
    elb_posterior *posterior;
    elb_params *block[SAVI_BLOCKS];
    const elb_kernels *kernels;
    elb_noise noise;
    uint32_t draw;             /* the first sample of the present step of refinement */
    int64_t count, local, all; /* B, P, B P */
    elb_tensor *data, *start;  /* x and lambda_0 on the encoder's tape */
    elb_tensor *lambda, *f;    /* on the steps' tape; f summed over the data */
    elb_real *path;            /* lambda_0 .. lambda_T, [B,P] each; without derivative lambda_T alone */
    elb_real *slope;           /* g_0 .. g_(T-1), [B,P] each: masked, not clipped */
    elb_real *u;               /* [B,P]: -u_k on the way there, ubar on the way back */
    elb_real *v;               /* [B,P]: what of ubar comes to an unclipped g_k */
    elb_real *lbar;            /* [B,P] */
    elb_real *tbar[SAVI_BLOCKS];
    savi_slopes *kept; /* at lambda_0 .. lambda_(T-1) for forward differences, one for central ones */
} savi;

static bool savi_has_encoder(const savi *j)
{
    return j->how->start == ELB_REFINE_FROM_ENCODER;
}

static bool savi_is_central(const savi *j)
{
    return j->o->options.difference == ELB_DIFFERENCE_CENTRAL;
}

/* --- f and its gradients ------------------------------------------------------------------------------------------ */

static elb_real *savi_array(savi *j, int64_t count)
{
    return elb_tape_alloc(j->state->steps, count, sizeof(elb_real));
}

/* f is the loss with the steps' own samples. */
static elb_status savi_record(savi *j)
{
    elb_tape *t = j->state->steps;
    elb_objective f = *j->o;
    f.options.gradient = ELB_GRADIENT_PLAIN;
    elb_noise noise = j->noise;
    noise.key = elb_stream_key(noise.key, ELB_FOR_REFINE, 0);
    noise.samples = j->how->samples;
    noise.step = &j->draw;
    elb_tensor *x = elb_leaf(t, "data", j->data->data, NULL, 2, j->data->shape);
    j->lambda = elb_input(t, "local parameters", true, 2, (int64_t[]){j->count, j->local});
    elb_loss l = elb_elbo_at(&f, t, j->model, j->posterior, x, j->lambda, &noise);
    j->f = elb_named(elb_affine(t, l.loss, (double)j->count, 0), "refined loss");
    j->slope = savi_array(j, j->how->steps * j->all);
    j->u = savi_array(j, j->all);
    j->v = savi_array(j, j->all);
    int64_t kept = savi_is_central(j) ? 1 : j->how->steps;
    j->kept = elb_tape_alloc(t, kept, sizeof *j->kept);
    for (int64_t k = 0; j->kept != NULL && k < kept; k++) {
        j->kept[k].lambda = savi_array(j, j->all);
        for (int b = 0; b < SAVI_BLOCKS; b++) j->kept[k].block[b] = savi_array(j, j->block[b]->size);
    }
    return elb_tape_failed(t) ? elb_tape_run(t, NULL) : ELB_OK;
}

/* f's gradients at lambda_k + r v, into j->lambda and the blocks. */
static elb_status savi_run(savi *j, int64_t k, double r)
{
    j->draw = (uint32_t)(k * j->how->samples);
    memcpy(j->lambda->data, j->path + k * j->all, (size_t)j->all * sizeof *j->path);
    if (r != 0) j->kernels->axpy(j->all, (elb_real)r, j->v, j->lambda->data);
    elb_status status = elb_tape_run(j->state->steps, j->f);
    return status == ELB_OK ? ELB_OK : elb_fail_in(j->o->context, status, "refinement step %lld", (long long)k + 1);
}

static void savi_keep(savi *j, savi_slopes *kept)
{
    memcpy(kept->lambda, j->lambda->grad, (size_t)j->all * sizeof *kept->lambda);
    for (int b = 0; b < SAVI_BLOCKS; b++)
        memcpy(kept->block[b], j->block[b]->grad, (size_t)j->block[b]->size * sizeof *kept->block[b]);
}

/* total -= (now - kept) / width; uses kept up. */
static void savi_subtract(const elb_kernels *k, int64_t n, const elb_real *now, elb_real *kept, double width,
                          elb_real *total)
{
    k->axpy(n, -1, now, kept);
    k->axpy(n, (elb_real)(1 / width), kept, total);
}

/* --- the steps, and back ------------------------------------------------------------------------------------------ */

static elb_status savi_forward(savi *j)
{
    elb_adam_step step = {.beta1 = (elb_real)j->how->momentum};
    memset(j->u, 0, (size_t)j->all * sizeof *j->u);
    for (int64_t k = 0; k < j->how->steps; k++) {
        elb_real *next = j->path + (k + 1) * j->all;
        ELB_TRY(savi_run(j, k, 0));
        if (!savi_is_central(j)) savi_keep(j, &j->kept[k]);
        step.rate = (elb_real)elb_refine_rate(j->how, k);
        memcpy(next, j->lambda->data, (size_t)j->all * sizeof *next);
        for (int64_t i = 0; i < j->all; i += j->local) {
            elb_real *g = j->lambda->grad + i;
            step.gradient_scale = elb_refine_limit(j->kernels, j->state->mark, j->how->clip, j->local, g);
            j->kernels->sgd(&step, j->local, next + i, g, j->u + i);
        }
        memcpy(j->slope + k * j->all, j->lambda->grad, (size_t)j->all * sizeof *j->slope);
    }
    return ELB_OK;
}

/* Takes one datum's ubar back through mask and clip, in place. What was clipped passes at its scale, but not along its
 * direction: d(c g/|g|) = c/|g| (1 - g g'/|g|^2) dg. */
static void savi_unclip(const savi *j, const elb_real *g, elb_real *v)
{
    const elb_kernels *k = j->kernels;
    double clip = j->how->clip, norm = sqrt((double)k->dot(j->local, g, g));
    if (j->state->mark != NULL) k->mul(j->local, v, j->state->mark, v);
    if (!(clip > 0 && norm > clip)) return;
    k->axpy(j->local, (elb_real)(-(double)k->dot(j->local, g, v) / (norm * norm)), g, v);
    k->axpby(j->local, (elb_real)(clip / norm), v, 0, v);
}

/* The largest of the data's |v|. */
static double savi_largest(const savi *j)
{
    double largest = 0;
    for (int64_t i = 0; i < j->all; i += j->local) {
        double norm = sqrt((double)j->kernels->dot(j->local, j->v + i, j->v + i));
        if (!(norm <= largest)) largest = norm; /* a NaN comes through */
    }
    return largest;
}

/* lbar -= H_k v, tbar -= J_k v. */
static elb_status savi_curve(savi *j, int64_t k)
{
    double largest = savi_largest(j), r = j->o->options.radius / largest, width = r;
    savi_slopes *kept = &j->kept[savi_is_central(j) ? 0 : k];
    if (largest == 0) return ELB_OK;
    ELB_TRY(savi_run(j, k, r));
    if (savi_is_central(j)) {
        savi_keep(j, kept);
        ELB_TRY(savi_run(j, k, -r));
        width = -2 * r;
    }
    savi_subtract(j->kernels, j->all, j->lambda->grad, kept->lambda, width, j->lbar);
    for (int b = 0; b < SAVI_BLOCKS; b++)
        savi_subtract(j->kernels, j->block[b]->size, j->block[b]->grad, kept->block[b], width, j->tbar[b]);
    return ELB_OK;
}

static elb_status savi_backward(savi *j)
{
    size_t size = (size_t)j->all * sizeof *j->u;
    memset(j->u, 0, size);
    for (int64_t k = j->how->steps - 1; k >= 0; k--) {
        j->kernels->axpy(j->all, (elb_real)elb_refine_rate(j->how, k), j->lbar, j->u);
        memcpy(j->v, j->u, size);
        for (int64_t i = 0; i < j->all; i += j->local) savi_unclip(j, j->slope + k * j->all + i, j->v + i);
        ELB_TRY(savi_curve(j, k));
        j->kernels->axpby(j->all, (elb_real)j->how->momentum, j->u, 0, j->u);
    }
    return ELB_OK;
}

/* --- the ends: encoder and loss ----------------------------------------------------------------------------------- */

static elb_status savi_encode(savi *j, const elb_tensor *x)
{
    elb_tape *t = j->state->encoder;
    ELB_TRY(elb_tape_reset(t));
    j->data = elb_leaf(t, "data", x->data, NULL, x->rank, x->shape);
    if (savi_has_encoder(j)) j->start = elb_encode(j->posterior, t, j->data);
    return elb_tape_run(t, NULL);
}

static elb_status savi_make_room(savi *j)
{
    elb_tape *t = j->state->steps;
    ELB_TRY(elb_tape_reset(t));
    j->path = savi_array(j, (j->state->refiner != NULL ? 1 : j->how->steps + 1) * j->all);
    j->lbar = savi_array(j, j->all);
    for (int b = 0; b < SAVI_BLOCKS; b++) j->tbar[b] = savi_array(j, j->block[b]->size);
    if (elb_tape_failed(t)) return elb_tape_run(t, NULL);
    size_t size = (size_t)j->all * sizeof *j->path;
    if (savi_has_encoder(j))
        memcpy(j->path, j->start->data, size);
    else
        memset(j->path, 0, size);
    return ELB_OK;
}

/* The loss at lambda_T on the training step's own tape; its gradients become lbar and tbar. */
static elb_status savi_finish(savi *j, elb_tape *t, elb_tensor *x, elb_real *last, elb_loss *loss)
{
    elb_tensor *lambda = elb_leaf(t, "refined local parameters", last, j->lbar, 2, (int64_t[]){j->count, j->local});
    *loss = elb_elbo_at(j->o, t, j->model, j->posterior, x, lambda, &j->noise);
    ELB_TRY(elb_tape_run(t, loss->loss));
    for (int b = 0; b < SAVI_BLOCKS; b++)
        memcpy(j->tbar[b], j->block[b]->grad, (size_t)j->block[b]->size * sizeof *j->tbar[b]);
    return ELB_OK;
}

/* Its gradient is the encoder's. */
static elb_tensor *savi_encoder_loss(savi *j, elb_real *last)
{
    elb_tape *t = j->state->encoder;
    elb_posterior *q = j->posterior;
    int64_t shape[] = {j->count, j->local};
    if (j->o->options.encoder == ELB_SAVI_THROUGH) {
        elb_tensor *lbar = elb_leaf(t, "gradient", j->lbar, NULL, 2, shape);
        return elb_affine(t, elb_mean_all(t, elb_mul(t, j->start, lbar)), (double)j->all, 0);
    }
    if (j->o->options.encoder == ELB_SAVI_START) {
        bool frozen = j->model->params.frozen;
        j->model->params.frozen = true;
        elb_loss l = elb_elbo_at(j->o, t, j->model, q, j->data, j->start, &j->noise);
        j->model->params.frozen = frozen;
        return l.loss;
    }
    elb_draw d = elb_sample(q, t, j->start, &j->noise, ELB_LOG_Q_FULL);
    elb_tensor *refined = elb_leaf(t, "refined local parameters", last, NULL, 2, shape);
    return elb_mean_all(t, elb_sub(t, d.log_q, q->type->log_density(q, t, refined, d.z)));
}

/* The blocks' gradients become tbar, and the encoder's. */
static elb_status savi_conclude(savi *j, elb_real *last)
{
    elb_params *posterior = j->block[SAVI_POSTERIOR];
    memset(posterior->grad, 0, (size_t)posterior->size * sizeof *posterior->grad);
    if (savi_has_encoder(j)) ELB_TRY(elb_tape_run(j->state->encoder, savi_encoder_loss(j, last)));
    j->kernels->axpy(posterior->size, 1, j->tbar[SAVI_POSTERIOR], posterior->grad);
    memcpy(j->block[SAVI_MODEL]->grad, j->tbar[SAVI_MODEL],
           (size_t)j->block[SAVI_MODEL]->size * sizeof *j->tbar[SAVI_MODEL]);
    return ELB_OK;
}

/* --- the objective ------------------------------------------------------------------------------------------------ */

static elb_status savi_refine(savi *j, elb_tape *t, elb_tensor *x, elb_loss *loss)
{
    elb_refiner *refiner = j->state->refiner;
    elb_real *last = j->path + (refiner != NULL ? 0 : j->how->steps * j->all);
    if (refiner != NULL) {
        uint64_t key = elb_stream_key(j->noise.key, ELB_FOR_REFINE, 0);
        ELB_TRY(elb_refiner_run(refiner, key, j->count, j->noise.datum, j->data->data, last));
    } else {
        ELB_TRY(savi_record(j));
        ELB_TRY(savi_forward(j));
    }
    ELB_TRY(savi_finish(j, t, x, last, loss));
    if (refiner == NULL) ELB_TRY(savi_backward(j));
    return savi_conclude(j, last);
}

static elb_status savi_step(elb_objective *o, elb_tape *t, elb_model *m, elb_posterior *q, elb_tensor *x,
                            const elb_noise *noise, elb_loss *loss)
{
    *loss = (elb_loss){NULL, NULL, NULL, NULL, NULL};
    ELB_TRY(elb_tape_run(t, NULL));
    savi j = {
        .o = o,
        .how = o->refine,
        .state = o->state,
        .model = m,
        .posterior = q,
        .block = {&m->params, &q->params},
        .kernels = elb_tape_machine(t)->kernels,
        .noise = *noise,
        .count = x->rows,
        .local = q->local,
        .all = x->rows * q->local,
    };
    j.noise.samples = o->options.samples;
    for (int b = 0; b < SAVI_BLOCKS; b++) /* f does not reach them all */
        memset(j.block[b]->grad, 0, (size_t)j.block[b]->size * sizeof *j.block[b]->grad);
    ELB_TRY(savi_encode(&j, x));
    ELB_TRY(savi_make_room(&j));
    return savi_refine(&j, t, x, loss);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

/* Whether training goes back through the steps. */
static bool savi_goes_back(const elb_objective *o)
{
    return o->options.encoder == ELB_SAVI_THROUGH && o->refine->start == ELB_REFINE_FROM_ENCODER;
}

static elb_status savi_check(const elb_objective *o, const elb_posterior *q)
{
    const elb_refine_options *how = o->refine;
    if (how == NULL || how->steps < 1)
        return elb_fail(o->context, ELB_USAGE,
                        "objective.type=savi trains with the steps of refine: set refine.steps, to 4 say");
    if (how->family != ELB_REFINE_OWN || how->gate != ELB_REFINE_UNGATED)
        return elb_fail(
            o->context, ELB_USAGE,
            "objective.type=savi trains the posterior it refines: set refine.family=own and refine.gate=none");
    if (savi_goes_back(o) && (how->method != ELB_REFINE_MOMENTUM || how->tolerance > 0))
        return elb_fail(
            o->context, ELB_USAGE,
            "objective.encoder=through goes back through steps of gradient descent that every datum takes: set "
            "refine.method=momentum and refine.tolerance=0, or choose objective.encoder=start or kl");
    if (o->options.encoder == ELB_SAVI_KL && q->type->log_density == NULL)
        return elb_fail(o->context, ELB_USAGE,
                        "objective.encoder=kl needs the density of any z, which the posterior %s does not have; choose "
                        "through or start",
                        q->type->name);
    return ELB_OK;
}

static elb_status savi_open(elb_objective *o, elb_model *m, elb_posterior *q)
{
    ELB_TRY(savi_check(o, q));
    savi_state *s = o->state = elb_alloc(o->context, 1, sizeof *s);
    if (s == NULL) return ELB_MEMORY;
    ELB_TRY(elb_tape_create(o->context, &s->encoder));
    ELB_TRY(elb_tape_create(o->context, &s->steps));
    if (!savi_goes_back(o)) return elb_refiner_create(m, q, o->refine, &s->refiner);
    if (o->refine->part == ELB_REFINE_ALL) return ELB_OK;
    s->mark = elb_alloc(o->context, q->local, sizeof *s->mark);
    if (s->mark == NULL) return ELB_MEMORY;
    elb_mark_mean(q, s->mark);
    return ELB_OK;
}

static void savi_close(elb_objective *o)
{
    savi_state *s = o->state;
    elb_tape_destroy(s->encoder);
    elb_tape_destroy(s->steps);
    elb_refiner_destroy(s->refiner);
    elb_free(o->context, s->mark);
    elb_free(o->context, s);
}

const elb_objective_type elb_objective_savi = {
    .name = "savi",
    .source = "Kim et al. 2018, algorithm 1",
    .loss = elb_elbo_loss, /* before any step */
    .open = savi_open,
    .close = savi_close,
    .step = savi_step,
};
