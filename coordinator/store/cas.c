/* cas: the object cache, see cas.h. Files of the workspace come in by cas_batch.c, and go out by cas_link.c. */
#include "cas_private.h"

#include "alloc.h"
#include "content.h"
#include "digest.h"
#include "err.h"
#include "log.h"
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct cas *cas_open(const char *dir, const struct cas_options *opt, struct state *state)
{
    struct cas *c = xcalloc(1, sizeof(*c));
    c->dir = xstrdup(dir);
    c->state = state;
    if (opt) {
        c->opt = *opt;
    }
    if (!c->opt.link_count) {
        c->opt.links[0] = FS_REFLINK;
        c->opt.links[1] = FS_COPY;
        c->opt.link_count = 2;
    }
    mode_t mask = umask(0);
    umask(mask);
    c->umask = mask;
    atomic_init(&c->no_clone, false);
    atomic_init(&c->no_clone_out, false);
    return c;
}

void cas_close(struct cas *c)
{
    if (c) {
        free(c->dir);
        free(c);
    }
}

const char *cas_dir(const struct cas *c)
{
    return c->dir;
}

enum fs_link cas_first_link(const struct cas *c)
{
    return c->opt.links[0];
}

bool cas_md5_valid(const char *md5)
{
    size_t n = md5 ? strspn(md5, "0123456789abcdef") : 0;
    return n == 32 && (!md5[32] || !strcmp(md5 + 32, ".dir"));
}

char *cas_object_path(const struct cas *c, struct arena *a, struct cas_id id)
{
    if (!cas_md5_valid(id.md5)) {
        BUG("bad object name '%s'", id.md5 ? id.md5 : "(null)");
    }
    return arena_printf(a, "%s/%s%.2s/%s", c->dir, id.legacy ? "" : "files/md5/", id.md5,
                        id.md5 + 2);
}

void cas_path_into(const struct cas *c, char out[CAS_PATH_SIZE], struct cas_id id)
{
    snprintf(out, CAS_PATH_SIZE, "%s/%s%.2s/%s", c->dir, id.legacy ? "" : "files/md5/", id.md5,
             id.md5 + 2);
}

/* ---- is it there? ---- */

static int hash_object(struct cas *c, const char *path, struct cas_id id, const struct stat *st,
                       bool use_memo, char hex[DIGEST_HEX_SIZE], struct err *e)
{
    bool legacy = id.legacy && !id.md5[32];
    enum state_kind kind = legacy ? STATE_MD5_LEGACY : STATE_MD5;
    if (use_memo && state_get(c->state, st, kind, hex)) {
        return 0;
    }
    int64_t now = state_now_ns();
    int rc =
        legacy ? content_md5_legacy(path, hex, e) : digest_file(DIGEST_MD5, path, hex, NULL, e);
    if (rc == 0) {
        state_put(c->state, st, kind, hex, now);
    }
    return rc;
}

/* Kept aside for a person to look at; deep checks mean that somebody suspects the disk. */
static void move_to_corrupt(struct cas *c, const char *path, const char *md5)
{
    char to[CAS_PATH_SIZE];
    snprintf(to, sizeof(to), "%s/corrupt/%s", c->dir, md5);
    if (fs_mkdirs_for(to, NULL) < 0 || rename(path, to) < 0) {
        unlink(path);
    }
    log_warn("cache", "object %s has other content; moved to %s/corrupt", md5, c->dir);
}

/* What cas_has and cas_stat share. */
static bool look_at(struct cas *c, struct cas_id id, bool deep, struct stat *st)
{
    char path[CAS_PATH_SIZE];
    if (!cas_md5_valid(id.md5)) {
        return false;
    }
    cas_path_into(c, path, id);
    if (stat(path, st) < 0 || !S_ISREG(st->st_mode)) {
        return false;
    }
    if ((st->st_mode & 07777) == CAS_OBJECT_MODE && !deep) {
        return true;
    }
    char hex[DIGEST_HEX_SIZE];
    if (hash_object(c, path, id, st, !deep, hex, NULL) < 0) {
        return false;
    }
    if (strncmp(hex, id.md5, 32) != 0) {
        log_debug("cache", "corrupted cache file '%s'", path);
        if (deep) {
            move_to_corrupt(c, path, id.md5);
        } else {
            unlink(path);
        }
        return false;
    }
    if ((st->st_mode & 07777) != CAS_OBJECT_MODE && chmod(path, CAS_OBJECT_MODE) < 0) {
        log_debug("cache", "cannot protect '%s'", path); /* not ours, or a read-only cache */
    }
    return true;
}

bool cas_has(struct cas *c, struct cas_id id, bool deep)
{
    struct stat st;
    return look_at(c, id, deep, &st);
}

bool cas_stat(struct cas *c, struct cas_id id, struct stat *st)
{
    return look_at(c, id, false, st);
}

bool cas_has_all(struct cas *c, struct cas_id id, const struct dirobj *tree)
{
    if (!cas_has(c, id, false)) {
        return false;
    }
    if (!id.md5[32]) {
        return true;
    }
    struct arena a;
    struct dirobj list;
    arena_init(&a);
    bool all = true;
    if (!tree) {
        all = cas_read_dir(c, &a, id, &list, NULL) == 0;
        tree = &list;
    }
    for (size_t i = 0; all && i < tree->count; i++) {
        all = cas_has(c, (struct cas_id){tree->items[i].md5, id.legacy}, false);
    }
    arena_release(&a);
    return all;
}

int cas_read_dir(struct cas *c, struct arena *a, struct cas_id id, struct dirobj *d, struct err *e)
{
    char path[CAS_PATH_SIZE];
    if (!cas_md5_valid(id.md5) || !id.md5[32]) {
        return err_set(e, ERR_FORMAT, "'%s' is no folder object", id.md5 ? id.md5 : "");
    }
    cas_path_into(c, path, id);
    struct strbuf text;
    strbuf_init(&text);
    int rc = fs_read(path, 0, &text, e);
    if (rc == 0) {
        rc = dirobj_parse(a, d, strbuf_str(&text), path, e);
    }
    strbuf_release(&text);
    if (rc == 0) {
        /* written by an older program in another layout: the name it is known by counts */
        snprintf(d->md5, sizeof(d->md5), "%s", id.md5);
    }
    return rc;
}

/* ---- putting in ---- */

int cas_make_folder(const struct cas *c, const char *path, struct err *e)
{
    if (mkdir(path, 0777) < 0) {
        if (errno == EEXIST) {
            return 1;
        }
        if (fs_mkdirs(path, e) < 0) {
            return -1;
        }
    }
    if (!c->opt.shared) {
        return 0;
    }
    char part[CAS_PATH_SIZE];
    snprintf(part, sizeof(part), "%s", path);
    for (size_t n = strlen(part); n >= strlen(c->dir); n--) {
        if (part[n] == '\0' || part[n] == '/') {
            part[n] = '\0';
            if (chmod(part, 02775) < 0 && errno != EPERM) {
                return err_sys(e, "cannot set the mode of %s", part);
            }
        }
    }
    return 0;
}

int cas_make_dirs(struct cas *c, const char *md5, bool sync, struct err *e)
{
    char path[CAS_PATH_SIZE];
    snprintf(path, sizeof(path), "%s/files/md5/%.2s", c->dir, md5);
    int rc = cas_make_folder(c, path, e);
    if (rc != 0 || !sync) {
        return rc < 0 ? -1 : 0;
    }
    *strrchr(path, '/') = '\0';
    return fs_sync_dir(path, e);
}

int cas_temp_open(struct cas *c, struct fs_temp *t, mode_t mode, struct err *e)
{
    char beside[CAS_PATH_SIZE];
    snprintf(beside, sizeof(beside), "%s/files/md5/object", c->dir);
    if (fs_temp_open(t, beside, mode, NULL) == 0) {
        return 0;
    }
    if (fs_mkdirs_for(beside, e) < 0) {
        return -1;
    }
    return fs_temp_open(t, beside, mode, e);
}

/* A finished temp file under its name. The data is on disk; the folder is synced by
 * the caller. */
int cas_temp_keep(struct cas *c, struct fs_temp *t, const char *md5, struct err *e)
{
    char path[CAS_PATH_SIZE];
    cas_path_into(c, path, (struct cas_id){md5, false});
    if (cas_make_dirs(c, md5, true, e) < 0 || fchmod(t->fd, CAS_OBJECT_MODE) < 0) {
        fs_temp_abort(t);
        return err_sys(e, "cannot store %s", path);
    }
    if (fs_temp_commit(t, path, true, e) == 0) {
        return 0;
    }
    return -1;
}

int cas_clone_or_copy(struct cas *c, int from, const struct fs_temp *t, const char *name,
                      char hex[DIGEST_HEX_SIZE], struct err *e)
{
    if (!atomic_load_explicit(&c->no_clone, memory_order_relaxed)) {
        if (ioctl(t->fd, FICLONE, from) == 0) {
            /* the clone cannot change any more: what is hashed is what is kept */
            return digest_file(DIGEST_MD5, t->path, hex, NULL, e);
        }
        if (errno == EOPNOTSUPP || errno == EXDEV || errno == ENOTTY || errno == EINVAL) {
            atomic_store_explicit(&c->no_clone, true, memory_order_relaxed);
        }
    }
    return digest_copy(DIGEST_MD5, from, t->fd, name, hex, NULL, e);
}

int cas_sync_object_dir(struct cas *c, const char *md5, struct err *e)
{
    char path[CAS_PATH_SIZE];
    snprintf(path, sizeof(path), "%s/files/md5/%.2s", c->dir, md5);
    return fs_sync_dir(path, e);
}

static int sync_data(const struct fs_temp *t, struct err *e)
{
    return fs_sync_data(t->fd) == 0 ? 0 : err_sys(e, "cannot write %s", t->path);
}

int cas_put_bytes(struct cas *c, const void *data, size_t n, const char *suffix, char md5[37],
                  struct err *e)
{
    char hex[DIGEST_HEX_SIZE];
    digest_buffer(DIGEST_MD5, data, n, hex);
    snprintf(md5, 37, "%.32s%s", hex, suffix);
    if (cas_has(c, (struct cas_id){md5, false}, false)) {
        return 0;
    }
    struct fs_temp t;
    if (cas_temp_open(c, &t, 0600, e) < 0) {
        return -1;
    }
    if (fs_write_all(t.fd, data, n, t.path, e) < 0 || sync_data(&t, e) < 0) {
        fs_temp_abort(&t);
        return -1;
    }
    return cas_temp_keep(c, &t, md5, e) < 0 ? -1 : cas_sync_object_dir(c, md5, e);
}

int cas_put_dir(struct cas *c, struct dirobj *d, struct err *e)
{
    struct strbuf text;
    strbuf_init(&text);
    dirobj_sort(d);
    dirobj_write(d, &text);
    int rc = cas_put_bytes(c, text.p, text.n, ".dir", d->md5, e);
    strbuf_release(&text);
    return rc;
}

/* A whole temp file that `hex` was computed of, under the name it must have. */
static int keep_verified(struct cas *c, struct fs_temp *t, struct cas_id id, const char *source,
                         const char *hex, struct err *e)
{
    int rc = 0;
    if (strncmp(hex, id.md5, 32) != 0) {
        rc = err_set(e, ERR_REMOTE, "'%s' has other content: its md5 is %.32s", source, hex);
    }
    if (rc < 0 || sync_data(t, e) < 0) {
        fs_temp_abort(t);
        return -1;
    }
    if (!id.legacy) {
        return cas_temp_keep(c, t, id.md5, e) < 0 ? -1 : cas_sync_object_dir(c, id.md5, e);
    }
    char path[CAS_PATH_SIZE];
    cas_path_into(c, path, id);
    if (fs_mkdirs_for(path, e) < 0 || fchmod(t->fd, CAS_OBJECT_MODE) < 0) {
        fs_temp_abort(t);
        return err_sys(e, "cannot store %s", path);
    }
    return fs_temp_commit(t, path, false, e);
}

static int check_name(struct cas_id id, struct err *e)
{
    return cas_md5_valid(id.md5)
               ? 0
               : err_set(e, ERR_FORMAT, "'%s' is no object name", id.md5 ? id.md5 : "");
}

int cas_import(struct cas *c, const char *src_path, struct cas_id id, struct err *e)
{
    char hex[DIGEST_HEX_SIZE];
    struct fs_temp t;
    if (check_name(id, e) < 0) {
        return -1;
    }
    int fd = open(src_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_sys(e, "cannot read '%s'", src_path);
    }
    if (cas_temp_open(c, &t, 0600, e) < 0) {
        close(fd);
        return -1;
    }
    int rc = cas_clone_or_copy(c, fd, &t, src_path, hex, e);
    close(fd);
    if (rc == 0 && id.legacy && !id.md5[32]) {
        rc = content_md5_legacy(t.path, hex, e);
    }
    if (rc < 0) {
        fs_temp_abort(&t);
        return -1;
    }
    return keep_verified(c, &t, id, src_path, hex, e);
}

int cas_receive(struct cas *c, struct cas_id id, cas_get_fn *get, void *ctx, struct err *e)
{
    char hex[DIGEST_HEX_SIZE];
    struct fs_temp t;
    if (check_name(id, e) < 0 || cas_temp_open(c, &t, 0600, e) < 0) {
        return -1;
    }
    int rc = get(ctx, t.path, e);
    if (rc == 0) {
        rc = id.legacy && !id.md5[32] ? content_md5_legacy(t.path, hex, e)
                                      : digest_file(DIGEST_MD5, t.path, hex, NULL, e);
    }
    if (rc < 0) {
        fs_temp_abort(&t);
        return -1;
    }
    return keep_verified(c, &t, id, id.md5, hex, e);
}

/* ---- all of it ---- */

struct each {
    struct cas *c;
    bool legacy;
    cas_each_fn *fn;
    void *ctx;
    const char *root;
};

static int each_entry(void *ctx, const struct fs_entry *entry, struct err *e)
{
    struct each *x = ctx;
    if (S_ISDIR(entry->st.st_mode)) {
        return strlen(entry->path) == 2 ? 0 : 1; /* beside DVC 2's objects stand files/ and runs/ */
    }
    if (!S_ISREG(entry->st.st_mode) || strlen(entry->path) < 3 || entry->path[2] != '/') {
        return 0;
    }
    char md5[64], path[CAS_PATH_SIZE];
    snprintf(md5, sizeof(md5), "%.2s%s", entry->path, entry->path + 3);
    if (!cas_md5_valid(md5)) {
        return 0;
    }
    snprintf(path, sizeof(path), "%s/%s", x->root, entry->path);
    return x->fn(x->ctx, (struct cas_id){md5, x->legacy}, path, entry->st.st_size, e) ? -1 : 0;
}

int cas_each(struct cas *c, bool legacy, cas_each_fn *fn, void *ctx, struct err *e)
{
    char root[CAS_PATH_SIZE];
    snprintf(root, sizeof(root), "%s%s", c->dir, legacy ? "" : "/files/md5");
    struct each x = {c, legacy, fn, ctx, root};
    return fs_is_dir(root) ? fs_walk(root, each_entry, &x, e) : 0;
}

int cas_remove(struct cas *c, struct cas_id id, struct err *e)
{
    char path[CAS_PATH_SIZE];
    cas_path_into(c, path, id);
    return fs_remove(path, e);
}
