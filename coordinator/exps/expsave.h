#ifndef NEPHRON_EXPSAVE_H
#define NEPHRON_EXPSAVE_H

#include "exptask.h"

struct err;
struct store;
struct graph;

/* The workspace as it stands becomes an experiment, without running anything. */

struct expsave {
    const struct exptask *task;   /* name, baseline, message; repro.targets, .recursive, .force */
    const char *const *untracked; /* -I: repo paths to take along, also when git ignores them */
    size_t untracked_count;
};

/* Stores the outs of the targets (or all) as `commit -f` does, makes the commit and its ref. Names files that stay outside. */
int expsave_run(struct store *s, const struct graph *g, const struct expsave *x, char commit[65],
                struct err *e);

#endif
