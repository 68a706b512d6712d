/* gitsource_copy: files and folders of another repository to a place here; see gitsource.h. */
#include "gitsource_private.h"

#include "cas.h"
#include "dataindex.h"
#include "digest.h"
#include "dirobj.h"
#include "err.h"
#include "fs.h"
#include "git.h"
#include "path.h"
#include "remote.h"
#include "store.h"
#include "str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
    const char *name = f->remote;
    if (name && remote_open(&own, c->s, c->g->arena, name, e) < 0) {
        return -1;
    }
    if (!name && !r->ops && remote_open(r, c->s, c->g->arena, NULL, e) < 0) {
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

/* ---- lists of folders ---- */

/* The list of a folder that the cache lacks. One that is there and was not read must not be followed: the error says
 * why. */
static int fetch_list(struct copying *c, const struct gitsource_entry *f, struct dirobj *tree,
                      struct err *e)
{
    struct arena *a = c->g->arena;
    const struct cas_id id = {f->md5, f->legacy};
    if (cas_has(c->s->cas, id, false)) {
        return cas_read_dir(c->s->cas, a, id, tree, e);
    }
    const char *folder = getenv("TMPDIR");
    char *tmp = arena_printf(a, "%s/nephron-list-XXXXXX", folder && *folder ? folder : "/tmp");
    int fd = mkstemp(tmp);
    if (fd < 0) {
        return err_sys(e, "cannot make a file like %s", tmp);
    }
    close(fd);
    struct strbuf text;
    strbuf_init(&text);
    int rc = copy_from_remote(c, f, tmp, e);
    rc = rc == 0 ? fs_read(tmp, 0, &text, e) : rc;
    rc = rc == 0 ? dirobj_parse(a, tree, strbuf_str(&text), f->md5, e) : rc;
    unlink(tmp);
    strbuf_release(&text);
    return rc;
}

static int expand(struct copying *c, struct gitsource_list *list, size_t at, struct err *e)
{
    struct arena *a = c->g->arena;
    const struct gitsource_entry f = list->items[at];
    struct dirobj tree;
    if (fetch_list(c, &f, &tree, e) < 0) {
        return err_wrap(e, "failed to load directory '%s'", f.path);
    }
    list->items[at].unread = false;
    for (size_t i = 0; i < tree.count; i++) {
        const struct gitsource_entry member = {.path = path_join(a, f.path, tree.items[i].relpath),
                                               .is_out = true,
                                               .legacy = f.legacy,
                                               .size = -1,
                                               .md5 = arena_strdup(a, tree.items[i].md5),
                                               .remote = f.remote};
        gitsource_list_add(a, list, &member);
    }
    return 0;
}

static bool is_asked(const struct gitsource_entry *f, const char *path, bool below)
{
    bool root = strcmp(path, ".") == 0;
    return f->unread &&
           (path_inside(f->path, path) || (below && (root || path_inside(path, f->path))));
}

static int expand_all(struct copying *c, struct gitsource_list *list, const char *path, bool below,
                      struct err *e)
{
    size_t known = list->count;
    for (size_t i = 0; i < known; i++) {
        if (is_asked(&list->items[i], path, below) && expand(c, list, i, e) < 0) {
            return -1;
        }
    }
    if (list->count > known) {
        gitsource_list_sort(list);
    }
    return 0;
}

static void close_copying(struct copying *c)
{
    if (c->remote.ops) {
        remote_close(&c->remote);
    }
    store_close(c->s);
}

int gitsource_expand(struct gitsource *g, struct gitsource_list *list, bool below, struct err *e)
{
    bool any = false;
    const char *path = g->path ? g->path : ".";
    for (size_t i = 0; i < list->count; i++) {
        any = any || is_asked(&list->items[i], path, below);
    }
    if (!any) {
        return 0;
    }
    struct copying c = {.g = g, .s = gitsource_store(g, e)};
    int rc = c.s ? expand_all(&c, list, path, below, e) : -1;
    close_copying(&c);
    return rc;
}

/* ---- files and folders ---- */

static bool is_dvc_file(const char *path)
{
    const char *base = path_basename(path), *ext = path_extension(base);
    return strcmp(base, "dvc.yaml") == 0 || strcmp(ext, ".dvc") == 0 ||
           strcmp(base, ".dvcignore") == 0;
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
        if (f->is_dir) {
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

int gitsource_copy(struct gitsource *g, struct gitsource_list *list, const char *to, struct err *e)
{
    const char *path = g->path ? g->path : ".";
    struct copying c = {.g = g, .s = gitsource_store(g, e)};
    if (!c.s) {
        return -1;
    }
    char tmp[4096] = "";
    int rc = expand_all(&c, list, path, true, e);
    rc = rc == 0 ? fs_mkdirs_for(to, e) : rc;
    rc = rc == 0 ? fs_temp_name(tmp, sizeof(tmp), to, e) : rc;
    if (rc == 0) {
        rc = copy_into(&c, list, path, tmp, e);
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
    close_copying(&c);
    return rc;
}

int gitsource_url(struct gitsource *g, const struct gitsource_list *list, const char **url,
                  struct err *e)
{
    const char *path = g->path ? g->path : ".";
    const struct gitsource_entry *f = NULL;
    for (size_t i = 0; !f && i < list->count; i++) {
        f = strcmp(list->items[i].path, path) == 0 ? &list->items[i] : NULL;
    }
    if (!f || !f->md5) {
        return err_set(e, ERR_MISSING, "Unable to find DVC file with output '%s'", path);
    }
    struct store *s = gitsource_store(g, e);
    struct remote r;
    char object[64];
    if (!s || remote_open(&r, s, g->arena, f->remote, e) < 0) {
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
