/* support.h - what most tests need: a context whose allocator and writer can be told to fail, temporary folders, files.
 * Every function here fails the running cmocka test when it cannot do its work. */
#ifndef ELB_TEST_SUPPORT_H
#define ELB_TEST_SUPPORT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <elbow/config.h>

/* Countdowns: 1 = the next call fails, n = the n-th, 0 = none fails. After the failure they stay 0. */
typedef struct fault {
    int64_t alloc_countdown, write_countdown;
    int write_error;     /* errno of the failing write; 0 means ENOSPC */
    int64_t allocations; /* blocks asked for so far */
    int64_t writes;      /* writes asked for so far */
    int64_t live;        /* blocks not yet freed */
    size_t bytes, most;  /* that they hold, and the most they held; `most` may be set anew */
    char log[4096];      /* log lines, one per line, the earliest that fit */
} fault;

void *fault_alloc(void *user, void *block, size_t size);
long fault_write(void *user, int fd, const void *bytes, size_t size);
void fault_log(void *user, elb_log_level level, const char *message);
elb_settings fault_settings(fault *f); /* all defaults but these three hooks; threads 1 */

/* A context over `f`, which is cleared first; f may be NULL for the default hooks. */
elb_context *support_context(fault *f);
/* Destroys the context and asserts that every block was freed. f as given to support_context. */
void support_context_end(elb_context *c, fault *f);

/* A new empty folder; support_folder_remove deletes it with all it holds and frees the name. */
char *support_folder_make(void);
void support_folder_remove(char *folder);
/* How many entries a folder holds (without . and ..). */
int support_folder_count(const char *folder);
/* "folder/name" in one of eight rotating buffers. */
const char *support_path(const char *folder, const char *name);

/* The whole file with a NUL after it; the caller frees it with free(). size may be NULL. */
char *support_file_read(const char *path, size_t *size);
void support_file_write(const char *path, const void *bytes, size_t size);

/* The context's message contains `part`; prints both when not. */
void support_assert_message(const elb_context *c, const char *part);
/* |a - b| <= absolute + relative * |b|; fails for NaN on either side. */
void support_assert_near(double a, double b, double absolute, double relative);

/* settings: "model.latent=3 model.hidden=7,5 ..."; what is refused fails the test with its message. */
void support_configure(elb_context *c, elb_config *config, const char *settings);

/* Numbers in [-1,1) that depend on (seed, i) alone. */
double support_number(uint64_t seed, uint64_t i);

#endif
