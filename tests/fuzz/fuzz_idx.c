/* fuzz_idx.c - arbitrary bytes as an IDX file, gzipped or not. */
#include "fuzz_reader.h"

#include "data/inflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    elb_context *c = fuzz_context();
    elb_array array = {.values = NULL};
    char *plain = NULL;
    int64_t length = (int64_t)size;
    elb_status status = ELB_OK;
    if (elb_gzip_is(data, length)) {
        status = elb_gzip_inflate(c, data, length, FUZZ_MEMORY / 8, &plain, &length);
        data = (const uint8_t *)plain;
    }
    if (status == ELB_OK) status = elb_idx_parse(c, data, length, &array);
    elb_free(c, plain);
    fuzz_check(c, status, &array);
    return 0;
}
