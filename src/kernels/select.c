/* select.c - which tables this build and this processor offer, and the streams' keys. */
#include <stdio.h>
#include <string.h>

#include "kernels/stream.h"
#include "kernels/tables.h"

/* Best first; each processor that can run a table can run those after it. */
static const elb_kernels *const select_tables[] = {
#if ELB_HAS_VECTOR_TABLES
    &elb_kernels_avx512,
    &elb_kernels_avx2,
#endif
    &elb_kernels_reference,
    NULL,
};

const elb_kernels *const *elb_kernels_available(void)
{
    const elb_kernels *const *best = select_tables;
#if ELB_HAS_VECTOR_TABLES
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    best += avx512 ? 0 : avx2 ? 1 : 2;
#endif
    return best;
}

elb_status elb_kernels_select(elb_context *c, const char *name, const elb_kernels **table)
{
    const elb_kernels *const *available = elb_kernels_available();
    *table = NULL;
    if (!name || !strcmp(name, "auto")) {
        *table = available[0];
        return ELB_OK;
    }
    char names[128] = "auto";
    size_t used = strlen(names);
    for (const elb_kernels *const *at = available; *at; at++) {
        if (!strcmp(name, (*at)->name)) {
            *table = *at;
            return ELB_OK;
        }
        used += (size_t)snprintf(names + used, sizeof names - used, ", %s", (*at)->name);
    }
    return elb_fail(c, ELB_USAGE, "there are no kernels \"%s\" for this build and processor; choose one of: %s", name,
                    names);
}

uint64_t elb_stream_key(uint64_t seed, elb_purpose purpose, uint32_t epoch)
{
    philox4x32_ctr_t words = elb_stream_block((elb_stream){.key = seed, .datum = epoch}, (uint32_t)purpose);
    return words.v[0] | (uint64_t)words.v[1] << 32;
}

uint32_t elb_random_word(uint64_t key, uint64_t datum, uint32_t draw, uint32_t index)
{
    elb_stream at = {.key = key, .datum = datum, .draw = draw};
    return elb_stream_block(at, index / ELB_BLOCK_WORDS).v[index % ELB_BLOCK_WORDS];
}
