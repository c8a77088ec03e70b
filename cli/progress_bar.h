/* progress_bar.h - progress on a terminal: a bar, plain lines, or JSON lines. */
#ifndef ELB_CLI_PROGRESS_BAR_H
#define ELB_CLI_PROGRESS_BAR_H

#include <signal.h>
#include <stdio.h>

#include <elbow/progress.h>

typedef enum progress_style {
    PROGRESS_AUTO,  /* a bar on a terminal, plain lines elsewhere */
    PROGRESS_BAR,   /* one line that is drawn over and over; coloured unless NO_COLOR is set or `out` is no terminal */
    PROGRESS_PLAIN, /* a line each ten seconds, and at the end of a phase */
    PROGRESS_JSON,  /* an object per line each second, and at the end of a phase */
    PROGRESS_NONE
} progress_style;

typedef struct progress_bar {
    FILE *out;
    const volatile sig_atomic_t *asked; /* an elb_status that a signal handler sets to stop the work; may be NULL */
    progress_style style;               /* never PROGRESS_AUTO */
    bool color, unicode;
    bool drawn;  /* a bar stands on the terminal's current line */
    double told; /* seconds into the phase of the latest line; < 0: none yet */
} progress_bar;

/* Settles the style for `out` and the environment (NO_COLOR, TERM, LC_ALL, LC_CTYPE, LANG). Nothing to release. */
progress_bar progress_bar_make(FILE *out, progress_style style, const volatile sig_atomic_t *asked);
/* The elb_progress_fn; user is a progress_bar. Returns what *asked says. */
elb_status progress_bar_show(void *user, const elb_progress *progress);
/* Wipes a bar off the current line, so that something else can be printed; the next call draws it again. */
void progress_bar_clear(progress_bar *bar);

#endif
