/* See init.h. */
#include "init.h"

#include "arena.h"
#include "config.h"
#include "err.h"
#include "fs.h"
#include "git.h"
#include "ignore.h"
#include "path.h"
#include "repo.h"
#include "str.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char dvc_gitignore[] = "/config.local\n/tmp\n/cache\n";
static const char dvcignore[] = "# Add patterns of files dvc should ignore, which could improve\n"
                                "# the performance. Learn more at\n"
                                "# https://dvc.org/doc/user-guide/dvcignore\n";

/* The work tree that will track `dir`: the folder's own with neither flag, any above it with
 * --subdir. */
static int find_scm(struct arena *a, const char *dir, const struct init_options *opt,
                    const char **scm_root, struct err *e)
{
    *scm_root = NULL;
    if (opt->no_scm) {
        return 0;
    }
    *scm_root = opt->subdir                            ? git_find_root(a, dir)
                : fs_exists(path_join(a, dir, ".git")) ? dir
                                                       : NULL;
    if (*scm_root == NULL) {
        return err_set(e, ERR_MISSING,
                       "%s is not tracked by any supported SCM tool (e.g. Git). Use `--no-scm` if "
                       "you don't want to use any SCM or `--subdir` if initializing inside a "
                       "subdirectory of a parent SCM repository.",
                       dir);
    }
    return 0;
}

static int check_not_ignored(struct arena *a, const char *scm_root, const char *dvc_dir,
                             struct err *e)
{
    if (scm_root == NULL) {
        return 0;
    }
    struct ignore *ig = ignore_new_git(scm_root);
    bool ignored = ignore_match(ig, path_relative(a, scm_root, dvc_dir), false);
    ignore_free(ig);
    if (ignored) {
        return err_set(
            e, ERR_USAGE,
            "%s is ignored by your SCM tool. \nMake sure that it's tracked, for example, "
            "by adding '!.dvc' to .gitignore.",
            dvc_dir);
    }
    return 0;
}

static int remove_old(struct arena *a, const char *dvc_dir, bool force, struct err *e)
{
    if (!fs_is_dir(dvc_dir)) {
        return 0;
    }
    if (!force) {
        char cwd[PATH_MAX];
        const char *shown =
            getcwd(cwd, sizeof cwd) != NULL ? path_relative(a, cwd, dvc_dir) : dvc_dir;
        return err_set(e, ERR_USAGE, "'%s' exists. Use `-f` to force.", shown);
    }
    return fs_remove_tree(dvc_dir, e);
}

static int write_files(struct arena *a, const char *dir, const char *dvc_dir,
                       const struct init_options *opt, struct err *e)
{
    const char *config = opt->no_scm ? "[core]\n    no_scm = True\n" : "";
    const char *ignore_file = path_join(a, dir, ".dvcignore");
    if (fs_mkdirs(path_join(a, dvc_dir, "tmp"), e) < 0 ||
        fs_write_atomic(path_join(a, dvc_dir, "config"), config, strlen(config), 0, e) < 0 ||
        fs_write_atomic(path_join(a, dvc_dir, "tmp/btime"), "", 0, 0, e) < 0) {
        return -1;
    }
    if (!opt->no_scm && fs_write_atomic(path_join(a, dvc_dir, ".gitignore"), dvc_gitignore,
                                        sizeof dvc_gitignore - 1, 0, e) < 0) {
        return -1;
    }
    if (!fs_exists(ignore_file)) {
        return fs_write_atomic(ignore_file, dvcignore, sizeof dvcignore - 1, 0, e);
    }
    return 0;
}

static int stage_files(const char *dir, struct err *e)
{
    static const char *const files[] = {".dvc/.gitignore", ".dvc/config", ".dvcignore"};
    struct repo r;
    if (repo_open(&r, dir, e) < 0) {
        return -1;
    }
    int rc = git_add(&r, files, sizeof files / sizeof *files, e);
    repo_close(&r);
    return rc;
}

static int init_in(struct arena *a, const char *dir, const struct init_options *opt, struct err *e)
{
    const char *dvc_dir = path_join(a, dir, ".dvc");
    const char *scm_root;
    if (find_scm(a, dir, opt, &scm_root, e) < 0 || check_not_ignored(a, scm_root, dvc_dir, e) < 0 ||
        remove_old(a, dvc_dir, opt->force, e) < 0 || write_files(a, dir, dvc_dir, opt, e) < 0) {
        return err_wrap(e, "failed to initiate DVC - ");
    }
    return opt->no_scm ? 0 : stage_files(dir, e);
}

int repo_init(const struct init_options *opt, struct strbuf *out, struct err *e)
{
    if (opt->no_scm && opt->subdir) {
        return err_set(e, ERR_USAGE, "Cannot initialize repo with `--no-scm` and `--subdir`");
    }
    struct arena a;
    arena_init(&a);
    char cwd[PATH_MAX];
    int rc = getcwd(cwd, sizeof cwd) == NULL ? err_sys(e, "cannot find the current folder") : 0;
    if (rc == 0) {
        const char *dir = path_absolute(&a, cwd, opt->dir != NULL ? opt->dir : ".");
        struct err why = ERR_INIT;
        rc = init_in(&a, dir, opt, &why);
        if (rc < 0) {
            /* err_wrap writes "prefix: text"; DVC has no colon here */
            const char *cut = strstr(why.text, "failed to initiate DVC - : ");
            err_set(e, why.code == ERR_USAGE ? ERR_IO : why.code, "%s%s",
                    cut == why.text ? "failed to initiate DVC - " : "",
                    cut == why.text ? why.text + 27 : why.text);
        } else {
            strbuf_adds(out, "Initialized DVC repository.\n\n");
            strbuf_adds(out, opt->no_scm ? "" : "You can now commit the changes to git.\n\n");
        }
    }
    arena_release(&a);
    return rc;
}
