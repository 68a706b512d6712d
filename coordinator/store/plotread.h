#ifndef NEPHRON_PLOTREAD_H
#define NEPHRON_PLOTREAD_H

#include "plots.h"

struct err;
struct pipeline;
struct store;

/*
 * Reads the plots of the workspace and of revisions: definitions from each revision's own dvc.yaml,
 * files from the work tree or git's objects, and, for outputs that are not there, from the cache.
 */

struct plotread {
    const char *const *targets; /* as typed */
    size_t target_count;
    const struct value *props; /* from the command line */
    const char *const *revs;   /* as typed, or "workspace" */
    size_t rev_count;
};

/* One plot_revision for each of `revs`, "workspace" first; one that has nothing to show is left out.
 * Files that cannot be read are errors in it. `p`: the workspace's pipeline. Everything is in `a`.
 * ERR_MISSING "unknown Git revision 'x'". */
int plotread_revisions(struct store *s, struct arena *a, const struct pipeline *p,
                       const struct plotread *what, struct plot_revision **revs, size_t *count,
                       struct err *e);

#endif
