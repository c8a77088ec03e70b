/* source.c - finds the file, folder or named set behind a specification and reads it. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "data/inflate.h"
#include "data/readers.h"
#include "data/source.h"

static const int64_t source_file_max = INT64_C(64) << 30;    /* bytes of a file on disk */
static const int64_t source_inflated_max = INT64_C(4) << 30; /* bytes out of a gzip file */

/* --- files --- */

typedef struct source_format {
    const char *suffix;
    elb_status (*locate)(elb_context *c, const uint8_t *bytes, int64_t size, elb_layout *layout); /* OPTIONAL */
    elb_status (*parse)(elb_context *c, const uint8_t *bytes, int64_t size, elb_array *array);    /* NULL: NPZ */
} source_format;

static const source_format source_formats[] = {
    {".idx", elb_idx_locate, elb_idx_parse}, {"-ubyte", elb_idx_locate, elb_idx_parse},
    {".npy", elb_npy_locate, elb_npy_parse}, {".npz", NULL, NULL},
    {".csv", NULL, elb_csv_parse},           {".tsv", NULL, elb_csv_parse},
};

/* The format by a file name's end, before a ".gz". */
static const source_format *source_format_find(const char *path)
{
    size_t length = strlen(path);
    if (length > 3 && strcmp(path + length - 3, ".gz") == 0) length -= 3;
    for (size_t i = 0; i < sizeof source_formats / sizeof *source_formats; i++) {
        size_t n = strlen(source_formats[i].suffix);
        if (length >= n && memcmp(path + length - n, source_formats[i].suffix, n) == 0) return &source_formats[i];
    }
    return NULL;
}

static elb_status source_parse(elb_context *c, const source_format *format, const char *bytes, int64_t size,
                               const char *key, elb_array *array)
{
    const uint8_t *b = (const uint8_t *)bytes;
    return format->parse ? format->parse(c, b, size, array) : elb_npz_parse(c, b, size, key, array);
}

static elb_status source_inflate(elb_context *c, const source_format *format, const uint8_t *bytes, int64_t size,
                                 const char *key, elb_array *array)
{
    char *plain = NULL;
    int64_t plain_size = 0;
    ELB_TRY(elb_gzip_inflate(c, bytes, size, source_inflated_max, &plain, &plain_size));
    elb_status status = source_parse(c, format, plain, plain_size, key, array);
    elb_free(c, plain);
    return status;
}

/* Only what is left where it lies, or read once from beginning to end, is mapped: a file that changes meanwhile must
 * not lead a parser astray. */
static elb_status source_mapped(elb_context *c, const source_format *format, const char *path, elb_array *array)
{
    elb_mapping mapping;
    elb_layout layout;
    ELB_TRY(elb_file_map(c, path, &mapping));
    elb_status status;
    if (elb_gzip_is(mapping.bytes, mapping.size)) {
        status = source_inflate(c, format, mapping.bytes, mapping.size, "", array);
    } else {
        status = format->locate(c, mapping.bytes, mapping.size, &layout);
        if (status == ELB_OK) status = elb_array_view(c, &layout, &mapping, array);
    }
    elb_mapping_close(&mapping);
    return status == ELB_OK ? ELB_OK : elb_fail_in(c, status, "'%s'", path);
}

static elb_status source_read(elb_context *c, const source_format *format, const char *path, const char *key,
                              elb_array *array)
{
    char *bytes = NULL;
    int64_t size = 0;
    ELB_TRY(elb_file_read(c, path, source_file_max, &bytes, &size));
    const uint8_t *b = (const uint8_t *)bytes;
    elb_status status = elb_gzip_is(b, size) ? source_inflate(c, format, b, size, key, array)
                                             : source_parse(c, format, bytes, size, key, array);
    elb_free(c, bytes);
    return status == ELB_OK ? ELB_OK : elb_fail_in(c, status, "'%s'", path);
}

static elb_status source_file(elb_context *c, const char *path, const char *key, elb_array *array)
{
    const source_format *format = source_format_find(path);
    if (!format)
        return elb_fail(c, ELB_DATA,
                        "'%s' has no known ending: .idx, -ubyte, .npy, .npz, .csv or .tsv, each also with .gz, "
                        "are read, and folders of PNG images",
                        path);
    return format->locate ? source_mapped(c, format, path, array) : source_read(c, format, path, key, array);
}

/* --- folders with the four files of MNIST --- */

/* *path: "folder/stem-kind.gz" or without ".gz" or with a dot for the hyphen; NULL when there is none. */
static elb_status source_idx_find(elb_context *c, const char *folder, const char *stem, const char *kind, char **path)
{
    static const char *const forms[][2] = {{"-", ".gz"}, {"-", ""}, {".", ".gz"}, {".", ""}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        *path = elb_format(c, "%s/%s%s%s%s", folder, stem, forms[i][0], kind, forms[i][1]);
        if (!*path) return ELB_MEMORY;
        if (access(*path, F_OK) == 0) return ELB_OK;
        elb_free(c, *path);
    }
    *path = NULL;
    return ELB_OK;
}

static elb_status source_labels_convert(elb_context *c, const char *path, const elb_array *from, elb_source *source)
{
    int64_t count = source->array.shape[0];
    if (from->type != ELB_ARRAY_U8 || from->rank != 1 || from->shape[0] != count)
        return elb_fail(c, ELB_DATA, "'%s': one 8-bit label for each of the %lld images is expected", path,
                        (long long)count);
    source->labels = elb_alloc(c, count, sizeof *source->labels);
    if (!source->labels) return ELB_MEMORY;
    for (int64_t i = 0; i < count; i++) source->labels[i] = ((const uint8_t *)from->values)[i];
    return ELB_OK;
}

static elb_status source_labels(elb_context *c, const char *folder, const char *stem, elb_source *source)
{
    char *path = NULL;
    ELB_TRY(source_idx_find(c, folder, stem, "idx1-ubyte", &path));
    if (!path) return ELB_OK; /* images alone are enough */
    elb_array labels = {.values = NULL};
    elb_status status = source_file(c, path, "", &labels);
    if (status == ELB_OK) status = source_labels_convert(c, path, &labels, source);
    elb_array_reset(c, &labels);
    elb_free(c, path);
    return status;
}

/* Reads the training or test files; *found is false, and nothing is read, where the training images are missing. */
static elb_status source_idx_folder(elb_context *c, const char *folder, bool test, bool *found, elb_source *source)
{
    char *train_path = NULL, *test_path = NULL;
    elb_status status = source_idx_find(c, folder, "train-images", "idx3-ubyte", &train_path);
    *found = train_path != NULL;
    if (status == ELB_OK && *found) status = source_idx_find(c, folder, "t10k-images", "idx3-ubyte", &test_path);
    if (status == ELB_OK && *found) {
        source->has_test_file = test_path != NULL;
        test = test && test_path;
        status = source_file(c, test ? test_path : train_path, "", &source->array);
        if (status == ELB_OK) status = source_labels(c, folder, test ? "t10k-labels" : "train-labels", source);
    }
    elb_free(c, train_path);
    elb_free(c, test_path);
    return status;
}

static elb_status source_folder(elb_context *c, const char *folder, bool test, elb_source *source)
{
    bool found = false;
    ELB_TRY(source_idx_folder(c, folder, test, &found, source));
    return found ? ELB_OK : elb_png_folder_read(c, folder, &source->array);
}

/* --- names --- */

typedef struct source_set {
    const char *name, *folder, *environment, *advice;
} source_set;

static const source_set source_sets[] = {
    {"fashion-mnist", "/usr/share/datasets/fashion-mnist", NULL,
     "install Debian's package dataset-fashion-mnist (apt-get install dataset-fashion-mnist), or set data.folder to "
     "the "
     "folder with its files"},
    {"mnist", NULL, "ELBOW_MNIST",
     "set data.folder, or the environment variable ELBOW_MNIST, to the folder with its four files"},
};
static const char *const source_names[] = {"fashion-mnist", "mnist", "synthetic:figure-8", NULL};

static elb_status source_named(elb_context *c, const elb_data_options *options, const source_set *set, bool test,
                               elb_source *source)
{
    const char *folder = options->folder;
    if (!*folder && set->environment) folder = getenv(set->environment);
    if (!folder || !*folder) folder = set->folder;
    bool found = false;
    if (folder) ELB_TRY(source_idx_folder(c, folder, test, &found, source));
    if (found) return ELB_OK;
    if (!folder)
        return elb_fail(c, ELB_FAILURE, "it is not known where the data set %s lies: %s", set->name, set->advice);
    return elb_fail(c, ELB_FAILURE, "the data set %s is not in '%s', which holds no train-images-idx3-ubyte[.gz]: %s",
                    set->name, folder, set->advice);
}

static elb_status source_path(elb_context *c, const elb_data_options *options, bool test, elb_source *source)
{
    struct stat info;
    if (stat(options->spec, &info) == 0)
        return S_ISDIR(info.st_mode) ? source_folder(c, options->spec, test, source)
                                     : source_file(c, options->spec, options->key, &source->array);
    const char *near = elb_did_you_mean(options->spec, source_names);
    return elb_fail(c, ELB_FAILURE,
                    "there is no file, folder or data set '%s'%s%s%s; give a path, fashion-mnist, mnist or "
                    "synthetic:NAME",
                    options->spec, near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

elb_status elb_source_open(elb_context *c, const elb_data_options *options, bool test, elb_source *source)
{
    *source = (elb_source){.labels = NULL};
    if (!*options->spec)
        return elb_fail(c, ELB_USAGE,
                        "no data is given: set data.spec to a file, a folder, fashion-mnist, mnist or "
                        "synthetic:NAME");
    const source_set *set = NULL;
    for (size_t i = 0; i < sizeof source_sets / sizeof *source_sets; i++)
        if (strcmp(options->spec, source_sets[i].name) == 0) set = &source_sets[i];
    elb_status status = set ? source_named(c, options, set, test, source) : source_path(c, options, test, source);
    if (status != ELB_OK) elb_source_reset(c, source);
    return status;
}

void elb_source_reset(elb_context *c, elb_source *source)
{
    elb_array_reset(c, &source->array);
    elb_free(c, source->labels);
    *source = (elb_source){.labels = NULL};
}
