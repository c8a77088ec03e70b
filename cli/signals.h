/* signals.h - SIGINT and SIGTERM ask the work to stop; a second SIGINT ends it at once. */
#ifndef ELB_CLI_SIGNALS_H
#define ELB_CLI_SIGNALS_H

#include <signal.h>

/* What the signals ask for, as an elb_status: 0, ELB_INTERRUPTED or ELB_REQUEUE. */
extern volatile sig_atomic_t signals_asked;
void signals_catch(void);
/* A reader that goes away, or a limit on the size of files, must not end the command half-way:
 * writing fails instead. */
void signals_ignore_writes(void);

#endif
