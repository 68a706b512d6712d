#ifndef NEPHRON_SINK_PRIVATE_H
#define NEPHRON_SINK_PRIVATE_H

#include "clock.h"
#include "event.h"
#include "redis.h"
#include "redis_server.h"
#include "replay.h"
#include "runstore.h"
#include "sink.h"
#include "spool.h"
#include "str.h"
#include "system_metrics.h"
#include "tracking.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The parts of the sink: sink.c (open, close), sink_queue.c (emit), sink_write.c (writer thread),
 * sink_send.c (sender thread). `lock` guards what is marked; the rest belongs to one thread.
 */

/* One spool file of this process; the writer appends, the sender reads through its own cursor. */
struct sink_spool {
    struct spool *spool;                /* writer's */
    bool disk;                          /* const */
    uint64_t written, written_sequence; /* lock: what may be sent */
    uint64_t acked_sequence;            /* lock */
    bool ended;                         /* lock: the run is over */
    bool released;                      /* lock: the sender does not touch it any more */
    bool has_cursor, located;           /* sender's from here on */
    struct spool_cursor cursor;
    struct replay_progress progress;
    uint64_t noted;          /* offset in the side file */
    struct sink_spool *next; /* lock */
};

struct queue_entry { /* in the buffer, followed by the payload */
    uint32_t payload_bytes;
    uint8_t type;
    char run[33];
};
enum queue_type { QUEUE_EVENT, QUEUE_WATCH };

struct sink_run; /* writer's, in sink_write.c */

struct sink {
    struct event_sink events;
    struct tracking tracking;
    struct clock clock;
    int rank, world;
    bool spool_only, no_system_metrics;
    int64_t heartbeat_us, system_us;
    size_t memory_max;
    uint64_t spool_max;

    pthread_mutex_t lock;
    pthread_cond_t writer_wake, sender_wake;
    struct strbuf queue;       /* lock */
    struct sink_state state;   /* lock */
    bool closing;              /* lock: no more events, drain */
    bool written_all;          /* lock: no event is taken any more */
    bool drained;              /* lock: the writer has written everything */
    int64_t close_end_us;      /* lock: when the sender gives up */
    struct sink_spool *spools; /* lock: the list, oldest first */

    pthread_t writer, sender;
    bool has_sender;

    /* writer's */
    struct strbuf batch, scratch;
    struct sink_run *runs; /* uthash by id */
    char *spool_dir;       /* NULL: not to be had */
    struct system_sampler sampler;
    int64_t sync_due_us, system_due_us;
    bool said_disk, said_thin, said_bad;
    size_t open_spools;

    /* sender's */
    struct redis *redis;
    struct runstore store;
    int64_t retry_us, delay_us, immediate_us;
    int64_t away_us; /* since when Redis has not answered; 0: it does */
    bool off, met, said_away, said_settings, final_try; /* met: it has answered once */
    uint64_t jitter;
};

void sink_emit(void *ctx, const struct event *ev);
void sink_push(struct sink *s, enum queue_type type, const char *run);
void *sink_writer_main(void *sink);
void *sink_sender_main(void *sink);
void sink_writer_release(struct sink *s); /* what the writer's thread left, after it ended */
bool sink_deadline_passed(void *sink);    /* closing, and the time is over */

#endif
