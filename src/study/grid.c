/* grid.c - a plan becomes the cells of a grid, and what makes no sense is refused before anything is trained. */
#include "study/grid.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <elbow/suggest.h>
#include <elbow/train.h>

/* --- one configuration -------------------------------------------------------------------------------------------- */

static elb_status grid_set_all(elb_config *config, const elb_pairs *pairs)
{
    for (int64_t i = 0; i < pairs->count; i++) ELB_TRY(elb_config_set(config, pairs->at[i].key, pairs->at[i].value));
    return ELB_OK;
}

static const char *grid_preset(const elb_plan *plan)
{
    if (*plan->top.preset) return plan->top.preset;
    for (int64_t m = 0; m < plan->count; m++)
        if (*plan->methods[m].options.preset) return plan->methods[m].options.preset;
    return "";
}

/* What distinguishes methods is their own preset's: posterior, refine, objective. All else is everybody's. */
static elb_status grid_take_shared(const elb_plan *plan, elb_config *config)
{
    elb_config *shared;
    const char *preset = grid_preset(plan);
    ELB_TRY(elb_config_create(plan->context, &shared));
    elb_status status = *preset ? elb_config_preset(shared, preset) : ELB_OK;
    config->data = shared->data;
    config->model = shared->model;
    config->likelihood = shared->likelihood;
    config->optimizer = shared->optimizer;
    config->schedule = shared->schedule;
    config->train = shared->train;
    elb_config_destroy(shared);
    return status;
}

/* Later ones win: the method's preset, what is shared, the plan's set, the method's set. */
static elb_status grid_configure(const elb_plan *plan, const elb_plan_method *method, int64_t seed, elb_config *config)
{
    const char *preset = *method->options.preset ? method->options.preset : grid_preset(plan);
    if (*preset) ELB_TRY(elb_config_preset(config, preset));
    ELB_TRY(grid_take_shared(plan, config));
    if (*plan->top.data) ELB_TRY(elb_config_set(config, "data.spec", plan->top.data));
    ELB_TRY(grid_set_all(config, &plan->set));
    ELB_TRY(grid_set_all(config, &method->set));
    config->top.seed = seed;
    if (*config->data.spec) return ELB_OK;
    return elb_fail(plan->context, ELB_USAGE, "no data is given: set data to a file, a folder or a name");
}

/* --- one cell ----------------------------------------------------------------------------------------------------- */

/* The index-th cell of the method that `name` is under `key` in a later one; their seeds are the same. */
static elb_status grid_refer(elb_grid *g, elb_cell *cell, const char *key, const char *name, int64_t index,
                             int64_t *other)
{
    const elb_plan_method *method = &g->plan->methods[cell->method];
    int64_t m = elb_plan_find(g->plan, name), seen = 0;
    if (m < 0 || m >= cell->method)
        return elb_fail(g->context, ELB_USAGE, "the method %s has '%s: %s', but no method before it is named %s",
                        method->name, key, name, name);
    for (*other = 0; *other < g->count; ++*other)
        if (g->cells[*other].method == m && seen++ == index) {
            cell->seed = g->cells[*other].seed;
            return ELB_OK;
        }
    return elb_fail(g->context, ELB_USAGE, "the method %s has '%s: %s' and %lld seeds, but %s has only %lld",
                    method->name, key, name, (long long)index + 1, name, (long long)seen);
}

static elb_status grid_cell_of(elb_grid *g, elb_cell *cell)
{
    const elb_plan_method *method = &g->plan->methods[cell->method];
    const elb_cell *source = &g->cells[cell->source];
    if (*method->options.from || *method->options.preset)
        return elb_fail(g->context, ELB_USAGE,
                        "the method %s evaluates the runs of %s and takes no 'from' and no 'preset'", method->name,
                        method->options.of);
    if (source->source >= 0)
        return elb_fail(g->context, ELB_USAGE,
                        "the method %s has 'of: %s', which has no runs of its own either; name %s", method->name,
                        method->options.of, g->plan->methods[g->cells[source->source].method].name);
    for (int64_t i = 0; i < method->set.count; i++)
        if (strncmp(method->set.at[i].key, "refine.", 7) != 0)
            return elb_fail(g->context, ELB_USAGE,
                            "the method %s evaluates the runs of %s, so it can set keys of refine only, "
                            "not %s",
                            method->name, method->options.of, method->set.at[i].key);
    cell->run = elb_strdup(g->context, source->run);
    ELB_TRY(cell->run ? ELB_OK : ELB_MEMORY);
    ELB_TRY(elb_config_copy(source->config, &cell->config));
    return grid_set_all(cell->config, &method->set);
}

static elb_status grid_cell_trained(elb_grid *g, elb_cell *cell)
{
    const elb_plan_method *method = &g->plan->methods[cell->method];
    cell->trains = true;
    cell->run = elb_strdup(g->context, cell->folder);
    ELB_TRY(cell->run ? ELB_OK : ELB_MEMORY);
    ELB_TRY(elb_config_create(g->context, &cell->config));
    elb_status status = grid_configure(g->plan, method, cell->seed, cell->config);
    if (status != ELB_OK) return elb_fail_in(g->context, status, "the method %s", method->name);
    return cell->start < 0 ? ELB_OK : elb_config_set(cell->config, "train.from", g->cells[cell->start].run);
}

/* What the index-th run of a method is called by, and where it lies. */
static elb_status grid_place(elb_grid *g, elb_cell *cell, int64_t index)
{
    const elb_plan_method *m = &g->plan->methods[cell->method];
    if (*m->options.of) ELB_TRY(grid_refer(g, cell, "of", m->options.of, index, &cell->source));
    if (*m->options.from) ELB_TRY(grid_refer(g, cell, "from", m->options.from, index, &cell->start));
    if (m->run_count > 0) {
        ELB_TRY(elb_run_config(g->context, m->runs[index], &cell->config));
        cell->run = elb_strdup(g->context, m->runs[index]);
        if (!cell->run) return ELB_MEMORY;
        cell->seed = cell->config->top.seed;
    }
    cell->folder = elb_format(g->context, "%s/%s/seed-%lld", g->folder, m->name, (long long)cell->seed);
    if (!cell->folder) return ELB_MEMORY;
    if (elb_grid_find(g, cell->method, cell->seed) == cell) return ELB_OK;
    return elb_fail(g->context, ELB_USAGE, "the method %s has two runs with seed %lld; %s is the second", m->name,
                    (long long)cell->seed, m->run_count > 0 ? cell->run : cell->folder);
}

static elb_status grid_cell(elb_grid *g, int64_t method, int64_t index)
{
    const elb_plan_method *m = &g->plan->methods[method];
    elb_cell *cell = &g->cells[g->count++];
    *cell =
        (elb_cell){.method = method, .seed = index + 1, .source = -1, .start = -1, .epochs = NAN, .train_seconds = NAN};
    for (int b = 0; b < ELB_CELL_BATCHES; b++) cell->seconds[b] = NAN;
    ELB_TRY(grid_place(g, cell, index));
    if (m->run_count > 0) return ELB_OK;
    return cell->source >= 0 ? grid_cell_of(g, cell) : grid_cell_trained(g, cell);
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

static int64_t grid_seeds(const elb_plan *plan, int64_t method)
{
    const elb_plan_method *m = &plan->methods[method];
    int64_t of = elb_plan_find(plan, m->options.of);
    if (m->run_count > 0) return m->run_count;
    if (m->options.seeds > 0) return m->options.seeds;
    return of >= 0 && of < method ? grid_seeds(plan, of) : plan->top.seeds;
}

static elb_status grid_check_method(const elb_plan *plan, const elb_plan_method *m)
{
    if (strlen(m->options.label) >= ELB_PLAN_NAME_MAX)
        return elb_fail(plan->context, ELB_USAGE, "the method %s has a label of %zu bytes; at most %d are accepted",
                        m->name, strlen(m->options.label), ELB_PLAN_NAME_MAX - 1);
    if (m->run_count == 0) return ELB_OK;
    bool more = *m->options.of || *m->options.from || *m->options.preset || m->options.seeds > 0 || m->set.count > 0;
    if (!more) return ELB_OK;
    return elb_fail(plan->context, ELB_USAGE,
                    "the method %s has runs, which are taken as they are; remove its other keys but label", m->name);
}

static elb_status grid_find_reference(elb_grid *g)
{
    const elb_plan *plan = g->plan;
    const char *names[64] = {NULL};
    if (plan->count == 0)
        return elb_fail(g->context, ELB_USAGE, "there is nothing to compare: name at least one method or run");
    if (!*plan->top.reference) return ELB_OK;
    g->reference = elb_plan_find(plan, plan->top.reference);
    if (g->reference >= 0) return ELB_OK;
    for (int64_t m = 0; m < plan->count && m < 63; m++) names[m] = plan->methods[m].name;
    const char *nearest = elb_did_you_mean(plan->top.reference, names);
    return elb_fail(g->context, ELB_USAGE, "the reference '%s' is none of the methods%s%s%s", plan->top.reference,
                    nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

/* Of different data or decoders nobody could say which difference the methods made. */
elb_status elb_grid_check(const elb_grid *g, const elb_cell *cell)
{
    static const char *const sections[] = {"data", "model", "likelihood"};
    const elb_cell *other = g->cells; /* of the same seed if there is one: what is left to the data may depend on it */
    char key[ELB_KEY_TEXT], a[ELB_TEXT_MAX], b[ELB_TEXT_MAX];
    while (other < cell && other->seed != cell->seed) other++;
    if (other == cell) other = g->cells;
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        if (!elb_config_disagrees(other->config, cell->config, sections[i], key)) continue;
        ELB_TRY(elb_config_get(other->config, key, a, sizeof a));
        ELB_TRY(elb_config_get(cell->config, key, b, sizeof b));
        return elb_fail(g->context, ELB_USAGE,
                        "%s has %s %s, but %s has %s; methods are compared on the same data with the "
                        "same decoder and likelihood",
                        g->plan->methods[other->method].name, key, *a ? a : "''", g->plan->methods[cell->method].name,
                        *b ? b : "''");
    }
    return ELB_OK;
}

static elb_status grid_fill(elb_grid *g)
{
    int64_t seeds = 0, cells = 0;
    ELB_TRY(grid_find_reference(g));
    for (int64_t m = 0; m < g->plan->count; m++) {
        ELB_TRY(grid_check_method(g->plan, &g->plan->methods[m]));
        cells += grid_seeds(g->plan, m);
        if (grid_seeds(g->plan, m) > seeds) seeds = grid_seeds(g->plan, m);
    }
    g->cells = elb_alloc(g->context, cells, sizeof *g->cells);
    if (!g->cells) return ELB_MEMORY;
    for (int64_t s = 0; s < seeds; s++)
        for (int64_t m = 0; m < g->plan->count; m++)
            if (s < grid_seeds(g->plan, m)) ELB_TRY(grid_cell(g, m, s));
    for (int64_t i = 1; i < g->count; i++) ELB_TRY(elb_grid_check(g, &g->cells[i]));
    return ELB_OK;
}

elb_status elb_grid_create(const elb_plan *plan, const char *folder, elb_grid **grid)
{
    *grid = NULL;
    elb_grid *made = elb_alloc(plan->context, 1, sizeof *made);
    if (!made) return ELB_MEMORY;
    *made = (elb_grid){.context = plan->context, .plan = plan, .folder = folder};
    elb_status status = grid_fill(made);
    if (status == ELB_OK)
        *grid = made;
    else
        elb_grid_destroy(made);
    return status;
}

elb_cell *elb_grid_find(const elb_grid *grid, int64_t method, int64_t seed)
{
    for (int64_t i = 0; i < grid->count; i++)
        if (grid->cells[i].method == method && grid->cells[i].seed == seed) return &grid->cells[i];
    return NULL;
}

void elb_grid_destroy(elb_grid *g)
{
    if (!g) return;
    for (int64_t i = 0; i < g->count; i++) {
        elb_cell *cell = &g->cells[i];
        elb_free(g->context, cell->elbo.values);
        elb_free(g->context, cell->own.values);
        elb_free(g->context, cell->refined.values);
        elb_config_destroy(cell->config);
        elb_free(g->context, cell->run);
        elb_free(g->context, cell->folder);
    }
    elb_free(g->context, g->cells);
    elb_free(g->context, g);
}
