#ifndef NEPHRON_CHECKOUT_H
#define NEPHRON_CHECKOUT_H

#include "arena.h"
#include "str.h"
#include "lock.h"
#include "pipeline.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct store;

/* Brings outs of the workspace to the content that dvc.lock and .dvc files name. */

struct checkout_target {
    const struct stage *stage;
    const char *filter; /* repo path of one out or of something inside it; NULL: all outs */
};

struct checkout_options {
    bool force;  /* also destroys content that is not in the cache */
    bool relink; /* makes every link anew */
    bool allow_missing;
    /* No target was typed: what was put in place before, and this pipeline does not name, goes. */
    const struct pipeline *whole;
};

struct checkout_change {
    char letter;       /* A, M, D */
    const char *shown; /* from the current folder; folders end in "/" */
};

struct checkout_result {
    struct checkout_change
        *changes; /* modified, added, deleted; folders first, each sorted: DVC's order */
    size_t change_count;
    size_t added, modified, deleted; /* files: for --summary and pull */
    const char **failed;             /* shown paths whose objects are absent */
    size_t failed_count;
};

/*
 * Everything that can be restored is; then, when objects were absent and not allow_missing,
 * ERR_MISSING "Checkout failed for following targets:\n…". Unsaved content without force: ERR_BUSY
 * "Can't remove the following unsaved files …", and nothing was touched.
 */
int checkout_run(struct store *s, struct arena *a, const struct checkout_target *targets,
                 size_t count, const struct checkout_options *opt, struct checkout_result *r,
                 struct err *e);
/* "1 file modified and 2 files added"; "" when nothing. */
void checkout_summary(struct strbuf *out, const struct checkout_result *r);
/* The same with a leading "5 files fetched": pull. `r` may be NULL: fetch. */
void checkout_summary_fetched(struct strbuf *out, size_t fetched, const struct checkout_result *r);

/* One file or folder to `path` (repo path), whatever was there before is replaced: run cache,
 * --pull. */
int checkout_hash(struct store *s, struct arena *a, const char *path, const struct hash *hash,
                  bool copy_only, struct err *e);

#endif
