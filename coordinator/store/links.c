/*
 * links: outs that Nephron put in place, see links.h. Notes are kept in memory and merged into the
 * file once, when the store is closed. Two programs that close at the same moment may lose the notes
 * of one: its outs then stay when no stage names them.
 */
#include "links.h"

#include "alloc.h"
#include "cas.h"
#include "content.h"
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "log.h"
#include "path.h"
#include "pipeline.h"
#include "repo.h"
#include "store.h"
#include "str.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LINKS_BYTES ((size_t)1 << 30)

struct place {
    uint64_t inode, stamp;
    char md5[37];
    bool legacy;
    char *path;   /* repo path */
    size_t order; /* of the notes of one process */
};

struct links {
    char *file;
    pthread_mutex_t lock;
    struct place *fresh; /* noted by this process; heap, and so are the paths */
    size_t count, capacity;
};

struct links *links_new(const char *file)
{
    struct links *l = xcalloc(1, sizeof(*l));
    l->file = xstrdup(file);
    pthread_mutex_init(&l->lock, NULL);
    return l;
}

/* ---- one out ---- */

static void measure(const struct content *now, struct place *p)
{
    uint32_t sum = 0;
    size_t count = 0;
    p->inode = (uint64_t)now->st.st_ino;
    if (now->kind == CONTENT_DIR) {
        count = now->tree->count;
        for (size_t i = 0; i < count; i++) {
            const struct dirobj_item *item = &now->tree->items[i];
            sum = digest_crc32c(sum, item->relpath, strlen(item->relpath) + 1);
            sum = digest_crc32c(sum, &item->st.st_mtim, sizeof(item->st.st_mtim));
        }
    } else {
        sum = digest_crc32c(0, &now->st.st_mtim, sizeof(now->st.st_mtim));
    }
    p->stamp = (uint64_t)sum << 32 | (uint32_t)count;
}

/* false: not there, or it cannot be read. */
static bool look(struct store *s, struct arena *a, const char *path, struct content *now)
{
    struct err e = ERR_INIT;
    *now = (struct content){.path = path, .no_hash = true};
    return content_read(s, a, now, 1, &e) == 0 &&
           (now->kind == CONTENT_FILE || now->kind == CONTENT_DIR);
}

void links_note(struct store *s, struct arena *a, const char *path, const struct hash *hash,
                const struct content *now)
{
    struct links *l = store_links(s);
    struct content seen;
    if (!now && look(s, a, path, &seen)) {
        now = &seen;
    }
    if (!now || !hash->md5 || strlen(hash->md5) > 36 || strchr(path, '\n')) {
        return;
    }
    struct place p = {.legacy = hash->legacy, .path = xstrdup(path)};
    snprintf(p.md5, sizeof(p.md5), "%s", hash->md5);
    measure(now, &p);
    pthread_mutex_lock(&l->lock);
    ARRAY_RESERVE(l->fresh, l->count, l->capacity, 1);
    p.order = l->count;
    l->fresh[l->count++] = p;
    pthread_mutex_unlock(&l->lock);
}

/* ---- the file ---- */

static void write_place(struct strbuf *out, const struct place *p)
{
    strbuf_addf(out, "%" PRIu64 " %016" PRIx64 " %s %d %s\n", p->inode, p->stamp, p->md5, p->legacy,
                p->path);
}

/* `line` without its newline; p->path lies in `a`. */
static bool parse_place(struct arena *a, struct str line, struct place *p)
{
    int legacy, used = 0;
    char *text = arena_strndup(a, line.p, line.n);
    if (sscanf(text, "%" SCNu64 " %" SCNx64 " %36s %d %n", &p->inode, &p->stamp, p->md5, &legacy,
               &used) < 4 ||
        used == 0 || !cas_md5_valid(p->md5)) {
        return false;
    }
    p->legacy = legacy != 0;
    p->path = text + used;
    return *p->path != '\0';
}

/* Appends the lines of the file of which `keep` approves; none when it is not there. */
typedef bool keep_fn(void *ctx, const struct place *p);

static void copy_lines(const char *file, struct arena *a, keep_fn *keep, void *ctx,
                       struct strbuf *out)
{
    struct strbuf text;
    struct err e = ERR_INIT;
    strbuf_init(&text);
    if (fs_read(file, MAX_LINKS_BYTES, &text, &e) == 0) {
        struct str rest = strbuf_str(&text), line;
        while (str_split(&rest, '\n', &line)) {
            struct place p;
            if (parse_place(a, line, &p) && keep(ctx, &p)) {
                write_place(out, &p);
            }
        }
    }
    strbuf_release(&text);
}

static int by_path(const void *x, const void *y)
{
    const struct place *p = x, *q = y;
    return strcmp(p->path, q->path);
}

static int by_path_and_order(const void *x, const void *y)
{
    const struct place *p = x, *q = y;
    int order = by_path(p, q);
    return order != 0 ? order : p->order < q->order ? -1 : p->order > q->order;
}

static bool not_noted(void *ctx, const struct place *p)
{
    const struct links *l = ctx;
    return !bsearch(p, l->fresh, l->count, sizeof(*l->fresh), by_path);
}

static int write_links(const char *file, const struct strbuf *text, struct err *e)
{
    return fs_mkdirs_for(file, e) < 0 ? -1 : fs_write_atomic(file, text->p, text->n, 0, e);
}

/* An out that was noted twice: the later note counts. */
static void drop_earlier(struct links *l)
{
    size_t kept = 0;
    qsort(l->fresh, l->count, sizeof(*l->fresh), by_path_and_order);
    for (size_t i = 0; i < l->count; i++) {
        if (i + 1 < l->count && strcmp(l->fresh[i].path, l->fresh[i + 1].path) == 0) {
            free(l->fresh[i].path);
        } else {
            l->fresh[kept++] = l->fresh[i];
        }
    }
    l->count = kept;
}

void links_save(struct links *l)
{
    if (!l->count) {
        return;
    }
    struct arena a;
    struct strbuf text;
    struct err e = ERR_INIT;
    arena_init(&a);
    strbuf_init(&text);
    drop_earlier(l);
    copy_lines(l->file, &a, not_noted, l, &text);
    for (size_t i = 0; i < l->count; i++) {
        write_place(&text, &l->fresh[i]);
        free(l->fresh[i].path);
    }
    l->count = 0;
    if (write_links(l->file, &text, &e) < 0) {
        log_warn("links", "%s", e.text);
    }
    strbuf_release(&text);
    arena_release(&a);
}

void links_close(struct links *l)
{
    if (!l) {
        return;
    }
    links_save(l);
    free(l->fresh);
    free(l->file);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

/* ---- what no stage names ---- */

struct sweep {
    struct store *s;
    struct arena *a;
    const char **used; /* sorted */
    size_t used_count;
    const char **removed;
    size_t count, capacity;
    struct err *e; /* of the first out that could not be removed */
};

static int by_name(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static void collect_used(struct sweep *w, const struct pipeline *p)
{
    size_t total = 0;
    for (size_t i = 0; i < p->stage_count; i++) {
        total += p->stages[i].out_count;
    }
    w->used = ARENA_ARRAY(w->a, total + 1, const char *);
    for (size_t i = 0; i < p->stage_count; i++) {
        for (size_t k = 0; k < p->stages[i].out_count; k++) {
            w->used[w->used_count++] = p->stages[i].outs[k].path;
        }
    }
    qsort(w->used, w->used_count, sizeof(*w->used), by_name);
}

/* Is it an out, a part of one, or does it hold one? */
static bool overlaps_used(const struct sweep *w, const char *path)
{
    for (size_t i = 0; i < w->used_count; i++) {
        if (path_inside(w->used[i], path) || path_inside(path, w->used[i])) {
            return true;
        }
    }
    return false;
}

/* Inside of the work tree, and nothing of DVC's or git's own. */
static bool may_remove(const struct store *s, struct arena *a, const char *path)
{
    const char *abs = repo_abs(s->repo, a, path);
    return path[0] != '/' && path_inside(s->repo->root, abs) && strcmp(s->repo->root, abs) != 0 &&
           !path_inside(s->repo->dvc_dir, abs) && !path_inside(abs, s->repo->dvc_dir) &&
           !path_inside(".git", path);
}

static bool unused(struct sweep *w, const struct place *p, struct content *now)
{
    struct place then = *p;
    if (bsearch(&p->path, w->used, w->used_count, sizeof(*w->used), by_name) ||
        !may_remove(w->s, w->a, p->path) || !look(w->s, w->a, p->path, now)) {
        return false;
    }
    measure(now, &then);
    return then.inode == p->inode && then.stamp == p->stamp && !overlaps_used(w, p->path) &&
           cas_has_all(w->s->cas, (struct cas_id){p->md5, p->legacy}, NULL);
}

/* The lines that stay; the outs of the others go on the way. */
static bool keep_used(void *ctx, const struct place *p)
{
    struct sweep *w = ctx;
    struct content now;
    if (w->e->code != ERR_NONE || !unused(w, p, &now)) {
        return true;
    }
    if (fs_remove_tree(repo_abs(w->s->repo, w->a, p->path), w->e) < 0) {
        return true;
    }
    const char *shown = store_show(w->s, w->a, p->path);
    ARRAY_RESERVE(w->removed, w->count, w->capacity, 1);
    w->removed[w->count++] = now.kind == CONTENT_DIR ? arena_printf(w->a, "%s/", shown) : shown;
    return false;
}

int links_sweep(struct store *s, struct arena *a, const struct pipeline *p, const char ***removed,
                size_t *count, struct err *e)
{
    const char *file = store_links(s)->file;
    struct err why = ERR_INIT;
    struct sweep w = {.s = s, .a = a, .e = &why};
    struct strbuf text;
    strbuf_init(&text);
    collect_used(&w, p);
    copy_lines(file, a, keep_used, &w, &text);
    int rc = w.count ? write_links(file, &text, e) : 0;
    strbuf_release(&text);
    *removed = ARENA_ARRAY(a, w.count + 1, const char *);
    *count = w.count;
    if (w.count) {
        memcpy(*removed, w.removed, w.count * sizeof(*w.removed));
    }
    free(w.removed);
    return why.code == ERR_NONE ? rc : err_set(e, why.code, "%s", why.text);
}
