/* sftppool: see sftppool.h. One lock; `changed` says whatever there is to say. */
#include "sftppool.h"

#include "alloc.h"
#include "clock.h"
#include "log.h"
#include "rng.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CONNECTING_AT_ONCE 4 /* sshd drops some of more than 10 that are not logged in */
#define WATCH_MS 500
#define BACKOFF_MAX_MS 30000
#define PROGRESS_BYTES_MIN ((uint64_t)1 << 20)

struct task {
    struct netop *op;
    sftppool_fn *fn;
    void *ctx, *state;
    struct task *next;
};

struct worker {
    struct sftppool *pool;
    pthread_t thread;
    struct sshlink link;
    bool open;
};

struct sftppool {
    struct sftppool_options opt;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct task *first, **end;
    size_t queued, idle, connecting;
    struct worker *workers; /* as many as opt.connections */
    size_t started, open;
    size_t most; /* of workers; fewer when the server takes no more */
    bool stop;
    struct rng jitter;
    pthread_t watcher;
};

/* ---- waiting ---- */

/* Under the lock. */
static void wait_ms(struct sftppool *p, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&p->changed, &p->lock, &until);
}

/* Between two tries. False: the pool ends. */
static bool pause_before(struct sftppool *p, unsigned tries)
{
    int64_t base = (p->opt.retry_ms > 0 ? p->opt.retry_ms : 1000) << (tries - 1);
    base = base > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : base;
    pthread_mutex_lock(&p->lock);
    int64_t ms = (int64_t)((double)base * rng_range(&p->jitter, 0.5, 1.5)) + 1;
    int64_t until = clock_mono_us(&clock_system) + ms * 1000, now;
    while (!p->stop && (now = clock_mono_us(&clock_system)) < until) {
        wait_ms(p, (until - now) / 1000 + 1);
    }
    bool go_on = !p->stop;
    pthread_mutex_unlock(&p->lock);
    return go_on;
}

static void *watch(void *arg)
{
    struct sftppool *p = arg;
    pthread_mutex_lock(&p->lock);
    while (!p->stop) {
        wait_ms(p, WATCH_MS);
        for (size_t i = 0; i < p->started || i == 0; i++) {
            sshlink_watch(&p->workers[i].link, clock_mono_us(&clock_system));
        }
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* ---- connections ---- */

static void set_open(struct worker *w, bool open)
{
    struct sftppool *p = w->pool;
    pthread_mutex_lock(&p->lock);
    p->open += (size_t)open;
    p->open -= (size_t)w->open;
    w->open = open;
    pthread_mutex_unlock(&p->lock);
}

static int connect_worker(struct worker *w, bool *again, struct err *e)
{
    struct sftppool *p = w->pool;
    pthread_mutex_lock(&p->lock);
    while (p->connecting >= CONNECTING_AT_ONCE && !p->stop) {
        pthread_cond_wait(&p->changed, &p->lock);
    }
    bool stop = p->stop;
    p->connecting++;
    pthread_mutex_unlock(&p->lock);
    *again = false;
    int rc = stop ? err_set(e, ERR_INTERRUPTED, "interrupted") : sshlink_open(&w->link, again, e);
    pthread_mutex_lock(&p->lock);
    p->connecting--;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    if (rc == 0) {
        set_open(w, true);
    }
    return rc;
}

static void disconnect_worker(struct worker *w)
{
    sshlink_close(&w->link);
    set_open(w, false);
}

/* ---- requests ---- */

static void end_task(struct task *t, const struct err *e)
{
    if (e->code == ERR_NONE) {
        netop_done(t->op);
    } else {
        netop_fail(t->op, e);
    }
    free(t->state);
    free(t);
}

void sftppool_moved(void *op, uint64_t bytes)
{
    struct netop *o = op;
    o->pending += bytes; /* since the last trouble */
    netremote_moved(o->remote, bytes);
}

/* One try. *again: another one may do it. */
static int try_task(struct worker *w, const struct task *t, bool *again, struct err *e)
{
    *again = false;
    if (!w->open && connect_worker(w, again, e) < 0) {
        return -1;
    }
    size_t reply = t->op->reply.n;
    int rc = t->fn(t->ctx, &w->link, t->op, t->state, e);
    sshlink_rest(&w->link);
    if (rc < 0) {
        strbuf_truncate(&t->op->reply, reply);
        *again = w->link.broken;
    }
    if (w->link.broken) {
        disconnect_worker(w);
    }
    return rc;
}

/* The server takes no more of us: the others do it. */
static bool leave_to_others(struct worker *w, struct task *t)
{
    struct sftppool *p = w->pool;
    pthread_mutex_lock(&p->lock);
    bool others = !w->open && p->open > 0 && !p->stop;
    if (others) {
        t->next = p->first;
        p->end = p->first ? p->end : &t->next;
        p->first = t;
        p->queued++;
        p->most = p->open;
        pthread_cond_broadcast(&p->changed);
    }
    pthread_mutex_unlock(&p->lock);
    return others;
}

static bool is_stopped(struct sftppool *p)
{
    pthread_mutex_lock(&p->lock);
    bool stop = p->stop;
    pthread_mutex_unlock(&p->lock);
    return stop;
}

/* Counts a failure and waits. False: that was the last try. */
static bool wait_to_retry(struct sftppool *p, const struct task *t, unsigned *tries, struct err *e)
{
    *tries = t->op->pending >= PROGRESS_BYTES_MIN ? 1 : *tries + 1;
    t->op->pending = 0;
    if (*tries >= SFTPPOOL_TRIES) {
        err_append(e, " (%d tries)", SFTPPOOL_TRIES);
        return false;
    }
    log_info("ssh", "%s; try %u of %d", e->text, *tries + 1, SFTPPOOL_TRIES);
    return pause_before(p, *tries);
}

/* False: this worker is of no use any more. */
static bool run_task(struct worker *w, struct task *t)
{
    struct sftppool *p = w->pool;
    bool again = false, new_here = !w->open;
    unsigned tries = 0;
    struct err e = ERR_INIT;
    while (try_task(w, t, &again, &e) < 0 && again && !is_stopped(p)) {
        if (new_here && tries == 0 && leave_to_others(w, t)) {
            return false;
        }
        if (!wait_to_retry(p, t, &tries, &e)) {
            break;
        }
        e = (struct err)ERR_INIT;
    }
    if (e.code != ERR_NONE && is_stopped(p)) {
        err_set(&e, ERR_INTERRUPTED, "interrupted");
    }
    end_task(t, &e);
    return true;
}

static struct task *next_task(struct sftppool *p)
{
    pthread_mutex_lock(&p->lock);
    p->idle++;
    while (!p->first && !p->stop) {
        pthread_cond_wait(&p->changed, &p->lock);
    }
    p->idle--;
    struct task *t = p->stop ? NULL : p->first;
    if (t) {
        p->first = t->next;
        p->end = p->first ? p->end : &p->first;
        p->queued--;
    }
    pthread_mutex_unlock(&p->lock);
    return t;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    for (struct task *t; (t = next_task(w->pool));) {
        if (!run_task(w, t)) {
            break;
        }
    }
    return NULL;
}

/* ---- the pool ---- */

/* Under the lock. */
static void start_worker(struct sftppool *p)
{
    struct worker *w = &p->workers[p->started];
    w->pool = p;
    if (w != p->workers) { /* which was begun with */
        sshlink_init(&w->link, p->opt.settings);
    }
    if (pthread_create(&w->thread, NULL, work, w) != 0) {
        BUG("no thread for a connection");
    }
    p->started++;
}

void sftppool_start(struct sftppool *p, struct netop *op, sftppool_fn *fn, void *ctx,
                    size_t state_bytes)
{
    struct task *t = xcalloc(1, sizeof(*t));
    *t = (struct task){.op = op, .fn = fn, .ctx = ctx, .state = xcalloc(1, state_bytes + 1)};
    pthread_mutex_lock(&p->lock);
    *p->end = t;
    p->end = &t->next;
    p->queued++;
    size_t jobs = netremote_jobs(p->opt.remote), most = jobs > 0 && jobs < p->most ? jobs : p->most;
    if (p->queued > p->idle && p->started < most) {
        start_worker(p);
    }
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

static int first_connection(struct sftppool *p, struct err *e)
{
    struct worker *w = &p->workers[0];
    bool again;
    unsigned tries = 0;
    while (connect_worker(w, &again, e) < 0) {
        if (!again || ++tries == SFTPPOOL_TRIES || netremote_stopping(p->opt.remote)) {
            return again ? err_append(e, " (%u tries)", tries) : -1;
        }
        pause_before(p, tries);
    }
    sshlink_rest(&w->link);
    return 0;
}

struct sftppool *sftppool_new(const struct sftppool_options *opt, struct err *e)
{
    struct sftppool *p = xcalloc(1, sizeof(*p));
    pthread_condattr_t monotonic;
    p->opt = *opt;
    p->most = opt->connections;
    p->end = &p->first;
    p->workers = xcalloc(opt->connections, sizeof(*p->workers));
    rng_init(&p->jitter, (uint64_t)clock_mono_us(&clock_system), RNG_TEST, (uint64_t)getpid(), 0);
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&p->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    p->workers[0].pool = p;
    sshlink_init(&p->workers[0].link, opt->settings);
    if (pthread_create(&p->watcher, NULL, watch, p) != 0) {
        BUG("no thread for watching connections");
    }
    if (first_connection(p, e) < 0) {
        sftppool_free(p);
        return NULL;
    }
    return p;
}

void sftppool_free(struct sftppool *p)
{
    struct err why = ERR_INIT;
    err_set(&why, ERR_INTERRUPTED, "interrupted");
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    struct task *left = p->first;
    p->first = NULL;
    for (size_t i = 0; i < p->started; i++) {
        sshlink_cut(&p->workers[i].link);
    }
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->watcher, NULL);
    for (size_t i = 0; i < p->started; i++) {
        pthread_join(p->workers[i].thread, NULL);
    }
    for (size_t i = 0; i < p->started || i == 0; i++) {
        sshlink_release(&p->workers[i].link);
    }
    for (struct task *t = left; t;) {
        struct task *next = t->next;
        end_task(t, &why);
        t = next;
    }
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p->workers);
    free(p);
}
