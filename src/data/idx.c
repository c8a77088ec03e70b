/* idx.c - the IDX format of MNIST (yann.lecun.com/exdb/mnist). */
#include "data/readers.h"

static bool idx_element(uint8_t code, elb_element *element)
{
    switch (code) {
    case 0x08: *element = ELB_ELEMENT_U8; return true;
    case 0x09: *element = ELB_ELEMENT_I8; return true;
    case 0x0B: *element = ELB_ELEMENT_I16; return true;
    case 0x0C: *element = ELB_ELEMENT_I32; return true;
    case 0x0D: *element = ELB_ELEMENT_F32; return true;
    case 0x0E: *element = ELB_ELEMENT_F64; return true;
    default: return false;
    }
}

elb_status elb_idx_locate(elb_context *c, const uint8_t *bytes, int64_t size, elb_layout *layout)
{
    if (size < 4)
        return elb_fail(c, ELB_DATA, "an IDX file begins with 4 bytes, and this one has only %lld", (long long)size);
    elb_element element;
    if (bytes[0] != 0 || bytes[1] != 0 || !idx_element(bytes[2], &element))
        return elb_fail(c, ELB_DATA,
                        "this is not an IDX file: it begins with %02x %02x %02x %02x instead of 00 00, a type "
                        "and a rank",
                        bytes[0], bytes[1], bytes[2], bytes[3]);
    int rank = bytes[3];
    if (rank < 1 || rank > ELB_ARRAY_RANK_MAX)
        return elb_fail(c, ELB_DATA, "an IDX file of rank %d cannot be data: 1 to %d are expected", rank,
                        ELB_ARRAY_RANK_MAX);
    int64_t header = 4 + 4 * (int64_t)rank;
    if (size < header)
        return elb_fail(c, ELB_DATA, "the IDX header is truncated: %lld bytes of %lld", (long long)size,
                        (long long)header);
    *layout =
        (elb_layout){.element = element, .big = true, .rank = rank, .values = bytes + header, .size = size - header};
    for (int i = 0; i < rank; i++) {
        const uint8_t *p = bytes + 4 + 4 * i;
        layout->shape[i] = (int64_t)p[0] << 24 | (int64_t)p[1] << 16 | (int64_t)p[2] << 8 | (int64_t)p[3];
    }
    return ELB_OK;
}

elb_status elb_idx_parse(elb_context *c, const uint8_t *bytes, int64_t size, elb_array *array)
{
    elb_layout layout;
    *array = (elb_array){.values = NULL};
    ELB_TRY(elb_idx_locate(c, bytes, size, &layout));
    return elb_array_decode(c, &layout, array);
}
