#ifndef NEPHRON_EXPRUN_H
#define NEPHRON_EXPRUN_H

#include "exptask.h"

#include <stdbool.h>

struct err;
struct repo;
struct repolock;
struct tracked;
struct value;

/*
 * One experiment from its parameters to its commit. In the workspace:
 *
 *     exprun_set_params     params.yaml … with the overrides
 *     exprun_commit_data    .dvc files: data that changed since `add` goes into the cache
 *     exprun_here           checkout, repro, commit; then expcommit_store gives it its ref
 *
 * In a copy the first two have happened while its stash commit was made (expstash.h).
 */

/* Checks of a name before anything is touched; a name for none; the baseline. ERR_USAGE without git or commits. */
int exprun_begin(const struct repo *r, struct exptask *t, struct arena *a, struct err *e);

/* Texts of the params files after the overrides, as a map repo path -> text; nothing is written. `composed`: params.yaml is what Hydra
 * composes (hydra.h). */
struct value *exprun_params(const struct repo *r, struct arena *a, const struct value *files,
                            bool composed, struct err *e);
/* Writes them. */
int exprun_write(const struct repo *r, struct arena *a, const struct value *texts, struct err *e);
/* What `dvc commit --data-only` does for the targets and what they need. `texts`: NULL, or a map that gets the .dvc files' new
 * texts, while the files themselves stay as they are. */
int exprun_commit_data(struct repo *r, struct arena *a, const struct exptask *t,
                       struct value *texts, struct err *e);

struct exprun_options {
    struct tracked *tracked; /* NULL: the run is not recorded */
    struct repolock *
        repro_lock; /* held by the caller since before it wrote parameters: taken over; NULL: none */
    bool (*confirm)(void *ctx, const char *question); /* --interactive; NULL: no */
    bool warn_untracked; /* in a copy: names files that the commit is without */
    bool plain_output;   /* no terminal in front: what stages print is passed on */
};

struct exprun_result {
    char commit[65]; /* "" with --dry */
    int exit_code;   /* what the process should exit with when it failed */
};

/* In the current folder's repository. Prints as `repro` does. */
int exprun_here(const struct exptask *t, const struct exprun_options *opt,
                struct exprun_result *result, struct err *e);
/* The same in a copy (expcopy.h) that is made for it from t->rev, and removed. */
int exprun_in_copy(const struct repo *r, const struct exptask *t, const struct exprun_options *opt,
                   struct exprun_result *result, struct err *e);

#endif
