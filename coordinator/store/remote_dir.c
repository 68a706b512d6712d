/* remote_dir: a remote that is a folder of the same layout as the cache. */
#include "remote.h"

#include "digest.h"
#include "err.h"
#include "fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 4352

static void full_path(const void *ctx, const char *path, char out[PATH_SIZE])
{
    snprintf(out, PATH_SIZE, "%s/%s", (const char *)ctx, path);
}

static int dir_has(void *ctx, const char *path, struct err *e)
{
    char full[PATH_SIZE];
    struct stat st;
    full_path(ctx, path, full);
    if (stat(full, &st) == 0) {
        return S_ISREG(st.st_mode) ? 1 : 0;
    }
    return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(e, "cannot look at '%s'", full);
}

/* The md5 that an object's path stands for; false for other files (runs/…, DVC 2's objects). */
static bool path_md5(const char *path, char md5[33])
{
    static const char prefix[] = "files/md5/";
    size_t n = sizeof(prefix) - 1;
    if (strncmp(path, prefix, n) != 0 || strlen(path) < n + 33 || path[n + 2] != '/') {
        return false;
    }
    snprintf(md5, 33, "%.2s%.30s", path + n, path + n + 3);
    return true;
}

static int dir_put(void *ctx, const char *path, const char *local, struct err *e)
{
    char full[PATH_SIZE], want[33], hex[DIGEST_HEX_SIZE];
    struct fs_temp t;
    full_path(ctx, path, full);
    int fd = open(local, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_sys(e, "cannot read '%s'", local);
    }
    if (fs_mkdirs_for(full, e) < 0 || fs_temp_open(&t, full, 0600, e) < 0) {
        close(fd);
        return -1;
    }
    bool is_object = path_md5(path, want);
    int rc = digest_copy(DIGEST_MD5, fd, t.fd, local, hex, NULL, e);
    close(fd);
    if (rc == 0 && is_object && strncmp(hex, want, 32) != 0) {
        rc = err_set(e, ERR_IO, "'%s' has other content: its md5 is %.32s", local, hex);
    }
    if (rc == 0 && fchmod(t.fd, is_object || strncmp(path, "runs/", 5) != 0 ? 0444 : 0644) < 0) {
        rc = err_sys(e, "cannot write '%s'", full);
    }
    if (rc < 0) {
        fs_temp_abort(&t);
        return -1;
    }
    return fs_temp_commit(&t, full, false, e);
}

static int dir_get(void *ctx, const char *path, const char *local, struct err *e)
{
    char full[PATH_SIZE], hex[DIGEST_HEX_SIZE];
    full_path(ctx, path, full);
    int from = open(full, O_RDONLY | O_CLOEXEC);
    if (from < 0) {
        return err_sys(e, "cannot read '%s'", full);
    }
    int to = open(local, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (to < 0) {
        int rc = err_sys(e, "cannot write '%s'", local);
        close(from);
        return rc;
    }
    int rc = digest_copy(DIGEST_MD5, from, to, full, hex, NULL, e);
    close(from);
    if (close(to) < 0 && rc == 0) {
        rc = err_sys(e, "cannot write '%s'", local);
    }
    return rc;
}

struct listing {
    const char *prefix;
    int (*fn)(void *fn_ctx, const char *path);
    void *fn_ctx;
};

static int list_entry(void *ctx, const struct fs_entry *entry, struct err *e)
{
    struct listing *l = ctx;
    char path[PATH_SIZE];
    if (!S_ISREG(entry->st.st_mode)) {
        return 0;
    }
    snprintf(path, sizeof(path), "%s/%s", l->prefix, entry->path);
    return l->fn(l->fn_ctx, path) ? -1 : 0;
}

static int dir_list(void *ctx, const char *prefix, int (*fn)(void *fn_ctx, const char *path),
                    void *fn_ctx, struct err *e)
{
    char full[PATH_SIZE];
    struct listing l = {prefix, fn, fn_ctx};
    full_path(ctx, prefix, full);
    return fs_is_dir(full) ? fs_walk(full, list_entry, &l, e) : 0;
}

static int dir_remove(void *ctx, const char *path, struct err *e)
{
    char full[PATH_SIZE];
    full_path(ctx, path, full);
    return fs_remove(full, e);
}

static const char *dir_folder(void *ctx)
{
    return ctx;
}

static void dir_close(void *ctx) {}

static const struct remote_ops dir_ops = {.scheme = "local",
                                          .has = dir_has,
                                          .put = dir_put,
                                          .get = dir_get,
                                          .list = dir_list,
                                          .remove = dir_remove,
                                          .folder = dir_folder,
                                          .close = dir_close};

void remote_open_dir(struct remote *r, struct arena *a, const char *dir)
{
    *r = (struct remote){
        .name = "local", .url = arena_strdup(a, dir), .ops = &dir_ops, .ctx = arena_strdup(a, dir)};
}
