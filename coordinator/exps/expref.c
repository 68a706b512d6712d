/* See expref.h. */
#include "expref.h"

#include "alloc.h"
#include "err.h"
#include "expcommit.h"
#include "expname.h"
#include "git.h"
#include "repo.h"
#include "revision.h"

#include <stdlib.h>
#include <string.h>

/* ---- the text of a ref ---- */

static bool lower_hex(const char *s, size_t n)
{
    return strspn(s, "0123456789abcdef") >= n;
}

bool expref_parse(struct arena *a, const char *ref, struct expref *x)
{
    static const char prefix[] = EXPREF_NAMESPACE "/";
    size_t start = sizeof(prefix) - 1;
    if (strncmp(ref, prefix, start) != 0 || !lower_hex(ref + start, 2) || ref[start + 2] != '/') {
        return false;
    }
    const char *rest = ref + start + 3, *name = strchr(rest, '/');
    size_t n = name != NULL ? (size_t)(name - rest) : 0;
    if ((n != 38 && n != 62) || !lower_hex(rest, n) || name[1] == 0 || strchr(name + 1, '/')) {
        return false;
    }
    *x = (struct expref){.ref = arena_strdup(a, ref),
                         .baseline = arena_printf(a, "%.2s%.*s", ref + start, (int)n, rest),
                         .name = arena_strdup(a, name + 1)};
    return true;
}

int expref_check(const struct repo *r, struct err *e)
{
    if (!r->no_scm && r->scm_root != NULL) {
        return 0;
    }
    return err_set(e, ERR_USAGE,
                   "Only supported for Git repositories. If you're seeing this error in a Git "
                   "repo, try updating the DVC configuration with `dvc config core.no_scm false`.");
}

/* ---- lists ---- */

static void add(struct expref_list *l, size_t *capacity, struct expref x)
{
    ARRAY_RESERVE(l->items, l->count, *capacity, 1);
    l->items[l->count++] = x;
}

/* The array, grown on the heap, moves into the arena. */
static void keep(struct arena *a, struct expref_list *l)
{
    struct expref *items = ARENA_ARRAY(a, l->count + 1, struct expref);
    if (l->count > 0) {
        memcpy(items, l->items, l->count * sizeof(*items));
    }
    free(l->items);
    l->items = items;
}

/* "commit\tref" of ls-remote, and "commit\tref\tseconds\tparents" of for-each-ref. */
static void take_line(struct arena *a, struct str line, struct expref_list *l, size_t *capacity)
{
    struct str part[4] = {{0}};
    for (size_t i = 0; i < 4 && line.n > 0 && str_split(&line, '\t', &part[i]); i++) {
    }
    struct expref x;
    if (part[1].n > 0 && expref_parse(a, arena_str(a, part[1]).p, &x)) {
        x.commit = arena_str(a, part[0]).p;
        x.time = strtoll(arena_str(a, part[2]).p, NULL, 10);
        x.parents = part[3].p != NULL ? arena_str(a, part[3]).p : NULL;
        add(l, capacity, x);
    }
}

int expref_list(const struct repo *r, struct arena *a, const char *remote, struct expref_list *list,
                struct err *e)
{
    static const char form[] =
        "--format=%(objectname)%09%(refname)%09%(committerdate:unix)%09%(parent)";
    const char *const here[] = {"for-each-ref", form, EXPREF_NAMESPACE, NULL};
    const char *const there[] = {"ls-remote", "--refs", "--", remote, EXPREF_NAMESPACE "/*", NULL};
    struct strbuf out;
    struct err why = ERR_INIT;
    size_t capacity = 0;
    *list = (struct expref_list){0};
    strbuf_init(&out);
    int rc = git_run(r, remote != NULL ? there : here, &out, &why);
    if (rc < 0) {
        rc = remote != NULL && why.code == ERR_CHILD
                 ? err_set(e, ERR_REMOTE, "'%s' is not a valid Git remote or URL", remote)
                 : err_set(e, why.code, "%s", why.text);
    }
    struct str rest = strbuf_str(&out), line;
    while (rc == 0 && rest.n > 0 && str_split(&rest, '\n', &line)) {
        take_line(a, line, list, &capacity);
    }
    keep(a, list);
    strbuf_release(&out);
    return rc;
}

/* ---- names ---- */

static int ambiguous(const char *name, const struct expref_list *list, struct err *e)
{
    err_set(e, ERR_USAGE,
            "Ambiguous name '%s' refers to multiple experiments. Use one of the following full "
            "refnames instead:\n",
            name);
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].name, name) == 0) {
            err_append(e, "\n\t%s", list->items[i].ref);
        }
    }
    return -1;
}

static int find_ref(struct arena *a, const struct expref_list *list, const char *ref,
                    struct expref *found, struct err *e)
{
    struct expref x;
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].ref, ref) == 0) {
            *found = list->items[i];
            return 0;
        }
    }
    return expref_parse(a, ref, &x)
               ? 0
               : err_set(e, ERR_USAGE, "'%s' is not a valid experiment refname.", ref);
}

int expref_resolve(const struct repo *r, struct arena *a, const struct expref_list *list,
                   const char *name, struct expref *found, struct err *e)
{
    *found = (struct expref){0};
    if (strncmp(name, "refs/", 5) == 0) {
        return find_ref(a, list, name, found, e);
    }
    struct git_head head = {0};
    size_t count = 0;
    bool at_head = false;
    for (size_t i = 0; i < list->count; i++) {
        const struct expref *x = &list->items[i];
        if (strcmp(x->name, name) != 0) {
            continue;
        }
        if (++count == 2 && git_head(r, &head, e) < 0) {
            return -1;
        }
        at_head |= count > 1 && strcmp(found->baseline, head.commit) == 0;
        if (!at_head) {
            *found = *x;
        }
    }
    at_head |= count > 1 && strcmp(found->baseline, head.commit) == 0;
    return count > 1 && !at_head ? ambiguous(name, list, e) : 0;
}

int expref_unknown(const char *const *names, size_t count, const char *remote, struct err *e)
{
    struct strbuf all;
    strbuf_init(&all);
    for (size_t i = 0; i < count; i++) {
        strbuf_addf(&all, "%s%s", i > 0 ? "; " : "", names[i]);
    }
    if (remote != NULL) {
        err_set(e, ERR_USAGE, "Experiment '%s' does not exist in '%s'", all.p, remote);
    } else {
        err_set(e, ERR_USAGE, "'%s' %s", all.p,
                count > 1 ? "are not valid experiment names" : "is not a valid experiment name");
    }
    strbuf_release(&all);
    return -1;
}

int expref_holders(const struct repo *r, struct arena *a, const char *commit,
                   struct expref_list *list, struct err *e)
{
    const char *const args[] = {"for-each-ref", "--format=%(refname)", "--contains",
                                commit,         EXPREF_NAMESPACE,      NULL};
    struct strbuf out;
    strbuf_init(&out);
    int rc = git_run(r, args, &out, e);
    size_t lines = 0;
    for (size_t i = 0; i < out.n; i++) {
        lines += out.p[i] == '\n';
    }
    *list = (struct expref_list){.items = ARENA_ARRAY(a, lines + 1, struct expref)};
    struct str rest = strbuf_str(&out), line;
    while (rc == 0 && rest.n > 0 && str_split(&rest, '\n', &line)) {
        list->count += expref_parse(a, arena_str(a, line).p, &list->items[list->count]);
    }
    strbuf_release(&out);
    return rc;
}

int expref_baseline(const struct repo *r, struct arena *a, const char *commit,
                    const char **baseline, struct err *e)
{
    struct expref_list list;
    *baseline = NULL;
    if (expref_holders(r, a, commit, &list, e) < 0) {
        return -1;
    }
    *baseline = list.count > 0 ? list.items[0].baseline : NULL;
    return 0;
}

/* ---- choosing ---- */

static bool contains(const struct expref_list *l, const struct expref *x)
{
    for (size_t i = 0; i < l->count; i++) {
        if (strcmp(l->items[i].ref, x->ref) == 0) {
            return true;
        }
    }
    return false;
}

static int choose_names(const struct repo *r, struct arena *a, const struct expref_choice *c,
                        const struct expref_list *all, struct expref_list *chosen, struct err *e)
{
    const char **unknown = ARENA_ARRAY(a, c->name_count, const char *);
    size_t unknown_count = 0, capacity = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < c->name_count; i++) {
        struct expref x;
        rc = expref_resolve(r, a, all, c->names[i], &x, e);
        if (rc == 0 && x.ref == NULL) {
            unknown[unknown_count++] = c->names[i];
        } else if (rc == 0 && !contains(chosen, &x)) {
            add(chosen, &capacity, x);
        }
    }
    if (rc == 0 && unknown_count > 0) {
        rc = expref_unknown(unknown, unknown_count, c->blame_here ? NULL : c->remote, e);
    }
    keep(a, chosen);
    return rc;
}

static int compare_commits(const void *x, const void *y)
{
    return strcmp(((const struct revision *)x)->commit, ((const struct revision *)y)->commit);
}

static int choose_revs(const struct repo *r, struct arena *a, const struct expref_choice *c,
                       const struct expref_list *all, struct expref_list *chosen, struct err *e)
{
    static const char *const head[] = {"HEAD"};
    const struct revision_scope scope = {.revs = c->rev_count > 0 ? c->revs : head,
                                         .rev_count = c->rev_count > 0 ? c->rev_count : 1,
                                         .num = c->num};
    struct revision *revs;
    size_t count, capacity = 0;
    if (c->num == 0) {
        return 0;
    }
    if (revision_list(r, &scope, a, &revs, &count, e) < 0) {
        return -1;
    }
    qsort(revs, count, sizeof(*revs), compare_commits);
    for (size_t i = 0; i < all->count; i++) {
        const struct revision key = {.commit = all->items[i].baseline};
        if (bsearch(&key, revs, count, sizeof(*revs), compare_commits) != NULL) {
            add(chosen, &capacity, all->items[i]);
        }
    }
    keep(a, chosen);
    return 0;
}

int expref_choose(const struct repo *r, struct arena *a, const struct expref_choice *c,
                  struct expref_list *chosen, struct err *e)
{
    struct expref_list all;
    *chosen = (struct expref_list){0};
    if (expref_list(r, a, c->remote, &all, e) < 0) {
        return -1;
    }
    if (c->name_count > 0 && choose_names(r, a, c, &all, chosen, e) < 0) {
        return -1;
    }
    if (c->all || c->name_count > 0) {
        *chosen = c->all ? all : *chosen;
        return 0;
    }
    return choose_revs(r, a, c, &all, chosen, e);
}

void expref_others(struct arena *a, const struct expref_list *all, const struct expref_list *some,
                   struct expref_list *others)
{
    size_t capacity = 0;
    *others = (struct expref_list){0};
    for (size_t i = 0; i < all->count; i++) {
        if (!contains(some, &all->items[i])) {
            add(others, &capacity, all->items[i]);
        }
    }
    keep(a, others);
}

/* ---- changing ---- */

static int update_refs(const struct repo *r, struct str lines, struct err *e)
{
    const char *const args[] = {"update-ref", "--no-deref", "--stdin", NULL};
    const struct git_call call = {.args = args, .input = lines};
    return lines.n > 0 ? git_call(r, &call, NULL, e) : 0;
}

int expref_remove(const struct repo *r, const struct expref_list *list, struct err *e)
{
    char applied[65], branch[65];
    struct strbuf lines;
    if (list->count == 0) {
        return 0;
    }
    if (expcommit_find(r, EXPREF_EXEC_APPLY, applied, e) < 0 ||
        expcommit_find(r, EXPREF_EXEC_BRANCH, branch, e) < 0) {
        return -1;
    }
    strbuf_init(&lines);
    bool was_applied = false;
    for (size_t i = 0; i < list->count; i++) {
        was_applied |= strcmp(list->items[i].commit, applied) == 0;
        strbuf_addf(&lines, "delete %s\n", list->items[i].ref);
    }
    strbuf_adds(&lines, was_applied ? "delete " EXPREF_EXEC_APPLY "\n" : "");
    strbuf_adds(&lines, branch[0] != 0 ? "delete " EXPREF_EXEC_BRANCH "\n" : "");
    int rc = update_refs(r, strbuf_str(&lines), e);
    strbuf_release(&lines);
    return rc;
}

int expref_remove_remote(const struct repo *r, const char *remote, const struct expref_list *list,
                         struct err *e)
{
    if (list->count == 0) {
        return 0;
    }
    struct err why = ERR_INIT;
    const char **args = xcalloc(list->count + 6, sizeof(*args));
    const char *const first[] = {"push", "--quiet", "--no-verify", "--delete", remote};
    memcpy(args, first, sizeof(first));
    for (size_t i = 0; i < list->count; i++) {
        args[5 + i] = list->items[i].ref;
    }
    int rc = git_run(r, args, NULL, &why);
    free(args);
    return rc < 0 ? err_set(e, ERR_REMOTE, "Git failed to push some refs to '%s' (%s)", remote,
                            why.text)
                  : 0;
}

int expref_rename(const struct repo *r, struct arena *a, const struct expref *x, const char *name,
                  bool force, struct err *e)
{
    char taken[65] = "";
    if (expname_check(name, e) < 0) {
        return -1;
    }
    const char *ref = expcommit_ref(a, x->baseline, name);
    if (expcommit_find(r, ref, taken, e) < 0) {
        return -1;
    }
    if (taken[0] != 0 && !force) {
        return expcommit_conflict(name, e);
    }
    const char *lines = arena_printf(a, "update %s %s\ndelete %s\n", ref, x->commit, x->ref);
    return update_refs(r, str_from(lines), e);
}

int expref_set(const struct repo *r, const char *ref, const char *commit, const char *message,
               struct err *e)
{
    const char *const args[] = {"update-ref", "-m", message, ref, commit, NULL};
    return git_run(r, args, NULL, e);
}
