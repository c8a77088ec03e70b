#include "nn/made.h"

elb_status elb_made_init(elb_made *made, elb_params *params, const char *prefix, elb_net_kind kind, int64_t size,
                         int64_t context, const elb_ints *hidden, bool reversed)
{
    made->size = size;
    made->reversed = reversed;
    return elb_mlp_init(&made->mlp, params, prefix, kind, size + context, hidden, 2 * size);
}

void elb_made_reset(elb_made *made, const elb_kernels *k, uint64_t key)
{
    elb_mlp_reset(&made->mlp, k, key);
}

/* The highest degree that row r of layer i sees. Hidden units stand in the order of their degrees, so what a row sees
 * is a range of columns. */
static int64_t made_sight(const elb_made *made, int64_t i, int64_t r)
{
    int64_t n = made->size;
    if (i < made->mlp.layers - 1) return r * n / made->mlp.layer[i].out;
    return made->reversed ? n - 1 - r % n : r % n;
}

/* The columns of layer i that a row does not see, when it sees degrees up to g. */
static void made_hide(const elb_made *made, int64_t i, int64_t g, int64_t hidden[2])
{
    int64_t n = made->size, units = made->mlp.layer[i].in;
    if (i == 0) {
        hidden[0] = made->reversed ? 0 : g;
        hidden[1] = made->reversed ? n - g : n;
    } else { /* unit k has degree k n / units, rounded down */
        hidden[0] = ((g + 1) * units + n - 1) / n;
        hidden[1] = units;
    }
}

static elb_tensor *made_weight(elb_made *made, elb_tape *t, int64_t i)
{
    elb_tensor *w = elb_params_leaf(made->mlp.params, t, made->mlp.layer[i].weight);
    int64_t *hidden = elb_tape_alloc(t, 2 * made->mlp.layer[i].out, sizeof *hidden);
    if (w == NULL || hidden == NULL) return NULL;
    for (int64_t r = 0; r < w->rows; r++) made_hide(made, i, made_sight(made, i, r), hidden + 2 * r);
    return elb_mask(t, w, hidden);
}

elb_tensor *elb_made_apply(elb_made *made, elb_tape *t, elb_tensor *z, elb_tensor *context)
{
    elb_tensor *h = context != NULL ? elb_join(t, z, context) : z;
    for (int64_t i = 0; i < made->mlp.layers; i++)
        h = elb_linear(t, h, made_weight(made, t, i), elb_params_leaf(made->mlp.params, t, made->mlp.layer[i].bias),
                       i == made->mlp.layers - 1 ? ELB_LINEAR : elb_mlp_activation(made->mlp.kind));
    return h;
}
