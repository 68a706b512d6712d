#ifndef NEPHRON_REPRO_CLI_H
#define NEPHRON_REPRO_CLI_H

#include "repro.h"

#include <stdbool.h>

/*
 * The command `repro` from the command line down to the engine, with the seams that differ between
 * programs: `nephron` uses processes of this host, `nephron-mpi` its ranks and the run store.
 */

struct opt;

struct repro_backend {
    const char *program; /* "nephron" */
    /* NULL: runner_local with -j N slots. `hooks` and `lock_fd`: see repro.h. */
    struct runner *(*open_runner)(void *ctx, const struct repro_context *c,
                                  const struct runner_hooks *hooks, int lock_fd, struct err *e);
    bool no_shared_fs;    /* as --no-shared-fs; only with open_runner */
    int slots;            /* 0: -j N */
    int threads_per_slot; /* 0: cores / slots, where slots > 1 */
    /* Something is stale and -n N was typed: 0 to go on here. NULL: mpirun with the sibling program
     * nephron-mpi does it. */
    int (*launch)(void *ctx, int ranks, const char *hostfile, int argc, char **argv, struct err *e);
    /* A run begins (something runs) and ends: gives the sink and its run id; NULL: no tracking. */
    int (*run_begin)(void *ctx, const struct repro_context *c, const struct event_sink **sink,
                     const char **run_id, struct err *e);
    /* Called once after run_begin succeeded. `why`: empty when all went well. */
    void (*run_end)(void *ctx, const struct repro_result *result, const struct err *why);
    const struct opt *extra; /* further options (OPT_END-terminated), or NULL */
    void *ctx;
};

/* argv[0] is "repro". Prints everything; returns the exit code. backend NULL: the local one. */
int repro_main(int argc, char **argv, const struct repro_backend *backend);

#endif
