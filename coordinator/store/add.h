#ifndef NEPHRON_ADD_H
#define NEPHRON_ADD_H

#include "arena.h"
#include "pipeline.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct store;

/* `dvc add`: puts files and folders under DVC's care, each with a .dvc file beside it. */

struct add_options {
    bool no_commit, no_relink, force, glob;
    const char *out;    /* -o: track a copy of the one target under this name */
    bool to_remote;     /* the one target straight to a remote, not into workspace and cache */
    const char *remote; /* for to_remote; NULL: core.remote */
};

struct add_result {
    const char *
        *files; /* repo paths of the .dvc files written or confirmed, in the targets' order */
    size_t file_count;
};

/*
 * `p` is the loaded pipeline (to find what tracks a path and what would overlap); targets as typed.
 * Errors with DVC's texts: ERR_MISSING, ERR_USAGE. Targets before the failing one are done.
 */
int add_run(struct store *s, struct arena *a, const struct pipeline *p, const char *const *targets,
            size_t count, const struct add_options *opt, struct add_result *r, struct err *e);

#endif
