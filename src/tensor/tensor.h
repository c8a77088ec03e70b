/* tensor.h - tensors on a tape: record, run forward, run reverse.
 *
 * Builders record nodes and compute nothing; elb_tape_run then computes every node in order and, from a loss, the
 * gradients, with all threads walking the tape together. An op is a table of phases; a phase is cut into tiles by the
 * problem's size alone and threads share out the tiles, so results never depend on the number of threads.
 *
 * Builders are sticky on errors: after the first failure they accept and return NULL, and elb_tape_run returns that
 * first failure with its message. All tensors are contiguous, row-major. Reverse mode is first order. */
#ifndef ELB_TENSOR_H
#define ELB_TENSOR_H

#include "kernels/pool.h"

enum { ELB_RANK_MAX = 4, ELB_INPUT_MAX = 3, ELB_PHASE_MAX = 3 };

typedef struct elb_tape elb_tape;
typedef struct elb_tensor elb_tensor;

/* Work that needs a barrier before and after it, none inside. */
typedef struct elb_phase {
    int64_t (*tiles)(const elb_tensor *y); /* from shapes alone */
    void (*run)(const elb_kernels *k, elb_tensor *y, int64_t tile);
} elb_phase;

/* backward reads y->grad and, for every input i with y->in[i]->grad, stores (or, where y->accumulate[i], adds) the
 * gradient. Phases with a NULL `run` are absent. */
typedef struct elb_op {
    const char *name;
    elb_phase forward[ELB_PHASE_MAX], backward[ELB_PHASE_MAX];
} elb_op;

/* Data that a node's backward never reads: it can do without their values (elb_tape_run_gradient). */
typedef enum elb_spares {
    ELB_SPARES_NOTHING,
    ELB_SPARES_RESULT,
    ELB_SPARES_ALL /* the result, the inputs */
} elb_spares;

/* What is done to a parameter as soon as its gradient is complete, tile by tile on the thread that computed it: numbers
 * at .. at+count-1 of the owner's block. */
typedef struct elb_update {
    void (*run)(const elb_kernels *k, void *owner, int64_t at, int64_t count);
    void *owner;
} elb_update;

struct elb_tensor {
    elb_tape *tape;
    const elb_op *op; /* NULL: a leaf */
    const char *name; /* for messages; NULL: the op's name */
    int rank;
    int64_t shape[ELB_RANK_MAX];
    int64_t rows, cols;    /* cols: the last dimension; rows: the product of the others (1 for a vector or scalar) */
    elb_real *data, *grad; /* grad NULL: no gradient wanted here */
    elb_tensor *in[ELB_INPUT_MAX];
    bool needs_grad;
    bool reached; /* by the reverse pass from the loss */
    elb_spares spares;
    bool kept;                      /* its value is read otherwise than as a node's input */
    bool idle;                      /* no gradient depends on its value */
    bool accumulate[ELB_INPUT_MAX]; /* in[i]->grad already holds a value */
    union {
        int64_t i[4];
        elb_real r[4];
        const void *p[4];
    } with;                   /* the op's constants */
    const elb_update *update; /* leaves only; NULL: none */
    int64_t update_at;        /* where the leaf begins in the owner's block */
    elb_tensor *completed_by; /* the node whose backward completes this leaf's gradient */
    bool shared;              /* another leaf has the same numbers: an update waits until nobody reads them */
    elb_tensor *late;         /* a tensor recorded later that backward reads (elb_scale_gradient) */
    elb_real *scratch;
};

elb_status elb_tape_create(elb_context *c, elb_tape **tape);
void elb_tape_destroy(elb_tape *t);
/* Forgets every tensor; keeps the memory. The same step again then allocates nothing from the heap. */
elb_status elb_tape_reset(elb_tape *t);
/* Computes every node; with a loss (one element), then the gradients of all leaves that have `grad`, and their updates.
 * May be repeated after the leaves' data have changed. ELB_NUMERIC when the loss is not finite: names the first
 * non-finite tensor, and nothing was updated. */
elb_status elb_tape_run(elb_tape *t, elb_tensor *loss);
/* After a run with this loss, and the leaves' data have changed: the gradients and updates alone. Values that they do
 * not depend on, the loss perhaps among them, stay as they were. */
elb_status elb_tape_run_gradient(elb_tape *t, elb_tensor *loss);
elb_context *elb_tape_context(const elb_tape *t);
const elb_machine *elb_tape_machine(const elb_tape *t);
int64_t elb_tape_bytes(const elb_tape *t); /* heap memory held */
/* Rows of every elb_linear, and of its input's gradient, are computed in blocks of one fixed height, so that a row's
 * bits do not depend on how many rows there are. Slower for small batches; evaluation uses it. Weights without a
 * gradient must keep their values from the first run until the tape is reset. */
void elb_tape_fix_rows(elb_tape *t);
void elb_tape_free_rows(elb_tape *t); /* undoes it */
bool elb_tape_rows_fixed(const elb_tape *t);
bool elb_tape_fresh(const elb_tape *t); /* something was recorded since the last run that went well */

/* --- leaves ------------------------------------------------------------------------------------------------------- */
/* Over the caller's memory; grad NULL for a constant. The same data, gradient and shape again are the same tensor. */
elb_tensor *elb_leaf(elb_tape *t, const char *name, elb_real *data, elb_real *grad, int rank, const int64_t *shape);
/* Over the tape's memory, to be filled before the run. with_grad: the gradient is wanted. */
elb_tensor *elb_input(elb_tape *t, const char *name, bool with_grad, int rank, const int64_t *shape);

/* --- building ops (for the files that define them) ---------------------------------------------------------------- */
/* A node with its output in the arena. Inputs may be NULL only past the last one; if one of the first `inputs` is NULL
 * the tape has failed already and NULL is returned. */
elb_tensor *elb_node(elb_tape *t, const elb_op *op, int rank, const int64_t *shape, int inputs, elb_tensor *const *in);
/* Records the tape's first failure; returns NULL. */
elb_tensor *elb_tape_fail(elb_tape *t, elb_status status, const char *format, ...) ELB_PRINTF(3, 4);
bool elb_tape_failed(const elb_tape *t);
void *elb_tape_alloc(elb_tape *t, int64_t count, size_t size); /* arena memory; NULL after recording the failure */
elb_tensor *elb_named(elb_tensor *x, const char *name);        /* x may be NULL */
bool elb_finite(const elb_tensor *x);                          /* every number of it */
elb_tensor *elb_sparing(elb_tensor *y, elb_spares spares);     /* y may be NULL */
/* "[100,784]" for messages, into one of the tape's buffers. */
const char *elb_shape_text(const elb_tensor *x, char text[64]);

/* Tiles of whole rows, about ELB_TILE elements each; where rows are ELB_TILE_MANY or more, at least ELB_TILE_ROWS of
 * them, as elb_linear cuts fixed rows: so the thread that computed a row goes on with it. */
enum { ELB_TILE = 2048, ELB_TILE_ROWS = 64, ELB_TILE_MANY = 4 * ELB_TILE_ROWS };
int64_t elb_row_tiles(const elb_tensor *y);
void elb_row_range(int64_t rows, int64_t cols, int64_t tile, int64_t *begin, int64_t *end);
/* The first backward phase of layers that end in the activation with.i[0], one told by its result alone: y->grad
 * becomes the gradient of what went into it, in place. */
int64_t elb_slope_tiles(const elb_tensor *y);
void elb_slope(const elb_kernels *k, elb_tensor *y, int64_t tile);
int64_t elb_range_tiles(int64_t rows, int64_t cols);
int64_t elb_one_tile(const elb_tensor *y);
/* How the rows of a weight matrix (or a vector, as one row) are shared out, wherever they are read by
 * rows, their gradient is computed, or they are updated: the same thread meets the same rows each time,
 * and they stay in its cache. */
int64_t elb_weight_tiles(const elb_tensor *w);
void elb_weight_range(const elb_tensor *w, int64_t tile, int64_t *begin, int64_t *end);

/* --- ops: shapes in the comments; S samples, B batch, n any width ------------------------------------------------- */
/* act(x W^T + b): x [..,n], W [m,n], b [m] or NULL -> [..,m] */
elb_tensor *elb_linear(elb_tape *t, elb_tensor *x, elb_tensor *w, elb_tensor *b, elb_activation act);
/* The same with every datum's own weights: x [..,B,n], w [B,P] -> [..,B,out]. Row b of w holds, from column `at` on,
 * W_b [out,n] and then b_b [out]. */
elb_tensor *elb_linear_each(elb_tape *t, elb_tensor *x, elb_tensor *w, int64_t at, int64_t out, elb_activation act);
/* The same for `groups` layers side by side, each with columns of its own: x [..,groups*n], W [groups*m,n],
 * b [groups*m] or NULL -> [..,groups*m] */
elb_tensor *elb_grouped_linear(elb_tape *t, elb_tensor *x, elb_tensor *w, elb_tensor *b, int64_t groups,
                               elb_activation act);
/* Elementwise; one operand may be broadcast: its shape is a suffix of the other's, or one element. */
elb_tensor *elb_add(elb_tape *t, elb_tensor *a, elb_tensor *b);
elb_tensor *elb_sub(elb_tape *t, elb_tensor *a, elb_tensor *b);
elb_tensor *elb_mul(elb_tape *t, elb_tensor *a, elb_tensor *b);
elb_tensor *elb_affine(elb_tape *t, elb_tensor *x, double scale, double shift); /* scale*x + shift */
elb_tensor *elb_apply(elb_tape *t, elb_unary f, elb_tensor *x);
elb_tensor *elb_activate(elb_tape *t, elb_activation act, elb_tensor *x);
/* min(max(x, low), high); no gradient passes where it was clamped. */
elb_tensor *elb_clamp(elb_tape *t, elb_tensor *x, double low, double high);
/* Reductions. */
elb_tensor *elb_sum_last(elb_tape *t, elb_tensor *x);     /* [..,n] -> [..] */
elb_tensor *elb_mean_all(elb_tape *t, elb_tensor *x);     /* [..] -> one element */
elb_tensor *elb_mean_first(elb_tape *t, elb_tensor *x);   /* [S,..] -> [..] */
elb_tensor *elb_log_mean_exp(elb_tape *t, elb_tensor *x); /* [S,..] -> [..], over the first axis */
elb_tensor *elb_softmax_first(elb_tape *t,
                              elb_tensor *x); /* [S,..] -> [S,..], over the first axis; no gradient flows */
/* Over every `width` columns of the last axis: [..,n width] -> [..,n]. */
elb_tensor *elb_sum_squares(elb_tape *t, elb_tensor *x, int64_t width);
/* Columns [begin, begin+count) of the last axis. */
elb_tensor *elb_columns(elb_tape *t, elb_tensor *x, int64_t begin, int64_t count);
/* The same numbers in another shape. */
elb_tensor *elb_reshape(elb_tape *t, elb_tensor *x, int rank, const int64_t *shape);
/* a [..,n] and b [..,m], whose rows repeat beside those of a -> [..,n+m]. */
elb_tensor *elb_join(elb_tape *t, elb_tensor *a, elb_tensor *b);
/* w [m,n] with columns hidden[2r] .. hidden[2r+1]-1 of row r at zero, there and in the gradient. `hidden` [m,2]
 * must live until the run. */
elb_tensor *elb_mask(elb_tape *t, elb_tensor *w, const int64_t *hidden);
/* x [n] or one element, repeated to the given shape. */
elb_tensor *elb_broadcast(elb_tape *t, elb_tensor *x, int rank, const int64_t *shape);
/* The same values; no gradient passes. */
elb_tensor *elb_stop_gradient(elb_tape *t, elb_tensor *x);
/* The same values; the gradient of row r is multiplied by weight[r] on its way back. The weight, recorded LATER, is
 * given by elb_scale_gradient_by: DReG weighs the gradient by what is computed downstream of it. */
elb_tensor *elb_scale_gradient(elb_tape *t, elb_tensor *x);
void elb_scale_gradient_by(elb_tensor *scaled, elb_tensor *weight); /* weight: one element per row of `scaled` */

/* --- normalising flows: z [..,n]; mc [..,2n] holds for every coordinate a shift m, then, n columns on, a scale's c  */
typedef enum elb_flow_form {
    ELB_FLOW_GATED,  /* sg(c) z + (1 - sg(c)) m, sg the sigmoid; log-determinant: the sum of log sg(c) */
    ELB_FLOW_AFFINE, /* exp(c) z + m; sum of c */
    ELB_FLOW_SCALED  /* sg(c) z + m; sum of log sg(c) */
} elb_flow_form;
elb_tensor *elb_flow_step(elb_tape *t, elb_tensor *z, elb_tensor *mc, elb_flow_form form); /* -> [..,n] */
/* Its inverse: the z that makes y. */
elb_tensor *elb_flow_undo(elb_tape *t, elb_tensor *y, elb_tensor *mc, elb_flow_form form);
elb_tensor *elb_flow_log_det(elb_tape *t, elb_tensor *mc, elb_flow_form form); /* -> [..] */
/* z - 2 v (v.z)/(v.v): z [..,B,n], v [B,n] -> [..,B,n]. Its own inverse; a v shorter than 1e-6 reflects nothing. */
elb_tensor *elb_flow_reflect(elb_tape *t, elb_tensor *z, elb_tensor *v);

/* --- noise -------------------------------------------------------------------------------------------------------- */
/* Where a batch's random numbers come from: the same (key, datum, draw) give the same numbers in any batch. */
typedef struct elb_noise {
    uint64_t key;          /* elb_stream_key(...) */
    const uint64_t *datum; /* [B], the data's indices; must live until the run */
    uint32_t draw;         /* number of the first sample */
    const uint32_t *step;  /* read at every run and added to draw: a tape run again draws anew; NULL: it does not */
    int64_t samples;       /* S */
    int64_t whole; /* of how many samples, draw 0 the first, these are a part: for families that share out all of
                            * them evenly; 0: these are all */
    const elb_real *fixed; /* instead of random numbers: [S,B,n], for tests; NULL otherwise */
} elb_noise;
/* Standard normal [S,B,n]; `lane` separates several tensors drawn for one datum and draw. */
elb_tensor *elb_noise_normal(elb_tape *t, const elb_noise *noise, int64_t batch, int64_t n, uint32_t lane);
/* The key of a lane, for ops that draw by themselves. */
uint64_t elb_noise_key(const elb_noise *noise, uint32_t lane);

/* Every op, NULL at the end; a test walks it and fails for an op without a gradient check. */
extern const elb_op *const elb_tensor_ops[];

#endif
