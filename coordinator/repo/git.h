#ifndef NEPHRON_GIT_H
#define NEPHRON_GIT_H

#include "arena.h"
#include "str.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct repo;

/*
 * git, by running the program; what a no-op command needs (is there a work tree, which commit and
 * branch) is read from .git directly, since a spawn costs more than the whole command.
 */

/* Absolute root of the work tree that holds `start` (a folder or file named .git), or NULL. */
const char *git_find_root(struct arena *a, const char *start);

struct git_head {
    char commit[65];  /* hex; "" before the first commit */
    char branch[256]; /* "" when detached */
};
/* Reads HEAD, loose and packed refs; work trees and submodules (`gitdir:` files) too. No process is
 * started. */
int git_head(const struct repo *r, struct git_head *head, struct err *e);

/* Runs git in the repository's root; `args`: the words after it, NULL-terminated.
 * Appends its output. A non-zero exit: ERR_CHILD with git's words and its code in `detail`. */
int git_run(const struct repo *r, const char *const *args, struct strbuf *out, struct err *e);
/* The same with all that can be told to git. */
struct git_call {
    const char *const *args; /* NULL-terminated, any number */
    const char *const *env;  /* "K=V" to add to the environment, NULL-terminated; NULL: nothing */
    const char *dir;         /* absolute; NULL: the repository's root */
    struct str input;        /* its stdin; empty: none */
};
int git_call(const struct repo *r, const struct git_call *call, struct strbuf *out, struct err *e);
/* Full hex name of a revision: what git calls so, else an experiment's name. ERR_MISSING "unknown Git revision 'x'". */
int git_rev_parse(const struct repo *r, const char *rev, char commit[65], struct err *e);
/* Appends a file's bytes as of `rev`. `path` is a repo path. ERR_MISSING when the revision has no
 * such file. */
int git_show(const struct repo *r, const char *rev, const char *path, struct strbuf *out,
             struct err *e);
/* Repo paths of all files below the repo root at `rev`, in byte order; arena memory. */
int git_ls_tree(const struct repo *r, const char *rev, struct arena *a, const char ***paths,
                size_t *count, struct err *e);
/* git add of repo paths. */
int git_add(const struct repo *r, const char *const *paths, size_t count, struct err *e);
/* The path is in git's index. One process for the whole list: tracked[i] answers paths[i]. */
int git_tracked(const struct repo *r, const char *const *paths, size_t count, bool *tracked,
                struct err *e);
/* Uncommitted changes of tracked files as a patch; empty when clean. Bounded by max_bytes. */
int git_diff(const struct repo *r, size_t max_bytes, struct strbuf *out, struct err *e);

#endif
