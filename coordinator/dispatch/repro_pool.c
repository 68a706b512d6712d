/* Work on files beside the dispatching loop: hashing, the run cache, the object cache. See
 * repro_private.h. */
#include "repro_private.h"

#include "alloc.h"
#include "carry.h"
#include "checkout.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct queue {
    struct task *first, *last;
};

struct pool {
    struct run *run;
    pthread_t *threads;
    int thread_count, thread_max, idle;
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    struct queue todo, finished;
    int waiting; /* tasks in `todo` */
    size_t busy; /* submitted, not yet taken */
    struct runner *runner;
    bool quit;
};

static void push(struct queue *q, struct task *t)
{
    t->next = NULL;
    if (q->last != NULL) {
        q->last->next = t;
    } else {
        q->first = t;
    }
    q->last = t;
}

/* Someone holds a slot for it: it goes before what only has to be stored. */
static void push_front(struct queue *q, struct task *t)
{
    t->next = q->first;
    q->first = t;
    if (q->last == NULL) {
        q->last = t;
    }
}

static struct task *pop(struct queue *q)
{
    struct task *t = q->first;
    if (t != NULL) {
        q->first = t->next;
        if (q->first == NULL) {
            q->last = NULL;
        }
    }
    return t;
}

static unsigned commit_flags_of(const struct run *run)
{
    return (run->opt->no_commit ? COMMIT_NO_CACHE : 0u) |
           (run->opt->allow_missing ? COMMIT_ALLOW_MISSING : 0u);
}

/*
 * Before the command: what the run is about is read while the outputs still stand, so that a
 * missing dep leaves them alone (DVC removes them first).
 */
static int prepare(struct run *run, struct task *t, struct err *e)
{
    commit_begin(&t->commit, run->c->store, &t->arena, t->stage, t->old);
    bool at_start = run->opt->deps_at_start;
    if ((!t->force || at_start) && commit_deps(&t->commit, commit_flags_of(run), e) < 0) {
        return -1;
    }
    t->before = at_start ? t->commit.entry : NULL;
    if (!t->force) {
        if (commit_restore(&t->commit, !run->opt->no_run_cache, false, &t->restored, e) < 0) {
            return -1;
        }
        if (t->restored) {
            return 0;
        }
    }
    if (commit_clear_outs(run->c->store, &t->arena, t->stage, e) < 0) {
        return -1;
    }
    return run->c->carry ? carry_make(run->c->store, &t->arena, t->stage, &t->carry, e) : 0;
}

/* What was edited while the command ran is recorded as the command found it: the stage is stale again. */
static void record_as_found(struct task *t)
{
    struct lock_entry *now = t->commit.entry;
    if (t->before != NULL && t->before->dep_count == now->dep_count) {
        now->deps = t->before->deps;
        now->params = t->before->params;
    }
}

static int commit(struct run *run, struct task *t, struct err *e)
{
    unsigned flags = commit_flags_of(run);
    commit_begin(&t->commit, run->c->store, &t->arena, t->stage, t->old);
    if (commit_deps(&t->commit, flags, e) < 0) {
        return -1;
    }
    record_as_found(t);
    if (commit_outs(&t->commit, flags, e) < 0) {
        return -1;
    }
    return run->opt->no_commit ? 0 : commit_runcache(&t->commit, true, e);
}

static int verify(struct run *run, struct task *t, struct err *e)
{
    if (t->stage->cmd_count > 0) {
        return commit(run, t, e);
    }
    return commit_source(run->c->store, &t->arena, t->stage, commit_flags_of(run), NULL,
                         &t->source_changed, e);
}

static void work(struct run *run, struct task *t)
{
    err_clear(&t->err);
    switch (t->kind) {
    case TASK_PREPARE:
        t->rc = prepare(run, t, &t->err);
        break;
    case TASK_COMMIT:
        t->rc = commit(run, t, &t->err);
        break;
    case TASK_VERIFY:
        t->rc = verify(run, t, &t->err);
        break;
    }
}

static void *pool_main(void *arg)
{
    struct pool *p = arg;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        struct task *t = pop(&p->todo);
        if (t == NULL) {
            if (p->quit) {
                break;
            }
            p->idle++;
            pthread_cond_wait(&p->work, &p->lock);
            p->idle--;
            continue;
        }
        p->waiting--;
        pthread_mutex_unlock(&p->lock);
        work(p->run, t);
        pthread_mutex_lock(&p->lock);
        push(&p->finished, t);
        pthread_cond_signal(&p->done);
        if (p->runner != NULL) {
            p->runner->ops->wake(p->runner);
        }
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

struct pool *pool_new(struct run *run, int threads)
{
    struct pool *p = xcalloc(1, sizeof *p);
    p->run = run;
    p->thread_max = threads;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->done, &attr);
    pthread_condattr_destroy(&attr);
    p->threads = xcalloc((size_t)threads + 1, sizeof *p->threads);
    return p;
}

/* One more thread, when none is free for one more task. The caller holds the lock. */
static void grow(struct pool *p)
{
    if (p->idle > p->waiting || p->thread_count >= p->thread_max) {
        return;
    }
    /* Signals are for the dispatching thread: it waits in poll and looks at the flag. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    if (pthread_create(&p->threads[p->thread_count], NULL, pool_main, p) == 0) {
        p->thread_count++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void pool_free(struct pool *p)
{
    if (p == NULL) {
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->quit = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->thread_count; i++) {
        pthread_join(p->threads[i], NULL);
    }
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->done);
    free(p->threads);
    free(p);
}

void pool_attach(struct pool *p, struct runner *r)
{
    pthread_mutex_lock(&p->lock);
    p->runner = r;
    pthread_mutex_unlock(&p->lock);
}

void pool_submit(struct pool *p, struct task *t)
{
    pthread_mutex_lock(&p->lock);
    grow(p);
    bool inline_work = p->thread_count == 0; /* none are wanted, or none to be had */
    if (inline_work) {
        pthread_mutex_unlock(&p->lock);
        work(p->run, t);
        pthread_mutex_lock(&p->lock);
    }
    p->busy++;
    p->waiting += !inline_work;
    if (inline_work) {
        push(&p->finished, t);
    } else if (t->kind == TASK_PREPARE) {
        push_front(&p->todo, t);
    } else {
        push(&p->todo, t);
    }
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
}

struct task *pool_take(struct pool *p, int wait_ms)
{
    pthread_mutex_lock(&p->lock);
    if (wait_ms > 0 && p->finished.first == NULL && p->busy > 0) {
        struct timespec at;
        clock_gettime(CLOCK_MONOTONIC, &at);
        at.tv_nsec += (long)(wait_ms % 1000) * 1000000;
        at.tv_sec += wait_ms / 1000 + at.tv_nsec / 1000000000;
        at.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&p->done, &p->lock, &at);
    }
    struct task *t = pop(&p->finished);
    p->busy -= t != NULL;
    pthread_mutex_unlock(&p->lock);
    return t;
}

size_t pool_busy(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    size_t n = p->busy;
    pthread_mutex_unlock(&p->lock);
    return n;
}
