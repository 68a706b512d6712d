/* datadiff: what differs between two states of the data, see datadiff.h. */
#include "datadiff.h"

#include "alloc.h"
#include "err.h"
#include "path.h"
#include "value.h"

#include <stdlib.h>
#include <string.h>

const char *datadiff_path(struct arena *a, const struct dataindex_entry *en)
{
    return en->is_dir ? arena_printf(a, "%s/", en->path) : en->path;
}

static bool same_hash(const struct dataindex_entry *x, const struct dataindex_entry *y)
{
    return (!x->md5 && !y->md5) ||
           (x->md5 && y->md5 && x->legacy == y->legacy && !strcmp(x->md5, y->md5));
}

static enum datadiff_kind kind_of(const struct dataindex_entry *old,
                                  const struct dataindex_entry *now, bool hash_only)
{
    bool had = old && (!hash_only || old->md5), has = now && (!hash_only || now->md5);
    if (had != has) {
        return has ? DATADIFF_ADDED : DATADIFF_DELETED;
    }
    bool same = !had || (same_hash(old, now) && (hash_only || old->is_dir == now->is_dir));
    return same ? DATADIFF_UNCHANGED : DATADIFF_MODIFIED;
}

/* Walks both lists side by side. */
struct walk {
    const struct datadiff_options *opt;
    struct datadiff *d;
    size_t root;
    const char *unread; /* a folder whose content one side does not know */
};

/* Paths come in order, so the roots are passed in order as well. */
static bool chosen(struct walk *w, const char *path)
{
    const struct dataindex_roots *r = w->opt->roots;
    if (!r) {
        return true;
    }
    while (w->root < r->count && dataindex_compare(r->items[w->root].path, path) < 0 &&
           !path_inside(r->items[w->root].path, path)) {
        w->root++;
    }
    return w->root < r->count && path_inside(r->items[w->root].path, path);
}

static void visit(struct walk *w, const struct dataindex_entry *old,
                  const struct dataindex_entry *now)
{
    const char *path = old ? old->path : now->path;
    bool member = !(old && old->is_out) && !(now && now->is_out);
    bool unknown = w->unread && strcmp(w->unread, path) != 0 && path_inside(w->unread, path);
    if ((old && old->unread) || (now && now->unread)) {
        w->unread = path;
    }
    if ((w->opt->shallow && member) || !chosen(w, path)) {
        return;
    }
    enum datadiff_kind kind = unknown ? DATADIFF_UNKNOWN : kind_of(old, now, w->opt->hash_only);
    w->d->items[w->d->count++] = (struct datadiff_change){kind, old, now};
}

/* ---- renames ---- */

static int by_old_hash(const void *a, const void *b)
{
    const struct datadiff_change *x = *(struct datadiff_change *const *)a,
                                 *y = *(struct datadiff_change *const *)b;
    int order = strcmp(x->old->md5, y->old->md5);
    return order ? order : dataindex_compare(x->old->path, y->old->path);
}

/* The first deleted entry of this content that is not taken yet. `gone` is sorted by hash, then
 * path. */
static struct datadiff_change *take(struct datadiff_change **gone, size_t count,
                                    const struct dataindex_entry *en)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strcmp(gone[mid]->old->md5, en->md5) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    for (; low < count && strcmp(gone[low]->old->md5, en->md5) == 0; low++) {
        if (gone[low]->kind == DATADIFF_DELETED && gone[low]->old->legacy == en->legacy) {
            return gone[low];
        }
    }
    return NULL;
}

static void find_renames(struct arena *a, struct datadiff *d)
{
    struct datadiff_change **gone = ARENA_ARRAY(a, d->count + 1, struct datadiff_change *);
    size_t count = 0;
    for (size_t i = 0; i < d->count; i++) {
        if (d->items[i].kind == DATADIFF_DELETED && d->items[i].old->md5) {
            gone[count++] = &d->items[i];
        }
    }
    if (count) {
        qsort(gone, count, sizeof(*gone), by_old_hash);
    }
    for (size_t i = 0; count && i < d->count; i++) {
        struct datadiff_change *c = &d->items[i];
        struct datadiff_change *was =
            c->kind == DATADIFF_ADDED && c->now->md5 ? take(gone, count, c->now) : NULL;
        if (was) {
            c->kind = DATADIFF_RENAMED;
            c->old = was->old;
            was->kind = DATADIFF_RENAMED;
            was->now = NULL; /* swept below: the pair stands once */
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < d->count; i++) {
        if (d->items[i].kind != DATADIFF_RENAMED || d->items[i].now) {
            d->items[kept++] = d->items[i];
        }
    }
    d->count = kept;
}

void datadiff_compare(struct arena *a, const struct dataindex *old, const struct dataindex *now,
                      const struct datadiff_options *opt, struct datadiff *d)
{
    d->items = ARENA_ARRAY(a, old->count + now->count + 1, struct datadiff_change);
    d->count = 0;
    struct walk w = {.opt = opt, .d = d};
    for (size_t i = 0, k = 0; i < old->count || k < now->count;) {
        int order = i == old->count   ? 1
                    : k == now->count ? -1
                                      : dataindex_compare(old->items[i].path, now->items[k].path);
        visit(&w, order <= 0 ? &old->items[i] : NULL, order >= 0 ? &now->items[k] : NULL);
        i += order <= 0;
        k += order >= 0;
    }
    find_renames(a, d);
}
