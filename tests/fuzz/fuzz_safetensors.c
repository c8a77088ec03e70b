/* fuzz_safetensors.c - arbitrary bytes as a safetensors file: it is refused, or every tensor in it can be read. */
#include <stdint.h>
#include <string.h>

#include "run/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads every byte of every tensor, so that a sanitizer sees an offset that lies outside. */
static void fuzz_read_all(elb_context *c, const elb_safetensors *file)
{
    for (int64_t i = 0; i < elb_safetensors_count(file); i++) {
        const elb_safetensors_entry *e = elb_safetensors_at(file, i);
        int64_t elements = 1;
        for (int k = 0; k < e->rank; k++) elements *= e->shape[k];
        elb_real *out = elb_alloc(c, elements, sizeof *out);
        if (!out) continue;
        if (elb_safetensors_read_real(file, e->name, e->rank, e->shape, out) != ELB_OK)
            elb_safetensors_read(file, e->name, e->dtype, e->rank, e->shape, out);
        elb_free(c, out);
    }
    for (int64_t i = 0; i < elb_safetensors_metadata_count(file); i++) {
        elb_safetensors_pair pair = elb_safetensors_metadata_at(file, i);
        if (strcmp(elb_safetensors_metadata(file, pair.key), pair.value) != 0) __builtin_trap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    elb_context *c = NULL;
    elb_safetensors *file = NULL;
    elb_settings settings = {.threads = 1};
    if (elb_context_create(&settings, &c) != ELB_OK) return 0;
    if (elb_safetensors_parse(c, data, (int64_t)size, &file) == ELB_OK) fuzz_read_all(c, file);
    elb_safetensors_close(file);
    elb_context_destroy(c);
    return 0;
}
