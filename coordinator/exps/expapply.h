#ifndef NEPHRON_EXPAPPLY_H
#define NEPHRON_EXPAPPLY_H

#include "arena.h"

struct err;
struct repo;

/*
 * An experiment's files in the workspace. What was changed or unknown to git before is kept as a stash commit:
 *
 *   refs/exps/apply/ORIG_HEAD   HEAD
 *   refs/exps/apply/stash       the workspace; "dvc-exp-apply:<HEAD>:<commit>:<name>" in its reflog. Not there when HEAD was all
 *
 *     git reset --hard && git stash apply refs/exps/apply/stash        takes it back
 *
 * Source: DVC 3.67, dvc/repo/experiments/apply.py and stash.py.
 */

/* What `name` stands for: a revision, an experiment, an entry of the queue. ERR_USAGE. */
int expapply_find(const struct repo *r, struct arena *a, const char *name, char commit[65],
                  struct err *e);
/* Files of the commit replace those of the workspace; others stay. HEAD stays, and the index becomes HEAD's. The data that
 * dvc.lock now names is for the caller to check out. */
int expapply_files(const struct repo *r, struct arena *a, const char *commit, const char *name,
                   struct err *e);

/* A branch at an experiment; `branch` NULL: "<name>-branch". Returns the experiment's name and the branch, in `a`. */
int expapply_branch(const struct repo *r, struct arena *a, const char *name, const char **branch,
                    const char **experiment, struct err *e);

#endif
