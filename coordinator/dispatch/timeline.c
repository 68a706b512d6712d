/* See timeline.h. */
#include "timeline.h"

#include "alloc.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NOT_YET (-1.0)
#define SLOTS_MAX 1000000

void timeline_init(struct timeline *t, int slots, int64_t started_ms)
{
    *t = (struct timeline){.slots = slots > 0 ? slots : 1, .started_ms = started_ms};
    arena_init(&t->arena);
}

void timeline_release(struct timeline *t)
{
    free(t->entries);
    arena_release(&t->arena);
    *t = (struct timeline){0};
}

size_t timeline_add(struct timeline *t, const char *stage, const size_t *after, size_t after_count,
                    double ready)
{
    ARRAY_RESERVE(t->entries, t->count, t->capacity, 1);
    struct timeline_entry *n = &t->entries[t->count];
    *n = (struct timeline_entry){.stage = arena_strdup(&t->arena, stage),
                                 .outcome = OUTCOME_FRESH,
                                 .after = ARENA_ARRAY(&t->arena, after_count + 1, size_t),
                                 .after_count = after_count,
                                 .ready = ready,
                                 .start = NOT_YET,
                                 .end = NOT_YET,
                                 .done = NOT_YET};
    for (size_t i = 0; i < after_count; i++) {
        n->after[i] = after[i];
    }
    return t->count++;
}

const struct timeline_entry *timeline_find(const struct timeline *t, const char *stage)
{
    for (size_t i = t->count; i-- > 0;) {
        if (strcmp(t->entries[i].stage, stage) == 0) {
            return &t->entries[i];
        }
    }
    return NULL;
}

void timeline_end(struct timeline *t, double seconds)
{
    t->seconds = seconds;
    for (size_t i = 0; i < t->count; i++) {
        struct timeline_entry *n = &t->entries[i];
        n->end = n->start >= 0 && n->end < 0 ? seconds : n->end;
    }
}

/* ---- the file ---- */

static struct value *moment(struct arena *a, double seconds)
{
    return seconds < 0 ? value_null(a) : value_float(a, seconds);
}

static struct value *entry_value(struct arena *a, const struct timeline_entry *n)
{
    struct value *v = value_map(a), *after = value_list(a);
    for (size_t i = 0; i < n->after_count; i++) {
        value_push(a, after, value_int(a, (int64_t)n->after[i]));
    }
    value_set(a, v, "stage", value_cstr(a, n->stage));
    value_set(a, v, "outcome", value_cstr(a, outcome_name(n->outcome)));
    value_set(a, v, "reason", n->reason != NULL ? value_cstr(a, n->reason) : value_null(a));
    value_set(a, v, "after", after);
    value_set(a, v, "ready", moment(a, n->ready));
    value_set(a, v, "start", moment(a, n->start));
    value_set(a, v, "end", moment(a, n->end));
    value_set(a, v, "done", moment(a, n->done));
    value_set(a, v, "slot", value_int(a, n->slot));
    value_set(a, v, "slots", value_int(a, n->slots));
    value_set(a, v, "attempt", value_int(a, n->attempt));
    return v;
}

int timeline_save(const struct timeline *t, const char *path, struct err *e)
{
    struct arena a;
    struct strbuf text;
    arena_init(&a);
    strbuf_init(&text);
    struct value *doc = value_map(&a), *list = value_list(&a);
    for (size_t i = 0; i < t->count; i++) {
        value_push(&a, list, entry_value(&a, &t->entries[i]));
    }
    value_set(&a, doc, "schema", value_int(&a, 1));
    value_set(&a, doc, "slots", value_int(&a, t->slots));
    value_set(&a, doc, "started_ms", value_int(&a, t->started_ms));
    value_set(&a, doc, "seconds", value_float(&a, t->seconds));
    value_set(&a, doc, "stages", list);
    json_write(&text, doc, &(struct json_style){.utf8 = true});
    strbuf_addch(&text, '\n');
    struct fs_temp temp;
    int rc = fs_temp_open(&temp, path, 0, e);
    if (rc == 0) {
        rc = fs_write_all(temp.fd, text.p, text.n, temp.path, e);
        if (rc == 0) {
            rc = fs_temp_commit(&temp, path, true, e); /* a record to look at: not worth a sync */
        } else {
            fs_temp_abort(&temp);
        }
    }
    strbuf_release(&text);
    arena_release(&a);
    return rc;
}

/* Numbers that are none, or not within 0..most, answer `other`. */
static double number(const struct value *map, const char *key, double most, double other)
{
    const struct value *v = value_get(map, key);
    double d = v == NULL                ? NAN
               : v->type == VALUE_INT   ? (double)v->i
               : v->type == VALUE_FLOAT ? v->f
                                        : NAN;
    return d >= 0 && d <= most ? d : other;
}

static bool outcome_of(struct str name, enum outcome *o)
{
    static const char *const names[] = {
#define X(word, text) text,
        OUTCOMES(X)
#undef X
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (str_is(name, names[i])) {
            *o = (enum outcome)i;
            return true;
        }
    }
    return false;
}

static int read_entry(struct timeline *t, const struct value *v)
{
    struct str stage = value_as_str(value_get(v, "stage"));
    struct str reason = value_as_str(value_get(v, "reason"));
    const struct value *after = value_get(v, "after");
    size_t known = t->count, kept = 0;
    enum outcome outcome;
    if (stage.n == 0 || !outcome_of(value_as_str(value_get(v, "outcome")), &outcome)) {
        return -1;
    }
    size_t place = timeline_add(t, stage.p, NULL, 0, NOT_YET);
    struct timeline_entry *n = &t->entries[place];
    if (after != NULL && after->type == VALUE_LIST) {
        n->after = ARENA_ARRAY(&t->arena, after->list.count + 1, size_t);
        for (size_t i = 0; i < after->list.count; i++) {
            const struct value *at = after->list.items[i];
            if (at->type == VALUE_INT && at->i >= 0 && (uint64_t)at->i < known) {
                n->after[kept++] = (size_t)at->i;
            }
        }
    }
    n->after_count = kept;
    n->outcome = outcome;
    n->reason = reason.n > 0 ? arena_strdup(&t->arena, reason.p) : NULL;
    n->ready = number(v, "ready", t->seconds, NOT_YET);
    n->start = number(v, "start", t->seconds, NOT_YET);
    n->end = number(v, "end", t->seconds, NOT_YET);
    n->done = number(v, "done", t->seconds, NOT_YET);
    n->slot = (int)number(v, "slot", t->slots - 1, 0);
    n->slots = (int)number(v, "slots", t->slots - n->slot, 1);
    n->attempt = (int)number(v, "attempt", SLOTS_MAX, 0);
    return n->start >= 0 && (n->end < n->start || n->slots < 1) ? -1 : 0;
}

int timeline_load(struct timeline *t, const char *path, struct err *e)
{
    struct arena a;
    arena_init(&a);
    timeline_init(t, 1, 0);
    if (!fs_exists(path)) {
        arena_release(&a);
        return err_set(e, ERR_MISSING,
                       "nothing is known of a repro here yet; `nephron repro` records its times");
    }
    const struct value *doc = json_load(&a, path, e);
    int rc = doc == NULL ? -1 : 0;
    if (rc == 0) {
        const struct value *list = value_get(doc, "stages");
        bool good = number(doc, "schema", 1, 0) == 1 && list != NULL && list->type == VALUE_LIST;
        t->slots = (int)number(doc, "slots", SLOTS_MAX, 0);
        t->started_ms = (int64_t)number(doc, "started_ms", 1e15, 0);
        t->seconds = number(doc, "seconds", 1e9, -1);
        good = good && t->slots > 0 && t->seconds >= 0;
        for (size_t i = 0; good && i < list->list.count; i++) {
            good = read_entry(t, list->list.items[i]) == 0;
        }
        rc = good ? 0
                  : err_set(e, ERR_FORMAT,
                            "%s: not a record of a repro (schema 1); the next repro that runs "
                            "something writes it anew",
                            path);
    }
    arena_release(&a);
    if (rc < 0) {
        timeline_release(t);
    }
    return rc;
}

/* ---- questions ---- */

static double over(const struct timeline_entry *n)
{
    return n->done >= 0 ? n->done : n->end;
}

static bool share_slots(const struct timeline_entry *a, const struct timeline_entry *b)
{
    return a->slot < b->slot + b->slots && b->slot < a->slot + a->slots;
}

/* What entry `at` waited for last; SIZE_MAX: nothing. */
static size_t waited_for(const struct timeline *t, size_t at)
{
    const struct timeline_entry *n = &t->entries[at];
    size_t dep = SIZE_MAX, slot = SIZE_MAX;
    for (size_t i = 0; i < n->after_count; i++) {
        size_t k = n->after[i];
        if (dep == SIZE_MAX || over(&t->entries[k]) > over(&t->entries[dep])) {
            dep = k;
        }
    }
    for (size_t k = 0; k < t->count && n->start >= 0; k++) {
        const struct timeline_entry *o = &t->entries[k];
        bool before = k != at && o->start >= 0 && o->end > n->ready && o->end <= n->start;
        if (before && share_slots(n, o) && (slot == SIZE_MAX || o->end > t->entries[slot].end)) {
            slot = k;
        }
    }
    return slot != SIZE_MAX ? slot : dep;
}

double timeline_mark_critical(struct timeline *t)
{
    size_t at = SIZE_MAX, steps = 0;
    double begin = 0, end = 0;
    for (size_t i = 0; i < t->count; i++) {
        t->entries[i].critical = false;
        if (t->entries[i].start >= 0 &&
            (at == SIZE_MAX || over(&t->entries[i]) > over(&t->entries[at]))) {
            at = i;
        }
    }
    end = at != SIZE_MAX ? over(&t->entries[at]) : 0;
    for (; at != SIZE_MAX && steps < t->count; steps++) {
        struct timeline_entry *n = &t->entries[at];
        n->critical = n->start >= 0;
        begin = n->start >= 0 ? n->start : begin;
        at = waited_for(t, at);
    }
    return end > begin ? end - begin : 0;
}

bool timeline_any(const struct timeline *t)
{
    bool any = false;
    for (size_t i = 0; i < t->count && !any; i++) {
        any = t->entries[i].start >= 0;
    }
    return any;
}

double timeline_used(const struct timeline *t)
{
    double busy = 0;
    for (size_t i = 0; i < t->count; i++) {
        const struct timeline_entry *n = &t->entries[i];
        busy += n->start >= 0 ? (n->end - n->start) * n->slots : 0;
    }
    double all = t->seconds * t->slots;
    return all > 0 ? fmin(busy / all, 1) : 0;
}
