#ifndef NEPHRON_SYNC_H
#define NEPHRON_SYNC_H

#include "checkout.h"
#include "gitsource.h"
#include "graph.h"
#include "opt.h"
#include "remote.h"
#include "revision.h"
#include "revwalk.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct session;

/* What push, fetch, pull, checkout and status share: targets, and the objects of each remote. */

/* Typed targets (none: everything) as checkout targets, in the session's arena. ERR_MISSING as
 * graph_select. */
int sync_targets(struct session *s, const struct opt_list *typed,
                 const struct graph_target_options *how, struct checkout_target **targets,
                 size_t *count, struct err *e);

/* Where targets are looked for: the workspace, or a revision. */
struct sync_place {
    const struct repo *repo;
    const struct pipeline *pipeline;
    const struct graph *graph;
};

struct sync_choice {
    const struct opt_list *targets; /* typed */
    const struct graph_target_options *how;
    struct revision_scope scope;    /* -a, -T, -A: these too, not only the workspace */
    const struct revision *commits; /* and these */
    size_t commit_count;
    bool no_workspace;
    enum revwalk_trouble trouble; /* with what cannot be read */
    const char *remote;  /* -r: everything goes there; outputs with another remote stay out */
    long jobs;           /* -j; 0: the remote's own */
    bool push;           /* leaves out outputs with push: false */
    bool fetch_dirs;     /* a folder's list that the cache lacks is fetched at once */
    bool note_gaps;      /* warns of what remote_collect could not find */
    bool metrics, plots; /* --type: only these; both false: all */
    long max_size;       /* bytes, exclusive; 0: no limit */
};

/* The objects that go to one remote: the one named at the output, else core.remote. */
struct sync_set {
    struct remote remote;
    struct remote_set objects;
};
struct sync_sets {
    struct sync_set *items; /* in order of first use */
    size_t count, capacity;
    struct gitsource_record *imports; /* they come from other repositories, and are never pushed */
    size_t import_count, import_capacity;
};

/* What the chosen targets use, each object once. ERR_MISSING as graph_select; ERR_CONFIG when a
 * remote is not configured. Release in any case. */
int sync_collect(struct session *s, const struct sync_choice *choice, struct sync_sets *sets,
                 struct err *e);
void sync_sets_release(struct sync_sets *sets);

/* Copies the objects, and the history of runs, to the remote (choice->push) or from it. Prints what is nowhere as a warning. *moved: how
 * many files. ERR_REMOTE "N files failed to upload". */
int sync_move(struct session *s, const struct sync_choice *choice, bool run_cache, size_t *moved,
              struct err *e);

/* "ERROR: PREFIX - text" (prefix NULL: the text alone) on stderr; 1, or 75 when the repository is
 * busy. Settings too: DVC answers 1 for a remote that is not configured. */
int sync_fail(const struct err *e, const char *prefix);

/* The lines of a checkout: letter, path from column 8 on (DVC's console expands its tabs). */
void sync_print_changes(const struct checkout_result *r);

#endif
