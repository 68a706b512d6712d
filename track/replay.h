#ifndef NEPHRON_REPLAY_H
#define NEPHRON_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct redis;
struct spool_cursor;
struct runstore;
struct tracking;

/*
 * From spool to Redis: the one way records travel, for the live sink as for what dead processes
 * left.
 */

#define REPLAY_BATCH 500 /* records in one pipeline */

struct replay_progress {
    uint64_t offset, sequence; /* acknowledged */
    uint64_t rejected;         /* records that met a key of another type */
};

/* Sends the records from *p up to `limit`, one pipeline. 1: there may be more, 0: all is sent, -1:
 * the server failed (what was acknowledged is counted). */
int replay_batch(const struct runstore *s, struct redis *r, const char *run, const char *writer,
                 struct spool_cursor *c, uint64_t limit, struct replay_progress *p, struct err *e);

/* Moves *p (and the cursor) to where the server says it is. */
int replay_locate(const struct runstore *s, struct redis *r, const char *run, const char *writer,
                  struct spool_cursor *c, uint64_t limit, struct replay_progress *p, struct err *e);

struct replay_stop {
    bool (*stop)(void *ctx); /* asked between pipelines; NULL: never */
    void *ctx;
};
/* Sends all files of the folder whose writers are gone, oldest first, and removes those that
 * are sent and older than SPOOL_KEEP_MS. A file that is no spool is left alone. -1: the server
 * failed. */
int replay_folder(const struct tracking *t, const struct runstore *s, struct redis *r,
                  int64_t now_ms, const struct replay_stop *stop, uint64_t *sent, struct err *e);
/* Records in the folder, older than REPLAY_LAG_MS, that Redis does not have: by asking it, or with
 * r NULL by the side files (a hint: at most some 64 KiB of records behind the truth). */
#define REPLAY_LAG_MS 5000
uint64_t replay_behind(const struct tracking *t, struct redis *r, int64_t now_ms);

#endif
