#ifndef NEPHRON_EXPRUN_CLI_H
#define NEPHRON_EXPRUN_CLI_H

#include <stdbool.h>

struct err;
struct repo;
struct runner;
struct runner_hooks;

/* The parts of `exp run` that differ between programs only in who runs the experiments: `nephron` starts processes of this host,
 * nephron-mpi sends them to its ranks. They print, and answer the exit code. */

struct exprun_cli_options {
    long jobs; /* at once; with open_runner the number of its slots */
    bool quiet;
    bool worker; /* `queue start`: ends when it is told to, prints what its log is to have */
    struct runner *(*open_runner)(void *ctx, const struct runner_hooks *hooks, struct err *e);
    void *ctx;
};

/* `exp run --run-all`. */
int exprun_cli_all(const struct repo *r, const struct exprun_cli_options *opt);

/* `exp queue-worker`: what `queue start` leaves in the background. */
int exprun_cli_worker(void);

/* `exp exec-run TASK RESULT`: what a job of run-all is. Runs in the current repository's copies. */
int exprun_cli_exec(int argc, char **argv);

#endif
