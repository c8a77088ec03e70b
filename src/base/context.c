/* context.c - one user's settings, latest message and attached object. */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

/* base.h wraps them for the analyser. */
#undef elb_fail
#undef elb_fail_in

enum { CONTEXT_MESSAGE_SIZE = 2048, CONTEXT_KERNELS_SIZE = 32, CONTEXT_THREADS_MAX = 256 };

struct elb_context {
    elb_settings settings;
    char kernels[CONTEXT_KERNELS_SIZE]; /* what settings.kernels points at */
    char message[CONTEXT_MESSAGE_SIZE];
    void *attached;
    void (*attached_destroy)(elb_context *c, void *object);
};

const char *elb_status_name(elb_status status)
{
    switch (status) {
    case ELB_OK: return "ok";
    case ELB_FAILURE: return "failure";
    case ELB_USAGE: return "usage";
    case ELB_DATA: return "data";
    case ELB_MODEL: return "model";
    case ELB_NUMERIC: return "numeric";
    case ELB_MEMORY: return "memory";
    case ELB_REQUEUE: return "requeue";
    case ELB_INTERRUPTED: return "interrupted";
    }
    return "unknown";
}

static long context_write(void *user, int fd, const void *bytes, size_t size)
{
    (void)user;
    return (long)write(fd, bytes, size);
}

/* The processors this process may run on, which a container or taskset(1) may have made fewer than the machine has. */
static int context_processors(void)
{
    cpu_set_t set;
    long n = 0;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        n = CPU_COUNT(&set);
    else /* more processors than cpu_set_t can name */
        n = sysconf(_SC_NPROCESSORS_ONLN);
    if (n < 1) return 1;
    return n > CONTEXT_THREADS_MAX ? CONTEXT_THREADS_MAX : (int)n;
}

elb_status elb_context_create(const elb_settings *settings, elb_context **context)
{
    *context = NULL;
    struct elb_context start;
    memset(&start, 0, sizeof start);
    if (settings) start.settings = *settings;
    elb_settings *s = &start.settings;
    if (s->threads < 0 || s->threads > CONTEXT_THREADS_MAX) return ELB_USAGE;
    if (s->threads == 0) s->threads = context_processors();
    if (!s->kernels) s->kernels = "auto";
    if (strlen(s->kernels) >= sizeof start.kernels) return ELB_USAGE;
    if (!s->alloc) s->alloc = elb_alloc_default;
    if (!s->write) s->write = context_write;

    struct elb_context *c = elb_alloc(&start, 1, sizeof *c);
    if (!c) return ELB_MEMORY;
    *c = start;
    memcpy(c->kernels, s->kernels, strlen(s->kernels) + 1);
    c->settings.kernels = c->kernels;
    c->message[0] = '\0';
    *context = c;
    return ELB_OK;
}

void elb_context_destroy(elb_context *c)
{
    if (!c) return;
    if (c->attached) c->attached_destroy(c, c->attached);
    struct elb_context last = *c; /* lends its allocator while c itself is freed */
    elb_free(&last, c);
}

const elb_settings *elb_context_settings(const elb_context *c)
{
    return &c->settings;
}

const char *elb_context_message(const elb_context *c)
{
    return c->message;
}

/* Messages quote file names and file contents: a newline or an escape sequence there must not reach a terminal. */
static void context_tame(char *text)
{
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f) *p = ' ';
}

elb_status elb_fail(elb_context *c, elb_status status, const char *format, ...)
{
    char text[CONTEXT_MESSAGE_SIZE]; /* the arguments may quote the present message */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    context_tame(text);
    memcpy(c->message, text, strlen(text) + 1);
    return status;
}

elb_status elb_fail_in(elb_context *c, elb_status status, const char *format, ...)
{
    char prefix[CONTEXT_MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    return elb_fail(c, status, "%s: %s", prefix, c->message);
}

void elb_log(elb_context *c, elb_log_level level, const char *format, ...)
{
    if (!c->settings.log) return;
    char text[CONTEXT_MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    context_tame(text);
    c->settings.log(c->settings.user, level, text);
}

void *elb_context_attached(const elb_context *c)
{
    return c->attached;
}

void elb_context_attach(elb_context *c, void *object, void (*destroy)(elb_context *c, void *object))
{
    c->attached = object;
    c->attached_destroy = destroy;
}
