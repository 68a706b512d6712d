/* See gitindex.h. */
#include "gitindex.h"

#include "err.h"
#include "fs.h"
#include "git.h"
#include "gitignore.h"
#include "path.h"
#include "repo.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int call(struct gitindex *x, const char *const *args, struct str input, struct strbuf *out,
                struct err *e)
{
    return git_call(x->repo, &(struct git_call){.args = args, .env = x->env, .input = input}, out,
                    e);
}

/* The first line of an answer. */
static const char *answer(struct gitindex *x, const char *const *args, struct str input,
                          struct err *e)
{
    struct strbuf out;
    strbuf_init(&out);
    const char *line = call(x, args, input, &out, e) == 0
                           ? arena_str(x->arena, str_trim(strbuf_str(&out))).p
                           : NULL;
    strbuf_release(&out);
    return line;
}

/* Where the index of this work tree is. */
static const char *own_index(struct gitindex *x, struct err *e)
{
    const char *const args[] = {"rev-parse", "--git-path", "index", NULL};
    struct strbuf out;
    strbuf_init(&out);
    const char *path = NULL;
    if (git_run(x->repo, args, &out, e) == 0) {
        path = path_absolute(x->arena, x->repo->root,
                             arena_str(x->arena, str_trim(strbuf_str(&out))).p);
    }
    strbuf_release(&out);
    return path;
}

int gitindex_open(struct gitindex *x, const struct repo *r, struct arena *a, struct err *e)
{
    *x = (struct gitindex){.repo = r, .arena = a};
    char *path = arena_printf(a, "%s/exps/nephron/index-XXXXXX", r->tmp_dir);
    const char *own = own_index(x, e);
    if (own == NULL || fs_mkdirs_for(path, e) < 0) {
        return -1;
    }
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        return err_sys(e, "cannot make the index %s", path);
    }
    close(fd);
    x->path = path;
    x->env[0] = arena_printf(a, "GIT_INDEX_FILE=%s", path);
    int rc = fs_remove(path, e);
    if (rc == 0 && fs_exists(own)) {
        rc = fs_link(FS_COPY, own, path, 0600, e);
    } else if (rc == 0) {
        const char *const args[] = {"read-tree", "HEAD", NULL};
        rc = call(x, args, (struct str){0}, NULL, e);
    }
    if (rc < 0) {
        gitindex_close(x);
    }
    return rc;
}

void gitindex_close(struct gitindex *x)
{
    if (x->path != NULL) {
        fs_remove(x->path, NULL);
        fs_remove(arena_printf(x->arena, "%s.lock", x->path), NULL);
        x->path = NULL;
    }
}

int gitindex_add_tracked(struct gitindex *x, struct err *e)
{
    const char *const args[] = {"add", "--update", "--", ":/", NULL};
    return call(x, args, (struct str){0}, NULL, e);
}

/* The paths that are there, one after the other, each with a NUL. */
static void list_paths(struct gitindex *x, const char *const *paths, size_t count, bool force,
                       struct strbuf *out)
{
    struct repo *r = (struct repo *)x->repo; /* .gitignore files are remembered in it */
    for (size_t i = 0; i < count; i++) {
        const char *abs = repo_abs(x->repo, x->arena, paths[i]);
        bool there = path_inside(x->repo->scm_root, abs) && fs_exists(abs);
        if (there && (force || !gitignore_ignored(r, paths[i]))) {
            strbuf_adds(out, path_relative(x->arena, x->repo->root, abs));
            strbuf_addch(out, 0);
        }
    }
}

int gitindex_add(struct gitindex *x, const char *const *paths, size_t count, bool force,
                 struct err *e)
{
    const char *const args[] = {
        "--literal-pathspecs", "add", force ? "--force" : "--no-force", "--pathspec-from-file=-",
        "--pathspec-file-nul", NULL};
    struct strbuf list;
    strbuf_init(&list);
    list_paths(x, paths, count, force, &list);
    int rc = list.n > 0 ? call(x, args, strbuf_str(&list), NULL, e) : 0;
    strbuf_release(&list);
    return rc;
}

int gitindex_add_text(struct gitindex *x, const char *path, struct str text, struct err *e)
{
    /* as `git add` would: line ends and filters by its attributes */
    const char *const hash[] = {"hash-object", "-w", "--stdin", "--path", path, NULL};
    /* an empty input would be no input at all: git's empty blob is always there */
    const char *blob = answer(x, hash, text, e);
    if (blob == NULL) {
        return -1;
    }
    const char *in_git =
        path_relative(x->arena, x->repo->scm_root, repo_abs(x->repo, x->arena, path));
    const char *const add[] = {"update-index", "--add", "--cacheinfo",
                               arena_printf(x->arena, "100644,%s,%s", blob, in_git), NULL};
    return call(x, add, (struct str){0}, NULL, e);
}

/* As DVC where git knows nobody: user@host. */
static const char *const *fallback_identity(struct gitindex *x)
{
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    const char *user = getenv("USER");
    user = user != NULL && *user != 0 ? user : "nephron";
    const char *mail = arena_printf(x->arena, "%s@%s", user, host);
    const char **env = ARENA_ARRAY(x->arena, 6, const char *);
    env[0] = x->env[0];
    env[1] = arena_printf(x->arena, "GIT_AUTHOR_NAME=%s", user);
    env[2] = arena_printf(x->arena, "GIT_AUTHOR_EMAIL=%s", mail);
    env[3] = arena_printf(x->arena, "GIT_COMMITTER_NAME=%s", user);
    env[4] = arena_printf(x->arena, "GIT_COMMITTER_EMAIL=%s", mail);
    return env;
}

int gitindex_commit(struct gitindex *x, const char *const *parents, const char *message,
                    char commit[65], struct err *e)
{
    const char *const write[] = {"write-tree", NULL};
    const char *args[32] = {"commit-tree", answer(x, write, (struct str){0}, e)};
    size_t n = 2;
    if (args[1] == NULL) {
        return -1;
    }
    for (; *parents != NULL && n < 28; parents++) {
        args[n++] = "-p";
        args[n++] = *parents;
    }
    struct git_call c = {.args = args, .env = x->env, .input = str_from(message)};
    struct strbuf out;
    struct err why = ERR_INIT;
    strbuf_init(&out);
    int rc = git_call(x->repo, &c, &out, &why);
    if (rc < 0 && why.code == ERR_CHILD) {
        c.env = fallback_identity(x);
        rc = git_call(x->repo, &c, &out, &why);
    }
    if (rc == 0) {
        snprintf(commit, 65, "%.*s", STR_ARG(str_trim(strbuf_str(&out))));
    } else {
        err_set(e, why.code, "%s", why.text);
    }
    strbuf_release(&out);
    return rc;
}
