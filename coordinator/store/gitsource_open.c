/*
 * gitsource_open: which folder or clone another repository is, which DVC repository in it a path belongs to, and with
 * which settings it is read; see gitsource.h. Source: DVC 3.67, dvc/repo/open_repo.py, dvc/fs/dvc.py, dvc/config.py.
 */
#include "gitsource_private.h"

#include "config.h"
#include "err.h"
#include "fs.h"
#include "git.h"
#include "gitignore.h"
#include "ignore.h"
#include "path.h"
#include "proc.h"
#include "str.h"
#include "value.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_CONFIG ((size_t)1 << 20)

/* ---- folders ---- */

/* A folder without .dvc: all that git and the file system say of it. */
static int open_plain(struct repo *r, const char *dir, struct err *e)
{
    *r = (struct repo){0};
    arena_init(&r->arena);
    r->root = arena_strdup(&r->arena, dir);
    r->dvc_dir = path_join(&r->arena, r->root, ".dvc");
    r->tmp_dir = path_join(&r->arena, r->dvc_dir, "tmp");
    r->prefix = ".";
    r->scm_root = git_find_root(&r->arena, r->root);
    r->no_scm = r->scm_root == NULL;
    r->config = config_open(NULL, e);
    r->ignore = ignore_new(r->root);
    gitignore_init(r);
    if (!r->config) {
        repo_close(r);
        return -1;
    }
    return 0;
}

static void close_folder(struct gitsource *g)
{
    if (g->repo.root) {
        repo_close(&g->repo);
    }
    g->repo.root = NULL;
}

/* The DVC repository in `dir`, or that `dir` is in when `upwards`, else the folder itself. */
static int open_folder(struct gitsource *g, const char *dir, bool upwards, struct err *e)
{
    const char *abs = path_absolute(g->arena, path_cwd(g->arena), dir);
    struct err why = ERR_INIT;
    close_folder(g);
    g->has_dvc = (upwards || fs_is_dir(path_join(g->arena, abs, ".dvc"))) &&
                 repo_open(&g->repo, abs, &why) == 0;
    if (g->has_dvc) {
        return 0;
    }
    g->repo.root = NULL;
    if (why.code && why.code != ERR_MISSING) {
        return err_set(e, why.code, "%s", why.text);
    }
    return open_plain(&g->repo, abs, e);
}

/* ---- clones ---- */

static int run_git(const char *const *argv, struct strbuf *words, struct err *e)
{
    struct proc_status st;
    const struct proc_options opt = {.argv = argv, .stdin_fd = PROC_NULL};
    return proc_capture(&opt, NULL, words, &st, e) < 0 ? -1 : proc_exit_code(&st);
}

static int clone(struct gitsource *g, const char *url, struct err *e)
{
    const char *tmp = getenv("TMPDIR");
    char *dir = arena_printf(g->arena, "%s/nephron-clone-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(dir)) {
        return err_sys(e, "cannot make a folder like %s", dir);
    }
    g->clone = dir;
    struct strbuf words;
    strbuf_init(&words);
    const char *argv[] = {"git", "clone", "-q", "--", url, dir, NULL};
    int rc = run_git(argv, &words, e);
    if (rc > 0) {
        struct str w = str_trim(strbuf_str(&words));
        rc = err_set(e, ERR_REMOTE, "SCM error: Failed to clone repo '%s' to '%s': %.*s", g->url,
                     dir, STR_ARG(w));
    }
    strbuf_release(&words);
    return rc;
}

static int find_commit(struct gitsource *g, const char *rev, struct err *e)
{
    struct err why = ERR_INIT;
    if (git_rev_parse(&g->repo, rev, g->commit, &why) == 0 ||
        git_rev_parse(&g->repo, arena_printf(g->arena, "origin/%s", rev), g->commit, NULL) == 0) {
        return 0;
    }
    return err_set(e, ERR_MISSING, "unknown Git revision '%s'", rev);
}

/* A clone whose files are those of the commit. */
static int turn_clone(struct gitsource *g, struct err *e)
{
    const char *args[] = {"checkout", "-q", "--detach", g->commit, NULL};
    const struct git_call call = {.args = args,
                                  .dir = g->clone}; /* g->repo may still be the source */
    struct strbuf out;
    strbuf_init(&out);
    int rc = git_call(&g->repo, &call, &out, e);
    strbuf_release(&out);
    return rc < 0 ? -1 : open_folder(g, g->clone, false, e);
}

/* ---- repositories below ---- */

/* Which of the folders above `path`, and itself, is a DVC repository; of several the deepest. NULL: none. */
static int find_below(struct gitsource *g, const char *path, const char **below, struct err *e)
{
    const char **args = ARENA_ARRAY(g->arena, strlen(path) + 8, const char *);
    size_t n = 0;
    struct strbuf out;
    *below = NULL;
    args[n++] = "ls-tree";
    args[n++] = "-z";
    args[n++] = "--name-only";
    args[n++] = g->commit;
    args[n++] = "--";
    for (size_t at = strcspn(path, "/");; at += 1 + strcspn(path + at + 1, "/")) {
        const char *dir = arena_strndup(g->arena, path, at);
        args[n++] = path_join(g->arena, dir, ".dvc");
        if ((!g->rev || g->clone) && fs_is_dir(repo_abs(&g->repo, g->arena, args[n - 1]))) {
            *below = dir;
        }
        if (path[at] == '\0') {
            break;
        }
    }
    args[n] = NULL;
    if (!g->rev || g->clone) {
        return 0;
    }
    strbuf_init(&out);
    int rc = git_run(&g->repo, args, &out, e);
    struct str rest = strbuf_str(&out), found;
    while (rc == 0 && rest.n > 0 && str_split(&rest, '\0', &found)) {
        const char *dir = path_dirname(g->arena, arena_str(g->arena, found).p);
        *below = !*below || strlen(dir) > strlen(*below) ? dir : *below;
    }
    strbuf_release(&out);
    return rc;
}

/* Turns to the repository that the path belongs to, with the path below it. */
static int enter(struct gitsource *g, const char *path, struct err *e)
{
    const char *below = NULL, *top = g->clone ? g->clone : g->repo.root;
    g->path = path_normal(g->arena, path);
    g->below = ".";
    if (strcmp(g->path, ".") == 0 || g->path[0] == '/' || strncmp(g->path, "..", 2) == 0) {
        return 0;
    }
    if (find_below(g, g->path, &below, e) < 0) {
        return -1;
    }
    if (!below) {
        return 0;
    }
    top = arena_strdup(g->arena, top);
    if (!g->clone && !fs_is_dir(path_join(g->arena, path_join(g->arena, top, below), ".dvc"))) {
        /* it was there in that revision alone */
        if (clone(g, g->repo.scm_root, e) < 0 || turn_clone(g, e) < 0) {
            return -1;
        }
        top = g->clone;
    }
    g->below = below;
    g->path = strcmp(g->path, below) == 0 ? "." : g->path + strlen(below) + 1;
    return open_folder(g, path_join(g->arena, top, below), false, e);
}

/* ---- settings ---- */

static struct value *one(struct arena *a, const char *key, struct value *v)
{
    struct value *map = value_map(a);
    value_set(a, map, key, v);
    return map;
}

/* Those of the revision. What the work tree says of its default remote stays: relative paths and keys are those of
 * this machine. */
static int take_revision(struct gitsource *g, struct err *e)
{
    struct config *c = g->repo.config;
    const char *name = config_default_remote(c);
    const struct value *known =
        name ? value_get(value_get(config_merged(c), "remote"), name) : NULL;
    struct value *keep = known ? value_copy(g->arena, known) : NULL;
    struct strbuf text;
    strbuf_init(&text);
    name = name ? arena_strdup(g->arena, name) : NULL;
    int rc = 0;
    if (git_show(&g->repo, g->commit, ".dvc/config", &text, NULL) == 0 && text.n <= MAX_CONFIG) {
        rc = config_reread_project(c, strbuf_str(&text), e);
    }
    strbuf_release(&text);
    if (rc == 0 && keep) {
        config_overlay(c, one(g->arena, "remote", one(g->arena, name, keep)));
    }
    return rc;
}

static int overlay_remote(struct gitsource *g, const struct gitsource_settings *how, struct err *e)
{
    struct arena *a = g->arena;
    struct config *c = g->repo.config;
    if (how->remote) {
        config_overlay(c, one(a, "core", one(a, "remote", value_cstr(a, how->remote))));
    }
    if (!how->remote_options || how->remote_options->map.count == 0) {
        return 0;
    }
    const char *name = how->remote ? how->remote : config_default_remote(c);
    if (!name && g->clone) {
        return err_set(e, ERR_USAGE, "Missing remote name");
    }
    if (!name) {
        /* as DVC: where no remote is the default, the cache of the folder is one */
        name = "auto-generated-upstream";
        struct value *cache = value_cstr(a, repo_cache_dir(&g->repo, a));
        config_overlay(c, one(a, "core", one(a, "remote", value_cstr(a, name))));
        config_overlay(c, one(a, "remote", one(a, name, one(a, "url", cache))));
    }
    config_overlay(c, one(a, "remote", one(a, name, value_copy(a, how->remote_options))));
    return 0;
}

static int take_settings(struct gitsource *g, const struct gitsource_settings *how, struct err *e)
{
    struct value *sections = NULL;
    if (how->file && config_read_file(g->arena, how->file, &sections, e) < 0) {
        return -1;
    }
    if (g->rev && !g->clone && g->has_dvc && take_revision(g, e) < 0) {
        return -1;
    }
    if (how->file || how->sections) {
        config_overlay(g->repo.config, how->file ? sections : how->sections);
    }
    if (overlay_remote(g, how, e) < 0 || config_validate(g->repo.config, e) < 0) {
        return -1;
    }
    bool given = how->file || how->sections || how->remote || how->remote_options;
    const char *name = config_default_remote(g->repo.config);
    return given && g->has_dvc && name && !config_remote_get(g->repo.config, name, "url")
               ? err_set(e, ERR_CONFIG, "config file error: remote '%s' doesn't exist", name)
               : 0;
}

/* ---- opening ---- */

static int open_top(struct gitsource *g, const struct gitsource_place *place, bool folder,
                    struct err *e)
{
    const char *abs = path_absolute(g->arena, path_cwd(g->arena), place->url);
    const char *root = folder && place->from_git ? git_find_root(g->arena, abs) : NULL;
    bool upwards = folder && !root;
    if (open_folder(g, !folder ? g->clone : root ? root : abs, upwards, e) < 0) {
        return -1;
    }
    g->rev = place->rev ? place->rev : !folder || place->committed ? "HEAD" : NULL;
    if (!g->rev) {
        return 0;
    }
    return find_commit(g, g->rev, e) < 0 ? -1 : g->clone && place->rev ? turn_clone(g, e) : 0;
}

int gitsource_open(struct arena *a, const struct gitsource_place *place, struct gitsource *g,
                   struct err *e)
{
    *g = (struct gitsource){.arena = a, .url = place->url, .below = "."};
    bool folder = strstr(place->url, "://") == NULL && fs_is_dir(place->url);
    if ((!folder && clone(g, place->url, e) < 0) || open_top(g, place, folder, e) < 0 ||
        (place->path && enter(g, place->path, e) < 0) ||
        take_settings(g, &place->settings, e) < 0) {
        gitsource_close(g);
        return -1;
    }
    return 0;
}

void gitsource_close(struct gitsource *g)
{
    close_folder(g);
    if (g->clone) {
        fs_remove_tree(g->clone, NULL);
    }
    g->clone = NULL;
}
