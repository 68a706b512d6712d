#ifndef NEPHRON_RUNNER_H
#define NEPHRON_RUNNER_H

#include "arena.h"
#include "job.h"

#include <stdbool.h>
#include <stddef.h>

struct clock;
struct err;

/*
 * The seam between deciding and doing: the plan says what runs next, a runner runs it. Three exist
 * (local processes, MPI ranks, null) and a fake one for tests. One thread owns a runner; only
 * runner_wake may be called from others and from signal handlers.
 */

struct runner;

struct runner_ops {
    const char *name;
    /* Slots there are; fixed for the runner's life. */
    int (*capacity)(struct runner *r);
    /* Takes the job up (copies what it keeps). The caller saw to it that the slots are free. An
     * error means that nothing runs; a job that is accepted always gives one result. */
    int (*start)(struct runner *r, const struct job *j, struct err *e);
    /* Waits for any job to end: 1 and *out filled (strings in `a`), 0 after timeout_ms (negative:
     * no limit) or when woken, -1 with *e set when the runner itself is broken. */
    int (*wait)(struct runner *r, int timeout_ms, struct arena *a, struct job_result *out,
                struct err *e);
    /* Sends a signal to a job's process group(s); id RUNNER_ALL: to every job. Results follow
     * through wait. */
    void (*kill)(struct runner *r, uint64_t id, int sig);
    /* Makes a wait return 0 soon. Async-signal-safe. */
    void (*wake)(struct runner *r);
    /* Ends what still runs (KILL) and frees. */
    void (*close)(struct runner *r);
};

#define RUNNER_ALL UINT64_MAX
#define RUNNER_OUTPUT_MAX                                                                          \
    ((size_t)16 << 20) /* of one job kept in memory: the first and last 8 MiB */

struct runner {
    const struct runner_ops *ops;
};

/* Told by runners as they go; may be NULL. */
struct runner_hooks {
    void (*command)(void *ctx, const struct job *j,
                    const char *cmd); /* before each command starts */
    void (*line)(void *ctx, const struct job *j,
                 struct str line); /* a whole line of output, without newline */
    void *ctx;
};

enum runner_output {
    RUNNER_INHERIT, /* stdin, stdout, stderr are the stage's: a terminal in front of a person */
    RUNNER_TEE, /* passed on at once, stdout to stdout and stderr to stderr, and written to the log
                 */
    RUNNER_CAPTURE, /* kept whole for the result, and written to the log; stdin is empty */
};

struct runner_local_options {
    int slots; /* 0: 1 */
    enum runner_output output;
    bool no_commands;                 /* RUNNER_CAPTURE: without the lines "> cmd" */
    const struct runner_hooks *hooks; /* kept until close */
    const struct clock *clock;        /* NULL: the system's */
    bool guard;        /* a small process outlives us to end the stages when we are killed */
    int guard_keep_fd; /* > 2: a descriptor the guard keeps open until it is done (the repro lock);
                          else 0 */
};

/* One process a stage, one poll loop for all. Nothing is forked before the first start. Returns new
 * (ops->close). */
struct runner *runner_local_new(const struct runner_local_options *opt);
/* Does nothing, at once, with success: measures everything but the stages. `touch`: makes nothing
 * either; outs must exist. */
struct runner *runner_null_new(int slots);

/* argv for one command line as DVC builds it: $SHELL (or /bin/sh) with the flags that keep its
 * start-up files out. argv has room for 8 pointers and is NULL-terminated. */
void runner_shell(const char *cmd, const char **argv);
/* The environment of a stage: ours without OMPI_*, PMIX_*, PMI_*, PRTE_* (the launcher's), plus
 * job->env, NEPHRON_JOB, NEPHRON_SLOT, NEPHRON_SLOTS, NEPHRON_RANKS (gangs), OMP_NUM_THREADS.
 * NULL-terminated, in `a`. */
const char **runner_environment(struct arena *a, const struct job *j, const char *const *ours);

#endif
