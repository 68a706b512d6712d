/*
 * Jobs and results as bytes: a sequence of fields in the order of the struct, integers as 8 bytes
 * little-endian, doubles by their bits, strings as length (all ones: NULL) and bytes; in front
 * magic and version. Ranks of one job are one program, the version guards against a mixed
 * installation.
 */
#include "job.h"

#include "alloc.h"
#include "err.h"

#include <string.h>

#define JOB_MAGIC 0x324a4e50u    /* "PNJ2" */
#define RESULT_MAGIC 0x31524e50u /* "PNR1" */
#define PACK_MAX_ITEMS 100000u
#define NULL_STRING UINT64_MAX

static void put_u64(struct strbuf *out, uint64_t v)
{
    char b[8];
    for (int i = 0; i < 8; i++) {
        b[i] = (char)(v >> (8 * i));
    }
    strbuf_add(out, b, sizeof b);
}

static void put_double(struct strbuf *out, double d)
{
    uint64_t v;
    memcpy(&v, &d, sizeof v);
    put_u64(out, v);
}

static void put_bytes(struct strbuf *out, const char *p, size_t n)
{
    put_u64(out, p == NULL ? NULL_STRING : n);
    if (p != NULL) {
        strbuf_add(out, p, n);
    }
}

static void put_string(struct strbuf *out, const char *s)
{
    put_bytes(out, s, s != NULL ? strlen(s) : 0);
}

static void put_strings(struct strbuf *out, const char *const *items, size_t count)
{
    put_u64(out, count);
    for (size_t i = 0; i < count; i++) {
        put_string(out, items[i]);
    }
}

struct reader {
    struct str rest;
    struct arena *arena;
    bool bad;
};

static uint64_t get_u64(struct reader *r)
{
    if (r->rest.n < 8) {
        r->bad = true;
        return 0;
    }
    uint64_t v = 0;
    for (int i = 0; i < 8; i++) {
        v |= (uint64_t)(unsigned char)r->rest.p[i] << (8 * i);
    }
    r->rest = str_sub(r->rest, 8, r->rest.n - 8);
    return v;
}

static double get_double(struct reader *r)
{
    uint64_t v = get_u64(r);
    double d;
    memcpy(&d, &v, sizeof d);
    return d;
}

static int get_int(struct reader *r)
{
    int64_t v = (int64_t)get_u64(r);
    if (v < INT32_MIN || v > INT32_MAX) {
        r->bad = true;
        return 0;
    }
    return (int)v;
}

static const char *get_bytes(struct reader *r, size_t *size)
{
    uint64_t n = get_u64(r);
    *size = 0;
    if (r->bad || n == NULL_STRING) {
        return NULL;
    }
    if (n > r->rest.n) {
        r->bad = true;
        return NULL;
    }
    const char *p = arena_strndup(r->arena, r->rest.p, (size_t)n);
    r->rest = str_sub(r->rest, (size_t)n, r->rest.n - (size_t)n);
    *size = (size_t)n;
    return p;
}

static const char *get_string(struct reader *r)
{
    size_t n;
    const char *s = get_bytes(r, &n);
    if (s != NULL && strlen(s) != n) {
        r->bad = true;
    }
    return s;
}

static const char *const *get_strings(struct reader *r, size_t *count)
{
    uint64_t n = get_u64(r);
    *count = 0;
    if (r->bad || n > PACK_MAX_ITEMS || n > r->rest.n / 8) {
        r->bad = true;
        return NULL;
    }
    const char **items = ARENA_ARRAY(r->arena, (size_t)n + 1, const char *);
    for (size_t i = 0; i < n; i++) {
        items[i] = get_string(r);
        r->bad = r->bad || items[i] == NULL;
    }
    *count = (size_t)n;
    return items;
}

void job_pack(const struct job *j, struct strbuf *out)
{
    put_u64(out, JOB_MAGIC);
    put_u64(out, j->id);
    put_string(out, j->stage);
    put_strings(out, j->cmds, j->cmd_count);
    put_string(out, j->cwd);
    put_strings(out, j->env, j->env_count);
    put_string(out, j->log_path);
    put_u64(out, (uint64_t)(int64_t)j->slot);
    put_u64(out, (uint64_t)(int64_t)j->slots);
    put_u64(out, (uint64_t)(int64_t)j->ranks);
    put_u64(out, (uint64_t)(int64_t)j->threads);
    put_double(out, j->timeout_s);
    put_u64(out, (uint64_t)(int64_t)j->attempt);
    put_bytes(out, j->carry.n > 0 ? j->carry.p : "", j->carry.n);
}

int job_unpack(struct str bytes, struct arena *a, struct job *j, struct err *e)
{
    struct reader r = {.rest = bytes, .arena = a};
    if (get_u64(&r) != JOB_MAGIC || r.bad) {
        return err_set(e, ERR_FORMAT, "not a job of this version");
    }
    *j = (struct job){.id = get_u64(&r)};
    j->stage = get_string(&r);
    j->cmds = get_strings(&r, &j->cmd_count);
    j->cwd = get_string(&r);
    j->env = get_strings(&r, &j->env_count);
    j->log_path = get_string(&r);
    j->slot = get_int(&r);
    j->slots = get_int(&r);
    j->ranks = get_int(&r);
    j->threads = get_int(&r);
    j->timeout_s = get_double(&r);
    j->attempt = get_int(&r);
    j->carry.p = get_bytes(&r, &j->carry.n);
    if (r.bad || r.rest.n != 0 || j->carry.p == NULL || j->stage == NULL || j->cwd == NULL) {
        return err_set(e, ERR_FORMAT, "malformed job (%zu bytes)", bytes.n);
    }
    return 0;
}

void result_pack(const struct job_result *r, struct strbuf *out)
{
    put_u64(out, RESULT_MAGIC);
    put_u64(out, r->id);
    put_u64(out, (uint64_t)(int64_t)r->status);
    put_string(out, r->failed_cmd);
    put_string(out, r->error);
    put_u64(out, (r->timed_out ? 1u : 0u) | (r->killed ? 2u : 0u));
    put_string(out, r->host);
    put_u64(out, (uint64_t)(int64_t)r->rank);
    put_u64(out, (uint64_t)r->start_ms);
    put_u64(out, (uint64_t)r->end_ms);
    put_double(out, r->seconds);
    put_bytes(out, r->output != NULL ? r->output : "", r->output != NULL ? r->output_bytes : 0);
}

int result_unpack(struct str bytes, struct arena *a, struct job_result *res, struct err *e)
{
    struct reader r = {.rest = bytes, .arena = a};
    if (get_u64(&r) != RESULT_MAGIC || r.bad) {
        return err_set(e, ERR_FORMAT, "not a result of this version");
    }
    *res = (struct job_result){.id = get_u64(&r)};
    res->status = get_int(&r);
    res->failed_cmd = get_string(&r);
    res->error = get_string(&r);
    uint64_t flags = get_u64(&r);
    res->timed_out = (flags & 1) != 0;
    res->killed = (flags & 2) != 0;
    res->host = get_string(&r);
    res->rank = get_int(&r);
    res->start_ms = (int64_t)get_u64(&r);
    res->end_ms = (int64_t)get_u64(&r);
    res->seconds = get_double(&r);
    res->output = get_bytes(&r, &res->output_bytes);
    if (r.bad || r.rest.n != 0 || flags > 3 || res->output == NULL) {
        return err_set(e, ERR_FORMAT, "malformed result (%zu bytes)", bytes.n);
    }
    return 0;
}

void result_text(const struct job_result *r, struct strbuf *out)
{
    if (r->error != NULL) {
        strbuf_adds(out, r->error);
        return;
    }
    strbuf_addf(out, "failed to run: %s, exited with %d",
                r->failed_cmd != NULL ? r->failed_cmd : "", r->status);
    if (r->timed_out) {
        strbuf_adds(out, " (its time was up)");
    }
}
