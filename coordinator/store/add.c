/* add: putting files and folders under DVC's care, see add.h. */
#include "add.h"

#include "cas.h"
#include "commit_private.h"
#include "content.h"
#include "dvcfile.h"
#include "err.h"
#include "fs.h"
#include "gitignore.h"
#include "ignore.h"
#include "path.h"
#include "repo.h"
#include "scmindex.h"
#include "store.h"
#include "toremote.h"
#include "value.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct adder {
    struct store *s;
    struct arena *a;
    const struct pipeline *p;
    const struct add_options *opt;
    struct add_result *r;
};

static const char *shown(const struct adder *ad, const char *path)
{
    return store_show(ad->s, ad->a, path);
}

/* What tracks `path` already: the stage of an out that is it or holds it. */
static const struct stage *find_owner(const struct adder *ad, const char *path, size_t *out)
{
    for (size_t i = 0; i < ad->p->stage_count; i++) {
        const struct stage *st = &ad->p->stages[i];
        for (size_t k = 0; k < st->out_count; k++) {
            if (path_inside(st->outs[k].path, path)) {
                *out = k;
                return st;
            }
        }
    }
    return NULL;
}

/* An out below `path` would be tracked twice. */
static int check_children(const struct adder *ad, const char *path, struct err *e)
{
    for (size_t i = 0; i < ad->p->stage_count; i++) {
        const struct stage *st = &ad->p->stages[i];
        for (size_t k = 0; k < st->out_count; k++) {
            if (!path_inside(path, st->outs[k].path)) {
                continue;
            }
            const char *parent = shown(ad, path), *out = shown(ad, st->outs[k].path);
            return err_set(e, ERR_USAGE,
                           "Cannot add '%s', because it is overlapping with other DVC tracked "
                           "output: '%s'.\nTo include '%s' in '%s', run 'dvc remove %s' and then "
                           "'dvc add %s'",
                           parent, out, out, parent, st->addr, parent);
        }
    }
    return 0;
}

/* A folder on the way that is a link: what it holds does not belong to this repository's tree. */
static bool below_symlink(const struct adder *ad, const char *path)
{
    char *dir = path_dirname(ad->a, path);
    while (strcmp(dir, ".") != 0 && strcmp(dir, "/") != 0) {
        struct stat st;
        if (lstat(repo_abs(ad->s->repo, ad->a, dir), &st) == 0 && S_ISLNK(st.st_mode)) {
            return true;
        }
        dir = path_dirname(ad->a, dir);
    }
    return false;
}

static bool is_dvc_file(const char *path)
{
    const char *base = path_basename(path);
    size_t n = strlen(base);
    return !strcmp(base, "dvc.yaml") || !strcmp(base, "Dvcfile") ||
           (n > 4 && !strcmp(base + n - 4, ".dvc"));
}

static int check_ignored(const struct adder *ad, const char *path, struct err *e)
{
    const struct repo *r = ad->s->repo;
    const struct ignore_rule **rules;
    size_t count = 0;
    bool is_dir = fs_is_dir(repo_abs(r, ad->a, path));
    if (!store_ignored(ad->s, path, is_dir)) {
        return 0;
    }
    ignore_explain(r->ignore, path, is_dir, ad->a, &rules, &count);
    return err_set(e, ERR_USAGE, "Path '%s' is ignored by %s", repo_abs(r, ad->a, path),
                   count ? rules[count - 1]->origin : ".dvcignore");
}

static int check_new(const struct adder *ad, const char *path, struct err *e)
{
    if (is_dvc_file(path)) {
        return err_set(e, ERR_USAGE, "DVC file '%s' cannot be an output.", shown(ad, path));
    }
    if (path[0] == '/' || !strcmp(path, ".") || !strncmp(path, "..", 2)) {
        return err_set(e, ERR_USAGE,
                       "Cached output(s) outside of DVC project: %s. See "
                       "<https://dvc.org/doc/user-guide/data-management/importing-external-data> "
                       "for more info.",
                       shown(ad, path));
    }
    if (below_symlink(ad, path)) {
        return err_set(e, ERR_USAGE,
                       "Cannot add files inside symlinked directories to DVC. See "
                       "<https://dvc.org/doc/user-guide/troubleshooting#add-symlink> for more "
                       "information.");
    }
    if (check_ignored(ad, path, e) < 0 || check_children(ad, path, e) < 0) {
        return -1;
    }
    return 0;
}

static int ignore_in_git(const struct adder *ad, const char *path, struct err *e)
{
    struct stage st = {.name = NULL};
    struct out o = {.def = path, .path = path, .cache = true};
    st.outs = &o;
    st.out_count = 1;
    struct commit c;
    commit_begin(&c, ad->s, ad->a, &st, NULL);
    return commit_ignore(&c, e) < 0 ? -1 : gitignore_sync(ad->s->repo, e);
}

static unsigned flags_of(const struct adder *ad)
{
    return (ad->opt->no_commit ? COMMIT_NO_CACHE : 0) | (ad->opt->no_relink ? COMMIT_NO_RELINK : 0);
}

static void keep_result(struct adder *ad, const char *file)
{
    for (size_t i = 0; i < ad->r->file_count; i++) {
        if (!strcmp(ad->r->files[i], file)) {
            return;
        }
    }
    ad->r->files[ad->r->file_count++] = file;
}

static int write_file(const struct adder *ad, const char *file, const char *path,
                      const struct hash *hash, struct err *e)
{
    const char *abs = repo_abs(ad->s->repo, ad->a, file);
    struct strbuf text;
    strbuf_init(&text);
    dvcfile_new(&text, path_basename(path), hash);
    int rc = fs_write_if_changed(abs, text.p, text.n, NULL, e);
    strbuf_release(&text);
    return rc;
}

static int not_there(const struct adder *ad, const char *path, struct err *e)
{
    return err_set(e, ERR_MISSING,
                   "output '%s' does not exist: [Errno 2] No such file or directory: '%s'",
                   shown(ad, path), repo_abs(ad->s->repo, ad->a, path));
}

static int add_new(struct adder *ad, const char *path, struct err *e)
{
    struct content now;
    if (!fs_exists(repo_abs(ad->s->repo, ad->a, path))) {
        return not_there(ad, path, e);
    }
    /* refused before anything is stored */
    if (scmindex_tracked(ad->s, path)) {
        return ignore_in_git(ad, path, e);
    }
    if (commit_data(ad->s, ad->a, path, flags_of(ad), &now, e) < 0 ||
        ignore_in_git(ad, path, e) < 0) {
        return -1;
    }
    const char *file = arena_printf(ad->a, "%s.dvc", path);
    keep_result(ad, file);
    return write_file(ad, file, path, &now.hash, e);
}

/* What a stage makes is not added; asked of all targets before the first is. */
static int check_owner(struct adder *ad, const char *path, struct err *e)
{
    size_t out;
    const struct stage *owner = find_owner(ad, path, &out);
    const char *dir = repo_abs(ad->s->repo, ad->a, path_dirname(ad->a, path));
    if (!owner && path[0] != '/' && !fs_exists(dir)) {
        return err_set(e, ERR_MISSING, "stage working dir '%s' does not exist", dir);
    }
    if (!owner || is_dvc_file(path) || !owner->name) {
        return 0;
    }
    return err_set(e, ERR_USAGE,
                   "cannot update '%s': overlaps with an output of stage: '%s' in '%s'.\n"
                   "Run the pipeline or use 'dvc commit' to force update it.",
                   path_basename(path), owner->addr, shown(ad, owner->file));
}

static int add_target(struct adder *ad, const char *path, struct err *e)
{
    size_t out;
    const struct stage *owner = find_owner(ad, path, &out);
    if (!owner || is_dvc_file(path)) {
        return check_new(ad, path, e) < 0 ? -1 : add_new(ad, path, e);
    }
    if (!strcmp(path, owner->outs[out].path) && !fs_exists(repo_abs(ad->s->repo, ad->a, path))) {
        return not_there(ad, path, e);
    }
    keep_result(ad, owner->file);
    return commit_source(ad->s, ad->a, owner, flags_of(ad), path, NULL, e);
}

/* ---- -o ---- */

static int add_copy(struct adder *ad, const char *typed, struct err *e)
{
    const struct repo *r = ad->s->repo;
    const char *path = repo_path(r, ad->a, ad->opt->out);
    const char *from = repo_abs(r, ad->a, repo_path(r, ad->a, typed));
    const char *to = repo_abs(r, ad->a, path);
    if (fs_is_dir(to)) {
        path = path_join(ad->a, path, path_basename(from));
        to = repo_abs(r, ad->a, path);
    }
    if (fs_exists(to) && !ad->opt->force) {
        return err_set(e, ERR_USAGE, "The file '%s' already exists locally.", shown(ad, path));
    }
    if (check_new(ad, path, e) < 0) {
        return -1;
    }
    if (!fs_exists(from)) {
        return err_set(e, ERR_MISSING, "[Errno 2] No such file or directory: '%s'", from);
    }
    if (path_inside(from, to)) {
        return err_set(e, ERR_USAGE, "'%s' lies inside of '%s'", shown(ad, path), typed);
    }
    if (fs_remove_tree(to, e) < 0 || fs_mkdirs_for(to, e) < 0) {
        return -1;
    }
    return fs_copy_tree(from, to, e) < 0 ? -1 : add_new(ad, path, e);
}

/* ---- --to-remote ---- */

static int add_remotely(struct adder *ad, const char *typed, struct err *e)
{
    const struct repo *r = ad->s->repo;
    const char *from = repo_abs(r, ad->a, repo_path(r, ad->a, typed));
    const char *path = repo_path(r, ad->a, ad->opt->out ? ad->opt->out : path_basename(from));
    struct hash hash;
    if (fs_is_dir(repo_abs(r, ad->a, path)) && ad->opt->out) {
        path = path_join(ad->a, path, path_basename(from));
    }
    if (check_new(ad, path, e) < 0) {
        return -1;
    }
    if (!fs_exists(from)) {
        return err_set(e, ERR_MISSING, "[Errno 2] No such file or directory: '%s'", from);
    }
    if (toremote_put(ad->s, ad->a, from, ad->opt->remote, &hash, e) < 0) {
        return -1;
    }
    const char *file = arena_printf(ad->a, "%s.dvc", path);
    keep_result(ad, file);
    return write_file(ad, file, path, &hash, e);
}

/* ---- --glob ---- */

struct glob {
    struct arena *a;
    const char *pattern;
    const char **found;
    size_t count, capacity;
};

static int glob_entry(void *ctx, const struct fs_entry *entry, struct err *e)
{
    struct glob *g = ctx;
    const char *base = path_basename(entry->path);
    if (!strcmp(base, ".git") || !strcmp(base, ".dvc")) {
        return 1;
    }
    if (fnmatch(g->pattern, entry->path, FNM_PATHNAME | FNM_PERIOD) == 0) {
        if (g->count == g->capacity) {
            size_t capacity = g->capacity ? g->capacity * 2 : 16;
            const char **found = ARENA_ARRAY(g->a, capacity, const char *);
            if (g->count) {
                memcpy(found, g->found, g->count * sizeof(*found));
            }
            g->found = found;
            g->capacity = capacity;
        }
        g->found[g->count++] = arena_strdup(g->a, entry->path);
    }
    return 0;
}

/* As DVC: an error only when no pattern at all matches; it shows the list as Python does. */
static int no_match(struct adder *ad, const char *const *targets, size_t count, struct err *e)
{
    struct value *list = value_list(ad->a);
    struct strbuf text;
    strbuf_init(&text);
    for (size_t i = 0; i < count; i++) {
        value_push(ad->a, list, value_cstr(ad->a, targets[i]));
    }
    value_repr(&text, list);
    err_set(e, ERR_MISSING, "Glob %s has no matches.", text.p);
    strbuf_release(&text);
    return -1;
}

static int expand(struct adder *ad, const char *const **targets, size_t *count, struct err *e)
{
    struct glob g = {.a = ad->a};
    const char *here = repo_abs(ad->s->repo, ad->a, ad->s->repo->prefix);
    for (size_t i = 0; i < *count; i++) {
        g.pattern = (*targets)[i];
        if (fs_walk(here, glob_entry, &g, e) < 0) {
            return -1;
        }
    }
    if (g.count == 0) {
        return no_match(ad, *targets, *count, e);
    }
    *targets = g.found;
    *count = g.count;
    return 0;
}

int add_run(struct store *s, struct arena *a, const struct pipeline *p, const char *const *targets,
            size_t count, const struct add_options *opt, struct add_result *r, struct err *e)
{
    static const struct add_options none = {0};
    struct adder ad = {s, a, p, opt ? opt : &none, r};
    memset(r, 0, sizeof(*r));
    if (ad.opt->glob && expand(&ad, &targets, &count, e) < 0) {
        return -1;
    }
    r->files = ARENA_ARRAY(a, count + 1, const char *);
    if (ad.opt->to_remote) {
        return count == 1
                   ? add_remotely(&ad, targets[0], e)
                   : err_set(e, ERR_USAGE, "multiple targets can't be used with --to-remote");
    }
    if (ad.opt->out) {
        return count == 1 ? add_copy(&ad, targets[0], e)
                          : err_set(e, ERR_USAGE, "multiple targets can't be used with --out");
    }
    const char **paths = ARENA_ARRAY(a, count + 1, const char *);
    for (size_t i = 0; i < count; i++) {
        paths[i] = repo_path(s->repo, a, targets[i]);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(paths[k], paths[i]) != 0 &&
                (path_inside(paths[k], paths[i]) || path_inside(paths[i], paths[k]))) {
                return err_set(e, ERR_USAGE,
                               "Cannot add '%s', because it is overlapping with other DVC tracked "
                               "output: '%s'.",
                               shown(&ad, paths[i]), shown(&ad, paths[k]));
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (check_owner(&ad, paths[i], e) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (add_target(&ad, paths[i], e) < 0) {
            return -1;
        }
    }
    return 0;
}
