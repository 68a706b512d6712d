/* The main loop of `repro`; see repro.h and repro_private.h. */
#include "repro_private.h"

#include "alloc.h"
#include "checkout.h"
#include "config.h"
#include "durations.h"
#include "fs.h"
#include "git.h"
#include "links.h"
#include "path.h"
#include "pipeline.h"
#include "remote.h"
#include "repo.h"
#include "repro_stop.h"
#include "store.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_MS 500 /* how late a signal that slipped past poll is noticed */
#define INTERRUPT_PATIENCE_US 15000000

/* ---- selection ---- */

int repro_select(const struct repro_context *c, const struct repro_options *opt, struct arena *a,
                 struct graph_plan *plan, struct err *e)
{
    struct graph_selection sel = {0};
    bool all = opt->all_pipelines;
    if (!all) {
        const struct graph_target_options t = {
            .recursive = opt->recursive, .glob = opt->glob, .default_file = true};
        if (graph_select(c->graph, c->repo, opt->targets, opt->target_count, &t, a, &sel, e) < 0) {
            return -1;
        }
    }
    const struct graph_plan_options p = {
        .single = opt->single_item && !opt->pipeline && !all,
        .pipeline = opt->pipeline,
        .all = all,
        .downstream = opt->downstream && !opt->pipeline && !all,
    };
    graph_make_plan(c->graph, &sel, &p, a, plan);
    return 0;
}

static double expected_seconds(const struct run *run, struct arena *a, const struct stage *st)
{
    return st->name == NULL
               ? 0.001
               : durations_get(run->durations, arena_printf(a, "%s:%s", st->file, st->name));
}

static void make_plan(struct run *run)
{
    const struct graph *g = run->c->graph;
    struct arena *a = &run->arena;
    run->count = run->gp.count;
    run->items = ARENA_ARRAY(a, run->count + 1, struct item);
    run->failed = ARENA_ARRAY(a, run->count + 1, size_t);
    run->node_of = ARENA_ARRAY(a, g->count + 1, size_t);
    memset(run->node_of, 0xff, (g->count + 1) * sizeof *run->node_of);
    run->plan = plan_new(&(struct plan_options){
        .slots = run->c->slots, .in_order = run->c->in_order, .clock = run->clock});
    for (size_t i = 0; i < run->count; i++) {
        const struct stage *st = &g->pipeline->stages[run->gp.order[i]];
        run->items[i] = (struct item){.stage = st, .force = run->opt->force};
        run->node_of[st->index] = i;
        plan_add(run->plan, &(struct plan_spec){.group = st->group,
                                                .limit = st->nephron.limit,
                                                .slots = stage_slots_wanted(run, st),
                                                .priority = st->nephron.priority,
                                                .retries = st->nephron.retries,
                                                .seconds = expected_seconds(run, a, st)});
    }
    bool single = run->opt->single_item && !run->opt->pipeline && !run->opt->all_pipelines;
    for (size_t i = 0; i < run->count && !single; i++) {
        const struct stage *st = run->items[i].stage;
        const struct graph_node *n = &g->nodes[st->index];
        for (uint32_t k = 0; k < n->up_count && !st->frozen; k++) {
            size_t up = run->node_of[n->up[k]];
            if (up != SIZE_MAX) {
                plan_edge(run->plan, up, i);
            }
        }
    }
    plan_start(run->plan);
}

/* ---- --pull ---- */

int repro_pull(struct run *run, const struct stage *st, struct err *e)
{
    struct arena a;
    arena_init(&a);
    struct remote remote;
    struct remote_set set = {0};
    struct remote_result moved = {0};
    const struct checkout_target target = {.stage = st};
    int rc = remote_open(&remote, run->c->store, &a, NULL, e);
    if (rc == 0) {
        const struct remote_collect_options how = {.fetch_dirs = &remote};
        rc = remote_collect(run->c->store, &a, &target, 1, &how, &set, e);
        if (rc == 0) {
            rc = remote_fetch(run->c->store, &a, &remote, &set, &moved, e);
        }
        remote_close(&remote);
    }
    if (rc == 0) {
        struct checkout_result res = {0};
        const struct checkout_options how = {.force = true};
        rc = checkout_run(run->c->store, &a, &target, 1, &how, &res, e);
    }
    arena_release(&a);
    return rc;
}

/* ---- signals ---- */

static void kill_all(struct run *run, int sig)
{
    if (run->runner != NULL) {
        run->runner->ops->kill(run->runner, RUNNER_ALL, sig);
    }
}

/* Passes a new signal on: each kind once as it is, the second that should end all (or too much
 * patience after the first) as KILL. */
static void look_at_signals(struct run *run)
{
    const struct repro_stop *stop = run->c->stop;
    if (stop == NULL || stop->signal == 0) {
        return;
    }
    if (run->passed_on != stop->signal && run->stops_seen < 2) {
        run->passed_on = stop->signal;
        run->stops_seen = 1;
        plan_stop(run->plan);
        run->kill_us = clock_mono_us(run->clock) + INTERRUPT_PATIENCE_US;
        kill_all(run, run->passed_on);
    }
    bool late = run->passed_on != SIGUSR1 && clock_mono_us(run->clock) > run->kill_us;
    if ((stop->count > 1 || late) && run->stops_seen == 1) {
        run->stops_seen = 2;
        kill_all(run, SIGKILL);
    }
}

/* ---- waiting ---- */

/* While only commands run, others may work in the repository. */
static void let_others_in(struct run *run)
{
    if (run->jobs_running > 0 && pool_busy(run->pool) == 0 && !lockfiles_dirty(run->lockfiles)) {
        repolock_pause(&run->repo_lock);
        run->paused = true;
    }
}

static int take_back(struct run *run, struct err *e)
{
    if (!run->paused) {
        return 0;
    }
    run->paused = false;
    if (repolock_resume(&run->repo_lock, e) < 0) {
        return -1;
    }
    return lockfiles_resume(run->lockfiles, e);
}

static int drain_pool(struct run *run, int wait_ms, struct err *e)
{
    struct task *t;
    while (run->pool != NULL && (t = pool_take(run->pool, wait_ms)) != NULL) {
        if (stage_pool_done(run, t, e) < 0) {
            return -1;
        }
        wait_ms = 0;
    }
    return 0;
}

/* Something is under way: waits for one thing to happen and deals with it. */
static int wait_for_one(struct run *run, struct err *e)
{
    if (run->jobs_running == 0) {
        return drain_pool(run, WAIT_MS, e);
    }
    if (rwlock_flush(run->rwlock, e) < 0) {
        return -1;
    }
    let_others_in(run);
    struct arena a;
    arena_init(&a);
    struct job_result result;
    int got = run->runner->ops->wait(run->runner, WAIT_MS, &a, &result, e);
    int rc = got < 0 ? -1 : take_back(run, e);
    while (rc == 0 && got > 0) {
        look_at_signals(run); /* one that ended the job ends the run, too */
        rc = stage_job_done(run, &result, e);
        /* What else has ended already is dealt with before anything is written. */
        got = rc == 0 && run->jobs_running > 0
                  ? run->runner->ops->wait(run->runner, 0, &a, &result, e)
                  : 0;
        rc = got < 0 ? -1 : rc;
    }
    arena_release(&a);
    return rc < 0 ? -1 : drain_pool(run, 0, e);
}

static int loop(struct run *run, struct err *e)
{
    while (!plan_over(run->plan)) {
        look_at_signals(run);
        if (stage_judge_ready(run, e) < 0 || stage_start_queued(run, e) < 0 ||
            drain_pool(run, 0, e) < 0) {
            return -1;
        }
        bool under_way = run->jobs_running > 0 || (run->pool != NULL && pool_busy(run->pool) > 0);
        if (under_way && wait_for_one(run, e) < 0) {
            return -1;
        }
        run_progress(run, true);
        if (lockfiles_tick(run->lockfiles, false, e) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- begin and end ---- */

static void on_command(void *ctx, const struct job *j, const char *cmd)
{
    struct run *run = ctx;
    struct reporter *s = run->c->reporter;
    const struct task *t = run_task_of(run, j->id);
    if (run->c->in_order && t != NULL && s->ops->command != NULL) {
        s->ops->command(s, t->stage, cmd);
    }
}

static void on_line(void *ctx, const struct job *j, struct str line)
{
    struct run *run = ctx;
    if (run->c->sink == NULL) {
        return;
    }
    char rank[16];
    char *text = xstrndup(line.p, line.n);
    snprintf(rank, sizeof rank, "%d", j->slot > 0 ? j->slot : 0);
    event_emit(run->c->sink, EVENT_LOG, run->c->run_id, "line", text, "rank", rank, NULL);
    free(text);
}

/* A number that no other run on this host uses: stages carry it in their environment. */
static uint64_t random_base(void)
{
    uint64_t v = 0;
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, &v, sizeof v) != sizeof v) {
        v = (uint64_t)clock_mono_us(&clock_system) * 2654435761u ^ (uint64_t)getpid() << 40;
    }
    if (fd >= 0) {
        close(fd);
    }
    return (v | 1ull << 62) & ~0xfffffffull;
}

static bool has_journal(struct run *run)
{
    struct stat st;
    return stat(lockfiles_journal_path(run->c->repo, &run->arena), &st) == 0 && st.st_size > 16;
}

/* Temp files of a run that was killed: also when nothing is stale now and no runner will be opened.
 * A lock file that is not empty belongs to such a run, or to one at work, which keeps the lock. */
static void sweep_left(struct run *run)
{
    struct repolock *l = &run->repro_lock;
    const struct repo *r = run->c->repo;
    struct stat st;
    const char *path = path_join(&run->arena, r->tmp_dir, "nephron/repro.lock");
    bool left = stat(path, &st) == 0 && st.st_size > 0;
    if (run->opt->dry ||
        (l->fd < 0 &&
         (!left || repolock_acquire(l, r, REPOLOCK_REPRO, run->opt->cmd, false, NULL, NULL) < 0))) {
        return;
    }
    if (l->was_left) {
        repro_sweep(run->c);
    }
}

static int begin(struct run *run, struct err *e)
{
    struct arena *a = &run->arena;
    const struct repo *r = run->c->repo;
    if (run->c->repro_lock != NULL) {
        run->repro_lock = *run->c->repro_lock;
        run->c->repro_lock->fd = -1;
    }
    if (repolock_acquire(&run->repo_lock, r, REPOLOCK_REPO, run->opt->cmd, run->opt->wait, NULL,
                         e) < 0) {
        return -1;
    }
    if (has_journal(run)) {
        /* A run was killed, or is at work: the lock tells which. */
        size_t n = 0;
        if (!run->opt->dry && run->repro_lock.fd < 0 &&
            repolock_acquire(&run->repro_lock, r, REPOLOCK_REPRO, run->opt->cmd, false, NULL, e) <
                0) {
            return -1;
        }
        if (repro_recover(run->c, !run->opt->dry, &n, e) < 0) {
            return err_wrap(e, "cannot take up what a killed run finished");
        }
        if (n > 0) {
            run_note(run, true, "a run was killed here; %zu stage%s that it finished %s taken over",
                     n, n == 1 ? "" : "s", n == 1 ? "is" : "are");
        }
    }
    sweep_left(run);
    run->lockfiles = lockfiles_new(run);
    run->durations = durations_load(path_join(a, r->tmp_dir, "nephron/durations"));
    if (repro_select(run->c, run->opt, a, &run->gp, e) < 0) {
        return -1;
    }
    make_plan(run);
    return 0;
}

static void pull_run_cache(struct run *run)
{
    struct arena a;
    arena_init(&a);
    struct remote remote;
    struct err why = ERR_INIT;
    if (remote_open(&remote, run->c->store, &a, NULL, &why) < 0) {
        run_note(run, true, "Failed to pull run cache: %s", why.text);
    } else {
        size_t moved = 0;
        if (remote_fetch_runs(run->c->store, &remote, &moved, &why) < 0) {
            run_note(run, true, "Failed to pull run cache: %s", why.text);
        }
        remote_close(&remote);
    }
    arena_release(&a);
}

/* With core.autostage every file of ours that changed goes into git's index. */
static void autostage(struct run *run)
{
    struct repo *r = run->c->repo;
    if (run->ran_count == 0 || r->no_scm ||
        !config_get_bool(r->config, "core", "autostage", false)) {
        return;
    }
    struct arena *a = &run->arena;
    const char **paths = ARENA_ARRAY(a, 4 * run->count + 4, const char *);
    size_t n = 0;
    for (size_t i = 0; i < run->count; i++) {
        const struct stage *st = run->items[i].stage;
        if (!run->items[i].ran) {
            continue;
        }
        size_t ext = strlen(path_extension(st->file));
        const char *file = st->name == NULL ? st->file
                                            : arena_printf(a, "%.*s.lock",
                                                           (int)(strlen(st->file) - ext), st->file);
        if (fs_exists(repo_abs(r, a, file)) && (n == 0 || strcmp(paths[n - 1], file) != 0)) {
            paths[n++] = file;
        }
        for (size_t k = 0; k < st->out_count && n < 4 * run->count; k++) {
            const char *ignore = path_join(a, path_dirname(a, st->outs[k].path), ".gitignore");
            bool listed = false;
            for (size_t m = n; m-- > 0 && !listed && m + 8 > n;) {
                listed = strcmp(paths[m], ignore) == 0;
            }
            if (!listed && ignore[0] != '/' && fs_exists(repo_abs(r, a, ignore))) {
                paths[n++] = ignore;
            }
        }
    }
    struct err why = ERR_INIT;
    if (n > 0 && git_add(r, paths, n, &why) < 0) {
        run_note(run, true, "%s", why.text);
    }
}

static void summary_error(struct run *run, struct err *e)
{
    struct strbuf names;
    strbuf_init(&names);
    for (size_t i = 0; i < run->failed_count; i++) {
        strbuf_addf(&names, "%s'%s'",
                    i == 0                       ? ""
                    : i + 1 == run->failed_count ? " and "
                                                 : ", ",
                    run->items[run->failed[i]].stage->addr);
    }
    err_set(e, ERR_CHILD, "failed to reproduce%s %s", run->failed_count > 1 ? " stages:" : "",
            names.p);
    strbuf_release(&names);
}

static int exit_code_of(const struct err *e)
{
    return e != NULL && e->code == ERR_BUSY && e->detail == 75 ? 75 : 255;
}

static int finish(struct run *run, int rc, struct repro_result *result, struct err *e)
{
    pool_free(run->pool); /* first: its threads wake the runner */
    run->pool = NULL;
    if (run->runner != NULL) {
        run->runner->ops->close(run->runner);
        run->runner = NULL;
    }
    struct err late = ERR_INIT;
    if (run->paused) {
        run->paused = false;
        repolock_resume(&run->repo_lock, NULL);
    }
    if (lockfiles_close(run->lockfiles, &late) < 0 && rc == 0) {
        rc = err_set(e, late.code, "%s", late.text);
    }
    autostage(run);
    links_save(store_links(run->c->store)); /* while what a kill leaves of it is still looked for */
    if (run->ran_count > 0 && run->durations != NULL && !run->opt->dry) {
        durations_save(run->durations,
                       path_join(&run->arena, run->c->repo->tmp_dir, "nephron/durations"), NULL);
    }
    timeline_end(&run->timeline, run_seconds(run));
    if (timeline_any(&run->timeline)) {
        timeline_save(&run->timeline, path_join(&run->arena, run->c->repo->tmp_dir, TIMELINE_FILE),
                      NULL);
    }
    for (size_t i = 0; i < run->count; i++) {
        stage_abandon(run, i);
    }
    rwlock_free(run->rwlock);
    repolock_release(&run->repro_lock);
    repolock_release(&run->repo_lock);
    *result = (struct repro_result){.considered = run->count,
                                    .ran = run->ran_count,
                                    .failed = run->failed_count,
                                    .skipped = run->skipped_count,
                                    .interrupted = run->stops_seen > 0};
    if (rc < 0) {
        result->exit_code = exit_code_of(e);
    } else if (run->failing) {
        rc = err_set(e, run->error.code, "%s", run->error.text);
        result->exit_code = exit_code_of(&run->error);
    } else if (run->failed_count > 0 && run->opt->on_error != REPRO_IGNORE) {
        summary_error(run, e);
        rc = -1;
        result->exit_code = 255;
    }
    /* A warning that came while the last stage ended was heeded in time. */
    bool all_done = rc == 0 && run->done_count == run->count;
    if (run->stops_seen > 0 && !(all_done && run->passed_on == SIGUSR1)) {
        if (rc == 0) {
            rc = err_set(e, ERR_INTERRUPTED,
                         run->passed_on == SIGUSR1
                             ? "stopped by SIGUSR1; the same command goes on from here"
                             : "interrupted by the user");
        }
        result->exit_code = repro_stop_exit(run->c->stop);
    }
    return rc;
}

int repro_run(struct repro_context *c, const struct repro_options *opt, struct repro_result *result,
              struct err *e)
{
    struct run run = {.c = c,
                      .opt = opt,
                      .clock = c->clock != NULL ? c->clock : &clock_system,
                      .repo_lock = REPOLOCK_INIT,
                      .repro_lock = REPOLOCK_INIT,
                      .job_base = random_base()};
    struct err local = ERR_INIT;
    e = e != NULL ? e : &local;
    arena_init(&run.arena);
    run.began = clock_seconds(run.clock);
    timeline_init(&run.timeline, c->slots, clock_wall_ms(run.clock));
    run.hooks = (struct runner_hooks){.command = on_command, .line = on_line, .ctx = &run};
    int rc = begin(&run, e);
    if (rc == 0 && opt->pull && !opt->no_run_cache && !opt->dry) {
        pull_run_cache(&run);
    }
    if (rc == 0) {
        rc = loop(&run, e);
    }
    rc = finish(&run, rc, result, e);
    plan_free(run.plan);
    durations_free(run.durations);
    timeline_release(&run.timeline);
    arena_release(&run.arena);
    return rc;
}

int repro_any_stale(const struct repro_context *c, const struct repro_options *opt, bool *any,
                    struct err *e)
{
    struct arena a;
    arena_init(&a);
    struct graph_plan plan;
    *any = opt->force;
    int rc = repro_recover(c, false, NULL, e);
    if (rc == 0) {
        rc = repro_select(c, opt, &a, &plan, e);
    }
    if (rc == 0 && !*any) {
        const struct stage **stages = ARENA_ARRAY(&a, plan.count + 1, const struct stage *);
        struct stale_report *reports = ARENA_ARRAY(&a, plan.count + 1, struct stale_report);
        for (size_t i = 0; i < plan.count; i++) {
            stages[i] = &c->graph->pipeline->stages[plan.order[i]];
        }
        struct err why = ERR_INIT;
        if (stale_check(c->store, &a, stages, plan.count, NULL, reports, &why) < 0) {
            *any = true; /* the run will say what is wrong, in its place */
        }
        struct stale_decision d = {.allow_missing = opt->allow_missing};
        for (size_t i = 0; i < plan.count && !*any; i++) {
            *any = stale_decide(c->store, &reports[i], &d) != STALE_BY_FRESH;
        }
    }
    arena_release(&a);
    return rc;
}
