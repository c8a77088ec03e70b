/* json.h - JSON files of a run: what jansson leaves open. */
#ifndef ELB_JSON_H
#define ELB_JSON_H

#include <jansson.h>

#include "base/base.h"

/* Flags for every dump: reals with all the digits that they need to be read back the same. */
#define ELB_JSON_FLAGS (JSON_REAL_PRECISION(17))

/* A new number, or null where JSON has none: NaN and the infinities. NULL only when there is no memory. */
json_t *elb_json_real(double value);
/* The number under `key`; NaN where there is none, or null. */
double elb_json_number(const json_t *object, const char *key);
/* Writes an object over several lines, atomically. Takes the reference; object may be NULL, which is ELB_MEMORY. */
elb_status elb_json_save(elb_context *c, const char *path, json_t *object);
/* Reads a file that holds one object; the caller decrefs it. Errors: ELB_FAILURE, ELB_DATA (not
 * JSON, not an object). */
elb_status elb_json_load(elb_context *c, const char *path, json_t **object);

#endif
