#ifndef NEPHRON_SINK_H
#define NEPHRON_SINK_H

#include "event.h"

#include <stdbool.h>
#include <stdint.h>

struct clock;
struct err;
struct tracking;

/*
 * The sink: events in, spool and Redis out, nobody waits.
 *
 *   emit (any thread) ── buffer in memory ── writer thread ── spool file, fsync once a second
 *                                                                │  (read back from the page cache)
 *                                            sender thread ──────┴── pipelined to Redis
 *
 * emit takes a lock for the time of a copy (about a microsecond) and touches neither disk nor net.
 * Only when the disk hangs so long that SINK_MEMORY_MAX bytes wait are further metrics and log
 * lines dropped, counted, and said. The sender has its own thread and a circuit breaker (5 s,
 * doubling to 60 s, with jitter); after every connect it asks Redis how far it is and goes on from
 * there, so outages, restarts and restored backups of the server need no care. Before its own
 * records it sends what dead processes left in the spool folder.
 *
 * The writer beats the heart of every open run (run_start seen or sink_watch, no run_end yet) each
 * 5 s, and samples each 10 s `system/cpu_percent` (100 = one core), `system/memory_bytes`,
 * `system/net_receive_bytes_per_s`, `system/net_transmit_bytes_per_s` (of the host, without lo);
 * with world > 1 the names are `system/<rank>/cpu_percent` and so on. Runs of kind `stage` are not
 * sampled.
 *
 * Usage, the same on every rank that tells anything (see run.h for the events of a run):
 *
 *     struct tracking t;
 *     if (tracking_load(&t, NULL, e) < 0) …
 *     struct sink *sink = sink_open(&(struct sink_options){.tracking = &t, .rank = rank, .world =
 * world}, e); run_begin(&run, sink_events(sink), &(struct run_options){.kind = "train", …}); …
 *     run_finish(&run, RUN_FINISHED, 0, NULL);
 *     sink_close(sink);
 */

#define SINK_HEARTBEAT_MS 5000
#define SINK_SYSTEM_MS 10000
#define SINK_MEMORY_MAX ((size_t)64 << 20)
#define SINK_CLOSE_MS 5000

struct sink;

struct sink_options {
    const struct tracking *tracking; /* borrowed for the call */
    int rank, world;                 /* world 0: one */
    const struct clock *clock;       /* NULL: the system's; keeps */
    bool spool_only;                 /* never talk to Redis */
    bool no_system_metrics;
    int heartbeat_ms, system_ms; /* 0: SINK_HEARTBEAT_MS, SINK_SYSTEM_MS */
    size_t memory_max_bytes;     /* 0: SINK_MEMORY_MAX */
    uint64_t spool_max_bytes;    /* 0: SPOOL_BYTES_MAX; beyond, metrics and log lines are thinned */
};

/* Returns new (sink_close); does not wait for Redis. NULL only when the threads cannot be made. */
struct sink *sink_open(const struct sink_options *opt, struct err *e);
/* What to hand to event_emit and run_begin; borrowed, valid until sink_close. NULL for a NULL sink.
 */
const struct event_sink *sink_events(struct sink *s);
/* Beats and samples a run that another process started (a rank above 0). Copies the id. */
void sink_watch(struct sink *s, const char *run);

struct sink_state {
    uint64_t emitted; /* events taken */
    uint64_t dropped; /* refused: malformed, or memory full */
    uint64_t thinned; /* metrics and log lines left out of a full spool */
    uint64_t written; /* records in the spool */
    uint64_t behind;  /* records that Redis does not have yet (this process's) */
    bool connected;
};
void sink_state(struct sink *s, struct sink_state *out);

/* Writes and syncs the spool, gives Redis up to SINK_CLOSE_MS, ends the threads. Says on the log
 * "tracker behind by N …" when Redis does not have everything; the next start sends it. NULL is
 * fine. */
void sink_close(struct sink *s);

#endif
