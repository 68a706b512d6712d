/*
 * cas_batch: files into the cache, one or thousands, see cas.h.
 *
 * Two syncs a file (its content, its folder) cost more than everything else together: 10,000 files of 4 KB took
 * 46 s on a disk where the copies take 0.5 s. So a batch goes in three steps:
 *   copy   in parallel: read, hashed, written to files/md5/.nephron-*.tmp with mode 444
 *   sync   the whole file system, once
 *   name   rename to files/md5/<2>/<30>
 * and after the last batch the file system is synced once more, for the names. Few files are synced one by one: a
 * sync of all waits for other programs' data too. docs/decisions/0011.
 */
#include "cas_private.h"

#include "alloc.h"
#include "digest.h"
#include "err.h"
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLICE 512                      /* a loop of threads */
#define BATCH 8192                     /* files that wait for their names */
#define BATCH_BYTES ((int64_t)1 << 30) /* bytes likewise: a kill loses no more */
#define FEW 16                         /* below: synced one by one */
#define SMALL ((size_t)1 << 16)        /* read as a whole before anything is written */

struct batch {
    struct cas *cas;
    struct cas_put *puts;
    char **temps; /* by item: what waits for its name, or NULL */
    bool objects; /* cas_copy_objects: md5 is the name that the content must have */
    bool sync_all;
    size_t slice; /* first item of the loop under way */
};

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int open_source(struct cas_put *p, struct err *e)
{
    int fd = open(p->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return err_sys(e, "cannot read '%s'", p->path);
    }
    int rc = fstat(fd, &p->st) < 0 ? err_sys(e, "cannot read '%s'", p->path) : 0;
    if (rc == 0 && !S_ISREG(p->st.st_mode)) {
        rc = err_set(e, ERR_IO, "'%s' is not a file", p->path);
    }
    if (rc < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Is what was read the content that is expected? */
static int check_read(const struct batch *b, const struct cas_put *p, int fd, const char *hex,
                      struct err *e)
{
    struct stat after;
    if (b->objects && strncmp(p->md5, hex, 32) != 0) {
        return err_set(e, ERR_REMOTE, "'%s' has other content: its md5 is %.32s", p->path, hex);
    }
    if (fstat(fd, &after) < 0 || !same_file(&p->st, &after) ||
        (p->md5[0] && strncmp(p->md5, hex, 32) != 0)) {
        return err_set(e, ERR_BUSY, "'%s' changed while it was being stored", p->path);
    }
    return 0;
}

/* The content is known: remembered, and looked for. True: the object is there already. */
static bool found(const struct batch *b, struct cas_put *p, const char *hex, int64_t hashed_at)
{
    if (b->objects) {
        return false; /* the caller has looked */
    }
    memcpy(p->md5, hex, 33);
    state_put(b->cas->state, &p->st, STATE_MD5, hex, hashed_at);
    p->was_there = cas_has(b->cas, (struct cas_id){hex, false}, false);
    return p->was_there;
}

static int close_temp(struct fs_temp *t, struct err *e)
{
    int fd = t->fd;
    t->fd = -1;
    return close(fd) == 0 ? 0 : err_sys(e, "cannot write %s", t->path);
}

/* A small file is written only when its object is missing. */
static int copy_small(const struct batch *b, struct cas_put *p, int fd, int64_t now,
                      struct fs_temp *t, struct err *e)
{
    char data[SMALL], hex[DIGEST_HEX_SIZE];
    ssize_t n = fs_read_full(fd, data, (size_t)p->st.st_size);
    if (n < 0) {
        return err_sys(e, "cannot read '%s'", p->path);
    }
    digest_buffer(DIGEST_MD5, data, (size_t)n, hex);
    if (check_read(b, p, fd, hex, e) < 0) {
        return -1;
    }
    if (found(b, p, hex, now)) {
        return 0;
    }
    if (cas_temp_open(b->cas, t, CAS_OBJECT_MODE, e) < 0) {
        return -1;
    }
    return fs_write_all(t->fd, data, (size_t)n, t->path, e) < 0 ? -1 : close_temp(t, e);
}

static int copy_big(const struct batch *b, struct cas_put *p, int fd, int64_t now,
                    struct fs_temp *t, struct err *e)
{
    char hex[DIGEST_HEX_SIZE];
    if (cas_temp_open(b->cas, t, CAS_OBJECT_MODE, e) < 0 ||
        cas_clone_or_copy(b->cas, fd, t, p->path, hex, e) < 0 || check_read(b, p, fd, hex, e) < 0) {
        return -1;
    }
    if (found(b, p, hex, now)) {
        fs_temp_abort(t);
        return 0;
    }
    return close_temp(t, e);
}

/* *temp: the finished copy, or NULL when the object is there already. */
static int copy_in(const struct batch *b, struct cas_put *p, char **temp, struct err *e)
{
    struct fs_temp t = {.fd = -1};
    *temp = NULL;
    int fd = open_source(p, e);
    if (fd < 0) {
        return -1;
    }
    int64_t now = state_now_ns();
    if (!b->objects && !p->md5[0]) {
        state_get(b->cas->state, &p->st, STATE_MD5, p->md5);
    }
    if (!b->objects && p->md5[0] && cas_has(b->cas, (struct cas_id){p->md5, false}, false)) {
        close(fd);
        p->was_there = true;
        return 0;
    }
    int rc = p->st.st_size <= (off_t)SMALL ? copy_small(b, p, fd, now, &t, e)
                                           : copy_big(b, p, fd, now, &t, e);
    close(fd);
    if (rc < 0) {
        fs_temp_abort(&t);
    } else if (t.path[0]) {
        *temp = xstrdup(t.path);
    }
    return rc;
}

static void fail(struct cas_put *p, const struct err *why)
{
    p->failed = xmalloc(sizeof(*p->failed));
    *p->failed = *why;
}

static void copy_one(void *ctx, size_t k, int thread)
{
    struct batch *b = ctx;
    size_t i = b->slice + k;
    struct err e = ERR_INIT;
    if (copy_in(b, &b->puts[i], &b->temps[i], &e) < 0) {
        fail(&b->puts[i], &e);
    }
}

static void name_one(void *ctx, size_t k, int thread)
{
    struct batch *b = ctx;
    size_t i = b->slice + k;
    struct cas_put *p = &b->puts[i];
    struct err e = ERR_INIT;
    char path[CAS_PATH_SIZE];
    if (!b->temps[i]) {
        return;
    }
    cas_path_into(b->cas, path, (struct cas_id){p->md5, false});
    /* the folder nearly always exists */
    int rc = rename(b->temps[i], path);
    if (rc < 0 && errno == ENOENT) {
        if (cas_make_dirs(b->cas, p->md5, !b->sync_all, &e) < 0) {
            fail(p, &e);
            return;
        }
        rc = rename(b->temps[i], path);
    }
    if (rc < 0) {
        err_sys(&e, "cannot write %s", path);
        fail(p, &e);
        return;
    }
    free(b->temps[i]);
    b->temps[i] = NULL;
}

static int sync_temps(const struct batch *b, size_t from, size_t to, struct err *e)
{
    for (size_t i = from; i < to && !b->sync_all; i++) {
        int fd = b->temps[i] ? open(b->temps[i], O_RDONLY | O_CLOEXEC) : -1;
        if (!b->temps[i]) {
            continue;
        }
        int rc = fd < 0 || fs_sync_data(fd) < 0 ? err_sys(e, "cannot write %s", b->temps[i]) : 0;
        if (fd >= 0) {
            close(fd);
        }
        if (rc < 0) {
            return -1;
        }
    }
    return b->sync_all ? fs_sync_all(b->cas->dir, e) : 0;
}

static int sync_folders(const struct batch *b, size_t from, size_t to, struct err *e)
{
    bool dirs[256] = {false};
    for (size_t i = from; i < to; i++) {
        const char *m = b->puts[i].md5;
        if (!b->puts[i].failed && !b->puts[i].was_there) {
            dirs[strtoul((char[]){m[0], m[1], '\0'}, NULL, 16)] = true;
        }
    }
    int rc = 0;
    for (unsigned d = 0; d < 256 && rc == 0; d++) {
        const char two[3] = {"0123456789abcdef"[d >> 4], "0123456789abcdef"[d & 15], '\0'};
        rc = dirs[d] ? cas_sync_object_dir(b->cas, two, e) : 0;
    }
    return rc;
}

static int first_failure(const struct batch *b, size_t from, size_t to, struct err *e)
{
    for (size_t i = from; i < to && !b->objects; i++) {
        if (b->puts[i].failed) {
            return err_set(e, b->puts[i].failed->code, "%s", b->puts[i].failed->text);
        }
    }
    return 0;
}

/* Names for what was copied since `from`. */
static int flush(struct batch *b, struct par *par, size_t from, size_t to, size_t fresh,
                 struct err *e)
{
    if (fresh == 0) {
        return 0;
    }
    b->sync_all = fresh >= FEW && fs_can_sync_all(b->cas->dir);
    if (sync_temps(b, from, to, e) < 0) {
        return -1;
    }
    b->slice = from;
    par_for(par, to - from, name_one, b);
    if (first_failure(b, from, to, e) < 0) {
        return -1;
    }
    return b->sync_all ? 0 : sync_folders(b, from, to, e);
}

static void drop_temps(const struct batch *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (b->temps[i]) {
            unlink(b->temps[i]);
            free(b->temps[i]);
        }
    }
}

static int run(struct batch *b, struct par *par, size_t count, struct err *e)
{
    int rc = 0;
    size_t from = 0, fresh = 0;
    int64_t bytes = 0;
    bool names_open = false; /* there are names that no sync has made durable yet */
    for (size_t at = 0; at < count && rc == 0;) {
        size_t n = count - at < SLICE ? count - at : SLICE;
        b->slice = at;
        par_for(par, n, copy_one, b);
        rc = first_failure(b, at, at + n, e);
        for (size_t end = at + n; at < end; at++) {
            fresh += b->temps[at] != NULL;
            bytes += b->temps[at] ? (int64_t)b->puts[at].st.st_size : 0;
        }
        if (rc == 0 && (at == count || fresh >= BATCH || bytes >= BATCH_BYTES)) {
            rc = flush(b, par, from, at, fresh, e);
            names_open = names_open || (fresh && b->sync_all);
            from = at;
            fresh = 0;
            bytes = 0;
        }
    }
    drop_temps(b, count);
    return rc == 0 && names_open ? fs_sync_all(b->cas->dir, e) : rc;
}

static int put_all(struct cas *c, struct par *par, struct cas_put *puts, size_t count, bool objects,
                   struct err *e)
{
    struct batch b = {.cas = c, .puts = puts, .objects = objects};
    b.temps = xcalloc(count + 1, sizeof(*b.temps));
    int rc = run(&b, par, count, e);
    free(b.temps);
    return rc;
}

int cas_put_files(struct cas *c, struct par *p, struct cas_put *puts, size_t count, struct err *e)
{
    int rc = put_all(c, p, puts, count, false, e);
    for (size_t i = 0; i < count; i++) {
        free(puts[i].failed);
        puts[i].failed = NULL;
    }
    return rc;
}

int cas_copy_objects(struct cas *c, struct par *p, struct cas_put *puts, size_t count,
                     struct err *e)
{
    return put_all(c, p, puts, count, true, e);
}

int cas_put_file(struct cas *c, const char *abs_path, char md5[33], struct stat *st, struct err *e)
{
    struct cas_put p = {.path = abs_path};
    memcpy(p.md5, md5, 33);
    if (cas_put_files(c, NULL, &p, 1, e) < 0) {
        return -1;
    }
    memcpy(md5, p.md5, 33);
    if (st) {
        *st = p.st;
    }
    return 0;
}
