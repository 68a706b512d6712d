#ifndef NEPHRON_TIMELINE_H
#define NEPHRON_TIMELINE_H

#include "arena.h"
#include "reporter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * When each stage of one repro was ready, ran and was stored, and on which slots. The last repro
 * that did something is kept in .dvc/tmp/nephron/timeline.json, for `gantt` and `graph`:
 *
 *   {"schema": 1, "slots": 2, "started_ms": 1764349261000, "seconds": 5.3, "stages": [
 *    {"stage": "train", "outcome": "ran", "reason": "…", "after": [0, 1], "ready": 0.4,
 *     "start": 0.4, "end": 1.9, "done": 2.0, "slot": 1, "slots": 1, "attempt": 0}, …]}
 *
 * Times are seconds since the repro began, null for what did not happen (a fresh or restored stage
 * has no start). `after` are places in the list. Each attempt of a stage is an entry; a further one
 * comes after the one before. A file that does not read is refused by name; nothing depends on it.
 */

#define TIMELINE_FILE "nephron/timeline.json" /* below repo.tmp_dir */

struct timeline_entry {
    const char *stage, *reason; /* in the timeline's arena, reason borrowed; reason NULL: none */
    enum outcome outcome;
    size_t *after; /* entries this one had to wait for */
    size_t after_count;
    double ready, start, end, done; /* < 0: did not happen */
    int slot, slots, attempt;       /* of what has a start */
    bool critical;
};

struct timeline {
    struct arena arena;
    int slots;
    int64_t started_ms;
    double seconds;
    struct timeline_entry *entries;
    size_t count, capacity;
};

void timeline_init(struct timeline *t, int slots, int64_t started_ms);
void timeline_release(struct timeline *t);
/* Place of a new entry, FRESH until told otherwise. `after` (copied) are earlier entries. */
size_t timeline_add(struct timeline *t, const char *stage, const size_t *after, size_t after_count,
                    double ready);
/* The newest entry of a stage; NULL: none. */
const struct timeline_entry *timeline_find(const struct timeline *t, const char *stage);

/* The repro is over: what still has no end ends now. */
void timeline_end(struct timeline *t, double seconds);

int timeline_save(const struct timeline *t, const char *path, struct err *e);
/* *t is initialised by the call, and released by it on failure. ERR_MISSING without a file. */
int timeline_load(struct timeline *t, const char *path, struct err *e);

/*
 * Marks the chain that made the repro as long as it was: from the entry that was done last back to
 * what it waited for: the stage that freed its slot when it was ready before that, else the one
 * among those it needs that was done last. Returns the seconds from the chain's start to its end.
 */
double timeline_mark_critical(struct timeline *t);
/* Did any command run? */
bool timeline_any(const struct timeline *t);
/* Share of slots x seconds in which commands ran, 0..1. */
double timeline_used(const struct timeline *t);

#endif
