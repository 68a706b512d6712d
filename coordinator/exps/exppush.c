/* See exppush.h. */
#include "exppush.h"

#include "alloc.h"
#include "err.h"
#include "git.h"
#include "repo.h"

#include <stdlib.h>
#include <string.h>

/* Refs of one `git push`: each is named twice on the command line, which has 2 MiB. */
#define BATCH 2000

static void init_result(struct arena *a, size_t count, struct exppush_result *res)
{
    *res = (struct exppush_result){0};
    res->done.items = ARENA_ARRAY(a, count + 1, struct expref);
    res->up_to_date.items = ARENA_ARRAY(a, count + 1, struct expref);
    res->diverged.items = ARENA_ARRAY(a, count + 1, struct expref);
}

static void put(struct expref_list *l, const struct expref *x)
{
    l->items[l->count++] = *x;
}

static int bad_remote(const char *remote, struct err *e)
{
    return err_set(e, ERR_REMOTE, "'%s' is not a valid Git remote or URL", remote);
}

static int compare_refs(const void *x, const void *y)
{
    return strcmp(((const struct expref *)x)->ref, ((const struct expref *)y)->ref);
}

/* Lists come sorted from git. */
static const struct expref *find(const struct expref_list *l, const char *ref)
{
    const struct expref key = {.ref = ref};
    return l->count > 0 ? bsearch(&key, l->items, l->count, sizeof(*l->items), compare_refs) : NULL;
}

/* One line of `git push --porcelain`: "<flag>\t<from>:<to>\t<summary>". The reason of a refusal that is none of a diverged ref's
 * goes to `refused`. */
static void take_line(struct arena *a, struct str line, const struct expref_list *refs,
                      struct exppush_result *res, struct strbuf *refused)
{
    struct str flag, pair, from;
    if (!str_split(&line, '\t', &flag) || flag.n != 1 || !str_split(&line, '\t', &pair) ||
        !str_split(&pair, ':', &from)) {
        return;
    }
    const struct expref *x = find(refs, arena_str(a, pair).p);
    const char *summary = arena_str(a, line).p;
    if (x == NULL) {
        return;
    }
    if (flag.p[0] == '=') {
        put(&res->up_to_date, x);
    } else if (flag.p[0] != '!') {
        put(&res->done, x);
    } else if (strstr(summary, "(non-fast-forward)") || strstr(summary, "(fetch first)") ||
               strstr(summary, "(needs force)") || strstr(summary, "(stale info)")) {
        put(&res->diverged, x);
    } else {
        strbuf_addf(refused, "%s%s: %s", refused->n > 0 ? ", " : "", x->ref, summary);
    }
}

static int push_batch(const struct repo *r, struct arena *a, const char *remote,
                      const struct expref_list *refs, bool force, struct exppush_result *res,
                      struct err *e)
{
    const char **args = xcalloc(refs->count + 7, sizeof(*args));
    size_t n = 0;
    args[n++] = "push";
    args[n++] = "--porcelain";
    args[n++] = "--no-verify";
    if (force) {
        args[n++] = "--force";
    }
    args[n++] = "--";
    args[n++] = remote;
    for (size_t i = 0; i < refs->count; i++) {
        args[n++] = arena_printf(a, "%s:%s", refs->items[i].ref, refs->items[i].ref);
    }
    struct strbuf out, refused;
    struct err why = ERR_INIT;
    strbuf_init(&out);
    strbuf_init(&refused);
    size_t before = res->done.count + res->up_to_date.count + res->diverged.count;
    int rc = git_run(r, args, &out, &why);
    struct str rest = strbuf_str(&out), line;
    while (rest.n > 0 && str_split(&rest, '\n', &line)) {
        take_line(a, line, refs, res, &refused);
    }
    size_t after = res->done.count + res->up_to_date.count + res->diverged.count;
    if (refused.n > 0) {
        rc = err_set(e, ERR_REMOTE, "Git failed to push some refs to '%s' (%s)", remote, refused.p);
    } else if (rc < 0 && after == before) {
        rc = why.code == ERR_CHILD ? bad_remote(remote, e) : err_set(e, why.code, "%s", why.text);
    } else {
        rc = 0;
    }
    strbuf_release(&out);
    strbuf_release(&refused);
    free(args);
    return rc;
}

int exppush_refs(const struct repo *r, struct arena *a, const char *remote,
                 const struct expref_list *refs, bool force, struct exppush_result *res,
                 struct err *e)
{
    struct expref_list sorted = {.items = ARENA_ARRAY(a, refs->count + 1, struct expref),
                                 .count = refs->count};
    init_result(a, refs->count, res);
    if (refs->count > 0) {
        memcpy(sorted.items, refs->items, refs->count * sizeof(*refs->items));
        qsort(sorted.items, sorted.count, sizeof(*sorted.items), compare_refs);
    } else {
        /* the remote is looked at even when there is nothing for it */
        struct expref_list none;
        return expref_list(r, a, remote, &none, e);
    }
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sorted.count; i += BATCH) {
        size_t left = sorted.count - i;
        const struct expref_list some = {.items = sorted.items + i,
                                         .count = left < BATCH ? left : BATCH};
        rc = push_batch(r, a, remote, &some, force, res, e);
    }
    return rc;
}

int exppush_fetch(const struct repo *r, struct arena *a, const char *remote,
                  const struct expref_list *refs, bool force, struct exppush_result *res,
                  struct err *e)
{
    struct expref_list before, after;
    struct strbuf specs;
    struct err why = ERR_INIT;
    init_result(a, refs->count, res);
    if (refs->count == 0) {
        return 0;
    }
    if (expref_list(r, a, NULL, &before, e) < 0) {
        return -1;
    }
    strbuf_init(&specs);
    for (size_t i = 0; i < refs->count; i++) {
        strbuf_addf(&specs, "%s%s:%s\n", force ? "+" : "", refs->items[i].ref, refs->items[i].ref);
    }
    const char *const args[] = {"fetch",   "--quiet", "--no-tags", "--no-write-fetch-head",
                                "--stdin", remote,    NULL};
    int rc = git_call(r, &(struct git_call){.args = args, .input = strbuf_str(&specs)}, NULL, &why);
    strbuf_release(&specs);
    if (expref_list(r, a, NULL, &after, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < refs->count; i++) {
        const struct expref *theirs = &refs->items[i], *old = find(&before, theirs->ref),
                            *now = find(&after, theirs->ref);
        if (now == NULL) {
            return err_set(e, ERR_REMOTE, "Git failed to fetch '%s' from '%s' (%s)", theirs->ref,
                           remote, rc < 0 ? why.text : "it is not there any more");
        }
        bool same = theirs->commit != NULL && strcmp(now->commit, theirs->commit) == 0;
        bool had = old != NULL && strcmp(old->commit, now->commit) == 0;
        put(!same ? &res->diverged : had ? &res->up_to_date : &res->done, now);
    }
    return 0;
}
