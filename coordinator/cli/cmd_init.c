/* `init` and `root`. */

#include "cmd.h"

#include "err.h"
#include "init.h"
#include "session.h"

#include <stdio.h>

/* ---- init ---- */

static int make_repo(const struct init_options *opt, bool quiet)
{
    struct err e = ERR_INIT;
    struct strbuf out;
    strbuf_init(&out);
    int code = 0;
    if (repo_init(opt, &out, &e) < 0) {
        code = session_fail(&e, e.code == ERR_USAGE ? 255 : 1);
    } else if (!quiet) {
        printf("%s"
               "What's next?\n"
               "------------\n"
               "- nephron add DATA       track data\n"
               "- nephron stage add      describe a step of the pipeline\n"
               "- nephron repro          run what is stale\n",
               out.p);
    }
    strbuf_release(&out);
    return code;
}

int cmd_init(int argc, char **argv)
{
    struct init_options opt = {0};
    bool quiet = false;
    const struct opt options[] = {
        {OPT_FLAG, 0, "no-scm", NULL, "a folder that git does not track", &opt.no_scm, NULL},
        {OPT_FLAG, 'f', "force", NULL, "replace an existing .dvc: settings and cache are lost",
         &opt.force, NULL},
        {OPT_FLAG, 0, "subdir", NULL, "a folder below the root of the git repository", &opt.subdir,
         NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron init [OPTION]... [FOLDER]",
        .about =
            "Makes a folder (default: the current one) a repository: .dvc and .dvcignore, added to "
            "git's index.",
        .examples = "  git init && nephron init\n  nephron init --no-scm scratch",
        .options = options,
        .max_args = 1};
    struct opt_list args = {0};
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        return code;
    }
    opt.dir = args.count > 0 ? args.items[0] : NULL;
    code = make_repo(&opt, quiet);
    opt_list_release(&args);
    return code;
}

/* ---- root ---- */

int cmd_root(int argc, char **argv)
{
    bool quiet = false;
    const struct opt options[] = {{OPT_FLAG, 'q', "quiet", NULL, "print nothing", &quiet, NULL},
                                  OPT_END};
    const struct opt_spec spec = {.usage = "nephron root",
                                  .about = "Prints the way from here to the repository's root.",
                                  .examples = "  cd \"$(nephron root)\"",
                                  .options = options};
    struct opt_list args = {0};
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        return code;
    }
    opt_list_release(&args);
    struct err e = ERR_INIT;
    struct session s;
    if (session_open(&s, SESSION_REPO, quiet, &e) < 0) {
        return session_fail(&e, 255);
    }
    if (!quiet) {
        printf("%s\n", repo_show(&s.repo, &s.arena, "."));
    }
    session_close(&s);
    return 0;
}
