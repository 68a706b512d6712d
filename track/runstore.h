#ifndef NEPHRON_RUNSTORE_H
#define NEPHRON_RUNSTORE_H

#include "spool.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct event;
struct redis;
struct strbuf;
struct tracking;

/*
 * The run store in Redis: which keys an event becomes. P is the prefix, by default "nephron:";
 * every value is a string, times are ms since 1970 UTC.
 *
 * | key | type | content | written by event |
 * |---|---|---|---|
 * | P runs              | zset   | run id by start time                          | run_start |
 * | P run:<id>          | hash   | kind name experiment parent status start_ms end_ms heartbeat_ms
 * |                     |        | exit_code error stage cmd git_commit git_dirty git_branch user
 * |                     |        | host world_size hosts version                 | run_*, heartbeat |
 * | P run:<id>:params   | hash   |                                               | param |
 * | P run:<id>:tags     | hash   |                                               | tag |
 * | P run:<id>:latest   | hash   | metric -> last value                          | metric |
 * | P run:<id>:metric:<name> | stream | v step t                                 | metric |
 * | P run:<id>:log      | stream, capped at about tracking.log_lines | line rank | log |
 * | P run:<id>:stages   | hash   | stage -> JSON {status reason rank host start_ms end_ms exit_code}
 * |                     |        |                                               | stage |
 * | P run:<id>:ranks    | hash   | rank -> JSON {host pid state stage img_per_s rss_bytes
 * |                     |        | heartbeat_ms}                                 | rank |
 * | P events            | stream, capped at about 10,000 | event run t, and what changed
 * |                     |        |                                               | every state change |
 * | P seq:<id>          | hash   | writer -> last sequence applied               | every record |
 *
 * Each record is applied by one script that compares its sequence with P seq:<id>: the next one is
 * applied, older ones are skipped (a replay adds nothing twice), later ones are refused (a failure
 * in the middle of a pipeline leaves no gap). The sequence is written first: a server that is full,
 * read-only or cannot save refuses there, before anything else is changed.
 *
 * status: queued running finished failed killed; `lost` is what readers say of a run that is
 * `running` and whose heartbeat is older than RUNSTORE_LOST_MS. Writers beat every 5 s.
 */

#define RUNSTORE_LOST_MS 60000
#define RUNSTORE_EVENTS_MAX "10000"
#define RUNSTORE_KEY_MAX 256  /* bytes of a whole Redis key */
#define RUNSTORE_NAME_MAX 128 /* bytes of a metric name */

struct runstore {
    char prefix[65];
    char log_lines[16];
    char script_sha[41];
};

void runstore_init(struct runstore *s, const struct tracking *t);
/* Brings the script to the server: once for each connection, before runstore_apply. */
int runstore_prepare(struct runstore *s, struct redis *r, struct err *e);
/* The last sequence that the server has of (run, writer); 0 when none. */
int runstore_sequence(const struct runstore *s, struct redis *r, const char *run,
                      const char *writer, uint64_t *sequence, struct err *e);
/* Queues the command that applies the record. */
int runstore_apply(const struct runstore *s, struct redis *r, const char *run, const char *writer,
                   const struct spool_record *rec, struct err *e);

enum runstore_answer {
    RUNSTORE_APPLIED,
    RUNSTORE_SKIPPED,  /* was there already */
    RUNSTORE_REJECTED, /* taken, but a key of another type was in the way: part of it is not stored
                        */
    RUNSTORE_RETRY,    /* the server refuses for now, or lost the script: connect again */
};
/* Reads the reply to one runstore_apply. -1: the connection failed. RUNSTORE_RETRY fills *e too. */
int runstore_answer(struct redis *r, enum runstore_answer *answer, struct err *e);

/* The JSON of a stage or rank event: its fields but the name, numbers where the contract has
 * numbers. */
void runstore_state_json(struct strbuf *out, const struct event *ev);

/* Metric names become part of a key: 1..RUNSTORE_NAME_MAX bytes of [A-Za-z0-9_./ :-]. */
bool runstore_metric_name_valid(const char *name);
/* Field names of hashes (run fields, params, tags): 1..250 bytes of UTF-8 without control
 * characters. */
bool runstore_field_name_valid(const char *name);

#endif
