#ifndef NEPHRON_STAGEEDIT_H
#define NEPHRON_STAGEEDIT_H

#include "arena.h"
#include "pipeline.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct repo;
struct store;

/*
 * Commands that change what is tracked: freeze, remove, move, destroy. They edit dvc.yaml,
 * dvc.lock, .dvc and .gitignore files and leave comments and style as people wrote them
 * (stagefile.h).
 *
 * A target is looked up in its own file alone, as DVC does: a file that is broken elsewhere, or a
 * graph that contradicts itself, does not stop the command that repairs it. Texts of errors are
 * DVC's.
 */

/* The files that a command wrote or removed (repo paths, each once, in order): for git. */
struct stageedit_files {
    const char **items; /* arena memory */
    size_t count;
    /* Above: public. Below: private to stageedit.c. */
    size_t capacity;
};

/* Sets or drops `frozen: true`. *shown (may be NULL) gets "dvc.yaml" and the stage's name in *name,
 * NULL for .dvc files: what the person is told. */
int stageedit_freeze(struct repo *r, struct arena *a, const char *target, bool frozen,
                     const char **shown, const char **name, struct err *e);

/*
 * Takes the target's stages out of their file and lock, and their outs out of .gitignore. The data
 * stays, as writable files; with `outs` it is deleted. A file without stages is deleted.
 */
int stageedit_remove(struct store *s, struct arena *a, const char *target, bool outs,
                     struct stageedit_files *files, struct err *e);

/*
 * Renames data and its .dvc file (`p`: the repository as it stands, to find what tracks it). `to`
 * may be a folder. The record is kept as it is; content that changed since is stored all the same.
 */
int stageedit_move(struct store *s, struct arena *a, const struct pipeline *p, const char *from,
                   const char *to, struct stageedit_files *files, struct err *e);

/* Removes all stages of `p`, .dvcignore and .dvc with settings and cache; data stays, links become
 * copies. The store must not be used afterwards but for store_close. */
int stageedit_destroy(struct store *s, struct arena *a, const struct pipeline *p, struct err *e);

#endif
