/* toremote: see toremote.h. */
#include "toremote.h"

#include "alloc.h"
#include "cas.h"
#include "content.h"
#include "err.h"
#include "fs.h"
#include "par.h"
#include "path.h"
#include "remote.h"
#include "repo.h"
#include "store.h"
#include "str.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int put_file(struct remote *r, const char *md5, const char *local, struct err *e)
{
    char path[64];
    remote_object_path(path, (struct cas_id){md5, false});
    int there = r->ops->has(r->ctx, path, e);
    return there != 0 ? (there < 0 ? -1 : 0) : r->ops->put(r->ctx, path, local, e);
}

/* The list is no file yet: it goes by way of one in .dvc/tmp. */
static int put_list(struct store *s, struct arena *a, struct remote *r, const struct dirobj *tree,
                    struct err *e)
{
    struct strbuf text;
    const char *tmp = arena_printf(a, "%s/nephron/list-%ld", s->repo->tmp_dir, (long)getpid());
    strbuf_init(&text);
    dirobj_write(tree, &text);
    int rc = fs_mkdirs_for(tmp, e);
    if (rc == 0) {
        rc = fs_write_atomic(tmp, text.p, text.n, 0600, e);
    }
    if (rc == 0) {
        rc = put_file(r, tree->md5, tmp, e);
    }
    unlink(tmp);
    strbuf_release(&text);
    return rc;
}

struct putting {
    struct remote *r;
    const struct content *c;
    struct err *errs; /* by member */
};

static void put_member(void *ctx, size_t i, int thread)
{
    struct putting *p = ctx;
    const struct dirobj_item *item = &p->c->tree->items[i];
    struct arena a;
    arena_init(&a);
    put_file(p->r, item->md5, path_join(&a, p->c->path, item->relpath), &p->errs[i]);
    arena_release(&a);
}

static int put_members(struct remote *r, const struct content *c, struct err *e)
{
    struct putting p = {r, c, xcalloc(c->tree->count + 1, sizeof(struct err))};
    struct par *par = par_new(r->jobs > 0 ? r->jobs : 1);
    int rc = 0;
    par_for(par, c->tree->count, put_member, &p);
    par_free(par);
    for (size_t i = 0; i < c->tree->count && rc == 0; i++) {
        if (p.errs[i].code != ERR_NONE) {
            rc = err_set(e, p.errs[i].code, "%s", p.errs[i].text);
        }
    }
    free(p.errs);
    return rc;
}

static int put_content(struct store *s, struct arena *a, struct remote *r, const struct content *c,
                       struct err *e)
{
    if (c->kind == CONTENT_FILE) {
        return put_file(r, c->hash.md5, c->path, e);
    }
    return put_members(r, c, e) < 0 ? -1 : put_list(s, a, r, c->tree, e);
}

int toremote_put(struct store *s, struct arena *a, const char *path, const char *remote,
                 struct hash *hash, struct err *e)
{
    struct remote r;
    struct content c = {.path = path};
    if (remote_open(&r, s, a, remote, e) < 0) {
        return -1;
    }
    int rc = content_read(s, a, &c, 1, e);
    if (rc == 0 && c.kind != CONTENT_FILE && c.kind != CONTENT_DIR) {
        rc = err_set(e, ERR_MISSING, "[Errno 2] No such file or directory: '%s'", path);
    }
    if (rc == 0) {
        rc = put_content(s, a, &r, &c, e);
    }
    remote_close(&r);
    if (rc == 0) {
        *hash = c.hash;
        hash->isexec = false;
    }
    return rc;
}
