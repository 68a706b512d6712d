/* store: the handle that commands pass around, see store.h. */
#include "store.h"

#include "alloc.h"
#include "cas.h"
#include "config.h"
#include "err.h"
#include "ignore.h"
#include "links.h"
#include "lock.h"
#include "log.h"
#include "path.h"
#include "repo.h"
#include "scmindex.h"
#include "stagebuild.h"
#include "state.h"
#include "str.h"
#include "urldep.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct held_lock {
    char *file; /* of the pipeline */
    struct lock *lock;
};

struct store_private {
    struct store_options opt;
    struct par *par;
    int jobs;
    pthread_mutex_t par_lock; /* the pool runs one loop at a time */
    struct held_lock *locks;
    size_t lock_count, lock_capacity;
    struct scmindex *scmindex;
    struct links *links;
    struct urlpool *urlpool;
};

static int link_types(const struct repo *r, struct cas_options *opt, struct err *e)
{
    static const struct {
        const char *name;
        enum fs_link how;
    } names[] = {{"reflink", FS_REFLINK},
                 {"hardlink", FS_HARDLINK},
                 {"symlink", FS_SYMLINK},
                 {"copy", FS_COPY}};
    struct arena a;
    size_t count = 0;
    int rc = 0;
    arena_init(&a);
    const char **types = config_cache_types(r->config, &a, &count);
    for (size_t i = 0; i < count && rc == 0; i++) {
        size_t k = 0;
        while (k < ARRAY_SIZE(names) && strcmp(names[k].name, types[i]) != 0) {
            k++;
        }
        if (k == ARRAY_SIZE(names)) {
            rc = err_set(e, ERR_CONFIG, "config file error: Unsupported cache type(s): %s",
                         types[i]);
        } else if (opt->link_count < CAS_MAX_LINKS) {
            opt->links[opt->link_count++] = names[k].how;
        }
    }
    arena_release(&a);
    return rc;
}

struct store *store_open(struct repo *r, const struct store_options *opt, struct err *e)
{
    struct cas_options co = {0};
    if (r->config) {
        const char *shared = config_get(r->config, "cache", "shared");
        co.shared = shared && !strcmp(shared, "group");
        if (link_types(r, &co, e) < 0) {
            return NULL;
        }
    }
    struct store *s = xcalloc(1, sizeof(*s));
    s->repo = r;
    s->priv = xcalloc(1, sizeof(*s->priv));
    if (opt) {
        s->priv->opt = *opt;
    }
    s->priv->jobs = s->priv->opt.jobs;
    if (!s->priv->jobs && r->config) {
        s->priv->jobs = (int)config_get_int(r->config, "core", "checksum_jobs", 0);
    }
    pthread_mutex_init(&s->priv->par_lock, NULL);
    struct arena a;
    arena_init(&a);
    s->state =
        state_open(s->priv->opt.no_state ? NULL : path_join(&a, r->tmp_dir, "nephron/state"));
    s->priv->links = links_new(path_join(&a, r->tmp_dir, "nephron/links"));
    s->cas = cas_open(repo_cache_dir(r, &a), &co, s->state);
    arena_release(&a);
    return s;
}

void store_close(struct store *s)
{
    if (!s) {
        return;
    }
    store_forget_locks(s);
    free(s->priv->locks);
    scmindex_free(s->priv->scmindex);
    links_close(s->priv->links);
    urldep_pool_free(s->priv->urlpool);
    par_free(s->priv->par);
    pthread_mutex_destroy(&s->priv->par_lock);
    cas_close(s->cas);
    state_close(s->state);
    free(s->priv);
    free(s);
}

/* "sub/dvc.yaml" -> "sub/dvc.lock" */
static char *lock_path(struct arena *a, const char *file)
{
    const char *ext = path_extension(file);
    return arena_printf(a, "%.*s.lock", (int)(strlen(file) - strlen(ext)), file);
}

/* The lock file of a revision. */
static struct lock *view_lock(const struct repo *view, const char *path, const char *shown,
                              bool *was_empty, struct err *e)
{
    struct strbuf text;
    struct err why = ERR_INIT;
    strbuf_init(&text);
    int rc = repo_read(view, path, 0, &text, &why);
    *was_empty = rc == 0 && text.n == 0;
    struct lock *l = NULL;
    if (rc == 0 || why.code == ERR_MISSING) {
        l = lock_parse(strbuf_str(&text), shown, e);
    } else {
        err_set(e, why.code, "%s", why.text);
    }
    strbuf_release(&text);
    return l;
}

struct lock *store_lock(struct store *s, const char *pipeline_file, struct err *e)
{
    struct store_private *p = s->priv;
    for (size_t i = 0; i < p->lock_count; i++) {
        if (!strcmp(p->locks[i].file, pipeline_file)) {
            return p->locks[i].lock;
        }
    }
    struct arena a;
    bool was_empty;
    arena_init(&a);
    const char *path = lock_path(&a, pipeline_file);
    const char *shown = repo_show(s->repo, &a, path);
    struct lock *l = s->repo->files ? view_lock(s->repo, path, shown, &was_empty, e)
                                    : lock_read(repo_abs(s->repo, &a, path), shown, &was_empty, e);
    if (l && was_empty) {
        store_note(s, STORE_NOTE_WARN, "'%s' is empty: taken as absent.", shown);
    }
    arena_release(&a);
    if (l) {
        ARRAY_RESERVE(p->locks, p->lock_count, p->lock_capacity, 1);
        p->locks[p->lock_count++] = (struct held_lock){xstrdup(pipeline_file), l};
    }
    return l;
}

int store_check_locks(struct store *s, const struct pipeline *p, struct err *e)
{
    for (size_t i = 0; i < p->stage_count; i++) {
        if (p->stages[i].name && !store_lock(s, p->stages[i].file, e)) {
            return -1;
        }
    }
    return 0;
}

int store_recorded(struct store *s, const struct stage *st, size_t out, struct hash *hash,
                   struct err *e)
{
    const struct out *o = &st->outs[out];
    *hash = o->hash;
    if (!st->name) {
        return 0;
    }
    struct lock *l = store_lock(s, st->file, e);
    if (!l) {
        return -1;
    }
    const struct lock_entry *en = lock_find(l, st->name);
    const struct lock_item *item = en ? lock_item_find(en->outs, en->out_count, o->def) : NULL;
    *hash = item ? item->hash : (struct hash){.size = -1, .nfiles = -1};
    return 0;
}

void store_forget_locks(struct store *s)
{
    struct store_private *p = s->priv;
    for (size_t i = 0; i < p->lock_count; i++) {
        free(p->locks[i].file);
        lock_free(p->locks[i].lock);
    }
    p->lock_count = 0;
}

struct repo *store_enter(struct store *s, struct repo *view)
{
    struct repo *before = s->repo;
    store_forget_locks(s);
    s->repo = view;
    return before;
}

void store_note(struct store *s, enum store_note_kind kind, const char *fmt, ...)
{
    if (!s->priv->opt.note) {
        return;
    }
    struct strbuf text;
    va_list ap;
    strbuf_init(&text);
    va_start(ap, fmt);
    strbuf_vaddf(&text, fmt, ap);
    va_end(ap);
    s->priv->opt.note(s->priv->opt.note_ctx, kind, text.p);
    strbuf_release(&text);
}

struct apart {
    const struct par *par;
    par_fn *fn;
    void *ctx;
    size_t count;
};

static void run_apart(void *ctx, size_t k, int thread)
{
    const struct apart *x = ctx;
    x->fn(x->ctx, par_spread(x->par, k, x->count), thread);
}

void store_par_for(struct store *s, size_t count, par_fn *fn, void *ctx)
{
    struct store_private *p = s->priv;
    /* a pool costs a thread start: not for one item */
    if (count < 2 || pthread_mutex_trylock(&p->par_lock) != 0) {
        par_for(NULL, count, fn, ctx);
        return;
    }
    if (!p->par) {
        p->par = par_new(p->jobs);
    }
    struct apart x = {p->par, fn, ctx, count};
    par_for(p->par, count, run_apart, &x);
    pthread_mutex_unlock(&p->par_lock);
}

struct par *store_par_take(struct store *s)
{
    struct store_private *p = s->priv;
    if (pthread_mutex_trylock(&p->par_lock) != 0) {
        return NULL;
    }
    if (!p->par) {
        p->par = par_new(p->jobs);
    }
    return p->par;
}

void store_par_give(struct store *s, struct par *par)
{
    if (par) {
        pthread_mutex_unlock(&s->priv->par_lock);
    }
}

const char *store_show(const struct store *s, struct arena *a, const char *path)
{
    bool elsewhere = path[0] == '/' || stagebuild_is_url(path);
    return elsewhere ? path : repo_show(s->repo, a, path);
}

struct scmindex **store_scmindex(struct store *s)
{
    return &s->priv->scmindex;
}

struct links *store_links(struct store *s)
{
    return s->priv->links;
}

struct urlpool **store_urlpool(struct store *s)
{
    return &s->priv->urlpool;
}

bool store_ignored(struct store *s, const char *path, bool is_dir)
{
    return s->repo->ignore && path[0] != '/' && ignore_match(s->repo->ignore, path, is_dir);
}
