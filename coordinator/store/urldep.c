/* urldep: what the URLs of dependencies hold now, see urldep.h. */
#include "urldep.h"

#include "alloc.h"
#include "err.h"
#include "par.h"
#include "pipeline.h"
#include "remote.h"
#include "remote_helper.h"
#include "repo.h"
#include "store.h"
#include "urlsource.h"
#include "value.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE 16

/* ---- connections ---- */

/* One open remote for each pair of base and settings. Those live in the arena of the entry. */
struct pooled {
    struct arena arena;
    const char *base;
    const struct value *options;
    struct remote remote;
    struct pooled *next;
};

struct urlpool {
    pthread_mutex_t lock;
    struct pooled *first;
};

void urldep_pool_free(struct urlpool *p)
{
    while (p && p->first) {
        struct pooled *next = p->first->next;
        remote_close(&p->first->remote);
        arena_release(&p->first->arena);
        free(p->first);
        p->first = next;
    }
    if (p) {
        pthread_mutex_destroy(&p->lock);
    }
    free(p);
}

static bool same_options(const struct value *a, const struct value *b)
{
    return a == b || (a && b && value_eq(a, b));
}

static struct pooled *open_pooled(const char *base, const struct value *options, struct err *e)
{
    struct pooled *x = xcalloc(1, sizeof(*x));
    arena_init(&x->arena);
    x->base = arena_strdup(&x->arena, base);
    x->options = options ? value_copy(&x->arena, options) : NULL;
    if (remote_helper_open(&x->remote, &x->arena, x->base, x->options, e) < 0) {
        arena_release(&x->arena);
        free(x);
        return NULL;
    }
    return x;
}

/* NULL with *e set. */
static struct remote *pool_take(struct urlpool *p, const char *base, const struct value *options,
                                struct err *e)
{
    pthread_mutex_lock(&p->lock);
    struct pooled *x = p->first;
    while (x && (strcmp(x->base, base) != 0 || !same_options(x->options, options))) {
        x = x->next;
    }
    if (!x && (x = open_pooled(base, options, e)) != NULL) {
        x->next = p->first;
        p->first = x;
    }
    pthread_mutex_unlock(&p->lock);
    return x ? &x->remote : NULL;
}

static struct urlpool *pool_of(struct store *s)
{
    struct urlpool **place = store_urlpool(s);
    if (!*place) {
        struct urlpool *p = xcalloc(1, sizeof(*p));
        pthread_mutex_init(&p->lock, NULL);
        struct urlpool *none = NULL;
        if (!__atomic_compare_exchange_n(place, &none, p, false, __ATOMIC_SEQ_CST,
                                         __ATOMIC_SEQ_CST)) {
            urldep_pool_free(p); /* another thread was first */
        }
    }
    return *place;
}

/* ---- one look ---- */

bool urldep_is_one(const struct dep *d)
{
    return d->is_url && strstr(d->path, "://") && strncmp(d->path, "ds://", 5) != 0;
}

struct look {
    struct store *s;
    struct urldep *dep;
    struct urlsource src;
    struct arena arena; /* of the thread that looks */
    struct urlsource_facts facts;
    struct err err;
};

static void look_far(void *ctx, size_t i, int thread)
{
    struct look *l = &((struct look *)ctx)[i];
    const char *at;
    if (l->src.kind == URLSOURCE_LOCAL) {
        return; /* with the other paths */
    }
    const char *base = urlsource_base(&l->arena, &l->src, &at);
    struct remote *r = pool_take(pool_of(l->s), base, l->src.options, &l->err);
    if (r) {
        urlsource_look_at(&l->arena, &l->src, r, at, &l->facts, &l->err);
    }
}

static void take_facts(struct arena *a, struct look *l)
{
    const struct urlsource_facts *f = &l->facts;
    struct content *now = &l->dep->now;
    bool folder = f->nfiles >= 0;
    now->kind = folder ? CONTENT_DIR : CONTENT_FILE;
    now->is_empty = f->size == 0 && (!folder || f->nfiles == 0);
    now->hash = (struct hash){.md5 = f->md5 ? arena_strdup(a, f->md5) : NULL,
                              .size = f->size,
                              .nfiles = f->nfiles,
                              .etag = f->etag ? arena_strdup(a, f->etag) : NULL,
                              .is_checksum = f->etag && urlsource_has_checksums(&l->src)};
}

static int take_look(struct arena *a, struct look *l, struct err *e)
{
    if (l->err.code == ERR_NONE) {
        take_facts(a, l);
        return 0;
    }
    if (l->err.code == ERR_MISSING) {
        return 0;
    }
    if (l->err.code == ERR_REMOTE && urlsource_has_checksums(&l->src)) {
        store_note(l->s, STORE_NOTE_WARN, "%s", l->err.text);
        return 0;
    }
    return err_set(e, l->err.code, "%s", l->err.text);
}

static int look_near(struct look *l, struct arena *a, struct err *e)
{
    struct content c = {.path = repo_path(l->s->repo, a, l->src.path)};
    if (content_read(l->s, a, &c, 1, e) < 0) {
        return -1;
    }
    c.path = l->dep->now.path;
    c.tree = NULL;
    l->dep->now = c;
    return 0;
}

static int begin(struct look *l, struct store *s, struct arena *a, struct urldep *d, struct err *e)
{
    l->s = s;
    l->dep = d;
    d->now = (struct content){
        .path = d->url, .kind = CONTENT_MISSING, .hash = {.size = -1, .nfiles = -1}};
    if (urlsource_parse(a, s->repo->config, d->url, &l->src, e) < 0) {
        return -1;
    }
    if (d->fs_config && l->src.kind == URLSOURCE_STORE) {
        l->src.options = d->fs_config;
    }
    return 0;
}

int urldep_read(struct store *s, struct arena *a, struct urldep *items, size_t count, struct err *e)
{
    struct look *looks = xcalloc(count + 1, sizeof(*looks));
    int rc = 0;
    for (size_t i = 0; i < count; i++) {
        arena_init(&looks[i].arena);
    }
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = begin(&looks[i], s, a, &items[i], e);
    }
    if (rc == 0 && count > 0) {
        struct par *par = count > 1 ? par_new(count < AT_ONCE ? (int)count : AT_ONCE) : NULL;
        par_for(par, count, look_far, looks);
        par_free(par);
    }
    for (size_t i = 0; i < count && rc == 0; i++) {
        bool near = looks[i].src.kind == URLSOURCE_LOCAL;
        rc = near ? look_near(&looks[i], a, e) : take_look(a, &looks[i], e);
    }
    for (size_t i = 0; i < count; i++) {
        arena_release(&looks[i].arena);
    }
    free(looks);
    return rc;
}
