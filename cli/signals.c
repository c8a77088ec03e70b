/* signals.c - turns signals into a flag that the progress callback returns. */
#include "signals.h"

#include <stddef.h>
#include <string.h>

#include <elbow/status.h>

volatile sig_atomic_t signals_asked;

static void signals_handle(int number)
{
    if (number == SIGINT && signals_asked) {
        signal(SIGINT, SIG_DFL);
        raise(SIGINT);
    }
    if (!signals_asked) signals_asked = number == SIGINT ? ELB_INTERRUPTED : ELB_REQUEUE;
}

void signals_catch(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = signals_handle;
    action.sa_flags = SA_RESTART;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void signals_ignore_writes(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}
