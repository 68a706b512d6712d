/* A stale stage as a job of the runner: what it is told, its place among the running ones, and what
 * its result means. */
#include "repro_private.h"

#include "alloc.h"
#include "durations.h"
#include "fs.h"
#include "path.h"
#include "pipeline.h"
#include "repo.h"

#include <stdlib.h>
#include <string.h>

static int ranks_wanted(const struct run *run, const struct stage *st)
{
    int slots = run->c->slots;
    int n = 0;
    switch (st->nephron.ranks_kind) {
    case RANKS_NONE:
        return 0;
    case RANKS_ALL:
        return slots;
    case RANKS_COUNT:
        n = st->nephron.ranks;
        break;
    case RANKS_PERCENT:
        n = (int)(((int64_t)slots * st->nephron.ranks + 99) / 100);
        break;
    }
    return n < 1 ? 1 : n > slots ? slots : n;
}

int stage_slots_wanted(const struct run *run, const struct stage *st)
{
    int ranks = ranks_wanted(run, st);
    return ranks > 0 ? ranks : st->nephron.slots;
}

/* The stage's log file name: its address without slashes. */
static const char *log_path(struct run *run, struct arena *a, const struct stage *st)
{
    const char *dir = path_join(a, run->c->repo->tmp_dir, "nephron/logs");
    if (!run->logs_made) {
        if (fs_mkdirs(dir, NULL) < 0) {
            return NULL;
        }
        run->logs_made = true;
    }
    char *name = arena_strndup(a, st->addr, strnlen(st->addr, 200));
    for (char *p = name; *p != 0; p++) {
        *p = *p == '/' || (unsigned char)*p < 0x20 ? '_' : *p;
    }
    return arena_printf(a, "%s/%s.log", dir, name);
}

static const char *env_value(struct arena *a, const struct value *v, int member)
{
    if (v->type == VALUE_LIST) {
        if (v->list.count == 0) {
            return "";
        }
        v = v->list.items[(size_t)member % v->list.count];
    }
    struct strbuf b;
    strbuf_init(&b);
    if (v->type == VALUE_BOOL) {
        strbuf_adds(&b, v->b ? "true" : "false");
    } else if (v->type != VALUE_NULL) {
        value_text(&b, v);
    }
    const char *text = arena_strndup(a, b.p, b.n);
    strbuf_release(&b);
    return text;
}

static void fill_env(struct run *run, struct task *t, struct job *j)
{
    struct arena *a = &t->arena;
    const struct stage_meta *m = &t->stage->nephron;
    const char **env = ARENA_ARRAY(a, m->env_count + 2, const char *);
    size_t n = 0;
    if (getenv("DVC_ROOT") == NULL) {
        env[n++] = arena_printf(a, "DVC_ROOT=%s", run->c->repo->root);
    }
    env[n++] = arena_printf(a, "DVC_STAGE=%s", t->stage->addr);
    const char **all = ARENA_ARRAY(a, n + m->env_count + 1, const char *);
    memcpy(all, env, n * sizeof *all);
    for (size_t i = 0; i < m->env_count; i++) {
        all[n++] =
            arena_printf(a, "%s=%s", m->env_keys[i], env_value(a, m->env_values[i], t->member));
    }
    j->env = all;
    j->env_count = n;
}

static int start_job(struct run *run, struct task *t, struct err *e)
{
    const struct stage *st = t->stage;
    struct reporter *s = run->c->reporter;
    struct job j = {
        .id = run->job_base + t->node,
        .stage = st->addr,
        .cmds = st->cmds,
        .cmd_count = st->cmd_count,
        .cwd = repo_abs(run->c->repo, &t->arena, st->wdir),
        .log_path = log_path(run, &t->arena, st),
        .slot = t->slot,
        .slots = t->slots,
        .ranks = ranks_wanted(run, st),
        .threads = run->c->threads_per_slot * t->slots,
        .timeout_s = st->nephron.timeout_s,
        .attempt = t->attempt,
        .carry = t->carry,
    };
    fill_env(run, t, &j);
    if (s->ops->begin != NULL) {
        s->ops->begin(s, st, run->items[t->node].reason, false);
    }
    t->start_ms = clock_wall_ms(run->clock);
    stage_emit(run, &run->items[t->node], "running", t);
    if (run->runner->ops->start(run->runner, &j, e) < 0) {
        return -1;
    }
    run->jobs_running++;
    struct timeline_entry *m = stage_moment(run, t->node);
    m->start = run_seconds(run);
    m->slot = t->slot;
    m->slots = t->slots;
    m->attempt = t->attempt;
    run_progress(run, false);
    return 0;
}

static int enter_rwlock(struct run *run, struct task *t, struct err *e)
{
    struct arena *a = &t->arena;
    const struct stage *st = t->stage;
    const char **reads = ARENA_ARRAY(a, st->dep_count + st->param_count + 1, const char *);
    const char **writes = ARENA_ARRAY(a, st->out_count + 1, const char *);
    size_t read_count = 0;
    for (size_t i = 0; i < st->dep_count; i++) {
        if (!st->deps[i].is_url) {
            reads[read_count++] = repo_abs(run->c->repo, a, st->deps[i].path);
        }
    }
    for (size_t i = 0; i < st->param_count; i++) {
        reads[read_count++] = repo_abs(run->c->repo, a, st->params[i].path);
    }
    for (size_t i = 0; i < st->out_count; i++) {
        writes[i] = repo_abs(run->c->repo, a, st->outs[i].path);
    }
    struct strbuf warnings;
    strbuf_init(&warnings);
    int rc = rwlock_acquire(run->rwlock, t->node, reads, read_count, writes, st->out_count,
                            &warnings, e);
    t->rwlocked = rc == 0;
    struct str rest = strbuf_str(&warnings), line;
    while (rest.n > 0 && str_split(&rest, '\n', &line)) {
        if (str_starts(line, "WARNING: ")) {
            run_note(run, true, "%.*s", (int)(line.n - 9), line.p + 9);
        }
    }
    strbuf_release(&warnings);
    return rc;
}

/* The first stage that runs: only now is there a runner, a repro lock, an entry in anyone's way. */
static int open_runner(struct run *run, struct err *e)
{
    if (run->runner != NULL) {
        return 0;
    }
    if (run->repro_lock.fd < 0 && repolock_acquire(&run->repro_lock, run->c->repo, REPOLOCK_REPRO,
                                                   run->opt->cmd, false, NULL, e) < 0) {
        return -1;
    }
    run->rwlock = rwlock_new(run->c->repo, run->opt->cmd);
    run->runner = run->c->open_runner(run->c->ctx, run->c, &run->hooks, run->repro_lock.fd, e);
    return run->runner != NULL ? 0 : -1;
}

int stage_start_queued(struct run *run, struct err *e)
{
    struct plan_pick pick;
    while (plan_pick(run->plan, &pick)) {
        if (open_runner(run, e) < 0) {
            plan_stop(run->plan);
            plan_fail(run->plan, pick.node, true, NULL);
            return -1;
        }
        stage_open_pool(run);
        pool_attach(run->pool, run->runner);
        struct task *t = stage_task_new(run, pick.node, TASK_PREPARE);
        t->slot = pick.slot;
        t->slots = pick.slots;
        t->member = pick.member;
        t->attempt = pick.attempt;
        struct err why = ERR_INIT;
        if (lockfiles_entry(run, t->stage, &t->arena, &t->old, &why) < 0 ||
            enter_rwlock(run, t, &why) < 0) {
            stage_fail(run, pick.node, t, &why);
            continue;
        }
        pool_submit(run->pool, t);
        if (run->c->in_order) {
            return 0;
        }
    }
    return 0;
}

static int prepared(struct run *run, struct task *t, struct err *e)
{
    if (t->restored) {
        run_note(run, false, "Stage '%s' is cached - skipping run, checking out outputs",
                 t->stage->addr);
        plan_commit(run->plan, t->node);
        if (stage_record(run, t, e) < 0) {
            return -1;
        }
        stage_done(run, t->node, t, OUTCOME_RESTORED);
        return 0;
    }
    if (run->stops_seen > 0 || run->failing) {
        plan_fail(run->plan, t->node, true, NULL); /* not started any more */
        stage_task_free(run, t);
        return 0;
    }
    struct err why = ERR_INIT;
    if (start_job(run, t, &why) < 0) {
        stage_fail(run, t->node, t, &why);
    }
    return 0;
}

int stage_pool_done(struct run *run, struct task *t, struct err *e)
{
    if (t->rc < 0) {
        stage_fail(run, t->node, t, &t->err);
        return 0;
    }
    switch (t->kind) {
    case TASK_PREPARE:
        return prepared(run, t, e);
    case TASK_COMMIT:
    case TASK_VERIFY:
        if (stage_record(run, t, e) < 0) {
            return -1;
        }
        stage_done(run, t->node, t, t->kind == TASK_COMMIT ? OUTCOME_RAN : OUTCOME_VERIFIED);
        return 0;
    }
    return 0;
}

static void copy_result(struct task *t, const struct job_result *r)
{
    t->result = *r;
    t->result.failed_cmd = r->failed_cmd != NULL ? arena_strdup(&t->arena, r->failed_cmd) : NULL;
    t->result.error = r->error != NULL ? arena_strdup(&t->arena, r->error) : NULL;
    t->result.host = r->host != NULL ? arena_strdup(&t->arena, r->host) : NULL;
    t->result.output = NULL;
}

/* The attempt that failed keeps its entry; the next one comes after it. */
static void time_retry(struct run *run, size_t node)
{
    struct item *it = &run->items[node];
    struct timeline_entry *m = stage_moment(run, node);
    m->outcome = OUTCOME_FAILED;
    m->reason = it->reason;
    m->done = m->end;
    it->moment = timeline_add(&run->timeline, it->stage->addr, &it->moment, 1, run_seconds(run));
}

static void job_failed(struct run *run, struct task *t)
{
    struct strbuf text;
    strbuf_init(&text);
    result_text(&t->result, &text);
    if (!t->result.killed && run->stops_seen == 0 && plan_retry(run->plan, t->node)) {
        run_note(run, true, "stage '%s': %s; trying again (attempt %d of %d)", t->stage->addr,
                 text.p, t->attempt + 2, t->stage->nephron.retries + 1);
        time_retry(run, t->node);
        stage_task_free(run, t);
    } else {
        struct err why = ERR_INIT;
        err_set(&why, ERR_CHILD, "%s", text.p);
        why.detail = t->result.status;
        if (run->stops_seen > 0) {
            /* What was cut off is no output. */
            struct err ignored = ERR_INIT;
            commit_clear_outs(run->c->store, &t->arena, t->stage, &ignored);
        }
        stage_fail(run, t->node, t, &why);
    }
    strbuf_release(&text);
}

int stage_job_done(struct run *run, const struct job_result *r, struct err *e)
{
    struct task *t = run_task_of(run, r->id);
    struct reporter *s = run->c->reporter;
    if (t == NULL) {
        return err_set(e, ERR_BUG, "a result for job %llx, which is not under way",
                       (unsigned long long)r->id);
    }
    run->jobs_running--;
    stage_moment(run, t->node)->end = run_seconds(run);
    copy_result(t, r);
    bool captured = !run->c->in_order;
    if (captured && s->ops->output != NULL) {
        s->ops->output(s, t->stage, (struct str){r->output, r->output_bytes});
    }
    if (r->status != 0 || r->error != NULL) {
        job_failed(run, t);
        return 0;
    }
    durations_set(run->durations, arena_printf(&t->arena, "%s:%s", t->stage->file, t->stage->name),
                  r->seconds);
    plan_commit(run->plan, t->node);
    t->kind = TASK_COMMIT;
    pool_submit(run->pool, t);
    return 0;
}
