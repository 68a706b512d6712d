/*
 * See revision.h. Source: DVC 3.67, dvc/scm.py (iter_revs) and dvc/repo/experiments/utils.py
 * (exp_commits); experiments stand at refs/exps/<2>/<38 hex of the commit they started
 * from>/<name>.
 */
#include "revision.h"

#include "alloc.h"
#include "err.h"
#include "git.h"
#include "repo.h"

#include <uthash.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_ID 64

struct found {
    UT_hash_handle hh; /* uthash keeps the order of arrival */
    const char *commit;
    struct strbuf names;
};

struct finder {
    const struct repo *r;
    struct arena *a;
    struct found *found;
};

static void add(struct finder *f, const char *commit, const char *name)
{
    struct found *x;
    HASH_FIND(hh, f->found, commit, strlen(commit), x);
    if (x == NULL) {
        x = xcalloc(1, sizeof *x);
        x->commit = arena_strdup(f->a, commit);
        strbuf_init(&x->names);
        HASH_ADD_KEYPTR(hh, f->found, x->commit, strlen(x->commit), x);
    }
    /* a commit can be found under one name twice: as a branch and by its id */
    size_t n = strlen(name);
    for (const char *at = x->names.p; (at = strstr(at, name)) != NULL; at += n) {
        if ((at == x->names.p || at[-1] == ',') && (at[n] == ',' || at[n] == 0)) {
            return;
        }
    }
    strbuf_addf(&x->names, "%s%s", x->names.n > 0 ? "," : "", name);
}

/* Runs git and calls `take` with each line cut at blanks: words[0..2], "" where there are fewer. */
typedef int take_fn(struct finder *f, const char *const words[3], const void *ctx, struct err *e);

static int each_line(struct finder *f, const char *const *args, take_fn *take, const void *ctx,
                     struct err *e)
{
    struct strbuf out;
    strbuf_init(&out);
    int rc = git_run(f->r, args, &out, e);
    struct str rest = strbuf_str(&out), line;
    while (rc == 0 && rest.n > 0 && str_split(&rest, '\n', &line)) {
        const char *words[3] = {"", "", ""};
        for (size_t i = 0; i < 3 && line.n > 0; i++) {
            struct str word = line;
            if (i < 2 && !str_split(&line, ' ', &word)) {
                break;
            }
            words[i] = arena_str(f->a, word).p;
            line = i < 2 ? line : (struct str){line.p, 0};
        }
        rc = words[0][0] != 0 ? take(f, words, ctx, e) : 0;
    }
    strbuf_release(&out);
    return rc;
}

/* "commit" */
static int take_commit(struct finder *f, const char *const words[3], const void *ctx, struct err *e)
{
    add(f, words[0], words[0]);
    return 0;
}

/* "seconds commit", not before *ctx. */
static int take_since(struct finder *f, const char *const words[3], const void *ctx, struct err *e)
{
    if (strtoll(words[0], NULL, 10) >= (long long)*(const time_t *)ctx) {
        add(f, words[1], words[1]);
    }
    return 0;
}

/* The first line is the commit itself and has the name, those behind it their ids. */
static int take_history(struct finder *f, const char *const words[3], const void *ctx,
                        struct err *e)
{
    const char **name = (const char **)ctx;
    add(f, words[0], *name != NULL ? *name : words[0]);
    *name = NULL;
    return 0;
}

/* `name` and num - 1 commits behind it. */
static int add_history(struct finder *f, const char *ref, const char *name, long num, struct err *e)
{
    char commit[65], count[32];
    if (git_rev_parse(f->r, ref, commit, e) < 0) {
        return -1;
    }
    if (num == 0 || num == 1) {
        add(f, commit, name);
        return 0;
    }
    snprintf(count, sizeof count, "--max-count=%ld", num);
    const char *args[] = {"rev-list", "--first-parent", count, commit, NULL};
    return each_line(f, args, take_history, &name, e);
}

/* "type id name": a branch. */
static int take_branch(struct finder *f, const char *const words[3], const void *ctx, struct err *e)
{
    long num = *(const long *)ctx;
    if (num == 0 || num == 1) {
        add(f, words[1], words[2]);
        return 0;
    }
    return add_history(f, words[1], words[2], num, e);
}

/* A light tag names its commit; others are looked up. A tag of something else is passed over. */
static int take_tag(struct finder *f, const char *const words[3], const void *ctx, struct err *e)
{
    char commit[65];
    if (strcmp(words[0], "commit") == 0) {
        add(f, words[1], words[2]);
    } else if (git_rev_parse(f->r, words[1], commit, NULL) == 0) {
        add(f, commit, words[2]);
    }
    return 0;
}

/* "exps/ab/cdef…/name": the commits from the experiment's down to the one it started from. What has
 * another form (the queue's stashes) is a single commit. */
static int take_experiment(struct finder *f, const char *const words[3], const void *ctx,
                           struct err *e)
{
    const char *ref = words[2];
    size_t hex = strspn(ref + (strlen(ref) > 8 ? 8 : 0), "0123456789abcdef");
    if (strlen(ref) > 9 + hex && ref[7] == '/' && (hex == 38 || hex == 62) && ref[8 + hex] == '/') {
        char base[MAX_ID + 1], commit[65];
        snprintf(base, sizeof base, "%.2s%.*s", ref + 5, (int)hex, ref + 8);
        if (git_rev_parse(f->r, base, commit, NULL) == 0) {
            const char *args[] = {"rev-list", words[1], arena_printf(f->a, "^%s", base), NULL};
            return each_line(f, args, take_commit, NULL, e);
        }
    }
    if (strcmp(words[0], "commit") == 0) {
        add(f, words[1], words[1]);
    }
    return 0;
}

static int since_midnight(const char *date, time_t *t, struct err *e)
{
    struct tm tm = {.tm_isdst = -1};
    const char *end = strptime(date, "%Y-%m-%d", &tm);
    if (end == NULL || *end != 0) {
        return err_set(e, ERR_USAGE, "time data '%s' does not match format '%%Y-%%m-%%d'", date);
    }
    *t = mktime(&tm);
    return 0;
}

static int add_commits(struct finder *f, const char *date, struct err *e)
{
    char head[65];
    if (git_rev_parse(f->r, "HEAD", head, NULL) < 0) {
        return 0; /* before the first commit */
    }
    time_t since = 0;
    if (date != NULL && since_midnight(date, &since, e) < 0) {
        return -1;
    }
    const char *all[] = {"rev-list", "--branches", "--tags", "--remotes", "HEAD", NULL};
    const char *timed[] = {"rev-list",  "--timestamp", "--branches", "--tags",
                           "--remotes", "HEAD",        NULL};
    return date != NULL ? each_line(f, timed, take_since, &since, e)
                        : each_line(f, all, take_commit, NULL, e);
}

static int add_refs(struct finder *f, const char *format, const char *below, take_fn *take,
                    const void *ctx, struct err *e)
{
    const char *args[] = {"for-each-ref", format, below, NULL};
    return each_line(f, args, take, ctx, e);
}

#define REF_FORMAT(strip) "--format=%(objecttype) %(objectname) %(refname:lstrip=" strip ")"

static int find(struct finder *f, const struct revision_scope *scope, struct err *e)
{
    for (size_t i = 0; i < scope->rev_count; i++) {
        const char *rev = scope->revs[i];
        if (strcmp(rev, "workspace") != 0 && add_history(f, rev, rev, scope->num, e) < 0) {
            return -1;
        }
    }
    if (scope->commits && add_commits(f, NULL, e) < 0) {
        return -1;
    }
    bool heads = scope->branches && !scope->commits, tags = scope->tags && !scope->commits;
    if ((heads && add_refs(f, REF_FORMAT("2"), "refs/heads", take_branch, &scope->num, e) < 0) ||
        (tags && add_refs(f, REF_FORMAT("2"), "refs/tags", take_tag, NULL, e) < 0) ||
        (scope->date != NULL && !scope->commits && add_commits(f, scope->date, e) < 0)) {
        return -1;
    }
    return scope->experiments ? add_refs(f, REF_FORMAT("1"), "refs/exps", take_experiment, NULL, e)
                              : 0;
}

bool revision_scope_any(const struct revision_scope *s)
{
    return s->branches || s->tags || s->commits || s->experiments || s->rev_count > 0 ||
           s->date != NULL;
}

int revision_list(const struct repo *r, const struct revision_scope *scope, struct arena *a,
                  struct revision **revs, size_t *count, struct err *e)
{
    *revs = NULL;
    *count = 0;
    if (!revision_scope_any(scope)) {
        return 0;
    }
    struct finder f = {.r = r, .a = a};
    int rc = find(&f, scope, e);
    *revs = ARENA_ARRAY(a, HASH_COUNT(f.found) + 1, struct revision);
    struct found *x, *tmp;
    HASH_ITER(hh, f.found, x, tmp)
    {
        (*revs)[*count].commit = x->commit;
        (*revs)[(*count)++].names = arena_str(a, strbuf_str(&x->names)).p;
        HASH_DEL(f.found, x);
        strbuf_release(&x->names);
        free(x);
    }
    return rc;
}
