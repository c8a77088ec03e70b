/* inflate.h - zlib over the library's allocator, with a bound on what comes out. */
#ifndef ELB_INFLATE_H
#define ELB_INFLATE_H

#include "base/base.h"

/* Deflate cannot shrink data by more than this factor, so a claim beyond it is a lie. */
enum { ELB_DEFLATE_RATIO_MAX = 1032 };

bool elb_gzip_is(const uint8_t *bytes, int64_t size);
/* A gzip file, all its members. *out is the caller's, with a NUL behind the last byte. Errors: ELB_DATA (corrupt,
 * truncated, more than `limit` bytes), ELB_MEMORY. */
elb_status elb_gzip_inflate(elb_context *c, const uint8_t *bytes, int64_t size, int64_t limit, char **out,
                            int64_t *out_size);
/* A raw deflate stream that must give exactly out_size bytes into `out`. */
elb_status elb_deflate_inflate(elb_context *c, const uint8_t *bytes, int64_t size, uint8_t *out, int64_t out_size);

#endif
