#include "infer/hmc.h"

#include <math.h>
#include <string.h>

/* What a move needs besides. A kept block is where the move began: what a rejected chain goes back to. */
struct elb_hmc_state {
    const elb_machine *machine;
    elb_real *start_force, *rise_force; /* [rows,Z] gradients at z */
    elb_real *v;                        /* [rows,Z] */
    elb_real *kept_z, *kept_start_force, *kept_rise_force, *kept_start, *kept_rise;
    double *energy; /* [rows] at the beginning */
    elb_tensor *loss;
    elb_update update;
    const elb_hmc_move *move;
    elb_real kick, drift; /* of the leapfrog step in progress, in step sizes; both 0: z stays */
    void (*each)(elb_hmc *h, int64_t row);
    int threads;
};

/* --- the tape ----------------------------------------------------------------------------------------------------- */

/* What the reverse pass sets out from: every row of start and of rise has the gradient 1, and no row that went astray
 * can stop the others, as a sum over them would. */
static void hmc_unit_forward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    (void)k, (void)tile;
    y->data[0] = 0;
}

static void hmc_unit_backward(const elb_kernels *k, elb_tensor *y, int64_t tile)
{
    (void)k, (void)tile;
    for (int i = 0; i < 2; i++)
        for (int64_t r = 0; r < y->in[i]->rows * y->in[i]->cols; r++) y->in[i]->grad[r] = 1;
}

static const elb_op hmc_unit = {
    "unit gradients", {{elb_one_tile, hmc_unit_forward}}, {{elb_one_tile, hmc_unit_backward}}};

static void hmc_leapfrog(const elb_kernels *k, elb_hmc *h, int64_t row)
{
    struct elb_hmc_state *s = h->state;
    int64_t at = row * h->latent;
    elb_leapfrog step = {.t = (elb_real)s->move->t,
                         .limit = (elb_real)ELB_HMC_FORCE_MOST,
                         .kick = s->kick * h->step[row],
                         .drift = s->drift * h->step[row]};
    k->leapfrog(&step, h->latent, s->start_force + at, s->rise_force + at, s->v + at, h->z + at);
}

static void hmc_update(const elb_kernels *k, void *owner, int64_t at, int64_t count)
{
    elb_hmc *h = owner;
    if (h->state->kick == 0) return;
    for (int64_t row = at / h->latent; row < (at + count) / h->latent; row++) hmc_leapfrog(k, h, row);
}

elb_status elb_hmc_begin(elb_hmc *h, int64_t chains, int64_t data, elb_tensor **start_z, elb_tensor **rise_z)
{
    struct elb_hmc_state *s = h->state;
    int64_t shape[] = {chains, data, h->latent};
    if (chains * data > h->rows_most)
        return elb_fail(h->context, ELB_USAGE, "%lld chains of %lld data are more than the %lld rows there is room for",
                        (long long)chains, (long long)data, (long long)h->rows_most);
    h->chains = chains;
    h->data = data;
    h->rows = chains * data;
    ELB_TRY(elb_tape_reset(h->tape));
    *start_z = elb_leaf(h->tape, "latent", h->z, s->start_force, 3, shape);
    *rise_z = elb_leaf(h->tape, "latent", h->z, s->rise_force, 3, shape);
    if (*rise_z != NULL) (*rise_z)->update = &s->update;
    return ELB_OK;
}

elb_status elb_hmc_record(elb_hmc *h, elb_tensor *start, elb_tensor *rise)
{
    h->start = start;
    h->rise = rise;
    h->state->loss =
        elb_sparing(elb_node(h->tape, &hmc_unit, 0, NULL, 2, (elb_tensor *[]){start, rise}), ELB_SPARES_ALL);
    return elb_hmc_look(h);
}

elb_status elb_hmc_look(elb_hmc *h)
{
    h->state->kick = h->state->drift = 0;
    return elb_tape_run(h->tape, h->state->loss);
}

/* --- a move ------------------------------------------------------------------------------------------------------- */

static double hmc_energy(const elb_hmc *h, int64_t row)
{
    const struct elb_hmc_state *s = h->state;
    const elb_real *v = s->v + row * h->latent;
    double density = (double)h->start->data[row] + s->move->t * (double)h->rise->data[row];
    return (double)s->machine->kernels->dot(h->latent, v, v) / 2 - density;
}

static elb_stream hmc_stream(const elb_hmc *h, int64_t row)
{
    const elb_hmc_move *m = h->state->move;
    return (elb_stream){m->key, m->datum[row % h->data], m->chain + (uint32_t)(row / h->data)};
}

static void hmc_copy(const elb_hmc *h, int64_t row, elb_real *to, const elb_real *from)
{
    memcpy(to + row * h->latent, from + row * h->latent, (size_t)h->latent * sizeof *to);
}

static void hmc_set_out(elb_hmc *h, int64_t row)
{
    struct elb_hmc_state *s = h->state;
    hmc_copy(h, row, s->kept_z, h->z);
    hmc_copy(h, row, s->kept_start_force, s->start_force);
    hmc_copy(h, row, s->kept_rise_force, s->rise_force);
    s->kept_start[row] = h->start->data[row];
    s->kept_rise[row] = h->rise->data[row];
    s->machine->kernels->normal(hmc_stream(h, row), h->latent, s->v + row * h->latent);
    s->energy[row] = hmc_energy(h, row);
    hmc_leapfrog(s->machine->kernels, h, row);
}

static void hmc_decide(elb_hmc *h, int64_t row)
{
    struct elb_hmc_state *s = h->state;
    elb_stream at = hmc_stream(h, row);
    elb_real u;
    at.key += UINT64_C(0x9E3779B97F4A7C15); /* a stream beside the momentum's */
    s->machine->kernels->uniform(at, 1, &u);
    double ratio = exp(s->energy[row] - hmc_energy(h, row));
    h->chance[row] = ratio > 1 ? 1 : ratio > 0 ? ratio : 0; /* 0 for NaN */
    h->accepted[row] = (double)u < h->chance[row];
    if (h->accepted[row]) return;
    hmc_copy(h, row, h->z, s->kept_z);
    hmc_copy(h, row, s->start_force, s->kept_start_force);
    hmc_copy(h, row, s->rise_force, s->kept_rise_force);
    h->start->data[row] = s->kept_start[row];
    h->rise->data[row] = s->kept_rise[row];
}

static void hmc_walk(void *argument, int thread)
{
    elb_hmc *h = argument;
    int64_t threads = h->state->threads;
    for (int64_t row = h->rows * thread / threads; row < h->rows * (thread + 1) / threads; row++)
        h->state->each(h, row);
}

static void hmc_each(elb_hmc *h, void (*each)(elb_hmc *h, int64_t row))
{
    elb_pool *pool = h->state->machine->pool;
    h->state->each = each;
    h->state->threads = elb_pool_team(pool);
    if (h->state->threads > 1)
        elb_pool_run(pool, hmc_walk, h);
    else
        elb_pool_run_alone(pool, hmc_walk, h);
}

elb_status elb_hmc_move_all(elb_hmc *h, const elb_hmc_move *move)
{
    struct elb_hmc_state *s = h->state;
    s->move = move;
    s->kick = (elb_real)0.5;
    s->drift = 1;
    hmc_each(h, hmc_set_out);
    for (int64_t i = 1; i <= move->leapfrog; i++) {
        bool last = i == move->leapfrog;
        s->kick = last ? (elb_real)0.5 : 1;
        s->drift = last ? 0 : 1;
        ELB_TRY(last ? elb_tape_run(h->tape, s->loss) : elb_tape_run_gradient(h->tape, s->loss));
    }
    hmc_each(h, hmc_decide);
    return ELB_OK;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static elb_status hmc_allocate(elb_hmc *h)
{
    elb_context *c = h->context;
    struct elb_hmc_state *s = h->state = elb_alloc(c, 1, sizeof *s);
    if (s == NULL) return ELB_MEMORY;
    ELB_TRY(elb_machine_of(c, &s->machine));
    ELB_TRY(elb_tape_create(c, &h->tape));
    elb_tape_fix_rows(h->tape);
    s->update = (elb_update){hmc_update, h};
    elb_real **const wide[] = {&h->z,      &s->start_force,      &s->rise_force,     &s->v,
                               &s->kept_z, &s->kept_start_force, &s->kept_rise_force};
    elb_real **const narrow[] = {&h->step, &s->kept_start, &s->kept_rise};
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if ((*wide[i] = elb_alloc(c, h->rows_most * h->latent, sizeof **wide[i])) == NULL) return ELB_MEMORY;
    for (size_t i = 0; i < sizeof narrow / sizeof *narrow; i++)
        if ((*narrow[i] = elb_alloc(c, h->rows_most, sizeof **narrow[i])) == NULL) return ELB_MEMORY;
    h->chance = elb_alloc(c, h->rows_most, sizeof *h->chance);
    s->energy = elb_alloc(c, h->rows_most, sizeof *s->energy);
    h->accepted = elb_alloc(c, h->rows_most, sizeof *h->accepted);
    return h->chance != NULL && s->energy != NULL && h->accepted != NULL ? ELB_OK : ELB_MEMORY;
}

elb_status elb_hmc_create(elb_context *c, int64_t rows, int64_t latent, elb_hmc **hmc)
{
    *hmc = NULL;
    elb_hmc *h = elb_alloc(c, 1, sizeof *h);
    if (h == NULL) return ELB_MEMORY;
    h->context = c;
    h->rows_most = rows;
    h->latent = latent;
    elb_status status = hmc_allocate(h);
    if (status != ELB_OK) {
        elb_hmc_destroy(h);
        return status;
    }
    *hmc = h;
    return ELB_OK;
}

void elb_hmc_destroy(elb_hmc *h)
{
    if (h == NULL) return;
    elb_context *c = h->context;
    struct elb_hmc_state *s = h->state;
    if (s != NULL) {
        void *const blocks[] = {s->start_force,     s->rise_force, s->v,         s->kept_z, s->kept_start_force,
                                s->kept_rise_force, s->kept_start, s->kept_rise, s->energy};
        for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) elb_free(c, blocks[i]);
    }
    elb_free(c, s);
    elb_tape_destroy(h->tape);
    elb_free(c, h->z);
    elb_free(c, h->step);
    elb_free(c, h->chance);
    elb_free(c, h->accepted);
    elb_free(c, h);
}
