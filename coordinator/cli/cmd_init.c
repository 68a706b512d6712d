/* `init`, `root` and `version`. */

#include "cmd.h"

#include "err.h"
#include "init.h"
#include "libyaml.h"
#include "session.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <sys/utsname.h>

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

/* ---- version ---- */

static void print_repo(void)
{
    struct err e = ERR_INIT;
    struct session s;
    if (session_open(&s, SESSION_REPO, false, &e) < 0) {
        printf("Repo: none\n");
        return;
    }
    printf("Cache directory: %s\n", repo_cache_dir(&s.repo, &s.arena));
    printf("Repo: dvc, %s\n", s.repo.no_scm ? "no SCM" : "git");
    session_close(&s);
}

int cmd_version(int argc, char **argv)
{
    bool quiet = false;
    const struct opt options[] = {{OPT_FLAG, 'q', "quiet", NULL, "print nothing", &quiet, NULL},
                                  OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron version",
        .about = "Prints the version, the libraries and the repository: for problem reports.",
        .examples = "  nephron version",
        .options = options};
    struct opt_list args = {0};
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        return code;
    }
    opt_list_release(&args);
    if (quiet) {
        return 0;
    }
    struct utsname host;
    int length = printf("Nephron version: %s\n", NEPHRON_VERSION);
    for (int i = 1; i < length; i++) {
        putchar('-');
    }
    if (uname(&host) == 0) {
        printf("\nPlatform: %s %s %s", host.sysname, host.release, host.machine);
    }
    printf("\nLibraries: libyaml %s, jansson %s, %s\n", yaml_get_version_string(),
           jansson_version_str(), OpenSSL_version(OPENSSL_VERSION));
    print_repo();
    return 0;
}
