#ifndef NEPHRON_GITHOOKS_H
#define NEPHRON_GITHOOKS_H

struct arena;
struct err;
struct repo;

/*
 * `install`: git calls nephron. Hooks post-checkout (checkout), pre-commit (status) and pre-push
 * (push), each `exec nephron git-hook NAME "$@"`. A hook that is there already is never touched:
 * ERR_USAGE with DVC's text, and none is written. Nothing without git.
 */
int githooks_install(const struct repo *r, struct arena *a, struct err *e);
/* The same for the pre-commit tool (https://pre-commit.com): an entry in .pre-commit-config.yaml,
 * once. */
int githooks_install_tool(const struct repo *r, struct arena *a, struct err *e);

#endif
