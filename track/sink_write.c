/*
 * The writer's thread: takes what was emitted, keeps the state of stages and ranks whole, beats
 * hearts, samples the system, and appends records to the spool of each run. One fsync a second for
 * all that came in it.
 */

#include "sink_private.h"

#include "alloc.h"
#include "err.h"
#include "log.h"
#include "num.h"

#include <uthash.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GATHER_US 20000 /* events that come within this time share a write */
#define TICK_US 1000000
#define OPEN_SPOOLS_MAX 64 /* ended runs keep their file open up to here, for late lines */

/* Fields of a stage or rank as in the contract; an event names some, the record has all. */
static const char *const stage_fields[] = {"status",   "reason", "rank",     "host",
                                           "start_ms", "end_ms", "exit_code"};
static const char *const rank_fields[] = {"host",      "pid",     "state",    "stage",
                                          "img_per_s", "step_ms", "rss_bytes"};
#define STATE_FIELDS 7

struct sink_unit { /* the last state of a stage or rank */
    char *key;     /* 's' or 'r' and the name */
    char *values[STATE_FIELDS];
    UT_hash_handle hh;
};

struct sink_last { /* the last value of a metric that thinning left out */
    char *name;
    struct strbuf payload;
    UT_hash_handle hh;
};

struct sink_run {
    char id[33];
    struct sink_spool *spool; /* NULL: none yet */
    bool open;                /* heart beats */
    bool sampled, is_stage;
    int64_t beat_due_us;
    uint64_t thin_count;
    struct sink_unit *units;
    struct sink_last *lasts;
    UT_hash_handle hh;
};

static int64_t now_us(const struct sink *s)
{
    return clock_mono_us(&s->clock);
}

/* ---- runs and spools ---- */

static struct sink_run *get_run(struct sink *s, const char *id)
{
    struct sink_run *run;
    HASH_FIND(hh, s->runs, id, 32, run);
    if (!run) {
        run = xcalloc(1, sizeof(*run));
        memcpy(run->id, id, 32);
        HASH_ADD(hh, s->runs, id[0], 32, run);
    }
    return run;
}

static void free_units(struct sink_run *run)
{
    struct sink_unit *u, *tmp;
    HASH_ITER(hh, run->units, u, tmp)
    {
        HASH_DEL(run->units, u);
        for (size_t i = 0; i < STATE_FIELDS; i++) {
            free(u->values[i]);
        }
        free(u->key);
        free(u);
    }
}

static void free_lasts(struct sink_run *run)
{
    struct sink_last *l, *tmp;
    HASH_ITER(hh, run->lasts, l, tmp)
    {
        HASH_DEL(run->lasts, l);
        strbuf_release(&l->payload);
        free(l->name);
        free(l);
    }
}

static void attach_spool(struct sink *s, struct sink_run *run, struct spool *spool)
{
    struct sink_spool *sp = xcalloc(1, sizeof(*sp)), **tail;
    sp->spool = spool;
    sp->disk = spool_path(spool) != NULL;
    sp->written = spool_bytes(spool);
    run->spool = sp;
    s->open_spools++;
    pthread_mutex_lock(&s->lock);
    for (tail = &s->spools; *tail; tail = &(*tail)->next) {
    }
    *tail = sp;
    pthread_mutex_unlock(&s->lock);
}

static void say_disk(struct sink *s, const struct err *why)
{
    if (!s->said_disk) {
        log_warn("tracker", "cannot write the spool, events are kept in memory only: %s",
                 why->text);
    }
    s->said_disk = true;
}

/* The disk first, memory when it refuses. false: neither. */
static bool open_spool(struct sink *s, struct sink_run *run, bool memory)
{
    struct err why = ERR_INIT;
    struct spool *spool = NULL;

    if (!memory && !s->spool_dir) {
        s->spool_dir = tracking_dir(&s->tracking, "spool", true, &why);
    }
    if (!memory && s->spool_dir) {
        spool = spool_create(s->spool_dir, run->id, &why);
    }
    if (!spool) {
        if (!memory) {
            say_disk(s, &why);
        }
        spool = spool_create_memory(run->id, &why);
    }
    if (!spool) {
        say_disk(s, &why);
        return false;
    }
    attach_spool(s, run, spool);
    return true;
}

static void mark_ended(struct sink *s, struct sink_spool *sp, bool ended)
{
    pthread_mutex_lock(&s->lock);
    sp->ended = ended;
    pthread_mutex_unlock(&s->lock);
}

/* A file that the sender has let go takes no more records. Otherwise it is kept from letting go (it
 * does so only with ended runs) until the record is published. Returns whether the run had ended.
 */
static bool claim_spool(struct sink *s, struct sink_run *run)
{
    bool ended = false;
    pthread_mutex_lock(&s->lock);
    if (run->spool && run->spool->released) {
        run->spool = NULL;
    } else if (run->spool) {
        ended = run->spool->ended;
        run->spool->ended = false;
    }
    pthread_mutex_unlock(&s->lock);
    return ended;
}

/* Appends the payload in `p`; a disk that fails is replaced by memory. */
static void append(struct sink *s, struct sink_run *run, struct str p)
{
    struct err why = ERR_INIT;
    bool ended = claim_spool(s, run);
    bool written =
        (run->spool || open_spool(s, run, false)) && spool_append(run->spool->spool, p, &why) == 0;
    if (!written && run->spool && run->spool->disk) {
        say_disk(s, &why);
        mark_ended(s, run->spool, true);
        written = open_spool(s, run, true) && spool_append(run->spool->spool, p, &why) == 0;
    }
    pthread_mutex_lock(&s->lock);
    if (run->spool) {
        run->spool->ended = ended;
    }
    if (written) {
        s->state.written++;
        run->spool->written = spool_bytes(run->spool->spool);
        run->spool->written_sequence = spool_sequence(run->spool->spool);
    } else {
        s->state.dropped++;
    }
    pthread_mutex_unlock(&s->lock);
}

static void append_event(struct sink *s, struct sink_run *run, const struct event *ev,
                         unsigned flags)
{
    strbuf_reset(&s->scratch);
    if (spool_pack(&s->scratch, ev, flags)) {
        append(s, run, strbuf_str(&s->scratch));
    }
}

/* ---- stages and ranks ---- */

static struct sink_unit *get_unit(struct sink_run *run, char kind, const char *name)
{
    struct sink_unit *u;
    size_t n = strlen(name) + 1;
    char *key = xmalloc(n + 1);

    key[0] = kind;
    memcpy(key + 1, name, n);
    HASH_FIND_STR(run->units, key, u);
    if (u) {
        free(key);
        return u;
    }
    u = xcalloc(1, sizeof(*u));
    u->key = key;
    HASH_ADD_KEYPTR(hh, run->units, u->key, strlen(u->key), u);
    return u;
}

static const char *field(const struct event *ev, const char *key)
{
    for (size_t i = 0; i < ev->field_count; i++) {
        if (strcmp(ev->fields[i].key, key) == 0) {
            return ev->fields[i].value;
        }
    }
    return NULL;
}

static void set_value(char **slot, const char *value)
{
    free(*slot);
    *slot = value ? xstrdup(value) : NULL;
}

/* Merges what is told with what was told before, and appends the whole. */
static void append_unit(struct sink *s, struct sink_run *run, const struct event *ev)
{
    bool stage = ev->kind == EVENT_STAGE;
    const char *const *names = stage ? stage_fields : rank_fields;
    size_t count = stage ? ARRAY_SIZE(stage_fields) : ARRAY_SIZE(rank_fields), n = 0;
    const char *name = field(ev, stage ? "stage" : "rank");
    struct event_field fields[STATE_FIELDS + 1];

    if (!name || !*name) {
        pthread_mutex_lock(&s->lock);
        s->state.dropped++;
        pthread_mutex_unlock(&s->lock);
        return;
    }
    struct sink_unit *u = get_unit(run, stage ? 's' : 'r', name);
    size_t state_at = stage ? 0 : 2;
    const char *state = field(ev, names[state_at]);
    bool change = state && (!u->values[state_at] || strcmp(state, u->values[state_at]) != 0);
    if (stage && change && (strcmp(state, "queued") == 0 || strcmp(state, "running") == 0)) {
        set_value(&u->values[5], NULL); /* a retry: the end of the last try is no more */
        set_value(&u->values[6], NULL);
    }
    fields[n++] = (struct event_field){stage ? "stage" : "rank", name};
    for (size_t i = 0; i < count; i++) {
        const char *told = field(ev, names[i]);
        if (told) {
            set_value(&u->values[i], told);
        }
        if (u->values[i]) {
            fields[n++] = (struct event_field){names[i], u->values[i]};
        }
    }
    struct event whole = *ev;
    whole.fields = fields;
    whole.field_count = n;
    append_event(s, run, &whole, change ? SPOOL_STATE_CHANGE : 0);
}

/* ---- a spool that is full ---- */

/* 1: everything is written; 2, 4 …: every so many-th metric and line. */
static uint64_t thin_factor(const struct sink *s, const struct sink_run *run)
{
    if (!run->spool) {
        return 1;
    }
    uint64_t max = run->spool->disk ? s->spool_max : s->memory_max;
    uint64_t bytes = spool_bytes(run->spool->spool);
    if (bytes < max) {
        return 1;
    }
    uint64_t level = 1 + (bytes - max) / (max / 8 + 1);
    return (uint64_t)1 << (level < 30 ? level : 30);
}

static void remember_last(struct sink_run *run, const char *name, struct str payload)
{
    struct sink_last *l;
    HASH_FIND_STR(run->lasts, name, l);
    if (!l) {
        if (HASH_COUNT(run->lasts) >= 10000) {
            return;
        }
        l = xcalloc(1, sizeof(*l));
        l->name = xstrdup(name);
        strbuf_init(&l->payload);
        HASH_ADD_KEYPTR(hh, run->lasts, l->name, strlen(l->name), l);
    }
    strbuf_reset(&l->payload);
    strbuf_addstr(&l->payload, payload);
}

static void forget_last(struct sink_run *run, const char *name)
{
    struct sink_last *l;
    HASH_FIND_STR(run->lasts, name, l);
    if (l) {
        HASH_DEL(run->lasts, l);
        strbuf_release(&l->payload);
        free(l->name);
        free(l);
    }
}

/* The last values of what was left out: never lost. */
static void append_lasts(struct sink *s, struct sink_run *run)
{
    struct sink_last *l, *tmp;
    HASH_ITER(hh, run->lasts, l, tmp)
    {
        append(s, run, strbuf_str(&l->payload));
    }
    free_lasts(run);
}

/* true: left out. */
static bool thin(struct sink *s, struct sink_run *run, const struct event *ev, struct str payload)
{
    uint64_t factor = thin_factor(s, run);
    const char *name = ev->kind == EVENT_METRIC ? field(ev, "name") : NULL;

    if (factor == 1 || run->thin_count++ % factor == 0) {
        if (name && run->lasts) {
            forget_last(run, name);
        }
        return false;
    }
    if (!s->said_thin) {
        log_warn("tracker", "the spool of run %.12s is full: metrics and log lines are thinned out",
                 run->id);
        s->said_thin = true;
    }
    if (name) {
        remember_last(run, name, payload);
    }
    pthread_mutex_lock(&s->lock);
    s->state.thinned++;
    pthread_mutex_unlock(&s->lock);
    return true;
}

/* ---- heart beats and the system ---- */

static void append_system(struct sink *s, struct sink_run *run, const struct system_sample *sample)
{
    const char *const names[] = {"cpu_percent", "memory_bytes", "net_receive_bytes_per_s",
                                 "net_transmit_bytes_per_s"};
    const double values[] = {sample->cpu_percent, (double)sample->memory_bytes,
                             sample->net_receive_bytes_per_s, sample->net_transmit_bytes_per_s};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char name[80], v[NUM_TEXT_SIZE];
        if (s->world > 1) {
            snprintf(name, sizeof(name), "system/%d/%s", s->rank, names[i]);
        } else {
            snprintf(name, sizeof(name), "system/%s", names[i]);
        }
        snprintf(v, sizeof(v), "%.*f", i == 0 ? 1 : 0, values[i]);
        struct event_field fields[] = {{"name", name}, {"v", v}, {"step", "0"}};
        struct event ev = {.kind = EVENT_METRIC,
                           .run = run->id,
                           .time_ms = clock_wall_ms(&s->clock),
                           .fields = fields,
                           .field_count = ARRAY_SIZE(fields)};
        append_event(s, run, &ev, 0);
    }
    run->sampled = true;
}

/* A run that ends before its first sample gets one now. */
static void sample_before_end(struct sink *s, struct sink_run *run)
{
    if (!s->no_system_metrics && run->open && !run->sampled && !run->is_stage) {
        struct system_sampler copy = s->sampler; /* others' intervals stay whole */
        struct system_sample sample;
        system_sampler_take(&copy, (double)now_us(s) / 1e6, &sample);
        append_system(s, run, &sample);
    }
}

static void tick(struct sink *s)
{
    struct sink_run *run, *tmp;
    int64_t now = now_us(s);
    struct system_sample sample;
    bool take = !s->no_system_metrics && now >= s->system_due_us && s->runs;

    if (take) {
        system_sampler_take(&s->sampler, (double)now / 1e6, &sample);
        s->system_due_us = now + s->system_us;
    }
    HASH_ITER(hh, s->runs, run, tmp)
    {
        if (!run->open) {
            continue;
        }
        if (now >= run->beat_due_us) {
            struct event beat = {.kind = EVENT_HEARTBEAT, .time_ms = clock_wall_ms(&s->clock)};
            append_event(s, run, &beat, 0);
            run->beat_due_us = now + s->heartbeat_us;
        }
        if (take && !run->is_stage) {
            append_system(s, run, &sample);
        }
    }
}

/* ---- events ---- */

static void open_run(struct sink *s, struct sink_run *run)
{
    if (!run->open) {
        run->open = true;
        run->beat_due_us = now_us(s) + s->heartbeat_us;
    }
}

static void on_start(struct sink *s, struct sink_run *run, const struct event *ev)
{
    const char *kind = field(ev, "kind");
    run->is_stage = kind && strcmp(kind, "stage") == 0;
    open_run(s, run);
}

static void handle_event(struct sink *s, struct sink_run *run, struct str payload,
                         const struct event *ev)
{
    bool change = ev->kind == EVENT_RUN_START || ev->kind == EVENT_RUN_END ||
                  (ev->kind == EVENT_RUN_UPDATE && field(ev, "status"));

    if (ev->kind == EVENT_STAGE || ev->kind == EVENT_RANK) {
        append_unit(s, run, ev);
        return;
    }
    if ((ev->kind == EVENT_METRIC || ev->kind == EVENT_LOG) && thin(s, run, ev, payload)) {
        return;
    }
    if (ev->kind == EVENT_RUN_START) {
        on_start(s, run, ev);
    } else if (ev->kind == EVENT_RUN_END) {
        append_lasts(s, run);
        sample_before_end(s, run);
        run->open = false;
    }
    append_event(s, run, ev, change ? SPOOL_STATE_CHANGE : 0);
    if (run->spool && (ev->kind == EVENT_RUN_START || ev->kind == EVENT_RUN_END)) {
        mark_ended(s, run->spool, ev->kind == EVENT_RUN_END);
    }
}

static void handle_batch(struct sink *s)
{
    struct spool_fields fields = {0};
    struct spool_record rec;
    size_t at = 0;

    while (at < s->batch.n) {
        struct queue_entry head;
        memcpy(&head, s->batch.p + at, sizeof(head));
        struct str payload = {s->batch.p + at + sizeof(head), head.payload_bytes};
        struct sink_run *run = get_run(s, head.run);
        if (head.type == QUEUE_WATCH) {
            open_run(s, run);
        } else if (spool_unpack(payload, &rec, &fields, NULL) == 0) {
            handle_event(s, run, payload, &rec.event);
        }
        at += sizeof(head) + head.payload_bytes;
    }
    spool_fields_release(&fields);
    strbuf_reset(&s->batch);
    if (s->batch.capacity > ((size_t)4 << 20)) {
        strbuf_release(&s->batch);
    }
}

static void sync_all(struct sink *s)
{
    struct sink_run *run, *tmp;
    HASH_ITER(hh, s->runs, run, tmp)
    {
        struct err why = ERR_INIT;
        if (run->spool && spool_sync(run->spool->spool, &why) < 0) {
            /* After a failed fsync the file is not believed: go on in a new one. */
            say_disk(s, &why);
            mark_ended(s, run->spool, true);
            run->spool = NULL;
        }
    }
}

/* Closes files of ended runs that the sender is done with, when there are many. */
static void close_released(struct sink *s)
{
    struct sink_spool *dead = NULL, **at, *sp;
    struct sink_run *run, *tmp;

    if (s->open_spools <= OPEN_SPOOLS_MAX) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    for (at = &s->spools; (sp = *at);) {
        if (sp->ended && (sp->released || !s->has_sender)) {
            *at = sp->next;
            sp->next = dead;
            dead = sp;
        } else {
            at = &sp->next;
        }
    }
    pthread_mutex_unlock(&s->lock);
    HASH_ITER(hh, s->runs, run, tmp)
    {
        for (sp = dead; sp; sp = sp->next) {
            if (run->spool == sp) {
                HASH_DEL(s->runs, run);
                free_units(run);
                free_lasts(run);
                free(run);
                break;
            }
        }
    }
    while ((sp = dead)) {
        dead = sp->next;
        spool_close(sp->spool, NULL);
        free(sp);
        s->open_spools--;
    }
}

static void finish(struct sink *s)
{
    struct sink_run *run, *tmp;
    HASH_ITER(hh, s->runs, run, tmp)
    {
        append_lasts(s, run);
    }
    sync_all(s);
}

/* Sleeps until there is something to do. true: closing. */
static bool wait_for_work(struct sink *s)
{
    struct timespec until;
    pthread_mutex_lock(&s->lock);
    if (s->queue.n == 0 && !s->closing) {
        int64_t wake_us = TICK_US < s->heartbeat_us ? TICK_US : s->heartbeat_us;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += (until.tv_nsec / 1000 + wake_us) / 1000000;
        until.tv_nsec = (until.tv_nsec + wake_us * 1000) % 1000000000;
        pthread_cond_timedwait(&s->writer_wake, &s->lock, &until);
    }
    bool gather = s->queue.n > 0 && s->queue.n < ((size_t)1 << 20) && !s->closing;
    pthread_mutex_unlock(&s->lock);
    if (gather) {
        clock_sleep_us(GATHER_US);
    }
    pthread_mutex_lock(&s->lock);
    struct strbuf full = s->queue;
    s->queue = s->batch;
    s->batch = full;
    bool closing = s->closing;
    pthread_mutex_unlock(&s->lock);
    return closing;
}

void *sink_writer_main(void *arg)
{
    struct sink *s = arg;
    bool closing = false;

    system_sampler_init(&s->sampler, (double)now_us(s) / 1e6);
    s->sync_due_us = now_us(s) + TICK_US;
    s->system_due_us = now_us(s) + (s->system_us < TICK_US ? s->system_us : TICK_US);
    while (!closing) {
        closing = wait_for_work(s);
        handle_batch(s);
        if (!closing) {
            tick(s);
        }
        if (now_us(s) >= s->sync_due_us) {
            sync_all(s);
            s->sync_due_us = now_us(s) + TICK_US;
        }
        close_released(s);
        pthread_mutex_lock(&s->lock);
        pthread_cond_signal(&s->sender_wake);
        pthread_mutex_unlock(&s->lock);
    }
    /* Emitters may have slipped in before they saw `closing`. */
    pthread_mutex_lock(&s->lock);
    struct strbuf full = s->queue;
    s->queue = s->batch;
    s->batch = full;
    s->written_all = true;
    pthread_mutex_unlock(&s->lock);
    handle_batch(s);
    finish(s);
    pthread_mutex_lock(&s->lock);
    s->drained = true;
    pthread_cond_signal(&s->sender_wake);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

void sink_writer_release(struct sink *s)
{
    struct sink_run *run, *tmp;
    HASH_ITER(hh, s->runs, run, tmp)
    {
        HASH_DEL(s->runs, run);
        free_units(run);
        free_lasts(run);
        free(run);
    }
    while (s->spools) {
        struct sink_spool *sp = s->spools;
        s->spools = sp->next;
        spool_close(sp->spool, NULL);
        free(sp);
    }
}
