/* datastatus: see datastatus.h. */
#include "datastatus.h"

#include "alloc.h"
#include "checkout.h"
#include "datadiff.h"
#include "dataindex.h"
#include "err.h"
#include "git.h"
#include "path.h"
#include "remote.h"
#include "repo.h"
#include "revision.h"
#include "revwalk.h"
#include "store.h"
#include "str.h"
#include "value.h"

#include <stdlib.h>
#include <string.h>

struct reading {
    struct store *s;
    struct arena *a;
    const struct pipeline *p;
    const struct datastatus_options *opt;
    const struct dataindex_roots *targets; /* NULL: no targets */
    struct value *answer;
};

/* ---- lists ---- */

static int by_text(const void *a, const void *b)
{
    return str_cmp(value_as_str(*(struct value *const *)a),
                   value_as_str(*(struct value *const *)b));
}

static void sort_list(struct value *list)
{
    if (list->list.count) {
        qsort(list->list.items, list->list.count, sizeof(*list->list.items), by_text);
    }
}

static struct value *list_of(struct arena *a, struct value *map, const char *name)
{
    struct value *list = value_get(map, name);
    if (!list) {
        list = value_list(a);
        value_set(a, map, name, list);
    }
    return list;
}

static void add_path(struct reading *x, struct value *map, const char *name,
                     const struct dataindex_entry *en)
{
    value_push(x->a, list_of(x->a, map, name), value_cstr(x->a, datadiff_path(x->a, en)));
}

/* ---- the two diffs ---- */

static void add_change(struct reading *x, struct value *groups, const struct datadiff_change *c)
{
    static const char *const names[] = {
        [DATADIFF_ADDED] = "added",         [DATADIFF_DELETED] = "deleted",
        [DATADIFF_MODIFIED] = "modified",   [DATADIFF_RENAMED] = "renamed",
        [DATADIFF_UNCHANGED] = "unchanged", [DATADIFF_UNKNOWN] = "unknown"};
    const struct dataindex_entry *en = c->now ? c->now : c->old;
    bool nothing =
        c->kind == DATADIFF_UNCHANGED && !(c->old && c->old->md5) && !(c->now && c->now->md5);
    if (nothing || (c->kind == DATADIFF_UNKNOWN && !c->now)) {
        return;
    }
    if (c->kind != DATADIFF_RENAMED) {
        add_path(x, groups, names[c->kind], en);
        return;
    }
    struct value *pair = value_map(x->a);
    value_set(x->a, pair, "old", value_cstr(x->a, datadiff_path(x->a, c->old)));
    value_set(x->a, pair, "new", value_cstr(x->a, datadiff_path(x->a, c->now)));
    value_push(x->a, list_of(x->a, groups, names[c->kind]), pair);
}

static struct value *diff_groups(struct reading *x, const struct dataindex *old,
                                 const struct dataindex *now, bool check_cache)
{
    /* the order in which DVC names them first is that of its walk; here it is fixed */
    static const char *const order[] = {"added",   "modified", "renamed",
                                        "deleted", "unknown",  "unchanged"};
    struct datadiff d;
    const struct datadiff_options opt = {
        .roots = x->targets, .hash_only = true, .shallow = !x->opt->granular};
    datadiff_compare(x->a, old, now, &opt, &d);
    struct value *found = value_map(x->a), *groups = value_map(x->a);
    for (size_t i = 0; i < d.count; i++) {
        const struct datadiff_change *c = &d.items[i];
        add_change(x, found, c);
        if (check_cache && c->old && c->old->md5 && !dataindex_cached(x->s, c->old)) {
            add_path(x, x->answer, "not_in_cache", c->old);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        struct value *list = value_get(found, order[i]);
        if (list) {
            value_set(x->a, groups, order[i], list);
        }
    }
    return groups;
}

struct head_index {
    struct store *s;
    struct arena *a;
    struct dataindex index;
};

static int visit_head(void *ctx, const struct revwalk_view *view, struct err *e)
{
    struct head_index *h = ctx;
    return dataindex_recorded(h->s, h->a, &view->pipeline, &h->index, e);
}

/* HEAD's data; nothing before the first commit. *has_git false: there is nothing to compare with.
 */
static int read_head(struct reading *x, struct dataindex *index, bool *has_git, bool *is_empty,
                     struct err *e)
{
    struct git_head head = {0};
    *index = (struct dataindex){.arena = x->a};
    *has_git = !x->s->repo->no_scm && x->s->repo->scm_root != NULL;
    if (*has_git && git_head(x->s->repo, &head, e) < 0) {
        return -1;
    }
    *is_empty = *has_git && head.commit[0] == '\0';
    if (head.commit[0] == '\0') {
        return 0;
    }
    struct head_index h = {.s = x->s, .a = x->a};
    const struct revision one = {.commit = head.commit, .names = "HEAD"};
    int rc = revwalk_each(x->s, &one, 1, REVWALK_READ, visit_head, &h, e);
    *index = h.index;
    return rc;
}

static int workspace_index(struct reading *x, struct dataindex *index, struct err *e)
{
    struct dataindex_roots roots = {0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < x->p->stage_count; i++) {
        rc = dataindex_add_roots(x->s, x->a, &x->p->stages[i], NULL, &roots, e);
    }
    dataindex_finish_roots(&roots);
    /* only what is asked for is read */
    size_t kept = 0;
    for (size_t i = 0; x->targets && i < roots.count; i++) {
        bool wanted = false;
        for (size_t k = 0; k < x->targets->count; k++) {
            const char *t = x->targets->items[k].path;
            wanted |= path_inside(t, roots.items[i].path) || path_inside(roots.items[i].path, t);
        }
        if (wanted) {
            roots.items[kept++] = roots.items[i];
        }
    }
    roots.count = x->targets ? kept : roots.count;
    rc = rc == 0 ? dataindex_workspace(x->s, x->a, &roots, index, e) : rc;
    free(roots.items);
    return rc;
}

/* ---- the remote ---- */

static bool wanted(const struct reading *x, const char *path)
{
    for (size_t i = 0; x->targets && i < x->targets->count; i++) {
        if (path_inside(x->targets->items[i].path, path)) {
            return true;
        }
    }
    return !x->targets;
}

/* The remote of an out; opened once. NULL: none is set. */
struct remotes {
    struct remote *items;
    size_t count, capacity;
};

static struct remote *remote_named(struct reading *x, struct remotes *all, const char *name,
                                   struct err *e)
{
    struct remote r;
    if (remote_open(&r, x->s, x->a, name, e) < 0) {
        return NULL;
    }
    for (size_t i = 0; i < all->count; i++) {
        if (strcmp(all->items[i].name, r.name) == 0) {
            remote_close(&r);
            return &all->items[i];
        }
    }
    ARRAY_RESERVE(all->items, all->count, all->capacity, 1);
    all->items[all->count] = r;
    return &all->items[all->count++];
}

static int check_remote(struct reading *x, const struct dataindex_entry *en, struct remote *r,
                        struct err *e)
{
    char path[64];
    remote_object_path(path, (struct cas_id){en->md5, en->legacy});
    int there = r->ops->has(r->ctx, path, e);
    if (there == 0) {
        add_path(x, x->answer, "not_in_remote", en);
    }
    return there < 0 ? -1 : 0;
}

static int check_out(struct reading *x, const struct dataindex *now, const struct out *o,
                     struct remotes *all, struct err *e)
{
    if (!o->cache || !o->push || o->path[0] == '/') {
        return 0;
    }
    struct remote *r = remote_named(x, all, x->opt->remote ? x->opt->remote : o->remote, e);
    if (!r) {
        return -1;
    }
    for (size_t i = 0; i < now->count; i++) {
        const struct dataindex_entry *en = &now->items[i];
        bool mine =
            x->opt->granular ? path_inside(o->path, en->path) : strcmp(o->path, en->path) == 0;
        if (mine && en->md5 && wanted(x, en->path) && check_remote(x, en, r, e) < 0) {
            return -1;
        }
    }
    return 0;
}

static bool has_remote(const struct reading *x)
{
    struct err why = ERR_INIT;
    struct remote r;
    if (remote_open(&r, x->s, x->a, x->opt->remote, &why) < 0) {
        return x->opt->remote != NULL; /* a name that is wrong is an error, none at all is not */
    }
    remote_close(&r);
    return true;
}

static int not_in_remote(struct reading *x, const struct dataindex *recorded, struct err *e)
{
    struct remotes all = {0};
    int rc = 0;
    bool any = has_remote(x);
    for (size_t i = 0; rc == 0 && i < x->p->stage_count; i++) {
        const struct stage *st = &x->p->stages[i];
        for (size_t k = 0; rc == 0 && k < st->out_count; k++) {
            if (any || st->outs[k].remote) {
                rc = check_out(x, recorded, &st->outs[k], &all, e);
                continue;
            }
            const struct dataindex_entry *en = dataindex_find(recorded, st->outs[k].path);
            if (en && en->md5 && st->outs[k].push && wanted(x, en->path)) {
                add_path(x, x->answer, "not_in_remote", en); /* no remote holds nothing */
            }
        }
    }
    for (size_t i = 0; i < all.count; i++) {
        remote_close(&all.items[i]);
    }
    free(all.items);
    return rc;
}

/* ---- git ---- */

/* "XY path" entries of git status -z; *dirty: any at all. */
static int git_changes(struct reading *x, bool *dirty, struct err *e)
{
    const struct repo *r = x->s->repo;
    struct strbuf out;
    strbuf_init(&out);
    const char *mode = x->opt->untracked ? "--untracked-files=all" : "--untracked-files=no";
    const char *args[] = {"status", "--porcelain", "-z", mode, NULL};
    int rc = git_run(r, args, &out, e);
    struct str rest = strbuf_str(&out), item;
    *dirty = rc == 0 && out.n > 0;
    while (rc == 0 && rest.n > 0 && str_split(&rest, '\0', &item)) {
        if (item.n < 4) {
            continue;
        }
        if (item.p[0] == 'R' || item.p[0] == 'C') {
            str_split(&rest, '\0', &(struct str){0}); /* where it came from */
        }
        const char *abs = path_join(x->a, r->scm_root, arena_strndup(x->a, item.p + 3, item.n - 3));
        if (item.p[0] == '?' && path_inside(r->root, abs)) {
            const char *path = path_relative(x->a, r->root, abs);
            if (wanted(x, path)) {
                value_push(x->a, list_of(x->a, x->answer, "untracked"),
                           value_cstr(x->a, repo_show(r, x->a, path)));
            }
        }
    }
    strbuf_release(&out);
    return rc;
}

/* ---- all of it ---- */

/* What both diffs call unchanged. */
static void keep_unchanged(struct reading *x, struct value *committed, bool has_git,
                           struct value *uncommitted)
{
    const struct value *a = value_get(committed, "unchanged"),
                       *b = value_get(uncommitted, "unchanged");
    struct value *in_head = value_map(x->a), *both = value_list(x->a);
    for (size_t i = 0; a && i < a->list.count; i++) {
        value_set(x->a, in_head, value_as_str(a->list.items[i]).p, value_null(x->a));
    }
    for (size_t i = 0; b && i < b->list.count; i++) {
        if (!has_git || value_get_str(in_head, value_as_str(b->list.items[i]))) {
            value_push(x->a, both, b->list.items[i]);
        }
    }
    value_remove(committed, "unchanged");
    value_remove(uncommitted, "unchanged");
    if (x->opt->unchanged) {
        value_set(x->a, x->answer, "unchanged", both);
    }
}

static bool is_empty(const struct value *v)
{
    return v->type == VALUE_MAP ? v->map.count == 0 : v->list.count == 0;
}

/* In DVC's order, without what is empty. */
static struct value *arrange(struct arena *a, struct value *found)
{
    static const char *const order[] = {"not_in_cache", "not_in_remote", "committed",
                                        "uncommitted",  "untracked",     "unchanged"};
    struct value *v = value_map(a);
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        struct value *part = value_get(found, order[i]);
        if (part && !is_empty(part)) {
            if (part->type == VALUE_LIST) {
                sort_list(part);
            }
            value_set(a, v, order[i], part);
        }
    }
    return v;
}

static int read_all(struct reading *x, const char **note, struct err *e)
{
    struct dataindex head, recorded, now;
    bool has_git, empty, dirty = false;
    if (dataindex_recorded(x->s, x->a, x->p, &recorded, e) < 0 || workspace_index(x, &now, e) < 0) {
        return -1;
    }
    struct value *uncommitted = diff_groups(x, &recorded, &now, true), *committed = value_map(x->a);
    if ((x->opt->not_in_remote && not_in_remote(x, &recorded, e) < 0) ||
        read_head(x, &head, &has_git, &empty, e) < 0) {
        return -1;
    }
    if (has_git) {
        committed = diff_groups(x, &head, &recorded, false);
    }
    keep_unchanged(x, committed, has_git, uncommitted);
    value_set(x->a, x->answer, "committed", committed);
    value_set(x->a, x->answer, "uncommitted", uncommitted);
    if (has_git && git_changes(x, &dirty, e) < 0) {
        return -1;
    }
    x->answer = arrange(x->a, x->answer);
    *note = !is_empty(x->answer) && dirty
                ? "(there are other changes not tracked by dvc, use \"git status\" to see)"
            : dirty ? "(there are changes not tracked by dvc, use \"git status\" to see)"
            : is_empty(x->answer) && empty ? "No changes in an empty git repo."
                                           : "";
    return 0;
}

int datastatus_read(struct store *s, struct arena *a, const struct pipeline *p,
                    const struct datastatus_options *opt, struct value **answer, const char **note,
                    struct err *e)
{
    struct dataindex_roots targets = {0};
    for (size_t i = 0; i < opt->target_count; i++) {
        ARRAY_RESERVE(targets.items, targets.count, targets.capacity, 1);
        targets.items[targets.count++] =
            (struct dataindex_root){.path = repo_path(s->repo, a, opt->targets[i])};
    }
    dataindex_finish_roots(&targets);
    struct reading x = {.s = s, .a = a, .p = p, .opt = opt, .answer = value_map(a)};
    x.targets = opt->target_count > 0 ? &targets : NULL;
    int rc = read_all(&x, note, e);
    *answer = x.answer;
    free(targets.items);
    return rc;
}

/* ---- printing ---- */

static const struct {
    const char *name, *title, *hints[2];
} sections[] = {
    {"not_in_cache", "Not in cache", {"use \"nephron fetch <file>...\" to download files"}},
    {"not_in_remote", "Not in remote", {"use \"nephron push <file>...\" to upload files"}},
    {"committed",
     "DVC committed changes",
     {"git commit the corresponding dvc files to update the repo"}},
    {"uncommitted",
     "DVC uncommitted changes",
     {"use \"nephron commit <file>...\" to track changes",
      "use \"nephron checkout <file>...\" to discard changes"}},
    {"untracked",
     "Untracked files",
     {"use \"git add <file> ...\" or \"nephron add <file>...\" to commit to git or to dvc"}},
    {"unchanged", "DVC unchanged files", {NULL}},
};

static void put_items(struct strbuf *out, const char *label, const struct value *list)
{
    for (size_t i = 0; i < list->list.count; i++) {
        const struct value *v = list->list.items[i];
        strbuf_addf(out, "        %s", label);
        if (v->type == VALUE_MAP) {
            strbuf_addstr(out, value_as_str(value_get(v, "old")));
            strbuf_adds(out, " -> ");
            v = value_get(v, "new");
        }
        strbuf_addstr(out, value_as_str(v));
        strbuf_addch(out, '\n');
    }
}

void datastatus_text(struct strbuf *out, const struct value *answer, const char *note)
{
    struct strbuf label;
    strbuf_init(&label);
    for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
        const struct value *part = value_get(answer, sections[i].name);
        if (!part) {
            continue;
        }
        strbuf_addf(out, "%s%s:\n", out->n > 0 ? "\n" : "", sections[i].title);
        for (size_t k = 0; k < 2 && sections[i].hints[k]; k++) {
            strbuf_addf(out, "  (%s)\n", sections[i].hints[k]);
        }
        if (part->type == VALUE_LIST) {
            put_items(out, "", part);
        }
        for (size_t k = 0; part->type == VALUE_MAP && k < part->map.count; k++) {
            strbuf_reset(&label);
            strbuf_addf(&label, "%s: ", value_as_str(part->map.pairs[k].key).p);
            put_items(out, label.p, part->map.pairs[k].val);
        }
    }
    bool whole = strncmp(note, "No changes", 10) == 0;
    if (is_empty(answer) && !whole) {
        strbuf_adds(out, "No changes.\n");
    }
    if (note[0] != '\0') {
        strbuf_addf(out, "%s\n", note);
    }
    strbuf_release(&label);
}
