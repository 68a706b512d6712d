/* See exprun.h. */
#include "exprun.h"

#include "checkout.h"
#include "err.h"
#include "expcommit.h"
#include "expcopy.h"
#include "exprecord.h"
#include "fs.h"
#include "git.h"
#include "graph.h"
#include "path.h"
#include "pipeline.h"
#include "repo.h"
#include "repolock.h"
#include "reporter.h"
#include "repro.h"
#include "repro_stop.h"
#include "runner.h"
#include "store.h"
#include "tracked.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct session {
    const struct exptask *task;
    const struct exprun_options *opt;
    struct repo repo;
    struct pipeline pipeline;
    struct graph graph;
    struct store *store;
    struct arena arena;
    bool run_begun;
};

/* ---- callbacks of the engine ---- */

static struct runner *open_runner(void *ctx, struct repro_context *c,
                                  const struct runner_hooks *hooks, int lock_fd, struct err *e)
{
    struct session *s = ctx;
    if (s->opt->tracked != NULL && tracked_begin(s->opt->tracked, c, &c->sink, &c->run_id, e) < 0) {
        return NULL;
    }
    s->run_begun = s->opt->tracked != NULL;
    return runner_local_new(&(struct runner_local_options){
        .slots = 1,
        .output = isatty(1) && !s->opt->plain_output ? RUNNER_INHERIT : RUNNER_TEE,
        .no_commands = s->task->repro.quiet,
        .hooks = hooks,
        .guard = true,
        .guard_keep_fd = lock_fd,
    });
}

static bool confirm(void *ctx, const char *question)
{
    struct session *s = ctx;
    return s->opt->confirm != NULL && s->opt->confirm(ctx, question);
}

static void on_note(void *ctx, enum store_note_kind kind, const char *text)
{
    const struct session *s = ctx;
    if (kind != STORE_NOTE_INFO) {
        fflush(stdout);
        fprintf(stderr, "%s: %s\n", kind == STORE_NOTE_WARN ? "WARNING" : "ERROR", text);
    } else if (!s->task->repro.quiet) {
        printf("%s\n", text);
    }
}

/* ---- steps ---- */

/* The outs of the targets, or all, as dvc.lock and .dvc files have them. */
static int check_out(struct session *s, struct err *e)
{
    const struct repro_options *o = &s->task->repro;
    const struct graph_target_options how = {
        .recursive = o->recursive, .glob = o->glob, .outputs = true, .with_deps = true};
    struct graph_selection sel = {0};
    struct checkout_result result = {0};
    struct repolock lock = REPOLOCK_INIT;
    if (graph_select(&s->graph, &s->repo, o->targets, o->target_count, &how, &s->arena, &sel, e) <
        0) {
        return -1;
    }
    struct checkout_target *targets = ARENA_ARRAY(&s->arena, sel.count + 1, struct checkout_target);
    for (size_t i = 0; i < sel.count; i++) {
        targets[i] =
            (struct checkout_target){&s->pipeline.stages[sel.items[i].stage], sel.items[i].filter};
    }
    if (repolock_acquire(&lock, &s->repo, REPOLOCK_REPO, "nephron exp run", false, NULL, e) < 0) {
        return -1;
    }
    int rc =
        checkout_run(s->store, &s->arena, targets, sel.count,
                     &(struct checkout_options){.force = true, .allow_missing = true}, &result, e);
    repolock_release(&lock);
    return rc;
}

static int reproduce(struct session *s, struct exprecord *record, struct exprun_result *out,
                     struct err *e)
{
    struct repro_result result = {0};
    struct repro_context c = {
        .repo = &s->repo,
        .store = s->store,
        .graph = &s->graph,
        .open_runner = open_runner,
        .confirm = confirm,
        .ctx = s,
        .stop = repro_stop_catch(),
        .repro_lock = s->opt->repro_lock,
        .slots = 1,
        .in_order = true,
        .reporter = exprecord_reporter(record, reporter_tty_new(s->task->repro.quiet, true, false)),
    };
    struct repro_options o = s->task->repro;
    o.cmd = "nephron exp run";
    int rc = repro_run(&c, &o, &result, e);
    if (s->run_begun) {
        tracked_end(s->opt->tracked, &result, e);
    }
    c.reporter->ops->close(c.reporter);
    out->exit_code = result.exit_code;
    return rc;
}

/* What stays outside of the commit: named once, as DVC does. Only in copies, whose index is nobody's. */
static void warn_untracked(struct session *s, const char *commit)
{
    const char *const index[] = {"read-tree", commit, NULL};
    const char *const args[] = {"ls-files", "--others", "--exclude-standard", "-z", NULL};
    struct strbuf out;
    strbuf_init(&out);
    if (git_run(&s->repo, index, NULL, NULL) == 0 && git_run(&s->repo, args, &out, NULL) == 0 &&
        out.n > 0) {
        struct str rest = {out.p, out.n - 1}, name;
        fflush(stdout);
        fprintf(stderr, "WARNING: The following untracked files were present in the experiment "
                        "directory after reproduction but will not be included in experiment "
                        "commits:\n\t");
        for (bool first = true; str_split(&rest, 0, &name); first = false) {
            fprintf(stderr, "%s%.*s", first ? "" : ", ", STR_ARG(name));
        }
        fputc('\n', stderr);
    }
    strbuf_release(&out);
}

static int make_commit(struct session *s, const struct exprecord *record, struct exprun_result *out,
                       struct err *e)
{
    struct expcommit x = {.baseline = s->task->baseline, .message = s->task->message};
    const struct repro_context c = {.repo = &s->repo, .store = s->store, .graph = &s->graph};
    if (exprecord_stages(record, s->store, &s->arena, &x.stages, e) < 0 ||
        exprecord_paths(&c, &s->task->repro, &s->arena, &x.paths, &x.path_count, e) < 0 ||
        expcommit_make(&s->repo, &x, out->commit, e) < 0) {
        return -1;
    }
    if (s->opt->warn_untracked) {
        warn_untracked(s, out->commit);
    }
    return 0;
}

/* Stages find who they are run for (DVC's names). A copy goes away: its runs are recorded with the repository. */
static void set_environment(const struct session *s)
{
    const struct exptask *t = s->task;
    if (strcmp(s->repo.root, t->root) != 0) {
        setenv("NEPHRON_PROJECT", t->root, 0);
    }
    setenv("DVC_EXP_BASELINE_REV", t->baseline, 1);
    setenv("DVC_EXP_NAME", t->name, 1);
    setenv("DVC_ROOT", t->root, 1);
}

static int run_steps(struct session *s, struct exprun_result *out, struct err *e)
{
    struct exprecord record;
    bool dry = s->task->repro.dry;
    exprecord_init(&record);
    set_environment(s);
    if (!s->task->repro.quiet) {
        printf("Reproducing experiment '%s'\n", s->task->name);
        fflush(stdout);
    }
    int rc = dry ? 0 : check_out(s, e);
    if (rc == 0) {
        rc = reproduce(s, &record, out, e);
    }
    if (rc == 0 && !dry) {
        rc = make_commit(s, &record, out, e);
    }
    exprecord_release(&record);
    return rc;
}

int exprun_here(const struct exptask *t, const struct exprun_options *opt,
                struct exprun_result *result, struct err *e)
{
    struct session s = {.task = t, .opt = opt};
    *result = (struct exprun_result){.exit_code = 255};
    const struct store_options so = {.note = on_note, .note_ctx = &s};
    int rc = -1;
    if (repo_open(&s.repo, NULL, e) < 0) {
        return -1;
    }
    arena_init(&s.arena);
    if (pipeline_load(&s.pipeline, &s.repo, e) == 0) {
        if (graph_build(&s.graph, &s.pipeline, &s.repo, e) == 0) {
            s.store = store_open(&s.repo, &so, e);
            rc = s.store != NULL ? run_steps(&s, result, e) : -1;
            store_close(s.store);
            graph_release(&s.graph);
        }
        pipeline_release(&s.pipeline);
    }
    arena_release(&s.arena);
    repo_close(&s.repo);
    return rc;
}

/* ---- in a copy ---- */

static int bring_copies(const struct repo *r, const struct exptask *t, const struct expcopy *c,
                        struct arena *a, struct err *e)
{
    for (size_t i = 0; i < t->copy_count; i++) {
        if (expcopy_bring(r, c, repo_abs(r, a, t->copies[i]), e) < 0) {
            return -1;
        }
    }
    return 0;
}

/* The folder in which the command was typed; a folder that git does not know is not in the copy. */
static int enter(const char *dir, struct err *e)
{
    if (fs_mkdirs(dir, e) < 0) {
        return -1;
    }
    unsetenv("PWD");
    return chdir(dir) < 0 ? err_sys(e, "cannot enter %s", dir) : 0;
}

int exprun_in_copy(const struct repo *r, const struct exptask *t, const struct exprun_options *opt,
                   struct exprun_result *result, struct err *e)
{
    struct arena a;
    struct expcopy c;
    struct err why = ERR_INIT;
    arena_init(&a);
    *result = (struct exprun_result){.exit_code = 255};
    const char *before = path_cwd(&a);
    int rc = expcopy_make(r, &a, t->head, t->rev, &c, e);
    if (rc == 0) {
        rc = bring_copies(r, t, &c, &a, e);
        if (rc == 0) {
            rc = enter(path_join(&a, c.root, t->prefix), e);
        }
        if (rc == 0) {
            rc = exprun_here(t, opt, result, e);
        }
        if (chdir(before) < 0 || expcopy_remove(r, &c, &why) < 0) {
            fprintf(stderr, "WARNING: cannot remove %s: %s\n", c.scm_root, why.text);
        }
    }
    arena_release(&a);
    return rc;
}
