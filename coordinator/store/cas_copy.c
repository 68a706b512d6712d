/* See cas_copy.h. */
#include "cas_copy.h"
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
#include <sys/stat.h>
#include <unistd.h>

#define GROUP 16                /* small files that one thread has in hand */
#define FEW_LANES 4             /* fewer texts are hashed faster one by one */
#define SMALL ((size_t)1 << 16) /* read as a whole before anything is written */
#define TURNS 8                 /* groups a thread: none should wait long for the last */

/* Room for the texts of a group. */
struct cas_text {
    unsigned char *bytes; /* GROUP * SMALL */
    size_t used;
};

/* A small file on its way. */
struct reading {
    struct cas_put *put;
    int fd; /* -1: nothing more to do */
    int64_t opened_ns;
    const unsigned char *text;
    size_t n;
    char hex[DIGEST_HEX_SIZE];
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
static int check_read(const struct cas_copy *c, const struct cas_put *p, int fd, const char *hex,
                      struct err *e)
{
    struct stat after;
    if (c->objects && strncmp(p->md5, hex, 32) != 0) {
        return err_set(e, ERR_REMOTE, "'%s' has other content: its md5 is %.32s", p->path, hex);
    }
    if (fstat(fd, &after) < 0 || !same_file(&p->st, &after) ||
        (p->md5[0] && strncmp(p->md5, hex, 32) != 0)) {
        return err_set(e, ERR_BUSY, "'%s' changed while it was being stored", p->path);
    }
    return 0;
}

/* The content is known: remembered, and looked for. True: the object is there already. */
static bool found(const struct cas_copy *c, struct cas_put *p, const char *hex, int64_t hashed_at)
{
    if (c->objects) {
        return false; /* the caller has looked */
    }
    memcpy(p->md5, hex, 33);
    state_put(c->cas->state, &p->st, STATE_MD5, hex, hashed_at);
    p->was_there = cas_has(c->cas, (struct cas_id){hex, false}, false);
    return p->was_there;
}

static int close_temp(struct fs_temp *t, struct err *e)
{
    int fd = t->fd;
    t->fd = -1;
    return close(fd) == 0 ? 0 : err_sys(e, "cannot write %s", t->path);
}

static int waiting_path(const struct cas_copy *c, const struct cas_put *p, struct fs_temp *t,
                        struct err *e)
{
    int n = snprintf(t->path, sizeof(t->path), "%s/+%.2s/%s", c->waiting, p->md5, p->md5 + 2);
    return n < (int)sizeof(t->path) ? 0
                                    : err_set(e, ERR_LIMIT, "the path of the cache is too long");
}

static int make_waiting_folder(const struct cas_copy *c, const struct cas_put *p, struct err *e)
{
    char path[CAS_PATH_SIZE];
    snprintf(path, sizeof(path), "%s/+%.2s", c->waiting, p->md5);
    return cas_make_folder(c->cas, path, e) < 0 ? -1 : 0;
}

/* Under its later name, but in the folder of what waits. 1: the same content waits there already. */
static int open_waiting(const struct cas_copy *c, const struct cas_put *p, struct fs_temp *t,
                        struct err *e)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    if (waiting_path(c, p, t, e) < 0) {
        return -1;
    }
    t->fd = open(t->path, flags, CAS_OBJECT_MODE);
    if (t->fd < 0 && errno == ENOENT) {
        if (make_waiting_folder(c, p, e) < 0) {
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
    if ((c->cas->umask & CAS_OBJECT_MODE) && fchmod(t->fd, CAS_OBJECT_MODE) < 0) {
        return err_sys(e, "cannot set the mode of %s", t->path);
    }
    return 0;
}

void cas_copy_failed(struct cas_put *p, const struct err *why)
{
    p->failed = xmalloc(sizeof(*p->failed));
    *p->failed = *why;
}

/* Does a name that the caller or the memo believes in make the copy unnecessary? */
static bool is_known(const struct cas_copy *c, struct cas_put *p)
{
    if (c->objects) {
        return false; /* the caller has looked */
    }
    if (!p->md5[0]) {
        state_get(c->cas->state, &p->st, STATE_MD5, p->md5);
    }
    p->was_there = p->md5[0] && cas_has(c->cas, (struct cas_id){p->md5, false}, false);
    return p->was_there;
}

/* ---- small files ---- */

/* Big files are left for later: fd -1 and no failure, as for what is there already. */
static int open_small(const struct cas_copy *c, struct reading *r, struct cas_text *texts,
                      struct err *e)
{
    struct cas_put *p = r->put;
    r->fd = open_source(p, e);
    if (r->fd < 0) {
        return -1;
    }
    r->opened_ns = state_now_ns();
    if (is_known(c, p) || p->st.st_size > (off_t)SMALL) {
        close(r->fd);
        r->fd = -1;
        return 0;
    }
    unsigned char *to = texts->bytes + texts->used;
    ssize_t n = fs_read_full(r->fd, to, (size_t)p->st.st_size);
    if (n < 0) {
        return err_sys(e, "cannot read '%s'", p->path);
    }
    r->text = to;
    r->n = (size_t)n;
    texts->used += ((size_t)n + 63) / 64 * 64;
    return 0;
}

static void hash_group(struct reading *group, size_t count)
{
    struct digest_job jobs[GROUP];
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (group[i].fd >= 0) {
            jobs[n++] = (struct digest_job){.data = group[i].text, .n = group[i].n};
        }
    }
    if (n >= FEW_LANES) {
        digest_md5_many(jobs, n);
    }
    for (size_t i = 0, k = 0; i < count; i++) {
        if (group[i].fd < 0) {
            continue;
        }
        if (n >= FEW_LANES) {
            memcpy(group[i].hex, jobs[k++].hex, sizeof(jobs->hex));
        } else {
            digest_buffer(DIGEST_MD5, group[i].text, group[i].n, group[i].hex);
        }
    }
}

/* 1: nothing to write. */
static int write_small(const struct cas_copy *c, const struct reading *r, struct fs_temp *t,
                       struct err *e)
{
    struct cas_put *p = r->put;
    if (check_read(c, p, r->fd, r->hex, e) < 0) {
        return -1;
    }
    if (found(c, p, r->hex, r->opened_ns)) {
        return 1;
    }
    int rc =
        c->waiting[0] ? open_waiting(c, p, t, e) : cas_temp_open(c->cas, t, CAS_OBJECT_MODE, e);
    if (rc == 1) {
        p->was_there = true; /* or will be: an equal file came first */
        err_clear(e);
        return 1;
    }
    if (rc < 0 || fs_write_all(t->fd, r->text, r->n, t->path, e) < 0) {
        return -1;
    }
    return close_temp(t, e);
}

static void finish_small(const struct cas_copy *c, const struct reading *r)
{
    struct fs_temp t = {.fd = -1};
    struct err e = ERR_INIT;
    int rc = write_small(c, r, &t, &e);
    close(r->fd);
    if (rc < 0) {
        fs_temp_abort(&t);
        cas_copy_failed(r->put, &e);
    } else if (rc == 0) {
        c->temps[r->put - c->puts] = xstrdup(t.path);
    }
}

static void copy_group(void *ctx, size_t k, int thread)
{
    const struct cas_copy *c = ctx;
    struct cas_text *texts = &c->texts[thread];
    struct reading group[GROUP];
    size_t from = k * c->group;
    size_t count = c->count - from < c->group ? c->count - from : c->group;
    if (!texts->bytes) {
        texts->bytes = xmalloc(GROUP * SMALL);
    }
    texts->used = 0;
    for (size_t i = 0; i < count; i++) {
        struct err e = ERR_INIT;
        group[i].put = &c->puts[c->first + from + i];
        if (open_small(c, &group[i], texts, &e) < 0) {
            cas_copy_failed(group[i].put, &e);
            if (group[i].fd >= 0) {
                close(group[i].fd);
            }
            group[i].fd = -1;
        }
    }
    hash_group(group, count);
    for (size_t i = 0; i < count; i++) {
        if (group[i].fd >= 0) {
            finish_small(c, &group[i]);
        }
    }
}

/* ---- big files ---- */

/* Its name is known only when it is written: from a temp name of its own to where the others wait. */
static int let_wait(const struct cas_copy *c, const struct cas_put *p, struct fs_temp *t,
                    struct err *e)
{
    struct fs_temp to = {.fd = -1};
    if (waiting_path(c, p, &to, e) < 0) {
        return -1;
    }
    if (rename(t->path, to.path) < 0 &&
        (errno != ENOENT || make_waiting_folder(c, p, e) < 0 || rename(t->path, to.path) < 0)) {
        return err_sys(e, "cannot write %s", to.path);
    }
    *t = to;
    return 0;
}

static int copy_big(const struct cas_copy *c, struct cas_put *p, int fd, int64_t now,
                    struct fs_temp *t, struct err *e)
{
    char hex[DIGEST_HEX_SIZE];
    if (cas_temp_open(c->cas, t, CAS_OBJECT_MODE, e) < 0 ||
        cas_clone_or_copy(c->cas, fd, t, p->path, hex, e) < 0 || check_read(c, p, fd, hex, e) < 0) {
        return -1;
    }
    if (found(c, p, hex, now)) {
        fs_temp_abort(t);
        return 0;
    }
    if (close_temp(t, e) < 0) {
        return -1;
    }
    return c->waiting[0] ? let_wait(c, p, t, e) : 0;
}

static void copy_one_big(void *ctx, size_t k, int thread)
{
    const struct cas_copy *c = ctx;
    struct cas_put *p = &c->puts[c->first + k];
    if (p->st.st_size <= (off_t)SMALL || p->was_there || p->failed) {
        return;
    }
    struct fs_temp t = {.fd = -1};
    struct err e = ERR_INIT;
    int fd = open_source(p, &e);
    int rc = fd < 0 ? -1 : copy_big(c, p, fd, state_now_ns(), &t, &e);
    if (fd >= 0) {
        close(fd);
    }
    if (rc < 0) {
        fs_temp_abort(&t);
        cas_copy_failed(p, &e);
    } else if (t.path[0]) {
        c->temps[c->first + k] = xstrdup(t.path);
    }
}

/* ---- a slice ---- */

void cas_copy_run(struct cas_copy *c, struct par *par, size_t first, size_t count)
{
    size_t threads = (size_t)par_threads(par), group = count / (threads * TURNS);
    c->first = first;
    c->count = count;
    c->group = group < 1 ? 1 : group < GROUP ? group : GROUP;
    if (!c->texts) {
        c->texts = xcalloc(threads, sizeof(*c->texts));
        c->threads = threads;
    }
    par_for(par, (count + c->group - 1) / c->group, copy_group, c);
    bool big = false;
    for (size_t i = first; i < first + count && !big; i++) {
        big = c->puts[i].st.st_size > (off_t)SMALL;
    }
    if (big) {
        par_for(par, count, copy_one_big, c);
    }
}

void cas_copy_release(struct cas_copy *c)
{
    for (size_t i = 0; i < c->threads; i++) {
        free(c->texts[i].bytes);
    }
    free(c->texts);
    c->texts = NULL;
}
