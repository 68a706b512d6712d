/* See expqueue.h. */
#include "expqueue.h"

#include "err.h"
#include "expcommit.h"
#include "expstash.h"
#include "fs.h"
#include "json.h"
#include "log.h"
#include "path.h"
#include "repo.h"
#include "value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* ---- places ---- */

static const char *place(struct expqueue *q, const char *kind, const char *rev, const char *ext)
{
    return arena_printf(q->arena, "%s/exps/nephron/%s/%s%s", q->repo->tmp_dir, kind, rev, ext);
}

const char *expqueue_task_path(struct expqueue *q, const char *rev)
{
    return place(q, "tasks", rev, ".json");
}

const char *expqueue_result_path(struct expqueue *q, const char *rev)
{
    return place(q, "results", rev, ".json");
}

const char *expqueue_log_path(struct expqueue *q, const char *rev)
{
    return place(q, "logs", rev, ".log");
}

static const char *file(struct expqueue *q, const char *name)
{
    return arena_printf(q->arena, "%s/exps/nephron/%s", q->repo->tmp_dir, name);
}

/* ---- locks ---- */

/* Held for a few milliseconds at a time, so waiting is no matter. -1 on error. */
static int lock_queue(struct expqueue *q, struct err *e)
{
    const char *path = file(q, "lock");
    if (fs_mkdirs_for(path, e) < 0) {
        return -1;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) {
        return err_sys(e, "cannot open the queue's lock %s", path);
    }
    while (flock(fd, LOCK_EX) < 0) {
        if (errno != EINTR) {
            err_sys(e, "cannot lock %s", path);
            close(fd);
            return -1;
        }
    }
    return fd;
}

int expqueue_worker_open(struct expqueue *q, struct expqueue_worker *w, struct err *e)
{
    char *path = arena_printf(q->arena, "%s/exps/nephron/workers/XXXXXX.lock", q->repo->tmp_dir);
    if (fs_mkdirs_for(path, e) < 0) {
        return -1;
    }
    *w = (struct expqueue_worker){.path = path, .fd = mkostemps(path, 5, O_CLOEXEC)};
    if (w->fd < 0 || flock(w->fd, LOCK_EX | LOCK_NB) < 0) {
        return err_sys(e, "cannot make the worker's lock %s", path);
    }
    w->name = path_basename(path);
    return 0;
}

void expqueue_worker_close(struct expqueue_worker *w)
{
    if (w->fd >= 0) {
        fs_remove(w->path, NULL);
        close(w->fd);
        w->fd = -1;
    }
}

/* Someone holds the worker's lock. What dead ones left is removed. */
static bool is_alive(struct expqueue *q, const char *name)
{
    const char *path = place(q, "workers", name, "");
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool alive = flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    if (!alive) {
        fs_remove(path, NULL);
    }
    close(fd);
    return alive;
}

/* ---- reading ---- */

static bool contains(const char *const *revs, size_t count, const char *rev, size_t *at)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(revs[i], rev) == 0) {
            *at = i;
            return true;
        }
    }
    return false;
}

static int rank_of(enum exptask_state s)
{
    static const int ranks[] = {
        [EXPTASK_RUNNING] = 0, [EXPTASK_QUEUED] = 1, [EXPTASK_FAILED] = 2, [EXPTASK_SUCCESS] = 3};
    return ranks[s];
}

struct ranked {
    struct exptask task;
    size_t place;
};

static int compare_ranked(const void *x, const void *y)
{
    const struct ranked *a = x, *b = y;
    int ra = rank_of(a->task.state), rb = rank_of(b->task.state);
    if (ra != rb) {
        return ra - rb;
    }
    if (a->place != b->place) {
        return a->place < b->place ? -1 : 1;
    }
    return a->task.created_ms < b->task.created_ms   ? -1
           : a->task.created_ms > b->task.created_ms ? 1
                                                     : strcmp(a->task.rev, b->task.rev);
}

/* One task file; false: it counts for nothing. */
static bool read_task(struct expqueue *q, const char *path, const char *const *revs, size_t count,
                      struct ranked *out)
{
    struct err why = ERR_INIT;
    if (exptask_load(q->arena, path, &out->task, &why) < 0) {
        log_warn("exps", "%s", why.text);
        return false;
    }
    struct exptask *t = &out->task;
    out->place = 0;
    bool waits = contains(revs, count, t->rev, &out->place);
    if (t->state == EXPTASK_RUNNING && !is_alive(q, t->worker != NULL ? t->worker : "none")) {
        t->state = EXPTASK_QUEUED;
    }
    /* without its commit there is nothing to run: put was killed half-way, or someone dropped it */
    return waits || t->state == EXPTASK_FAILED || t->state == EXPTASK_SUCCESS;
}

int expqueue_read(struct expqueue *q, struct expqueue_list *out, struct err *e)
{
    const char *const *revs;
    const char *dir = file(q, "tasks");
    char **names = NULL;
    size_t rev_count, name_count = 0, n = 0;
    *out = (struct expqueue_list){0};
    if (expstash_list(q->repo, q->arena, EXPSTASH_QUEUED, &revs, &rev_count, e) < 0 ||
        (fs_is_dir(dir) && fs_list(q->arena, dir, &names, &name_count, e) < 0)) {
        return -1;
    }
    struct ranked *all = ARENA_ARRAY(q->arena, name_count + 1, struct ranked);
    for (size_t i = 0; i < name_count; i++) {
        if (strcmp(path_extension(names[i]), ".json") == 0 && names[i][0] != '.') {
            n += read_task(q, path_join(q->arena, dir, names[i]), revs, rev_count, &all[n]);
        }
    }
    qsort(all, n, sizeof *all, compare_ranked);
    out->items = ARENA_ARRAY(q->arena, n + 1, struct exptask);
    for (size_t i = 0; i < n; i++) {
        out->items[out->count++] = all[i].task;
    }
    return 0;
}

const struct exptask *expqueue_find(const struct expqueue_list *l, const char *name,
                                    unsigned states)
{
    const struct exptask *found = NULL;
    for (size_t i = 0; i < l->count; i++) {
        if ((states & 1u << l->items[i].state) != 0 && strcmp(l->items[i].name, name) == 0) {
            found = &l->items[i]; /* the newest of the name */
        }
    }
    size_t n = strlen(name);
    bool digits = n >= 5 && n <= 64 && strspn(name, "0123456789abcdef") == n;
    for (size_t i = 0; found == NULL && digits && i < l->count; i++) {
        if ((states & 1u << l->items[i].state) != 0 && strncmp(l->items[i].rev, name, n) == 0) {
            found = &l->items[i];
        }
    }
    return found;
}

int expqueue_workers(struct expqueue *q, size_t *count, size_t *active, struct err *e)
{
    struct expqueue_list l;
    const char *dir = file(q, "workers");
    char **names = NULL;
    size_t n = 0;
    *count = *active = 0;
    if (expqueue_read(q, &l, e) < 0 ||
        (fs_is_dir(dir) && fs_list(q->arena, dir, &names, &n, e) < 0)) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(path_extension(names[i]), ".lock") != 0 || !is_alive(q, names[i])) {
            continue;
        }
        bool busy = false;
        for (size_t k = 0; k < l.count && !busy; k++) {
            busy = l.items[k].state == EXPTASK_RUNNING && strcmp(l.items[k].worker, names[i]) == 0;
        }
        ++*count;
        *active += busy;
    }
    return 0;
}

/* ---- changing; the caller holds the lock ---- */

static int save(struct expqueue *q, const struct exptask *t, struct err *e)
{
    return exptask_save(expqueue_task_path(q, t->rev), t, e);
}

/* What a worker left: a result, or nothing. Strings are in the queue's arena. */
static bool read_result(struct expqueue *q, const char *rev, const char **commit,
                        const char **error)
{
    const struct value *v = json_load(q->arena, expqueue_result_path(q, rev), NULL);
    const struct value *c = value_get(v, "commit"), *why = value_get(v, "error");
    bool is_commit = c != NULL && c->type == VALUE_STR && (c->s.n == 40 || c->s.n == 64) &&
                     strspn(c->s.p, "0123456789abcdef") == c->s.n;
    *commit = is_commit ? arena_str(q->arena, c->s).p : NULL;
    *error = why != NULL && why->type == VALUE_STR ? arena_str(q->arena, why->s).p : NULL;
    return is_commit || *error != NULL;
}

static int keep_failure(struct expqueue *q, struct exptask *t, const char *why, struct err *e)
{
    t->state = EXPTASK_FAILED;
    t->error = why;
    return expstash_push(q->repo, EXPSTASH_FAILED, t, e);
}

static int keep_success(struct expqueue *q, struct exptask *t, const char *commit, struct err *e)
{
    struct err why = ERR_INIT;
    char id[65];
    memcpy(id, commit, strlen(commit) + 1);
    const char *ref = expcommit_ref(q->arena, t->baseline, t->name);
    if (expcommit_store(q->repo, ref, t->repro.force, id, &why) < 0) {
        return why.code == ERR_BUSY ? keep_failure(q, t, arena_strdup(q->arena, why.text), e)
                                    : err_set(e, why.code, "%s", why.text);
    }
    t->state = EXPTASK_SUCCESS;
    t->commit = arena_strdup(q->arena, id);
    return 0;
}

static int finish(struct expqueue *q, struct exptask *t, const char *commit, const char *error,
                  struct err *e)
{
    t->worker = NULL;
    int rc = commit != NULL ? keep_success(q, t, commit, e) : keep_failure(q, t, error, e);
    if (rc < 0 || save(q, t, e) < 0 || expstash_drop(q->repo, EXPSTASH_QUEUED, t->rev, e) < 0) {
        return err_wrap(e, "cannot record what became of the experiment '%s'", t->name);
    }
    return fs_remove(expqueue_result_path(q, t->rev), e);
}

int expqueue_put(struct expqueue *q, const struct exptask *t, struct err *e)
{
    int fd = lock_queue(q, e);
    if (fd < 0) {
        return -1;
    }
    int rc = fs_exists(expqueue_task_path(q, t->rev))
                 ? err_set(e, ERR_BUSY, "the experiment '%s' (%.7s) is in the queue already",
                           t->name, t->rev)
                 : 0;
    if (rc == 0 && (save(q, t, e) < 0 || expstash_push(q->repo, EXPSTASH_QUEUED, t, e) < 0)) {
        rc = err_wrap(e, "cannot queue the experiment '%s'", t->name);
    }
    close(fd);
    return rc;
}

static int claim(struct expqueue *q, const struct expqueue_worker *w, struct exptask *t, bool *got,
                 struct err *e)
{
    struct expqueue_list l;
    const char *commit, *error;
    *got = false;
    if (expqueue_read(q, &l, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < l.count && !*got; i++) {
        *t = l.items[i];
        if (t->state != EXPTASK_QUEUED) {
            continue;
        }
        if (read_result(q, t->rev, &commit, &error)) { /* its worker died before it collected */
            if (finish(q, t, commit, error, e) < 0) {
                return -1;
            }
            continue;
        }
        t->state = EXPTASK_RUNNING;
        t->worker = w->name;
        *got = true;
    }
    return *got ? save(q, t, e) : 0;
}

int expqueue_claim(struct expqueue *q, const struct expqueue_worker *w, struct exptask *t,
                   bool *got, struct err *e)
{
    int fd = lock_queue(q, e);
    int rc = fd < 0 ? -1 : claim(q, w, t, got, e);
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

int expqueue_put_back(struct expqueue *q, const struct exptask *t, struct err *e)
{
    struct exptask waiting = *t;
    waiting.state = EXPTASK_QUEUED;
    waiting.worker = NULL;
    int fd = lock_queue(q, e);
    int rc = fd < 0 ? -1 : save(q, &waiting, e);
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

int expqueue_collect(struct expqueue *q, struct exptask *t, const char *why, struct err *e)
{
    const char *commit, *error;
    int fd = lock_queue(q, e);
    if (fd < 0) {
        return -1;
    }
    read_result(q, t->rev, &commit, &error);
    int rc = finish(q, t, commit, error != NULL ? error : why, e);
    close(fd);
    return rc;
}

/* Is there a task of "<rev>.json" or <rev>, and has it run? What is not known may wait in DVC's own queue. */
static bool is_over(const struct expqueue_list *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++) {
        const struct exptask *t = &l->items[i];
        if (strncmp(t->rev, name, strlen(t->rev)) == 0) {
            return t->state == EXPTASK_SUCCESS || t->state == EXPTASK_FAILED;
        }
    }
    return false;
}

static int sweep_results(struct expqueue *q, const struct expqueue_list *l, struct err *e)
{
    const char *dir = path_join(q->arena, q->repo->tmp_dir, "exps/nephron/results");
    char **names;
    size_t count = 0;
    int rc = fs_is_dir(dir) ? fs_list(q->arena, dir, &names, &count, e) : 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = is_over(l, names[i]) ? fs_remove(path_join(q->arena, dir, names[i]), e) : 0;
    }
    return rc;
}

static int sweep_stash(struct expqueue *q, const struct expqueue_list *l, struct err *e)
{
    const char *const *revs;
    size_t count;
    int rc = expstash_list(q->repo, q->arena, EXPSTASH_QUEUED, &revs, &count, e);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = is_over(l, revs[i]) ? expstash_drop(q->repo, EXPSTASH_QUEUED, revs[i], e) : 0;
    }
    return rc;
}

int expqueue_sweep(struct expqueue *q, struct err *e)
{
    struct expqueue_list l;
    int fd = lock_queue(q, e);
    if (fd < 0) {
        return -1;
    }
    int rc = expqueue_read(q, &l, e);
    if (rc == 0) {
        rc = sweep_results(q, &l, e) < 0 || sweep_stash(q, &l, e) < 0 ? -1 : 0;
    }
    close(fd);
    return rc;
}

int expqueue_leave_result(const char *path, const char *commit, const char *error, struct err *e)
{
    struct arena a;
    struct strbuf text;
    arena_init(&a);
    strbuf_init(&text);
    struct value *v = value_map(&a);
    value_set(&a, v, commit != NULL ? "commit" : "error",
              value_cstr(&a, commit != NULL ? commit : error));
    json_write(&text, v, &(struct json_style){0});
    int rc = fs_mkdirs_for(path, e);
    if (rc == 0) {
        rc = fs_write_atomic(path, text.p, text.n, 0, e);
    }
    strbuf_release(&text);
    arena_release(&a);
    return rc;
}

static int remove_one(struct expqueue *q, const struct exptask *t, struct err *e)
{
    if (expstash_drop(q->repo, EXPSTASH_QUEUED, t->rev, e) < 0 ||
        expstash_drop(q->repo, EXPSTASH_FAILED, t->rev, e) < 0 ||
        fs_remove(expqueue_task_path(q, t->rev), e) < 0 ||
        fs_remove(expqueue_log_path(q, t->rev), e) < 0) {
        return err_wrap(e, "cannot remove the experiment '%s' from the queue", t->name);
    }
    return fs_remove(expqueue_result_path(q, t->rev), e);
}

int expqueue_remove(struct expqueue *q, const struct exptask *const *tasks, size_t count,
                    struct err *e)
{
    int fd = lock_queue(q, e);
    int rc = fd < 0 ? -1 : 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = remove_one(q, tasks[i], e);
    }
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

int expqueue_set_stop(struct expqueue *q, bool stop, struct err *e)
{
    const char *path = file(q, "stop");
    if (!stop) {
        return fs_remove(path, e);
    }
    return fs_mkdirs_for(path, e) < 0 ? -1 : fs_write_atomic(path, "", 0, 0, e);
}

bool expqueue_stopped(struct expqueue *q)
{
    return fs_exists(file(q, "stop"));
}
