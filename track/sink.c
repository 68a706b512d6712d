/* The sink's life: options, threads, the end. The parts and the picture are in sink.h and
 * sink_private.h. */

#include "sink.h"

#include "sink_private.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "log.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define JOIN_EXTRA_MS 3000 /* beyond SINK_CLOSE_MS: a name look-up cannot be interrupted */

static void copy_tracking(struct tracking *to, const struct tracking *from)
{
    *to = *from;
    to->project = xstrdup(from->project);
    to->redis_url = xstrdup(from->redis_url);
}

static struct sink *sink_alloc(const struct sink_options *opt)
{
    struct sink *s = xcalloc(1, sizeof(*s));
    int heartbeat = opt->heartbeat_ms > 0 ? opt->heartbeat_ms : SINK_HEARTBEAT_MS;
    int system_ms = opt->system_ms > 0 ? opt->system_ms : SINK_SYSTEM_MS;
    pthread_condattr_t attr;

    copy_tracking(&s->tracking, opt->tracking);
    s->events = (struct event_sink){.emit = sink_emit, .ctx = s};
    s->clock = opt->clock ? *opt->clock : clock_system;
    s->rank = opt->rank;
    s->world = opt->world > 0 ? opt->world : 1;
    s->spool_only = opt->spool_only || strcmp(opt->tracking->redis_url, "none") == 0;
    s->no_system_metrics = opt->no_system_metrics;
    s->heartbeat_us = (int64_t)heartbeat * 1000;
    s->system_us = (int64_t)system_ms * 1000;
    s->memory_max = opt->memory_max_bytes ? opt->memory_max_bytes : SINK_MEMORY_MAX;
    s->spool_max = opt->spool_max_bytes ? opt->spool_max_bytes : SPOOL_BYTES_MAX;
    s->jitter = (uint64_t)clock_mono_us(&clock_system) ^ (uint64_t)(opt->rank + 1) << 40;
    strbuf_init(&s->queue);
    strbuf_init(&s->batch);
    strbuf_init(&s->scratch);
    runstore_init(&s->store, &s->tracking);
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->writer_wake, &attr);
    pthread_cond_init(&s->sender_wake, &attr);
    pthread_condattr_destroy(&attr);
    return s;
}

static void sink_dispose(struct sink *s)
{
    sink_writer_release(s);
    strbuf_release(&s->queue);
    strbuf_release(&s->batch);
    strbuf_release(&s->scratch);
    tracking_release(&s->tracking);
    free(s->spool_dir);
    pthread_cond_destroy(&s->writer_wake);
    pthread_cond_destroy(&s->sender_wake);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

struct sink *sink_open(const struct sink_options *opt, struct err *e)
{
    struct sink *s = sink_alloc(opt);
    sigset_t all, old;

    /* Signals are for the threads of the program. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&s->writer, NULL, sink_writer_main, s);
    bool has_writer = rc == 0;
    if (rc == 0 && !s->spool_only) {
        rc = pthread_create(&s->sender, NULL, sink_sender_main, s);
        pthread_mutex_lock(&s->lock);
        s->has_sender = rc == 0;
        pthread_mutex_unlock(&s->lock);
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0) {
        err_set(e, ERR_IO, "cannot start the threads of the tracker: %s", strerror(rc));
        if (has_writer) {
            pthread_mutex_lock(&s->lock);
            s->closing = true;
            pthread_cond_signal(&s->writer_wake);
            pthread_mutex_unlock(&s->lock);
            pthread_join(s->writer, NULL);
        }
        sink_dispose(s);
        return NULL;
    }
    return s;
}

const struct event_sink *sink_events(struct sink *s)
{
    return s ? &s->events : NULL;
}

void sink_watch(struct sink *s, const char *run)
{
    if (s) {
        sink_push(s, QUEUE_WATCH, run);
    }
}

void sink_state(struct sink *s, struct sink_state *out)
{
    pthread_mutex_lock(&s->lock);
    *out = s->state;
    for (const struct sink_spool *sp = s->spools; sp; sp = sp->next) {
        out->behind += sp->written_sequence - sp->acked_sequence;
    }
    pthread_mutex_unlock(&s->lock);
}

static bool join_until(pthread_t thread, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    return pthread_timedjoin_np(thread, NULL, &until) == 0;
}

static void say_result(struct sink *s)
{
    struct sink_state st;
    sink_state(s, &st);
    if (st.behind && s->has_sender && !s->off) {
        log_warn("tracker",
                 "tracker behind by %" PRIu64 " records; they are sent at the next start",
                 st.behind);
    }
    if (st.dropped) {
        log_warn("tracker", "%" PRIu64 " malformed or surplus events were dropped", st.dropped);
    }
    if (st.thinned) {
        log_warn("tracker",
                 "%" PRIu64 " metric values and log lines were thinned out of a full spool",
                 st.thinned);
    }
}

void sink_close(struct sink *s)
{
    if (!s) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    s->closing = true;
    s->close_end_us = clock_mono_us(&clock_system) + (int64_t)SINK_CLOSE_MS * 1000;
    pthread_cond_signal(&s->writer_wake);
    pthread_cond_signal(&s->sender_wake);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->writer, NULL);
    if (s->has_sender && !join_until(s->sender, SINK_CLOSE_MS + JOIN_EXTRA_MS)) {
        /* It hangs in the resolver. The spool is safe; the thread keeps its memory until the
         * process ends. */
        pthread_detach(s->sender);
        log_warn("tracker", "Redis did not answer in time; events stay in the spool");
        return;
    }
    say_result(s);
    sink_dispose(s);
}
