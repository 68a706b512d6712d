/* dirmerge: three-way merge of folder lists, see dirmerge.h. */
#include "dirmerge.h"

#include <string.h>

/* The order of conflicts in a message. */
enum clash {
    CLASH_CHANGED,    /* both, and differently */
    CLASH_ADDED,      /* likewise */
    CLASH_OUR_CHANGE, /* they deleted it */
    CLASH_THEIR_CHANGE,
    CLASH_FOLDER, /* a file here, a folder there */
    CLASH_COUNT
};

struct clashes {
    const char **paths;
    size_t count;
};

/* One file on the three sides; NULL where it is not. */
struct trio {
    const struct dirobj_item *ancestor, *our, *their;
};

static bool same(const struct dirobj_item *x, const struct dirobj_item *y)
{
    return x == NULL || y == NULL ? x == y : strcmp(x->md5, y->md5) == 0;
}

static bool same_lists(const struct dirobj *x, const struct dirobj *y)
{
    bool equal = x->count == y->count;
    for (size_t i = 0; equal && i < x->count; i++) {
        equal = strcmp(x->items[i].relpath, y->items[i].relpath) == 0 &&
                same(&x->items[i], &y->items[i]);
    }
    return equal;
}

static const char *relpath_at(const struct dirobj *d, size_t i)
{
    return i < d->count ? d->items[i].relpath : NULL;
}

static const char *smaller(const char *x, const char *y)
{
    return x == NULL || (y != NULL && strcmp(y, x) < 0) ? y : x;
}

static const struct dirobj_item *take(const struct dirobj *d, size_t *i, const char *relpath)
{
    const char *here = relpath_at(d, *i);
    return here != NULL && strcmp(here, relpath) == 0 ? &d->items[(*i)++] : NULL;
}

static void keep(struct arena *a, struct dirobj *d, const struct dirobj_item *item)
{
    if (item != NULL) {
        memcpy(dirobj_add(a, d, item->relpath)->md5, item->md5, sizeof(item->md5));
    }
}

static enum clash clash_of(const struct trio *t)
{
    return t->our == NULL        ? CLASH_THEIR_CHANGE
           : t->their == NULL    ? CLASH_OUR_CHANGE
           : t->ancestor == NULL ? CLASH_ADDED
                                 : CLASH_CHANGED;
}

static void merge_file(struct arena *a, const struct trio *t, const char *relpath,
                       struct dirmerge *m, struct clashes *clashes)
{
    if (t->our == NULL && t->their == NULL) {
        m->both_deleted = m->both_deleted != NULL ? m->both_deleted : relpath;
    } else if (same(t->our, t->their) || same(t->ancestor, t->their)) {
        keep(a, &m->merged, t->our);
    } else if (same(t->ancestor, t->our)) {
        keep(a, &m->merged, t->their);
    } else {
        struct clashes *c = &clashes[clash_of(t)];
        c->paths[c->count++] = relpath;
    }
}

/* Files whose name another file's path uses as a folder. */
static void find_folders(struct arena *a, const struct dirobj *d, struct clashes *c)
{
    const struct dirobj_item *last = NULL;
    for (size_t i = 0; i < d->count; i++) {
        const char *path = d->items[i].relpath;
        for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
            const struct dirobj_item *file =
                dirobj_find(d, arena_strndup(a, path, (size_t)(slash - path)));
            if (file != NULL && file != last) {
                c->paths[c->count++] = file->relpath;
                last = file;
            }
        }
    }
}

static void collect(struct arena *a, const struct clashes *clashes, struct dirmerge *m)
{
    size_t count = 0;
    for (size_t i = 0; i < CLASH_COUNT; i++) {
        count += clashes[i].count;
    }
    m->conflicts = ARENA_ARRAY(a, count + 1, const char *);
    for (size_t i = 0; i < CLASH_COUNT; i++) {
        for (size_t k = 0; k < clashes[i].count; k++) {
            m->conflicts[m->conflict_count++] = clashes[i].paths[k];
        }
    }
}

static void merge_all(struct arena *a, const struct dirobj *ancestor, const struct dirobj *our,
                      const struct dirobj *their, struct dirmerge *m)
{
    struct clashes clashes[CLASH_COUNT] = {0};
    size_t most = ancestor->count + our->count + their->count, x = 0, o = 0, t = 0;
    for (size_t i = 0; i < CLASH_COUNT; i++) {
        clashes[i].paths = ARENA_ARRAY(a, most + 1, const char *);
    }
    for (;;) {
        const char *relpath =
            smaller(smaller(relpath_at(ancestor, x), relpath_at(our, o)), relpath_at(their, t));
        if (relpath == NULL) {
            break;
        }
        struct trio trio = {take(ancestor, &x, relpath), take(our, &o, relpath),
                            take(their, &t, relpath)};
        merge_file(a, &trio, relpath, m, clashes);
    }
    dirobj_digest(&m->merged);
    find_folders(a, &m->merged, &clashes[CLASH_FOLDER]);
    collect(a, clashes, m);
}

void dirmerge(struct arena *a, const struct dirobj *ancestor, const struct dirobj *our,
              const struct dirobj *their, struct dirmerge *m)
{
    memset(m, 0, sizeof(*m));
    dirobj_init(&m->merged);
    if (same_lists(ancestor, our) || same_lists(ancestor, their)) {
        const struct dirobj *changed = same_lists(ancestor, our) ? their : our;
        for (size_t i = 0; i < changed->count; i++) {
            keep(a, &m->merged, &changed->items[i]);
        }
        dirobj_digest(&m->merged);
    } else {
        merge_all(a, ancestor, our, their, m);
    }
}
