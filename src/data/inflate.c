/* inflate.c - gzip files and raw deflate streams through zlib. */
#include <string.h>
#include <zlib.h>

#include "data/inflate.h"

static voidpf inflate_alloc(voidpf opaque, uInt items, uInt size)
{
    return elb_alloc(opaque, items, size);
}

static void inflate_free(voidpf opaque, voidpf block)
{
    elb_free(opaque, block);
}

/* A stream whose input and output may be longer than zlib's 32-bit counters. */
typedef struct inflate_job {
    z_stream z;
    const uint8_t *in;
    int64_t in_left;
    uint8_t *out;
    int64_t out_left;
} inflate_job;

static uInt inflate_step(int64_t left)
{
    return left > 1 << 30 ? 1u << 30 : (uInt)left;
}

/* Inflates until the stream ends, the input ends or the output is full. */
static int inflate_run(inflate_job *j)
{
    int code = Z_OK;
    while (code == Z_OK) {
        uInt in = inflate_step(j->in_left), out = inflate_step(j->out_left);
        j->z.next_in = (Bytef *)(uintptr_t)j->in; /* zlib does not write to it */
        j->z.avail_in = in;
        j->z.next_out = j->out;
        j->z.avail_out = out;
        code = inflate(&j->z, Z_NO_FLUSH);
        j->in += in - j->z.avail_in;
        j->in_left -= in - j->z.avail_in;
        j->out += out - j->z.avail_out;
        j->out_left -= out - j->z.avail_out;
    }
    return code;
}

static elb_status inflate_fail(elb_context *c, const inflate_job *j, int code)
{
    if (code == Z_MEM_ERROR) return elb_fail(c, ELB_MEMORY, "out of memory: zlib could not start to inflate");
    if (code == Z_BUF_ERROR && j->in_left == 0)
        return elb_fail(c, ELB_DATA, "the compressed data is truncated: fetch the file again");
    return elb_fail(c, ELB_DATA, "the compressed data is corrupt (%s): fetch the file again",
                    j->z.msg ? j->z.msg : "it does not end where it should");
}

bool elb_gzip_is(const uint8_t *bytes, int64_t size)
{
    return size >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

/* The last 4 bytes of a gzip file say how much comes out, if they can be believed. */
static int64_t gzip_guess(const uint8_t *bytes, int64_t size, int64_t limit)
{
    int64_t guess = 0;
    for (int i = 1; i <= 4 && size >= 18; i++) guess = guess << 8 | bytes[size - i];
    int64_t most = size < limit / ELB_DEFLATE_RATIO_MAX ? size * ELB_DEFLATE_RATIO_MAX : limit;
    return guess < most ? guess : most;
}

/* The output is full and there is more: twice the room, within the limit. */
static elb_status gzip_grow(elb_context *c, int64_t limit, char **out, int64_t *capacity, inflate_job *j)
{
    if (*capacity >= limit)
        return elb_fail(c, ELB_DATA, "the file inflates to more than %lld bytes, which is the most accepted here",
                        (long long)limit);
    int64_t larger = *capacity < limit / 2 ? *capacity * 2 + 1024 : limit;
    if (larger > limit) larger = limit;
    char *block = elb_resize(c, *out, larger + 1, 1);
    if (!block) return ELB_MEMORY;
    j->out = (uint8_t *)block + *capacity;
    j->out_left = larger - *capacity;
    *out = block;
    *capacity = larger;
    return ELB_OK;
}

static elb_status gzip_members(elb_context *c, int64_t limit, char **out, int64_t *capacity, inflate_job *j)
{
    for (;;) {
        int code = inflate_run(j);
        if (code == Z_STREAM_END) {
            if (!elb_gzip_is(j->in, j->in_left)) return ELB_OK; /* the end, or padding behind the last member */
            if (inflateReset(&j->z) != Z_OK) return inflate_fail(c, j, Z_STREAM_ERROR);
        } else if (code == Z_BUF_ERROR && j->out_left == 0) {
            ELB_TRY(gzip_grow(c, limit, out, capacity, j));
        } else {
            return inflate_fail(c, j, code);
        }
    }
}

elb_status elb_gzip_inflate(elb_context *c, const uint8_t *bytes, int64_t size, int64_t limit, char **out,
                            int64_t *out_size)
{
    *out = NULL;
    *out_size = 0;
    int64_t capacity = gzip_guess(bytes, size, limit);
    char *block = elb_alloc(c, capacity + 1, 1);
    if (!block) return ELB_MEMORY;
    inflate_job j = {.z = {.zalloc = inflate_alloc, .zfree = inflate_free, .opaque = c},
                     .in = bytes,
                     .in_left = size,
                     .out = (uint8_t *)block,
                     .out_left = capacity};
    int code = inflateInit2(&j.z, 16 + MAX_WBITS); /* 16: a gzip header */
    elb_status status = code == Z_OK ? gzip_members(c, limit, &block, &capacity, &j) : inflate_fail(c, &j, code);
    inflateEnd(&j.z);
    if (status != ELB_OK) {
        elb_free(c, block);
        return status;
    }
    *out = block;
    *out_size = capacity - j.out_left;
    block[*out_size] = '\0';
    return ELB_OK;
}

elb_status elb_deflate_inflate(elb_context *c, const uint8_t *bytes, int64_t size, uint8_t *out, int64_t out_size)
{
    inflate_job j = {.z = {.zalloc = inflate_alloc, .zfree = inflate_free, .opaque = c},
                     .in = bytes,
                     .in_left = size,
                     .out = out,
                     .out_left = out_size};
    int code = inflateInit2(&j.z, -MAX_WBITS); /* negative: no header */
    if (code == Z_OK) code = inflate_run(&j);
    elb_status status = code == Z_STREAM_END && j.out_left == 0 ? ELB_OK : inflate_fail(c, &j, code);
    inflateEnd(&j.z);
    return status;
}
