/*
 * DVC's .dvc/tmp/rwlock: which paths a running stage reads and writes. Every edit is: flock
 * rwlock.lock, read, drop what this process had, check the others, write the new union by rename.
 * DVC truncates and writes in place, so a kill can leave an empty file; such a file counts as empty
 * here.
 */
#include "repolock.h"

#include "alloc.h"
#include "err.h"
#include "flock_private.h"
#include "fs.h"
#include "json.h"
#include "log.h"
#include "path.h"
#include "proc.h"
#include "repo.h"
#include "value.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct holder {
    size_t id;
    char **reads, **writes;
    size_t read_count, write_count;
};

struct rwlock {
    const struct repo *repo;
    char *cmd;
    char *path, *guard_path;
    struct holder *holders;
    size_t count, capacity;
    bool dirty; /* released, but the file does not say so yet */
};

struct rwlock *rwlock_new(const struct repo *r, const char *cmd)
{
    struct rwlock *l = xcalloc(1, sizeof *l);
    struct strbuf b;
    strbuf_init(&b);
    l->repo = r;
    l->cmd = xstrdup(cmd);
    strbuf_addf(&b, "%s/rwlock", r->tmp_dir);
    l->path = strbuf_detach(&b);
    strbuf_addf(&b, "%s/rwlock.lock", r->tmp_dir);
    l->guard_path = strbuf_detach(&b);
    return l;
}

static char **copy_paths(const char *const *paths, size_t count)
{
    char **copy = xcalloc(count + 1, sizeof *copy);
    for (size_t i = 0; i < count; i++) {
        copy[i] = xstrdup(paths[i]);
    }
    return copy;
}

static void free_paths(char **paths, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(paths[i]);
    }
    free(paths);
}

static void holder_release(struct holder *h)
{
    free_paths(h->reads, h->read_count);
    free_paths(h->writes, h->write_count);
}

/* ---- the file ---- */

static int open_guard(const struct rwlock *l, struct err *e)
{
    int fd = flock_open(l->guard_path, e);
    if (fd < 0) {
        return -1;
    }
    int got = flock_wait(fd, l->guard_path, 3000000, NULL, e);
    if (got <= 0) {
        close(fd);
        return got < 0 ? -1
                       : err_set(e, ERR_BUSY, "another process keeps %s locked", l->guard_path);
    }
    return fd;
}

static void close_guard(int fd)
{
    flock(fd, LOCK_UN);
    close(fd);
}

/* A map "read" or "write" of the file; anything malformed counts as absent. */
static struct value *section(struct arena *a, struct value *doc, const char *name)
{
    struct value *v = value_get(doc, name);
    if (v == NULL || v->type != VALUE_MAP) {
        v = value_map(a);
        value_set(a, doc, name, v);
    }
    return v;
}

static struct value *load(const struct rwlock *l, struct arena *a)
{
    struct strbuf text;
    strbuf_init(&text);
    struct value *doc = NULL;
    if (fs_read(l->path, (size_t)64 << 20, &text, NULL) == 0 && text.n > 0) {
        doc = json_parse(a, strbuf_str(&text), "rwlock", NULL);
        if (doc == NULL || doc->type != VALUE_MAP) {
            log_warn("repo", "%s was torn, its content is dropped", l->path);
            doc = NULL;
        }
    }
    strbuf_release(&text);
    struct value *fresh = value_map(a);
    if (doc == NULL) {
        doc = fresh;
    }
    section(a, doc, "write");
    section(a, doc, "read");
    return doc;
}

static bool is_info(const struct value *info)
{
    const struct value *pid = value_get(info, "pid");
    const struct value *cmd = value_get(info, "cmd");
    return pid != NULL && pid->type == VALUE_INT && cmd != NULL && cmd->type == VALUE_STR;
}

static bool is_ours(const struct value *info)
{
    return is_info(info) && value_get(info, "pid")->i == getpid();
}

/* The map without entries of this process, and without malformed ones. */
static struct value *others(struct arena *a, const struct value *map)
{
    struct value *out = value_map(a);
    for (size_t i = 0; i < map->map.count; i++) {
        struct value *v = map->map.pairs[i].val;
        if (v->type != VALUE_LIST) {
            if (is_info(v) && !is_ours(v)) {
                value_append(a, out, map->map.pairs[i].key, v);
            }
            continue;
        }
        struct value *list = value_list(a);
        for (size_t k = 0; k < v->list.count; k++) {
            if (is_info(v->list.items[k]) && !is_ours(v->list.items[k])) {
                value_push(a, list, v->list.items[k]);
            }
        }
        if (list->list.count > 0) {
            value_append(a, out, map->map.pairs[i].key, list);
        }
    }
    return out;
}

static bool overlaps(const char *a, const char *b)
{
    return path_inside(a, b) || path_inside(b, a);
}

struct check {
    const struct rwlock *lock;
    struct arena *arena;
    struct strbuf *warnings;
    struct strbuf blockers;
    const char *waiter;
};

/* True when the process is alive and so in the way; a dead one is told of. */
static bool is_blocking(struct check *c, const char *path, const struct value *info)
{
    int64_t pid = value_get(info, "pid")->i;
    const char *cmd = value_get(info, "cmd")->s.p;
    if (proc_alive((pid_t)pid)) {
        strbuf_addf(&c->blockers, "  (PID %lld): %s\n", (long long)pid, cmd);
        return true;
    }
    if (c->warnings != NULL) {
        const struct repo *r = c->lock->repo;
        const char *shown = path_inside(r->root, path)
                                ? repo_show(r, c->arena, path_relative(c->arena, r->root, path))
                                : path;
        strbuf_addf(
            c->warnings,
            "WARNING: Process '%s' with (Pid %lld), in RWLock-file '%s' had been killed. Auto "
            "removed it from the lock file.\n",
            cmd, (long long)pid, shown);
    }
    return false;
}

/* Looks at every entry that touches one of the paths; returns the map without the dead ones. */
static struct value *check_map(struct check *c, struct value *map, char **paths, size_t count)
{
    struct value *out = value_map(c->arena);
    for (size_t i = 0; i < map->map.count; i++) {
        const char *path = value_as_str(map->map.pairs[i].key).p;
        struct value *v = map->map.pairs[i].val;
        const char *waiter = NULL;
        for (size_t k = 0; k < count && waiter == NULL; k++) {
            waiter = overlaps(paths[k], path) ? paths[k] : NULL;
        }
        bool keep = true;
        if (waiter != NULL && v->type == VALUE_MAP) {
            keep = is_blocking(c, path, v);
        } else if (waiter != NULL) {
            struct value *list = value_list(c->arena);
            for (size_t k = 0; k < v->list.count; k++) {
                if (is_blocking(c, path, v->list.items[k])) {
                    value_push(c->arena, list, v->list.items[k]);
                }
            }
            keep = list->list.count > 0;
            v = list;
        }
        if (waiter != NULL && keep && c->waiter == NULL) {
            c->waiter = waiter;
        }
        if (keep) {
            value_append(c->arena, out, map->map.pairs[i].key, v);
        }
    }
    return out;
}

static int check_holder(struct check *c, struct value *doc, const struct holder *h, struct err *e)
{
    char **all = xcalloc(h->read_count + h->write_count + 1, sizeof *all);
    for (size_t i = 0; i < h->read_count; i++) {
        all[i] = h->reads[i];
    }
    for (size_t i = 0; i < h->write_count; i++) {
        all[h->read_count + i] = h->writes[i];
    }
    value_set(c->arena, doc, "write",
              check_map(c, value_get(doc, "write"), all, h->read_count + h->write_count));
    if (c->blockers.n == 0) {
        value_set(c->arena, doc, "read",
                  check_map(c, value_get(doc, "read"), h->writes, h->write_count));
    }
    free(all);
    if (c->blockers.n > 0) {
        return err_set(
            e, ERR_BUSY,
            "'%s' is busy, it is being blocked by:\n%s\nIf there are no processes with such "
            "PIDs, you can manually remove '%s/rwlock' and try again.",
            c->waiter, c->blockers.p, c->lock->repo->tmp_dir);
    }
    return 0;
}

static void add_own(const struct rwlock *l, struct arena *a, struct value *doc)
{
    struct value *reads = value_get(doc, "read"), *writes = value_get(doc, "write");
    struct value *info = value_map(a);
    value_set(a, info, "pid", value_int(a, getpid()));
    value_set(a, info, "cmd", value_cstr(a, l->cmd));
    for (size_t i = 0; i < l->count; i++) {
        const struct holder *h = &l->holders[i];
        for (size_t k = 0; k < h->read_count; k++) {
            struct value *list = value_get(reads, h->reads[k]);
            if (list == NULL || list->type != VALUE_LIST) {
                list = value_list(a);
                value_set(a, reads, h->reads[k], list);
            }
            bool have = list->list.count > 0 && list->list.items[list->list.count - 1] == info;
            if (!have) {
                value_push(a, list, info);
            }
        }
        for (size_t k = 0; k < h->write_count; k++) {
            value_set(a, writes, h->writes[k], info);
        }
    }
}

/* A write that ends inside of the file's first page is done whole or not at all, also under kill
 * -9. */
#define IN_PLACE_BYTES 4096

/*
 * Over the old text, padded with blanks to its length, then cut: valid JSON at every moment. A temp
 * file and a rename for every edit would make and free an inode each; on ext4 without a journal,
 * which passes over inodes freed in the last seconds, that made starting a stage twice as slow.
 */
static int store_in_place(const struct rwlock *l, const struct strbuf *text, bool *done,
                          struct err *e)
{
    char page[IN_PLACE_BYTES];
    struct stat st;
    *done = false;
    int fd = open(l->path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    int rc = 0;
    if (fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size <= IN_PLACE_BYTES &&
        text->n <= IN_PLACE_BYTES) {
        size_t n = text->n > (size_t)st.st_size ? text->n : (size_t)st.st_size;
        memset(page, ' ', n);
        memcpy(page, text->p, text->n);
        if (pwrite(fd, page, n, 0) != (ssize_t)n || ftruncate(fd, (off_t)text->n) != 0) {
            rc = err_sys(e, "cannot write %s", l->path);
        }
        *done = true;
    }
    close(fd);
    return rc;
}

/* The file is a hint for other processes, not a record: no fsync, but whole at every moment. */
static int store(const struct rwlock *l, const struct value *doc, struct err *e)
{
    struct strbuf text;
    struct fs_temp t;
    bool done;
    strbuf_init(&text);
    json_write(&text, doc, &(struct json_style){.utf8 = false});
    int rc = store_in_place(l, &text, &done, e);
    if (!done) {
        rc = fs_temp_open(&t, l->path, 0, e);
        if (rc == 0) {
            rc = fs_write_all(t.fd, text.p, text.n, t.path, e);
            if (rc < 0) {
                fs_temp_abort(&t);
            } else {
                rc = fs_temp_commit(&t, l->path, true, e);
            }
        }
    }
    strbuf_release(&text);
    return rc;
}

/* One edit. `entering`: the holder to check against the others, or NULL. */
static int edit(struct rwlock *l, const struct holder *entering, struct strbuf *warnings,
                struct err *e)
{
    int guard = open_guard(l, e);
    if (guard < 0) {
        return -1;
    }
    struct arena a;
    arena_init(&a);
    struct value *doc = load(l, &a);
    value_set(&a, doc, "write", others(&a, value_get(doc, "write")));
    value_set(&a, doc, "read", others(&a, value_get(doc, "read")));
    int rc = 0;
    if (entering != NULL) {
        struct check c = {.lock = l, .arena = &a, .warnings = warnings};
        strbuf_init(&c.blockers);
        rc = check_holder(&c, doc, entering, e);
        strbuf_release(&c.blockers);
    }
    if (rc == 0) {
        add_own(l, &a, doc);
        rc = store(l, doc, e);
        l->dirty = l->dirty && rc < 0;
    }
    arena_release(&a);
    close_guard(guard);
    return rc;
}

int rwlock_acquire(struct rwlock *l, size_t id, const char *const *reads, size_t read_count,
                   const char *const *writes, size_t write_count, struct strbuf *warnings,
                   struct err *e)
{
    ARRAY_RESERVE(l->holders, l->count, l->capacity, 1);
    struct holder *h = &l->holders[l->count++];
    *h = (struct holder){.id = id,
                         .reads = copy_paths(reads, read_count),
                         .writes = copy_paths(writes, write_count),
                         .read_count = read_count,
                         .write_count = write_count};
    if (edit(l, h, warnings, e) < 0) {
        holder_release(h);
        l->count--;
        return -1;
    }
    return 0;
}

void rwlock_release(struct rwlock *l, size_t id)
{
    for (size_t i = 0; i < l->count; i++) {
        if (l->holders[i].id == id) {
            holder_release(&l->holders[i]);
            l->holders[i] = l->holders[--l->count];
            l->dirty = true;
            return;
        }
    }
}

int rwlock_flush(struct rwlock *l, struct err *e)
{
    return l != NULL && l->dirty ? edit(l, NULL, NULL, e) : 0;
}

void rwlock_free(struct rwlock *l)
{
    if (l == NULL) {
        return;
    }
    bool held = l->count > 0 || l->dirty;
    for (size_t i = 0; i < l->count; i++) {
        holder_release(&l->holders[i]);
    }
    l->count = 0;
    if (held) {
        edit(l, NULL, NULL, NULL);
    }
    free(l->holders);
    free(l->cmd);
    free(l->path);
    free(l->guard_path);
    free(l);
}
