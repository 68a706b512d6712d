#ifndef NEPHRON_GITHOOKS_H
#define NEPHRON_GITHOOKS_H

#include <stdbool.h>

struct arena;
struct err;
struct repo;

/*
 * `install`: git calls nephron. Hooks post-checkout (checkout), pre-commit (status) and pre-push
 * (push), each `exec nephron git-hook NAME "$@"`, in the folder where git looks for them; and the
 * merge driver `dvc` (dvcmerge.h), for the files to which .gitattributes gives merge=dvc. A hook
 * that is there already is never touched: ERR_USAGE with DVC's text, and none is written; the merge
 * driver is set all the same. With `tool` no hooks are written, but an entry for the pre-commit
 * tool (https://pre-commit.com) in .pre-commit-config.yaml, once. Nothing without git.
 */
int githooks_install(const struct repo *r, struct arena *a, bool tool, struct err *e);

#endif
