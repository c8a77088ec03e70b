/* safetensors.h - named tensors in a file, in the format that PyTorch's ecosystem reads and writes.
 *
 * A file is an 8-byte little-endian header size H, H bytes of JSON {"name": {"dtype","shape","data_offsets"}, ...,
 * "__metadata__": {"key": "text"}}, and the tensors' bytes, row-major and little-endian, without overlap or gap.
 * Source: the format's description at huggingface/safetensors. */
#ifndef ELB_SAFETENSORS_H
#define ELB_SAFETENSORS_H

#include "base/base.h"

enum { ELB_SAFETENSORS_RANK = 4 }; /* the most dimensions a tensor may have here */

typedef enum elb_dtype {
    ELB_DTYPE_F64,
    ELB_DTYPE_F32,
    ELB_DTYPE_F16,
    ELB_DTYPE_BF16,
    ELB_DTYPE_I64,
    ELB_DTYPE_I32,
    ELB_DTYPE_I16,
    ELB_DTYPE_I8,
    ELB_DTYPE_U64,
    ELB_DTYPE_U32,
    ELB_DTYPE_U16,
    ELB_DTYPE_U8,
    ELB_DTYPE_BOOL,
    ELB_DTYPE_COUNT,
    ELB_DTYPE_REAL = sizeof(elb_real) == sizeof(double) ? ELB_DTYPE_F64 : ELB_DTYPE_F32
} elb_dtype;

const char *elb_dtype_name(elb_dtype dtype); /* "F32", as in the file */
int64_t elb_dtype_size(elb_dtype dtype);     /* bytes of one element */

typedef struct elb_safetensors_entry {
    const char *name;
    elb_dtype dtype;
    int rank; /* 0 (a scalar) .. ELB_SAFETENSORS_RANK */
    int64_t shape[ELB_SAFETENSORS_RANK];
    const void *data; /* in a file that was read: borrowed from it, and of no promised alignment */
} elb_safetensors_entry;

typedef struct elb_safetensors_pair {
    const char *key, *value; /* UTF-8 */
} elb_safetensors_pair;

/* Writes n tensors and m metadata pairs, atomically. The bytes depend on the arguments alone. Tensors are laid out with
 * the widest element first (else in the order given), so that each is aligned to its element.
 * Errors: ELB_USAGE (a name twice, empty, not UTF-8, or "__metadata__"; a shape that is negative or too large),
 * ELB_FAILURE, ELB_MEMORY. */
elb_status elb_safetensors_save(elb_context *c, const char *path, const elb_safetensors_entry *entries, int64_t n,
                                const elb_safetensors_pair *metadata, int64_t m);

typedef struct elb_safetensors elb_safetensors;

/* Reads and checks everything: sizes, JSON, names, offsets, shapes. *file is NULL on failure.
 * Errors: ELB_FAILURE (missing, unreadable), ELB_MODEL (not a whole and sound safetensors file), ELB_MEMORY. */
elb_status elb_safetensors_open(elb_context *c, const char *path, elb_safetensors **file);
/* The same from memory; `bytes` are borrowed and must outlive the file. */
elb_status elb_safetensors_parse(elb_context *c, const void *bytes, int64_t size, elb_safetensors **file);
void elb_safetensors_close(elb_safetensors *file); /* may be NULL */

/* All borrowed from the file. Tensors stand in the order of their data. */
int64_t elb_safetensors_count(const elb_safetensors *file);
const elb_safetensors_entry *elb_safetensors_at(const elb_safetensors *file, int64_t i);
const elb_safetensors_entry *elb_safetensors_find(const elb_safetensors *file, const char *name); /* or NULL */
int64_t elb_safetensors_metadata_count(const elb_safetensors *file);
elb_safetensors_pair elb_safetensors_metadata_at(const elb_safetensors *file, int64_t i);
const char *elb_safetensors_metadata(const elb_safetensors *file, const char *key); /* or NULL */

/* Errors: ELB_MODEL when there is no such tensor of exactly this shape, naming it, what was
 * expected and what was found. */
elb_status elb_safetensors_check(const elb_safetensors *file, const char *name, int rank, const int64_t *shape);
/* Copies a tensor that must have exactly this dtype and shape.
 * Errors: ELB_MODEL, naming the tensor, what was expected and what was found. */
elb_status elb_safetensors_read(const elb_safetensors *file, const char *name, elb_dtype dtype, int rank,
                                const int64_t *shape, void *out);
/* Copies a tensor of exactly this shape, converting F64, F32, F16 or BF16 to elb_real (round to nearest). Errors:
 * ELB_MODEL as above, and for any other dtype. Non-finite values pass: what they mean is the caller's matter. */
elb_status elb_safetensors_read_real(const elb_safetensors *file, const char *name, int rank, const int64_t *shape,
                                     elb_real *out);

#endif
