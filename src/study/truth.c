/* truth.c - densities over two latent numbers. */
#include "study/truth.h"

#include <math.h>
#include <string.h>

enum { TRUTH_ROWS = 512 }; /* decoder rows at a time */
#define TRUTH_NEAR 4.0     /* from the prior's mean, what is looked over first, */
#define TRUTH_FAR 32.0     /* and at last */
#define TRUTH_FAINT 9.0    /* nats below the top that are out of sight */
#define TRUTH_LEAST 0.02   /* side of a window */

elb_status elb_truth_open(elb_truth *h, elb_model *model, uint64_t seed)
{
    *h = (elb_truth){.model = model, .key = elb_stream_key(seed, ELB_FOR_SAMPLE, 1)};
    h->grid = elb_alloc(model->context, ELB_FIELD_COUNT, sizeof *h->grid);
    h->z = elb_alloc(model->context, 2 * ELB_TRUTH_DRAWS, sizeof *h->z);
    if (h->grid == NULL || h->z == NULL) return ELB_MEMORY;
    return elb_tape_create(model->context, &h->tape);
}

void elb_truth_close(elb_truth *h)
{
    if (h->model == NULL) return;
    elb_tape_destroy(h->tape);
    elb_free(h->model->context, h->grid);
    elb_free(h->model->context, h->z);
}

/* --- densities ---------------------------------------------------------------------------------------------------- */

/* Points first .. first+count-1 of the grid, as z [count,1,2]. */
static elb_tensor *truth_points(elb_tape *t, const elb_window *w, int64_t first, int64_t count)
{
    elb_tensor *z = elb_input(t, "latent", false, 3, (int64_t[]){count, 1, 2});
    for (int64_t i = 0; z != NULL && i < count; i++) {
        z->data[2 * i] = (elb_real)elb_field_at(w, 0, (first + i) % ELB_FIELD_SIDE);
        z->data[2 * i + 1] = (elb_real)elb_field_at(w, 1, (first + i) / ELB_FIELD_SIDE);
    }
    return z;
}

static elb_tensor *truth_lambda(elb_tape *t, const elb_posterior *q, elb_real *lambda)
{
    return elb_leaf(t, "local parameters", lambda, NULL, 2, (int64_t[]){1, q->local});
}

/* log q(z|x), or without q log p(x,z), into the grid. */
static elb_status truth_evaluate(elb_truth *h, const elb_window *w, elb_real *x, elb_posterior *q, elb_real *lambda)
{
    elb_tape *t = h->tape;
    for (int64_t first = 0; first < ELB_FIELD_COUNT; first += TRUTH_ROWS) {
        ELB_TRY(elb_tape_reset(t));
        elb_tensor *z = truth_points(t, w, first, TRUTH_ROWS), *value;
        if (q != NULL)
            value = q->type->log_density(q, t, truth_lambda(t, q, lambda), z);
        else
            value =
                elb_model_log_joint(h->model, t, elb_leaf(t, "data", x, NULL, 2, (int64_t[]){1, h->model->data}), z);
        ELB_TRY(elb_tape_run(t, NULL));
        for (int64_t i = 0; i < TRUTH_ROWS; i++) h->grid[first + i] = (double)value->data[i];
    }
    return ELB_OK;
}

static elb_status truth_draw(elb_truth *h, elb_posterior *q, elb_real *lambda)
{
    static const uint64_t datum = 0;
    elb_noise noise = {.key = h->key, .datum = &datum, .samples = ELB_TRUTH_DRAWS};
    ELB_TRY(elb_tape_reset(h->tape));
    elb_draw d = elb_sample(q, h->tape, truth_lambda(h->tape, q, lambda), &noise, ELB_LOG_Q_NONE);
    ELB_TRY(elb_tape_run(h->tape, NULL));
    memcpy(h->z, d.z->data, 2 * ELB_TRUTH_DRAWS * sizeof *h->z);
    return ELB_OK;
}

elb_status elb_truth_of_q(elb_truth *h, elb_posterior *q, elb_real *lambda, const elb_window *w, elb_field *field)
{
    if (q->type->log_density == NULL) {
        ELB_TRY(truth_draw(h, q, lambda));
        elb_field_from_draws(field, *w, h->grid, ELB_TRUTH_DRAWS, h->z);
        return ELB_OK;
    }
    ELB_TRY(truth_evaluate(h, w, NULL, q, lambda));
    elb_field_make(field, *w, h->grid);
    return ELB_OK;
}

/* --- windows ------------------------------------------------------------------------------------------------------ */

static void truth_widen(elb_window *w, const double z[2])
{
    for (int k = 0; k < 2; k++) {
        w->low[k] = fmin(w->low[k], z[k]);
        w->high[k] = fmax(w->high[k], z[k]);
    }
}

elb_status elb_truth_widen(elb_truth *h, elb_posterior *q, elb_real *lambda, elb_window *w)
{
    const double n = ELB_TRUTH_DRAWS;
    ELB_TRY(truth_draw(h, q, lambda));
    for (int k = 0; k < 2; k++) {
        double mean = 0, square = 0;
        for (int64_t i = 0; i < ELB_TRUTH_DRAWS; i++) mean += (double)h->z[2 * i + k] / n;
        for (int64_t i = 0; i < ELB_TRUTH_DRAWS; i++) square += pow((double)h->z[2 * i + k] - mean, 2) / n;
        w->low[k] = fmin(w->low[k], mean - 2.5 * sqrt(square));
        w->high[k] = fmax(w->high[k], mean + 2.5 * sqrt(square));
    }
    return ELB_OK;
}

/* What of the posterior is in sight within `far` of the prior's mean. */
static elb_status truth_within(elb_truth *h, elb_real *x, double far, elb_window *w)
{
    const elb_window all = {{-far, -far}, {far, far}};
    double top = -INFINITY, half = far / ELB_FIELD_SIDE;
    *w = (elb_window){{INFINITY, INFINITY}, {-INFINITY, -INFINITY}};
    ELB_TRY(truth_evaluate(h, &all, x, NULL, NULL));
    for (int64_t i = 0; i < ELB_FIELD_COUNT; i++) top = fmax(top, h->grid[i]);
    for (int64_t i = 0; i < ELB_FIELD_COUNT; i++) {
        if (h->grid[i] < top - TRUTH_FAINT) continue;
        double z0 = elb_field_at(&all, 0, i % ELB_FIELD_SIDE), z1 = elb_field_at(&all, 1, i / ELB_FIELD_SIDE);
        truth_widen(w, (double[]){z0 - half, z1 - half});
        truth_widen(w, (double[]){z0 + half, z1 + half});
    }
    return ELB_OK;
}

elb_status elb_truth_find(elb_truth *h, elb_real *x, elb_window *w)
{
    for (double far = TRUTH_NEAR;; far *= 2) {
        ELB_TRY(truth_within(h, x, far, w));
        double edge = far * (1 - 0.5 / ELB_FIELD_SIDE);
        bool over = w->low[0] < -edge || w->low[1] < -edge || w->high[0] > edge || w->high[1] > edge;
        if (!over || far >= TRUTH_FAR) return ELB_OK;
    }
}

/* A square around it, with a margin. */
static void truth_square(elb_window *w)
{
    double side = fmax(fmax(w->high[0] - w->low[0], w->high[1] - w->low[1]), TRUTH_LEAST) * 1.12;
    for (int k = 0; k < 2; k++) {
        double middle = (w->low[k] + w->high[k]) / 2;
        w->low[k] = middle - side / 2;
        w->high[k] = middle + side / 2;
    }
}

elb_status elb_truth_of_p(elb_truth *h, elb_real *x, elb_window w, elb_field *field)
{
    truth_square(&w);
    ELB_TRY(truth_evaluate(h, &w, x, NULL, NULL));
    elb_field_make(field, w, h->grid);
    return ELB_OK;
}

void elb_truth_mode(const elb_field *p, elb_real moments[4])
{
    enum { ACROSS = 16 }; /* deviations: what is in sight of a Gaussian is about 8 across */
    int64_t top = 0;
    for (int64_t i = 1; i < ELB_FIELD_COUNT; i++)
        if (p->values[i] > p->values[top]) top = i;
    moments[0] = (elb_real)elb_field_at(&p->window, 0, top % ELB_FIELD_SIDE);
    moments[1] = (elb_real)elb_field_at(&p->window, 1, top / ELB_FIELD_SIDE);
    for (int k = 0; k < 2; k++) moments[2 + k] = (elb_real)(2 * log((p->window.high[k] - p->window.low[k]) / ACROSS));
}
