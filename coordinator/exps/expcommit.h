#ifndef NEPHRON_EXPCOMMIT_H
#define NEPHRON_EXPCOMMIT_H

#include "arena.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct repo;
struct value;

/*
 * The commit of an experiment: its parent is the baseline, its tree the workspace as it stands (tracked files, and what the
 * pipeline says of itself: dvc.yaml, dvc.lock, params, dependencies, uncached outputs, metrics, plots). HEAD, branch and index of the
 * person stay. A ref keeps it:
 *
 *     refs/exps/<first 2 hex digits of the baseline>/<the others>/<name>
 */

struct expcommit {
    const char *baseline;     /* full id: the parent */
    const char *const *paths; /* repo paths of files that git may not know yet */
    size_t path_count;
    const char *const *forced; /* the same, also when git ignores them */
    size_t forced_count;
    const char *message;        /* NULL: "dvc: commit experiment <hash>" */
    const struct value *stages; /* map stage -> its lock entry as a document: what `hash` is of */
};

/* 64 hex digits that stand for what the stages are now, as DVC computes them. */
void expcommit_hash(const struct value *stages, char hash[65]);
/* Makes it in the work tree of `r`. */
int expcommit_make(const struct repo *r, const struct expcommit *x, char commit[65], struct err *e);

/* "refs/exps/ab/cdef…/name", in `a`. */
const char *expcommit_ref(struct arena *a, const char *baseline, const char *name);
/* The commit that a ref names; "" when there is none. */
int expcommit_find(const struct repo *r, const char *ref, char commit[65], struct err *e);
/* ERR_BUSY "Experiment conflicts with existing experiment …". */
int expcommit_conflict(const char *name, struct err *e);
/* Points the ref to `commit`. Where it names another one and not `force`: fine when both have the same files (the ref stays as it
 * is, and `commit` becomes that one), else the conflict. */
int expcommit_store(const struct repo *r, const char *ref, bool force, char commit[65],
                    struct err *e);

#endif
