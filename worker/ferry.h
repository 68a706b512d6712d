#ifndef NEPHRON_FERRY_H
#define NEPHRON_FERRY_H

#include "arena.h"
#include "carry.h"
#include "str.h"

#include <stdbool.h>

struct err;
struct post;
struct store;

/*
 * Objects from the cache of one rank to that of another, for pools without a common file system.
 * Whoever lacks an object asks for it piece by piece and keeps it only when its md5 is right
 * (cas_receive); the other side answers from its cache and remembers nothing.
 *
 *   POOL_NEED   offset (u64), md5 as text       "give me this object from here on"
 *   POOL_BYTES  total (u64), offset (u64), bytes    at most FERRY_PIECE_BYTES; total UINT64_MAX: there
 *                                                   is none, the rest says why
 *
 * A job on rank 2, from rank 0's workspace and back:
 *
 *   0 -> 2  JOB a {D 1f3a… data.csv, O model}
 *   2 -> 0  NEED 0 1f3a…      0 -> 2  BYTES 9 MB from 0     2 -> 0  NEED 4 MiB …   until it is whole
 *           links it out, removes model, runs the command, puts model into its cache
 *   2 -> 0  OUTS a, {77c2… model}
 *   0 -> 2  NEED 0 77c2…      2 -> 0  BYTES …
 *           links it out into rank 0's workspace, stores nothing yet
 *   0 -> 2  KEPT a            2 -> 0  RESULT a (0)          and so on as if it had run on rank 0
 *
 * A trip runs on a fiber of its own, which yields while bytes are on their way.
 */

#define FERRY_PIECE_BYTES ((size_t)4 << 20)

struct ferry;

/* The trip of a rank before its job: deps of `c` into the store's workspace, its outs away. */
struct ferry *ferry_bring(struct post *post, int from, struct store *s, const struct carry *c,
                          struct err *e);
/* The trip of rank 0 after a job: outs of `made` (as POOL_OUTS has them) into its workspace. Each
 * must be among those of `allowed`. */
struct ferry *ferry_return(struct post *post, int from, struct store *s,
                           const struct carry *allowed, const struct carry *made, struct err *e);
/* Goes on until it waits for bytes (true) or is over (false). */
bool ferry_go(struct ferry *f);
/* POOL_BYTES for it; then ferry_go. Kept until then. */
void ferry_bytes(struct ferry *f, struct str bytes);
/* It gives up at its next step: ferry_go. */
void ferry_cancel(struct ferry *f);
/* How it ended, once it is over. */
int ferry_result(const struct ferry *f, struct err *e);
/* One that is over. NULL is fine. */
void ferry_free(struct ferry *f);

/* Answers a POOL_NEED of rank `to`. */
int ferry_serve(struct post *post, int to, const struct store *s, struct str need, struct err *e);

#endif
