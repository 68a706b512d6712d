#ifndef NEPHRON_EXPRUNALL_H
#define NEPHRON_EXPRUNALL_H

#include "arena.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct repo;
struct repro_stop;
struct runner;
struct runner_hooks;

/*
 * All experiments of the queue, several at once. Each is a job of a runner (dispatch/runner.h): a process of this host, or, under
 * mpirun, of a rank's. The process makes its copy of the workspace, runs the pipeline there and leaves a commit; the ref is
 * written here, by one process. Entries that arrive meanwhile are taken too.
 *
 * A signal (opt.stop) is passed on to the experiments; those that did not end by themselves wait again.
 */

struct exprunall_options {
    int slots; /* at once */
    /* NULL: processes of this host. `hooks` stay valid until the runner is closed. */
    struct runner *(*open_runner)(void *ctx, const struct runner_hooks *hooks, struct err *e);
    void *ctx;
    const char *program; /* absolute: nephron, for the jobs */
    const struct repro_stop *stop;
    bool live;   /* with one slot of this host: what they print is passed on as it comes */
    bool quiet;  /* it is not printed at all; the logs have it */
    bool worker; /* ends when workers are to end (expqueue.h) */
};

struct exprunall_result {
    const char **ran, **failed; /* names, in `a` */
    size_t ran_count, failed_count;
    bool interrupted;
};

int exprunall(const struct repo *r, struct arena *a, const struct exprunall_options *opt,
              struct exprunall_result *result, struct err *e);

#endif
