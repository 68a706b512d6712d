#ifndef NEPHRON_EXPSTASH_H
#define NEPHRON_EXPSTASH_H

#include "arena.h"

#include <stddef.h>

struct err;
struct exptask;
struct repo;
struct value;

/*
 * What git sees of experiments that wait: a stash commit each (tree: the workspace with the parameters changed; parents: HEAD and the
 * index, as git-stash makes them), in the reflog of a ref, where DVC has them too:
 *
 *     refs/exps/celery/stash    waiting     message "dvc-exp:<HEAD>:<baseline>:<name>"
 *     refs/exps/celery/failed   failed
 */

#define EXPSTASH_QUEUED "refs/exps/celery/stash"
#define EXPSTASH_FAILED "refs/exps/celery/failed"

/* Makes the commit; the workspace stays as it is. `texts`: repo path -> text, instead of what is in these files. Sets t->rev. */
int expstash_make(const struct repo *r, struct arena *a, const struct value *texts,
                  struct exptask *t, struct err *e);
int expstash_push(const struct repo *r, const char *ref, const struct exptask *t, struct err *e);
/* The commits of a ref, oldest first, in `a`. */
int expstash_list(const struct repo *r, struct arena *a, const char *ref, const char *const **revs,
                  size_t *count, struct err *e);
/* Takes an entry out; one that is not there is fine. */
int expstash_drop(const struct repo *r, const char *ref, const char *rev, struct err *e);

#endif
