/* Reading runs: choice of the source, and what is the same for both; see runread.h. */

#include "runread.h"

#include "alloc.h"
#include "clock.h"
#include "err.h"
#include "json.h"
#include "num.h"
#include "redis.h"
#include "redis_server.h"
#include "replay.h"
#include "runread_private.h"
#include "runstore.h"
#include "spool.h"
#include "tracking.h"
#include "value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_TIMEOUT_MS 10000 /* long streams, slow links; a person waits, not a training */
#define NEAR_MAX 3

static void send_leftovers(struct runread *r, const struct tracking *t)
{
    struct runstore store;
    struct err ignored = ERR_INIT; /* a read-only replica is no reason not to read */
    runstore_init(&store, t);
    if (runstore_prepare(&store, r->redis, &ignored) == 0) {
        replay_folder(t, &store, r->redis, clock_wall_ms(&clock_system), NULL, NULL, &ignored);
    }
}

struct runread *runread_open(const struct tracking *t, struct err *why)
{
    struct runread *r = xcalloc(1, sizeof(*r));
    struct err first = ERR_INIT;
    bool is_auto = strcmp(t->redis_url, "auto") == 0;

    snprintf(r->prefix, sizeof(r->prefix), "%s", t->prefix);
    r->redis = redis_connect(t, !is_auto || redis_server_has_data(t), &first);
    if (r->redis) {
        send_leftovers(r, t);
        if (!redis_usable(r->redis)) { /* it broke off while taking what was left */
            redis_close(r->redis);
            r->redis = redis_connect(t, false, &first);
        }
    }
    if (r->redis) {
        redis_set_timeout(r->redis, READ_TIMEOUT_MS);
        r->behind = replay_behind(t, r->redis, clock_wall_ms(&clock_system));
        return r;
    }
    if (why) {
        *why = first;
    }
    r->model = spool_model_new(t);
    return r;
}

struct runread *runread_from(struct redis *redis, const char *prefix)
{
    struct runread *r = xcalloc(1, sizeof(*r));
    snprintf(r->prefix, sizeof(r->prefix), "%s", prefix);
    r->redis = redis;
    return r;
}

void runread_close(struct runread *r)
{
    if (r) {
        redis_close(r->redis);
        spool_model_free(r->model);
        free(r);
    }
}

bool runread_is_redis(const struct runread *r)
{
    return r->redis != NULL;
}
uint64_t runread_behind(const struct runread *r)
{
    return r->behind;
}

int runread_refresh(struct runread *r, struct err *e)
{
    return r->model ? spool_model_refresh(r->model, e) : 0;
}

void runread_mark_lost(struct arena *a, struct value *fields, int64_t now_ms)
{
    int64_t beat;
    struct str status = value_as_str(value_get(fields, "status"));
    struct str text = value_as_str(value_get(fields, "heartbeat_ms"));
    if (str_is(status, "running") && num_parse_int(text, &beat) &&
        now_ms - beat > RUNSTORE_LOST_MS) {
        value_set(a, fields, "status", value_cstr(a, "lost"));
    }
}

void runread_add_json(struct arena *a, struct value *map, const char *name, struct str json)
{
    struct value *v = json.n <= ((size_t)1 << 20) ? json_parse(a, json, name, NULL) : NULL;
    if (v && v->type == VALUE_MAP) {
        value_set(a, map, name, v);
    }
}

int runread_ids(struct runread *r, struct arena *a, size_t limit, const char ***ids, size_t *count,
                struct err *e)
{
    if (r->redis) {
        return runread_redis_ids(r, a, limit, ids, count, e);
    }
    spool_model_ids(r->model, a, limit, ids, count);
    return 0;
}

int runread_heads(struct runread *r, struct arena *a, const char *const *ids, size_t count,
                  struct run_record *runs, struct err *e)
{
    int64_t now = clock_wall_ms(&clock_system);
    if (r->redis && runread_redis_heads(r, a, ids, count, runs, e) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (!r->redis && !spool_model_run(r->model, a, ids[i], false, &runs[i])) {
            runs[i] =
                (struct run_record){ids[i], value_map(a), NULL, NULL, value_map(a), NULL, NULL};
        }
        runread_mark_lost(a, runs[i].fields, now);
    }
    return 0;
}

static int unknown_run(const char *id, struct err *e)
{
    return err_set(e, ERR_MISSING, "no run %s", id);
}

int runread_run(struct runread *r, struct arena *a, const char *id, struct run_record *run,
                struct err *e)
{
    if (!spool_is_run_id(id)) {
        return unknown_run(id, e);
    }
    if (r->redis) {
        if (runread_redis_run(r, a, id, run, e) < 0) {
            return -1;
        }
    } else if (!spool_model_run(r->model, a, id, true, run)) {
        return unknown_run(id, e);
    }
    runread_mark_lost(a, run->fields, clock_wall_ms(&clock_system));
    return 0;
}

static size_t common_prefix(const char *x, const char *y)
{
    size_t n = 0;
    while (x[n] && x[n] == y[n]) {
        n++;
    }
    return n;
}

static int not_found(const char *word, const char *const *ids, size_t count, struct err *e)
{
    const char *near[NEAR_MAX];
    size_t length[NEAR_MAX], n = 0;

    if (count == 0) {
        return err_set(e, ERR_MISSING, "no run '%.64s': no runs are recorded here yet", word);
    }
    /* Those that share most of the beginning; among equals the newest. */
    for (size_t i = 0; i < count; i++) {
        size_t common = common_prefix(word, ids[i]), at = n;
        while (at > 0 && length[at - 1] < common) {
            at--;
        }
        if (at < NEAR_MAX) {
            size_t last = n < NEAR_MAX ? n++ : NEAR_MAX - 1;
            memmove(near + at + 1, near + at, (last - at) * sizeof(*near));
            memmove(length + at + 1, length + at, (last - at) * sizeof(*length));
            near[at] = ids[i];
            length[at] = common;
        }
    }
    err_set(e, ERR_MISSING, "no run '%.64s'; did you mean", word);
    for (size_t i = 0; i < n; i++) {
        err_append(e, "%s %.12s", i ? "," : "", near[i]);
    }
    return err_append(e, "? ('nephron runs ls' shows all)");
}

int runread_resolve(struct runread *r, struct arena *a, const char *word, const char **id,
                    struct err *e)
{
    const char **ids;
    size_t count, found = 0, n = strlen(word);
    bool latest = strcmp(word, "latest") == 0;

    if (runread_ids(r, a, latest ? 1 : 0, &ids, &count, e) < 0) {
        return -1;
    }
    if (latest) {
        if (count == 0) {
            return err_set(e, ERR_MISSING, "no runs are recorded here yet");
        }
        *id = ids[0];
        return 0;
    }
    for (size_t i = 0; i < count && n; i++) {
        if (strncmp(ids[i], word, n) == 0) {
            *id = ids[i];
            found++;
        }
    }
    if (found == 1) {
        return 0;
    }
    if (found > 1) {
        return err_set(e, ERR_MISSING, "'%.32s' stands for %zu runs; give more of the id", word,
                       found);
    }
    return not_found(word, ids, count, e);
}

int runread_metric(struct runread *r, struct arena *a, const char *id, const char *name,
                   struct runread_place *place, struct metric_point **points, size_t *count,
                   struct err *e)
{
    if (r->redis) {
        return runread_redis_metric(r, a, id, name, place, points, count, e);
    }
    spool_model_metric(r->model, a, id, name, place, points, count);
    return 0;
}

int runread_log(struct runread *r, struct arena *a, const char *id, struct runread_place *place,
                struct log_line **lines, size_t *count, struct err *e)
{
    if (r->redis) {
        return runread_redis_log(r, a, id, place, lines, count, e);
    }
    spool_model_log(r->model, a, id, place, lines, count);
    return 0;
}
