/* fuzz_npy.c - arbitrary bytes as an NPY file. */
#include "fuzz_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    elb_context *c = fuzz_context();
    elb_array array;
    fuzz_check(c, elb_npy_parse(c, data, (int64_t)size, &array), &array);
    return 0;
}
