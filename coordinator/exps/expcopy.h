#ifndef NEPHRON_EXPCOPY_H
#define NEPHRON_EXPCOPY_H

#include "arena.h"

struct err;
struct repo;

/*
 * A copy of the workspace in which one experiment runs: a work tree of git (git-worktree(1)) below
 * .dvc/tmp/exps/nephron/copies, at the experiment's baseline, with the files of its stash commit. Objects and refs are
 * those of the repository; so is the cache, by `cache.dir` in the copy's .dvc/config.local. The copy's lock file beside
 * it is held (flock) for as long as its maker lives: expcopy_sweep takes away those that nobody holds.
 */

struct expcopy {
    const char *scm_root; /* absolute: root of the work tree */
    const char *root;     /* absolute: what is struct repo.root of the repository itself */
    /* Above: public. Below: private to expcopy.c. */
    const char *lock_path;
    int lock_fd;
};

/* `head`: the commit that HEAD is to be; `content`: the commit with the files. Strings are in `a`. */
int expcopy_make(const struct repo *r, struct arena *a, const char *head, const char *content,
                 struct expcopy *c, struct err *e);
/* A file or folder of the repository (absolute) that git does not know, to its place in the copy. ERR_MISSING and ERR_IO
 * with DVC's texts. */
int expcopy_bring(const struct repo *r, const struct expcopy *c, const char *path, struct err *e);
/* Removes the folder and what git knows of it. */
int expcopy_remove(const struct repo *r, struct expcopy *c, struct err *e);
/* Removes the copies of makers that are dead. *removed (may be NULL): how many. */
int expcopy_sweep(const struct repo *r, size_t *removed, struct err *e);

#endif
