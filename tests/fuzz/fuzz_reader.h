/* fuzz_reader.h - what the fuzzers of the data readers share: a context that refuses absurd amounts of memory, and a
 * look at every value that was read. */
#ifndef ELB_TEST_FUZZ_READER_H
#define ELB_TEST_FUZZ_READER_H

#include <stdlib.h>

#include "data/readers.h"

enum { FUZZ_MEMORY = 1 << 28 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *fuzz_alloc(void *user, void *block, size_t size)
{
    (void)user;
    if (size > 0 && size < FUZZ_MEMORY) return realloc(block, size);
    if (size == 0) free(block);
    return NULL;
}

static inline elb_context *fuzz_context(void)
{
    elb_settings settings = {.threads = 1, .alloc = fuzz_alloc};
    elb_context *c = NULL;
    if (elb_context_create(&settings, &c) != ELB_OK) abort();
    return c;
}

/* Traps when a reader says it succeeded and holds nothing, or failed and says nothing. Ends the context. */
static inline void fuzz_check(elb_context *c, elb_status status, elb_array *array)
{
    if (status != ELB_OK && (array->values || !*elb_context_message(c))) abort();
    if (status == ELB_OK) {
        const volatile uint8_t *bytes = array->values;
        int64_t n = elb_array_count(array) * (int64_t)elb_array_width(array);
        for (int64_t i = 0; i < n; i++) (void)bytes[i];
    }
    elb_array_reset(c, array);
    elb_context_destroy(c);
}

#endif
