/* `add`, `checkout` and `commit`: data between the workspace and the cache. */

#include "cmd.h"

#include "add.h"
#include "alloc.h"
#include "checkout.h"
#include "commit.h"
#include "err.h"
#include "fs.h"
#include "gitstage.h"
#include "lock.h"
#include "path.h"
#include "session.h"
#include "sync.h"

#include <stdio.h>
#include <string.h>

/* ---- add ---- */

static int add_targets(const struct opt_list *targets, const struct add_options *opt, bool quiet)
{
    struct err e = ERR_INIT;
    struct session s;
    struct add_result result = {0};
    if (session_open(&s, SESSION_STORE, quiet, &e) < 0) {
        return session_fail(&e, 1);
    }
    int rc = session_lock(&s, "nephron add", &e);
    if (rc == 0) {
        rc = add_run(s.store, &s.arena, &s.pipeline, targets->items, targets->count, opt, &result,
                     &e);
    }
    if (rc == 0) {
        rc = gitstage_add(&s, result.files, result.file_count, &e);
    }
    if (rc == 0) {
        gitstage_hint(&s, result.files, result.file_count);
    }
    int code = rc == 0 ? 0 : sync_fail(&e, NULL);
    session_close(&s);
    return code;
}

int cmd_add(int argc, char **argv)
{
    struct add_options opt = {0};
    bool quiet = false;
    long remote_jobs = 0;
    const struct opt options[] = {
        {OPT_FLAG, 0, "no-commit", NULL, "hash only, store nothing", &opt.no_commit, NULL},
        {OPT_FLAG, 0, "glob", NULL, "targets are patterns", &opt.glob, NULL},
        {OPT_STR, 'o', "out", "PATH", "track a copy of the target under this name", &opt.out, NULL},
        {OPT_FLAG, 0, "to-remote", NULL, "copy the target straight to a remote", &opt.to_remote,
         NULL},
        {OPT_STR, 'r', "remote", "NAME", "the remote for --to-remote", &opt.remote, NULL},
        {OPT_INT, 0, "remote-jobs", "N", "transfers at a time for --to-remote", &remote_jobs, NULL},
        {OPT_FLAG, 'f', "force", NULL, "overwrite an existing file or folder", &opt.force, NULL},
        {OPT_FLAG, 0, "no-relink", NULL, "leave the workspace files as they are", &opt.no_relink,
         NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron add [OPTION]... TARGET...",
        .about =
            "Tracks files and folders: their content goes into the cache, a .dvc file beside each "
            "names it, and git is told to ignore the data.",
        .examples = "  nephron add data/raw\n  nephron add --glob 'images/*.zip'\n"
                    "  nephron add /mnt/scans -o scans",
        .options = options,
        .min_args = 1,
        .max_args = OPT_ANY};
    struct opt_list args = {0};
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        return code;
    }
    struct err e = ERR_INIT;
    if (!opt.to_remote && (opt.remote != NULL || remote_jobs != 0)) {
        err_set(&e, ERR_USAGE, "%s can't be used without --to-remote",
                opt.remote != NULL ? "--remote" : "--remote-jobs");
    } else if (opt.to_remote && opt.no_commit) {
        err_set(&e, ERR_USAGE, "--no-commit can't be used with --to-remote");
    }
    code = e.code != ERR_NONE ? session_fail(&e, 1) : add_targets(&args, &opt, quiet);
    opt_list_release(&args);
    return code;
}

/* ---- checkout ---- */

/* As DVC: the first target that nothing knows is named, with a hint. */
static int suggest_git(struct session *s, const struct opt_list *typed,
                       const struct graph_target_options *how, struct err *e)
{
    for (size_t i = 0; i < typed->count; i++) {
        struct err why = ERR_INIT;
        struct graph_selection sel = {0};
        if (graph_select(&s->graph, &s->repo, &typed->items[i], 1, how, &s->arena, &sel, &why) <
            0) {
            return err_set(e, why.code, "Did you mean `git checkout %s`?: %s", typed->items[i],
                           why.text);
        }
    }
    return -1;
}

static void print_checkout(const struct checkout_result *r, bool summary)
{
    if (!summary) {
        sync_print_changes(r);
        return;
    }
    struct strbuf text;
    strbuf_init(&text);
    checkout_summary(&text, r);
    printf("%s\n", text.n > 0 ? text.p : "No changes.");
    strbuf_release(&text);
}

static int checkout_open(struct session *s, const struct opt_list *typed,
                         const struct graph_target_options *how, struct checkout_options *opt,
                         bool summary, struct err *e)
{
    struct checkout_target *targets;
    size_t count;
    if (session_lock(s, "nephron checkout", e) < 0) {
        return -1;
    }
    if (sync_targets(s, typed, how, &targets, &count, e) < 0) {
        return suggest_git(s, typed, how, e);
    }
    struct checkout_result res = {0};
    opt->whole = typed->count == 0 ? &s->pipeline : NULL;
    int rc = checkout_run(s->store, &s->arena, targets, count, opt, &res, e);
    if (!s->quiet && (rc == 0 || res.failed_count > 0)) {
        print_checkout(&res, summary);
    }
    if (rc == 0 && opt->relink && !s->quiet) {
        printf("Relinked successfully\n");
    }
    return rc;
}

int cmd_checkout(int argc, char **argv)
{
    struct checkout_options opt = {0};
    struct graph_target_options how = {.outputs = true};
    bool quiet = false, summary = false;
    const struct opt options[] = {
        {OPT_FLAG, 0, "summary", NULL, "print how many files changed, not which", &summary, NULL},
        {OPT_FLAG, 'd', "with-deps", NULL, "also what the targets depend on", &how.with_deps, NULL},
        {OPT_FLAG, 'R', "recursive", NULL, "folders stand for what is tracked below",
         &how.recursive, NULL},
        {OPT_FLAG, 'f', "force", NULL, "also overwrite content that the cache does not hold",
         &opt.force, NULL},
        {OPT_FLAG, 0, "relink", NULL, "make every link or copy anew", &opt.relink, NULL},
        {OPT_FLAG, 0, "allow-missing", NULL, "absent objects are no error", &opt.allow_missing,
         NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron checkout [OPTION]... [TARGET]...",
        .about = "Brings the workspace to what dvc.lock and .dvc files name. Targets: .dvc files, "
                 "stages, outputs, parts of outputs; none: everything.",
        .examples =
            "  nephron checkout\n  nephron checkout data.dvc\n  git switch v1 && nephron checkout",
        .options = options,
        .max_args = OPT_ANY};
    struct opt_list args = {0};
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        return code;
    }
    struct err e = ERR_INIT;
    struct session s;
    int rc = session_open(&s, SESSION_STORE, quiet, &e);
    if (rc == 0) {
        rc = checkout_open(&s, &args, &how, &opt, summary, &e);
        session_close(&s);
    }
    opt_list_release(&args);
    return rc == 0 ? 0 : session_fail(&e, 255);
}

/* ---- commit ---- */

/* The file that a stage is recorded in. */
static const char *record_of(struct session *s, const struct stage *st)
{
    if (st->name == NULL) {
        return st->file;
    }
    return path_join(&s->arena, path_dirname(&s->arena, st->file), "dvc.lock");
}

static int write_lock(struct session *s, struct lock *l, const char *file, struct err *e)
{
    const char *shown = repo_show(&s->repo, &s->arena, file);
    if (!s->quiet && !fs_exists(repo_abs(&s->repo, &s->arena, file))) {
        printf("Generating lock file '%s'\n", shown);
    }
    if (!s->quiet) {
        printf("Updating lock file '%s'\n", shown);
    }
    return lock_write(l, e);
}

static int write_locks(struct session *s, const struct checkout_target *targets, size_t count,
                       struct err *e)
{
    const char **files = ARENA_ARRAY(&s->arena, count + 1, const char *);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const struct stage *st = targets[i].stage;
        if (st->name != NULL) {
            struct lock *l = store_lock(s->store, st->file, e);
            if (l == NULL || (lock_dirty(l) && write_lock(s, l, record_of(s, st), e) < 0)) {
                return -1;
            }
        }
        const char *file = record_of(s, st);
        if (n == 0 || strcmp(files[n - 1], file) != 0) {
            files[n++] = file;
        }
    }
    return gitstage_add(s, files, n, e);
}

static int commit_typed(struct session *s, const struct opt_list *typed,
                        const struct graph_target_options *how, const struct commit_options *opt,
                        struct err *e)
{
    struct checkout_target *targets;
    size_t count, done = 0;
    if (sync_targets(s, typed, how, &targets, &count, e) < 0) {
        return -1;
    }
    int rc = 0;
    for (; rc == 0 && done < count; done++) {
        struct commit_options one = *opt;
        one.filter = targets[done].filter;
        rc = commit_stage(s->store, &s->arena, targets[done].stage, &one, e);
    }
    /* what went well before a failure is kept, as DVC does */
    struct err why = ERR_INIT;
    if (write_locks(s, targets, done, rc == 0 ? e : &why) < 0) {
        return -1;
    }
    return rc;
}

static int commit_open(struct session *s, const struct opt_list *typed,
                       const struct graph_target_options *how, const struct commit_options *opt)
{
    struct err e = ERR_INIT;
    if (session_lock(s, "nephron commit", &e) < 0) {
        return session_fail(&e, 1);
    }
    /* one by one: messages name the target, and those before a wrong one are done */
    size_t i = 0;
    do {
        struct opt_list one = {.items = typed->items + i, .count = typed->count > 0 ? 1 : 0};
        if (commit_typed(s, &one, how, opt, &e) < 0) {
            return sync_fail(
                &e, one.count == 0 ? "failed to commit"
                                   : arena_printf(&s->arena, "failed to commit %s", one.items[0]));
        }
    } while (++i < typed->count);
    return 0;
}

int cmd_commit(int argc, char **argv)
{
    struct commit_options opt = {0};
    struct graph_target_options how = {.outputs = true};
    bool quiet = false;
    const struct opt options[] = {
        {OPT_FLAG, 'f', "force", NULL, "also what differs from its record", &opt.force, NULL},
        {OPT_FLAG, 'd', "with-deps", NULL, "also what the targets depend on", &how.with_deps, NULL},
        {OPT_FLAG, 'R', "recursive", NULL, "folders stand for what is tracked below",
         &how.recursive, NULL},
        {OPT_FLAG, 0, "no-relink", NULL, "leave the workspace files as they are", &opt.no_relink,
         NULL},
        {OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &quiet, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron commit [OPTION]... [TARGET]...",
        .about =
            "Stores outputs as they are now and records them in dvc.lock and .dvc files, without "
            "running anything. Targets: .dvc files, stages, outputs; none: everything.",
        .examples = "  nephron repro --no-commit && nephron commit\n  nephron commit -f train",
        .options = options,
        .max_args = OPT_ANY};
    struct opt_list args = {0};
    int code;
    if (!session_options(&spec, argc, argv, &args, 254, &code)) {
        return code;
    }
    struct err e = ERR_INIT;
    struct session s;
    if (session_open(&s, SESSION_STORE, quiet, &e) < 0) {
        code = session_fail(&e, 1);
    } else {
        code = commit_open(&s, &args, &how, &opt);
        session_close(&s);
    }
    opt_list_release(&args);
    return code;
}
