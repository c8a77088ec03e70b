/* load.c - the part of a source that was asked for: splits, limits, scale. */
#include <stdio.h>
#include <string.h>

#include "data/dataset.h"
#include "data/source.h"
#include "data/synthetic.h"

/* The values of one part, before they become a data set. */
typedef struct load_job {
    elb_context *context;
    const elb_data_options *options;
    uint64_t seed;
    elb_part part;
    elb_source source;
} load_job;

/* --- which rows --- */

/* marks[n] != 0: datum n belongs to the part. Held out are the last of a training file that has a test file beside it,
 * and a random choice otherwise. */
static elb_status load_mark(const load_job *j, int64_t n, uint8_t *marks)
{
    bool own_test = j->source.has_test_file;
    int64_t validation = j->options->validation, test = own_test ? 0 : j->options->test;
    int64_t *order = elb_alloc(j->context, n, sizeof *order);
    if (!order) return ELB_MEMORY;
    if (!own_test) elb_permutation_keyed(elb_stream_key(j->seed, ELB_FOR_SPLIT, 0), n, order);
    for (int64_t i = 0; i < n; i++) {
        int64_t at = own_test ? n - 1 - i : order[i];
        elb_part part = i < test ? ELB_PART_TEST : i < test + validation ? ELB_PART_VALIDATION : ELB_PART_TRAIN;
        marks[at] = part == j->part;
    }
    elb_free(j->context, order);
    return ELB_OK;
}

/* Copies `kept` of the data, the marked ones from `first` on, into memory of their own. */
static elb_status load_copy(load_job *j, const uint8_t *marks, int64_t first, int64_t kept)
{
    elb_array *a = &j->source.array, copy = *a;
    int64_t row = elb_array_count(a) / a->shape[0] * (int64_t)elb_array_width(a);
    const char *from = a->values;
    char *to = elb_alloc(j->context, kept, (size_t)row);
    if (!to) return ELB_MEMORY;
    copy.values = to;
    copy.mapping = (elb_mapping){.bytes = NULL};
    copy.shape[0] = kept;
    for (int64_t i = first; kept > 0; i++) {
        if (marks && !marks[i]) continue;
        memcpy(to, from + i * row, (size_t)row);
        to += row;
        kept--;
    }
    elb_array_reset(j->context, a);
    *a = copy;
    return ELB_OK;
}

/* Drops the data that are not marked, and all beyond the first `limit` that are. */
static elb_status load_keep(load_job *j, const uint8_t *marks, int64_t limit)
{
    elb_array *a = &j->source.array;
    int64_t n = a->shape[0], kept = 0, first = 0, last = 0;
    for (int64_t i = 0; i < n && kept < limit; i++) {
        if (marks && !marks[i]) continue;
        if (j->source.labels) j->source.labels[kept] = j->source.labels[i];
        if (kept++ == 0) first = i;
        last = i;
    }
    if (kept == n) return ELB_OK;
    if (!a->mapping.bytes || last - first >= kept) return load_copy(j, marks, first, kept);
    a->values = (char *)a->values + first * (elb_array_count(a) / n) * (int64_t)elb_array_width(a);
    a->shape[0] = kept;
    return ELB_OK;
}

/* --- what may be asked for --- */

static elb_status load_check_part(const load_job *j, int64_t n)
{
    const elb_data_options *o = j->options;
    int64_t test = j->source.has_test_file ? 0 : o->test;
    if (j->part == ELB_PART_VALIDATION && o->validation == 0)
        return elb_fail(j->context, ELB_USAGE, "no validation data is held out: set data.validation to how many");
    if (j->part == ELB_PART_TEST && test == 0)
        return elb_fail(j->context, ELB_USAGE, "'%s' has no test set: set data.test to how many data to hold out",
                        o->spec);
    if (o->validation < n && test < n - o->validation) return ELB_OK;
    return elb_fail(j->context, ELB_USAGE,
                    "data.validation %lld and data.test %lld leave nothing of %lld data to train on",
                    (long long)o->validation, (long long)test, (long long)n);
}

static elb_status load_select(load_job *j)
{
    int64_t n = j->source.array.rank > 0 ? j->source.array.shape[0] : 0;
    int64_t limit = j->options->limit > 0 ? j->options->limit : n;
    bool whole = j->part == ELB_PART_ALL || (j->part == ELB_PART_TEST && j->source.has_test_file);
    if (elb_array_count(&j->source.array) == 0) return ELB_OK; /* elb_dataset_wrap says so */
    if (whole) return load_keep(j, NULL, limit);
    ELB_TRY(load_check_part(j, n));
    uint8_t *marks = elb_alloc(j->context, n, sizeof *marks);
    if (!marks) return ELB_MEMORY;
    elb_status status = load_mark(j, n, marks);
    if (status == ELB_OK) status = load_keep(j, marks, limit);
    elb_free(j->context, marks);
    return status;
}

/* --- scale --- */

/* Decided on the whole source, so that its parts agree. Images that were binarised before have only 0 and 1. */
static double load_scale(const load_job *j)
{
    const elb_array *a = &j->source.array;
    if (j->options->scale > 0) return j->options->scale;
    if (a->type != ELB_ARRAY_U8 || a->flags || elb_array_count(a) == 0) return 1;
    int64_t n = a->shape[0], size = elb_array_count(a) / n, piece = elb_array_piece(a);
    const uint8_t *x = a->values;
    uint8_t high = 0;
    for (int64_t first = 0; first < n && high <= 1; first += piece) {
        int64_t some = n - first < piece ? n - first : piece;
        for (int64_t i = first * size; i < (first + some) * size; i++) high = x[i] > high ? x[i] : high;
        elb_array_forget(a, first, some);
    }
    if (high != 1) return 255;
    elb_log(j->context, ELB_LOG_INFO, "the 8-bit data '%s' is only 0 and 1 and is not divided by 255",
            j->options->spec);
    return 1;
}

/* --- the whole --- */

/* The parts of one source draw from streams of their own. The test part starts at 0, so that a test file is binarised
 * alike whether it was named itself or as part of a set. */
static uint64_t load_origin(elb_part part)
{
    uint64_t stream = part == ELB_PART_TRAIN ? 1 : part == ELB_PART_VALIDATION ? 2 : 0;
    return stream << 56;
}

static const elb_synthetic *load_synthetic_find(const char *spec, const char **name)
{
    static const char prefix[] = "synthetic:";
    *name = NULL;
    if (strncmp(spec, prefix, sizeof prefix - 1) != 0) return NULL;
    *name = spec + sizeof prefix - 1;
    for (const elb_synthetic *s = elb_synthetic_table; s->name; s++)
        if (strcmp(*name, s->name) == 0) return s;
    return NULL;
}

static elb_status load_fail_synthetic(elb_context *c, const char *name)
{
    enum { NAMES = 8 };
    const char *names[NAMES] = {NULL};
    char list[256] = "";
    for (int i = 0; i < NAMES - 1 && elb_synthetic_table[i].name; i++) {
        names[i] = elb_synthetic_table[i].name;
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i]);
    }
    const char *near = elb_did_you_mean(name, names);
    return elb_fail(c, ELB_USAGE, "there is no synthetic set '%s'%s%s%s: there are %s", name,
                    near ? ", did you mean '" : "", near ? near : "", near ? "'" : "", list);
}

static elb_status load_synthetic(load_job *j, const elb_synthetic *set)
{
    uint32_t stream = j->part == ELB_PART_TRAIN ? 0 : j->part == ELB_PART_VALIDATION ? 1 : 2;
    int64_t limit = j->options->limit > 0 ? j->options->limit : ELB_SYNTHETIC_COUNT;
    ELB_TRY(elb_synthetic_make(j->context, set, j->seed, stream, &j->source.array));
    return load_keep(j, NULL, limit);
}

static elb_status load_read(load_job *j, double *scale)
{
    const elb_data_options *o = j->options;
    const char *name = NULL;
    const elb_synthetic *set = load_synthetic_find(o->spec, &name);
    if (name && !set) return load_fail_synthetic(j->context, name);
    *scale = o->scale > 0 ? o->scale : 1;
    if (set) return load_synthetic(j, set);
    ELB_TRY(elb_source_open(j->context, o, j->part == ELB_PART_TEST || j->part == ELB_PART_ALL, &j->source));
    *scale = load_scale(j);
    return load_select(j);
}

static elb_status load_finish(load_job *j, double scale, elb_dataset **dataset)
{
    elb_context *c = j->context;
    char *name = elb_format(c, "%s (%s)", j->options->spec, elb_part_name(j->part));
    if (!name) return ELB_MEMORY;
    elb_dataset *d = NULL;
    int32_t *labels = j->source.labels;
    j->source.labels = NULL;
    elb_status status = elb_dataset_wrap(c, name, &j->source.array, labels, scale, &d);
    if (status == ELB_DATA) elb_fail_in(c, status, "'%s'", j->options->spec);
    elb_free(c, name);
    if (status != ELB_OK) return status;
    d->origin = load_origin(j->part);
    *dataset = d;
    return ELB_OK;
}

elb_status elb_dataset_load(elb_context *c, const elb_data_options *options, uint64_t seed, elb_part part,
                            elb_dataset **dataset)
{
    *dataset = NULL;
    load_job j = {.context = c, .options = options, .seed = seed, .part = part};
    double scale = 1;
    elb_status status = load_read(&j, &scale);
    if (status == ELB_OK) status = load_finish(&j, scale, dataset);
    elb_source_reset(c, &j.source);
    return status;
}
