/*
 * The front of the sink: an event is checked, cleaned, packed and added to a buffer under a lock.
 * Nothing here waits for disk or net. The writer takes the whole buffer at once, so the lock is
 * held for copies only.
 */

#include "sink_private.h"

#include "alloc.h"
#include "err.h"

#include <stdlib.h>
#include <string.h>

#define FIELDS_ON_STACK 64

/* The limits of MLflow 3.17, which reads these runs later. */
static size_t value_limit(enum event_kind kind)
{
    switch (kind) {
    case EVENT_PARAM:
        return 6000;
    case EVENT_LOG:
        return 4096;
    case EVENT_METRIC:
        return RUNSTORE_NAME_MAX + 1;
    default:
        return 8000;
    }
}

/* Nothing to change: valid UTF-8, short enough, and no control characters where lines are shown. */
static bool is_clean(struct str s, size_t limit, bool line)
{
    if (s.n > limit || str_utf8_valid(s) != s.n) {
        return false;
    }
    for (size_t i = 0; line && i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

/* Bytes that are no UTF-8 become '?', control characters of lines \xNN, what is too long is cut.
 * Returns new. */
static char *clean(struct str s, size_t limit, bool line)
{
    struct strbuf b;
    strbuf_init(&b);
    while (s.n) {
        size_t good = str_utf8_valid(s);
        for (size_t i = 0; i < good; i++) {
            unsigned char c = (unsigned char)s.p[i];
            if (line && ((c < 0x20 && c != '\t') || c == 0x7f)) {
                strbuf_addf(&b, "\\x%02x", c);
            } else {
                strbuf_addch(&b, (char)c);
            }
        }
        if (good < s.n) {
            strbuf_addch(&b, '?');
            good++;
        }
        s = str_sub(s, good, s.n - good);
    }
    if (b.n > limit) {
        size_t end = limit - 3;
        while (end > 0 && ((unsigned char)b.p[end] & 0xc0) == 0x80) {
            end--; /* not inside a character */
        }
        strbuf_truncate(&b, end);
        strbuf_adds(&b, "…");
    }
    return strbuf_detach(&b);
}

static bool event_valid(const struct event *ev)
{
    if (!ev->run || !spool_is_run_id(ev->run) || ev->field_count > 10000) {
        return false;
    }
    for (size_t i = 0; i < ev->field_count; i++) {
        const struct event_field *f = &ev->fields[i];
        if (!f->key || !f->value || !runstore_field_name_valid(f->key)) {
            return false;
        }
        if (ev->kind == EVENT_METRIC && strcmp(f->key, "name") == 0 &&
            !runstore_metric_name_valid(f->value)) {
            return false;
        }
    }
    return true;
}

/* Adds an entry; the caller has the lock. */
static bool push_locked(struct sink *s, enum queue_type type, const char *run,
                        const struct event *ev)
{
    struct queue_entry head = {.type = (uint8_t)type};
    size_t start = s->queue.n;

    memcpy(head.run, run, 32);
    strbuf_add(&s->queue, &head, sizeof(head));
    if (ev && !spool_pack(&s->queue, ev, 0)) {
        strbuf_truncate(&s->queue, start);
        return false;
    }
    head.payload_bytes = (uint32_t)(s->queue.n - start - sizeof(head));
    memcpy(s->queue.p + start, &head, sizeof(head));
    return true;
}

static void push(struct sink *s, enum queue_type type, const char *run, const struct event *ev)
{
    pthread_mutex_lock(&s->lock);
    bool was_empty = s->queue.n == 0;
    /* Metrics and lines yield when the disk hangs; what a run is and how it ended is always kept.
     */
    bool room =
        s->queue.n < s->memory_max ||
        (ev && ev->kind != EVENT_METRIC && ev->kind != EVENT_LOG && s->queue.n < 2 * s->memory_max);
    if (!s->written_all && room && push_locked(s, type, run, ev)) {
        s->state.emitted += ev != NULL;
    } else {
        s->state.dropped++;
    }
    if (was_empty) {
        pthread_cond_signal(&s->writer_wake);
    }
    pthread_mutex_unlock(&s->lock);
}

void sink_push(struct sink *s, enum queue_type type, const char *run)
{
    if (run && spool_is_run_id(run)) {
        push(s, type, run, NULL);
    }
}

void sink_emit(void *ctx, const struct event *ev)
{
    struct sink *s = ctx;
    struct event_field stack[FIELDS_ON_STACK], *fields = stack;
    char **owned = NULL;
    size_t owned_count = 0, owned_capacity = 0, limit = value_limit(ev->kind);

    if (!event_valid(ev)) {
        pthread_mutex_lock(&s->lock);
        s->state.dropped++;
        pthread_mutex_unlock(&s->lock);
        return;
    }
    if (ev->field_count > FIELDS_ON_STACK) {
        fields = xcalloc(ev->field_count, sizeof(*fields));
    }
    for (size_t i = 0; i < ev->field_count; i++) {
        struct str v = str_from(ev->fields[i].value);
        fields[i] = ev->fields[i];
        if (!is_clean(v, limit, ev->kind == EVENT_LOG)) {
            ARRAY_RESERVE(owned, owned_count, owned_capacity, 1);
            fields[i].value = owned[owned_count++] = clean(v, limit, ev->kind == EVENT_LOG);
        }
    }
    struct event cleaned = *ev;
    cleaned.fields = fields;
    push(s, QUEUE_EVENT, ev->run, &cleaned);
    for (size_t i = 0; i < owned_count; i++) {
        free(owned[i]);
    }
    free(owned);
    if (fields != stack) {
        free(fields);
    }
}
