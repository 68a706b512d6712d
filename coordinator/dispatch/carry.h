#ifndef NEPHRON_CARRY_H
#define NEPHRON_CARRY_H

#include "arena.h"
#include "str.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct stage;
struct store;

/*
 * What a job needs and makes, for ranks that do not share the coordinator's file system: content by
 * md5, places by repo path. Every rank has a repository of its own, with what git tracks; the rest
 * comes by these lists (worker/ferry.h moves the bytes).
 *
 * As bytes in job.carry, each field ended by NUL:
 *   R<root>          the coordinator's repository: how paths of the job are to be read elsewhere
 *   D<md5> <path>    must be there before the command runs; X: with its exec bit
 *   O<path>          what it makes, removed beforehand; K: kept (persist)
 */

struct carry_file {
    const char *path; /* repo path, inside of the repository */
    const char *md5;  /* 32 hex digits, ".dir" for folders; outs: NULL until they are made */
    bool isexec, keep;
};

struct carry {
    const char *root; /* absolute */
    struct carry_file *deps, *outs;
    size_t dep_count, out_count;
};

/* The coordinator's side, before the job starts: hashes deps and params files and puts them into
 * the cache, where the ranks ask for them. What lies outside of the repository is not carried: it
 * is taken to be at the same place everywhere. Bytes in `a`. */
int carry_make(struct store *s, struct arena *a, const struct stage *st, struct str *bytes,
               struct err *e);
/* ERR_FORMAT also for paths that lead out of the repository. Strings are in `a`. */
int carry_parse(struct arena *a, struct str bytes, struct carry *c, struct err *e);
/* The outs as they are now, into the store's cache; fills their md5 (NULL: nothing is there). */
int carry_store_outs(struct store *s, struct arena *a, struct carry *c, struct err *e);

#endif
