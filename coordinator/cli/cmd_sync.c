/* `push`, `fetch` and `pull`: objects between the cache and a remote. */

#include "cmd.h"

#include "config.h"
#include "err.h"
#include "remote.h"
#include "session.h"
#include "sync.h"

#include <stdio.h>
#include <string.h>

/* ---- moving ---- */

enum way { WAY_PUSH, WAY_FETCH, WAY_PULL };

struct sync_args {
    enum way way;
    struct opt_list targets, types;
    struct sync_choice choice;
    bool run_cache, quiet;
    bool force, allow_missing; /* pull */
    struct graph_target_options how;
};

static const char *const failed_to[] = {"failed to push data to the cloud",
                                        "failed to fetch data from the cloud",
                                        "failed to pull data from the cloud"};

static void print_summary(const struct session *s, const struct sync_args *a, size_t moved,
                          const struct checkout_result *checked_out)
{
    if (a->choice.remote == NULL && config_default_remote(s->repo.config) == NULL) {
        fprintf(stderr,
                "No remote provided and no default remote set.\n"); /* also with -q, as DVC */
    }
    if (a->quiet) {
        return;
    }
    struct strbuf text;
    strbuf_init(&text);
    if (a->way != WAY_PUSH) {
        checkout_summary_fetched(&text, moved, checked_out);
    } else if (moved > 0) {
        strbuf_addf(&text, "%zu file%s pushed", moved, moved == 1 ? "" : "s");
    }
    printf("%s\n", text.n > 0 ? text.p : "Everything is up to date.");
    strbuf_release(&text);
}

static int check_out(struct session *s, const struct sync_args *a, size_t fetched, struct err *e)
{
    const struct checkout_options opt = {.force = a->force,
                                         .allow_missing = a->allow_missing,
                                         .whole = a->targets.count == 0 ? &s->pipeline : NULL};
    struct checkout_result res = {0};
    struct checkout_target *targets;
    size_t count;
    if (sync_targets(s, &a->targets, &a->how, &targets, &count, e) < 0) {
        return -1;
    }
    int rc = checkout_run(s->store, &s->arena, targets, count, &opt, &res, e);
    if (rc == 0 || res.failed_count > 0) {
        if (!a->quiet) {
            sync_print_changes(&res);
        }
        print_summary(s, a, fetched, &res);
    }
    return rc;
}

static int run_open(struct session *s, const struct sync_args *a, const char *command)
{
    struct err e = ERR_INIT;
    size_t moved = 0;
    int rc = session_lock(s, command, &e);
    if (rc == 0) {
        rc = sync_move(s, &a->choice, a->run_cache, &moved, &e);
    }
    if (rc == 0 && a->way == WAY_PULL) {
        rc = check_out(s, a, moved, &e);
    } else if (rc == 0) {
        print_summary(s, a, moved, NULL);
    }
    return rc == 0 ? 0 : sync_fail(&e, failed_to[a->way]);
}

static int run(struct sync_args *a, const char *command)
{
    struct err e = ERR_INIT;
    struct session s;
    if (session_open(&s, SESSION_REPO, a->quiet, &e) < 0) {
        return session_fail(&e, 1);
    }
    session_close(&s);
    if (session_open(&s, SESSION_STORE, a->quiet, &e) < 0) {
        if (e.code != ERR_CONFIG) {
            session_warn("failed to collect 'workspace', skipping");
        }
        return e.code == ERR_CONFIG ? session_fail(&e, 1) : sync_fail(&e, failed_to[a->way]);
    }
    int code = run_open(&s, a, command);
    session_close(&s);
    return code;
}

static int take_types(struct sync_args *a)
{
    for (size_t i = 0; i < a->types.count; i++) {
        const char *type = a->types.items[i];
        bool metrics = strcmp(type, "metrics") == 0, plots = strcmp(type, "plots") == 0;
        if (!metrics && !plots) {
            fprintf(stderr,
                    "ERROR: argument --type: invalid choice: '%s' (choose from 'metrics', "
                    "'plots')\n",
                    type);
            return -1;
        }
        a->choice.metrics |= metrics;
        a->choice.plots |= plots;
    }
    return 0;
}

/* ---- the commands ---- */

/* The options of all three; expanded into each table. */
#define SYNC_OPTIONS(a, verb)                                                                       \
    {OPT_INT,                                                                                       \
     'j',                                                                                           \
     "jobs",                                                                                        \
     "N",                                                                                           \
     "transfers at a time; default: the remote's `jobs`, else the cores",                           \
     &(a).choice.jobs,                                                                              \
     NULL},                                                                                         \
        {OPT_STR,                                                                                   \
         'r',                                                                                       \
         "remote",                                                                                  \
         "NAME",                                                                                    \
         verb " this remote, not the default one",                                                  \
         &(a).choice.remote,                                                                        \
         NULL},                                                                                     \
        {OPT_FLAG, 'a', "all-branches", NULL, "what all branches name", &(a).choice.scope.branches, \
         NULL},                                                                                     \
        {OPT_FLAG, 'T', "all-tags", NULL, "what all tags name", &(a).choice.scope.tags, NULL},      \
        {OPT_FLAG, 'A', "all-commits", NULL, "what all commits name", &(a).choice.scope.commits,    \
         NULL},                                                                                     \
        {OPT_FLAG,           'd', "with-deps", NULL, "also what the targets depend on",             \
         &(a).how.with_deps, NULL},                                                                 \
        {OPT_FLAG,           'R', "recursive", NULL, "folders stand for what is tracked below",     \
         &(a).how.recursive, NULL},                                                                 \
        {OPT_FLAG, 0, "run-cache", NULL, "also the history of runs", &(a).run_cache, NULL},         \
        {OPT_NEGATED,    0,   "no-run-cache", NULL, "not the history of runs (default)",            \
         &(a).run_cache, NULL},                                                                     \
    {                                                                                               \
        OPT_FLAG, 'q', "quiet", NULL, "print nothing but errors", &(a).quiet, NULL                  \
    }

static int parse_and_run(const struct opt_spec *spec, struct sync_args *a, int argc, char **argv,
                         const char *command)
{
    int code;
    if (!session_options(spec, argc, argv, &a->targets, 254, &code)) {
        opt_list_release(&a->types);
        return code;
    }
    if (take_types(a) < 0) {
        opt_print_usage(spec);
        code = 254;
    } else {
        a->how.outputs = true;
        a->choice.targets = &a->targets;
        a->choice.how = &a->how;
        a->choice.push = a->way == WAY_PUSH;
        a->choice.fetch_dirs = a->way != WAY_PUSH;
        a->choice.trouble = REVWALK_SKIP;
        code = run(a, command);
    }
    opt_list_release(&a->types);
    opt_list_release(&a->targets);
    return code;
}

int cmd_push(int argc, char **argv)
{
    struct sync_args a = {.way = WAY_PUSH};
    const struct opt options[] = {
        SYNC_OPTIONS(a, "copy to"),
        {OPT_FLAG, 0, "glob", NULL, "targets are patterns", &a.how.glob, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron push [OPTION]... [TARGET]...",
        .about =
            "Copies objects that the remote lacks. Targets: .dvc files, stages, outputs, parts "
            "of outputs; none: everything. A folder's list goes after its files.",
        .examples =
            "  nephron push\n  nephron push -r store data.dvc\n  nephron push --run-cache train",
        .options = options,
        .max_args = OPT_ANY};
    return parse_and_run(&spec, &a, argc, argv, "nephron push");
}

int cmd_fetch(int argc, char **argv)
{
    struct sync_args a = {.way = WAY_FETCH};
    const struct opt options[] = {
        SYNC_OPTIONS(a, "copy from"),
        {OPT_INT, 0, "max-size", "BYTES", "only outputs below this size", &a.choice.max_size, NULL},
        {OPT_LIST, 0, "type", "TYPE", "only metrics, or plots (may be given twice)", &a.types,
         NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron fetch [OPTION]... [TARGET]...",
        .about = "Copies objects that the cache lacks; the workspace stays as it is (see pull). "
                 "Targets: .dvc files, stages, outputs, parts of outputs; none: everything.",
        .examples =
            "  nephron fetch\n  nephron fetch -r store model.pt\n  nephron fetch --type metrics",
        .options = options,
        .max_args = OPT_ANY};
    return parse_and_run(&spec, &a, argc, argv, "nephron fetch");
}

int cmd_pull(int argc, char **argv)
{
    struct sync_args a = {.way = WAY_PULL};
    const struct opt options[] = {
        SYNC_OPTIONS(a, "copy from"),
        {OPT_FLAG, 'f', "force", NULL, "also overwrite content that the cache does not hold",
         &a.force, NULL},
        {OPT_FLAG, 0, "glob", NULL, "targets are patterns", &a.how.glob, NULL},
        {OPT_FLAG, 0, "allow-missing", NULL, "objects that are nowhere are no error",
         &a.allow_missing, NULL},
        OPT_END};
    const struct opt_spec spec = {
        .usage = "nephron pull [OPTION]... [TARGET]...",
        .about = "Fetches objects and brings the workspace to them. Targets: .dvc files, stages, "
                 "outputs, parts of outputs; none: everything.",
        .examples =
            "  nephron pull\n  nephron pull -r store data/train\n  nephron pull --allow-missing",
        .options = options,
        .max_args = OPT_ANY};
    return parse_and_run(&spec, &a, argc, argv, "nephron pull");
}
