#ifndef NEPHRON_REPORTER_H
#define NEPHRON_REPORTER_H

#include "str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job;
struct job_result;
struct stage;

/*
 * Who is told what a repro does: a table of functions, one call an event, always from the
 * dispatching thread. Readers: the terminal in DVC's words, JSON lines, and a fake for tests. Every
 * function may be NULL.
 */

#define OUTCOMES(X)                                                                                \
    X(FRESH, "fresh")   /* not stale */                                                            \
    X(PULLED, "pulled") /* its data came from the remote; it did not run */                        \
    X(RAN, "ran")                                                                                  \
    X(RESTORED, "restored") /* from the run cache, or the lock was right and outputs were not */   \
    X(VERIFIED, "verified") /* a frozen stage or a .dvc file: hashed again */                      \
    X(FAILED, "failed")                                                                            \
    X(SKIPPED, "skipped") /* something it needs failed */                                          \
    X(DRY, "dry")

enum outcome {
#define X(name, text) OUTCOME_##name,
    OUTCOMES(X)
#undef X
};
const char *outcome_name(enum outcome o);

struct reporter {
    const struct reporter_ops *ops;
};

struct reporter_progress {
    size_t done, total, running;
    double seconds_left; /* by earlier durations; < 0: unknown */
};

struct reporter_ops {
    /* A line for the person that belongs to no other event: "Updating lock file 'dvc.lock'",
     * "WARNING: …". */
    void (*note)(struct reporter *s, bool warning, const char *text);
    /* The stage is looked at next. */
    void (*consider)(struct reporter *s, const struct stage *st);
    /* The stage is about to run (or would, with `dry`). `reason`: why it is stale. */
    void (*begin)(struct reporter *s, const struct stage *st, const char *reason, bool dry);
    /* One command starts (or would). Not called for captured runs: their output has the commands in
     * it. */
    void (*command)(struct reporter *s, const struct stage *st, const char *cmd);
    /* What the stage wrote, whole, commands as lines "> cmd"; only when it was captured. */
    void (*output)(struct reporter *s, const struct stage *st, struct str text);
    void (*end)(struct reporter *s, const struct stage *st, enum outcome o, double seconds,
                const char *error);
    /* Numbers for a progress line: at each begin and end once something runs, and every second. */
    void (*progress)(struct reporter *s, const struct reporter_progress *p);
    void (*close)(struct reporter *s);
};

/* DVC's words on stdout and stderr. `quiet`: only warnings. `live`: stages write to the terminal
 * themselves, one at a time; else a stage is told of when it has ended, and a terminal gets a line
 * with counts. `reasons`: says of each stage that runs why. Returns new (ops->close). */
struct reporter *reporter_tty_new(bool quiet, bool live, bool reasons);
/* One JSON object a line on stdout: {"event": "begin", "stage": …, "schema": 1}. */
struct reporter *reporter_json_new(void);

#endif
