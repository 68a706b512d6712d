#ifndef NEPHRON_REPRO_STOP_H
#define NEPHRON_REPRO_STOP_H

#include <signal.h>

/*
 * Signals that end a run of stages. The first ends it in order: nothing new begins, what runs is
 * told the same, what is done is recorded. The second ends it at once.
 *
 *   SIGINT, SIGTERM   exit 130, 143; SIGHUP counts as SIGTERM
 *   SIGUSR1           time runs short (Slurm's --signal): trainings checkpoint, exit 85 for
 *                     requeue. It makes nobody impatient: a SIGTERM after it is the first of its
 * kind
 */

#define REPRO_EXIT_REQUEUE 85

struct repro_stop {
    volatile sig_atomic_t signal; /* the newest; 0: go on */
    volatile sig_atomic_t count;  /* of those that were meant to end it; 2: at once */
};

/* Takes the signals over. Returns borrowed: the program's one stop, which the handlers write. */
struct repro_stop *repro_stop_catch(void);
/* Notes a signal. Async-signal-safe. */
void repro_stop_note(struct repro_stop *s, int sig);
/* What the process should exit with. */
int repro_stop_exit(const struct repro_stop *s);

#endif
