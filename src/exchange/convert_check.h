/* convert_check.h - a converted model's ELBO against the one where it was trained. */
#ifndef ELB_CONVERT_CHECK_H
#define ELB_CONVERT_CHECK_H

#include "exchange/layer.h"
#include "exchange/map.h"
#include "run/vae.h"

/* Computes the map's check again. *checked: data compared, 0 when the map has no check; *difference: the largest
 * relative one. Errors: ELB_MODEL (a difference above check.tolerance, told with what was found), ELB_USAGE (tensors
 * that are not there or do not fit), ELB_FAILURE, ELB_NUMERIC, ELB_MEMORY. */
elb_status elb_convert_check(elb_vae *vae, const elb_map *map, elb_foreign *weights, int64_t *checked,
                             double *difference);

#endif
