/*
 * One stage through its states: judged, prepared, run, stored, recorded, or failed. The reasons and
 * messages are DVC's (dvc/repo/reproduce.py, dvc/stage/__init__.py).
 */
#include "repro_private.h"

#include "alloc.h"
#include "checkout.h"
#include "durations.h"
#include "fs.h"
#include "gitignore.h"
#include "lock.h"
#include "params.h"
#include "path.h"
#include "pipeline.h"
#include "repo.h"
#include "store.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JUDGE_BATCH 256
#define FORECAST_S 0.5
/* Storing waits for the disk, not for a core, and many syncs at once cost hardly more than one: the file
 * system commits them together. Threads are started as they are needed. */
#define POOL_THREADS 32

void run_note(struct run *run, bool warning, const char *fmt, ...)
{
    struct strbuf b;
    strbuf_init(&b);
    va_list ap;
    va_start(ap, fmt);
    strbuf_vaddf(&b, fmt, ap);
    va_end(ap);
    const struct reporter_ops *ops = run->c->reporter->ops;
    if (ops->note != NULL) {
        ops->note(run->c->reporter, warning, b.p);
    }
    strbuf_release(&b);
}

const char *stage_words(struct arena *a, const struct stage *st)
{
    return arena_printf(a, "stage: '%s'", st->addr);
}

/* Forecasts cost O(n log n), so they are made anew twice a second at most. */
static double seconds_left(struct run *run, double now)
{
    if (run->done_count == run->count) {
        return 0;
    }
    if (run->left_at == 0 || now - run->left_at >= FORECAST_S) {
        run->left = plan_forecast(run->plan);
        run->left_at = now;
    }
    double left = run->left - (now - run->left_at);
    return run->left < 0 ? -1 : left > 0 ? left : 0;
}

void run_progress(struct run *run, bool due)
{
    struct reporter *s = run->c->reporter;
    if (s->ops->progress == NULL || run->runner == NULL) {
        return;
    }
    double now = clock_seconds(run->clock);
    if (!due || now - run->told_at >= 1) {
        run->told_at = now;
        s->ops->progress(s, &(struct reporter_progress){.done = run->done_count,
                                                        .total = run->count,
                                                        .running = run->jobs_running,
                                                        .seconds_left = seconds_left(run, now)});
    }
}

static void tell_end(struct run *run, const struct stage *st, enum outcome o, double seconds,
                     const char *error)
{
    struct reporter *s = run->c->reporter;
    if (s->ops->end != NULL) {
        s->ops->end(s, st, o, seconds, error);
    }
    run_progress(run, false);
}

/* One state change of a stage, for the run store. */
void stage_emit(struct run *run, const struct item *it, const char *state, const struct task *t)
{
    char start[24] = "", end[24] = "", code[16] = "", rank[16] = "";
    if (run->c->sink == NULL) {
        return;
    }
    int64_t start_ms = t != NULL ? (t->result.start_ms != 0 ? t->result.start_ms : t->start_ms) : 0;
    bool over = t != NULL && strcmp(state, "running") != 0;
    if (t != NULL) {
        snprintf(start, sizeof start, "%lld", (long long)start_ms);
        snprintf(rank, sizeof rank, "%d", t->result.id != 0 ? t->result.rank : t->slot);
    }
    if (over) {
        snprintf(end, sizeof end, "%lld", (long long)clock_wall_ms(run->clock));
        snprintf(code, sizeof code, "%d", t->result.status);
    }
    event_emit(run->c->sink, EVENT_STAGE, run->c->run_id, "stage", it->stage->addr, "status", state,
               "reason", it->reason, "rank", t != NULL ? rank : NULL, "host",
               t != NULL && t->result.host != NULL ? t->result.host : NULL, "start_ms",
               t != NULL ? start : NULL, "end_ms", over ? end : NULL, "exit_code",
               over ? code : NULL, NULL);
}

struct task *run_task_of(struct run *run, uint64_t job_id)
{
    uint64_t node = job_id - run->job_base;
    return node < run->count ? run->items[node].task : NULL;
}

void stage_task_free(struct run *run, struct task *t)
{
    if (t->rwlocked) {
        rwlock_release(run->rwlock, t->node);
    }
    run->items[t->node].task = NULL;
    arena_release(&t->arena);
    free(t);
}

void stage_abandon(struct run *run, size_t node)
{
    if (run->items[node].task != NULL) {
        stage_task_free(run, run->items[node].task);
    }
}

struct task *stage_task_new(struct run *run, size_t node, enum task_kind kind)
{
    struct task *t = xcalloc(1, sizeof *t);
    run->acted = true;
    t->node = node;
    t->stage = run->items[node].stage;
    t->kind = kind;
    t->force = run->items[node].force;
    t->start_ms = clock_wall_ms(run->clock);
    arena_init(&t->arena);
    run->items[node].task = t;
    return t;
}

/* ---- the timeline ---- */

double run_seconds(const struct run *run)
{
    return clock_seconds(run->clock) - run->began;
}

struct timeline_entry *stage_moment(struct run *run, size_t node)
{
    return &run->timeline.entries[run->items[node].moment];
}

static void time_ready(struct run *run, size_t node)
{
    struct item *it = &run->items[node];
    const struct graph_node *n = &run->c->graph->nodes[it->stage->index];
    size_t *after = xcalloc(n->up_count + 1u, sizeof *after), count = 0;
    for (uint32_t i = 0; i < n->up_count && !it->stage->frozen; i++) {
        size_t up = run->node_of[n->up[i]];
        if (up != SIZE_MAX && run->items[up].timed) {
            after[count++] = run->items[up].moment;
        }
    }
    it->moment = timeline_add(&run->timeline, it->stage->addr, after, count, run_seconds(run));
    it->timed = true;
    free(after);
}

static void time_done(struct run *run, size_t node, enum outcome o)
{
    if (!run->items[node].timed) {
        return;
    }
    struct timeline_entry *m = stage_moment(run, node);
    m->outcome = o;
    m->reason = run->items[node].reason;
    m->done = run_seconds(run);
    m->end = m->start >= 0 && m->end < 0 ? m->done : m->end;
}

/* ---- failure ---- */

/* "'a'", "'a' and 'b'", "'a', 'b' and 'c'" */
static void join_names(struct run *run, const size_t *nodes, size_t count, struct strbuf *out)
{
    for (size_t i = 0; i < count; i++) {
        strbuf_addf(out, "%s'%s'",
                    i == 0           ? ""
                    : i + 1 == count ? " and "
                                     : ", ",
                    run->items[nodes[i]].stage->addr);
    }
}

static void keep_going(struct run *run, size_t node, const char *text)
{
    run_note(run, true, "%s", text);
    size_t *skipped = xcalloc(run->count, sizeof *skipped);
    size_t count = plan_fail(run->plan, node, true, skipped);
    run->skipped_count += count;
    run->done_count += count;
    if (count > 0) {
        struct strbuf names;
        strbuf_init(&names);
        join_names(run, skipped, count, &names);
        run_note(run, true, "%s %s will be skipped due to this failure",
                 count > 1 ? "Stages" : "Stage", names.p);
        strbuf_release(&names);
    }
    for (size_t i = 0; i < count; i++) {
        run->items[skipped[i]].reason = "something it needs failed";
        tell_end(run, run->items[skipped[i]].stage, OUTCOME_SKIPPED, 0, NULL);
        stage_emit(run, &run->items[skipped[i]], "skipped", NULL);
    }
    free(skipped);
}

/* The stage failed with `text`; what that means is the person's choice. */
void stage_fail(struct run *run, size_t node, struct task *t, const struct err *why)
{
    struct item *it = &run->items[node];
    bool interrupted = run->stops_seen > 0;
    run->failed[run->failed_count++] = node;
    run->done_count++;
    time_done(run, node, OUTCOME_FAILED);
    stage_emit(run, it, interrupted ? "killed" : "failed", t);
    tell_end(run, it->stage, OUTCOME_FAILED, t != NULL ? t->result.seconds : 0, why->text);
    if (run->opt->on_error == REPRO_STOP || interrupted) {
        if (!run->failing) {
            run->failing = true;
            err_set(&run->error, why->code, "failed to reproduce '%s': %s", it->stage->addr,
                    why->text);
            run->error.detail = why->detail;
        } else {
            run_note(run, true, "failed to reproduce '%s': %s", it->stage->addr, why->text);
        }
        plan_stop(run->plan);
        plan_fail(run->plan, node, true, NULL);
    } else if (run->opt->on_error == REPRO_IGNORE) {
        run_note(run, true, "%s (ignored)", why->text);
        plan_fail(run->plan, node, false, NULL);
    } else {
        keep_going(run, node, why->text);
    }
    if (t != NULL) {
        stage_task_free(run, t);
    }
}

/* ---- success ---- */

void stage_done(struct run *run, size_t node, struct task *t, enum outcome o)
{
    struct item *it = &run->items[node];
    run->done_count++;
    time_done(run, node, o);
    bool acted = o != OUTCOME_FRESH && o != OUTCOME_PULLED;
    if (acted) {
        run->ran_count++;
        it->ran = true;
    }
    if (run->opt->force_downstream && (acted || it->force)) {
        const struct graph_node *n = &run->c->graph->nodes[it->stage->index];
        for (uint32_t i = 0; i < n->down_count; i++) {
            size_t down = run->node_of[n->down[i]];
            if (down != SIZE_MAX && !run->items[down].stage->frozen) {
                run->items[down].force = true;
            }
        }
    }
    tell_end(run, it->stage, o, t != NULL ? t->result.seconds : 0, NULL);
    if (t != NULL) {
        stage_emit(run, it, o == OUTCOME_RESTORED ? "restored" : "finished", t);
        stage_task_free(run, t);
    }
    plan_finish(run->plan, node);
}

/* What was stored becomes known: .gitignore, journal, lock. */
int stage_record(struct run *run, struct task *t, struct err *e)
{
    if (t->stage->cmd_count == 0) {
        return 0; /* a .dvc file: commit_source wrote it */
    }
    if (commit_ignore(&t->commit, e) < 0) {
        return -1;
    }
    return lockfiles_record(run->lockfiles, t->stage, t->commit.entry, e);
}

/* ---- judging ---- */

static bool is_data_source(const struct stage *st)
{
    return st->cmd_count == 0 && !st->is_import;
}

static const char *reason_text(struct arena *a, enum stale_reason why, const struct stale_report *r)
{
    const char *path = NULL;
    for (size_t i = 0; i < r->change_count && path == NULL; i++) {
        bool out = r->changes[i].where == STALE_OUT;
        if ((why == STALE_BY_DEP && !out) ||
            ((why == STALE_BY_OUT || why == STALE_BY_SOURCE) && out)) {
            const struct stale_change *c = &r->changes[i];
            path = c->key != NULL
                       ? arena_printf(a, "%s:%s %s", c->shown, c->key, stale_word_name(c->word))
                       : arena_printf(a, "%s %s", c->shown, stale_word_name(c->word));
        }
    }
    return path != NULL ? arena_printf(a, "%s: %s", stale_reason_name(why), path)
                        : stale_reason_name(why);
}

static const struct stage **upstream_of(struct run *run, struct arena *a, const struct stage *st,
                                        size_t *count)
{
    const struct graph_node *n = &run->c->graph->nodes[st->index];
    const struct stage **up = ARENA_ARRAY(a, n->up_count + 1, const struct stage *);
    *count = 0;
    if (!run->opt->single_item && !st->frozen) {
        for (uint32_t i = 0; i < n->up_count; i++) {
            up[(*count)++] = &run->c->graph->pipeline->stages[n->up[i]];
        }
    }
    return up;
}

/* --pull: only data is missing, so it may come from the remote instead of from a run. */
static bool pull_data(struct run *run, struct arena *a, const struct stage *st,
                      const struct stale_report *report, const struct stale_decision *d)
{
    struct stale_decision lenient = *d;
    lenient.allow_missing = true;
    if (!run->opt->pull || run->opt->dry ||
        stale_decide(run->c->store, report, &lenient) != STALE_BY_FRESH) {
        return false;
    }
    run_note(run, false, "Pulling data for %s", stage_words(a, st));
    struct err why = ERR_INIT;
    if (repro_pull(run, st, &why) == 0) {
        return true;
    }
    run_note(run, false, "Unable to pull data for %s", stage_words(a, st));
    return false;
}

void stage_open_pool(struct run *run)
{
    if (run->pool == NULL) {
        int threads = run->c->in_order ? 0 : POOL_THREADS;
        run->pool = pool_new(run, threads);
    }
}

/* Nothing to run, but to hash and store again: frozen stages and tracked data. */
static int verify_stage(struct run *run, size_t node, struct err *e)
{
    struct item *it = &run->items[node];
    struct arena *a = &run->arena;
    run_note(run, false, "Verifying %s in %s%s", it->stage->frozen ? "outputs" : "data sources",
             it->stage->frozen ? "frozen " : "", stage_words(a, it->stage));
    struct strbuf missing;
    strbuf_init(&missing);
    size_t count = 0;
    for (size_t i = 0; i < it->stage->out_count; i++) {
        if (content_kind(run->c->store, it->stage->outs[i].path, true) == CONTENT_MISSING) {
            strbuf_addf(&missing, "%s%s", count++ > 0 ? ", " : "",
                        repo_show(run->c->repo, a, it->stage->outs[i].path));
        }
    }
    struct err why = ERR_INIT;
    if (count > 0) {
        err_set(&why, ERR_MISSING, "missing data '%s': %s", count > 1 ? "sources" : "source",
                missing.p);
    }
    strbuf_release(&missing);
    if (why.code != ERR_NONE) {
        stage_fail(run, node, NULL, &why);
        return 0;
    }
    stage_open_pool(run);
    struct task *t = stage_task_new(run, node, TASK_VERIFY);
    if (lockfiles_entry(run, it->stage, &t->arena, &t->old, e) < 0) {
        return -1;
    }
    plan_hold(run->plan, node);
    pool_submit(run->pool, t);
    return 0;
}

/* --dry: what would happen. */
static int dry_stage(struct run *run, size_t node, struct arena *a, struct err *e)
{
    struct item *it = &run->items[node];
    struct reporter *s = run->c->reporter;
    const struct stage *st = it->stage;
    if (st->frozen || st->cmd_count == 0) {
        stage_done(run, node, NULL, OUTCOME_DRY);
        return 0;
    }
    if (!it->force) {
        struct commit c;
        struct lock_entry *old;
        struct err why = ERR_INIT;
        bool restored = false;
        if (lockfiles_entry(run, st, a, &old, e) < 0) {
            return -1;
        }
        commit_begin(&c, run->c->store, a, st, old);
        if (commit_deps(&c, COMMIT_ALLOW_MISSING, &why) == 0 &&
            commit_restore(&c, !run->opt->no_run_cache, true, &restored, &why) == 0 && restored) {
            run_note(run, false, "Stage '%s' is cached - skipping run, checking out outputs",
                     st->addr);
        }
    }
    if (s->ops->begin != NULL) {
        s->ops->begin(s, st, it->reason, true);
    }
    for (size_t i = 0; i < st->cmd_count && s->ops->command != NULL; i++) {
        s->ops->command(s, st, st->cmds[i]);
    }
    stage_done(run, node, NULL, OUTCOME_DRY);
    return 0;
}

/* The keys that a params file lacks: all, when it is not there. */
static bool lacks_param(struct run *run, const struct param_dep *p, struct err *why)
{
    struct params_cache files;
    params_cache_init(&files);
    struct value *values, *missing = value_list(&files.arena);
    if (content_kind(run->c->store, p->path, false) == CONTENT_MISSING) {
        for (size_t i = 0; i < p->key_count; i++) {
            value_push(&files.arena, missing, value_cstr(&files.arena, p->keys[i]));
        }
    } else if (params_read(&files, run->c->repo, p, &values, &missing, why) < 0) {
        params_cache_release(&files);
        return true;
    }
    bool lacks = missing->list.count > 0;
    if (lacks) {
        params_missing_error(run->c->repo, p, missing, why);
    }
    params_cache_release(&files);
    return lacks;
}

/* A stage that the run cache would look for needs its deps' hashes first: DVC says so in Python's
 * words. */
static bool lacks_dep(struct run *run, struct arena *a, const struct item *it, struct err *why)
{
    const struct stage *st = it->stage;
    if (it->force || st->out_count == 0 || st->always_changed) {
        return false;
    }
    for (size_t i = 0; i < st->dep_count; i++) {
        if (st->deps[i].is_url) {
            return false; /* the run cache is for stages without URLs */
        }
        if (content_kind(run->c->store, st->deps[i].path, false) == CONTENT_MISSING) {
            err_set(why, ERR_MISSING, "[Errno 2] No such file or directory: '%s'",
                    repo_abs(run->c->repo, a, st->deps[i].path));
            return true;
        }
    }
    for (size_t i = 0; i < st->param_count; i++) {
        if (lacks_param(run, &st->params[i], why)) {
            return true;
        }
    }
    return false;
}

/* The stage has to do something: decided. */
static int go(struct run *run, size_t node, struct arena *a, struct err *e)
{
    struct item *it = &run->items[node];
    const struct stage *st = it->stage;
    if (run->opt->interactive) {
        char question[1024];
        snprintf(question, sizeof question,
                 "Going to reproduce %s. Are you sure you want to continue?", stage_words(a, st));
        if (run->c->confirm == NULL || !run->c->confirm(run->c->ctx, question)) {
            struct err why = ERR_INIT;
            err_set(&why, ERR_INTERRUPTED, "reproduction aborted by the user");
            stage_fail(run, node, NULL, &why);
            return 0;
        }
    }
    struct err lacking = ERR_INIT;
    if (st->cmd_count > 0 && !st->frozen && lacks_dep(run, a, it, &lacking)) {
        stage_fail(run, node, NULL, &lacking);
        return 0;
    }
    if (run->opt->dry) {
        return dry_stage(run, node, a, e);
    }
    if (st->frozen || is_data_source(st)) {
        return verify_stage(run, node, e);
    }
    if (st->is_import) {
        struct err why = ERR_INIT;
        err_set(
            &why, ERR_USAGE,
            "importing anew from '%s' is not done here; run `dvc update %s`, or freeze the import",
            st->deps[0].def, st->addr);
        stage_fail(run, node, NULL, &why);
        return 0;
    }
    plan_queue(run->plan, node);
    return 0;
}

static int judge(struct run *run, size_t node, struct arena *a, const struct stale_report *report,
                 struct err *e)
{
    struct item *it = &run->items[node];
    if (it->force) {
        it->reason = "forced";
        return go(run, node, a, e);
    }
    struct stale_decision d = {.allow_missing = run->opt->allow_missing};
    d.upstream = upstream_of(run, a, it->stage, &d.upstream_count);
    enum stale_reason why = stale_decide(run->c->store, report, &d);
    if (why == STALE_BY_FRESH) {
        stage_done(run, node, NULL, OUTCOME_FRESH);
        return 0;
    }
    if (pull_data(run, a, it->stage, report, &d)) {
        stage_done(run, node, NULL, OUTCOME_PULLED);
        return 0;
    }
    it->reason = arena_strdup(&run->arena, reason_text(a, why, report));
    return go(run, node, a, e);
}

static void announce(struct run *run, size_t node)
{
    struct item *it = &run->items[node];
    struct reporter *s = run->c->reporter;
    time_ready(run, node);
    if (s->ops->consider != NULL) {
        s->ops->consider(s, it->stage);
    }
    if (it->stage->frozen && !it->stage->is_import) {
        run_note(run, true,
                 "stage: '%s' is frozen. Its dependencies are not going to be reproduced.",
                 it->stage->addr);
    }
}

/*
 * Looks at all stages in one pass when it may be that none has anything to do: a folder that one stage
 * makes and two need is walked once, not three times, and a repro that does nothing costs what status
 * costs. What was seen holds until the first stage acts (run->acted). A stage that never ran, or whose
 * command is another, makes the rest not worth a look yet.
 */
static void look_ahead(struct run *run)
{
    struct arena *a = &run->arena;
    run->looked_ahead = true;
    const struct stage **stages = ARENA_ARRAY(a, run->count, const struct stage *);
    for (size_t i = 0; i < run->count; i++) {
        const struct stage *st = run->items[i].stage;
        struct lock *l = st->name != NULL ? store_lock(run->c->store, st->file, NULL) : NULL;
        if (st->name != NULL && (l == NULL || lock_find(l, st->name) == NULL)) {
            return;
        }
        stages[i] = st;
    }
    struct stale_report *reports = ARENA_ARRAY(a, run->count, struct stale_report);
    if (stale_check(run->c->store, a, stages, run->count, NULL, reports, NULL) == 0) {
        run->ahead = reports;
    }
}

/* Judges some ready nodes with one pass over their files. A file that cannot be read fails its
 * stage, so on an error each is looked at alone. */
static int judge_batch(struct run *run, const size_t *nodes, size_t count, struct err *e)
{
    struct arena a;
    arena_init(&a);
    const struct stage **stages = ARENA_ARRAY(&a, count, const struct stage *);
    struct stale_report *reports = ARENA_ARRAY(&a, count, struct stale_report);
    bool seen = run->ahead != NULL && !run->acted;
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (!run->items[nodes[i]].force) {
            reports[n] = seen ? run->ahead[nodes[i]] : (struct stale_report){0};
            stages[n++] = run->items[nodes[i]].stage;
        }
    }
    struct err why = ERR_INIT;
    bool failed =
        n > 0 && !seen && stale_check(run->c->store, &a, stages, n, NULL, reports, &why) < 0;
    int rc = 0;
    if (failed && why.code == ERR_CONFIG) {
        rc = err_set(e, why.code, "%s", why.text); /* no stage is to blame */
    } else if (failed && count > 1) {
        for (size_t i = 0; i < count && rc == 0; i++) {
            rc = judge_batch(run, &nodes[i], 1, e);
        }
    } else {
        n = 0;
        for (size_t i = 0; i < count && rc == 0; i++) {
            announce(run, nodes[i]);
            if (failed) {
                stage_fail(run, nodes[i], NULL, &why);
            } else {
                const struct stale_report *r = run->items[nodes[i]].force ? NULL : &reports[n++];
                rc = judge(run, nodes[i], &a, r, e);
            }
        }
    }
    arena_release(&a);
    return rc;
}

int stage_judge_ready(struct run *run, struct err *e)
{
    size_t nodes[JUDGE_BATCH];
    if (!run->looked_ahead && !run->opt->force && !run->opt->pull) {
        look_ahead(run);
    }
    for (;;) {
        size_t count = 0;
        size_t max = run->c->in_order ? 1 : JUDGE_BATCH;
        while (count < max && (nodes[count] = plan_next_ready(run->plan)) != SIZE_MAX) {
            count++;
        }
        if (count == 0) {
            return 0;
        }
        if (judge_batch(run, nodes, count, e) < 0) {
            return -1;
        }
        if (run->c->in_order && run->pool != NULL && pool_busy(run->pool) > 0) {
            return 0; /* what was decided is done before the next stage is looked at */
        }
    }
}
