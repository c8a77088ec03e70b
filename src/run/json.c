/* json.c - JSON files of a run. */
#include "run/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

static const int64_t json_file_limit = (int64_t)1 << 28;

json_t *elb_json_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

double elb_json_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

elb_status elb_json_save(elb_context *c, const char *path, json_t *object)
{
    elb_writer *w = NULL;
    char *text = object ? json_dumps(object, ELB_JSON_FLAGS | JSON_INDENT(2)) : NULL;
    json_decref(object);
    if (!text) return elb_fail(c, ELB_MEMORY, "out of memory: the JSON for '%s' could not be made", path);
    elb_status status = elb_writer_open(c, path, &w);
    if (status == ELB_OK) {
        elb_writer_put(w, text, strlen(text)); /* commit reports a failure of either */
        elb_writer_put(w, "\n", 1);
        status = elb_writer_commit(w);
    }
    free(text);
    return status;
}

elb_status elb_json_load(elb_context *c, const char *path, json_t **object)
{
    char *bytes = NULL;
    int64_t size = 0;
    json_error_t error;
    *object = NULL;
    ELB_TRY(elb_file_read(c, path, json_file_limit, &bytes, &size));
    json_t *value = json_loadb(bytes, (size_t)size, JSON_REJECT_DUPLICATES, &error);
    elb_free(c, bytes);
    if (!value) return elb_fail(c, ELB_DATA, "'%s' is not JSON: line %d: %s", path, error.line, error.text);
    if (json_is_object(value)) {
        *object = value;
        return ELB_OK;
    }
    json_decref(value);
    return elb_fail(c, ELB_DATA, "'%s' holds no JSON object", path);
}
