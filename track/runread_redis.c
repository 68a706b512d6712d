/* Runs out of Redis; keys in runstore.h. Nothing in a reply is believed before its type was looked
 * at. */

#include "runread_private.h"

#include "alloc.h"
#include "err.h"
#include "num.h"
#include "redis.h"
#include "runstore.h"
#include "spool.h"
#include "value.h"

#include <hiredis/hiredis.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIPELINE_MAX 500
#define STREAM_CHUNK "5000"
#define STREAM_CHUNK_N 5000

static int strange(const char *what, struct err *e)
{
    return err_set(e, ERR_REMOTE, "unexpected answer of Redis for %s", what);
}

static bool is_text(const redisReply *r)
{
    return r && r->type == REDIS_REPLY_STRING;
}
static struct str text_of(const redisReply *r)
{
    return (struct str){r->str, r->len};
}

static void run_key(const struct runread *r, const char *id, const char *suffix, const char *name,
                    char out[RUNSTORE_KEY_MAX + 1])
{
    snprintf(out, RUNSTORE_KEY_MAX + 1, "%srun:%s%s%s", r->prefix, id, suffix, name);
}

int runread_redis_ids(struct runread *r, struct arena *a, size_t limit, const char ***ids,
                      size_t *count, struct err *e)
{
    char key[RUNSTORE_KEY_MAX], last[24];

    snprintf(key, sizeof(key), "%sruns", r->prefix);
    snprintf(last, sizeof(last), "%ld", limit ? (long)limit - 1 : -1L);
    redisReply *reply = redis_command(r->redis, e, "ZREVRANGE", key, "0", last, NULL);
    if (!reply) {
        return err_wrap(e, "cannot list the runs");
    }
    *count = 0;
    if (reply->type != REDIS_REPLY_ARRAY) {
        redis_reply_free(reply);
        return strange("the list of runs", e);
    }
    *ids = ARENA_ARRAY(a, reply->elements + 1, const char *);
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *item = reply->element[i];
        if (is_text(item) && item->len == 32 && spool_is_run_id(item->str)) {
            (*ids)[(*count)++] = arena_strdup(a, item->str);
        }
    }
    redis_reply_free(reply);
    return 0;
}

/* A hash as a map of text. */
static struct value *hash_map(struct arena *a, const redisReply *reply)
{
    struct value *map = value_map(a);
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *k = reply->element[i], *v = reply->element[i + 1];
        if (is_text(k) && is_text(v) && !memchr(k->str, '\0', k->len)) {
            value_set(a, map, k->str, value_str(a, text_of(v)));
        }
    }
    return map;
}

static struct value *json_hash_map(struct arena *a, const redisReply *reply)
{
    struct value *map = value_map(a);
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *k = reply->element[i], *v = reply->element[i + 1];
        if (is_text(k) && is_text(v) && !memchr(k->str, '\0', k->len)) {
            runread_add_json(a, map, arena_strdup(a, k->str), text_of(v));
        }
    }
    return map;
}

static int append_hgetall(struct runread *r, const char *id, const char *suffix, struct err *e)
{
    char key[RUNSTORE_KEY_MAX + 1];
    run_key(r, id, suffix, "", key);
    return redis_append(r->redis, 2, (const char *[]){"HGETALL", key}, NULL, e);
}

static int take_hash(struct runread *r, struct arena *a, bool json, struct value **out,
                     struct err *e)
{
    redisReply *reply = redis_reply(r->redis, e);
    if (!reply) {
        return -1;
    }
    int rc = 0;
    if (reply->type == REDIS_REPLY_ARRAY) {
        *out = json ? json_hash_map(a, reply) : hash_map(a, reply);
    } else {
        *out = value_map(a); /* a key of another type, or no permission: shown as empty */
        rc = reply->type == REDIS_REPLY_ERROR && (strncmp(reply->str, "NOPERM", 6) == 0 ||
                                                  strncmp(reply->str, "NOAUTH", 6) == 0)
                 ? err_set(e, ERR_REMOTE, "Redis refuses: %.200s", reply->str)
                 : 0;
    }
    redis_reply_free(reply);
    return rc;
}

int runread_redis_heads(struct runread *r, struct arena *a, const char *const *ids, size_t count,
                        struct run_record *runs, struct err *e)
{
    for (size_t at = 0; at < count; at += PIPELINE_MAX) {
        size_t n = count - at < PIPELINE_MAX ? count - at : PIPELINE_MAX;
        for (size_t i = at; i < at + n; i++) {
            if (append_hgetall(r, ids[i], "", e) < 0 ||
                append_hgetall(r, ids[i], ":latest", e) < 0) {
                return -1;
            }
        }
        for (size_t i = at; i < at + n; i++) {
            runs[i] = (struct run_record){.id = ids[i]};
            if (take_hash(r, a, false, &runs[i].fields, e) < 0 ||
                take_hash(r, a, false, &runs[i].latest, e) < 0) {
                return err_wrap(e, "cannot read the runs");
            }
        }
    }
    return 0;
}

int runread_redis_run(struct runread *r, struct arena *a, const char *id, struct run_record *run,
                      struct err *e)
{
    static const char *const parts[] = {"", ":params", ":tags", ":latest", ":stages", ":ranks"};
    struct value *maps[ARRAY_SIZE(parts)];

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        if (append_hgetall(r, id, parts[i], e) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        if (take_hash(r, a, i >= 4, &maps[i], e) < 0) {
            return err_wrap(e, "cannot read run %s", id);
        }
    }
    if (maps[0]->map.count == 0) {
        return err_set(e, ERR_MISSING, "no run %s", id);
    }
    *run = (struct run_record){id, maps[0], maps[1], maps[2], maps[3], maps[4], maps[5]};
    return 0;
}

/* ---- streams ---- */

/* The value of `name` in an entry's list of fields. */
static struct str entry_field(const redisReply *entry, const char *name)
{
    const redisReply *list = entry->element[1];
    for (size_t i = 0; i + 1 < list->elements; i += 2) {
        if (is_text(list->element[i]) && is_text(list->element[i + 1]) &&
            str_is(text_of(list->element[i]), name)) {
            return text_of(list->element[i + 1]);
        }
    }
    return (struct str){"", 0};
}

static bool is_entry(const redisReply *entry)
{
    return entry && entry->type == REDIS_REPLY_ARRAY && entry->elements == 2 &&
           is_text(entry->element[0]) && entry->element[0]->len < 40 && entry->element[1] &&
           entry->element[1]->type == REDIS_REPLY_ARRAY;
}

typedef void entry_fn(void *ctx, const redisReply *entry);

/* Calls `fn` for every entry behind *place, and moves it. */
static int walk_stream(struct runread *r, const char *key, struct runread_place *place,
                       entry_fn *fn, void *ctx, struct err *e)
{
    for (size_t total = 0; total < REDIS_ELEMENTS_MAX;) {
        char from[64];
        snprintf(from, sizeof(from), "%s%s", place->id[0] ? "(" : "",
                 place->id[0] ? place->id : "-");
        redisReply *reply =
            redis_command(r->redis, e, "XRANGE", key, from, "+", "COUNT", STREAM_CHUNK, NULL);
        if (!reply) {
            return err_wrap(e, "cannot read %s", key);
        }
        if (reply->type != REDIS_REPLY_ARRAY) {
            redis_reply_free(reply);
            return strange(key, e);
        }
        size_t n = reply->elements;
        for (size_t i = 0; i < n; i++) {
            if (is_entry(reply->element[i])) {
                fn(ctx, reply->element[i]);
                snprintf(place->id, sizeof(place->id), "%s", reply->element[i]->element[0]->str);
            }
        }
        redis_reply_free(reply);
        total += n;
        if (n < STREAM_CHUNK_N) {
            break;
        }
    }
    return 0;
}

struct points {
    struct metric_point *items;
    size_t count, capacity;
};

static void add_point(void *ctx, const redisReply *entry)
{
    struct points *p = ctx;
    struct metric_point point = {0};
    if (!num_parse_double(entry_field(entry, "v"), &point.v)) {
        return;
    }
    num_parse_int(entry_field(entry, "step"), &point.step);
    num_parse_int(entry_field(entry, "t"), &point.time_ms);
    ARRAY_RESERVE(p->items, p->count, p->capacity, 1);
    p->items[p->count++] = point;
}

int runread_redis_metric(struct runread *r, struct arena *a, const char *id, const char *name,
                         struct runread_place *place, struct metric_point **points, size_t *count,
                         struct err *e)
{
    char key[RUNSTORE_KEY_MAX + 1];
    struct points p = {0};

    *count = 0;
    if (!runstore_metric_name_valid(name)) {
        return err_set(e, ERR_MISSING, "'%.100s' is no name of a metric", name);
    }
    run_key(r, id, ":metric:", name, key);
    int rc = walk_stream(r, key, place, add_point, &p, e);
    if (rc == 0) {
        *points = ARENA_ARRAY(a, p.count + 1, struct metric_point);
        if (p.count) {
            memcpy(*points, p.items, p.count * sizeof(*p.items));
        }
        *count = p.count;
    }
    free(p.items);
    return rc;
}

struct lines {
    struct arena *arena;
    struct log_line *items;
    size_t count, capacity;
};

static void add_line(void *ctx, const redisReply *entry)
{
    struct lines *l = ctx;
    struct str line = entry_field(entry, "line"), rank = entry_field(entry, "rank");
    ARRAY_RESERVE(l->items, l->count, l->capacity, 1);
    l->items[l->count++] =
        (struct log_line){arena_str(l->arena, line).p, arena_str(l->arena, rank).p};
}

int runread_redis_log(struct runread *r, struct arena *a, const char *id,
                      struct runread_place *place, struct log_line **lines, size_t *count,
                      struct err *e)
{
    char key[RUNSTORE_KEY_MAX + 1];
    struct lines l = {.arena = a};

    *count = 0;
    run_key(r, id, ":log", "", key);
    int rc = walk_stream(r, key, place, add_line, &l, e);
    if (rc == 0) {
        *lines = ARENA_ARRAY(a, l.count + 1, struct log_line);
        if (l.count) {
            memcpy(*lines, l.items, l.count * sizeof(*l.items));
        }
        *count = l.count;
    }
    free(l.items);
    return rc;
}
