/* See ferry.h. */
#include "ferry.h"

#include "alloc.h"
#include "cas.h"
#include "checkout.h"
#include "content.h"
#include "dirobj.h"
#include "err.h"
#include "fiber.h"
#include "fs.h"
#include "pool.h"
#include "post.h"
#include "repo.h"
#include "store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NONE UINT64_MAX

struct ferry {
    struct post *post;
    int from;
    struct store *store;
    const struct carry *carry, *allowed; /* allowed NULL: bringing */
    struct fiber *fiber;
    struct arena arena;
    const char *md5; /* under way */
    struct str bytes;
    bool waiting, cancelled;
    int rc;
    struct err why;
};

/* ---- one object ---- */

static int ask(struct ferry *f, uint64_t offset, struct err *e)
{
    struct strbuf b;
    strbuf_init(&b);
    strbuf_add(&b, &offset, sizeof offset);
    strbuf_adds(&b, f->md5);
    int rc = post_send(f->post, f->from, POOL_NEED, strbuf_str(&b), e);
    strbuf_release(&b);
    f->waiting = rc == 0;
    while (f->waiting && !f->cancelled) {
        fiber_yield(f->fiber);
    }
    if (rc == 0 && f->cancelled) {
        rc = err_set(e, ERR_INTERRUPTED, "stopped while its files travelled");
    }
    return rc;
}

/* The piece that came: what it says must fit to what came before it. */
static int take_piece(struct ferry *f, int fd, const char *tmp, uint64_t *offset, uint64_t *total,
                      struct err *e)
{
    uint64_t head[2];
    if (f->bytes.n < sizeof head) {
        return err_set(e, ERR_FORMAT, "rank %d sent %zu bytes as a piece of %s", f->from,
                       f->bytes.n, f->md5);
    }
    memcpy(head, f->bytes.p, sizeof head);
    struct str data = str_sub(f->bytes, sizeof head, f->bytes.n - sizeof head);
    if (head[0] == NONE) {
        return err_set(e, ERR_MISSING, "rank %d has no object %s: %.*s", f->from, f->md5,
                       STR_ARG(data));
    }
    bool first = *offset == 0;
    if (head[1] != *offset || (!first && head[0] != *total) || data.n > head[0] - *offset ||
        (data.n == 0 && head[0] != *offset)) {
        return err_set(e, ERR_FORMAT, "rank %d sent a piece of %s that does not fit: %zu bytes",
                       f->from, f->md5, data.n);
    }
    *total = head[0];
    *offset += data.n;
    return fs_write_all(fd, data.p, data.n, tmp, e);
}

static int receive(void *ctx, const char *tmp, struct err *e)
{
    struct ferry *f = ctx;
    uint64_t offset = 0, total = 0;
    int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int rc = fd < 0 ? err_sys(e, "cannot write %s", tmp) : 0;
    do {
        rc = rc == 0 ? ask(f, offset, e) : rc;
        rc = rc == 0 ? take_piece(f, fd, tmp, &offset, &total, e) : rc;
    } while (rc == 0 && offset < total);
    if (fd >= 0 && close(fd) != 0 && rc == 0) {
        rc = err_sys(e, "cannot write %s", tmp);
    }
    return rc;
}

static int fetch_one(struct ferry *f, const char *md5, struct err *e)
{
    struct cas_id id = {.md5 = md5};
    f->md5 = md5;
    return cas_has(f->store->cas, id, false) ? 0 : cas_receive(f->store->cas, id, receive, f, e);
}

/* An object, and of a folder every member. */
static int fetch(struct ferry *f, const char *md5, struct err *e)
{
    struct dirobj d;
    if (fetch_one(f, md5, e) < 0) {
        return -1;
    }
    if (!str_ends(str_from(md5), ".dir")) {
        return 0;
    }
    dirobj_init(&d);
    if (cas_read_dir(f->store->cas, &f->arena, (struct cas_id){.md5 = md5}, &d, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < d.count; i++) {
        if (fetch_one(f, d.items[i].md5, e) < 0) {
            return -1;
        }
    }
    return 0;
}

static int place(struct ferry *f, const struct carry_file *file, bool copy, struct err *e)
{
    const struct hash h = {.md5 = file->md5, .size = -1, .nfiles = -1, .isexec = file->isexec};
    if (fetch(f, file->md5, e) < 0) {
        return err_wrap(e, "cannot get '%s'", file->path);
    }
    return checkout_hash(f->store, &f->arena, file->path, &h, copy, e);
}

/* ---- the two trips ---- */

static int bring(struct ferry *f, struct err *e)
{
    const struct carry *c = f->carry;
    for (size_t i = 0; i < c->dep_count; i++) {
        struct content have = {.path = c->deps[i].path};
        if (content_read(f->store, &f->arena, &have, 1, e) < 0) {
            return -1;
        }
        bool same = have.hash.md5 != NULL && strcmp(have.hash.md5, c->deps[i].md5) == 0;
        if (!same && place(f, &c->deps[i], false, e) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < c->out_count; i++) {
        const char *abs = repo_abs(f->store->repo, &f->arena, c->outs[i].path);
        if ((!c->outs[i].keep && fs_remove_tree(abs, e) < 0) || fs_mkdirs_for(abs, e) < 0) {
            return -1;
        }
    }
    return 0;
}

static bool is_allowed(const struct carry *c, const char *path)
{
    for (size_t i = 0; i < c->out_count; i++) {
        if (strcmp(c->outs[i].path, path) == 0) {
            return true;
        }
    }
    return false;
}

static int give_back(struct ferry *f, struct err *e)
{
    for (size_t i = 0; i < f->carry->dep_count; i++) {
        const struct carry_file *made = &f->carry->deps[i];
        if (!is_allowed(f->allowed, made->path)) {
            return err_set(e, ERR_FORMAT, "rank %d returns '%s', which is no output of the stage",
                           f->from, made->path);
        }
        if (place(f, made, true, e) < 0) {
            return -1;
        }
    }
    return 0;
}

static void trip(void *ctx)
{
    struct ferry *f = ctx;
    f->rc = f->allowed != NULL ? give_back(f, &f->why) : bring(f, &f->why);
}

/* ---- life ---- */

static struct ferry *new_ferry(struct post *post, int from, struct store *s, const struct carry *c,
                               const struct carry *allowed, struct err *e)
{
    struct ferry *f = xcalloc(1, sizeof *f);
    f->post = post;
    f->from = from;
    f->store = s;
    f->carry = c;
    f->allowed = allowed;
    arena_init(&f->arena);
    f->fiber = fiber_new(trip, f, e);
    if (f->fiber == NULL) {
        ferry_free(f);
        return NULL;
    }
    return f;
}

struct ferry *ferry_bring(struct post *post, int from, struct store *s, const struct carry *c,
                          struct err *e)
{
    return new_ferry(post, from, s, c, NULL, e);
}

struct ferry *ferry_return(struct post *post, int from, struct store *s,
                           const struct carry *allowed, const struct carry *made, struct err *e)
{
    return new_ferry(post, from, s, made, allowed, e);
}

bool ferry_go(struct ferry *f)
{
    return fiber_resume(f->fiber);
}

void ferry_bytes(struct ferry *f, struct str bytes)
{
    f->bytes = bytes;
    f->waiting = false;
}

void ferry_cancel(struct ferry *f)
{
    f->cancelled = true;
}

int ferry_result(const struct ferry *f, struct err *e)
{
    return f->rc == 0 ? 0 : err_set(e, f->why.code, "%s", f->why.text);
}

void ferry_free(struct ferry *f)
{
    if (f != NULL) {
        fiber_free(f->fiber);
        arena_release(&f->arena);
        free(f);
    }
}

/* ---- the other side ---- */

static int read_piece(const char *path, uint64_t offset, struct strbuf *out, struct err *e)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        err_sys(e, "cannot read it");
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    uint64_t head[2] = {(uint64_t)st.st_size, offset};
    uint64_t left = offset < head[0] ? head[0] - offset : 0;
    size_t n = left < FERRY_PIECE_BYTES ? (size_t)left : FERRY_PIECE_BYTES;
    char *piece = xmalloc(n + 1);
    ssize_t got = pread(fd, piece, n, (off_t)offset);
    int rc = got != (ssize_t)n ? err_set(e, ERR_IO, "cannot read it whole") : 0;
    if (rc == 0) {
        strbuf_add(out, head, sizeof head);
        strbuf_add(out, piece, n);
    }
    free(piece);
    close(fd);
    return rc;
}

int ferry_serve(struct post *post, int to, const struct store *s, struct str need, struct err *e)
{
    struct arena a;
    struct strbuf answer;
    struct err why = ERR_INIT;
    uint64_t offset = 0;
    if (need.n < sizeof offset + 32 || need.n > sizeof offset + 36) {
        return err_set(e, ERR_FORMAT, "rank %d asks for an object in %zu bytes", to, need.n);
    }
    arena_init(&a);
    strbuf_init(&answer);
    memcpy(&offset, need.p, sizeof offset);
    const char *md5 = arena_strndup(&a, need.p + sizeof offset, need.n - sizeof offset);
    int rc = cas_md5_valid(md5) ? 0 : err_set(&why, ERR_FORMAT, "that is no md5");
    if (rc == 0) {
        rc = read_piece(cas_object_path(s->cas, &a, (struct cas_id){.md5 = md5}), offset, &answer,
                        &why);
    }
    if (rc < 0) {
        const uint64_t head[2] = {NONE, offset};
        strbuf_reset(&answer);
        strbuf_add(&answer, head, sizeof head);
        strbuf_adds(&answer, why.text);
    }
    rc = post_send(post, to, POOL_BYTES, strbuf_str(&answer), e);
    strbuf_release(&answer);
    arena_release(&a);
    return rc;
}
