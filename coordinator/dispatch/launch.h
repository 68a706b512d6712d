#ifndef NEPHRON_LAUNCH_H
#define NEPHRON_LAUNCH_H

#include <stdbool.h>

struct err;

/*
 * A supervisor outside of MPI. Open MPI 4.1 ends the whole job when one rank dies, and nothing
 * inside it can begin anew; so a process that is no rank starts `mpirun …`, and when that fails
 * starts it again: the journal keeps finished stages from being repeated, a training goes on from
 * its last checkpoint (gang restart, as torch elastic does).
 *
 *   supervisor ── own process group: mpirun ── ranks ── stages
 *        NEPHRON_LAUNCH=<id> in the environment of all that is started
 *
 * Signals to the supervisor:
 *   SIGUSR1          to mpirun, which passes it to every rank: checkpoint, exit 85
 *   SIGTERM, SIGINT  straight to the ranks of this host, found by their environment: mpirun itself
 *                    would send TERM a second later and KILL one more second later
 *                    (odls_base_sigkill_timeout), too soon for a checkpoint of a gigabyte. The ranks
 *                    tell those of other hosts. No rank here: SIGUSR1 to mpirun does the same
 *   a second one, or LAUNCH_PATIENCE_S after the first: everything is killed
 * Any other command than mpirun gets the signals as they are, to its process group.
 *
 * Not started again: 0, 85 (requeue, unless asked), 130, 143, and whatever ends after a signal.
 * Before each new start, and at the end of a failed one, what is left of it on this host is ended by
 * its mark (TERM, 5 s, KILL); on other hosts Open MPI's daemons end their ranks when mpirun is gone.
 */

#define LAUNCH_PATIENCE_S 20
#define LAUNCH_BACKOFF_MAX_S 60.0

struct launch_options {
    const char *const *argv; /* NULL-terminated */
    int max_restarts;
    double backoff_s;        /* before the first restart; doubles, up to LAUNCH_BACKOFF_MAX_S */
    bool requeue_as_restart; /* 85 counts as a failure */
    bool quiet;              /* no line on stderr about restarts */
};

/* Blocks SIGINT, SIGTERM, SIGHUP, SIGUSR1 and SIGCHLD in this thread while it runs. Returns the exit
 * code of the last start (128 + N after signal N), or -1 when the command cannot be started. */
int launch_run(const struct launch_options *opt, struct err *e);

#endif
