#ifndef NEPHRON_JOURNAL_H
#define NEPHRON_JOURNAL_H

#include "arena.h"
#include "str.h"

#include <stddef.h>
#include <stdint.h>

struct err;
struct lock_entry;

/*
 * Finished stages between two writings of dvc.lock, so that a kill loses at most the running ones:
 * .dvc/tmp/nephron/journal, append-only.
 *
 *   file    = "NEPHRONJ" version:u32=1 reserved:u32=0, then records     (integers little-endian)
 *   record  = length:u32 crc32c:u32 payload                             (CRC of length and payload)
 *   payload = JSON {"file": "dvc.yaml", "stage": "train", "entry": {cmd, deps, params, outs}}
 *
 * Reading stops at the first record that is cut or whose CRC is wrong: the tail a kill leaves. A
 * file of another version is refused with both numbers. After dvc.lock has been written the journal
 * is emptied. Appending is one write(2); the sync is done by a thread of its own, in groups.
 */

struct journal;

/* `path` absolute; nothing is created before the first append. Returns new (journal_close); never
 * NULL. */
struct journal *journal_new(const char *path);
/* Joins the sync thread. Errors of late syncs are reported here. */
int journal_close(struct journal *j, struct err *e);
int journal_append(struct journal *j, const char *pipeline_file, const struct lock_entry *entry,
                   struct err *e);
/* Returns when everything appended so far is on disk. */
int journal_sync(struct journal *j, struct err *e);
/* The lock files hold all of it now. */
int journal_clear(struct journal *j, struct err *e);

typedef int journal_fn(void *ctx, const char *pipeline_file, const struct lock_entry *entry,
                       struct err *e);
/* Calls fn for each whole record, in order; 0 records when the file is absent. *bad_tail (may be
 * NULL): bytes dropped at the end. */
int journal_replay(const char *path, journal_fn *fn, void *ctx, size_t *bad_tail, struct err *e);
/* The same over bytes, for tests and fuzzing. */
int journal_parse(struct str bytes, journal_fn *fn, void *ctx, size_t *bad_tail, struct err *e);

#endif
