#ifndef NEPHRON_FSCK_H
#define NEPHRON_FSCK_H

#include "arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct pipeline;
struct store;
struct strbuf;
struct value;

/*
 * `fsck`: is every object what its name says, does every folder list hold only names below the
 * folder, is everything there that dvc.lock and .dvc files of the workspace name, did killed
 * programs leave temp files. Reads every byte of the cache, on all threads.
 */

#define FSCK_PROBLEMS(X)                                                                           \
    X(CORRUPT, "corrupt")     /* the content is not its name's */                                  \
    X(MALFORMED, "malformed") /* a folder list that is none, or that leaves the folder */          \
    X(MISSING, "missing")     /* recorded, and not in the cache */                                 \
    X(WRITABLE, "writable")   /* right, but anybody may change it */                               \
    X(LEFTOVER, "leftover")   /* temp file of a program that is gone */

enum fsck_kind {
#define X(name, text) FSCK_##name,
    FSCK_PROBLEMS(X)
#undef X
};

struct fsck_problem {
    enum fsck_kind kind;
    const char *md5;  /* "" for a leftover */
    const char *path; /* of the file in the cache, absolute */
    const char
        *used; /* the output or file that needs it, as shown; NULL: nothing in the workspace */
    const char *detail; /* what was found */
    bool repaired;
    bool legacy;
};

struct fsck_result {
    size_t objects;
    int64_t bytes;
    struct fsck_problem
        *problems; /* arena memory; objects by name, then what is missing, then leftovers */
    size_t count, capacity;
};

struct fsck_options {
    bool repair;        /* fetch what is missing or corrupt, remove leftovers, protect objects */
    const char *remote; /* for repair; NULL: core.remote, if any */
};

/* The caller holds the repository. Errors only when it cannot look. */
int fsck_run(struct store *s, struct arena *a, const struct pipeline *p,
             const struct fsck_options *opt, struct fsck_result *r, struct err *e);
/* Nothing is wrong, or not any more. */
bool fsck_ok(const struct fsck_result *r);
void fsck_text(struct strbuf *out, const struct fsck_result *r);
/* {"schema": 1, "ok": …, "objects": N, "bytes": N, "problems": [{"kind", "object", "path",
 * "used_by", "detail", "repaired"}]} */
struct value *fsck_json(struct arena *a, const struct fsck_result *r);

#endif
