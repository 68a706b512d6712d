#ifndef NEPHRON_EXPSTATE_H
#define NEPHRON_EXPSTATE_H

#include "arena.h"
#include "exptask.h"
#include "revision.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct store;
struct value;

/*
 * What `exp show` tells: the workspace and the commits chosen, each with the experiments that started from it, as the document that
 * --json prints. Source: DVC 3.67, dvc/repo/experiments/collect.py and serialize.py.
 *
 *   [{"rev": "workspace" | full id, "name": branch, tag or null,
 *     "data": {"rev", "timestamp": "2026-01-02T03:04:05" local or null,
 *              "params": {file: {"data": …} | {"error": …}}, "metrics": likewise,
 *              "deps": {path: {"hash", "size", "nfiles"}},
 *              "outs": {path: {"hash", "size", "nfiles", "use_cache", "is_data_source"}}, "meta": {}} | null,
 *     "error": {"msg", "type"} | null,
 *     "experiments": [{"revs": [a state each, the newest first], "executor": null |
 *                      {"state": "running" | "queued" | "failed" | "success", "name", "local": {…} | null}, "name"}] | null}]
 *
 * Experiments of a commit: those that run, those that are kept, those that wait, those that failed; each group the newest first.
 * Whatever their number, some five processes of git are started.
 */

struct expstate_options {
    struct revision_scope scope; /* nothing: HEAD */
    bool sha;                    /* commits have no names */
    bool param_deps;             /* params: only what stages depend on */
    bool hide_queued, hide_failed, hide_workspace;
    const struct exptask *tasks; /* the queue; each with its stash commit as `rev` */
    size_t task_count;
};

/* A list in `a`; empty before the first commit. A commit that cannot be read is an answer. */
int expstate_collect(struct store *s, struct arena *a, const struct expstate_options *opt,
                     struct value **states, struct err *e);
/* One state: of a full id, or of the workspace ("workspace"). */
int expstate_one(struct store *s, struct arena *a, const char *rev, bool param_deps,
                 struct value **state, struct err *e);

#endif
