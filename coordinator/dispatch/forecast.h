#ifndef NEPHRON_FORECAST_H
#define NEPHRON_FORECAST_H

#include <stdbool.h>
#include <stddef.h>

/*
 * How long what remains of a plan takes: list scheduling (Graham 1966) of the unfinished tasks on the
 * slots, by expected durations. It plays the plan's own rules without its refinements: a task goes
 * when all it needs is done and enough slots are free, better ones (higher priority, longer critical
 * path, earlier) first; limits of groups and runs of neighbouring slots are not looked at.
 *
 * Example, 2 slots: a (3 s), b (2 s), c (4 s, needs b)  ->  6 s: a 0-3 beside b 0-2, c 2-6
 */

struct forecast_task {
    double seconds;  /* expected; <= 0: unknown, the mean of those known is taken */
    double elapsed;  /* running since so many seconds; < 0: it does not run yet */
    double critical; /* of its longest chain, itself included */
    int slots, priority;
    bool done;          /* also: failed, skipped */
    const size_t *down; /* tasks that need it, with greater numbers. Borrowed */
    size_t down_count;
};

/* Seconds until the last task is done; < 0 when no duration is known. Something that runs longer than
 * expected counts as a tenth of what it has run. O(n log n). */
double forecast_seconds(const struct forecast_task *tasks, size_t count, int slots);

#endif
