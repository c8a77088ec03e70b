/* test_base.c - contexts, memory, arenas and atomic files, and every way they can fail. */
#include "support.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"

enum { FAR = 1 << 20, LIMIT = 1 << 20 };

/* --- context --- */

static void test_status_names(void **state)
{
    (void)state;
    const elb_status all[] = {ELB_OK,      ELB_FAILURE, ELB_USAGE,   ELB_DATA,       ELB_MODEL,
                              ELB_NUMERIC, ELB_MEMORY,  ELB_REQUEUE, ELB_INTERRUPTED};
    enum { COUNT = sizeof all / sizeof *all };
    for (int i = 0; i < COUNT; i++)
        for (int j = 0; j < i; j++) assert_string_not_equal(elb_status_name(all[i]), elb_status_name(all[j]));
    assert_string_equal(elb_status_name(ELB_OK), "ok");
    assert_string_equal(elb_status_name((elb_status)99), "unknown");
}

static void test_context_defaults(void **state)
{
    (void)state;
    cpu_set_t set;
    elb_context *c = NULL;
    assert_int_equal(elb_context_create(NULL, &c), ELB_OK);
    const elb_settings *s = elb_context_settings(c);
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    assert_int_equal(s->threads, CPU_COUNT(&set) < 256 ? CPU_COUNT(&set) : 256);
    assert_string_equal(s->kernels, "auto");
    assert_non_null(s->alloc);
    assert_non_null(s->write);
    assert_string_equal(elb_context_message(c), "");
    elb_log(c, ELB_LOG_INFO, "nobody listens");
    elb_context_destroy(c);
    elb_context_destroy(NULL);
}

static void test_context_keeps_settings(void **state)
{
    (void)state;
    char kernels[] = "reference";
    elb_settings settings = {.threads = 3, .kernels = kernels};
    elb_context *c = NULL;
    assert_int_equal(elb_context_create(&settings, &c), ELB_OK);
    memset(kernels, 'x', sizeof kernels - 1);
    assert_string_equal(elb_context_settings(c)->kernels, "reference");
    assert_int_equal(elb_context_settings(c)->threads, 3);
    elb_context_destroy(c);
}

static void test_context_refuses(void **state)
{
    (void)state;
    char kernels[100];
    memset(kernels, 'k', sizeof kernels);
    kernels[99] = '\0';
    const elb_settings bad[] = {{.threads = -1}, {.threads = 257}, {.kernels = kernels}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        elb_context *c = (elb_context *)kernels;
        assert_int_equal(elb_context_create(&bad[i], &c), ELB_USAGE);
        assert_null(c);
    }
}

static void test_context_without_memory(void **state)
{
    (void)state;
    fault f = {.alloc_countdown = 1};
    elb_settings settings = fault_settings(&f);
    elb_context *c = (elb_context *)&f;
    assert_int_equal(elb_context_create(&settings, &c), ELB_MEMORY);
    assert_null(c);
    assert_int_equal(f.live, 0);
    assert_int_equal(elb_context_create(&settings, &c), ELB_OK);
    assert_int_equal(f.live, 1);
    support_context_end(c, &f);
}

static void test_message(void **state)
{
    (void)state;
    fault f;
    char longer[5000];
    memset(longer, 'm', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    elb_context *c = support_context(&f);
    assert_int_equal(elb_fail(c, ELB_DATA, "%s has %d rows", "x.csv", 3), ELB_DATA);
    assert_string_equal(elb_context_message(c), "x.csv has 3 rows");
    assert_int_equal(elb_fail_in(c, ELB_USAGE, "line %d", 7), ELB_USAGE);
    assert_string_equal(elb_context_message(c), "line 7: x.csv has 3 rows");
    elb_fail(c, ELB_DATA, "<%s>", elb_context_message(c));
    assert_string_equal(elb_context_message(c), "<line 7: x.csv has 3 rows>");
    elb_fail(c, ELB_DATA, "a\nb\033[31mc\177");
    assert_string_equal(elb_context_message(c), "a b [31mc ");
    elb_fail(c, ELB_DATA, "%s", longer);
    assert_true(strlen(elb_context_message(c)) > 1000);
    elb_fail_in(c, ELB_DATA, "%s", longer);
    elb_log(c, ELB_LOG_WARNING, "two\nlines %d", 5);
    assert_string_equal(f.log, "two lines 5\n");
    support_context_end(c, &f);
}

static void release_attached(elb_context *c, void *object)
{
    elb_log(c, ELB_LOG_INFO, "released");
    elb_free(c, object);
}

static void test_attached(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    assert_null(elb_context_attached(c));
    void *object = elb_alloc(c, 1, 8);
    elb_context_attach(c, object, release_attached);
    assert_ptr_equal(elb_context_attached(c), object);
    support_context_end(c, &f);
    assert_string_equal(f.log, "released\n");
}

/* --- memory --- */

static bool is_aligned(const void *p)
{
    return (uintptr_t)p % 64 == 0;
}

static void test_alloc(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    const char zero[300] = {0};
    for (int64_t size = 0; size < 300; size++) {
        char *block = elb_alloc(c, size, 1);
        assert_non_null(block);
        assert_true(is_aligned(block));
        assert_memory_equal(block, zero, (size_t)size);
        memset(block, 1, (size_t)size);
        elb_free(c, block);
    }
    elb_free(c, NULL);
    support_context_end(c, &f);
}

static void test_alloc_too_much(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    const struct {
        int64_t count;
        size_t size;
    } bad[] = {{-1, 1}, {INT64_MAX, 2}, {INT64_MAX, 1}, {1, SIZE_MAX}, {INT64_MAX - 70, 1}, {INT64_MIN, 8}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        elb_fail(c, ELB_DATA, "before");
        assert_null(elb_alloc(c, bad[i].count, bad[i].size));
        support_assert_message(c, "out of memory");
        assert_null(elb_resize(c, NULL, bad[i].count, bad[i].size));
    }
    support_context_end(c, NULL);
}

static void test_resize(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    char *block = elb_resize(c, NULL, 4, 1);
    memcpy(block, "abc", 4);
    block = elb_resize(c, block, 100, 1);
    assert_true(is_aligned(block));
    assert_memory_equal(block, "abc\0\0", 5);
    assert_int_equal(block[99], 0);
    f.alloc_countdown = 1;
    assert_null(elb_resize(c, block, 200, 1));
    support_assert_message(c, "out of memory");
    assert_memory_equal(block, "abc\0", 4); /* as it was */
    block = elb_resize(c, block, 2, 1);
    assert_memory_equal(block, "ab", 2);
    elb_free(c, block);
    support_context_end(c, &f);
}

static void test_strings(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    char *copy = elb_strdup(c, "text"), *made = elb_format(c, "%s-%0*d", copy, 300, 7);
    assert_string_equal(copy, "text");
    assert_int_equal(strlen(made), 305);
    assert_memory_equal(made, "text-000", 8);
    elb_free(c, copy);
    elb_free(c, made);
    f.alloc_countdown = 1;
    assert_null(elb_strdup(c, "text"));
    f.alloc_countdown = 1;
    assert_null(elb_format(c, "%d", 1));
    support_assert_message(c, "out of memory");
    support_context_end(c, &f);
}

static void test_mul_fits(void **state)
{
    (void)state;
    int64_t p = 0;
    assert_true(elb_mul_fits(INT64_C(1) << 31, INT64_C(1) << 31, &p) && p == INT64_C(1) << 62);
    assert_true(elb_mul_fits(INT64_MAX, 1, &p) && p == INT64_MAX);
    assert_true(elb_mul_fits(0, INT64_MAX, &p) && p == 0);
    assert_false(elb_mul_fits(INT64_C(1) << 32, INT64_C(1) << 31, &p));
    assert_false(elb_mul_fits(-1, -1, &p));
    assert_false(elb_mul_fits(1, -1, &p));
}

/* --- arena --- */

static void use_arena(elb_arena *a, int count, size_t size)
{
    char *before = NULL;
    for (int i = 0; i < count; i++) {
        char *block = elb_arena_alloc(a, 1 + i % 7, size);
        assert_non_null(block);
        assert_true(is_aligned(block));
        memset(block, i, (size_t)(1 + i % 7) * size);
        if (before) assert_int_equal(*before, (char)(i - 1)); /* the neighbours do not overlap */
        before = block;
    }
    char *none = elb_arena_alloc(a, 0, 8), *other = elb_arena_alloc(a, 0, 8);
    assert_true(none && other && none != other);
}

static void test_arena_settles(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    elb_arena *a = NULL;
    assert_int_equal(elb_arena_create(c, &a), ELB_OK);
    assert_int_equal(elb_arena_bytes(a), 0);
    assert_int_equal(elb_arena_reset(a), ELB_OK);
    use_arena(a, 500, 1000);
    assert_non_null(elb_arena_alloc(a, FAR, 3)); /* larger than any block */
    assert_int_equal(elb_arena_reset(a), ELB_OK);
    int64_t allocations = f.allocations, bytes = elb_arena_bytes(a);
    assert_true(bytes >= 3 * FAR + 500 * 1000);
    assert_int_equal(f.live, 3); /* context, arena, one block */
    for (int step = 0; step < 3; step++) {
        use_arena(a, 500, 1000);
        assert_non_null(elb_arena_alloc(a, FAR, 3));
        assert_int_equal(elb_arena_reset(a), ELB_OK);
    }
    assert_int_equal(f.allocations, allocations);
    assert_int_equal(elb_arena_bytes(a), bytes);
    elb_arena_destroy(a);
    elb_arena_destroy(NULL);
    support_context_end(c, &f);
}

static void test_arena_without_memory(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    elb_arena *a = NULL;
    f.alloc_countdown = 1;
    assert_int_equal(elb_arena_create(c, &a), ELB_MEMORY);
    assert_null(a);
    assert_int_equal(elb_arena_create(c, &a), ELB_OK);
    f.alloc_countdown = 1;
    assert_null(elb_arena_alloc(a, 1, 1));
    support_assert_message(c, "out of memory");
    assert_null(elb_arena_alloc(a, INT64_MAX, 1));
    assert_null(elb_arena_alloc(a, -1, 1));
    assert_null(elb_arena_alloc(a, 1, SIZE_MAX));
    use_arena(a, 10, 8);
    assert_non_null(elb_arena_alloc(a, FAR, 1));
    f.alloc_countdown = 1;
    assert_int_equal(elb_arena_reset(a), ELB_MEMORY);
    use_arena(a, 10, 8); /* still of use */
    elb_arena_destroy(a);
    support_context_end(c, &f);
}

/* --- numbers --- */

static void check_number_round_trip(double x, const char *text)
{
    char made[ELB_NUMBER_SIZE];
    double back = NAN;
    elb_number_format(x, made);
    if (text) assert_string_equal(made, text);
    assert_true(elb_number_parse(made, &back));
    assert_memory_equal(&back, &x, sizeof x);
}

static void test_numbers(void **state)
{
    (void)state;
    check_number_round_trip(0.1, "0.1");
    check_number_round_trip(1e-8, "1e-08");
    check_number_round_trip(0.1 + 0.2, "0.30000000000000004");
    check_number_round_trip(1.0 / 3, NULL);
    check_number_round_trip(-0.0, "-0");
    check_number_round_trip(5e-324, NULL);
    check_number_round_trip(1.7976931348623157e308, NULL);
    double x = 7;
    int64_t n = 7;
    const char *const bad[] = {"", " 1", "1 ", "1,5", "one", "1.5.2", "--1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(elb_number_parse(bad[i], &x));
        assert_false(elb_integer_parse(bad[i], &n));
    }
    assert_false(elb_integer_parse("1.0", &n));
    assert_false(elb_integer_parse("9223372036854775808", &n));
    assert_true(x == 7 && n == 7);
    assert_true(elb_integer_parse("-9223372036854775808", &n) && n == INT64_MIN);
}

/* Where the machine has a locale with a decimal comma, it changes nothing. */
static void test_numbers_in_another_locale(void **state)
{
    (void)state;
    const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    const char *found = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && !found; i++) found = setlocale(LC_ALL, names[i]);
    if (!found) skip();
    check_number_round_trip(0.5, "0.5");
    setlocale(LC_ALL, "C");
}

/* --- reading files --- */

static void check_read_fails(elb_context *c, const char *path, elb_status status, const char *part)
{
    char *bytes = (char *)path;
    int64_t size = 7;
    assert_int_equal(elb_file_read(c, path, LIMIT, &bytes, &size), status);
    assert_null(bytes);
    assert_int_equal(size, 0);
    support_assert_message(c, part);
    if (status != ELB_MEMORY) support_assert_message(c, path);
}

static void test_file_read(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    char *folder = support_folder_make(), *bytes = NULL;
    const char *path = support_path(folder, "f"), *pipe_path = support_path(folder, "pipe");
    int64_t size = 0;
    support_file_write(path, "a\0b", 3);
    assert_int_equal(elb_file_read(c, path, 3, &bytes, &size), ELB_OK);
    assert_int_equal(size, 3);
    assert_memory_equal(bytes, "a\0b\0", 4);
    elb_free(c, bytes);
    assert_int_equal(elb_file_read(c, path, 2, &bytes, &size), ELB_DATA);
    support_assert_message(c, "3 bytes");
    support_file_write(path, "", 0);
    assert_int_equal(elb_file_read(c, path, 0, &bytes, &size), ELB_OK);
    assert_int_equal(size, 0);
    assert_string_equal(bytes, "");
    elb_free(c, bytes);

    check_read_fails(c, support_path(folder, "absent"), ELB_FAILURE, "No such file or directory");
    check_read_fails(c, folder, ELB_DATA, "folder");
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    check_read_fails(c, pipe_path, ELB_DATA, "not a regular file"); /* and does not wait for a writer */
    f.alloc_countdown = 1;
    check_read_fails(c, path, ELB_MEMORY, "out of memory");
    if (geteuid() != 0) {
        assert_int_equal(chmod(path, 0), 0);
        check_read_fails(c, path, ELB_FAILURE, "Permission denied");
    }
    support_folder_remove(folder);
    support_context_end(c, &f);
}

static void check_map_fails(elb_context *c, const char *path, elb_status status, const char *part)
{
    elb_mapping m = {.size = 7};
    assert_int_equal(elb_file_map(c, path, &m), status);
    assert_null(m.bytes);
    assert_int_equal(m.size, 0);
    support_assert_message(c, part);
    support_assert_message(c, path);
}

static void test_file_map(void **state)
{
    (void)state;
    enum { SIZE = 6 << 20 };
    elb_context *c = support_context(NULL);
    char *folder = support_folder_make(), *bytes = malloc(SIZE);
    const char *path = support_path(folder, "f"), *pipe_path = support_path(folder, "pipe");
    for (int64_t i = 0; i < SIZE; i++) bytes[i] = (char)(i * 7 >> 3);
    support_file_write(path, bytes, SIZE);
    elb_mapping m;
    assert_int_equal(elb_file_map(c, path, &m), ELB_OK);
    assert_int_equal(m.size, SIZE);
    elb_mapping_forget(&m, 0, 0);
    for (int64_t at = 0; at < SIZE; at += 100000) elb_mapping_forget(&m, at, at + 100000 < SIZE ? at + 100000 : SIZE);
    assert_memory_equal(m.bytes, bytes, SIZE); /* what was forgotten is read again */
    elb_mapping_close(&m);
    elb_mapping_close(&m);
    support_file_write(path, "", 0);
    assert_int_equal(elb_file_map(c, path, &m), ELB_OK);
    assert_int_equal(m.size, 0);
    elb_mapping_forget(&m, 0, 0);
    elb_mapping_close(&m);

    check_map_fails(c, support_path(folder, "absent"), ELB_FAILURE, "No such file or directory");
    check_map_fails(c, folder, ELB_DATA, "folder");
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    check_map_fails(c, pipe_path, ELB_DATA, "not a regular file");
    free(bytes);
    support_folder_remove(folder);
    support_context_end(c, NULL);
}

/* --- writing files --- */

/* More than one buffer, small and large pieces, and formatted ones. */
static elb_status write_story(elb_context *c, const char *path)
{
    static const char piece[200000];
    elb_writer *w = NULL;
    ELB_TRY(elb_writer_open(c, path, &w));
    elb_status status = elb_writer_put(w, "head", 4);
    if (status == ELB_OK) status = elb_writer_put(w, piece, sizeof piece);
    for (int i = 0; i < 9000 && status == ELB_OK; i++) status = elb_writer_printf(w, "line %5d\n", i);
    if (status == ELB_OK) status = elb_writer_put(w, NULL, 0);
    if (status == ELB_OK) return elb_writer_commit(w);
    elb_writer_discard(w);
    return status;
}

static void check_old_file(const char *folder, const char *path)
{
    char *bytes = support_file_read(path, NULL);
    assert_string_equal(bytes, "old");
    free(bytes);
    assert_int_equal(support_folder_count(folder), 1); /* no temporary file is left */
}

static void test_writer(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    char *folder = support_folder_make();
    const char *path = support_path(folder, "out");
    support_file_write(path, "old", 3);
    assert_int_equal(write_story(c, path), ELB_OK);
    size_t size = 0;
    char *bytes = support_file_read(path, &size);
    assert_int_equal(size, 4 + 200000 + 9000 * 11);
    assert_memory_equal(bytes, "head\0", 5);
    assert_string_equal(bytes + size - 11, "line  8999\n");
    free(bytes);
    assert_int_equal(support_folder_count(folder), 1);
    support_folder_remove(folder);
    support_context_end(c, &f);
}

static void test_writer_nth_write_fails(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    char *folder = support_folder_make();
    const char *path = support_path(folder, "out");
    int64_t n = 0;
    support_file_write(path, "old", 3);
    for (;;) {
        f.write_countdown = ++n;
        elb_status status = write_story(c, path);
        if (status == ELB_OK) break;
        assert_int_equal(status, ELB_FAILURE);
        support_assert_message(c, "No space left on device");
        support_assert_message(c, path);
        check_old_file(folder, path);
    }
    assert_true(n > 3);
    support_folder_remove(folder);
    support_context_end(c, &f);
}

static void test_writer_nth_allocation_fails(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    char *folder = support_folder_make();
    const char *path = support_path(folder, "out");
    support_file_write(path, "old", 3);
    for (int64_t n = 1; n < 50; n++) {
        f.alloc_countdown = n;
        assert_int_equal(write_story(c, path), ELB_MEMORY);
        check_old_file(folder, path);
    }
    f.alloc_countdown = 0;
    assert_int_equal(write_story(c, path), ELB_OK);
    support_folder_remove(folder);
    support_context_end(c, &f);
}

/* What follows a failure reports it again, and commit keeps the old file. */
static void test_writer_is_sticky(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    char *folder = support_folder_make();
    const char *path = support_path(folder, "out");
    static const char piece[100000];
    elb_writer *w = NULL;
    support_file_write(path, "old", 3);
    assert_int_equal(elb_writer_open(c, path, &w), ELB_OK);
    f.write_countdown = 1;
    f.write_error = EDQUOT;
    assert_int_equal(elb_writer_put(w, piece, sizeof piece), ELB_FAILURE);
    elb_fail(c, ELB_DATA, "something else");
    assert_int_equal(elb_writer_put(w, "x", 1), ELB_FAILURE);
    support_assert_message(c, strerror(EDQUOT));
    assert_int_equal(elb_writer_printf(w, "x"), ELB_FAILURE);
    assert_int_equal(elb_writer_commit(w), ELB_FAILURE);
    check_old_file(folder, path);

    assert_int_equal(elb_writer_open(c, path, &w), ELB_OK);
    f.alloc_countdown = 1;
    assert_int_equal(elb_writer_printf(w, "x"), ELB_MEMORY);
    assert_int_equal(elb_writer_put(w, "x", 1), ELB_MEMORY);
    assert_int_equal(elb_writer_commit(w), ELB_MEMORY);
    support_assert_message(c, "out of memory");
    check_old_file(folder, path);

    assert_int_equal(elb_writer_open(c, path, &w), ELB_OK);
    assert_int_equal(elb_writer_put(w, "new", 3), ELB_OK);
    elb_writer_discard(w);
    elb_writer_discard(NULL);
    check_old_file(folder, path);
    support_folder_remove(folder);
    support_context_end(c, &f);
}

/* Interrupted, short and empty writes, as a signal or a full pipe makes them. */
static long write_in_bits(void *user, int fd, const void *bytes, size_t size)
{
    fault *f = user;
    errno = EINTR;
    if (f->writes++ % 2 == 0) return -1;
    return (long)write(fd, bytes, size < 7 ? size : size / 2 + 1);
}

static long write_nothing(void *user, int fd, const void *bytes, size_t size)
{
    (void)user;
    (void)fd;
    (void)bytes;
    (void)size;
    return 0;
}

static void test_writer_short_writes(void **state)
{
    (void)state;
    char *folder = support_folder_make(), *bytes = NULL;
    const char *path = support_path(folder, "out");
    fault f = {0};
    elb_context *c = NULL;
    elb_settings settings = {.threads = 1, .write = write_in_bits, .user = &f};
    settings.alloc = fault_alloc;
    size_t size = 0;
    assert_int_equal(elb_context_create(&settings, &c), ELB_OK);
    assert_int_equal(write_story(c, path), ELB_OK);
    bytes = support_file_read(path, &size);
    assert_int_equal(size, 4 + 200000 + 9000 * 11);
    assert_string_equal(bytes + size - 11, "line  8999\n");
    free(bytes);
    support_context_end(c, &f);

    settings.write = write_nothing;
    assert_int_equal(elb_context_create(&settings, &c), ELB_OK);
    assert_int_equal(write_story(c, path), ELB_FAILURE); /* and does not try for ever */
    assert_int_equal(support_folder_count(folder), 1);
    support_context_end(c, &f);
    support_folder_remove(folder);
}

static void test_writer_targets(void **state)
{
    (void)state;
    elb_context *c = support_context(NULL);
    char *folder = support_folder_make(), left[600];
    const char *path = support_path(folder, "out"), *nowhere = support_path(folder, "no/out");
    elb_writer *w = (elb_writer *)folder;
    assert_int_equal(elb_writer_open(c, nowhere, &w), ELB_FAILURE);
    assert_null(w);
    support_assert_message(c, nowhere);
    support_assert_message(c, "No such file or directory");
    assert_int_equal(elb_writer_open(c, folder, &w), ELB_FAILURE);
    support_assert_message(c, "it is a folder");
    assert_int_equal(elb_writer_open(c, "/dev/null", &w), ELB_FAILURE);
    support_assert_message(c, "device");

    snprintf(left, sizeof left, "%s.tmp-%ld", path, (long)getpid());
    support_file_write(left, "left behind", 11);
    assert_int_equal(write_story(c, path), ELB_OK);
    assert_int_equal(support_folder_count(folder), 1);

    /* The folder disappears under the writer: the rename fails. */
    assert_int_equal(elb_writer_open(c, path, &w), ELB_OK);
    assert_int_equal(elb_writer_put(w, "x", 1), ELB_OK);
    assert_int_equal(unlink(left), 0);
    assert_int_equal(elb_writer_commit(w), ELB_FAILURE);
    support_assert_message(c, path);
    assert_int_equal(support_folder_count(folder), 1);

    /* A name without a folder. */
    char *here = getcwd(NULL, 0);
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(write_story(c, "plain"), ELB_OK);
    assert_int_equal(chdir(here), 0);
    assert_int_equal(support_folder_count(folder), 2);
    free(here);
    support_folder_remove(folder);
    support_context_end(c, NULL);
}

static void test_folder_make(void **state)
{
    (void)state;
    fault f;
    elb_context *c = support_context(&f);
    char *folder = support_folder_make();
    const char *deep = support_path(folder, "a/b//c/"), *file = support_path(folder, "file");
    struct stat info;
    assert_int_equal(elb_folder_make(c, deep), ELB_OK);
    assert_int_equal(stat(deep, &info), 0);
    assert_true(S_ISDIR(info.st_mode));
    assert_int_equal(elb_folder_make(c, deep), ELB_OK);
    assert_int_equal(elb_folder_make(c, "/"), ELB_OK);
    support_file_write(file, "", 0);
    assert_int_equal(elb_folder_make(c, file), ELB_FAILURE);
    support_assert_message(c, "Not a directory");
    assert_int_equal(elb_folder_make(c, support_path(folder, "file/below")), ELB_FAILURE);
    support_assert_message(c, file);
    assert_int_equal(elb_folder_make(c, ""), ELB_FAILURE);
    f.alloc_countdown = 1;
    assert_int_equal(elb_folder_make(c, deep), ELB_MEMORY);
    support_folder_remove(folder);
    support_context_end(c, &f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_names),
        cmocka_unit_test(test_context_defaults),
        cmocka_unit_test(test_context_keeps_settings),
        cmocka_unit_test(test_context_refuses),
        cmocka_unit_test(test_context_without_memory),
        cmocka_unit_test(test_message),
        cmocka_unit_test(test_attached),
        cmocka_unit_test(test_alloc),
        cmocka_unit_test(test_alloc_too_much),
        cmocka_unit_test(test_resize),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_mul_fits),
        cmocka_unit_test(test_arena_settles),
        cmocka_unit_test(test_arena_without_memory),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_numbers_in_another_locale),
        cmocka_unit_test(test_file_read),
        cmocka_unit_test(test_file_map),
        cmocka_unit_test(test_writer),
        cmocka_unit_test(test_writer_nth_write_fails),
        cmocka_unit_test(test_writer_nth_allocation_fails),
        cmocka_unit_test(test_writer_is_sticky),
        cmocka_unit_test(test_writer_short_writes),
        cmocka_unit_test(test_writer_targets),
        cmocka_unit_test(test_folder_make),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
