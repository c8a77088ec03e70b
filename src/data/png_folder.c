/* png_folder.c - PNG images through libpng, and folders of them. */
#include <dirent.h>
#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "data/inflate.h"
#include "data/readers.h"

enum { PNG_SIDE_MAX = 16384, PNG_CHUNK_MAX = 8 << 20, PNG_FILE_MAX = 1 << 30 };

typedef struct png_job {
    elb_context *context;
    const uint8_t *at;
    size_t left;
    elb_array *array; /* freed by elb_png_parse on failure */
    png_bytep *rows;
    elb_status status;
} png_job;

/* --- libpng's hooks: it reports errors by not returning ----------------------------------------------------------- */

static void png_raise(png_structp png, png_const_charp why)
{
    png_job *job = png_get_error_ptr(png);
    if (job->status == ELB_OK) job->status = elb_fail(job->context, ELB_DATA, "the PNG image is corrupt (%s)", why);
    png_longjmp(png, 1);
}

static void png_ignore(png_structp png, png_const_charp why)
{
    (void)png;
    (void)why;
}

static png_voidp png_hook_alloc(png_structp png, png_alloc_size_t size)
{
    png_job *job = png_get_mem_ptr(png);
    void *block = elb_alloc(job->context, (int64_t)size, 1);
    if (!block) job->status = ELB_MEMORY;
    return block;
}

static void png_hook_free(png_structp png, png_voidp block)
{
    png_job *job = png_get_mem_ptr(png);
    elb_free(job->context, block);
}

static void png_hook_read(png_structp png, png_bytep to, size_t size)
{
    png_job *job = png_get_io_ptr(png);
    if (size > job->left) png_error(png, "it is truncated");
    memcpy(to, job->at, size);
    job->at += size;
    job->left -= size;
}

/* --- one image --- */

/* Fails like libpng does, with a sentence of our own. */
static void png_refuse(png_structp png, elb_status status)
{
    png_job *job = png_get_error_ptr(png);
    job->status = status;
    png_error(png, "refused");
}

/* Grey or RGB with 8 bits, whatever the file has; the array is made to fit. */
static void png_prepare(png_structp png, png_infop info, png_job *job, size_t file_size)
{
    png_read_info(png, info);
    int64_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
    if (png_get_bit_depth(png, info) > 8)
        png_refuse(png, elb_fail(job->context, ELB_DATA, "the PNG image has 16 bits per channel: convert it to 8"));
    png_set_expand(png);
    png_set_strip_alpha(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    int64_t channels = png_get_channels(png, info), size = height * width * channels;
    if (size / 24 / ELB_DEFLATE_RATIO_MAX > (int64_t)file_size) /* one bit in a palette becomes three bytes */
        png_refuse(png,
                   elb_fail(job->context, ELB_DATA, "the PNG image is corrupt: %zu bytes cannot hold %lldx%lld pixels",
                            file_size, (long long)height, (long long)width));
    *job->array =
        (elb_array){.type = ELB_ARRAY_U8, .rank = channels == 1 ? 3 : 4, .shape = {1, height, width, channels}};
    job->array->values = elb_alloc(job->context, size, 1);
    job->rows = elb_alloc(job->context, height, sizeof *job->rows);
    if (!job->array->values || !job->rows) png_refuse(png, ELB_MEMORY);
    for (int64_t y = 0; y < height; y++) job->rows[y] = (png_bytep)job->array->values + y * width * channels;
}

static void png_decode(png_structp png, png_infop *info, png_job *job, size_t size)
{
    if (setjmp(png_jmpbuf(png))) return; /* job->status says why */
    *info = png_create_info_struct(png);
    if (!*info) png_refuse(png, ELB_MEMORY);
    png_set_user_limits(png, PNG_SIDE_MAX, PNG_SIDE_MAX);
    png_set_chunk_malloc_max(png, PNG_CHUNK_MAX);
    png_set_read_fn(png, job, png_hook_read);
    png_prepare(png, *info, job, size);
    png_read_image(png, job->rows);
    png_read_end(png, NULL);
}

elb_status elb_png_parse(elb_context *c, const uint8_t *bytes, int64_t size, elb_array *array)
{
    *array = (elb_array){.values = NULL};
    if (size < 8 || png_sig_cmp(bytes, 0, 8) != 0)
        return elb_fail(c, ELB_DATA, "this is not a PNG image: its first 8 bytes are not PNG's");
    png_job job = {.context = c, .at = bytes, .left = (size_t)size, .array = array};
    png_structp png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &job, png_raise, png_ignore, &job, png_hook_alloc,
                                               png_hook_free);
    if (!png) return job.status != ELB_OK ? job.status : elb_fail(c, ELB_FAILURE, "libpng could not be started");
    png_infop info = NULL;
    png_decode(png, &info, &job, (size_t)size);
    png_destroy_read_struct(&png, &info, NULL);
    elb_free(c, job.rows);
    if (job.status != ELB_OK) elb_array_reset(c, array);
    return job.status;
}

/* --- a folder --- */

typedef struct png_names {
    char **at;
    int64_t count, capacity;
} png_names;

static bool png_wanted(const char *name)
{
    size_t length = strlen(name);
    return name[0] != '.' && length > 4 && strcasecmp(name + length - 4, ".png") == 0;
}

static elb_status png_names_add(elb_context *c, png_names *names, const char *name)
{
    if (names->count == names->capacity) {
        int64_t larger = names->capacity * 2 + 64;
        char **at = elb_resize(c, names->at, larger, sizeof *at);
        if (!at) return ELB_MEMORY;
        names->at = at;
        names->capacity = larger;
    }
    names->at[names->count] = elb_strdup(c, name);
    return names->at[names->count] && ++names->count ? ELB_OK : ELB_MEMORY;
}

static int png_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static elb_status png_names_list(elb_context *c, const char *folder, png_names *names)
{
    DIR *d = opendir(folder);
    if (!d) return elb_fail(c, ELB_FAILURE, "could not read the folder '%s': %s", folder, strerror(errno));
    elb_status status = ELB_OK;
    for (struct dirent *e = readdir(d); e && status == ELB_OK; e = readdir(d))
        if (png_wanted(e->d_name)) status = png_names_add(c, names, e->d_name);
    closedir(d);
    if (status == ELB_OK && names->count == 0)
        return elb_fail(c, ELB_DATA, "the folder '%s' holds neither PNG images nor train-images-idx3-ubyte[.gz]",
                        folder);
    if (status == ELB_OK) qsort(names->at, (size_t)names->count, sizeof *names->at, png_compare);
    return status;
}

static elb_status png_read_one(elb_context *c, const char *folder, const char *name, elb_array *image)
{
    char *path = elb_format(c, "%s/%s", folder, name), *bytes = NULL;
    if (!path) return ELB_MEMORY;
    int64_t size = 0;
    elb_status status = elb_file_read(c, path, PNG_FILE_MAX, &bytes, &size);
    if (status == ELB_OK) {
        status = elb_png_parse(c, (const uint8_t *)bytes, size, image);
        if (status == ELB_DATA) elb_fail_in(c, status, "'%s'", path);
    }
    elb_free(c, bytes);
    elb_free(c, path);
    return status;
}

static elb_status png_same(elb_context *c, const char *first, const char *name, const elb_array *all,
                           const elb_array *image)
{
    if (all->rank == image->rank &&
        memcmp(all->shape + 1, image->shape + 1, sizeof all->shape - sizeof *all->shape) == 0)
        return ELB_OK;
    return elb_fail(c, ELB_DATA, "the image '%s' is %lldx%lld %s, but '%s' is %lldx%lld %s: all must be the same", name,
                    (long long)image->shape[1], (long long)image->shape[2], image->rank == 3 ? "grey" : "RGB", first,
                    (long long)all->shape[1], (long long)all->shape[2], all->rank == 3 ? "grey" : "RGB");
}

/* Copies image i into its place; the first one decides the shape of all. */
static elb_status png_place(elb_context *c, const png_names *names, int64_t i, const elb_array *image, elb_array *all)
{
    int64_t size = elb_array_count(image), total = 0;
    if (i == 0) {
        *all = *image;
        all->shape[0] = names->count;
        all->values = NULL;
        if (!elb_mul_fits(size, names->count, &total)) return elb_fail(c, ELB_DATA, "the folder holds too many images");
        all->values = elb_alloc(c, total, 1);
        if (!all->values) return ELB_MEMORY;
    }
    ELB_TRY(png_same(c, names->at[0], names->at[i], all, image));
    memcpy((uint8_t *)all->values + i * size, image->values, (size_t)size);
    return ELB_OK;
}

elb_status elb_png_folder_read(elb_context *c, const char *folder, elb_array *array)
{
    *array = (elb_array){.values = NULL};
    png_names names = {.at = NULL};
    elb_array all = {.values = NULL};
    elb_status status = png_names_list(c, folder, &names);
    for (int64_t i = 0; status == ELB_OK && i < names.count; i++) {
        elb_array image = {.values = NULL};
        status = png_read_one(c, folder, names.at[i], &image);
        if (status == ELB_OK) status = png_place(c, &names, i, &image, &all);
        elb_array_reset(c, &image);
    }
    for (int64_t i = 0; i < names.count; i++) elb_free(c, names.at[i]);
    elb_free(c, names.at);
    if (status != ELB_OK)
        elb_array_reset(c, &all);
    else
        *array = all;
    return status;
}
