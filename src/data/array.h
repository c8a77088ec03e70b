/* array.h - what a reader makes of a file's bytes, and the number formats that readers share. */
#ifndef ELB_ARRAY_H
#define ELB_ARRAY_H

#include "base/file.h"

enum { ELB_ARRAY_RANK_MAX = 4 };

typedef enum elb_array_type { ELB_ARRAY_U8, ELB_ARRAY_F32 } elb_array_type;

/* Row-major. The owner calls elb_array_reset. */
typedef struct elb_array {
    elb_array_type type;
    bool flags; /* 8-bit values that were booleans in the file */
    int rank;   /* 1..ELB_ARRAY_RANK_MAX */
    int64_t shape[ELB_ARRAY_RANK_MAX];
    void *values;        /* uint8_t or float; on the heap, or read-only in the mapping */
    elb_mapping mapping; /* the file that the values lie in; without bytes: they are on the heap */
} elb_array;

void elb_array_reset(elb_context *c, elb_array *array); /* frees or unmaps the values; array may be all zero */
/* How many items of the first axis make about a megabyte, to walk the values in such pieces; the shape has no zero. */
int64_t elb_array_piece(const elb_array *array);
/* Items first .. first+count-1 of the first axis will not be needed soon: where they are mapped,
 * their memory is free. */
void elb_array_forget(const elb_array *array, int64_t first, int64_t count);
int64_t elb_array_count(const elb_array *array); /* product of the shape */
size_t elb_array_width(const elb_array *array);  /* bytes of one value */

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

/* Where a file has its numbers, by its header. */
typedef struct elb_layout {
    elb_element element;
    bool big, fortran; /* big-endian; column-major */
    int rank;          /* 1..ELB_ARRAY_RANK_MAX */
    int64_t shape[ELB_ARRAY_RANK_MAX];
    const uint8_t *values;
    int64_t size; /* bytes from there to the end, which need not be what the shape promises */
} elb_layout;

/* The numbers of a layout, copied. U8 and BOOL stay 8-bit, all else becomes float. The length is compared before
 * anything is allocated. Errors: ELB_DATA (another length than the shape's), ELB_MEMORY. */
elb_status elb_array_decode(elb_context *c, const elb_layout *layout, elb_array *array);
/* The same; but numbers that lie in the mapping as they are wanted, 8-bit integers and this machine's floats in
 * row-major order, are not copied: the array then takes the mapping over, and mapping->bytes is NULL. */
elb_status elb_array_view(elb_context *c, const elb_layout *layout, elb_mapping *mapping, elb_array *array);

#endif
