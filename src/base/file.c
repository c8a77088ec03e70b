/* file.c - whole files in, atomic files out. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum { FILE_BUFFER = 1 << 16, FILE_FORGET_MARGIN = 4 << 20 };

/* --- reading --- */

bool elb_file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

static elb_status file_read_all(elb_context *c, int fd, const char *path, char *bytes, int64_t *size)
{
    int64_t done = 0;
    while (done < *size) {
        ssize_t n = read(fd, bytes + done, (size_t)(*size - done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return elb_fail(c, ELB_FAILURE, "could not read '%s': %s", path, strerror(errno));
        if (n == 0) break; /* it became shorter since fstat */
        done += n;
    }
    *size = done;
    return ELB_OK;
}

static elb_status file_check(elb_context *c, int fd, const char *path, int64_t limit, int64_t *size)
{
    struct stat info;
    if (fstat(fd, &info) != 0) return elb_fail(c, ELB_FAILURE, "could not read '%s': %s", path, strerror(errno));
    if (S_ISDIR(info.st_mode)) return elb_fail(c, ELB_DATA, "'%s' is a folder where a file is expected", path);
    if (!S_ISREG(info.st_mode))
        return elb_fail(c, ELB_DATA, "'%s' is not a regular file (a device or a pipe); copy its contents to a file",
                        path);
    if (info.st_size > limit)
        return elb_fail(c, ELB_DATA, "'%s' has %lld bytes, and at most %lld are accepted here", path,
                        (long long)info.st_size, (long long)limit);
    *size = info.st_size;
    return ELB_OK;
}

/* O_NONBLOCK: do not wait for a pipe's writer. */
static elb_status file_open(elb_context *c, const char *path, int64_t limit, int *fd, int64_t *size)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0) return elb_fail(c, ELB_FAILURE, "could not open '%s': %s", path, strerror(errno));
    elb_status status = file_check(c, *fd, path, limit, size);
    if (status != ELB_OK) close(*fd);
    return status;
}

elb_status elb_file_read(elb_context *c, const char *path, int64_t limit, char **bytes, int64_t *size)
{
    int fd;
    int64_t length = 0;
    *bytes = NULL;
    *size = 0;
    ELB_TRY(file_open(c, path, limit, &fd, &length));
    char *block = elb_alloc(c, length + 1, 1);
    elb_status status = block ? file_read_all(c, fd, path, block, &length) : ELB_MEMORY;
    close(fd);
    if (status != ELB_OK) {
        elb_free(c, block);
        return status;
    }
    block[length] = '\0';
    *bytes = block;
    *size = length;
    return ELB_OK;
}

elb_status elb_file_map(elb_context *c, const char *path, elb_mapping *mapping)
{
    int fd;
    int64_t size = 0;
    *mapping = (elb_mapping){.bytes = NULL};
    ELB_TRY(file_open(c, path, INT64_MAX, &fd, &size));
    void *bytes = size > 0 ? mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0) : NULL;
    elb_status status = ELB_OK;
    if (bytes == MAP_FAILED)
        status = elb_fail(c, ELB_FAILURE, "could not map '%s' into memory: %s", path, strerror(errno));
    else
        *mapping = (elb_mapping){.bytes = bytes, .size = size};
    close(fd);
    return status;
}

/* The system maps some pages around one that is touched, hence the margin, and only whole pages can be given back. */
void elb_mapping_forget(const elb_mapping *mapping, int64_t begin, int64_t end)
{
    const int64_t page = sysconf(_SC_PAGESIZE);
    begin = begin > FILE_FORGET_MARGIN ? (begin - FILE_FORGET_MARGIN) / page * page : 0;
    end = end / page * page;
    if (mapping->bytes && end > begin) madvise(mapping->bytes + begin, (size_t)(end - begin), MADV_DONTNEED);
}

void elb_mapping_close(elb_mapping *mapping)
{
    if (mapping->bytes) munmap(mapping->bytes, (size_t)mapping->size);
    *mapping = (elb_mapping){.bytes = NULL};
}

/* --- writing --- */

struct elb_writer {
    elb_context *context;
    char *path, *temporary;
    int fd;
    elb_status status; /* of the first failure, which every later call reports again */
    int error;         /* its errno */
    int64_t position;  /* in the file, of the buffer's first byte */
    size_t used;
    char buffer[FILE_BUFFER];
};

static elb_status writer_fail(elb_writer *w, int error)
{
    w->status = ELB_FAILURE;
    w->error = error;
    return elb_fail(w->context, ELB_FAILURE, "could not write '%s': %s", w->path, strerror(error));
}

static elb_status writer_failed_before(elb_writer *w)
{
    if (w->status == ELB_FAILURE) return writer_fail(w, w->error);
    return elb_fail(w->context, w->status, "could not write '%s': out of memory", w->path);
}

int elb_write_all(elb_context *c, int fd, const void *bytes, size_t size)
{
    const elb_settings *s = elb_context_settings(c);
    const char *at = bytes;
    while (size > 0) {
        long n = s->write(s->user, fd, at, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return n < 0 ? errno : EIO;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

/* A rename over a device or a folder would destroy it or fail late. */
static elb_status writer_check_target(elb_context *c, const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0 || S_ISREG(info.st_mode)) return ELB_OK;
    if (S_ISDIR(info.st_mode)) return elb_fail(c, ELB_FAILURE, "could not write '%s': it is a folder", path);
    return elb_fail(c, ELB_FAILURE, "could not write '%s': it is a device or a pipe; name a file", path);
}

elb_status elb_writer_open(elb_context *c, const char *path, elb_writer **writer)
{
    *writer = NULL;
    ELB_TRY(writer_check_target(c, path));
    elb_writer *w = elb_alloc(c, 1, sizeof *w);
    if (!w) return ELB_MEMORY;
    w->context = c;
    w->fd = -1;
    w->path = elb_strdup(c, path);
    w->temporary = w->path ? elb_format(c, "%s.tmp-%ld", path, (long)getpid()) : NULL;
    elb_status status = w->temporary ? ELB_OK : ELB_MEMORY;
    if (status == ELB_OK) {
        unlink(w->temporary); /* left behind by a killed process that had the same number */
        w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (w->fd < 0) status = writer_fail(w, errno);
    }
    if (status != ELB_OK) {
        elb_writer_discard(w);
        return status;
    }
    *writer = w;
    return ELB_OK;
}

static elb_status writer_write(elb_writer *w, const char *bytes, size_t size)
{
    int error = elb_write_all(w->context, w->fd, bytes, size);
    if (error != 0) return writer_fail(w, error);
    w->position += (int64_t)size;
    return ELB_OK;
}

static elb_status writer_flush(elb_writer *w)
{
    size_t size = w->used;
    w->used = 0;
    return writer_write(w, w->buffer, size);
}

elb_status elb_writer_put(elb_writer *w, const void *bytes, size_t size)
{
    if (w->status != ELB_OK) return writer_failed_before(w);
    if (size > sizeof w->buffer - w->used) ELB_TRY(writer_flush(w));
    if (size > sizeof w->buffer) return writer_write(w, bytes, size);
    if (size > 0) memcpy(w->buffer + w->used, bytes, size);
    w->used += size;
    return ELB_OK;
}

elb_status elb_writer_seek(elb_writer *w, int64_t position)
{
    if (w->status != ELB_OK) return writer_failed_before(w);
    if (position == w->position + (int64_t)w->used) return ELB_OK;
    ELB_TRY(writer_flush(w));
    if (lseek(w->fd, position, SEEK_SET) < 0) return writer_fail(w, errno);
    w->position = position;
    return ELB_OK;
}

elb_status elb_writer_printf(elb_writer *w, const char *format, ...)
{
    if (w->status != ELB_OK) return writer_failed_before(w);
    va_list args;
    va_start(args, format);
    char *text = elb_format_list(w->context, format, args);
    va_end(args);
    if (!text) return w->status = ELB_MEMORY;
    elb_status status = elb_writer_put(w, text, strlen(text));
    elb_free(w->context, text);
    return status;
}

/* Makes the rename itself survive a power cut. A folder that may not be opened for reading cannot be synced, and a file
 * system without this operation says EINVAL: neither is a reason to call the file unwritten. */
static elb_status writer_sync_folder(elb_writer *w)
{
    char *folder = w->temporary, *slash = strrchr(folder, '/');
    if (slash) slash[slash == folder] = '\0';
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno == EACCES ? ELB_OK : writer_fail(w, errno);
    int error = fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
    close(fd);
    return error ? writer_fail(w, error) : ELB_OK;
}

static elb_status writer_finish(elb_writer *w)
{
    if (w->status != ELB_OK) return writer_failed_before(w);
    ELB_TRY(writer_flush(w));
    if (fsync(w->fd) != 0 && errno != EINVAL) return writer_fail(w, errno);
    int fd = w->fd;
    w->fd = -1;
    if (close(fd) != 0) return writer_fail(w, errno);
    if (rename(w->temporary, w->path) != 0) return writer_fail(w, errno);
    elb_status status = writer_sync_folder(w);
    elb_free(w->context, w->temporary); /* nothing left to unlink */
    w->temporary = NULL;
    return status;
}

static void writer_free(elb_writer *w)
{
    if (w->fd >= 0) close(w->fd);
    elb_free(w->context, w->temporary);
    elb_free(w->context, w->path);
    elb_free(w->context, w);
}

elb_status elb_writer_commit(elb_writer *w)
{
    elb_status status = writer_finish(w);
    if (status == ELB_OK)
        writer_free(w);
    else
        elb_writer_discard(w);
    return status;
}

void elb_writer_discard(elb_writer *w)
{
    if (!w) return;
    if (w->temporary) unlink(w->temporary);
    writer_free(w);
}

/* --- folders --- */

static elb_status folder_make_one(elb_context *c, const char *path)
{
    struct stat info;
    if (mkdir(path, 0777) == 0) return ELB_OK;
    int error = errno;
    if (stat(path, &info) == 0) {
        if (S_ISDIR(info.st_mode)) return ELB_OK;
        error = ENOTDIR;
    }
    return elb_fail(c, ELB_FAILURE, "could not make the folder '%s': %s", path, strerror(error));
}

elb_status elb_folder_make(elb_context *c, const char *path)
{
    if (!*path) return elb_fail(c, ELB_FAILURE, "could not make a folder: its name is empty");
    char *copy = elb_strdup(c, path);
    if (!copy) return ELB_MEMORY;
    elb_status status = ELB_OK;
    for (char *p = copy + 1; *p && status == ELB_OK; p++) {
        if (*p != '/') continue;
        *p = '\0';
        status = folder_make_one(c, copy);
        *p = '/';
    }
    if (status == ELB_OK) status = folder_make_one(c, copy);
    elb_free(c, copy);
    return status;
}
