/* test_progress_bar.c - what the command's progress looks like, in every style; a pseudo
 * terminal stands for a screen. */
#include "support.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* The command is a program, not a library: its one file is compiled into this test. */
#include "../../cli/progress_bar.c" /* NOLINT(bugprone-suspicious-include) */

static elb_progress half_way(void)
{
    return (elb_progress){.phase = "training",
                          .done = 500,
                          .total = 1000,
                          .seconds = 3,
                          .data_per_second = 12345,
                          .eta_seconds = 83,
                          .value_count = 3,
                          .values = {{"ELBO", -236.126}, {"KL", 25}, {"unknown", NAN}}};
}

/* Columns that the last drawn line takes, without control sequences; -1 when something unknown is in it. */
static int columns_of(const char *text)
{
    const char *line = strrchr(text, '\r');
    int columns = 0;
    assert_non_null(line);
    for (line++; *line && *line != '\n'; line++) {
        if (*line == '\033')
            line += strcspn(line, "mK");
        else
            columns += ((unsigned char)*line & 0xc0) != 0x80;
    }
    return columns;
}

/* --- into memory --- */

typedef struct memory {
    char *text;
    size_t size;
    progress_bar bar;
} memory;

static void memory_open(memory *m, progress_style style)
{
    FILE *file = tmpfile(); /* a stream with a descriptor, which open_memstream has not */
    assert_non_null(file);
    m->text = NULL;
    m->bar = progress_bar_make(file, style, NULL);
}

static const char *memory_text(memory *m)
{
    free(m->text);
    m->text = calloc(1, 4096);
    rewind(m->bar.out);
    assert_true(fread(m->text, 1, 4095, m->bar.out) < 4095);
    return m->text;
}

static void memory_close(memory *m)
{
    free(m->text);
    fclose(m->bar.out);
}

static void test_plain(void **state)
{
    (void)state;
    memory m;
    memory_open(&m, PROGRESS_AUTO); /* no terminal */
    elb_progress p = half_way();
    for (int i = 0; i <= 41; i++) {
        p.seconds = 0.5 * i;
        assert_int_equal(progress_bar_show(&m.bar, &p), ELB_OK);
    }
    p.last = true;
    p.done = 1000;
    p.seconds = 3725;
    progress_bar_show(&m.bar, &p);
    p = (elb_progress){.phase = "evaluating", .total = 10, .data_per_second = NAN, .eta_seconds = NAN};
    progress_bar_show(&m.bar, &p); /* the next phase speaks at once */
    const char *line = "training: 500 of 1000 (50%), 12.3k/s, 1:23 left, ELBO -236.13, KL 25.00\n";
    char want[1024];
    snprintf(want, sizeof want, "%s%s%s%s%s", line, line, line,
             "training: 1000 of 1000 (100%), 12.3k/s, took 1:02:05, ELBO -236.13, KL 25.00\n",
             "evaluating: 0 of 10 (0%)\n");
    assert_string_equal(memory_text(&m), want);
    memory_close(&m);
}

static void test_json(void **state)
{
    (void)state;
    memory m;
    memory_open(&m, PROGRESS_JSON);
    elb_progress p = half_way();
    progress_bar_show(&m.bar, &p);
    p.seconds = 3.9;
    progress_bar_show(&m.bar, &p); /* too soon */
    p.last = true;
    progress_bar_show(&m.bar, &p);
    assert_string_equal(memory_text(&m),
                        "{\"phase\":\"training\",\"done\":500,\"total\":1000,\"seconds\":3,\"data_per_second\":12345,"
                        "\"eta_seconds\":83,\"ELBO\":-236.126,\"KL\":25,\"unknown\":null,\"last\":false}\n"
                        "{\"phase\":\"training\",\"done\":500,\"total\":1000,\"seconds\":3.8999999999999999,"
                        "\"data_per_second\":12345,\"eta_seconds\":83,\"ELBO\":-236.126,\"KL\":25,\"unknown\":null,"
                        "\"last\":true}\n");
    memory_close(&m);
}

static void test_none_and_stop(void **state)
{
    (void)state;
    memory m;
    volatile sig_atomic_t asked = ELB_OK;
    memory_open(&m, PROGRESS_NONE);
    m.bar.asked = &asked;
    elb_progress p = half_way();
    assert_int_equal(progress_bar_show(&m.bar, &p), ELB_OK);
    asked = ELB_REQUEUE;
    assert_int_equal(progress_bar_show(&m.bar, &p), ELB_REQUEUE);
    progress_bar_clear(&m.bar);
    assert_string_equal(memory_text(&m), "");
    memory_close(&m);
}

static void test_bar_without_terminal(void **state)
{
    (void)state;
    memory m;
    setenv("LC_ALL", "C", 1);
    memory_open(&m, PROGRESS_BAR);
    elb_progress p = half_way();
    progress_bar_show(&m.bar, &p);
    assert_string_equal(memory_text(&m),
                        "\rtraining  50%  ##########..........  12.3k/s, 1:23 left, ELBO -236.13, KL 25.00\033[K");
    assert_int_equal(columns_of(m.text), 79);
    unsetenv("LC_ALL");
    memory_close(&m);
}

static void test_numbers(void **state)
{
    (void)state;
    char text[BAR_TEXT];
    static const struct {
        double rate;
        const char *text;
    } rates[] = {{0.51, "0.5/s"}, {9.96, "10/s"}, {999.4, "999/s"}, {999.6, "1.0k/s"}, {2.5e6, "2.50M/s"}};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        bar_rate(rates[i].rate, text);
        assert_string_equal(text, rates[i].text);
    }
    bar_time(59.6, text);
    assert_string_equal(text, "1:00");
    bar_time(NAN, text);
    assert_string_equal(text, "0:00");
    bar_time(1e300, text);
    assert_string_equal(text, "0:00");
}

/* --- on a terminal --- */

static size_t screen_read(int master, char *text, size_t size)
{
    ssize_t n = read(master, text, size - 1);
    assert_true(n >= 0);
    text[n] = '\0';
    return (size_t)n;
}

static void test_terminal(void **state)
{
    (void)state;
    char text[2048];
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) || unlockpt(master)) skip();
    FILE *screen = fopen(ptsname(master), "r+");
    if (!screen) skip();
    struct termios mode;
    assert_int_equal(tcgetattr(fileno(screen), &mode), 0);
    mode.c_oflag &= ~(tcflag_t)OPOST;
    assert_int_equal(tcsetattr(fileno(screen), TCSANOW, &mode), 0);
    setenv("TERM", "xterm", 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    unsetenv("NO_COLOR");

    progress_bar bar = progress_bar_make(screen, PROGRESS_AUTO, NULL);
    elb_progress p = half_way();
    assert_int_equal(bar.style, PROGRESS_BAR);
    for (unsigned short width = 1; width < 200; width++) { /* never wider than the screen */
        assert_int_equal(ioctl(fileno(screen), TIOCSWINSZ, &(struct winsize){.ws_row = 24, .ws_col = width}), 0);
        progress_bar_show(&bar, &p);
        screen_read(master, text, sizeof text);
        assert_in_range(columns_of(text), 0, width - 1);
    }
    assert_non_null(strstr(text, "\033[36m\u2501"));
    assert_non_null(strstr(text, "KL 25.00"));
    progress_bar_clear(&bar);
    screen_read(master, text, sizeof text);
    assert_string_equal(text, "\r\033[K");
    p.last = true;
    progress_bar_show(&bar, &p);
    screen_read(master, text, sizeof text);
    assert_int_equal(text[strlen(text) - 1], '\n');

    setenv("NO_COLOR", "1", 1);
    bar = progress_bar_make(screen, PROGRESS_AUTO, NULL);
    progress_bar_show(&bar, &p);
    screen_read(master, text, sizeof text);
    assert_null(strstr(text, "\033[3"));
    setenv("TERM", "dumb", 1);
    assert_int_equal(progress_bar_make(screen, PROGRESS_AUTO, NULL).style, PROGRESS_PLAIN);
    unsetenv("NO_COLOR");
    unsetenv("LC_ALL");
    fclose(screen);
    close(master);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),         cmocka_unit_test(test_json),
        cmocka_unit_test(test_none_and_stop), cmocka_unit_test(test_bar_without_terminal),
        cmocka_unit_test(test_numbers),       cmocka_unit_test(test_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
