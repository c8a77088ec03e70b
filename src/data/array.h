/* array.h - what a reader makes of a file's bytes, and the number formats that readers share. */
#ifndef ELB_ARRAY_H
#define ELB_ARRAY_H

#include "base/base.h"

enum { ELB_ARRAY_RANK_MAX = 4 };

typedef enum elb_array_type { ELB_ARRAY_U8, ELB_ARRAY_F32 } elb_array_type;

/* Row-major. The owner calls elb_array_reset. */
typedef struct elb_array {
    elb_array_type type;
    bool flags; /* 8-bit values that were booleans in the file */
    int rank;   /* 1..ELB_ARRAY_RANK_MAX */
    int64_t shape[ELB_ARRAY_RANK_MAX];
    void *values; /* uint8_t or float */
} elb_array;

void elb_array_reset(elb_context *c, elb_array *array); /* frees the values; array may be all zero */
int64_t elb_array_count(const elb_array *array);        /* product of the shape */
size_t elb_array_width(const elb_array *array);         /* bytes of one value */

/* The numbers that files hold. */
typedef enum elb_element {
    ELB_ELEMENT_BOOL,
    ELB_ELEMENT_U8,
    ELB_ELEMENT_I8,
    ELB_ELEMENT_U16,
    ELB_ELEMENT_I16,
    ELB_ELEMENT_U32,
    ELB_ELEMENT_I32,
    ELB_ELEMENT_U64,
    ELB_ELEMENT_I64,
    ELB_ELEMENT_F16,
    ELB_ELEMENT_F32,
    ELB_ELEMENT_F64
} elb_element;

int64_t elb_element_width(elb_element element); /* bytes */

/* Fills array->type, flags and values from `bytes`, which must be exactly as long as array->rank and shape say; the
 * length is compared before anything is allocated. big: big-endian. U8 and BOOL stay 8-bit, all else becomes float.
 * Errors: ELB_DATA (another length), ELB_MEMORY. */
elb_status elb_array_decode(elb_context *c, elb_element element, bool big, const uint8_t *bytes, int64_t size,
                            elb_array *array);

#endif
