/* See expcopy.h. */
#include "expcopy.h"

#include "clock.h"
#include "config.h"
#include "err.h"
#include "fs.h"
#include "git.h"
#include "path.h"
#include "repo.h"
#include "repolock.h"
#include "value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *copies_dir(const struct repo *r, struct arena *a)
{
    return path_join(a, r->tmp_dir, "exps/nephron/copies");
}

/* A new folder of a name that no other has, and its lock, held. The lock comes first: who sweeps
 * must not find a folder without one. */
static int make_place(const struct repo *r, struct arena *a, struct expcopy *c, struct err *e)
{
    const char *dir = copies_dir(r, a);
    char *lock = arena_printf(a, "%s/run-XXXXXX.lock", dir);
    if (fs_mkdirs(dir, e) < 0) {
        return -1;
    }
    c->lock_fd = mkostemps(lock, 5, O_CLOEXEC);
    if (c->lock_fd < 0) {
        return err_sys(e, "cannot make a file in %s", dir);
    }
    c->lock_path = lock;
    c->scm_root = arena_strndup(a, lock, strlen(lock) - 5);
    if (flock(c->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        return err_sys(e, "cannot lock %s", lock);
    }
    return 0;
}

static int git2(const struct repo *r, const char *dir, const char *const *args, struct err *e)
{
    return git_call(r, &(struct git_call){.args = args, .dir = dir}, NULL, e);
}

/* HEAD at `head`, files and index as in `content`. Hooks of the repository are not for copies. */
static int check_out(const struct repo *r, struct arena *a, const struct expcopy *c,
                     const char *head, const char *content, struct err *e)
{
    const char *const add[] = {"-c",        "core.hooksPath=/dev/null",
                               "worktree",  "add",
                               "--quiet",   "--no-checkout",
                               "--detach",  "--",
                               c->scm_root, head,
                               NULL};
    const char *const fill[] = {"read-tree", "--reset", "-u", arena_printf(a, "%s^{tree}", content),
                                NULL};
    if (git2(r, NULL, add, e) < 0 || git2(r, c->scm_root, fill, e) < 0) {
        return err_wrap(e, "cannot make a copy of the workspace in %s", c->scm_root);
    }
    return 0;
}

/* ---- settings ---- */

/* What holds here, remotes' paths absolute, as one file: sections of remotes by DVC's name. */
static const struct value *settings(const struct repo *r, struct arena *a)
{
    const struct value *merged = config_merged(r->config);
    struct value *out = value_map(a);
    for (size_t i = 0; i < merged->map.count; i++) {
        const struct value_pair *p = &merged->map.pairs[i];
        const struct str name = value_as_str(p->key);
        bool named = str_is(name, "remote") || str_is(name, "db");
        for (size_t k = 0; named && p->val->type == VALUE_MAP && k < p->val->map.count; k++) {
            const struct value_pair *one = &p->val->map.pairs[k];
            const char *section =
                arena_printf(a, "%.*s \"%.*s\"", STR_ARG(name), STR_ARG(value_as_str(one->key)));
            value_set(a, out, section, value_copy(a, one->val));
        }
        if (!named) {
            value_set(a, out, name.p, value_copy(a, p->val));
        }
    }
    struct value *cache = value_get(out, "cache");
    if (cache == NULL || cache->type != VALUE_MAP) {
        cache = value_map(a);
        value_set(a, out, "cache", cache);
    }
    value_set(a, cache, "dir", value_cstr(a, repo_cache_dir(r, a)));
    return out;
}

static int write_settings(const struct repo *r, struct arena *a, const struct expcopy *c,
                          struct err *e)
{
    const char *dvc_dir = path_join(a, c->root, path_relative(a, r->root, r->dvc_dir));
    struct strbuf text;
    strbuf_init(&text);
    int rc = fs_mkdirs(dvc_dir, e);
    if (rc == 0) {
        rc = config_emit(&text, settings(r, a), e);
    }
    if (rc == 0) {
        /* it may hold secrets */
        rc = fs_write_atomic(path_join(a, dvc_dir, "config.local"), text.p, text.n, 0600, e);
    }
    strbuf_release(&text);
    return rc;
}

int expcopy_make(const struct repo *r, struct arena *a, const char *head, const char *content,
                 struct expcopy *c, struct err *e)
{
    *c = (struct expcopy){.lock_fd = -1};
    if (make_place(r, a, c, e) < 0 || check_out(r, a, c, head, content, e) < 0) {
        expcopy_remove(r, c, NULL);
        return -1;
    }
    c->root = path_join(a, c->scm_root, path_relative(a, r->scm_root, r->root));
    if (write_settings(r, a, c, e) < 0) {
        expcopy_remove(r, c, NULL);
        return err_wrap(e, "cannot set up %s", c->root);
    }
    return 0;
}

int expcopy_bring(const struct repo *r, const struct expcopy *c, const char *path, struct err *e)
{
    struct arena a;
    arena_init(&a);
    struct err why = ERR_INIT;
    const char *to = path_join(&a, c->root, path_relative(&a, r->root, path));
    int rc = 0;
    if (!fs_is_file(path) && !fs_is_dir(path)) {
        rc = err_set(e, ERR_MISSING, "Unable to copy '%s'. It is not a file or directory.", path);
    } else if (!path_inside(c->scm_root, to)) {
        rc = err_set(e, ERR_USAGE, "Unable to copy '%s'. It is outside of the repository.", path);
    } else if ((fs_is_file(path) && fs_remove(to, &why) < 0) || fs_mkdirs_for(to, &why) < 0 ||
               fs_copy_tree(path, to, &why) < 0) {
        rc = err_set(e, why.code, "Unable to copy '%s' to '%s'.: %s", path, to, why.text);
    }
    arena_release(&a);
    return rc;
}

/* ---- end ---- */

/* What git keeps of a work tree goes with it. Not by `git worktree prune` alone: an `add` that was killed leaves it locked. */
static void forget(const struct repo *r, const char *scm_root)
{
    struct arena a;
    struct strbuf out;
    arena_init(&a);
    strbuf_init(&out);
    const char *const prune[] = {"worktree", "prune", "--expire=now", NULL};
    const char *const where[] = {"rev-parse", "--path-format=absolute", "--git-path",
                                 arena_printf(&a, "worktrees/%s", path_basename(scm_root)), NULL};
    if (git_call(r, &(struct git_call){.args = where}, &out, NULL) == 0) {
        struct str lines = strbuf_str(&out), path;
        if (str_split(&lines, '\n', &path) && path.n > 0) {
            fs_remove_tree(arena_strndup(&a, path.p, path.n), NULL);
        }
    }
    git_run(r, prune, NULL, NULL);
    strbuf_release(&out);
    arena_release(&a);
}

int expcopy_remove(const struct repo *r, struct expcopy *c, struct err *e)
{
    int rc = c->scm_root != NULL ? fs_remove_tree(c->scm_root, e) : 0;
    if (c->lock_fd >= 0) {
        fs_remove(c->lock_path, NULL);
        close(c->lock_fd);
        c->lock_fd = -1;
        forget(r, c->scm_root);
    }
    return rc;
}

/* Nobody holds the lock of a copy that is left. */
static bool is_left(const char *lock, int *fd)
{
    *fd = open(lock, O_RDWR | O_CLOEXEC);
    return *fd >= 0 && flock(*fd, LOCK_EX | LOCK_NB) == 0;
}

/* Indexes of git (gitindex.h) that killed processes left. Their makers may be on other hosts, so age decides. */
static void sweep_indexes(const struct repo *r, struct arena *a)
{
    const char *dir = path_join(a, r->tmp_dir, "exps/nephron");
    time_t old = (time_t)(clock_wall_ms(&clock_system) / 1000) - 86400;
    char **names = NULL;
    size_t count = 0;
    if (fs_is_dir(dir) && fs_list(a, dir, &names, &count, NULL) < 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct stat st;
        const char *path = path_join(a, dir, names[i]);
        if (strncmp(names[i], "index-", 6) == 0 && stat(path, &st) == 0 && st.st_mtime < old) {
            fs_remove(path, NULL);
        }
    }
}

int expcopy_sweep(const struct repo *r, size_t *removed, struct err *e)
{
    struct arena a;
    arena_init(&a);
    char **names;
    size_t count = 0, gone = 0;
    const char *dir = copies_dir(r, &a);
    int rc = fs_is_dir(dir) ? fs_list(&a, dir, &names, &count, e) : 0;
    sweep_indexes(r, &a);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        size_t n = strlen(names[i]);
        if (n < 5 || strcmp(names[i] + n - 5, ".lock") != 0) {
            continue;
        }
        struct expcopy c = {.lock_path = path_join(&a, dir, names[i]), .lock_fd = -1};
        if (is_left(c.lock_path, &c.lock_fd)) {
            c.scm_root = arena_strndup(&a, c.lock_path, strlen(c.lock_path) - 5);
            rc = expcopy_remove(r, &c, e);
            gone++;
        } else if (c.lock_fd >= 0) {
            close(c.lock_fd);
        }
    }
    if (removed != NULL) {
        *removed = gone;
    }
    arena_release(&a);
    return rc;
}
