#ifndef NEPHRON_GC_H
#define NEPHRON_GC_H

#include "arena.h"
#include "revision.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct pipeline;
struct store;
struct strbuf;

/*
 * `gc`: deletes objects that nothing in the chosen scope uses. The workspace always counts as used.
 * The order of work is what makes it safe: the caller holds the repository (and knows that no
 * `repro` is at work) before the pipeline is read; everything in use is collected, and anything
 * that cannot be read stops it; lists go before what they name, so that a kill leaves no list
 * without its files.
 */

struct gc_options {
    bool workspace;              /* -w */
    struct revision_scope scope; /* and these revisions */
    const char *const *projects; /* -p: other repositories that share the cache */
    size_t project_count;
    bool cloud;         /* also in the remote */
    bool not_in_remote; /* also deletes what is used and in the remote: it can be fetched again */
    const char *remote; /* NULL: core.remote */
    bool dry;           /* lists what would go */
    bool skip_failed;   /* revisions that cannot be read count as unused */
    /* Asked when a folder's list is nowhere, so that its files would be lost; NULL: yes (-f). */
    bool (*confirm)(void *ctx, const char *question);
    void *ctx;
};

/* DVC's refusals of senseless combinations: ERR_USAGE. */
int gc_check(const struct gc_options *opt, struct err *e);
/* "This will remove all cache except items used in the workspace and …". */
void gc_warning(struct strbuf *out, struct arena *a, const struct gc_options *opt);
/* What was done, as DVC says it, is appended to `out`. ERR_MISSING for revisions and projects that
 * are not there, ERR_CONFIG for remotes. */
int gc_run(struct store *s, struct arena *a, const struct pipeline *p, const struct gc_options *opt,
           struct strbuf *out, struct err *e);

#endif
