/* See expautopush.h. */
#include "expautopush.h"

#include "alloc.h"
#include "config.h"
#include "err.h"
#include "expcommit.h"
#include "exptask.h"
#include "fs.h"
#include "git.h"
#include "path.h"
#include "proc.h"
#include "remote.h"
#include "repo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_wanted(const struct repo *r)
{
    const char *set = getenv("DVC_EXP_AUTO_PUSH");
    return set != NULL ? strpbrk(set, "1yY") != NULL || strcasestr(set, "true") != NULL
                       : config_get_bool(r->config, "exp", "auto_push", false);
}

static const char *git_remote(const struct repo *r)
{
    const char *set = getenv("DVC_EXP_GIT_REMOTE");
    set = set != NULL ? set : config_get(r->config, "exp", "git_remote");
    return set != NULL ? set : "origin";
}

/* "host:path" and "scheme://…" are elsewhere. */
static bool is_path(const char *url)
{
    const char *colon = strchr(url, ':'), *slash = strchr(url, '/');
    return colon == NULL || (slash != NULL && slash < colon);
}

static int check_git_remote(const struct repo *r, struct arena *a, const char *remote,
                            struct err *e)
{
    const char *const args[] = {"remote", "get-url", "--", remote, NULL};
    struct strbuf out;
    strbuf_init(&out);
    const char *url =
        git_run(r, args, &out, NULL) == 0 ? arena_str(a, str_trim(strbuf_str(&out))).p : remote;
    strbuf_release(&out);
    const char *path = strncmp(url, "file://", 7) == 0 ? url + 7 : is_path(url) ? url : NULL;
    return path == NULL || (*path != '\0' && fs_exists(path_absolute(a, r->root, path)))
               ? 0
               : err_set(e, ERR_REMOTE, "'%s' is not a valid Git remote or URL", remote);
}

static int check_remotes(const struct repo *r, struct arena *a, const char *remote, struct err *e)
{
    if (strcmp(remote, r->root) == 0) {
        fprintf(stderr,
                "WARNING: '%s' points to the current Git repo, experiment Git refs will not be "
                "pushed. But DVC cache and run cache will automatically be pushed to the default "
                "DVC remote (if any) on each experiment commit.\n",
                remote);
    }
    if (check_git_remote(r, a, remote, e) < 0) {
        return -1;
    }
    return config_default_remote(r->config) != NULL ? 0 : remote_none(r, e);
}

/* `nephron exp push`; what it has to say of a failure goes to *why. */
static int push(const struct repo *r, const char *remote, const char *ref, struct strbuf *why,
                struct err *e)
{
    struct strbuf program, out;
    struct proc_status st = {.exited = true};
    strbuf_init(&program);
    strbuf_init(&out);
    int rc = proc_self_dir(&program, e);
    strbuf_adds(&program, "/nephron");
    const char *const argv[] = {program.p, "exp",  "push", "-q", "--run-cache",
                                "--",      remote, ref,    NULL};
    const struct proc_options o = {.argv = argv, .cwd = r->root, .stdin_fd = PROC_NULL};
    rc = rc == 0 ? proc_capture(&o, &out, why, &st, e) : rc;
    if (rc == 0 && proc_exit_code(&st) != 0) {
        struct str text = str_trim(strbuf_str(why));
        size_t skip = str_starts(text, "ERROR: ") ? strlen("ERROR: ") : 0;
        rc = err_set(e, ERR_CHILD, "%.*s", (int)(text.n - skip), text.p + skip);
    }
    strbuf_release(&out);
    strbuf_release(&program);
    return rc;
}

void expautopush(const struct repo *r, const struct exptask *t, bool quiet)
{
    if (!is_wanted(r)) {
        return;
    }
    struct arena a;
    struct strbuf said;
    struct err e = ERR_INIT;
    const char *remote = git_remote(r);
    arena_init(&a);
    strbuf_init(&said);
    fflush(stdout);
    if (check_remotes(r, &a, remote, &e) < 0) {
        fprintf(stderr, "WARNING: Failed to validate remotes. Disabling auto push: %s\n", e.text);
    } else {
        if (!quiet) {
            printf("Pushing experiment to '%s'. Cancel with CTRL+C. See "
                   "<https://dvc.org/doc/user-guide/experiment-management/sharing-experiments> for "
                   "more info.\n",
                   remote);
            fflush(stdout);
        }
        if (push(r, remote, expcommit_ref(&a, t->baseline, t->name), &said, &e) < 0) {
            fprintf(stderr,
                    "WARNING: Something went wrong while auto pushing experiment to the remote "
                    "'%s': %s\n",
                    remote, e.text);
        }
    }
    strbuf_release(&said);
    arena_release(&a);
}
