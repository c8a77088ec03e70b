/* support.c - failing allocators and writers, temporary folders, files. */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- faults --- */

static int fault_due(int64_t *countdown)
{
    return *countdown > 0 && --*countdown == 0;
}

void *fault_alloc(void *user, void *block, size_t size)
{
    fault *f = user;
    size_t before = block ? malloc_usable_size(block) : 0;
    if (size == 0) {
        if (block) f->live--;
        f->bytes -= before;
        free(block);
        return NULL;
    }
    f->allocations++;
    if (fault_due(&f->alloc_countdown)) return NULL;
    void *result = realloc(block, size);
    if (!result) return NULL;
    if (!block) f->live++;
    f->bytes += malloc_usable_size(result) - before;
    if (f->bytes > f->most) f->most = f->bytes;
    return result;
}

long fault_write(void *user, int fd, const void *bytes, size_t size)
{
    fault *f = user;
    f->writes++;
    if (fault_due(&f->write_countdown)) {
        errno = f->write_error ? f->write_error : ENOSPC;
        return -1;
    }
    return (long)write(fd, bytes, size);
}

void fault_log(void *user, elb_log_level level, const char *message)
{
    fault *f = user;
    (void)level;
    size_t used = strlen(f->log);
    if (used + strlen(message) + 2 <= sizeof f->log) snprintf(f->log + used, sizeof f->log - used, "%s\n", message);
}

elb_settings fault_settings(fault *f)
{
    return (elb_settings){.threads = 1, .alloc = fault_alloc, .write = fault_write, .log = fault_log, .user = f};
}

elb_context *support_context(fault *f)
{
    elb_settings settings = {.threads = 1};
    if (f) {
        memset(f, 0, sizeof *f);
        settings = fault_settings(f);
    }
    elb_context *c = NULL;
    assert_int_equal(elb_context_create(&settings, &c), ELB_OK);
    assert_non_null(c);
    return c;
}

void support_context_end(elb_context *c, fault *f)
{
    elb_context_destroy(c);
    if (f) assert_int_equal(f->live, 0);
}

/* --- folders and files --- */

char *support_folder_make(void)
{
    const char *base = getenv("TMPDIR");
    char name[512];
    assert_true(snprintf(name, sizeof name, "%s/elbow-test-XXXXXX", base && *base ? base : "/tmp") < (int)sizeof name);
    assert_non_null(mkdtemp(name));
    return strdup(name);
}

static int support_remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

void support_folder_remove(char *folder)
{
    assert_int_equal(nftw(folder, support_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    free(folder);
}

int support_folder_count(const char *folder)
{
    DIR *d = opendir(folder);
    assert_non_null(d);
    int n = 0;
    for (struct dirent *e = readdir(d); e; e = readdir(d))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) n++;
    closedir(d);
    return n;
}

const char *support_path(const char *folder, const char *name)
{
    static char buffers[8][1024];
    static int at;
    char *path = buffers[at++ % 8];
    assert_true(snprintf(path, sizeof buffers[0], "%s/%s", folder, name) < (int)sizeof buffers[0]);
    return path;
}

char *support_file_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("'%s' cannot be opened: %s", path, strerror(errno));
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long length = ftell(file);
    assert_true(length >= 0);
    rewind(file);
    char *bytes = malloc((size_t)length + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)length, file), length);
    fclose(file);
    bytes[length] = '\0';
    if (size) *size = (size_t)length;
    return bytes;
}

void support_file_write(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (!file) fail_msg("'%s' cannot be made: %s", path, strerror(errno));
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* --- assertions --- */

void support_assert_message(const elb_context *c, const char *part)
{
    if (!strstr(elb_context_message(c), part))
        fail_msg("the message is \"%s\" and lacks \"%s\"", elb_context_message(c), part);
}

void support_assert_near(double a, double b, double absolute, double relative)
{
    if (!(fabs(a - b) <= absolute + relative * fabs(b))) fail_msg("%.17g is not near %.17g", a, b);
}

/* --- configurations --- */

void support_configure(elb_context *c, elb_config *config, const char *settings)
{
    char *copy = strdup(settings), *rest = NULL;
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(word, '=');
        assert_non_null(value);
        *value++ = '\0';
        if (elb_config_set(config, word, value) != ELB_OK) fail_msg("%s: %s", word, elb_context_message(c));
    }
    free(copy);
}

/* --- numbers --- */

/* splitmix64 (Steele et al. 2014): nothing of the library's own generator. */
double support_number(uint64_t seed, uint64_t i)
{
    uint64_t s = ((seed << 32) + i + 1) * UINT64_C(0x9E3779B97F4A7C15);
    s = (s ^ s >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    s = (s ^ s >> 27) * UINT64_C(0x94D049BB133111EB);
    return (double)((s ^ s >> 31) >> 40) * 0x1p-23 - 1;
}
