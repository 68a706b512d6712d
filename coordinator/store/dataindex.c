/* dataindex: outs and their files as a flat list, see dataindex.h. */
#include "dataindex.h"

#include "alloc.h"
#include "cas.h"
#include "content.h"
#include "err.h"
#include "path.h"
#include "store.h"

#include <stdlib.h>
#include <string.h>

int dataindex_compare(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    /* '/' before everything else: what a folder holds stands right behind it */
    int x = *a == '/' ? 1 : (unsigned char)*a ? (unsigned char)*a + 1 : 0;
    int y = *b == '/' ? 1 : (unsigned char)*b ? (unsigned char)*b + 1 : 0;
    return x - y;
}

static int by_path(const void *a, const void *b)
{
    const struct dataindex_entry *x = a, *y = b;
    return dataindex_compare(x->path, y->path);
}

static struct dataindex_entry *add_entry(struct dataindex *x, const char *path)
{
    if (x->count == x->capacity) {
        size_t capacity = x->capacity ? x->capacity * 2 : 64;
        struct dataindex_entry *items = ARENA_ARRAY(x->arena, capacity, struct dataindex_entry);
        if (x->count) {
            memcpy(items, x->items, x->count * sizeof(*items));
        }
        x->items = items;
        x->capacity = capacity;
    }
    struct dataindex_entry *en = &x->items[x->count++];
    *en = (struct dataindex_entry){.path = path, .size = -1};
    return en;
}

static void finish(struct dataindex *x)
{
    if (x->count) {
        qsort(x->items, x->count, sizeof(*x->items), by_path);
    }
}

const struct dataindex_entry *dataindex_find(const struct dataindex *x, const char *path)
{
    const struct dataindex_entry key = {.path = path};
    return x->count ? bsearch(&key, x->items, x->count, sizeof(key), by_path) : NULL;
}

bool dataindex_cached(struct store *s, const struct dataindex_entry *en)
{
    struct arena a;
    arena_init(&a);
    bool yes = cas_md5_valid(en->md5) &&
               fs_exists(cas_object_path(s->cas, &a, (struct cas_id){en->md5, en->legacy}));
    arena_release(&a);
    return yes;
}

/* ---- roots ---- */

int dataindex_add_roots(struct store *s, struct arena *a, const struct stage *st,
                        const char *filter, struct dataindex_roots *roots, struct err *e)
{
    for (size_t i = 0; i < st->out_count; i++) {
        const struct out *o = &st->outs[i];
        bool inside = filter && path_inside(o->path, filter);
        struct hash h;
        if (!o->cache || o->path[0] == '/' ||
            (filter && !inside && !path_inside(filter, o->path))) {
            continue;
        }
        if (store_recorded(s, st, i, &h, e) < 0) {
            return -1;
        }
        const char *path = inside ? filter : o->path;
        ARRAY_RESERVE(roots->items, roots->count, roots->capacity, 1);
        roots->items[roots->count++] = (struct dataindex_root){
            arena_strdup(a, path), strcmp(path, o->path) == 0, h.md5 && h.legacy};
    }
    return 0;
}

static int by_root(const void *a, const void *b)
{
    const struct dataindex_root *x = a, *y = b;
    int order = dataindex_compare(x->path, y->path);
    return order ? order : y->is_out - x->is_out;
}

void dataindex_finish_roots(struct dataindex_roots *roots)
{
    size_t kept = 0;
    if (roots->count) {
        qsort(roots->items, roots->count, sizeof(*roots->items), by_root);
    }
    for (size_t i = 0; i < roots->count; i++) {
        if (kept == 0 || !path_inside(roots->items[kept - 1].path, roots->items[i].path)) {
            roots->items[kept++] = roots->items[i];
        }
    }
    roots->count = kept;
}

/* ---- recorded ---- */

static void add_members(struct dataindex *x, const char *path, const struct dirobj *tree,
                        bool legacy)
{
    for (size_t i = 0; i < tree->count; i++) {
        const struct dirobj_item *item = &tree->items[i];
        struct dataindex_entry *en =
            add_entry(x, arena_printf(x->arena, "%s/%s", path, item->relpath));
        en->md5 = arena_strdup(x->arena, item->md5);
        en->size = item->size;
        en->legacy = legacy;
    }
}

/* An import that was never downloaded has the hash of its source. */
static struct hash import_hash(const struct stage *st, struct hash own)
{
    return !own.md5 && st->is_import && st->dep_count > 0 ? st->deps[0].hash : own;
}

static int add_recorded(struct store *s, const struct stage *st, size_t i, struct dataindex *x,
                        struct err *e)
{
    struct hash h;
    if (store_recorded(s, st, i, &h, e) < 0) {
        return -1;
    }
    h = import_hash(st, h);
    struct dataindex_entry *en = add_entry(x, arena_strdup(x->arena, st->outs[i].path));
    en->is_out = true;
    if (!h.md5 || !cas_md5_valid(h.md5)) {
        return 0;
    }
    en->md5 = arena_strdup(x->arena, h.md5);
    en->size = h.size;
    en->is_dir = h.md5[32] != '\0';
    en->legacy = h.legacy;
    en->isexec = h.isexec;
    if (!en->is_dir) {
        return 0;
    }
    struct dirobj tree;
    struct err why = ERR_INIT;
    if (cas_read_dir(s->cas, x->arena, (struct cas_id){en->md5, h.legacy}, &tree, &why) < 0) {
        en->unread = true;
        return 0;
    }
    add_members(x, en->path, &tree, h.legacy);
    return 0;
}

int dataindex_recorded(struct store *s, struct arena *a, const struct pipeline *p,
                       struct dataindex *x, struct err *e)
{
    *x = (struct dataindex){.arena = a};
    for (size_t i = 0; i < p->stage_count; i++) {
        const struct stage *st = &p->stages[i];
        for (size_t k = 0; k < st->out_count; k++) {
            const struct out *o = &st->outs[k];
            if (o->cache && o->path[0] != '/' && add_recorded(s, st, k, x, e) < 0) {
                return -1;
            }
        }
    }
    finish(x);
    return 0;
}

/* ---- found ---- */

int dataindex_workspace(struct store *s, struct arena *a, const struct dataindex_roots *roots,
                        struct dataindex *x, struct err *e)
{
    *x = (struct dataindex){.arena = a};
    struct content *now = ARENA_ARRAY(a, roots->count + 1, struct content);
    for (size_t i = 0; i < roots->count; i++) {
        now[i] = (struct content){
            .path = roots->items[i].path, .legacy = roots->items[i].legacy, .honour_ignore = true};
    }
    if (content_read(s, a, now, roots->count, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < roots->count; i++) {
        const struct content *c = &now[i];
        bool dir = c->kind == CONTENT_DIR;
        if (c->kind == CONTENT_FILE || (dir && roots->items[i].is_out)) {
            struct dataindex_entry *en = add_entry(x, c->path);
            en->md5 = c->hash.md5;
            en->size = c->hash.size;
            en->is_out = roots->items[i].is_out;
            en->is_dir = dir;
            en->legacy = c->legacy;
            en->isexec = c->hash.isexec;
        }
        if (dir) {
            add_members(x, c->path, c->tree, c->legacy);
        }
    }
    finish(x);
    return 0;
}
