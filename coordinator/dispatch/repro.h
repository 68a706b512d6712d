#ifndef NEPHRON_REPRO_H
#define NEPHRON_REPRO_H

#include "graph.h"

#include <stdbool.h>
#include <stddef.h>

struct clock;
struct err;
struct event_sink;
struct repo;
struct repolock;
struct repro_stop;
struct runner;
struct runner_hooks;
struct reporter;
struct store;

/*
 * The engine of `repro`: decides stage by stage what is stale as soon as all it needs is finished,
 * has stale ones run by a runner, stores what they made, records it. Everything that is typed,
 * printed or sent elsewhere is the caller's.
 */

enum repro_on_error { REPRO_STOP, REPRO_KEEP_GOING, REPRO_IGNORE };

struct repro_options {
    const char *const *targets;
    size_t target_count;
    bool force, single_item, pipeline, all_pipelines, recursive, downstream, force_downstream;
    bool dry, interactive, pull, allow_missing, glob, no_commit, no_run_cache;
    enum repro_on_error on_error;
    bool wait; /* --wait: for the locks */
    bool
        deps_at_start; /* record deps as they were when the command began, not when it ended (--watch) */
    bool quiet;
    const char *cmd; /* for lock holders: "nephron repro" */
};

/* What the engine works with; all borrowed for the call. */
struct repro_context {
    struct repo *repo;
    struct store *store;
    const struct graph *graph;
    struct reporter *reporter;
    /* Called when the first stage has to run (never for an up-to-date pipeline, nor with --dry).
     * May fill in sink and run_id. Hooks stay valid until the runner is closed, which the engine
     * does. lock_fd: for runner_local_options.guard_keep_fd. */
    struct runner *(*open_runner)(void *ctx, struct repro_context *c,
                                  const struct runner_hooks *hooks, int lock_fd, struct err *e);
    /* Yes or no for --interactive; NULL: no. */
    bool (*confirm)(void *ctx, const char *question);
    void *ctx;
    const struct event_sink *sink; /* NULL: nobody; EVENT_STAGE and EVENT_LOG of run `run_id` */
    const char *run_id;
    const struct clock *clock;     /* NULL: the system's */
    const struct repro_stop *stop; /* NULL: never */
    struct repolock *repro_lock; /* held by a caller that waited for it before it read the pipeline:
                                  * the engine takes it (leaving it not held); NULL: none */
    bool carry;                  /* ranks have file systems of their own: jobs say what they need */
    int slots;                   /* as the runner will have; for the plan */
    int threads_per_slot;        /* for job.threads; 0: leave OMP_NUM_THREADS alone */
    bool in_order; /* one stage at a time in DVC's order, stored before the next is judged */
};

struct repro_result {
    size_t considered, ran, failed, skipped;
    bool interrupted;
    int exit_code; /* what the process should exit with: 0, 255, 75, 85, 130, 143 */
};

/* Fills *result; -1 with *e set (the text DVC prints after "ERROR: ") when result->exit_code is not
 * 0. */
int repro_run(struct repro_context *c, const struct repro_options *opt, struct repro_result *result,
              struct err *e);

/*
 * Takes what a killed run finished from the journal into the locks of `s` (only where the outputs
 * still match), and with `write` into the lock files, emptying the journal. The caller holds the
 * repository. *replayed (may be NULL): how many stages.
 */
int repro_recover(const struct repro_context *c, bool write, size_t *replayed, struct err *e);

/* The stages `opt` names, in the order of a run. `a` owns the lists. */
int repro_select(const struct repro_context *c, const struct repro_options *opt, struct arena *a,
                 struct graph_plan *plan, struct err *e);
/* Would anything run? Decided on the state as it is now, by the same rules; nothing is printed. */
int repro_any_stale(const struct repro_context *c, const struct repro_options *opt, bool *any,
                    struct err *e);

#endif
