/*
 * commit: what happens after a stage ran, see commit.h. The order matters for kills: objects, then
 * their folders, then the run cache, then (by the caller) the journal and dvc.lock; so nothing
 * recorded ever lacks its objects.
 */
#include "commit_private.h"

#include "alloc.h"
#include "cas.h"
#include "checkout.h"
#include "err.h"
#include "fs.h"
#include "gitignore.h"
#include "links.h"
#include "params.h"
#include "path.h"
#include "repo.h"
#include "runcache.h"
#include "scmindex.h"
#include "stale.h"
#include "store.h"
#include "urldep.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *shown(const struct commit *c, const char *path)
{
    return store_show(c->store, c->arena, path);
}

static struct value *command_value(struct arena *a, const struct stage *st)
{
    if (!st->cmd_is_list) {
        return value_cstr(a, st->cmd_text ? st->cmd_text : "");
    }
    struct value *list = value_list(a);
    for (size_t i = 0; i < st->cmd_count; i++) {
        value_push(a, list, value_cstr(a, st->cmds[i]));
    }
    return list;
}

void commit_begin(struct commit *c, struct store *s, struct arena *a, const struct stage *st,
                  const struct lock_entry *old)
{
    *c = (struct commit){.store = s, .arena = a, .stage = st, .old = old};
    c->entry = ARENA_NEW(a, struct lock_entry);
    c->entry->name = st->name ? st->name : "";
    c->entry->cmd = command_value(a, st);
    /* paths only, until commit_outs knows more: what the run cache's key wants */
    c->entry->outs = ARENA_ARRAY(a, st->out_count, struct lock_item);
    c->entry->out_count = st->out_count;
    for (size_t i = 0; i < st->out_count; i++) {
        c->entry->outs[i] = (struct lock_item){st->outs[i].def, {.size = -1, .nfiles = -1}, NULL};
    }
}

/* ---- deps ---- */

static const struct lock_item *old_dep(const struct commit *c, const char *def)
{
    return c->old ? lock_item_find(c->old->deps, c->old->dep_count, def) : NULL;
}

static const struct lock_item *old_out(const struct commit *c, const char *def)
{
    return c->old ? lock_item_find(c->old->outs, c->old->out_count, def) : NULL;
}

static int check_found(const struct commit *c, const struct content *now, const char *what,
                       struct err *e)
{
    const char *name = shown(c, now->path);
    struct stat st;
    bool dangling = now->kind == CONTENT_MISSING &&
                    lstat(repo_abs(c->store->repo, c->arena, now->path), &st) == 0 &&
                    S_ISLNK(st.st_mode);
    if (now->kind == CONTENT_MISSING && !dangling) {
        return err_set(e, ERR_MISSING, "%s '%s' does not exist", what, name);
    }
    if (now->kind == CONTENT_OTHER || dangling) {
        return err_set(e, ERR_IO, "%s '%s' is not a file or directory", what, name);
    }
    if (now->is_empty) {
        store_note(c->store, STORE_NOTE_WARN, "'%s' is empty.", name);
    }
    return 0;
}

/* DVC 2's entries stay as they are while the content does; what changed is written the new way. */
static int drop_legacy(struct commit *c, struct content *items, size_t count,
                       const struct lock_item *(*old)(const struct commit *, const char *),
                       const char *const *defs, struct err *e)
{
    for (size_t i = 0; i < count; i++) {
        if (!items[i].legacy || items[i].kind == CONTENT_MISSING) {
            continue;
        }
        const struct lock_item *was = old(c, defs[i]);
        if (was && items[i].hash.md5 && !strcmp(was->hash.md5, items[i].hash.md5)) {
            continue;
        }
        items[i].legacy = false;
        if (content_read(c->store, c->arena, &items[i], 1, e) < 0) {
            return -1;
        }
    }
    return 0;
}

static void set_item(struct lock_item *item, const char *def, const struct content *now)
{
    *item = (struct lock_item){.path = def, .hash = now->hash};
    item->hash.legacy = now->legacy;
}

static int commit_params(struct commit *c, unsigned flags, struct err *e)
{
    const struct stage *st = c->stage;
    struct params_cache files;
    params_cache_init(&files);
    struct value *all = value_map(&files.arena);
    int rc = 0;
    for (size_t i = 0; i < st->param_count && rc == 0; i++) {
        const struct param_dep *p = &st->params[i];
        struct value *values, *missing;
        if (content_kind(c->store, p->path, false) == CONTENT_MISSING) {
            const struct value *was = c->old ? value_get(c->old->params, p->def) : NULL;
            if (flags & COMMIT_ALLOW_MISSING) {
                if (was) {
                    value_set(&files.arena, all, p->def, (struct value *)was);
                }
                continue;
            }
            rc = err_set(e, ERR_MISSING, "dependency '%s' does not exist", shown(c, p->path));
        } else {
            rc = params_read(&files, c->store->repo, p, &values, &missing, e);
        }
        if (rc == 0 && missing->list.count && !(flags & COMMIT_FEWER_PARAMS)) {
            rc = params_missing_error(c->store->repo, p, missing, e);
        }
        if (rc == 0) {
            value_set(&files.arena, all, p->def, values);
        }
    }
    if (rc == 0) {
        /* copied, in canonical order, out of the files' arena; shared nodes stay shared */
        struct lock_entry tmp = *c->entry;
        tmp.params = all->map.count ? all : NULL;
        c->entry->params = lock_entry_copy(c->arena, &tmp)->params;
    }
    params_cache_release(&files);
    return rc;
}

static bool stays_legacy(const struct lock_item *was, unsigned flags)
{
    return was && was->hash.md5 && was->hash.legacy && !(flags & COMMIT_MIGRATE);
}

/* What each dependency holds now; *now by index in stage.deps, those that are not looked at with
 * no path. */
static int read_deps(struct commit *c, unsigned flags, struct content **now, struct err *e)
{
    const struct stage *st = c->stage;
    struct content *near = ARENA_ARRAY(c->arena, st->dep_count, struct content);
    struct urldep *far = ARENA_ARRAY(c->arena, st->dep_count, struct urldep);
    const char **defs = ARENA_ARRAY(c->arena, st->dep_count, const char *);
    size_t near_count = 0, far_count = 0;
    *now = ARENA_ARRAY(c->arena, st->dep_count, struct content);
    for (size_t i = 0; i < st->dep_count; i++) {
        const struct dep *d = &st->deps[i];
        if (urldep_is_one(d)) {
            far[far_count++] = (struct urldep){.url = d->path, .fs_config = d->fs_config};
        } else if (!d->is_url) {
            defs[near_count] = d->def;
            near[near_count++] = (struct content){
                .path = d->path, .legacy = stays_legacy(old_dep(c, d->def), flags)};
        }
    }
    if (content_read(c->store, c->arena, near, near_count, e) < 0 ||
        drop_legacy(c, near, near_count, old_dep, defs, e) < 0 ||
        urldep_read(c->store, c->arena, far, far_count, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < st->dep_count; i++) {
        const struct dep *d = &st->deps[i];
        if (urldep_is_one(d)) {
            (*now)[i] = (far++)->now;
        } else if (!d->is_url) {
            (*now)[i] = *near++;
        } else {
            (*now)[i] = (struct content){0};
        }
    }
    return 0;
}

int commit_deps(struct commit *c, unsigned flags, struct err *e)
{
    const struct stage *st = c->stage;
    struct content *now;
    if (read_deps(c, flags, &now, e) < 0) {
        return -1;
    }
    struct lock_item *items = ARENA_ARRAY(c->arena, st->dep_count, struct lock_item);
    size_t n = 0;
    for (size_t i = 0; i < st->dep_count; i++) {
        const struct lock_item *was = old_dep(c, st->deps[i].def);
        const struct content *found = &now[i];
        if (!found->path || (found->kind == CONTENT_MISSING && (flags & COMMIT_ALLOW_MISSING))) {
            if (was) {
                items[n++] = *was;
            }
            continue;
        }
        if (check_found(c, found, "dependency", e) < 0) {
            return -1;
        }
        set_item(&items[n], st->deps[i].def, found);
        if ((flags & COMMIT_AS_RECORDED) && was) {
            items[n].hash.isexec = was->hash.isexec;
        }
        n++;
    }
    c->entry->deps = items;
    c->entry->dep_count = n;
    if (commit_params(c, flags, e) < 0) {
        return -1;
    }
    c->entry = lock_entry_copy(c->arena, c->entry);
    return 0;
}

/* ---- storing contents ---- */

/* Files and folder members of several contents as one batch for the cache. */
static int store_contents(struct store *s, struct arena *a, struct content **items, size_t count,
                          struct err *e)
{
    size_t total = 0, n = 0;
    for (size_t i = 0; i < count; i++) {
        total += items[i]->kind == CONTENT_DIR ? items[i]->tree->count : 1;
    }
    struct cas_put *puts = xcalloc(total + 1, sizeof(*puts));
    for (size_t i = 0; i < count; i++) {
        const struct content *c = items[i];
        const char *abs = repo_abs(s->repo, a, c->path);
        if (c->kind == CONTENT_FILE) {
            puts[n].path = abs;
            memcpy(puts[n++].md5, c->hash.md5, 33);
            continue;
        }
        for (size_t k = 0; k < c->tree->count; k++) {
            puts[n].path = arena_printf(a, "%s/%s", abs, c->tree->items[k].relpath);
            memcpy(puts[n++].md5, c->tree->items[k].md5, 33);
        }
    }
    struct par *par = n > 1 ? store_par_take(s) : NULL;
    int rc = cas_put_files(s->cas, par, puts, n, e);
    store_par_give(s, par);
    n = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        struct content *c = items[i];
        if (c->kind == CONTENT_FILE) {
            c->hash.size = puts[n].st.st_size;
            c->hash.md5 = arena_strdup(a, puts[n++].md5);
            continue;
        }
        for (size_t k = 0; k < c->tree->count; k++) {
            memcpy(c->tree->items[k].md5, puts[n].md5, 33);
            c->tree->items[k].size = puts[n++].st.st_size;
        }
        content_finish_folder(a, c);
        rc = cas_put_dir(s->cas, c->tree, e);
    }
    free(puts);
    return rc;
}

/* Links as cache.type asks; for copies there is nothing to do, and nothing is looked at. */
static int relink_members(struct store *s, struct arena *a, const struct content *c, bool *changed,
                          struct err *e)
{
    enum fs_link first = cas_first_link(s->cas);
    bool copies = first == FS_COPY || first == FS_REFLINK;
    const char *abs = repo_abs(s->repo, a, c->path);
    for (size_t i = 0; i < c->tree->count; i++) {
        const struct dirobj_item *item = &c->tree->items[i];
        if (copies && !item->is_link && item->st.st_nlink < 2) {
            continue;
        }
        *changed = true;
        if (cas_relink(s->cas, (struct cas_id){item->md5, false},
                       arena_printf(a, "%s/%s", abs, item->relpath),
                       &(struct cas_relink_options){0}, e) < 0) {
            return -1;
        }
    }
    return 0;
}

static int relink(struct store *s, struct arena *a, const struct content *c, struct err *e)
{
    bool changed = c->kind == CONTENT_FILE;
    struct cas_id id = {c->hash.md5, false};
    struct cas_relink_options opt = {c->hash.isexec, true};
    int rc = c->kind == CONTENT_FILE
                 ? cas_relink(s->cas, id, repo_abs(s->repo, a, c->path), &opt, e)
                 : relink_members(s, a, c, &changed, e);
    if (rc == 0) {
        links_note(s, a, c->path, &c->hash, changed ? NULL : c);
    }
    return rc;
}

static int refuse_external(const char *shown_path, struct err *e)
{
    return err_set(e, ERR_USAGE,
                   "Saving cached external output %s is not supported since DVC 3.0. "
                   "See <https://dvc.org/doc/user-guide/upgrade> for more info.",
                   shown_path);
}

static int check_inside(const struct commit *c, const struct out *o, struct err *e)
{
    bool external = o->path[0] == '/' || o->is_url;
    return o->cache && external ? refuse_external(shown(c, o->path), e) : 0;
}

static void look_at_outs(struct commit *c, unsigned flags, const char **defs)
{
    const struct stage *st = c->stage;
    c->outs = ARENA_ARRAY(c->arena, st->out_count, struct content);
    for (size_t i = 0; i < st->out_count; i++) {
        const struct lock_item *was = old_out(c, st->outs[i].def);
        bool legacy = stays_legacy(was, flags);
        defs[i] = st->outs[i].def;
        c->outs[i] =
            (struct content){.path = st->outs[i].path,
                             .legacy = legacy,
                             .honour_ignore = true,
                             /* what will be copied is hashed on the way */
                             .no_hash = st->outs[i].cache && !legacy && !(flags & COMMIT_NO_CACHE)};
    }
}

/* content_read found nothing at the URLs. */
static int look_at_far_outs(struct commit *c, struct err *e)
{
    const struct stage *st = c->stage;
    struct urldep *far = ARENA_ARRAY(c->arena, st->out_count, struct urldep);
    size_t count = 0;
    for (size_t i = 0; i < st->out_count; i++) {
        if (st->outs[i].is_url) {
            far[count++] = (struct urldep){.url = st->outs[i].path};
        }
    }
    if (urldep_read(c->store, c->arena, far, count, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < st->out_count; i++) {
        if (st->outs[i].is_url) {
            c->outs[i] = (far++)->now;
        }
    }
    return 0;
}

int commit_outs(struct commit *c, unsigned flags, struct err *e)
{
    const struct stage *st = c->stage;
    if (c->outs_stored) {
        return 0;
    }
    const char **defs = ARENA_ARRAY(c->arena, st->out_count, const char *);
    struct content **stored = ARENA_ARRAY(c->arena, st->out_count, struct content *);
    struct lock_item *items = ARENA_ARRAY(c->arena, st->out_count, struct lock_item);
    size_t store_count = 0, n = 0;
    look_at_outs(c, flags, defs);
    if (content_read(c->store, c->arena, c->outs, st->out_count, e) < 0 ||
        drop_legacy(c, c->outs, st->out_count, old_out, defs, e) < 0 ||
        look_at_far_outs(c, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < st->out_count; i++) {
        struct content *now = &c->outs[i];
        const struct lock_item *was = old_out(c, defs[i]);
        if ((flags & COMMIT_AS_RECORDED) && was) {
            now->hash.isexec = was->hash.isexec;
        }
        if (now->kind == CONTENT_MISSING && (flags & COMMIT_ALLOW_MISSING)) {
            continue;
        }
        if (check_inside(c, &st->outs[i], e) < 0 || check_found(c, now, "output", e) < 0) {
            return -1;
        }
        if (st->outs[i].cache && !now->legacy && !(flags & COMMIT_NO_CACHE)) {
            stored[store_count++] = now;
        }
    }
    if (store_contents(c->store, c->arena, stored, store_count, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < store_count && !(flags & COMMIT_NO_RELINK); i++) {
        if (relink(c->store, c->arena, stored[i], e) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < st->out_count; i++) {
        const struct lock_item *was = old_out(c, defs[i]);
        if (c->outs[i].kind != CONTENT_MISSING) {
            set_item(&items[n++], defs[i], &c->outs[i]);
        } else if (was) {
            items[n++] = *was;
        } else {
            items[n++] = (struct lock_item){defs[i], {.size = -1, .nfiles = -1}, NULL};
        }
    }
    c->entry->outs = items;
    c->entry->out_count = n;
    c->entry = lock_entry_copy(c->arena, c->entry);
    c->outs_stored = true;
    return 0;
}

/* ---- run cache ---- */

int commit_runcache(struct commit *c, bool after_run, struct err *e)
{
    const struct stage *st = c->stage;
    if (!(after_run ? runcache_savable : runcache_allowed)(c->store, st)) {
        return 0;
    }
    for (size_t i = 0; i < c->entry->out_count; i++) {
        if (!c->entry->outs[i].hash.md5) {
            return 0;
        }
    }
    /* uncached metrics and plots are kept too, so that a later run can be restored whole */
    struct content **extra = ARENA_ARRAY(c->arena, st->out_count, struct content *);
    size_t n = 0;
    for (size_t i = 0; c->outs && i < st->out_count; i++) {
        if (!st->outs[i].cache && c->outs[i].kind != CONTENT_MISSING) {
            extra[n++] = &c->outs[i];
        }
    }
    if (n && store_contents(c->store, c->arena, extra, n, e) < 0) {
        return -1;
    }
    return runcache_save(c->store, c->entry, e);
}

static bool inputs_equal(const struct lock_entry *a, const struct lock_entry *b)
{
    struct lock_entry x = *a, y = *b;
    x.outs = y.outs = NULL;
    x.out_count = y.out_count = 0;
    return lock_entry_eq(&x, &y);
}

/* The locked entry stands for its run while command, deps and params are what they were. */
static bool old_usable(const struct commit *c)
{
    if (!c->old || !inputs_equal(c->old, c->entry)) {
        return false;
    }
    for (size_t i = 0; i < c->stage->out_count; i++) {
        const struct lock_item *item = old_out(c, c->stage->outs[i].def);
        if (!item || !item->hash.md5) {
            return false;
        }
    }
    return true;
}

static int restore_outs(struct commit *c, const struct lock_entry *from, struct err *e)
{
    for (size_t i = 0; i < c->stage->out_count; i++) {
        const struct out *o = &c->stage->outs[i];
        const struct lock_item *item = lock_item_find(from->outs, from->out_count, o->def);
        if (checkout_hash(c->store, c->arena, o->path, &item->hash, !o->cache, e) < 0) {
            return -1;
        }
    }
    return 0;
}

int commit_restore(struct commit *c, bool use_runs, bool dry, bool *restored, struct err *e)
{
    *restored = false;
    if (!runcache_allowed(c->store, c->stage)) {
        return 0;
    }
    const struct lock_entry *from = old_usable(c) ? c->old : NULL;
    if (!from && use_runs) {
        struct err inner = ERR_INIT;
        from = runcache_find(c->store, c->arena, c->entry, &inner);
        if (!from && inner.code != ERR_NONE) {
            return err_set(e, inner.code, "%s", inner.text);
        }
    }
    if (!from || !runcache_complete(c->store, from)) {
        return 0;
    }
    for (size_t i = 0; i < c->stage->out_count; i++) {
        if (!lock_item_find(from->outs, from->out_count, c->stage->outs[i].def)) {
            return 0;
        }
    }
    if (!dry && restore_outs(c, from, e) < 0) {
        return -1;
    }
    struct lock_entry entry = *c->entry;
    entry.outs = from->outs;
    entry.out_count = from->out_count;
    c->entry = lock_entry_copy(c->arena, &entry);
    c->outs_stored = true;
    *restored = true;
    return 0;
}

/* ---- .gitignore ---- */

int commit_ignore(struct commit *c, struct err *e)
{
    struct repo *r = c->store->repo;
    for (size_t i = 0; i < c->stage->out_count; i++) {
        const struct out *o = &c->stage->outs[i];
        if (!o->cache || o->path[0] == '/' || r->no_scm || gitignore_ignored(r, o->path)) {
            continue;
        }
        if (scmindex_tracked(c->store, o->path)) {
            const char *name = shown(c, o->path);
            return err_set(e, ERR_USAGE,
                           " output '%s' is already tracked by SCM (e.g. Git).\n"
                           "    You can remove it from Git, then add to DVC.\n"
                           "        To stop tracking from Git:\n"
                           "            git rm -r --cached '%s'\n"
                           "            git commit -m \"stop tracking %s\" ",
                           name, name, name);
        }
        if (gitignore_add(r, o->path, NULL, e) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- before a run ---- */

int commit_clear_outs(struct store *s, struct arena *a, const struct stage *st, struct err *e)
{
    for (size_t i = 0; i < st->out_count; i++) {
        const struct out *o = &st->outs[i];
        const char *abs = repo_abs(s->repo, a, o->path);
        if (o->is_url && o->persist && !o->cache) {
            continue;
        }
        if (o->is_url) {
            return o->cache ? refuse_external(o->path, e)
                            : err_set(e, ERR_USAGE,
                                      "output '%s' is not of this machine and would be deleted "
                                      "before the run, "
                                      "which is not built in: give it `persist: true`",
                                      o->path);
        }
        if (!o->persist) {
            if (fs_remove_tree(abs, e) < 0) {
                return -1;
            }
        } else if (o->cache && fs_exists(abs) && cas_unprotect(s->cas, abs, e) < 0) {
            return -1;
        }
        if (fs_mkdirs_for(abs, e) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- `commit` ---- */

/* What DVC asks about: other content or missing, whatever the cache holds. */
static bool workspace_differs(const struct stale_report *r)
{
    if (r->changed_command || r->changed_checksum) {
        return true;
    }
    for (size_t i = 0; i < r->change_count; i++) {
        const struct stale_change *c = &r->changes[i];
        bool only_cache = c->where == STALE_OUT && c->word == STALE_NOT_IN_CACHE &&
                          c->now_hash.md5 && c->was_hash.md5 &&
                          !strcmp(c->now_hash.md5, c->was_hash.md5);
        if (!only_cache) {
            return true;
        }
    }
    return false;
}

static int refuse_changed(const struct stage *st, struct err *e)
{
    return err_set(e, ERR_BUSY, "unable to commit changed stage: '%s'. Use `-f|--force` to force.",
                   st->addr);
}

static int commit_pipeline_stage(struct store *s, struct arena *a, const struct stage *st,
                                 const struct commit_options *opt, bool save, struct err *e)
{
    unsigned flags =
        (opt->allow_missing ? COMMIT_ALLOW_MISSING : 0) | (opt->no_relink ? COMMIT_NO_RELINK : 0);
    struct lock *l = store_lock(s, st->file, e);
    if (!l) {
        return -1;
    }
    const unsigned as_recorded = save ? 0 : COMMIT_AS_RECORDED;
    const unsigned keep_inputs = as_recorded | COMMIT_ALLOW_MISSING | COMMIT_FEWER_PARAMS;
    struct commit c;
    const struct lock_entry *old = lock_find(l, st->name);
    commit_begin(&c, s, a, st, old);
    if (commit_deps(&c, flags | (save ? 0 : keep_inputs), e) < 0 ||
        commit_outs(&c, flags | as_recorded, e) < 0) {
        return -1;
    }
    if (save && commit_runcache(&c, false, e) < 0) {
        return -1;
    }
    if (save && (commit_ignore(&c, e) < 0 || gitignore_sync(s->repo, e) < 0)) {
        return -1;
    }
    lock_set(l, c.entry);
    return 0;
}

int commit_stage(struct store *s, struct arena *a, const struct stage *st,
                 const struct commit_options *opt, struct err *e)
{
    if (opt->data_only && st->name) {
        return 0;
    }
    bool save = opt->force;
    if (!opt->force) {
        struct stale_report r;
        const struct stale_options how = {.frozen_deps = true, .filter = opt->filter};
        if (stale_check(s, a, &st, 1, &how, &r, e) < 0) {
            return -1;
        }
        if (workspace_differs(&r)) {
            return refuse_changed(st, e);
        }
    }
    if (st->name) {
        return commit_pipeline_stage(s, a, st, opt, save, e);
    }
    unsigned flags =
        (opt->allow_missing ? COMMIT_ALLOW_MISSING : 0) | (opt->no_relink ? COMMIT_NO_RELINK : 0);
    return commit_source(s, a, st, flags | (save ? 0 : COMMIT_AS_RECORDED), opt->filter, NULL, e);
}

int commit_store_contents(struct store *s, struct arena *a, struct content **items, size_t count,
                          bool with_links, struct err *e)
{
    if (store_contents(s, a, items, count, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count && with_links; i++) {
        if (relink(s, a, items[i], e) < 0) {
            return -1;
        }
    }
    return 0;
}
