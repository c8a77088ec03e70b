/* batch_op.h - a batch of a data set as a tensor. */
#ifndef ELB_BATCH_OP_H
#define ELB_BATCH_OP_H

#include "data/dataset.h"
#include "tensor/tensor.h"

/* [count, D]: data indices[count], scaled and binarised as `spec` says, by all threads during the run. dataset and
 * indices are borrowed until then. */
elb_tensor *elb_batch(elb_tape *t, const elb_dataset *dataset, const elb_batch_spec *spec, const int64_t *indices,
                      int64_t count);

#endif
