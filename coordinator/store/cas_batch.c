/*
 * cas_batch: files into the cache, one or thousands, see cas.h.
 *
 * Two syncs a file (its content, its folder) cost more than everything else together: 10,000 files of 4 KB took
 * 46 s on a disk where the copies take 0.5 s. So a batch goes in three steps:
 *   copy   in parallel: read, hashed, written with mode 444 to files/md5/.nephron-*.tmp/+<2>/<30> (with a sign, lest a
 *          DVC that lists the cache meanwhile takes it for an object)
 *   sync   the whole file system, once
 *   name   a folder <2> that the cache does not have yet is renamed as a whole, the files of the others one by one
 * and after the last batch the file system is synced once more, for the names. In 256 folders the threads do not
 * wait for each other's turn in one, and a new cache or remote costs 256 renames instead of one a file.
 *
 * Few files have temp names of their own and are synced one by one: a sync of all waits for other programs' data
 * too. docs/decisions/0011.
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
#define BATCH 32768                    /* files that wait for their names */
#define BATCH_BYTES ((int64_t)1 << 30) /* bytes likewise: a kill loses no more */
#define FOLDERS 256
#define FEW 16                  /* below: synced one by one */
#define SMALL ((size_t)1 << 16) /* read as a whole before anything is written */

struct batch {
    struct cas *cas;
    struct cas_put *puts;
    char **temps; /* by item: what waits for its name, or NULL */
    bool objects; /* cas_copy_objects: md5 is the name that the content must have */
    bool sync_all;
    size_t slice;        /* first item of the loop under way */
    char waiting[4096];  /* the folder of what waits for its name; "": temp files of their own */
    bool moved[FOLDERS]; /* folders of `waiting` that were renamed as a whole */
};

static unsigned folder_of(const struct cas_put *p)
{
    return (unsigned)strtoul((char[]){p->md5[0], p->md5[1], '\0'}, NULL, 16);
}

static void folder_name(unsigned folder, char out[3])
{
    out[0] = "0123456789abcdef"[folder >> 4];
    out[1] = "0123456789abcdef"[folder & 15];
    out[2] = '\0';
}

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

static int waiting_path(const struct batch *b, const struct cas_put *p, struct fs_temp *t,
                        struct err *e)
{
    int n = snprintf(t->path, sizeof(t->path), "%s/+%.2s/%s", b->waiting, p->md5, p->md5 + 2);
    return n < (int)sizeof(t->path) ? 0
                                    : err_set(e, ERR_LIMIT, "the path of the cache is too long");
}

static int make_waiting_folder(const struct batch *b, const struct cas_put *p, struct err *e)
{
    char path[CAS_PATH_SIZE];
    snprintf(path, sizeof(path), "%s/+%.2s", b->waiting, p->md5);
    return cas_make_folder(b->cas, path, e) < 0 ? -1 : 0;
}

/* Under its later name, but in the folder of what waits. 1: the same content waits there already. */
static int open_waiting(const struct batch *b, const struct cas_put *p, struct fs_temp *t,
                        struct err *e)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    if (waiting_path(b, p, t, e) < 0) {
        return -1;
    }
    t->fd = open(t->path, flags, CAS_OBJECT_MODE);
    if (t->fd < 0 && errno == ENOENT) {
        if (make_waiting_folder(b, p, e) < 0) {
            return -1;
        }
        t->fd = open(t->path, flags, CAS_OBJECT_MODE);
    }
    if (t->fd < 0) {
        int code = errno;
        int rc = err_sys(e, "cannot write %s", t->path);
        t->path[0] = '\0'; /* not ours */
        return code == EEXIST ? 1 : rc;
    }
    if ((b->cas->umask & CAS_OBJECT_MODE) && fchmod(t->fd, CAS_OBJECT_MODE) < 0) {
        return err_sys(e, "cannot set the mode of %s", t->path);
    }
    return 0;
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
    int rc =
        b->waiting[0] ? open_waiting(b, p, t, e) : cas_temp_open(b->cas, t, CAS_OBJECT_MODE, e);
    if (rc == 1) {
        p->was_there = true;
        err_clear(e);
        return 0;
    }
    if (rc < 0 || fs_write_all(t->fd, data, (size_t)n, t->path, e) < 0) {
        return -1;
    }
    return close_temp(t, e);
}

/* Its name is known only when it is written: from a temp name of its own to where the others wait. */
static int let_wait(const struct batch *b, const struct cas_put *p, struct fs_temp *t,
                    struct err *e)
{
    struct fs_temp to = {.fd = -1};
    if (waiting_path(b, p, &to, e) < 0) {
        return -1;
    }
    if (rename(t->path, to.path) < 0 &&
        (errno != ENOENT || make_waiting_folder(b, p, e) < 0 || rename(t->path, to.path) < 0)) {
        return err_sys(e, "cannot write %s", to.path);
    }
    *t = to;
    return 0;
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
    if (close_temp(t, e) < 0) {
        return -1;
    }
    return b->waiting[0] ? let_wait(b, p, t, e) : 0;
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

/* A folder that the cache has not yet comes there with all that is in it. */
static void move_folder(void *ctx, size_t i, int thread)
{
    struct batch *b = ctx;
    char from[CAS_PATH_SIZE], to[CAS_PATH_SIZE], two[3];
    folder_name((unsigned)i, two);
    snprintf(from, sizeof(from), "%s/+%s", b->waiting, two);
    snprintf(to, sizeof(to), "%s/files/md5/%s", b->cas->dir, two);
    b->moved[i] =
        rename(from, to) == 0; /* it is there, or nothing waits: the files go one by one */
}

static int name_file(const struct batch *b, const struct cas_put *p, const char *temp,
                     struct err *e)
{
    char path[CAS_PATH_SIZE];
    cas_path_into(b->cas, path, (struct cas_id){p->md5, false});
    /* the folder nearly always exists */
    if (rename(temp, path) == 0) {
        return 0;
    }
    if (errno == ENOENT) {
        if (cas_make_dirs(b->cas, p->md5, !b->sync_all, e) < 0) {
            return -1;
        }
        if (rename(temp, path) == 0 || (errno == ENOENT && fs_is_file(path))) {
            return 0; /* two files of one content wait as one, and the other was faster */
        }
    }
    return err_sys(e, "cannot write %s", path);
}

static void name_one(void *ctx, size_t k, int thread)
{
    struct batch *b = ctx;
    size_t i = b->slice + k;
    struct cas_put *p = &b->puts[i];
    struct err e = ERR_INIT;
    if (!b->temps[i]) {
        return;
    }
    if (!b->moved[folder_of(p)] && name_file(b, p, b->temps[i], &e) < 0) {
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
    bool dirs[FOLDERS] = {false}, moved = false;
    for (size_t i = from; i < to; i++) {
        if (!b->puts[i].failed && !b->puts[i].was_there) {
            dirs[folder_of(&b->puts[i])] = true;
        }
    }
    int rc = 0;
    for (unsigned d = 0; d < FOLDERS && rc == 0; d++) {
        char two[3];
        folder_name(d, two);
        moved = moved || b->moved[d];
        rc = dirs[d] ? cas_sync_object_dir(b->cas, two, e) : 0;
    }
    return rc == 0 && moved ? cas_sync_object_dir(b->cas, "", e) : rc;
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
    memset(b->moved, 0, sizeof(b->moved));
    if (b->waiting[0]) {
        par_for(par, FOLDERS, move_folder, b);
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

static int name_waiting(struct batch *b, size_t count, struct err *e)
{
    char beside[CAS_PATH_SIZE];
    snprintf(beside, sizeof(beside), "%s/files/md5/objects", b->cas->dir);
    return count < FEW ? 0 : fs_temp_name(b->waiting, sizeof(b->waiting), beside, e);
}

static int put_all(struct cas *c, struct par *par, struct cas_put *puts, size_t count, bool objects,
                   struct err *e)
{
    struct batch b = {.cas = c, .puts = puts, .objects = objects};
    if (name_waiting(&b, count, e) < 0) {
        return -1;
    }
    b.temps = xcalloc(count + 1, sizeof(*b.temps));
    int rc = run(&b, par, count, e);
    free(b.temps);
    if (b.waiting[0]) {
        fs_remove_tree(b.waiting, NULL);
    }
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
