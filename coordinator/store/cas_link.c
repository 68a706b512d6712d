/* cas_link: objects out to the workspace, by clone, hard link, symbolic link or copy. */
#include "cas_private.h"

#include "err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static mode_t file_mode(const struct cas *c)
{
    return c->opt.shared ? 0664 : 0666 & ~c->umask;
}

/* Types that a file system or mount may lack; anything else is a real failure. */
static bool may_try_next(int code)
{
    return code == EPERM || code == EOPNOTSUPP || code == EXDEV || code == ENOTTY ||
           code == ENOSYS || code == EINVAL || code == EAGAIN || code == EMLINK;
}

/* The type that is tried `i`-th. */
static enum fs_link kind_at(const struct cas *c, size_t i, off_t size, bool copy_only)
{
    return copy_only || (c->opt.links[i] == FS_HARDLINK && size == 0) ? FS_COPY : c->opt.links[i];
}

static bool no_clone_out(struct cas *c)
{
    return atomic_load_explicit(&c->no_clone, memory_order_relaxed) ||
           atomic_load_explicit(&c->no_clone_out, memory_order_relaxed);
}

/* *used: what it became. */
static int link_temp(struct cas *c, const char *src, const char *tmp, off_t size, bool copy_only,
                     enum fs_link *used, struct err *e)
{
    for (size_t i = 0; i < c->opt.link_count; i++) {
        enum fs_link how = *used = kind_at(c, i, size, copy_only);
        bool more = i + 1 < c->opt.link_count && !copy_only;
        if (how == FS_REFLINK && more && no_clone_out(c)) {
            continue;
        }
        struct err inner = ERR_INIT;
        if (fs_link(how, src, tmp, file_mode(c), &inner) == 0) {
            return 0;
        }
        if (how == FS_COPY || !more || !may_try_next(inner.detail)) {
            return err_set(e, inner.code, "%s", inner.text);
        }
        unlink(tmp);
        if (how == FS_REFLINK && inner.detail != EAGAIN) {
            atomic_store_explicit(&c->no_clone_out, true, memory_order_relaxed);
        }
    }
    return err_set(e, ERR_IO, "no possible cache link types for '%s'", tmp);
}

static int replace(const char *tmp, const char *dst, struct err *e)
{
    if (rename(tmp, dst) == 0) {
        return 0;
    }
    /* an empty folder may go; what a folder holds is for the caller to judge */
    if (errno == EISDIR && rmdir(dst) == 0 && rename(tmp, dst) == 0) {
        return 0;
    }
    int rc = err_sys(e, "cannot create '%s'", dst);
    unlink(tmp);
    return rc;
}

int cas_link_out(struct cas *c, struct cas_id id, const char *dst,
                 const struct cas_out_options *opt, struct err *e)
{
    static const struct cas_out_options none = {0};
    opt = opt ? opt : &none;
    char src[CAS_PATH_SIZE], tmp[CAS_PATH_SIZE];
    struct stat st;
    if (!cas_stat(c, id, &st)) {
        return err_set(e, ERR_MISSING, "no object %s in the cache", id.md5 ? id.md5 : "");
    }
    cas_path_into(c, src, id);
    if (fs_temp_name(tmp, sizeof(tmp), dst, e) < 0) {
        return -1;
    }
    struct err inner = ERR_INIT;
    enum fs_link used = FS_COPY;
    int rc = link_temp(c, src, tmp, st.st_size, opt->copy_only, &used, &inner);
    if (rc < 0 && inner.code == ERR_MISSING) {
        /* the parent is missing: made only now, since it nearly always exists */
        if (fs_mkdirs_for(dst, e) < 0) {
            return -1;
        }
        inner = (struct err)ERR_INIT;
        rc = link_temp(c, src, tmp, st.st_size, opt->copy_only, &used, &inner);
    }
    if (rc < 0) {
        return err_set(e, inner.code, "%s", inner.text);
    }
    if (opt->isexec && stat(tmp, &st) == 0 && chmod(tmp, (st.st_mode & 07777) | S_IXUSR) < 0) {
        unlink(tmp);
        return err_sys(e, "cannot set the mode of '%s'", dst);
    }
    /* rename does nothing when both names are links to one file already */
    rc = replace(tmp, dst, e);
    if (used == FS_HARDLINK) {
        unlink(tmp);
    }
    return rc;
}

bool cas_is_linked(struct cas *c, struct cas_id id, const char *path)
{
    struct stat st, object;
    char src[CAS_PATH_SIZE], target[CAS_PATH_SIZE];
    if (lstat(path, &st) < 0) {
        return false;
    }
    cas_path_into(c, src, id);
    bool symlink = S_ISLNK(st.st_mode);
    bool hard = !symlink && st.st_nlink > 1;
    for (size_t i = 0; i < c->opt.link_count; i++) {
        enum fs_link how = c->opt.links[i];
        if ((how == FS_COPY || how == FS_REFLINK) && !symlink && !hard) {
            return true;
        }
        if (how == FS_HARDLINK && hard) {
            return stat(src, &object) == 0 && object.st_ino == st.st_ino &&
                   object.st_dev == st.st_dev;
        }
        if (how == FS_HARDLINK && !symlink && st.st_size == 0) {
            return true;
        }
        if (how == FS_SYMLINK && symlink) {
            ssize_t n = readlink(path, target, sizeof(target) - 1);
            return n >= 0 && (size_t)n == strlen(src) && !memcmp(target, src, (size_t)n);
        }
    }
    return false;
}

/* Is it the kind of link that is tried first? */
static bool is_first_kind(struct cas *c, struct cas_id id, const char *path)
{
    struct cas only = *c;
    only.opt.link_count = 1;
    return cas_is_linked(&only, id, path);
}

int cas_relink(struct cas *c, struct cas_id id, const char *path,
               const struct cas_relink_options *opt, struct err *e)
{
    enum fs_link first = c->opt.links[0];
    bool strict = first == FS_HARDLINK || (first == FS_SYMLINK && opt->single);
    if (strict ? !is_first_kind(c, id, path) : !cas_is_linked(c, id, path)) {
        return cas_link_out(c, id, path, &(struct cas_out_options){.isexec = opt->isexec}, e);
    }
    if (!opt->single || first == FS_HARDLINK || first == FS_SYMLINK) {
        return 0;
    }
    struct stat st;
    mode_t mode = file_mode(c) | (opt->isexec ? S_IXUSR : 0);
    if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 07777) != mode &&
        chmod(path, mode) < 0) {
        return err_sys(e, "cannot set the mode of '%s'", path);
    }
    return 0;
}

/* ---- unprotect ---- */

static int unprotect_file(struct cas *c, const char *path, struct err *e)
{
    struct stat st;
    if (lstat(path, &st) < 0) {
        return err_sys(e, "cannot unprotect '%s'", path);
    }
    if (S_ISLNK(st.st_mode) || st.st_nlink > 1) {
        char tmp[CAS_PATH_SIZE], real[4096];
        const char *src = path;
        if (S_ISLNK(st.st_mode)) {
            if (!realpath(path, real)) {
                return err_sys(e, "cannot unprotect '%s'", path);
            }
            src = real;
        }
        if (fs_temp_name(tmp, sizeof(tmp), path, e) < 0) {
            return -1;
        }
        if (fs_link(FS_COPY, src, tmp, file_mode(c), e) < 0) {
            unlink(tmp);
            return -1;
        }
        return replace(tmp, path, e);
    }
    mode_t mode = file_mode(c);
    if ((st.st_mode & 07777) != mode && chmod(path, mode) < 0) {
        return err_sys(e, "cannot unprotect '%s'", path);
    }
    return 0;
}

struct unprotect {
    struct cas *c;
    const char *root;
};

static int unprotect_entry(void *ctx, const struct fs_entry *entry, struct err *e)
{
    struct unprotect *u = ctx;
    if (!S_ISREG(entry->st.st_mode)) {
        return 0;
    }
    char path[CAS_PATH_SIZE];
    snprintf(path, sizeof(path), "%s/%s", u->root, entry->path);
    return unprotect_file(u->c, path, e);
}

int cas_unprotect(struct cas *c, const char *path, struct err *e)
{
    if (!fs_exists(path)) {
        return err_set(e, ERR_MISSING, "can't unprotect non-existing data '%s'", path);
    }
    if (!fs_is_dir(path)) {
        return unprotect_file(c, path, e);
    }
    struct unprotect u = {c, path};
    return fs_walk(path, unprotect_entry, &u, e);
}
