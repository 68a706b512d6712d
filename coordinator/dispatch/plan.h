#ifndef NEPHRON_PLAN_H
#define NEPHRON_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;

/*
 * What to run next: pure logic, no processes, no files. Nodes are counted down as samurai does
 * (`nblock`: unfinished predecessors); a node goes through
 *
 *   BLOCKED -> READY (someone judges whether it is stale) -> QUEUED (wants slots) -> RUNNING ->
 * COMMITTING -> DONE
 *                 '-> DONE (fresh)                             ^---- RETRY (a failed attempt) ----'
 * '-> FAILED BLOCKED -> SKIPPED (something it needs failed)
 *
 * Order among QUEUED nodes: higher priority, longer critical path (seconds of the longest chain of
 * dependants, itself included, from earlier runs), earlier in DVC's order. Slots are numbered
 * 0..slots-1; a node takes a contiguous run of them. A wide node that does not fit lets narrow ones
 * pass, but only for 4 x slots starts: then slots are kept free for it.
 *
 * Example, 4 slots: gang (4 slots), a, b (1 slot each) queued in this order, a running already:
 * gang does not fit, b passes and runs beside a; when both end, gang gets slots 0..3.
 */

enum plan_state {
    PLAN_BLOCKED,
    PLAN_READY,
    PLAN_QUEUED,
    PLAN_RUNNING,
    PLAN_COMMITTING,
    PLAN_DONE,
    PLAN_FAILED,
    PLAN_SKIPPED,
};

struct plan_spec {
    const char *group; /* for `limit`, members of one foreach/matrix; NULL: none. Borrowed */
    int limit;         /* 0: none */
    int slots;         /* wanted; 0: 1; more than there are: all */
    int priority;
    int retries;
    double seconds; /* expected duration; <= 0: unknown */
};

struct plan;

struct plan_options {
    int slots;
    bool in_order; /* one at a time, in the order added: `-j 1` as DVC */
    const struct clock *clock;
};

/* Returns new (plan_free). */
struct plan *plan_new(const struct plan_options *opt);
void plan_free(struct plan *p);
/* Nodes are numbered 0, 1, 2 … in the order of the calls: DVC's order. */
size_t plan_add(struct plan *p, const struct plan_spec *spec);
/* `to` waits for `from`. Each pair once. */
void plan_edge(struct plan *p, size_t from, size_t to);
/* After the last node and edge: computes critical paths, makes the first nodes READY. */
void plan_start(struct plan *p);

/* The next READY node, in order; SIZE_MAX when none is ready (in_order: while another is under
 * way). The caller judges it and calls plan_queue or plan_finish. */
size_t plan_next_ready(struct plan *p);
void plan_queue(struct plan *p, size_t node);
/* A READY node that is busy without a slot (its files are hashed again): COMMITTING. */
void plan_hold(struct plan *p, size_t node);

struct plan_pick {
    size_t node;
    int slot, slots;
    int member; /* the lowest number that no running member of its group has: deals out `env` lists
                 */
    int attempt;
};
/* The best QUEUED node that fits into the free slots, now RUNNING; false when none does. */
bool plan_pick(struct plan *p, struct plan_pick *out);
/* The processes ended well (or none were needed): the slots are free, its outputs are being stored.
 */
void plan_commit(struct plan *p, size_t node);
/* The attempt failed: true when it is QUEUED again (a retry), else the caller calls plan_fail.
 * Frees the slots. */
bool plan_retry(struct plan *p, size_t node);
/* DONE: successors are counted down. */
void plan_finish(struct plan *p, size_t node);
/* FAILED. `skip`: all that needs it becomes SKIPPED (these are appended to skipped[], room for all
 * nodes; may be NULL), else
 * (--ignore-errors) successors go on. Returns how many were skipped. */
size_t plan_fail(struct plan *p, size_t node, bool skip, size_t *skipped);
/* No node is picked or handed out any more; those under way end. */
void plan_stop(struct plan *p);

enum plan_state plan_state(const struct plan *p, size_t node);
size_t plan_count(const struct plan *p);
size_t plan_busy(const struct plan *p); /* RUNNING or COMMITTING */
bool plan_over(const struct plan *p);   /* nothing under way and nothing that could start */
int plan_free_slots(const struct plan *p);
/* Seconds until all is done, by the expected durations; < 0: unknown (forecast.h). What is blocked by
 * something unfinished is counted as if it will have to run. O(nodes log nodes). */
double plan_forecast(const struct plan *p);
double plan_critical_seconds(const struct plan *p, size_t node);

#endif
