/* arena.c - a list of blocks that becomes one block at the first reset. */
#include "base/base.h"

enum { ARENA_ALIGN = 64, ARENA_SLACK = 256, ARENA_BLOCK = 1 << 18 };

typedef struct arena_block {
    struct arena_block *next;
    int64_t size, used; /* bytes at arena_base */
} arena_block;

struct elb_arena {
    elb_context *context;
    arena_block *first; /* the one that is being filled */
};

/* The header takes one whole cache line, so that what follows is aligned as the block is. */
static char *arena_base(arena_block *b)
{
    return (char *)b + ARENA_ALIGN;
}

elb_status elb_arena_create(elb_context *c, elb_arena **arena)
{
    *arena = elb_alloc(c, 1, sizeof **arena);
    if (!*arena) return ELB_MEMORY;
    (*arena)->context = c;
    return ELB_OK;
}

static void arena_release(elb_arena *a)
{
    while (a->first) {
        arena_block *next = a->first->next;
        elb_free(a->context, a->first);
        a->first = next;
    }
}

void elb_arena_destroy(elb_arena *a)
{
    if (!a) return;
    arena_release(a);
    elb_free(a->context, a);
}

static elb_status arena_grow(elb_arena *a, int64_t size)
{
    arena_block *b = elb_alloc(a->context, size + ARENA_ALIGN, 1);
    if (!b) return ELB_MEMORY;
    b->next = a->first;
    b->size = size;
    a->first = b;
    return ELB_OK;
}

void *elb_arena_alloc(elb_arena *a, int64_t count, size_t size)
{
    int64_t bytes = 0;
    if (size > (size_t)INT64_MAX || !elb_mul_fits(count, (int64_t)size, &bytes) || bytes > INT64_MAX - ARENA_SLACK) {
        elb_fail(a->context, ELB_MEMORY,
                 "out of memory: %lld items of %zu bytes are more than this machine can address", (long long)count,
                 size);
        return NULL;
    }
    /* An empty request takes a line too: every block has its own address. */
    bytes = bytes == 0 ? ARENA_ALIGN : (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    if (!a->first || a->first->size - a->first->used < bytes)
        if (arena_grow(a, bytes > ARENA_BLOCK ? bytes : ARENA_BLOCK) != ELB_OK) return NULL;
    void *block = arena_base(a->first) + a->first->used;
    a->first->used += bytes;
    return block;
}

elb_status elb_arena_reset(elb_arena *a)
{
    if (!a->first) return ELB_OK;
    if (!a->first->next) {
        a->first->used = 0;
        return ELB_OK;
    }
    int64_t used = 0;
    for (arena_block *b = a->first; b; b = b->next) used += b->used;
    arena_release(a); /* before the new one: the peak stays at what the step needs */
    return arena_grow(a, used);
}

int64_t elb_arena_bytes(const elb_arena *a)
{
    int64_t bytes = 0;
    for (const arena_block *b = a->first; b; b = b->next) bytes += b->size + ARENA_ALIGN;
    return bytes;
}
