/* `install`, and `git-hook`, which the hooks call. */

#include "cmd.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "githooks.h"
#include "session.h"
#include "sync.h"

#include <stdlib.h>
#include <string.h>

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
                                           "data first.",
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
    int rc = tool ? githooks_install_tool(&s.repo, &s.arena, &e)
                  : githooks_install(&s.repo, &s.arena, &e);
    code = rc == 0 ? 0 : sync_fail(&e, "failed to install DVC Git hooks");
    session_close(&s);
    return code;
}

/* ---- git-hook ---- */

static bool in_repository(void)
{
    struct session s;
    struct err e = ERR_INIT;
    if (session_open(&s, SESSION_REPO, true, &e) < 0) {
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
    return in_repository() ? command(1, argv) : 0;
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
    return call(command, name);
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
    return branch ? call(cmd_checkout, "checkout") : 0;
}

int cmd_git_hook(int argc, char **argv)
{
    static const struct session_command commands[] = {
        {"pre-commit", hook_pre_commit, "print the status"},
        {"post-checkout", hook_post_checkout, "check data out"},
        {"pre-push", hook_pre_push, "push data"},
    };
    return session_dispatch("git-hook", commands, ARRAY_SIZE(commands), argc, argv);
}
