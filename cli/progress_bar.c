/* progress_bar.c - progress on a terminal. */
#include "progress_bar.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    BAR_LINE = 512,    /* bytes of a line, its colours and wide characters included */
    BAR_PART = 160,    /* bytes of what stands before or after the bar itself */
    BAR_COLUMNS = 80,  /* of a terminal that does not tell */
    BAR_WIDTH_MIN = 8, /* columns of the bar itself; with less it is left out */
    BAR_WIDTH_MAX = 40,
    BAR_TEXT = 24
};
static const double bar_plain_interval = 10, bar_json_interval = 1; /* seconds */

/* An empty variable is as good as none. */
static const char *bar_environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* The first of these that is set decides, as in setlocale(3). */
static bool bar_unicode(void)
{
    const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (int i = 0; i < 3; i++) {
        const char *value = bar_environment(names[i]);
        if (value) return strstr(value, "UTF-8") || strstr(value, "utf8") || strstr(value, "utf-8");
    }
    return false;
}

progress_bar progress_bar_make(FILE *out, progress_style style, const volatile sig_atomic_t *asked)
{
    bool terminal = isatty(fileno(out)) == 1;
    const char *term = bar_environment("TERM");
    if (style == PROGRESS_AUTO) style = terminal && term && strcmp(term, "dumb") != 0 ? PROGRESS_BAR : PROGRESS_PLAIN;
    return (progress_bar){.out = out,
                          .asked = asked,
                          .style = style,
                          .color = terminal && !bar_environment("NO_COLOR"),
                          .unicode = bar_unicode(),
                          .told = -1};
}

void progress_bar_clear(progress_bar *bar)
{
    if (!bar->drawn) return;
    fputs("\r\033[K", bar->out);
    fflush(bar->out);
    bar->drawn = false;
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */

/* "1:23", "2:03:04" */
static void bar_time(double seconds, char text[BAR_TEXT])
{
    long long whole = seconds >= 0 && seconds < 1e9 ? llround(seconds) : 0;
    if (whole >= 3600)
        snprintf(text, BAR_TEXT, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
    else
        snprintf(text, BAR_TEXT, "%lld:%02lld", whole / 60, whole % 60);
}

/* "950/s", "12.3k/s", "1.20M/s" */
static void bar_rate(double rate, char text[BAR_TEXT])
{
    if (rate < 999.5)
        snprintf(text, BAR_TEXT, rate < 9.95 ? "%.1f/s" : "%.0f/s", rate);
    else if (rate < 999.5e3)
        snprintf(text, BAR_TEXT, "%.1fk/s", rate / 1e3);
    else
        snprintf(text, BAR_TEXT, "%.2fM/s", rate / 1e6);
}

static double bar_part_done(const elb_progress *p)
{
    double part = (double)p->done / (double)p->total;
    return part < 0 ? 0 : part > 1 ? 1 : part;
}

/* Appends ", more" or "more" where it fits; false when it does not, and then nothing changes. */
static bool bar_append(char *text, size_t size, const char *more)
{
    size_t used = strlen(text);
    if (used + strlen(more) + 3 > size) return false;
    snprintf(text + used, size - used, "%s%s", used ? ", " : "", more);
    return true;
}

/* Speed, time and as many of the values as `columns` holds. */
static void bar_tail(const elb_progress *p, size_t columns, char text[BAR_PART])
{
    char number[BAR_TEXT], part[BAR_PART];
    size_t size = columns + 1 < BAR_PART ? columns + 1 : BAR_PART;
    text[0] = '\0';
    if (p->data_per_second > 0) {
        bar_rate(p->data_per_second, number);
        bar_append(text, size, number);
    }
    if (p->last || isfinite(p->eta_seconds)) {
        bar_time(p->last ? p->seconds : p->eta_seconds, number);
        snprintf(part, sizeof part, p->last ? "took %s" : "%s left", number);
        bar_append(text, size, part);
    }
    for (int i = 0; i < p->value_count; i++) {
        if (!isfinite(p->values[i].value)) continue;
        snprintf(part, sizeof part, "%s %.2f", p->values[i].name, p->values[i].value);
        if (!bar_append(text, size, part)) return;
    }
}

/* --- styles ------------------------------------------------------------------------------------------------------- */

static int bar_columns(const progress_bar *bar)
{
    struct winsize size;
    if (ioctl(fileno(bar->out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    return BAR_COLUMNS;
}

static void bar_cells(const progress_bar *bar, int width, double part, char *line, size_t size)
{
    int full = (int)(part * width);
    const char *const on = bar->unicode ? "\u2501" : "#", *const off = bar->unicode ? "\u2500" : ".";
    size_t used = strlen(line);
    used += (size_t)snprintf(line + used, size - used, "%s", bar->color ? "\033[36m" : "");
    for (int i = 0; i < width; i++) {
        if (i == full && bar->color) used += (size_t)snprintf(line + used, size - used, "\033[90m");
        used += (size_t)snprintf(line + used, size - used, "%s", i < full ? on : off);
    }
    snprintf(line + used, size - used, "%s  ", bar->color ? "\033[0m" : "");
}

static void bar_draw(progress_bar *bar, const elb_progress *p)
{
    char line[BAR_LINE], tail[BAR_PART];
    int columns = bar_columns(bar) - 1; /* a full line would wrap on some terminals */
    snprintf(line, columns < BAR_PART ? (size_t)columns + 1 : BAR_PART, "%s %3d%%  ", p->phase,
             (int)(100 * bar_part_done(p)));
    int head = (int)strlen(line);
    bar_tail(p, columns > head + BAR_WIDTH_MIN + 2 ? (size_t)(columns - head - BAR_WIDTH_MIN - 2) : 0, tail);
    int width = columns - head - 2 - (int)strlen(tail);
    if (width > BAR_WIDTH_MAX) width = BAR_WIDTH_MAX;
    if (width >= BAR_WIDTH_MIN) bar_cells(bar, width, bar_part_done(p), line, sizeof line);
    fprintf(bar->out, "\r%s%s\033[K%s", line, tail, p->last ? "\n" : "");
    fflush(bar->out);
    bar->drawn = !p->last;
}

static void bar_put_plain(const progress_bar *bar, const elb_progress *p)
{
    char tail[BAR_PART];
    bar_tail(p, BAR_PART, tail);
    fprintf(bar->out, "%s: %lld of %lld (%d%%)%s%s\n", p->phase, (long long)p->done, (long long)p->total,
            (int)(100 * bar_part_done(p)), *tail ? ", " : "", tail);
    fflush(bar->out);
}

static void bar_put_json_number(const progress_bar *bar, const char *name, double value)
{
    fprintf(bar->out, ",\"%s\":", name);
    if (isfinite(value))
        fprintf(bar->out, "%.17g", value);
    else
        fputs("null", bar->out);
}

static void bar_put_json(const progress_bar *bar, const elb_progress *p)
{
    fprintf(bar->out, "{\"phase\":\"%s\",\"done\":%lld,\"total\":%lld", p->phase, (long long)p->done,
            (long long)p->total);
    bar_put_json_number(bar, "seconds", p->seconds);
    bar_put_json_number(bar, "data_per_second", p->data_per_second);
    bar_put_json_number(bar, "eta_seconds", p->eta_seconds);
    for (int i = 0; i < p->value_count; i++) bar_put_json_number(bar, p->values[i].name, p->values[i].value);
    fprintf(bar->out, ",\"last\":%s}\n", p->last ? "true" : "false");
    fflush(bar->out);
}

static bool bar_due(progress_bar *bar, const elb_progress *p, double interval)
{
    if (p->seconds < bar->told) bar->told = -1; /* another phase has begun */
    bool due = p->last || bar->told < 0 || p->seconds - bar->told >= interval;
    if (due) bar->told = p->last ? -1 : p->seconds;
    return due;
}

elb_status progress_bar_show(void *user, const elb_progress *p)
{
    progress_bar *bar = user;
    if (bar->style == PROGRESS_BAR) bar_draw(bar, p);
    if (bar->style == PROGRESS_PLAIN && bar_due(bar, p, bar_plain_interval)) bar_put_plain(bar, p);
    if (bar->style == PROGRESS_JSON && bar_due(bar, p, bar_json_interval)) bar_put_json(bar, p);
    return bar->asked ? (elb_status)*bar->asked : ELB_OK;
}
