#ifndef NEPHRON_VALUEFILES_H
#define NEPHRON_VALUEFILES_H

#include "value.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct pipeline;
struct revision;
struct store;

/*
 * What the params and metrics files say in the workspace and in revisions. Each side is read as its own
 * dvc.yaml files name them; a file that is not there but is a tracked output comes from the cache. A folder stands for
 * every file below it, in the work tree or revision and in tracked data.
 *
 *     {"workspace": {"data": {"m.json": {"data": {"acc": 0.9}},
 *                             "n.json": {"error": {"type": "FileNotFoundError", "msg": "…"}}}},
 *      "main": {"error": {"type": "YAMLSyntaxError", "msg": "unable to read: 'dvc.yaml', …"}}}
 *
 * Trouble is an answer and no error. Source: DVC 3.67, dvc/repo/metrics/show.py, dvc/repo/params/show.py.
 */

struct valuefiles_query {
    bool params;    /* params files, or else metrics files */
    bool deps_only; /* params: only what stages depend on */
    bool quiet;     /* trouble is not noted as warnings */
    bool from_root; /* files are named from the root, not from the current folder */
    const struct value
        *targets; /* list of repo paths, instead of what dvc.yaml files name; NULL: none */
};

/* Adds result[label] for the workspace. A dvc.yaml that cannot be read is noted as a warning too. */
void valuefiles_workspace(struct store *s, struct arena *a, const struct valuefiles_query *q,
                          const char *label, struct value *result);
/* The same for commits, under their names; those from before the repository was made are left out. -1: git. */
int valuefiles_revisions(struct store *s, struct arena *a, const struct valuefiles_query *q,
                         const struct revision *revs, size_t count, struct value *result,
                         struct err *e);

/* The side that a walk over revisions is at (revwalk.h, REVWALK_TELL): what `result[label]` becomes. `why`: the pipeline
 * cannot be read, and `p` is not there. */
struct value *valuefiles_side(struct store *s, struct arena *a, const struct valuefiles_query *q,
                              const char *label, const struct pipeline *p, const struct err *why);

/* Path -> document of a side, without the files in trouble; for params_diff. */
struct value *valuefiles_documents(struct arena *a, const struct value *side);
bool valuefiles_has_error(const struct value *side);

#endif
