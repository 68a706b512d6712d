#ifndef NEPHRON_REVISION_H
#define NEPHRON_REVISION_H

#include "arena.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct repo;

/* Which commits a command looks at beside the workspace: the options that push, pull, fetch, status
 * -c, gc, metrics show and exp show have in common (DVC 3.67, dvc/scm.py: iter_revs). Zero means
 * "not asked for". */
struct revision_scope {
    bool branches, tags;     /* -a, -T: what they point to */
    bool commits;            /* -A: all that branches, tags, remote branches and HEAD reach */
    bool experiments;        /* what stands below refs/exps, queued ones too */
    const char *const *revs; /* --rev */
    size_t rev_count;
    long num; /* --num: of each of `revs` and branches so many commits back (first parents); 0: 1; <
                 0: all */
    const char *date; /* --date "2026-01-31": commits from that day on, local time */
};

struct revision {
    const char *commit; /* full hex id */
    const char *names;  /* "main,v1.0": how messages name it */
};

bool revision_scope_any(const struct revision_scope *scope);
/* Each commit once, in DVC's order; arena memory. ERR_MISSING "unknown Git revision 'x'"; ERR_USAGE
 * for a date that is none, or when there is no git. */
int revision_list(const struct repo *r, const struct revision_scope *scope, struct arena *a,
                  struct revision **revs, size_t *count, struct err *e);

#endif
