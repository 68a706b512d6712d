#ifndef NEPHRON_DATADIFF_H
#define NEPHRON_DATADIFF_H

#include "arena.h"
#include "dataindex.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct graph;
struct store;
struct strbuf;
struct value;

/* What differs between two states of the data (dataindex.h), by DVC's rules
 * (dvc_data/index/diff.py). */

enum datadiff_kind {
    DATADIFF_ADDED,
    DATADIFF_DELETED,
    DATADIFF_MODIFIED,
    DATADIFF_RENAMED, /* a deleted and an added one of the same content; each is used once, by path
                       */
    DATADIFF_UNCHANGED,
    DATADIFF_UNKNOWN, /* inside of a folder whose list is nowhere */
};

struct datadiff_change {
    enum datadiff_kind kind;
    const struct dataindex_entry *old, *now; /* NULL: not there */
};

struct datadiff {
    struct datadiff_change *items; /* by path; renamed ones last. Arena memory */
    size_t count;
};

struct datadiff_options {
    const struct dataindex_roots *roots; /* only these parts; NULL: all */
    bool hash_only;                      /* data status: an entry without hash counts as absent */
    bool shallow;                        /* folders as a whole, not the files in them */
};

void datadiff_compare(struct arena *a, const struct dataindex *old, const struct dataindex *now,
                      const struct datadiff_options *opt, struct datadiff *d);

/* How paths of outs are written in the answers: relative to the repository's root, folders with "/"
 * at the end. */
const char *datadiff_path(struct arena *a, const struct dataindex_entry *en);

/* ---- `diff`: two revisions, or one and the workspace ---- */

struct datadiff_revs {
    const char *a, *b; /* as typed; b NULL: the workspace */
    const char *const *targets;
    size_t target_count;
};

/* The answer as `diff --show-hash --json` prints it: {"added": [{"path": …, "hash": …}], "deleted",
 * "modified", "renamed", "not in cache"}, each sorted by path; an empty map when nothing differs.
 * `p` and `g`: the workspace's. ERR_MISSING "unknown Git revision 'x'"; a target that is in
 * neither: ERR_MISSING, detail ENOENT. */
int datadiff_revisions(struct store *s, struct arena *a, const struct pipeline *p,
                       const struct graph *g, const struct datadiff_revs *revs,
                       struct value **answer, struct err *e);

struct datadiff_style {
    bool show_hash, hide_missing, markdown;
};
/* Takes "hash" and "not in cache" out of the answer as the style says. */
void datadiff_reduce(struct value *answer, const struct datadiff_style *style);
void datadiff_text(struct strbuf *out, const struct value *answer,
                   const struct datadiff_style *style);

#endif
