/* test_file.c - reading, mapping and writing files and folders, and every way they can fail. */
#include "fixture_support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum { LIMIT = 1 << 20 };

/* --- reading files --- */

static void check_read_fails(const char *path, elb_status status, const char *part)
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
    char *bytes = NULL;
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

    check_read_fails(support_path(folder, "absent"), ELB_FAILURE, "No such file or directory");
    check_read_fails(folder, ELB_DATA, "folder");
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    check_read_fails(pipe_path, ELB_DATA, "not a regular file"); /* and does not wait for a writer */
    faults.alloc_countdown = 1;
    check_read_fails(path, ELB_MEMORY, "out of memory");
    if (geteuid() != 0) {
        assert_int_equal(chmod(path, 0), 0);
        check_read_fails(path, ELB_FAILURE, "Permission denied");
    }
}

static void check_map_fails(const char *path, elb_status status, const char *part)
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
    char *bytes = malloc(SIZE);
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

    check_map_fails(support_path(folder, "absent"), ELB_FAILURE, "No such file or directory");
    check_map_fails(folder, ELB_DATA, "folder");
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    check_map_fails(pipe_path, ELB_DATA, "not a regular file");
    free(bytes);
}

/* --- writing files --- */

/* More than one buffer, small and large pieces, and formatted ones. */
static elb_status write_story(elb_context *to, const char *path)
{
    static const char piece[200000];
    elb_writer *w = NULL;
    ELB_TRY(elb_writer_open(to, path, &w));
    elb_status status = elb_writer_put(w, "head", 4);
    if (status == ELB_OK) status = elb_writer_put(w, piece, sizeof piece);
    for (int i = 0; i < 9000 && status == ELB_OK; i++) status = elb_writer_printf(w, "line %5d\n", i);
    if (status == ELB_OK) status = elb_writer_put(w, NULL, 0);
    if (status == ELB_OK) return elb_writer_commit(w);
    elb_writer_discard(w);
    return status;
}

static void check_old_file(const char *path)
{
    char *bytes = support_file_read(path, NULL);
    assert_string_equal(bytes, "old");
    free(bytes);
    assert_int_equal(support_folder_count(folder), 1); /* no temporary file is left */
}

static void test_writer(void **state)
{
    (void)state;
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
}

static void test_writer_nth_write_fails(void **state)
{
    (void)state;
    const char *path = support_path(folder, "out");
    int64_t n = 0;
    support_file_write(path, "old", 3);
    for (;;) {
        faults.write_countdown = ++n;
        elb_status status = write_story(c, path);
        if (status == ELB_OK) break;
        assert_int_equal(status, ELB_FAILURE);
        support_assert_message(c, "No space left on device");
        support_assert_message(c, path);
        check_old_file(path);
    }
    assert_true(n > 3);
}

static void test_writer_nth_allocation_fails(void **state)
{
    (void)state;
    const char *path = support_path(folder, "out");
    support_file_write(path, "old", 3);
    for (int64_t n = 1; n < 50; n++) {
        faults.alloc_countdown = n;
        assert_int_equal(write_story(c, path), ELB_MEMORY);
        check_old_file(path);
    }
    faults.alloc_countdown = 0;
    assert_int_equal(write_story(c, path), ELB_OK);
}

/* What follows a failure reports it again, and commit keeps the old file. */
static void test_writer_is_sticky(void **state)
{
    (void)state;
    const char *path = support_path(folder, "out");
    static const char piece[100000];
    elb_writer *w = NULL;
    support_file_write(path, "old", 3);
    assert_int_equal(elb_writer_open(c, path, &w), ELB_OK);
    faults.write_countdown = 1;
    faults.write_error = EDQUOT;
    assert_int_equal(elb_writer_put(w, piece, sizeof piece), ELB_FAILURE);
    elb_fail(c, ELB_DATA, "something else");
    assert_int_equal(elb_writer_put(w, "x", 1), ELB_FAILURE);
    support_assert_message(c, strerror(EDQUOT));
    assert_int_equal(elb_writer_printf(w, "x"), ELB_FAILURE);
    assert_int_equal(elb_writer_commit(w), ELB_FAILURE);
    check_old_file(path);

    assert_int_equal(elb_writer_open(c, path, &w), ELB_OK);
    faults.alloc_countdown = 1;
    assert_int_equal(elb_writer_printf(w, "x"), ELB_MEMORY);
    assert_int_equal(elb_writer_put(w, "x", 1), ELB_MEMORY);
    assert_int_equal(elb_writer_commit(w), ELB_MEMORY);
    support_assert_message(c, "out of memory");
    check_old_file(path);

    assert_int_equal(elb_writer_open(c, path, &w), ELB_OK);
    assert_int_equal(elb_writer_put(w, "new", 3), ELB_OK);
    elb_writer_discard(w);
    elb_writer_discard(NULL);
    check_old_file(path);
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
    char *bytes = NULL;
    const char *path = support_path(folder, "out");
    fault f = {0};
    elb_context *own = NULL;
    elb_settings settings = {.threads = 1, .write = write_in_bits, .user = &f};
    settings.alloc = fault_alloc;
    size_t size = 0;
    assert_int_equal(elb_context_create(&settings, &own), ELB_OK);
    assert_int_equal(write_story(own, path), ELB_OK);
    bytes = support_file_read(path, &size);
    assert_int_equal(size, 4 + 200000 + 9000 * 11);
    assert_string_equal(bytes + size - 11, "line  8999\n");
    free(bytes);
    support_context_end(own, &f);

    settings.write = write_nothing;
    assert_int_equal(elb_context_create(&settings, &own), ELB_OK);
    assert_int_equal(write_story(own, path), ELB_FAILURE); /* and does not try for ever */
    assert_int_equal(support_folder_count(folder), 1);
    support_context_end(own, &f);
}

static void test_writer_targets(void **state)
{
    (void)state;
    char left[600];
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
}

static void test_folder_make(void **state)
{
    (void)state;
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
    faults.alloc_countdown = 1;
    assert_int_equal(elb_folder_make(c, deep), ELB_MEMORY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_file_read),
        FIXTURE_TEST(test_file_map),
        FIXTURE_TEST(test_writer),
        FIXTURE_TEST(test_writer_nth_write_fails),
        FIXTURE_TEST(test_writer_nth_allocation_fails),
        FIXTURE_TEST(test_writer_is_sticky),
        FIXTURE_TEST(test_writer_short_writes),
        FIXTURE_TEST(test_writer_targets),
        FIXTURE_TEST(test_folder_make),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
