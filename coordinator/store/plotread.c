/* See plotread.h. */
#include "plotread.h"

#include "cas.h"
#include "dirobj.h"
#include "err.h"
#include "fs.h"
#include "git.h"
#include "path.h"
#include "pipeline.h"
#include "plotfile.h"
#include "repo.h"
#include "revision.h"
#include "revwalk.h"
#include "store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)64 << 20)

/* One revision, while it is read. */
struct reader {
    struct store *s;
    struct arena *a;
    const struct repo *repo; /* of the workspace, or a view */
    const struct pipeline *pipeline;
    const struct plotread *what;
};

/* ---- files, wherever they are ---- */

static bool on_disk(const struct reader *r, const char *path)
{
    return r->repo->files == NULL && fs_exists(repo_abs(r->repo, r->a, path));
}

/* The output that is `path` or holds it, and what is recorded of it; false: none. */
static bool find_recorded(const struct reader *r, const char *path, const struct out **out,
                          struct hash *hash)
{
    for (size_t i = 0; i < r->pipeline->stage_count; i++) {
        const struct stage *st = &r->pipeline->stages[i];
        for (size_t k = 0; k < st->out_count; k++) {
            if (path_inside(st->outs[k].path, path)) {
                *out = &st->outs[k];
                *hash = (struct hash){0};
                return store_recorded(r->s, st, k, hash, NULL) == 0;
            }
        }
    }
    return false;
}

static int read_dir(const struct reader *r, const struct hash *hash, struct dirobj *tree)
{
    dirobj_init(tree);
    return cas_read_dir(r->s->cas, r->a, (struct cas_id){hash->md5, hash->legacy}, tree, NULL);
}

/* From the cache. ERR_MISSING with the words DVC has for it. */
static int read_cached(const struct reader *r, const char *path, struct strbuf *out, struct err *e)
{
    const struct out *o;
    struct hash hash;
    if (!find_recorded(r, path, &o, &hash)) {
        return err_set(e, ERR_MISSING, "[Errno 2] No such file or directory: '%s'", path);
    }
    struct cas_id id = {hash.md5, hash.legacy};
    if (hash.md5 && strcmp(o->path, path) != 0) {
        struct dirobj tree;
        const struct dirobj_item *item = NULL;
        bool listed = str_ends(str_from(hash.md5), ".dir");
        if (listed && read_dir(r, &hash, &tree) < 0) {
            return dirobj_unlisted(o->path, e);
        }
        item = listed ? dirobj_find(&tree, path + strlen(o->path) + 1) : NULL;
        id.md5 = item ? item->md5 : NULL;
    }
    if (!id.md5 || !cas_md5_valid(id.md5) || !cas_has(r->s->cas, id, false)) {
        return err_set(e, ERR_MISSING, "[Errno 2] %s: '%s'",
                       o->cache ? "No storage files available" : "No such file or directory", path);
    }
    return fs_read(cas_object_path(r->s->cas, r->a, id), FILE_MAX, out, e);
}

static int read_file(const struct reader *r, const char *path, struct strbuf *out, struct err *e)
{
    if (on_disk(r, path)) {
        return fs_read(repo_abs(r->repo, r->a, path), FILE_MAX, out, e);
    }
    struct err why = ERR_INIT;
    if (r->repo->files && repo_read(r->repo, path, FILE_MAX, out, &why) == 0) {
        return 0;
    }
    if (r->repo->files && why.code != ERR_MISSING) {
        return err_set(e, why.code, "%s", why.text);
    }
    return read_cached(r, path, out, e);
}

/* ---- folders ---- */

struct listing {
    const struct reader *r;
    struct value *found; /* shown paths */
    const char *dir;     /* repo path */
};

static void list_add(const struct listing *l, const char *path)
{
    value_push(l->r->a, l->found, value_cstr(l->r->a, repo_show(l->r->repo, l->r->a, path)));
}

static int list_entry(void *ctx, const struct fs_entry *entry, struct err *e)
{
    struct listing *l = ctx;
    (void)e;
    if (S_ISREG(entry->st.st_mode)) {
        list_add(l, path_join(l->r->a, l->dir, entry->path));
    }
    return 0;
}

static void list_git(void *ctx, const char *name, bool is_dir)
{
    struct listing *l = ctx;
    struct listing below = *l;
    below.dir = path_join(l->r->a, l->dir, name);
    if (!is_dir) {
        list_add(l, below.dir);
        return;
    }
    const struct repo_files *files = l->r->repo->files;
    (void)files->list(files->ctx, below.dir, list_git, &below, NULL);
}

static bool list_cached(const struct listing *l)
{
    const struct out *o;
    struct hash hash;
    struct dirobj tree;
    if (!find_recorded(l->r, l->dir, &o, &hash) || !hash.md5 ||
        !str_ends(str_from(hash.md5), ".dir")) {
        return false;
    }
    if (read_dir(l->r, &hash, &tree) < 0) {
        return strcmp(o->path, l->dir) == 0; /* a folder, nobody knows of what */
    }
    for (size_t i = 0; i < tree.count; i++) {
        const char *path = path_join(l->r->a, o->path, tree.items[i].relpath);
        if (path_inside(l->dir, path) && strcmp(l->dir, path) != 0) {
            list_add(l, path);
        }
    }
    return l->found->list.count > 0;
}

static struct value *list_members(void *ctx, const char *shown)
{
    const struct reader *r = ctx;
    const struct repo_files *files = r->repo->files;
    struct listing l = {.r = r, .found = value_list(r->a), .dir = repo_path(r->repo, r->a, shown)};
    const char *abs = repo_abs(r->repo, r->a, l.dir);
    bool is_dir = false;
    if (files == NULL && fs_exists(abs)) {
        is_dir = fs_is_dir(abs) && fs_walk(abs, list_entry, &l, NULL) == 0;
    } else if (files && files->is_dir(files->ctx, l.dir)) {
        is_dir = files->list(files->ctx, l.dir, list_git, &l, NULL) == 0;
    } else {
        is_dir = list_cached(&l);
    }
    plots_sort(l.found);
    return is_dir ? l.found : NULL;
}

static bool target_exists(void *ctx, const char *shown)
{
    const struct reader *r = ctx;
    const char *path = repo_path(r->repo, r->a, shown);
    struct strbuf text;
    strbuf_init(&text);
    bool found = on_disk(r, path) || read_file(r, path, &text, NULL) == 0 ||
                 list_members(ctx, shown) != NULL;
    strbuf_release(&text);
    return found;
}

/* ---- revisions ---- */

/* What DVC calls the exception. */
static const char *error_type(const struct err *e, const char *path)
{
    const char *ext = path_extension(path);
    if (e->detail == ENODATA) {
        return "DataIndexDirError";
    }
    if (e->code == ERR_MISSING) {
        return "FileNotFoundError";
    }
    if (strcmp(ext, ".json") == 0) {
        return "JSONFileCorruptedError";
    }
    return strcmp(ext, ".yaml") == 0 || strcmp(ext, ".yml") == 0 ? "YAMLFileCorruptedError"
                                                                 : "PlotMetricTypeError";
}

/* A csv file has a header unless its output, or the command line, says no. */
static bool has_header(const struct reader *r, const char *path)
{
    const struct value *v = value_get(r->what->props, "header");
    for (size_t i = 0; !v && i < r->pipeline->stage_count; i++) {
        const struct stage *st = &r->pipeline->stages[i];
        for (size_t k = 0; !v && k < st->out_count; k++) {
            v = strcmp(st->outs[k].path, path) == 0 ? value_get(st->outs[k].flags, "header") : NULL;
        }
    }
    return !v || v->type != VALUE_BOOL || v->b;
}

static struct value *read_source(const struct reader *r, const char *shown)
{
    struct value *entry = value_map(r->a), *doc = NULL;
    struct err why = ERR_INIT;
    struct strbuf text;
    const char *path = repo_path(r->repo, r->a, shown);
    strbuf_init(&text);
    if (read_file(r, path, &text, &why) == 0) {
        doc = plotfile_parse(r->a, strbuf_str(&text), shown, has_header(r, path), &why);
    }
    strbuf_release(&text);
    if (doc) {
        value_set(r->a, entry, "data", doc);
        return entry;
    }
    struct value *error = value_map(r->a);
    value_set(r->a, error, "type", value_cstr(r->a, error_type(&why, shown)));
    value_set(r->a, error, "msg", value_cstr(r->a, why.text));
    value_set(r->a, entry, "error", error);
    return entry;
}

static void read_revision(const struct reader *r, struct plot_revision *rev)
{
    const struct plots_request req = {.targets = r->what->targets,
                                      .target_count = r->what->target_count,
                                      .props = r->what->props,
                                      .list = list_members,
                                      .exists = target_exists,
                                      .ctx = (void *)r};
    rev->defs = plots_define(r->a, r->repo, r->pipeline, &req);
    rev->files = plots_sources(r->a, rev->defs);
    for (size_t i = 0; i < rev->files->map.count; i++) {
        struct value_pair *pair = &rev->files->map.pairs[i];
        pair->val = read_source(r, value_as_str(pair->key).p);
    }
}

struct visit {
    struct reader base;
    struct plot_revision *rev;
};

static int visit_revision(void *ctx, const struct revwalk_view *view, struct err *e)
{
    struct visit *v = ctx;
    struct reader r = v->base;
    (void)e;
    r.repo = &view->repo;
    r.pipeline = &view->pipeline;
    read_revision(&r, v->rev);
    return 0;
}

int plotread_revisions(struct store *s, struct arena *a, const struct pipeline *p,
                       const struct plotread *what, struct plot_revision **revs, size_t *count,
                       struct err *e)
{
    const struct reader r = {.s = s, .a = a, .repo = s->repo, .pipeline = p, .what = what};
    *revs = ARENA_ARRAY(a, what->rev_count + 1, struct plot_revision);
    *count = 0;
    for (size_t i = 0; *count == 0 && i < what->rev_count; i++) {
        if (strcmp(what->revs[i], "workspace") == 0) {
            (*revs)[*count].name = "workspace";
            read_revision(&r, &(*revs)[(*count)++]);
        }
    }
    for (size_t i = 0; i < what->rev_count; i++) {
        char commit[65];
        struct visit v = {.base = r, .rev = &(*revs)[*count]};
        if (strcmp(what->revs[i], "workspace") == 0) {
            continue;
        }
        v.rev->name = what->revs[i];
        if (git_rev_parse(s->repo, what->revs[i], commit, e) < 0) {
            return -1;
        }
        const struct revision one = {.commit = commit, .names = what->revs[i]};
        if (revwalk_each(s, &one, 1, REVWALK_STRICT, visit_revision, &v, e) < 0) {
            return -1;
        }
        *count += v.rev->defs != NULL;
    }
    return 0;
}
