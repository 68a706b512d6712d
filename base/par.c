/* The compute pool; see par.h.
 *
 * A loop is published by raising `generation`; workers take items from an atomic counter until none
 * is left and count themselves out. Waiting is a short spin (a training step starts hundreds of loops, a
 * sleep and wake-up costs ~50 us) followed by a futex-backed condition variable. */

#include "par.h"

#include "alloc.h"
#include "clock.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPIN_ROUNDS 2000

struct par {
    int threads;
    pthread_t *workers;
    pthread_mutex_t mutex;
    pthread_cond_t start, done;
    _Atomic unsigned generation;
    _Atomic int running; /* workers still in the current loop */
    _Atomic size_t next;
    size_t count;
    par_fn *fn;
    void *ctx;
    bool stop;
    par_poll_fn *poll; /* used by the thread that starts loops alone */
    void *poll_ctx;
    int64_t poll_every_us, polled_us;
};

struct worker_arg {
    struct par *pool;
    int thread;
};

static void cpu_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    sched_yield();
#endif
}

/* Asking for the time takes 30 ns, an item at least some microseconds. */
static void poll_now_and_then(struct par *p)
{
    int64_t now = clock_mono_us(&clock_system);
    if (now - p->polled_us >= p->poll_every_us) {
        p->poll(p->poll_ctx);
        p->polled_us = clock_mono_us(&clock_system);
    }
}

void par_set_poll(struct par *p, par_poll_fn *fn, void *ctx, int every_us)
{
    if (p != NULL) {
        p->poll = fn;
        p->poll_ctx = ctx;
        p->poll_every_us = every_us;
    }
}

static void run_items(struct par *p, int thread)
{
    for (size_t i; (i = atomic_fetch_add(&p->next, 1)) < p->count;) {
        p->fn(p->ctx, i, thread);
        if (thread == 0 && p->poll != NULL) {
            poll_now_and_then(p);
        }
    }
}

static unsigned wait_for_loop(struct par *p, unsigned seen)
{
    for (int i = 0; i < SPIN_ROUNDS; i++) {
        unsigned now = atomic_load(&p->generation);
        if (now != seen) {
            return now;
        }
        cpu_pause();
    }
    pthread_mutex_lock(&p->mutex);
    while (atomic_load(&p->generation) == seen) {
        pthread_cond_wait(&p->start, &p->mutex);
    }
    unsigned now = atomic_load(&p->generation);
    pthread_mutex_unlock(&p->mutex);
    return now;
}

static void *worker_main(void *arg)
{
    struct worker_arg w = *(struct worker_arg *)arg;
    free(arg);
    unsigned seen = 0;
    for (;;) {
        seen = wait_for_loop(w.pool, seen);
        if (w.pool->stop) {
            return NULL;
        }
        run_items(w.pool, w.thread);
        if (atomic_fetch_sub(&w.pool->running, 1) == 1) {
            pthread_mutex_lock(&w.pool->mutex);
            pthread_cond_signal(&w.pool->done);
            pthread_mutex_unlock(&w.pool->mutex);
        }
    }
}

struct par *par_new(int threads)
{
    struct par *p = xcalloc(1, sizeof(*p));
    p->threads = threads > 0 ? threads : par_cores();
    p->workers = xcalloc((size_t)p->threads, sizeof(*p->workers));
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->start, NULL);
    pthread_cond_init(&p->done, NULL);
    for (int i = 1; i < p->threads; i++) {
        struct worker_arg *arg = xmalloc(sizeof(*arg));
        *arg = (struct worker_arg){p, i};
        if (pthread_create(&p->workers[i], NULL, worker_main, arg) != 0) {
            free(arg);
            p->threads = i; /* fewer threads are slower, not wrong */
        }
    }
    return p;
}

static void publish(struct par *p)
{
    pthread_mutex_lock(&p->mutex);
    atomic_fetch_add(&p->generation, 1);
    pthread_cond_broadcast(&p->start);
    pthread_mutex_unlock(&p->mutex);
}

void par_free(struct par *p)
{
    if (p == NULL) {
        return;
    }
    p->stop = true;
    publish(p);
    for (int i = 1; i < p->threads; i++) {
        pthread_join(p->workers[i], NULL);
    }
    pthread_mutex_destroy(&p->mutex);
    pthread_cond_destroy(&p->start);
    pthread_cond_destroy(&p->done);
    free(p->workers);
    free(p);
}

int par_threads(const struct par *p)
{
    return p != NULL ? p->threads : 1;
}

size_t par_spread(const struct par *p, size_t k, size_t count)
{
    size_t parts = (size_t)par_threads(p);
    size_t longer = count % parts; /* so many parts have one item more */
    size_t part = k % parts;
    return part * (count / parts) + (part < longer ? part : longer) + k / parts;
}

static void wait_done(struct par *p)
{
    for (int i = 0; i < SPIN_ROUNDS; i++) {
        if (atomic_load(&p->running) == 0) {
            return;
        }
        cpu_pause();
    }
    pthread_mutex_lock(&p->mutex);
    while (atomic_load(&p->running) > 0) {
        pthread_cond_wait(&p->done, &p->mutex);
    }
    pthread_mutex_unlock(&p->mutex);
}

void par_for(struct par *p, size_t count, par_fn *fn, void *ctx)
{
    if (p == NULL || p->threads == 1 || count <= 1) {
        for (size_t i = 0; i < count; i++) {
            fn(ctx, i, 0);
            if (p != NULL && p->poll != NULL) {
                poll_now_and_then(p);
            }
        }
        return;
    }
    p->fn = fn;
    p->ctx = ctx;
    p->count = count;
    atomic_store(&p->next, 0);
    atomic_store(&p->running, p->threads - 1);
    publish(p);
    run_items(p, 0);
    wait_done(p);
}

/* cgroup v2 quota in cores, rounded up; 0 when there is none. */
static int cgroup_cores(void)
{
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (f == NULL) {
        return 0;
    }
    long long quota, period;
    int n = fscanf(f, "%lld %lld", &quota, &period);
    fclose(f);
    return n == 2 && period > 0 ? (int)((quota + period - 1) / period) : 0;
}

int par_cores(void)
{
    cpu_set_t set;
    int cores = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    int quota = cgroup_cores();
    return quota > 0 && quota < cores ? quota : cores;
}
