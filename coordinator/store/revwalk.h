#ifndef NEPHRON_REVWALK_H
#define NEPHRON_REVWALK_H

#include "arena.h"
#include "graph.h"
#include "pipeline.h"
#include "repo.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct remote_collect_options;
struct remote_set;
struct revision;
struct revision_scope;
struct store;

/*
 * The pipelines of other revisions, one after the other, as if they were checked out: dvc.yaml,
 * dvc.lock, .dvc, .dvcignore and params files come from git's objects, the cache and the settings
 * stay the workspace's.
 *
 * "Which objects do these revisions use" (gc, push -A):
 *
 *     struct remote_set set = {0};
 *     revwalk_used(store, &arena, &scope, NULL, REVWALK_STRICT, &set, &e)
 */

/* A revision while it is visited. `store` works on it (store_lock reads its dvc.lock). */
struct revwalk_view {
    const struct revision *revision;
    struct repo repo;
    struct pipeline pipeline;
    struct graph graph;
    const struct err
        *why; /* REVWALK_TELL: the pipeline cannot be read; pipeline and graph are not there */
};

/* 0: go on; -1: *e is wrong with this revision; 1: *e ends the walk, whatever `trouble` says. */
typedef int revwalk_fn(void *ctx, const struct revwalk_view *view, struct err *e);

enum revwalk_trouble {
    REVWALK_STRICT, /* a revision that cannot be read is an error: gc must not guess */
    REVWALK_READ, /* the same, but mistakes between stages (graph.h) are let pass: for what only tells */
    REVWALK_SKIP, /* it is left out, with the warning "failed to collect 'NAME', skipping" */
    REVWALK_TELL, /* it is visited with `why` set; mistakes between stages (graph.h) are let pass */
};

/* Visits the revisions in order. One without the repository's folder is passed over. The
 * store is back on the workspace afterwards. */
int revwalk_each(struct store *s, const struct revision *revs, size_t count,
                 enum revwalk_trouble trouble, revwalk_fn *fn, void *ctx, struct err *e);

/* Takes up into `set` (remote_collect) what the commits of `scope` use: every object once, folders
 * with their members as far as the cache, or opt->fetch_dirs, has the list. The workspace is not
 * part of it. */
int revwalk_used(struct store *s, struct arena *a, const struct revision_scope *scope,
                 const struct remote_collect_options *opt, enum revwalk_trouble trouble,
                 struct remote_set *set, struct err *e);

#endif
