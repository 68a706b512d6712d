#ifndef NEPHRON_DATASTATUS_H
#define NEPHRON_DATASTATUS_H

#include "arena.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct pipeline;
struct store;
struct strbuf;
struct value;

/*
 * `data status`: what is recorded against HEAD (committed), what is there against what is recorded
 * (uncommitted), what the cache or the remote lacks. Source: DVC 3.67, dvc/repo/data.py.
 */

struct datastatus_options {
    const char *const *targets; /* as typed: outs, or parts of outs */
    size_t target_count;
    bool granular;      /* the files in folders too */
    bool unchanged;     /* also what is as it was */
    bool untracked;     /* also what neither git nor DVC knows */
    bool not_in_remote; /* also what the remote lacks */
    const char *remote; /* NULL: the default one, or an out's own */
};

/*
 * The answer as --json prints it: "not_in_cache", "not_in_remote", "committed": {"modified",
 * "added", "deleted", "renamed", "unknown"}, "uncommitted", "untracked", "unchanged"; what is empty
 * is left out; lists are sorted. Paths from the repository's root, folders end in "/". *note: DVC's
 * last line, about changes that git sees ("" when there are none). Everything in `a`.
 */
int datastatus_read(struct store *s, struct arena *a, const struct pipeline *p,
                    const struct datastatus_options *opt, struct value **answer, const char **note,
                    struct err *e);
void datastatus_text(struct strbuf *out, const struct value *answer, const char *note);

#endif
