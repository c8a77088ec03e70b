/* log_file.c - log.jsonl. */
#include "run/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static const int64_t log_file_limit = (int64_t)1 << 30;

struct elb_log_file {
    elb_context *context;
    char *path;
    int fd;
    int64_t position; /* bytes in whole lines */
};

/* --- writing ------------------------------------------------------------------------------------------------------ */

static elb_status log_file_fail(const elb_log_file *log)
{
    return elb_fail(log->context, ELB_FAILURE, "could not write '%s': %s", log->path, strerror(errno));
}

/* The bytes up to the last newline within the first `size`. */
static elb_status log_file_whole_lines(const elb_log_file *log, int64_t *size)
{
    char last = 0;
    for (; *size > 0; (*size)--) {
        if (pread(log->fd, &last, 1, *size - 1) != 1) return log_file_fail(log);
        if (last == '\n') break;
    }
    return ELB_OK;
}

elb_status elb_log_file_cut(elb_log_file *log, int64_t keep)
{
    struct stat info;
    if (fstat(log->fd, &info)) return log_file_fail(log);
    log->position = keep;
    if (info.st_size < keep) {
        elb_log(log->context, ELB_LOG_WARNING,
                "'%s' has %lld bytes where the checkpoint left %lld: it lacks some lines, which does not harm the run",
                log->path, (long long)info.st_size, (long long)keep);
        log->position = info.st_size;
        ELB_TRY(log_file_whole_lines(log, &log->position));
    }
    return ftruncate(log->fd, log->position) ? log_file_fail(log) : ELB_OK;
}

static elb_status log_file_lock(const elb_log_file *log)
{
    int failed;
    while ((failed = flock(log->fd, LOCK_EX | LOCK_NB)) != 0 && errno == EINTR) continue;
    if (!failed) return ELB_OK;
    if (errno == EWOULDBLOCK)
        return elb_fail(log->context, ELB_USAGE, "another process writes '%s'; wait for it or end it", log->path);
    elb_log(log->context, ELB_LOG_WARNING, "'%s' could not be locked (%s): let no other process train there", log->path,
            strerror(errno));
    return ELB_OK;
}

elb_status elb_log_file_open(elb_context *c, const char *path, elb_log_file **log)
{
    *log = NULL;
    elb_log_file *l = elb_alloc(c, 1, sizeof *l);
    if (!l) return ELB_MEMORY;
    l->context = c;
    l->fd = -1;
    l->path = elb_strdup(c, path);
    elb_status status = l->path ? ELB_OK : ELB_MEMORY;
    if (status == ELB_OK) {
        l->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        status = l->fd < 0 ? log_file_fail(l) : log_file_lock(l);
    }
    if (status == ELB_OK)
        *log = l;
    else
        elb_log_file_close(l);
    return status;
}

elb_status elb_log_file_append(elb_log_file *log, json_t *object)
{
    char *text = object ? json_dumps(object, ELB_JSON_FLAGS | JSON_COMPACT) : NULL;
    json_decref(object);
    char *line = text ? elb_format(log->context, "%s\n", text) : NULL;
    if (!text) elb_fail(log->context, ELB_MEMORY, "out of memory: a line for '%s' could not be made", log->path);
    free(text);
    if (!line) return ELB_MEMORY;
    size_t size = strlen(line);
    errno = elb_write_all(log->context, log->fd, line, size);
    elb_status status = errno == 0 ? ELB_OK : log_file_fail(log);
    elb_free(log->context, line);
    if (status == ELB_OK) {
        log->position += (int64_t)size;
        return ELB_OK;
    }
    if (ftruncate(log->fd, log->position)) /* the piece would spoil the next line */
        elb_log(log->context, ELB_LOG_WARNING, "'%s' ends with a piece of a line", log->path);
    return status;
}

elb_status elb_log_file_sync(elb_log_file *log, int64_t *position)
{
    if (fsync(log->fd) && errno != EINVAL) return log_file_fail(log);
    *position = log->position;
    return ELB_OK;
}

void elb_log_file_close(elb_log_file *log)
{
    if (!log) return;
    if (log->fd >= 0) close(log->fd);
    elb_free(log->context, log->path);
    elb_free(log->context, log);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static elb_status log_history_parse(elb_log_history *h, const char *path, const char *bytes, int64_t size)
{
    const char *end;
    int64_t number = 1;
    h->lines = json_array();
    if (!h->lines) return elb_fail(h->context, ELB_MEMORY, "out of memory while reading '%s'", path);
    for (const char *line = bytes; (end = memchr(line, '\n', (size_t)(bytes + size - line)));
         line = end + 1, number++) {
        json_t *object = json_loadb(line, (size_t)(end - line), JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(object)) {
            json_decref(object);
            return elb_fail(h->context, ELB_DATA, "line %lld of '%s' is not a JSON object; correct or remove it",
                            (long long)number, path);
        }
        if (json_array_append_new(h->lines, object))
            return elb_fail(h->context, ELB_MEMORY, "out of memory while reading '%s'", path);
    }
    return ELB_OK;
}

elb_status elb_log_history_read(elb_context *c, const char *path, elb_log_history *history)
{
    char *bytes = NULL;
    int64_t size = 0;
    *history = (elb_log_history){.context = c};
    ELB_TRY(elb_file_read(c, path, log_file_limit, &bytes, &size));
    elb_status status = log_history_parse(history, path, bytes, size);
    elb_free(c, bytes);
    if (status != ELB_OK) elb_log_history_reset(history);
    return status;
}

void elb_log_history_reset(elb_log_history *history)
{
    json_decref(history->lines);
    history->lines = NULL;
}

static bool log_history_is(const json_t *line, const char *event)
{
    const char *name = json_string_value(json_object_get(line, "event"));
    return name && !strcmp(name, event);
}

const json_t *elb_log_history_last(const elb_log_history *history, const char *event)
{
    for (size_t i = json_array_size(history->lines); i-- > 0;) {
        const json_t *line = json_array_get(history->lines, i);
        if (log_history_is(line, event)) return line;
    }
    return NULL;
}

elb_status elb_log_history_series(const elb_log_history *history, const char *event, const char *x_key, const char *key,
                                  elb_series *series)
{
    size_t index;
    const json_t *line;
    int64_t most = (int64_t)json_array_size(history->lines);
    *series = (elb_series){0};
    series->x = elb_alloc(history->context, most, sizeof *series->x);
    series->y = series->x ? elb_alloc(history->context, most, sizeof *series->y) : NULL;
    if (!series->y) {
        elb_series_reset(history->context, series);
        return ELB_MEMORY;
    }
    json_array_foreach(history->lines, index, line)
    {
        double x = elb_json_number(line, x_key);
        if (!log_history_is(line, event) || !json_object_get(line, key) || !isfinite(x)) continue;
        series->x[series->count] = x;
        series->y[series->count++] = elb_json_number(line, key);
    }
    return ELB_OK;
}

void elb_series_reset(elb_context *c, elb_series *series)
{
    elb_free(c, series->x);
    elb_free(c, series->y);
    *series = (elb_series){0};
}
