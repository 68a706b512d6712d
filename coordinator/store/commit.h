#ifndef NEPHRON_COMMIT_H
#define NEPHRON_COMMIT_H

#include "arena.h"
#include "content.h"
#include "lock.h"
#include "pipeline.h"

#include <stdbool.h>

struct err;
struct store;

/*
 * What happens after a stage ran, in steps, so that the dispatcher can journal between them:
 *
 *   struct commit c;
 *   commit_begin(&c, s, a, stage);
 *   commit_deps(&c, 0, e)         hash deps, read params          -> c.entry.deps, .params
 *   commit_outs(&c, 0, e)         hash outs into the cache, relink -> c.entry.outs    (objects are
 * on disk now) commit_runcache(&c, e)        the run-cache file journal(c.entry) caller
 *   commit_ignore(&c, e)          .gitignore lines
 *   lock_set(lock, c.entry)       caller (lock belongs to one thread)
 *
 * A commit and its store may be used by one thread each; several commits run side by side.
 * commit_ignore and the lock belong to the coordinating thread.
 */

enum commit_flags {
    COMMIT_NO_CACHE = 1,      /* --no-commit: hash only */
    COMMIT_ALLOW_MISSING = 2, /* a missing dep or out keeps what the lock has */
    COMMIT_NO_RELINK = 4,
    COMMIT_FEWER_PARAMS = 16, /* keys that a params file lacks are left out */
    /* What is recorded is what is there: isexec stays as recorded, .gitignore as it is. */
    COMMIT_AS_RECORDED = 32,
    COMMIT_MIGRATE = 8, /* entries of DVC 2 become those of DVC 3, also where nothing changed */
};

struct commit {
    struct store *store;
    struct arena *arena;
    const struct stage *stage;
    const struct lock_entry *old; /* the locked entry, or NULL */
    struct lock_entry *entry;     /* grows with the steps; in `arena` */
    struct content *outs;         /* as found by commit_outs, by index in stage.outs */
    bool outs_stored;
};

void commit_begin(struct commit *c, struct store *s, struct arena *a, const struct stage *st,
                  const struct lock_entry *old);
/* Errors with DVC's texts: "dependency 'x' does not exist", "Parameters 'lr' are missing from
 * 'params.yaml'.", "output 'zz' does not exist" (ERR_MISSING). Notes "'e.txt' is empty.". */
int commit_deps(struct commit *c, unsigned flags, struct err *e);
int commit_outs(struct commit *c, unsigned flags, struct err *e);
/* Saves the entry for later runs; nothing for stages that DVC does not keep: after a run
 * (`after_run`) these are also those with plain outs that are not cached. */
int commit_runcache(struct commit *c, bool after_run, struct err *e);
int commit_ignore(struct commit *c, struct err *e);

/* Before a command runs: outs that are not persistent are removed (cached or not), persistent ones
 * unprotected, parents of outs made. */
int commit_clear_outs(struct store *s, struct arena *a, const struct stage *st, struct err *e);

/*
 * Takes a finished run from the run cache: true when the outs were restored and c->entry is what
 * the lock must say. `use_runs` false: only the locked entry itself counts (--no-run-cache). With
 * `dry` nothing is touched.
 */
int commit_restore(struct commit *c, bool use_runs, bool dry, bool *restored, struct err *e);

/* `dvc commit`: stores the outs of stages and .dvc files as they are now and updates locks (written
 * by the caller through lock_write) and .dvc files. Without force a stage whose command, deps,
 * params or outs differ: ERR_BUSY with DVC's text. */
struct commit_options {
    bool force, no_relink, allow_missing, data_only;
    const char *filter; /* repo path inside an out: granular */
};
int commit_stage(struct store *s, struct arena *a, const struct stage *st,
                 const struct commit_options *opt, struct err *e);
/* One .dvc file: its data is stored and the file's hash fields are edited in place. `filter`: a
 * path inside the tracked folder. */
int commit_source(struct store *s, struct arena *a, const struct stage *st, unsigned flags,
                  const char *filter, bool *changed, struct err *e);

#endif
