#ifndef NEPHRON_EXPAUTOPUSH_H
#define NEPHRON_EXPAUTOPUSH_H

#include <stdbool.h>

struct err;
struct exptask;
struct repo;

/*
 * exp.auto_push: what has just become an experiment is pushed, its commit to a repository of git and
 * its data and history of runs to the default remote, by `nephron exp push` in a process of its own.
 *
 * | setting           | environment          | default  |
 * |-------------------|----------------------|----------|
 * | `exp.auto_push`   | `DVC_EXP_AUTO_PUSH`  | false    |
 * | `exp.git_remote`  | `DVC_EXP_GIT_REMOTE` | `origin` |
 *
 * The environment wins; DVC_EXP_AUTO_PUSH is true when 1, y, yes or true stands anywhere in it, as for
 * DVC. A relative path of the remote counts from the repository's root. What goes wrong is a warning
 * on stderr: the experiment is there. Takes the repository's lock, so the caller must not hold it;
 * blocks until all is pushed. Source: DVC 3.67, dvc/repo/experiments/executor/base.py.
 */
void expautopush(const struct repo *r, const struct exptask *t, bool quiet);

#endif
