/*
 * The sender's thread: from the spool files to Redis. It may block as long as its time-outs allow;
 * nobody waits for it but sink_close, and that for a bounded time. After each connect Redis says
 * how far it is, so whatever happened to the server meanwhile, the right record comes next.
 */

#include "sink_private.h"

#include "err.h"
#include "log.h"

#include <hiredis/hiredis.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_FIRST_US ((int64_t)5000000)
#define RETRY_MAX_US ((int64_t)60000000)
#define PATIENCE_US ((int64_t)10000000)
#define NOTE_BYTES ((uint64_t)64 << 10) /* the side file is renewed each so many bytes */
#define RELEASE_ABOVE 200               /* ended spools kept open while Redis is away */

static int64_t now_us(void)
{
    return clock_mono_us(&clock_system);
}

bool sink_deadline_passed(void *arg)
{
    struct sink *s = arg;
    pthread_mutex_lock(&s->lock);
    bool passed = s->closing && now_us() >= s->close_end_us;
    pthread_mutex_unlock(&s->lock);
    return passed;
}

/* ---- circuit breaker ---- */

static void set_connected(struct sink *s, bool connected)
{
    pthread_mutex_lock(&s->lock);
    s->state.connected = connected;
    pthread_mutex_unlock(&s->lock);
}

/* Closes the connection and decides when to try again. */
static void fail(struct sink *s, const struct err *why)
{
    int64_t now = now_us();
    redis_close(s->redis);
    s->redis = NULL;
    set_connected(s, false);
    /* A flushed script or a lost record is cured by connecting again; once in five seconds at once.
     */
    bool curable = strstr(why->text, "NOSCRIPT") || strstr(why->text, "GAP after");
    if (curable && now >= s->immediate_us) {
        s->immediate_us = now + RETRY_FIRST_US;
        s->retry_us = now;
        return;
    }
    s->delay_us = s->delay_us ? s->delay_us * 2 : RETRY_FIRST_US;
    s->delay_us = s->delay_us < RETRY_MAX_US ? s->delay_us : RETRY_MAX_US;
    s->jitter = s->jitter * 6364136223846793005u + 1442695040888963407u;
    int64_t spread = s->delay_us / 5; /* ranks must not come back all at once */
    s->retry_us = now + s->delay_us - spread / 2 + (int64_t)(s->jitter >> 33) % (spread + 1);
    s->away_us = s->away_us != 0 ? s->away_us : now;
    /* On a busy disk a server of ours stands still for seconds, behind its own fsync: no news, since nothing
     * is lost. A server that was never there is news at once. */
    if (!s->said_away && (!s->met || now - s->away_us > PATIENCE_US)) {
        log_warn("tracker", "%s; events stay in the spool until Redis is there", why->text);
        s->said_away = true;
    } else {
        log_debug("tracker", "%s", why->text);
    }
}

/* Servers of others: said once when they may lose what they were given. */
/* One setting as Redis has it, NUL-terminated; "" when it does not say (a server of others may forbid to ask). */
static void get_setting(struct sink *s, const char *name, char value[64])
{
    redisReply *reply = redis_command(s->redis, NULL, "CONFIG", "GET", name, NULL);
    bool said = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
                reply->element[1]->type == REDIS_REPLY_STRING;
    snprintf(value, 64, "%s", said ? reply->element[1]->str : "");
    redis_reply_free(reply);
}

/* Servers of others: said once when they may lose what they were given. */
static void check_settings(struct sink *s)
{
    if (s->said_settings || strcmp(s->tracking.redis_url, "auto") == 0) {
        return;
    }
    s->said_settings = true;
    char value[64];
    get_setting(s, "maxmemory-policy", value);
    if (value[0] != 0 && strcmp(value, "noeviction") != 0) {
        log_warn("tracker", "Redis has maxmemory-policy %s: it may throw runs away; set noeviction",
                 value);
    }
    if (redis_usable(s->redis)) {
        get_setting(s, "appendonly", value);
        if (strcmp(value, "no") == 0) {
            log_warn("tracker",
                     "Redis has appendonly no: it forgets runs when it is restarted; set yes");
        }
    }
}

static void forget_places(struct sink *s)
{
    pthread_mutex_lock(&s->lock);
    for (struct sink_spool *sp = s->spools; sp; sp = sp->next) {
        sp->located = false;
    }
    pthread_mutex_unlock(&s->lock);
}

/* What dead processes left goes first, so that a resumed run is told in order. */
static int send_leftovers(struct sink *s, struct err *e)
{
    uint64_t sent = 0;
    struct replay_stop stop = {sink_deadline_passed, s};
    int rc =
        replay_folder(&s->tracking, &s->store, s->redis, clock_wall_ms(&s->clock), &stop, &sent, e);
    if (sent) {
        log_info("tracker", "sent %" PRIu64 " records of earlier processes", sent);
    }
    return rc;
}

static void try_connect(struct sink *s)
{
    struct err why = ERR_INIT;

    s->redis = redis_connect(&s->tracking, true, &why);
    if (!s->redis) {
        if (why.code == ERR_MISSING && !s->said_away) {
            log_warn("tracker", "%s; runs are kept in the local spool", why.text);
            s->off = true;
            return;
        }
        fail(s, &why);
        return;
    }
    forget_places(s);
    if (runstore_prepare(&s->store, s->redis, &why) < 0 || send_leftovers(s, &why) < 0) {
        fail(s, &why);
        return;
    }
    check_settings(s);
    if (!redis_usable(s->redis)) {
        err_set(&why, ERR_REMOTE, "Redis closed the connection");
        fail(s, &why);
        return;
    }
    set_connected(s, true);
    if (s->said_away && s->met) {
        log_info("tracker", "Redis is there again");
    }
    s->met = true;
    s->away_us = 0;
}

/* ---- sending ---- */

struct piece {
    struct sink_spool *sp;
    uint64_t written, written_sequence;
    bool ended;
};

/* The next spool behind `after` (NULL: the first) that this thread still serves. */
static bool next_piece(struct sink *s, struct sink_spool *after, struct piece *out)
{
    pthread_mutex_lock(&s->lock);
    struct sink_spool *sp = after ? after->next : s->spools;
    while (sp && sp->released) {
        sp = sp->next;
    }
    if (sp) {
        *out = (struct piece){sp, sp->written, sp->written_sequence, sp->ended};
    }
    pthread_mutex_unlock(&s->lock);
    return sp != NULL;
}

static void note_sent(struct sink_spool *sp, bool force)
{
    const char *path = spool_path(sp->spool);
    if (path && sp->progress.offset != sp->noted &&
        (force || sp->progress.offset - sp->noted >= NOTE_BYTES)) {
        if (spool_write_sent(path, sp->progress.offset, sp->progress.sequence, NULL) == 0) {
            sp->noted = sp->progress.offset;
        }
    }
}

static void drop_cursor(struct sink_spool *sp)
{
    if (sp->has_cursor) {
        spool_cursor_release(&sp->cursor);
        sp->has_cursor = false;
    }
}

/* Lets go of a file of an ended run. The writer may close it as soon as it sees `released`, so the
 * cursor goes first; a late record that came meanwhile (`written` beyond what is sent, unless
 * forced) keeps the file. */
static void release(struct sink *s, struct sink_spool *sp, bool forced)
{
    note_sent(sp, true);
    drop_cursor(sp);
    sp->located = false;
    pthread_mutex_lock(&s->lock);
    if (sp->ended && (forced || sp->written == sp->progress.offset)) {
        sp->released = true;
    }
    pthread_mutex_unlock(&s->lock);
}

static int send_piece(struct sink *s, const struct piece *p, struct err *e)
{
    struct sink_spool *sp = p->sp;
    const char *run = spool_run(sp->spool), *writer = spool_writer(sp->spool);
    int rc = 1;

    if (!sp->has_cursor) {
        spool_cursor_init(&sp->cursor, spool_fd(sp->spool));
        sp->progress = (struct replay_progress){.offset = SPOOL_HEADER_BYTES};
        sp->has_cursor = true;
    }
    if (!sp->located) {
        /* A pipeline that broke off left the cursor ahead of what was acknowledged. */
        if (replay_locate(&s->store, s->redis, run, writer, &sp->cursor, p->written, &sp->progress,
                          e) < 0) {
            return -1;
        }
        sp->located = true;
    }
    while (rc == 1 && sp->progress.offset < p->written && !sink_deadline_passed(s)) {
        rc = replay_batch(&s->store, s->redis, run, writer, &sp->cursor, p->written, &sp->progress,
                          e);
        pthread_mutex_lock(&s->lock);
        sp->acked_sequence = sp->progress.sequence;
        pthread_mutex_unlock(&s->lock);
    }
    note_sent(sp, false);
    return rc < 0 ? -1 : 0;
}

/* true: everything that was written is acknowledged. */
static bool send_all(struct sink *s)
{
    struct err why = ERR_INIT;
    struct piece p = {0};
    bool all = true;

    while (next_piece(s, p.sp, &p)) {
        bool done = p.sp->located && p.sp->progress.offset >= p.written;
        if (!done) {
            if (send_piece(s, &p, &why) < 0) {
                fail(s, &why);
                return false;
            }
            s->delay_us = 0; /* it works: the next outage starts from the shortest pause */
            done = p.sp->progress.offset >= p.written;
        }
        all = all && done;
        if (done && p.ended) {
            release(s, p.sp, false);
        }
    }
    return all;
}

/* With Redis away, files of ended runs are not kept open: they go with the left-overs later. */
static void release_ended(struct sink *s)
{
    struct piece p = {0};
    size_t count = 0;

    while (next_piece(s, p.sp, &p)) {
        count++;
    }
    p.sp = NULL;
    while (count > RELEASE_ABOVE && next_piece(s, p.sp, &p)) {
        if (p.ended) {
            release(s, p.sp, true);
            count--;
        }
    }
}

/* Waits for new records, the next try, or the end. true: closing and the writer has drained. */
static bool wait_for_records(struct sink *s, bool idle)
{
    pthread_mutex_lock(&s->lock);
    if (idle && !s->drained) {
        pthread_cond_wait(&s->sender_wake, &s->lock); /* the writer signals at least each second */
    }
    bool drained = s->drained;
    pthread_mutex_unlock(&s->lock);
    return drained;
}

static bool closing_now(struct sink *s)
{
    pthread_mutex_lock(&s->lock);
    bool closing = s->closing;
    pthread_mutex_unlock(&s->lock);
    return closing;
}

void *sink_sender_main(void *arg)
{
    struct sink *s = arg;
    bool all = false, drained = false;

    while (!(drained && (all || s->off || sink_deadline_passed(s)))) {
        /* `drained` first: what is read after it is final. */
        drained = wait_for_records(s, all || !s->redis);
        bool last_try = closing_now(s) && !s->final_try;
        if (!s->redis && !s->off && (now_us() >= s->retry_us || last_try)) {
            s->final_try = s->final_try || last_try;
            try_connect(s);
        }
        all = s->redis && send_all(s);
        if (!s->redis && !s->off) {
            release_ended(s);
            if (drained && s->final_try) {
                break; /* one try at the end: an outage does not cost the whole time */
            }
        }
    }
    for (struct piece p = {0}; next_piece(s, p.sp, &p);) {
        note_sent(p.sp, true);
        drop_cursor(p.sp);
    }
    redis_close(s->redis);
    s->redis = NULL;
    set_connected(s, false);
    return NULL;
}
