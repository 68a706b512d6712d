/* See expstash.h. */
#include "expstash.h"

#include "err.h"
#include "exptask.h"
#include "expcommit.h"
#include "git.h"
#include "gitindex.h"
#include "repo.h"
#include "value.h"

#include <stdio.h>
#include <string.h>

static const char *message(struct arena *a, const struct exptask *t)
{
    return arena_printf(a, "dvc-exp:%s:%s:%s", t->head, t->baseline, t->name);
}

static int fill(struct gitindex *x, struct arena *a, const struct value *texts, struct err *e)
{
    if (gitindex_add_tracked(x, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < texts->map.count; i++) {
        const char *path = arena_str(a, texts->map.pairs[i].key->s).p;
        if (gitindex_add_text(x, path, texts->map.pairs[i].val->s, e) < 0) {
            return -1;
        }
    }
    return 0;
}

int expstash_make(const struct repo *r, struct arena *a, const struct value *texts,
                  struct exptask *t, struct err *e)
{
    struct gitindex x;
    char index[65], rev[65];
    const char *const head[] = {t->head, NULL};
    const char *const parents[] = {t->head, index, NULL};
    if (gitindex_open(&x, r, a, e) < 0) {
        return -1;
    }
    int rc = gitindex_commit(&x, head, "Index stash", index, e);
    if (rc == 0) {
        rc = fill(&x, a, texts, e);
    }
    if (rc == 0) {
        rc = gitindex_commit(&x, parents, message(a, t), rev, e);
    }
    gitindex_close(&x);
    if (rc < 0) {
        return err_wrap(e, "cannot keep the workspace for the experiment '%s'", t->name);
    }
    t->rev = arena_strdup(a, rev);
    return 0;
}

int expstash_push(const struct repo *r, const char *ref, const struct exptask *t, struct err *e)
{
    struct arena a;
    arena_init(&a);
    const char *const args[] = {"update-ref", "--create-reflog",
                                "-m",         arena_printf(&a, "commit: %s", message(&a, t)),
                                ref,          t->rev,
                                NULL};
    int rc = git_run(r, args, NULL, e);
    arena_release(&a);
    return rc;
}

/* The reflog, newest first. A ref that is not there has none. */
static int read_log(const struct repo *r, const char *ref, struct strbuf *out, struct err *e)
{
    char commit[65];
    const char *const args[] = {"reflog", "show", "--format=%H", ref, "--", NULL};
    if (expcommit_find(r, ref, commit, e) < 0) {
        return -1;
    }
    return commit[0] != 0 ? git_run(r, args, out, e) : 0;
}

int expstash_list(const struct repo *r, struct arena *a, const char *ref, const char *const **revs,
                  size_t *count, struct err *e)
{
    struct strbuf out;
    strbuf_init(&out);
    int rc = read_log(r, ref, &out, e);
    const char **list = ARENA_ARRAY(a, out.n / 40 + 1, const char *);
    size_t n = 0;
    struct str rest = strbuf_str(&out), line;
    while (rc == 0 && rest.n > 0 && str_split(&rest, '\n', &line)) {
        if (line.n >= 40) {
            list[n++] = arena_str(a, line).p;
        }
    }
    for (size_t i = 0; i < n / 2; i++) {
        const char *t = list[i];
        list[i] = list[n - 1 - i];
        list[n - 1 - i] = t;
    }
    strbuf_release(&out);
    *revs = list;
    *count = n;
    return rc;
}

int expstash_drop(const struct repo *r, const char *ref, const char *rev, struct err *e)
{
    struct arena a;
    const char *const *revs;
    size_t count;
    arena_init(&a);
    int rc = expstash_list(r, &a, ref, &revs, &count, e);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (strcmp(revs[i], rev) != 0) {
            continue;
        }
        const char *const one[] = {"reflog",
                                   "delete",
                                   "--rewrite",
                                   "--updateref",
                                   arena_printf(&a, "%s@{%zu}", ref, count - 1 - i),
                                   NULL};
        const char *const last[] = {"update-ref", "-d", ref, NULL};
        rc = git_run(r, count == 1 ? last : one, NULL, e);
        break;
    }
    arena_release(&a);
    return rc;
}
