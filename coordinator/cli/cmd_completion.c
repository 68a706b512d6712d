/* `completion`: scripts that let a shell complete nephron's commands. */

#include "cmd.h"

#include "completion.h"
#include "err.h"
#include "proc.h"
#include "session.h"

#include <stdio.h>

static int print_script(const char *shell, bool quiet)
{
    struct err e = ERR_INIT;
    struct arena a;
    struct strbuf self, out;
    struct completion_command root;
    arena_init(&a);
    strbuf_init(&self);
    strbuf_init(&out);
    int rc = proc_self_dir(&self, &e);
    strbuf_adds(&self, "/nephron");
    if (rc == 0) {
        rc = completion_load(&a, self.p, &root, &e);
    }
    if (rc == 0) {
        rc = completion_write(&out, shell, &root, &e);
    }
    if (rc == 0 && !quiet) {
        fwrite(out.p, 1, out.n, stdout);
    }
    strbuf_release(&out);
    strbuf_release(&self);
    arena_release(&a);
    return rc == 0 ? 0 : session_fail(&e, e.code == ERR_USAGE ? 254 : 1);
}

int cmd_completion(int argc, char **argv)
{
    const char *shell = "bash";
    bool quiet = false;
    const struct opt options[] = {
        {OPT_STR, 's', "shell", "SHELL", "bash (default), zsh or fish", &shell, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron completion [-s SHELL]",
        .about = "Prints a script that completes commands, options, stages, remotes and revisions.",
        .examples = "  source <(nephron completion -s bash)\n"
                    "  nephron completion -s zsh >\"${fpath[1]}/_nephron\"\n"
                    "  nephron completion -s fish >~/.config/fish/completions/nephron.fish",
        .options = options};
    struct opt_list args = {0};
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        return code;
    }
    opt_list_release(&args);
    return print_script(shell, quiet);
}
