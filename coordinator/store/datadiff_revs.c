/* `diff`: the data of two revisions, or of one and the workspace; see datadiff.h. Source: DVC 3.67,
 * dvc/repo/diff.py, dvc/commands/diff.py. */
#include "datadiff.h"

#include "alloc.h"
#include "err.h"
#include "git.h"
#include "graph.h"
#include "repo.h"
#include "revision.h"
#include "revwalk.h"
#include "store.h"
#include "str.h"
#include "table.h"
#include "value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One side: what is recorded there, and the parts that were asked for. */
struct side {
    struct store *s;
    struct arena *a;
    const struct datadiff_revs *revs;
    struct dataindex index;
    struct dataindex_roots roots; /* heap */
    bool *missing;                /* by target: not there */
};

/* Adds what the targets mean on this side to the roots. */
static int find_roots(struct side *x, const struct repo *r, const struct pipeline *p,
                      const struct graph *g, struct err *e)
{
    const struct graph_target_options how = {.outputs = true};
    for (size_t i = 0; i < x->revs->target_count; i++) {
        struct graph_selection sel = {0};
        struct err why = ERR_INIT;
        if (graph_select(g, r, &x->revs->targets[i], 1, &how, x->a, &sel, &why) < 0) {
            if (why.code != ERR_MISSING) {
                return err_set(e, why.code, "%s", why.text);
            }
            x->missing[i] = true;
            continue;
        }
        for (size_t k = 0; k < sel.count; k++) {
            if (dataindex_add_roots(x->s, x->a, &p->stages[sel.items[k].stage], sel.items[k].filter,
                                    &x->roots, e) < 0) {
                return -1;
            }
        }
    }
    for (size_t i = 0; x->revs->target_count == 0 && i < p->stage_count; i++) {
        if (dataindex_add_roots(x->s, x->a, &p->stages[i], NULL, &x->roots, e) < 0) {
            return -1;
        }
    }
    return 0;
}

static int visit_revision(void *ctx, const struct revwalk_view *view, struct err *e)
{
    struct side *x = ctx;
    return dataindex_recorded(x->s, x->a, &view->pipeline, &x->index, e) < 0
               ? -1
               : find_roots(x, &view->repo, &view->pipeline, &view->graph, e);
}

static int read_revision(struct side *x, const char *rev, struct err *e)
{
    char commit[65];
    if (git_rev_parse(x->s->repo, rev, commit, e) < 0) {
        return -1;
    }
    const struct revision one = {.commit = commit, .names = rev};
    x->index = (struct dataindex){0};
    return revwalk_each(x->s, &one, 1, REVWALK_READ, visit_revision, x, e);
}

/* ---- the answer ---- */

static struct value *hash_value(struct arena *a, const struct dataindex_entry *en)
{
    return en && en->md5 ? value_cstr(a, en->md5) : value_null(a);
}

static struct value *pair(struct arena *a, struct value *old, struct value *now)
{
    struct value *v = value_map(a);
    value_set(a, v, "old", old);
    value_set(a, v, "new", now);
    return v;
}

static void add_change(struct arena *a, struct value *answer, const struct datadiff_change *c)
{
    static const char *const names[] = {[DATADIFF_ADDED] = "added",
                                        [DATADIFF_DELETED] = "deleted",
                                        [DATADIFF_MODIFIED] = "modified",
                                        [DATADIFF_RENAMED] = "renamed"};
    struct value *item = value_map(a);
    const struct dataindex_entry *en = c->old ? c->old : c->now;
    if (c->kind == DATADIFF_RENAMED) {
        value_set(a, item, "path",
                  pair(a, value_cstr(a, datadiff_path(a, c->old)),
                       value_cstr(a, datadiff_path(a, c->now))));
        value_set(a, item, "hash", hash_value(a, c->old));
    } else {
        value_set(a, item, "path", value_cstr(a, datadiff_path(a, en)));
        value_set(a, item, "hash",
                  c->kind == DATADIFF_MODIFIED
                      ? pair(a, hash_value(a, c->old), hash_value(a, c->now))
                      : hash_value(a, en));
    }
    value_push(a, value_get(answer, names[c->kind]), item);
}

static struct str sort_key(const struct value *item)
{
    const struct value *path = value_get(item, "path");
    return value_as_str(path->type == VALUE_MAP ? value_get(path, "old") : path);
}

static int by_key(const void *a, const void *b)
{
    return str_cmp(sort_key(*(struct value *const *)a), sort_key(*(struct value *const *)b));
}

static struct value *build_answer(struct side *x, const struct datadiff *d, bool with_missing)
{
    static const char *const groups[] = {"added", "deleted", "modified", "renamed", "not in cache"};
    struct arena *a = x->a;
    struct value *answer = value_map(a);
    bool any = false;
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
        value_set(a, answer, groups[i], value_list(a));
    }
    for (size_t i = 0; i < d->count; i++) {
        const struct datadiff_change *c = &d->items[i];
        if (c->kind < DATADIFF_UNCHANGED) {
            add_change(a, answer, c);
            any = true;
        }
        if (with_missing && c->old && c->old->md5 && !dataindex_cached(x->s, c->old)) {
            struct value *item = value_map(a);
            value_set(a, item, "path", value_cstr(a, datadiff_path(a, c->old)));
            value_set(a, item, "hash", hash_value(a, c->old));
            value_push(a, value_get(answer, "not in cache"), item);
            any = true;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
        struct value *list = value_get(answer, groups[i]);
        if (list->list.count) {
            qsort(list->list.items, list->list.count, sizeof(*list->list.items), by_key);
        }
    }
    return any ? answer : value_map(a);
}

/* ---- the work ---- */

static int check_targets(const struct datadiff_revs *revs, const bool *in_a, const bool *in_b,
                         struct err *e)
{
    for (size_t i = 0; i < revs->target_count; i++) {
        if (in_a[i] && in_b[i]) {
            err_set(e, ERR_MISSING, "[Errno 2] No such file or directory: '%s'", revs->targets[i]);
            e->detail = ENOENT;
            return -1;
        }
    }
    return 0;
}

/* Both at one commit: nothing can differ. */
static int same_commit(const struct repo *r, const struct datadiff_revs *revs, bool *same,
                       struct err *e)
{
    char x[65], y[65];
    if (git_rev_parse(r, revs->a, x, e) < 0 || (revs->b && git_rev_parse(r, revs->b, y, e) < 0)) {
        return -1;
    }
    *same = revs->b && strcmp(x, y) == 0;
    return 0;
}

/* The parts that either side was asked for. */
static void join_roots(struct dataindex_roots *all, const struct dataindex_roots *more)
{
    ARRAY_RESERVE(all->items, all->count, all->capacity, more->count + 1);
    for (size_t i = 0; i < more->count; i++) {
        all->items[all->count++] = more->items[i];
    }
    dataindex_finish_roots(all);
}

static int read_workspace(struct side *y, const struct pipeline *p, const struct graph *g,
                          struct err *e)
{
    if (find_roots(y, y->s->repo, p, g, e) < 0) {
        return -1;
    }
    dataindex_finish_roots(&y->roots);
    return dataindex_workspace(y->s, y->a, &y->roots, &y->index, e);
}

static int compare(struct side *x, struct side *y, const struct pipeline *p, const struct graph *g,
                   struct value **answer, struct err *e)
{
    const char *b = x->revs->b;
    if (read_revision(x, x->revs->a, e) < 0 ||
        (b ? read_revision(y, b, e) : read_workspace(y, p, g, e)) < 0 ||
        check_targets(x->revs, x->missing, y->missing, e) < 0) {
        return -1;
    }
    join_roots(&x->roots, &y->roots);
    struct datadiff d;
    const struct datadiff_options opt = {.roots = &x->roots};
    datadiff_compare(x->a, &x->index, &y->index, &opt, &d);
    *answer = build_answer(x, &d, !b);
    return 0;
}

int datadiff_revisions(struct store *s, struct arena *a, const struct pipeline *p,
                       const struct graph *g, const struct datadiff_revs *revs,
                       struct value **answer, struct err *e)
{
    struct git_head head;
    bool same = false;
    *answer = value_map(a);
    if (s->repo->no_scm || !s->repo->scm_root) {
        return err_set(
            e, ERR_USAGE,
            "Only supported for Git repositories. If you're seeing this error in a Git repo, "
            "try updating the DVC configuration with `dvc config core.no_scm false`.");
    }
    if (git_head(s->repo, &head, e) < 0) {
        return -1;
    }
    if (head.commit[0] == '\0') {
        return 0; /* before the first commit */
    }
    if (same_commit(s->repo, revs, &same, e) < 0 || same) {
        return same ? 0 : -1;
    }
    bool *missing = ARENA_ARRAY(a, 2 * revs->target_count + 1, bool);
    struct side x = {.s = s, .a = a, .revs = revs, .missing = missing};
    struct side y = x;
    y.missing = missing + revs->target_count;
    int rc = compare(&x, &y, p, g, answer, e);
    free(x.roots.items);
    free(y.roots.items);
    return rc;
}

/* ---- printing ---- */

static const struct {
    const char *name, *title;
} states[] = {{"added", "Added"},
              {"deleted", "Deleted"},
              {"renamed", "Renamed"},
              {"modified", "Modified"},
              {"not in cache", "Not in cache"}};

void datadiff_reduce(struct value *answer, const struct datadiff_style *style)
{
    if (style->hide_missing) {
        value_remove(answer, "not in cache");
    }
    for (size_t i = 0; !style->show_hash && i < answer->map.count; i++) {
        const struct value *list = answer->map.pairs[i].val;
        for (size_t k = 0; k < list->list.count; k++) {
            value_remove(list->list.items[k], "hash");
        }
    }
}

static void add_digest(struct strbuf *out, const struct value *hash)
{
    if (hash && hash->type == VALUE_MAP) {
        struct str old = value_as_str(value_get(hash, "old")),
                   now = value_as_str(value_get(hash, "new"));
        strbuf_addf(out, "%.*s..%.*s", STR_ARG(str_sub(old, 0, 8)), STR_ARG(str_sub(now, 0, 8)));
    } else {
        strbuf_addstr(out, str_sub(value_as_str(hash), 0, 8));
    }
}

static void add_path(struct strbuf *out, const struct value *path)
{
    if (path->type == VALUE_MAP) {
        strbuf_addstr(out, value_as_str(value_get(path, "old")));
        strbuf_adds(out, " -> ");
        path = value_get(path, "new");
    }
    strbuf_addstr(out, value_as_str(path));
}

static void markdown(struct strbuf *out, const struct value *answer,
                     const struct datadiff_style *style)
{
    struct table t;
    struct strbuf cell;
    table_init(&t);
    strbuf_init(&cell);
    size_t status = table_column(&t, "Status");
    size_t hash = style->show_hash ? table_column(&t, "Hash") : 0;
    size_t path = table_column(&t, "Path");
    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        const struct value *list = value_get(answer, states[i].name);
        for (size_t k = 0; list && k < list->list.count; k++) {
            const struct value *item = list->list.items[k];
            size_t row = table_row(&t);
            table_set(&t, row, status, states[i].name);
            strbuf_reset(&cell);
            add_digest(&cell, value_get(item, "hash"));
            if (style->show_hash) {
                table_set(&t, row, hash, cell.p);
            }
            strbuf_reset(&cell);
            add_path(&cell, value_get(item, "path"));
            table_set(&t, row, path, cell.p);
        }
    }
    table_render(&t, true, true, out);
    strbuf_release(&cell);
    table_release(&t);
}

void datadiff_text(struct strbuf *out, const struct value *answer,
                   const struct datadiff_style *style)
{
    if (style->markdown) {
        markdown(out, answer, style);
        return;
    }
    struct strbuf summary, path;
    strbuf_init(&summary);
    strbuf_init(&path);
    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        const struct value *list = value_get(answer, states[i].name);
        size_t files = 0;
        if (!list || list->list.count == 0) {
            continue;
        }
        strbuf_addf(out, "%s:\n", states[i].title);
        for (size_t k = 0; k < list->list.count; k++) {
            const struct value *item = list->list.items[k], *hash = value_get(item, "hash");
            strbuf_adds(out, "    ");
            add_digest(out, hash);
            strbuf_adds(out, hash && hash->type != VALUE_NULL ? "  " : "");
            strbuf_reset(&path);
            add_path(&path, value_get(item, "path"));
            strbuf_addf(out, "%s\n", path.p);
            files += path.n > 0 && path.p[path.n - 1] != '/';
        }
        strbuf_addch(out, '\n');
        if (files > 0) {
            strbuf_addf(&summary, "%s%zu %s", summary.n > 0 ? ", " : "", files, states[i].name);
        }
    }
    if (summary.n > 0) {
        strbuf_addf(out, "files summary: %s\n", summary.p);
    }
    strbuf_release(&path);
    strbuf_release(&summary);
}
