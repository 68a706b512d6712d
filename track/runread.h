#ifndef NEPHRON_RUNREAD_H
#define NEPHRON_RUNREAD_H

#include "arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct redis;
struct tracking;
struct value;

/*
 * Reading runs: from Redis, or, when there is none to be had, from the spool files, with the same
 * answers. Everything returned lives in the caller's arena. What a server sends is not trusted:
 * wrong types and malformed JSON are errors or left out, never a crash.
 */

struct runread;

/* Connects as the settings say (a private server that ran here before is started again), sends what
 * dead processes left in the spool, else opens the spool folder. `why` (may be NULL) receives the
 * reason when it had to be the spool. */
struct runread *runread_open(const struct tracking *t, struct err *why);
/* Over a given connection, which it takes: for tests and fuzzing. */
struct runread *runread_from(struct redis *r, const char *prefix);
void runread_close(struct runread *r);
bool runread_is_redis(const struct runread *r);
/* Records in the spool folder that Redis does not have. */
uint64_t runread_behind(const struct runread *r);
/* Reads again what may have changed (spool files; nothing to do for Redis). */
int runread_refresh(struct runread *r, struct err *e);

struct run_record {
    const char *id;
    struct value
        *fields; /* map of text: the run hash; status is `lost` when the heartbeat is old */
    struct value *params, *tags, *latest; /* maps of text */
    struct value *stages, *ranks;         /* name -> map as in the JSON, plain numbers */
};

/* Ids, newest first, `limit` 0: all. */
int runread_ids(struct runread *r, struct arena *a, size_t limit, const char ***ids, size_t *count,
                struct err *e);
/* Fields and latest only (the rest NULL) of many runs in one round trip. */
int runread_heads(struct runread *r, struct arena *a, const char *const *ids, size_t count,
                  struct run_record *runs, struct err *e);
/* ERR_MISSING when there is no such run. */
int runread_run(struct runread *r, struct arena *a, const char *id, struct run_record *run,
                struct err *e);
/* "latest", a whole id or a unique prefix -> id. ERR_MISSING names near ones. */
int runread_resolve(struct runread *r, struct arena *a, const char *word, const char **id,
                    struct err *e);

/* A place in a stream: starts as zero, moves on with every read. */
struct runread_place {
    char id[48];
    size_t index;
};
struct metric_point {
    double v;
    int64_t step, time_ms;
};
int runread_metric(struct runread *r, struct arena *a, const char *id, const char *name,
                   struct runread_place *place, struct metric_point **points, size_t *count,
                   struct err *e);
struct log_line {
    const char *line;
    const char *rank; /* "" when untold */
};
int runread_log(struct runread *r, struct arena *a, const char *id, struct runread_place *place,
                struct log_line **lines, size_t *count, struct err *e);

#endif
