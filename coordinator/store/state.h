#ifndef NEPHRON_STATE_H
#define NEPHRON_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct err;

/*
 * Memo of hashes: (device, inode, size, mtime_ns, ctime_ns) -> md5, so that what has not changed is
 * not read again. One append-only file, .dvc/tmp/nephron/state; deleting or damaging it costs time,
 * never correctness.
 *
 * File: 16 bytes "NEPHRON-STATE-1\n", then records of 64 bytes, native byte order:
 * | offset | type    | field                                                                   |
 * |--------|---------|-------------------------------------------------------------------------|
 * | 0      | u64     | device                                                                  |
 * | 8      | u64     | inode                                                                   |
 * | 16     | i64     | size in bytes                                                           |
 * | 24     | i64     | mtime in ns                                                             |
 * | 32     | i64     | ctime in ns                                                             |
 * | 40     | u8[16]  | md5                                                                     |
 * | 56     | u32     | 1: plain md5, 2: DVC 2's dos2unix md5                                   |
 * | 60     | u32     | CRC32C of bytes 0..59                                                   |
 * Several processes append whole records with one write (O_APPEND, under flock); a record with a bad
 * CRC is skipped, the newest record of a (device, inode, kind) wins. Rewritten (temp + rename, what
 * others appended merged in) when more than half is old.
 *
 * A record is trusted only if all fields agree, and it is only made when the file's mtime and ctime
 * lie at least 2 s before the moment of hashing: a change within the clock's granularity cannot
 * hide. Younger files are remembered for the life of the process by caller's knowledge only (not at
 * all). Thread-safe.
 */

enum state_kind { STATE_MD5 = 1, STATE_MD5_LEGACY = 2 };

struct state;

/* `path` NULL: a memo that knows nothing and forgets all. Never fails: a bad file is an empty memo.
 */
struct state *state_open(const char *path);
/* Appends what is new; errors are logged (the memo is a convenience). */
void state_close(struct state *s);
/* Writes what is new now: before forking workers that want it, or after a long command. */
void state_flush(struct state *s);

bool state_get(struct state *s, const struct stat *st, enum state_kind kind, char md5[33]);
/* `hashed_at_ns`: CLOCK_REALTIME before the first byte was read. Ignored when the file is too young
 * then. */
void state_put(struct state *s, const struct stat *st, enum state_kind kind, const char *md5,
               int64_t hashed_at_ns);
int64_t state_now_ns(void);

#endif
