/* source.h - from a data specification to the arrays behind it. */
#ifndef ELB_SOURCE_H
#define ELB_SOURCE_H

#include "data/dataset.h"

/* A source's training or test file in memory; the owner calls elb_source_reset. */
typedef struct elb_source {
    elb_array array;
    int32_t *labels;    /* [N] or NULL */
    bool has_test_file; /* the array is one of two files: the training data, or, where asked for, the test data */
} elb_source;

/* Opens what options->spec says. `test`: read the test file of a source that has one (a source without ignores it). */
elb_status elb_source_open(elb_context *c, const elb_data_options *options, bool test, elb_source *source);
void elb_source_reset(elb_context *c, elb_source *source);

#endif
