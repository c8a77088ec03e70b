/* memory.c - aligned, zeroed blocks over the user's allocator. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

enum { MEMORY_ALIGN = 64 };

/* Stands just before every block that elb_alloc returns. */
typedef struct memory_header {
    void *raw;   /* what the user's allocator returned */
    size_t size; /* bytes the caller asked for */
} memory_header;

void *elb_alloc_default(void *user, void *block, size_t size)
{
    (void)user;
    if (size > 0) return realloc(block, size);
    free(block);
    return NULL;
}

bool elb_mul_fits(int64_t a, int64_t b, int64_t *product)
{
    if (a < 0 || b < 0) return false;
    return !__builtin_mul_overflow(a, b, product);
}

static memory_header *memory_header_of(void *block)
{
    return (memory_header *)block - 1;
}

void *elb_alloc(elb_context *c, int64_t count, size_t size)
{
    const elb_settings *s = elb_context_settings(c);
    const size_t extra = sizeof(memory_header) + MEMORY_ALIGN;
    int64_t bytes = 0;
    if (size > (size_t)INT64_MAX || !elb_mul_fits(count, (int64_t)size, &bytes) ||
        (uint64_t)bytes > (uint64_t)PTRDIFF_MAX - extra) {
        elb_fail(c, ELB_MEMORY, "out of memory: %lld items of %zu bytes are more than this machine can address",
                 (long long)count, size);
        return NULL;
    }
    char *raw = s->alloc(s->user, NULL, (size_t)bytes + extra);
    if (!raw) {
        elb_fail(c, ELB_MEMORY, "out of memory: %lld bytes were refused; use a smaller batch or model, or free memory",
                 (long long)bytes);
        return NULL;
    }
    uintptr_t first = (uintptr_t)raw + sizeof(memory_header);
    char *block = raw + sizeof(memory_header) + (MEMORY_ALIGN - first % MEMORY_ALIGN) % MEMORY_ALIGN;
    *memory_header_of(block) = (memory_header){raw, (size_t)bytes};
    memset(block, 0, (size_t)bytes);
    return block;
}

void *elb_resize(elb_context *c, void *block, int64_t count, size_t size)
{
    void *larger = elb_alloc(c, count, size);
    if (!larger || !block) return larger;
    size_t before = memory_header_of(block)->size, after = memory_header_of(larger)->size;
    memcpy(larger, block, before < after ? before : after);
    elb_free(c, block);
    return larger;
}

void elb_free(elb_context *c, void *block)
{
    if (!block) return;
    const elb_settings *s = elb_context_settings(c);
    s->alloc(s->user, memory_header_of(block)->raw, 0);
}

char *elb_strdup(elb_context *c, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = elb_alloc(c, (int64_t)size, 1);
    if (copy) memcpy(copy, text, size);
    return copy;
}

char *elb_format(elb_context *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = elb_format_list(c, format, args);
    va_end(args);
    return text;
}

char *elb_format_list(elb_context *c, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    char *text = length < 0 ? NULL : elb_alloc(c, (int64_t)length + 1, 1);
    if (length < 0) elb_fail(c, ELB_FAILURE, "a message could not be formatted: its text is too long or not valid");
    if (text) vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}
