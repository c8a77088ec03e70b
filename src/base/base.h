/* base.h - errors, log, memory. What every room may use. */
#ifndef ELB_BASE_H
#define ELB_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <elbow/context.h>

/* float, or double in the build that checks gradients (-DELBOW_REAL=double). */
#ifndef ELBOW_REAL
#define ELBOW_REAL float
#endif
typedef ELBOW_REAL elb_real;

#define ELB_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Sets the context's message and returns `status`, so that a failing function can end with it. */
elb_status elb_fail(elb_context *c, elb_status status, const char *format, ...) ELB_PRINTF(3, 4);
/* Puts "prefix: " before the present message and returns `status`: a caller adds what it knows (a file's name, say). */
elb_status elb_fail_in(elb_context *c, elb_status status, const char *format, ...) ELB_PRINTF(3, 4);
#ifdef __clang_analyzer__ /* it sees one file at a time, and so not that these return the status they are given */
#define elb_fail(c, status, ...) ((elb_fail)((c), (status), __VA_ARGS__), (status))
#define elb_fail_in(c, status, ...) ((elb_fail_in)((c), (status), __VA_ARGS__), (status))
#endif
void elb_log(elb_context *c, elb_log_level level, const char *format, ...) ELB_PRINTF(3, 4);
const elb_settings *elb_context_settings(const elb_context *c); /* with the defaults filled in */

/* Returns from the calling function when `call` fails. Only where nothing needs releasing. */
#define ELB_TRY(call)                                                                                                  \
    do {                                                                                                               \
        elb_status elb_try_status = (call);                                                                            \
        if (elb_try_status != ELB_OK) return elb_try_status;                                                           \
    } while (0)

/* Zeroed, 64-byte aligned; NULL with the context's message set when there is no memory or count*size overflows.
 * count 0 gives a valid block. */
void *elb_alloc(elb_context *c, int64_t count, size_t size);
/* Keeps min(old, new) bytes, the rest is zero; on failure the old block stays as it was. block may be NULL. */
void *elb_resize(elb_context *c, void *block, int64_t count, size_t size);
void elb_free(elb_context *c, void *block); /* block may be NULL */
char *elb_strdup(elb_context *c, const char *text);
char *elb_format(elb_context *c, const char *format, ...) ELB_PRINTF(2, 3); /* a new string, or NULL */
char *elb_format_list(elb_context *c, const char *format, va_list args) ELB_PRINTF(2, 0);
void *elb_alloc_default(void *user, void *block, size_t size); /* the C library's, as an elb_alloc_fn */

double elb_clock(void); /* seconds since some moment; never goes back */

/* false when a*b does not fit (both must be >= 0). */
bool elb_mul_fits(int64_t a, int64_t b, int64_t *product);

/* One object that a higher room keeps for the context's whole life (the kernels room keeps its thread pool here).
 * Set once; freed by elb_context_destroy. */
void *elb_context_attached(const elb_context *c);
void elb_context_attach(elb_context *c, void *object, void (*destroy)(elb_context *c, void *object));

/* --- arena: many small blocks with one end of life ---------------------------------------------------------------- */
typedef struct elb_arena elb_arena;

elb_status elb_arena_create(elb_context *c, elb_arena **arena);
void elb_arena_destroy(elb_arena *arena);
/* 64-byte aligned, NOT zeroed; NULL with the message set when there is no memory. */
void *elb_arena_alloc(elb_arena *arena, int64_t count, size_t size);
/* Every block is gone; the memory is kept, as one piece, so that the same sequence again allocates nothing. */
elb_status elb_arena_reset(elb_arena *arena);
int64_t elb_arena_bytes(const elb_arena *arena); /* held from the heap */

#endif
