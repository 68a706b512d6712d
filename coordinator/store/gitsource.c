/* gitsource: other repositories, what is in them and how it gets here; see gitsource.h. */
#include "gitsource.h"

#include "alloc.h"
#include "cas.h"
#include "config.h"
#include "dataindex.h"
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "git.h"
#include "gitfiles.h"
#include "gitignore.h"
#include "ignore.h"
#include "path.h"
#include "proc.h"
#include "remote.h"
#include "revision.h"
#include "revwalk.h"
#include "store.h"
#include "str.h"
#include "value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- opening ---- */

/* A folder without .dvc: all that git and the file system say of it. */
static int open_plain(struct repo *r, const char *dir, struct err *e)
{
    *r = (struct repo){0};
    arena_init(&r->arena);
    r->root = path_absolute(&r->arena, path_cwd(&r->arena), dir);
    r->dvc_dir = path_join(&r->arena, r->root, ".dvc");
    r->tmp_dir = path_join(&r->arena, r->dvc_dir, "tmp");
    r->prefix = ".";
    r->scm_root = git_find_root(&r->arena, r->root);
    r->no_scm = r->scm_root == NULL;
    r->config = config_open(NULL, e);
    r->ignore = ignore_new(r->root);
    gitignore_init(r);
    if (!r->config) {
        repo_close(r);
        return -1;
    }
    return 0;
}

static int open_folder(struct gitsource *g, const char *dir, struct err *e)
{
    const char *abs = path_absolute(g->arena, path_cwd(g->arena), dir);
    g->has_dvc = fs_is_dir(path_join(g->arena, abs, ".dvc"));
    return g->has_dvc ? repo_open(&g->repo, abs, e) : open_plain(&g->repo, abs, e);
}

static int clone(struct gitsource *g, struct err *e)
{
    const char *tmp = getenv("TMPDIR");
    char *dir = arena_printf(g->arena, "%s/nephron-clone-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(dir)) {
        return err_sys(e, "cannot make a folder like %s", dir);
    }
    g->clone = dir;
    struct strbuf words;
    struct proc_status st;
    strbuf_init(&words);
    const char *argv[] = {"git", "clone", "-q", "--", g->url, dir, NULL};
    const struct proc_options opt = {.argv = argv, .stdin_fd = PROC_NULL};
    int rc = proc_capture(&opt, NULL, &words, &st, e);
    if (rc == 0 && proc_exit_code(&st) != 0) {
        struct str w = str_trim(strbuf_str(&words));
        rc = err_set(e, ERR_REMOTE, "SCM error: Failed to clone repo '%s' to '%s': %.*s", g->url,
                     dir, STR_ARG(w));
    }
    strbuf_release(&words);
    return rc;
}

static int find_commit(struct gitsource *g, const char *rev, struct err *e)
{
    struct err why = ERR_INIT;
    if (git_rev_parse(&g->repo, rev, g->commit, &why) == 0 ||
        git_rev_parse(&g->repo, arena_printf(g->arena, "origin/%s", rev), g->commit, NULL) == 0) {
        return 0;
    }
    return err_set(e, ERR_MISSING, "unknown Git revision '%s'", rev);
}

int gitsource_open(struct arena *a, const char *url, const char *rev, struct gitsource *g,
                   struct err *e)
{
    *g = (struct gitsource){.arena = a, .url = url, .rev = rev};
    bool folder = strstr(url, "://") == NULL && fs_is_dir(url);
    if (!folder && clone(g, e) < 0) {
        gitsource_close(g);
        return -1;
    }
    if (open_folder(g, folder ? url : g->clone, e) < 0) {
        g->repo.root = NULL;
        gitsource_close(g);
        return -1;
    }
    if (!folder && !rev) {
        g->rev = "HEAD";
    }
    if (g->rev && find_commit(g, g->rev, e) < 0) {
        gitsource_close(g);
        return -1;
    }
    return 0;
}

void gitsource_close(struct gitsource *g)
{
    if (g->repo.root) {
        repo_close(&g->repo);
    }
    if (g->clone) {
        fs_remove_tree(g->clone, NULL);
    }
    g->clone = NULL;
    g->repo.root = NULL;
}

/* ---- what is in it ---- */

struct gitsource_entry *gitsource_list_add(struct arena *a, struct gitsource_list *l,
                                           const struct gitsource_entry *entry)
{
    if (l->count == l->capacity) {
        size_t capacity = l->capacity ? l->capacity * 2 : 64;
        struct gitsource_entry *items = ARENA_ARRAY(a, capacity, struct gitsource_entry);
        if (l->count) {
            memcpy(items, l->items, l->count * sizeof(*items));
        }
        l->items = items;
        l->capacity = capacity;
    }
    l->items[l->count] = *entry;
    l->items[l->count].path = arena_strdup(a, entry->path);
    return &l->items[l->count++];
}

static struct gitsource_entry *add_entry(struct gitsource *g, struct gitsource_list *l,
                                         const char *path)
{
    return gitsource_list_add(g->arena, l, &(struct gitsource_entry){.path = path, .size = -1});
}

struct reading {
    struct gitsource *g;
    struct gitsource_list *list;
    struct store *s;
    struct dataindex index;
    struct value *remotes; /* out path -> its own remote */
};

/* The size of a member: of the file, else of the object. */
static int64_t size_of(const struct reading *x, const struct dataindex_entry *en)
{
    struct stat st;
    struct arena *a = x->g->arena;
    if (!x->g->rev && stat(repo_abs(&x->g->repo, a, en->path), &st) == 0) {
        return st.st_size;
    }
    if (en->is_out || !en->md5) {
        return en->size;
    }
    const char *object = cas_object_path(x->s->cas, a, (struct cas_id){en->md5, en->legacy});
    return stat(object, &st) == 0 ? st.st_size : -1;
}

static int read_outs(struct reading *x, const struct pipeline *p, struct err *e)
{
    if (dataindex_recorded(x->s, x->g->arena, p, &x->index, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < p->stage_count; i++) {
        for (size_t k = 0; k < p->stages[i].out_count; k++) {
            const struct out *o = &p->stages[i].outs[k];
            if (o->remote) {
                value_set(x->g->arena, x->remotes, o->path, value_cstr(x->g->arena, o->remote));
            }
        }
    }
    const char *remote = NULL;
    for (size_t i = 0; i < x->index.count; i++) {
        const struct dataindex_entry *en = &x->index.items[i];
        struct stat st;
        bool there = !x->g->rev && stat(repo_abs(&x->g->repo, x->g->arena, en->path), &st) == 0;
        if (en->is_out) {
            struct str own = value_as_str(value_get(x->remotes, en->path));
            remote = own.n > 0 ? own.p : NULL;
        }
        if (!en->md5 && !there) {
            continue;
        }
        struct gitsource_entry *f = add_entry(x->g, x->list, en->path);
        f->is_out = true;
        f->is_dir = en->is_dir || (there && S_ISDIR(st.st_mode));
        f->isexec = en->is_out && !f->is_dir && (there ? (st.st_mode & S_IXUSR) != 0 : en->isexec);
        f->legacy = en->legacy;
        f->unread = en->unread && !there;
        f->md5 = en->md5;
        f->size = size_of(x, en);
        f->remote = remote;
    }
    return 0;
}

static int visit_revision(void *ctx, const struct revwalk_view *view, struct err *e)
{
    return read_outs(ctx, &view->pipeline, e);
}

static bool is_hidden(const char *path)
{
    return strncmp(path, ".dvc/", 5) == 0 || strcmp(path, ".dvc") == 0 ||
           strncmp(path, ".git/", 5) == 0 || strcmp(path, ".git") == 0;
}

/* A file that git has, or that lies about, but for outs. */
static void add_file(struct reading *x, const char *path, int64_t size, bool isexec)
{
    const struct dataindex_entry *en = dataindex_find(&x->index, path);
    if (!is_hidden(path) && !en) {
        struct gitsource_entry *f = add_entry(x->g, x->list, path);
        f->size = size;
        f->isexec = isexec;
    }
}

static int walk_entry(void *ctx, const struct fs_entry *entry, struct err *e)
{
    struct reading *x = ctx;
    (void)e;
    bool dir = S_ISDIR(entry->st.st_mode);
    if (is_hidden(entry->path) || ignore_match_entry(x->g->repo.ignore, entry->path, dir)) {
        return 1;
    }
    const struct dataindex_entry *en = dataindex_find(&x->index, entry->path);
    if (dir) {
        return en && en->is_out ? 1 : 0;
    }
    add_file(x, entry->path, entry->st.st_size, (entry->st.st_mode & S_IXUSR) != 0);
    return 0;
}

/* "100644 blob OID      SIZE\tPATH" */
static int read_tree(struct reading *x, struct err *e)
{
    struct strbuf out;
    strbuf_init(&out);
    const char *args[] = {"ls-tree", "-r", "-l", "-z", x->g->commit, NULL};
    int rc = git_run(&x->g->repo, args, &out, e);
    struct str rest = strbuf_str(&out), item;
    while (rc == 0 && rest.n > 0 && str_split(&rest, '\0', &item)) {
        const char *tab = item.n > 0 ? memchr(item.p, '\t', item.n) : NULL;
        if (!tab || !str_starts(item, "100")) {
            continue;
        }
        const char *blank = tab;
        while (blank > item.p && blank[-1] != ' ') {
            blank--;
        }
        add_file(x, tab + 1, strtoll(blank, NULL, 10), str_starts(item, "100755"));
    }
    strbuf_release(&out);
    return rc;
}

static int by_path(const void *a, const void *b)
{
    const struct gitsource_entry *x = a, *y = b;
    return dataindex_compare(x->path, y->path);
}

static int read_all(struct reading *x, struct err *e)
{
    struct gitsource *g = x->g;
    if (g->rev) {
        const struct revision one = {.commit = g->commit, .names = g->rev};
        return revwalk_each(x->s, &one, 1, REVWALK_STRICT, visit_revision, x, e) < 0
                   ? -1
                   : read_tree(x, e);
    }
    struct pipeline p;
    if (pipeline_load(&p, &g->repo, e) < 0) {
        return -1;
    }
    int rc = read_outs(x, &p, e);
    pipeline_release(&p);
    return rc < 0 ? -1 : fs_walk(g->repo.root, walk_entry, x, e);
}

static struct store *open_store(struct gitsource *g, struct err *e)
{
    return store_open(&g->repo, &(struct store_options){.no_state = true}, e);
}

int gitsource_files(struct gitsource *g, struct gitsource_list *list, struct err *e)
{
    *list = (struct gitsource_list){0};
    struct reading x = {.g = g, .list = list, .remotes = value_map(g->arena)};
    x.index = (struct dataindex){.arena = g->arena};
    x.s = open_store(g, e);
    int rc = x.s ? read_all(&x, e) : -1;
    store_close(x.s);
    if (list->count) {
        qsort(list->items, list->count, sizeof(*list->items), by_path);
    }
    return rc;
}

/* ---- copying ---- */

static int check_digest(const char *path, const char *md5, struct err *e)
{
    char hex[DIGEST_HEX_SIZE];
    if (digest_file(DIGEST_MD5, path, hex, NULL, e) < 0) {
        return -1;
    }
    return strncmp(hex, md5, 32) == 0
               ? 0
               : err_set(e, ERR_REMOTE, "object %s has other content: its md5 is %.32s", md5, hex);
}

struct copying {
    struct gitsource *g;
    struct store *s;
    struct remote remote; /* opened when first needed; ops NULL: not yet */
};

static int copy_from_remote(struct copying *c, const struct gitsource_entry *f, const char *to,
                            struct err *e)
{
    char path[64];
    struct remote own = {0}, *r = &c->remote;
    const char *name = f->remote && !c->g->remote ? f->remote : NULL;
    if (name && remote_open(&own, c->s, c->g->arena, name, e) < 0) {
        return -1;
    }
    if (!name && !r->ops && remote_open(r, c->s, c->g->arena, c->g->remote, e) < 0) {
        return -1;
    }
    r = name ? &own : r;
    remote_object_path(path, (struct cas_id){f->md5, f->legacy});
    int rc = r->ops->get(r->ctx, path, to, e);
    if (rc == 0 && !f->legacy) {
        rc = check_digest(to, f->md5, e);
    }
    /* readable as new files are */
    mode_t mask = umask(0);
    umask(mask);
    if (rc == 0 && chmod(to, 0666 & ~mask) < 0) {
        rc = err_sys(e, "cannot set the mode of '%s'", to);
    }
    if (name) {
        remote_close(&own);
    }
    return rc;
}

static int copy_blob(struct copying *c, const struct gitsource_entry *f, const char *to,
                     struct err *e)
{
    struct strbuf text;
    strbuf_init(&text);
    int rc = git_show(&c->g->repo, c->g->commit, f->path, &text, e);
    if (rc == 0) {
        rc = fs_write_atomic(to, text.p, text.n, 0, e);
    }
    strbuf_release(&text);
    return rc;
}

/* As DVC: what lies in the work tree, else the cache, else the remote. */
static int copy_file(struct copying *c, const struct gitsource_entry *f, const char *to,
                     struct err *e)
{
    const char *here = repo_abs(&c->g->repo, c->g->arena, f->path);
    if (fs_mkdirs_for(to, e) < 0) {
        return -1;
    }
    if (!c->g->rev && fs_is_file(here)) {
        return fs_link(FS_COPY, here, to, 0666, e);
    }
    if (!f->md5) {
        return copy_blob(c, f, to, e);
    }
    const struct cas_id id = {f->md5, f->legacy};
    if (cas_has(c->s->cas, id, false)) {
        return fs_link(FS_COPY, cas_object_path(c->s->cas, c->g->arena, id), to, 0666, e) < 0
                   ? -1
                   : (f->legacy ? 0 : check_digest(to, f->md5, e));
    }
    return copy_from_remote(c, f, to, e);
}

static bool is_dvc_file(const char *path)
{
    const char *base = path_basename(path), *ext = path_extension(base);
    return strcmp(base, "dvc.yaml") == 0 || strcmp(ext, ".dvc") == 0 ||
           strcmp(base, ".dvcignore") == 0;
}

/* A list that could not be read: fetched for the call, its files copied. One that is in the cache
 * must not be followed: the error says why. */
static int copy_unread(struct copying *c, const struct gitsource_entry *f, const char *to,
                       struct err *e)
{
    struct strbuf text;
    struct dirobj tree;
    const struct cas_id id = {f->md5, f->legacy};
    if (cas_has(c->s->cas, id, false)) {
        return cas_read_dir(c->s->cas, c->g->arena, id, &tree, e);
    }
    const char *tmp = arena_printf(c->g->arena, "%s.list", to);
    strbuf_init(&text);
    int rc = fs_mkdirs_for(tmp, e);
    if (rc == 0) {
        rc = copy_from_remote(c, f, tmp, e);
    }
    if (rc == 0) {
        rc = fs_read(tmp, 0, &text, e);
    }
    unlink(tmp);
    if (rc == 0) {
        rc = dirobj_parse(c->g->arena, &tree, strbuf_str(&text), f->md5, e);
    }
    for (size_t i = 0; rc == 0 && i < tree.count; i++) {
        const struct gitsource_entry member = {
            .path = path_join(c->g->arena, f->path, tree.items[i].relpath),
            .is_out = true,
            .legacy = f->legacy,
            .md5 = tree.items[i].md5,
            .remote = f->remote};
        rc = copy_file(c, &member, path_join(c->g->arena, to, tree.items[i].relpath), e);
    }
    strbuf_release(&text);
    return rc;
}

static int copy_into(struct copying *c, const struct gitsource_list *l, const char *path,
                     const char *tmp, struct err *e)
{
    bool any = false, root = strcmp(path, ".") == 0;
    for (size_t i = 0; i < l->count; i++) {
        const struct gitsource_entry *f = &l->items[i];
        bool itself = strcmp(f->path, path) == 0;
        if (!itself && !root && !path_inside(path, f->path)) {
            continue;
        }
        const char *rel = itself ? NULL : root ? f->path : f->path + strlen(path) + 1;
        const char *to = rel ? path_join(c->g->arena, tmp, rel) : tmp;
        int rc = 0;
        any = true;
        if (f->unread) {
            rc = copy_unread(c, f, to, e);
        } else if (f->is_dir) {
            rc = fs_mkdirs(to, e);
        } else if (itself || !is_dvc_file(f->path)) {
            rc = copy_file(c, f, to, e);
        }
        if (rc < 0) {
            return -1;
        }
    }
    return any ? 0
               : err_set(e, ERR_MISSING, "[Errno 2] No such file or directory: '%s'",
                         repo_abs(&c->g->repo, c->g->arena, path));
}

int gitsource_copy(struct gitsource *g, const struct gitsource_list *list, const char *path,
                   const char *to, struct err *e)
{
    struct copying c = {.g = g, .s = open_store(g, e)};
    if (!c.s) {
        return -1;
    }
    char tmp[4096] = "";
    int rc = fs_mkdirs_for(to, e);
    rc = rc == 0 ? fs_temp_name(tmp, sizeof(tmp), to, e) : rc;
    if (rc == 0) {
        rc = copy_into(&c, list, path_normal(g->arena, path), tmp, e);
    }
    if (rc == 0 && (fs_is_dir(to) || fs_is_dir(tmp))) {
        rc = fs_remove_tree(to, e);
    }
    if (rc == 0 && rename(tmp, to) < 0) {
        rc = err_sys(e, "cannot write '%s'", to);
    }
    if (rc < 0 && tmp[0]) {
        fs_remove_tree(tmp, NULL);
    }
    if (c.remote.ops) {
        remote_close(&c.remote);
    }
    store_close(c.s);
    return rc;
}

int gitsource_url(struct gitsource *g, const struct gitsource_list *list, const char *path,
                  const char **url, struct err *e)
{
    const struct gitsource_entry key = {.path = path_normal(g->arena, path)};
    const struct gitsource_entry *f =
        list->count ? bsearch(&key, list->items, list->count, sizeof(key), by_path) : NULL;
    if (!f || !f->md5) {
        return err_set(e, ERR_MISSING, "Unable to find DVC file with output '%s'", path);
    }
    struct store *s = open_store(g, e);
    struct remote r;
    char object[64];
    if (!s || remote_open(&r, s, g->arena, g->remote ? g->remote : f->remote, e) < 0) {
        store_close(s);
        return -1;
    }
    remote_object_path(object, (struct cas_id){f->md5, f->legacy});
    const char *base =
        strstr(r.url, "://") ? r.url : path_absolute(g->arena, g->repo.dvc_dir, r.url);
    *url = arena_printf(g->arena, "%s/%s", base, object);
    remote_close(&r);
    store_close(s);
    return 0;
}
