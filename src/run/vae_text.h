/* vae_text.h - shapes as text in a model's metadata: "28x28". */
#ifndef ELB_VAE_TEXT_H
#define ELB_VAE_TEXT_H

#include "base/base.h"

enum { ELB_SHAPE_TEXT = 80 };

void elb_shape_write(int rank, const int64_t shape[3], char text[ELB_SHAPE_TEXT]);
/* false unless rank is 1..3, every side is positive and the product fits; sides beyond the rank become 1. */
bool elb_shape_read(const char *text, int *rank, int64_t shape[3]);

#endif
