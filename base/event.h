#ifndef NEPHRON_EVENT_H
#define NEPHRON_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Events: what happened in a run, told once to whoever listens. The coordinator and the training
 * code emit; the tracker (spool, Redis), progress lines and tests listen. Every field is text, as in
 * the run store. Emitting never blocks and cannot fail: a listener that must wait queues.
 *
 *   event_emit(sink, EVENT_METRIC, run_id, "name", "loss", "v", "0.31", "step", "12", NULL);
 */

#define EVENT_KINDS(X)                                                                             \
    X(RUN_START, "run_start")   /* fields of the run hash: kind, name, experiment, parent, … */  \
    X(RUN_UPDATE, "run_update") /* fields of the run hash that changed */                          \
    X(RUN_END, "run_end")       /* status, exit_code, error */                                     \
    X(PARAM, "param")           /* key -> value, several pairs */                                  \
    X(TAG, "tag")               /* key -> value, several pairs */                                  \
    X(METRIC, "metric")         /* name, v, step */                                                \
    X(LOG, "log")               /* line, rank */                                                   \
    X(STAGE, "stage")         /* stage, status, reason, rank, host, start_ms, end_ms, exit_code */ \
    X(RANK, "rank")           /* rank, host, pid, state, stage, img_per_s, rss_bytes */            \
    X(HEARTBEAT, "heartbeat") /* no fields */

enum event_kind {
#define X(name, text) EVENT_##name,
    EVENT_KINDS(X)
#undef X
};

struct event_field {
    const char *key, *value;
};

struct event {
    enum event_kind kind;
    const char *run; /* run id */
    int64_t time_ms; /* since 1970 UTC */
    const struct event_field *fields;
    size_t field_count;
};

struct event_sink {
    void (*emit)(void *ctx, const struct event *ev); /* borrows the event; copies what it keeps */
    void *ctx;
};

const char *event_kind_name(enum event_kind kind);
/* Pairs of const char * ended by NULL, at most 32; pairs whose value is NULL are left out.
 * A NULL sink is allowed: nobody listens. */
void event_emit(const struct event_sink *sink, enum event_kind kind, const char *run, ...)
    __attribute__((sentinel));
/* A new run id: 32 hex digits, the first 12 of them the time in ms, so ids sort by start. */
void event_new_run_id(char out[33]);

#endif
