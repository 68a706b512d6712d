#ifndef NEPHRON_RUNNER_MPI_H
#define NEPHRON_RUNNER_MPI_H

#include <stdbool.h>

struct err;
struct pool;
struct repro_stop;
struct run;
struct runner;
struct runner_hooks;
struct store;

/*
 * The runner of rank 0 (see runner.h for what a runner does): slot 0 is a process of this rank, slot r > 0 a job sent to rank r.
 * A job has its slot chosen by the plan (job.slot >= 0). Closing it leaves the ranks waiting; pool_stop sends them home.
 */

struct runner_mpi_options {
    const struct pool *pool; /* kept until close */
    /* Kept until close; `line` also for the lines of other ranks, `command` for slot 0 only. */
    const struct runner_hooks *hooks;
    const struct run *run; /* told what each rank does (EVENT_RANK); NULL: nobody */
    /* Kept until close: its exit code is that of a job ended at once; NULL: none. */
    const struct repro_stop *stop;
    struct store *store; /* kept until close: files of jobs with job.carry */
    bool no_commands;
    int lock_fd; /* as runner_local_options.guard_keep_fd */
};

/* Returns new (ops->close). */
struct runner *runner_mpi_new(const struct runner_mpi_options *opt);

#endif
