/* See expstate.h. */
#include "expstate.h"

#include "alloc.h"
#include "err.h"
#include "expqueue.h"
#include "expref.h"
#include "fs.h"
#include "git.h"
#include "lock.h"
#include "pipeline.h"
#include "repo.h"
#include "revnames.h"
#include "revwalk.h"
#include "store.h"
#include "value.h"
#include "valuefiles.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct collector {
    struct store *s;
    struct arena *a;
    bool param_deps;
    struct value *times; /* commit -> seconds since 1970 */
    struct value *
        whole; /* set of commits of which all parameters are told: what experiments started from, as with DVC */
    struct value *states; /* commit -> what is known: a map with data and error */
};

/* ---- one revision ---- */

static struct value *text_or_null(struct arena *a, const char *text)
{
    return text != NULL ? value_cstr(a, text) : value_null(a);
}

static struct value *hash_value(struct arena *a, const struct hash *h)
{
    struct value *v = value_map(a);
    value_set(a, v, "hash", text_or_null(a, h->md5));
    value_set(a, v, "size", h->size >= 0 ? value_int(a, h->size) : value_null(a));
    value_set(a, v, "nfiles", h->nfiles >= 0 ? value_int(a, h->nfiles) : value_null(a));
    return v;
}

static const struct lock_entry *locked(struct store *s, const struct stage *st)
{
    struct lock *l = st->name != NULL ? store_lock(s, st->file, NULL) : NULL;
    return l != NULL ? lock_find(l, st->name) : NULL;
}

static void add_deps(struct collector *c, const struct stage *st, struct value *deps)
{
    const struct lock_entry *en = locked(c->s, st);
    for (size_t i = 0; i < st->dep_count; i++) {
        const struct dep *d = &st->deps[i];
        const struct lock_item *item =
            en != NULL ? lock_item_find(en->deps, en->dep_count, d->def) : NULL;
        const struct hash none = {.size = -1, .nfiles = -1};
        const struct hash *h = item != NULL ? &item->hash : st->name == NULL ? &d->hash : &none;
        value_set(c->a, deps, d->path, hash_value(c->a, h));
    }
}

static void add_outs(struct collector *c, const struct stage *st, struct value *outs)
{
    for (size_t i = 0; i < st->out_count; i++) {
        const struct out *o = &st->outs[i];
        struct hash h = {.size = -1, .nfiles = -1};
        if (o->kind != OUT_PLAIN) {
            continue;
        }
        store_recorded(c->s, st, i, &h, NULL);
        struct value *v = hash_value(c->a, &h);
        value_set(c->a, v, "use_cache", value_bool(c->a, o->cache));
        value_set(c->a, v, "is_data_source", value_bool(c->a, st->cmd_count == 0));
        value_set(c->a, outs, o->path, v);
    }
}

/* "2026-01-02T03:04:05" in local time, as Python writes it. */
static struct value *timestamp(struct collector *c, const char *rev)
{
    const struct value *seconds = value_get(c->times, rev);
    struct tm tm;
    char text[32];
    time_t t = seconds != NULL ? (time_t)seconds->i : 0;
    if (seconds == NULL || localtime_r(&t, &tm) == NULL) {
        return value_null(c->a);
    }
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    return value_cstr(c->a, text);
}

/* `why`: the pipeline cannot be read. */
static struct value *new_state(struct collector *c, const char *rev, const struct pipeline *p,
                               const struct err *why)
{
    struct arena *a = c->a;
    struct value *state = value_map(a), *data = value_map(a), *deps = value_map(a),
                 *outs = value_map(a);
    const struct valuefiles_query params = {.params = true,
                                            .deps_only =
                                                c->param_deps && value_get(c->whole, rev) == NULL,
                                            .quiet = true,
                                            .from_root = true};
    const struct valuefiles_query metrics = {.quiet = true, .from_root = true};
    struct value *side = valuefiles_side(c->s, a, &params, rev, p, why);
    if (why != NULL) {
        value_set(a, state, "data", value_null(a));
        value_set(a, state, "error", value_get(side, "error"));
        return state;
    }
    value_set(a, data, "rev", value_cstr(a, rev));
    value_set(a, data, "timestamp", timestamp(c, rev));
    value_set(a, data, "params", value_get(side, "data"));
    value_set(a, data, "metrics",
              value_get(valuefiles_side(c->s, a, &metrics, rev, p, NULL), "data"));
    for (size_t i = 0; i < p->stage_count; i++) {
        add_deps(c, &p->stages[i], deps);
        add_outs(c, &p->stages[i], outs);
    }
    value_set(a, data, "deps", deps);
    value_set(a, data, "outs", outs);
    value_set(a, data, "meta", value_map(a));
    value_set(a, state, "data", data);
    value_set(a, state, "error", value_null(a));
    return state;
}

static struct value *workspace_state(struct collector *c)
{
    struct pipeline p;
    struct err why = ERR_INIT;
    if (pipeline_load(&p, c->s->repo, &why) < 0) {
        return new_state(c, "workspace", NULL, &why);
    }
    struct value *state = new_state(c, "workspace", &p, NULL);
    pipeline_release(&p);
    return state;
}

static int visit(void *ctx, const struct revwalk_view *view, struct err *e)
{
    (void)e;
    struct collector *c = ctx;
    const char *rev = view->revision->commit;
    value_set(c->a, c->states, rev,
              new_state(c, rev, view->why != NULL ? NULL : &view->pipeline, view->why));
    return 0;
}

/* ---- which revisions ---- */

/* An experiment's commits, the newest first. */
struct range {
    const struct expref *ref;
    const char **revs;
    size_t count;
};

struct plan {
    struct revision *baselines;
    size_t baseline_count;
    struct range *ranges; /* by baseline */
    size_t range_count;
    struct value *wanted; /* set of commits */
};

static void want(struct collector *c, struct plan *p, const char *commit)
{
    if (value_get(p->wanted, commit) == NULL) {
        value_set(c->a, p->wanted, commit, value_null(c->a));
    }
}

/* Nearly every experiment is one commit on top of its baseline, which for-each-ref said already. */
static int fill_range(struct collector *c, struct range *r, struct err *e)
{
    const struct expref *x = r->ref;
    if (x->parents != NULL && strncmp(x->parents, x->baseline, strlen(x->baseline)) == 0) {
        r->revs = ARENA_ARRAY(c->a, 1, const char *);
        r->revs[r->count++] = x->commit;
        return 0;
    }
    const char *const args[] = {"rev-list", "--first-parent", x->commit,
                                arena_printf(c->a, "^%s", x->baseline), NULL};
    struct strbuf out;
    struct err why = ERR_INIT;
    strbuf_init(&out);
    int rc = git_run(c->s->repo, args, &out, &why);
    size_t lines = 0;
    for (size_t i = 0; i < out.n; i++) {
        lines += out.p[i] == '\n';
    }
    r->revs = ARENA_ARRAY(c->a, lines + 1, const char *);
    struct str rest = strbuf_str(&out), line;
    while (rc == 0 && rest.n > 0 && str_split(&rest, '\n', &line)) {
        r->revs[r->count++] = arena_str(c->a, line).p;
    }
    strbuf_release(&out);
    /* the commit it started from may be gone: then it has no place here */
    return rc < 0 && why.code != ERR_CHILD ? err_set(e, why.code, "%s", why.text) : 0;
}

static int plan_ranges(struct collector *c, const struct expstate_options *opt, struct plan *p,
                       struct err *e)
{
    struct expref_list refs;
    if (expref_list(c->s->repo, c->a, NULL, &refs, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < p->baseline_count; i++) {
        value_set(c->a, c->whole, p->baselines[i].commit, value_null(c->a));
        want(c, p, p->baselines[i].commit);
    }
    p->ranges = ARENA_ARRAY(c->a, refs.count + 1, struct range);
    for (size_t i = 0; i < refs.count; i++) {
        struct range r = {.ref = &refs.items[i]};
        if (value_get(c->whole, r.ref->baseline) == NULL) {
            continue;
        }
        if (fill_range(c, &r, e) < 0) {
            return -1;
        }
        for (size_t k = 0; k < r.count; k++) {
            want(c, p, r.revs[k]);
        }
        if (r.count > 0) {
            p->ranges[p->range_count++] = r;
        }
    }
    for (size_t i = 0; i < opt->task_count; i++) {
        const struct exptask *t = &opt->tasks[i];
        if (t->state != EXPTASK_SUCCESS && value_get(c->whole, t->baseline) != NULL) {
            want(c, p, t->rev);
        }
    }
    return 0;
}

/* Times of all commits wanted, by one process. */
static int read_times(struct collector *c, const struct plan *p, struct err *e)
{
    const char *const args[] = {"log", "--no-walk=unsorted", "--format=%H %ct", "--stdin", NULL};
    struct strbuf in, out;
    strbuf_init(&in);
    strbuf_init(&out);
    for (size_t i = 0; i < p->wanted->map.count; i++) {
        strbuf_addf(&in, "%s\n", value_as_str(p->wanted->map.pairs[i].key).p);
    }
    int rc = in.n > 0
                 ? git_call(c->s->repo, &(struct git_call){.args = args, .input = strbuf_str(&in)},
                            &out, e)
                 : 0;
    struct str rest = strbuf_str(&out), line, id;
    while (rc == 0 && rest.n > 0 && str_split(&rest, '\n', &line)) {
        if (str_split(&line, ' ', &id)) {
            value_set(c->a, c->times, arena_str(c->a, id).p,
                      value_int(c->a, strtoll(line.p, NULL, 10)));
        }
    }
    strbuf_release(&in);
    strbuf_release(&out);
    return rc;
}

static int walk(struct collector *c, const struct plan *p, struct err *e)
{
    size_t count = p->wanted->map.count;
    struct revision *revs = ARENA_ARRAY(c->a, count + 1, struct revision);
    for (size_t i = 0; i < count; i++) {
        revs[i].commit = revs[i].names = value_as_str(p->wanted->map.pairs[i].key).p;
    }
    return read_times(c, p, e) < 0 ? -1
                                   : revwalk_each(c->s, revs, count, REVWALK_TELL, visit, c, e);
}

/* ---- the document ---- */

static struct value *outer_state(struct collector *c, const char *rev, const char *name,
                                 const struct value *known)
{
    struct arena *a = c->a;
    struct value *v = value_map(a);
    struct value *data = value_get(known, "data"), *error = value_get(known, "error");
    value_set(a, v, "rev", value_cstr(a, rev));
    value_set(a, v, "name", text_or_null(a, name));
    value_set(a, v, "data", data != NULL ? data : value_null(a));
    value_set(a, v, "error", error != NULL ? error : value_null(a));
    value_set(a, v, "experiments", value_null(a));
    return v;
}

static struct value *new_range(struct collector *c, struct value *revs, struct value *executor,
                               const char *name)
{
    struct value *v = value_map(c->a);
    value_set(c->a, v, "revs", revs);
    value_set(c->a, v, "executor", executor != NULL ? executor : value_null(c->a));
    value_set(c->a, v, "name", text_or_null(c->a, name));
    return v;
}

/* Who ran, runs or will run a task of the queue. */
static struct value *executor(struct collector *c, const struct exptask *t)
{
    struct arena *a = c->a;
    struct value *v = value_map(a), *local = value_map(a);
    struct expqueue q = {c->s->repo, a};
    const char *log = expqueue_log_path(&q, t->rev);
    value_set(a, v, "state", value_cstr(a, exptask_state_name(t->state)));
    value_set(a, v, "name", t->state == EXPTASK_FAILED ? value_null(a) : value_cstr(a, "dvc-task"));
    value_set(a, local, "root", value_null(a));
    value_set(a, local, "log",
              t->state != EXPTASK_QUEUED && fs_exists(log) ? value_cstr(a, log) : value_null(a));
    value_set(a, local, "pid", value_null(a));
    value_set(a, local, "returncode",
              t->state == EXPTASK_SUCCESS ? value_int(a, 0) : value_null(a));
    value_set(a, local, "task_id", value_cstr(a, t->rev));
    value_set(a, v, "local", local);
    return v;
}

/* A copy of what is known of a stash commit; one that has not run has no metrics. */
static struct value *task_state(struct collector *c, const struct exptask *t)
{
    struct arena *a = c->a;
    struct value *v = outer_state(c, t->rev, t->name, value_get(c->states, t->rev));
    struct value *data = value_get(v, "data");
    if (t->state == EXPTASK_QUEUED && data->type == VALUE_MAP) {
        struct value *copy = value_copy(a, data);
        value_set(a, copy, "metrics", value_map(a));
        value_set(a, v, "data", copy);
    }
    if (t->state == EXPTASK_FAILED) {
        struct value *error = value_map(a);
        value_set(a, error, "msg", value_cstr(a, "Experiment run failed"));
        value_set(a, error, "type", value_cstr(a, ""));
        value_set(a, v, "error", error);
    }
    return v;
}

/* The newest first; of one second, by commit. */
static int compare_ranges(const void *x, const void *y)
{
    const struct value *a = (*(struct value *const *)x)->map.pairs[0].val->list.items[0],
                       *b = (*(struct value *const *)y)->map.pairs[0].val->list.items[0];
    const struct value *ta = value_get(value_get(a, "data"), "timestamp"),
                       *tb = value_get(value_get(b, "data"), "timestamp");
    int d = str_cmp(value_as_str(tb), value_as_str(ta));
    return d != 0 ? d
                  : str_cmp(value_as_str(value_get(b, "rev")), value_as_str(value_get(a, "rev")));
}

static void add_sorted(struct collector *c, struct value *group, struct value *all)
{
    if (group->list.count > 1) {
        qsort(group->list.items, group->list.count, sizeof(*group->list.items), compare_ranges);
    }
    for (size_t i = 0; i < group->list.count; i++) {
        value_push(c->a, all, group->list.items[i]);
    }
}

static void add_tasks(struct collector *c, const struct expstate_options *opt, const char *baseline,
                      enum exptask_state state, struct value *all)
{
    struct value *group = value_list(c->a);
    for (size_t i = 0; i < opt->task_count; i++) {
        const struct exptask *t = &opt->tasks[i];
        if (t->state == state && strcmp(t->baseline, baseline) == 0) {
            struct value *revs = value_list(c->a);
            value_push(c->a, revs, task_state(c, t));
            value_push(c->a, group, new_range(c, revs, executor(c, t), t->name));
        }
    }
    add_sorted(c, group, all);
}

static struct value *executor_of(struct collector *c, const struct expstate_options *opt,
                                 const struct expref *x)
{
    for (size_t i = 0; i < opt->task_count; i++) {
        const struct exptask *t = &opt->tasks[i];
        if (t->state == EXPTASK_SUCCESS && t->commit != NULL && strcmp(t->commit, x->commit) == 0) {
            return executor(c, t);
        }
    }
    return NULL;
}

static void add_kept(struct collector *c, const struct expstate_options *opt, const struct plan *p,
                     const char *baseline, struct value *all)
{
    struct value *group = value_list(c->a);
    for (size_t i = 0; i < p->range_count; i++) {
        const struct range *r = &p->ranges[i];
        if (strcmp(r->ref->baseline, baseline) != 0) {
            continue;
        }
        struct value *revs = value_list(c->a);
        for (size_t k = 0; k < r->count; k++) {
            value_push(c->a, revs,
                       outer_state(c, r->revs[k], k == 0 ? r->ref->name : NULL,
                                   value_get(c->states, r->revs[k])));
        }
        value_push(c->a, group, new_range(c, revs, executor_of(c, opt, r->ref), r->ref->name));
    }
    add_sorted(c, group, all);
}

static struct value *baseline_state(struct collector *c, const struct expstate_options *opt,
                                    const struct plan *p, const char *rev, const char *name)
{
    struct value *v = outer_state(c, rev, name, value_get(c->states, rev));
    struct value *all = value_list(c->a);
    add_tasks(c, opt, rev, EXPTASK_RUNNING, all);
    add_kept(c, opt, p, rev, all);
    if (!opt->hide_queued) {
        add_tasks(c, opt, rev, EXPTASK_QUEUED, all);
    }
    if (!opt->hide_failed) {
        add_tasks(c, opt, rev, EXPTASK_FAILED, all);
    }
    if (all->list.count > 0) {
        value_set(c->a, v, "experiments", all);
    }
    return v;
}

static struct collector collector(struct store *s, struct arena *a, bool param_deps)
{
    return (struct collector){.s = s,
                              .a = a,
                              .param_deps = param_deps,
                              .times = value_map(a),
                              .whole = value_map(a),
                              .states = value_map(a)};
}

int expstate_collect(struct store *s, struct arena *a, const struct expstate_options *opt,
                     struct value **states, struct err *e)
{
    static const char *const head_rev[] = {"HEAD"};
    struct collector c = collector(s, a, opt->param_deps);
    struct plan p = {.wanted = value_map(a)};
    struct revision_scope scope = opt->scope;
    struct revnames names = {.names = value_map(a)};
    struct git_head head;
    *states = value_list(a);
    if (git_head(s->repo, &head, e) < 0) {
        return -1;
    }
    if (head.commit[0] == 0) {
        return 0;
    }
    if (!revision_scope_any(&scope)) {
        scope.revs = head_rev;
        scope.rev_count = 1;
    }
    if (revision_list(s->repo, &scope, a, &p.baselines, &p.baseline_count, e) < 0 ||
        plan_ranges(&c, opt, &p, e) < 0 || walk(&c, &p, e) < 0 ||
        (!opt->sha && revnames_read(s->repo, a, &names, e) < 0)) {
        return -1;
    }
    if (!opt->hide_workspace) {
        value_push(a, *states, outer_state(&c, "workspace", NULL, workspace_state(&c)));
    }
    for (size_t i = 0; i < p.baseline_count; i++) {
        const char *rev = p.baselines[i].commit;
        value_push(a, *states, baseline_state(&c, opt, &p, rev, revnames_of(&names, rev)));
    }
    return 0;
}

int expstate_one(struct store *s, struct arena *a, const char *rev, bool param_deps,
                 struct value **state, struct err *e)
{
    struct collector c = collector(s, a, param_deps);
    const struct revision one = {.commit = rev, .names = rev};
    if (strcmp(rev, "workspace") == 0) {
        *state = workspace_state(&c);
        return 0;
    }
    int rc = revwalk_each(s, &one, 1, REVWALK_TELL, visit, &c, e);
    *state = value_get(c.states, rev);
    return rc;
}
