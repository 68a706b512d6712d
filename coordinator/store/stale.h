#ifndef NEPHRON_STALE_H
#define NEPHRON_STALE_H

#include "arena.h"
#include "content.h"
#include "lock.h"
#include "pipeline.h"
#include "str.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct store;

/*
 * Decides whether a stage is stale by DVC 3's rules (dvc.md §7), and records each reason where it
 * is found: the very same record feeds repro, `status`, `explain` and --dry. Data is read only
 * where the memo does not know it.
 */

#define STALE_WORDS(X)                                                                             \
    X(MODIFIED, "modified")                                                                        \
    X(DELETED, "deleted")                                                                          \
    X(NEW, "new")                                                                                  \
    X(NOT_IN_CACHE, "not in cache")                                                                \
    X(UPDATE_AVAILABLE, "update available")

enum stale_word {
#define X(name, text) STALE_##name,
    STALE_WORDS(X)
#undef X
};

enum stale_where { STALE_DEP, STALE_PARAM, STALE_PARAMS_FILE, STALE_OUT };

struct stale_change {
    enum stale_where where;
    enum stale_word word;
    const char *path;               /* repo path of the dep, out or params file */
    const char *shown;              /* as people read it, from the current folder */
    const char *key;                /* STALE_PARAM: the dotted key */
    const struct value *was, *now;  /* STALE_PARAM: values; NULL when absent */
    struct hash was_hash, now_hash; /* deps and outs; md5 NULL when unknown */
    bool never_locked;              /* the lock knows nothing of this item */
    size_t index;                   /* in stage.deps, .params or .outs */
};

/* Which rule decides, in DVC's order of checking. */
#define STALE_REASONS(X)                                                                           \
    X(FRESH, "unchanged")                                                                          \
    X(COMMAND, "the command changed")                                                              \
    X(ALWAYS, "always changed")                                                                    \
    X(DEP, "a dependency changed")                                                                 \
    X(OUT, "an output changed")                                                                    \
    X(SOURCE, "tracked data changed")

enum stale_reason {
#define X(name, text) STALE_BY_##name,
    STALE_REASONS(X)
#undef X
};

struct stale_report {
    const struct stage *stage;
    const struct lock_entry
        *entry; /* NULL: never locked. Borrowed from the lock (.dvc files: made up) */
    struct stale_change *changes; /* deps and params in the stage's order, then outs */
    size_t change_count, change_capacity;
    bool changed_command;
    bool changed_checksum; /* imports: md5 of the .dvc file */
    bool always_changed;   /* flag, or a callback stage */
    bool frozen;
    struct content *deps,
        *outs; /* what is there now, by index in stage.deps, stage.outs; filled by stale_check */
    size_t missing_params; /* keys that no params file has */
};

struct stale_options {
    bool skip_outs;     /* only deps: what runs next is decided by deps alone */
    bool frozen_deps;   /* look at the deps of frozen stages too */
    const char *filter; /* repo path: only this out, or the out that holds it */
};

/*
 * Fills reports[0..count-1] for the stages. All unknown files of all stages are hashed in one
 * parallel pass. Everything lives in `a`. `opt` may be NULL.
 */
int stale_check(struct store *s, struct arena *a, const struct stage *const *stages, size_t count,
                const struct stale_options *opt, struct stale_report *reports, struct err *e);

struct stale_decision {
    bool allow_missing; /* --allow-missing, and the second look of --pull */
    const struct stage *const
        *upstream; /* with allow_missing: a missing dep whose producer has another hash locked */
    size_t upstream_count; /* counts as modified */
};
/* First matching rule; STALE_BY_FRESH: nothing to do. Frozen stages answer by their outs alone. `d`
 * may be NULL. */
enum stale_reason stale_decide(struct store *s, const struct stale_report *r,
                               const struct stale_decision *d);
/* Any line for `status`? */
bool stale_any(const struct stale_report *r);
const char *stale_word_name(enum stale_word w);
const char *stale_reason_name(enum stale_reason r);

#endif
