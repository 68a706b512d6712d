#ifndef NEPHRON_GITINDEX_H
#define NEPHRON_GITINDEX_H

#include "arena.h"
#include "str.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct repo;

/*
 * An index of git beside the repository's own: what is put into it becomes a tree and a commit, while HEAD, the branch and the
 * person's index stay as they are.
 *
 *     struct gitindex x;
 *     gitindex_open(&x, repo, &a, e); gitindex_add_tracked(&x, e); gitindex_commit(&x, …); gitindex_close(&x);
 */
struct gitindex {
    const struct repo *repo;
    struct arena *arena;
    const char *path;   /* of the index file */
    const char *env[2]; /* GIT_INDEX_FILE=path */
};

/* A copy of the index as it stands. Borrows both (until gitindex_close). */
int gitindex_open(struct gitindex *x, const struct repo *r, struct arena *a, struct err *e);
void gitindex_close(struct gitindex *x);

/* All changes and deletions of tracked files. */
int gitindex_add_tracked(struct gitindex *x, struct err *e);
/* Files and folders (repo paths); those that are not there are passed over, and, without `force`, those that git ignores. */
int gitindex_add(struct gitindex *x, const char *const *paths, size_t count, bool force,
                 struct err *e);
/* A file with this text, whatever is in the work tree. */
int gitindex_add_text(struct gitindex *x, const char *path, struct str text, struct err *e);
/* The commit of what it holds. `parents`: full ids, ended by NULL. Without a user.name in git's settings the author is
 * user@host, as with DVC. */
int gitindex_commit(struct gitindex *x, const char *const *parents, const char *message,
                    char commit[65], struct err *e);

#endif
