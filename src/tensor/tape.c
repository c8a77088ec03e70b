#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tensor/tensor.h"

typedef struct tape_entry {
    const elb_phase *phase;
    elb_tensor *node;
    int64_t tiles;
    bool barrier; /* before this entry */
} tape_entry;

struct elb_tape {
    elb_context *context;
    const elb_machine *machine;
    elb_arena *arena;
    elb_tensor **nodes; /* grows; kept over resets */
    int64_t count, capacity;
    tape_entry *schedule; /* of the run in progress; kept while no node is added */
    int64_t entries, scheduled;
    int64_t reverse; /* the entry that the reverse pass begins with */
    const elb_tensor *loss;
    bool parallel; /* some entry has more than one tile */
    int threads;   /* that walk the schedule in this run */
    bool fixed_rows;
    bool fresh; /* recorded, and not yet run */
    elb_status status;
};

elb_status elb_tape_create(elb_context *c, elb_tape **tape)
{
    *tape = NULL;
    const elb_machine *machine;
    ELB_TRY(elb_machine_of(c, &machine));
    elb_tape *t = elb_alloc(c, 1, sizeof *t);
    if (t == NULL) return ELB_MEMORY;
    t->context = c;
    t->machine = machine;
    t->scheduled = -1;
    elb_status status = elb_arena_create(c, &t->arena);
    if (status != ELB_OK) {
        elb_free(c, t);
        return status;
    }
    *tape = t;
    return ELB_OK;
}

void elb_tape_destroy(elb_tape *t)
{
    if (t == NULL) return;
    elb_arena_destroy(t->arena);
    elb_free(t->context, t->nodes);
    elb_free(t->context, t);
}

elb_status elb_tape_reset(elb_tape *t)
{
    t->count = 0;
    t->scheduled = -1;
    t->status = ELB_OK;
    return elb_arena_reset(t->arena);
}

elb_context *elb_tape_context(const elb_tape *t)
{
    return t->context;
}

const elb_machine *elb_tape_machine(const elb_tape *t)
{
    return t->machine;
}

int64_t elb_tape_bytes(const elb_tape *t)
{
    return elb_arena_bytes(t->arena) + t->capacity * (int64_t)sizeof *t->nodes;
}

void elb_tape_fix_rows(elb_tape *t)
{
    t->fixed_rows = true;
}

void elb_tape_free_rows(elb_tape *t)
{
    t->fixed_rows = false;
}

bool elb_tape_rows_fixed(const elb_tape *t)
{
    return t->fixed_rows;
}

bool elb_tape_fresh(const elb_tape *t)
{
    return t->fresh;
}

/* --- recording ---------------------------------------------------------------------------------------------------- */

elb_tensor *elb_tape_fail(elb_tape *t, elb_status status, const char *format, ...)
{
    if (t->status != ELB_OK) return NULL; /* the first failure is the one to report */
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    t->status = elb_fail(t->context, status, "%s", text);
    return NULL;
}

bool elb_tape_failed(const elb_tape *t)
{
    return t->status != ELB_OK;
}

void *elb_tape_alloc(elb_tape *t, int64_t count, size_t size)
{
    if (t->status != ELB_OK) return NULL;
    void *block = elb_arena_alloc(t->arena, count, size);
    if (block == NULL) t->status = ELB_MEMORY;
    return block;
}

elb_tensor *elb_named(elb_tensor *x, const char *name)
{
    if (x != NULL) x->name = name;
    return x;
}

elb_tensor *elb_sparing(elb_tensor *y, elb_spares spares)
{
    if (y != NULL) y->spares = spares;
    return y;
}

const char *elb_shape_text(const elb_tensor *x, char text[64])
{
    int used = snprintf(text, 64, "[");
    for (int i = 0; i < x->rank && used < 60; i++)
        used += snprintf(text + used, (size_t)(64 - used), "%s%lld", i > 0 ? "," : "", (long long)x->shape[i]);
    if (used < 63) snprintf(text + used, (size_t)(64 - used), "]");
    return text;
}

static elb_tensor *tape_record(elb_tape *t, int rank, const int64_t *shape)
{
    if (t->status != ELB_OK) return NULL;
    if (t->count == t->capacity) {
        int64_t capacity = t->capacity > 0 ? 2 * t->capacity : 64;
        elb_tensor **nodes = elb_resize(t->context, t->nodes, capacity, sizeof *nodes);
        if (nodes == NULL) {
            t->status = ELB_MEMORY;
            return NULL;
        }
        t->nodes = nodes;
        t->capacity = capacity;
    }
    elb_tensor *x = elb_tape_alloc(t, 1, sizeof *x);
    if (x == NULL) return NULL;
    memset(x, 0, sizeof *x);
    x->tape = t;
    x->rank = rank;
    x->rows = 1;
    x->cols = 1;
    for (int i = 0; i < rank; i++) {
        x->shape[i] = shape[i];
        if (shape[i] < 0 || !elb_mul_fits(x->rows, shape[i], &(int64_t){0}))
            return elb_tape_fail(t, ELB_MEMORY, "a tensor of this shape is too large to address");
        if (i < rank - 1)
            x->rows *= shape[i];
        else
            x->cols = shape[i];
    }
    t->nodes[t->count++] = x;
    t->fresh = true;
    return x;
}

/* The leaf that is this one, if the tape has it: of two, each would store its part of the gradient where the second
 * must add. Others over the same numbers are marked. */
static elb_tensor *tape_leaf_again(const elb_tape *t, const elb_real *data, const elb_real *grad, int rank,
                                   const int64_t *shape, bool *shared)
{
    *shared = false;
    for (int64_t i = 0; i < t->count && data != NULL; i++) {
        elb_tensor *x = t->nodes[i];
        if (x->op != NULL || x->data != data) continue;
        bool same = x->grad == grad && x->rank == rank;
        if (same && (rank == 0 || memcmp(x->shape, shape, (size_t)rank * sizeof *shape) == 0)) return x;
        *shared = x->shared = true;
    }
    return NULL;
}

elb_tensor *elb_leaf(elb_tape *t, const char *name, elb_real *data, elb_real *grad, int rank, const int64_t *shape)
{
    bool shared;
    elb_tensor *x = tape_leaf_again(t, data, grad, rank, shape, &shared);
    if (x != NULL || (x = tape_record(t, rank, shape)) == NULL) return x;
    x->name = name;
    x->data = data;
    x->grad = grad;
    x->needs_grad = grad != NULL;
    x->shared = shared;
    return x;
}

elb_tensor *elb_input(elb_tape *t, const char *name, bool with_grad, int rank, const int64_t *shape)
{
    elb_tensor *x = elb_leaf(t, name, NULL, NULL, rank, shape);
    if (x == NULL) return NULL;
    x->data = elb_tape_alloc(t, x->rows * x->cols, sizeof *x->data);
    if (with_grad) x->grad = elb_tape_alloc(t, x->rows * x->cols, sizeof *x->grad);
    x->needs_grad = with_grad;
    return t->status == ELB_OK ? x : NULL;
}

elb_tensor *elb_node(elb_tape *t, const elb_op *op, int rank, const int64_t *shape, int inputs, elb_tensor *const *in)
{
    for (int i = 0; i < inputs; i++)
        if (in[i] == NULL) return NULL;
    elb_tensor *y = tape_record(t, rank, shape);
    if (y == NULL) return NULL;
    y->op = op;
    y->data = elb_tape_alloc(t, y->rows * y->cols, sizeof *y->data);
    if (y->data == NULL) return NULL;
    for (int i = 0; i < inputs; i++) {
        y->in[i] = in[i];
        y->needs_grad = y->needs_grad || in[i]->needs_grad;
    }
    return y;
}

/* --- tiles -------------------------------------------------------------------------------------------------------- */

static bool tape_many_rows(int64_t rows, int64_t cols)
{
    return rows >= ELB_TILE_MANY && cols * ELB_TILE_ROWS >= ELB_TILE;
}

int64_t elb_range_tiles(int64_t rows, int64_t cols)
{
    if (tape_many_rows(rows, cols)) return (rows + ELB_TILE_ROWS - 1) / ELB_TILE_ROWS;
    int64_t tiles = (rows * cols + ELB_TILE - 1) / ELB_TILE;
    return tiles < 1 ? 1 : tiles > rows ? (rows > 0 ? rows : 1) : tiles;
}

void elb_row_range(int64_t rows, int64_t cols, int64_t tile, int64_t *begin, int64_t *end)
{
    int64_t tiles = elb_range_tiles(rows, cols);
    if (tape_many_rows(rows, cols)) {
        *begin = tile * ELB_TILE_ROWS;
        *end = tile < tiles - 1 ? *begin + ELB_TILE_ROWS : rows;
    } else {
        *begin = rows * tile / tiles;
        *end = rows * (tile + 1) / tiles;
    }
}

int64_t elb_row_tiles(const elb_tensor *y)
{
    return elb_range_tiles(y->rows, y->cols);
}

int64_t elb_one_tile(const elb_tensor *y)
{
    (void)y;
    return 1;
}

enum { WEIGHT_SMALL = 4096, WEIGHT_TALL = 512, WEIGHT_GRAIN = 8 };

static int64_t weight_tile_rows(const elb_tensor *w)
{
    int64_t pieces = w->rows * w->cols < WEIGHT_SMALL ? 1 : w->rows >= WEIGHT_TALL ? 4 : 2;
    int64_t rows = (w->rows + pieces - 1) / pieces;
    return (rows + WEIGHT_GRAIN - 1) / WEIGHT_GRAIN * WEIGHT_GRAIN;
}

int64_t elb_weight_tiles(const elb_tensor *w)
{
    int64_t rows = weight_tile_rows(w);
    return w->rows * w->cols > 0 ? (w->rows + rows - 1) / rows : 0;
}

void elb_weight_range(const elb_tensor *w, int64_t tile, int64_t *begin, int64_t *end)
{
    int64_t rows = weight_tile_rows(w);
    *begin = tile * rows;
    *end = *begin + rows < w->rows ? *begin + rows : w->rows;
}

static void tape_update(const elb_kernels *k, elb_tensor *x, int64_t tile)
{
    int64_t begin, end;
    elb_weight_range(x, tile, &begin, &end);
    x->update->run(k, x->update->owner, x->update_at + begin * x->cols, (end - begin) * x->cols);
}

static const elb_phase tape_update_phase = {elb_weight_tiles, tape_update};

/* --- running ------------------------------------------------------------------------------------------------------ */

/* Marks what the loss reaches, gives it gradients, and settles who stores first and who adds. */
static elb_status tape_prepare_reverse(elb_tape *t, elb_tensor *loss)
{
    for (int64_t i = 0; i < t->count; i++) t->nodes[i]->reached = false;
    if (!loss->needs_grad) return elb_fail(t->context, ELB_FAILURE, "the loss does not depend on anything trainable");
    if (loss->rows * loss->cols != 1)
        return elb_fail(t->context, ELB_FAILURE, "a loss has one element, this one has %lld",
                        (long long)(loss->rows * loss->cols));
    loss->reached = true;
    for (int64_t i = t->count - 1; i >= 0; i--) {
        elb_tensor *y = t->nodes[i];
        if (!y->reached || y->op == NULL) continue;
        if (y->grad == NULL) y->grad = elb_tape_alloc(t, y->rows * y->cols, sizeof *y->grad);
        for (int j = 0; j < ELB_INPUT_MAX && y->in[j] != NULL; j++) {
            elb_tensor *x = y->in[j];
            if (!x->needs_grad) continue;
            y->accumulate[j] = x->reached;
            x->reached = true;
            x->completed_by = y;
            if (x->grad == NULL) x->grad = elb_tape_alloc(t, x->rows * x->cols, sizeof *x->grad);
        }
    }
    if (t->status != ELB_OK) return t->status;
    for (int64_t i = 0; i < t->count; i++) {
        elb_tensor *x = t->nodes[i];
        if (x->op == NULL && x->needs_grad && !x->reached)
            memset(x->grad, 0, (size_t)(x->rows * x->cols) * sizeof *x->grad);
    }
    loss->grad[0] = 1;
    return ELB_OK;
}

/* Settles which values the reverse pass does without: none that is computed depends on them, and no gradient. */
static void tape_mark_idle(elb_tape *t)
{
    for (int64_t i = 0; i < t->count; i++) t->nodes[i]->idle = !t->nodes[i]->kept;
    for (int64_t i = t->count - 1; i >= 0; i--) {
        elb_tensor *y = t->nodes[i];
        if (y->op == NULL) continue;
        if (y->reached && y->spares == ELB_SPARES_NOTHING) y->idle = false;
        if (y->idle && (!y->reached || y->spares == ELB_SPARES_ALL)) continue;
        for (int j = 0; j < ELB_INPUT_MAX && y->in[j] != NULL; j++) y->in[j]->idle = false;
    }
}

/* What the entries since the last barrier leave to be waited for. */
typedef enum tape_pending { TAPE_NOTHING, TAPE_FIRST_THREAD, TAPE_ALL_THREADS } tape_pending;

static void tape_schedule_entry(elb_tape *t, tape_pending *pending, const elb_phase *phase, elb_tensor *node)
{
    int64_t tiles = phase->tiles(node);
    if (tiles == 0) return;
    bool barrier = *pending == TAPE_ALL_THREADS || (*pending == TAPE_FIRST_THREAD && tiles > 1);
    if (barrier) *pending = TAPE_NOTHING;
    t->schedule[t->entries++] = (tape_entry){phase, node, tiles, barrier};
    t->parallel = t->parallel || tiles > 1;
    /* Nobody in this run waits for an update. */
    tape_pending leaves = phase == &tape_update_phase ? TAPE_NOTHING : tiles > 1 ? TAPE_ALL_THREADS : TAPE_FIRST_THREAD;
    if (leaves > *pending) *pending = leaves;
}

static void tape_schedule_node(elb_tape *t, tape_pending *pending, elb_tensor *node, const elb_phase *phases)
{
    for (int i = 0; i < ELB_PHASE_MAX; i++)
        if (phases[i].run != NULL) tape_schedule_entry(t, pending, &phases[i], node);
}

static void tape_schedule_reverse(elb_tape *t, tape_pending *pending, elb_tensor *y)
{
    tape_schedule_node(t, pending, y, y->op->backward);
    for (int j = 0; j < ELB_INPUT_MAX && y->in[j] != NULL; j++) {
        elb_tensor *x = y->in[j];
        if (x->update == NULL || x->shared || !x->needs_grad || x->completed_by != y) continue;
        tape_schedule_entry(t, pending, &tape_update_phase, x);
        x->completed_by = NULL; /* once, also when y takes x twice */
    }
}

static elb_status tape_schedule(elb_tape *t, elb_tensor *loss, bool values)
{
    if (t->scheduled != t->count) {
        t->schedule = elb_tape_alloc(t, (2 * ELB_PHASE_MAX + 1) * t->count, sizeof *t->schedule);
        if (t->schedule == NULL) return t->status;
        t->scheduled = t->count;
    }
    t->entries = 0;
    t->parallel = false;
    t->loss = loss;
    tape_pending pending = TAPE_NOTHING;
    for (int64_t i = 0; i < t->count; i++) {
        elb_tensor *y = t->nodes[i];
        if (y->op != NULL && (values || !y->idle)) tape_schedule_node(t, &pending, y, y->op->forward);
    }
    t->reverse = t->entries;
    if (loss == NULL) return ELB_OK;
    if (pending != TAPE_NOTHING) pending = TAPE_ALL_THREADS; /* every thread looks at the loss before it goes on */
    for (int64_t i = t->count - 1; i >= 0; i--)
        if (t->nodes[i]->op != NULL && t->nodes[i]->reached) tape_schedule_reverse(t, &pending, t->nodes[i]);
    for (int64_t i = 0; i < t->count; i++) {
        elb_tensor *x = t->nodes[i];
        if (x->update != NULL && x->shared && x->reached) tape_schedule_entry(t, &pending, &tape_update_phase, x);
    }
    return ELB_OK;
}

static void tape_walk(void *argument, int thread)
{
    elb_tape *t = argument;
    const elb_kernels *k = t->machine->kernels;
    int threads = t->threads;
    for (int64_t i = 0; i < t->entries; i++) {
        const tape_entry *e = &t->schedule[i];
        if (e->barrier && threads > 1) elb_pool_barrier(t->machine->pool, thread);
        if (i == t->reverse && !isfinite(t->loss->data[0])) return;
        /* Neighbouring tiles to one thread: the rows that it wrote in one phase are those it reads in the next. */
        int64_t begin = (e->tiles * thread + threads - 1) / threads;
        int64_t end = (e->tiles * (thread + 1) + threads - 1) / threads;
        for (int64_t tile = begin; tile < end; tile++) e->phase->run(k, e->node, tile);
    }
}

bool elb_finite(const elb_tensor *x)
{
    for (int64_t i = 0; i < x->rows * x->cols; i++)
        if (!isfinite(x->data[i])) return false;
    return true;
}

static elb_status tape_blame(elb_tape *t)
{
    for (int64_t i = 0; i < t->count; i++) {
        const elb_tensor *x = t->nodes[i];
        char shape[64];
        if (!elb_finite(x))
            return elb_fail(t->context, ELB_NUMERIC, "%s %s is the first tensor with a number that is not finite",
                            x->name != NULL ? x->name
                            : x->op != NULL ? x->op->name
                                            : "input",
                            elb_shape_text(x, shape));
    }
    return elb_fail(t->context, ELB_NUMERIC, "the loss is not finite");
}

static elb_status tape_run(elb_tape *t, elb_tensor *loss, bool values)
{
    if (t->status != ELB_OK) return t->status;
    if (loss != NULL) ELB_TRY(tape_prepare_reverse(t, loss));
    if (!values) tape_mark_idle(t);
    ELB_TRY(tape_schedule(t, loss, values));
    t->threads = t->parallel ? elb_pool_team(t->machine->pool) : 1;
    if (t->threads > 1)
        elb_pool_run(t->machine->pool, tape_walk, t);
    else
        elb_pool_run_alone(t->machine->pool, tape_walk, t);
    if (loss != NULL && !isfinite(loss->data[0])) return tape_blame(t);
    t->fresh = false;
    return ELB_OK;
}

elb_status elb_tape_run(elb_tape *t, elb_tensor *loss)
{
    return tape_run(t, loss, true);
}

elb_status elb_tape_run_gradient(elb_tape *t, elb_tensor *loss)
{
    return tape_run(t, loss, false);
}
