#ifndef NEPHRON_SPOOL_H
#define NEPHRON_SPOOL_H

#include "event.h"
#include "str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * The spool: what one process told about one run, append-only, on the local disk. It is the queue
 * between the events and Redis, and the record itself where there is no Redis.
 *
 * File `<project>/.nephron/spool/<run>.log` (`<run>.<writer>.log` for the second and further
 * writers of a run), version 1, integers little-endian:
 *
 * | offset | type | field |
 * |---|---|---|
 * | 0  | 8 bytes  | magic "NEPHSPL1" |
 * | 8  | u32      | version = 1 |
 * | 12 | u32      | CRC32C of bytes 16..63 |
 * | 16 | 16 chars | writer: random hex; sequences count per (run, writer) |
 * | 32 | 32 chars | run id |
 * | 64 | records  | each: u32 payload bytes, u32 CRC32C of what follows, u64 sequence (1, 2 …), payload |
 *
 * Payload: u8 event kind, u8 flags, i64 time_ms, u16 fields, then key NUL value NUL for each field.
 * The first record whose CRC, length or sequence is wrong ends the file: what is behind it is a
 * torn tail. The writer holds flock(2) on the file as long as it lives: a file that can be locked
 * belongs to nobody.
 *
 * `<same name>.sent`: text "OFFSET SEQUENCE\n", how far Redis has acknowledged. A hint: the truth
 * is the sequence that Redis itself keeps (runstore.h).
 */

#define SPOOL_HEADER_BYTES 64
#define SPOOL_RECORD_BYTES 16 /* before the payload */
#define SPOOL_PAYLOAD_MAX ((size_t)1 << 20)
#define SPOOL_BYTES_MAX ((uint64_t)1 << 30)
#define SPOOL_KEEP_MS ((int64_t)24 * 3600 * 1000)
#define SPOOL_FIELDS_MAX 65535

enum spool_flags {
    SPOOL_STATE_CHANGE = 1, /* belongs into the stream of state changes */
};

struct spool_record {
    uint64_t sequence;
    unsigned flags;
    struct event event; /* `run` is left NULL: it is in the header */
    uint64_t end;       /* offset behind the record */
};

/* Appends the payload of an event; the run id is not part of it. false (nothing added) beyond the
 * limits. */
bool spool_pack(struct strbuf *out, const struct event *ev, unsigned flags);
/* Reads a payload. `fields` (SPOOL_FIELDS_MAX at most, grown by the callee) point into `payload`.
 */
struct spool_fields {
    struct event_field *items;
    size_t capacity;
};
int spool_unpack(struct str payload, struct spool_record *rec, struct spool_fields *fields,
                 struct err *e);
void spool_fields_release(struct spool_fields *f);

/* ---- writing ---- */

struct spool;

/* Makes and locks a new file for `run` in `dir` (which exists). Returns new (spool_close). */
struct spool *spool_create(const char *dir, const char *run, struct err *e);
/* The same in memory, for when the disk refuses: lost with the process. */
struct spool *spool_create_memory(const char *run, struct err *e);
/* Takes a left-over file for sending: locks it (ERR_BUSY while its writer lives) and cuts a torn
 * tail. */
struct spool *spool_adopt(const char *path, struct err *e);
/* Adds a record; the sequence is the next one. After a failure nothing was added. */
int spool_append(struct spool *s, struct str payload, struct err *e);
int spool_sync(struct spool *s, struct err *e);  /* fsync when something was added since */
int spool_close(struct spool *s, struct err *e); /* syncs; NULL is fine */
uint64_t spool_bytes(const struct spool *s);     /* offset behind the last record */
uint64_t spool_sequence(const struct spool *s);  /* of the last record; 0: none */
const char *spool_run(const struct spool *s);
const char *spool_writer(const struct spool *s);
const char *spool_path(const struct spool *s); /* NULL for one in memory */
int spool_fd(const struct spool *s);           /* for a spool_cursor of another thread */

/* ---- reading ---- */

/* Walks the records up to `limit`. Reads ahead into its own buffer; the record is valid until the
 * next call. */
struct spool_cursor {
    int fd;                     /* borrowed */
    uint64_t offset;            /* of the next record */
    uint64_t sequence;          /* of the last record read */
    struct spool_fields fields; /* private from here on */
    struct strbuf buffer;
    uint64_t buffer_offset;
};
void spool_cursor_init(struct spool_cursor *c, int fd);
void spool_cursor_release(struct spool_cursor *c);
void spool_cursor_rewind(struct spool_cursor *c); /* to the first record */
/* 1: *rec filled, 0: no whole record before `limit` (or the torn tail), -1: the disk failed. */
int spool_cursor_next(struct spool_cursor *c, uint64_t limit, struct spool_record *rec,
                      struct err *e);

struct spool_header {
    char writer[17], run[33];
};
int spool_read_header(int fd, struct spool_header *h, struct err *e);

/* How far Redis acknowledged; zero when unknown. */
void spool_read_sent(const char *path, uint64_t *offset, uint64_t *sequence);
int spool_write_sent(const char *path, uint64_t offset, uint64_t sequence, struct err *e);
/* Removes a spool and its side file. */
void spool_remove(const char *path);
/* A run id or writer as this program makes them. */
bool spool_is_run_id(const char *s);

#endif
