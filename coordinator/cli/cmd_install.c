/* `install`, and `git-hook`, which the hooks call. */

#include "cmd.h"

#include "alloc.h"
#include "dvcmerge.h"
#include "err.h"
#include "fs.h"
#include "githooks.h"
#include "path.h"
#include "session.h"
#include "sync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cmd_install(int argc, char **argv)
{
    bool tool = false, quiet = false;
    struct opt_list args = {0};
    const struct opt options[] = {
        {OPT_FLAG, 0, "use-pre-commit-tool", NULL, "write into .pre-commit-config.yaml", &tool,
         NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {.usage = "nephron install [OPTION]...",
                                  .about = "Installs git hooks: `git checkout` checks data out, "
                                           "`git commit` prints the status, `git push` pushes "
                                           "data first, `git merge` merges .dvc files of folders "
                                           "that .gitattributes gives merge=dvc.",
                                  .examples =
                                      "  nephron install\n  nephron install --use-pre-commit-tool",
                                  .options = options};
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        return code;
    }
    opt_list_release(&args);
    struct err e = ERR_INIT;
    struct session s;
    if (session_open(&s, SESSION_REPO, quiet, &e) < 0) {
        return session_fail(&e, 1);
    }
    int rc = githooks_install(&s.repo, &s.arena, tool, &e);
    code = rc == 0 ? 0 : sync_fail(&e, "failed to install DVC Git hooks");
    session_close(&s);
    return code;
}

/* ---- git-hook ---- */

/* Is there a repository here? If not, *code is what the hook ends with: outside of one git must go on. */
static bool in_repository(int *code)
{
    struct session s;
    struct err e = ERR_INIT;
    if (session_open(&s, SESSION_REPO, true, &e) < 0) {
        *code = session_is_outside(&e) ? 0 : session_fail(&e, 255);
        return false;
    }
    session_close(&s);
    return true;
}

/* What git passes; false when the command is over (--help). */
static bool hook_words(int argc, char **argv, struct opt_list *words, int *code)
{
    bool quiet = false; /* hooks call commands that speak for themselves */
    const struct opt options[] = {
        {OPT_FLAG, 'q', "quiet", NULL, "taken for DVC's sake", &quiet, NULL}, OPT_END};
    const struct opt_spec spec = {.usage = "nephron git-hook NAME [ARG]...",
                                  .about = "What the hooks of `nephron install` call.",
                                  .examples = "  nephron git-hook pre-commit",
                                  .options = options,
                                  .max_args = OPT_ANY};
    return session_options(&spec, argc, argv, words, 254, code);
}

static int call(int (*command)(int argc, char **argv), const char *name)
{
    char *argv[] = {(char *)name, NULL};
    return command(1, argv);
}

static int simple_hook(int argc, char **argv, int (*command)(int argc, char **argv),
                       const char *name)
{
    struct opt_list words = {0};
    int code;
    if (!hook_words(argc, argv, &words, &code)) {
        return code;
    }
    opt_list_release(&words);
    return in_repository(&code) ? call(command, name) : code;
}

static int hook_pre_commit(int argc, char **argv)
{
    return simple_hook(argc, argv, cmd_status, "status");
}

static int hook_pre_push(int argc, char **argv)
{
    return simple_hook(argc, argv, cmd_push, "push");
}

/* Arguments of git: old HEAD, new HEAD, 1 for a branch (0: single files). Not amid a rebase. */
static int hook_post_checkout(int argc, char **argv)
{
    struct opt_list words = {0};
    int code;
    if (!hook_words(argc, argv, &words, &code)) {
        return code;
    }
    const char *flag = getenv("PRE_COMMIT_CHECKOUT_TYPE");
    if (flag == NULL && words.count > 2) {
        flag = words.items[2];
    }
    bool branch = flag != NULL && strcmp(flag, "1") == 0 && !fs_is_dir(".git/rebase-merge");
    opt_list_release(&words);
    if (!in_repository(&code)) {
        return code;
    }
    return branch ? call(cmd_checkout, "checkout") : 0;
}

/* ---- merge-driver ---- */

/* Into the folder of the merged file, or the nearest above it that is there: the repository may lie below git's root. */
static void enter_folder(struct arena *a, const char *path)
{
    const char *dir = path_dirname(a, path);
    while (chdir(dir) < 0 && strcmp(dir, "/") != 0) {
        dir = path_dirname(a, dir);
    }
}

static int merge_files(struct dvcmerge *m)
{
    struct session s;
    struct err e = ERR_INIT;
    struct strbuf conflict;
    /* The files of the pipeline are not read: amid a merge they may be anything. */
    if (session_open_data(&s, SESSION_REPO, true, &e) < 0) {
        return session_fail(&e, 255);
    }
    m->path = m->path != NULL ? repo_path(&s.repo, &s.arena, m->path) : NULL;
    strbuf_init(&conflict);
    int rc = dvcmerge_run(s.store, m, &conflict, &e);
    if (rc > 0) { /* twice, as DVC says it: the error and its cause have one text */
        fprintf(stderr, "ERROR: %s: %s\n", conflict.p, conflict.p);
    }
    int code = rc < 0 ? session_fail(&e, 255) : rc > 0 ? 255 : 0;
    strbuf_release(&conflict);
    session_close(&s);
    return code;
}

static int hook_merge_driver(int argc, char **argv)
{
    struct dvcmerge m = {0};
    bool quiet = false;
    const struct opt options[] = {
        {OPT_STR, 0, "ancestor", "FILE", "the version that both came from (required)", &m.ancestor,
         NULL},
        {OPT_STR, 0, "our", "FILE", "the current version, which is written (required)", &m.our,
         NULL},
        {OPT_STR, 0, "their", "FILE", "the other branch's version (required)", &m.their, NULL},
        {OPT_STR, 0, "path", "FILE", "where the file lies in the work tree (git's %P)", &m.path,
         NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "taken for DVC's sake", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron git-hook merge-driver [OPTION]...",
        .about = "Merges three versions of a .dvc file that tracks a folder: git's merge driver "
                 "`dvc`, which `nephron install` sets up, for files of the attribute merge=dvc.",
        .examples = "  echo '*.dvc merge=dvc' >>.gitattributes\n  nephron git-hook merge-driver "
                    "--ancestor base.dvc --our data.dvc --their other.dvc",
        .options = options};
    struct opt_list args = {0};
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        return code;
    }
    opt_list_release(&args);
    if (m.ancestor == NULL || m.our == NULL || m.their == NULL) {
        fprintf(stderr,
                "ERROR: the following arguments are required: --ancestor, --our, --their\n");
        opt_print_usage(&spec);
        return 254;
    }
    struct arena a;
    arena_init(&a);
    const char *here = path_cwd(&a), **files[] = {&m.ancestor, &m.our, &m.their};
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        *files[i] = path_absolute(&a, here, *files[i]);
    }
    if (m.path != NULL) {
        m.path = path_absolute(&a, here, m.path);
        enter_folder(&a, m.path);
    }
    code = merge_files(&m);
    arena_release(&a);
    return code;
}

int cmd_git_hook(int argc, char **argv)
{
    static const struct session_command commands[] = {
        {"pre-commit", hook_pre_commit, "print the status"},
        {"post-checkout", hook_post_checkout, "check data out"},
        {"pre-push", hook_pre_push, "push data"},
        {"merge-driver", hook_merge_driver, "merge .dvc files of folders"},
    };
    return session_dispatch("git-hook", commands, ARRAY_SIZE(commands), argc, argv);
}
