/* fuzz_plan.c - arbitrary bytes as a plan: refused, or made a grid or refused then. */
#include <stdint.h>
#include <string.h>

#include "study/grid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A grid of millions of cells is no error, and runs would be looked for in the file system. */
static bool fuzz_small(const elb_plan *plan)
{
    int64_t cells = 0;
    for (int64_t m = 0; m < plan->count; m++) {
        if (plan->methods[m].run_count > 0) return false;
        cells += plan->methods[m].options.seeds > plan->top.seeds ? plan->methods[m].options.seeds : plan->top.seeds;
    }
    return cells < 1000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    elb_context *c = NULL;
    elb_plan *plan = NULL;
    elb_grid *grid = NULL;
    elb_settings settings = {.threads = 1};
    if (elb_context_create(&settings, &c) != ELB_OK) return 0;
    if (elb_plan_create(c, &plan) != ELB_OK) __builtin_trap();
    elb_status status = elb_plan_parse(plan, "fuzz", (const char *)data, (int64_t)size);
    if (status == ELB_OK && fuzz_small(plan)) status = elb_grid_create(plan, "out", &grid);
    if (status != ELB_OK && *elb_context_message(c) == '\0') __builtin_trap();
    elb_grid_destroy(grid);
    elb_plan_destroy(plan);
    elb_context_destroy(c);
    return 0;
}
