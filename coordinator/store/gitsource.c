/* gitsource: what is in another repository; see gitsource.h. Opening: gitsource_open.c, copying:
 * gitsource_copy.c. */
#include "gitsource_private.h"

#include "cas.h"
#include "dataindex.h"
#include "err.h"
#include "fs.h"
#include "git.h"
#include "ignore.h"
#include "path.h"
#include "revision.h"
#include "revwalk.h"
#include "store.h"
#include "str.h"
#include "value.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

/* .dvc or .git, or what is in them, at any depth. */
static bool is_hidden(const char *path)
{
    for (const char *part = path; part; part = strchr(part, '/'), part += part != NULL) {
        size_t n = strcspn(part, "/");
        if (n == 4 && (strncmp(part, ".dvc", n) == 0 || strncmp(part, ".git", n) == 0)) {
            return true;
        }
    }
    return false;
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

/* Notes the folder of a DVC repository below ours when the path is in its .dvc. */
static void note_repo(struct arena *a, struct value *repos, const char *path)
{
    const char *dot = strstr(path, "/.dvc/");
    if (dot) {
        value_set(a, repos, arena_strndup(a, path, (size_t)(dot - path)), value_bool(a, true));
    }
}

static bool in_repo_below(const struct value *repos, const char *path)
{
    for (size_t i = 0; i < repos->map.count; i++) {
        if (path_inside(value_as_str(repos->map.pairs[i].key).p, path)) {
            return true;
        }
    }
    return false;
}

/* "100644 blob OID      SIZE\tPATH" */
static int read_tree(struct reading *x, struct err *e)
{
    struct strbuf out;
    strbuf_init(&out);
    const char *args[] = {"ls-tree", "-r", "-l", "-z", x->g->commit, NULL};
    int rc = git_run(&x->g->repo, args, &out, e);
    struct str rest = strbuf_str(&out), item;
    struct value *below = value_map(x->g->arena);
    while (rc == 0 && rest.n > 0 && str_split(&rest, '\0', &item)) {
        const char *tab = item.n > 0 ? memchr(item.p, '\t', item.n) : NULL;
        if (tab) {
            note_repo(x->g->arena, below, tab + 1);
        }
    }
    rest = strbuf_str(&out);
    while (rc == 0 && rest.n > 0 && str_split(&rest, '\0', &item)) {
        const char *tab = item.n > 0 ? memchr(item.p, '\t', item.n) : NULL;
        if (!tab || !str_starts(item, "100") || in_repo_below(below, tab + 1)) {
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

void gitsource_list_sort(struct gitsource_list *list)
{
    if (list->count) {
        qsort(list->items, list->count, sizeof(*list->items), by_path);
    }
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

struct store *gitsource_store(struct gitsource *g, struct err *e)
{
    return store_open(&g->repo, &(struct store_options){.no_state = true}, e);
}

int gitsource_files(struct gitsource *g, struct gitsource_list *list, struct err *e)
{
    *list = (struct gitsource_list){0};
    struct reading x = {.g = g, .list = list, .remotes = value_map(g->arena)};
    x.index = (struct dataindex){.arena = g->arena};
    x.s = gitsource_store(g, e);
    int rc = x.s ? read_all(&x, e) : -1;
    store_close(x.s);
    gitsource_list_sort(list);
    return rc;
}
