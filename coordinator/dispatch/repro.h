#ifndef NEPHRON_REPRO_H
#define NEPHRON_REPRO_H

#include "graph.h"

#include <stdbool.h>
#include <stddef.h>

struct clock;
struct err;
struct event_sink;
struct repo;
struct runner;
struct status;
struct store;

/*
 * The engine of `repro`: decides stage by stage what is stale as soon as all it needs is finished, has stale ones run by a
 * runner, stores what they made, records it. Everything that is typed, printed or sent elsewhere is the caller's.
 */

enum repro_on_error { REPRO_STOP, REPRO_KEEP_GOING, REPRO_IGNORE };

struct repro_options {
    const char *const *targets;
    size_t target_count;
    bool force, single_item, pipeline, all_pipelines, recursive, downstream, force_downstream;
    bool dry, interactive, pull, allow_missing, glob, no_commit, no_run_cache;
    enum repro_on_error on_error;
    bool wait;               /* --wait: for the locks */
    bool quiet;
    const char *cmd;         /* for lock holders: "nephron repro" */
};

/* What the engine works with; all borrowed for the call. */
struct repro_context {
    struct repo *repo;
    struct store *store;
    const struct graph *graph;
    struct status *status;
    /* Called when the first stage has to run (never for an up-to-date pipeline, nor with --dry). */
    struct runner *(*open_runner)(void *ctx, struct err *e);
    /* Yes or no for --interactive; NULL: no. */
    bool (*confirm)(void *ctx, const char *question);
    void *ctx;
    const struct event_sink *sink; /* NULL: nobody; EVENT_STAGE and EVENT_LOG of run `run_id` */
    const char *run_id;
    const struct clock *clock;
    const volatile int *stop_signal; /* the signal to end for (SIGINT, SIGTERM), 0: go on; NULL: never */
    int repro_lock_fd;       /* out of the engine's own locking: see repro_run */
    int slots;               /* as the runner will have; for the plan */
    int threads_per_slot;    /* for job.threads */
    bool in_order;           /* one stage at a time in DVC's order, committed before the next is judged */
};

struct repro_result {
    size_t considered, ran, failed, skipped;
    bool interrupted;
    int exit_code;           /* what the process should exit with: 0, 255, 75, 130, 143 */
};

/* Fills *result; -1 with *e set (the text DVC prints after "ERROR: ") when result->exit_code is not 0. */
int repro_run(const struct repro_context *c, const struct repro_options *opt, struct repro_result *result,
              struct err *e);

/* Takes what a killed run finished from the journal into the lock files (only where the outputs still match). Called by
 * repro_run. *replayed (may be NULL): how many stages. */
int repro_recover(struct repo *r, struct store *s, const struct graph *g, size_t *replayed, struct err *e);

#endif
