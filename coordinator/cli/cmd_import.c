/* `import-url`, `import` and `update`: data that remembers where it came from. */

#include "cmd.h"

#include "err.h"
#include "foreign.h"
#include "gitsource.h"
#include "gitstage.h"
#include "importurl.h"
#include "session.h"
#include "store.h"
#include "sync.h"

#include <stdio.h>

/* Opened with the repository's lock; closed by the caller in any case of success. */
static int open_locked(struct session *s, const char *cmd, bool quiet, struct err *e)
{
    if (session_open(s, SESSION_STORE, quiet, e) < 0) {
        return -1;
    }
    if (session_lock(s, cmd, e) < 0) {
        session_close(s);
        return -1;
    }
    return 0;
}

static int tell_git(struct session *s, const char *file, struct err *e)
{
    if (gitstage_add(s, &file, 1, e) < 0) {
        return -1;
    }
    gitstage_hint(s, &file, 1);
    return 0;
}

/* ---- import-url ---- */

static int run_import_url(const struct importurl_options *opt, bool quiet)
{
    struct err e = ERR_INIT;
    struct session s;
    const char *file;
    if (open_locked(&s, "nephron import-url", quiet, &e) < 0) {
        return session_fail(&e, 1);
    }
    int rc = importurl_run(s.store, &s.arena, &s.pipeline, opt, &file, &e);
    if (rc == 0) {
        rc = tell_git(&s, file, &e);
    }
    const char *what = arena_printf(&s.arena,
                                    "failed to import %s. You could also try downloading it "
                                    "manually, and adding it with `dvc add`.",
                                    opt->url);
    int code = rc == 0 ? 0 : sync_fail(&e, what);
    session_close(&s);
    return code;
}

int cmd_import_url(int argc, char **argv)
{
    struct importurl_options opt = {0};
    bool quiet = false;
    long jobs = 0;
    struct opt_list args = {0}, fs_config = {0};
    const struct opt options[] = {
        {OPT_FLAG, 0, "to-remote", NULL, "copy to a remote, not to the workspace", &opt.to_remote,
         NULL},
        {OPT_STR, 'r', "remote", "NAME", "the remote for --to-remote", &opt.remote, NULL},
        {OPT_FLAG, 0, "no-exec", NULL, "write the .dvc file only", &opt.no_exec, NULL},
        {OPT_FLAG, 0, "no-download", NULL,
         "write the .dvc file with the source's hash, bring nothing", &opt.no_download, NULL},
        {OPT_INT, 'j', "jobs", "N", "transfers at a time", &jobs, NULL},
        {OPT_FLAG, 'f', "force", NULL, "replace an existing file or folder", &opt.force, NULL},
        {OPT_REFUSED, 0, "version-aware", NULL, "(not supported) versions of cloud storage", NULL,
         NULL},
        {OPT_MULTI, 0, "fs-config", "NAME=VALUE...", "settings for a source in an object store",
         &fs_config, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron import-url [OPTION]... URL [OUT]",
        .about = "Copies a file or folder from elsewhere (a path, "
                 "file://, http(s)://, s3://, gs://, azure://, ssh://, "
                 "remote://NAME/PATH) and tracks it; `nephron update` brings it up to date.",
        .examples = "  nephron import-url https://example.org/scans.zip\n  "
                    "nephron import-url /mnt/pacs/2026 raw\n"
                    "  nephron import-url --no-download /mnt/pacs/2026 raw",
        .options = options,
        .min_args = 1,
        .max_args = 2};
    int code;
    if (session_options(&spec, argc, argv, &args, 254, &code)) {
        opt.url = args.items[0];
        opt.out = args.count > 1 ? args.items[1] : NULL;
        opt.fs_config = fs_config.items;
        opt.fs_config_count = fs_config.count;
        if (opt.no_exec && opt.no_download) {
            fprintf(stderr, "ERROR: argument --no-download: not allowed with argument --no-exec\n");
            opt_print_usage(&spec);
            code = 254;
        } else {
            code = run_import_url(&opt, quiet);
        }
        opt_list_release(&args);
    }
    opt_list_release(&fs_config);
    return code;
}

/* ---- import ---- */

/* DVC has no place in the .dvc file for all three. */
static int take_settings(struct arena *a, const struct foreign *how, struct gitsource_import *opt,
                         struct err *e)
{
    return how->config && how->remote && how->remote_config.count > 0
               ? err_set(e, ERR_USAGE,
                         "Can't specify config path together with both remote and remote_config")
               : foreign_settings(a, how, &opt->settings, e);
}

static int run_import(struct gitsource_import *opt, const struct foreign *how, bool quiet)
{
    struct err e = ERR_INIT;
    struct session s;
    const char *file;
    if (open_locked(&s, "nephron import", quiet, &e) < 0) {
        return session_fail(&e, 1);
    }
    if (take_settings(&s.arena, how, opt, &e) < 0) {
        session_close(&s);
        return session_fail(&e, 255);
    }
    int rc = gitsource_import_run(s.store, &s.arena, &s.pipeline, opt, &file, &e);
    if (rc == 0) {
        rc = tell_git(&s, file, &e);
    }
    int code = rc == 0 ? 0
                       : sync_fail(&e, arena_printf(&s.arena, "failed to import '%s' from '%s'.",
                                                    opt->path, opt->url));
    session_close(&s);
    return code;
}

int cmd_import(int argc, char **argv)
{
    struct gitsource_import opt = {0};
    struct foreign how = {0};
    bool quiet = false;
    long jobs = 0;
    struct opt_list args = {0};
    const struct opt options[] = {
        {OPT_STR, 'o', "out", "PATH", "name or folder of the copy", &opt.out, NULL},
        {OPT_FLAG, 'f', "force", NULL, "replace an existing file or folder", &opt.force, NULL},
        {OPT_STR, 0, "rev", "REV", "revision of the other repository, which updates follow",
         &opt.rev, NULL},
        {OPT_FLAG, 0, "no-exec", NULL, "write the .dvc file only", &opt.no_exec, NULL},
        {OPT_FLAG, 0, "no-download", NULL, "write the .dvc file with the revision, bring nothing",
         &opt.no_download, NULL},
        FOREIGN_OPTIONS(how),
        {OPT_INT, 'j', "jobs", "N", "transfers at a time", &jobs, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron import [OPTION]... REPOSITORY PATH",
        .about = "Copies a file or folder that DVC or git tracks in another repository, and tracks "
                 "it here; `nephron "
                 "update` brings it up to date.",
        .examples = "  nephron import git@example.org:team/registry.git models/vgg.pth\n"
                    "  nephron import ../registry data -o raw --rev v2\n"
                    "  nephron import ../registry scans/raw --remote-config url=/mnt/mirror",
        .options = options,
        .min_args = 2,
        .max_args = 2};
    int code;
    if (session_options(&spec, argc, argv, &args, 254, &code)) {
        opt.url = args.items[0];
        opt.path = args.items[1];
        code = run_import(&opt, &how, quiet);
    }
    foreign_release(&how);
    opt_list_release(&args);
    return code;
}

/* ---- update ---- */

static int update_targets(struct session *s, const struct opt_list *args,
                          const struct graph_target_options *how,
                          const struct importurl_update *opt, struct err *e)
{
    struct checkout_target *targets;
    size_t count;
    if (sync_targets(s, args, how, &targets, &count, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (importurl_update(s->store, &s->arena, targets[i].stage, opt, e) < 0 ||
            gitstage_add(s, &targets[i].stage->file, 1, e) < 0) {
            return -1;
        }
    }
    return 0;
}

int cmd_update(int argc, char **argv)
{
    struct importurl_update opt = {0};
    struct graph_target_options how = {.outputs = true};
    bool quiet = false;
    long jobs = 0;
    struct opt_list args = {0};
    const struct opt options[] = {
        {OPT_STR, 0, "rev", "REV", "for `import`ed data: the revision to follow from now on",
         &opt.rev, NULL},
        {OPT_FLAG, 'R', "recursive", NULL, "folders stand for what is tracked below",
         &how.recursive, NULL},
        {OPT_FLAG, 0, "no-download", NULL, "record the source's hash, bring nothing",
         &opt.no_download, NULL},
        {OPT_FLAG, 0, "to-remote", NULL, "copy to a remote, not to the workspace", &opt.to_remote,
         NULL},
        {OPT_STR, 'r', "remote", "NAME", "the remote for --to-remote", &opt.remote, NULL},
        {OPT_INT, 'j', "jobs", "N", "transfers at a time", &jobs, NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {.usage = "nephron update [OPTION]... TARGET...",
                                  .about = "Brings imported data up to date with its source. "
                                           "Targets: .dvc files of `import` and `import-url`, "
                                           "or their data.",
                                  .examples = "  nephron update raw.dvc\n  nephron update -R "
                                              "data\n  nephron update --rev v3 model.pth.dvc",
                                  .options = options,
                                  .min_args = 1,
                                  .max_args = OPT_ANY};
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        return code;
    }
    struct err e = ERR_INIT;
    struct session s;
    if (open_locked(&s, "nephron update", quiet, &e) < 0) {
        code = session_fail(&e, 1);
    } else {
        int rc = update_targets(&s, &args, &how, &opt, &e);
        code = rc == 0 ? 0 : sync_fail(&e, "failed update data");
        session_close(&s);
    }
    opt_list_release(&args);
    return code;
}
