#ifndef NEPHRON_STRAGGLER_H
#define NEPHRON_STRAGGLER_H

#include <stddef.h>

/*
 * Which rank holds the others up. A synchronous step takes as long as its slowest rank, so one bad
 * host costs all of them; here it gets a name. What counts is a rank's own time of a step, without
 * its waiting for others, smoothed so that a single hiccup is not blamed: after STRAGGLER_STEPS
 * steps a rank that needs STRAGGLER_FACTOR times the median of the others is named, once, and again
 * only after it has recovered. No I/O; the same answer on every rank that is given the same times.
 */

#define STRAGGLER_FACTOR 3.0
#define STRAGGLER_STEPS 5
#define STRAGGLER_MIN_S 0.02 /* steps shorter than this are noise */

struct straggler; /* opaque */

struct straggler *straggler_new(size_t ranks);
void straggler_free(struct straggler *s); /* NULL is fine */

/* Own seconds of each rank in the step just done. Returns the rank to name now, or -1. */
int straggler_step(struct straggler *s, const double *seconds);
/* The smoothed step time of a rank, and the median of the others'. */
double straggler_seconds(const struct straggler *s, size_t rank);
double straggler_others(const struct straggler *s, size_t rank);

#endif
