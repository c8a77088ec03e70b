/* fuzz_csv.c - arbitrary bytes as a table of numbers. */
#include "fuzz_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    elb_context *c = fuzz_context();
    elb_array array;
    fuzz_check(c, elb_csv_parse(c, data, (int64_t)size, &array), &array);
    return 0;
}
