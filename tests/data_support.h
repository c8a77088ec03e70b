/* data_support.h - small files for the tests of the data room: the fuzzers' corpora, which NumPy and zlib wrote, and
 * options that name them. */
#ifndef ELB_TEST_DATA_SUPPORT_H
#define ELB_TEST_DATA_SUPPORT_H

#include "support.h"

#include <stdio.h>
#include <string.h>

#include "data/dataset.h"

/* "tests/fuzz/corpus/name", in one of support_path's buffers. */
static inline const char *data_corpus(const char *name)
{
    return support_path(ELB_TEST_FOLDER "/fuzz/corpus", name);
}

static inline elb_data_options data_options(const char *spec)
{
    elb_data_options o;
    memset(&o, 0, sizeof o);
    o.threshold = 0.5;
    assert_true(snprintf(o.spec, sizeof o.spec, "%s", spec) < (int)sizeof o.spec);
    return o;
}

/* An IDX file of 8-bit images [count, 2, 2] in `folder`: image i holds i, 2i, 3i and 4i modulo 256. */
static inline const char *data_write_idx(const char *folder, const char *name, int count)
{
    static uint8_t bytes[16 + 4 * 1024];
    assert_true(count <= 1024);
    const uint8_t header[16] = {0, 0, 8, 3, 0, 0, (uint8_t)(count >> 8), (uint8_t)count, 0, 0, 0, 2, 0, 0, 0, 2};
    memcpy(bytes, header, sizeof header);
    for (int i = 0; i < 4 * count; i++) bytes[16 + i] = (uint8_t)(i / 4 * (i % 4 + 1));
    const char *path = support_path(folder, name);
    support_file_write(path, bytes, 16 + 4 * (size_t)count);
    return path;
}

/* The labels that go with it: i modulo 10. */
static inline void data_write_labels(const char *folder, const char *name, int count)
{
    static uint8_t bytes[8 + 1024];
    const uint8_t header[8] = {0, 0, 8, 1, 0, 0, (uint8_t)(count >> 8), (uint8_t)count};
    memcpy(bytes, header, sizeof header);
    for (int i = 0; i < count; i++) bytes[8 + i] = (uint8_t)(i % 10);
    support_file_write(support_path(folder, name), bytes, 8 + (size_t)count);
}

#endif
