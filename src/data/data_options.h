/* data_options.h - the "data" section of a configuration. */
#ifndef ELB_DATA_OPTIONS_H
#define ELB_DATA_OPTIONS_H

#include "base/option.h"

typedef enum elb_binarise {
    ELB_BINARISE_NONE,
    ELB_BINARISE_DYNAMIC,
    ELB_BINARISE_STATIC,
    ELB_BINARISE_THRESHOLD,
    ELB_BINARISE_AUTO /* until the data are known */
} elb_binarise;

typedef struct elb_data_options {
    char spec[ELB_TEXT_MAX];   /* file, folder or name */
    char key[ELB_TEXT_MAX];    /* array inside an NPZ; "" = the only one, or "x" */
    char folder[ELB_TEXT_MAX]; /* where the named set lies; "" = ELBOW_MNIST, or Debian's place for fashion-mnist */
    double scale;       /* values are divided by it; 0 = 255 for 8-bit data (1 when they are only 0 and 1), else 1 */
    int binarise;       /* elb_binarise */
    double threshold;   /* for ELB_BINARISE_THRESHOLD: x >= threshold after scaling */
    int64_t limit;      /* use only the first so many data of each part; 0 = all */
    int64_t validation; /* data held out of the training set; 0 = none */
    int64_t test;       /* data held out as the test set, where the source has no test set of its own; 0 = none */
} elb_data_options;

extern const elb_option elb_data_option_table[];

#endif
