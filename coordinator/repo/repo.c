/* Finding and opening a repository; paths. See repo.h. */
#include "repo.h"

#include "alloc.h"
#include "config.h"
#include "err.h"
#include "fs.h"
#include "git.h"
#include "gitignore.h"
#include "ignore.h"
#include "path.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_mount_point(struct arena *a, const char *dir)
{
    struct stat here, up;
    if (strcmp(dir, "/") == 0) {
        return true;
    }
    if (lstat(dir, &here) != 0 || stat(path_dirname(a, dir), &up) != 0) {
        return false;
    }
    return here.st_dev != up.st_dev || here.st_ino == up.st_ino;
}

/* The nearest folder upwards that holds .dvc; NULL with *e set. */
static const char *find_root(struct arena *a, const char *start, struct err *e)
{
    const char *dir = start;
    while (!fs_is_dir(path_join(a, dir, ".dvc"))) {
        if (is_mount_point(a, dir)) {
            err_set(e, ERR_MISSING,
                    "you are not inside of a DVC repository (checked up to mount point '%s')", dir);
            return NULL;
        }
        dir = path_dirname(a, dir);
    }
    return dir;
}

int repo_open(struct repo *r, const char *start, struct err *e)
{
    *r = (struct repo){0};
    arena_init(&r->arena);
    struct arena *a = &r->arena;
    char real[PATH_MAX];
    if (realpath(start != NULL ? start : ".", real) == NULL) {
        err_sys(e, "cannot open the folder '%s'", start != NULL ? start : ".");
        repo_close(r);
        return -1;
    }
    if (!fs_is_dir(real)) {
        err_set(e, ERR_MISSING, "directory '%s' does not exist", start);
        repo_close(r);
        return -1;
    }
    const char *root = find_root(a, arena_strdup(a, real), e);
    if (root == NULL) {
        repo_close(r);
        return -1;
    }
    r->root = root;
    r->dvc_dir = path_join(a, root, ".dvc");
    r->tmp_dir = path_join(a, r->dvc_dir, "tmp");
    r->prefix = path_relative(a, root, real);
    r->config = config_open(r->dvc_dir, e);
    if (r->config == NULL || config_validate(r->config, e) < 0) {
        repo_close(r);
        return -1;
    }
    r->no_scm = config_get_bool(r->config, "core", "no_scm", false);
    r->scm_root = r->no_scm ? NULL : git_find_root(a, root);
    r->no_scm = r->scm_root == NULL;
    r->ignore = ignore_new(root);
    gitignore_init(r);
    return 0;
}

void repo_close(struct repo *r)
{
    gitignore_release(r);
    ignore_free(r->ignore);
    config_free(r->config);
    arena_release(&r->arena);
    *r = (struct repo){0};
}

void repo_view_open(struct repo *view, const struct repo *r, const struct repo_files *files)
{
    *view = *r;
    view->files = files;
    view->ignore = ignore_new_files(r->root, files);
    view->gitignore = NULL;
}

void repo_view_close(struct repo *view)
{
    ignore_free(view->ignore);
    *view = (struct repo){0};
}

int repo_read(const struct repo *r, const char *path, size_t max_bytes, struct strbuf *out,
              struct err *e)
{
    if (r->files != NULL) {
        return r->files->read(r->files->ctx, path, out, e);
    }
    struct arena a;
    arena_init(&a);
    int rc = fs_read(repo_abs(r, &a, path), max_bytes, out, e);
    arena_release(&a);
    return rc;
}

const char *repo_path(const struct repo *r, struct arena *a, const char *typed)
{
    const char *cwd = path_join(a, r->root, r->prefix);
    const char *abs = path_absolute(a, cwd, typed);
    return path_inside(r->root, abs) ? path_relative(a, r->root, abs) : abs;
}

const char *repo_abs(const struct repo *r, struct arena *a, const char *path)
{
    return path_absolute(a, r->root, path);
}

const char *repo_show(const struct repo *r, struct arena *a, const char *path)
{
    if (path[0] == '/') {
        return path_relative(a, path_join(a, r->root, r->prefix), path);
    }
    return strcmp(r->prefix, ".") == 0 ? path : path_relative(a, r->prefix, path);
}

const char *repo_cache_dir(const struct repo *r, struct arena *a)
{
    const char *dir = config_get(r->config, "cache", "dir");
    return dir != NULL ? arena_strdup(a, dir) : path_join(a, r->dvc_dir, "cache");
}
