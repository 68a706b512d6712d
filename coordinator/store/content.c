/* content: what paths of the workspace hold now, see content.h. */
#include "content.h"

#include "alloc.h"
#include "digest.h"
#include "err.h"
#include "fs.h"
#include "ignore.h"
#include "path.h"
#include "repo.h"
#include "state.h"
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- DVC 2's hash ---- */

#define LEGACY_CHUNK ((size_t)1 << 20)
#define LEGACY_PROBE 512

/* At most 30 % bytes that are no text, and no NUL, among the first 512. */
static bool is_text(const unsigned char *p, size_t n)
{
    n = n < LEGACY_PROBE ? n : LEGACY_PROBE;
    size_t odd = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] == 0) {
            return false;
        }
        bool text = (p[i] >= 32 && p[i] < 127) || (p[i] && strchr("\n\r\t\f\b", p[i]));
        odd += !text;
    }
    return (double)odd / (double)(n ? n : 1) <= 0.30;
}

int content_md5_legacy(const char *abs_path, char hex[33], struct err *e)
{
    int fd = open(abs_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_sys(e, "cannot read '%s'", abs_path);
    }
    unsigned char *buf = xmalloc(LEGACY_CHUNK);
    struct digest d;
    ssize_t n;
    digest_init(&d, DIGEST_MD5);
    while ((n = fs_read_full(fd, buf, LEGACY_CHUNK)) > 0) {
        size_t keep = (size_t)n;
        if (is_text(buf, keep)) {
            size_t to = 0;
            for (size_t i = 0; i < keep; i++) {
                if (!(buf[i] == '\r' && i + 1 < keep && buf[i + 1] == '\n')) {
                    buf[to++] = buf[i];
                }
            }
            keep = to;
        }
        digest_update(&d, buf, keep);
    }
    free(buf);
    char full[DIGEST_HEX_SIZE];
    digest_final(&d, full);
    memcpy(hex, full, 33);
    int rc = n < 0 ? err_sys(e, "cannot read '%s'", abs_path) : 0;
    close(fd);
    return rc;
}

/* ---- collecting ---- */

/* One file to be hashed. */
struct pending {
    const char *abs;
    const struct stat *st;
    char *md5; /* 33 bytes to fill */
    bool legacy;
};

struct reader {
    struct store *s;
    struct arena *a;
    struct pending *list;
    size_t count, capacity;
    /* the folder under way */
    struct dirobj *tree;
    const char *dir_abs, *dir_path;
    /* hashing */
    struct err *errs;
};

static void add_file(struct reader *r, const struct content *c, const char *abs,
                     const struct stat *st, char *md5)
{
    if (state_get(r->s->state, st, c->legacy ? STATE_MD5_LEGACY : STATE_MD5, md5) || c->no_hash) {
        return;
    }
    ARRAY_RESERVE(r->list, r->count, r->capacity, 1);
    r->list[r->count++] = (struct pending){abs, st, md5, c->legacy};
}

static bool entry_ignored(const struct reader *r, const char *rel, bool is_dir)
{
    const struct repo *repo = r->s->repo;
    if (!repo->ignore || r->dir_path[0] == '/') {
        return false;
    }
    char path[8192];
    if (!strcmp(r->dir_path, ".")) {
        snprintf(path, sizeof(path), "%s", rel);
    } else {
        snprintf(path, sizeof(path), "%s/%s", r->dir_path, rel);
    }
    return ignore_match_entry(repo->ignore, path, is_dir);
}

static bool is_temp_name(const char *name)
{
    size_t n = strlen(name);
    return !strncmp(name, ".nephron-", 9) && n > 13 && !strcmp(name + n - 4, ".tmp");
}

static int walk_entry(void *ctx, const struct fs_entry *entry, struct err *e)
{
    struct reader *r = ctx;
    bool is_dir = S_ISDIR(entry->st.st_mode);
    if (is_temp_name(path_basename(entry->path))) {
        /* a checkout that was killed; data of nobody */
        char *dir = path_dirname(r->a, arena_printf(r->a, "%s/%s", r->dir_abs, entry->path));
        fs_sweep_temp(dir);
        return 1;
    }
    if (entry_ignored(r, entry->path, is_dir && !entry->is_link)) {
        return 1;
    }
    if (is_dir) {
        return 0; /* links to folders are not entered by fs_walk, nor recorded here */
    }
    if (entry->is_dangling) {
        return err_set(e, ERR_MISSING, "[Errno 2] No such file or directory: '%s/%s'", r->dir_abs,
                       entry->path);
    }
    if (!strcmp(path_basename(entry->path), ".dvcignore")) {
        return err_set(e, ERR_FORMAT,
                       ".dvcignore file should not be in collected dir path: '%s%s%.*s'",
                       r->dir_abs, strchr(entry->path, '/') ? "/" : "",
                       (int)(path_basename(entry->path) - entry->path > 0
                                 ? path_basename(entry->path) - entry->path - 1
                                 : 0),
                       entry->path);
    }
    if (!S_ISREG(entry->st.st_mode)) {
        return err_set(e, ERR_IO, "'%s/%s' is not a file or directory", r->dir_abs, entry->path);
    }
    struct dirobj_item *item = dirobj_add(r->a, r->tree, entry->path);
    item->size = entry->st.st_size;
    item->st = entry->st;
    item->is_link = entry->is_link;
    return 0;
}

static int read_folder(struct reader *r, struct content *c, const char *abs, struct err *e)
{
    c->kind = CONTENT_DIR;
    c->tree = ARENA_NEW(r->a, struct dirobj);
    dirobj_init(c->tree);
    r->tree = c->tree;
    r->dir_abs = abs;
    r->dir_path = c->path;
    if (fs_walk(abs, walk_entry, r, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < c->tree->count; i++) {
        struct dirobj_item *item = &c->tree->items[i];
        add_file(r, c, arena_printf(r->a, "%s/%s", abs, item->relpath), &item->st, item->md5);
    }
    return 0;
}

/* `twin`: an earlier item of the same path, or NULL. */
static int look(struct reader *r, struct content *c, const struct content *twin, struct err *e)
{
    const char *abs = repo_abs(r->s->repo, r->a, c->path);
    struct stat link;
    c->kind = CONTENT_MISSING;
    c->hash = (struct hash){.size = -1, .nfiles = -1, .legacy = c->legacy};
    if (lstat(abs, &link) < 0 || (S_ISLNK(link.st_mode) ? stat(abs, &c->st) : 0) < 0) {
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
                   ? 0
                   : err_sys(e, "cannot look at '%s'", abs);
    }
    c->is_link = S_ISLNK(link.st_mode);
    if (!c->is_link) {
        c->st = link;
    }
    bool is_dir = S_ISDIR(c->st.st_mode);
    if (c->honour_ignore && store_ignored(r->s, c->path, is_dir)) {
        return 0;
    }
    if (is_dir && twin && twin->kind == CONTENT_DIR) {
        c->kind = CONTENT_DIR;
        c->tree = twin->tree;
        return 0;
    }
    if (is_dir) {
        return read_folder(r, c, abs, e);
    }
    if (!S_ISREG(c->st.st_mode)) {
        c->kind = CONTENT_OTHER;
        return 0;
    }
    c->kind = CONTENT_FILE;
    c->is_empty = c->st.st_size == 0;
    char *md5 = arena_alloc(r->a, 33);
    c->hash.md5 = md5;
    c->hash.size = c->st.st_size;
    c->hash.isexec = (c->st.st_mode & 0111) != 0;
    add_file(r, c, abs, &c->st, md5);
    return 0;
}

/* ---- hashing ---- */

static void hash_one(void *ctx, size_t i, int thread)
{
    struct reader *r = ctx;
    struct pending *p = &r->list[i];
    int64_t now = state_now_ns();
    char hex[DIGEST_HEX_SIZE];
    int rc = p->legacy ? content_md5_legacy(p->abs, hex, &r->errs[thread])
                       : digest_file(DIGEST_MD5, p->abs, hex, NULL, &r->errs[thread]);
    if (rc == 0) {
        memcpy(p->md5, hex, 33);
        state_put(r->s->state, p->st, p->legacy ? STATE_MD5_LEGACY : STATE_MD5, hex, now);
    }
}

#define MAX_THREADS 256

static int hash_all(struct reader *r, struct err *e)
{
    r->errs = xcalloc(MAX_THREADS, sizeof(*r->errs));
    store_par_for(r->s, r->count, hash_one, r);
    int rc = 0;
    for (size_t i = 0; i < MAX_THREADS && rc == 0; i++) {
        if (r->errs[i].code != ERR_NONE) {
            rc = err_set(e, r->errs[i].code, "%s", r->errs[i].text);
        }
    }
    free(r->errs);
    return rc;
}

void content_finish_folder(struct arena *a, struct content *c)
{
    dirobj_digest(c->tree);
    c->hash.md5 = arena_strdup(a, c->tree->md5);
    c->hash.size = c->tree->size;
    c->hash.nfiles = (int64_t)c->tree->count;
    c->is_empty = c->tree->count == 0;
}

int content_read(struct store *s, struct arena *a, struct content *items, size_t count,
                 struct err *e)
{
    struct reader r = {.s = s, .a = a};
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = look(&r, &items[i], items[i].twin ? &items[items[i].twin - 1] : NULL, e);
    }
    if (rc == 0 && r.count) {
        rc = hash_all(&r, e);
    }
    free(r.list);
    for (size_t i = 0; i < count && rc == 0; i++) {
        const struct content *twin = items[i].twin ? &items[items[i].twin - 1] : NULL;
        if (twin && items[i].kind == CONTENT_DIR && items[i].tree == twin->tree) {
            items[i].hash = twin->hash;
            items[i].is_empty = twin->is_empty;
        } else if (items[i].kind == CONTENT_DIR && !items[i].no_hash) {
            content_finish_folder(a, &items[i]);
        } else if (items[i].kind == CONTENT_DIR) {
            items[i].is_empty = items[i].tree->count == 0;
        }
    }
    return rc;
}

enum content_kind content_kind(struct store *s, const char *path, bool honour_ignore)
{
    struct arena a;
    struct stat st;
    arena_init(&a);
    int rc = stat(repo_abs(s->repo, &a, path), &st);
    arena_release(&a);
    if (rc < 0 || (honour_ignore && store_ignored(s, path, S_ISDIR(st.st_mode)))) {
        return CONTENT_MISSING;
    }
    return S_ISDIR(st.st_mode) ? CONTENT_DIR : S_ISREG(st.st_mode) ? CONTENT_FILE : CONTENT_OTHER;
}
